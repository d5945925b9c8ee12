"""A map as one file: what stands in it, and what must not."""

import json
import re

import pytest
from sqlalchemy import func, insert
from sqlalchemy.orm import Session

from data.models import ImportRun, PoliceIncident, Report, ServiceLocation, StreetLight
from data.queries.imports import SAMPLE
from server.pages import snapshot
from tests.places import IN_EASTSIDE, IN_WESTSIDE, found_city

LAYERS = (
    "reports,street_lights,block_watches,service_locations,neighbourhoods,council_districts,"
    "transit_stops,vacant_lots,police_incidents"
)


def point(place) -> str:
    return f"SRID=4326;POINT({place[0]} {place[1]})"


@pytest.fixture
def store(engine):
    def stored(table, **values) -> int:
        with Session(engine) as session:
            id = session.scalar(insert(table).values(**values).returning(table.id))
            session.commit()
            return id

    with Session(engine) as session:
        stored.city = found_city(session)
        session.commit()
    return stored


def report(store, place=IN_EASTSIDE, **values) -> int:
    values = {
        "kind": "cleanup", "category_code": "dumping", "exact_geom": point(place),
        "public_geom": point(place), "occurred_at": func.now(),
    } | values  # fmt: skip
    return store(Report, **values)


def blocks(client, **question) -> dict[str, dict]:
    """The data in the file, by layer."""
    answer = client.get("/snapshot", params=question)
    assert answer.status_code == 200, answer.text
    pattern = r'<script type="application/json" id="snapshot-(\w+)">(.*?)</script>'
    return {name: json.loads(text) for name, text in re.findall(pattern, answer.text, re.DOTALL)}


def ids(found: dict) -> set[int]:
    return {feature["id"] for feature in found["features"]}


def test_the_file_says_what_it_was_made_with(client, store, engine):
    report(store, status="done")
    whole = client.get("/snapshot").text
    assert "only these" not in whole
    assert "sample city" not in whole
    with Session(engine) as session:
        session.execute(insert(ImportRun).values(source=SAMPLE, file_name="", sha256=b""))
        session.commit()
    asked = f"status=done&status=verified&kind=cleanup&block_watch={store.city.block_watch}"
    some = client.get(f"/snapshot?{asked}&from=2026-01-01").text
    assert "This is a sample city" in some
    assert (
        "Of the reports it has only these: Kind of report: Cleanup; Status: Done, says the city, "
        "Verified by neighbours; Reported from: Jan 1, 2026; Block watch: Norton Watch."
    ) in some


def test_the_file_lists_what_its_map_shows(client, store):
    id = report(store)
    text = client.get("/snapshot").text
    assert "<h2>Reports (1)</h2>" in text
    assert f'<li data-feature="reports/{id}"' in text
    assert "<strong>Illegal dumping</strong> · Status: Received" in text


def test_the_file_is_handed_out_to_be_saved(client, store):
    answer = client.get("/snapshot")
    assert re.fullmatch(
        r'attachment; filename="porchlight-\d{4}-\d\d-\d\d\.html"',
        answer.headers["content-disposition"],
    )
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Porchlight Kansas City</title>" in answer.text


def test_it_holds_what_the_map_shows_with_its_popups(client, store):
    id = report(store, status="confirmed", address="3400 Norton Ave")
    light = store(StreetLight, pole_id="K7", status="out", geom=point(IN_EASTSIDE))
    found = blocks(client, layers=LAYERS)
    (shown,) = found["reports"]["features"]
    facts = {fact["label"]: fact["value"] for fact in shown["properties"].pop("facts")}
    assert shown == {
        "id": id,
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": list(IN_EASTSIDE)},
        "properties": {
            "kind": "cleanup",
            "category": "dumping",
            "status": "confirmed",
            "title": "Illegal dumping",
        },
    }
    assert facts["Place"] == "3400 Norton Ave"
    (pole,) = found["street_lights"]["features"]
    assert (pole["id"], pole["properties"]["status"]) == (light, "out")
    assert ids(found["neighbourhoods"]) == {store.city.westside, store.city.eastside}
    assert found["council_districts"]["features"][0]["properties"]["name"] == "District 3"


def test_the_base_map_is_inside(client, store):
    base = blocks(client)["base"]
    assert len(base["city"]["features"]) == 1
    assert {f["properties"]["name"] for f in base["street"]["features"]} == {
        "Norton Ave", "E 34th St"
    }  # fmt: skip
    assert {f["properties"]["type"] for f in base["label"]["features"]} == {
        "city", "neighbourhood"
    }  # fmt: skip


def test_nothing_that_is_not_public_is_inside(client, store):
    report(store, status="held")
    report(store, public_geom=None)
    masked = report(
        store, category_code="overgrowth", home_address="3412 Norton Ave", description="a neighbour",
        exact_geom="SRID=4326;POINT(-94.558765 39.023456)",
    )  # fmt: skip
    store(
        ServiceLocation, name="Shelter", type="food_shelter", geom=point(IN_EASTSIDE),
        confidential=True,
    )  # fmt: skip
    store(
        PoliceIncident, offense="Secret", offense_group="sensitive", sensitive=True,
        occurred_at=func.now(), exact_geom=point(IN_EASTSIDE),
    )  # fmt: skip
    found = blocks(client, layers=LAYERS)
    assert ids(found["reports"]) == {masked}
    whole = json.dumps(found)
    for hidden in ("94.558765", "39.023456", "3412", "a neighbour", "Shelter", "Secret"):
        assert hidden not in whole


def test_it_shows_the_view_the_layers_and_the_filters_of_the_map(client, store):
    east, west = report(store), report(store, IN_WESTSIDE)
    light = report(store, kind="lighting", category_code="light_out")
    x, y = IN_WESTSIDE
    around = f"{x - 0.005},{y - 0.005},{x + 0.005},{y + 0.005}"
    assert ids(blocks(client)["reports"]) == {east, west, light}
    assert ids(blocks(client, bbox=around)["reports"]) == {west}
    assert ids(blocks(client, kind="lighting")["reports"]) == {light}
    assert ids(blocks(client, area=store.city.westside)["reports"]) == {west}
    assert set(blocks(client, layers="street_lights,reports")) == {
        "street_lights", "reports", "base"
    }  # fmt: skip


def test_what_does_not_fit_is_left_out_and_said(client, store, monkeypatch):
    monkeypatch.setattr(snapshot, "MOST_FEATURES", 2)
    for pole in range(2):
        store(StreetLight, pole_id=f"K{pole}", geom=point(IN_EASTSIDE))
    oldest, *newest = [
        report(store, occurred_at=at, reported_at=at)
        for at in ("2026-01-01T00:00Z", "2026-01-02T00:00Z", "2026-01-03T00:00Z")
    ]
    answer = client.get("/snapshot", params={"layers": "reports,street_lights"})
    assert "only 2 are in it of: Reports." in answer.text
    assert ids(blocks(client)["reports"]) == set(newest)
    assert oldest not in newest


@pytest.mark.parametrize("question", ["layers=nothing", "bbox=1,2", "kind=x", "layers=base"])
def test_a_question_that_means_nothing_is_explained(client, store, question):
    assert client.get(f"/snapshot?{question}").status_code == 422


def test_without_a_city_there_is_nothing_to_show(client):
    answer = client.get("/snapshot")
    assert answer.status_code == 404
    assert answer.json()["title"] == "Nothing to show yet"


def test_who_has_to_wait_too_long_is_told_when_to_come_again(client, store, monkeypatch):
    monkeypatch.setattr(snapshot, "_PATIENCE_S", 0.01)
    with snapshot._MAKING:
        answer = client.get("/snapshot")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert client.get("/snapshot").status_code == 200
