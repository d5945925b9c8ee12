"""Demand points: what several needs reach, so that the same people are not counted twice.

The priority gives each need points for the homes, places and incidents around it, as if it were alone. Two
dark lights beside each other would both have the points of the same homes. Here these points are handed
on to the homes themselves: each home of the city weighs the same, so much that the needs that reach any
have as many points together as they had by the priority. A set of needs is then worth what it reaches,
each home once (`geo.budget`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack
from scipy.spatial import cKDTree


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """One factor of the priority that lies around needs, and where.

    Attributes
    ----------
    points_m : ndarray of float, shape (m, 2)
        Places in a projected CRS, in metres.
    amounts : ndarray of float, shape (m,)
        How much there is at each, such as homes; 0 or more.
    reach_m : float
        Within which a need reaches them, as the priority counts.
    parts : ndarray of float, shape (n,)
        Points that each need has for the factor, 0 or more.
    """

    points_m: NDArray[np.float64]
    amounts: NDArray[np.float64]
    reach_m: float
    parts: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """Demand points of all factors.

    Attributes
    ----------
    reach : scipy.sparse.csr_array, shape (n, m)
        Which points each need reaches.
    demand : ndarray of float, shape (m,)
        What each point weighs, in points of the priority.
    alone : ndarray of float, shape (n,)
        Points of needs that reach none of what the factor is about: they stay their own.
    """

    reach: csr_array
    demand: NDArray[np.float64]
    alone: NDArray[np.float64]


def shared(needs_m: NDArray[np.float64], factors: Sequence[Around]) -> Shared:
    """Hand the points of needs on to what lies around them.

    Parameters
    ----------
    needs_m : ndarray of float, shape (n, 2)
        In the CRS of the factors.
    factors : sequence of Around

    Returns
    -------
    Shared
        Only points that a need reaches are in it.
    """
    n = len(needs_m)
    reaches, demands, alone = [csr_array((n, 0))], [np.empty(0)], np.zeros(n)
    tree = cKDTree(needs_m) if n else None
    for factor in factors:
        if tree is None or not len(factor.points_m):
            alone += factor.parts
            continue
        pairs = tree.sparse_distance_matrix(
            cKDTree(factor.points_m), factor.reach_m, output_type="ndarray"
        )
        used, column = np.unique(pairs["j"], return_inverse=True)
        reach = csr_array((np.ones(len(pairs)), (pairs["i"], column)), shape=(n, used.size))
        amounts = factor.amounts[used]
        near = reach @ amounts
        some = near > 0
        alone += np.where(some, 0.0, factor.parts)
        total = near.sum()
        each = float(factor.parts[some].sum() / total) if total > 0 else 0.0
        reaches.append(reach)
        demands.append(amounts * each)
    return Shared(hstack(reaches, format="csr"), np.concatenate(demands), alone)
