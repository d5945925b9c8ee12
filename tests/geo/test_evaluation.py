from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.evaluation import (
    BeforeAfter,
    Outcome,
    assess,
    matched_controls,
    outlook,
    overdispersion,
    seasonal_overlap,
    spill_over_buffer,
)

reports = st.integers(0, 400)
areas = st.builds(BeforeAfter, reports, reports)
SHORT = BeforeAfter(50, 30), BeforeAfter(60, 55)


def test_reports_avoided_with_a_buffer_and_its_control():
    found = assess(
        BeforeAfter(207, 110), BeforeAfter(308, 318), BeforeAfter(178, 157), BeforeAfter(150, 140)
    )
    assert found.wdd.value == -118
    assert found.wdd_error == pytest.approx(39.598, abs=5e-4)
    assert found.z == pytest.approx(-2.98, abs=5e-3)
    assert (found.wdd.low, found.wdd.high) == pytest.approx((-195.6, -40.4), abs=0.05)
    assert found.outcome == Outcome.FEWER


def test_the_ratio_of_rates_and_its_interval():
    found = assess(*SHORT)
    assert found.wdd.value == -15
    assert found.wdd_error == pytest.approx(13.96424, abs=5e-6)
    assert found.irr.value == pytest.approx(0.6545455, abs=5e-8)
    assert (found.irr.low, found.irr.high) == pytest.approx((0.36574, 1.17141), abs=5e-6)
    assert np.log(found.irr.high / found.irr.value) / 1.959964 == pytest.approx(0.2969542, abs=1e-6)
    assert found.outcome == Outcome.NO_CLEAR_CHANGE


def test_displacement_into_the_buffer_and_the_net_effect():
    found = assess(*SHORT, BeforeAfter(40, 36))
    assert found.wdq == pytest.approx(0.0421053, abs=5e-8)
    assert found.tne == pytest.approx(16.5)


def test_displacement_is_asked_about_only_where_the_area_gained():
    assert assess(BeforeAfter(30, 50), BeforeAfter(60, 55), BeforeAfter(40, 36)).wdq is None
    assert assess(*SHORT).wdq is None


def test_with_few_reports_even_none_at_all_would_not_stand_out():
    gone = assess(BeforeAfter(10, 0), BeforeAfter(10, 10))
    assert gone.z == pytest.approx(-1.83, abs=5e-3)
    assert gone.outcome == Outcome.TOO_FEW
    assert assess(BeforeAfter(10, 8), BeforeAfter(10, 10)).outcome == Outcome.TOO_FEW
    assert gone.detectable > gone.expected_after


def test_more_reports_than_there_would_have_been_are_said_to_be_more():
    assert assess(BeforeAfter(100, 190), BeforeAfter(100, 100)).outcome == Outcome.MORE


def test_a_count_of_zero_has_no_ratio():
    assert assess(BeforeAfter(9, 0), BeforeAfter(9, 9)).irr is None
    nothing = assess(BeforeAfter(0, 0), BeforeAfter(0, 0))
    assert (nothing.z, nothing.tne, nothing.outcome) == (0.0, None, Outcome.TOO_FEW)


def test_longer_periods_and_larger_areas_are_weighed():
    twice = assess(BeforeAfter(100, 30, before_weight=2), BeforeAfter(120, 55, before_weight=2))
    assert twice.wdd.value == -15
    assert twice.wdd_error**2 == pytest.approx(100 / 4 + 30 + 120 / 4 + 55)
    assert twice.irr.value == pytest.approx(assess(*SHORT).irr.value)


@given(areas, areas, areas)
def test_the_outcome_is_what_the_interval_says(treated, control, spill_over):
    found = assess(treated, control, spill_over)
    assert found.wdd.low <= found.wdd.value <= found.wdd.high
    assert (found.outcome == Outcome.FEWER) == (found.wdd.high < 0)
    assert (found.outcome == Outcome.MORE) == (found.wdd.low > 0)


@given(areas, areas)
def test_too_few_means_that_none_at_all_would_not_have_been_called_fewer(treated, control):
    none = assess(replace(treated, after=0), control)
    as_its_control = treated.before + control.change > 0
    if assess(treated, control).outcome == Outcome.TOO_FEW and as_its_control:
        assert none.outcome != Outcome.FEWER


@given(areas, areas, st.floats(1, 5))
def test_more_variation_never_makes_a_verdict_surer(treated, control, phi):
    one, other = assess(treated, control), assess(treated, control, overdispersion=phi)
    assert other.wdd_error >= one.wdd_error
    assert other.detectable >= one.detectable
    if other.outcome == Outcome.FEWER:
        assert one.outcome == Outcome.FEWER


def test_a_fall_of_the_detectable_size_is_seen_four_times_out_of_five():
    rng = np.random.default_rng(1)
    before, control = 400, 900
    detectable = assess(BeforeAfter(before, before), BeforeAfter(control, control)).detectable
    seen = sum(
        assess(
            BeforeAfter(rng.poisson(before), rng.poisson(before - detectable)),
            BeforeAfter(rng.poisson(control), rng.poisson(control)),
        ).outcome
        == Outcome.FEWER
        for _ in range(1_000)
    )
    assert 0.76 < seen / 1_000 < 0.84


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(1_000):
        found = assess(BeforeAfter(*rng.poisson((120, 90))), BeforeAfter(*rng.poisson((300, 310))))
        held += found.wdd.low <= -40 <= found.wdd.high
    assert 0.93 < held / 1_000 < 0.97


def test_reports_that_come_in_bursts_vary_more():
    rng = np.random.default_rng(13)
    rate = rng.gamma(5, 4, (60, 1)) * rng.gamma(9, 0.2, (1, 12))
    assert overdispersion(rng.poisson(rate)) == pytest.approx(1, abs=0.15)
    assert overdispersion(rng.poisson(rate) * 3) == pytest.approx(3, rel=0.15)
    assert overdispersion(np.zeros((3, 4), np.int64)) == overdispersion(np.ones((1, 4))) == 1


def test_controls_are_as_bad_and_getting_worse_as_fast():
    before = np.array([[9, 9, 9], [2, 9, 16], [9, 9, 9], [3, 9, 15], [9, 9, 9], [90, 90, 90]])
    found = matched_controls(before, np.array([1, 0]), np.array([5, 4, 3, 2]))
    assert found.places.tolist() == [[3], [2]]
    assert found.distance[1, 0] == 0
    assert found.distance[0, 0] < 1


def test_no_control_is_used_twice_and_order_does_not_matter():
    rng = np.random.default_rng(4)
    before = rng.poisson(6, (80, 8))
    treated, candidates = np.arange(6), np.arange(6, 80)
    found = matched_controls(before, treated, candidates, each=5)
    again = matched_controls(before, treated[::-1], rng.permutation(candidates), each=5)
    assert len(np.unique(found.places)) == 30
    assert np.array_equal(found.places, again.places[::-1])
    assert (np.diff(found.distance, axis=1) >= 0).all()


def test_places_that_differ_by_chance_alone_are_about_two_apart():
    rng = np.random.default_rng(5)
    before = rng.poisson(8, (400, 12))
    apart = [
        matched_controls(before, np.array([n]), np.array([n + 200])).distance[0, 0]
        for n in range(200)
    ]
    assert np.mean(np.square(apart)) == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize(
    ("periods", "candidates", "message"),
    [(1, [3], "two periods"), (3, [0, 3], "its own control"), (3, [], "Widen the area")],
)
def test_what_cannot_be_matched_is_refused(periods, candidates, message):
    before = np.ones((5, periods), np.int64)
    with pytest.raises(ValueError, match=message):
        matched_controls(before, np.array([0]), np.array(candidates, np.int64))


def test_the_buffer_lies_around_the_area_and_inside_the_served_one():
    block = shapely.box(0, 0, 100, 100)
    ring = spill_over_buffer(block, 50, served=shapely.box(0, -500, 500, 500))
    assert ring.bounds == (0, -50, 150, 150)
    assert ring.intersection(block).area == 0
    assert spill_over_buffer(block, 50).bounds == (-50, -50, 150, 150)


def test_what_could_be_seen_is_known_beforehand():
    before = outlook(120, 3 * 110, before_weight=2.0, controls=3)
    assert before.wdd.value == pytest.approx(0, abs=1)
    assert before.expected_after == pytest.approx(60, abs=1)
    assert before.can_tell
    assert not outlook(10, 10).can_tell
    assert outlook(120, 330, controls=3).detectable < outlook(120, 110).detectable


def test_more_controls_make_the_interval_narrower_and_leave_the_estimate():
    one = assess(BeforeAfter(100, 60), BeforeAfter(100, 90))
    three = assess(BeforeAfter(100, 60), BeforeAfter(300, 270, 3, 3))
    assert three.wdd.value == one.wdd.value == -30
    assert three.wdd_error < one.wdd_error


@pytest.mark.parametrize(
    ("before", "after", "overlap"),
    [
        ((date(2025, 1, 1), date(2025, 12, 31)), (date(2026, 1, 1), date(2026, 12, 31)), 1.0),
        ((date(2025, 1, 1), date(2025, 3, 31)), (date(2025, 7, 1), date(2025, 9, 30)), 0.0),
        ((date(2025, 6, 1), date(2025, 8, 31)), (date(2026, 6, 1), date(2026, 8, 31)), 1.0),
        ((date(2025, 6, 1), date(2025, 7, 31)), (date(2025, 7, 1), date(2025, 8, 31)), 0.5),
    ],
)
def test_seasons_that_are_compared_are_told(before, after, overlap):
    assert seasonal_overlap(before, after) == pytest.approx(overlap, abs=0.02)
    assert seasonal_overlap(after, before) == pytest.approx(overlap, abs=0.02)


def test_without_an_effect_the_interval_covers_zero_however_reports_cluster():
    """With weights for time and controls, a buffer, and phi from the months before."""
    rng = np.random.default_rng(8)
    controls, months_before, months_after, burst = 3, 12, 6, 2
    covered, ratios, runs = 0, 0, 1_000
    for _ in range(runs):
        season = rng.gamma(60, 1 / 60, months_before + months_after)
        level = np.array([9.0] + [8.0] * controls + [6.0] + [6.0] * controls)
        months = burst * rng.poisson(level[:, None] / burst * season)
        before, after = months[:, :months_before], months[:, months_before:].sum(axis=1)
        phi = overdispersion(before)
        sums, weight = before.sum(axis=1), months_before / months_after
        each = [
            BeforeAfter(int(sums[of].sum()), int(after[of].sum()), weight * len(of), float(len(of)))
            for of in ([0], [1, 2, 3], [4], [5, 6, 7])
        ]
        found = assess(*each, overdispersion=phi)
        covered += found.wdd.low <= 0 <= found.wdd.high
        ratios += found.irr.low <= 1 <= found.irr.high
    assert 0.93 < covered / runs < 0.97
    assert 0.92 < ratios / runs < 0.985
