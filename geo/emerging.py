"""How hot spots change: Gi* in space and time, and whether it rises or falls.

After the emerging hot spot analysis of ArcGIS (Esri), whose categories these are, with exact tails
instead of normal ones.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from geo.false_discovery import adjusted
from geo.gi_star import permutation_tails, z_scores
from geo.grids import Cells

NEARLY_ALWAYS = 0.9
"""Share of the steps from which a cell counts as hot throughout."""


class Change(StrEnum):
    """What became of a cell; the last step decides together with those before it."""

    NEW = "new"
    """Hot in the last step, and never before."""

    CONSECUTIVE = "consecutive"
    """Hot in an unbroken run of the last steps, two or more, and never before."""

    INTENSIFYING = "intensifying"
    """Hot in nearly all steps, and rising."""

    PERSISTENT = "persistent"
    """Hot in nearly all steps, neither rising nor falling."""

    DIMINISHING = "diminishing"
    """Hot in nearly all steps, and falling."""

    SPORADIC = "sporadic"
    """Hot in the last step, on and off before, never cold."""

    OSCILLATING = "oscillating"
    """Hot in the last step, and cold in an earlier one."""

    HISTORICAL = "historical"
    """Not hot in the last step, but in nearly all before."""

    NONE = "none"
    """None of these."""


@dataclass(frozen=True, slots=True, eq=False)
class Emerging:
    """Changes over T steps in n cells.

    Attributes
    ----------
    cells : Cells
        Those of the area asked about.
    z : ndarray of float, shape (T, n)
        Gi* of the cell's neighbourhood in a step and the one before.
    hot, cold : ndarray of bool, shape (T, n)
        More, or fewer, than chance, after allowing for all cells and steps.
    trend : ndarray of float, shape (n,)
        Normal z of Mann and Kendall: above 0 where z rises.
    trend_p : ndarray of float, shape (n,)
        Two-sided. Neighbouring steps share reports, so it is somewhat too small.
    change : ndarray of str, shape (n,)
        A `Change` each.
    """

    cells: Cells
    z: NDArray[np.float64]
    hot: NDArray[np.bool_]
    cold: NDArray[np.bool_]
    trend: NDArray[np.float64]
    trend_p: NDArray[np.float64]
    change: NDArray[np.str_]


def emerging(
    cells: Cells,
    counts: NDArray[np.int64],
    *,
    rings: int = 1,
    false_share: float = 0.05,
    trend_p: float = 0.05,
) -> Emerging:
    """Say how each cell changed over time.

    Parameters
    ----------
    cells : Cells
    counts : ndarray of int, shape (T, n)
        Reports in each step and cell; steps of the same length, in the order of time.
    rings : int
        Of cells around a cell that are its neighbourhood, in its own step and the one before.
    false_share : float
        Share of what is called hot or cold that may be false alarms, expected.
    trend_p : float
        Below which a rise or fall counts.

    Returns
    -------
    Emerging

    Raises
    ------
    ValueError
        Where there are fewer than two steps.
    """
    if len(counts) < 2:
        raise ValueError("A change takes at least two steps of time.")
    here, ones = cells.around(counts, rings), cells.around(np.ones_like(counts), rings)
    lag, size = here.copy(), ones.copy()
    lag[1:] += here[:-1]
    size[1:] += ones[:-1]
    asked = cells.asked
    tails = permutation_tails(lag[:, asked], size[:, asked], counts)
    two_sided = np.minimum(1.0, 2 * np.minimum(tails.upper, tails.lower))
    found = adjusted(two_sided) <= false_share
    hot = found & (tails.upper < tails.lower)
    z = z_scores(lag[:, asked], size[:, asked], counts)
    trend, p = mann_kendall(z)
    return Emerging(
        cells=cells.only(asked),
        z=z,
        hot=hot,
        cold=found & ~hot,
        trend=trend,
        trend_p=p,
        change=changes(hot, found & ~hot, np.where(p <= trend_p, np.sign(trend), 0.0)),
    )


def mann_kendall(series: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Test whether series rise or fall.

    Counts how many later values are above earlier ones, less how many are below; with the variance for
    ties and a continuity correction (Mann 1945, doi:10.2307/1907187; Kendall 1975).

    Parameters
    ----------
    series : ndarray of float, shape (T, n)

    Returns
    -------
    tuple of (ndarray of float, ndarray of float)
        Normal z and two-sided p of each, shape (n,). A series without a change has 0 and 1.
    """
    from scipy.special import erfc  # noqa: PLC0415 (26 MiB that a web server need not hold)

    steps = len(series)
    rises = np.zeros(series.shape[1])
    equal = np.zeros(series.shape)
    for earlier, later in combinations(range(steps), 2):
        rises += np.sign(series[later] - series[earlier])
        same = series[later] == series[earlier]
        equal[earlier] += same
        equal[later] += same
    # A value that t share adds (t-1)(2t+5) at each of the t.
    tied = (equal * (2 * equal + 7)).sum(axis=0)
    variance = (steps * (steps - 1) * (2 * steps + 5) - tied) / 18
    spread = np.sqrt(np.where(variance > 0, variance, np.inf))
    z = (rises - np.sign(rises)) / spread
    return z, np.asarray(erfc(np.abs(z) / np.sqrt(2)))


def changes(
    hot: NDArray[np.bool_], cold: NDArray[np.bool_], trend: NDArray[np.float64]
) -> NDArray[np.str_]:
    """Sort cells into the categories of change.

    Parameters
    ----------
    hot, cold : ndarray of bool, shape (T, n)
    trend : ndarray of float, shape (n,)
        1 for rising, -1 for falling, 0 for neither.

    Returns
    -------
    ndarray of str, shape (n,)
        A `Change` each.
    """
    steps = len(hot)
    last, before = hot[-1], hot[:-1]
    # Steps since it was last not hot: the length of the unbroken run at the end.
    run = np.where(hot.all(axis=0), steps, np.argmax(~hot[::-1], axis=0))
    only_now = last & (hot.sum(axis=0) == run)
    throughout = last & (hot.mean(axis=0) >= NEARLY_ALWAYS)
    return np.select(
        [
            throughout & (trend > 0),
            throughout & (trend < 0),
            throughout,
            only_now & (run == 1),
            only_now,
            last & cold[:-1].any(axis=0),
            last,
            ~last & (before.mean(axis=0) >= NEARLY_ALWAYS),
        ],
        [
            Change.INTENSIFYING,
            Change.DIMINISHING,
            Change.PERSISTENT,
            Change.NEW,
            Change.CONSECUTIVE,
            Change.OSCILLATING,
            Change.SPORADIC,
            Change.HISTORICAL,
        ],
        Change.NONE,
    )
