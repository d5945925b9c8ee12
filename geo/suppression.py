"""Which counts may be published: none that is small, and none from which a small one follows.

Where a count and its parts are published beside each other, a single part that is left out is the count
less the others. So the smallest of the others is left out with it (secondary suppression; Hundepool et
al. 2012, "Statistical Disclosure Control", chapter 4).
"""

import numpy as np
from numpy.typing import NDArray


def publishable(parts: NDArray[np.int64], least: int) -> NDArray[np.bool_]:
    """Say which parts of each sum may be published, where the sum is from `least` upwards.

    Parameters
    ----------
    parts : ndarray of int, shape (m, n)
        m parts of each of n sums: reports of each kind in each cell.
    least : int
        No smaller count is published, 0 neither.

    Returns
    -------
    ndarray of bool, shape (m, n)
        In no column exactly one is False, unless the sum itself is too small to be published.

    Examples
    --------
    >>> publishable(np.array([[12, 12], [6, 6], [1, 7]]), 5).tolist()
    [[True, True], [False, True], [False, True]]
    """
    shown = parts >= least
    one_out = (~shown).sum(axis=0) == 1
    smallest = np.where(shown, parts, np.iinfo(np.int64).max).argmin(axis=0)
    shown[smallest[one_out], np.flatnonzero(one_out)] = False
    return shown
