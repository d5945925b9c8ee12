import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from data.models import Address
from data.queries.gazetteer import rebuild
from server.schemas.problems import MEDIA_TYPE
from tests.places import OUTSIDE, found_city

AT_HOME = {"lon": -94.5612, "lat": 39.0125}


@pytest.fixture
def city(engine: Engine) -> None:
    with Session(engine) as session:
        found_city(session)
        session.execute(
            insert(Address),
            [
                {
                    "number": number,
                    "street": street,
                    "geom": f"SRID=4326;POINT({lon} {lat})",
                    "source": "city",
                    "external_id": f"{number} {street}",
                }
                for number, street, lon, lat in (
                    (3320, "Norton Ave", AT_HOME["lon"], AT_HOME["lat"]),
                    (100, "E Elm St", -94.55, 39.01),
                    (100, "W Elm St", -94.59, 39.03),
                    (9, "Border Rd", *OUTSIDE),
                )
            ],
        )
        rebuild(session)
        session.commit()


@pytest.fixture
def places(city: None, client: TestClient) -> TestClient:
    return client


def labels(client: TestClient, **asked) -> list[str]:
    answer = client.get("/api/places", params=asked)
    assert answer.status_code == 200
    return [place["label"] for place in answer.json()["places"]]


def test_an_address_comes_with_its_position_and_how_sure_it_is(places):
    answer = places.get("/api/places", params={"q": "3320 nroton avenue"})
    assert answer.json()["places"][0] == {
        "label": "3320 Norton Ave",
        "kind": "address",
        "score": pytest.approx(0.86, abs=0.05),
        "exact": True,
        **AT_HOME,
    }


def test_a_corner_is_found_by_its_two_streets(places):
    assert labels(places, q="34th & norton")[0] == "E 34th St & Norton Ave"


def test_nothing_found_is_an_empty_list_and_no_error(places):
    assert labels(places, q="xyzzy") == []


def test_nothing_outside_the_served_area_is_found(places):
    assert labels(places, q="9 border rd") == []


def test_the_nearer_of_two_comes_first(places):
    assert labels(places, q="100 elm", lat=39.01, lon=-94.55)[0] == "100 E Elm St"
    assert labels(places, q="100 elm", lat=39.03, lon=-94.59)[0] == "100 W Elm St"


def test_no_more_are_given_than_asked_for(places):
    assert len(labels(places, q="elm", limit=1)) == 1


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"q": ""},
        {"q": "x" * 201},
        {"q": "elm", "limit": 0},
        {"q": "elm", "limit": 21},
        {"q": "elm", "lat": 39},
        {"q": "elm", "lon": -94},
        {"q": "elm", "lat": "nan", "lon": -94},
        {"q": "elm", "lat": 95, "lon": -94},
    ],
)
def test_what_cannot_be_asked_is_answered_with_problem_details(places, asked):
    answer = places.get("/api/places", params=asked)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["status"] == 422


def test_a_place_pointed_at_gets_its_name(places):
    answer = places.get("/api/places/nearest", params=AT_HOME)
    assert answer.json()["place"]["label"] == "3320 Norton Ave"


@pytest.mark.parametrize("position", [{"lat": 39.001, "lon": -94.599}, {"lat": 51, "lon": 0}])
def test_a_place_that_has_no_name_is_null(places, position):
    answer = places.get("/api/places/nearest", params=position)
    assert (answer.status_code, answer.json()) == (200, {"place": None})


def test_a_position_that_is_none_is_answered_with_problem_details(places):
    answer = places.get("/api/places/nearest", params={"lat": "here", "lon": 0})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == MEDIA_TYPE
