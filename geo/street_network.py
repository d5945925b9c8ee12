"""How far it is from place to place by street.

Streets are lines that cross: the network joins them where they meet. It knows nothing of one-way streets,
of bridges over others, or of turns, so its lengths are those of whoever may go everywhere. Where two
places are not joined by streets, or are too far from any, the distance is the straight line times
`DETOUR`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

DETOUR = 1.417
"""Driving distance over straight line, the mean of the United States (Boscoe, Henry and Zdeb 2012,
A nationwide comparison of driving distance versus straight-line distance to hospitals,
doi:10.1080/00330124.2011.583586)."""

OFF_STREET_M = 250.0
"""How far from a street a place may be to be reached by it."""

_GRID_M = 0.01
"""Ends of lines this near to each other are one."""


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """Metres between places.

    Attributes
    ----------
    metres : ndarray of float, shape (k, k)
        Symmetric, 0 on the diagonal.
    by_street : ndarray of bool, shape (k, k)
        Whether it is a way by street. Else it is the straight line times `DETOUR`.
    """

    metres: NDArray[np.float64]
    by_street: NDArray[np.bool_]

    @property
    def share_by_street(self) -> float:
        """The share of pairs of two places that are joined by streets; 1 where there is no pair."""
        pairs = ~np.eye(len(self.metres), dtype=bool)
        return float(self.by_street[pairs].mean()) if pairs.any() else 1.0


class StreetNetwork:
    """Streets that are joined where they meet.

    Parameters
    ----------
    lines : sequence of shapely lines
        Centrelines in a projected CRS, in metres. They need not be cut where they cross.
    """

    def __init__(self, lines: Sequence[shapely.LineString] | NDArray[np.object_]) -> None:
        drawn = np.asarray(lines, dtype=object)
        whole = shapely.union_all(drawn, grid_size=_GRID_M) if drawn.size else None
        parts = shapely.get_parts(whole) if whole is not None else np.empty(0, dtype=object)
        self._pieces = parts[(shapely.length(parts) > 0)] if parts.size else parts
        ends = np.array(
            [
                [shapely.get_point(self._pieces, 0), shapely.get_point(self._pieces, -1)],
            ],
            dtype=object,
        ).reshape(2, -1)
        xy = np.round(shapely.get_coordinates(ends.ravel()) / _GRID_M).astype(np.int64)
        _unique, numbers = np.unique(xy, axis=0, return_inverse=True)
        self._ends = numbers.reshape(2, -1)
        self._nodes = len(_unique)
        self._lengths = shapely.length(self._pieces)
        self._tree = shapely.STRtree(self._pieces)

    def distances(self, places_m: NDArray[np.float64]) -> Distances:
        """Give the shortest ways between places, each from where its nearest street is nearest.

        Parameters
        ----------
        places_m : ndarray of float, shape (k, 2)
            In the CRS of the streets.

        Returns
        -------
        Distances
        """
        k = len(places_m)
        straight = np.hypot(*(places_m[:, None] - places_m[None, :]).T).T * DETOUR
        if not k or not self._pieces.size:
            return Distances(straight, np.eye(k, dtype=bool))
        points = np.asarray(shapely.points(places_m), dtype=object)
        place, piece = self._tree.query_nearest(
            points, max_distance=OFF_STREET_M, all_matches=False
        )
        off = shapely.distance(points[place], self._pieces[piece])
        along = np.asarray(shapely.line_locate_point(self._pieces[piece], points[place]))
        graph = self._with_places(place, piece, along)
        ways = dijkstra(graph, directed=False, indices=self._nodes + np.arange(place.size))
        ways = ways[:, self._nodes :] + off[:, None] + off[None, :]
        metres, by_street = straight.copy(), np.zeros((k, k), dtype=bool)
        at = np.ix_(place, place)
        joined = np.isfinite(ways)
        metres[at] = np.where(joined, ways, straight[at])
        by_street[at] = joined
        np.fill_diagonal(metres, 0.0)
        np.fill_diagonal(by_street, val=True)
        return Distances(np.minimum(metres, metres.T), by_street)

    def _with_places(
        self, place: NDArray[np.int64], piece: NDArray[np.int64], along: NDArray[np.float64]
    ) -> csr_array:
        """Give the graph with a node for each place, joined to its neighbours on its piece of street."""
        by_place = np.lexsort((along, piece))
        node = self._nodes + by_place
        on, at = piece[by_place], along[by_place]
        last = np.append(on[1:] != on[:-1], True)
        first = np.insert(on[1:] != on[:-1], 0, True)
        tail = np.concatenate([self._ends[0], self._ends[0][on[first]], node])
        head = np.concatenate(
            [
                self._ends[1],
                node[first],
                np.where(last, self._ends[1][on], np.append(node[1:], 0)),
            ]
        )
        metres = np.concatenate(
            [
                self._lengths,
                at[first],
                np.where(last, self._lengths[on] - at, np.append(at[1:], 0.0) - at),
            ]
        )
        return _shortest(tail, head, metres, self._nodes + place.size)


def _shortest(
    tail: NDArray[np.int64], head: NDArray[np.int64], metres: NDArray[np.float64], nodes: int
) -> csr_array:
    """Give a graph with the shortest edge of each pair of nodes: a sparse array would add them up."""
    low, high = np.minimum(tail, head), np.maximum(tail, head)
    order = np.lexsort((metres, high, low))
    low, high, metres = low[order], high[order], metres[order]
    kept = np.insert((low[1:] != low[:-1]) | (high[1:] != high[:-1]), 0, True)
    # Nothing is not an edge to scipy.
    weights = np.maximum(metres[kept], _GRID_M / 10)
    return csr_array((weights, (low[kept], high[kept])), shape=(nodes, nodes))
