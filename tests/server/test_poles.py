"""Street lights that are named in a report, and how many one report marks."""

import pytest
from shapely import LineString, Point, box
from sqlalchemy import insert

from data.models import StreetLight
from geo.categories import BY_CODE, CATEGORIES
from geo.kinds import Kind
from server.faults import Refused
from server.languages import language
from server.poles import (
    MOST_MARKED,
    Pole,
    marked_fault,
    marked_faults,
    names_a_pole,
    picked_light,
)
from tests.places import IN_EASTSIDE, found_city

ENGLISH = language("en")
OUT = BY_CODE["light_out"]
X, Y = IN_EASTSIDE


@pytest.fixture
def lights(session):
    """Two lights by their numbers, 60 m apart."""
    found_city(session)
    return {
        pole: session.scalar(
            insert(StreetLight)
            .values(pole_id=pole, geom=f"SRID=4326;POINT({x} {Y})")
            .returning(StreetLight.id)
        )
        for pole, x in (("K1", X), ("K2", X + 0.0007))
    }


def code_of(refused):
    (fault,) = refused.value.faults
    assert fault.field == "street_light"
    return fault.code


def test_a_light_is_named_by_its_id_by_its_number_or_by_both(session, lights):
    for pole in (Pole(lights["K2"]), Pole(number="K2"), Pole(lights["K2"], "K2")):
        assert picked_light(session, pole, OUT, None, ENGLISH).id == lights["K2"]


@pytest.mark.parametrize("number", ["K3", "k1", ""])
def test_a_number_that_stands_on_no_pole_is_told(session, lights, number):
    with pytest.raises(Refused) as refused:
        picked_light(session, Pole(number=number), OUT, None, ENGLISH)
    assert code_of(refused) == "no_such_light"


def test_an_id_and_a_number_of_two_lights_are_told(session, lights):
    with pytest.raises(Refused) as refused:
        picked_light(session, Pole(lights["K1"], "K2"), OUT, None, ENGLISH)
    assert code_of(refused) == "no_such_light"


def test_a_light_is_as_near_as_whoever_names_it_must_know_it(session, lights):
    place = Point(X, Y)
    assert picked_light(session, Pole(lights["K2"]), OUT, place, ENGLISH).pole == "K2"
    with pytest.raises(Refused) as refused:
        picked_light(session, Pole(lights["K2"], within_m=50), OUT, place, ENGLISH)
    assert code_of(refused) == "far_away"


def test_one_light_is_named_by_reports_of_one_light_alone(session, lights):
    assert {
        one.code for one in CATEGORIES if one.kind is Kind.LIGHTING and not names_a_pole(one)
    } == {
        "block_dark",
        "light_needed",
    }
    for category in ("block_dark", "light_needed", "dumping"):
        with pytest.raises(Refused) as refused:
            picked_light(session, Pole(lights["K1"]), BY_CODE[category], None, ENGLISH)
        assert code_of(refused) == "not_about_one_light"


def test_one_report_marks_so_many_lights_and_no_more():
    assert marked_fault(MOST_MARKED, ENGLISH) is None
    assert marked_fault(MOST_MARKED + 1, ENGLISH).code == "too_many_lights"


def test_lights_are_counted_along_what_was_drawn_about_lights(session, lights):
    session.execute(
        insert(StreetLight),
        [
            {"pole_id": f"L{n}", "geom": f"SRID=4326;POINT({X + 0.00001 * n} {Y})"}
            for n in range(MOST_MARKED)
        ],
    )
    lot = box(X - 0.001, Y - 0.001, X + 0.002, Y + 0.001)
    (fault,) = marked_faults(session, OUT, lot, ENGLISH)
    assert fault.code == "too_many_lights"
    corner = LineString([(X + 0.0007, Y - 0.0005), (X + 0.0007, Y - 0.0001)])
    for category, place in ((OUT, corner), (OUT, Point(X, Y)), (BY_CODE["dumping"], lot)):
        assert not [*marked_faults(session, category, place, ENGLISH)]
