import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, norm

from geo.emerging import Change, changes, emerging, mann_kendall
from geo.grids import Grid, Shape, cells_meeting

CELLS = cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.box(0, 0, 2_000, 2_000))


def change(history, trend=0.0):
    """Say what becomes of a cell that was hot (H), cold (c) or neither in each step."""
    hot = np.array([[step == "H"] for step in history])
    cold = np.array([[step == "c"] for step in history])
    return changes(hot, cold, np.array([trend]))[0]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (".........H", Change.NEW),
        ("....c....H", Change.NEW),
        (".......HHH", Change.CONSECUTIVE),
        ("..HH...HHH", Change.SPORADIC),
        ("..HH.....H", Change.SPORADIC),
        ("..HHc....H", Change.OSCILLATING),
        ("HHHHHHHHHH", Change.PERSISTENT),
        ("H.HHHHHHHH", Change.PERSISTENT),
        (".HHHHHHHHH", Change.PERSISTENT),
        ("HHHHHHHHH.", Change.HISTORICAL),
        ("HHHHHH....", Change.NONE),
        ("..........", Change.NONE),
        (".........c", Change.NONE),
    ],
)
def test_what_becomes_of_a_cell(history, expected):
    assert change(history) == expected


def test_a_cell_that_is_nearly_always_hot_rises_falls_or_stays():
    assert change("H" * 10, 1.0) == Change.INTENSIFYING
    assert change("H" * 10, -1.0) == Change.DIMINISHING
    assert change("HHHHHHHHH.", 1.0) == Change.HISTORICAL


@given(st.text("Hc.", min_size=2, max_size=14), st.sampled_from([-1.0, 0.0, 1.0]))
def test_each_category_keeps_its_word(history, trend):
    found = change(history, trend)
    hot = history.count("H") / len(history)
    if found in {Change.INTENSIFYING, Change.PERSISTENT, Change.DIMINISHING}:
        assert hot >= 0.9
    if found in {Change.NEW, Change.CONSECUTIVE, Change.SPORADIC, Change.OSCILLATING}:
        assert hot < 0.9
    assert (found in {Change.NONE, Change.HISTORICAL}) == (history[-1] != "H")
    if found == Change.SPORADIC:
        assert "c" not in history
    if found == Change.NEW:
        assert history.count("H") == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=3, max_size=12))
def test_the_trend_is_that_of_mann_and_kendall(series):
    n = len(series)
    rises = sum(np.sign(series[j] - series[i]) for i in range(n) for j in range(i + 1, n))
    _, ties = np.unique(series, return_counts=True)
    spread = np.sqrt((n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18)
    z, p = mann_kendall(np.array(series, float)[:, None])
    if spread:
        assert z[0] == pytest.approx((rises - np.sign(rises)) / spread)
        assert p[0] == pytest.approx(min(1, 2 * norm.sf(abs(z[0]))))
        tau = kendalltau(range(n), series, variant="b").statistic
        assert np.sign(z[0]) == np.sign(tau) or z[0] == 0
    else:
        assert (z[0], p[0]) == (0, 1)


def test_a_new_and_a_lasting_hot_spot_are_told_apart_on_a_map_of_chance():
    rng = np.random.default_rng(1)
    counts = rng.poisson(0.2, (12, len(CELLS)))
    east, north = CELLS.grid.centres(CELLS.q, CELLS.r)
    lasting = np.hypot(east - 450, north - 450) < 200
    new = np.hypot(east - 1_550, north - 1_550) < 200
    counts[:, lasting] += rng.poisson(3, (12, lasting.sum()))
    counts[-1, new] += rng.poisson(6, new.sum())
    found = emerging(CELLS, counts)

    middle = [np.hypot(east - at, north - at).argmin() for at in (450, 1_550)]
    assert found.change[middle].tolist() == [Change.PERSISTENT, Change.NEW]
    elsewhere = found.change[(np.hypot(east - 450, north - 450) > 500) & ~new]
    assert np.mean(elsewhere != Change.NONE) < 0.05


def test_maps_of_chance_have_hot_or_cold_cells_no_more_often_than_promised():
    rng = np.random.default_rng(2)
    small = cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.box(0, 0, 1_200, 1_200))
    alarms = 0
    for _ in range(60):
        found = emerging(small, rng.poisson(0.5, (6, len(small))))
        alarms += (found.hot | found.cold).any()
    assert alarms <= 6


def test_a_change_takes_two_steps():
    with pytest.raises(ValueError, match="two steps"):
        emerging(CELLS, np.zeros((1, len(CELLS)), np.int64))
