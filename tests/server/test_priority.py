"""Ranking what the store holds: what is measured around needs, and what follows a change."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, text, update

from data.models import (
    AreaLayer,
    CategoryTarget,
    DarkRun,
    Need,
    NeedRank,
    NeedReport,
    PoliceIncident,
    Report,
    ServiceLocation,
    StreetLight,
    Support,
    TransitStop,
    WeightsVersion,
)
from data.models.area import Area
from data.queries import priority
from geo.kinds import Kind, Severity
from geo.priority import FACTORS, Factor
from geo.statuses import Status
from server.priority import rank
from server.settings import Settings
from tests.places import IN_EASTSIDE, IN_WESTSIDE, found_city
from tests.reports import moved, new, send

NOW = datetime.now(UTC)
ON_NORTON = (-94.561, 39.02)
STEP = 0.0003
"""About 33 m to the north."""


def north(place, steps):
    return (place[0], place[1] + STEP * steps)


def point(place):
    return f"SRID=4326;POINT({place[0]} {place[1]})"


@pytest.fixture
def city(session):
    return found_city(session)


@pytest.fixture
def ranked(session):
    """Rank, and read the rank of the need that a report is of."""
    settings = Settings(position_secret="s" * 32)

    def read(report_id=None, now=NOW):
        rank(session, settings, now.astimezone(settings.zone))
        session.expire_all()
        if report_id is None:
            return session.scalars(select(NeedRank).order_by(NeedRank.kind, NeedRank.rank)).all()
        return session.scalar(
            select(NeedRank)
            .join(NeedReport, NeedReport.need_id == NeedRank.need_id)
            .where(NeedReport.report_id == report_id)
        )

    return read


@pytest.fixture
def lights(session, city):
    def stand(count, at=ON_NORTON):
        return [
            session.scalar(
                insert(StreetLight)
                .values(pole_id=f"K{at[0]}{n}", geom=point(north(at, n)))
                .returning(StreetLight.id)
            )
            for n in range(count)
        ]

    return stand


def back(session, report_id, days, **values):
    """Say that a report came some days ago."""
    at = NOW - timedelta(days=days)
    session.execute(
        update(Report)
        .where(Report.id == report_id)
        .values(occurred_at=at, reported_at=at, **values)
    )
    session.execute(
        update(Need)
        .where(Need.id.in_(select(NeedReport.need_id).where(NeedReport.report_id == report_id)))
        .values(opened_at=at)
    )


def points(one, factor):
    return one.parts[FACTORS[Kind(one.kind)].index(factor)]


def test_each_need_has_a_rank_among_its_kind_whose_parts_add_up(session, city, ranked):
    for n in range(3):
        send(session, new("light_needed", at=north(IN_EASTSIDE, 9 * n)))
    send(session, new("dumping", at=IN_WESTSIDE))
    found = ranked()
    assert [(one.kind, one.rank) for one in found] == [
        ("lighting", 1),
        ("lighting", 2),
        ("lighting", 3),
        ("cleanup", 1),
    ]
    for one in found:
        assert sum(one.parts) == pytest.approx(one.score, abs=1e-4)
        assert one.rank_low <= one.rank <= one.rank_high


def test_dark_lights_in_a_row_are_one_run_and_count_for_each(session, lights, ranked):
    poles = lights(5)
    reports = [send(session, new(at=north(ON_NORTON, n))) for n in range(3)]
    lone = send(session, new(at=north(ON_NORTON, 4)))
    found = ranked(reports[1])
    run = session.scalars(select(DarkRun)).one()
    assert (run.street, run.lights, run.id) == ("Norton Ave", 3, min(poles))
    assert (found.dark_run_id, found.facts["run"]) == (run.id, 3)
    assert points(found, Factor.RUN) == 15
    assert ranked(lone).facts["run"] == 1
    # Mended in the middle, there is no row any more.
    moved(session, reports[1], Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE)
    assert ranked(reports[0]).dark_run_id is None
    assert session.scalars(select(DarkRun)).all() == []


def test_only_a_dark_light_stands_in_a_row(session, lights, ranked):
    lights(2)
    by_day = send(session, new("light_day_burner", at=ON_NORTON))
    beside = send(session, new(at=north(ON_NORTON, 1)))
    missing = send(session, new("light_needed", at=north(ON_NORTON, 1)))
    rows = [ranked(report).facts["run"] for report in (by_day, beside, missing)]
    assert rows == [0, 1, 0]


def test_a_light_fixed_leaves_the_ranks(session, lights, ranked):
    lights(1)
    report = send(session, new(at=ON_NORTON))
    assert ranked(report).rank == 1
    moved(session, report, Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE)
    assert ranked() == []


def test_age_is_counted_in_working_days_against_the_target(session, city, ranked):
    session.execute(
        update(CategoryTarget)
        .where(CategoryTarget.category_code == "dumping")
        .values(working_days=10)
    )
    report = send(session, new("dumping"))
    monday = datetime(2026, 3, 2, 18, tzinfo=UTC)
    session.execute(update(Need).values(opened_at=monday))
    found = ranked(report, monday + timedelta(days=8))  # the Tuesday of the week after
    assert (found.facts["waited"], found.facts["target"]) == (6, 10)


def test_neighbours_who_join_count_once_each_and_repeated_reports_are_kept(session, city, ranked):
    report = send(session, new("dumping"))
    again = send(session, new("dumping"))
    session.execute(
        update(Report)
        .where(Report.id == again)
        .values(status=Status.DUPLICATE, duplicate_of_id=report)
    )
    for mark in (b"one", b"two"):
        session.execute(insert(Support).values(report_id=report, supporter=mark))
    session.execute(insert(Support).values(report_id=again, supporter=b"other", counted_as=b"two"))
    assert ranked(report).facts["voices"] == 4


def test_the_same_silence_says_less_where_people_rarely_report(session, city, ranked):
    # In Westside each of ten is reported again soon, in Eastside none of ten ever was.
    for place, again in ((IN_WESTSIDE, True), (IN_EASTSIDE, False)):
        for n in range(10):
            at = (place[0] + 0.001 * (n - 5), place[1] + 0.004)
            one = send(session, new("dumping", at=at))
            back(session, one, 60)
            if again:
                for days in (55, 50, 45):
                    session.execute(
                        insert(Support).values(
                            report_id=one, supporter=b"%d" % days, at=NOW - timedelta(days=days)
                        )
                    )
    there, here = (send(session, new("dumping", at=place)) for place in (IN_WESTSIDE, IN_EASTSIDE))
    for one in (there, here):
        back(session, one, 30)
    loud, quiet = ranked(there), ranked(here)
    assert (loud.facts["voices"], quiet.facts["voices"]) == (1, 1)
    assert loud.facts["usual"] > quiet.facts["usual"]
    assert points(quiet, Factor.VOICES) > points(loud, Factor.VOICES)
    assert quiet.facts["unseen"] > loud.facts["unseen"]
    assert points(quiet, Factor.AGE) >= points(loud, Factor.AGE)
    assert quiet.rank < loud.rank


def test_what_people_walk_to_counts_most_where_it_is_open_after_dark(session, city, ranked):
    report = send(session, new("dumping"))
    session.execute(insert(TransitStop).values(name="Stop", geom=point(north(IN_EASTSIDE, 1))))
    for type_, hours, confidential in (
        ("shop", "Daily 6 am-11 pm", False),
        ("school", "8 am-3 pm", False),
        ("food_shelter", "Open day and night", True),
    ):
        session.execute(
            insert(ServiceLocation).values(
                name=type_, type=type_, hours=hours, confidential=confidential,
                geom=point(north(IN_EASTSIDE, -1)),
            )
        )  # fmt: skip
    assert ranked(report).facts["generators"] == 2.5


def test_incidents_after_dark_count_by_their_chance_and_not_their_number(session, city, ranked):
    """Forty in one place of the city stand out; as many, spread evenly, do not."""
    report = send(session, new("dumping"))
    midnight = (NOW - timedelta(days=9)).replace(hour=6, minute=0)  # in Kansas City
    noon = midnight.replace(hour=18)

    def record(at, when, n):
        session.execute(
            insert(PoliceIncident).values(
                offense="Theft", offense_group="Theft", sensitive=False,
                occurred_at=when - timedelta(hours=2 * 24 * (n % 9)), exact_geom=point(at),
                public_geom=point(at), external_id=f"{at} {when} {n}",
            )
        )  # fmt: skip

    for n in range(40):
        record(north(IN_WESTSIDE, n / 8), noon, n)
    assert ranked(report).facts["night_p"] is None
    for n in range(40):
        record(
            (IN_EASTSIDE[0] + (n % 7 - 3) * STEP, IN_EASTSIDE[1] + (n // 7 - 3) * STEP), midnight, n
        )
    found = ranked(report)
    assert found.facts["night_p"] < 0.001
    assert found.facts["night_police"] == 1
    assert found.facts["night_seen"] > 20 > found.facts["night_usual"]
    elsewhere = send(session, new("dumping", at=IN_WESTSIDE))
    assert ranked(elsewhere).facts["night_p"] == 1


def test_homes_and_the_street_are_measured_or_said_not_to_be(session, city, ranked):
    report = send(session, new("dumping", at=(-94.561, 39.0121)))
    facts = ranked(report).facts
    assert (facts["households"], facts["street"]) == (None, 2)
    session.execute(
        update(Area).where(Area.layer == AreaLayer.NEIGHBOURHOOD).values(households=10_000)
    )
    assert ranked(report).facts["households"] == pytest.approx(27.2, abs=0.2)
    far = send(session, new("dumping", at=IN_WESTSIDE))
    assert ranked(far).facts["street"] is None


def test_what_was_cleaned_up_there_before_counts_for_cleanup(session, city, ranked):
    before = send(session, new("dumping"))
    back(session, before, 40)
    moved(session, before, Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE)
    session.execute(
        update(Report).where(Report.id == before).values(closed_at=NOW - timedelta(days=30))
    )
    again = send(session, new("dumping"))
    other = send(session, new("graffiti"))
    assert ranked(again).facts["failed"] == 1
    assert ranked(other).facts["failed"] == 0


def test_a_neighbourhood_that_waits_longer_than_the_city_catches_up(session, city, ranked):
    for place, days in ((IN_WESTSIDE, 5), (IN_EASTSIDE, 100)):
        for n in range(12):
            one = send(session, new("dumping", at=(place[0], place[1] + 0.0007 * n)))
            back(session, one, 120)
            moved(session, one, Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE)
            session.execute(
                update(Report)
                .where(Report.id == one)
                .values(closed_at=NOW - timedelta(days=120 - days))
            )
    fast, slow = (
        ranked(send(session, new("graffiti", at=place))) for place in (IN_WESTSIDE, IN_EASTSIDE)
    )
    assert fast.facts["wait"] < 1 < slow.facts["wait"]
    assert points(fast, Factor.EQUITY) == 0 < points(slow, Factor.EQUITY)


def test_ranking_again_changes_no_row_that_stays_the_same(session, city, ranked):
    for n in range(3):
        send(session, new("dumping", at=north(IN_EASTSIDE, 9 * n)))
    one = [(row.need_id, row.rank, row.rank_low, row.rank_high) for row in ranked()]
    places = "SELECT ctid::text FROM need_rank ORDER BY need_id"
    before = session.scalars(text(places)).all()
    assert [(row.need_id, row.rank, row.rank_low, row.rank_high) for row in ranked()] == one
    assert session.scalars(text(places)).all() == before


def test_new_weights_rank_anew_and_are_named_by_the_ranks(session, city, ranked):
    danger = send(session, new("sign_damaged", severity=Severity.DANGEROUS))
    dumped = send(session, new("dumping", at=IN_WESTSIDE))
    assert ranked(danger).rank == 1
    weights = {
        kind: [1.0 if factor is Factor.FAULT else 0.0 for factor in factors]
        for kind, factors in FACTORS.items()
    }
    weights[Kind.CLEANUP] = [
        1.0 if factor is Factor.NEAR else 0.0 for factor in FACTORS[Kind.CLEANUP]
    ]
    send(session, new("graffiti", at=IN_WESTSIDE))
    first = session.scalar(select(WeightsVersion.id))
    id = priority.publish(
        session, replaces_id=first, person_id=None, signed_by="Ada", note="Why", weights=weights
    )
    assert (ranked(danger).rank, ranked(danger).weights_version_id) == (3, id)
    assert ranked(dumped).score == pytest.approx(25)


def test_a_ranking_takes_those_that_wait_with_it(session, city, ranked):
    send(session, new("dumping"))
    waiting = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'rank_needs'"
    assert session.scalar(text(waiting)) == 1
    ranked()
    assert session.scalar(text(waiting)) == 0


def test_without_needs_there_are_no_ranks(ranked):
    assert ranked() == []
