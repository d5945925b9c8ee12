"""The page of a plan's assessment, as browsers ask."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data.models import Assessment, AssessmentVerdict, AuditEntry, Plan
from data.queries import assessments
from geo.roles import Role
from server.assessments import ask_for_due, judge_by_job
from tests.assessments import fill, open_plan, report, somewhere
from tests.people import person, signed_in
from tests.places import EAST, NORTH, SOUTH, WEST, found_city

ZONE = ZoneInfo("America/Chicago")
TODAY = datetime.now(ZONE).date()
STARTS = TODAY + timedelta(days=10)
DAY = timedelta(days=1)

EVERYWHERE = text("""
    INSERT INTO report (kind, category_code, exact_geom, public_geom, occurred_at, reported_at)
    SELECT 'lighting', 'light_out', place, place, at, at FROM (
        SELECT now() - make_interval(mins => 400 * nth) AS at, ST_SetSRID(ST_MakePoint(
            :west + (:east - :west) * mod(nth * 0.6180339887, 1),
            :south + (:north - :south) * mod(nth * 0.7548776662, 1)), 4326) AS place
        FROM generate_series(1, 1500) AS nth
    ) AS made
""")
"""Lamps that fail evenly over the city and for more than a year."""


@pytest.fixture
def plan(engine) -> int:
    """A plan of the block watch."""
    with Session(engine) as session:
        city = found_city(session)
        id = open_plan(session, block_watch_id=city.block_watch)
        session.execute(EVERYWHERE, {"west": WEST, "east": EAST, "south": SOUTH, "north": NORTH})
        session.commit()
    return id


@pytest.fixture
def act(client, engine, plan):
    """Sign the browser in as somebody, of the block watch or not."""

    def become(role=None):
        with Session(engine) as session:
            of_watch = role in {Role.CAPTAIN, Role.MEMBER}
            scope = {"block_watch_id": session.scalar(select(Plan.block_watch_id))}
            id = person(session, role, **(scope if of_watch else {}))
            session.commit()
        signed_in(client, engine, id)
        return id

    return become


def form(starts=STARTS, **values):
    return {
        "response_starts": starts.isoformat(),
        "before_from": (starts - 365 * DAY).isoformat(),
        "before_until": (starts - DAY).isoformat(),
        "after_from": starts.isoformat(),
        "after_until": (starts + 364 * DAY).isoformat(),
        "settling_days": "30",
        "ring_m": "150",
        "category": ["light_out"],
        "worst_first": "no",
        **values,
    }


def post(client, plan, what="", **values):
    if what != "/again" and "seen" not in values:
        values["seen"] = seen(client, plan)
    return client.post(f"/plans/{plan}/assessment{what}", data=values, follow_redirects=False)


def seen(client, plan):
    """The mark of the draft as the page shows it."""
    found = re.search(r'name="seen" value="(\w+)"', shown(client, plan))
    return found[1] if found else ""


def shown(client, plan, **query):
    answer = client.get(f"/plans/{plan}/assessment", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text.split("<main")[1]


def drafted(client, plan, **values):
    answer = post(client, plan, **form(**values))
    assert answer.status_code == 303, answer.text


def judged(engine, settings):
    """As the daily job and those it asks for do, when the time has come."""
    with Session(engine) as session:
        due = max(one.design.due for one in assessments.of_plan(session, 1) if one.fixed_at)
        now = datetime.combine(due, datetime.min.time(), ZONE) + timedelta(hours=6)
        report(session, somewhere(now))
        ask_for_due(session, ZONE, now)
        session.commit()
        waiting = assessments.waiting(session)
    for id in waiting:
        judge_by_job(engine, settings, id)


def test_a_captain_writes_an_assessment_and_fixes_it(client, engine, plan, act):
    act(Role.CAPTAIN)
    assert "1. What to compare" in shown(client, plan)
    drafted(client, plan)
    page = shown(client, plan, notice="proposed")
    assert "2. Places to compare with" in page
    assert page.count('name="place"') == 8
    assert page.count("checked") >= 3
    assert "would be expected in the time after" in page
    assert "assess-treated" in page
    chosen = [int(one) for one in re.findall(r'value="(\d+)" checked', page)]

    other = next(number for number in range(8) if number not in chosen)
    refused = post(client, plan, "/places", place=[other])
    assert "Give the reason in a few words" in refused.text
    refused = post(client, plan, "/places", place=[other], reason="John Smith of 3412 Norton Ave")
    assert "points at a person" in refused.text
    assert "Choose at least one place" in post(client, plan, "/places", reason="x").text
    post(client, plan, "/places", place=[other], reason="Building work near the others.")
    assert "Building work near the others." in shown(client, plan)
    assert post(client, plan, "/places", place=chosen).status_code == 303

    answer = post(client, plan, "/fix")
    assert answer.headers["location"].endswith("notice=fixed")
    page = shown(client, plan)
    assert "Since then nobody can change it" in page
    assert "the verdict is due on" in page
    assert post(client, plan, "/fix").status_code == 409
    assert post(client, plan, "/places", place=[other], reason="x").status_code == 409
    with Session(engine) as session:
        assert session.scalars(select(AuditEntry.action)).all() == ["assessment.fix"]


def test_what_is_typed_wrong_is_said_and_kept(client, plan, act):
    act(Role.CAPTAIN)
    later = (STARTS + 3 * DAY).isoformat()
    for values, said in (
        ({"before_from": "soon"}, "Give each day as a date."),
        ({"before_until": later}, "The days must follow each other"),
        ({"after_until": (STARTS + 20 * DAY).isoformat()}, "four weeks to three years"),
        ({"before_from": (TODAY - 9 * DAY).isoformat()}, "four weeks"),
        ({"before_from": (STARTS - 900 * DAY).isoformat()}, "go back to"),
        ({"after_from": "9999-01-01", "after_until": "9999-12-31"}, "within six years"),
        ({"settling_days": "3"}, "between 7 and 90 days"),
        ({"ring_m": "many"}, "0 to 1,000 meters"),
        ({"category": []}, "at least one thing to count"),
        ({"category": ["nonsense"], "offense_group": ["nonsense"]}, "at least one thing"),
        ({"worst_first": ""}, "because it had the most"),
    ):
        answer = post(client, plan, **form(**values))
        assert answer.status_code == 422, values
        assert said in answer.text, values
        assert f'value="{STARTS.isoformat()}"' in answer.text
    assert "1. What to compare" in shown(client, plan)


def test_a_late_assessment_says_so_for_ever(client, engine, plan, act):
    act(Role.CAPTAIN)
    drafted(client, plan, starts=TODAY - 40 * DAY, before_from=(TODAY - 300 * DAY).isoformat())
    assert "The response has begun." in shown(client, plan)
    assert "tick that it was written" in post(client, plan, "/fix").text
    post(client, plan, "/fix", late="true")
    client.cookies.clear()
    assert "Written after the start." in shown(client, plan)


def test_each_reads_of_the_verdict_what_is_theirs(client, engine, plan, act, settings):
    act(Role.CAPTAIN)
    drafted(client, plan)
    post(client, plan, "/fix")
    with Session(engine) as session:
        (made,) = assessments.of_plan(session, plan)
        grounds = assessments.grounds(session, made.id, as_owner=True)
        counts = {
            "treated": (10, 12),
            "control": (20, 160),
            "ring": (9, 17),
            "control_ring": (9, 17),
        }
        fill(session, made.design, grounds, **counts)
        session.commit()
    judged(engine, settings)
    with Session(engine) as session:
        found = session.scalar(select(AssessmentVerdict.found))
    before, after = found["numbers"]["control"]
    exact = f'<td class="num">{before}</td><td class="num">{after}</td>'
    page = shown(client, plan)
    assert "Fewer reports than there would have been" in page
    assert "rounded to fives" in page
    assert exact not in page
    assert "Ratio of rates" not in page
    act(Role.MEMBER)
    page = shown(client, plan)
    assert "rounded to fives" in page
    assert "assess-treated" in page
    assert "Find the verdict again" not in page
    act(Role.ADMINISTRATOR)
    page = shown(client, plan)
    assert exact in page
    assert "Ratio of rates" in page
    assert "assess-start" in page
    client.cookies.clear()
    page = shown(client, plan)
    assert "rounded to fives" in page
    assert "assess-treated" not in page
    assert exact not in page
    with Session(engine) as session:
        read = session.scalars(
            select(AuditEntry.subject).where(AuditEntry.action == "assessment.read")
        ).all()
    assert read == [f"plan {plan}"]

    act(Role.CAPTAIN)
    again = {"assessment": made.id, "source": "reports"}
    assert "Give the reason" in post(client, plan, "/again", **again).text
    answer = post(client, plan, "/again", **again, reason="The file of May was missing.")
    assert answer.headers["location"].endswith("notice=asked")
    answer = post(client, plan, "/again", **again, reason="Once more.")
    assert answer.headers["location"].endswith("notice=already")
    judged(engine, settings)
    page = shown(client, plan)
    assert page.count('class="assess-told') == 2
    assert "The file of May was missing." in page
    police = {**again, "source": "police", "reason": "x"}
    assert "There is no verdict yet" in post(client, plan, "/again", **police).text

    assert "Write another assessment" in page
    refused = post(client, plan, **form(ring_m="50"))
    assert "Give the reason" in refused.text
    drafted(client, plan, ring_m="50", reason="The ring took in a park.")
    post(client, plan, "/fix")
    page = shown(client, plan)
    assert "Assessment 2" in page
    assert "The ring took in a park." in page


def test_a_draft_that_somebody_changed_meanwhile_is_not_fixed_unseen(client, plan, act):
    act(Role.CAPTAIN)
    drafted(client, plan)
    before = seen(client, plan)
    drafted(client, plan, ring_m="50")
    for what, values in (("/fix", {}), ("/places", {"place": [5], "reason": "x"})):
        answer = post(client, plan, what, seen=before, **values)
        assert answer.status_code == 409
        assert "look at how it is now" in answer.text
    assert "4. Fix it" in shown(client, plan)
    assert post(client, plan, "/fix").status_code == 303


def test_a_draft_that_somebody_else_wrote_meanwhile_is_not_overwritten(client, plan, act):
    act(Role.CAPTAIN)
    drafted(client, plan)
    assert post(client, plan, "/places", place=["1"], reason="New lights there").status_code == 303
    for before in ("", "0" * 16):
        answer = post(client, plan, **form(ring_m="75"), seen=before)
        assert answer.status_code == 422
        assert "Somebody else changed the draft" in answer.text
        assert 'value="75"' in answer.text
    assert "New lights there" in shown(client, plan)


def test_nobody_else_writes_or_sees_a_draft(client, plan, act):
    act(Role.CAPTAIN)
    drafted(client, plan)
    for role in (None, Role.MEMBER, Role.MODERATOR):
        act(role)
        for what, values in (
            ("", form()),
            ("/places", {"place": ["0"]}),
            ("/fix", {}),
            ("/again", {"reason": "x"}),
        ):
            assert post(client, plan, what, **values).status_code == 403
        page = shown(client, plan)
        assert "It is not fixed yet" in page
        assert "assess-treated" not in page
    client.cookies.clear()
    assert post(client, plan, "/fix").status_code == 401
    assert client.get("/plans/999/assessment").status_code == 404
    assert client.get(f"/plans/{2**70}/assessment").status_code == 404


def test_two_who_write_at_once_write_one_draft_and_fix_it_once(client, engine, plan, act):
    act(Role.CAPTAIN)

    def write(ring_m):
        return post(client, plan, **form(ring_m=str(ring_m))).status_code

    def fix(_nth):
        return post(client, plan, "/fix").status_code

    with ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(write, (50, 100, 150, 200))]
        assert 303 in answers
        assert {*answers} <= {303, 422}
        assert {*pool.map(fix, range(4))} <= {303, 409}
    with Session(engine) as session:
        (made,) = assessments.of_plan(session, plan)
        grounds = assessments.grounds(session, made.id, as_owner=True)
    assert made.fixed_at is not None
    ring = grounds.treated.buffer(made.design.ring_m).area - grounds.treated.area
    assert abs(grounds.ring.area / ring - 1) < 0.01


def test_the_store_defers_a_job_for_each_verdict(client, engine, plan, act, settings):
    act(Role.CAPTAIN)
    drafted(client, plan)
    post(client, plan, "/fix")
    judged(engine, settings)
    with Session(engine) as session:
        (id,) = session.scalars(select(AssessmentVerdict.id)).all()
        deferred = session.execute(
            text("SELECT args->>'id' FROM procrastinate_jobs WHERE task_name = 'judge'")
        ).scalars()
        assert [*deferred] == [str(id)]
        session.execute(text("SELECT 1"))
    judge_by_job(engine, settings, id)
    with Session(engine) as session:
        assert session.scalars(select(Assessment.late)).all() == [False]
