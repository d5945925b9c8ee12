"""Reports in the name of a block watch: it is named, and the person is not."""

import re
import time

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from data import database
from data.models import Pace, Person, Report
from data.queries import fixes, follows, reports
from data.queries.follows import Subject
from geo.roles import Role
from geo.statuses import Status
from tests.people import person, signed_in
from tests.places import IN_THE_WATCH, IN_WESTSIDE, found_city
from tests.reports import moved, new, send

NEAR = (-94.5666, 39.012)
"""Some 140 m west of the watch."""


@pytest.fixture
def act(client, engine, watch):
    def become(role, **scope):
        if role in {Role.CAPTAIN, Role.MEMBER}:
            scope = {"block_watch_id": watch, **scope}
        with Session(engine) as session:
            id = person(
                session,
                role,
                email=f"canary{role}{time.monotonic_ns()}@example.org".lower(),
                **scope,
            )
            session.execute(update(Person).where(Person.id == id).values(name="Canary Name"))
            session.commit()
        signed_in(client, engine, id)
        return id

    return become


def report(client, watch, at=IN_THE_WATCH, **sent):
    given = {
        "category": "light_out", "lat": str(at[1]), "lon": str(at[0]), "new": "1",
        "on_behalf_of": str(watch), **sent,
    }  # fmt: skip
    return client.post("/report", data=given, follow_redirects=False)


def test_members_choose_it_and_others_are_not_asked(client, act, watch):
    assert "In whose name?" not in client.get("/report").text
    act(None)
    assert "In whose name?" not in client.get("/report").text
    act(Role.MEMBER)
    page = client.get(f"/report?on_behalf_of={watch}").text
    assert f'<option value="{watch}" selected>Norton Watch</option>' in page


@pytest.mark.parametrize("at", [IN_THE_WATCH, NEAR])
def test_everybody_reads_the_watch_and_nobody_the_person(client, engine, act, watch, at):
    sender = act(Role.MEMBER)
    answer = report(client, watch, at)
    assert answer.status_code == 303
    id = int(re.search(r"/reports/(\d+)", answer.headers["location"])[1])
    for role in (Role.CAPTAIN, None, Role.MODERATOR):
        act(role)
        page = client.get(f"/reports/{id}").text
        assert f'Sent in the name of</dt><dd><a href="/watches/{watch}">Norton Watch</a>' in page
        assert "canarymember" not in page
        assert page.count("Canary Name") == client.get("/watches").text.count("Canary Name")
    client.cookies.clear()
    assert "for Norton Watch" in client.get("/list").text
    feature = client.get("/api/reports").json()["features"][0]["properties"]
    assert feature["on_behalf_of"] == watch
    one = client.get(f"/api/reports/{id}")
    assert one.json()["properties"]["on_behalf_of"] == "Norton Watch"
    assert "anary" not in one.text
    with Session(engine) as session:
        assert session.get_one(Report, id).reporter_id == sender


def test_programs_send_it_too(client, act, watch):
    act(Role.CAPTAIN)
    body = {"category": "light_out", "lat": IN_THE_WATCH[1], "lon": IN_THE_WATCH[0]}
    sent = client.post("/api/reports", json={**body, "on_behalf_of": watch})
    assert sent.status_code == 201
    one = client.get(sent.json()["url"]).json()["properties"]
    assert one["on_behalf_of"] == "Norton Watch"
    plain = client.get(client.post("/api/reports", json=body).json()["url"]).json()["properties"]
    assert plain["on_behalf_of"] is None


@pytest.mark.parametrize("role", ["nobody", None, Role.ADMINISTRATOR, Role.MODERATOR])
def test_who_is_no_member_sends_in_no_name_but_the_own(client, engine, act, watch, role):
    if role != "nobody":
        act(role)
    answer = report(client, watch)
    assert answer.status_code == 422
    assert "Only its members send in the name of a block watch." in answer.text
    body = {"category": "light_out", "lat": IN_THE_WATCH[1], "lon": IN_THE_WATCH[0]}
    answer = client.post("/api/reports", json={**body, "on_behalf_of": watch})
    assert answer.json()["errors"][0]["code"] == "not_a_member"
    with Session(engine) as session:
        assert session.scalars(select(Report)).all() == []


@pytest.mark.parametrize("typed", ["x", "-1", "9" * 30, "999"])
def test_an_unknown_watch_is_refused(client, act, watch, typed):
    act(Role.MEMBER)
    assert report(client, typed).status_code == 422


def test_a_place_far_away_is_not_the_matter_of_the_watch(client, act, watch):
    act(Role.MEMBER)
    answer = report(client, watch, IN_WESTSIDE)
    assert answer.status_code == 422
    assert "more than two blocks (800 feet) outside" in answer.text
    assert f'<option value="{watch}" selected>' in answer.text
    assert report(client, "", IN_WESTSIDE, token="t" * 20).status_code == 303


class TestStore:
    @pytest.fixture
    def made(self, session):
        return found_city(session).block_watch

    def as_web(self, session, person_id):
        session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
        session.execute(
            text("SELECT set_config('porchlight.person', :id, true)"), {"id": str(person_id or "")}
        )

    def test_the_store_refuses_whoever_is_no_member(self, session, made):
        member = person(session, Role.MEMBER, block_watch_id=made)
        self.as_web(session, member)
        assert send(session, new(at=IN_THE_WATCH, on_behalf_of_id=made), key="a")
        self.as_web(session, None)
        with pytest.raises(ProgrammingError, match="row-level security"):
            send(session, new(at=IN_THE_WATCH, on_behalf_of_id=made), key="b")

    def test_the_store_refuses_what_is_far_away(self, session, made):
        with pytest.raises(DBAPIError, match="lies in it or near it"):
            send(session, new(at=IN_WESTSIDE, on_behalf_of_id=made))

    def test_it_is_not_changed_later_but_ends_with_the_watch(self, session, made):
        id = send(session, new(at=IN_THE_WATCH, on_behalf_of_id=made))
        plain = send(session, new(at=IN_THE_WATCH))
        nested = session.begin_nested()
        with pytest.raises(DBAPIError, match="is not changed later"):
            session.execute(update(Report).where(Report.id == plain).values(on_behalf_of_id=made))
        nested.rollback()
        session.execute(text("DELETE FROM block_watch"))
        assert reports.one_public(session, id).on_behalf_of is None

    def test_followers_of_the_watch_hear_of_it(self, session, made):
        follower = person(session, email="ann@example.org")
        follows.add(session, follower, Subject(block_watch_id=made), Pace.AT_ONCE, "en")
        session.execute(
            text("UPDATE follow SET created_at = now() - interval '1 day', "
                 "told_to = now() - interval '1 day'")
        )  # fmt: skip
        now = session.scalar(text("SELECT now()"))
        send(session, new(at=NEAR))
        assert follows.with_news(session, now, now) == []
        send(session, new(at=NEAR, on_behalf_of_id=made))
        assert len(follows.with_news(session, now, now)) == 1


def test_the_watch_is_asked_whether_what_it_sent_is_fixed_though_it_lies_outside(
    client, act, engine, watch
):
    """Of other reports outside, nobody asks those who do not look after the place."""
    captain = act(Role.CAPTAIN)
    sent = report(client, watch, at=NEAR)
    assert sent.status_code == 303
    neighbour = act(None)
    with Session(engine) as session:
        worker = person(session, Role.ADMINISTRATOR)
        session.execute(text("UPDATE report SET reporter_id = NULL"))
        of_others = send(session, new(at=NEAR), key="of others")
        ids = (session.scalar(select(Report.id).where(Report.on_behalf_of_id == watch)), of_others)
        for id in ids:
            moved(session, id, Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE)
        asked = {}
        for who in (worker, captain, neighbour):
            session.execute(
                text(
                    "SELECT set_config('porchlight.person', :id, true), "
                    "set_config('porchlight.strong', 'true', true)"
                ),
                {"id": str(who)},
            )
            for id in ids:
                if who == worker:
                    asked[who, id] = [one.email for one in fixes.to_ask(session, id)]
                else:
                    asked[who, id] = fixes.asks(session, id, [])
        email = session.scalar(select(Person.email).where(Person.id == captain))
    assert asked == {
        (worker, ids[0]): [email], (worker, of_others): [],
        (captain, ids[0]): fixes.Asked.ASKED, (captain, of_others): None,
        (neighbour, ids[0]): None, (neighbour, of_others): None,
    }  # fmt: skip
