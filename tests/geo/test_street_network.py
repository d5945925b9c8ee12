"""Ways by street against those counted by hand."""

import numpy as np
import pytest
import shapely

from geo.street_network import DETOUR, OFF_STREET_M, StreetNetwork


def line(*points):
    return shapely.LineString(points)


CROSS = [line((0, 0), (200, 0)), line((100, -100), (100, 100))]


def between(network, *places):
    return network.distances(np.array(places, dtype=float))


def test_streets_are_joined_where_they_cross_though_they_are_not_cut_there():
    found = between(StreetNetwork(CROSS), (0, 0), (100, 100))
    assert found.metres[0, 1] == pytest.approx(200)
    assert found.by_street.all()
    assert found.share_by_street == 1


def test_the_way_to_the_street_and_from_it_counts():
    assert between(StreetNetwork(CROSS), (0, 30), (200, -10)).metres[0, 1] == pytest.approx(240)


def test_places_on_the_same_stretch_are_as_far_as_the_stretch_between_them():
    found = between(StreetNetwork(CROSS), (10, 0), (90, 0), (40, 0))
    assert found.metres.tolist() == pytest.approx(np.array([[0, 80, 30], [80, 0, 50], [30, 50, 0]]))


def test_the_shorter_of_two_ways_is_taken():
    around = [line((0, 0), (0, 100), (100, 100), (100, 0)), line((0, 0), (50, -10), (100, 0))]
    assert between(StreetNetwork(around), (0, 0), (100, 0)).metres[0, 1] == pytest.approx(
        2 * np.hypot(50, 10)
    )


def test_places_that_no_street_joins_are_as_far_as_the_straight_line_times_the_factor():
    islands = [line((0, 0), (100, 0)), line((0, 1_000), (100, 1_000))]
    found = between(StreetNetwork(islands), (0, 0), (0, 1_000), (100, 0))
    assert found.metres[0, 1] == pytest.approx(1_000 * DETOUR)
    assert not found.by_street[0, 1]
    assert found.metres[0, 2] == pytest.approx(100)
    assert found.share_by_street == pytest.approx(1 / 3)


def test_a_place_far_from_any_street_is_measured_in_a_straight_line():
    found = between(StreetNetwork(CROSS), (0, -101 - OFF_STREET_M), (0, 0))
    assert found.metres[0, 1] == pytest.approx((101 + OFF_STREET_M) * DETOUR)


def test_without_streets_all_is_in_straight_lines():
    found = between(StreetNetwork([]), (0, 0), (3, 4))
    assert found.metres[0, 1] == pytest.approx(5 * DETOUR)
    assert found.share_by_street == 0


def test_two_places_at_one_point_are_no_way_apart():
    assert between(StreetNetwork(CROSS), (50, 0), (50, 0)).metres[0, 1] == pytest.approx(
        0, abs=0.01
    )


def test_no_places_have_no_distances():
    assert StreetNetwork(CROSS).distances(np.empty((0, 2))).metres.shape == (0, 0)
