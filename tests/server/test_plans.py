"""Mail about tasks of action plans: to whoever gets one, and before it is due."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import delete, insert, select, text, update

from data.models import Mail, Person, Plan, PlanTask, RoleGrant
from geo.plans import Stage
from geo.roles import Role
from server.plans import remind, tell_of_verdict
from server.settings import Settings
from tests.people import person
from tests.places import box, found_city

NOW = datetime(2026, 6, 9, 14, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path):
    return Settings(var=tmp_path, position_secret="s" * 32)


@pytest.fixture
def captains(session):
    watch = found_city(session).block_watch
    return [
        person(session, Role.CAPTAIN, email=f"{name}@example.org", block_watch_id=watch)
        for name in ("ann", "ben")
    ]


@pytest.fixture
def plan(session, captains):
    return session.scalar(
        insert(Plan)
        .values(
            title="The dark corner",
            opened_by_id=captains[0],
            block_watch_id=session.scalar(select(RoleGrant.block_watch_id).limit(1)),
            place=box(-94.562, 39.011, -94.559, 39.013),
        )
        .returning(Plan.id)
    )


def task(session, plan, what, due, person_id=None, **values):
    session.execute(
        insert(PlanTask).values(plan_id=plan, what=what, due=due, person_id=person_id, **values)
    )


def told(session):
    return {mail.recipient: mail for mail in session.scalars(select(Mail))}


def test_who_has_a_task_is_reminded_once_two_days_before(session, settings, plan, captains):
    ben = captains[1]
    task(session, plan, "Count the lamps", date(2026, 6, 11), ben)
    task(session, plan, "Ask the library", date(2026, 6, 9), ben)
    task(session, plan, "Trim the trees", date(2026, 6, 10))
    task(session, plan, "Later", date(2026, 6, 12), ben)
    task(session, plan, "Too late", date(2026, 6, 8), ben)
    task(session, plan, "Done", date(2026, 6, 10), ben, done_at=NOW)
    assert remind(session, settings, NOW) == 2
    mails = told(session)
    assert mails["ben@example.org"].subject == "2 tasks of action plans are due soon"
    for what in ("Count the lamps", "Ask the library", f"/plans/{plan}#tasks"):
        assert what in mails["ben@example.org"].text
    for what in ("Later", "Too late", "Done", "Trim the trees"):
        assert what not in mails["ben@example.org"].text
    # Nobody has it, so whoever opened the plan is told.
    assert "Trim the trees" in mails["ann@example.org"].text
    assert remind(session, settings, NOW) == 0


def test_the_day_is_the_citys_and_the_language_the_readers(session, settings, plan, captains):
    session.execute(update(Person).values(language="es"))
    task(session, plan, "Contar las luces", date(2026, 6, 11), captains[1])
    evening = datetime(2026, 6, 9, 3, tzinfo=UTC)  # of the day before, in Kansas City
    assert remind(session, settings, evening) == 0
    assert remind(session, settings, NOW) == 1
    assert "jueves, 11 de junio de 2026" in told(session)["ben@example.org"].text


@pytest.mark.parametrize("gone", ["role", "plan"])
def test_nobody_is_reminded_of_what_is_not_theirs_any_more(session, settings, plan, captains, gone):
    task(session, plan, "Count the lamps", date(2026, 6, 11), captains[1])
    if gone == "role":
        session.execute(delete(RoleGrant).where(RoleGrant.person_id == captains[1]))
    else:
        session.execute(update(Plan).values(stage=Stage.CLOSED))
    assert remind(session, settings, NOW) == 0


def test_a_task_that_is_changed_is_reminded_of_anew(session, settings, plan, captains):
    task(session, plan, "Count the lamps", date(2026, 6, 11), captains[1])
    remind(session, settings, NOW)
    session.execute(text("UPDATE plan_task SET due = '2026-06-10', reminded_at = NULL"))
    assert remind(session, settings, NOW) == 1


def test_the_verdict_is_told_to_who_opened_the_plan_and_who_had_tasks(
    session, settings, plan, captains
):
    session.execute(update(Person).where(Person.id == captains[1]).values(language="es"))
    task(session, plan, "Done long ago", date(2026, 1, 1), captains[1], done_at=NOW)
    person(session, Role.ADMINISTRATOR, email="of-no-part-in-it@example.org")
    tell_of_verdict(session, settings, plan)
    mails = told(session)
    assert {*mails} == {"ann@example.org", "ben@example.org"}
    assert "The dark corner" in mails["ann@example.org"].text
    assert f"/plans/{plan}/assessment" in mails["ann@example.org"].text
    assert mails["ben@example.org"].subject == "El veredicto sobre un plan de acción"


def test_who_has_left_is_not_told_the_verdict(session, settings, plan, captains):
    session.execute(update(RoleGrant).values(ended_at=NOW))
    tell_of_verdict(session, settings, plan)
    assert told(session) == {}
