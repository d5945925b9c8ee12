"""What the vector tiles of each layer show, and what they never show."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from data.models import (
    Area,
    AreaLayer,
    Ground,
    PoliceIncident,
    Report,
    ServiceLocation,
    Street,
    StreetLight,
    TransitStop,
    VacantLot,
)
from data.queries import tallies, tiles
from data.queries.filters import ReportFilter, public_reports
from geo.categories import BY_CODE
from geo.kinds import Kind
from geo.statuses import OPEN, PUBLIC, Status
from geo.tiles import Tile, box, corner
from tests.mvt import Feature, decode
from tests.places import (
    EAST,
    IN_EASTSIDE,
    IN_THE_WATCH,
    IN_WESTSIDE,
    NORTH,
    SOUTH,
    WEST,
    City,
    found_city,
)

ZONE = ZoneInfo("America/Chicago")
ALL = ReportFilter(ZONE)
NOW = datetime(2026, 6, 1, 18, tzinfo=UTC)
ZOOMS = (0, 6, 9, 10, 11, 13, 14, 16, 18)


@pytest.fixture
def city(session: Session) -> City:
    return found_city(session)


def tile_at(z: int, longitude: float, latitude: float) -> Tile:
    """The tile that holds a place, found by search among the tiles' own boxes."""
    x = y = 0
    for zoom in range(1, z + 1):
        x, y = 2 * x, 2 * y
        west, north = corner(zoom, x + 1, y + 1)
        x, y = x + (longitude >= west), y + (latitude <= north)
    return Tile(z, x, y)


def city_tiles(z: int) -> list[Tile]:
    first, last = tile_at(z, WEST, NORTH), tile_at(z, EAST, SOUTH)
    return [Tile(z, x, y) for x in range(first.x, last.x + 1) for y in range(first.y, last.y + 1)]


def draw(session: Session, layer: str, tile: Tile, chosen: ReportFilter = ALL):
    drawn = tiles.draw(session.connection(), layer, tile, chosen)
    return decode(drawn.mvt)


def features(session: Session, layer: str, z: int, chosen: ReportFilter = ALL) -> list[Feature]:
    """The features of a layer over the whole city, leaving out what stands in margins."""
    found = []
    for tile in city_tiles(z):
        for name, several in draw(session, layer, tile, chosen).items():
            assert name in {layer, "cells"}
            found += [f for f in several if f.type != "point" or owned(f)]
    return found


def owned(feature: Feature) -> bool:
    ((x, y),) = feature.paths[0]
    return 0 <= x < 4096 and 0 <= y < 4096


def point(longitude: float, latitude: float) -> str:
    return f"SRID=4326;POINT({longitude} {latitude})"


def file_report(session: Session, place=IN_WESTSIDE, **values) -> int:
    shape = place if isinstance(place, str) else point(*place)
    values = {
        "kind": "cleanup",
        "category_code": "dumping",
        "status": "received",
        "exact_geom": shape,
        "public_geom": shape,
        "occurred_at": NOW,
        "reported_at": NOW,
    } | values
    return session.execute(insert(Report).values(**values).returning(Report.id)).scalar_one()


def counted(session: Session, z: int, chosen: ReportFilter = ALL) -> dict[str, int]:
    cells = features(session, "reports", z, chosen)
    names = ("n", *(kind.value for kind in Kind), "open")
    return {name: sum(cell.attributes[name] for cell in cells) for name in names}


def several_reports(session: Session) -> None:
    categories = sorted(BY_CODE)
    statuses = [status for status in Status if status != Status.DUPLICATE]
    for index in range(60):
        category = BY_CODE[categories[index % len(categories)]]
        across = WEST + (index * 37 % 60 + 0.5) / 60 * (EAST - WEST)
        up = SOUTH + (index * 23 % 60 + 0.5) / 60 * (NORTH - SOUTH)
        file_report(
            session,
            (across, up),
            public_geom=point(across, up + 1e-4),  # the database keeps homes from being exact
            kind=category.kind,
            category_code=category.code,
            status=statuses[index % len(statuses)],
            reported_at=NOW - timedelta(days=index),
            occurred_at=NOW - timedelta(days=index),
        )


def public_count(session: Session, chosen: ReportFilter = ALL) -> int:
    return session.scalar(select(func.count()).select_from(Report).where(*public_reports(chosen)))


@pytest.mark.parametrize("z", [0, 3, 9, 10, 11, 12, 13])
def test_the_cells_of_all_tiles_count_every_public_report_once(session, city, z):
    several_reports(session)
    file_report(session, status="held")
    file_report(session, public_geom=None)
    every = counted(session, z)
    assert every["n"] == public_count(session) > 50
    assert sum(every[kind.value] for kind in Kind) == every["n"]
    assert every["open"] == public_count(session, ReportFilter(ZONE, statuses=tuple(OPEN)))


FILTERS = st.builds(
    ReportFilter,
    zone=st.just(ZONE),
    kinds=st.lists(st.sampled_from(Kind), unique=True, max_size=2).map(tuple),
    categories=st.lists(st.sampled_from(sorted(BY_CODE)), unique=True, max_size=12).map(tuple),
    statuses=st.lists(st.sampled_from(sorted(PUBLIC)), unique=True, max_size=4).map(tuple),
    since=st.none() | st.dates(date(2026, 3, 1), date(2026, 5, 1)),
    until=st.none() | st.dates(date(2026, 4, 1), date(2026, 7, 1)),
    area_id=st.none() | st.integers(1, 4),
    block_watch_id=st.none() | st.just(1),
)


@given(chosen=FILTERS, z=st.sampled_from([8, 11, 13, 14, 15]))
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_filter_chooses_for_tiles_what_it_chooses_everywhere(session, city, chosen, z):
    if not session.scalar(select(func.count()).select_from(Report)):
        several_reports(session)
    areas = [city.westside, city.eastside, city.council_district, city.city]
    watch = city.block_watch if chosen.block_watch_id else None
    area = None if chosen.area_id is None else areas[chosen.area_id - 1]
    chosen = ReportFilter(
        ZONE, chosen.kinds, chosen.categories, chosen.statuses,
        chosen.since, chosen.until, area, watch,
    )  # fmt: skip
    expected = set(session.scalars(select(Report.id).where(*public_reports(chosen))))
    if z < 14:
        assert counted(session, z, chosen)["n"] == len(expected)
    else:
        assert {feature.id for feature in features(session, "reports", z, chosen)} == expected


@pytest.mark.parametrize("z", [14, 16, 20])
def test_from_zoom_14_each_report_is_a_feature_with_its_kind_category_and_status(session, city, z):
    report = file_report(session, IN_EASTSIDE, status="confirmed")
    (found,) = draw(session, "reports", tile_at(z, *IN_EASTSIDE))["reports"]
    assert (found.id, found.type) == (report, "point")
    assert found.attributes == {"kind": "cleanup", "category": "dumping", "status": "confirmed"}


def test_a_feature_stands_where_it_is(session, city):
    tile = tile_at(15, *IN_EASTSIDE)
    file_report(session, corner(15, tile.x + 0.25, tile.y + 0.75))
    (found,) = draw(session, "reports", tile)["reports"]
    assert found.paths == [[(1024, 3072)]]


def test_a_cell_stands_in_its_middle(session, city):
    tile, cell = tile_at(12, *IN_EASTSIDE), tile_at(16, *IN_EASTSIDE)
    file_report(session, corner(16, cell.x + 0.9, cell.y + 0.1))
    middle = ((cell.x - 16 * tile.x) * 256 + 128, (cell.y - 16 * tile.y) * 256 + 128)
    for chosen in (ALL, ReportFilter(ZONE, since=date(2026, 1, 1))):
        (found,) = draw(session, "reports", tile, chosen)["cells"]
        assert found.paths == [[middle]]
        assert found.attributes == {
            "n": 1, "problem_spot": 0, "lighting": 0, "cleanup": 1, "open": 1
        }  # fmt: skip


def test_reports_may_be_lines_and_lots(session, city):
    x, y = IN_WESTSIDE
    file_report(session, f"SRID=4326;LINESTRING({x} {y}, {x + 0.002} {y})")
    file_report(session, f"SRID=4326;POLYGON(({x} {y}, {x} {y + 0.001}, {x + 0.001} {y}, {x} {y}))")
    found = draw(session, "reports", tile_at(15, x, y))["reports"]
    assert sorted(feature.type for feature in found) == ["line", "polygon"]
    assert counted(session, 12)["n"] == 2


@pytest.mark.parametrize("z", ZOOMS)
def test_a_held_report_never_appears(session, city, z):
    file_report(session, status="held")
    for chosen in (
        ALL,
        ReportFilter(ZONE, statuses=(Status.HELD,)),
        ReportFilter(ZONE, since=date(2000, 1, 1), statuses=(Status.HELD, Status.DONE)),
    ):
        assert draw(session, "reports", tile_at(z, *IN_WESTSIDE), chosen) == {}


def test_a_report_that_is_held_later_vanishes(session, city):
    report = file_report(session)
    assert counted(session, 10)["n"] == 1
    session.execute(update(Report).where(Report.id == report).values(status="held"))
    assert features(session, "reports", 10) == features(session, "reports", 14) == []


def test_the_tile_shows_the_public_position_only(session, city):
    file_report(session, IN_WESTSIDE, public_geom=point(*IN_EASTSIDE))
    for z in (13, 14, 16):
        assert draw(session, "reports", tile_at(z, *IN_WESTSIDE)) == {} or z == 13
        (found,) = features(session, "reports", z)
        tile = tile_at(z, *IN_EASTSIDE)
        (name,) = draw(session, "reports", tile)
        assert found in draw(session, "reports", tile)[name]


@pytest.mark.parametrize("z", [13, 14, 16])
def test_what_stands_on_the_edge_of_tiles_is_in_one_of_them_and_in_the_margin_of_others(
    session, city, z
):
    tile = tile_at(z, *IN_EASTSIDE)
    file_report(session, corner(z, tile.x, tile.y))
    around = [Tile(z, tile.x - a, tile.y - b) for a in (0, 1) for b in (0, 1)]
    found = [[f for fs in draw(session, "reports", t).values() for f in fs] for t in around]
    assert sum(owned(feature) for features in found for feature in features) == 1
    if z >= 14:
        assert [len(features) for features in found] == [1, 1, 1, 1]


def test_a_mark_near_the_edge_reaches_into_the_next_tile(session, city):
    tile = tile_at(15, *IN_EASTSIDE)
    file_report(session, corner(15, tile.x - 60 / 4096, tile.y + 0.5))
    (found,) = draw(session, "reports", tile)["reports"]
    assert found.paths == [[(-60, 2048)]]


def test_the_version_is_that_of_the_rows_shown(session, city):
    tile = tile_at(14, *IN_WESTSIDE)
    before = tiles.draw(session.connection(), "reports", tile, ALL)
    file_report(session)
    after = tiles.draw(session.connection(), "reports", tile, ALL)
    assert before.mvt == b""
    assert after.mvt != b""
    assert after.version == tallies.versions(session)["reports"] > before.version


def test_lights_are_counted_from_afar_and_show_their_state_near(session, city):
    for index, status in enumerate(("working", "out", "out")):
        place = (IN_EASTSIDE[0] + index / 10_000, IN_EASTSIDE[1])
        session.execute(
            insert(StreetLight).values(pole_id=index, status=status, geom=point(*place))
        )
    assert sum(f.attributes["n"] for f in features(session, "street_lights", 12)) == 3
    near = features(session, "street_lights", 15)
    assert sorted(f.attributes["status"] for f in near) == ["out", "out", "working"]


def test_lots_and_stops_carry_nothing_but_their_place(session, city):
    session.execute(insert(VacantLot).values(parcel_number="1", geom=point(*IN_WESTSIDE)))
    session.execute(insert(TransitStop).values(name="Main", geom=point(*IN_WESTSIDE)))
    for layer in ("vacant_lots", "transit_stops"):
        (near,) = features(session, layer, 14)
        assert near.attributes == {}
        assert near.id is not None
        (far,) = features(session, layer, 13)
        assert far.attributes == {"n": 1}


@pytest.mark.parametrize("z", ZOOMS)
def test_a_confidential_place_never_appears(session, city, z):
    for name, confidential in (("Library", False), ("Shelter", True)):
        session.execute(
            insert(ServiceLocation).values(
                name=name, type="library", geom=point(*IN_WESTSIDE), confidential=confidential
            )
        )
    (found,) = features(session, "service_locations", z)
    assert found.attributes == {"type": "library"}


@pytest.mark.parametrize("z", ZOOMS)
def test_a_police_incident_without_a_public_position_never_appears(session, city, z):
    values = {"occurred_at": NOW, "exact_geom": point(*IN_WESTSIDE)}
    for offense, public in (("Stealing", values["exact_geom"]), ("Assault", None)):
        session.execute(
            insert(PoliceIncident).values(
                offense=offense,
                offense_group="property",
                sensitive=public is None,
                public_geom=public,
                **values,
            )
        )
    (found,) = features(session, "police_incidents", z)
    assert found.attributes == ({"n": 1} if z < 14 else {"group": "property"})


def test_areas_carry_their_names_and_cover_the_city(session, city):
    tile = tile_at(16, *IN_EASTSIDE)
    (east,) = draw(session, "neighbourhoods", tile)["neighbourhoods"]
    assert (east.id, east.type, east.attributes) == (city.eastside, "polygon", {"name": "Eastside"})
    (district,) = draw(session, "council_districts", tile)["council_districts"]
    assert district.attributes == {"name": "District 3"}
    (watch,) = draw(session, "block_watches", tile_at(15, *IN_THE_WATCH))["block_watches"]
    assert (watch.id, watch.attributes) == (city.block_watch, {"name": "Norton Watch"})


def test_the_base_map_has_the_city_its_grounds_streets_and_names(session, city):
    lake = "SRID=4326;MULTIPOLYGON(((-94.56 39.02,-94.55 39.02,-94.55 39.03,-94.56 39.02)))"
    session.execute(insert(Ground).values(type="water", name="Blue Lake", geom=lake))
    tile = tile_at(12, *IN_EASTSIDE)
    base = draw(session, "base", tile)
    assert {name: {f.type for f in found} for name, found in base.items()} == {
        "city": {"polygon"},
        "water": {"polygon"},
        "street": {"line"},
        "label": {"point"},
    }
    streets = {f.attributes["name"]: f.attributes["rank"] for f in base["street"]}
    assert streets == {"Norton Ave": 3, "E 34th St": 2}
    labels = {f.attributes["name"]: f.attributes for f in base["label"]}
    assert labels["Blue Lake"]["type"] == "water"
    assert labels["Eastside"]["type"] == "neighbourhood"
    assert labels["Eastside"]["rank"] < labels["Blue Lake"]["rank"]
    assert {
        f.attributes["name"] for f in draw(session, "base", tile_at(8, *IN_EASTSIDE))["label"]
    } == {"Testville"}


def test_small_streets_wait_for_a_nearer_view(session, city):
    for z, ranks in ((6, set()), (9, {2}), (11, {2, 3})):
        found = draw(session, "base", tile_at(z, *IN_EASTSIDE)).get("street", [])
        assert {f.attributes["rank"] for f in found} == ranks


def test_the_parts_of_a_street_become_one_line(session, city):
    parts = ("-94.59 39.03, -94.58 39.03", "-94.58 39.03, -94.57 39.03")
    for part in parts:
        session.execute(
            insert(Street).values(name="E 31st St", rank=2, geom=f"SRID=4326;LINESTRING({part})")
        )
    tile = tile_at(12, -94.58, 39.03)
    (street,) = (
        f for f in draw(session, "base", tile)["street"] if f.attributes["name"] == "E 31st St"
    )
    assert len(street.paths) == 1


def test_the_edges_of_blocks_stand_in_where_no_streets_are_stored(session, city):
    shape = "SRID=4326;MULTIPOLYGON(((-94.56 39.02,-94.55 39.02,-94.55 39.03,-94.56 39.02)))"
    session.execute(insert(Area).values(layer=AreaLayer.BLOCK, code="1", name="1", geom=shape))
    tile = tile_at(13, -94.555, 39.025)
    with_streets = draw(session, "base", tile)
    assert {f.attributes["name"] for f in with_streets["street"]} <= {"Norton Ave", "E 34th St"}
    assert len(with_streets["block"]) == 1
    session.execute(Street.__table__.delete())
    (edge,) = draw(session, "base", tile)["street"]
    assert (edge.type, edge.attributes) == ("line", {"rank": 3})


@pytest.mark.parametrize("layer", tiles.LAYERS)
def test_tiles_of_every_layer_and_zoom_can_be_drawn_and_are_empty_elsewhere(session, city, layer):
    for z in range(0, 23, 2):
        draw(session, layer, tile_at(z, *IN_EASTSIDE))
        last = (1 << z) - 1
        if z > 2:
            assert draw(session, layer, Tile(z, last, last)) == {}


def test_the_box_of_a_tile_is_that_of_postgis(session):
    for tile in (Tile(0, 0, 0), Tile(5, 7, 12), Tile(16, 15778, 25091)):
        theirs = func.ST_Transform(func.ST_TileEnvelope(tile.z, tile.x, tile.y), 4326)
        bounds = session.execute(
            select(
                *(getattr(func, f"ST_{edge}")(theirs) for edge in ("XMin", "YMin", "XMax", "YMax"))
            )
        ).one()
        assert box(tile, margin=0) == pytest.approx(tuple(bounds), abs=1e-9)
