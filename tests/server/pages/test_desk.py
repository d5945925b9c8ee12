"""The desk: the queue and what is done with it, as browsers ask."""

import csv
import io
import math
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.orm import Session

from data.models import (
    AuditEntry,
    Crew,
    Department,
    Depot,
    Mail,
    Need,
    NeedRank,
    Person,
    Report,
    StreetLight,
    WeightsVersion,
    WorkOrder,
    WorkPlan,
    WorkPlanNeed,
)
from geo.kinds import Kind
from geo.roles import Role
from geo.statuses import Status
from tests.mvt import decode
from tests.people import person, signed_in
from tests.places import IN_EASTSIDE, IN_WESTSIDE, found_city
from tests.reports import moved, new, send

PAGE = {"accept": "text/html"}
LON, LAT = IN_EASTSIDE
LIGHTS = 7
"""Dark lights, 110 m apart, named P0 to P6 in the order of their rank."""


@pytest.fixture
def city(engine: Engine):
    """Dark lights in a row, a pile of trash, and a crew."""
    with Session(engine) as session:
        found = found_city(session)
        for at in range(LIGHTS):
            place = (LON, LAT - 0.001 * at)
            session.execute(
                insert(StreetLight).values(
                    pole_id=f"P{at}", geom=f"SRID=4326;POINT({place[0]} {place[1]})"
                )
            )
        for at in range(LIGHTS):
            send(session, new("light_out", (LON, LAT - 0.001 * at), address=f"{at} Norton Ave"))
        send(session, new("dumping", IN_WESTSIDE, address="7 Wall St"))
        depot = session.scalar(
            insert(Depot)
            .values(name="Yard", geom=f"SRID=4326;POINT({LON} {LAT})")
            .returning(Depot.id)
        )
        session.execute(insert(Crew).values(name="Crew 1", depot_id=depot, kind=Kind.LIGHTING))
        ranked(session)
        session.commit()
    return found


def ranked(session, leave_out=()):
    session.execute(text("DELETE FROM need_rank"))
    version = session.scalar(select(WeightsVersion.id))
    seen = {}
    for need in session.scalars(select(Need).order_by(Need.id)):
        if need.id in leave_out or need.closed_at:
            continue
        seen[need.kind] = rank = seen.get(need.kind, 0) + 1
        session.execute(
            insert(NeedRank).values(
                need_id=need.id, weights_version_id=version, kind=need.kind, rank=rank,
                rank_low=max(1, rank - 1), rank_high=rank + 3, score=50.0 - rank,
                seed=1, parts=[1.0], levels=[1.0], facts={},
            )
        )  # fmt: skip


@pytest.fixture
def become(client, engine, city):
    """Signs the browser in as somebody of the city."""

    def become(role=Role.STAFF, department="lighting", area=None):
        with Session(engine) as session:
            scope = {}
            if role is Role.STAFF:
                scope["department_id"] = session.scalar(
                    select(Department.id).where(Department.code == department)
                )
                scope["area_id"] = area
            id = person(session, role, **scope)
            session.commit()
        signed_in(client, engine, id)
        return id

    return become


@pytest.fixture
def staff(client, become):
    become()
    return client


def queue(client, query=""):
    answer = client.get(f"/desk{query}", headers=PAGE)
    assert answer.status_code == 200, answer.text
    return answer.text


def poles(shown):
    return re.findall(r"Pole (P\d)", shown)


def picks(shown):
    return re.findall(r'name="pick" value="([\d.]+)"', shown)


def changed(client, pick, act, **fields):
    return client.post(
        "/desk/changes", data={"pick": pick, "act": act, "asked": "kind=lighting", **fields},
        headers=PAGE,
    )  # fmt: skip


def tile_at(z):
    """Column and row of the tile with the lights."""
    down = (1 - math.asinh(math.tan(math.radians(LAT - 0.003))) / math.pi) / 2
    return int((LON + 180) / 360 * 2**z), int(down * 2**z)


def statuses(engine):
    with Session(engine) as session:
        return [
            status.value
            for status in session.scalars(
                select(Need.status).where(Need.kind == Kind.LIGHTING).order_by(Need.id)
            )
        ]


class TestQueue:
    def test_it_stands_by_rank_and_says_how_sure_that_is(self, staff):
        shown = queue(staff)
        assert poles(shown) == [f"P{at}" for at in range(LIGHTS)]
        assert "3rd, between 2nd and 6th" in unescape(shown)
        assert f"<strong>{LIGHTS} lights</strong>" in shown

    def test_what_came_after_the_ranking_is_last_and_not_left_out(self, staff, engine):
        with Session(engine) as session:
            ranked(session, leave_out={session.scalar(select(Need.id).order_by(Need.id))})
            session.commit()
        shown = queue(staff)
        assert poles(shown)[-1] == "P0"
        assert "Not ranked yet" in shown

    @pytest.mark.parametrize(
        ("order", "few"), [("", 2_000), ("", 3), ("due", 2_000), ("oldest", 2_000)]
    )
    def test_pages_go_through_all_of_it_once(self, staff, monkeypatch, order, few, engine):
        monkeypatch.setattr("server.pages.desk.LISTED", 2)
        monkeypatch.setattr("data.queries.desk._FEW", few)
        monkeypatch.setattr("data.queries.desk._NEXT_RANKS", 4)
        with Session(engine) as session:
            ranked(session, leave_out=set(session.scalars(select(Need.id).limit(3))))
            now = datetime.now(UTC)
            for at, report in enumerate(session.scalars(select(Report).order_by(Report.id))):
                report.reported_at = now - timedelta(days=at % 3, minutes=at)
                report.occurred_at = report.reported_at
            session.execute(text("SELECT need_settle(ARRAY(SELECT id FROM need))"))
            session.commit()
        seen, query = [], f"?order={order}"
        while query:
            shown = queue(staff, query)
            seen += poles(shown)
            found = re.search(r'rel="next" href="/desk([^"]+)"', shown)
            query = unescape(found[1]) if found else None
        assert sorted(seen) == [f"P{at}" for at in range(LIGHTS)]

    def test_due_first_is_the_oldest_first_within_a_target(self, staff, engine):
        with Session(engine) as session:
            report = session.scalar(select(Report).where(Report.address == "4 Norton Ave"))
            report.reported_at = report.occurred_at = datetime.now(UTC) - timedelta(days=400)
            session.commit()
            session.execute(text("SELECT need_settle(ARRAY(SELECT id FROM need))"))
            session.commit()
        assert poles(queue(staff, "?order=due"))[0] == "P4"
        assert poles(queue(staff, "?overdue=1")) == ["P4"]
        shown = queue(staff)
        assert "1 overdue" in shown
        assert "0 peligrosos" in queue(staff, "?lang=es")

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("?q=p3", ["P3"]),
            ("?q=5+norton", ["P5"]),
            ("?q=AVE+nort+AVE", [f"P{at}" for at in range(LIGHTS)]),
            ("?q=nort%25ave", []),
            ("?q=nort_n", []),
            ("?q=%25", []),
            ("?status=received", [f"P{at}" for at in range(LIGHTS)]),
            ("?status=scheduled", []),
            ("?category=block_dark", []),
            ("?hazard=1", []),
        ],
    )
    def test_filters_stand_in_the_address(self, staff, query, found):
        shown = queue(staff, query)
        assert poles(shown) == found
        if not found:
            assert "Nothing here fits these filters." in shown

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("césar", ["P5"]),
            ("CESAR", ["P5"]),
            ("Cesar chavez", ["P5"]),
            ("31st", ["P3", "P4"]),
            ("e 31st", ["P3", "P4"]),
            ("31ST", ["P3", "P4"]),
            ("pena", ["P6"]),
            ("PEÑA", ["P6"]),
        ],
    )
    def test_an_address_is_found_by_its_words_with_or_without_accents(
        self, staff, engine, words, found
    ):
        with Session(engine) as session:
            for at, address in (
                (3, "7311 E 31st St"),
                (4, "E 31st St"),
                (5, "1 Avenida César E. Chávez"),
                (6, "6 Pen\u0303a Blvd"),
            ):
                session.execute(
                    update(Need).where(Need.address == f"{at} Norton Ave").values(address=address)
                )
            session.commit()
        assert poles(queue(staff, "?" + urlencode({"q": words}))) == found

    def test_many_stand_by_rank_however_few_of_the_next_ranks_are_meant(self, staff, monkeypatch):
        monkeypatch.setattr("data.queries.desk._FEW", 1)
        monkeypatch.setattr("data.queries.desk._NEXT_RANKS", 2)
        assert poles(queue(staff, "?q=norton")) == [f"P{at}" for at in range(LIGHTS)]

    def test_a_script_that_has_the_page_gets_the_queue_alone(self, staff):
        for asking in ({"HX-Target": "queue"}, {"HX-History-Restore-Request": "true"}):
            part = staff.get("/desk?q=p3", headers=PAGE | {"HX-Request": "true"} | asking).text
            assert part.startswith('<div id="queue"')
            assert poles(part) == ["P3"]
            assert "Norton" in part
            for word in ("<html", "leaflet", 'name="area"'):
                assert word not in part

    def test_an_area_keeps_to_what_lies_in_it(self, staff, city):
        assert len(poles(queue(staff, f"?area={city.eastside}"))) == LIGHTS
        assert poles(queue(staff, f"?area={city.westside}")) == []

    def test_cleanup_has_its_own_queue(self, client, become):
        become(department="cleanup")
        shown = queue(client)
        assert "7 Wall St" in shown
        assert poles(shown) == []
        assert client.get("/desk?kind=lighting", headers=PAGE).status_code == 403

    def test_what_is_fixed_leaves_it_and_neighbours_are_heard_beside_the_crew(self, staff, engine):
        with Session(engine) as session:
            for address, status in (("0 Norton Ave", "done"), ("1 Norton Ave", "verified")):
                id = session.scalar(select(Report.id).where(Report.address == address))
                moved(session, id, *dict.fromkeys((Status.DONE, Status(status))))
                session.execute(
                    update(Report).where(Report.id == id).values(closed_at=datetime.now(UTC))
                )
            session.commit()
        assert poles(queue(staff)) == ["P2", "P3", "P4", "P5", "P6"]
        fixed = queue(staff, "?status=done")
        assert sorted(poles(fixed)) == ["P0", "P1"]
        assert fixed.count("Neighbours: fixed") == 1
        assert fixed.count("Neighbours have not said yet") == 1

    @pytest.mark.parametrize("query", ["?kind=x", "?area=0", "?after=1", "?order=x", "?due=1"])
    def test_nonsense_is_refused_with_words(self, staff, query):
        assert staff.get(f"/desk{query}", headers=PAGE).status_code == 422

    @pytest.mark.parametrize("after", ["9999999999-1-1", "0-0-0", "1-99999999999999999-1"])
    def test_a_page_after_no_other_page_is_the_first(self, staff, after):
        assert len(poles(queue(staff, f"?order=due&after={after}"))) == LIGHTS

    def test_it_is_for_those_who_fix(self, client, become, city):
        assert client.get("/desk", headers=PAGE).status_code == 401
        become(department="safety")
        assert client.get("/desk", headers=PAGE).status_code == 403
        become(Role.ADMINISTRATOR)
        assert len(poles(queue(client))) == LIGHTS

    def test_staff_of_a_district_see_their_own(self, client, become, city, engine):
        with Session(engine) as session:
            session.execute(
                text(
                    "UPDATE area SET geom = ST_Multi(ST_MakeEnvelope(-94.9, 39.0155, -94.2, 39.9, 4326)) "
                    "WHERE id = :id"
                ),
                {"id": city.council_district},
            )
            session.commit()
        become(area=city.council_district)
        assert poles(queue(client)) == ["P0", "P1", "P2", "P3", "P4"]

    def test_who_read_exact_places_is_written_down(self, staff, engine):
        queue(staff)
        with Session(engine) as session:
            read = session.scalars(
                select(AuditEntry.detail).where(AuditEntry.action == "desk.read")
            ).one()
        assert len(read["needs"]) == LIGHTS


class TestChanges:
    def test_several_are_confirmed_at_once(self, staff, engine):
        answer = changed(staff, picks(queue(staff))[:3], "confirm")
        assert answer.status_code == 200
        assert "Done for 3." in answer.text
        assert statuses(engine) == ["confirmed"] * 3 + ["received"] * 4

    def test_of_two_planners_neither_loses_anything(self, staff, engine):
        seen = picks(queue(staff))
        changed(staff, [seen[0]], "schedule")

        late = changed(staff, seen[:3], "confirm")

        assert late.status_code == 409
        assert "Somebody changed it while you looked." in late.text
        assert "Done for 2." in late.text
        assert statuses(engine)[:3] == ["scheduled", "confirmed", "confirmed"]
        again = picks(late.text)
        assert len(again) == 1
        # Looked at again it can be decided; it is further than confirmed already.
        assert "It is that far already" in changed(staff, again, "confirm").text

    def test_what_happened_to_a_report_alone_is_seen_too(self, staff, engine):
        seen = picks(queue(staff))
        changed(staff, [seen[0]], "assign", assigned="me")
        late = changed(staff, [seen[0]], "assign", assigned="nobody")
        assert late.status_code == 409

    def test_a_form_without_an_act_keeps_what_was_ticked(self, staff):
        seen = picks(queue(staff))
        answer = changed(staff, seen[:2], "", day="2031-01-02")
        assert answer.status_code == 422
        assert "Choose what to do" in answer.text
        assert answer.text.count(" checked") == 2
        assert 'value="2031-01-02"' in answer.text
        assert changed(staff, [], "confirm").status_code == 422
        assert changed(staff, ["1.2"], "confirm").status_code == 422
        for day in ("soon", "2020-01-01", "9999-12-31"):
            assert changed(staff, seen[:1], "order", day=day).status_code == 422
        assert "active crew" in changed(staff, seen[:1], "order", crew="999999").text
        assert changed(staff, seen[:1], "assign", assigned="person-x").status_code == 422
        assert changed(staff, seen[:1], "plan_in").status_code == 422

    def test_work_is_given_and_whoever_gets_it_hears(self, staff, engine):
        with Session(engine) as session:
            department = session.scalar(select(Department.id).where(Department.code == "lighting"))
            other = person(session, Role.STAFF, email="sam@example.org", department_id=department)
            session.execute(update(Person).where(Person.id == other).values(name="Sam"))
            session.commit()
        changed(staff, picks(queue(staff))[:2], "assign", assigned=f"person-{other}")
        assert queue(staff).count("Sam</span>") == 2
        with Session(engine) as session:
            assert "2 reports were given to you" in session.scalars(select(Mail.subject)).one()

    def test_needs_go_into_a_work_plan_or_stay_out_of_it(self, staff, engine):
        with Session(engine) as session:
            plan = session.scalar(
                insert(WorkPlan)
                .values(name="May", kind=Kind.LIGHTING, budget_cents=1, crew_days=1)
                .returning(WorkPlan.id)
            )
            session.commit()
        seen = picks(queue(staff))
        changed(staff, seen[:2], "plan_in", plan=plan)
        changed(staff, seen[1:2], "plan_out", plan=plan)
        with Session(engine) as session:
            locks = session.execute(
                select(WorkPlanNeed.lock, WorkPlanNeed.chosen).order_by(WorkPlanNeed.need_id)
            ).all()
            assert [lock for lock, _chosen in locks] == ["in", "out"]
            assert session.get_one(WorkPlan, plan).version == 3
            session.execute(update(WorkPlan).values(state="issued"))
            session.commit()
        assert poles(queue(staff, f"?plan={plan}")) == ["P0"]
        assert "not a draft any more" in changed(staff, seen[2:3], "plan_in", plan=plan).text

    def test_work_orders_are_drafted_once_a_need(self, staff, engine):
        seen = picks(queue(staff))
        with Session(engine) as session:
            crew = session.scalar(select(Crew.id))
        day = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
        made = changed(staff, seen[:2], "order", crew=crew, day=day)
        assert made.status_code == 200
        assert "Crew 1" in queue(staff)
        again = changed(staff, picks(queue(staff))[:3], "order")
        assert again.status_code == 409
        assert again.text.count("It has a work order already.") == 2
        with Session(engine) as session:
            days = session.scalars(select(WorkOrder.day).order_by(WorkOrder.need_id)).all()
        assert [one and one.isoformat() for one in days] == [day, day, None]

    def test_what_was_ticked_further_on_stays_ticked_there_with_the_layers_of_the_map(self, staff):
        here = "kind=lighting&after=1-4102444800000000-1&layers=needs"
        seen = picks(queue(staff, f"?{here}"))
        assert len(seen) == LIGHTS - 1
        refused = changed(staff, seen[-1:], "", asked=here).text
        assert picks(refused) == seen
        assert refused.count(" checked") == 1
        assert f'name="asked" value="{here.replace("&", "&amp;")}"' in refused
        last = f"?{here}&status=received".replace("after=1", "after=9")
        assert len(picks(queue(staff, last))) == LIGHTS, "where nothing is left it begins anew"
        made = changed(staff, seen[-1:], "confirm", asked=here).text
        assert f'href="/desk?{here.replace("&", "&amp;")}"' in made

    def test_what_no_address_holds_is_no_filter(self, staff):
        pick = picks(queue(staff))[:1]
        assert changed(staff, pick, "confirm", asked="q=a&" * 101).status_code == 200

    def test_nobody_changes_what_is_not_theirs(self, staff, client, become, engine):
        seen = picks(queue(staff))
        become(department="cleanup")
        answer = changed(client, seen[:1], "confirm", asked="kind=cleanup")
        assert "not yours to work on" in answer.text
        assert statuses(engine)[0] == "received"


class TestFiles:
    def test_the_queue_as_a_table(self, staff):
        answer = staff.get("/desk/queue.csv?q=p1")
        (row,) = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
        assert (row["pole"], row["rank"], row["status"]) == ("P1", "2", "received")
        assert float(row["longitude"]) == pytest.approx(LON)

    def test_the_queue_as_geojson(self, staff):
        found = staff.get("/desk/queue.geojson").json()
        assert len(found["features"]) == LIGHTS
        assert found["features"][0]["properties"]["rank"] == 1
        assert found["analysis"]["rows"] == LIGHTS

    def test_the_queue_as_geopackage(self, staff, tmp_path):
        path = tmp_path / "queue.gpkg"
        path.write_bytes(staff.get("/desk/queue.gpkg").content)
        with sqlite3.connect(path) as file:
            rows = file.execute("SELECT pole, rank, expected_by, work_order FROM queue").fetchall()
            about = dict(file.execute("SELECT name, value FROM analysis").fetchall())
        file.close()
        assert rows[0][:2] == ("P0", 1)
        assert rows[0][3] is None
        assert about["filters"] == "kind=lighting"

    def test_an_empty_queue_is_a_file_too(self, staff):
        for end in ("csv", "geojson", "gpkg"):
            assert staff.get(f"/desk/queue.{end}?q=nowhere").status_code == 200


class TestMap:
    def test_tiles_show_what_the_queue_lists(self, staff):
        z, (x, y) = 15, tile_at(15)
        found = {}
        for row in (y - 1, y, y + 1):
            answer = staff.get(f"/desk/tiles/needs/{z}/{x}/{row}.mvt?kind=lighting")
            if answer.status_code == 200:
                found |= {
                    feature.id: feature.attributes["status"]
                    for feature in decode(answer.content)["needs"]
                }
        assert set(found.values()) == {"received"}
        assert len(found) == LIGHTS

    def test_far_out_they_are_counted(self, staff):
        x, y = tile_at(10)
        answer = staff.get(f"/desk/tiles/needs/10/{x}/{y}.mvt?kind=lighting")
        cells = decode(answer.content)["cells"]
        assert sum(cell.attributes["n"] for cell in cells) == LIGHTS
        assert staff.get(f"/desk/tiles/needs/10/{x}/{y}.mvt?q=nowhere").status_code == 204

    @pytest.mark.parametrize("layer", ["dark_runs", "work_plans", "crew_routes"])
    def test_the_other_layers_answer(self, staff, layer):
        assert staff.get(f"/desk/tiles/{layer}/10/243/392.mvt?kind=lighting").status_code == 204

    def test_there_is_no_such_tile(self, staff):
        assert staff.get("/desk/tiles/reports/10/243/392.mvt").status_code == 404
        assert staff.get("/desk/tiles/needs/10/2430/392.mvt").status_code == 404

    def test_a_mark_tells_what_the_queue_tells(self, staff, engine):
        with Session(engine) as session:
            id = session.scalar(select(Need.id).order_by(Need.id))
        told = staff.get(f"/desk/features/needs/{id}").json()
        assert told["url"] == f"/desk/needs/{id}"
        assert {"label": "Pole", "value": "P0"} in told["facts"]
        assert staff.get("/desk/features/needs/999999").status_code == 404
        assert staff.get("/desk/features/dark_runs/1").status_code == 404


def test_day_by_day_what_is_overdue_and_what_falls_due(staff, engine):
    with Session(engine) as session:
        for at, days in enumerate((400, 200, 3)):
            report = session.scalar(select(Report).where(Report.address == f"{at} Norton Ave"))
            report.reported_at = report.occurred_at = datetime.now(UTC) - timedelta(days=days)
        session.commit()
        session.execute(text("SELECT need_settle(ARRAY(SELECT id FROM need))"))
        session.commit()
    shown = staff.get("/desk/overdue", headers=PAGE).text
    assert "2 are overdue" in shown
    days = re.findall(r'href="/desk\?([^"]*due=[^"]+)"', shown)
    listed = [pole for day in days for pole in poles(queue(staff, f"?{unescape(day)}"))]
    later = int(re.search(r"(\d+) falls? due later", shown)[1]) if "due later" in shown else 0
    assert sorted(listed)[:3] == ["P0", "P1", "P2"]
    assert len(listed) + later == LIGHTS
    assert len(listed) == len(set(listed))
