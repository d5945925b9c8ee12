import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointpats import Knox

from geo.near_repeat import FEW, knox

PLACES = np.array([(0, 0), (50, 0), (60, 80), (500, 500), (540, 500), (1000, 0)], float)
DAYS = np.array([0, 3, 20, 5, 6, 40], float)

few = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def close(places, days, radius, window):
    apart = np.hypot(*(places[:, None] - places).T) <= radius
    soon = abs(days[:, None] - days) <= window
    return int(np.triu(apart & soon, 1).sum())


def test_knox_counts_pairs_and_knows_mean_and_spread():
    found = knox(PLACES, DAYS, radius_m=100, window_days=7)
    assert (found.close_in_space, found.close_in_time, found.close_in_both) == (4, 6, 2)
    assert found.expected == pytest.approx(1.6)
    assert found.spread == pytest.approx(0.8)
    assert found.ratio == pytest.approx(1.25)


def test_few_pairs_are_judged_by_shuffling_moments():
    found = knox(PLACES, DAYS, radius_m=100, window_days=7, permutations=4_999)
    assert found.permutations == 4_999
    assert found.p == pytest.approx(0.4, abs=0.02)
    assert found == knox(PLACES, DAYS, radius_m=100, window_days=7, permutations=4_999)
    assert found.p != knox(PLACES, DAYS, radius_m=100, window_days=7, permutations=4_999, seed=1).p


@settings(max_examples=8, deadline=None)
@given(seeds, st.sampled_from([150.0, 400.0]), st.sampled_from([2.0, 9.0]))
def test_mean_and_spread_are_those_over_all_ways_to_deal_the_moments(seed, radius, window):
    rng = np.random.default_rng(seed)
    places, days = rng.uniform(0, 600, (6, 2)), rng.integers(0, 20, 6).astype(float)
    found = knox(places, days, radius_m=radius, window_days=window, permutations=499)
    dealt = np.array(
        [close(places, days[list(order)], radius, window) for order in permutations(range(6))]
    )
    assert found.close_in_both == close(places, days, radius, window)
    assert found.expected == pytest.approx(dealt.mean())
    assert found.spread == pytest.approx(dealt.std(), abs=1e-9)
    if found.spread:
        assert found.p == pytest.approx((dealt >= found.close_in_both).mean(), abs=0.09)


@few
@given(seeds)
def test_knox_ignores_order_and_where_and_when_zero_is(seed):
    rng = np.random.default_rng(seed)
    places, days = rng.integers(0, 900, (80, 2)) * 1.0, rng.integers(0, 200, 80) * 1.0
    order = rng.permutation(80)
    one = knox(places, days, radius_m=90, window_days=7, permutations=9)
    other = knox(
        places[order] + 4_000, days[order] - 50, radius_m=90, window_days=7, permutations=9
    )
    for name in ("close_in_space", "close_in_time", "close_in_both", "expected", "spread", "z"):
        assert getattr(one, name) == getattr(other, name) or math.isnan(one.z)


def test_pairs_agree_with_pointpats():
    rng = np.random.default_rng(1)
    places, days = rng.uniform(0, 3_000, (300, 2)), rng.integers(0, 90, 300).astype(float)
    peer = Knox(places, days[:, None], delta=150.5, tau=7.5, permutations=0)
    found = knox(places, days, radius_m=150.5, window_days=7.5)
    assert found.close_in_both == peer.statistic_
    assert found.expected == pytest.approx(peer.expected[0, 0], rel=1e-9)


def test_a_burst_of_near_repeats_is_seen_and_chance_is_not():
    rng = np.random.default_rng(2)
    places, days = rng.uniform(0, 5_000, (600, 2)), rng.uniform(0, 365, 600)
    chance = knox(places, days, radius_m=200, window_days=14)
    again = np.concatenate([places, places[:60] + 30]), np.concatenate([days, days[:60] + 4])
    repeats = knox(*again, radius_m=200, window_days=14)

    assert chance.expected > FEW
    assert chance.permutations == 0
    assert chance.p > 0.01
    assert repeats.ratio > 1.5
    assert repeats.p < 1e-6


def test_p_is_even_when_nothing_repeats():
    rng = np.random.default_rng(3)
    p = np.sort(
        [
            knox(
                rng.uniform(0, 3_000, (150, 2)),
                rng.uniform(0, 99, 150),
                radius_m=250,
                window_days=9,
            ).p
            for _ in range(100)
        ]
    )
    assert abs(p - (np.arange(100) + 0.5) / 100).max() < 1.63 / np.sqrt(100) + 0.04


def test_no_pair_and_all_pairs_are_no_evidence():
    apart = knox(PLACES, DAYS, radius_m=1, window_days=7)
    assert (apart.p, apart.close_in_both) == (1.0, 0)
    assert math.isnan(apart.ratio)
    assert knox(PLACES, DAYS, radius_m=5_000, window_days=99).p == 1.0


def test_three_incidents_are_not_enough():
    with pytest.raises(ValueError, match="at least 4"):
        knox(PLACES[:3], DAYS[:3], radius_m=100, window_days=7)
