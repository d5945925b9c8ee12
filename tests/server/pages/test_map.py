"""The page of the map: its form of filters, filled from the address."""

import re

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from data.models import Area, AreaLayer
from tests.places import EAST, NORTH, SOUTH, WEST, box, found_city


@pytest.fixture
def city(engine):
    with Session(engine) as session:
        made = found_city(session)
        session.commit()
    return made


def checked(text: str) -> list[tuple[str, str]]:
    return re.findall(r'name="(\w+)" value="(\w+)" checked', text)


def selected(text: str) -> list[str]:
    return re.findall(r'<option value="(\d+)" selected>', text)


def test_every_value_of_a_repeated_filter_is_chosen(client, city):
    text = client.get("/?status=done&status=verified&category=litter&category=dumping").text
    assert sorted(checked(text)) == [
        ("category", "dumping"),
        ("category", "litter"),
        ("status", "done"),
        ("status", "verified"),
    ]
    assert "Done, says the city, Verified by neighbours" in text


@pytest.mark.parametrize(
    "wrong",
    [
        "status=bogus",
        "category=bogus",
        "kind=bogus",
        "from=2026-13-45",
        "area=999999",
        "area=z",
        "block_watch=-1",
        "block_watch=999999",
        "from=2026-02-01&to=2026-01-01",
    ],
)
def test_a_filter_that_means_nothing_is_told_and_left_out(client, city, wrong):
    answer = client.get(f"/?{wrong}&status=open&zoom=12")
    assert answer.status_code == 200
    assert f"which is left out: {wrong.replace('&', ', ')}</p>" in answer.text
    assert checked(answer.text) == [("status", "open")]
    assert selected(answer.text) == []
    assert 'href="/list?status=open&amp;zoom=12"' in answer.text


def test_a_good_address_is_told_nothing(client, city):
    for question in ("", "?status=&from=&area=", f"?area={city.eastside}&from=2026-01-01"):
        assert "data-left-out" not in client.get(f"/{question}").text


def test_what_stands_in_the_address_is_written_as_text(client, city):
    text = client.get("/?status=<script>alert(1)</script>").text
    assert "<script>alert" not in text
    assert "status=&lt;script&gt;" in text


def test_an_area_that_the_form_does_not_offer_is_kept(client, city, engine):
    shape = box(WEST, SOUTH, EAST, NORTH)
    tract = {"layer": AreaLayer.TRACT, "code": "29095001", "name": "", "geom": shape}
    with Session(engine) as session:
        id = session.scalar(insert(Area).values(**tract).returning(Area.id))
        session.commit()
    text = client.get(f"/?area={id}").text
    assert selected(text) == [str(id)]
    assert "29095001" in text
