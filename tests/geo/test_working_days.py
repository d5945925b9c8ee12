from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.working_days import (
    MOST_DAYS,
    counted,
    holidays,
    is_working_day,
    overdue_before,
    target_day,
)

DAYS = st.dates(date(1990, 1, 1), date(2190, 1, 1))
COUNTS = st.integers(1, 90)


def test_the_holidays_of_2026_are_those_of_the_federal_calendar():
    assert sorted(holidays(2026)) == [
        date(2026, 1, 1), date(2026, 1, 19), date(2026, 2, 16), date(2026, 5, 25),
        date(2026, 6, 19), date(2026, 7, 3), date(2026, 9, 7), date(2026, 10, 12),
        date(2026, 11, 11), date(2026, 11, 26), date(2026, 12, 25),
    ]  # fmt: skip


def test_new_year_on_a_saturday_is_kept_in_the_year_before():
    assert date(2021, 12, 31) in holidays(2022)
    assert not is_working_day(date(2021, 12, 31))


def test_a_holiday_on_a_sunday_is_kept_on_monday():
    assert date(2027, 7, 5) in holidays(2027)
    assert date(2023, 1, 2) in holidays(2023)


def test_juneteenth_is_a_holiday_since_2021():
    assert is_working_day(date(2020, 6, 19))
    assert not is_working_day(date(2024, 6, 19))


def test_weekends_and_thanksgiving_do_not_count():
    assert target_day(date(2026, 11, 25), 1) == date(2026, 11, 27)
    assert target_day(date(2026, 11, 25), 2) == date(2026, 11, 30)


@given(DAYS, COUNTS)
def test_the_target_is_a_working_day_after_that_many(reported_on, n):
    due = target_day(reported_on, n)
    between = [
        day
        for i in range(1, (due - reported_on).days + 1)
        if is_working_day(day := reported_on + timedelta(days=i))
    ]
    assert len(between) == n
    assert between[-1] == due


@given(DAYS, COUNTS)
def test_all_before_the_bound_are_overdue_and_nothing_from_it_on(today, n):
    first = overdue_before(today, n)
    assert target_day(first, n) >= today
    assert target_day(first - timedelta(days=1), n) < today


@given(DAYS, st.integers().filter(lambda n: not 1 <= n <= MOST_DAYS))
def test_an_odd_number_of_days_is_refused(day, n):
    with pytest.raises(ValueError, match="working days"):
        target_day(day, n)


@given(DAYS, COUNTS)
def test_a_target_day_is_the_first_on_which_so_many_have_been_counted(day, days):
    target = target_day(day, days)
    since = np.array([day, day], "datetime64[D]")
    until = np.array([target, target - timedelta(days=1)], "datetime64[D]")
    assert counted(since, until).tolist() == [days, days - 1]


def test_of_no_days_none_are_counted():
    none = np.empty(0, "datetime64[D]")
    assert counted(none, none).tolist() == []
