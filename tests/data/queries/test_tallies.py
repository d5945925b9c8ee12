"""Sums that are kept as differences, folded now and then without changing any."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import Engine, delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from data.models import LayerChange, Report, ReportTally, StreetLight
from data.queries import tallies, tiles
from tests.places import IN_EASTSIDE, IN_WESTSIDE, found_city

KEYS = (
    ReportTally.level,
    ReportTally.x,
    ReportTally.y,
    ReportTally.kind,
    ReportTally.category_code,
    ReportTally.status,
)


def point(place: tuple[float, float]) -> str:
    return f"SRID=4326;POINT({place[0]} {place[1]})"


def file_report(session: Session, place=IN_EASTSIDE) -> int:
    shape = point(place)
    return session.execute(
        insert(Report)
        .values(
            kind="cleanup", category_code="dumping", exact_geom=shape, public_geom=shape,
            occurred_at=func.now(),
        )
        .returning(Report.id)
    ).scalar_one()  # fmt: skip


def sums(session: Session) -> set[tuple]:
    n = func.sum(ReportTally.n)
    return set(session.execute(select(*KEYS, n).group_by(*KEYS).having(n != 0)).all())


def recounted(session: Session) -> set[tuple]:
    session.execute(select(func.report_tally_recount()))
    found = sums(session)
    session.rollback()
    return found


def rows(session: Session, table) -> int:
    return session.scalar(select(func.count()).select_from(table))


def test_each_layer_has_a_version_before_anything_has_changed(session):
    versions = tallies.versions(session)
    assert versions.keys() == set(tiles.LAYERS)
    assert all(versions.values())


def test_a_change_raises_the_version_of_its_own_layer_only(session):
    found_city(session)
    before = tallies.versions(session)
    session.execute(insert(StreetLight).values(pole_id="1", geom=point(IN_EASTSIDE)))
    after = tallies.versions(session)
    assert {layer for layer in after if after[layer] != before[layer]} == {"street_lights"}
    assert after["street_lights"] > before["street_lights"]


@pytest.mark.parametrize(
    "change",
    [
        update(Report).values(status="confirmed"),
        update(Report).values(public_geom=None),
        delete(Report),
    ],
)
def test_whatever_happens_to_a_report_raises_the_version(session, change):
    found_city(session)
    file_report(session)
    before = tallies.versions(session)["reports"]
    session.execute(change)
    assert tallies.versions(session)["reports"] > before


def test_folding_changes_no_sum_and_leaves_one_row_for_each(session):
    found_city(session)
    report = file_report(session)
    for place in (IN_EASTSIDE, IN_WESTSIDE):
        file_report(session, place)
    session.execute(update(Report).where(Report.id == report).values(status="confirmed"))
    tallied, versions = sums(session), tallies.versions(session)
    assert rows(session, ReportTally) > len(tallied)
    assert tallies.pending(session) > 0
    assert tallies.compact(session)
    assert sums(session) == tallied
    assert tallies.versions(session) == versions
    assert rows(session, ReportTally) == len(tallied)
    assert rows(session, LayerChange) == len([n for n in versions.values() if n])
    assert tallies.pending(session) == 0


def test_what_has_come_to_nothing_leaves_no_row(session):
    found_city(session)
    file_report(session)
    session.execute(delete(Report))
    tallies.compact(session)
    assert rows(session, ReportTally) == 0


def test_folding_twice_is_folding_once(session):
    found_city(session)
    file_report(session)
    tallies.compact(session)
    before = set(session.scalars(select(ReportTally.id)))
    tallies.compact(session)
    assert set(session.scalars(select(ReportTally.id))) == before


def test_one_process_folds_at_a_time(engine: Engine):
    with Session(engine) as one, Session(engine) as other:
        assert tallies.compact(one)
        assert not tallies.compact(other)
        one.commit()
        assert tallies.compact(other)


def test_the_limit_of_requests_holds_again_after_folding(engine: Engine):
    with Session(engine) as session:
        session.execute(text("SET statement_timeout = 1234"))
        session.commit()
        tallies.compact(session)
        session.commit()
        assert session.scalar(text("SHOW statement_timeout")) == "1234ms"


def write(engine: Engine, ended: threading.Event) -> None:
    changes = (delete(Report), update(Report).values(status="confirmed"))
    for index in range(25):
        with Session(engine) as session:
            report = file_report(session, IN_WESTSIDE if index % 2 else IN_EASTSIDE)
            session.commit()
            if index % 3 < 2:
                session.execute(changes[index % 3].where(Report.id == report))
            session.commit()


def fold(engine: Engine, ended: threading.Event) -> None:
    while not ended.is_set():
        with Session(engine) as session:
            tallies.compact(session)
            session.commit()


def watch(engine: Engine, ended: threading.Event) -> None:
    sums_of = select(func.sum(ReportTally.n).label("n")).group_by(*KEYS).subquery()
    seen = 0
    while not ended.is_set():
        with Session(engine) as session:
            version = tallies.versions(session)["reports"]
            lowest = session.scalar(select(func.min(sums_of.c.n)))
        assert version >= seen, "a version went back"
        assert lowest is None or lowest >= 0, "a sum went below nothing"
        seen = version


def test_nothing_is_lost_or_doubled_while_others_write_and_fold(engine: Engine):
    with Session(engine) as session:
        found_city(session)
        session.commit()
        before = tallies.versions(session)["reports"]
    ended = threading.Event()
    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(write, engine, ended) for _ in range(3)]
        others = [pool.submit(work, engine, ended) for work in (fold, fold, watch)]
        wait(writers)
        ended.set()
    for done in writers + others:
        done.result()
    with Session(engine) as session:
        # Of a writer's 25 reports 9 were deleted and 8 changed: so many statements were counted.
        assert tallies.versions(session)["reports"] - before == 3 * (25 + 9 + 8)
        assert sums(session) == recounted(session)
        assert tallies.compact(session)
        assert sums(session) == recounted(session)
