"""What is public of one feature."""

import pytest
from sqlalchemy import func, insert, update

from data.models import (
    Organization,
    PoliceIncident,
    Report,
    Service,
    ServiceAtLocation,
    ServiceLocation,
)
from data.queries import features
from tests.places import IN_THE_WATCH, City, found_city

PLACE = f"SRID=4326;POINT({IN_THE_WATCH[0]} {IN_THE_WATCH[1]})"


@pytest.fixture
def city(session) -> City:
    return found_city(session)


def file_report(session, **values) -> None:
    values = {
        "kind": "cleanup", "category_code": "dumping", "exact_geom": PLACE, "public_geom": PLACE,
        "occurred_at": func.now(),
    } | values  # fmt: skip
    session.execute(insert(Report).values(**values))


def test_areas_and_watches_tell_how_many_reports_are_open(session, city):
    for status in ("received", "in_progress", "done", "held", "declined"):
        file_report(session, status=status)
    for layer, id in (
        ("neighbourhoods", city.eastside),
        ("council_districts", city.council_district),
        ("block_watches", city.block_watch),
    ):
        assert features.one(session, layer, id)["open_reports"] == 2
    assert features.one(session, "neighbourhoods", city.westside)["open_reports"] == 0


def test_an_area_is_found_in_its_own_layer_only(session, city):
    assert features.one(session, "neighbourhoods", city.council_district) is None
    assert features.one(session, "council_districts", city.westside) is None
    assert features.one(session, "neighbourhoods", city.city) is None


def test_a_service_location_tells_what_is_offered_there_now(session, city):
    organization = session.scalar(
        insert(Organization).values(name="Helpers").returning(Organization.id)
    )
    place = session.scalar(
        insert(ServiceLocation)
        .values(name="Hall", type="library", geom=PLACE, organization_id=organization)
        .returning(ServiceLocation.id)
    )
    for name, status in (("Tutoring", "active"), ("Old club", "defunct")):
        service = session.scalar(
            insert(Service)
            .values(organization_id=organization, name=name, status=status)
            .returning(Service.id)
        )
        session.execute(
            insert(ServiceAtLocation).values(service_id=service, service_location_id=place)
        )
    found = features.one(session, "service_locations", place)
    assert (found["organization"], found["services"]) == ("Helpers", "Tutoring")
    session.execute(update(ServiceLocation).values(confidential=True))
    assert features.one(session, "service_locations", place) is None


def test_a_police_incident_without_a_public_position_is_not_found(session, city):
    values = {"offense": "Stealing", "offense_group": "theft", "occurred_at": func.now()}
    ids = [
        session.scalar(
            insert(PoliceIncident)
            .values(**values, exact_geom=PLACE, public_geom=public, sensitive=public is None)
            .returning(PoliceIncident.id)
        )
        for public in (PLACE, None)
    ]
    found = [features.one(session, "police_incidents", id) for id in ids]
    assert found[0]["offense"] == "Stealing"
    assert found[1] is None


@pytest.mark.parametrize("layer", features.LAYERS)
def test_no_exact_position_and_no_provenance_is_given(session, layer):
    _, columns = features._PUBLIC[layer]
    names = set(columns.selected_columns.keys())
    assert not names & {"exact_geom", "geom", "source", "external_id", "fingerprint", "sensitive"}
    assert features.one(session, layer, 2**63 - 1) is None
