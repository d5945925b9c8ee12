"""The gate: every file of Kansas City comes in, and what is there is what came in."""

FILES = (
    ("city", "city_2024.geojson"),
    ("neighbourhoods", "neighborhoods.geojson"),
    ("council_districts", "council_districts_2023.geojson"),
    ("patrol_divisions", "311_requests_2007_2018.csv.gz"),
    ("tracts", "tract_2024.geojson"),
    ("acs", "acs5_tract_2023_long.csv.gz"),
    ("block_groups", "blockgroup_2024.geojson"),
    ("postal_areas", "zcta_2024.geojson"),
    ("blocks", "census_blocks_2021.gpkg"),
    ("water", "census_blocks_2021.gpkg"),
    ("street_lights", "streetlight_poles_sample.geojson"),
    ("kcmo_311", "311_requests_2007_2018.csv.gz"),
    ("kcmo_311", "311_socrata_api_payload.json"),
    ("police_incidents", "kcpd_crime_2017.csv.gz"),
    ("police_incidents", "kcpd_crime_2018_sample.csv"),
    ("land_bank", "land_bank.csv"),
    ("parcels", "parcel_points_2015.csv.gz"),
    ("gtfs_stops", "gtfs_stops_2017.txt"),
)

STORED = {
    "SELECT count(*) FROM area WHERE layer = 'city'": 1,
    "SELECT count(*) FROM area WHERE layer = 'neighbourhood'": 246,
    "SELECT count(*) FROM area WHERE layer = 'neighbourhood' AND name = 'Unnamed area'": 6,
    "SELECT count(*) FROM area WHERE layer = 'council_district'": 6,
    "SELECT count(*) FROM area WHERE layer = 'patrol_division'": 4,
    "SELECT count(*) FROM area WHERE layer = 'tract' AND population IS NOT NULL": 185,
    "SELECT count(*) FROM area WHERE layer = 'block_group'": 510,
    "SELECT count(*) FROM area WHERE layer = 'postal_area'": 60,
    "SELECT count(*) FROM area WHERE layer = 'block'": 10_730,
    "SELECT count(*) FROM ground WHERE type = 'water'": 68,
    "SELECT count(*) FROM street_light": 111,
    "SELECT count(*) FROM vacant_lot": 2_327,
    "SELECT count(*) FROM transit_stop": 2_617,
    "SELECT count(*) FROM report": 28_991,
    "SELECT count(*) FROM report WHERE public_geom IS NULL": 0,
    "SELECT count(*) FROM police_incident WHERE sensitive AND public_geom IS NOT NULL": 0,
    "SELECT count(*) FROM police_incident WHERE NOT sensitive AND public_geom IS NULL": 0,
    "SELECT count(*) FROM police_incident WHERE offense_group = 'unknown'": 0,
}


def test_all_of_kansas_city_comes_in_and_nothing_is_lost(kc, bring_in, one):
    for source, name in FILES:
        summary = bring_in(source, kc / name)
        again = bring_in(source, kc / name, again=True)

        assert again.inserted == again.updated == 0, name
        assert again.unchanged == summary.inserted + summary.updated, name
        assert (again.rejected, again.left_out) == (summary.rejected, summary.left_out), name
    for query, count in STORED.items():
        assert one(query) == count, query
    assert one(
        "SELECT bool_and(rows_read = inserted + updated + unchanged + rejected + "
        "(SELECT coalesce(sum(n::int), 0) FROM jsonb_each_text(left_out) AS reasons (why, n))) "
        "FROM import_run"
    )
    assert one(
        "SELECT bool_and(rejected = (SELECT count(*) FROM rejected_row WHERE import_run_id = run.id)) "
        "FROM import_run AS run"
    )
