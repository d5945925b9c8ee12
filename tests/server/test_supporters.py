"""Neighbours who join several reports of one problem count once; nobody can follow them further."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from data.models import Report, Support
from data.queries import reports
from geo.statuses import Status
from server.app import create_app
from server.supporters import Neighbour, join, sender
from tests.people import person
from tests.places import IN_EASTSIDE, IN_WESTSIDE, found_city
from tests.reports import new, send

SECRET = b"s" * 32
ANN = Neighbour("ann")
BESIDE = (IN_EASTSIDE[0] + 0.0005, IN_EASTSIDE[1])


@pytest.fixture
def city(session):
    return found_city(session)


def merged(session, id: int, other: int) -> None:
    session.execute(
        update(Report).where(Report.id == id).values(
            status=Status.DUPLICATE, duplicate_of_id=other
        )
    )  # fmt: skip


def test_who_joined_a_report_and_its_duplicate_counts_once_for_both(session, city):
    first, second, third = (
        send(session, new(at=at)) for at in (IN_EASTSIDE, BESIDE, (BESIDE[0] + 0.0005, BESIDE[1]))
    )
    for id in (first, second, third):
        join(session, SECRET, ANN, id)
    join(session, SECRET, Neighbour("bob"), second)
    merged(session, second, first)
    assert reports.one_public(session, first).supports == 2
    merged(session, third, first)
    assert reports.one_public(session, first).supports == 2


def test_apart_each_report_counts_whoever_joined_it(session, city):
    first, second = send(session), send(session, new(at=BESIDE))
    for id in (first, second):
        assert join(session, SECRET, ANN, id) == reports.Supported(1, counted=True)
        assert join(session, SECRET, ANN, id) == reports.Supported(1, counted=False)


def test_far_apart_nobody_can_tell_that_it_was_the_same_neighbour(session, city):
    for at in (IN_EASTSIDE, IN_WESTSIDE):
        join(session, SECRET, ANN, send(session, new(at=at)))
    assert session.scalars(select(Support.counted_as)).all() == [None, None]
    assert len(set(session.scalars(select(Support.supporter)))) == 2


def named(session, id: int | None) -> None:
    session.execute(
        text("SELECT set_config('porchlight.person', :id, true)"), {"id": str(id or "")}
    )


def test_of_one_address_few_nameless_browsers_count_a_report_and_all_who_sign_in(session, city):
    first, second = send(session), send(session, new(at=IN_WESTSIDE))
    here = "203.0.113.7"
    counted = [
        join(session, SECRET, Neighbour(f"cleared {n}", address=here), first).counted
        for n in range(8)
    ]
    assert counted == [True] * 5 + [False] * 3
    assert reports.one_public(session, first).supports == 5
    assert join(session, SECRET, Neighbour("cleared 0", address=here), first).supports == 5
    assert join(session, SECRET, Neighbour("ann", address=here), second).counted
    assert join(session, SECRET, Neighbour("ann", address="198.51.100.1"), first).counted
    signed_in = Neighbour("bob", person(session), here)
    assert join(session, SECRET, signed_in, first).counted


def test_a_person_counts_once_on_each_browser_and_signed_in_or_not(session, city):
    id, ann, bob = send(session), person(session), person(session)
    counted = [
        join(session, SECRET, Neighbour(browser, who), id).counted
        for browser, who in (
            ("phone", ann), ("desk", ann), ("phone", None), ("phone", bob), ("other", None),
            ("other", bob), ("person 1", None),
        )
    ]  # fmt: skip
    assert counted == [True, False, False, True, True, False, True]


def test_who_reported_it_does_not_count(session, city):
    ann = person(session)
    own, nameless = send(session, new(reporter_id=ann)), send(session, new(at=IN_WESTSIDE))
    reports.remember_browser(session, nameless, sender(SECRET, Neighbour("phone"), nameless))
    named(session, ann)
    assert not join(session, SECRET, Neighbour("desk", ann), own).counted
    named(session, None)
    assert not join(session, SECRET, Neighbour("phone"), nameless).counted
    assert join(session, SECRET, Neighbour("desk"), nameless).counted


def test_over_the_limit_a_neighbour_reads_when_to_try_again_and_loses_nothing(settings, engine):
    with Session(engine) as session:
        found_city(session)
        id = send(session)
        session.commit()
    few = settings.model_copy(update={"supports_per_hour": 1})
    with TestClient(create_app(few)) as client:
        path, form = f"/reports/{id}/support", {"description": "Out since <Monday>", "token": "t"}
        assert client.post(path, follow_redirects=False).status_code == 303
        answer = client.post(path, data=form)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 3600
    assert "Please try again in 60 minutes" in answer.text
    assert "Out since &lt;Monday&gt;</textarea>" in answer.text
    assert f'action="{path}"' in answer.text
