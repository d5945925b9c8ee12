"""Walks in the store, and who the store itself lets see them."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import pytest
from shapely import Point
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from data import database
from data.models import BlockWatch, Walk, WalkAnswer, WalkStop
from data.queries import walks
from data.queries.reports import OutsideServedArea
from data.queries.walks import NewStop, StopKeyReused
from geo.roles import Role
from geo.statuses import Status
from geo.walks import QUESTION_BY_CODE, understood
from tests.people import person
from tests.places import IN_THE_WATCH, OUTSIDE, box, found_city
from tests.reports import moved, new, send

DAY = date(2026, 6, 9)
SEEN = datetime(2026, 6, 9, 21, tzinfo=UTC)


@pytest.fixture
def city(session):
    return found_city(session)


@pytest.fixture
def town(session, city):
    """Somebody of the watch, its captain, somebody of another, an administrator, and a resident."""
    other = session.scalar(
        insert(BlockWatch)
        .values(name="Other Watch", boundary=box(-94.56, 39.02, -94.55, 39.03))
        .returning(BlockWatch.id)
    )
    scope = {"block_watch_id": city.block_watch}
    return {
        "member": person(session, Role.MEMBER, **scope),
        "another": person(session, Role.MEMBER, **scope),
        "captain": person(session, Role.CAPTAIN, **scope),
        "stranger": person(session, Role.CAPTAIN, block_watch_id=other),
        "administrator": person(session, Role.ADMINISTRATOR),
        "resident": person(session),
        "nobody": "",
    }


@pytest.fixture
def web(session, town):
    """The same transaction as the web role, in somebody's name; what it does is kept."""

    class As:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
            session.execute(
                text(
                    "SELECT set_config('porchlight.person', :person, true), "
                    "set_config('porchlight.strong', 'true', true)"
                ),
                {"person": str(town[self.name])},
            )

        def __exit__(self, *_):
            session.execute(text("RESET ROLE"))
            session.execute(text("SELECT set_config('porchlight.person', '', true)"))

    return As


def stop(at=IN_THE_WATCH, seen_at=SEEN, note="", **answers):
    return NewStop(Point(at), "Norton Ave", note, seen_at, understood(answers))


def add(session, walk, key="one", made=None):
    made = made or stop(lighting="out", note="canary of a note")
    return walks.add_stop(session, walk, made, key=key, body_hash=sha256(b"body").digest())


@pytest.fixture
def walk(session, city, town, web):
    with web("member"):
        id = walks.start(
            session, city.block_watch, title="Canary Ave", walked_on=DAY, person_id=town["member"]
        )
        add(session, id)
    return id


def test_a_stop_is_stored_once_a_key_and_never_under_another_body(session, walk):
    again = add(session, walk)
    assert again.replayed
    with pytest.raises(StopKeyReused):
        walks.add_stop(session, walk, stop(signs="fine"), key="one", body_hash=b"other")
    assert session.scalar(select(func.count()).select_from(WalkStop)) == 1
    assert session.scalar(select(func.count()).select_from(WalkAnswer)) == 1


def test_a_clock_that_is_ahead_is_put_right(session, walk):
    add(session, walk, "two", stop(seen_at=datetime.now(UTC) + timedelta(days=1), signs="fine"))
    assert session.scalar(select(func.bool_and(WalkStop.seen_at <= func.now())))


def test_a_stop_lies_within_the_city(session, walk):
    with pytest.raises(OutsideServedArea):
        add(session, walk, "two", stop(OUTSIDE, signs="fine"))


def test_stops_come_in_the_order_in_which_they_were_seen_whichever_phone_sent_them(session, walk):
    add(
        session, walk, "late", stop(seen_at=SEEN - timedelta(hours=1), signs="fine", lighting="out")
    )
    first, second = walks.stops(session, walk)
    assert [one.question.code for one in first.seen] == ["lighting", "signs"]
    assert (first.number, second.number, second.note) == (1, 2, "canary of a note")


class TestWhoSees:
    @pytest.mark.parametrize("name", ["member", "another", "captain"])
    def test_members_see_all_of_it(self, session, walk, web, name):
        with web(name):
            assert walks.walk(session, walk).title == "Canary Ave"
            assert len(walks.stops(session, walk)) == 1

    @pytest.mark.parametrize("name", ["stranger", "resident", "nobody"])
    def test_others_do_not_know_of_a_walk_that_is_under_way(self, session, city, walk, web, name):
        with web(name):
            assert walks.walk(session, walk) is None
            assert walks.of_watch(session, city.block_watch) == []
            assert session.execute(text("SELECT * FROM walk_sum")).all() == []

    @pytest.mark.parametrize("name", ["stranger", "resident", "nobody", "administrator"])
    def test_of_one_that_has_ended_they_see_the_sum_and_no_place(self, session, walk, web, name):
        with web("member"):
            walks.end(session, walk)
        with web(name):
            found = walks.walk(session, walk)
            assert walks.sums(session, [found])[walk].counts == {("lighting", "out"): 1}
            assert found.stops == 1
            assert found.leader == ""
            assert (found.title == "") == (name != "administrator")
            assert walks.stops(session, walk) == []
            assert session.execute(text("SELECT * FROM walk_stop")).all() == []
            assert session.execute(text("SELECT * FROM walk_answer")).all() == []

    def test_members_read_who_began_it(self, session, walk, web, town):
        session.execute(
            text("UPDATE person SET name = 'Ana' WHERE id = :id"), {"id": town["member"]}
        )
        for name, leader in (("another", "Ana"), ("stranger", ""), ("nobody", "")):
            with web(name):
                assert (session.scalar(select(func.walk_leader(walk))) or "") == leader

    def test_a_held_report_is_not_among_those_of_a_walk(self, session, walk, web):
        report = send(session, new(at=IN_THE_WATCH))
        (found,) = walks.stops(session, walk)
        walks.decide(session, found.id, QUESTION_BY_CODE["lighting"], report)
        with web("member"):
            walks.end(session, walk)
        with web("nobody"):
            (shown,) = walks.reports(session, walk)
            assert (shown.id, shown.status, shown.joined) == (report, Status.RECEIVED, False)
        moved(session, report, Status.HELD)
        with web("nobody"):
            assert walks.reports(session, walk) == []


class TestWhoChanges:
    @pytest.mark.parametrize("name", ["stranger", "resident", "nobody", "administrator"])
    def test_only_members_begin_walks_and_add_stops(self, session, city, walk, web, town, name):
        for act in (
            lambda: walks.start(
                session,
                city.block_watch,
                title="x",
                walked_on=DAY,
                person_id=town[name] or town["resident"],
            ),
            lambda: add(session, walk, "two"),
        ):
            with web(name), session.begin_nested() as nested:
                with pytest.raises(ProgrammingError, match="row-level security"):
                    act()
                nested.rollback()

    def test_nobody_begins_a_walk_in_the_name_of_another(self, session, city, web, town):
        with (
            pytest.raises(ProgrammingError, match="row-level security"),
            web("member"),
            session.begin_nested(),
        ):
            walks.start(
                session, city.block_watch, title="x", walked_on=DAY, person_id=town["captain"]
            )

    @pytest.mark.parametrize(
        ("name", "changes", "deletes"),
        [
            ("captain", True, True),
            ("member", True, False),  # began it
            ("another", False, False),
            ("stranger", False, False),
            ("nobody", False, False),
        ],
    )
    def test_title_and_end_are_for_captains_and_who_began_it(
        self, session, walk, web, name, changes, deletes
    ):
        with web(name):
            walks.rename(session, walk, "Other title")
            walks.end(session, walk)
        session.expire_all()
        found = session.get_one(Walk, walk)
        assert (found.title == "Other title") == changes
        assert (found.ended_at is not None) == changes
        (one,) = session.scalars(select(WalkStop.id)).all()
        with web(name):
            walks.delete_stop(session, walk, one)
        assert (session.scalar(select(func.count()).select_from(WalkStop)) == 0) == changes
        with web(name):
            walks.delete(session, walk)
        assert (session.scalar(select(func.count()).select_from(Walk)) == 0) == deletes

    @pytest.mark.parametrize(
        "query",
        [
            "UPDATE walk_stop SET note = 'x'",
            "UPDATE walk_answer SET answer = 'x'",
            "UPDATE walk SET started_by_id = NULL",
            "UPDATE walk SET block_watch_id = 1",
            "DELETE FROM walk_answer",
        ],
    )
    def test_what_was_seen_is_never_rewritten(self, session, walk, web, query):
        with (
            pytest.raises(DBAPIError, match="permission denied"),
            web("captain"),
            session.begin_nested(),
        ):
            session.execute(text(query))


def test_a_walk_is_compared_with_the_last_one_before_it_that_has_stops(session, city, walk, town):
    made = [
        walks.start(
            session,
            city.block_watch,
            title=title,
            walked_on=DAY + timedelta(days=days),
            person_id=town["member"],
        )
        for title, days in (("empty", 1), ("later", 2))
    ]
    session.execute(text("UPDATE walk SET ended_at = now()"))
    later = walks.walk(session, made[1])
    assert walks.before(session, later).id == walk
    assert walks.before(session, walks.walk(session, walk)) is None


def test_a_deleted_walk_leaves_its_reports(session, walk):
    report = send(session, new(at=IN_THE_WATCH))
    (found,) = walks.stops(session, walk)
    walks.decide(session, found.id, QUESTION_BY_CODE["lighting"], report)
    walks.delete(session, walk)
    assert session.scalar(text("SELECT count(*) FROM walk_answer")) == 0
    assert session.scalar(text("SELECT count(*) FROM report")) == 1
