import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.concentration import concentration

counts_of_places = st.lists(st.integers(0, 20), min_size=1, max_size=40).map(np.array)
some = counts_of_places.filter(lambda counts: counts.sum() > 0)


def test_the_fewest_places_with_half_of_the_reports_are_counted():
    found = concentration(np.array([1, 5, 0, 4, 0, 0, 0, 0, 0, 0]))
    assert (found.places_with_half, found.share_with_half) == (1, 0.1)
    assert found.lorenz.tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.5, 1]


def test_gini_runs_from_even_to_all_in_one_place():
    assert concentration(np.array([3, 3, 3, 3])).gini == pytest.approx(0)
    assert concentration(np.array([0, 0, 0, 12])).gini == pytest.approx(0.75)


def test_few_reports_on_many_places_are_not_called_uneven():
    counts = np.zeros(1_000, np.int64)
    counts[:10] = 1
    found = concentration(counts)
    assert found.gini == pytest.approx(0.99)
    assert found.gini_adjusted == pytest.approx(0)


@given(some)
def test_gini_is_the_mean_difference_of_two_places(counts):
    apart = abs(counts[:, None] - counts).mean() / 2 / counts.mean()
    assert concentration(counts).gini == pytest.approx(apart, abs=1e-12)


@given(some, st.randoms(use_true_random=False))
def test_concentration_ignores_the_order_of_places(counts, random):
    mixed = counts.tolist()
    random.shuffle(mixed)
    one, other = concentration(counts), concentration(np.array(mixed))
    assert np.array_equal(one.lorenz, other.lorenz)
    assert (one.places_with_half, one.gini) == (other.places_with_half, other.gini)


@given(some)
def test_half_of_the_reports_lie_in_the_places_named_and_in_no_fewer(counts):
    busiest = np.sort(counts)[::-1]
    half = concentration(counts).places_with_half
    assert busiest[:half].sum() * 2 >= counts.sum() > busiest[: half - 1].sum() * 2


def test_without_reports_or_places_there_is_no_answer():
    assert np.isnan(concentration(np.zeros(3, np.int64)).gini)
    with pytest.raises(ValueError, match="there are none"):
        concentration(np.empty(0, np.int64))
