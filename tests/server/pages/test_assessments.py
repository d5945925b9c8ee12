"""The page of a plan's assessment, as browsers ask."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from data.models import Plan
from geo.roles import Role
from tests.assessments import open_plan, report
from tests.people import person, signed_in
from tests.places import EAST, NORTH, SOUTH, WEST, found_city

ZONE = ZoneInfo("America/Chicago")
TODAY = datetime.now(ZONE).date()
STARTS = TODAY + timedelta(days=10)


@pytest.fixture
def plan(engine) -> int:
    """A plan of the block watch, in a city where lamps fail everywhere and for long."""
    rng = np.random.default_rng(1)
    with Session(engine) as session:
        city = found_city(session)
        id = open_plan(session, block_watch_id=city.block_watch)
        lon, lat = rng.uniform(WEST, EAST, 4_000), rng.uniform(SOUTH, NORTH, 4_000)
        at = [
            datetime.now(UTC) - timedelta(days=float(days)) for days in rng.uniform(0.1, 400, 4_000)
        ]
        report(session, [*zip(lon.tolist(), lat.tolist(), at, strict=True)])
        session.commit()
    return id


@pytest.fixture
def act(client, engine, plan):
    def become(role=None, **scope):
        with Session(engine) as session:
            watch = session.scalar(select(Plan.block_watch_id))
            if role in {Role.CAPTAIN, Role.MEMBER}:
                scope = {"block_watch_id": watch, **scope}
            id = person(session, role, **scope)
            session.commit()
        signed_in(client, engine, id)
        return id

    return become


def form(**values):
    return {
        "response_starts": STARTS.isoformat(),
        "before_from": (STARTS - timedelta(days=365)).isoformat(),
        "before_until": (STARTS - timedelta(days=1)).isoformat(),
        "after_from": STARTS.isoformat(),
        "after_until": (STARTS + timedelta(days=364)).isoformat(),
        "settling_days": "30",
        "ring_m": "150",
        "category": ["light_out"],
        "worst_first": "no",
        **values,
    }


def post(client, plan, what="", **values):
    return client.post(f"/plans/{plan}/assessment{what}", data=values, follow_redirects=False)


def test_a_captain_writes_an_assessment_and_fixes_it(client, engine, plan, act):
    act(Role.CAPTAIN)
    shown = client.get(f"/plans/{plan}/assessment")
    assert shown.status_code == 200, shown.text
    assert "1. What to compare" in shown.text
    answer = post(client, plan, **form())
    assert answer.status_code == 303, answer.text
    shown = client.get(answer.headers["location"])
    assert "2. Places to compare with" in shown.text
    assert "would be seen four times out of five" in shown.text
    assert shown.text.count('name="place"') == 8
    answer = post(client, plan, "/fix")
    assert answer.headers["location"].endswith("fixed")
    shown = client.get(answer.headers["location"])
    assert "Since then nobody can change it" in shown.text
    client.cookies.clear()
    everybody = client.get(f"/plans/{plan}/assessment")
    assert "How it is judged" in everybody.text
    assert "<svg class" not in everybody.text.split("<main")[1]
