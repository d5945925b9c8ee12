import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from geo.false_discovery import adjusted

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)


@given(p_values)
def test_adjusted_values_are_those_of_scipy(p):
    assert adjusted(p) == pytest.approx(false_discovery_control(p))


@given(p_values, st.randoms(use_true_random=False))
def test_the_order_of_tests_does_not_matter(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    assert np.array_equal(adjusted(p)[order], adjusted(p[order]))


@given(p_values)
def test_what_was_not_tested_neither_counts_nor_gets_a_value(p):
    q = adjusted(np.concatenate([[np.nan], p]))
    assert np.isnan(q[0])
    assert np.array_equal(q[1:], adjusted(p))


def test_all_steps_of_time_are_adjusted_for_together():
    p = np.array([[0.01, 0.02], [0.03, 0.04]])
    assert adjusted(p) == pytest.approx(np.full((2, 2), 0.04))
