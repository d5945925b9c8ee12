from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select, text, update

from data.models import Assignment, Department, Mail, Report, ReportEvent
from geo.roles import Role
from geo.statuses import Status
from server.nudges import nudge
from server.settings import Settings
from tests.people import person
from tests.places import found_city
from tests.reports import moved, new, send

NOW = datetime(2026, 6, 30, 14, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path):
    return Settings(var=tmp_path, position_secret="s" * 32)


@pytest.fixture
def staff(session):
    """Two of street lighting."""
    found_city(session)
    lighting = session.scalar(select(Department.id).where(Department.code == "lighting"))
    return [
        person(session, Role.STAFF, email=f"{name}@example.org", department_id=lighting)
        for name in ("ann", "ben")
    ]


@pytest.fixture
def old(session, staff):
    """A lamp that was reported years ago, and never heard of again."""

    def make(category="light_out"):
        id = send(session, new(category))
        session.execute(text("ALTER TABLE report_event DISABLE TRIGGER USER"))
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        session.execute(
            update(Report).where(Report.id == id).values(occurred_at=long_ago, reported_at=long_ago)
        )
        session.execute(update(ReportEvent).where(ReportEvent.report_id == id).values(at=long_ago))
        session.execute(text("ALTER TABLE report_event ENABLE TRIGGER USER"))
        return id

    return make


def told(session):
    return {mail.recipient: mail.text for mail in session.scalars(select(Mail))}


def test_those_whose_work_it_is_are_told_once_in_one_mail(session, settings, old):
    first, second = old(), old()
    old("dumping")  # of another department, in which nobody works
    assert nudge(session, settings, NOW) == 2
    mails = told(session)
    assert set(mails) == {"ann@example.org", "ben@example.org"}
    assert all(f"/work/{id}\n" in mails["ann@example.org"] for id in (first, second))
    assert nudge(session, settings, NOW) == 0


def test_who_has_the_work_is_told_alone(session, settings, old, staff):
    session.execute(insert(Assignment).values(report_id=old(), person_id=staff[0]))
    nudge(session, settings, NOW)
    assert set(told(session)) == {"ann@example.org"}


def test_nobody_is_told_of_what_is_new_closed_or_moving(session, settings, old):
    send(session, new("light_out"))
    moved(session, old(), Status.DONE)
    session.execute(
        insert(ReportEvent).values(report_id=old(), kind="note", note="On it.", public=False)
    )
    assert nudge(session, settings, NOW) == 0
