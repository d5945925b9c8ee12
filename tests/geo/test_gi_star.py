from itertools import combinations

import numpy as np
import pytest
import shapely
from esda.getisord import G_Local
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.weights import lat2W
from scipy.stats import binom, norm

from geo.false_discovery import adjusted
from geo.gi_star import binomial_tails, permutation_tails, z_scores
from geo.grids import Cells, Grid, Shape, cells_meeting

SQUARES = np.array([0, 1, 0, 2, 1, 1, 0, 3, 4, 2, 0, 2, 9, 7, 3, 1, 1, 5, 6, 2, 0, 0, 1, 2, 0])
# fmt: off
SQUARES_Z = [
    -1.470844, -1.504168, -0.529966, -0.140285, 0.118031, -1.699008, -0.53395, 1.546375, 2.066457,
    1.223597, -1.504168, 0.506213, 3.10662, 3.800062, 2.197799, -1.699008, -0.013869, 2.413178,
    2.759899, 1.418438, -1.470844, -0.919647, 0.444236, 0.639076, 0.345013,
]
HEXAGONS = np.array([0, 1, 0, 2, 4, 1, 0, 1, 5, 9, 3, 0, 0, 2, 6, 1, 0, 1, 0])
HEXAGONS_Z = [
    -0.13073, -0.726196, -1.259764, 0.528143, 1.667353, 0.903986, -1.144309, 0.095077, 1.858194,
    3.194085, 1.285669, -0.808151, -0.308083, 1.858194, 1.667353, 0.11003, -1.033957, -0.099027,
    0.095077,
]
# fmt: on

counts_of_cells = st.lists(st.integers(0, 6), min_size=4, max_size=10).map(np.array)


def squares(side):
    return cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.box(0, 0, side * 100, side * 100))


def hexagons(radius):
    names = [
        (q, r)
        for r in range(-radius, radius + 1)
        for q in range(-radius, radius + 1)
        if abs(q + r) <= radius
    ]
    return Cells(Grid(Shape.HEXAGON, 100.0), *np.array(names).T, np.ones(len(names), bool))


def neighbourhoods(cells, counts):
    return cells.around(counts), cells.around(np.ones_like(counts))


def by_hand(counts, size, at_least):
    sums = [sum(chosen) for chosen in combinations(counts.tolist(), size)]
    return sum(total >= at_least for total in sums) / len(sums)


def test_gi_star_on_squares_is_that_of_esda_and_spdep():
    lag, size = neighbourhoods(squares(5), SQUARES)
    assert z_scores(lag, size, SQUARES) == pytest.approx(SQUARES_Z, abs=5e-7)


def test_gi_star_with_rook_neighbours():
    by_rows = SQUARES.reshape(5, 5)
    padded = np.pad(by_rows, 1)
    lag = by_rows + padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    z = z_scores(lag.ravel()[12:14], np.array([5, 5]), SQUARES)
    assert z == pytest.approx([3.203702, 3.827799], abs=5e-7)


def test_gi_star_on_hexagons():
    lag, size = neighbourhoods(hexagons(2), HEXAGONS)
    assert z_scores(lag, size, HEXAGONS) == pytest.approx(HEXAGONS_Z, abs=5e-7)


def test_the_normal_z_with_a_false_discovery_rate_calls_three_squares_hot():
    lag, size = neighbourhoods(squares(5), SQUARES)
    q = adjusted(2 * norm.sf(abs(z_scores(lag, size, SQUARES))))
    assert np.flatnonzero(q <= 0.05).tolist() == [12, 13, 18]
    assert q[[12, 13, 18]] == pytest.approx([0.023655, 0.003617, 0.048183], abs=5e-7)


def test_the_exact_tail_is_that_of_counting_all_ways_to_deal_the_counts():
    p = permutation_tails(*neighbourhoods(squares(5), SQUARES), SQUARES).upper
    assert p[[12, 13, 18]] == pytest.approx([0.00086345, 4.89e-06, 0.00357077], rel=1e-3)
    centre = permutation_tails(*neighbourhoods(hexagons(2), HEXAGONS), HEXAGONS).upper[9]
    assert centre == pytest.approx(11 / 50_388, rel=1e-12)


@given(counts_of_cells, st.data())
def test_both_tails_agree_with_brute_force_for_any_size_of_neighbourhood(counts, data):
    size = data.draw(st.integers(1, len(counts)))
    chosen = data.draw(st.permutations(range(len(counts))))[:size]
    lag = int(counts[chosen].sum())
    tails = permutation_tails(np.array([lag]), np.array([size]), counts)

    assert tails.upper[0] == pytest.approx(by_hand(counts, size, lag), rel=1e-11)
    assert tails.lower[0] == pytest.approx(1 - by_hand(counts, size, lag + 1), rel=1e-9)
    most = int(np.sort(counts)[-size:].sum())
    assert tails.least == pytest.approx(by_hand(counts, size, most), rel=1e-11)


@given(counts_of_cells, st.randoms(use_true_random=False))
def test_the_tail_ignores_the_order_of_cells(counts, random):
    order = list(range(len(counts)))
    random.shuffle(order)
    lag, size = np.array([3, 4]), np.array([2, 3])
    some = np.append(counts, [2, 2, 2])
    one = permutation_tails(lag, size, some).upper
    assert np.array_equal(one, permutation_tails(lag, size, some[[*order, -1, -2, -3]]).upper)


def test_neighbourhoods_of_several_sizes_are_judged_as_if_alone():
    rng = np.random.default_rng(5)
    counts = rng.negative_binomial(0.4, 0.1, 400)
    lag, size = rng.integers(0, 40, 60), rng.integers(1, 26, 60)
    together = permutation_tails(lag, size, counts).upper
    alone = [permutation_tails(lag[[n]], size[[n]], counts).upper[0] for n in range(60)]
    assert together == pytest.approx(alone, rel=1e-11)


def test_the_exact_distribution_has_the_mean_and_spread_of_gi_star():
    rng = np.random.default_rng(6)
    counts = rng.poisson(0.3, 2_000)
    most = np.arange(int(np.sort(counts)[-9:].sum()) + 1)
    size = np.full(len(most), 9)
    upper = permutation_tails(most, size, counts).upper
    chance = -np.diff(np.append(upper, 0.0))
    mean = (most * chance).sum()
    assert mean == pytest.approx(9 * counts.mean(), rel=1e-11)
    spread = np.sqrt((most**2 * chance).sum() - mean**2)
    assert (most - mean) / spread == pytest.approx(z_scores(most, size, counts), rel=1e-7)


def test_tails_far_below_the_rounding_of_one_are_still_right():
    counts = np.zeros(40_000, np.int64)
    counts[:9] = 1_000
    p = permutation_tails(np.array([9_000]), np.array([9]), counts).upper[0]
    ways = np.prod([(40_000 - n) / (n + 1) for n in range(9)])
    assert p == pytest.approx(1 / ways, rel=1e-10)


def test_a_map_without_reports_is_no_evidence():
    none = np.zeros(25, np.int64)
    lag, size = neighbourhoods(squares(5), none)
    assert (permutation_tails(lag, size, none).upper == 1).all()
    assert np.isnan(z_scores(lag, size, none)).all()


def test_what_is_no_count_or_no_neighbourhood_is_refused():
    with pytest.raises(ValueError, match="fewer than 0"):
        permutation_tails(np.array([1]), np.array([1]), np.array([-1, 1]))
    with pytest.raises(ValueError, match="no more than the map"):
        permutation_tails(np.array([1]), np.array([3]), np.array([0, 1]))


def test_the_binomial_tail_is_that_of_scipy():
    lag, share = np.array([0, 1, 7, 40]), np.array([0.1, 0.001, 0.02, 0.3])
    tails = binomial_tails(lag, share, 90)
    assert tails.upper == pytest.approx(binom.sf(lag - 1, 90, share), rel=1e-9)
    assert tails.lower == pytest.approx(binom.cdf(lag, 90, share), rel=1e-9)
    assert tails.least == pytest.approx(0.001**90)


def test_no_exposure_gives_no_answer():
    tails = binomial_tails(np.array([0, 3]), np.array([np.nan, 0.5]), 9)
    assert np.isnan(tails.upper[0])
    assert np.isnan(tails.lower[0])
    assert tails.upper[1] > 0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_gi_star_agrees_with_esda_on_any_map(seed):
    counts = np.random.default_rng(seed).poisson(1.5, 12 * 12)
    peer = G_Local(
        counts.astype(float), lat2W(12, 12, rook=False), transform="B", star=True, permutations=0
    )
    lag, size = neighbourhoods(squares(12), counts)
    assert z_scores(lag, size, counts) == pytest.approx(peer.Zs, abs=1e-9)


# Calibration: maps of 50 by 50 cells with no hot spot. Mean of the counts a cell -> how they vary.
NULL_MAPS = {
    "poisson 0.02": lambda rng: rng.poisson(0.02, 2_500),
    "poisson 0.2": lambda rng: rng.poisson(0.2, 2_500),
    "poisson 1": lambda rng: rng.poisson(1, 2_500),
    "poisson 5": lambda rng: rng.poisson(5, 2_500),
    "negative binomial 1": lambda rng: rng.negative_binomial(0.5, 1 / 3, 2_500),
}
MAPS = 100


@pytest.mark.parametrize("null", NULL_MAPS)
def test_maps_without_hot_spots_show_one_no_more_often_than_promised(null):
    rng = np.random.default_rng(20_180_515)
    cells = squares(50)
    alarms, small, randomised = 0, 0, []
    for _ in range(MAPS):
        counts = NULL_MAPS[null](rng)
        lag, size = neighbourhoods(cells, counts)
        p = permutation_tails(lag, size, counts).upper
        alarms += (adjusted(p) <= 0.05).any()
        small += (p <= 0.05).sum()
        here = rng.integers(len(p))
        more = permutation_tails(lag[[here]] + 1, size[[here]], counts).upper[0]
        randomised.append(more + rng.random() * (p[here] - more))
    # A share of 5 % gives at most 9 of 100, 97 times of 100 (binomial).
    assert alarms <= 9
    assert small <= 0.055 * MAPS * 2_500
    # Between the steps of counts, p is uniform (Kolmogorov and Smirnov, 1 %).
    steps = np.sort(randomised)
    assert abs(steps - (np.arange(MAPS) + 0.5) / MAPS).max() < 1.63 / np.sqrt(MAPS)


def test_the_normal_z_shows_hot_spots_on_nearly_all_maps_that_have_none():
    rng = np.random.default_rng(7)
    cells = squares(50)
    alarms = 0
    for _ in range(20):
        counts = rng.poisson(0.05, 2_500)
        q = adjusted(norm.sf(z_scores(*neighbourhoods(cells, counts), counts)))
        alarms += (q <= 0.05).any()
    assert alarms >= 18
