import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.small_areas import steadied

areas = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 500)), min_size=1, max_size=8)


def test_rates_are_those_of_marshall_with_the_variance_cut_off_at_zero():
    counts = np.array([20.0, 5, 1, 60, 30])
    exposure = np.array([100.0, 200, 50, 300, 1000])
    assert steadied(counts, exposure) == pytest.approx(
        [0.18448718, 0.02788164, 0.03074778, 0.19438101, 0.03054021], abs=5e-9
    )


@given(areas)
def test_a_rate_lies_between_the_areas_own_and_that_of_all(rows):
    counts, exposure = np.array(rows, float).T
    rate, own = steadied(counts, exposure), counts / exposure
    mean = counts.sum() / exposure.sum()
    assert (rate >= np.minimum(own, mean) - 1e-12).all()
    assert (rate <= np.maximum(own, mean) + 1e-12).all()


def test_areas_that_differ_no_more_than_chance_all_have_the_rate_of_all():
    assert steadied(np.array([1.0, 2.0]), np.array([10.0, 10.0])).tolist() == [0.15, 0.15]


def test_nothing_looked_at_gives_no_rate():
    assert np.isnan(steadied(np.zeros(2), np.zeros(2))).all()


@pytest.mark.parametrize(
    ("counts", "exposure"), [([-1.0], [1.0]), ([1.0], [-1.0]), ([1.0, 1.0], [0.0, 3.0])]
)
def test_what_can_not_be_counted_is_refused(counts, exposure):
    with pytest.raises(ValueError, match="below zero"):
        steadied(np.array(counts), np.array(exposure))
