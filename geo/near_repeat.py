"""Whether one incident is followed by others nearby, soon after (Knox 1964)."""

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from geo.close_pairs import close_pairs

FEW = 30
"""Expected pairs below which the normal p is not trusted and moments are shuffled instead."""


@dataclass(frozen=True, slots=True)
class Knox:
    """What the Knox test found.

    Attributes
    ----------
    incidents : int
    radius_m, window_days : float
        Limits of "close", included.
    close_in_space, close_in_time, close_in_both : int
        Pairs of incidents.
    expected, spread : float
        Mean and standard deviation of `close_in_both` if moments had nothing to do with places.
    ratio : float
        Pairs found for each one expected; NaN where none can be.
    z : float
        NaN where there is no spread.
    p : float
        Probability of as many pairs or more by chance alone.
    permutations : int
        How often moments were shuffled for p; 0 where it is the normal one.
    seed : int
        Of the shuffling.
    """

    incidents: int
    radius_m: float
    window_days: float
    close_in_space: int
    close_in_time: int
    close_in_both: int
    expected: float
    spread: float
    ratio: float
    z: float
    p: float
    permutations: int
    seed: int


def knox(
    points_m: NDArray[np.float64],
    at_days: NDArray[np.float64],
    *,
    radius_m: float,
    window_days: float,
    permutations: int = 999,
    seed: int = 0,
) -> Knox:
    """Test whether incidents that are near in place are near in time more often than by chance.

    Mean and variance over all ways to deal the moments to the places have a closed form, from the
    number of pairs and of pairs of pairs that share an incident (Barton and David 1966, "The random
    intersection of two graphs"). Only where few pairs are expected are moments shuffled.

    Parameters
    ----------
    points_m : ndarray of float, shape (n, 2)
        Metres, in a projected CRS. Incidents, not reports: repeated reports of one thing would be
        near repeats of themselves.
    at_days : ndarray of float, shape (n,)
        Days since any moment.
    radius_m, window_days : float
    permutations, seed : int
        For where fewer than `FEW` pairs are expected.

    Returns
    -------
    Knox

    Raises
    ------
    ValueError
        Where there are fewer than four incidents.

    Notes
    -----
    A place whose number of incidents grows or falls faster than elsewhere shows up like a near repeat.
    """
    n = len(at_days)
    if n < 4:
        raise ValueError(f"Near repeats are looked for among at least 4 incidents, not {n}.")
    in_space, in_time = _near_in_space(points_m, radius_m), _near_in_time(at_days, window_days)
    both = sum(
        len(pairs)
        for pairs in close_pairs(points_m, at_days, radius_m=radius_m, window_days=window_days)
    )
    mean, variance = _moments(in_space, in_time)
    expected, spread = float(mean), math.sqrt(variance)
    z = (both - expected) / spread if spread else math.nan
    found = Knox(
        incidents=n,
        radius_m=radius_m,
        window_days=window_days,
        close_in_space=int(in_space.sum()) // 2,
        close_in_time=int(in_time.sum()) // 2,
        close_in_both=both,
        expected=expected,
        spread=spread,
        ratio=both / expected if expected else math.nan,
        z=z,
        p=math.erfc(z / math.sqrt(2)) / 2 if spread else 1.0,
        permutations=0,
        seed=seed,
    )
    return (
        found
        if expected >= FEW or not spread
        else _shuffled(found, points_m, at_days, permutations)
    )


def _near_in_space(points_m: NDArray[np.float64], radius_m: float) -> NDArray[np.int64]:
    """Count the others within the radius of each."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 (38 MiB that a web server need not hold)

    tree = cKDTree(points_m)
    return np.asarray(tree.query_ball_point(points_m, radius_m, return_length=True) - 1)


def _near_in_time(at_days: NDArray[np.float64], window_days: float) -> NDArray[np.int64]:
    """Count the others within the window of each, in the order of time."""
    reach = _reach(np.sort(at_days), window_days)
    places = np.arange(len(at_days))
    later = reach - places - 1
    earlier = places - np.searchsorted(reach, places, side="right")
    return np.asarray(later + earlier)


def _reach(at_days: NDArray[np.float64], window_days: float) -> NDArray[np.int64]:
    """Say up to which place in the order of time each one's window goes."""
    return np.asarray(np.searchsorted(at_days, at_days + window_days, side="right"))


def _moments(in_space: NDArray[np.int64], in_time: NDArray[np.int64]) -> tuple[Fraction, Fraction]:
    """Give mean and variance of the pairs close in both, exactly."""
    n = len(in_space)
    space, time = int(in_space.sum()) // 2, int(in_time.sum()) // 2
    space_2, time_2 = (int((degree * (degree - 1)).sum()) for degree in (in_space, in_time))
    mean = Fraction(space * time, n * (n - 1) // 2)
    sharing_one = Fraction(space_2 * time_2, n * (n - 1) * (n - 2))
    sharing_none = Fraction(
        4 * (space * (space - 1) - space_2) * (time * (time - 1) - time_2),
        n * (n - 1) * (n - 2) * (n - 3),
    )
    return mean, mean + sharing_one + sharing_none - mean**2


def _shuffled(
    found: Knox, points_m: NDArray[np.float64], at_days: NDArray[np.float64], permutations: int
) -> Knox:
    """Replace the normal p by that of shuffled moments."""
    rng = np.random.default_rng(found.seed)
    by_time = np.argsort(at_days, kind="stable")
    points, at = points_m[by_time], at_days[by_time]
    if found.close_in_space < found.close_in_time:  # fewer pairs to look at
        pairs = np.concatenate(
            [*close_pairs(points, at, radius_m=found.radius_m, window_days=math.inf)]
        )
    else:
        later = _reach(at, found.window_days) - np.arange(len(at)) - 1
        first = np.repeat(np.arange(len(at)), later)
        pairs = np.column_stack(
            [first, first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)]
        )

    def close(order: NDArray[np.int64]) -> int:
        one, other = order[pairs].T
        if found.close_in_space < found.close_in_time:
            early, late = np.minimum(at[one], at[other]), np.maximum(at[one], at[other])
            return int(np.count_nonzero(late <= early + found.window_days))
        apart = np.hypot(*(points[one] - points[other]).T)
        return int(np.count_nonzero(apart <= found.radius_m))

    as_many = sum(
        close(rng.permutation(len(at))) >= found.close_in_both for _ in range(permutations)
    )
    return replace(found, p=(1 + as_many) / (permutations + 1), permutations=permutations)
