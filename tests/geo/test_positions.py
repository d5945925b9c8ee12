import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from geo.positions import R_MAX_M, R_MIN_M, masked, public_geometries

SECRET = b"a secret of at least thirty-two bytes"
GEOD = Geod(ellps="GRS80")

longitudes = st.floats(-94.77, -94.38)
latitudes = st.floats(38.83, 39.40)
homes = st.lists(st.tuples(longitudes, latitudes), min_size=1, max_size=40)


def metres(a, b):
    return np.asarray(GEOD.inv(*a, *b)[2])


def random_homes(count, seed=1):
    random = np.random.default_rng(seed)
    return random.uniform(-94.6, -94.5, count), random.uniform(39.0, 39.1, count)


@given(homes)
def test_a_mask_is_never_nearer_than_the_inner_radius_nor_past_the_outer(places):
    exact = tuple(np.array(places).T)

    distance = metres(exact, masked(*exact, secret=SECRET))

    # The city's projection stretches by up to 0.04 % here.
    assert (distance >= R_MIN_M).all()
    assert (distance <= R_MAX_M + 1.5).all()


@given(homes)
def test_a_place_has_one_mask_whenever_and_in_whatever_company_it_is_asked_for(places):
    exact = tuple(np.array(places).T)
    together = np.column_stack(masked(*exact, secret=SECRET))
    alone = [
        np.column_stack(masked(np.array([x]), np.array([y]), secret=SECRET))[0] for x, y in places
    ]

    assert together.tolist() == np.array(alone).tolist()


def test_averaging_a_hundred_reports_of_a_home_comes_no_nearer_than_one():
    x, y = np.full(100, -94.5786), np.full(100, 39.0997)

    shown = masked(x, y, secret=SECRET)
    mean = tuple(np.array([values.mean()]) for values in shown)

    assert len({*zip(*(values.tolist() for values in shown), strict=True)}) == 1
    assert metres((x[:1], y[:1]), mean)[0] >= R_MIN_M


def test_masks_are_spread_evenly_over_the_ring():
    exact = random_homes(20_000)
    azimuth, _, distance = GEOD.inv(*exact, *masked(*exact, secret=SECRET))

    # Even by area: as many in each tenth of the ring's area, and in each tenth of the compass.
    share = (np.square(distance) - R_MIN_M**2) / (R_MAX_M**2 - R_MIN_M**2)
    by_area = np.histogram(share, bins=10, range=(0, 1))[0]
    by_direction = np.histogram(azimuth, bins=10, range=(-180, 180))[0]
    assert abs(by_area / 2_000 - 1).max() < 0.1
    assert abs(by_direction / 2_000 - 1).max() < 0.1


def test_neighbours_masks_tell_nothing_of_each_other():
    x, y = random_homes(5_000)
    beside = masked(x + 0.0002, y, secret=SECRET)
    here = masked(x, y, secret=SECRET)

    shifts = [here[0] - x, beside[0] - x - 0.0002]
    assert abs(np.corrcoef(*shifts)[0, 1]) < 0.05


def test_another_secret_gives_other_masks():
    exact = random_homes(100)

    assert not np.isin(
        masked(*exact, secret=SECRET)[0], masked(*exact, secret=SECRET + b"2")[0]
    ).any()


def test_a_mask_outside_the_served_area_is_drawn_again_the_same_way():
    served = shapely.box(-94.6, 39.0, -94.5, 39.1)
    x = np.full(200, -94.5999)
    y = np.linspace(39.01, 39.09, 200)

    first = masked(x, y, secret=SECRET, served_area=served)

    assert shapely.intersects_xy(served, *first).all()
    assert (metres((x, y), first) >= R_MIN_M).all()
    again = masked(x, y, secret=SECRET, served_area=served)
    assert np.array_equal(first, again)


def test_where_no_mask_fits_there_is_no_public_position():
    tiny = shapely.box(-94.6001, 39.0, -94.5999, 39.0001)

    (shown,) = public_geometries(
        [shapely.Point(-94.6, 39.00005)], [True], secret=SECRET, served_area=tiny
    )

    assert shown is None


def test_public_space_is_shown_exactly_and_a_lot_at_a_home_as_a_point():
    street = shapely.LineString([(-94.58, 39.05), (-94.579, 39.05)])
    lot = shapely.box(-94.58, 39.05, -94.5798, 39.0502)

    shown = public_geometries([street, lot], [False, True], secret=SECRET)

    assert shown[0] is street
    assert shown[1].geom_type == "Point"
    middle = lot.point_on_surface()
    apart = GEOD.inv(middle.x, middle.y, shown[1].x, shown[1].y)[2]
    assert apart == pytest.approx((R_MIN_M + R_MAX_M) / 2, abs=(R_MAX_M - R_MIN_M) / 2 + 1.5)


def test_nothing_to_mask_is_nothing_shown():
    assert public_geometries([], [], secret=SECRET) == []
