"""Limits on reports and "affects me too" from one address: nothing typed is lost."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import Request

from data.models import Report
from server.app import create_app
from server.limits import client_address
from tests.places import IN_EASTSIDE, found_city
from tests.reports import new, send

LON, LAT = IN_EASTSIDE
REPORT = {"category": "light_out", "lat": LAT, "lon": LON}
FORM = {"category": "light_out", "lat": LAT, "lon": LON, "description": "what I typed", "new": "1"}


@pytest.fixture
def client(settings):
    """Two reports and two supports an hour are allowed here."""
    few = settings.model_copy(update={"reports_per_hour": 2, "supports_per_hour": 2})
    with TestClient(create_app(few), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def report(engine):
    with Session(engine) as session:
        found_city(session)
        id = send(session, new("dumping"))
        session.commit()
    return id


def stored(engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(Report))


def test_one_address_sends_so_many_reports_an_hour_and_no_more(client, engine, report):
    statuses = [client.post("/api/reports", json=REPORT).status_code for _ in range(3)]
    assert statuses == [201, 201, 429]
    refused = client.post("/api/reports", json=REPORT)
    assert 3_500 < int(refused.headers["retry-after"]) <= 3_600
    assert refused.headers["content-type"] == "application/problem+json"
    assert stored(engine) == 1 + 2


def test_the_form_says_so_and_keeps_what_was_typed(client, engine, report):
    for _ in range(2):
        client.post("/api/reports", json=REPORT)
    answer = client.post("/report", data=FORM)
    assert answer.status_code == 429
    assert "retry-after" in answer.headers
    assert "what I typed" in answer.text
    assert "too many tries from here" in answer.text
    assert 'href="#send"' in answer.text
    assert stored(engine) == 1 + 2


def test_what_is_sent_again_under_its_key_counts_once(client, engine, report):
    for _ in range(4):
        answer = client.post("/api/reports", json=REPORT, headers={"Idempotency-Key": "mine"})
        assert answer.status_code == 201
    assert stored(engine) == 1 + 1


def test_what_can_not_be_stored_does_not_count(client, report):
    for _ in range(4):
        assert client.post("/api/reports", json={"category": "light_out"}).status_code == 422
    assert client.post("/api/reports", json=REPORT).status_code == 201


@pytest.mark.parametrize("path", ["/api/reports/{}/support", "/reports/{}/support"])
def test_one_address_joins_so_often_an_hour_and_no_more(client, report, path):
    statuses = [
        client.post(path.format(report), follow_redirects=False).status_code for _ in range(3)
    ]
    assert statuses[2] == 429
    assert 429 not in statuses[:2]


@pytest.mark.parametrize(
    ("host", "subject"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_is_that_of_a_household(host, subject):
    assert client_address(Request({"type": "http", "client": (host, 1)})) == subject


def test_without_a_client_address_all_share_one_limit():
    assert client_address(Request({"type": "http", "client": None})) == ""
