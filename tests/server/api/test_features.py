"""The facts of a popup."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert
from sqlalchemy.orm import Session

from data.models import (
    PoliceIncident,
    Report,
    ServiceLocation,
    StreetLight,
    Support,
    TransitStop,
    VacantLot,
)
from tests.places import IN_EASTSIDE, found_city

PLACE = f"SRID=4326;POINT({IN_EASTSIDE[0]} {IN_EASTSIDE[1]})"


@pytest.fixture
def store(engine):
    """Stores a row and gives its id."""

    def stored(table, **values) -> int:
        with Session(engine) as session:
            id = session.scalar(insert(table).values(**values).returning(table.id))
            session.commit()
            return id

    with Session(engine) as session:
        stored.city = found_city(session)
        session.commit()
    return stored


def report(store, **values) -> int:
    values = {
        "kind": "cleanup", "category_code": "dumping", "exact_geom": PLACE, "public_geom": PLACE,
        "occurred_at": func.now(), "description": "mattress",
    } | values  # fmt: skip
    return store(Report, **values)


def facts(client, layer: str, id: int, **headers) -> dict[str, str]:
    answer = client.get(f"/api/features/{layer}/{id}", headers=headers)
    assert answer.status_code == 200, answer.text
    return {"title": answer.json()["title"]} | {
        fact["label"]: fact["value"] for fact in answer.json()["facts"]
    }


def test_a_report_leads_to_its_page(client, store, engine):
    id = report(store, status="in_progress", address="3400 Norton Ave")
    with Session(engine) as session:
        session.execute(insert(Support).values(report_id=id, supporter=b"x"))
        session.commit()
    answer = client.get(f"/api/features/reports/{id}")
    assert (answer.json()["layer"], answer.json()["id"]) == ("reports", id)
    assert answer.json()["url"] == f"/reports/{id}"
    found = facts(client, "reports", id)
    assert found.pop("Reported")
    assert found == {
        "title": "Illegal dumping",
        "Status": "In progress",
        "Kind": "Cleanup",
        "Place": "3400 Norton Ave",
        "Neighbourhood": "Eastside",
        "Neighbours affected, too": "1",
    }


def test_a_report_at_a_home_does_not_tell_the_house(client, store):
    id = report(
        store, category_code="overgrowth", home_address="3412 Norton Ave",
        exact_geom="SRID=4326;POINT(-94.5551 39.0201)",
    )  # fmt: skip
    answer = client.get(f"/api/features/reports/{id}")
    assert "3412" not in answer.text
    assert "Norton" not in answer.text
    assert facts(client, "reports", id)["Neighbourhood"] == "Eastside"


def test_what_somebody_wrote_is_not_in_the_popup(client, store):
    assert "mattress" not in client.get(f"/api/features/reports/{report(store)}").text


def test_what_is_held_or_confidential_or_sensitive_is_not_found(client, store):
    hidden = {
        "reports": report(store, status="held"),
        "service_locations": store(
            ServiceLocation, name="Shelter", type="food_shelter", geom=PLACE, confidential=True
        ),
        "police_incidents": store(
            PoliceIncident, offense="Secret", offense_group="sensitive", sensitive=True,
            occurred_at=func.now(), exact_geom=PLACE,
        ),
    }  # fmt: skip
    for layer, id in hidden.items():
        answer = client.get(f"/api/features/{layer}/{id}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Secret" not in answer.text
        assert "Shelter" not in answer.text


def test_a_light_says_how_many_have_reported_it(client, store):
    light = store(StreetLight, pole_id="K7", geom=PLACE)
    store(
        Report, kind="lighting", category_code="light_out", exact_geom=PLACE, public_geom=PLACE,
        occurred_at=datetime(2026, 3, 1, 12, tzinfo=UTC), reported_at=datetime(2026, 3, 2, 12, tzinfo=UTC),
    )  # fmt: skip
    assert facts(client, "street_lights", light) == {
        "title": "Street light K7", "Status": "Reported", "Open reports": "1",
        "Reported": "Mar 2, 2026",
    }  # fmt: skip


def test_each_layer_says_what_it_knows(client, store):
    light = store(StreetLight, pole_id="K7", status="scheduled", geom=PLACE)
    assert facts(client, "street_lights", light) == {
        "title": "Street light K7", "Status": "Repair scheduled"
    }  # fmt: skip
    library = store(
        ServiceLocation, name="Bluford", type="library", geom=PLACE, hours="9-5", phone="816"
    )
    assert facts(client, "service_locations", library) == {
        "title": "Bluford", "Type": "Library", "Hours": "9-5", "Phone": "816"
    }  # fmt: skip
    lot = store(VacantLot, parcel_number="29-1", owner_kind="land bank", geom=PLACE)
    assert facts(client, "vacant_lots", lot) == {
        "title": "Vacant lot", "Owner": "Land bank", "Parcel": "29-1"
    }  # fmt: skip
    stop = store(TransitStop, name="On Troost at 31st", geom=PLACE)
    assert facts(client, "transit_stops", stop)["title"] == "On Troost at 31st"
    city = store.city
    for layer, id, title in (
        ("neighbourhoods", city.eastside, "Eastside"),
        ("council_districts", city.council_district, "District 3"),
        ("block_watches", city.block_watch, "Norton Watch"),
    ):
        assert facts(client, layer, id) == {"title": title, "Open reports": "0"}


def test_the_day_of_an_incident_is_a_day_in_the_city(client, store):
    id = store(
        PoliceIncident, offense="Stealing", offense_group="theft", sensitive=False,
        occurred_at="2018-03-02T03:00:00Z", exact_geom=PLACE, public_geom=PLACE,
    )  # fmt: skip
    found = facts(client, "police_incidents", id)
    assert (found["Day"], found["Group"]) == ("Mar 1, 2018", "Theft")


def test_an_area_leads_to_the_map_of_its_reports_and_a_watch_to_its_page(client, store):
    for layer, id, url in (
        ("neighbourhoods", store.city.westside, f"/?area={store.city.westside}"),
        ("block_watches", store.city.block_watch, f"/watches/{store.city.block_watch}"),
    ):
        assert client.get(f"/api/features/{layer}/{id}").json()["url"] == url


def test_facts_come_in_the_language_asked_for(client, store):
    light = store(StreetLight, pole_id="K7", status="out", geom=PLACE)
    answer = client.get(f"/api/features/street_lights/{light}", headers={"Accept-Language": "es"})
    assert answer.status_code == 200
    assert answer.headers["vary"] == "Accept-Language, Cookie"


@pytest.mark.parametrize("layer", ["base", "nothing", "report_contact", "reports' OR 1=1"])
def test_what_is_no_layer_of_features_is_not_found(client, layer):
    assert client.get(f"/api/features/{layer}/1").status_code == 404


@pytest.mark.parametrize("id", ["0", "-1", "x", "9223372036854775808", "1;select"])
def test_what_is_no_number_is_explained(client, id):
    answer = client.get(f"/api/features/reports/{id}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
