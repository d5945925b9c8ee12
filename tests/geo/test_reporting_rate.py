import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.reporting_rate import WATCHED_DAYS, Watched, reporting_rates, watched

OPEN = np.nan


def seen(*incidents, until=200.0):
    """Each incident: its first report, when it was closed, and when the later reports came."""
    later = [(number, at) for number, one in enumerate(incidents) for at in one[2]]
    of, at = np.array(later).reshape(-1, 2).T
    return watched(
        np.array([one[0] for one in incidents], float),
        np.array([one[1] for one in incidents], float),
        of.astype(np.int64),
        at,
        until=until,
    )


def test_later_reports_are_counted_until_closing_the_end_or_a_hundred_days():
    # By hand: closed after 10 days with 3 reports in them and 1 after; open for the last 15 days with 1;
    # open for longer than is watched, with 2 reports in the first 100 days and 1 after them.
    found = seen((0, 10, (1, 2, 10, 11)), (185, OPEN, (190,)), (5, OPEN, (6, 105, 106)), (0, 3, ()))
    assert found.days.tolist() == [10, 15, WATCHED_DAYS, 3]
    assert found.later.tolist() == [3, 1, 2, 0]


def test_the_rate_is_later_reports_a_day_and_the_delay_its_inverse():
    # Here: (3 + 1) / (10 + 10) = 1/5 a day, so that 5 days pass before the first report. There: 2 in 100
    # days. Of both: 6 in 120 days = 1/20. Spread around it: (20 (.15)^2 + 100 (.03)^2) / 120 = .0045;
    # what chance explains: .05 / 60 = .00083; so a = .0036667, and the weights of the own rates are
    # 20 a / (20 a + .05) = .594595 and 100 a / (100 a + .05) = .88.
    found = seen((0, 10, (1, 2, 10)), (180, 190, (185,)), (0, OPEN, (50, 60)))
    rates = reporting_rates(found, np.array([0, 0, 1]), 3)
    assert rates.overall == pytest.approx(1 / 20)
    here, there = 0.594595 * 0.2 + 0.405405 * 0.05, 0.88 * 0.02 + 0.12 * 0.05
    assert rates.a_day[:2] == pytest.approx([here, there], rel=1e-5)
    assert rates.delay_days[:2] == pytest.approx([1 / here, 1 / there], rel=1e-5)
    # A neighbourhood of which nothing is known has the rate of all.
    assert rates.a_day[2] == pytest.approx(1 / 20)
    assert rates.overall_delay_days == pytest.approx(20)


def test_each_neighbour_who_says_the_same_again_raises_the_rate():
    quiet, loud = (
        reporting_rates(seen((0, 50, later)), np.array([0]), 1).a_day[0]
        for later in ((9,), (9, 20))
    )
    assert loud == pytest.approx(2 * quiet)


def test_where_nobody_ever_said_anything_twice_no_delay_is_known():
    rates = reporting_rates(seen((0, 50, ())), np.array([0]), 1)
    assert rates.a_day.tolist() == [0]
    assert np.isnan(rates.delay_days).all()
    assert np.isnan(rates.overall_delay_days)


def test_incidents_outside_of_every_neighbourhood_are_left_out():
    found = Watched(np.array([10.0, 10.0]), np.array([1, 9]))
    assert reporting_rates(found, np.array([0, -1]), 1).overall == pytest.approx(0.1)
    assert np.isnan(reporting_rates(found, np.array([-1, -1]), 1).a_day).all()


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_incidents_has_no_part_in_it(seed):
    rng = np.random.default_rng(seed)
    found = Watched(rng.uniform(0, 100, 12), rng.poisson(1.0, 12))
    where, order = rng.integers(-1, 3, 12), rng.permutation(12)
    shuffled = Watched(found.days[order], found.later[order])
    assert reporting_rates(shuffled, where[order], 3).a_day == pytest.approx(
        reporting_rates(found, where, 3).a_day, nan_ok=True
    )


def test_the_rate_that_made_the_reports_is_found_again():
    rng = np.random.default_rng(7)
    days = rng.uniform(5, 100, 4000)
    where = np.repeat([0, 1], 2000)
    later = rng.poisson(np.where(where == 0, 0.02, 0.1) * days)
    rates = reporting_rates(Watched(days, later), where, 2)
    assert rates.a_day == pytest.approx([0.02, 0.1], rel=0.05)
