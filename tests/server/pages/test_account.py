"""What somebody sees of their own account, and what they can end."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from data.models import (
    DiscardedPhoto,
    Person,
    Photo,
    Report,
    ReportContact,
    ReportHold,
    SignIn,
    TextAppeal,
    TextReview,
    WatchBoundary,
    WatchWords,
)
from geo.roles import Role
from server.pages.account import named
from tests.people import person, signed_in
from tests.places import IN_THE_WATCH, box, found_city
from tests.reports import new, send

EMAIL = "rosa@example.org"


@pytest.fixture
def rosa(engine):
    with Session(engine) as session:
        id = person(session, email=EMAIL)
        session.commit()
    return id


@pytest.fixture
def report(engine, rosa):
    with Session(engine) as session:
        found_city(session)
        id = send(session, new("noise_spot", description="own words", address="3412 Norton Ave"))
        session.execute(update(Report).values(reporter_id=rosa))
        session.execute(insert(ReportContact).values(report_id=id, email=EMAIL, phone="816"))
        session.commit()
    return id


def test_whoever_is_not_signed_in_is_shown_the_way(client):
    answer = client.get("/account", headers={"Accept": "text/html"})
    assert answer.status_code == 401
    assert "/sign-in?next=%2Faccount" in answer.text or "/sign-in?next=/account" in answer.text


@pytest.mark.parametrize(
    "path", ["/account", "/account/export", "/account/delete"]
)  # fmt: skip
def test_pages_of_an_account_are_kept_by_nobody(client, engine, rosa, path):
    answer = signed_in(client, engine, rosa, strong=False).get(path)
    assert answer.headers["cache-control"] == "no-store"


def test_members_find_their_block_watch(client, engine):
    with Session(engine) as session:
        watch = found_city(session).block_watch
        member = person(session, Role.MEMBER, block_watch_id=watch)
        session.commit()
    text = signed_in(client, engine, member).get("/account").text
    assert text.count(f'href="/watches/{watch}"') == 2  # in the menu, and by its name


def test_a_report_becomes_nameless_only_when_it_is_meant(client, engine, rosa):
    with Session(engine) as session:
        watch = found_city(session).block_watch
        session.commit()
    signed_in(client, engine, rosa)
    assert 'name="signed_in" value="1"' in client.get("/report").text
    longitude, latitude = IN_THE_WATCH
    typed = {"category": "light_out", "lat": str(latitude), "lon": str(longitude), "new": "1"}
    typed |= {"description": "dark here", "on_behalf_of": str(watch), "signed_in": "1"}
    client.cookies.clear()
    asked = client.post("/report", data=typed)
    assert asked.status_code == 401
    assert "You are not signed in any more" in asked.text
    assert "dark here" in asked.text
    assert f'name="on_behalf_of" value="{watch}"' in asked.text
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Report)) == 0
    sent = client.post("/report", data=typed | {"nameless": "1"}, follow_redirects=False)
    assert sent.status_code == 303
    with Session(engine) as session:
        stored = session.scalars(select(Report)).one()
        assert (stored.reporter_id, stored.on_behalf_of_id) == (None, None)


def test_name_and_language_are_kept_and_pages_come_in_that_language(client, engine, rosa):
    signed_in(client, engine, rosa, strong=False)
    answer = client.post("/account", data={"name": "  Rosa ", "language": "es"})
    assert '<html lang="es">' in answer.text
    assert 'value="Rosa"' in answer.text
    client.post("/account", data={"name": "x" * 300, "language": "xx"})
    with Session(engine) as session:
        stored = session.get_one(Person, rosa)
        assert (len(stored.name), stored.language) == (200, "es")


def test_each_browser_is_listed_and_can_be_signed_out(client, engine, rosa):
    with TestClient(client.app) as other:
        signed_in(other, engine, rosa, strong=False)
        signed_in(client, engine, rosa, strong=False)
        text = client.get("/account").text
        assert text.count("/end") == 3  # both, and everywhere
        assert text.count("this one") == 1
        with Session(engine) as session:
            first = session.scalars(select(func.min(SignIn.id))).one()
        client.post(f"/account/sign-ins/{first}/end")
        assert other.get("/account").status_code == 401
        assert client.get("/account").status_code == 200


def test_signing_out_everywhere_leaves_no_browser_signed_in(client, engine, rosa):
    with TestClient(client.app) as other:
        signed_in(other, engine, rosa, strong=False)
        signed_in(client, engine, rosa, strong=False).post("/account/sign-ins/end")
        assert other.get("/account").status_code == 401


def test_the_browsers_of_others_can_not_be_signed_out(client, engine, rosa):
    with Session(engine) as session:
        stranger = person(session)
        session.commit()
    with TestClient(client.app) as other:
        signed_in(other, engine, rosa, strong=False)
        with Session(engine) as session:
            theirs = session.scalars(select(SignIn.id)).one()
        signed_in(client, engine, stranger).post(f"/account/sign-ins/{theirs}/end")
        assert other.get("/account").status_code == 200


def test_all_that_is_held_comes_as_a_file(client, engine, rosa, report):
    signed_in(client, engine, rosa, strong=False)
    answer = client.get("/account/export")
    assert "attachment" in answer.headers["content-disposition"]
    held = answer.json()
    assert held["person"]["e-mail address"] == EMAIL
    assert [one["browser"] for one in held["sign-ins"]] == ["Test browser"]
    (one,) = held["reports"]
    assert (one["id"], one["description"], one["address"]) == (
        report,
        "own words",
        "3412 Norton Ave",
    )
    assert one["contact"]["phone"] == "816"
    assert held["roles"] == []


def test_own_reports_are_found_again(client, engine, rosa, report):
    assert (
        f'href="/reports/{report}"'
        in signed_in(client, engine, rosa, strong=False).get("/account").text
    )
    with Session(engine) as session:
        stranger = person(session)
        session.commit()
    text = signed_in(client, engine, stranger, strong=False).get("/account").text
    assert f'href="/reports/{report}"' not in text
    assert "You have sent none" in text


def test_what_a_captain_drew_and_wrote_is_among_it_and_goes_where_it_is_not_public(
    client, engine, rosa
):
    with Session(engine) as session:
        watch = found_city(session).block_watch
        session.execute(text("DELETE FROM watch_boundary"))
        drawn = box(-94.57, 39.01, -94.56, 39.02)
        session.execute(insert(WatchBoundary).values(
            block_watch_id=watch, boundary=drawn, drawn=True, drawn_by_id=rosa))  # fmt: skip
        for field, state in (("contact", "waiting"), ("meeting", "approved")):
            decided = None if state == "waiting" else func.now()
            session.execute(insert(WatchWords).values(
                block_watch_id=watch, field=field, words=f"Ask Ann ({state})", written_by_id=rosa,
                state=state, decided_at=decided))  # fmt: skip
        session.commit()
    signed_in(client, engine, rosa)
    held = client.get("/account/export").json()
    assert held["boundaries drawn"][0]["boundary"]["type"] == "MultiPolygon"
    words = [one["words"] for one in held["words of block watches that were held"]]
    assert words == ["Ask Ann (waiting)", "Ask Ann (approved)"]
    client.post("/account/delete", data={"sure": "1"})
    with Session(engine) as session:
        left = session.execute(select(WatchWords.words, WatchWords.written_by_id)).all()
        assert [tuple(one) for one in left] == [("Ask Ann (approved)", None)]
        assert session.scalars(select(WatchBoundary.drawn_by_id)).all() == [None]


@pytest.mark.parametrize("shown", [True, False])
def test_what_was_held_back_goes_with_the_account(client, engine, rosa, report, shown):
    with Session(engine) as session:
        session.execute(update(Report).values(description="Ask Ann. Dark.", public_text="Dark."))
        session.execute(insert(TextReview).values(report_id=report))
        session.execute(insert(TextAppeal).values(report_id=report, reason="Ask Ann, I said"))
        held_since = {"appeal": "Ann again", "appealed_at": func.now()}
        session.execute(insert(ReportHold).values(report_id=report, reason="x", **held_since))
        for n, state in enumerate(("waiting", "public"), 1):
            photo = {"report_id": report, "key": f"{n}", "state": state, "width": 1, "height": 1}
            session.execute(insert(Photo).values(photo))
        session.commit()
    signed_in(client, engine, rosa)
    held = client.get("/account/export").json()["reports"][0]
    assert [photo["state"] for photo in held["photos"]] == ["waiting", "public"]
    assert held["what of it everybody reads"] == "Dark."
    assert held["appeals"] == ["Ask Ann, I said", "Ann again"]
    client.post("/account/delete", data={"sure": "1"} | ({"shown": "1"} if shown else {}))
    with Session(engine) as session:
        left = session.get_one(Report, report)
        kept = "" if shown else "Dark."
        assert (left.description, left.public_text, left.reporter_id) == (kept, kept, None)
        assert session.scalars(select(ReportHold.appeal)).all() == [""]
        gone = ["1", "2"] if shown else ["1"]
        assert list(session.scalars(select(DiscardedPhoto.key).order_by("key"))) == gone
        for table in (TextReview, TextAppeal, ReportContact):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_a_deleted_account_leaves_reports_that_nobody_sent(client, engine, rosa, report):
    signed_in(client, engine, rosa, strong=False)
    asked = client.post("/account/delete")
    assert "Delete your account?" in asked.text
    client.post("/account/delete", data={"sure": "1"})
    with Session(engine) as session:
        assert session.get(Person, rosa) is None
        assert session.get_one(Report, report).reporter_id is None
        assert session.scalars(select(ReportContact)).all() == []
        assert session.scalars(select(SignIn)).all() == []
    assert client.get("/account").status_code == 401


def test_people_of_the_sample_city_stay(client, engine, rosa):
    with Session(engine) as session:
        session.execute(update(Person).values(is_sample=True))
        session.commit()
    signed_in(client, engine, rosa, strong=False)
    assert client.post("/account/delete", data={"sure": "1"}).status_code == 403


def test_the_header_leads_to_what_a_role_is_for(client, engine):
    assert "/sign-in?next=" in client.get("/").text
    with Session(engine) as session:
        moderator = person(session, Role.MODERATOR)
        session.commit()
    text = signed_in(client, engine, moderator).get("/").text
    assert 'href="/moderation"' in text
    assert 'href="/work"' not in text
    assert 'href="/people"' not in text
    assert "/sign-out" in text


@pytest.mark.parametrize(
    ("says", "name"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120.0.0.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120.0.0.0 Safari/537.36 Edg/120.0", "Edge, Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "Firefox, Linux"),
        ("curl/8", ""),
    ],
)  # fmt: skip
def test_browsers_are_named_as_people_know_them(says, name):
    assert named(says) == name
