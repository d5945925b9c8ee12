"""Nothing that can be asked tells two homes of one region apart.

A report at a home near the meeting of two neighbourhoods, and at the corner of a block watch, is sent
from one place of its region and then from another. Every route of the application is asked for all it
tells of both, with each filter that could tell sides of a border apart: the answers are the same. So
are the messages to those who follow what lies on either side.
"""

import math
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
import shapely
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from data.models import BlockWatch, Mail, Pace
from data.queries import follows
from data.queries.follows import Subject
from server.following import tell_all
from tests.answers import said_by
from tests.data.test_privacy import in_region_of
from tests.people import person
from tests.places import MIDDLE, box, found_city
from tests.reports import new, send
from tests.server.test_access import filled, routes

PLACE = (MIDDLE, 39.02)
HOMES = {"west": in_region_of(PLACE, 0.05, 0.1), "east": in_region_of(PLACE, 0.95, 0.9)}
MOMENT = datetime(2026, 6, 1, 12, tzinfo=ZoneInfo("America/Chicago"))

REMAKE = """
    SET LOCAL session_replication_role = replica;
    UPDATE report SET id = 5000, occurred_at = :at, reported_at = :at, updated_at = :at;
    UPDATE report_event SET id = 1, report_id = 5000, at = :at;
    UPDATE submission SET report_id = 5000;
    DELETE FROM layer_change;
    UPDATE follow SET created_at = CAST(:at AS timestamptz) - interval '1 day', told_to = :at;
    SET LOCAL session_replication_role = origin;
"""


@pytest.fixture
def city(engine):
    with Session(engine) as session:
        made = found_city(session)
        # A watch that ends in the middle of the region.
        x, y = in_region_of(PLACE, 0.5, 0.5)
        watch = insert(BlockWatch).values(name="Cut", boundary=box(x - 0.01, y - 0.01, x, y))
        session.execute(watch)
        ann = person(session, email="ann@example.org")
        session.execute(text(f"SELECT set_config('porchlight.person', '{ann}', true)"))
        for subject in (
            Subject(area_id=made.westside),
            Subject(area_id=made.eastside),
            Subject(block_watch_id=made.block_watch + 1),
            Subject(drawn=shapely.box(x - 0.01, y - 0.01, x, y), name="Drawn"),
        ):
            assert follows.add(session, ann, subject, Pace.AT_ONCE, "en")
        session.commit()
    return made


def questions(city) -> list[str]:
    x, y = in_region_of(PLACE, 0.5, 0.5)
    boxes = [(x - 0.01, y - 0.01, x, y + 0.01), (x, y - 0.01, x + 0.01, y + 0.01)]
    return [
        "",
        *(f"?area={id}" for id in (city.westside, city.eastside, city.council_district)),
        *(f"?block_watch={id}" for id in (city.block_watch, city.block_watch + 1)),
        *(f"?bbox={','.join(map(str, box))}" for box in boxes),
        *(f"?lat={lat}&lon={lon}" for lon, lat in HOMES.values()),
    ]


def tiles(path: str) -> list[str]:
    """The tiles of both homes, at a zoom of counts and at two of features."""
    found = []
    for z in (12, 14, 18):
        for lon, lat in HOMES.values():
            turned = math.asinh(math.tan(math.radians(lat))) / math.pi
            x, y = int((lon + 180) / 360 * (1 << z)), int((1 - turned) / 2 * (1 << z))
            found.append(path.format(layer="reports", z=z, x=x, y=y))
    return [*dict.fromkeys(found)]


def plain(answer: str) -> str:
    """An answer without nonces, hashes and the time of day, which differ each time it is asked."""
    for changing in (
        r"nonce(-|=\")[\w-]+",
        r'name="(token|album)" value="[\w-]+"',
        r"'(etag|last-modified)': '[^']*'",
        r"\d+:\d\d:\d\d(\.\d+)?",
    ):
        answer = re.sub(changing, "", answer)
    return answer


def told(client, engine, settings, city, home) -> dict[str, str]:
    """All answers about a report at a home, and the messages, without what changes by itself."""
    with Session(engine) as session:
        session.execute(text("DELETE FROM report"))
        session.execute(text("TRUNCATE report_tally, layer_change, mail, told"))
        session.execute(text("TRUNCATE hot_spot_run RESTART IDENTITY"))
        send(session, new("noise_spot", home, description="Loud.", address="1 Home St"), key="key")
        for statement in filter(str.strip, REMAKE.split(";")):
            session.execute(text(statement), {"at": MOMENT} if ":at" in statement else {})
        session.commit()
    tell_all(engine, settings)
    answers = {}
    for method, path in routes(client.app):
        if method != "GET":
            continue
        is_tile = "{z}" in path
        for address in tiles(path) if is_tile else filled(path, 5000):
            asked = questions(city) if is_tile or "{" not in path else [""]
            for question in asked:
                client.cookies.clear()
                answer = client.get(address + question, follow_redirects=False)
                # The minute at which a sheet was made stands in its glyphs; what else it says comes
                # from the rows that tests/data/test_privacy.py compares.
                if answer.headers.get("content-type") != "application/pdf":
                    answers[address + question] = said_by(answer, address)
    with Session(engine) as session:
        rows = session.execute(select(Mail.recipient, Mail.subject, Mail.text, Mail.html))
        answers["mail"] = repr([tuple(row) for row in rows])
    return {asked: plain(answer) for asked, answer in answers.items()}


def test_nothing_that_is_asked_tells_two_homes_of_one_region_apart(client, engine, settings, city):
    west, east = (told(client, engine, settings, city, home) for home in HOMES.values())
    assert west.keys() == east.keys()
    assert [asked for asked in west if west[asked] != east[asked]] == []
    # Else they could be the same because nothing is told at all.
    assert "/reports/5000" in west["mail"]
    shown = [asked for asked, answer in west.items() if "noise_spot" in answer]
    assert any("bbox" in asked for asked in shown)
    assert any(".mvt" in asked for asked in shown)
    sides = [west[f"/list?area={id}"] for id in (city.westside, city.eastside)]
    assert sorted("/reports/5000" in side for side in sides) == [False, True]
