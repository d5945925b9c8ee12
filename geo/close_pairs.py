"""Which things are close to each other both in place and in time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

PAIRS_AT_ONCE = 1_000_000
"""Pairs close in place that are held in memory together, unless one thing alone has more."""

_THINGS_AT_ONCE = 512, 8_192


def close_pairs(
    points_m: NDArray[np.float64],
    at_days: NDArray[np.float64],
    *,
    radius_m: float,
    window_days: float,
) -> Iterator[NDArray[np.int64]]:
    """Give each pair within a radius and within a window of time, limits included, once.

    Things are gone through in the order of time, some at once, and looked for only among those that
    happen up to a window later: memory grows with the things, and not with their pairs.

    Parameters
    ----------
    points_m : ndarray of float, shape (n, 2)
        Metres, in a projected CRS.
    at_days : ndarray of float, shape (n,)
        Days since any moment.
    radius_m, window_days : float

    Yields
    ------
    ndarray of int64, shape (m, 2)
        Places in the order given: the earlier thing, the later one.
    """
    from scipy.spatial import cKDTree  # noqa: PLC0415 (38 MiB that a web server need not hold)

    by_time = np.argsort(at_days, kind="stable")
    points, at = points_m[by_time], at_days[by_time]

    def within(start: int, stop: int) -> Iterator[NDArray[np.int64]]:
        end = int(np.searchsorted(at, at[stop - 1] + window_days, side="right"))
        some, others = cKDTree(points[start:stop]), cKDTree(points[start:end])
        if stop - start > 1 and some.count_neighbors(others, radius_m) > PAIRS_AT_ONCE:
            middle = (start + stop) // 2
            yield from within(start, middle)
            yield from within(middle, stop)
            return
        found = some.sparse_distance_matrix(others, radius_m, output_type="ndarray")
        first, second = found["i"] + start, found["j"] + start
        near = (second > first) & (at[second] <= at[first] + window_days)
        yield by_time[np.column_stack([first[near], second[near]])]

    least, most = _THINGS_AT_ONCE
    start = 0
    while start < len(at):
        stop = int(np.searchsorted(at, at[start] + window_days, side="right"))
        stop = min(max(stop, start + least), start + most, len(at))
        yield from within(start, stop)
        start = stop
