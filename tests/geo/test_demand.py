"""Points that are handed on to homes are neither lost nor counted twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geo.budget import Offer
from geo.demand import Around, shared


def around(points, amounts, parts, reach_m=100.0):
    return Around(
        np.array(points, dtype=float).reshape(-1, 2),
        np.array(amounts, dtype=float),
        reach_m,
        np.array(parts, dtype=float),
    )


def test_two_lights_that_reach_the_same_homes_share_their_points():
    needs = np.array([[0.0, 0.0], [10.0, 0.0]])
    found = shared(needs, [around([[5, 0]], [3], [6, 6])])
    offer = Offer(found.alone, found.reach, found.demand, np.ones((2, 1)))
    # As much as one of them alone, not twice.
    assert offer.worth(np.array([True, True])) == pytest.approx(6)
    assert offer.worth(np.array([True, False])) == pytest.approx(6)


def test_lights_far_from_each_other_add_up():
    needs = np.array([[0.0, 0.0], [1_000.0, 0.0]])
    found = shared(needs, [around([[0, 0], [1_000, 0]], [1, 3], [2, 6])])
    offer = Offer(found.alone, found.reach, found.demand, np.ones((2, 1)))
    assert offer.worth(np.array([True, True])) == pytest.approx(8)
    assert offer.worth(np.array([False, True])) == pytest.approx(6)


def test_points_for_which_nothing_is_known_near_by_stay_with_the_need():
    found = shared(np.array([[0.0, 0.0]]), [around([[500, 0]], [9], [4])])
    assert found.alone.tolist() == [4]
    assert found.demand.size == 0


def test_a_place_is_reached_from_as_far_as_the_reach_says():
    needs = np.array([[0.0, 0.0]])
    assert shared(needs, [around([[100, 0]], [1], [4])]).reach.nnz == 1
    assert shared(needs, [around([[100.5, 0]], [1], [4])]).reach.nnz == 0


def test_without_needs_or_factors_there_is_nothing():
    assert shared(np.empty((0, 2)), [around([[0, 0]], [1], [])]).reach.shape == (0, 0)
    assert shared(np.zeros((2, 2)), []).reach.shape == (2, 0)


metres = st.floats(0, 500)


@given(
    arrays(float, (4, 2), elements=metres),
    arrays(float, (6, 2), elements=metres),
    arrays(float, 6, elements=st.floats(0.5, 20)),
    arrays(float, 4, elements=st.floats(0, 30)),
)
def test_no_point_is_lost(needs, points, amounts, parts):
    found = shared(needs, [around(points, amounts, parts)])
    assert (found.reach @ found.demand).sum() + found.alone.sum() == pytest.approx(parts.sum())
