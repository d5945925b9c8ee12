"""How house numbers run along a street, and where streets cross, told from addresses alone.

Where no map of centrelines is to be had, the addresses draw one: half a hundred-block's numbers lie
on both sides of the street, and the middle between the sides is on it.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from shapely import LineString, MultiLineString, Point, STRtree

HALF_BLOCK = 50
"""House numbers that are taken together. A hundred is a block."""

_STRETCH_M_PER_NUMBER = 6.0
"""Metres per number beyond which two addresses do not lie on one stretch; 1 to 2 is usual."""

_ALWAYS_NEAR_M = 150.0
_LONGEST_GAP = 1200
_BLOCK_M = 200.0


@dataclass(frozen=True)
class Cluster:
    """The numbers of half a block on one street: their mean and the middle of the street there.

    `x_m` and `y_m` are metres in the city's projected CRS.
    """

    number: float
    x_m: float
    y_m: float

    def metres_to(self, other: "Cluster") -> float:
        """Give the distance to another."""
        return math.hypot(self.x_m - other.x_m, self.y_m - other.y_m)

    def adjoins(self, other: "Cluster") -> bool:
        """Give whether both can lie on one stretch of street."""
        gap = abs(self.number - other.number)
        apart_m = self.metres_to(other)
        return gap <= _LONGEST_GAP and (
            apart_m <= _ALWAYS_NEAR_M or apart_m <= gap * _STRETCH_M_PER_NUMBER
        )


@dataclass(frozen=True)
class Stretch:
    """A straight piece of street, and the numbers at its ends (`low` at the first)."""

    low: int
    high: int
    line: LineString


@dataclass(frozen=True)
class Crossing:
    """Where two streets meet."""

    first: int
    second: int
    point: Point


def stretches(clusters: Iterable[Cluster]) -> list[Stretch]:
    """Give the pieces of one street between neighbouring half blocks.

    Positions that no street could lead to (a wrong geocode) are passed over. The outer pieces are
    carried on to the ends of their hundred-blocks.

    Parameters
    ----------
    clusters : iterable of Cluster
        Of one street, in any order.

    Returns
    -------
    list of Stretch
        By number; none where the street has a single cluster.
    """
    found: list[Stretch] = []
    for chain in _chains(sorted(clusters, key=lambda cluster: cluster.number)):
        found.extend(_pieces(chain))
    return found


def _chains(clusters: Sequence[Cluster]) -> list[list[Cluster]]:
    """Part the clusters where the street is broken; each joins the nearest chain it adjoins."""
    chains: list[list[Cluster]] = []
    for cluster in clusters:
        fitting = [chain for chain in chains if chain[-1].adjoins(cluster)]
        if fitting:
            min(fitting, key=lambda chain: chain[-1].metres_to(cluster)).append(cluster)
        else:
            chains.append([cluster])
    return [chain for chain in chains if len(chain) > 1]


def _pieces(chain: Sequence[Cluster]) -> list[Stretch]:
    first, last = chain[0], chain[-1]
    start = _carried(chain[1], first, math.floor(first.number / 100) * 100)
    end = _carried(chain[-2], last, math.floor(last.number / 100) * 100 + 100)
    nodes = [start, *chain, end]
    pieces = []
    for before, after in pairwise(nodes):
        low, high = round(before.number), round(after.number)
        if low < high and before.metres_to(after) > 0:
            line = LineString([(before.x_m, before.y_m), (after.x_m, after.y_m)])
            pieces.append(Stretch(low, high, line))
    return pieces


def _carried(inner: Cluster, outer: Cluster, number: int) -> Cluster:
    """Carry the run of the numbers on from `outer`, by a block at the most."""
    share = (number - outer.number) / ((outer.number - inner.number) or 1)
    length_m = inner.metres_to(outer) * abs(share)
    share *= min(1.0, _BLOCK_M / length_m) if length_m else 0.0
    return Cluster(
        number,
        outer.x_m + share * (outer.x_m - inner.x_m),
        outer.y_m + share * (outer.y_m - inner.y_m),
    )


def run(pieces: Iterable[Stretch]) -> MultiLineString | None:
    """Give the line of a street from its pieces, None where there are none."""
    lines = [piece.line for piece in pieces]
    if not lines:
        return None
    merged = shapely.line_merge(MultiLineString(lines))
    return MultiLineString(shapely.get_parts(merged).tolist())


def crossings(streets: Mapping[int, MultiLineString], *, apart_m: float = 150.0) -> list[Crossing]:
    """Give where streets cross or touch.

    Parameters
    ----------
    streets : mapping of int to MultiLineString
        Lines by the street's id, metres in the city's projected CRS, as `reaching` gives them.
    apart_m : float
        Crossings of the same two streets that lie closer than this are one (a divided road).

    Returns
    -------
    list of Crossing
        `first` is below `second`; by ids.
    """
    ids = np.array(sorted(streets), dtype=np.int64)
    lines = np.array([streets[id] for id in ids.tolist()], dtype=object)
    one, other = STRtree(lines).query(lines, predicate="intersects")
    once = one < other
    one, other = one[once], other[once]
    points: defaultdict[tuple[int, int], list[Point]] = defaultdict(list)
    for a, b, met in zip(one, other, shapely.intersection(lines[one], lines[other]), strict=True):
        for part in shapely.get_parts(met):
            points[int(ids[a]), int(ids[b])].append(part.centroid)
    return [
        Crossing(first, second, point)
        for (first, second), met in sorted(points.items())
        for point in _apart(met, apart_m)
    ]


def reaching(lines: MultiLineString, reach_m: float) -> MultiLineString:
    """Carry lines on beyond their ends, to meet the streets they stop short of.

    Parameters
    ----------
    lines : MultiLineString
        Metres in the city's projected CRS.
    reach_m : float
        Length to add at each end, in metres.

    Returns
    -------
    MultiLineString
    """
    return MultiLineString([_longer(list(line.coords), reach_m) for line in lines.geoms])


def _longer(
    coordinates: Sequence[tuple[float, ...]], reach_m: float
) -> Sequence[tuple[float, ...]]:
    return [
        _beyond(coordinates[1], coordinates[0], reach_m),
        *coordinates,
        _beyond(coordinates[-2], coordinates[-1], reach_m),
    ]


def _beyond(
    inner: tuple[float, ...], outer: tuple[float, ...], reach_m: float
) -> tuple[float, float]:
    dx, dy = outer[0] - inner[0], outer[1] - inner[1]
    length = math.hypot(dx, dy) or 1.0
    return outer[0] + dx / length * reach_m, outer[1] + dy / length * reach_m


def _apart(points: Iterable[Point], apart_m: float) -> list[Point]:
    groups: list[list[Point]] = []
    for point in points:
        near = [group for group in groups if group[0].distance(point) < apart_m]
        if near:
            near[0].append(point)
        else:
            groups.append([point])
    return [shapely.MultiPoint(group).centroid for group in groups]
