"""How readily the people of a neighbourhood report: from the reports that come after the first.

Nobody knows of problems that nobody reports. But once something is reported, later reports of the same
thing come at the rate at which people there report at all, whatever was the matter. So reports that say
the same again are evidence, and are never thrown away.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.small_areas import steadied

WATCHED_DAYS = 100.0
"""Days after the first report in which later ones are counted (Liu, Bhandaram and Garg 2023)."""


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """What was seen of n incidents.

    Attributes
    ----------
    days : ndarray of float
        For how long later reports could come: D.
    later : ndarray of int64
        How many came: y.
    """

    days: NDArray[np.float64]
    later: NDArray[np.int64]


def watched(
    first: NDArray[np.float64],
    closed: NDArray[np.float64],
    of_later: NDArray[np.int64],
    at_later: NDArray[np.float64],
    *,
    until: float,
) -> Watched:
    """Count later reports of each incident, from its first report until it is closed.

    D = min(closed, end of the data, first report + 100 days) - first report; y counts the reports in it
    after the first. What comes after an incident is closed is of another one.

    Parameters
    ----------
    first, closed : ndarray of float, shape (n,)
        Days since any moment; NaN for what is not closed.
    of_later : ndarray of int64, shape (m,)
        The incident that each later report, or each neighbour who says "me too", is of.
    at_later : ndarray of float, shape (m,)
        Days, as `first`.
    until : float
        The end of what is known.

    Returns
    -------
    Watched

    Examples
    --------
    >>> seen = watched(
    ...     np.array([0.0, 20.0]), np.array([10.0, np.nan]), np.array([0, 0, 1]),
    ...     np.array([1.0, 11.0, 22.0]), until=30.0,
    ... )
    >>> seen.days.tolist(), seen.later.tolist()
    ([10.0, 10.0], [1, 1])
    """
    end = np.fmin(np.fmin(closed, until), first + WATCHED_DAYS)
    counts = (at_later > first[of_later]) & (at_later <= end[of_later])
    return Watched(
        np.maximum(end - first, 0.0), np.bincount(of_later[counts], minlength=len(first))
    )


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """How readily people report.

    Attributes
    ----------
    a_day : ndarray of float, shape (k,)
        Reports a day of something that is there, in each neighbourhood, steadied: lambda. NaN where
        nothing is known at all, 0 where nobody ever said anything twice.
    overall : float
        The same of all together.
    """

    a_day: NDArray[np.float64]
    overall: float

    @property
    def delay_days(self) -> NDArray[np.float64]:
        """Days, on average, from when something is the matter until somebody reports it."""
        return np.where(self.a_day > 0, 1 / np.where(self.a_day > 0, self.a_day, 1.0), np.nan)

    @property
    def overall_delay_days(self) -> float:
        """The same of all together."""
        return 1 / self.overall if self.overall > 0 else float("nan")


def reporting_rates(seen: Watched, where: NDArray[np.int64], neighbourhoods: int) -> Rates:
    """Give the rate at which each neighbourhood reports what is there.

    lambda = sum y / sum D over the incidents of a neighbourhood. Assumes that reports of one thing come
    independently at a constant rate (Poisson), and that the time to close it does not depend on them.

    Parameters
    ----------
    seen : Watched
        Of n incidents.
    where : ndarray of int64, shape (n,)
        The neighbourhood of each, from 0; below 0 for none.
    neighbourhoods : int

    Returns
    -------
    Rates
        Not to be used to rank neighbourhoods, nor to conclude that people of one care less: reporting
        takes time, a phone, and trust.

    References
    ----------
    Liu, Bhandaram and Garg (2023), "Quantifying spatial under-reporting disparities in resident
    crowdsourcing", doi:10.1038/s43588-023-00572-6.
    """
    known = where >= 0
    later, days = (
        np.bincount(where[known], of[known], neighbourhoods).astype(np.float64)
        for of in (seen.later, seen.days)
    )
    total = float(days.sum())
    # Of an incident reported at the end of what is known nothing could follow.
    later[days == 0] = 0.0
    return Rates(steadied(later, days), float(later.sum()) / total if total else float("nan"))
