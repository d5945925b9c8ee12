"""The sample city in the store."""

import pytest
import shapely
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from data.models import (
    Address,
    Area,
    Base,
    BlockWatch,
    ImportRun,
    Report,
    ReportEvent,
    ReportTally,
    Service,
    ServiceLocation,
    StreetLight,
)
from data.queries import homes, people, walks
from data.queries.imports import is_sample
from data.queries.places import PlaceKind, search
from data.sample.load import RealCityError, load
from geo.categories import CATEGORIES, Setting
from geo.positions import regions_near
from geo.roles import Role
from geo.statuses import Status
from geo.walks import QUESTIONS
from tests.data.sample.conftest import UNTIL

SECRET = b"s" * 32


@pytest.fixture(scope="module")
def loaded(_rolled_back_engine, sample):
    """A session on a database that holds the sample city; undone at the end of the module."""
    with _rolled_back_engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            load(session, sample, secret=SECRET)
            session.commit()
            yield session
        transaction.rollback()


def count(session, table):
    return session.scalar(select(func.count()).select_from(table))


def everything(session):
    return {
        table.name: session.execute(
            text(f"SELECT md5(string_agg(r::text, '' ORDER BY r::text)) FROM {table.name} AS r")
        ).scalar_one()
        for table in Base.metadata.sorted_tables
    }


def test_all_of_it_is_stored(loaded, sample):
    assert count(loaded, Report) == 3_000
    assert count(loaded, StreetLight) == 2_000
    assert count(loaded, BlockWatch) == 10
    assert count(loaded, ServiceLocation) == 64
    assert count(loaded, Area) == len(sample.areas)
    assert count(loaded, ReportEvent) == sum(
        len(report.events) + len(report.supports) for report in sample.reports
    )
    assert count(loaded, Service) >= 30


def test_the_store_knows_that_it_is_a_sample(loaded, sample):
    assert is_sample(loaded)
    run = loaded.scalars(select(ImportRun)).one()
    assert run.options == {"seed": 7, "until": UNTIL.isoformat()}
    assert run.finished_at >= run.started_at
    assert run.rows_read == run.inserted > 30_000
    assert len(run.sha256) == 32


def test_loading_it_again_changes_nothing(loaded, sample):
    before = everything(loaded)
    again = load(loaded, sample, secret=SECRET)
    assert again.known
    assert not again.rows
    assert everything(loaded) == before


def test_every_report_knows_its_areas(loaded):
    for field in ("neighbourhood_id", "council_district_id", "patrol_division_id"):
        column = getattr(Report, field)
        assert loaded.scalar(select(func.count()).where(column.is_(None))) == 0, field
    assert loaded.scalar(select(func.count()).where(Report.block_watch_id.is_not(None))) > 100


def test_what_is_at_a_home_is_shown_in_its_region_and_not_where_it_is(loaded):
    home = [category.code for category in CATEGORIES if category.setting is Setting.HOME]
    moved = func.ST_Distance(func.Geography(Report.exact_geom), func.Geography(Report.public_geom))
    at_home = Report.category_code.in_(home)
    known = homes.homes(loaded)
    assert known.known
    pairs = loaded.execute(
        select(
            func.ST_AsBinary(func.ST_PointOnSurface(Report.exact_geom)),
            func.ST_AsBinary(Report.public_geom),
        ).where(at_home, Report.public_geom.is_not(None))
    ).all()
    assert len(pairs) > 500
    for exact, shown in pairs[:200]:
        region = regions_near(shapely.from_wkb(bytes(exact)), 0, known)
        assert shapely.intersects(region.buffer(1e-7), shapely.from_wkb(bytes(shown)))
    hidden = loaded.scalar(select(func.count()).where(at_home, Report.public_geom.is_(None)))
    assert hidden < len(pairs) / 20
    assert loaded.scalar(select(func.min(moved)).where(at_home)) > 0
    assert loaded.scalar(select(func.max(moved)).where(~at_home)) == 0


def test_duplicates_point_at_the_first_report(loaded, sample):
    noticed = [report for report in sample.reports if report.status is Status.DUPLICATE]
    pairs = dict(
        loaded.execute(
            text(
                "SELECT one.external_id, first.external_id FROM report AS one "
                "JOIN report AS first ON first.id = one.duplicate_of_id"
            )
        ).all()
    )
    assert pairs == {str(one.number): str(one.duplicate_of) for one in noticed}


def test_the_last_event_is_where_a_report_stands(loaded):
    last = text(
        "SELECT count(*) FROM report JOIN LATERAL ("
        "  SELECT to_status FROM report_event WHERE report_id = report.id AND kind = 'status'"
        "  ORDER BY at DESC, id DESC LIMIT 1"
        ") AS step ON true WHERE step.to_status <> report.status"
    )
    assert loaded.scalar(last) == 0


def test_tallies_count_every_public_report(loaded):
    counted = select(func.sum(ReportTally.n)).where(ReportTally.level == 14)
    assert loaded.scalar(counted) == loaded.scalar(
        select(func.count()).where(Report.public_geom.is_not(None), Report.status != "held")
    )


@pytest.mark.parametrize(
    ("asked", "label", "kind"),
    [
        ("E 39th and Troost", "E 39th St & Troost Ave", PlaceKind.CORNER),
        ("prospect avenue branch", "Prospect Avenue Branch", PlaceKind.LANDMARK),
        ("the paseo", "The Paseo", PlaceKind.STREET),
    ],
)
def test_places_of_the_sample_are_found(loaded, asked, label, kind):
    first = search(loaded, asked)[0]
    assert (first.label, first.kind) == (label, kind)


def test_an_address_of_the_sample_is_found(loaded):
    address = loaded.scalars(
        select(Address).where(Address.street == "Wabash Ave", Address.number > 3500)
    ).first()
    label = f"{address.number} {address.street}"
    assert search(loaded, label.lower())[0].label == label


@pytest.fixture
def real_city(engine):
    """A session on a database of its own, since loading takes a lock, that holds a real city."""
    shape = "SRID=4326;MULTIPOLYGON(((-94.6 39, -94.5 39, -94.5 39.1, -94.6 39.1, -94.6 39)))"
    with Session(engine) as session:
        session.execute(
            insert(Area).values(layer="city", code="1", name="Town", geom=shape, source="city")
        )
        session.commit()
        yield session


def test_a_real_city_is_not_mixed_with_the_sample_by_mistake(real_city, sample):
    with pytest.raises(RealCityError, match="--beside-real"):
        load(real_city, sample, secret=SECRET)
    assert count(real_city, Area) == 1
    assert not is_sample(real_city)


def test_told_so_the_sample_is_put_beside_a_real_city(real_city, sample):
    assert not load(real_city, sample, secret=SECRET, beside_real=True).known
    assert count(real_city, Report) == 3_000


def test_the_captains_watch_has_walked_twice_and_seen_less_the_second_time(loaded, sample):
    (watch,) = {stop.watch for stop in sample.walk_stops}
    id = loaded.scalar(select(BlockWatch.id).where(BlockWatch.external_id == watch))
    later, first = walks.of_watch(loaded, id)
    assert first.walked_on < later.walked_on < UNTIL.date()
    assert first.ended_at
    sums = walks.sums(loaded, [first, later])
    found = [
        sum(
            sums[walk.id].counts.get((question.code, answer.code), 0)
            for question in QUESTIONS
            for answer in question.answers
            if answer.category
        )
        for walk in (first, later)
    ]
    assert found[0] > 2 * found[1] > 0
    outside = text(
        "SELECT count(*) FROM walk_stop JOIN walk ON walk.id = walk_id "
        "JOIN block_watch ON block_watch.id = block_watch_id "
        "WHERE NOT ST_DWithin(boundary, walk_stop.geom, 1e-4)"
    )
    assert loaded.scalar(outside) == 0


def test_there_is_somebody_of_each_role_whom_everybody_may_try_being(loaded):
    somebody = people.sample_people(loaded)
    held = people.held(loaded, [one.id for one in somebody])
    roles = [{role.role for role in held[one.id]} for one in somebody]
    assert roles == [
        set(), {Role.CAPTAIN}, {Role.LIAISON}, {Role.STAFF}, {Role.MODERATOR}, {Role.ADMINISTRATOR},
        {Role.STAFF},
    ]  # fmt: skip
    assert all(one.password_hash is None for one in somebody)
    assert all((one.email or "").endswith("@example.org") for one in somebody)  # nobody's domain
