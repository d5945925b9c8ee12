import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from geo.crs import CITY, STORED
from geo.homes import CELL_M, ENOUGH, homes_at
from geo.positions import generalized, public_geometries, regions_near

SECRET = b"a secret of at least thirty-two bytes"
GEOD = Geod(ellps="GRS80")
TO_CITY = Transformer.from_crs(STORED, CITY, always_xy=True)

SOUTHWEST = (CELL_M * 1_815, CELL_M * 21_600)
"""Corner of a cell in midtown Kansas City, in the city's metres."""

within_a_cell = st.tuples(st.floats(0.1, CELL_M - 0.1), st.floats(0.1, CELL_M - 0.1))
homes = st.lists(
    st.tuples(st.floats(-94.77, -94.38), st.floats(38.83, 39.40)), min_size=1, max_size=40
)


def at(east_m, north_m):
    """Longitude and latitude of a place so far from the corner of the cell."""
    from_corner_m = np.broadcast_arrays(np.atleast_1d(east_m), north_m)
    x, y = TO_CITY.transform(
        SOUTHWEST[0] + from_corner_m[0], SOUTHWEST[1] + from_corner_m[1], direction="INVERSE"
    )
    return np.asarray(x), np.asarray(y)


def from_corner(x, y):
    return np.column_stack(TO_CITY.transform(x, y)) - SOUTHWEST


def cells(x, y):
    return np.floor(np.column_stack(TO_CITY.transform(x, y)) / CELL_M).tolist()


def keys(count):
    return [f"2018{number:06d}" for number in range(count)]


@given(within_a_cell, within_a_cell, st.text(st.characters(exclude_categories=["Cs"])))
def test_two_homes_of_a_cell_cannot_be_told_apart(one, other, key):
    here = generalized(*at(*one), [key], secret=SECRET)
    there = generalized(*at(*other), [key], secret=SECRET)

    assert np.array_equal(here, there)


@given(homes)
def test_what_is_shown_lies_in_the_cell_of_the_home(places):
    exact = tuple(np.array(places).T)

    assert cells(*generalized(*exact, keys(len(places)), secret=SECRET)) == cells(*exact)


@given(homes)
def test_a_report_is_shown_at_one_point_whenever_and_in_whatever_company_it_is_asked_for(places):
    exact, names = tuple(np.array(places).T), keys(len(places))
    together = np.column_stack(generalized(*exact, names, secret=SECRET))
    alone = [
        np.column_stack(generalized(np.array([x]), np.array([y]), [name], secret=SECRET))[0]
        for (x, y), name in zip(places, names, strict=True)
    ]

    assert together.tolist() == np.array(alone).tolist()


def test_the_mean_of_many_reports_of_a_home_is_the_middle_of_its_cell():
    home = 15.0, 180.0
    jitter = np.random.default_rng(1).normal(0, 4, (20_000, 2)).clip(-14, 14)

    shown = generalized(*at(*(jitter + home).T), keys(20_000), secret=SECRET)

    # The mean of so many even draws strays by 0.4 m on each axis.
    assert from_corner(*shown).mean(axis=0) == pytest.approx([CELL_M / 2, CELL_M / 2], abs=2)


def test_points_are_spread_evenly_over_the_cell():
    x, y = at(np.full(20_000, 15.0), 180.0)
    shown = from_corner(*generalized(x, y, keys(20_000), secret=SECRET))

    squares = np.histogram2d(*shown.T, bins=5, range=[[0, CELL_M]] * 2)[0]
    assert abs(squares / 800 - 1).max() < 0.15


def test_one_key_says_nothing_of_another_cell():
    x, y = at(np.arange(5_000) * CELL_M + 10, 10.0)
    shown = from_corner(*generalized(x, y, ["the same"] * 5_000, secret=SECRET)) % CELL_M

    assert abs(np.corrcoef(shown[:-1, 0], shown[1:, 0])[0, 1]) < 0.05


def test_another_secret_gives_other_points():
    x, y = at(np.full(100, 10.0), 10.0)

    assert not np.isin(
        generalized(x, y, keys(100), secret=SECRET)[0],
        generalized(x, y, keys(100), secret=SECRET + b"2")[0],
    ).any()


def test_a_point_outside_the_served_area_is_drawn_again_and_tells_no_more_of_the_home():
    west, east = at([-1_000, 60], 100)[0]
    served = shapely.box(west, 38, east, 40)
    names = keys(200)

    here = generalized(*at(np.full(200, 50.0), 10.0), names, secret=SECRET, served_area=served)
    there = generalized(*at(np.full(200, 5.0), 190.0), names, secret=SECRET, served_area=served)

    assert shapely.intersects_xy(served, *here).all()
    assert np.array_equal(here, there)


def test_where_no_point_fits_there_is_no_public_position():
    (x,), (y,) = at(50, 50)
    tiny = shapely.box(x - 1e-7, y - 1e-7, x + 1e-7, y + 1e-7)

    shown = public_geometries(
        [shapely.Point(x, y)], [True], ["key"], secret=SECRET, served_area=tiny
    )

    assert shown == [None]


def test_public_space_is_shown_exactly_and_a_lot_at_a_home_as_a_point_of_the_cell():
    (x, beside), (y, behind) = at([20, 40], [30, 50])
    street = shapely.LineString([(x, y), (beside, y)])
    lot = shapely.box(x, y, beside, behind)

    shown = public_geometries([street, lot], [False, True], ["a", "b"], secret=SECRET)

    assert shown[0] is street
    assert shown[1].geom_type == "Point"
    assert cells([shown[1].x], [shown[1].y]) == cells([x], [y])


def test_a_home_a_stretch_and_a_lot_of_one_cell_cannot_be_told_apart():
    (west, east), (south, north) = at([20, 60], [30, 70])
    exact = [
        shapely.Point(east, south),
        shapely.LineString([(west, south), (east, north), (west, north)]),
        shapely.box(west, south, east, north),
    ]

    shown = public_geometries(exact, [True] * 3, ["key"] * 3, secret=SECRET)

    assert shown[0] == shown[1] == shown[2]


def test_nothing_to_draw_is_nothing_shown():
    assert public_geometries([], [], [], secret=SECRET) == []


@given(within_a_cell, st.floats(0, 80), st.floats(0, 360), st.text(max_size=5))
def test_the_regions_near_a_place_hold_the_point_of_each_home_that_is_near(
    place, far, azimuth, key
):
    (x,), (y,) = at(*place)
    home_x, home_y, _ = GEOD.fwd(x, y, azimuth, far)

    shown = generalized(np.array([home_x]), np.array([home_y]), [key], secret=SECRET)

    # The city's projection stretches by up to 0.04 % here.
    assert shapely.intersects_xy(regions_near(shapely.Point(x, y), far + 0.1), *shown).all()


def test_the_regions_near_a_place_are_those_that_the_radius_reaches():
    def sides(east_m, north_m, radius_m):
        near = regions_near(shapely.Point(*at(east_m, north_m)), radius_m)
        corners = np.rint(from_corner(*near.exterior.xy) / CELL_M)
        return [corners.min(axis=0).tolist(), corners.max(axis=0).tolist()]

    assert sides(100, 100, 80) == [[0, 0], [1, 1]]
    assert sides(100, 30, 80) == [[0, -1], [1, 1]]
    assert sides(190, 190, 80) == [[0, 0], [2, 2]]


def beside(count, spread_m, offset=(0.0, 0.0)):
    """The homes of a neighbourhood: scattered evenly from the corner of the cell on."""
    places = np.random.default_rng(2).uniform(0, spread_m, (count, 2)) + offset
    return homes_at(*(places + SOUTHWEST).T)


def test_a_home_with_few_beside_it_is_shown_among_enough():
    few = np.array([[10.0, 10.0], [20.0, 10.0]])
    many = np.random.default_rng(3).uniform(200, 400, (40, 2))
    known = homes_at(*(np.concatenate([few, many]) + SOUTHWEST).T)
    names = keys(300)

    shown = from_corner(*generalized(*at(*few[[0] * 300].T), names, secret=SECRET, homes=known))

    assert (shown > CELL_M).any(axis=1).sum() > 200
    assert np.array_equal(
        from_corner(*generalized(*at(*many[[0] * 300].T), names, secret=SECRET, homes=known)), shown
    )


def test_where_the_city_knows_of_too_few_homes_there_is_no_public_position():
    known = homes_at(*(np.array([[10.0, 10.0]] * (ENOUGH - 1)) + SOUTHWEST).T)

    shown = generalized(*at([10, 90_000], 10), keys(2), secret=SECRET, homes=known)

    assert np.isnan(shown).all()


@given(st.integers(ENOUGH, 400), st.floats(150, 3_000), within_a_cell, st.text(max_size=5))
def test_the_regions_near_a_place_hold_the_point_of_a_home_there(count, spread_m, place, key):
    known = beside(count, spread_m)
    (x,), (y,) = at(*place)

    shown = generalized(np.array([x]), np.array([y]), [key], secret=SECRET, homes=known)
    assume(not np.isnan(shown).any())  # too few homes far around

    assert shapely.intersects_xy(regions_near(shapely.Point(x, y), 0.1, known), *shown).all()
