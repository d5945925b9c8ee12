"""Rates of small areas, of which the few counts of one are steadied by those of all."""

import numpy as np
from numpy.typing import NDArray


def steadied(counts: NDArray[np.float64], exposure: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the empirical Bayes rate of each area: its own as far as its counts carry, else that of all.

    m = sum O / sum n; s^2 = sum n (r - m)^2 / sum n; a = max(0, s^2 - m / mean n);
    the rate is w r + (1 - w) m with w = a / (a + m / n).

    Parameters
    ----------
    counts : ndarray of float, shape (k,)
        What was counted in each area: O.
    exposure : ndarray of float
        In how much of it (days, people, tries): n, 0 where an area has nothing of its own.

    Returns
    -------
    ndarray of float
        Per unit of exposure. NaN where there is no exposure at all.

    Raises
    ------
    ValueError
        Where a count or an exposure is below zero, or something was counted in nothing.

    References
    ----------
    Marshall (1991), doi:10.2307/2347593, with the variance truncated at 0.

    Examples
    --------
    An area without anything of its own has the rate of all:

    >>> steadied(np.array([3.0, 1.0, 0.0]), np.array([10.0, 10.0, 0.0]))[2].round(3).item()
    0.2
    """
    if (counts < 0).any() or (exposure < 0).any() or (counts[exposure == 0] > 0).any():
        raise ValueError("Count nothing below zero, and nothing where there is no exposure.")
    total = exposure.sum()
    if total == 0:
        return np.full(counts.shape, np.nan)
    mean = counts.sum() / total
    some = exposure > 0
    own = np.where(some, counts / np.where(some, exposure, 1.0), mean)
    between = max(
        0.0, float((exposure * (own - mean) ** 2).sum() / total - mean / exposure[some].mean())
    )
    if between == 0:
        return np.full(counts.shape, mean)
    weight = between * exposure / (between * exposure + mean)
    return np.asarray(weight * own + (1 - weight) * mean)
