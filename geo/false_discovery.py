"""How many false alarms a map of many tests may have."""

import numpy as np
from numpy.typing import NDArray


def adjusted(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give p-values adjusted for the number of tests (Benjamini and Hochberg).

    Calling all tests hot whose adjusted value is at most q keeps the expected share of false ones
    among them at or below q, for independent and for positively dependent tests, which neighbourhoods
    that overlap are. Adjust everything that is shown together at once.

    Parameters
    ----------
    p : ndarray of float, any shape
        From 0 to 1. NaN is no test: it neither counts nor gets a value.

    Returns
    -------
    ndarray of float
        Of the same shape.

    References
    ----------
    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x; Benjamini and Yekutieli
    (2001), doi:10.1214/aos/1013699998.

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.04, 0.02, np.nan])).tolist()
    [0.03, 0.04, 0.03, nan]
    """
    result = np.full(p.shape, np.nan)
    tested = np.isfinite(p)
    values = p[tested]
    order = np.argsort(values)
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    smallest_beyond = np.minimum.accumulate(scaled[::-1])[::-1]
    back = np.empty_like(smallest_beyond)
    back[order] = np.minimum(smallest_beyond, 1.0)
    result[tested] = back
    return result
