import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.density import density

CITY = shapely.box(0, 0, 8_000, 6_000)


def clustered(seed, count=2_000):
    rng = np.random.default_rng(seed)
    middle = rng.uniform((2_500, 2_500), (5_500, 3_500), (count, 2))
    return (middle // 700 * 700 + rng.normal(0, 150, (count, 2))).T


def one_by_one(x, y, found):
    rows, columns = found.per_km2.shape
    east = found.corner_m[0] + found.spacing_m * np.arange(columns)
    north = found.corner_m[1] + found.spacing_m * np.arange(rows)
    width = found.bandwidth_m
    in_row = np.exp(-(((north[:, None] - y) / width) ** 2) / 2)
    in_column = np.exp(-(((east[:, None] - x) / width) ** 2) / 2)
    return in_row @ in_column.T / (2 * np.pi * width**2) * 1e6


@pytest.mark.parametrize(("bandwidth", "error"), [(200, 2e-3), (300, 5e-4), (600, 1e-4)])
def test_the_density_is_that_of_summing_kernels_one_by_one(bandwidth, error):
    x, y = clustered(1)
    found = density(x, y, CITY.buffer(4_000), bandwidth_m=bandwidth)
    exact = one_by_one(x, y, found)
    far_from_edges = np.s_[40:-40, 40:-40]
    off = abs(found.per_km2 - exact)[far_from_edges].max()
    assert off < error * exact.max()


def test_an_even_map_stays_even_up_to_its_edges():
    x, y = (
        grid.ravel() for grid in np.meshgrid(np.arange(25, 8_000, 50), np.arange(25, 6_000, 50))
    )
    assert density(x, y, CITY).per_km2 == pytest.approx(400, rel=0.01)


def test_outside_the_area_there_is_no_density():
    city = shapely.Point(4_000, 3_000).buffer(2_000)
    found = density(np.array([4_000.0, 9_000.0]), np.array([3_000.0, 0.0]), city)
    assert np.isnan(found.per_km2[0, 0])
    assert np.nansum(found.per_km2) * 0.1**2 == pytest.approx(1, rel=1e-3)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-1e5, 1e5))
def test_density_ignores_order_and_moves_with_the_map(seed, shift):
    x, y = clustered(seed, 100)
    order = np.random.default_rng(seed).permutation(100)
    there = shapely.box(shift, shift, 8_000 + shift, 6_000 + shift)
    moved = density(x[order] + shift, y[order] + shift, there)
    here = density(x, y, CITY)
    rows, columns = here.per_km2.shape
    peak = here.per_km2.max()
    assert moved.per_km2[: rows - 1, : columns - 1] == pytest.approx(
        here.per_km2[: rows - 1, : columns - 1], abs=peak * 1e-6
    )


def test_the_densest_node_is_where_most_was_planted():
    x, y = np.append(clustered(3)[0], [1_000.0] * 900), np.append(clustered(3)[1], [5_000.0] * 900)
    assert density(x, y, CITY).densest_m == pytest.approx((1_000, 5_000), abs=1)


def test_no_reports_are_no_density():
    assert not density(np.empty(0), np.empty(0), CITY).per_km2.any()


def test_nodes_too_far_apart_are_refused():
    with pytest.raises(ValueError, match="too coarse"):
        density(np.empty(0), np.empty(0), CITY, bandwidth_m=150, spacing_m=100)
