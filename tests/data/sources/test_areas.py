import json

import geopandas as gpd
import pytest
import shapely

from data.sources.batch import BrokenFileError

SQUARE = [[-94.6, 39.0], [-94.5, 39.0], [-94.5, 39.1], [-94.6, 39.1], [-94.6, 39.0]]
BOW_TIE = [[-94.6, 39.0], [-94.5, 39.1], [-94.5, 39.0], [-94.6, 39.1], [-94.6, 39.0]]


def feature(ring=SQUARE, *, kind="Polygon", **properties):
    return {
        "type": "Feature",
        "properties": {"nbhid": "1", "nbhname": "Squier Park", **properties},
        "geometry": ring and {"type": kind, "coordinates": [ring] if kind == "Polygon" else ring},
    }


def collection(*features):
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def test_a_neighbourhood_keeps_the_citys_id_and_a_filler_gets_one_from_its_place(bring_in, rows):
    east = [[x + 0.2, y] for x, y in SQUARE]
    content = collection(
        feature(),
        feature(nbhid="0", nbhname=None),
        feature(east, nbhid="0", nbhname=" "),
    )

    first = bring_in("neighbourhoods", content, name="a.geojson")
    again = bring_in("neighbourhoods", content, name="a.geojson", again=True)

    assert (first.inserted, again.unchanged) == (3, 3)
    assert rows("SELECT code, name FROM area ORDER BY code") == [
        ("1", "Squier Park"),
        ("unnamed 39.0500 -94.3500", "Unnamed area"),
        ("unnamed 39.0500 -94.5500", "Unnamed area"),
    ]


def test_an_invalid_ring_is_mended_and_counted(bring_in, one):
    summary = bring_in("neighbourhoods", collection(feature(BOW_TIE)), name="a.geojson")

    assert (summary.inserted, summary.mended) == (1, 1)
    assert one("SELECT ST_IsValid(geom) AND ST_Area(geom) > 0 FROM area")
    assert one("SELECT mended FROM import_run") == 1


@pytest.mark.parametrize(
    ("broken", "column", "reason"),
    [
        (feature(None), "geometry", "no geometry"),
        (feature([-94.5, 39.0], kind="Point"), "geometry", "not a polygon"),
        (feature([[-94.6, 39.0], [-94.5, 39.0], [-94.6, 39.0]]), "geometry", "a polygon without an area"),
        (feature([[x * 10_000, y * 10_000] for x, y in SQUARE]), "geometry", "not in degrees: "),
        (feature(nbhid=""), "nbhid", "String should have at least 1 character"),
        (feature(nbhid=None), "nbhid", "Input should be a valid string"),
    ],
)  # fmt: skip
def test_a_feature_that_can_not_be_used_is_kept_with_its_reason(
    bring_in, one, broken, column, reason
):
    summary = bring_in("neighbourhoods", collection(feature(), broken), name="a.geojson")

    assert (summary.inserted, summary.rejected) == (1, 1)
    number, where, why = one("SELECT row_number, column_name, reason FROM rejected_row")
    assert (number, where) == (2, column)
    assert why.startswith(reason)


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.shp.zip", "a.geojson"])
def test_any_declared_crs_is_brought_to_degrees(bring_in, tmp_path, one, name):
    square = shapely.Polygon(SQUARE)
    frame = gpd.GeoDataFrame(
        {"nbhid": ["1"], "nbhname": ["Squier Park"]}, geometry=[square], crs=4326
    ).to_crs(2817)  # Missouri West, metres
    path = tmp_path / name
    frame.to_file(path)

    bring_in("neighbourhoods", path)

    stored = shapely.from_wkb(one("SELECT ST_AsBinary(geom) FROM area"))
    assert stored.hausdorff_distance(square) < 1e-7


def test_without_a_crs_the_message_says_what_to_add_and_with_it_the_file_is_read(
    bring_in, tmp_path, one
):
    frame = gpd.GeoDataFrame(
        {"nbhid": ["1"], "nbhname": ["Squier Park"]}, geometry=[shapely.Polygon(SQUARE)], crs=4326
    ).to_crs(26915)
    path = tmp_path / "a.shp"
    frame.to_file(path)
    path.with_suffix(".prj").unlink()

    with pytest.raises(BrokenFileError, match=r"does not say in which coordinate system.*--crs"):
        bring_in("neighbourhoods", path)
    bring_in("neighbourhoods", path, crs="EPSG:26915")

    assert one("SELECT round(ST_XMin(geom)::numeric, 5)::float FROM area") == pytest.approx(-94.6)


def test_a_crs_that_does_not_exist_is_refused(bring_in):
    with pytest.raises(BrokenFileError, match="moon is no coordinate system"):
        bring_in("neighbourhoods", collection(feature()), name="a.geojson", crs="moon")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<OGRVRTDataSource/>", "neither GeoJSON, GeoPackage nor Shapefile"),
        (b'{"type": "FeatureCollection", "features": [{', "it can not be read"),
        (b"", "neither GeoJSON, GeoPackage nor Shapefile"),
    ],
)
def test_a_file_of_another_kind_is_not_opened(bring_in, content, message):
    with pytest.raises(BrokenFileError, match=message):
        bring_in("neighbourhoods", content, name="a.geojson")


def test_a_newer_file_moves_a_boundary_and_the_reports_with_it(bring_in, city, connection, one):
    connection.execute(
        "INSERT INTO report (kind, category_code, exact_geom, public_geom, occurred_at) "
        "SELECT 'lighting', 'light_out', place, place, now() "
        "FROM ST_Point(-94.58, 39.05, 4326) AS place"
    )
    moved = collection(feature(nbhid="west", nbhname="Farther West"), feature(nbhid="2"))

    summary = bring_in("neighbourhoods", moved, name="a.geojson")

    assert (summary.inserted, summary.updated) == (1, 1)
    assert one("SELECT name FROM area WHERE id = %s", city["west"]) == "Farther West"
    assert one("SELECT neighbourhood_id FROM report") == city["west"]


def test_population_is_set_on_stored_tracts_and_stays_when_tracts_are_read_again(bring_in, rows):
    tract = {"GEOID": "29095000300", "NAMELSAD": "Census Tract 3", "ALAND": 100.0}
    tracts = collection({**feature(), "properties": tract})
    survey = (
        "GEOID,NAME,variable,estimate\n"
        "29095000300,Tract 3,B01003_001,1234.0\n"
        "29095000300,Tract 3,B11001_001,500\n"
        "29095000300,Tract 3,B01001_001,1234\n"
        "29095999999,Tract 9,B01003_001,5\n"
        "29095000300,Tract 3,B01003_001,-666666666\n"
    )
    bring_in("tracts", tracts, name="a.geojson")

    first = bring_in("acs", survey)
    again = bring_in("acs", survey, again=True)
    bring_in("tracts", tracts, name="a.geojson", again=True)

    assert (first.updated, first.rejected) == (2, 1)
    assert first.left_out == {"another variable": 1, "no such tract is stored": 1}
    assert (again.updated, again.unchanged) == (0, 2)
    assert rows("SELECT population, households, land_m2 FROM area") == [(1234, 500, 100.0)]


def test_water_is_what_has_no_land(bring_in, rows):
    def block(code, land):
        return {**feature(), "properties": {"GEOID20": code, "NAME20": "Block 1", "ALAND20": land}}

    summary = bring_in("water", collection(block("1", 0.0), block("2", 5.0)), name="a.geojson")

    assert summary.left_out == {"has land": 1}
    assert rows("SELECT external_id, type FROM ground") == [("1", "water")]


def test_divisions_are_unions_of_the_neighbourhoods_whose_requests_name_them(bring_in, city, rows):
    header = (
        "CASE ID,CATEGORY,TYPE,DETAIL,CREATION DATE,CREATION TIME,STATUS,CLOSED DATE,"
        "STREET ADDRESS,POLICE DISTRICT,LATITUDE,LONGITUDE\n"
    )
    requests = [(-94.58, "Central"), (-94.57, "East"), (-94.58, "Central"), (-94.52, "East")]
    content = header + "".join(
        f"{number},a,b,c,05/11/2018,09:00 AM,OPEN,,x,{division},39.05,{x}\n"
        for number, (x, division) in enumerate(requests)
    )

    bring_in("patrol_divisions", content)

    assert rows(
        "SELECT division.name, hood.code FROM area AS division JOIN area AS hood "
        "ON hood.layer = 'neighbourhood' AND ST_Equals(hood.geom, division.geom) "
        "WHERE division.layer = 'patrol_division' ORDER BY 1"
    ) == [("Central", "west"), ("East", "east")]


def test_divisions_need_neighbourhoods(bring_in):
    with pytest.raises(BrokenFileError, match="porchlight import neighbourhoods FILE"):
        bring_in("patrol_divisions", "CASE ID\n")
