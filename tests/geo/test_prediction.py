import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.grids import Grid, Shape, cells_meeting
from geo.prediction import BASELINE, METHODS, accuracy, where_next

CELLS = cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.box(0, 0, 1_000, 1_000))
cell_pairs = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20
).filter(lambda pairs: any(observed for observed, _ in pairs))


def test_accuracy_and_efficiency_of_a_forecast():
    found = accuracy(np.array([6, 7, 3, 2, 1, 0]), np.array([8.0, 4, 4, 2, 1, 0]))
    assert found.pai[:3] == pytest.approx([1.894737, 1.421053, 1.684211], abs=5e-7)
    assert found.pei[:3] == pytest.approx([0.857143, 0.692308, 1], abs=5e-7)


@given(cell_pairs, st.randoms(use_true_random=False))
def test_accuracy_ignores_the_order_of_cells_and_ends_at_one(pairs, random):
    observed, predicted = np.array(pairs).T
    one = accuracy(observed, predicted.astype(float))
    random.shuffle(pairs)
    observed, predicted = np.array(pairs).T
    other = accuracy(observed, predicted.astype(float))
    assert np.array_equal(one.pai, other.pai)
    assert (one.pei <= 1).all()
    assert one.pai[-1] == one.pei[-1] == 1


def test_a_forecast_of_nothing_has_no_accuracy():
    assert np.isnan(accuracy(np.zeros(3, np.int64), np.zeros(3)).pai).all()


def test_past_counts_stand_where_nothing_is_better():
    rng = np.random.default_rng(1)
    rate = rng.gamma(0.3, 3, len(CELLS))
    found = where_next(rng.poisson(rate, (24, len(CELLS))), CELLS)
    assert found.method == BASELINE
    assert found.predicted[rate.argmax()] > np.median(found.predicted)
    assert found.scores[BASELINE].pai > 3
    assert found.scores[BASELINE].lead == 0
    assert found.chosen_cells == 5


def test_a_method_that_follows_moving_problems_is_shown_instead():
    rng = np.random.default_rng(2)
    counts = np.empty((24, len(CELLS)), np.int64)
    for step in range(24):
        rate = np.full(len(CELLS), 0.1)
        rate[step // 6 * 20 : step // 6 * 20 + 5] = 6
        counts[step] = rng.poisson(rate)
    found = where_next(counts, CELLS, held_out=8)
    assert found.method != BASELINE
    assert found.scores[found.method].beats_baseline
    assert found.scores[found.method].hits > found.scores[BASELINE].hits
    assert set(np.argsort(found.predicted)[-5:]) == set(range(60, 65))


def test_what_is_predicted_is_not_known_to_the_forecast():
    seen = []

    def spy(counts, cells):
        seen.append(len(counts))
        return counts.sum(axis=0).astype(float)

    where_next(np.ones((9, len(CELLS)), np.int64), CELLS, held_out=3, methods={BASELINE: spy})
    assert seen == [6, 7, 8, 9]


def test_a_forecast_that_cannot_tell_places_apart_is_no_better_than_chance():
    rng = np.random.default_rng(3)
    found = where_next(
        rng.poisson(2, (12, len(CELLS))),
        CELLS,
        methods={BASELINE: lambda counts, cells: np.zeros(len(cells))},
    )
    assert found.scores[BASELINE].pai == pytest.approx(1)


def test_months_without_reports_score_nothing():
    found = where_next(np.zeros((9, len(CELLS)), np.int64), CELLS)
    assert found.method == BASELINE
    assert np.isnan(found.scores[BASELINE].pai)


def picks_the_second(counts, cells):
    return (np.arange(len(cells)) == 1).astype(float)


def test_a_lead_that_could_as_well_be_chance_does_not_beat_past_counts():
    """Ahead by one report in four of six months and behind in two."""
    counts = np.zeros((12, len(CELLS)), np.int64)
    counts[:6, 0] = 9
    counts[6:, 0] = 1
    counts[6:10, 1] = 2
    methods = {BASELINE: METHODS[BASELINE], "other": picks_the_second}
    found = where_next(counts, CELLS, share=0.01, methods=methods)
    assert found.scores["other"].lead == pytest.approx(2 / 6)
    assert found.scores["other"].p == 22 / 64
    assert found.method == BASELINE


def test_a_lead_in_each_of_six_months_beats_past_counts():
    counts = np.zeros((12, len(CELLS)), np.int64)
    counts[:6, 0] = 90
    counts[6:, 1] = 1
    methods = {BASELINE: METHODS[BASELINE], "other": picks_the_second}
    found = where_next(counts, CELLS, share=0.01, methods=methods)
    assert found.scores["other"].p == 1 / 64
    assert found.method == "other"


@pytest.mark.parametrize("held_out", [1, 9, 17])
def test_some_steps_must_be_held_out_and_some_left(held_out):
    with pytest.raises(ValueError, match="held out"):
        where_next(
            np.zeros((9 + held_out // 17 * 9, len(CELLS)), np.int64), CELLS, held_out=held_out
        )
