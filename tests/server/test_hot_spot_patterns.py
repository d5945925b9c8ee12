"""What is told beside hot spots, on incidents whose answer is known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from geo.grids import Grid, Shape, cells_meeting
from geo.near_repeat import knox
from geo.prediction import BASELINE
from server.hot_spot_patterns import (
    HELD_OUT,
    MOST_PAIRED,
    NEAR_M,
    SOON_DAYS,
    concentrated,
    forecast,
    found,
    near_repeats,
)

CORNER = 360_000.0, 4_320_000.0
CELLS = cells_meeting(
    Grid(Shape.SQUARE, 200.0), shapely.box(*CORNER, CORNER[0] + 4_000, CORNER[1] + 4_000)
)
SINCE = datetime(2025, 1, 1, tzinfo=UTC)
YEAR = SINCE, SINCE + timedelta(days=365)
START_S = SINCE.timestamp()


def scattered(rng, n):
    x, y = rng.uniform(0, 4_000, (2, n))
    return CORNER[0] + x, CORNER[1] + y, START_S + rng.uniform(0, 365, n) * 86_400


def test_half_of_the_incidents_is_in_the_fewest_cells_that_hold_it():
    told = concentrated(np.array([6, 2, 2, 1, 1, 0, 0, 0, 0, 0]))
    assert (told["cells_with_half"], told["cells_with_any"], told["cells"]) == (1, 5, 10)
    assert told["share_with_half"] == 0.1
    assert (told["lorenz"][0], told["lorenz"][-1]) == (0, 1)
    assert told["lorenz"] == sorted(told["lorenz"])
    assert concentrated(np.zeros(3, np.int64)) is None


def test_incidents_that_bring_others_are_told_from_those_that_do_not():
    rng = np.random.default_rng(1)
    x, y, at_s = scattered(rng, 300)
    alone = near_repeats(np.column_stack([x, y]), at_s / 86_400)
    assert not any(row["beyond_chance"] for row in alone["rows"])

    followed = [np.concatenate([column, column[:60] + shift]) for column, shift in
                ((x, 40.0), (y, 40.0), (at_s, 3 * 86_400.0))]  # fmt: skip
    brought = near_repeats(np.column_stack(followed[:2]), followed[2] / 86_400)
    assert brought["rows"][0]["beyond_chance"]
    assert brought["rows"][0]["pairs"] >= 60


def test_near_repeats_are_those_of_the_test_by_knox():
    rng = np.random.default_rng(2)
    x, y, at_s = scattered(rng, 400)
    points, at_days = np.column_stack([x, y]), at_s / 86_400
    for row, radius_m in zip(near_repeats(points, at_days)["rows"], NEAR_M, strict=True):
        test = knox(points, at_days, radius_m=radius_m, window_days=SOON_DAYS)
        assert (row["pairs"], row["expected"], row["p"]) == pytest.approx(
            (test.close_in_both, test.expected, test.p)
        )


def test_of_many_incidents_the_latest_are_looked_at():
    rng = np.random.default_rng(3)
    n = MOST_PAIRED + 500
    points = rng.uniform(0, 1e6, (n, 2))
    told = near_repeats(points, np.arange(n, dtype=float))
    assert (told["incidents"], told["of"], told["first_s"]) == (MOST_PAIRED, n, 500 * 86_400)


def test_too_few_incidents_are_not_measured():
    x, y, at_s = scattered(np.random.default_rng(4), 10)
    told = found(CELLS, (x, y, at_s), (SINCE, SINCE + timedelta(days=100)))
    assert told["concentration"]["incidents"] == 10
    assert told["near_repeats"] is None
    assert told["where_next"] is None


def test_plain_past_counts_stand_where_no_other_way_is_better():
    rng = np.random.default_rng(5)
    where = rng.choice(len(CELLS), 3_000, p=rng.dirichlet(np.full(len(CELLS), 0.2)))
    at_s = START_S + rng.uniform(0, 365, 3_000) * 86_400
    told = forecast(CELLS, where, at_s, YEAR)
    assert (told["method"], told["months"], told["held_out"]) == (BASELINE, 12, HELD_OUT)
    busiest = np.bincount(where, minlength=len(CELLS))
    q, r = map(int, told["cells"][0].split("."))
    assert busiest[(CELLS.q == q) & (CELLS.r == r)] >= np.sort(busiest)[-3]
    assert told["scores"][BASELINE]["pai"] > 3
    assert told["scores"][BASELINE]["pei"] < 1


def test_a_problem_that_has_moved_is_foretold_by_recent_counts():
    rng = np.random.default_rng(6)
    months = rng.integers(0, 24, 4_000)
    where = np.where(months < 15, 0, 40) + rng.integers(0, 20, 4_000)
    at_s = START_S + (months * 30 + rng.uniform(0, 30, 4_000)) * 86_400
    told = forecast(CELLS, where, at_s, (SINCE, SINCE + timedelta(days=720)))
    assert told["method"] != BASELINE
    assert told["scores"][told["method"]]["pei"] > told["scores"][BASELINE]["pei"]
    assert told["scores"][told["method"]]["p"] == 1 / 64


def test_incidents_outside_the_cells_are_none():
    x, y, at_s = scattered(np.random.default_rng(7), 50)
    far = found(CELLS, (x + 50_000, y, at_s), YEAR)
    assert far == {"concentration": None, "near_repeats": None, "where_next": None}
