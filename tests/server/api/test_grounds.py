"""The outlines of what a filter keeps to."""

import pytest
from sqlalchemy.orm import Session

from tests.places import EAST, MIDDLE, NORTH, SOUTH, found_city


@pytest.fixture
def city(engine):
    with Session(engine) as session:
        made = found_city(session)
        session.commit()
    return made


def test_an_area_and_a_block_watch_tell_how_far_they_reach(client, city):
    area = client.get(f"/api/areas/{city.eastside}").json()
    assert area["properties"] == {"name": "Eastside"}
    assert area["bbox"] == [MIDDLE, SOUTH, EAST, NORTH]
    assert area["geometry"]["type"] == "MultiPolygon"
    watch = client.get(f"/api/block_watches/{city.block_watch}").json()
    assert watch["properties"] == {"name": "Norton Watch"}
    assert watch["bbox"] == [-94.565, 39.01, -94.557, 39.014]


def test_what_is_not_filtered_by_has_no_outline_here(client, city):
    for path in (f"areas/{city.city}", "areas/999999", "block_watches/999999"):
        answer = client.get(f"/api/{path}")
        assert answer.status_code == 404, path
        assert answer.json()["detail"]
    assert client.get("/api/areas/none").status_code == 422
