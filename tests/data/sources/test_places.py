"""Sources of points: lots, lights, stops, parcels, incidents, watches and service locations."""

import json

import geopandas as gpd
import pytest
import shapely

from data.sources.batch import BrokenFileError
from data.sources.police_incidents import offense_group

LAND_BANK = (
    "ï»¿Parcel.Number,APN,Date.Sold,Combined.Full.Address,longitude,Longitude,Latitude\n"
    "K1,1.27E+16,2012-08-01,213   BROOKLYN AVE,7,-94.555,39.111\n"
    "K2,1.27E+16,,735  N PROSPECT AVE,7,-94.549,39.121\n"
)


def test_a_vacant_lot_survives_what_a_spreadsheet_did_to_its_file(bring_in, rows):
    bring_in("land_bank", LAND_BANK)

    assert rows(
        "SELECT parcel_number, address, owner_kind, since::text, ST_AsText(geom) FROM vacant_lot "
        "ORDER BY 1"
    ) == [
        ("K1", "213 BROOKLYN AVE", "land bank", "2012-08-01", "POINT(-94.555 39.111)"),
        ("K2", "735 N PROSPECT AVE", "land bank", None, "POINT(-94.549 39.121)"),
    ]


def test_a_pole_that_another_file_brought_in_is_taken_over(bring_in, connection, rows):
    connection.execute(
        "INSERT INTO street_light (pole_id, status, geom, source, external_id) "
        "VALUES ('SGQ0036', 'out', ST_Point(-94, 39, 4326), 'sample', '7')"
    )
    poles = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"OBJECTID": number, "POLEID": pole},
                "geometry": {"type": "Point", "coordinates": [-94.49, 38.91]},
            }
            for number, pole in ((1, "SGQ0036"), (2, "SGQ0037"))
        ],
    }

    summary = bring_in("street_lights", json.dumps(poles), name="poles.geojson")

    assert (summary.inserted, summary.updated) == (1, 1)
    # What is known of a light is not the file's to say.
    assert rows("SELECT pole_id, status, source FROM street_light ORDER BY 1") == [
        ("SGQ0036", "out", "street_lights"),
        ("SGQ0037", "working", "street_lights"),
    ]


def test_stations_and_entrances_are_no_stops(bring_in, rows):
    stops = (
        "stop_id,stop_name,stop_lat,stop_lon,location_type\n"
        "1,10TH & MAIN ,39.1,-94.58,0\n2,UNION STATION,39.08,-94.58,1\n3,NOWHERE,,,\n"
    )

    summary = bring_in("gtfs_stops", stops)

    assert (summary.inserted, summary.rejected) == (1, 1)
    assert summary.left_out == {"a station or entrance, no stop": 1}
    assert rows("SELECT external_id, name FROM transit_stop") == [("1", "10TH & MAIN")]


def test_a_parcel_is_what_it_is_used_for_whatever_its_zoning(bring_in, rows):
    parcels = (
        "kivapin,longitude,latitude,landusecode,classification,landuse,subclass\n"
        "1,-94.55,39.16,,R-6,Residential,R1b\n"
        "2,-94.55,39.17,9500 - Vacant Residential,R-6,Residential,R1b\n"
        "3,-94.55,39.18,1122 - Duplex,B2-2,Commercial,CP2\n"
        "3,-94.55,39.19,2300 - Office,B2-2,Commercial,CP2\n"
        "4,-94.55,39.20,,R-6,,\n"
    )

    summary = bring_in("parcels", parcels)

    assert summary.rejected == 1
    assert [row[0] for row in rows("SELECT land_use FROM parcel ORDER BY ST_Y(geom)")] == [
        "home",
        "vacant",
        "home",
        "commercial",
    ]


INCIDENTS_2017 = (
    "Date,Hour,Crime,Zip,Firearm,Latitude,Longitude\n"
    "2017-05-28,3,Stealing From Auto,64111,N,39.053635,-94.595998\n"
    "2017-05-28,3,Stealing From Auto,64111,Y,39.053635,-94.595998\n"
    "2017-11-21,13,Agg Assault - Domest,64105,Y,39.10091,-94.577328\n"
    "2017-11-21,13,Auto Theft,64105,Y,47.702365,-122.32851\n"
    "2017-11-21,13,Something New,64105,Y,39.10091,-94.577328\n"
)


def test_an_incident_is_one_however_many_persons_it_names(bring_in, rows):
    summary = bring_in("police_incidents", INCIDENTS_2017)

    assert summary.left_out == {"the same as an earlier row": 1}
    assert rows(
        "SELECT offense, offense_group, sensitive, public_geom IS NOT NULL, "
        "(occurred_at AT TIME ZONE 'America/Chicago')::text FROM police_incident ORDER BY id"
    ) == [
        ("Stealing From Auto", "theft", False, True, "2017-05-28 03:00:00"),
        ("Agg Assault - Domest", "private", True, False, "2017-11-21 13:00:00"),
        # Not shown until somebody has said what it is.
        ("Something New", "unknown", True, False, "2017-11-21 13:00:00"),
    ]


def test_a_position_in_another_state_is_rejected(bring_in, one):
    bring_in("police_incidents", INCIDENTS_2017)

    assert one("SELECT row_number, reason FROM rejected_row") == (
        5,
        "outside the metropolitan area",
    )


def test_the_form_of_2018_has_its_position_in_a_python_dict(bring_in, rows):
    header = (
        "area,description,dvflag,from_date,from_time,location,offense,report_no,reported_date,"
        "reported_time\n"
    )
    place = "\"{'type': 'Point', 'coordinates': [-94.55397, 39.048209]}\""
    day = "2018-01-30T00:00:00.000"
    content = header + (
        f"EPD,Property Damage,U,{day},19:00,{place},1401,180007431,{day},19:30\n"
        f"EPD,Property Damage,U,{day},19:00,{place},1401,180007431,{day},19:30\n"
        f"EPD,Property Damage,Y,{day},19:00,{place},1401,180007432,{day},19:30\n"
        f"EPD,Auto Theft,N,,,{place},702,180007433,{day},20:15\n"
        f"EPD,Auto Theft,N,{day},19:00,,702,180007434,{day},20:15\n"
    )

    summary = bring_in("police_incidents", content)

    assert (summary.inserted, summary.rejected, sum(summary.left_out.values())) == (3, 1, 1)
    assert rows(
        "SELECT external_id, sensitive, ST_AsText(public_geom), "
        "(occurred_at AT TIME ZONE 'America/Chicago')::text FROM police_incident ORDER BY id"
    ) == [
        ("180007431 1401", False, "POINT(-94.55397 39.048209)", "2018-01-30 19:00:00"),
        ("180007432 1401", True, None, "2018-01-30 19:00:00"),
        ("180007433 702", False, "POINT(-94.55397 39.048209)", "2018-01-30 20:15:00"),
    ]


@pytest.mark.parametrize(
    "offense",
    [
        "Rape", "Forcible Sodomy", "Sex Off Fondle - mol", "Statutory Rape", "Non Agg Assault Dome",
        "Violation Full Order", "Violation Ex Parte O", "Attempt Suicide by S", "Dead Body",
        "Missing/Runaway Juve", "Kidnapping/Abduction", "Family Offense", "Human Trafficking/Co",
        "HOMICIDE/Non Neglige", "Peeping Tom", "Stalking",
    ],
)  # fmt: skip
def test_what_was_done_to_somebody_at_home_to_a_child_or_sexually_is_private(offense):
    assert offense_group(offense) == "private"


def watches(*names, key="NAME"):
    frame = gpd.GeoDataFrame(
        {key: list(names)},
        geometry=[shapely.box(-94.6 + i / 100, 39, -94.59 + i / 100, 39.01) for i in range(len(names))],
        crs=4326,
    )  # fmt: skip
    return frame.to_json()


def test_a_block_watch_comes_from_any_file_by_its_mapping(bring_in, rows):
    bring_in(
        "block_watches",
        watches("Oak Street Watch", key="ASSOC"),
        name="a.geojson",
        columns={"name": "ASSOC"},
    )

    assert rows("SELECT name, contact, ST_GeometryType(boundary) FROM block_watch") == [
        ("Oak Street Watch", "", "ST_MultiPolygon")
    ]


def test_a_table_gives_boundaries_as_well_known_text_in_any_crs(bring_in, one):
    shape = gpd.GeoSeries([shapely.box(-94.6, 39, -94.59, 39.01)], crs=4326).to_crs(26915)[0]

    bring_in("block_watches", f'name,wkt\nOak,"{shape.wkt}"\n', crs="EPSG:26915")

    assert one("SELECT round(ST_XMin(boundary)::numeric, 4)::float FROM block_watch") == -94.6


def test_a_name_that_another_watch_has_is_rejected(bring_in, connection, rows):
    bring_in("block_watches", watches("Oak", "Elm"), name="a.geojson")
    connection.execute(
        "UPDATE block_watch SET source = 'sample', external_id = '1' WHERE name = 'Elm'"
    )

    summary = bring_in("block_watches", watches("Elm", "Ash"), name="b.geojson")

    assert (summary.inserted, summary.rejected) == (1, 1)
    assert rows("SELECT reason FROM rejected_row ORDER BY id") == [
        ("another record has this name",),
    ]


LOCATIONS = (
    "Site,Kind,Street,Y,X,Web\n"
    "Plaza Library,Public Library,4801 Main St,39.038,-94.586,https://example.org\n"
    "Station 17,FIRE,\n".replace("FIRE,\n", "FIRE,3401 Paseo,39.065,-94.564,\n")
    + "Hope House,shelter,,0,0,\n"
    "Bad Link,,,39.06,-94.56,javascript:alert(1)\n"
)


def test_service_locations_come_from_a_table_by_their_mapping(bring_in, rows):
    summary = bring_in(
        "service_locations",
        LOCATIONS,
        columns={
            "name": "Site", "type": "Kind", "address": "Street", "lat": "Y", "lon": "X",
            "website": "Web",
        },
    )  # fmt: skip

    assert rows(
        "SELECT name, type, address, ST_AsText(geom) FROM service_location ORDER BY id"
    ) == [
        ("Plaza Library", "library", "4801 Main St", "POINT(-94.586 39.038)"),
        ("Station 17", "fire_station", "3401 Paseo", "POINT(-94.564 39.065)"),
    ]
    assert summary.rejected == 2
    assert rows("SELECT column_name, reason FROM rejected_row ORDER BY row_number") == [
        ("X", "no position"),
        ("Web", "String should match pattern '^(https?://\\S+)?$'"),
    ]


PLACES_FAR_APART = (
    "name,lat,lon\nThe Center,39.05,-94.58\nNowhere,10,10\nOver the line,39.05,-94.48\n"
)


def test_points_outside_the_served_area_are_rejected_with_the_reason(bring_in, city, rows):
    summary = bring_in("service_locations", PLACES_FAR_APART)

    assert (summary.inserted, summary.rejected) == (1, 2)
    assert rows("SELECT name FROM service_location") == [("The Center",)]
    assert rows("SELECT row_number, reason FROM rejected_row ORDER BY 1") == [
        (3, "outside the served area"),
        (4, "outside the served area"),
    ]
    stops = "stop_id,stop_name,stop_lat,stop_lon\n1,Here,39.05,-94.58\n2,There,39.05,-94.48\n"
    assert bring_in("gtfs_stops", stops).rejected == 1


def test_without_a_served_area_points_are_taken_wherever_they_lie(bring_in):
    assert bring_in("service_locations", PLACES_FAR_APART).inserted == 3


def test_the_organization_behind_a_place_is_found_or_added(bring_in, connection, rows):
    connection.execute("INSERT INTO organization (name) VALUES ('Public Library')")
    content = (
        "id,name,organization,lat,lon\n1,Plaza,Public Library,39.04,-94.59\n"
        "2,Hope House,Hope,39.05,-94.58\n3,Corner,,39.06,-94.58\n"
    )

    bring_in("service_locations", content)
    again = bring_in("service_locations", content, again=True)

    assert again.unchanged == 3
    assert rows(
        "SELECT place.name, organization.name FROM service_location AS place "
        "LEFT JOIN organization ON organization.id = organization_id ORDER BY place.id"
    ) == [("Plaza", "Public Library"), ("Hope House", "Hope"), ("Corner", None)]


def test_text_that_the_database_can_not_hold_is_rejected(bring_in, one):
    summary = bring_in(
        "gtfs_stops", "stop_id,stop_name,stop_lat,stop_lon\n1,He\0re,39,-94\n2,There,39,-94\n"
    )

    assert (summary.inserted, summary.rejected) == (1, 1)
    assert one("SELECT column_name, row ->> 'stop_id' FROM rejected_row") == ("name", "1")


def test_a_mapping_of_nothing_is_refused_with_what_can_be_mapped(bring_in):
    with pytest.raises(BrokenFileError, match=r"there is no title to map. block_watches maps name"):
        bring_in("block_watches", watches("Oak"), name="a.geojson", columns={"title": "NAME"})
    with pytest.raises(
        BrokenFileError, match="column ASSOC: there is no such column; the file has"
    ):
        bring_in("block_watches", watches("Oak"), name="a.geojson", columns={"name": "ASSOC"})
    with pytest.raises(BrokenFileError, match="its columns have fixed names"):
        bring_in("city", watches("Oak"), name="a.geojson", columns={"name": "ASSOC"})
