"""Walks, as browsers and phones ask."""

import csv
import io
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from data.models import (
    BlockWatch,
    Person,
    Report,
    Support,
    TextReview,
    Walk,
    WalkAnswer,
    WalkStop,
)
from geo.roles import Role
from geo.walks import QUESTIONS
from server.app import create_app
from server.languages import CODES, language
from server.pages.walks import PART
from server.screening import screen
from tests.people import person, signed_in
from tests.places import IN_THE_WATCH, IN_WESTSIDE, OUTSIDE, box, found_city
from tests.reports import new, send
from tests.server.test_access import filled, routes

LON, LAT = IN_THE_WATCH
KEY = {"Idempotency-Key": "stop-1"}


@pytest.fixture
def watch(engine) -> int:
    with Session(engine) as session:
        made = found_city(session)
        session.commit()
    return made.block_watch


@pytest.fixture
def act(client, engine, watch):
    """Sign the browser in as somebody, of the watch or not."""

    def become(role=None, **scope):
        if role in {Role.CAPTAIN, Role.MEMBER}:
            scope = {"block_watch_id": watch, **scope}
        with Session(engine) as session:
            id = person(session, role, **scope)
            session.execute(update(Person).where(Person.id == id).values(name="Ana"))
            session.commit()
        signed_in(client, engine, id)
        return id

    return become


@pytest.fixture
def elsewhere(engine) -> int:
    """Another block watch."""
    with Session(engine) as session:
        boundary = box(-94.56, 39.02, -94.55, 39.03)
        id = session.scalar(
            insert(BlockWatch).values(name="Other", boundary=boundary).returning(BlockWatch.id)
        )
        session.commit()
    return id


def started(client, watch, title="Norton Ave, 35th to 39th St", **values):
    answer = client.post(
        f"/watches/{watch}/walks", data={"title": title, **values}, follow_redirects=False
    )
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].removeprefix("/walks/"))


@pytest.fixture
def walk(client, watch, act):
    """A walk that a member has begun, who is signed in."""
    act(Role.MEMBER)
    return started(client, watch)


def stop(**values):
    seen_at = datetime.now(UTC).isoformat()
    place = {"lat": LAT, "lon": LON}
    return {**place, "answers": {"lighting": "out"}, "seen_at": seen_at, **values}


def sent(client, walk, body=None, key="stop-1"):
    return client.post(f"/walk/{walk}/stops", json=body or stop(), headers={"Idempotency-Key": key})


def count(engine, what, *where):
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(what).where(*where))


class TestStarting:
    def test_members_begin_a_walk_from_the_page_of_their_watch(self, client, engine, watch, act):
        act(Role.MEMBER)
        assert f'href="/watches/{watch}/walks"' in client.get(f"/watches/{watch}").text
        walk = started(client, watch)
        assert "Norton Ave, 35th to 39th St" in client.get(f"/walks/{walk}").text
        assert "begun by Ana" in client.get(f"/walks/{walk}").text
        assert f'href="/walks/{walk}"' in client.get(f"/watches/{watch}/walks").text

    @pytest.mark.parametrize("role", [None, Role.ADMINISTRATOR])
    def test_nobody_else_does(self, client, watch, act, role):
        assert client.post(f"/watches/{watch}/walks", data={"title": "x"}).status_code == 401
        act(role)
        assert client.post(f"/watches/{watch}/walks", data={"title": "x"}).status_code == 403

    def test_what_can_not_be_used_is_said_and_kept(self, client, engine, watch, act):
        act(Role.MEMBER)
        for title, day, says in (
            ("", "", "Give the walk a title"),
            ("x" * 101, "", "too long"),
            ("House of Juan Perez", "", "looks like a person&#39;s name"),
            ("Norton Ave", "soon", "Choose a day"),
            ("Norton Ave", "1999-01-01", "Choose a day"),
        ):
            answer = client.post(f"/watches/{watch}/walks", data={"title": title, "day": day})
            assert answer.status_code == 422
            assert says in answer.text
            assert f'value="{title}"' in answer.text
        assert count(engine, Walk) == 0


class TestStopsOfPhones:
    def test_a_stop_sent_again_counts_once_and_gets_the_same_answer(self, client, engine, walk):
        body = stop(reports={"lighting": ""}, note="By the old school")
        first, again = sent(client, walk, body), sent(client, walk, body)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        other = sent(client, walk, body | {"note": "Other"})
        assert other.status_code == 422
        assert "Idempotency-Key" in other.json()["detail"]
        assert (count(engine, WalkStop), count(engine, Report)) == (1, 1)

    def test_fifty_at_once_under_one_key_are_one_stop_and_one_report(self, client, engine, walk):
        body = stop(reports={"lighting": ""})
        with ThreadPoolExecutor(50) as pool:
            answers = [*pool.map(lambda _: sent(client, walk, body), range(50))]
        taken = [answer for answer in answers if answer.status_code == 201]
        assert {answer.status_code for answer in answers} <= {201, 503}  # the pool is small
        assert taken
        assert len({answer.text for answer in taken}) == 1
        assert sum("Idempotency-Replayed" not in answer.headers for answer in taken) == 1
        assert sent(client, walk, body | {"note": "Other"}).status_code == 422
        assert (count(engine, WalkStop), count(engine, Report)) == (1, 1)

    def test_the_stops_of_two_phones_come_together(self, client, engine, walk, act):
        sent(client, walk, stop(note="From the first phone"), key="a")
        act(Role.MEMBER)
        sent(client, walk, stop(note="From the second phone"), key="b")
        page = client.get(f"/walks/{walk}").text
        assert "From the first phone" in page
        assert "From the second phone" in page
        assert "2 stops" in page

    def test_whoever_is_signed_in_no_more_is_asked_to_and_nothing_is_lost(
        self, client, engine, walk, act
    ):
        client.cookies.clear()
        assert sent(client, walk).status_code == 401
        act()
        assert sent(client, walk).status_code == 404
        act(Role.MEMBER)
        assert sent(client, walk).status_code == 201

    def test_a_stop_that_comes_after_the_end_still_counts(self, client, engine, walk):
        client.post(f"/walks/{walk}/end")
        assert sent(client, walk).status_code == 201

    def test_times_that_can_not_be_are_put_right(self, client, engine, walk):
        for key, days in (("a", -4000), ("b", 4000)):
            seen_at = datetime.now(UTC) + timedelta(days=days)
            body = stop(seen_at=seen_at.isoformat(), reports={"lighting": ""})
            assert sent(client, walk, body, key).status_code == 201
        with Session(engine) as session:
            began = session.scalar(select(Walk.created_at))
            for seen_at in session.scalars(select(WalkStop.seen_at)):
                assert began <= seen_at <= datetime.now(UTC)

    def test_a_stop_that_can_not_be_taken_says_what_to_mend(self, client, engine, walk):
        for change, field, code in (
            ({"lat": OUTSIDE[1], "lon": OUTSIDE[0]}, "place", "outside_served_area"),
            ({"lat": LON, "lon": LAT}, "place", "swapped"),
            ({"lat": None, "lon": None}, "place", "missing"),
            ({"answers": {}}, "answers", "nothing_seen"),
            ({"answers": {"people": "many"}}, "answers", "unknown_answer"),
            ({"note": "x" * 501}, "note", "too_long"),
            ({"note": "Juan Perez sits here"}, "note", "screened"),
            ({"reports": {"lighting": "Juan Perez broke it"}}, "lighting", "screened"),
        ):
            answer = sent(client, walk, stop(**change))
            assert answer.status_code == 422
            (fault,) = answer.json()["errors"]
            assert (fault["field"], fault["code"]) == (field, code)
            assert fault["detail"]
        assert count(engine, WalkStop) == 0
        assert sent(client, walk).status_code == 201  # mended, under the same key

    def test_words_about_people_can_be_left_out(self, client, walk):
        answer = sent(client, walk, stop(note="Dark corner, ask Juan Perez about it"))
        (fault,) = answer.json()["errors"]
        assert "Juan Perez" in fault["detail"]
        assert "Juan" not in fault["left"]
        assert fault["left"].startswith("Dark corner")
        assert sent(client, walk, stop(note=fault["left"])).status_code == 201

    def test_swapped_coordinates_are_offered_back(self, client, walk):
        answer = sent(client, walk, stop(lat=LON, lon=LAT))
        ((choice,),) = (fault["choices"] for fault in answer.json()["errors"])
        assert choice["value"] == f"{LAT},{LON}"

    def test_nonsense_is_refused(self, client, walk):
        for body in ({}, {"seen_at": "x"}, stop(x=1), stop(answers="all")):
            answer = client.post(f"/walk/{walk}/stops", json=body, headers=KEY)
            assert answer.status_code == 422
        assert client.post(f"/walk/{walk}/stops", json=stop()).status_code == 422  # without a key

    def test_another_site_can_not_send_a_stop(self, client, walk):
        answer = client.post(
            f"/walk/{walk}/stops", json=stop(), headers=KEY | {"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status_code == 403


class TestReports:
    def test_a_problem_becomes_a_report_of_the_right_kind_at_once(self, client, engine, watch, act):
        own = act(Role.MEMBER)
        walk = started(client, watch)
        body = stop(
            answers={"lighting": "out", "overgrowth": "overgrown", "signs": "fine"},
            reports={"lighting": "The third pole.", "overgrowth": "", "signs": "nothing is wrong"},
        )
        made = {
            one["question"]: one["report"] for one in sent(client, walk, body).json()["reports"]
        }
        assert made.keys() == {"lighting", "overgrowth"}
        with Session(engine) as session:
            light, weeds = (session.get_one(Report, made[one]) for one in made)
        assert (light.category_code, light.public_text) == ("light_out", "The third pole.")
        assert weeds.category_code == "overgrowth"
        assert weeds.description == "Seen on a block walk: tall weeds or bushes."
        assert light.reporter_id == weeds.reporter_id == own
        assert light.on_behalf_of_id == weeds.on_behalf_of_id == watch
        page = client.get(f"/walks/{walk}").text
        assert f'href="/reports/{light.id}"' in page

    def test_far_from_the_block_watch_it_is_sent_in_no_name(self, client, engine, walk):
        far = stop(lat=IN_WESTSIDE[1], lon=IN_WESTSIDE[0], reports={"lighting": ""})
        id = sent(client, walk, far).json()["reports"][0]["report"]
        with Session(engine) as session:
            assert session.get_one(Report, id).on_behalf_of_id is None

    def test_words_that_are_sent_even_so_wait_for_a_moderator(self, client, engine, walk):
        body = stop(reports={"lighting": "Juan Perez broke it"}, even_so=True)
        ((report,),) = (answer["reports"] for answer in [sent(client, walk, body).json()])
        with Session(engine) as session:
            assert session.get_one(Report, report["report"]).public_text == ""
            assert session.scalar(select(TextReview.report_id)) == report["report"]

    @pytest.fixture
    def undecided(self, client, engine, walk):
        """A stop beside a report that is known, and the address at which to decide."""
        with Session(engine) as session:
            known = send(session, new("light_out", IN_THE_WATCH))
            session.commit()
        answer = sent(client, walk, stop(reports={"lighting": ""})).json()
        assert answer["reports"] == [{"question": "lighting", "report": None}]
        assert count(engine, Report) == 1
        assert "1 report to decide on" in client.get(f"/walks/{walk}").text
        return known, f"/walks/{walk}/stops/{answer['id']}/reports/lighting"

    def test_what_may_be_known_is_asked_and_joined(self, client, engine, walk, undecided):
        known, address = undecided
        client.post(address, data={"answer": "join", "report": known})
        assert count(engine, Support) == 1
        page = client.get(f"/walks/{walk}").text
        assert "to decide on" not in page
        assert f'href="/reports/{known}"' in page
        client.post(address, data={"answer": "new"})
        assert count(engine, Report) == 1  # it was decided already

    def test_or_it_is_new_once_however_often_it_is_said(self, client, engine, undecided):
        with ThreadPoolExecutor(4) as pool:
            [*pool.map(lambda _: client.post(undecided[1], data={"answer": "new"}), range(4))]
        assert count(engine, Report) == 2
        assert count(engine, WalkAnswer, WalkAnswer.report_id.is_not(None)) == 1

    def test_or_there_shall_be_none(self, client, engine, walk, undecided):
        client.post(undecided[1], data={"answer": "none"})
        assert count(engine, Report) == 1
        assert "to decide on" not in client.get(f"/walks/{walk}").text

    def test_nothing_else_is_a_decision(self, client, undecided):
        for data in ({"answer": "x"}, {"answer": "join"}, {"answer": "join", "report": 99}):
            assert client.post(undecided[1], data=data).status_code == 409

    def test_only_members_decide(self, client, engine, undecided, act):
        act(Role.ADMINISTRATOR)
        assert client.post(undecided[1], data={"answer": "new"}).status_code == 403
        assert count(engine, Report) == 1

    def test_a_stop_does_not_wait_for_the_limit_on_reports(self, settings, engine, watch):
        few = settings.model_copy(update={"reports_per_hour": 1})
        with TestClient(create_app(few)) as client:
            with Session(engine) as session:
                id = person(session, Role.MEMBER, block_watch_id=watch)
                session.commit()
            signed_in(client, engine, id)
            walk = started(client, watch)
            body = stop(
                answers={"lighting": "out", "dumping": "dumped", "signs": "graffiti"},
                reports={"lighting": "", "dumping": "", "signs": ""},
            )
            answer = sent(client, walk, body)
            assert answer.status_code == 201
            made = [one["report"] for one in answer.json()["reports"]]
            assert sum(report is not None for report in made) == 1
            assert (count(engine, WalkStop), count(engine, Report)) == (1, 1)
            address = f"/walks/{walk}/stops/{answer.json()['id']}/reports/signs"
            assert client.post(address, data={"answer": "new"}).status_code == 429


class TestPlainForm:
    def test_stops_are_sent_one_by_one_without_a_script(self, client, engine, walk):
        page = client.get(f"/walk/{walk}").text
        token = re.search('name="token" value="([^"]+)"', page)[1]
        data = {
            "token": token,
            "address": f"{LAT}, {LON}",
            "lighting": "out",
            "report_lighting": "1",
            "text_lighting": "",
            "signs": "",
        }
        answer = client.post(f"/walk/{walk}", data=data)
        assert answer.status_code == 200
        assert "The stop is stored" in answer.text
        client.post(f"/walk/{walk}", data=data)  # a second tap
        assert (count(engine, WalkStop), count(engine, Report)) == (1, 1)
        changed = client.post(f"/walk/{walk}", data=data | {"note": "More"})
        assert changed.status_code == 409
        fresh = re.search('name="token" value="([^"]+)"', changed.text)[1]
        client.post(f"/walk/{walk}", data=data | {"note": "More", "token": fresh})
        assert count(engine, WalkStop) == 2

    def test_nothing_typed_is_lost_where_something_is_wrong(self, client, engine, walk):
        answer = client.post(
            f"/walk/{walk}",
            data={"lat": LON, "lon": LAT, "lighting": "out", "note": "Ask Juan Perez"},
        )
        assert answer.status_code == 422
        assert "Please check 2 things" in answer.text
        assert re.search('id="lighting-out" value="out"[^>]* checked', answer.text)
        assert ">Ask Juan Perez</textarea>" in answer.text
        assert f'value="{LAT},{LON}"' in answer.text
        assert count(engine, WalkStop) == 0


class TestPage:
    def test_everybody_sees_what_an_ended_walk_has_found_and_members_where(
        self, client, engine, walk, watch, act
    ):
        body = stop(note="Canary of a note", reports={"lighting": ""})
        report = sent(client, walk, body).json()["reports"][0]["report"]
        client.cookies.clear()
        assert client.get(f"/walks/{walk}").status_code == 404
        assert f"/walks/{walk}" not in client.get(f"/watches/{watch}/walks").text
        act(Role.CAPTAIN)
        client.post(f"/walks/{walk}/end")
        full = client.get(f"/walks/{walk}").text
        assert f'"lat":{LAT}' in full.replace(" ", "")
        client.cookies.clear()
        page = client.get(f"/walks/{walk}").text
        assert f'href="/walks/{walk}"' in client.get(f"/watches/{watch}/walks").text
        assert "Light is out" in page
        assert f'href="/reports/{report}"' in page
        for private in ("Canary", "Norton Ave, 35th", "Ana"):
            assert private not in page, private
        assert '"marks": []' in page

    def test_lights_out_then_and_now(self, client, walk, watch):
        for key in "abc":
            sent(client, walk, key=key)
        later = started(
            client, watch, day=(datetime.now(UTC) + timedelta(days=2)).date().isoformat()
        )
        sent(client, later, stop(answers={"lighting": "out", "dumping": "dumped"}))
        row = r'<th scope="row">{}</th>\s*<td>{}</td>\s*<td>{}</td>'
        page = client.get(f"/walks/{later}").text
        assert re.search(row.format("Light is out", 3, 1), page)
        assert re.search(row.format("Dumped trash", "not looked at", 1), page)

    def test_captains_change_end_and_delete_it(self, client, engine, walk, act):
        act(Role.CAPTAIN)
        answer = client.post(f"/walks/{walk}/title", data={"title": "Woodland Ave"})
        assert "Woodland Ave" in answer.text
        assert client.post(f"/walks/{walk}/title", data={"title": " "}).status_code == 422
        id = sent(client, walk).json()["id"]
        client.post(f"/walks/{walk}/stops/{id}/delete")
        assert count(engine, WalkStop) == 0
        assert client.post(f"/walks/{walk}/delete").status_code == 422
        client.post(f"/walks/{walk}/delete", data={"sure": "1"})
        assert count(engine, Walk) == 0

    def test_other_members_do_not(self, client, engine, walk, act):
        act(Role.MEMBER)
        for what in ("title", "end", "delete", "stops/1/delete"):
            data = {"title": "Mine", "sure": "1"}
            assert client.post(f"/walks/{walk}/{what}", data=data).status_code == 403
        with Session(engine) as session:
            found = session.scalars(select(Walk)).one()
            assert found.title != "Mine"
            assert found.ended_at is None

    def test_the_table_holds_no_formula_of_a_stranger(self, client, walk, act):
        sent(client, walk, stop(note="=HYPERLINK(1)", reports={"lighting": ""}))
        rows = [*csv.reader(io.StringIO(client.get(f"/walks/{walk}/stops.csv").text))]
        entry = dict(zip(rows[0], rows[1], strict=True))
        assert entry["Note"] == "'=HYPERLINK(1)"
        assert entry["Light"] == "Light is out"
        assert (float(entry["Latitude"]), float(entry["Longitude"])) == pytest.approx((LAT, LON))
        act(Role.ADMINISTRATOR)
        assert client.get(f"/walks/{walk}/stops.csv").status_code == 403

    def test_an_unknown_walk_is_not_found(self, client, act):
        act(Role.MEMBER)
        for id in ("999", str(2**63), "9" * 30):
            for address in ("/walks/{}", "/walk/{}", "/walks/{}/stops.csv"):
                assert client.get(address.format(id)).status_code == 404

    def test_a_person_is_given_the_walks_they_began(self, client, walk):
        assert "Norton Ave, 35th to 39th St" in client.get("/account/export").text


class TestWhatPhonesKeep:
    def test_the_form_is_the_same_for_all_members_and_tells_nothing_private(
        self, client, walk, act
    ):
        def form():
            page = client.get(f"/walk/{walk}").text
            return re.sub('(nonce="|name="token" value=")[^"]+', "", page)

        own = form()
        act(Role.CAPTAIN)
        assert form() == own
        for private in ("Norton Ave, 35th", "Ana", "Sign out"):
            assert private not in own

    def test_the_worker_keeps_what_the_form_is_made_of_and_nothing_of_other_pages(
        self, client, walk
    ):
        answer = client.get("/walk/worker.js")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["cache-control"] == "no-cache"
        assert "connect-src 'self'" in answer.headers["content-security-policy"]
        kept = set(re.findall(r'"(/static/[^"]+)"', answer.text))
        assert len(kept) == len(PART.files)
        form = client.get(f"/walk/{walk}").text.partition("<template>")
        rest = form[2].partition("</template>")[2]
        asked = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', form[0] + rest))
        assert asked <= kept
        assert all(client.get(path).status_code == 200 for path in kept)

    def test_a_phone_can_put_it_on_its_home_screen(self, client):
        manifest = client.get("/walk/app.webmanifest")
        assert manifest.headers["content-type"] == "application/manifest+json"
        assert manifest.json()["scope"] == manifest.json()["start_url"] == "/walk/"
        assert client.get("/walk/").status_code == 200


CANARIES = ("Canarytitle", "canarynote", "94.56098", "39.01198")


def test_no_route_tells_who_is_no_member_of_stops_and_titles(client, engine, watch, elsewhere, act):
    act(Role.MEMBER)
    with Session(engine) as session:
        session.execute(text("SELECT setval(pg_get_serial_sequence('walk', 'id'), 4241)"))
        session.commit()
    walk = started(client, watch, title="Canarytitle Ave")
    body = stop(lat=39.0119812, lon=-94.5609812, note="canarynote", answers={"signs": "fine"})
    assert sent(client, walk, body).status_code == 201
    client.post(f"/walks/{walk}/end")
    asked = sorted(  # first what only reads: some of the rest ends a membership
        (method, address)
        for method, path in routes(client.app)
        if "walk" in path or path.startswith(("/watches", "/api"))
        for address in filled(path, walk)
        if not address.endswith("/delete")
    )
    assert ("GET", f"/walks/{walk}/stops.csv") in asked
    told = {}
    for name, become in {
        "nobody": client.cookies.clear,
        "resident": act,
        "stranger": lambda: act(Role.CAPTAIN, block_watch_id=elsewhere),
        "moderator": lambda: act(Role.MODERATOR),
        "member": lambda: act(Role.MEMBER),
    }.items():
        become()
        answers = []
        for method, address in asked:
            sending = {"json": {}} if address.endswith("stops") else {"data": {"answer": "none"}}
            if method == "GET":
                sending = {}
            answers.append(client.request(method, address, follow_redirects=False, **sending).text)
        told[name] = {canary for canary in CANARIES if any(canary in one for one in answers)}
    assert told.pop("member") == {*CANARIES}
    assert not any(told.values()), told


@pytest.mark.parametrize("code", CODES)
def test_the_words_of_a_report_point_at_nobody(code):
    for question in QUESTIONS:
        for answer in question.answers:
            if answer.category is not None:
                assert screen(language(code).gettext(answer.report)) == ()
