import csv
import gzip
import io
import json
import re
from itertools import islice

import pytest
import shapely

from data.load import MissingError
from data.sources import kcmo_311, tables
from data.sources.batch import BrokenFileError, File
from data.sources.kcmo_311 import category_or_reason
from geo.areas import area_ids
from geo.categories import BY_CODE
from geo.positions import regions_near

HEADER = [
    "CASE ID", "SOURCE", "CATEGORY", "TYPE", "DETAIL", "CREATION DATE", "CREATION TIME", "STATUS",
    "CLOSED DATE", "STREET ADDRESS", "ADDRESS WITH GEOCODE", "NEIGHBORHOOD", "POLICE DISTRICT",
    "LATITUDE", "LONGITUDE",
]  # fmt: skip


def request(case="2018000001", **changes):
    row = {
        "CASE ID": case,
        "SOURCE": "WEB",
        "CATEGORY": "Lights / Signals",
        "TYPE": "Street Light",
        "DETAIL": "1 Light Out",
        "CREATION DATE": "05/11/2018",
        "CREATION TIME": "09:37 AM",
        "STATUS": "RESOL",
        "CLOSED DATE": "05/16/2018",
        "STREET ADDRESS": "1100 Santa Fe St",
        "ADDRESS WITH GEOCODE": "1100 Santa Fe St64101\n(39.05, -94.58)",
        "NEIGHBORHOOD": "",
        "POLICE DISTRICT": "Central",
        "LATITUDE": "39.05",
        "LONGITUDE": "-94.58",
    }
    return row | {key.replace("_", " "): value for key, value in changes.items()}


def table(*requests):
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(requests)
    return text.getvalue()


@pytest.fixture
def requests(bring_in, city):
    return lambda *rows, **options: bring_in("kcmo_311", table(*rows), **options)


def test_a_request_becomes_a_report_with_its_areas_and_its_timeline(requests, city, one, rows):
    requests(request())

    assert one(
        "SELECT kind, category_code, status, address, description, neighbourhood_id, "
        "(reported_at AT TIME ZONE 'America/Chicago')::text, (closed_at AT TIME ZONE 'America/Chicago')::text, "
        "ST_AsText(exact_geom), ST_AsText(public_geom) FROM report"
    ) == (
        "lighting", "light_out", "done", "1100 Santa Fe St", "Street Light, 1 Light Out",
        city["west"], "2018-05-11 09:37:00", "2018-05-16 17:00:00",
        "POINT(-94.58 39.05)", "POINT(-94.58 39.05)",
    )  # fmt: skip
    assert rows("SELECT from_status, to_status FROM report_event ORDER BY at, id") == [
        (None, "received"),
        ("received", "done"),
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("Street Light", "Outage", "Two to Four"), "block_dark"),
        (("Lights / Signals", "Street Light", "2 to 4 Lights Out"), "block_dark"),
        (("Trash", "Illegal Dumping", "All"), "dumping"),
        (("Trash / Recycling", "Dumping", "Right-Of-Way"), "dumping"),
        (("Property Violations", "Board Up", "All"), "open_building"),
        (("Property / Buildings / Construction", "Dangerous Building", "Open To Entry"), "open_building"),
        (("Mowing / Weeds", "Private / Commercial", "Lot - Vacant"), "vacant_lot"),
        (("Weeds", "Land Trust", "Mowing List"), "vacant_lot"),
        (("Trees", "Trimming", "Streetlight"), "light_blocked"),
        (("Noise Control", "All", "All"), "noise_spot"),
    ],
)  # fmt: skip
def test_both_vocabularies_come_to_the_same_categories(words, code):
    assert category_or_reason(*words) == (code, "")


@pytest.mark.parametrize("detail", ["Homeless Camp", "Other"])
def test_what_is_about_persons_never_becomes_a_report(detail):
    code, reason = category_or_reason("Public Safety", "Police", detail)

    assert (code, reason) == (None, "persons and emergencies")


def test_a_category_that_is_new_is_left_out_by_its_name():
    assert category_or_reason("Drones", "Landing", "") == (None, "no rule for Drones")


def test_every_rule_names_a_category_of_ours_or_a_reason():
    for line in kcmo_311.RULES.strip().splitlines()[1:]:
        words, answer = re.split(r" {3,}", line.strip(), maxsplit=1)
        assert len(words.split(" | ")) == 3
        assert answer.startswith("- ") or answer in BY_CODE, line


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("OPEN", "received"), ("ASSIG", "confirmed"), ("RESOL", "done"), ("DUP", "duplicate"),
        ("CANC", "declined"),
    ],
)  # fmt: skip
def test_the_citys_statuses_become_ours(requests, one, word, status):
    requests(request(STATUS=word))

    assert one("SELECT status FROM report") == status
    is_open = status in {"received", "confirmed"}
    assert (one("SELECT closed_at FROM report") is None) is is_open


def test_closed_on_the_day_it_was_created_is_closed_at_its_creation_or_later(requests, one):
    requests(request(CREATION_TIME="06:30 PM", CLOSED_DATE="05/11/2018"))

    assert one("SELECT closed_at = reported_at FROM report")


def test_the_hour_that_the_clock_repeats_is_the_first_of_the_two(requests, one):
    requests(request(CREATION_DATE="11/04/2018", CREATION_TIME="01:30 AM", CLOSED_DATE=""))

    assert one("SELECT (reported_at AT TIME ZONE 'UTC')::text FROM report") == "2018-11-04 06:30:00"


def test_a_home_is_shown_in_its_cell_and_known_exactly(requests, rows):
    home = {"CATEGORY": "Property Violations", "TYPE": "Private Property", "DETAIL": "All"}
    requests(request("1", **home), request("2", **home))

    (one, shown, cell), (two, also, same) = rows(
        "SELECT ST_AsText(exact_geom), ST_AsText(public_geom), "
        "ST_Within(public_geom, ST_GeomFromWKB(%s, 4326)) FROM report ORDER BY external_id",
        regions_near(shapely.Point(-94.58, 39.05), 0).wkb,
    )

    assert one == two == "POINT(-94.58 39.05)"
    assert cell
    assert same
    assert len({one, shown, also}) == 3


def test_a_request_at_a_home_keeps_its_public_position_while_it_stays_in_its_cell(requests, rows):
    home = {"CATEGORY": "Property Violations", "TYPE": "Private Property", "DETAIL": "All"}
    requests(request("1", **home))
    before = rows("SELECT ST_AsText(public_geom) FROM report")

    assert requests(request("1", LATITUDE="39.05001", **home)).updated == 1
    assert rows("SELECT ST_AsText(public_geom) FROM report") == before


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"LATITUDE": ""}, "LATITUDE", "no position"),
        ({"LONGITUDE": "0"}, "LONGITUDE", "no position"),
        ({"LONGITUDE": "somewhere"}, "LONGITUDE", "no position"),
        ({"LONGITUDE": "-9458.0"}, "LONGITUDE", "not in degrees"),
        ({"LATITUDE": "38.0"}, "position", "outside the served area"),
        ({"CREATION_DATE": "2018-05-11"}, "CREATION DATE", "no date and time like 05/11/2018 09:37 AM"),
        ({"CLOSED_DATE": "soon"}, "CLOSED DATE", "no date like 05/11/2018"),
        ({"CLOSED_DATE": "05/10/2018"}, "CLOSED DATE", "closed before it was created"),
        ({"STATUS": "LOST"}, "STATUS", "none of OPEN, ASSIG, RESOL, DUP, CANC"),
        ({"CASE_ID": " "}, "CASE ID", "no id"),
    ],
)  # fmt: skip
def test_a_row_that_can_not_be_used_is_kept_whole_with_its_reason(
    requests, one, changes, column, reason
):
    summary = requests(request("2018000001"), request("2018000002", **changes))

    assert (summary.inserted, summary.rejected) == (1, 1)
    number, where, why, row = one("SELECT row_number, column_name, reason, row FROM rejected_row")
    assert (number, where, why) == (3, column, reason)
    assert row["SOURCE"] == "WEB"
    assert row["ADDRESS WITH GEOCODE"] == "1100 Santa Fe St64101\n(39.05, -94.58)"


def test_the_same_file_again_does_nothing_and_read_again_changes_nothing(requests, rows):
    first = requests(request())
    before = rows("SELECT * FROM report"), rows("SELECT * FROM report_event")

    assert requests(request()).known
    again = requests(request(), again=True)

    assert (first.inserted, again.unchanged, again.inserted, again.updated) == (1, 1, 0, 0)
    assert (rows("SELECT * FROM report"), rows("SELECT * FROM report_event")) == before


def test_a_newer_file_updates_and_the_timeline_tells(requests, one, rows):
    requests(request(STATUS="OPEN", CLOSED_DATE=""), request("2018000002"))

    summary = requests(request(), request("2018000002"))

    assert (summary.updated, summary.unchanged) == (1, 1)
    assert one("SELECT status FROM report WHERE external_id = '2018000001'") == "done"
    assert rows(
        "SELECT from_status, to_status, (event.at AT TIME ZONE 'America/Chicago')::text "
        "FROM report_event AS event JOIN report ON report.id = report_id "
        "WHERE external_id = '2018000001' ORDER BY event.at"
    ) == [
        (None, "received", "2018-05-11 09:37:00"),
        ("received", "done", "2018-05-16 17:00:00"),
    ]


def test_indexes_and_keys_put_off_for_the_first_file_are_there_again(requests, rows):
    queries = (
        "SELECT indexdef FROM pg_indexes WHERE tablename IN ('report', 'report_event') ORDER BY 1",
        (
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid IN ('report'::regclass, 'report_event'::regclass) ORDER BY 1"
        ),
    )
    before = [rows(query) for query in queries]

    requests(request())

    assert [rows(query) for query in queries] == before


def test_a_place_that_moved_changes_its_areas(requests, city, one):
    requests(request())
    requests(request(LONGITUDE="-94.52"))

    assert one("SELECT neighbourhood_id FROM report") == city["east"]


def test_what_neighbours_verified_and_moderators_hold_outlives_a_newer_file(
    requests, connection, rows
):
    requests(request("1"), request("2"), request("3"))
    connection.execute("UPDATE report SET status = 'verified' WHERE external_id IN ('1', '2')")
    connection.execute("UPDATE report SET status = 'held' WHERE external_id = '3'")

    requests(
        request("1", STREET_ADDRESS="1102 Santa Fe St"),
        request("2", STATUS="OPEN", CLOSED_DATE=""),
        request("3", STREET_ADDRESS="1102 Santa Fe St"),
    )

    assert rows("SELECT external_id, status FROM report ORDER BY 1") == [
        ("1", "verified"),
        ("2", "confirmed"),  # the city took it up again
        ("3", "held"),
    ]


def test_a_row_that_repeats_one_is_left_out_and_one_that_contradicts_it_rejected(requests, one):
    summary = requests(request(), request(), request(STATUS="CANC"))

    assert (summary.inserted, summary.rejected) == (1, 1)
    assert summary.left_out == {"the same as an earlier row": 1}
    assert one("SELECT status FROM report") == "done"
    assert one("SELECT row_number FROM rejected_row") == 4


def test_tallies_count_what_was_brought_in(requests, one):
    before = one("SELECT sum(n) FROM layer_change WHERE layer = 'reports'")
    requests(*(request(str(number)) for number in range(5)), request("6", STATUS="OPEN"))

    assert one("SELECT sum(n) FROM report_tally WHERE level = 17 AND status = 'done'") == 5
    assert one("SELECT sum(n) FROM report_tally WHERE level = 14") == 6
    assert one("SELECT sum(n) FROM layer_change WHERE layer = 'reports'") == before + 1


def test_a_report_lies_in_the_smaller_of_two_watches(requests, connection, one):
    for name, size in (("large", 0.04), ("small", 0.01)):
        connection.execute(
            "INSERT INTO block_watch (name, boundary) VALUES (%s, ST_Multi(ST_GeomFromWKB(%s, 4326)))",
            [name, shapely.Point(-94.58, 39.05).buffer(size).wkb],
        )
    requests(request())

    assert one("SELECT name FROM report JOIN block_watch AS w ON w.id = block_watch_id") == "small"


def test_the_portals_json_is_read_like_its_csv(bring_in, city, one):
    payload = [
        {
            "case_id": "2020137623",
            "category": "Lights / Signals",
            "type": "Street Light",
            "detail": "Blinking",
            "creation_date": "2020-10-20T00:00:00.000",
            "creation_time": "01:14 PM",
            "status": "OPEN",
            "street_address": "7342 Norton Ave",
            "address_with_geocode": {
                "latitude": "39.05",
                "human_address": '{"address": "7342 Norton Ave"}',
                "longitude": "-94.52",
            },
        }
    ]
    bring_in("kcmo_311", json.dumps(payload), name="page.json")

    assert one(
        "SELECT external_id, category_code, neighbourhood_id, "
        "(reported_at AT TIME ZONE 'America/Chicago')::text FROM report"
    ) == ("2020137623", "light_flickers", city["east"], "2020-10-20 13:14:00")


def test_json_that_is_no_answer_of_the_portal_is_refused(bring_in, city):
    with pytest.raises(BrokenFileError, match=r"^file\.csv: it is no answer of the portal's API"):
        bring_in("kcmo_311", '{"error": true}')


def test_without_a_served_area_the_message_says_what_to_import_first(bring_in):
    with pytest.raises(MissingError, match="porchlight import city FILE"):
        bring_in("kcmo_311", table(request()))


def test_a_broken_file_names_the_row_and_leaves_nothing(requests, connection, rows, bring_in):
    requests(request())
    before = rows("SELECT * FROM report"), rows("SELECT * FROM import_run")
    whole = table(*(request(str(number)) for number in range(2_000)))
    connection.execute("SAVEPOINT before")

    with pytest.raises(BrokenFileError) as broken:
        bring_in("kcmo_311", whole + '2018000009,"WEB\n')

    assert str(broken.value) == (
        "file.csv, row 2002, column SOURCE: a quotation mark is opened and not closed."
    )
    connection.execute("ROLLBACK TO SAVEPOINT before")
    assert (rows("SELECT * FROM report"), rows("SELECT * FROM import_run")) == before


def test_kansas_city_lies_in_the_neighbourhoods_the_city_says(kc, bring_in, connection, capsys):
    """The gate: point in neighbourhood agrees with the city's own column in 99 % of rows."""
    bring_in("city", kc / "city_2024.geojson")
    bring_in("neighbourhoods", kc / "neighborhoods.geojson")
    path = kc / "311_requests_2007_2018.csv.gz"
    summary = bring_in("kcmo_311", path)

    assert summary.rows_read == 67_912
    assert summary.rejected == 0
    assert not [reason for reason in summary.left_out if reason.startswith("no rule")]
    agreed, named = _agreement(path, connection)
    with capsys.disabled():
        # The gate shows its figure.
        print(f"\npoint in neighbourhood: {agreed:,} of {named:,} agree ({agreed / named:.2%})")  # noqa: T201
    assert agreed / named >= 0.99


def _agreement(path, connection):
    """Over every row of the file that carries a neighbourhood, report or not."""
    ids, names, shapes = zip(
        *connection.execute(
            "SELECT id, name, ST_AsBinary(geom) FROM area WHERE layer = 'neighbourhood' ORDER BY id"
        ),
        strict=True,
    )
    name_of = dict(zip(ids, names, strict=True))
    polygons = shapely.from_wkb(shapes)
    agreed = named = 0
    for batch in kcmo_311.read(File(path, path.name), also=("NEIGHBORHOOD",)):
        x, y = tables.numbers(batch, "LONGITUDE"), tables.numbers(batch, "LATITUDE")
        theirs = batch.raw.column("NEIGHBORHOOD").to_pylist()
        for name, found in zip(theirs, area_ids(x, y, ids, polygons).tolist(), strict=True):
            if name:
                named += 1
                agreed += _comparable(name) == _comparable(name_of.get(found, ""))
    return agreed, named


def _comparable(name):
    """The export cuts names at 30 characters, and writes case and blanks as it likes."""
    return " ".join(name.split()).casefold()[:30].strip()


def test_the_stored_areas_are_what_the_database_would_have_joined(kc, bring_in, connection, one):
    bring_in("city", kc / "city_2024.geojson")
    bring_in("neighbourhoods", kc / "neighborhoods.geojson")
    bring_in("council_districts", kc / "council_districts_2023.geojson")
    with gzip.open(kc / "311_requests_2007_2018.csv.gz", "rt", newline="") as file:
        # Joining takes a millisecond a report; every seventh shows it of each neighbourhood.
        bring_in("kcmo_311", table(*islice(csv.DictReader(file), None, None, 7)))
    connection.execute(
        "CREATE TEMPORARY TABLE ours AS SELECT id, neighbourhood_id, council_district_id, "
        "exact_neighbourhood_id, exact_council_district_id FROM report"
    )

    connection.execute(
        "SELECT join_reports_to_layer('neighbourhood'), join_reports_to_layer('council_district')"
    )

    assert (
        one(
            "SELECT count(*) FROM report JOIN ours USING (id) WHERE "
            "(report.neighbourhood_id, report.council_district_id, "
            "report.exact_neighbourhood_id, report.exact_council_district_id) IS DISTINCT FROM "
            "(ours.neighbourhood_id, ours.council_district_id, "
            "ours.exact_neighbourhood_id, ours.exact_council_district_id)"
        )
        == 0
    )
    assert one("SELECT count(*) FROM ours WHERE neighbourhood_id IS NOT NULL") > 4_000
    assert one("SELECT count(*) FROM ours WHERE neighbourhood_id <> exact_neighbourhood_id") > 0


def test_the_recount_gives_what_the_triggers_count(requests, connection, rows):
    requests(*(request(str(n), LATITUDE=str(39.001 + n / 500)) for n in range(40)))
    query = "SELECT level, x, y, kind, category_code, status, sum(n) FROM report_tally GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6"
    recounted = rows(query)

    connection.execute("DELETE FROM report_tally")
    connection.execute(
        "CREATE TEMPORARY TABLE held AS SELECT * FROM report; DELETE FROM report; "
        "DELETE FROM report_tally; INSERT INTO report SELECT * FROM held"
    )

    assert rows(query) == recounted
