import pytest

from data.sources.batch import BrokenFileError

POINTS = (
    "LON,LAT,NUMBER,STREET,UNIT,CITY,POSTCODE\n"
    "-94.5756,39.0665,3311,Charlotte St,,Kansas City,64109\n"
    "-94.5756,39.0666,0808-810, E 31st St ,Apt 2,Kansas City,64109-1234\n"
)


def test_a_file_of_open_addresses_fits_as_it_is(bring_in, rows):
    summary = bring_in("addresses", POINTS)

    assert summary.inserted == 2
    assert rows(
        "SELECT number, street, postal_code, ST_AsText(geom), source FROM address ORDER BY number"
    ) == [
        (808, "E 31st St", "64109", "POINT(-94.5756 39.0666)", "addresses"),
        (3311, "Charlotte St", "64109", "POINT(-94.5756 39.0665)", "addresses"),
    ]


def test_the_same_file_again_changes_nothing(bring_in):
    bring_in("addresses", POINTS)
    summary = bring_in("addresses", POINTS, again=True)

    assert (summary.inserted, summary.updated, summary.unchanged) == (0, 0, 2)


def test_a_newer_file_moves_an_address(bring_in, one):
    bring_in("addresses", POINTS)
    summary = bring_in("addresses", POINTS.replace("39.0665", "39.0667"))

    assert (summary.updated, summary.unchanged) == (1, 1)
    assert one("SELECT ST_Y(geom) FROM address WHERE number = 3311") == 39.0667


def test_columns_of_other_names_are_mapped(bring_in, rows):
    bring_in(
        "addresses",
        "hn,way,north,east,plz\n7,Oak St,39.0,-94.5,64101\n",
        columns={
            "number": "hn",
            "street": "way",
            "lat": "north",
            "lon": "east",
            "postal_code": "plz",
        },
    )

    assert rows("SELECT number, street, postal_code FROM address") == [(7, "Oak St", "64101")]


def test_what_is_no_address_is_kept_with_its_reason(bring_in, rows):
    summary = bring_in(
        "addresses",
        "number,street,lat,lon\n"
        "P.O. Box 3,Main St,39,-94\n"
        "0,Main St,39,-94\n"
        "5,,39,-94\n"
        "6,Main St,,-94\n",
    )

    assert (summary.inserted, summary.rejected) == (0, 4)
    assert rows("SELECT column_name, reason FROM rejected_row ORDER BY row_number") == [
        ("number", "no house number"),
        ("number", "no house number"),
        ("street", "no street"),
        ("lat", "no position"),
    ]


def test_a_mapped_column_that_is_not_there_is_named(bring_in):
    with pytest.raises(BrokenFileError, match=r"column PLZ: there is no such column"):
        bring_in("addresses", POINTS, columns={"postal_code": "PLZ"})
