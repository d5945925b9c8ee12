import psycopg
import pytest
from sqlalchemy import make_url

STOPS = "stop_id,stop_name,stop_lat,stop_lon\n1,Here,39.05,-94.58\n2,Nowhere,,\n"
LOTS = (
    "Parcel.Number,Combined.Full.Address,Date.Sold,Longitude,Latitude\n"
    "K1,213 BROOKLYN AVE,2012-08-01,-94.555,39.111\n"
)


@pytest.fixture
def stops(tmp_path):
    path = tmp_path / "stops.txt"
    path.write_text(STOPS)
    return path


@pytest.fixture
def ask(own):
    url = make_url(own).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(url, autocommit=True) as connection:
        yield lambda query: connection.execute(query).fetchall()


def test_a_file_is_brought_in_with_a_summary_of_every_row(porchlight, ask, stops):
    code, said = porchlight("import", "gtfs_stops", str(stops))

    assert code == 0
    words = " ".join(said.split())
    assert "new 1 updated 0 unchanged 0 rejected 1 rows read 2" in words
    assert "stops.txt is in as gtfs_stops" in words
    assert "row 3, stop_lon: no position" in words
    assert ask("SELECT name FROM transit_stop") == [("Here",)]


def test_the_same_file_is_called_unchanged_unless_it_shall_be_read_again(porchlight, ask, stops):
    porchlight("import", "gtfs_stops", str(stops))

    assert "unchanged since the last import" in porchlight("import", "gtfs_stops", str(stops))[1]
    again = " ".join(porchlight("import", "gtfs_stops", str(stops), "--again")[1].split())
    assert "new 0 updated 0 unchanged 1 rejected 1" in again
    assert ask("SELECT count(*) FROM import_run") == [(2,)]


def test_a_broken_file_changes_nothing_and_says_where_it_breaks(porchlight, ask, stops):
    stops.write_text(STOPS + "3,Here\n")

    code, said = porchlight("import", "gtfs_stops", str(stops))

    assert code == 1
    assert "stops.txt, row 4, column stop_lat: 2 values where the header names 4 columns" in said
    assert "The database is as it was." in said
    assert ask("SELECT count(*) FROM transit_stop") == [(0,)]
    assert ask("SELECT count(*) FROM import_run") == [(0,)]


def test_a_file_of_which_nothing_can_be_used_is_a_failure_with_the_reason(
    porchlight, ask, tmp_path
):
    path = tmp_path / "feet.csv"
    path.write_text("name,lat,lon\nThe Center,1045300.5,2766700.25\nLibrary,1045400,2766800\n")

    code, said = porchlight("import", "service_locations", str(path))

    assert code == 1
    assert "feet.csv: none of its 2 rows can be used" in said
    assert "row 2, lon: not in degrees" in said
    assert "--crs EPSG:2817" in said
    assert "The database is as it was." in said
    assert ask("SELECT count(*) FROM import_run") == [(0,)]

    code, said = porchlight("import", "service_locations", str(path), "--crs", "EPSG:6420")

    assert code == 0
    assert ask("SELECT count(*) FROM service_location") == [(2,)]


def test_lots_can_be_searched_for_by_address_at_once(porchlight, ask, tmp_path):
    path = tmp_path / "lots.csv"
    path.write_text(LOTS)

    assert porchlight("import", "land_bank", str(path))[0] == 0

    assert ask("SELECT count(*) FROM gazetteer_build") == [(1,)]


def test_columns_are_mapped(porchlight, ask, tmp_path):
    path = tmp_path / "lots.csv"
    path.write_text(LOTS.replace("Parcel.Number", "PIN"))

    assert porchlight("import", "land_bank", str(path), "--map", "Parcel.Number=PIN")[0] == 0
    assert ask("SELECT parcel_number FROM vacant_lot") == [("K1",)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a source and a file"),
        (("maps", "x.csv"), "give a source and a file"),
        (("city", "nowhere.geojson"), "there is no such file"),
        (("city", __file__, "--map", "name"), "write it as --map name=COLUMN"),
        (("city", "http://127.0.0.1/city.geojson"), "not on the public internet"),
        (("city", "file:///etc/passwd"), "give a file, or a URL that begins with https://"),
    ],
)  # fmt: skip
def test_a_wrong_command_says_how_to_write_it(porchlight, own, arguments, said):
    code, answer = porchlight("import", *arguments)

    assert code != 0
    assert said in " ".join(answer.replace("│", " ").split())


def test_the_list_names_every_source(porchlight, own):
    code, said = porchlight("import", "--list")

    assert code == 0
    for source in ("city", "neighbourhoods", "kcmo_311", "block_watches", "gtfs_stops"):
        assert source in said
