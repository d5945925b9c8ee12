"""Texts that point at persons: told to their writer, held, judged with reasons, appealed once."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from data.models import (
    AuditEntry,
    Mail,
    Photo,
    PhotoState,
    Report,
    ReportContact,
    ReportEvent,
    ReportHold,
    ReviewState,
    TextReview,
)
from data.photo_store import PhotoFolder, Size
from geo.roles import Role
from geo.statuses import Status
from server.pages.moderation import COLUMNS, ROWS, joined
from server.photos import Box
from server.upkeep import delete_discarded, forget
from tests.people import person, signed_in
from tests.places import IN_EASTSIDE, found_city
from tests.reports import moved
from tests.reports import send as send_report
from tests.server.test_photos import opened, picture, written

HELD = "Dark at night. Call me: 816-555-0142."


@pytest.fixture
def city(engine):
    with Session(engine) as session:
        found_city(session)
        session.commit()


@pytest.fixture
def sign_in(client, engine):
    """Has the browser be somebody of a role; returns who."""

    def sign_in(role=None, id=None):
        if id is None:
            with Session(engine) as session:
                id = person(session, role)
                session.commit()
        client.cookies.clear()
        signed_in(client, engine, id)
        return id

    return sign_in


def fields(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


@pytest.fixture
def send(client, city):
    def send(description=HELD, page=None, files=(), **typed):
        page = page or client.get("/report").text
        lon, lat = IN_EASTSIDE
        filled = fields(page) | {"category": "light_out", "lat": str(lat), "lon": str(lon)}
        filled |= {"description": description} | typed
        return client.post("/report", data=filled, files=files, follow_redirects=False)

    return send


@pytest.fixture
def held(send, client):
    """The page of a report whose text is held."""
    asked = send()
    answer = send(page=asked.text, screened=fields(asked.text)["screened"])
    assert answer.status_code == 303
    return answer.headers["location"].partition("?")[0]


def report(engine) -> Report:
    with Session(engine) as session:
        return session.scalars(select(Report)).one()


def decide(client: TestClient, engine, decision: str, **values):
    with Session(engine) as session:
        waiting = session.scalar(select(TextReview.id).order_by(TextReview.round.desc()).limit(1))
    values |= {"decision": decision}
    return client.post(f"/moderation/texts/{waiting}", data=values, follow_redirects=False)


class TestAtEntry:
    def test_what_was_found_is_shown_with_its_reason_and_what_would_be_public(self, send, engine):
        answer = send()
        assert answer.status_code == 200
        assert "<mark>816-555-0142</mark>" in answer.text
        assert "This looks like a phone number." in answer.text
        assert "It is not public there." in answer.text
        previewed = re.findall(
            r'<blockquote class="screened">(.*?)</blockquote>', answer.text, re.DOTALL
        )
        assert "0142" in previewed[0]
        assert "0142" not in previewed[1]
        with Session(engine) as session:
            assert session.scalars(select(Report)).all() == []

    def test_reworded_it_is_public_at_once(self, send, client, engine):
        answer = send(page=send().text, description="Dark at night")
        assert answer.status_code == 303
        assert report(engine).public_text == "Dark at night"
        assert "Dark at night" in client.get(answer.headers["location"]).text

    def test_reworded_badly_it_is_asked_again(self, send):
        asked = send()
        answer = send(
            page=asked.text, description="816-555-0143", screened=fields(asked.text)["screened"]
        )
        assert "<mark>816-555-0143</mark>" in answer.text

    def test_sent_anyway_the_report_is_public_and_its_text_waits(self, held, client, engine):
        assert report(engine).status is Status.RECEIVED
        assert (report(engine).description, report(engine).public_text) == (HELD, "")
        page = client.get(held).text
        assert "0142" not in page
        assert "The text waits for a moderator" in page

    def test_in_spanish_the_reasons_are_too(self, send, client):
        client.cookies.set("language", "es")
        client.get("/report?lang=es")
        assert "Esto parece un número de teléfono." in send().text


class TestQueue:
    @pytest.mark.parametrize("role", [None, Role.STAFF])
    def test_only_moderators_see_it(self, held, client, engine, sign_in, role):
        assert client.get("/moderation").status_code == 401
        sign_in()
        assert client.get("/moderation").status_code == 403
        assert decide(client, engine, "approved").status_code == 403

    def test_a_text_is_shown_with_what_was_found_in_it(self, held, client, sign_in):
        sign_in(Role.MODERATOR)
        page = client.get("/moderation").text
        assert "<mark>816-555-0142</mark>" in page
        assert "Texts that wait</h2>".replace("</h2>", " (1)") in page

    def test_approved_it_is_public_as_it_is(self, held, client, engine, sign_in):
        sign_in(Role.MODERATOR)
        assert decide(client, engine, "approved").status_code == 303
        client.cookies.clear()
        assert "0142" in client.get(held).text

    def test_shortened_the_rest_is_public_and_the_reason_is_not(
        self, held, client, engine, sign_in
    ):
        sign_in(Role.MODERATOR)
        answer = decide(
            client, engine, "shortened", public_text="Dark at night.", reason="A number"
        )
        assert answer.status_code == 303
        client.cookies.clear()
        page = client.get(held).text
        assert "Dark at night." in page
        assert "0142" not in page
        assert "A moderator has taken something out of the text." in page
        assert "A number" not in page
        with Session(engine) as session:
            session.execute(text("SET LOCAL ROLE porchlight_web"))
            with pytest.raises(ProgrammingError, match="permission denied"):
                session.execute(text("SELECT reason FROM text_review"))

    @pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMINISTRATOR])
    def test_nobody_decides_about_an_own_report(self, send, client, engine, sign_in, role):
        who = sign_in(role)
        asked = send(files=[("photos", ("a.png", written(picture(), "PNG")))])
        photos = re.findall(r'name="photo" value="(\d+)"', asked.text)
        send(page=asked.text, screened=fields(asked.text)["screened"], photo=photos)
        assert client.get("/moderation").text.count("You sent this yourself") >= 1
        assert decide(client, engine, "approved").status_code == 409
        with Session(engine) as session:
            session.execute(text("SET LOCAL ROLE porchlight_web"))
            session.execute(
                text("SELECT set_config('porchlight.person', :who, true), "
                     "set_config('porchlight.strong', 'true', true)"), {"who": str(who)},
            )  # fmt: skip
            for own in (
                "UPDATE text_review SET state = 'approved', decided_at = now(), decided_by_id = :who",
                "UPDATE photo SET state = 'public', reviewed_by_id = :who",
            ):
                assert session.execute(text(own), {"who": who}).rowcount == 0
        hold = {"held": "true", "reason": "Names somebody"}
        page = f"/moderation/reports/{report(engine).id}"
        assert client.post(page, data=hold).status_code == 200
        again = client.post(page, data={"held": "false", "reason": "All is well"})
        assert again.status_code == 409

    def test_a_moderators_own_words_are_screened_and_kept(self, held, client, engine, sign_in):
        sign_in(Role.MODERATOR)
        words = {"public_text": "Trash by Bob Miller, 816-555-1234", "reason": ""}
        asked = decide(client, engine, "shortened", **words)
        assert asked.status_code == 422
        for said in (
            "“Bob Miller”",
            "816-555-1234</textarea>",
            "Give a reason",
            'id="reason-said"',
        ):
            assert said in asked.text
        asked = decide(client, engine, "shortened", **words | {"reason": "A number"})
        assert asked.status_code == 422
        assert report(engine).public_text == ""
        confirmed = fields(asked.text)["confirmed"]
        other = {"public_text": "By Ann Miller", "reason": "A number", "confirmed": confirmed}
        assert decide(client, engine, "shortened", **other).status_code == 422
        words |= {"reason": "A number", "confirmed": confirmed}
        assert decide(client, engine, "shortened", **words).status_code == 303
        assert report(engine).public_text == words["public_text"]

    @pytest.mark.parametrize("decision", ["shortened", "refused"])
    def test_less_than_all_needs_a_reason(self, held, client, engine, sign_in, decision):
        sign_in(Role.MODERATOR)
        assert decide(client, engine, decision, public_text="Dark").status_code == 422
        assert report(engine).public_text == ""

    def test_what_was_decided_is_not_decided_again(self, held, client, engine, sign_in):
        sign_in(Role.MODERATOR)
        decide(client, engine, "approved")
        sign_in(Role.MODERATOR)
        assert decide(client, engine, "refused", reason="Late").status_code == 409
        assert report(engine).public_text == HELD

    def test_every_decision_is_written_down(self, held, client, engine, sign_in):
        who = sign_in(Role.MODERATOR)
        decide(client, engine, "refused", reason="A number")
        with Session(engine) as session:
            entry = session.scalars(
                select(AuditEntry).where(AuditEntry.action == "text.decide")
            ).one()
        assert (entry.person_id, entry.subject) == (who, f"report {report(engine).id}")
        assert entry.detail == {"state": "refused", "round": 1, "reason": "A number"}

    def test_whoever_opens_the_queue_is_written_down_once(self, held, client, engine, sign_in):
        who = sign_in(Role.MODERATOR)
        client.get("/moderation")
        with Session(engine) as session:
            entry = session.scalars(
                select(AuditEntry).where(AuditEntry.action == "moderation.read")
            ).one()
        assert (entry.person_id, entry.detail["reports"]) == (who, [report(engine).id])

    def test_the_store_refuses_a_decision_in_the_name_of_another(
        self, held, client, engine, sign_in
    ):
        who = sign_in(Role.MODERATOR)
        with Session(engine) as session:
            session.execute(text("SET LOCAL ROLE porchlight_web"))
            session.execute(
                text("SELECT set_config('porchlight.person', :who, true), "
                     "set_config('porchlight.strong', 'true', true)"), {"who": str(who)},
            )  # fmt: skip
            with pytest.raises(Exception, match="row-level security"):
                session.execute(text(
                    "UPDATE text_review SET state = 'approved', decided_at = now(), "
                    "decided_by_id = 0"
                ))  # fmt: skip


class TestAppeal:
    @pytest.fixture
    def author(self, sign_in):
        return sign_in()

    @pytest.fixture
    def refused(self, author, held, client, engine, sign_in):
        first = sign_in(Role.MODERATOR)
        decide(client, engine, "refused", reason="A number")
        return held, first

    def test_the_author_reads_the_reason_and_appeals_once(self, refused, author, client, sign_in):
        page, _first = refused
        sign_in(id=author)
        assert "A number" in client.get(page).text
        assert "Appeal" in client.get(page).text
        answer = client.post(f"{page}/appeal", data={"reason": "It is the city's own number"})
        assert answer.status_code == 200
        assert "The text waits" in answer.text
        again = client.post(f"{page}/appeal", data={"reason": "Once more"})
        assert again.status_code == 409

    def test_another_moderator_decides(self, refused, author, client, engine, sign_in):
        page, first = refused
        sign_in(id=author)
        client.post(f"{page}/appeal", data={"reason": "It is the city's own number"})
        sign_in(id=first)
        assert "another moderator decides" in client.get("/moderation").text
        assert decide(client, engine, "approved").status_code == 409
        sign_in(Role.MODERATOR)
        assert "the city&#39;s own number" in client.get("/moderation").text
        assert decide(client, engine, "approved").status_code == 303
        client.cookies.clear()
        assert "0142" in client.get(page).text

    def test_nobody_else_appeals_or_reads_the_appeal(self, refused, author, client, sign_in):
        page, _first = refused
        client.cookies.clear()
        assert client.post(f"{page}/appeal", data={"reason": "x"}).status_code == 401
        sign_in()
        assert "Appeal" not in client.get(page).text
        assert client.post(f"{page}/appeal", data={"reason": "x"}).status_code == 409


class TestPhotos:
    @pytest.fixture
    def photo(self, send, engine) -> Photo:
        plate = picture(800, 800, colour="white")
        for x in range(200, 400, 4):
            plate.paste("black", (x, 200, x + 2, 400))
        send("", files=[("photos", ("a.png", written(plate, "PNG")))])
        with Session(engine) as session:
            return session.scalars(select(Photo)).one()

    def now(self, engine) -> Photo:
        with Session(engine) as session:
            return session.scalars(select(Photo)).one()

    def decide(self, client, photo, decision, **values):
        values |= {"decision": decision}
        return client.post(f"/moderation/photos/{photo.id}", data=values, follow_redirects=False)

    def test_a_moderator_sees_it_while_it_waits(self, photo, client, sign_in):
        sign_in(Role.MODERATOR)
        assert f"/photos/{photo.id}/large.webp" in client.get("/moderation").text
        answer = client.get(f"/photos/{photo.id}/large.webp")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-store")

    def test_refused_its_files_are_deleted(self, photo, client, engine, settings, sign_in):
        sign_in(Role.MODERATOR)
        assert self.decide(client, photo, "refused", reason="A face").status_code == 303
        forget(engine, 90)  # nobody can appeal without an account
        assert (self.now(engine).state, self.now(engine).key) == (PhotoState.REFUSED, None)
        store = PhotoFolder(settings.var / "photos")
        assert delete_discarded(engine, store) == 1
        assert list(store.keys(-1)) == []

    def test_its_author_reads_why(self, client, sign_in, send, engine):
        author = sign_in()
        answer = send("", files=[("photos", ("a.png", written(picture(), "PNG")))])
        sign_in(Role.MODERATOR)
        self.decide(client, self.now(engine), "refused", reason="A face")
        sign_in(id=author)
        assert "A face" in client.get(answer.headers["location"]).text

    def test_its_author_appeals_once_and_another_moderator_decides(
        self, client, engine, sign_in, send
    ):
        author = sign_in()
        answer = send("", files=[("photos", ("a.png", written(picture(), "PNG")))])
        page = answer.headers["location"].partition("?")[0]
        first = sign_in(Role.MODERATOR)
        photo = self.now(engine)
        self.decide(client, photo, "refused", reason="A face")
        forget(engine, 90)
        path = f"{page}/photos/{photo.id}/appeal"
        client.cookies.clear()
        assert client.get(f"/photos/{photo.id}/large.webp").status_code == 404
        assert client.post(path, data={"reason": "x"}).status_code == 401
        sign_in()
        assert client.post(path, data={"reason": "x"}).status_code == 409
        sign_in(id=author)
        assert path in client.get(page).text
        assert client.post(path, data={"reason": "It is a statue"}).status_code == 200
        assert path not in client.get(page).text
        assert client.get("/account/export").json()["reports"][0]["appeals"] == ["It is a statue"]
        sign_in(id=first)
        assert "another moderator decides" in client.get("/moderation").text
        assert self.decide(client, photo, "public").status_code == 409
        second = sign_in(Role.MODERATOR)
        queue = client.get("/moderation").text
        assert "It is a statue" in queue
        assert "A face" in queue
        self.decide(client, photo, "refused", reason="A face all the same")
        assert self.now(engine).reviewed_by_id == second
        sign_in(id=author)
        assert client.post(path, data={"reason": "Once more"}).status_code == 409
        forget(engine, 90)
        assert self.now(engine).key is None

    def test_after_two_weeks_nobody_appeals(self, client, engine, sign_in, send):
        author = sign_in()
        answer = send("", files=[("photos", ("a.png", written(picture(), "PNG")))])
        page = answer.headers["location"].partition("?")[0]
        sign_in(Role.MODERATOR)
        self.decide(client, self.now(engine), "refused", reason="A face")
        with Session(engine) as session:
            session.execute(update(Photo).values(reviewed_at=text("now() - interval '15 days'")))
            session.commit()
        forget(engine, 90)
        sign_in(id=author)
        path = f"{page}/photos/{self.now(engine).id}/appeal"
        assert path not in client.get(page).text
        assert client.post(path, data={"reason": "Late"}).status_code == 409

    def test_squares_are_blurred_without_a_pointer(self, photo, client, engine, sign_in):
        sign_in(Role.MODERATOR)
        page = client.get(f"/moderation/photos/{photo.id}").text
        assert page.count('name="square"') == COLUMNS * ROWS
        path = f"/moderation/photos/{photo.id}/squares"
        none = client.post(path)
        assert none.status_code == 422
        assert "Choose one square at least" in none.text
        chosen = [row * COLUMNS + column + 1 for row in (2, 3, 4) for column in (3, 4, 5)]
        answer = client.post(path, data={"square": chosen}, follow_redirects=False)
        assert answer.status_code == 303
        assert self.now(engine).state is PhotoState.PUBLIC
        client.cookies.clear()
        shown = opened(client.get(f"/photos/{photo.id}/large.webp").content).convert("L")
        darkest, lightest = shown.crop((210, 290, 390, 310)).getextrema()
        assert lightest - darkest < 40
        assert client.post(path, data={"square": chosen}).status_code == 401

    def test_marked_parts_are_blurred_in_a_new_file(self, photo, client, engine, settings, sign_in):
        sign_in(Role.MODERATOR)
        answer = self.decide(client, photo, "public", box=["0.25,0.25,0.25,0.25"])
        assert answer.status_code == 303
        assert self.now(engine).key != photo.key
        store = PhotoFolder(settings.var / "photos")
        assert delete_discarded(engine, store) == 1
        assert store.get(photo.key, Size.LARGE) is None
        client.cookies.clear()
        shown = opened(client.get(f"/photos/{photo.id}/large.webp").content).convert("L")
        darkest, lightest = shown.crop((210, 210, 390, 390)).getextrema()
        assert lightest - darkest < 40

    @pytest.mark.parametrize("box", ["1,2,3,4", "a", "0.1,0.1,0.1", "nan,0,1,1"])
    def test_marks_that_are_none_are_refused(self, photo, client, engine, sign_in, box):
        sign_in(Role.MODERATOR)
        assert self.decide(client, photo, "public", box=[box]).status_code == 422
        assert self.now(engine).state is PhotoState.WAITING

    def test_nobody_else_decides(self, photo, client, engine, sign_in):
        assert self.decide(client, photo, "public").status_code == 401
        sign_in()
        assert self.decide(client, photo, "public").status_code == 403
        assert client.post(f"/moderation/photos/{photo.id}").status_code == 403
        assert self.now(engine).state is PhotoState.WAITING

    def test_where_nothing_is_nothing_is_found(self, photo, client, sign_in):
        sign_in(Role.MODERATOR)
        for id in (photo.id + 1, 99999999999999999999):
            path = f"/moderation/photos/{id}"
            assert client.get(path).status_code == 404
            assert client.post(path, data={"decision": "public"}).status_code == 404
            assert client.post(f"{path}/squares", data={"square": "1"}).status_code == 404


def test_squares_side_by_side_are_one_part():
    assert joined({1}) == [Box(0, 0, 1 / COLUMNS, 1 / ROWS)]
    block = {1, 2, COLUMNS + 1, COLUMNS + 2}
    assert joined(block) == [Box(0, 0, 2 / COLUMNS, 2 / ROWS)]
    assert joined({1, 3}) == [joined({1})[0], joined({3})[0]]
    hook = joined(block | {2 * COLUMNS + 1})
    assert sum(box.width * box.height for box in hook) == pytest.approx(5 / (COLUMNS * ROWS))
    assert joined(set(range(1, COLUMNS * ROWS + 1)))[0].height == pytest.approx(1)


class TestMail:
    """What whoever left an address is told of decisions."""

    ANN = "ann@example.org"

    def sent(self, engine) -> list[Mail]:
        with Session(engine) as session:
            return list(session.scalars(select(Mail).order_by(Mail.id)))

    def decide_photo(self, client, engine, decision, **values):
        with Session(engine) as session:
            waiting = select(Photo.id).where(Photo.state == PhotoState.WAITING).order_by(Photo.id)
            id = session.scalars(waiting).first()
        client.post(f"/moderation/photos/{id}", data=values | {"decision": decision})

    def test_a_text_in_the_language_of_the_form_and_without_a_word_of_it(
        self, send, client, engine, sign_in
    ):
        client.cookies.set("language", "es")
        asked = send(email=self.ANN)
        send(page=asked.text, screened=fields(asked.text)["screened"], email=self.ANN)
        sign_in(Role.MODERATOR)
        decide(client, engine, "shortened", public_text="Dark.", reason="The number of a canary")
        (mail,) = self.sent(engine)
        assert mail.recipient == self.ANN
        assert mail.subject == f"Un moderador revisó su reporte {report(engine).id}"
        assert f"/reports/{report(engine).id}?lang=es" in mail.text
        link = re.search(r"http://[^/]+(/reports/\d+/appeal\?\S+)", mail.text)[1]
        client.cookies.clear()
        assert '<html lang="es"' in client.get(link, headers={"Accept-Language": "en"}).text
        for private in ("816-555", "canary", "Dark"):
            assert private not in mail.text + mail.subject

    def test_photos_once_the_last_is_decided(self, send, client, engine, sign_in):
        files = [("photos", (f"{n}.png", written(picture(40, 40 + n), "PNG"))) for n in range(3)]
        send("", files=files, email=self.ANN)
        sign_in(Role.MODERATOR)
        self.decide_photo(client, engine, "public")
        self.decide_photo(client, engine, "refused", reason="A canary")
        assert self.sent(engine) == []
        self.decide_photo(client, engine, "public")
        (mail,) = self.sent(engine)
        assert "2 photos are shown now. 1 photo is not shown" in mail.text
        assert "canary" not in mail.text

    def test_who_has_an_account_is_told_of_appeals(self, send, client, engine, sign_in):
        with Session(engine) as session:
            author = person(session, email=self.ANN)
            session.commit()
        sign_in(id=author)
        asked = send(email="another@example.org")
        send(page=asked.text, screened=fields(asked.text)["screened"], email="another@example.org")
        sign_in(Role.MODERATOR)
        decide(client, engine, "refused", reason="x")
        (mail,) = self.sent(engine)
        assert mail.recipient == self.ANN
        assert "There you can appeal" in mail.text

    def test_without_an_account_a_signed_link_appeals_once(self, send, client, engine, sign_in):
        asked = send(email=self.ANN, files=[("photos", ("a.png", written(picture(), "PNG")))])
        photos = re.findall(r'name="photo" value="(\d+)"', asked.text)
        send(page=asked.text, screened=fields(asked.text)["screened"], email=self.ANN, photo=photos)
        id = report(engine).id
        sign_in(Role.MODERATOR)
        decide(client, engine, "refused", reason="A number")
        self.decide_photo(client, engine, "refused", reason="A face")
        client.post(f"/moderation/reports/{id}", data={"held": "true", "reason": "About somebody"})
        forget(engine, 90)
        client.cookies.clear()
        link = re.search(r"http\S+/appeal\?token=\S+", self.sent(engine)[0].text)[0]
        path, _mark, question = link.partition("?")
        token = dict(parse_qsl(question))["token"]
        path = path[path.index("/reports") :]
        page = client.get(f"{path}?token={token}")
        for why in ("A number", "A face", "About somebody"):
            assert why in page.text
        with Session(engine) as session:
            photo = session.scalar(select(Photo.id))
        for asks in (path, f"/reports/{id}/photos/{photo}/appeal", f"/reports/{id}/hold/appeal"):
            sent = {"reason": "It is the city's", "token": token}
            assert client.post(asks, data={"reason": "x", "token": "1.x"}).status_code == 401
            assert client.post(asks, data=sent).status_code == 200
            assert client.post(asks, data=sent).status_code == 409
        sign_in(Role.MODERATOR)
        assert client.get("/moderation").text.count("It is the city&#39;s") == 3

    def test_who_left_no_address_gets_none(self, held, client, engine, sign_in):
        sign_in(Role.MODERATOR)
        decide(client, engine, "approved")
        assert self.sent(engine) == []

    def test_only_moderators_learn_where_to_write(self, send, engine):
        send("", email=self.ANN)
        with Session(engine) as session:
            session.execute(text("SET LOCAL ROLE porchlight_web"))
            assert session.execute(text("SELECT * FROM report_sender(1)")).all() == []


class TestWholeReports:
    @pytest.mark.parametrize(
        "status", [Status.DONE, Status.DECLINED, Status.NOT_OURS, Status.DUPLICATE]
    )
    def test_from_wherever_it_stood_it_is_held_and_comes_back_as_it_was(
        self, held, client, engine, sign_in, status
    ):
        id = report(engine).id
        with Session(engine) as session:
            other = send_report(session) if status is Status.DUPLICATE else None
            session.execute(update(Report).where(Report.id == id).values(
                status=status, duplicate_of_id=other, closed_at=text("now()")
            ))  # fmt: skip
            session.commit()
            closed_at = session.scalar(select(Report.closed_at).where(Report.id == id))
        sign_in(Role.MODERATOR)
        hold = {"held": "true", "reason": "Names a person"}
        assert client.post(f"/moderation/reports/{id}", data=hold).status_code == 200
        assert client.post(f"/moderation/reports/{id}", data=hold).status_code == 409
        release = {"held": "false", "reason": "All is well"}
        assert client.post(f"/moderation/reports/{id}", data=release).status_code == 200
        with Session(engine) as session:
            back = session.get(Report, id)
            assert (back.status, back.closed_at, back.duplicate_of_id) == (status, closed_at, other)
            assert session.scalars(select(ReportHold)).all() == []

    def test_the_store_itself_lets_nobody_jump(self, held, engine):
        with Session(engine) as session:
            id = session.scalar(select(Report.id))
            moved(session, id, Status.HELD)
            for jump in ({"status": Status.DONE}, {"held_from": Status.DONE}):
                nested = session.begin_nested()
                with pytest.raises(IntegrityError):
                    session.execute(update(Report).values(**jump))
                nested.rollback()
            who = person(session, Role.MODERATOR)
            session.execute(text(f"SELECT set_config('porchlight.person', '{who}', true)"))
            with pytest.raises(ProgrammingError, match="another moderator"):
                moved(session, id, Status.RECEIVED)  # not signed in strongly

    def test_held_it_is_out_of_sight_until_it_is_released(self, held, client, engine, sign_in):
        id = report(engine).id
        sign_in(Role.MODERATOR)
        hold = {"held": "true", "reason": "Names a person"}
        assert client.post(f"/moderation/reports/{id}", data=hold).status_code == 200
        assert report(engine).status is Status.HELD
        assert "Reports out of sight" in client.get("/moderation").text
        assert "Show the report again" in client.get(held).text
        client.cookies.clear()
        for path in (held, f"/api/reports/{id}", f"{held}.atom"):
            answer = client.get(path)
            assert answer.status_code == 403
            assert "A moderator has taken this report out of sight." in answer.text
            assert "Names a person" not in answer.text
        sign_in(Role.MODERATOR)
        release = {"held": "false", "reason": "All is well"}
        assert client.post(f"/moderation/reports/{id}", data=release).status_code == 200
        client.cookies.clear()
        page = client.get(held).text
        assert "All is well" in page
        assert "Names a person" not in page

    def test_its_author_reads_why_and_appeals_once_and_another_decides(
        self, send, client, engine, sign_in
    ):
        author = sign_in()
        page = send("").headers["location"].partition("?")[0]
        first = sign_in(Role.MODERATOR)
        path = f"/moderation{page}"
        client.post(path, data={"held": "true", "reason": "About somebody"})
        sign_in(id=author)
        assert "About somebody" in client.get(page).text
        plea = {"reason": "It is about a lamp"}
        assert "It is about a lamp" in client.post(f"{page}/hold/appeal", data=plea).text
        assert client.post(f"{page}/hold/appeal", data=plea).status_code == 409
        sign_in(id=first)
        assert "another moderator decides" in client.get("/moderation").text
        release = {"held": "false", "reason": "All is well"}
        assert client.post(path, data=release).status_code == 409
        sign_in(Role.MODERATOR)
        assert "It is about a lamp" in client.get("/moderation").text
        keep = {"held": "true", "reason": "It is not"}
        assert client.post(path, data=keep).status_code == 200
        assert client.post(path, data=keep).status_code == 409
        sign_in(id=author)
        assert "After an appeal another moderator keeps it" in client.get(page).text
        assert client.post(f"{page}/hold/appeal", data=plea).status_code == 409

    def test_nobody_else_holds_one(self, held, client, engine, sign_in):
        sign_in()
        hold = {"held": "true", "reason": "x"}
        answer = client.post(f"/moderation/reports/{report(engine).id}", data=hold)
        assert answer.status_code == 403
        assert report(engine).status is Status.RECEIVED


class TestCorrections:
    """What is public is taken back, with a reason, and the log keeps it."""

    def logged(self, engine, action) -> AuditEntry:
        with Session(engine) as session:
            return session.scalars(select(AuditEntry).where(AuditEntry.action == action)).one()

    def test_a_public_text_is_shortened_and_its_author_appeals(self, send, client, engine, sign_in):
        author = sign_in()
        page = send("Dark by the shed").headers["location"].partition("?")[0]
        path = f"/moderation{page}/text"
        less = {"decision": "shortened", "public_text": "Dark", "reason": "A shed"}
        assert client.post(path, data=less).status_code == 403
        sign_in(Role.MODERATOR)
        assert "Correct what is public" in client.get(page).text
        assert client.post(path, data=less | {"reason": ""}).status_code == 422
        assert client.post(path, data=less).status_code == 200
        assert report(engine).public_text == "Dark"
        assert self.logged(engine, "text.correct").detail["reason"] == "A shed"
        assert client.post(path, data={"decision": "refused", "reason": "All"}).status_code == 200
        assert report(engine).public_text == ""
        sign_in(id=author)
        plea = {"reason": "It is only a shed"}
        assert client.post(f"{page}/appeal", data=plea).status_code == 200
        sign_in(Role.MODERATOR)
        assert client.post(path, data=less).status_code == 409  # it waits in the queue

    def test_a_public_photo_is_refused(self, send, client, engine, sign_in):
        send("", files=[("photos", ("a.png", written(picture(), "PNG")))])
        sign_in(Role.MODERATOR)
        with Session(engine) as session:
            path = f"/moderation/photos/{session.scalar(select(Photo.id))}"
        client.post(path, data={"decision": "public"})
        assert "Refuse the photo" in client.get(path).text
        refuse = {"decision": "refused", "reason": "A face"}
        assert client.post(path, data=refuse).status_code == 409  # shown meanwhile
        assert client.post(path, data=refuse | {"shown": "true"}).status_code == 200
        with Session(engine) as session:
            assert session.scalar(select(Photo.state)) is PhotoState.REFUSED

    @pytest.mark.parametrize("kind", ["note", "status"])
    def test_words_of_the_timeline_go_out_of_sight_and_stay_for_moderators(
        self, send, client, engine, sign_in, kind
    ):
        page = send("").headers["location"].partition("?")[0]
        words = "The blue door knows"
        with Session(engine) as session:
            to = Status.CONFIRMED if kind == "status" else None
            event = session.scalar(insert(ReportEvent).values(
                report_id=session.scalar(select(Report.id)), kind=kind, to_status=to, note=words
            ).returning(ReportEvent.id))  # fmt: skip
            session.commit()
        everywhere = (page, f"/api{page}", f"{page}.atom")
        assert all(words in client.get(path).text for path in everywhere)
        path, why = f"/moderation/notes/{event}", {"reason": "Points at a home"}
        sign_in()
        assert client.post(path, data=why).status_code == 403
        sign_in(Role.MODERATOR)
        assert client.post(path, data=why).status_code == 200
        assert client.post(path, data=why).status_code == 409
        assert words in client.get(page).text
        assert self.logged(engine, "note.hide").detail == {"event": event, "reason": why["reason"]}
        client.cookies.clear()
        for path in everywhere:
            answer = client.get(path)
            assert answer.status_code == 200
            assert words not in answer.text
        assert ("confirmed" in client.get(f"/api{page}").text) == (kind == "status")


class TestRetention:
    def test_a_contact_is_erased_some_days_after_its_report_is_closed(self, send, engine):
        send("", email="neighbour@example.org")
        with Session(engine) as session:
            closed = datetime.now(UTC) - timedelta(days=80)
            session.execute(update(Report).values(
                reported_at=closed, occurred_at=closed, closed_at=closed
            ))  # fmt: skip
            session.commit()
        forget(engine, 90)
        with Session(engine) as session:
            assert session.scalar(select(ReportContact.email)) == "neighbour@example.org"
        forget(engine, 79)
        with Session(engine) as session:
            assert session.scalar(select(ReportContact.email)) is None


def test_the_states_of_a_review_are_told(client):
    from server.pages.moderation import REVIEWS  # noqa: PLC0415

    assert set(REVIEWS) == set(ReviewState)
