"""What several reports tell of at once: the incident, which is what statistics count."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.close_pairs import close_pairs


@dataclass(frozen=True, slots=True, eq=False)
class Incidents:
    """Groups of reports of the same thing.

    Attributes
    ----------
    of_report : ndarray of int64, shape (n,)
        The number of the incident that each report belongs to, from 0, in the order of their first
        reports.
    first : ndarray of int64, shape (m,)
        The earliest report of each: its place and moment stand for the incident.
    reports : ndarray of int64, shape (m,)
        How many reports each has.
    """

    of_report: NDArray[np.int64]
    first: NDArray[np.int64]
    reports: NDArray[np.int64]


def incidents(
    points_m: NDArray[np.float64],
    at_days: NDArray[np.float64],
    categories: NDArray[np.generic],
    *,
    radius_m: Mapping[str, float] | float,
    window_days: float,
) -> Incidents:
    """Group reports of one category that are near each other in place and in time.

    Linked by single linkage: whatever is close to one report of a group belongs to the group. So
    reports that come again and again at one place, each within the window of the one before, are one
    incident however long it lasts: keep the window shorter than the time between two real ones.

    Parameters
    ----------
    points_m : ndarray of float, shape (n, 2)
        Metres, in a projected CRS.
    at_days : ndarray of float, shape (n,)
        Days since any moment.
    categories : ndarray, shape (n,)
        Reports of different categories are never linked, so tables may be cut by category and worked
        on apart.
    radius_m : mapping of str to float, or float
        Metres up to which two reports may be of the same thing, for each category or for all.
    window_days : float

    Returns
    -------
    Incidents

    Examples
    --------
    >>> places, days = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 0.0]]), np.array([0.0, 1.0, 40.0])
    >>> incidents(
    ...     places, days, np.array(["dumping"] * 3), radius_m=40, window_days=7
    ... ).of_report.tolist()
    [0, 0, 1]
    """
    pairs = linked(points_m, at_days, categories, radius_m=radius_m, window_days=window_days)
    label = groups(len(at_days), pairs)
    order = in_order(points_m, at_days)
    _, at = np.unique(label[order], return_index=True)
    at.sort()
    first = order[at]
    number = np.empty(len(first), np.int64)
    number[label[first]] = np.arange(len(first))
    of_report = number[label]
    return Incidents(of_report, first, np.bincount(of_report, minlength=len(first)))


def linked(
    points_m: NDArray[np.float64],
    at_days: NDArray[np.float64],
    categories: NDArray[np.generic],
    *,
    radius_m: Mapping[str, float] | float,
    window_days: float,
) -> NDArray[np.int64]:
    """Give each two reports that are linked, once. The parameters are those of `incidents`.

    Returns
    -------
    ndarray of int64, shape (m, 2)
        Places in the order given.
    """
    links = [np.empty((0, 2), np.int64)]
    for category in np.unique(categories):
        mine = np.flatnonzero(categories == category)
        radius = radius_m if isinstance(radius_m, float | int) else radius_m[str(category)]
        links.extend(
            mine[pairs]
            for pairs in close_pairs(
                points_m[mine], at_days[mine], radius_m=radius, window_days=window_days
            )
        )
    return np.concatenate(links)


def groups(n: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the number of the group that each of n things is in, of those that pairs link."""
    from scipy.sparse import coo_array  # noqa: PLC0415 (34 MiB that a web server need not hold)
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 (as above)

    one, other = pairs.T
    _, group = connected_components(
        coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(n, n)), directed=False
    )
    return np.asarray(group, np.int64)


def in_order(points_m: NDArray[np.float64], at_days: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sort reports by time; of those at the same moment the one furthest west and south is first."""
    return np.lexsort((points_m[:, 1], points_m[:, 0], at_days))
