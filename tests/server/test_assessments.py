"""From rows in the store to the verdict."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from data.models import AssessmentVerdict
from data.queries import assessments
from server.assessments import ask_for_due, judge
from tests.assessments import design, drafted, fill, open_plan, report, somewhere
from tests.places import found_city

ZONE = ZoneInfo("America/Chicago")
TODAY = datetime.now(ZONE).date()
STARTS = TODAY + timedelta(days=3)


@pytest.fixture
def plan(session):
    found_city(session)
    return open_plan(session)


def fixed(session, plan, made, **chosen):
    id = drafted(session, plan, made, **chosen)
    assessments.fix(session, id, late=made.response_starts <= TODAY)
    return id, assessments.grounds(session, id, as_owner=True)


def when_due(made):
    return datetime.combine(made.due, time(6), ZONE)


def judged(session, plan, made):
    """All verdicts, once those are found whose time has come."""
    report(session, somewhere(when_due(made)))
    ask_for_due(session, ZONE, when_due(made))
    for id in session.scalars(select(AssessmentVerdict.id)).all():
        judge(session, id)
    return session.scalars(select(AssessmentVerdict).order_by(AssessmentVerdict.id)).all()


class TestGold:
    def test_reports_avoided_with_a_buffer_and_its_control(self, session, plan):
        made = design(STARTS)
        _id, grounds = fixed(session, plan, made)
        fill(
            session,
            made,
            grounds,
            treated=(207, 110),
            control=(308, 318),
            ring=(178, 157),
            control_ring=(150, 140),
        )
        (verdict,) = judged(session, plan, made)
        numbers = verdict.found["numbers"]
        assert numbers["treated"] == [207, 110]
        assert numbers["control"] == [308, 318]
        assert numbers["ring"] == [178, 157]
        assert numbers["control_ring"] == [150, 140]
        assert numbers["overdispersion"] == 1
        assert numbers["wdd"] == pytest.approx([-118, -195.6, -40.4], abs=0.05)
        assert numbers["wdd_error"] == pytest.approx(39.598, abs=5e-4)
        assert numbers["z"] == pytest.approx(-2.98, abs=5e-3)
        assert verdict.found["outcome"] == verdict.published["outcome"] == "fewer"
