"""Block associations in the store."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import ProgrammingError

from data import database
from data.models import AuditEntry, JoinRequest, Meeting, Person, RoleGrant, WatchInvitation
from data.queries import associations, people
from data.queries.associations import LastCaptain, NewMeeting, NotCaptain
from geo.roles import Role
from geo.statuses import Status
from tests.people import person
from tests.places import IN_THE_WATCH, IN_WESTSIDE, box, found_city
from tests.reports import moved, new, send

STARTS = datetime(2026, 6, 9, 23, 30, tzinfo=UTC)


@pytest.fixture
def watch(session) -> int:
    return found_city(session).block_watch


@pytest.fixture
def captain(session, watch) -> int:
    return person(session, Role.CAPTAIN, block_watch_id=watch)


@pytest.fixture
def member(session, watch) -> int:
    return person(session, Role.MEMBER, block_watch_id=watch)


def roles(session, watch):
    return {one.person_id: one.role for one in associations.members(session, watch)}


def as_web(session, person_id):
    session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
    session.execute(
        text("SELECT set_config('porchlight.person', :id, true)"), {"id": str(person_id or "")}
    )


def a_meeting(**values):
    given = {"place": "Porch", "service_location_id": None, "starts_at": STARTS, "rrule": "",
             "duration_minutes": 60, "note": ""}  # fmt: skip
    return NewMeeting(**{**given, **values})


class TestReports:
    def test_only_open_ones_inside_are_counted_and_listed_newest_first(self, session, watch):
        first = send(session, new(at=IN_THE_WATCH))
        second = send(session, new("dumping", IN_THE_WATCH))
        send(session, new(at=IN_WESTSIDE))
        moved(session, send(session, new(at=IN_THE_WATCH)), Status.HELD)
        moved(session, second, Status.CONFIRMED)
        found = associations.open_inside(session, watch)
        assert found.counts == {Status.RECEIVED: 1, Status.CONFIRMED: 1}
        assert [one.id for one in found.newest] == [second, first]
        assert [one.open_reports for one in associations.watches(session)] == [2]

    def test_done_and_verified_are_told_apart_and_older_ones_left_out(self, session, watch):
        ids = [send(session, new(at=IN_THE_WATCH)) for _ in range(3)]
        for id in ids:
            moved(session, id, Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE)
        moved(session, ids[1], Status.VERIFIED)
        now = session.scalar(text("SELECT now()"))
        session.execute(text("UPDATE report SET closed_at = now()"))
        session.execute(
            text("UPDATE report SET occurred_at = :old, reported_at = :old, closed_at = :old "
                 "WHERE id = :id"),
            {"old": now - timedelta(days=200), "id": ids[2]},
        )  # fmt: skip
        found = associations.done_inside(session, watch, now - timedelta(days=90))
        assert found.counts == {Status.DONE: 1, Status.VERIFIED: 1}
        assert {one.id for one in found.newest} == set(ids[:2])

    def test_the_index_alone_counts(self, session, watch):
        session.execute(text("SET LOCAL porchlight.bulk = 'on'"))
        session.execute(
            text("""
                INSERT INTO report (kind, category_code, status, exact_geom, occurred_at,
                                    reported_at, closed_at, block_watch_id)
                SELECT 'lighting', 'light_out',
                       (ARRAY['received', 'confirmed', 'done']::report_status[])[1 + n % 3],
                       ST_SetSRID(ST_MakePoint(-94.55, 39.02), 4326), now(), now(),
                       CASE WHEN n % 3 = 2 THEN now() END, CASE WHEN n % 40 = 0 THEN :watch END
                FROM generate_series(1, 4000) AS n
            """),
            {"watch": watch},
        )
        session.execute(text("ANALYZE report"))
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_bitmapscan = off"))
        for wanted, meant in (
            ("status", f"block_watch_id = {watch} AND status = 'done' AND closed_at >= now()"),
            ("block_watch_id", "block_watch_id IS NOT NULL AND status = 'received'"),
        ):
            question = f"SELECT {wanted}, count(*) FROM report WHERE {meant} GROUP BY {wanted}"
            plan = "\n".join(session.scalars(text(f"EXPLAIN {question}")))
            assert "report_block_watch_id_status_closed_at_idx" in plan


class TestStore:
    @pytest.fixture
    def others(self, session, watch, member):
        elsewhere = session.scalar(
            text("INSERT INTO block_watch (name, boundary) VALUES ('Elsewhere', :shape) RETURNING id"),
            {"shape": box(-94.58, 39.01, -94.575, 39.014)},
        )  # fmt: skip
        return (
            None,
            person(session),
            member,
            person(session, Role.CAPTAIN, block_watch_id=elsewhere),
        )

    def test_a_captain_changes_meetings_and_nobody_else_does(self, session, watch, captain, others):
        associations.add_meeting(session, watch, a_meeting())
        id = session.scalar(select(Meeting.id))
        for other in others:
            nested = session.begin_nested()
            as_web(session, other)
            assert not associations.change_meeting(session, watch, id, a_meeting(place="Mine"))
            assert not associations.cancel_meeting(session, watch, id)
            with pytest.raises(ProgrammingError, match="row-level security"):
                associations.add_meeting(session, watch, a_meeting())
            nested.rollback()
        as_web(session, captain)
        assert associations.change_meeting(session, watch, id, a_meeting(place="Hall"))
        associations.add_meeting(session, watch, a_meeting())
        assert associations.cancel_meeting(session, watch, id)
        assert not associations.change_meeting(session, watch, id, a_meeting())
        cancelled = associations.meetings(session, watch)[0]
        assert (cancelled.place, cancelled.sequence, cancelled.is_cancelled) == ("Hall", 2, True)

    def test_the_contact_of_members_is_theirs_alone(self, session, watch, captain, member, others):
        nested = session.begin_nested()
        as_web(session, captain)
        words = {"contact": "Line 1", "meeting": "Tuesdays", "member_contact": "Line 2"}
        associations.change_watch(session, watch, **words)
        session.execute(text("RESET ROLE"))
        nested.commit()
        for other in (*others, captain):
            nested = session.begin_nested()
            as_web(session, other)
            found = associations.watch(session, watch)
            assert found.contact == "Line 1"
            assert found.member_contact == ("Line 2" if other in {captain, member} else "")
            if other != captain:
                with pytest.raises(ProgrammingError, match="row-level security"):
                    associations.change_watch(session, watch, **words)
            nested.rollback()

    @pytest.mark.parametrize("column", ["note", "*"])
    def test_what_people_write_to_captains_is_not_for_pages(self, session, captain, column):
        as_web(session, captain)
        with pytest.raises(ProgrammingError, match="permission denied"):
            session.execute(text(f"SELECT {column} FROM join_request"))

    @pytest.mark.parametrize("table", ["watch_invitation", "role_grant"])
    def test_who_is_whose_is_not_for_pages(self, session, captain, table):
        as_web(session, captain)
        with pytest.raises(ProgrammingError, match="permission denied"):
            session.execute(text(f"SELECT id FROM {table}"))


class TestMembers:
    def test_a_captain_takes_in_who_asks_and_the_note_goes(self, session, watch, captain):
        for approved in (True, False):
            asker = person(session)
            for _ in range(2):
                associations.ask_to_join(session, watch, asker, "I live at 34th")
            (asked,) = associations.asking(session, watch)
            assert asked.note == "I live at 34th"
            (held,) = people.export(session, asker)["requests to join block watches"]
            assert (held["block watch"], held["note"]) == ("Norton Watch", "I live at 34th")
            assert associations.decide(session, watch, asked.id, approved=approved, by_id=captain)
            assert not associations.decide(session, watch, asked.id, approved=True, by_id=captain)
            assert (roles(session, watch).get(asker) is Role.MEMBER) is approved
        assert set(session.scalars(select(JoinRequest.note))) == {""}

    def test_whoever_is_no_captain_changes_nobody(self, session, watch, captain, member):
        associations.ask_to_join(session, watch, person(session), "")
        id = associations.asking(session, watch)[0].id
        stranger = person(session, Role.ADMINISTRATOR)
        for by_id in (member, stranger):
            for attempt in (
                lambda by_id=by_id: associations.make_captain(session, watch, member, by_id=by_id),
                lambda by_id=by_id: associations.remove(session, watch, captain, by_id=by_id),
                lambda by_id=by_id: associations.invite(session, watch, uses=1, by_id=by_id),
                lambda by_id=by_id: associations.decide(
                    session, watch, id, approved=True, by_id=by_id
                ),
            ):
                with pytest.raises(NotCaptain):
                    attempt()
        assert roles(session, watch) == {captain: Role.CAPTAIN, member: Role.MEMBER}

    def test_a_captain_hands_over_and_stays_a_member(self, session, watch, captain, member):
        assert associations.hand_over(session, watch, member, by_id=captain)
        assert roles(session, watch) == {captain: Role.MEMBER, member: Role.CAPTAIN}
        with pytest.raises(NotCaptain):
            associations.make_captain(session, watch, captain, by_id=captain)
        ended = session.scalars(select(RoleGrant.id).where(RoleGrant.ended_at.is_not(None))).all()
        assert len(ended) == 2
        written = session.execute(
            select(AuditEntry.person_id, AuditEntry.action, AuditEntry.subject).order_by(
                AuditEntry.id
            )
        ).all()
        assert written == [
            (captain, "role.end", f"person {member}"),
            (captain, "role.grant", f"person {member}"),
            (captain, "role.end", f"person {captain}"),
            (captain, "role.grant", f"person {captain}"),
        ]

    def test_only_members_become_captains_and_nobody_removes_themselves(
        self, session, watch, captain
    ):
        stranger = person(session)
        assert not associations.make_captain(session, watch, stranger, by_id=captain)
        assert not associations.hand_over(session, watch, captain, by_id=captain)
        assert not associations.remove(session, watch, captain, by_id=captain)
        assert roles(session, watch) == {captain: Role.CAPTAIN}

    def test_the_last_captain_leaves_only_on_purpose(self, session, watch, captain, member):
        with pytest.raises(LastCaptain):
            associations.leave(session, watch, captain, even_last=False)
        associations.leave(session, watch, member, even_last=False)
        associations.leave(session, watch, captain, even_last=True)
        assert roles(session, watch) == {}
        assert not associations.watch(session, watch).has_captain

    def test_a_closed_account_is_no_captain(self, session, watch, captain):
        session.execute(update(Person).values(disabled_at=datetime.now(UTC)))
        assert not associations.watch(session, watch).has_captain
        with pytest.raises(NotCaptain):
            associations.invite(session, watch, uses=1, by_id=captain)


class TestInvitations:
    def test_a_link_lets_in_as_many_as_it_says(self, session, watch, captain):
        token = associations.invite(session, watch, uses=2, by_id=captain)
        assert token.encode() not in session.scalar(select(WatchInvitation.token_hash))
        first, second, third = (person(session) for _ in range(3))
        associations.ask_to_join(session, watch, first, "Me")
        for _ in range(2):  # who is in uses nothing up
            assert associations.accept(session, token, first) == watch
        assert associations.accept(session, token, captain) == watch
        assert roles(session, watch)[captain] is Role.CAPTAIN
        assert associations.asking(session, watch) == []
        assert associations.accept(session, token, second) == watch
        assert associations.accept(session, token, third) is None
        assert third not in roles(session, watch)

    @pytest.mark.parametrize("end", ["revoked", "too old", "of no captain", "unknown"])
    def test_a_link_that_does_not_hold_lets_nobody_in(self, session, watch, captain, member, end):
        token = associations.invite(session, watch, uses=5, by_id=captain)
        (made,) = associations.invitations(session, watch)
        assert made.expires_at - made.made_at == timedelta(days=14)
        match end:
            case "revoked":
                associations.revoke(session, watch, made.id, by_id=captain)
            case "too old":
                session.execute(text("UPDATE watch_invitation SET expires_at = now()"))
            case "of no captain":
                associations.hand_over(session, watch, member, by_id=captain)
            case _:
                token = "x" * 43
        assert associations.invited_to(session, token) is None
        assert associations.accept(session, token, person(session)) is None

    def test_there_are_not_too_many_links(self, session, watch, captain):
        made = [
            associations.invite(session, watch, uses=1, by_id=captain)
            for _ in range(associations.MOST_INVITATIONS + 1)
        ]
        assert made[-1] is None
        assert None not in made[:-1]


@pytest.mark.parametrize("rrule", ["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY;BYDAY=5TU", "x"])
def test_other_recurrences_are_refused(session, watch, rrule):
    with pytest.raises(Exception, match="meeting_rrule_is_known"):
        session.execute(
            insert(Meeting).values(
                block_watch_id=watch, place="x", starts_at=STARTS, duration_minutes=60, rrule=rrule
            )
        )
