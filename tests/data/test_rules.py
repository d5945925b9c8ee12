"""What the database itself sees to, whoever writes."""

import threading

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError
from sqlalchemy.orm import Session

from data.models import (
    Area,
    BlockWatch,
    LayerChange,
    Plan,
    PoliceIncident,
    Report,
    ReportEvent,
    ReportTally,
    StreetLight,
)

WEST, SOUTH = -94.60, 39.00


def box(west: float, south: float, east: float, north: float) -> str:
    """A box in hundredths of a degree from the corner of the city."""
    x0, y0, x1, y1 = (
        WEST + west / 100,
        SOUTH + south / 100,
        WEST + east / 100,
        SOUTH + north / 100,
    )
    ring = f"({x0} {y0}, {x1} {y0}, {x1} {y1}, {x0} {y1}, {x0} {y0})"
    return f"SRID=4326;MULTIPOLYGON(({ring}))"


def point(x: float, y: float) -> str:
    return f"SRID=4326;POINT({WEST + x / 100} {SOUTH + y / 100})"


@pytest.fixture
def city(session: Session) -> dict[str, int]:
    """A city of 4 by 2, its west and east halves being neighbourhoods; the ids of areas by name."""
    for layer, name, shape in (
        ("city", "Town", box(0, 0, 4, 2)),
        ("neighbourhood", "West", box(0, 0, 2, 2)),
        ("neighbourhood", "East", box(2, 0, 4, 2)),
        ("council_district", "1", box(0, 0, 4, 2)),
    ):
        session.execute(insert(Area).values(layer=layer, code=name, name=name, geom=shape))
    return dict(session.execute(select(Area.name, Area.id)).all())


def file_report(session: Session, shape: str, **values) -> int:
    values = {
        "kind": "cleanup", "category_code": "dumping", "exact_geom": shape, "public_geom": shape,
        "occurred_at": func.now(),
    } | values  # fmt: skip
    return session.execute(insert(Report).values(**values).returning(Report.id)).scalar_one()


def areas_of(session: Session, report: int):
    columns = (Report.neighbourhood_id, Report.council_district_id, Report.block_watch_id)
    return session.execute(select(*columns).where(Report.id == report)).one()


def version(session: Session, layer: str) -> int:
    return session.scalar(select(func.sum(LayerChange.n)).where(LayerChange.layer == layer)) or 0


def refused(session: Session, *errors: type[DBAPIError]):
    session.begin_nested()
    return pytest.raises(errors or IntegrityError)


def test_a_report_knows_its_areas_and_its_watch_as_it_is_written(session, city):
    watch = session.execute(
        insert(BlockWatch).values(name="Elm", boundary=box(0, 0, 1, 1)).returning(BlockWatch.id)
    ).scalar_one()
    assert areas_of(session, file_report(session, point(0.5, 0.5))) == (
        city["West"], city["1"], watch,
    )  # fmt: skip
    assert areas_of(session, file_report(session, point(3, 1))) == (city["East"], city["1"], None)


def test_a_stretch_or_a_lot_lies_where_its_middle_lies(session, city):
    x0, y = WEST + 0.015, SOUTH + 0.01
    street = f"SRID=4326;LINESTRING({x0} {y}, {x0 + 0.015} {y})"
    middle = session.scalar(
        select(func.ST_X(func.ST_PointOnSurface(text(f"'{street}'::geometry"))))
    )
    expected = "West" if middle < WEST + 0.02 else "East"
    assert areas_of(session, file_report(session, street))[0] == city[expected]


def test_a_report_on_a_border_lies_in_one_area(session, city):
    assert areas_of(session, file_report(session, point(2, 1)))[0] == min(
        city["West"], city["East"]
    )


def test_a_report_that_moves_is_joined_anew(session, city):
    report = file_report(session, point(1, 1))
    there = {"exact_geom": point(3, 1), "public_geom": point(3, 1)}
    session.execute(update(Report).where(Report.id == report).values(there))
    assert areas_of(session, report)[0] == city["East"]


def test_areas_that_everybody_reads_are_those_of_the_public_position(session, city):
    watch = insert(BlockWatch).values(name="Elm", boundary=box(1.5, 0, 2, 2))
    session.execute(watch)
    at_home = {"kind": "cleanup", "category_code": "private_trash"}
    report = file_report(session, point(1.9, 1), **at_home, public_geom=point(2.1, 1))

    def areas():
        stored = session.get_one(Report, report, populate_existing=True)
        return stored.neighbourhood_id, stored.exact_neighbourhood_id, stored.block_watch_id

    assert areas() == (city["East"], city["West"], None)
    session.execute(update(Area).where(Area.name == "West").values(geom=box(0, 0, 1, 2)))
    assert areas() == (city["East"], None, None)
    session.execute(update(Area).where(Area.name == "East").values(geom=box(2.2, 0, 4, 2)))
    session.execute(update(Area).where(Area.name == "West").values(geom=box(0, 0, 2, 2)))
    assert areas() == (None, city["West"], None)
    session.execute(update(Report).values(public_geom=None))
    assert areas() == (None, city["West"], None)


def test_reports_follow_a_border_that_moves(session, city):
    report = file_report(session, point(1.5, 1))
    session.execute(update(Area).where(Area.name == "West").values(geom=box(0, 0, 1, 2)))
    assert areas_of(session, report)[0] is None
    session.execute(update(Area).where(Area.name == "East").values(geom=box(1, 0, 4, 2)))
    assert areas_of(session, report)[0] == city["East"]


def test_plans_follow_a_border_that_moves(session, city):
    plan = session.scalar(
        insert(Plan).values(title="By night", place=box(1.4, 0.9, 1.6, 1.1)).returning(Plan.id)
    )

    def lies_in():
        found = select(Plan.neighbourhood_id, Plan.council_district_id).where(Plan.id == plan)
        return session.execute(found).one()

    assert lies_in() == (city["West"], city["1"])
    session.execute(update(Area).where(Area.name == "West").values(geom=box(0, 0, 1, 2)))
    assert lies_in() == (None, city["1"])
    session.execute(update(Area).where(Area.name == "East").values(geom=box(1, 0, 4, 2)))
    assert lies_in() == (city["East"], city["1"])
    session.execute(delete(Area).where(Area.name == "East"))
    assert lies_in() == (None, city["1"])


def test_reports_follow_a_watch_that_is_drawn_redrawn_and_given_up(session, city):
    report = file_report(session, point(1.5, 1))
    big, small = (
        session.execute(
            insert(BlockWatch).values(name=name, boundary=shape).returning(BlockWatch.id)
        ).scalar_one()
        for name, shape in (("Big", box(0, 0, 3, 2)), ("Small", box(1, 0, 2, 2)))
    )
    assert areas_of(session, report)[2] == small
    session.execute(
        update(BlockWatch).where(BlockWatch.id == small).values(boundary=box(0, 0, 1, 1))
    )
    assert areas_of(session, report)[2] == big
    session.execute(text("DELETE FROM block_watch WHERE id = :id"), {"id": big})
    assert areas_of(session, report)[2] is None


def test_a_report_outside_the_served_area_is_refused(session, city):
    with refused(session) as error:
        file_report(session, point(5, 1))
    assert error.value.orig.diag.constraint_name == "report_within_served_area"


def test_a_stretch_that_ends_outside_the_served_area_is_refused(session, city):
    y = SOUTH + 0.01
    with refused(session) as error:
        file_report(session, f"SRID=4326;LINESTRING({WEST + 0.01} {y}, {WEST + 0.05} {y})")
    assert error.value.orig.diag.constraint_name == "report_within_served_area"


def test_a_home_is_never_public_exactly(session, city):
    home = {"kind": "cleanup", "category_code": "private_trash"}
    assert file_report(session, point(1, 1), **home, public_geom=point(1.1, 1))
    assert file_report(session, point(1, 1), **home, public_geom=None)
    with refused(session) as error:
        file_report(session, point(1, 1), **home)
    assert error.value.orig.diag.constraint_name == "report_home_is_masked"


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"kind": "lighting"}, "report_category_code_kind_fkey"),
        (
            {"occurred_at": func.now() + text("interval '1 hour'")},
            "report_occurred_before_reported",
        ),
        ({"closed_at": func.now() - text("interval '1 hour'")}, "report_closed_after_reported"),
        ({"description": "x" * 2001}, "report_description_is_short"),
    ],
)
def test_a_report_that_cannot_be_is_refused(session, city, values, constraint):
    with refused(session) as error:
        file_report(session, point(1, 1), **values)
    assert error.value.orig.diag.constraint_name == constraint


def test_a_shape_that_crosses_itself_is_refused(session, city):
    x, y = WEST, SOUTH
    bow = f"POLYGON(({x} {y}, {x + 0.01} {y + 0.01}, {x + 0.01} {y}, {x} {y + 0.01}, {x} {y}))"
    with refused(session) as error:
        file_report(session, f"SRID=4326;{bow}")
    assert error.value.orig.diag.constraint_name == "report_geometry_is_valid"


def test_a_status_follows_the_way_and_done_is_never_verified_by_itself(session, city):
    report = file_report(session, point(1, 1))
    with refused(session) as error:
        session.execute(update(Report).where(Report.id == report).values(status="verified"))
    assert error.value.orig.diag.constraint_name == "report_status_follows"


def test_the_timeline_is_only_added_to(session, city):
    report = file_report(session, point(1, 1))
    session.execute(
        insert(ReportEvent).values(report_id=report, kind="status", to_status="received")
    )
    for statement in ("UPDATE report_event SET note = 'x'", "DELETE FROM report_event"):
        nested = session.begin_nested()
        with pytest.raises((IntegrityError, InternalError)):
            session.execute(text(statement))
        nested.rollback()
    session.execute(text("DELETE FROM report WHERE id = :id"), {"id": report})
    assert session.scalar(select(func.count()).select_from(ReportEvent)) == 0


def test_a_sensitive_incident_has_no_public_position(session):
    with refused(session) as error:
        session.execute(
            insert(PoliceIncident).values(
                offense="x", offense_group="x", sensitive=True, occurred_at=func.now(),
                exact_geom=point(1, 1), public_geom=point(1, 1),
            )
        )  # fmt: skip
    name = "police_incident_sensitive_has_no_public_position"
    assert error.value.orig.diag.constraint_name == name


def tally(session: Session):
    key = (
        ReportTally.level, ReportTally.x, ReportTally.y,
        ReportTally.category_code, ReportTally.status,
    )  # fmt: skip
    counted = func.sum(ReportTally.n)
    return set(session.execute(select(*key, counted).group_by(*key).having(counted != 0)).all())


STATUSES = ("held", "received", "confirmed", "done", "declined")
step = st.one_of(
    st.tuples(st.just("file"), st.floats(0.1, 3.9), st.sampled_from(STATUSES)),
    st.tuples(st.just("move"), st.floats(0.1, 3.9), st.integers(0, 9)),
    st.tuples(st.just("hide"), st.none(), st.integers(0, 9)),
    st.tuples(st.just("erase"), st.none(), st.integers(0, 9)),
)


@given(st.lists(step, max_size=12))
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_sums_of_the_tally_are_what_a_recount_finds(session, city, steps):
    nested = session.begin_nested()
    filed = []
    for action, x, which in steps:
        if action == "file":
            filed.append(file_report(session, point(x, 1), status=which))
        elif filed:
            report = filed[which % len(filed)]
            one = {"id": report}
            if action == "move":
                place = point(x, 1)
                session.execute(update(Report).where(Report.id == report).values(public_geom=place))
            elif action == "hide":
                session.execute(text("UPDATE report SET public_geom = NULL WHERE id = :id"), one)
            else:
                session.execute(text("DELETE FROM report WHERE id = :id"), one)
    kept = tally(session)
    session.execute(select(func.report_tally_recount()))
    assert kept == tally(session)
    nested.rollback()


@pytest.mark.parametrize("level", [14, 17])
def test_cells_are_the_tiles_of_the_web_map(session, level):
    inside = session.scalar(
        text(
            "SELECT bool_and(ST_Intersects("
            "ST_TileEnvelope(:level, tile_x(lon, :level), tile_y(lat, :level)),"
            "ST_Transform(ST_SetSRID(ST_MakePoint(lon, lat), 4326), 3857)))"
            "FROM (SELECT -94.7 + random() * 0.3 AS lon, 38.8 + random() * 0.5 AS lat"
            "      FROM generate_series(1, 500)) AS places"
        ),
        {"level": level},
    )
    assert inside


def test_a_layer_has_a_new_version_when_what_it_shows_changes(session, city):
    before = {name: version(session, name) for name in ("reports", "street_lights")}
    file_report(session, point(1, 1))
    assert version(session, "reports") > before["reports"]
    assert version(session, "street_lights") == before["street_lights"]
    session.execute(insert(StreetLight).values(pole_id="A1", geom=point(1, 1)))
    assert version(session, "street_lights") > before["street_lights"]


def test_writers_in_one_cell_do_not_wait_for_each_other(engine):
    with Session(engine) as session:
        session.execute(insert(Area).values(layer="city", code="c", name="c", geom=box(0, 0, 4, 2)))
        session.commit()
    done = []

    def file_another() -> None:
        with Session(engine) as other:
            other.execute(text("SET LOCAL lock_timeout = '2s'"))
            file_report(other, point(1, 1))
            other.commit()
            done.append(True)

    with Session(engine) as first:
        file_report(first, point(1, 1))
        thread = threading.Thread(target=file_another)
        thread.start()
        thread.join()
        assert done
        first.rollback()
