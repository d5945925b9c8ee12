"""Public words of block watches: screened as those of reports are, and decided by moderators."""

import html
import re

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from data import database
from data.models import AuditEntry, BlockWatch, Meeting, WatchWords
from data.queries import watch_words
from geo.roles import Role
from tests.people import person, signed_in
from tests.places import found_city

HELD = "Ask for John Whitfield, the tall man with the red beard"
FINE = {
    "contact": "Call 816-555-0100 or write to watch@example.org",
    "meeting": "At 3412 Norton Ave",
}
A_MEETING = {
    "place": "Porch at 3412 Norton Ave", "day": "2026-06-09", "hour": "18:30", "repeats": "weekly",
    "minutes": "90",
}  # fmt: skip


def values(page):
    """What the form to keep words as they are sends."""
    form = page[page.rindex("<form") :]
    return {name: html.unescape(value)
            for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}  # fmt: skip


def stored(engine, column):
    with Session(engine) as session:
        return session.scalar(select(column))


def held(engine):
    with Session(engine) as session:
        rows = session.execute(select(WatchWords.field, WatchWords.words, WatchWords.state))
        return [tuple(row) for row in rows]


def test_what_belongs_there_is_kept_at_once(client, engine, act, watch):
    act(Role.CAPTAIN)
    assert "Your changes are kept." in client.post(f"/watches/{watch}/contact", data=FINE).text
    assert stored(engine, BlockWatch.contact) == FINE["contact"]
    assert (
        "Your changes are kept." in client.post(f"/watches/{watch}/meetings", data=A_MEETING).text
    )
    assert stored(engine, Meeting.place) == A_MEETING["place"]
    assert held(engine) == []


def test_what_points_at_a_person_is_shown_and_can_be_reworded(client, engine, act, watch):
    act(Role.CAPTAIN)
    page = client.post(f"/watches/{watch}/contact", data={**FINE, "contact": HELD}).text
    assert "Please look at your words again" in page
    assert "<mark>" in page
    assert stored(engine, BlockWatch.contact) == ""
    sent = {**values(page), "contact": "Ask at the Hope Center", "screened": ""}
    assert "Your changes are kept." in client.post(f"/watches/{watch}/contact", data=sent).text
    assert stored(engine, BlockWatch.contact) == "Ask at the Hope Center"
    assert stored(engine, BlockWatch.meeting) == FINE["meeting"]


def test_what_stays_waits_and_the_old_words_hold_until_then(client, engine, act, watch):
    act(Role.CAPTAIN)
    client.post(f"/watches/{watch}/contact", data=FINE)
    page = client.post(f"/watches/{watch}/contact", data={**FINE, "contact": HELD}).text
    page = client.post(f"/watches/{watch}/contact", data=values(page)).text
    assert "wait for a moderator" in page
    assert HELD in page
    assert stored(engine, BlockWatch.contact) == FINE["contact"]
    act(Role.MEMBER)
    assert "Whitfield" not in client.get(f"/watches/{watch}").text
    assert held(engine) == [("contact", HELD, "waiting")]


@pytest.mark.parametrize(
    ("sent", "shown", "state"),
    [
        ({"decision": "approved"}, HELD, "approved"),
        ({"decision": "shortened", "shown": "Ask", "reason": "no names"}, "Ask", "shortened"),
        ({"decision": "refused", "reason": "no names"}, FINE["contact"], "refused"),
    ],
)  # fmt: skip
def test_a_moderator_decides_once_with_a_reason(client, engine, act, watch, sent, shown, state):
    captain = act(Role.CAPTAIN)
    client.post(f"/watches/{watch}/contact", data=FINE)
    page = client.post(f"/watches/{watch}/contact", data={**FINE, "contact": HELD}).text
    client.post(f"/watches/{watch}/contact", data=values(page))
    act(Role.MODERATOR)
    queue = client.get("/moderation").text
    assert "Words of block watches that wait" in queue
    address = re.search(r"/moderation/words/\d+", queue)[0]
    if state != "approved":
        answer = client.post(address, data={**sent, "reason": ""})
        assert answer.status_code == 422
    if state == "shortened":
        assert client.post(address, data={**sent, "shown": "x" * 301}).status_code == 422
    assert client.post(address, data=sent).status_code == 200
    assert client.post(address, data=sent).status_code == 409
    assert stored(engine, BlockWatch.contact) == shown
    assert held(engine)[0][2] == state
    with Session(engine) as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry.action == "words.decide"
    signed_in(client, engine, captain)
    page = client.get(f"/watches/{watch}").text
    assert ("no names" in page) is (state != "approved")


def test_meetings_wait_in_part_and_are_shown_when_decided(client, engine, act, watch):
    act(Role.CAPTAIN)
    sent = {**A_MEETING, "place": "Porch of John Whitfield", "note": "Bring Mary Whitfield along"}
    page = client.post(f"/watches/{watch}/meetings", data=sent).text
    assert stored(engine, Meeting.place) is None
    page = client.post(f"/watches/{watch}/meetings", data=values(page)).text
    assert "Whitfield" not in stored(engine, Meeting.place)
    assert stored(engine, Meeting.place).startswith("Porch of")
    assert stored(engine, Meeting.note) == ""
    assert {one[0] for one in held(engine)} == {"place", "note"}
    act(Role.MODERATOR)
    for address in set(re.findall(r"/moderation/words/\d+", client.get("/moderation").text)):
        client.post(address, data={"decision": "approved"})
    assert stored(engine, Meeting.place) == sent["place"]
    assert stored(engine, Meeting.note) == sent["note"]
    act(Role.CAPTAIN)
    id = stored(engine, Meeting.id)
    answer = client.post(f"/watches/{watch}/meetings/{id}", data={**sent, "hour": "19:00"})
    assert "Your changes are kept." in answer.text


def test_other_words_take_the_place_of_those_that_wait(client, engine, act, watch):
    act(Role.CAPTAIN)
    page = client.post(f"/watches/{watch}/contact", data={**FINE, "contact": HELD}).text
    client.post(f"/watches/{watch}/contact", data=values(page))
    client.post(f"/watches/{watch}/contact", data=FINE)
    assert held(engine) == []


def test_whoever_wrote_words_does_not_decide_them(client, engine, act, watch):
    act(Role.ADMINISTRATOR)
    page = client.post(f"/watches/{watch}/contact", data={**FINE, "contact": HELD}).text
    client.post(f"/watches/{watch}/contact", data=values(page))
    assert "another moderator decides" in client.get("/moderation").text
    id = stored(engine, WatchWords.id)
    answer = client.post(f"/moderation/words/{id}", data={"decision": "approved"})
    assert answer.status_code == 409
    assert stored(engine, BlockWatch.contact) == ""


def test_what_was_decided_long_ago_is_forgotten_and_what_waits_is_not(session):
    watch = found_city(session).block_watch
    session.execute(
        text("INSERT INTO watch_words (block_watch_id, field, words, state, reason, decided_at) "
             "VALUES (:watch, 'contact', 'old', 'refused', 'x', now() - interval '31 days'), "
             "(:watch, 'contact', 'new', 'refused', 'x', now() - interval '29 days'), "
             "(:watch, 'contact', 'waits', 'waiting', '', NULL)"),
        {"watch": watch},
    )  # fmt: skip
    watch_words.forget(session)
    assert set(session.scalars(select(WatchWords.words))) == {"new", "waits"}


@pytest.mark.parametrize("role", [Role.CAPTAIN, Role.MEMBER, None])
def test_nobody_but_moderators_decides(client, engine, act, watch, role):
    act(role)
    assert client.post("/moderation/words/1", data={"decision": "approved"}).status_code == 403


def test_the_store_shows_held_words_to_captains_and_moderators_alone(session):
    watch = found_city(session).block_watch
    captain = person(session, Role.CAPTAIN, block_watch_id=watch)
    session.execute(
        text("INSERT INTO watch_words (block_watch_id, field, words, written_by_id) "
             "VALUES (:watch, 'contact', 'x', :captain)"),
        {"watch": watch, "captain": captain},
    )  # fmt: skip
    askers = {captain: 1, person(session, Role.MODERATOR): 1, person(session): 0,
              person(session, Role.MEMBER, block_watch_id=watch): 0}  # fmt: skip
    session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
    session.execute(text("SELECT set_config('porchlight.strong', 'true', true)"))
    for asker, sees in askers.items():
        session.execute(
            text("SELECT set_config('porchlight.person', :id, true)"), {"id": str(asker)}
        )
        assert session.scalar(text("SELECT count(id) FROM watch_words")) == sees
        decided = session.scalar(text("SELECT decide_watch_words(1000, 'approved', 'x', '')"))
        assert decided is False
    with pytest.raises(ProgrammingError, match="permission denied"):
        session.execute(text("UPDATE watch_words SET state = 'approved'"))
