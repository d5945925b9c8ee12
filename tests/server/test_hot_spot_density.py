import io

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geo.crs import to_city, to_stored
from geo.density import density
from server.hot_spot_density import SHADES, picture, smoothed, steps

PLANTED = (-94.5850, 39.0200)
EAST_M, NORTH_M = to_city().transform(*PLANTED)
AREA = shapely.Point(EAST_M, NORTH_M).buffer(4_000)


def found(places_m):
    x, y = np.asarray(places_m, float).reshape(-1, 2).T
    return density(x, y, AREA)


def shown(made):
    return np.asarray(Image.open(io.BytesIO(picture(made))).convert("RGBA"))


@given(st.floats(1e-6, 1e9))
def test_steps_are_evenly_apart_from_nought_and_reach_up_to_the_peak(peak):
    edges = steps(peak)
    assert 2 <= len(edges) <= len(SHADES)
    assert np.diff([0, *edges]) == pytest.approx(edges[0])
    assert edges[-1] <= peak * (1 + 1e-9) < edges[-1] + edges[0] * (1 + 1e-6)


@pytest.mark.parametrize(
    ("peak", "edges"), [(6, [1, 2, 3, 4, 5, 6]), (90, [20, 40, 60, 80]), (0, [])]
)
def test_steps_are_round_numbers(peak, edges):
    assert steps(peak) == edges


def test_the_darkest_of_the_picture_lies_where_incidents_were_planted():
    made = found([(EAST_M + east, NORTH_M - 1_500) for east in range(-90, 100, 10)])
    image = shown(made)
    darkest = [int(SHADES[-1][at : at + 2], 16) for at in (1, 3, 5)]
    colours = image[..., :3].astype(int)
    edges = smoothed(made).steps
    last = [int(SHADES[len(edges) - 1][at : at + 2], 16) for at in (1, 3, 5)]
    assert (colours == darkest).all(axis=2).any() == (len(edges) == len(SHADES))
    rows, columns = np.nonzero((colours == last).all(axis=2))
    south, west, north, east = smoothed(made).bounds
    lon = west + (columns.mean() + 0.5) * (east - west) / image.shape[1]
    lat = north - (rows.mean() + 0.5) * (north - south) / image.shape[0]
    at_lon, at_lat = to_stored().transform(EAST_M, NORTH_M - 1_500)
    assert lon == pytest.approx(at_lon, abs=0.0005)
    assert lat == pytest.approx(at_lat, abs=0.0005)


def test_outside_the_area_and_where_little_was_counted_the_picture_is_clear():
    alpha = shown(found([(EAST_M + 3_900, NORTH_M)] * 50))[..., 3]
    height, width = alpha.shape
    assert not alpha[: height // 10].any()
    assert not alpha[:, : width // 2].any()
    assert alpha[height // 2].any()


def test_of_nothing_nothing_is_said():
    assert smoothed(found([])) is None
