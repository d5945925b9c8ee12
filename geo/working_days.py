"""The days on which the city works: Monday to Friday without the federal holidays, computed.

A holiday on a Saturday is kept on the Friday before, one on a Sunday on the Monday after
(5 U.S.C. 6103).
"""

from datetime import date, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6
_DAY = timedelta(days=1)
_JUNETEENTH_SINCE = 2021

MOST_DAYS = 365
"""Working days that are ever counted at once."""


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    """Give the n-th such weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _last_monday(year: int, month: int) -> date:
    end = date(year, month, 31)
    return end - timedelta(days=end.weekday())


def _observed(day: date) -> date:
    if day.weekday() == _SATURDAY:
        return day - _DAY
    return day + _DAY if day.weekday() == _SUNDAY else day


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """Give the federal holidays that belong to a year, on the days on which they are kept.

    New Year's Day of a year may be kept on the last day of the year before.
    """
    fixed = [(1, 1), (7, 4), (11, 11), (12, 25)]
    if year >= _JUNETEENTH_SINCE:
        fixed.append((6, 19))
    return frozenset(
        {
            *(_observed(date(year, month, day)) for month, day in fixed),
            _nth(year, 1, _MONDAY, 3),  # Martin Luther King Jr.
            _nth(year, 2, _MONDAY, 3),  # Washington
            _last_monday(year, 5),  # Memorial Day
            _nth(year, 9, _MONDAY, 1),  # Labor Day
            _nth(year, 10, _MONDAY, 2),  # Columbus Day
            _nth(year, 11, _THURSDAY, 4),  # Thanksgiving
        }
    )


def is_working_day(day: date) -> bool:
    """Tell whether the city works on a day."""
    return day.weekday() < _SATURDAY and not any(
        day in holidays(year) for year in (day.year, day.year + 1)
    )


@lru_cache(maxsize=4096)  # lists ask it of the same few days, row after row
def target_day(reported_on: date, working_days: int) -> date:
    """Give the day by which something is expected.

    Parameters
    ----------
    reported_on : date
        Local date. It does not count itself.
    working_days : int
        From 1 to `MOST_DAYS`.

    Returns
    -------
    date
    """
    _check(working_days)
    day, left = reported_on, working_days
    while left:
        day += _DAY
        left -= is_working_day(day)
    return day


def overdue_before(today: date, working_days: int) -> date:
    """Give the first day of reporting that is not overdue yet: all before it are.

    Parameters
    ----------
    today : date
        Local date.
    working_days : int
        As for `target_day`.

    Returns
    -------
    date
        The earliest day whose `target_day` is today or later.
    """
    _check(working_days)
    # Within the span from a report to today, its target day is reached by counting back.
    day, left = today, working_days
    while left:
        left -= is_working_day(day)
        day -= _DAY
    while target_day(day - _DAY, working_days) >= today:
        day -= _DAY
    while target_day(day, working_days) < today:
        day += _DAY
    return day


def counted(after: NDArray[np.datetime64], until: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Count the working days after some days, up to others that are counted themselves.

    Parameters
    ----------
    after, until : ndarray of datetime64[D]
        Local dates.

    Returns
    -------
    ndarray of float
        So that `target_day(after, n)` is the first day for which this is n. Below 0 where `until` is
        earlier.

    Examples
    --------
    From a Friday to the Monday after it:

    >>> days = np.array(["2026-03-06", "2026-03-09"], "datetime64[D]")
    >>> counted(days[:1], days[1:]).tolist()
    [1.0]
    """
    if not after.size:
        return np.zeros(after.shape)
    years = range(
        int(min(after.min(), until.min()).astype(str)[:4]),
        int(max(after.max(), until.max()).astype(str)[:4]) + 2,
    )
    free = np.array(sorted({day for year in years for day in holidays(year)}), "datetime64[D]")
    return np.asarray(np.busday_count(after + 1, until + 1, holidays=free), np.float64)


def _check(working_days: int) -> None:
    if not 1 <= working_days <= MOST_DAYS:
        raise ValueError(f"count from 1 to {MOST_DAYS} working days, not {working_days}")
