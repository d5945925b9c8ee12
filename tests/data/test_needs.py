"""Needs as the store keeps them, whatever way reports come in."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import sleep

import numpy as np
import pytest
import shapely
from shapely import LineString, Point
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from data import database
from data.models import (
    Area,
    Department,
    Need,
    NeedReport,
    Person,
    Report,
    RoleGrant,
    Street,
    StreetLight,
)
from data.queries import desk, work
from geo.categories import BY_CODE, CATEGORIES
from geo.crs import in_city_metres, to_city
from geo.kinds import Kind, Severity
from geo.outages import NEEDED, REACH_M, STRETCH_REACH_M, Match, meant
from geo.roles import Role
from geo.statuses import Status
from tests.places import IN_EASTSIDE, MIDDLE, found_city
from tests.reports import moved, new, send

EAST_M = 1 / (111_195 * 0.7769)  # degrees of longitude per metre at 39.02
NORTH_M = 1 / 111_195
NORTON = -94.561
"""Longitude of Norton Ave."""


def beside(place, east_m=0.0, north_m=0.0):
    return (place[0] + east_m * EAST_M, place[1] + north_m * NORTH_M)


def point(place):
    return f"SRID=4326;POINT({place[0]} {place[1]})"


@pytest.fixture
def city(session):
    return found_city(session)


@pytest.fixture
def light(session, city):
    def stand(place=IN_EASTSIDE, pole=None):
        pole = pole or f"K{place[0]:.6f},{place[1]:.6f}"
        return session.scalar(
            insert(StreetLight).values(pole_id=pole, geom=point(place)).returning(StreetLight.id)
        )

    return stand


@pytest.fixture
def needs(session):
    def read(report_id=None):
        session.expire_all()
        chosen = select(Need).order_by(Need.id)
        if report_id is not None:
            chosen = chosen.join(NeedReport, NeedReport.need_id == Need.id).where(
                NeedReport.report_id == report_id
            )
        return session.scalars(chosen).all()

    return read


def status_of(session, light_id):
    return session.scalar(select(StreetLight.status).where(StreetLight.id == light_id))


def test_reports_of_one_pole_are_one_outage_with_its_reports(session, light, needs):
    pole = light()
    first = send(session, new(at=beside(IN_EASTSIDE, 12)))
    second = send(session, new("light_flickers", at=beside(IN_EASTSIDE, -9, 5)))
    (need,) = needs()
    assert need.street_light_id == pole
    assert (need.kind, need.category_code, need.status) == ("lighting", "light_out", "received")
    assert need.version == 2
    made_of = session.execute(
        select(NeedReport.report_id, NeedReport.how, NeedReport.distance_m).order_by(
            NeedReport.report_id
        )
    ).all()
    assert [(row.report_id, row.how) for row in made_of] == [
        (first, Match.NEAREST),
        (second, Match.NEAREST),
    ]
    assert [row.distance_m for row in made_of] == pytest.approx([12, 10.3], rel=0.01)
    assert status_of(session, pole) == "reported"


def test_different_poles_are_different_outages(session, light, needs):
    poles = [light(beside(IN_EASTSIDE, east_m=60 * n)) for n in range(2)]
    for n in range(2):
        send(session, new(at=beside(IN_EASTSIDE, 60 * n + 5)))
    assert [need.street_light_id for need in needs()] == poles


def test_a_pole_out_of_reach_is_not_meant(session, light, needs):
    light()
    send(session, new(at=beside(IN_EASTSIDE, 45)))
    (need,) = needs()
    assert need.street_light_id is None
    assert session.scalar(select(NeedReport.how)) == Match.PLACE


def test_the_pole_that_was_picked_counts(session, light, needs):
    light()
    picked = light(beside(IN_EASTSIDE, 50))
    report = send(session, new(street_light_id=picked))
    assert [need.street_light_id for need in needs()] == [picked]
    row = session.execute(select(NeedReport.how, NeedReport.distance_m)).one()
    assert (row.how, round(row.distance_m)) == (Match.PICKED, 50)
    assert needs(report) == needs()


def test_a_whole_block_marks_the_lights_from_corner_to_corner(session, light, needs):
    """Norton Ave crosses 34th St at 39.012."""
    at = [light(beside((NORTON, 39.012), 8, metres)) for metres in (60, -60, 120, 400)]
    report = send(session, new("block_dark", at=beside((NORTON, 39.012), 5, 70)))
    assert {need.street_light_id for need in needs(report)} == {at[0], at[2]}
    assert {need.category_code for need in needs()} == {"block_dark"}
    assert {status_of(session, one) for one in at} == {"reported", "working"}


def test_a_drawn_stretch_marks_the_lights_along_it(session, light, needs):
    row = [light(beside(IN_EASTSIDE, 10, 50 * n)) for n in range(5)]
    stretch = LineString([beside(IN_EASTSIDE, 0, 40), beside(IN_EASTSIDE, 0, 160)])
    report = send(session, new(at=stretch))
    assert {need.street_light_id for need in needs(report)} == set(row[1:4])
    assert set(session.scalars(select(NeedReport.how))) == {Match.STRETCH}


def test_cleanup_is_a_place_each_and_problem_spots_are_none(session, city, needs):
    send(session, new("dumping", severity=Severity.DANGEROUS, address="3412 Norton Ave"))
    send(session, new("street_trouble"))
    (need,) = needs()
    assert (need.kind, need.category_code, need.street_light_id) == ("cleanup", "dumping", None)
    assert (need.hazard, need.address) == (True, "3412 Norton Ave")
    assert (need.neighbourhood_id, need.council_district_id) == (
        city.eastside,
        city.council_district,
    )


def test_damaged_poles_are_a_hazard_and_give_their_light_its_name(session, light, needs):
    light()
    send(session, new())
    send(session, new("light_damaged"))
    (need,) = needs()
    assert (need.hazard, need.category_code) == (True, "light_damaged")


def test_every_category_of_lighting_can_give_a_light_its_name(session, light, needs):
    codes = [one.code for one in CATEGORIES if one.kind is Kind.LIGHTING and one.code != NEEDED]
    for n, code in enumerate(codes):
        place = beside(IN_EASTSIDE, 100 * n)
        pole = light(place)
        stretch = LineString([beside(place, -5, 10), beside(place, 5, 10)])
        (need,) = needs(send(session, new(code, at=stretch)))
        assert (need.street_light_id, need.category_code) == (pole, code)


def test_a_light_stands_as_its_reports_do(session, light, needs):
    pole = light()
    one, other = send(session, new()), send(session, new())
    seen = []
    for id, status in (
        (one, Status.CONFIRMED),
        (one, Status.SCHEDULED),
        (other, Status.CONFIRMED),
        (one, Status.DONE),
        (other, Status.DECLINED),
        (one, Status.VERIFIED),
    ):
        moved(session, id, status)
        (need,) = needs()
        seen.append((need.status, status_of(session, pole), need.closed_at is None))
    assert seen == [
        ("confirmed", "out", True),
        ("scheduled", "scheduled", True),
        ("scheduled", "scheduled", True),
        ("confirmed", "out", True),
        ("done", "fixed", False),
        ("done", "working", False),
    ]
    assert needs()[0].version == 8


@pytest.mark.parametrize("ended", [Status.HELD, Status.DECLINED])
def test_a_report_that_comes_to_nothing_leaves_the_light_as_it_was(session, light, ended):
    pole = light()
    moved(session, send(session, new()), Status.DONE)
    later = send(session, new())
    assert status_of(session, pole) == "reported"
    moved(session, later, ended)
    assert status_of(session, pole) == "fixed"


@pytest.mark.parametrize("ended", [Status.HELD, Status.DECLINED])
def test_a_light_is_out_since_the_first_report_that_came_to_something(session, light, needs, ended):
    light()
    first, second = send(session, new()), send(session, new())
    for id, days in ((first, 9), (second, 2)):
        at = func.now() - timedelta(days=days)
        told = update(Report).where(Report.id == id).values(occurred_at=at, reported_at=at)
        session.execute(told)
    since = dict(session.execute(select(Report.id, Report.reported_at)).all())
    moved(session, second, Status.CONFIRMED)
    assert needs()[0].opened_at == since[first]
    moved(session, first, ended)
    assert needs()[0].opened_at == since[second]
    moved(session, first, Status.RECEIVED)
    assert needs()[0].opened_at == since[first]


def test_of_a_light_everybody_reads_how_many_open_reports_there_are(session, light):
    light()
    lead, again, held, declined = (send(session, new()) for _ in range(4))
    merge(session, again, lead)
    moved(session, held, Status.HELD)
    moved(session, declined, Status.DECLINED)
    assert session.scalar(text("SELECT reports FROM street_light_need")) == 2


def test_a_light_that_is_not_fixed_after_all_is_the_same_outage_again(session, light, needs):
    light()
    report = send(session, new())
    moved(session, report, Status.DONE, Status.CONFIRMED)
    (need,) = needs()
    assert (need.status, need.closed_at, need.times_failed) == ("confirmed", None, 0)


def test_a_light_that_fails_again_is_another_outage_that_knows_of_the_first(session, light, needs):
    light()
    moved(session, send(session, new()), Status.DONE)
    send(session, new())
    moved(session, send(session, new("light_day_burner")), Status.DECLINED)
    assert [(need.status, need.times_failed) for need in needs()] == [("done", 0), ("received", 1)]


def test_of_two_outages_of_a_light_one_is_open_when_the_first_is_taken_up_again(
    session, light, needs
):
    pole = light()
    first = send(session, new())
    moved(session, first, Status.DONE)
    second = send(session, new())
    moved(session, first, Status.CONFIRMED)
    earlier, later = needs()
    assert (earlier.status, later.status) == ("done", "confirmed")
    assert {*needs(first), *needs(second)} == {later}
    assert status_of(session, pole) == "out"


def test_a_dark_block_that_is_taken_up_again_joins_the_outage_one_of_its_lights_has_by_then(
    session, light, needs
):
    row = [light(beside(IN_EASTSIDE, 10, 50 * n)) for n in range(3)]
    stretch = LineString([beside(IN_EASTSIDE, 0, -10), beside(IN_EASTSIDE, 0, 110)])
    block = send(session, new(at=stretch))
    moved(session, block, Status.DONE)
    later = send(session, new(at=beside(IN_EASTSIDE, 10, 50)))
    moved(session, block, Status.CONFIRMED)
    assert [need.street_light_id for need in needs(block)] == [row[0], row[2], row[1]]
    assert needs(later) == [needs(block)[-1]]
    assert {need.status for need in needs(block)} == {"confirmed"}


def test_a_held_report_makes_no_need_and_an_open_one_that_is_held_closes_its_own(
    session, city, needs
):
    session.execute(
        insert(Report).values(
            kind=Kind.CLEANUP, category_code="dumping", status=Status.HELD,
            exact_geom=point(IN_EASTSIDE), public_geom=point(IN_EASTSIDE), occurred_at=func.now(),
        )
    )  # fmt: skip
    assert needs() == []
    report = send(session, new("dumping"))
    moved(session, report, Status.HELD)
    (need,) = needs()
    assert (need.status, need.closed_at is None) == ("held", False)
    moved(session, report, Status.RECEIVED)
    (need,) = needs()
    assert (need.status, need.closed_at) == ("received", None)


def merge(session, id, other):
    session.execute(
        update(Report).where(Report.id == id).values(status=Status.DUPLICATE, duplicate_of_id=other)
    )


def test_a_duplicate_belongs_to_the_place_of_the_report_it_repeats(session, city, needs):
    one = send(session, new("dumping"))
    other = send(session, new("dumping", at=beside(IN_EASTSIDE, 15), severity=Severity.DANGEROUS))
    merge(session, other, one)
    place, gone = needs()
    assert (place.status, place.hazard, gone.status) == ("received", True, "duplicate")
    assert needs(one) == [place]
    assert needs(other) == [place, gone]
    session.execute(
        update(Report)
        .where(Report.id == other)
        .values(status=Status.CONFIRMED, duplicate_of_id=None)
    )
    place, again = needs()
    assert (place.hazard, again.status) == (False, "confirmed")
    assert needs(other) == [again]


def test_a_report_that_moves_is_about_another_light(session, light, needs):
    light()
    there = light(beside(IN_EASTSIDE, 100))
    report = send(session, new())
    place = point(beside(IN_EASTSIDE, 95))
    session.execute(
        update(Report).where(Report.id == report).values(exact_geom=place, public_geom=place)
    )
    assert [need.street_light_id for need in needs()] == [there]


def test_a_place_moves_with_its_report_and_keeps_its_need(session, city, needs):
    report = send(session, new("dumping"))
    (before,) = needs()
    place = point((MIDDLE - 0.01, 39.02))
    session.execute(
        update(Report).where(Report.id == report).values(exact_geom=place, public_geom=place)
    )
    (need,) = needs()
    assert (need.id, need.neighbourhood_id) == (before.id, city.westside)


def test_what_is_erased_leaves_no_place_behind(session, light, needs):
    pole = light()
    for category in ("light_out", "private_trash"):
        report = send(session, new(category))
        session.execute(delete(Report).where(Report.id == report))
    assert needs() == []
    assert status_of(session, pole) == "working"


def test_a_light_that_was_fixed_stays_known_without_its_report(session, light, needs):
    light()
    report = send(session, new())
    moved(session, report, Status.DONE)
    session.execute(delete(Report).where(Report.id == report))
    send(session, new())
    assert [need.times_failed for need in needs()] == [0, 1]


def test_a_pole_that_is_put_on_the_map_later_takes_the_reports_within_its_reach(
    session, light, needs
):
    report = send(session, new())
    assert needs()[0].street_light_id is None
    pole = light(beside(IN_EASTSIDE, 10))
    assert [need.street_light_id for need in needs(report)] == [pole]
    assert status_of(session, pole) == "reported"


def test_a_light_that_moves_takes_its_need_along_and_one_that_is_gone_leaves_a_place(
    session, light, needs, city
):
    pole = light()
    send(session, new())
    session.execute(
        update(StreetLight).where(StreetLight.id == pole).values(geom=point((-94.58, 39.02)))
    )
    assert needs()[0].neighbourhood_id == city.westside
    session.execute(delete(StreetLight).where(StreetLight.id == pole))
    assert [need.street_light_id for need in needs()] == [None]


def test_boundaries_that_change_are_joined_anew(session, city, needs):
    send(session, new("dumping"))
    session.execute(delete(Area).where(Area.id == city.eastside))
    assert needs()[0].neighbourhood_id is None


def test_loading_in_bulk_makes_the_same_needs_and_tells_outages_apart(session, light, needs):
    pole = light()
    day = timedelta(days=1)
    now = session.scalar(select(func.now()))

    def stored(status, days_ago, took=None, category="light_out"):
        reported = now - days_ago * day
        return {
            "kind": BY_CODE[category].kind, "category_code": category, "status": status,
            "exact_geom": point(IN_EASTSIDE), "public_geom": point(IN_EASTSIDE),
            "occurred_at": reported, "reported_at": reported, "updated_at": reported,
            "closed_at": None if took is None else reported + took * day,
        }  # fmt: skip

    session.execute(text("SET LOCAL porchlight.bulk = 'on'"))
    session.execute(
        insert(Report),
        [
            stored("done", 300, 10),
            stored("done", 295, 30),  # came before the first was closed: the same outage
            stored("verified", 100, 5),
            stored("done", 800, 5),  # too long ago to matter
            stored("confirmed", 3),
            stored("received", 2, category="dumping"),
            stored("done", 50, 2, category="dumping"),
        ],
    )
    session.execute(text("SET LOCAL porchlight.bulk = 'off'"))
    session.execute(text("SELECT needs_catch_up()"))
    assert [
        (need.category_code, need.status, need.times_failed, need.street_light_id)
        for need in needs()
    ] == [
        ("light_out", "done", 0, pole),
        ("light_out", "done", 1, pole),
        ("light_out", "confirmed", 2, pole),
        ("dumping", "received", 0, None),
    ]
    assert status_of(session, pole) == "out"
    before = [(need.id, need.version) for need in needs()]
    session.execute(text("SELECT needs_catch_up()"))
    assert [(need.id, need.version) for need in needs()] == before


def test_what_a_file_says_was_fixed_before_counts_for_an_outage_that_is_known_already(
    session, light, needs
):
    light()
    send(session, new())
    fixed = session.scalar(select(func.now())) - timedelta(days=100)
    session.execute(text("SET LOCAL porchlight.bulk = 'on'"))
    session.execute(
        insert(Report).values(
            kind=BY_CODE["light_out"].kind, category_code="light_out", status="done",
            exact_geom=point(IN_EASTSIDE), public_geom=point(IN_EASTSIDE),
            occurred_at=fixed, reported_at=fixed, updated_at=fixed, closed_at=fixed,
        )
    )  # fmt: skip
    session.execute(text("SET LOCAL porchlight.bulk = 'off'"))
    session.execute(text("SELECT needs_catch_up()"))
    assert [(need.status, need.times_failed) for need in needs()] == [("received", 1), ("done", 0)]


def test_what_a_newer_file_says_reaches_the_needs(session, light, needs):
    pole = light()
    report = send(session, new())
    session.execute(text("SET LOCAL porchlight.bulk = 'on'"))
    session.execute(
        update(Report)
        .where(Report.id == report)
        .values(status=Status.DONE, closed_at=func.now(), updated_at=func.now())
    )
    session.execute(text("SET LOCAL porchlight.bulk = 'off'"))
    session.execute(text("SELECT needs_catch_up()"))
    assert (needs()[0].status, status_of(session, pole)) == ("done", "fixed")


def test_the_store_and_the_program_mean_the_same_lights(session, light):
    """Of streets that bend, cross and end, at random."""
    random = np.random.default_rng(31)
    session.execute(delete(Street))
    session.execute(
        insert(Street),
        [
            {
                "name": f"Street {n}",
                "rank": 3,
                "geom": "SRID=4326;LINESTRING({} {}, {} {}, {} {})".format(
                    *np.array(
                        [beside(IN_EASTSIDE, *random.uniform(-250, 250, 2)) for _corner in range(3)]
                    ).ravel()
                ),
            }
            for n in range(7)
        ],
    )
    poles = {
        light(beside(IN_EASTSIDE, *random.uniform(-200, 200, 2)), pole=str(n)): None
        for n in range(60)
    }
    ids = list(poles)

    def in_metres(query):
        return shapely.transform(
            shapely.from_wkb(list(session.scalars(text(query)))),
            lambda at: np.column_stack(to_city().transform(*at.T)),
        )

    lights = in_metres("SELECT ST_AsBinary(geom) FROM street_light ORDER BY id")
    streets = in_metres("SELECT ST_AsBinary(geom) FROM street ORDER BY id")
    compared = 0
    for n in range(120):
        category = ("light_out", "block_dark", "light_blocked")[n % 3]
        x, y = random.uniform(-180, 180, 2)
        shape = (
            LineString(
                [beside(IN_EASTSIDE, x, y), beside(IN_EASTSIDE, *random.uniform(-180, 180, 2))]
            )
            if n % 4 == 0
            else Point(beside(IN_EASTSIDE, x, y))
        )
        stored = session.execute(
            text(
                "SELECT street_light_id, how, distance_m "
                "FROM report_lights(:category, ST_GeomFromText(:shape, 4326), NULL) "
                "ORDER BY distance_m"
            ),
            {"category": category, "shape": shape.wkt},
        ).all()
        thought = meant(category, in_city_metres(shape), lights, streets)
        # A metre at the edge of the reach is the difference of the two planes.
        edges = [
            abs(distance - reach) < 0.5
            for distance in shapely.distance(lights, in_city_metres(shape))
            for reach in (REACH_M, STRETCH_REACH_M)
        ]
        if any(edges) or category == "block_dark":
            assert abs(len(stored) - len(thought.lights)) <= 1
            continue
        compared += 1
        assert {row.street_light_id for row in stored} == {ids[index] for index in thought.lights}
        assert [row.distance_m for row in stored] == pytest.approx(
            thought.distances_m.tolist(), abs=0.5
        )
    assert compared > 40


def test_staff_read_the_needs_of_their_kinds_and_districts(session, city, needs):
    send(session, new("dumping"))
    send(session, new())
    lighting = session.scalar(select(Department.id).where(Department.code == "lighting"))
    cleanup = session.scalar(select(Department.id).where(Department.code == "cleanup"))

    def read(role=None, strong=True, **scope):
        person = session.scalar(insert(Person).returning(Person.id))
        if role:
            session.execute(insert(RoleGrant).values(person_id=person, role=role, **scope))
        nested = session.begin_nested()
        session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
        database.name_visitor(session, person, strong=strong)
        found = session.scalars(text("SELECT category_code FROM need ORDER BY id")).all()
        made_of = session.scalar(text("SELECT count(*) FROM need_report"))
        assert made_of == len(found)
        nested.rollback()
        return found

    assert read() == []
    assert read(Role.MODERATOR) == []
    assert read(Role.ADMINISTRATOR) == ["dumping", "light_out"]
    assert read(Role.ADMINISTRATOR, strong=False) == []
    assert read(Role.STAFF, department_id=lighting) == ["light_out"]
    assert read(Role.STAFF, department_id=cleanup) == ["dumping"]
    assert read(Role.STAFF, department_id=cleanup, area_id=city.council_district) == ["dumping"]
    assert read(Role.STAFF, department_id=cleanup, area_id=city.westside) == []


def test_two_who_close_the_last_two_reports_at_once_close_the_need(engine):
    with Session(engine) as session:
        found_city(session)
        session.execute(insert(StreetLight).values(pole_id="K1", geom=point(IN_EASTSIDE)))
        reports = [send(session, new()), send(session, new())]
        session.commit()
    with Session(engine) as first, Session(engine) as second:
        moved(first, reports[0], Status.DONE)
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(moved, second, reports[1], Status.DONE)
            sleep(0.3)
            first.commit()
            waiting.result()
        second.commit()
        assert first.scalars(select(Need.status)).all() == ["done"]
        assert first.scalar(select(StreetLight.status)) == "fixed"


def test_two_who_report_one_light_at_once_make_one_outage(engine):
    with Session(engine) as session:
        found_city(session)
        session.execute(insert(StreetLight).values(pole_id="K1", geom=point(IN_EASTSIDE)))
        session.commit()
    with Session(engine) as first, Session(engine) as second:
        send(first, new(), key="one")
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(send, second, new(), key="other")
            sleep(0.3)
            first.commit()
            waiting.result()
        second.commit()
        assert first.scalars(select(Need.version)).all() == [2]
        assert first.scalar(select(func.count()).select_from(NeedReport)) == 2


ROW = [beside(IN_EASTSIDE, 10, 100 * n) for n in range(2)]


def reports_of_a_row(engine, places):
    """Stand two lights, and report those at some places; the ids of the reports."""
    with Session(engine) as session:
        found_city(session)
        for number, place in enumerate(ROW):
            session.execute(insert(StreetLight).values(pole_id=f"K{number}", geom=point(place)))
        asking = [send(session, new(at=place)) for place in places]
        session.commit()
    return asking


def confirm_while_the_stretch_is_reported(engine, asking, hold=None):
    """Confirm reports one after the other, while a neighbour reports both lights as dark at once."""
    stretch = LineString([beside(IN_EASTSIDE, 10, -10), beside(IN_EASTSIDE, 10, 110)])
    with Session(engine) as first, Session(engine) as second:
        if hold:
            hold(first)
        moved(first, asking[0], Status.CONFIRMED)
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(send, second, new(at=stretch), key="stretch")
            sleep(0.3)
            moved(first, asking[1], Status.CONFIRMED)
            first.commit()
            waiting.result()
        second.commit()
        assert first.scalars(select(Need.status)).all() == ["confirmed"] * 2
        assert first.scalar(select(func.count()).select_from(NeedReport)) == 4


def test_a_report_of_a_block_takes_its_needs_in_the_order_in_which_staff_do(engine):
    confirm_while_the_stretch_is_reported(engine, reports_of_a_row(engine, ROW[::-1]))


def test_who_holds_reports_and_who_reports_a_block_take_turns(engine):
    asking = reports_of_a_row(engine, ROW)
    confirm_while_the_stretch_is_reported(
        engine, asking[::-1], hold=lambda session: work.hold(session, asking)
    )


def test_who_holds_needs_at_the_desk_and_who_reports_a_block_take_turns(engine):
    confirm_while_the_stretch_is_reported(
        engine,
        reports_of_a_row(engine, ROW)[::-1],
        hold=lambda session: desk.hold(session, session.scalars(select(Need.id)).all()),
    )
