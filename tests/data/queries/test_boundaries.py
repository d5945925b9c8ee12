"""Boundaries of block watches in the store."""

import pytest
import shapely
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import ProgrammingError

from data import database
from data.models import AuditEntry, BlockWatch, Report, WatchBoundary
from data.queries import boundaries
from data.queries.boundaries import ChangedMeanwhile, Moved
from geo.roles import Role
from geo.statuses import Status
from tests.people import person
from tests.places import IN_THE_WATCH, box, found_city
from tests.reports import moved, new, send

OLD = (-94.565, 39.01, -94.557, 39.014)
EAST = (-94.557, 39.01, -94.549, 39.014)
IN_THE_EAST = (-94.553, 39.012)


@pytest.fixture
def watch(session) -> int:
    return found_city(session).block_watch


@pytest.fixture
def captain(session, watch) -> int:
    return person(session, Role.CAPTAIN, block_watch_id=watch)


@pytest.fixture
def act(session):
    """Speak to the store as its web role, for somebody."""

    def become(person_id, *, strong=False):
        session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
        session.execute(
            text(
                "SELECT set_config('porchlight.person', :id, true), "
                "set_config('porchlight.strong', :strong, true)"
            ),
            {"id": str(person_id or ""), "strong": str(strong).lower()},
        )

    return become


def watch_of(session, id):
    return session.scalar(select(Report.block_watch_id).where(Report.id == id))


def test_reports_change_hands_with_the_ground_and_so_does_the_audit(session, watch, captain, act):
    stays, comes = (send(session, new(at=at)) for at in (IN_THE_WATCH, IN_THE_EAST))
    assert (watch_of(session, stays), watch_of(session, comes)) == (watch, None)
    act(captain)
    held = boundaries.held(session, watch)
    assert held.boundary.bounds == OLD
    boundaries.change(session, watch, shapely.box(*EAST), version=held.version, by_id=captain)
    session.execute(text("RESET ROLE"))
    assert (watch_of(session, stays), watch_of(session, comes)) == (None, watch)
    entry = session.scalars(select(AuditEntry)).one()
    assert (entry.person_id, entry.action, entry.subject) == (
        captain, "watch.boundary", f"block_watch {watch}",
    )  # fmt: skip
    assert entry.detail["before"] == held.version < entry.detail["after"]


def test_the_second_of_two_changes_is_told(session, watch, captain, act):
    act(captain)
    read = boundaries.held(session, watch).version
    boundaries.change(session, watch, shapely.box(*EAST), version=read, by_id=captain)
    with pytest.raises(ChangedMeanwhile):
        boundaries.change(session, watch, shapely.box(*OLD), version=read, by_id=captain)
    assert boundaries.held(session, watch).boundary.bounds == EAST


def test_every_boundary_is_kept_and_an_earlier_one_can_be_had(session, watch, captain, act):
    act(captain)
    first = boundaries.held(session, watch)
    boundaries.change(session, watch, shapely.box(*EAST), version=first.version, by_id=captain)
    drawn, imported = boundaries.history(session, watch)
    assert (drawn.drawn, drawn.own, imported.drawn, imported.own) == (True, True, False, False)
    assert imported.id == first.version
    assert drawn.area_m2 == pytest.approx(imported.area_m2, rel=0.001)
    assert boundaries.earlier(session, watch, imported.id).bounds == OLD
    assert boundaries.earlier(session, watch + 1, imported.id) is None
    again = boundaries.earlier(session, watch, imported.id)
    boundaries.change(session, watch, again, version=drawn.id, by_id=captain)
    assert len(boundaries.history(session, watch)) == 3


def test_an_import_is_kept_too_and_what_stays_the_same_is_not(session, watch):
    session.execute(text("UPDATE block_watch SET boundary = boundary, contact = 'x'"))
    assert session.scalar(select(func.count()).select_from(WatchBoundary)) == 1
    session.execute(insert(BlockWatch).values(name="Other", boundary=box(*EAST)))
    assert session.scalar(select(func.count()).select_from(WatchBoundary)) == 2


def test_a_name_is_told_of_the_watchs_own_people_alone(session, watch, captain, act):
    administrator = person(session, Role.ADMINISTRATOR)
    session.execute(text("UPDATE person SET name = 'Name ' || id"))
    for who, strong in ((administrator, True), (captain, False)):
        act(who, strong=strong)
        held = boundaries.held(session, watch)
        shape = held.boundary.buffer(0.0001, join_style="mitre")
        boundaries.change(session, watch, shape, version=held.version, by_id=who)
        session.execute(text("RESET ROLE"))
    act(administrator, strong=True)
    assert [one.drawn_by for one in boundaries.history(session, watch)] == [
        f"Name {captain}", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.LIAISON, Role.MODERATOR, "other captain"])
def test_nobody_else_reads_or_changes_it(session, watch, act, role):
    other = session.scalar(
        insert(BlockWatch).values(name="Other", boundary=box(*EAST)).returning(BlockWatch.id)
    )
    match role:
        case None:
            who = person(session)
        case "other captain":
            who = person(session, Role.CAPTAIN, block_watch_id=other)
        case Role.MEMBER:
            who = person(session, Role.MEMBER, block_watch_id=watch)
        case Role.LIAISON:
            area = session.scalar(text("SELECT id FROM area LIMIT 1"))
            who = person(session, Role.LIAISON, area_id=area)
        case _:
            who = person(session, role)
    act(who, strong=True)
    assert boundaries.history(session, watch) == []
    shape = shapely.box(*EAST)
    with pytest.raises(ChangedMeanwhile):
        boundaries.change(session, watch, shape, version=1, by_id=who)
    changed = session.execute(
        text("UPDATE block_watch SET boundary = boundary WHERE id = :id RETURNING id"),
        {"id": watch},
    )
    assert changed.all() == []


def test_the_table_behind_the_history_is_not_for_pages(session, watch, captain, act):
    act(captain)
    with pytest.raises(ProgrammingError, match="permission denied"):
        session.execute(text("SELECT * FROM watch_boundary"))


class TestEffect:
    def test_overlaps_are_named_with_their_share_and_slivers_are_not(self, session, watch):
        half = (-94.553, 39.01, -94.549, 39.014)
        sliver = (-94.56, 39.0139, -94.55, 39.02)
        for name, where in (
            ("Half", half),
            ("Sliver", sliver),
            ("Beside", (-94.549, 39, -94.545, 39.02)),
        ):
            session.execute(insert(BlockWatch).values(name=name, boundary=box(*where)))
        found = boundaries.effect(session, watch, shapely.box(*EAST))
        assert [(one.name, round(one.share, 2)) for one in found.overlaps] == [
            ("Half", 0.5), ("Sliver", 0.02),
        ]  # fmt: skip
        thin = shapely.box(-94.557, 39.01, -94.549, 39.01392)
        assert [one.name for one in boundaries.effect(session, watch, thin).overlaps] == ["Half"]

    def test_open_reports_that_change_hands_are_counted_as_they_will_be_joined(
        self, session, watch, captain, act
    ):
        small = session.scalar(
            insert(BlockWatch)
            .values(name="Small", boundary=box(-94.5535, 39.0115, -94.5525, 39.0125))
            .returning(BlockWatch.id)
        )
        big = session.scalar(
            insert(BlockWatch)
            .values(name="Big", boundary=box(-94.5569, 39.0, -94.545, 39.03))
            .returning(BlockWatch.id)
        )
        ids = [
            send(session, new(at=at))
            for at in (
                IN_THE_WATCH,
                IN_THE_WATCH,
                IN_THE_EAST,
                (-94.551, 39.0111),
                (-94.551, 39.0112),
            )
        ]
        moved(session, ids[1], Status.HELD)
        before = [watch_of(session, id) for id in ids]
        assert before == [watch, watch, small, big, big]
        found = boundaries.effect(session, watch, shapely.box(*EAST))
        assert found.moved == [Moved("Big", True, 2), Moved(None, False, 1)]
        act(captain)
        version = boundaries.held(session, watch).version
        boundaries.change(session, watch, shapely.box(*EAST), version=version, by_id=captain)
        session.execute(text("RESET ROLE"))
        assert [watch_of(session, id) for id in ids] == [None, None, small, watch, watch]
