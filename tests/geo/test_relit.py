import numpy as np
import pytest

from geo.evaluation import Outcome
from geo.relit import Dark, Look, compare

DAY = 86_400.0
LOOK = Look()


def lattice(n, east_m=0.0):
    """Places 400 m apart, so that no rings meet."""
    return np.array([(east_m + 400.0 * (i % 10), 400.0 * (i // 10)) for i in range(n)])


def dark(xy_m, since, until):
    n = len(xy_m)
    return Dark(xy_m, np.full(n, since * DAY), np.full(n, until * DAY))


def happened(rng, places, days, per_place, spread_m=30.0):
    """So much around each place, spread over some days."""
    counts = rng.poisson(per_place, len(places))
    at = np.repeat(places, counts, axis=0)
    around = rng.uniform(-spread_m, spread_m, at.shape)
    return at + around, rng.uniform(days[0] * DAY, days[1] * DAY, len(at))


def both(*parts):
    xy, at = zip(*parts, strict=True)
    return np.concatenate(xy), np.concatenate(at)


FIXED = dark(lattice(40), 0, 100)
UNLIT = dark(lattice(60, 10_000.0), -50, np.inf)


@pytest.mark.parametrize(
    ("after", "outcome"),
    [(1.0, Outcome.FEWER), (4.0, Outcome.NO_CLEAR_CHANGE), (12.0, Outcome.MORE)],
)
def test_what_was_planted_is_found(after, outcome):
    rng = np.random.default_rng(5)
    nights = both(
        happened(rng, FIXED.xy_m, (9, 100), 4.0),
        happened(rng, FIXED.xy_m, (100, 191), after),
        happened(rng, UNLIT.xy_m, (9, 191), 8.0),
    )
    found = compare(FIXED, UNLIT, *nights)
    assert found.whole.outcome is outcome
    assert len(found.pairs) == len(FIXED.xy_m)


def test_little_says_that_it_is_too_little():
    rng = np.random.default_rng(6)
    nights = happened(rng, FIXED.xy_m, (9, 100), 0.05)
    assert compare(FIXED, UNLIT, *nights).whole.outcome is Outcome.TOO_FEW


def test_nothing_at_all_is_no_fault():
    nothing = np.empty((0, 2)), np.empty(0)
    assert compare(FIXED, UNLIT, *nothing).whole.outcome is Outcome.TOO_FEW
    empty = dark(np.empty((0, 2)), 0, 0)
    assert compare(empty, UNLIT, *nothing).pairs.shape == (0, 2)
    assert compare(FIXED, empty, *nothing).alone == len(FIXED.xy_m)


def test_what_moves_into_the_ring_is_counted_there():
    rng = np.random.default_rng(7)
    ring = FIXED.xy_m + np.array([120.0, 0.0])
    nights = both(
        happened(rng, FIXED.xy_m, (9, 100), 4.0, 20.0),
        happened(rng, ring, (100, 191), 4.0, 15.0),
        happened(rng, UNLIT.xy_m, (9, 191), 8.0, 20.0),
    )
    found = compare(FIXED, UNLIT, *nights)
    assert found.counts[0, 1] == 0
    assert found.counts[1, 1] > 100
    assert found.around.outcome is Outcome.MORE
    assert found.whole.outcome is Outcome.NO_CLEAR_CHANGE


def test_a_control_is_dark_all_the_time_far_off_and_used_once():
    rng = np.random.default_rng(8)
    n = 200
    unlit = Dark(
        rng.uniform(0, 9_000, (n, 2)),
        rng.uniform(-100, 60, n) * DAY,
        rng.uniform(120, 400, n) * DAY,
    )
    nights = happened(rng, np.concatenate([FIXED.xy_m, unlit.xy_m]), (0, 200), 2.0)
    found = compare(FIXED, unlit, *nights)
    assert len(found.pairs) + found.alone + found.near == len(FIXED.xy_m)
    start = 100 - LOOK.after_days
    for _i, j in found.pairs:
        assert unlit.from_s[j] <= start * DAY
        assert unlit.until_s[j] >= (100 + LOOK.after_days) * DAY
        assert np.hypot(*(FIXED.xy_m - unlit.xy_m[j]).T).min() > LOOK.apart_m
    chosen = unlit.xy_m[found.pairs[:, 1]]
    apart = np.hypot(*(chosen[:, None] - chosen[None]).transpose(2, 0, 1))
    assert apart[~np.eye(len(chosen), dtype=bool)].min() > LOOK.apart_m


def test_of_neighbouring_lights_the_one_dark_the_longest_stands_for_them():
    fixed = Dark(
        np.array([(0.0, 0.0), (50.0, 0.0), (5_000.0, 0.0)]),
        np.array([20.0, 0.0, 0.0]) * DAY,
        np.full(3, 100.0) * DAY,
    )
    found = compare(fixed, UNLIT, np.empty((0, 2)), np.empty(0))
    assert found.near == 1
    assert sorted(found.pairs[:, 0]) == [1, 2]


def test_a_light_is_looked_at_no_longer_before_than_after():
    long = dark(lattice(1, 10_000.0), -2_000, np.inf)
    found = compare(dark(lattice(1), -1_000, 100), long, np.empty((0, 2)), np.empty(0))
    assert found.days == (91.0, 91.0)
