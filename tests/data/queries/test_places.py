import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from data.models import (
    Address,
    AddressRange,
    Area,
    AreaLayer,
    Corner,
    Ground,
    GroundType,
    LocationType,
    Report,
    ServiceLocation,
    Street,
    StreetName,
    VacantLot,
)
from data.queries.gazetteer import rebuild
from data.queries.places import Exactness, Place, PlaceKind, nearest, search
from tests.places import EAST, NORTH, OUTSIDE, SOUTH, WEST, box, found_city

NORTON, TERRACE = -94.561, -94.565
"""Longitudes of two avenues; the first has a centreline."""

E_34TH = 39.012
"""Latitude of a street with a centreline."""

METRES = 1 / 111_000
"""In degrees of latitude."""


def point(lon: float, lat: float) -> str:
    return f"SRID=4326;POINT({lon} {lat})"


def put_addresses(session: Session, street: str, places: dict[int, tuple[float, float]], **more):
    session.execute(
        insert(Address),
        [
            {
                "number": number,
                "street": street,
                "geom": point(*place),
                "source": "city",
                "external_id": f"{number} {street} {more.get('postal_code', '')}",
            }
            | more
            for number, place in places.items()
        ],
    )


def request(session: Session, address: str, place: tuple[float, float], source: str = "kcmo_311"):
    session.execute(
        insert(Report).values(
            kind="cleanup",
            category_code="dumping",
            exact_geom=point(*place),
            address=address,
            occurred_at=func.now(),
            source=source,
        )
    )


def locate(session: Session, name: str, type_: LocationType, **more) -> int:
    return session.execute(
        insert(ServiceLocation)
        .values(name=name, type=type_, geom=point(-94.57, 39.02), **more)
        .returning(ServiceLocation.id)
    ).scalar_one()


def along_norton(first: int, last: int, step: int = 10) -> dict[int, tuple[float, float]]:
    """Numbers rise to the south by 100 from the corner of E 34th St, 2 m a number."""
    return {
        number: (NORTON + (1 if number % 2 else -1) * 12 * METRES, latitude_at(number))
        for even in range(first, last, step)
        for number in (even, even + 1)
    }


def latitude_at(number: int) -> float:
    return E_34TH - (number - 3400) * 2 * METRES


@pytest.fixture
def city(session: Session) -> Session:
    found_city(session)
    put_addresses(session, "Norton Ave", along_norton(3410, 3700))
    put_addresses(session, "NORTON TERR", {3415: (-94.562, 39.0118)})
    locate(session, "Plaza Branch", LocationType.LIBRARY, address="410 E 34th St")
    session.execute(
        insert(Ground).values(
            type=GroundType.PARK, name="Norton Park", geom=box(-94.57, 39.03, -94.569, 39.031)
        )
    )
    rebuild(session)
    return session


def first(session: Session, asked: str) -> Place:
    return search(session, asked)[0]


@pytest.mark.parametrize(
    "asked",
    [
        "3420 Norton Ave",
        "3420 NORTON AVENUE",
        "3420 norton",
        "3420 nroton av.",
        "3420 Nortn Ave, Testville 64128",
        "3420 nortonn ave apt 3",
        "3420 Norton Aveneu",
        "avenida norton 3420",
    ],
)
def test_an_address_is_found_however_it_is_written(city, asked):
    found = first(city, asked)
    assert (found.label, found.kind) == ("3420 Norton Ave", PlaceKind.ADDRESS)
    assert found.exactness is Exactness.EXACT
    assert (found.lon, found.lat) == pytest.approx((NORTON - 12 * METRES, latitude_at(3420)))


def test_the_type_of_a_street_tells_two_streets_of_one_name_apart(city):
    assert first(city, "3415 norton terrace").label == "3415 Norton Ter"
    assert first(city, "3411 norton ave").label == "3411 Norton Ave"


def test_a_number_that_is_not_known_is_placed_between_its_neighbours(city):
    found = first(city, "3455 norton ave")
    assert (found.label, found.exactness) == ("3455 Norton Ave", Exactness.INTERPOLATED)
    assert found.lat == pytest.approx(latitude_at(3455), abs=15 * METRES)
    assert found.lon == pytest.approx(NORTON, abs=15 * METRES)


def test_a_number_the_street_does_not_have_gives_the_street(city):
    found = first(city, "9900 norton ave")
    assert (found.label, found.kind) == ("Norton Ave", PlaceKind.STREET)
    assert found.exactness is Exactness.MIDDLE


def test_a_wrong_geocode_does_not_bend_the_street(city):
    put_addresses(city, "Norton Ave", {3452: (WEST + 0.001, NORTH - 0.001)})
    rebuild(city)
    assert first(city, "3456 norton ave").lat == pytest.approx(latitude_at(3456), abs=30 * METRES)


def test_the_same_address_in_two_postal_areas_is_offered_with_both(city):
    put_addresses(city, "Oak St", {100: (-94.55, 39.01)}, postal_code="64101")
    put_addresses(city, "Oak St", {100: (-94.59, 39.03)}, postal_code="64102")
    rebuild(city)
    assert {place.label for place in search(city, "100 oak")} == {
        "100 Oak St, 64101",
        "100 Oak St, 64102",
    }
    assert first(city, "100 oak 64102").label == "100 Oak St, 64102"
    assert first(city, "100 oak 64101").label == "100 Oak St, 64101"


@pytest.mark.parametrize(
    "asked", ["Norton & 34th", "norton and e 34 st", "NORTON/34TH", "norton y 34", "nortn @ 34th"]
)
def test_a_corner_is_found_where_the_centrelines_cross(city, asked):
    found = first(city, asked)
    assert (found.label, found.kind) == ("Norton Ave & E 34th St", PlaceKind.CORNER)
    assert found.exactness is Exactness.EXACT
    assert (found.lon, found.lat) == pytest.approx((NORTON, E_34TH), abs=METRES)


def test_a_corner_is_named_in_the_order_asked(city):
    assert first(city, "34th and norton").label == "E 34th St & Norton Ave"


def test_a_corner_of_east_and_west_is_one_place(city):
    for name, ends in (
        ("E 35th St", "-94.57 39.02, -94.55 39.02"),
        ("W 35th St", "-94.59 39.02, -94.57 39.02"),
    ):
        city.execute(insert(Street).values(name=name, rank=3, geom=f"SRID=4326;LINESTRING({ends})"))
    city.execute(
        insert(Street).values(
            name="Main St", rank=2, geom="SRID=4326;LINESTRING(-94.57 39.03, -94.57 39.01)"
        )
    )
    rebuild(city)
    assert [place.kind for place in search(city, "35th & main")] == [PlaceKind.CORNER]


def test_streets_that_do_not_meet_are_offered_alone(city):
    put_addresses(city, "Far St", {100: (-94.59, 39.03), 198: (-94.59, 39.031)})
    rebuild(city)
    found = search(city, "norton & far")
    assert {place.label for place in found} >= {"Norton Ave", "Far St"}
    assert {place.kind for place in found} <= {PlaceKind.STREET, PlaceKind.LANDMARK}


def crossing_streets(session: Session) -> None:
    """Two streets that only addresses draw; they cross at -94.57, 39.02."""
    put_addresses(
        session,
        "Oak St",
        {n: (-94.57, 39.02 - (n - 3600) * 2 * METRES) for n in range(3410, 3800, 10)},
    )
    put_addresses(
        session,
        "E 36th St",
        {n: (-94.57 + (n - 700) * 2 * METRES, 39.02) for n in range(510, 900, 10)},
    )


def test_where_no_map_has_centrelines_the_addresses_tell_the_corner(city):
    crossing_streets(city)
    rebuild(city)
    found = first(city, "36th & oak")
    assert (found.label, found.exactness) == ("E 36th St & Oak St", Exactness.INTERPOLATED)
    assert (found.lon, found.lat) == pytest.approx((-94.57, 39.02), abs=20 * METRES)


def test_a_corner_told_by_addresses_is_put_where_census_blocks_meet(city):
    crossing_streets(city)
    corner = (-94.5701, 39.0201)
    for name, shape in {
        "nw": box(-94.58, corner[1], corner[0], 39.03),
        "ne": box(corner[0], corner[1], -94.56, 39.03),
        "se": box(corner[0], 39.01, -94.56, corner[1]),
    }.items():
        city.execute(insert(Area).values(layer=AreaLayer.BLOCK, code=name, name=name, geom=shape))
    rebuild(city)
    found = first(city, "36th & oak")
    assert found.exactness is Exactness.EXACT
    assert (found.lon, found.lat) == pytest.approx(corner)


def test_of_places_that_fit_alike_the_nearer_comes_first(city):
    put_addresses(city, "E Elm St", {100: (-94.55, 39.01)})
    put_addresses(city, "W Elm St", {100: (-94.59, 39.03)})
    rebuild(city)
    assert search(city, "100 elm", near=(-94.55, 39.01))[0].label == "100 E Elm St"
    assert search(city, "100 elm", near=(-94.59, 39.03))[0].label == "100 W Elm St"


def test_of_streets_that_fit_alike_the_longer_comes_first(city):
    for name, count in (("W Elm St", 3), ("E Elm St", 5), ("N Elm St", 4)):
        put_addresses(city, name, {100 + 2 * n: (-94.55, 39.01 + n / 1e4) for n in range(count)})
    rebuild(city)
    assert [place.label for place in search(city, "elm st")] == ["E Elm St", "N Elm St", "W Elm St"]
    assert [place.label for place in search(city, "102 elm")] == [
        "102 E Elm St",
        "102 N Elm St",
        "102 W Elm St",
    ]


def test_a_street_alone_is_shown_at_its_point_nearest_to_the_viewer(city):
    found = search(city, "norton ave", near=(NORTON + 0.01, 39.03))[0]
    assert (found.label, found.kind) == ("Norton Ave", PlaceKind.STREET)
    assert found.lat == pytest.approx(39.03, abs=5 * METRES)


def test_a_street_is_found_while_it_is_being_typed(city):
    assert first(city, "3420 nor").label == "3420 Norton Ave"


@pytest.mark.parametrize(
    "asked", ["plaza branch", "Plaza library", "biblioteca plaza", "plazza branch"]
)
def test_a_service_location_is_found_by_its_name_and_by_what_it_is(city, asked):
    found = first(city, asked)
    assert (found.label, found.kind) == ("Plaza Branch", PlaceKind.LANDMARK)


def test_neighbourhoods_and_parks_are_found_by_name(city):
    assert first(city, "westside").kind is PlaceKind.NEIGHBOURHOOD
    park = first(city, "norton park")
    assert (park.label, park.kind) == ("Norton Park", PlaceKind.LANDMARK)


def test_a_confidential_location_is_not_found(city):
    locate(city, "Quiet House", LocationType.FOOD_SHELTER, confidential=True, address="9 Quiet Ln")
    rebuild(city)
    assert search(city, "quiet house") == []
    assert search(city, "9 quiet ln") == []


def test_a_location_made_confidential_is_no_longer_found(city):
    location = locate(city, "Quiet House", LocationType.FOOD_SHELTER)
    assert first(city, "quiet house").label == "Quiet House"
    city.execute(
        update(ServiceLocation).where(ServiceLocation.id == location).values(confidential=True)
    )
    assert search(city, "quiet house") == []


def test_nothing_outside_the_served_area_is_found(city):
    put_addresses(city, "Border Rd", {100: OUTSIDE, 198: (OUTSIDE[0], OUTSIDE[1] + 0.001)})
    rebuild(city)
    assert search(city, "100 border rd") == []
    assert search(city, "150 border rd") == []
    assert search(city, "border rd") == []
    assert nearest(city, *OUTSIDE) is None


@pytest.mark.parametrize(
    "asked", ["", " ", "&", "xyzzy", "12", "\x00", "'; DROP TABLE address; --"]
)
def test_what_names_nothing_finds_nothing(city, asked):
    assert search(city, asked) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=40))
def test_no_text_makes_the_search_fail(city, asked):
    assert all(0 <= place.score <= 1 for place in search(city, asked))


def test_no_more_places_are_given_than_asked_for(city):
    assert len(search(city, "norton", limit=2)) == 2


def test_new_addresses_are_found_after_the_next_build(city):
    assert search(city, "7 brand new way") == []
    put_addresses(city, "Brand New Way", {7: (-94.58, 39.01)})
    rebuild(city)
    assert first(city, "7 brand new way").label == "7 Brand New Way"


def test_an_empty_store_builds_an_empty_gazetteer(session):
    assert rebuild(session).streets == 0
    assert search(session, "3420 norton ave") == []
    assert nearest(session, NORTON, E_34TH) is None


def test_building_again_changes_nothing(city):
    def state() -> list[object]:
        return [
            city.execute(query).all()
            for query in (
                select(StreetName.id, StreetName.label, StreetName.addresses).order_by(
                    StreetName.id
                ),
                select(Address.number, Address.street_name_id, Address.source).order_by(
                    Address.source, Address.external_id
                ),
                select(AddressRange.street_name_id, AddressRange.low, AddressRange.high).order_by(
                    AddressRange.street_name_id, AddressRange.low
                ),
                select(Corner.first_id, Corner.second_id, Corner.surveyed),
            )
        ]

    before = state()
    rebuild(city)
    assert state() == before


def test_a_street_that_is_gone_is_forgotten(city):
    city.execute(text("DELETE FROM address WHERE street = 'NORTON TERR'"))
    rebuild(city)
    assert "Norton Ter" not in {place.label for place in search(city, "norton ter")}


def test_vacant_lots_and_service_locations_bring_their_addresses(city):
    city.execute(
        insert(VacantLot).values(
            parcel_number="K1", address="  735   N PROSPECT AVE", geom=point(-94.58, 39.03)
        )
    )
    rebuild(city)
    assert first(city, "735 n prospect").exactness is Exactness.EXACT
    assert first(city, "410 e 34th").exactness is Exactness.EXACT


def test_a_street_written_without_its_type_is_the_street_that_has_one(city):
    put_addresses(city, "NORTON", {3801: (NORTON, latitude_at(3801))})
    rebuild(city)
    assert first(city, "3801 norton").label == "3801 Norton Ave"


def test_a_centreline_with_a_type_that_nobody_writes_is_the_same_street(city):
    line = "SRID=4326;LINESTRING(-94.55 39, -94.55 39.04)"
    city.execute(insert(Street).values(name="The Paseo Blvd", rank=1, geom=line))
    put_addresses(city, "Paseo", {n: (-94.55, latitude_at(n)) for n in range(3410, 3500, 10)})
    rebuild(city)
    assert first(city, "paseo & 34th").label == "Paseo & E 34th St"
    assert first(city, "3420 paseo blvd").label == "3420 Paseo"


def requests_on_flora(session: Session, numbers: list[int]) -> None:
    for number in numbers:
        request(session, f"{number} FLORA AVE", (-94.58, 39.03 - (number - 3000) * 2 * METRES))


def test_requests_shape_the_numbering_of_a_street_but_never_tell_where_they_were(city):
    requests_on_flora(city, [3014, 3071, 3105, 3152])
    rebuild(city)
    asked_about, never_asked_about = first(city, "3071 flora"), first(city, "3081 flora")
    assert asked_about.exactness is never_asked_about.exactness is Exactness.INTERPOLATED
    assert asked_about.score == never_asked_about.score
    assert never_asked_about.lat == pytest.approx(39.03 - 81 * 2 * METRES, abs=20 * METRES)
    assert not city.scalars(select(Address.id).where(Address.street.ilike("%flora%"))).all()


def test_a_street_that_a_single_request_names_stays_unknown(city):
    request(city, "12 SECRET LN", (-94.58, 39.03))
    rebuild(city)
    assert search(city, "12 secret ln") == []
    assert search(city, "secret ln") == []


def test_what_people_write_with_their_own_report_is_no_source_of_addresses(city):
    for number in (3, 5, 7, 98):
        request(city, f"{number} Grudge Ct", (-94.58, 39.03), source="porchlight")
    rebuild(city)
    assert search(city, "5 grudge ct") == []


def test_a_place_pointed_at_is_named_by_the_house_there(city):
    found = nearest(city, NORTON - 15 * METRES, latitude_at(3620))
    assert found is not None
    assert (found.label, found.kind) == ("3620 Norton Ave", PlaceKind.ADDRESS)
    assert found.exactness is Exactness.EXACT


def test_a_place_on_a_corner_is_named_by_the_corner(city):
    found = nearest(city, NORTON + 5 * METRES, E_34TH + 5 * METRES)
    assert found is not None
    assert (found.label, found.kind) == ("Norton Ave & E 34th St", PlaceKind.CORNER)


def test_a_place_between_known_houses_is_named_by_the_run_of_the_numbers(city):
    requests_on_flora(city, [3014, 3071, 3105, 3152])
    rebuild(city)
    found = nearest(city, -94.58, 39.03 - 81 * 2 * METRES)
    assert found is not None
    assert found.exactness is Exactness.INTERPOLATED
    number, street = found.label.split(" ", 1)
    assert street == "Flora Ave"
    assert int(number) == pytest.approx(3081, abs=10)


def test_a_place_far_from_everything_has_no_name(city):
    assert nearest(city, WEST + 0.001, SOUTH + 0.001) is None
    assert nearest(city, EAST - 0.001, NORTH - 0.001) is None
