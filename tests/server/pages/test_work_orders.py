"""Work orders, as the desk and crews on their phones ask for them."""

import io
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from PIL import Image
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data.models import (
    AuditEntry,
    Department,
    Mail,
    Report,
    ReportContact,
    WorkOrder,
    WorkOrderEvent,
    WorkOrderPhoto,
)
from geo.roles import Role
from geo.statuses import Status
from geo.work_orders import Outcome, State
from server.pages.crew import PART
from tests.people import person, signed_in
from tests.places import IN_EASTSIDE, IN_WESTSIDE, found_city
from tests.work_orders import found_works, needed

PAGE = {"accept": "text/html"}


@dataclass(frozen=True)
class Desk:
    crew: int
    reports: list[int]
    needs: list[int]
    others_need: int
    today: date


@pytest.fixture
def works(engine, client, settings):
    """The lighting desk, signed in; three needs of it and one of another department."""
    with Session(engine) as session:
        found_city(session)
        made = found_works(session)
        places = [(IN_EASTSIDE[0] + 0.002 * n, IN_EASTSIDE[1]) for n in range(3)]
        found = [
            needed(session, at=place, address=f"{n}1 Norton Ave") for n, place in enumerate(places)
        ]
        cleanup = needed(session, "dumping", IN_WESTSIDE)
        session.commit()
    signed_in(client, engine, made.staff)

    return Desk(
        crew=made.lighting,
        reports=[report for report, _need in found],
        needs=[need for _report, need in found],
        others_need=cleanup[1],
        today=settings.today(),
    )


@pytest.fixture
def stored(engine):
    def read(id):
        with Session(engine) as session:
            return session.execute(
                select(WorkOrder.state, WorkOrder.outcome, WorkOrder.version).where(
                    WorkOrder.id == id
                )
            ).one()

    return read


@pytest.fixture
def issued(client, works):
    """Make an order of a need, and issue it for today."""

    def make(need=0, **values):
        typed = {"crew": works.crew, "day": works.today, "position": need + 1, "issue": 1, **values}
        answer = client.post(
            "/desk/orders/new",
            data={"need": works.needs[need], "minutes": 30, **typed},
            headers=PAGE,
            follow_redirects=False,
        )
        assert answer.status_code == 303, answer.text
        return int(re.search(r"/desk/orders/(\d+)", answer.headers["location"])[1])

    return make


@pytest.fixture
def marked(client):
    """What a phone sends."""

    def mark(order, to="done.fixed", key=None, photo=None, **values):
        at = values.pop("marked_at", datetime.now(UTC)).isoformat()
        return client.post(
            "/crew/marks",
            data={"order": order, "to": to, "marked_at": at, **values},
            files={"photo": ("photo.jpg", photo)} if photo else None,
            headers={"Idempotency-Key": str(key or uuid4())},
        )

    return mark


def picture():
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "orange").save(file, "JPEG")
    return file.getvalue()


def status(engine, report):
    with Session(engine) as session:
        return session.scalar(select(Report.status).where(Report.id == report))


class TestDesk:
    def test_a_new_order_is_issued_and_found_on_the_list(self, client, engine, works, issued):
        form = client.get(f"/desk/orders/new?need={works.needs[0]}")
        assert "01 Norton Ave" in form.text
        assert "Light crew 1" in form.text
        assert "Cleanup crew" not in form.text
        id = issued()
        assert status(engine, works.reports[0]) is Status.SCHEDULED
        listed = client.get("/desk/orders?state=issued&q=norton")
        assert f'href="/desk/orders/{id}"' in listed.text
        assert f'href="/desk/orders/{id}"' not in client.get("/desk/orders?state=done").text
        with Session(engine) as session:
            read = select(AuditEntry.detail).where(AuditEntry.action == "work_order_list.read")
            assert {"orders": [id]} in session.scalars(read).all()

    @pytest.mark.parametrize(
        ("typed", "told"),
        [
            ({"crew": "999"}, "Choose an active crew"),
            ({"day": "2020-01-01"}, "Choose a day from today"),
            ({"day": "soon"}, "Choose a day from today"),
            ({"minutes": "0"}, "how many minutes"),
            ({"position": "first"}, "A place on the route"),
            ({"crew": "", "issue": "1"}, "Choose a crew and a day first"),
        ],
    )
    def test_what_makes_no_order_is_said_and_what_was_typed_stays(
        self, client, engine, works, typed, told
    ):
        values = {"crew": works.crew, "day": works.today, "position": "", "minutes": "41"} | typed
        answer = client.post("/desk/orders/new", data={"need": works.needs[0], **values})
        assert answer.status_code == 422
        assert told in answer.text
        assert f'value="{values["minutes"]}"' in answer.text
        with Session(engine) as session:
            assert session.scalars(select(WorkOrder)).all() == []

    def test_a_new_order_takes_its_place_on_the_route(self, client, works, issued):
        first, second = issued(0, position=1), issued(1, position=1)
        text = client.get("/desk/orders").text
        assert text.index(f"/desk/orders/{second}") < text.index(f"/desk/orders/{first}")
        assert text.count("stop 1<") == text.count("stop 2<") == 1

    def test_an_item_has_one_order_at_a_time(self, client, works, issued):
        id = issued()
        again = client.post(
            "/desk/orders/new", data={"need": works.needs[0], "minutes": 30}, headers=PAGE
        )
        assert again.status_code == 422
        assert f"Work order {id} is for the same item" in again.text

    def test_others_find_neither_item_nor_order(self, client, engine, works, issued):
        id = issued()
        assert client.get(f"/desk/orders/new?need={works.others_need}").status_code == 404
        with Session(engine) as session:
            safety = session.scalar(select(Department.id).where(Department.code == "safety"))
            others = [person(session), person(session, Role.STAFF, department_id=safety)]
            session.commit()
        for other in others:
            signed_in(client, engine, other)
            for path in ("/desk/orders", f"/desk/orders/{id}", "/crew/"):
                assert client.get(path).status_code == 403, path
        client.cookies.clear()
        assert client.get(f"/desk/orders/{id}").status_code == 401

    def test_of_two_planners_the_second_reads_what_happened(self, client, works, issued, stored):
        id = issued()
        page = client.get(f"/desk/orders/{id}").text
        version = re.search(r'name="version" value="(\d+)"', page)[1]
        first = client.post(
            f"/desk/orders/{id}/step", data={"to": "in_field", "version": version}, headers=PAGE
        )
        assert "Your step is stored" in first.text
        second = client.post(
            f"/desk/orders/{id}/step",
            data={"to": "draft", "version": version, "note": "Wrong crew"},
            headers=PAGE,
        )
        assert second.status_code == 409
        assert "Somebody else changed this order meanwhile" in second.text
        assert "Wrong crew" in second.text
        assert stored(id).state is State.IN_FIELD

    def test_a_form_that_is_sent_twice_counts_once(self, client, engine, works, issued):
        id = issued()
        page = client.get(f"/desk/orders/{id}").text
        sent = {
            "to": "done.fixed",
            **dict(re.findall(r'name="(version|token)" value="([^"]+)"', page)),
        }
        for told in ("Your step is stored", "sent twice, and counts once"):
            answer = client.post(f"/desk/orders/{id}/step", data=sent, headers=PAGE)
            assert told in answer.text
        with Session(engine) as session:
            lines = select(WorkOrderEvent).where(WorkOrderEvent.state == State.DONE)
            assert len(session.scalars(lines).all()) == 1

    def test_several_orders_move_at_once_and_what_does_not_is_named(
        self, client, works, issued, stored
    ):
        ids = [issued(0), issued(1), issued(2, issue="", crew="")]
        picked = [f"{id}.{stored(id).version}" for id in ids[:2]] + [f"{ids[2]}.99"]
        answer = client.post("/desk/orders/steps", data={"pick": picked, "to": "draft"})
        assert "2 orders were moved" in answer.text
        assert "Somebody else changed this order" in answer.text
        assert [stored(id).state for id in ids] == [State.DRAFT] * 3
        for data, told in (
            ({"to": "draft"}, "No order is ticked"),
            ({"to": "draft", "pick": ["x"]}, "The list had changed"),
            ({"to": "flown", "pick": picked}, "Choose a step"),
        ):
            refused = client.post("/desk/orders/steps", data=data)
            assert refused.status_code == 422
            assert told in refused.text
        lost = client.post("/desk/orders/steps", data={"pick": ["999.1"], "to": "draft"})
        assert lost.status_code == 409
        assert "1 order is not there any more" in lost.text

    def test_an_order_is_given_to_another_day_and_then_inspected_with_everybodys_word(
        self, client, engine, works, issued, stored
    ):
        id = issued()
        tomorrow = works.today + timedelta(days=1)
        moved = client.post(
            f"/desk/orders/{id}/assign",
            data={
                "crew": works.crew,
                "day": tomorrow,
                "minutes": 20,
                "version": stored(id).version,
            },
            headers=PAGE,
        )
        assert "Crew, day and time are stored" in moved.text
        assert f"Light crew 1, {tomorrow}" in moved.text
        for to, note in (("done.fixed", ""), ("draft", ""), ("inspected", "")):
            answer = client.post(
                f"/desk/orders/{id}/step",
                data={"to": to, "note": note, "version": stored(id).version},
                headers=PAGE,
            )
            assert answer.status_code == (422 if to == "draft" else 200)
        assert "asked, no answer yet" in answer.text
        assert stored(id)[:2] == (State.INSPECTED, Outcome.FIXED)


class TestCrew:
    def test_a_route_is_read_in_its_order_and_begun(self, client, engine, works, issued, stored):
        ids = [issued(1), issued(0)]
        assert f"/crew/routes/{works.crew}/{works.today}" in client.get("/crew/").text
        route = f"/crew/routes/{works.crew}/{works.today}"
        page = client.get(route).text
        assert page.index("01 Norton Ave") < page.index("11 Norton Ave")
        assert "from the depot" in page
        assert 'class="crew-drawing"' in page
        begun = client.post(f"{route}/start", headers=PAGE)
        assert "The route has begun" in begun.text
        assert {stored(id).state for id in ids} == {State.IN_FIELD}
        assert status(engine, works.reports[0]) is Status.IN_PROGRESS
        again = client.post(f"{route}/start", headers=PAGE)
        assert "The route has begun" not in again.text
        assert "No order of this route waits" in again.text
        assert client.get(f"/crew/routes/999/{works.today}").status_code == 404

    def test_a_stop_is_marked_without_javascript_and_neighbours_are_asked(
        self, client, engine, works, issued, stored
    ):
        id = issued()
        with Session(engine) as session:
            session.add(ReportContact(report_id=works.reports[0], email="ana@example.org"))
            session.commit()
        page = client.get(f"/crew/routes/{works.crew}/{works.today}").text
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page))
        answer = client.post(
            "/crew/stops",
            data={**hidden, "to": "done.fixed", "note": "New lamp", "parts": ""},
            files={"photo": ("lamp.jpg", picture())},
            headers=PAGE,
        )
        assert "Your mark is stored" in answer.text
        assert stored(id)[:2] == (State.DONE, Outcome.FIXED)
        desk = client.get(f"/desk/orders/{id}").text
        assert "New lamp" in desk
        photo = re.search(rf"/desk/orders/{id}/photos/\d+/small.webp", desk)[0]
        shown = client.get(photo)
        assert shown.headers["content-type"] == "image/webp"
        assert "no-store" in shown.headers["cache-control"]
        with Session(engine) as session:
            assert "Is it fixed?" in session.scalars(select(Mail.subject)).one()
            other = person(session, Role.MODERATOR)
            session.commit()
        signed_in(client, engine, other)
        assert client.get(photo).status_code == 403

    def test_a_phone_that_sends_a_mark_again_gets_the_same_answer(
        self, client, engine, works, issued, marked
    ):
        id, key = issued(), uuid4()
        at = datetime.now(UTC) - timedelta(hours=2)
        first = marked(id, "done.needs_parts", key, picture(), parts="Ballast", marked_at=at)
        again = marked(id, "done.needs_parts", key, picture(), parts="Ballast", marked_at=at)
        assert (first.status_code, first.json()) == (201, again.json())
        with Session(engine) as session:
            line = session.scalars(select(WorkOrderEvent).where(WorkOrderEvent.key == key)).one()
            assert line.marked_at == at
            assert len(session.scalars(select(WorkOrderPhoto)).all()) == 1
        reused = marked(id, "done.fixed", key)
        assert reused.status_code == 422
        assert status(engine, works.reports[0]) is Status.CONFIRMED

    def test_a_word_that_comes_late_is_kept_and_says_who_came_before(
        self, client, works, issued, marked, stored
    ):
        id = issued()
        marked(id, "done.not_found")
        late = marked(id, "done.fixed", note="It is behind the tree")
        assert late.status_code == 201
        assert late.json()["came_late"]
        assert "“Done by the crew: Not found”" in late.json()["told"]
        assert stored(id).outcome is Outcome.NOT_FOUND
        assert "A crew's word came late" in client.get("/desk/orders?late=1").text
        assert "It is behind the tree" in client.get(f"/desk/orders/{id}").text

    def test_a_broken_photo_loses_no_mark(self, works, issued, marked, stored):
        id = issued()
        answer = marked(id, photo=b"no picture")
        assert answer.status_code == 201
        assert "no photo that we can read" in answer.json()["told"]
        assert stored(id).state is State.DONE

    def test_a_mark_of_an_order_that_is_gone_holds_up_no_other(self, works, marked):
        answer = marked(999)
        assert answer.status_code == 422
        assert "no such work order" in answer.json()["detail"]
        assert marked(999, "flown").status_code == 422

    def test_a_mark_is_never_sent_back_for_its_length_or_its_clock(
        self, engine, issued, marked, stored
    ):
        id = issued()
        ahead = datetime.now(UTC) + timedelta(days=9)
        answer = marked(id, note="x" * 4_000, marked_at=ahead)
        assert answer.status_code == 201
        with Session(engine) as session:
            line = session.scalars(
                select(WorkOrderEvent).where(WorkOrderEvent.state == State.DONE)
            ).one()
            assert (len(line.note), line.marked_at <= line.at) == (1_000, True)

    def test_only_who_works_on_needs_marks_anything(self, client, engine, issued, marked, stored):
        id = issued()
        with Session(engine) as session:
            nobody = person(session)
            session.commit()
        signed_in(client, engine, nobody)
        assert marked(id, photo=picture()).status_code == 403
        client.cookies.clear()
        assert marked(id).status_code == 401
        assert stored(id).state is State.ISSUED

    def test_the_worker_keeps_what_the_pages_are_made_of(self, client, works, issued):
        issued()
        answer = client.get("/crew/worker.js")
        kept = set(re.findall(r'"(/static/[^"]+)"', answer.text))
        assert len(kept) == len(PART.files)
        pages = (
            client.get("/crew/").text + client.get(f"/crew/routes/{works.crew}/{works.today}").text
        )
        asked = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', pages))
        imported = set(re.findall(r'"(/static/[^"]+)"', pages))
        assert asked | imported <= kept
        assert client.get("/crew/app.webmanifest").json()["scope"] == "/crew/"

    def test_nobody_hears_of_a_slip_twice(self, client, engine, works, issued, marked):
        id = issued()
        marked(id)
        marked(id, "in_field.again")
        assert status(engine, works.reports[0]) is Status.CONFIRMED
        marked(id, "done.not_found")
        with Session(engine) as session:
            notes = session.scalars(
                text("SELECT note FROM report_event WHERE public ORDER BY id DESC LIMIT 2")
            ).all()
        assert notes[0].startswith("A crew was here and could not find")
        assert notes[1].startswith("The crew has corrected")
