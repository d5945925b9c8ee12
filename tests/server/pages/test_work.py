"""The work list and what comes of it, as browsers ask."""

import csv
import io
import re

import pytest
from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.orm import Session

from data.models import (
    Area,
    AreaLayer,
    AuditEntry,
    Department,
    Mail,
    Person,
    Report,
    ReportContact,
    ReportEvent,
)
from data.queries import audit, reports
from geo.roles import Role
from geo.statuses import Status
from server.spreadsheets import cell
from server.supporters import COOKIE, Neighbour, sender
from tests.people import person, signed_in
from tests.places import EAST, IN_EASTSIDE, IN_WESTSIDE, MIDDLE, NORTH, SOUTH, WEST, box, found_city
from tests.reports import new, send

CANARY = "canary in private text"
PAGE = {"accept": "text/html"}


@pytest.fixture
def city(engine: Engine):
    """Two divisions, a lamp in the east, and a problem spot in each."""
    with Session(engine) as session:
        found_city(session)
        made = {
            name: session.scalar(
                insert(Area)
                .values(layer=AreaLayer.PATROL_DIVISION, code=name, name=name, geom=shape)
                .returning(Area.id)
            )
            for name, shape in (
                ("West", box(WEST, SOUTH, MIDDLE, NORTH)),
                ("East", box(MIDDLE, SOUTH, EAST, NORTH)),
            )
        }
        made["lamp"] = send(session, new("light_out", IN_EASTSIDE, description=CANARY))
        made["west"] = send(session, new("street_trouble", IN_WESTSIDE))
        made["east"] = send(
            session, new("noise_spot", IN_EASTSIDE, description=CANARY, address="3412 Norton Ave")
        )
        session.commit()
    return made


@pytest.fixture
def act(client, engine, city):
    """Sign the browser in as somebody of the city."""

    def become(role=None, department=None, division=None, strong=True):
        with Session(engine) as session:
            scope = {}
            if department:
                scope["department_id"] = session.scalar(
                    select(Department.id).where(Department.code == department)
                )
            if division:
                scope["area_id"] = city[division]
            id = person(session, role, **scope)
            session.commit()
        signed_in(client, engine, id, strong)
        return id

    return become


@pytest.fixture
def version(client):
    def of(id):
        return re.search(r'name="version" value="(\d+)"', client.get(f"/work/{id}").text)[1]

    return of


def status_of(engine, id):
    with Session(engine) as session:
        return session.get_one(Report, id).status


def ids(page):
    return {int(id) for id in re.findall(r'href="/work/(\d+)"', page)}


@pytest.mark.parametrize("path", ["/work", "/work.csv", "/work.geojson", "/work/1"])
def test_whoever_has_no_such_role_is_refused(client, act, path):
    assert client.get(path).status_code == 401
    for role in (None, Role.MODERATOR):
        act(role)
        assert client.get(path).status_code == 403
    act(Role.ADMINISTRATOR, strong=False)
    assert client.get(path).status_code == 403


def test_each_sees_what_is_theirs_to_work_on_and_nothing_else(client, act, city):
    for role, scope, theirs in (
        (Role.STAFF, {"department": "lighting"}, {"lamp"}),
        (Role.LIAISON, {"division": "West"}, {"west"}),
        (Role.LIAISON, {"division": "East"}, {"east"}),
        (Role.ADMINISTRATOR, {}, {"lamp", "west", "east"}),
    ):
        act(role, **scope)
        expected = {city[name] for name in theirs}
        answer = client.get("/work")
        assert answer.headers["cache-control"] == "no-store"
        assert ids(answer.text) == expected
        rows = list(csv.DictReader(io.StringIO(client.get("/work.csv").text.lstrip("\ufeff"))))
        assert {int(row["report"]) for row in rows} == expected
        features = client.get("/work.geojson").json()["features"]
        assert {feature["id"] for feature in features} == expected


def test_exact_place_and_words_stay_within_the_division(client, act, city):
    act(Role.LIAISON, division="East")
    shown = client.get(f"/work/{city['east']}").text
    assert CANARY in shown
    assert "3412 Norton Ave" in shown
    act(Role.LIAISON, division="West")
    for name in ("east", "lamp"):
        answer = client.get(f"/work/{city[name]}")
        assert answer.status_code == 404
        assert CANARY not in answer.text


def test_what_is_read_of_what_is_not_public_is_written_down(client, act, city, engine):
    planner = act(Role.STAFF, department="lighting")
    client.get("/work")
    client.get(f"/work/{city['lamp']}")
    liaison = act(Role.LIAISON, division="East")
    client.get("/work")
    client.get("/work.csv")
    client.get(f"/work/{city['east']}")
    with Session(engine) as session:
        found = session.execute(
            select(AuditEntry.person_id, AuditEntry.action, AuditEntry.subject)
            .where(AuditEntry.action.like("%.read") | AuditEntry.action.like("%.export"))
            .order_by(AuditEntry.id)
        ).all()
        assert audit.verify(session).broken is None
    assert found == [
        (planner, "work_list.read", ""),
        (planner, "report.read", f"report {city['lamp']}"),
        (liaison, "work_list.read", ""),
        (liaison, "work_list.export", ""),
        (liaison, "report.read", f"report {city['east']}"),
    ]


def test_a_change_shows_on_the_public_page(client, act, city, version, engine):
    act(Role.STAFF, department="lighting")
    id = city["lamp"]
    sent = {"version": version(id), "to": "scheduled", "note": "Next week.", "internal": CANARY}
    answer = client.post(f"/work/{id}", data=sent, follow_redirects=False)
    assert answer.status_code == 303
    assert status_of(engine, id) is Status.SCHEDULED
    client.cookies.clear()
    public = client.get(f"/reports/{id}").text
    assert "Next week." in public
    assert CANARY not in public
    assert "Expected by" in public


def test_the_second_of_two_keeps_what_was_typed(client, act, city, version):
    act(Role.STAFF, department="lighting")
    id = city["lamp"]
    seen = version(id)
    client.post(f"/work/{id}", data={"version": seen, "to": "confirmed"})
    typed = {
        "version": seen,
        "to": "scheduled",
        "note": "On Friday.",
        "internal": "Bring a ladder.",
    }
    answer = client.post(f"/work/{id}", data=typed)
    assert answer.status_code == 409
    assert "Somebody else changed it meanwhile" in answer.text
    assert "On Friday." in answer.text
    assert "Bring a ladder." in answer.text
    assert '<option value="scheduled" selected>' in answer.text
    typed["version"] = re.search(r'name="version" value="(\d+)"', answer.text)[1]
    assert client.post(f"/work/{id}", data=typed).status_code == 200


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({}, "Nothing was chosen"),
        ({"to": "declined"}, "Say why"),
        ({"to": "duplicate"}, "Write the number of the report that stands"),
        ({"to": "duplicate", "other": "twelve"}, "in figures"),
        ({"to": "duplicate", "other": "999999"}, "no such other report"),
        ({"to": "verified"}, "cannot go from"),
        ({"to": "held"}, "not the city"),
        ({"to": "finished"}, "Choose a status"),
        ({"assigned": "person-999"}, "Choose somebody else"),
        ({"assigned": "everybody"}, "Choose a person"),
        ({"note": "a" * 2_001}, "up to 2000 characters"),
    ],
)
def test_what_is_refused_is_said_with_a_way_on(client, act, city, version, engine, sent, words):
    act(Role.STAFF, department="lighting")
    id = city["lamp"]
    answer = client.post(f"/work/{id}", data={"version": version(id), **sent})
    assert answer.status_code == 422
    assert words in answer.text
    assert status_of(engine, id) is Status.RECEIVED


def test_nobody_changes_a_report_of_another_division(client, act, city, version, engine):
    act(Role.LIAISON, division="East")
    seen = version(city["east"])
    act(Role.LIAISON, division="West")
    for id in (city["east"], city["lamp"]):
        answer = client.post(f"/work/{id}", data={"version": seen, "to": "confirmed"})
        assert answer.status_code == 403
        assert status_of(engine, id) is Status.RECEIVED


def test_a_change_sent_from_another_site_is_refused(client, act, city, engine):
    act(Role.ADMINISTRATOR)
    answer = client.post(
        f"/work/{city['lamp']}",
        data={"version": 1, "to": "confirmed"},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert answer.status_code == 403
    assert status_of(engine, city["lamp"]) is Status.RECEIVED


def test_several_are_changed_at_once_and_what_is_not_is_said(client, act, city, engine):
    act(Role.ADMINISTRATOR)
    picks = re.findall(r'name="pick" value="([\d.]+)"', client.get("/work").text)
    stale = [f"{pick}9" if pick.startswith(f"{city['west']}.") else pick for pick in picks]
    answer = client.post("/work/changes", data={"pick": stale, "to": "confirmed", "note": "Seen."})
    assert answer.status_code == 200
    assert "2 reports were changed" in answer.text
    assert "Somebody else changed it meanwhile" in answer.text
    assert "Seen." in answer.text
    assert status_of(engine, city["west"]) is Status.RECEIVED
    again = re.findall(r'name="pick" value="([\d.]+)"', answer.text)
    client.post("/work/changes", data={"pick": again, "to": "confirmed"})
    assert {status_of(engine, city[name]) for name in ("lamp", "west", "east")} == {
        Status.CONFIRMED
    }


def test_several_at_once_stay_within_the_scope(client, act, city, engine):
    act(Role.ADMINISTRATOR)
    picks = re.findall(r'name="pick" value="([\d.]+)"', client.get("/work").text)
    act(Role.LIAISON, division="West")
    answer = client.post("/work/changes", data={"pick": picks, "to": "confirmed"})
    assert "1 report was changed" in answer.text
    assert "not yours to work on" in answer.text
    assert "3412 Norton Ave" not in answer.text
    assert status_of(engine, city["east"]) is Status.RECEIVED


@pytest.mark.parametrize("pick", [[], ["nonsense"], ["1.2.3"], ["1"], ["9" * 5_000]])
def test_a_pick_that_makes_no_sense_leaves_the_list_and_what_was_typed(client, act, city, pick):
    act(Role.ADMINISTRATOR)
    sent = {"pick": pick, "to": "confirmed", "note": "Seen.", "asked": "kind=lighting"}
    answer = client.post("/work/changes", data=sent, headers=PAGE)
    assert answer.status_code == 422
    assert "Seen.</textarea>" in answer.text
    assert ids(answer.text) == {city["lamp"]}
    assert "Tick" in answer.text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"note": "n" * 30_000}, "up to 2000 characters"),
        ({"version": "latest"}, "The page was incomplete"),
        ({"to": "s" * 100}, "Choose a status of the list"),
        ({"template": "x" * 100}, "Choose a ready answer of the list"),
        ({"assigned": "person-"}, "Choose a person or a department"),
    ],
)
def test_however_wrong_a_change_is_what_was_typed_stays(client, act, city, version, wrong, words):
    act(Role.STAFF, department="lighting")
    sent = {"version": version(city["lamp"]), "note": "n", "internal": "Bring a ladder.", **wrong}
    answer = client.post(f"/work/{city['lamp']}", data=sent, headers=PAGE)
    assert answer.status_code == 422
    assert words in answer.text
    assert "Bring a ladder.</textarea>" in answer.text
    assert f"{sent['note']}</textarea>" in answer.text


def answer_for(page: str, status: str) -> tuple[str, str]:
    return re.search(rf'<option value="(\d+)" data-status="{status}" >([^<]+)<', page).groups()


def test_a_ready_answer_is_read_in_the_readers_language_before_the_note(client, act, city, version):
    act(Role.STAFF, department="lighting")
    path, public = f"/work/{city['lamp']}", f"/reports/{city['lamp']}"
    value, english = answer_for(client.get(path).text, "scheduled")
    spanish = answer_for(client.get(f"{path}?lang=es").text, "scheduled")[1]
    client.cookies.delete("language")
    sent = {
        "version": version(city["lamp"]),
        "to": "scheduled",
        "template": value,
        "note": "May 3.",
    }
    assert client.post(path, data=sent).status_code == 200
    for language, words, others in (("en", english, spanish), ("es", spanish, english)):
        for page in (public, path, f"{public}.atom"):
            shown = client.get(page, headers={"accept-language": language}).text
            shown = shown.split("<option")[0] + shown.split("</form>")[-1]
            assert f"{words}\n\nMay 3." in shown, (page, language)
            assert others not in shown


def test_an_answer_of_another_status_is_refused_with_everything_kept(
    client, act, city, version, engine
):
    act(Role.STAFF, department="lighting")
    value, _words = answer_for(client.get(f"/work/{city['lamp']}").text, "declined")
    sent = {
        "version": version(city["lamp"]), "to": "scheduled", "template": value, "note": "On Friday."
    }  # fmt: skip
    answer = client.post(f"/work/{city['lamp']}", data=sent)
    assert answer.status_code == 422
    assert "for another status" in answer.text
    assert "On Friday.</textarea>" in answer.text
    assert f'<option value="{value}" data-status="declined" selected>' in answer.text
    assert status_of(engine, city["lamp"]) is Status.RECEIVED


NAMING = "Done by John Smith, call 816-555-1234."


def test_a_note_about_a_person_is_confirmed_before_it_is_published(
    client, act, city, version, engine
):
    act(Role.STAFF, department="lighting")
    path = f"/work/{city['lamp']}"
    sent = {"version": version(city["lamp"]), "to": "done", "note": NAMING, "internal": "Ladder."}
    warned = client.post(path, data=sent)
    assert warned.status_code == 422
    assert "<mark>816-555-1234</mark>" in warned.text
    assert "Ladder.</textarea>" in warned.text
    assert status_of(engine, city["lamp"]) is Status.RECEIVED
    sent["screened"] = re.search(r'name="screened" value="(\w+)"', warned.text)[1]
    assert client.post(path, data={**sent, "note": f"{NAMING} Jane Doe."}).status_code == 422
    assert client.post(path, data=sent).status_code == 200
    assert "816-555-1234" in client.get(f"/reports/{city['lamp']}").text


def test_so_is_a_note_of_many_reports_and_their_versions_stay(client, act, city, engine):
    act(Role.ADMINISTRATOR)
    picks = re.findall(r'name="pick" value="([\d.]+)"', client.get("/work").text)
    sent = {"pick": picks, "to": "confirmed", "note": NAMING}
    warned = client.post("/work/changes", data=sent)
    assert warned.status_code == 422
    assert {status_of(engine, city[name]) for name in ("lamp", "west")} == {Status.RECEIVED}
    sent["pick"] = re.findall(r'name="pick" value="([\d.]+)"', warned.text)
    assert sorted(sent["pick"]) == sorted(picks)
    sent["note"] = "The crew was here."
    assert "3 reports were changed" in client.post("/work/changes", data=sent).text


def test_who_is_given_work_by_another_is_told_once(client, act, city, engine):
    other = act(Role.ADMINISTRATOR)
    with Session(engine) as session:
        values = {"email": "lee@example.org", "language": "es"}
        session.execute(update(Person).where(Person.id == other).values(values))
        session.commit()
    for who in (act(Role.ADMINISTRATOR), other):
        signed_in(client, engine, who)
        picks = re.findall(r'name="pick" value="([\d.]+)"', client.get("/work").text)
        client.post("/work/changes", data={"pick": picks, "assigned": f"person-{other}"})
    with Session(engine) as session:
        mail = session.scalars(select(Mail)).one()
    assert mail.recipient == "lee@example.org"
    assert f"/work/{city['lamp']}" in mail.text
    assert "3412 Norton Ave" not in mail.text


def test_the_list_is_searched_and_ordered(client, act, city, engine):
    with Session(engine) as session:
        session.execute(
            update(Report)
            .where(Report.id == city["west"])
            .values(occurred_at=text("'2026-01-05'"), reported_at=text("'2026-01-05'"))
        )
        for mark in (b"one", b"two"):
            reports.support(session, city["east"], mark)
        session.commit()
    act(Role.ADMINISTRATOR)
    assert ids(client.get("/work?q=norton+3412").text) == {city["east"]}
    assert ids(client.get(f"/work?q=%23{city['lamp']}").text) == {city["lamp"]}
    assert ids(client.get("/work?q=3%25").text) == set()

    def order(of):
        rows = csv.DictReader(
            io.StringIO(client.get(f"/work.csv?order={of}").text.lstrip("\ufeff"))
        )
        return [int(row["report"]) for row in rows]

    # Lights are due in 10 working days, noise in 20.
    assert order("due") == [city["west"], city["lamp"], city["east"]]
    assert order("newest") == [city["east"], city["lamp"], city["west"]]
    assert order("supported")[0] == city["east"]


def test_filters_stand_in_the_address_and_can_be_saved(client, act, city):
    act(Role.ADMINISTRATOR)
    assert ids(client.get("/work?kind=lighting").text) == {city["lamp"]}
    assert ids(client.get(f"/work?area={city['West']}").text) == {city["west"]}
    assert ids(client.get("/work?assigned=me").text) == set()
    assert ids(client.get("/work?overdue=1&kind=&category=&status=").text) == set()
    client.post("/work/filters", data={"name": "Lamps <b>", "asked": "kind=lighting"})
    shown = client.get("/work").text
    assert 'href="/work?kind=lighting">Lamps &lt;b&gt;</a>' in shown
    act(Role.ADMINISTRATOR)
    assert "Lamps" not in client.get("/work").text
    for sent, words in (
        ({"name": " ", "asked": "kind=lighting"}, "Give the list a name"),
        ({"name": "Odd", "asked": "category=nonsense"}, "does not know these filters"),
        ({"name": "n" * 81}, "up to 80 characters"),
    ):
        refused = client.post("/work/filters", data=sent, headers=PAGE)
        assert refused.status_code == 422
        assert words in refused.text
        assert "data-work-list" in refused.text
        assert f'value="{sent["name"].strip()}" aria-invalid="true"' in refused.text
    client.post("/work/filters", data={"name": "Known", "asked": "kind=lighting&nonsense=1"})
    assert 'href="/work?kind=lighting">Known</a>' in client.get("/work").text


def test_overdue_is_marked(client, act, city, engine):
    with Session(engine) as session:
        session.execute(
            update(Report)
            .where(Report.id == city["lamp"])
            .values(occurred_at=text("'2020-01-01'"), reported_at=text("'2020-01-01'"))
        )
        session.commit()
    act(Role.STAFF, department="lighting")
    shown = client.get("/work?overdue=1").text
    assert ids(shown) == {city["lamp"]}
    assert "Overdue" in shown
    assert "It is late." in client.get(f"/reports/{city['lamp']}").text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_table_is_a_formula(start):
    assert cell(f"{start}1+1") == f"'{start}1+1"


def test_an_address_is_no_formula_in_the_table(client, act, engine, city):
    with Session(engine) as session:
        session.execute(
            update(Report).where(Report.id == city["lamp"]).values(address="=1+1, Norton Ave")
        )
        session.commit()
    act(Role.STAFF, department="lighting")
    answer = client.get("/work.csv")
    assert '"\'=1+1, Norton Ave"' in answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.fixture
def done(client, act, city, engine, version):
    """The lamp, which this browser reported, and which the city calls done."""
    id = city["lamp"]
    client.cookies.set(COOKIE, "somebody")
    with Session(engine) as session:
        mark = sender(b"s" * 32, Neighbour("somebody"), id)
        reports.remember_browser(session, id, mark)
        session.execute(insert(ReportContact).values(report_id=id, email="ann@example.org"))
        session.commit()
    act(Role.STAFF, department="lighting")
    client.post(f"/work/{id}", data={"version": version(id), "to": "done"})
    client.cookies.delete("porchlight")
    return id


def test_neighbours_are_asked_and_their_yes_verifies(client, done, engine):
    assert "Is it fixed?" in client.get(f"/reports/{done}").text
    answer = client.post(f"/reports/{done}/fixed", data={"fixed": "yes"})
    assert "neighbours say that it is fixed" in answer.text
    assert status_of(engine, done) is Status.VERIFIED
    again = client.post(f"/reports/{done}/fixed", data={"fixed": "no", "reason": "Dark."})
    assert again.status_code == 409


def test_their_no_opens_it_again_and_says_why(client, done, engine):
    for sent, words in (
        ({"fixed": "no"}, "what is not fixed"),
        ({"fixed": "no", "reason": "d" * 501}, "1 character too many; 500 fit"),
        ({"fixed": "perhaps it is", "reason": "Dark."}, "Choose yes or no."),
    ):
        refused = client.post(f"/reports/{done}/fixed", data=sent, headers=PAGE)
        assert refused.status_code == 422
        assert words in refused.text
        assert f"{sent.get('reason', '')}</textarea>" in refused.text
    client.post(f"/reports/{done}/fixed", data={"fixed": "no", "reason": "It is dark again."})
    assert status_of(engine, done) is Status.CONFIRMED
    assert "It is dark again." in client.get(f"/reports/{done}").text


def test_a_reason_that_points_at_a_person_is_for_staff_alone(client, done, act):
    reason = "Call me at 816-555-0134, it is dark."
    client.post(f"/reports/{done}/fixed", data={"fixed": "no", "reason": reason})
    assert "555-0134" not in client.get(f"/reports/{done}").text
    act(Role.STAFF, department="lighting")
    assert "555-0134" in client.get(f"/work/{done}").text


def test_whoever_works_on_it_does_not_answer_as_a_neighbour(client, done, act, engine):
    act(Role.STAFF, department="lighting")
    assert "Is it fixed?" not in client.get(f"/reports/{done}").text
    answer = client.post(f"/reports/{done}/fixed", data={"fixed": "yes"}, headers=PAGE)
    assert answer.status_code == 403
    assert "Whoever works on a report" in answer.text
    assert status_of(engine, done) is Status.DONE


def test_strangers_are_neither_asked_nor_heard(client, done, engine):
    client.cookies.clear()
    assert "Is it fixed?" not in client.get(f"/reports/{done}").text
    assert client.post(f"/reports/{done}/fixed", data={"fixed": "yes"}).status_code == 403
    assert status_of(engine, done) is Status.DONE


def test_the_reporter_answers_by_the_link_of_the_mail(client, done, engine):
    client.cookies.clear()
    with Session(engine) as session:
        mail = session.scalars(select(Mail)).one()
    assert mail.recipient == "ann@example.org"
    link, token = re.search(rf"(/reports/{done}\?asked=([\w-]+)&lang=en)#fixed", mail.text).groups()
    assert f'name="asked" value="{token}"' in client.get(link).text
    client.post(f"/reports/{done}/fixed", data={"fixed": "yes", "asked": token})
    assert status_of(engine, done) is Status.VERIFIED


def test_a_duplicate_leads_to_the_report_that_stands_for_it(client, act, city, engine, version):
    with Session(engine) as session:
        other = send(session, new("light_out", IN_EASTSIDE), key="another")
        session.commit()
    act(Role.STAFF, department="lighting")
    sent = {"version": version(other), "to": "duplicate", "other": f"#{city['lamp']}"}
    client.post(f"/work/{other}", data=sent)
    shown = client.get(f"/reports/{other}").text
    assert f'href="/reports/{city["lamp"]}#support">Still there?' in shown
    assert "Report it again" not in shown
    assert f'href="/reports/{other}"' in client.get(f"/reports/{city['lamp']}").text
    with Session(engine) as session:
        before = session.scalar(select(func.count()).select_from(ReportEvent))
    sent = {"version": version(other), "to": "confirmed", "note": "Another lamp."}
    client.post(f"/work/{other}", data=sent)
    with Session(engine) as session:
        assert session.get_one(Report, other).duplicate_of_id is None
        assert session.scalar(select(func.count()).select_from(ReportEvent)) == before + 1
