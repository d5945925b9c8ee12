"""Jobs: what one visit of a crew mends. Mostly that is one need; lights in a row are one repair.

One light that is out is a lamp. Three in a row are a cable, a breaker or a controller: whoever mends that
mends all of them. So they are chosen, locked and left out together, and take one repair.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

FEWEST_LIGHTS = 3
"""Dark lights in a row that are one fault. Two are where one report marked both as a dark block or stretch."""

CHECK_MINUTES = 5
"""Of a crew at each further light of a row, to see that it burns again: to walk a spacing of 40 m or so and
to hold a hand over the photocell. An assumption. It takes no money and no material of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Jobs:
    """Which needs are one job.

    Attributes
    ----------
    of : ndarray of int, shape (n,)
        The job of each need. Jobs are numbered from 0, by their first needs.
    members : scipy.sparse.csr_array, shape (jobs, n)
        1 where a need is of a job.
    """

    of: NDArray[np.int64]
    members: csr_array

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many needs each has."""
        return np.bincount(self.of, minlength=self.members.shape[0])

    @property
    def firsts(self) -> NDArray[np.int64]:
        """The first need of each."""
        return np.unique(self.of, return_index=True)[1].astype(np.int64)

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the sum over the needs of each job."""
        return np.asarray(self.members @ values)

    def least(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the least of the needs of each job."""
        least = np.full(self.members.shape[0], np.inf)
        np.minimum.at(least, self.of, values)
        return least

    def any(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell which jobs have a need of some."""
        return self.count(mask) > 0

    def count(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Give how many needs of some each job has."""
        return np.bincount(self.of[mask], minlength=self.members.shape[0])

    def reach(self, reach: csr_array) -> csr_array:
        """Give which demand points each job reaches: a point that several of its needs reach, once."""
        together = csr_array(self.members @ reach)
        together.data = np.ones(together.nnz)
        return together

    def needs(self, jobs: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Give the needs of some jobs."""
        return jobs[self.of]


def jobs_of(together: NDArray[np.int64]) -> Jobs:
    """Give the jobs of needs.

    Parameters
    ----------
    together : ndarray of int, shape (n,)
        Needs of the same number are one job; each 0 is one by itself.

    Returns
    -------
    Jobs
    """
    n = together.size
    alone = -1 - np.arange(n)
    _names, first, name = np.unique(
        np.where(together > 0, together, alone), return_index=True, return_inverse=True
    )
    number = np.empty(first.size, np.int64)
    number[np.argsort(first)] = np.arange(first.size)
    of = number[name]
    members = csr_array((np.ones(n), (of, np.arange(n))), shape=(first.size, n))
    return Jobs(of, members)


def in_row(xy_m: NDArray[np.float64]) -> list[int]:
    """Give the order of lights along their row, from its western end, or its southern one.

    Parameters
    ----------
    xy_m : ndarray of float, shape (n, 2)
        In metres.
    """
    wide, high = np.ptp(xy_m, axis=0)
    along = xy_m[:, 0] if wide >= high else xy_m[:, 1]
    return [int(light) for light in np.argsort(along, kind="stable")]


def minutes(needs: int, repair: int) -> Sequence[int]:
    """Give the minutes of a job's needs: the first carries the repair, each further one a check."""
    return [repair, *[CHECK_MINUTES] * (needs - 1)]
