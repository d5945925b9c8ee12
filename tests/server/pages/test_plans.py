"""Working a problem together, as liaisons, captains, staff, members and everybody see it."""

import html
import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from data.models import (
    Area,
    AreaLayer,
    AuditEntry,
    BlockWatch,
    Department,
    Mail,
    Person,
    Plan,
    PlanNote,
    PlanTask,
    Report,
    ServiceLocation,
)
from geo.roles import Role
from tests.people import signed_in
from tests.places import IN_THE_WATCH, box
from tests.reports import new, send

NAMED = "John Whitfield sells there, the tall man with the red beard"
FORM = {"title": "The dark corner", "problem": "No light works after ten.", "link": "1"}


def day(days=0):
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def stored(engine, query):
    with Session(engine) as session:
        return session.scalars(query).all()


@pytest.fixture
def division(engine, watch):
    with Session(engine) as session:
        id = session.scalar(
            insert(Area)
            .values(
                layer=AreaLayer.PATROL_DIVISION, code="East", name="East Patrol",
                geom=box(-94.57, 39, -94.54, 39.04),
            )
            .returning(Area.id)
        )  # fmt: skip
        session.commit()
    return id


@pytest.fixture
def captain(act, engine):
    id = act(Role.CAPTAIN, name="Cora")
    with Session(engine) as session:
        session.execute(update(Person).where(Person.id == id).values(email="cora@example.org"))
        session.commit()
    return id


@pytest.fixture
def opened(client, division, captain, watch, engine):
    """A plan on the whole block watch, opened by its captain, who stays signed in."""
    answer = client.post(f"/plans?block_watch={watch}", data={**FORM, "watch": str(watch)})
    assert "The plan is open." in answer.text
    (id,) = stored(engine, select(Plan.id))
    return id


def version(client, plan):
    return re.search(r'name="version" value="(\d+)"', client.get(f"/plans/{plan}").text)[1]


def move(client, plan, to, **values):
    sent = {"to": to, "words": f"On to {to}.", "version": version(client, plan), **values}
    return client.post(f"/plans/{plan}/stage", data=sent)


def test_a_captain_opens_a_plan_and_everybody_reads_its_summary(client, engine, opened, watch):
    page = client.get(f"/plans/{opened}").text
    for said in ("The dark corner", "Scanning", "Norton Watch", "No light works after ten."):
        assert said in page
    assert f"/plans?block_watch={watch}" in client.get(f"/watches/{watch}").text
    client.cookies.clear()
    for shown in (client.get(f"/plans/{opened}").text, client.get("/plans").text):
        assert "The dark corner" in shown
        assert "Eastside" in shown
        assert "No light works after ten." not in shown
        assert "Cora" not in shown
    assert client.get(f"/api/plans/{opened}").json()["properties"]["name"] == "The dark corner"
    (entry,) = stored(engine, select(AuditEntry.action))
    assert entry == "plan.open"


def test_a_plan_on_reports_is_where_they_are_shown(client, engine, captain, watch):
    with Session(engine) as session:
        ids = [send(session, new("dumping", at)) for at in (IN_THE_WATCH, (-94.5605, 39.0121))]
        session.commit()
    ticked = client.post("/plans/new", data={"pick": [f"{id}.7" for id in ids]})
    assert "around 2 reports" in ticked.text
    query = "&".join(f"report={id}" for id in (*ids, 999))
    assert "1 report is left out" in client.get(f"/plans/new?{query}").text
    client.post(f"/plans?{query}", data={**FORM, "watch": str(watch)})
    (plan,) = stored(engine, select(Plan.id))
    page = client.get(f"/plans/{plan}").text
    assert "2 of 2 are open." in page
    assert f'/plans/{plan}">The dark corner' in client.get(f"/reports/{ids[0]}").text
    assert client.get(f"/api/plans/{plan}").status_code == 200
    client.cookies.clear()
    # Fewer than the public map of hot spots shows.
    assert client.get(f"/api/plans/{plan}").status_code == 404
    public = client.get(f"/plans/{plan}").text
    assert "The plan is about a place in this neighbourhood." in public
    assert "Dumped trash" not in public
    assert "The dark corner" not in client.get(f"/reports/{ids[0]}").text


def test_a_place_with_enough_reports_is_shown_by_whole_cells(client, engine, captain, watch):
    inside = []
    with Session(engine) as session:
        for east, north in itertools.product(range(12), range(12)):
            at = (-94.567 + 0.001 * east, 39.006 + 0.001 * north)
            id = send(session, new("dumping", at))
            if {east, north} <= {4, 5, 6, 7}:
                inside.append(f"report={id}")
        session.execute(update(Report).values(occurred_at=datetime.now(UTC) - timedelta(days=30)))
        session.commit()
    query = "&".join(inside)
    client.post(f"/plans?{query}", data={**FORM, "watch": str(watch)})
    plan, exact, shown = stored_one(
        engine,
        "SELECT id, ST_Area(place::geography), ST_Area(public_place::geography) FROM plan",
    )
    assert exact < shown
    client.cookies.clear()
    feature = client.get(f"/api/plans/{plan}").json()
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert "The plan is about a place within this area." in client.get(f"/plans/{plan}").text


def stored_one(engine, query):
    with Session(engine) as session:
        return session.execute(text(query)).one()


def test_a_liaison_opens_a_plan_on_a_cell_and_its_figures_stay(
    client, engine, act, division, watch
):
    with Session(engine) as session:
        for n in range(30):
            send(
                session, new("dumping", (IN_THE_WATCH[0] + 0.0003 * (n % 3), 39.0115 + 0.0002 * n))
            )
        session.execute(update(Report).values(occurred_at=datetime.now(UTC) - timedelta(days=30)))
        session.commit()
    act(Role.LIAISON, name="Lee", area_id=division)
    cell = re.search(r"/hotspots/cell/(-?\d+\.-?\d+)", client.get("/hotspots").text)[1]
    link = re.search(r'href="(/plans/new\?[^"]*)"', client.get(f"/hotspots/cell/{cell}").text)[1]
    page = client.get(html.unescape(link)).text
    assert "Kept with the plan" in page
    assert client.get(f"/plans/new/place?cell={cell}").json()["type"] == "Feature"
    answer = client.post(f"/plans?cell={cell}", data=FORM)
    assert "The hot spot when the plan was opened" in answer.text
    (plan,) = stored(engine, select(Plan.id))
    before = re.search(r"<dl.*?</dl>", answer.text, re.DOTALL)[0]
    with Session(engine) as session:
        session.execute(text("DELETE FROM hot_spot_run"))
        send(session, new("dumping", IN_THE_WATCH))
        session.commit()
    assert before in client.get(f"/plans/{plan}").text
    assert "plan.read" in stored(engine, select(AuditEntry.action))
    act(Role.CAPTAIN)
    assert "The hot spot when" not in client.get(f"/plans/{plan}").text


def test_a_plan_goes_its_way_and_is_not_closed_before_it_is_assessed(client, engine, opened):
    assert "On to analysis." in move(client, opened, "analysis").text
    late = move(client, opened, "response")
    assert late.status_code == 422
    assert "Give the day on which the response starts." in late.text
    assert "On to response." in late.text
    began = move(client, opened, "response", response_starts=day(-10))
    assert "On to response." in began.text
    assert "Close the plan" not in began.text
    refused = move(client, opened, "closed")
    assert refused.status_code == 422
    assert move(client, opened, "assessment", words=" ").status_code == 422
    move(client, opened, "assessment")
    closed = move(client, opened, "closed", words="Half as much dumping as before.")
    assert "Half as much dumping as before." in closed.text
    assert '<form method="post" action="/plans' not in closed.text
    answer = client.post(f"/plans/{opened}/notes", data={"words": "x", "audience": "watch"})
    assert answer.status_code == 409
    client.cookies.clear()
    assert "Half as much dumping as before." in client.get(f"/plans/{opened}").text
    assert "On to analysis." not in client.get(f"/plans/{opened}").text


def test_nothing_that_is_typed_is_lost(client, opened, watch):
    long = "x" * 2_001
    answer = client.post(f"/plans/{opened}/notes", data={"words": long, "audience": "everyone"})
    assert answer.status_code == 422
    assert long in answer.text
    assert re.search(r'value="everyone" checked', answer.text)
    task = {"what": "Trim the trees", "by": "person-999", "due": "tomorrow"}
    answer = client.post(f"/plans/{opened}/tasks", data=task)
    assert answer.status_code == 422
    assert "Choose somebody of the list." in answer.text
    assert "Write a day like" in answer.text
    assert 'value="Trim the trees"' in answer.text
    new_ = {"title": "", "problem": "Something", "watch": "77", "whole": "1"}
    answer = client.post(f"/plans?block_watch={watch}", data=new_)
    assert answer.status_code == 422
    assert "Something</textarea>" in answer.text
    assert "Choose a block watch of the list." in answer.text


def test_of_two_who_change_a_plan_the_second_is_told_and_keeps_the_words(client, opened):
    old = version(client, opened)
    client.post(f"/plans/{opened}/title", data={"title": "First", "version": old})
    answer = client.post(f"/plans/{opened}/title", data={"title": "Second", "version": old})
    assert answer.status_code == 409
    assert "Somebody else has changed this meanwhile" in answer.text
    assert 'value="Second"' in answer.text
    now = re.search(r'name="version" value="(\d+)"', answer.text)[1]
    client.post(f"/plans/{opened}/title", data={"title": "Second", "version": now})
    assert "<h1>Second</h1>" in client.get(f"/plans/{opened}").text
    task = {"what": "Count the lamps"}
    client.post(f"/plans/{opened}/tasks", data=task)
    sent = {"what": "Count all lamps", "version": "1"}
    assert client.post(f"/plans/{opened}/tasks/1", data=sent).status_code == 200
    answer = client.post(f"/plans/{opened}/tasks/1", data={**sent, "what": "Other"})
    assert answer.status_code == 409
    assert 'value="Other"' in answer.text


def test_what_was_written_for_a_step_that_another_took_is_there_to_be_copied(client, opened):
    old = version(client, opened)
    move(client, opened, "analysis")
    late = move(client, opened, "analysis", version=old, words="My own findings.")
    assert late.status_code == 409
    assert "Somebody else has changed this meanwhile" in late.text
    assert "My own findings.</textarea>" in late.text
    unknown = move(client, opened, "made up", words="My own findings.")
    assert unknown.status_code == 422
    assert "The plan cannot go there" in unknown.text
    assert "My own findings.</textarea>" in unknown.text


def test_tasks_are_given_ticked_and_counted(client, engine, act, opened, captain, division):
    liaison = act(Role.LIAISON, name="Lee", area_id=division)
    task = {"what": "Walk the block at night", "by": f"person-{captain}", "due": day(-2)}
    page = client.post(f"/plans/{opened}/tasks", data=task).text
    assert "A captain of the block watch" in page
    assert "Cora" not in page
    (mail,) = stored(engine, select(Mail))
    assert mail.recipient == "cora@example.org"
    assert "Walk the block at night" in mail.text
    client.post(f"/plans/{opened}/tasks", data={"what": "Mine", "by": f"person-{liaison}"})
    assert len(stored(engine, select(Mail.id))) == 1
    signed_in(client, engine, captain)
    mine = client.get("/plans?overdue=1").text
    assert "Tasks that wait for you" in mine
    assert "1 late" in mine
    page = client.post(f"/plans/{opened}/tasks/1/tick", data={"done": "1"}).text
    assert "1 of 2 tasks done" in page
    assert [one.done_by_id for one in stored(engine, select(PlanTask).order_by(PlanTask.id))] == [
        captain,
        None,
    ]
    assert "0 of 2" in client.post(f"/plans/{opened}/tasks/1/tick", data={}).text
    client.post(f"/plans/{opened}/tasks/2/delete")
    assert client.post(f"/plans/{opened}/tasks/2/tick", data={}).status_code == 404
    client.cookies.clear()
    public = client.get(f"/plans/{opened}").text
    assert "0 of 1 task done" in public
    assert "Walk the block" not in public


def test_partners_are_departments_places_nearby_and_others_by_name(client, engine, opened, act):
    with Session(engine) as session:
        safety = session.scalar(select(Department.id).where(Department.code == "safety"))
        youth = session.scalar(
            insert(ServiceLocation)
            .values(name="Night Hoops Youth Program", type="youth_family", geom=f"SRID=4326;POINT({IN_THE_WATCH[0]} {IN_THE_WATCH[1]})")
            .returning(ServiceLocation.id)
        )  # fmt: skip
        session.commit()
    assert "Night Hoops Youth Program" in client.get(f"/plans/{opened}").text

    def add(**sent):
        return client.post(f"/plans/{opened}/partners", data=sent)

    assert add(partner=f"location-{youth}", brings="Opens two more nights").status_code == 200
    assert add(partner=f"department-{safety}").status_code == 200
    assert add(name="Mendoza's Tire Shop").status_code == 200
    assert add(name="mendoza's tire shop").status_code == 422
    assert add(partner="department-999").status_code == 422
    phone = add(name="Corner Store", brings="Call 816-555-0199")
    assert phone.status_code == 422
    assert "816-555-0199" in phone.text
    assert "phone number" in phone.text
    act(Role.STAFF, name="Sam", department_id=safety)
    page = client.get(f"/plans/{opened}").text
    assert "Mendoza&#39;s Tire Shop" in page
    assert "Add the note" in page
    assert "Add the partner" not in page
    assert add(name="Another").status_code == 403


def test_what_points_at_a_person_waits_for_a_moderator(client, engine, act, opened, captain):
    title = client.post(f"/plans/{opened}/title", data={"title": NAMED, "version": "1"})
    assert title.status_code == 422
    assert "Whitfield" in title.text
    note = {"words": NAMED, "audience": "everyone"}
    warned = client.post(f"/plans/{opened}/notes", data=note)
    assert warned.status_code == 422
    assert "<mark>" in warned.text
    assert "Nothing is stored yet." in warned.text
    seal = re.search(r'name="words_seal" value="(\w+)"', warned.text)[1]
    other = client.post(
        f"/plans/{opened}/notes", data={**note, "words": NAMED + "!", "words_seal": seal}
    )
    assert other.status_code == 422
    kept = client.post(f"/plans/{opened}/notes", data={**note, "words_seal": seal})
    assert "wait for a moderator" in kept.text
    act(Role.MEMBER)
    assert "Whitfield" not in client.get(f"/plans/{opened}").text
    act(Role.MODERATOR)
    queue = client.get("/moderation").text
    assert "Notes of action plans that wait" in queue
    address = re.search(r"/moderation/plans/\d+", queue)[0]
    assert client.post(address, data={"decision": "refused"}).status_code == 422
    shorter = {"decision": "shortened", "shown": "Things are sold there.", "reason": "no names"}
    assert client.post(address, data={**shorter, "shown": ""}).status_code == 422
    assert client.post(address, data=shorter).status_code == 200
    assert client.post(address, data=shorter).status_code == 409
    signed_in(client, engine, captain)
    assert "no names" in client.get(f"/plans/{opened}").text
    client.cookies.clear()
    public = client.get(f"/plans/{opened}").text
    assert "Things are sold there." in public
    assert "no names" not in public


def test_what_is_sent_twice_counts_once(client, engine, opened, watch):
    client.post(f"/plans?block_watch={watch}", data={**FORM, "watch": str(watch)})
    for _ in range(2):
        client.post(f"/plans/{opened}/tasks", data={"what": "Count the lamps"})
        client.post(f"/plans/{opened}/notes", data={"words": "Hello", "audience": "watch"})
    for table, n in ((Plan, 1), (PlanTask, 1), (PlanNote, 2)):
        assert len(stored(engine, select(table.id))) == n, table


def test_of_two_who_open_the_same_plan_the_second_loses_no_words(
    client, engine, act, opened, watch
):
    act(Role.CAPTAIN)
    sent = {**FORM, "watch": str(watch), "problem": "Dogs run loose here."}
    answer = client.post(f"/plans?block_watch={watch}", data=sent)
    assert answer.status_code == 422
    assert f"number {opened}" in answer.text
    assert "Dogs run loose here." in answer.text
    answer = client.post(f"/plans?block_watch={watch}", data={**sent, "title": "The loose dogs"})
    assert "The plan is open." in answer.text


def test_whom_a_note_is_for(client, act, opened):
    for audience in ("partners", "watch", "everyone"):
        sent = {"words": f"Words for {audience}.", "audience": audience}
        client.post(f"/plans/{opened}/notes", data=sent)
    act(Role.MEMBER)
    page = client.get(f"/plans/{opened}").text
    assert [one in page for one in ("for partners", "for watch", "for everyone")] == [
        False,
        True,
        True,
    ]
    act()
    page = client.get(f"/plans/{opened}").text
    assert [one in page for one in ("for watch", "for everyone")] == [False, True]


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.MODERATOR])
def test_others_change_nothing(client, engine, act, opened, role):
    act(role)
    for what in ("title", "stage", "notes", "partners", "tasks", "reports", "tasks/1/tick"):
        assert client.post(f"/plans/{opened}/{what}", data={"words": "x"}).status_code == 403, what
    assert client.get("/plans/new?block_watch=1").status_code == 403
    assert len(stored(engine, select(PlanNote.id))) == 1


def test_captains_open_plans_in_or_near_their_own_watch_only(client, engine, captain):
    with Session(engine) as session:
        id = send(session, new("dumping", (-94.585, 39.02)))
        session.commit()
    answer = client.get(f"/plans/new?report={id}")
    assert answer.status_code == 403
    assert "Ask the liaison" in answer.text
    with Session(engine) as session:
        neighbour = session.scalar(
            insert(BlockWatch)
            .values(name="Other", boundary=box(-94.554, 39.02, -94.55, 39.026))
            .returning(BlockWatch.id)
        )
        session.commit()
    assert client.get(f"/plans/new?block_watch={neighbour}").status_code == 403
    assert client.get("/plans/new").status_code == 404
    assert client.get("/plans/new?report=999").status_code == 404
    assert client.get("/plans/999").status_code == 404
    assert client.get(f"/plans/{2**70}").status_code == 404


def test_a_plan_in_spanish(client, opened):
    page = client.get(f"/plans/{opened}?lang=es").text
    assert "Planes de acción" in page
