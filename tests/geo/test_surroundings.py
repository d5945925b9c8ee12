import numpy as np
import pytest
import shapely

from geo.exposure import Homes, Households
from geo.surroundings import homes_within, least_near, shapes_within, within

HERE = np.array([[0.0, 0.0], [100.0, 0.0]])
NONE = np.empty((0, 2))


def test_what_lies_at_the_radius_is_within_it():
    others = np.array([[30.0, 40.0], [130.0, 0.0], [50.1, 0.0]])
    assert within(HERE, others, 50.0).tolist() == [1, 2]
    assert within(HERE, others, 50.0, np.array([2.0, 0.5, 8.0])).tolist() == [2, 8.5]


def test_where_nothing_is_there_is_nothing_within():
    assert within(HERE, NONE, 50.0).tolist() == [0, 0]
    assert within(NONE, HERE, 50.0).tolist() == []


def test_homes_are_counted_where_each_is_known():
    homes = Homes(np.array([10.0, 90.0]), np.array([0.0, 0.0]))
    assert homes_within(HERE, homes, 20.0).tolist() == [1, 1]


def test_homes_of_an_area_lie_evenly_in_it_and_outside_none_are_known():
    # 300 homes on 3 hectares: a hundredth of a home a square metre.
    homes = Households([shapely.box(-50, -150, 50, 150)], [300])
    found = homes_within(np.array([[0.0, 0.0], [900.0, 0.0]]), homes, 10.0)
    assert found == pytest.approx([np.pi, np.nan], nan_ok=True)
    assert np.isnan(homes_within(HERE, None, 10.0)).all()


def test_of_the_lines_within_reach_the_least_value_counts():
    lines = shapely.linestrings([[[0, 5], [9, 5]], [[0, 7], [9, 7]], [[0, 90], [9, 90]]])
    found = least_near(HERE, lines, np.array([3.0, 2.0, 1.0]), 20.0)
    assert found == pytest.approx([2.0, np.nan], nan_ok=True)


def test_a_park_counts_where_its_edge_comes_within_the_radius():
    parks = np.array([shapely.box(110, -5, 200, 5), shapely.box(-500, 0, -400, 9)], dtype=object)
    assert shapes_within(HERE, parks, 10.0).tolist() == [0, 1]
    assert shapes_within(HERE, parks[:0], 10.0).tolist() == [0, 0]
