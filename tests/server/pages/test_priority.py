"""The published weights, other weights on trial, and one need explained."""

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from data.models import (
    Area,
    AreaLayer,
    AuditEntry,
    Department,
    Need,
    NeedRank,
    NeedReport,
    Person,
    Report,
    StreetLight,
    WeightsVersion,
    WorkOrder,
)
from geo.priority import FACTORS, Factor
from geo.roles import Role
from geo.statuses import Status
from server.priority import rank_by_job
from tests.people import person, signed_in
from tests.places import IN_WESTSIDE, found_city
from tests.reports import moved, new, send

PAGE = {"accept": "text/html"}
NOTE = "Older work first, since the backlog grew."


def words(answer):
    """What is read of a page, spaces as one."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


@pytest.fixture
def needs(engine, settings):
    """A light in the road beside two others, and a dump: ids of the needs."""
    with Session(engine) as session:
        found_city(session)
        for n in range(3):
            session.execute(
                insert(StreetLight).values(
                    pole_id=f"KC{n}", geom=f"SRID=4326;POINT(-94.561 {39.02 + 0.0003 * n})"
                )
            )
        reports = [
            send(session, new(at=(-94.561, 39.02), address="4000 Norton Ave")),
            send(session, new(at=(-94.561, 39.0203))),
            send(session, new("light_day_burner", at=(-94.561, 39.0206))),
            send(session, new("dumping", at=IN_WESTSIDE)),
        ]
        found = [
            session.scalar(select(NeedReport.need_id).where(NeedReport.report_id == one))
            for one in reports
        ]
        session.commit()
    rank_by_job(engine, settings)
    return found


@pytest.fixture
def become(engine, client):
    def sign_in(role=None, department=None, name="", **scope):
        with Session(engine) as session:
            if department:
                scope["department_id"] = session.scalar(
                    select(Department.id).where(Department.code == department)
                )
            id = person(session, role, **scope)
            session.execute(update(Person).where(Person.id == id).values(name=name))
            session.commit()
        signed_in(client, engine, id)
        return id

    return sign_in


@pytest.fixture
def store(engine):
    def ask(statement):
        with Session(engine) as session:
            return session.execute(statement).all()

    return ask


def current(store):
    return store(select(func.max(WeightsVersion.id)))[0][0]


class TestEverybody:
    def test_reads_what_counts_how_much_why_and_who_published_it(self, client):
        read = words(client.get("/priorities"))
        assert "What the city fixes first" in read
        assert re.search(r"Dark lights in a row 15 .*London, Ontario", read)
        assert "Porchlight published them" in read
        assert "does not promise fewer crimes" in read
        assert "Try other weights" not in read

    def test_reads_it_in_spanish(self, client):
        read = words(client.get("/priorities?lang=es"))
        assert "Varias luces apagadas seguidas" in read
        assert "Dark lights" not in read

    def test_learns_nothing_of_the_desk(self, client, needs, become):
        paths = ("/desk/what-if", f"/desk/needs/{needs[0]}")
        assert [client.get(path).status_code for path in paths] == [401, 401]
        for role, department in ((None, None), (Role.MODERATOR, None), (Role.STAFF, "safety")):
            become(role, department)
            assert [client.get(path).status_code for path in paths] == [403, 403]


class TestOtherWeights:
    def test_today_s_change_nothing_and_say_so(self, client, needs, become):
        become(Role.STAFF, "lighting")
        read = words(client.get("/desk/what-if"))
        assert "These are today's weights" in read
        assert "Cleanup" not in read

    def test_of_another_department_are_refused(self, client, needs, become):
        become(Role.STAFF, "lighting")
        assert client.get("/desk/what-if?kind=cleanup").status_code == 403
        assert client.get("/desk/what-if?kind=problem_spot").status_code == 403

    def test_staff_of_one_district_hear_among_what_ranks_count(self, client, engine, needs, become):
        with Session(engine) as session:
            district = session.scalar(
                select(Area.id).where(Area.layer == AreaLayer.COUNCIL_DISTRICT)
            )
        for scope, said in (({}, False), ({"area_id": district}, True)):
            become(Role.STAFF, "lighting", **scope)
            read = words(client.get("/desk/what-if", params={"households": 1}))
            assert ("those of your district" in read) == said

    def test_show_who_comes_in_who_drops_out_and_which_neighbourhood_gains(
        self, client, needs, become
    ):
        become(Role.STAFF, "lighting")
        nothing = {factor.value: 0 for factor in FACTORS["lighting"]}
        # With weight for nothing but homes all are equal, and the one that came first is first.
        read = words(client.get("/desk/what-if", params={**nothing, "households": 1, "among": 1}))
        assert "of the first 1 would be" in read
        assert "An administrator publishes weights" in read
        assert "Publish these weights" not in read

    def test_that_are_no_weights_are_said_with_what_was_typed(self, client, needs, become):
        become(Role.STAFF, "lighting")
        for typed in ("many", "-1", "101", "nan", "1e9", "inf"):
            answer = client.get("/desk/what-if", params={"run": typed})
            assert answer.status_code == 422
            assert "Dark lights in a row: write a number from 0 to 100." in words(answer)
            assert f'value="{typed}"' in answer.text
        nothing = {factor.value: 0 for factor in FACTORS["lighting"]}
        answer = client.get("/desk/what-if", params=nothing)
        assert answer.status_code == 422
        assert "at least one factor" in words(answer)
        assert client.get("/desk/what-if", params={"run": "2,5"}).status_code == 200

    def test_keep_what_was_typed_where_nobody_says_how_many_come_first(self, client, needs, become):
        become(Role.STAFF, "lighting")
        answer = client.get("/desk/what-if", params={"run": 99, "among": ""})
        assert answer.status_code == 200
        assert 'value="99"' in answer.text
        for typed in ("0", "many", "5001", "1e3"):
            answer = client.get("/desk/what-if", params={"run": 99, "among": typed})
            assert answer.status_code == 422
            assert "How many come first: write a whole number" in words(answer)
            assert 'value="99"' in answer.text


class TestPublishing:
    @pytest.fixture
    def publish(self, client, store):
        def send_form(**typed):
            form = {
                "kind": "lighting", "age": 40, "replaces": current(store), "note": NOTE,
                "signed_by": "Ada, Public Works", **typed,
            }  # fmt: skip
            return client.post("/desk/what-if", data=form, headers=PAGE, follow_redirects=False)

        return send_form

    def test_is_for_administrators(self, publish, needs, become, store):
        before = current(store)
        assert publish().status_code == 401
        become(Role.STAFF, "lighting")
        assert publish().status_code == 403
        assert current(store) == before

    def test_replaces_the_weights_and_keeps_the_old_ones(
        self, client, publish, needs, become, store, engine, settings
    ):
        who, before = become(Role.ADMINISTRATOR, name="Ada"), current(store)
        answer = publish()
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/priorities?published=1",
        )
        read = words(client.get("/priorities?published=1"))
        assert "Your weights are published" in read
        assert f"Ada, Public Works published them: {NOTE}" in read
        assert "32 was 15" in read  # 40 of 125
        assert "The first weights" in read
        made = store(select(WeightsVersion).order_by(WeightsVersion.id.desc()))[0][0]
        assert (made.replaces_id, made.person_id) == (before, who)
        assert made.weights["lighting"]["age"] == 40
        assert made.weights["cleanup"]["near"] == 10
        log = store(select(AuditEntry.action, AuditEntry.subject).order_by(AuditEntry.id.desc()))
        assert log[0] == ("weights.publish", f"weights_version {made.id}")
        rank_by_job(engine, settings)
        assert {one for (one,) in store(select(NeedRank.weights_version_id))} == {made.id}

    def test_after_somebody_else_is_refused_and_loses_nothing(self, publish, needs, become, store):
        become(Role.ADMINISTRATOR)
        seen = current(store)
        assert publish(age=30).status_code == 303
        answer = publish(replaces=seen)
        assert answer.status_code == 409
        read = words(answer)
        assert "Somebody else published other weights meanwhile" in read
        assert NOTE in read
        assert 'name="age" value="40"' in answer.text
        assert "today 30" in read
        again = re.search(r'name="replaces" value="(\d+)"', answer.text).group(1)
        assert publish(replaces=again).status_code == 303

    def test_says_what_is_missing_with_what_was_typed(self, publish, needs, become, store):
        become(Role.ADMINISTRATOR)
        before = current(store)
        for typed, told in (
            ({"note": " "}, "Say why"),
            ({"note": "x" * 2001}, "Say why"),
            ({"signed_by": ""}, "Sign it"),
            ({"age": "x"}, "write a number from 0 to 100"),
            ({"age": "15"}, "published already"),
        ):
            answer = publish(**typed)
            assert answer.status_code == 422
            assert told in words(answer)
            assert "Ada, Public Works" in answer.text or "signed_by" in typed
        assert current(store) == before

    def test_warns_of_words_about_a_person_once(self, publish, needs, become):
        become(Role.ADMINISTRATOR)
        note = "The man at 3412 Norton Ave calls 816-555-0134 each day."
        answer = publish(note=note)
        assert answer.status_code == 422
        assert "seems to be about a person" in words(answer)
        sealed = re.search(r'name="screened" value="([^"]+)"', answer.text).group(1)
        assert publish(note=note, screened=sealed).status_code == 303


class TestOneNeed:
    def test_says_why_it_stands_where_it_stands_and_who_read_it(self, client, needs, become, store):
        who = become(Role.STAFF, "lighting")
        read = words(client.get(f"/desk/needs/{needs[0]}"))
        assert re.search(r"Why is this number [12] of 3\?", read)
        assert "2 dark lights in a row. " in read
        assert "7.5 of 15" in read
        assert "1 neighbour spoke up; here 1.0 would be usual by now." in read
        assert "An arterial" not in read
        assert "A local street." in read
        assert "Not measured: no homes are known around it." in read
        assert "light KC0" in read
        assert "dark lights in a row on Norton Ave" in read
        assert "What would bring it forward" in read
        log = store(
            select(AuditEntry.person_id, AuditEntry.action, AuditEntry.subject).order_by(
                AuditEntry.id.desc()
            )
        )
        assert log[0] == (who, "need.read", f"need {needs[0]}")

    def test_says_that_a_light_that_burns_by_day_leaves_nobody_in_the_dark(
        self, client, needs, become
    ):
        become(Role.ADMINISTRATOR)
        read = words(client.get(f"/desk/needs/{needs[2]}"))
        assert "It burns by day, so nobody stands in the dark." in read
        assert "number 3 of 3" in read

    def test_of_a_cleanup_has_its_own_parts(self, client, needs, become):
        become(Role.STAFF, "cleanup")
        read = words(client.get(f"/desk/needs/{needs[3]}"))
        assert "No other open cleanup is close by." in read
        assert "Dark lights in a row" not in read

    def test_of_another_department_or_none_is_not_found(self, client, needs, become):
        become(Role.STAFF, "cleanup")
        for id in (needs[0], 999_999, 10**30):
            assert client.get(f"/desk/needs/{id}").status_code == 404

    def test_that_was_fixed_before_tells_so(self, client, needs, become, engine, settings, store):
        with Session(engine) as session:
            report = session.scalar(
                select(NeedReport.report_id).where(NeedReport.need_id == needs[0])
            )
            moved(
                session, report, Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE
            )
            session.execute(update(Report).where(Report.id == report).values(closed_at=func.now()))
            again = send(session, new(at=(-94.561, 39.02)))
            open_ = session.scalar(select(NeedReport.need_id).where(NeedReport.report_id == again))
            session.commit()
        rank_by_job(engine, settings)
        become(Role.STAFF, "lighting")
        closed = words(client.get(f"/desk/needs/{needs[0]}"))
        assert "Closed on" in closed
        assert "Why is this number" not in closed
        read = words(client.get(f"/desk/needs/{open_}"))
        assert "Once within the last two years." in read
        assert "The same light was fixed before" in read
        # In its order among what happened.
        with Session(engine) as session:
            session.execute(
                update(Need)
                .where(Need.id == needs[0])
                .values(closed_at=func.now() + timedelta(days=1))
            )
            session.commit()
        read = words(client.get(f"/desk/needs/{open_}"))
        assert read.index("Received", read.index("What happened")) < read.index("The same light")
        with Session(engine) as session:
            session.execute(update(Need).where(Need.id == needs[0]).values(status="declined"))
            session.commit()
        assert "The same light" not in words(client.get(f"/desk/needs/{open_}"))

    def test_that_has_an_order_asks_for_no_other(self, client, needs, become, engine):
        id = become(Role.STAFF, "lighting")
        path, ask = f"/desk/needs/{needs[0]}", "Write a work order for it"
        assert ask in words(client.get(path))
        with Session(engine) as session:
            session.execute(
                insert(WorkOrder).values(need_id=needs[0], service_minutes=30, person_id=id)
            )
            session.commit()
        read = words(client.get(path))
        assert "Work order 1" in read
        assert ask not in read

    def test_that_is_not_ranked_yet_says_so(self, client, needs, become, engine):
        with Session(engine) as session:
            session.execute(text("DELETE FROM need_rank"))
            session.commit()
        become(Role.STAFF, "lighting")
        assert "It is not ranked yet" in words(client.get(f"/desk/needs/{needs[0]}"))


def test_factors_all_have_words(client, needs, become):
    become(Role.ADMINISTRATOR)
    for path in ("/priorities", *(f"/desk/needs/{id}" for id in needs)):
        read = client.get(path).text
        assert not re.search(r"\{\w+\}", read[read.index("<main") : read.index("</table>")])
    assert {*Factor} == {one for factors in FACTORS.values() for one in factors}
