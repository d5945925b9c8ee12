"""How few places hold how many of the reports."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Concentration:
    """How uneven counts are.

    Attributes
    ----------
    places, reports : int
    places_with_half : int
        The fewest places that together hold half of the reports.
    share_with_half : float
        The same as a share of all places; NaN without reports.
    lorenz : ndarray of float, shape (places + 1,)
        Share of the reports that the quietest 0, 1, 2, ... places hold, from 0 to 1.
    gini : float
        0 where all places have the same, near 1 where one has all.
    gini_adjusted : float
        The same, with 0 for "as even as so few reports can be": to be used where there are fewer
        reports than places, which makes any map look uneven.
    """

    places: int
    reports: int
    places_with_half: int
    share_with_half: float
    lorenz: NDArray[np.float64]
    gini: float
    gini_adjusted: float


def concentration(counts: NDArray[np.int64]) -> Concentration:
    """Measure how reports concentrate on places.

    Parameters
    ----------
    counts : ndarray of int, shape (n,)
        Reports of each place (a cell, a stretch of street), with those that have none.

    Returns
    -------
    Concentration

    Raises
    ------
    ValueError
        Where there are no places.

    References
    ----------
    Weisburd (2015), doi:10.1111/1745-9125.12070; Bernasco and Steenbeek (2017),
    doi:10.1007/s10940-016-9324-7 (adjusted Gini).

    Examples
    --------
    >>> concentration(np.array([6, 1, 1, 0])).share_with_half
    0.25
    """
    places, reports = len(counts), int(counts.sum())
    if not places:
        raise ValueError("Concentration is measured among places, and there are none.")
    if not reports:
        return Concentration(places, 0, 0, np.nan, np.zeros(places + 1), np.nan, np.nan)
    rising = np.sort(counts)
    most = np.cumsum(rising[::-1])
    half = int(np.searchsorted(most, reports / 2)) + 1
    rank_sum = 2 * float((np.arange(1, places + 1) * rising).sum()) / reports - places - 1
    filled = min(places, reports)
    return Concentration(
        places=places,
        reports=reports,
        places_with_half=half,
        share_with_half=half / places,
        lorenz=np.concatenate([[0.0], np.cumsum(rising) / reports]),
        gini=rank_sum / places,
        gini_adjusted=rank_sum / filled - places / filled + 1,
    )
