"""Incidents of a table that is worked on in parts: the same as those of the whole, to the last digit.

A part is a box in place and time. It is given the reports in its box, and those around it that could be
linked to one inside, and links them as `geo.incidents` does. A group that no link leads out of is an
incident, and done with. Of the others, which are open, a part keeps the first report and the ends of the
links that cross its edge. Both parts at an edge see the links across it: so when they are joined, groups
with an end in common are one, and a group is open no longer once all its ends lie in the joined box.

What is kept grows with the edges of the boxes, not with the reports; and the box of everything has
no edge, so that nothing is open in the end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.incidents import groups, in_order, linked

REPORT = np.dtype(
    [
        ("x", np.float64),
        ("y", np.float64),
        ("at_s", np.float64),
        ("lon", np.float64),
        ("lat", np.float64),
        ("code", np.int32),
        ("row", np.int64),
    ]
)
"""x and y in the city's metres, seconds since 1970 (UTC), degrees on WGS 84, the number of the
category, and a number that no other row of the table has."""

Reports = NDArray[np.void]

Triple = tuple[float, float, float]
"""Metres east, metres north, and days since 1970."""

_SLACK: Triple = (1.0, 1.0, 1e-3)
"""By which a part looks further than links can reach, so that no rounding matters."""

_LEAST_SIDE = 8.0
"""Times the reach of links below which a box is not cut further."""

_ANY: Triple = (np.inf, np.inf, np.inf)


@dataclass(frozen=True, slots=True)
class Sameness:
    """What makes two reports one incident, as `geo.incidents.incidents` has it.

    Attributes
    ----------
    radius_m : mapping of str to float, or float
        For the number of each category as a word, or for all.
    window_days : float
    """

    radius_m: Mapping[str, float] | float
    window_days: float

    @property
    def reach(self) -> Triple:
        """Say how far apart in each direction two linked reports can be, and a little more."""
        radius = self.radius_m if isinstance(self.radius_m, float) else max(self.radius_m.values())
        return radius + _SLACK[0], radius + _SLACK[1], self.window_days + _SLACK[2]


@dataclass(frozen=True, slots=True)
class Box:
    """A part of place and time: from `low`, included, to `high`, not included."""

    low: Triple = (-np.inf, -np.inf, -np.inf)
    high: Triple = _ANY

    def holds(self, reports: Reports) -> NDArray[np.bool_]:
        """Say which reports lie in it."""
        inside = np.ones(len(reports), np.bool_)
        values = (reports["x"], reports["y"], _days(reports))
        for value, low, high in zip(values, self.low, self.high, strict=True):
            inside &= (value >= low) & (value < high)
        return inside

    def grown(self, by: Triple, times: float = 1.0) -> "Box":
        """Give one that is larger on every side, or smaller, times -1."""
        return Box(
            _triple(np.subtract(self.low, np.multiply(by, times))),
            _triple(np.add(self.high, np.multiply(by, times))),
        )

    def meets(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say which extents, both ends included, shape (k, 3), have something in common with it."""
        return np.asarray(((low < self.high) & (high >= self.low)).all(axis=1))


@dataclass(frozen=True, slots=True)
class Part:
    """A box that is worked on at once, or of which two halves are worked on and joined."""

    box: Box
    halves: "tuple[Part, Part] | None" = None

    def leaves(self) -> "Iterator[Part]":
        """Give the parts that are worked on at once."""
        if self.halves is None:
            yield self
        else:
            for half in self.halves:
                yield from half.leaves()


def cut(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    rows: NDArray[np.int64],
    *,
    span: Box,
    reach: Triple,
    most: int,
) -> Part:
    """Cut place and time into parts of about as many reports, across their longest side each time.

    Parameters
    ----------
    low, high : ndarray of float, shape (k, 3)
        Extents of pieces of the table, both ends included; infinite where they are not known. They
        may be larger than the pieces are: rows are taken to be spread evenly.
    rows : ndarray of int64, shape (k,)
        Of each piece.
    span : Box
        Where nearly everything lies, finite. What lies beyond belongs to the parts at the border.
    reach : tuple of (float, float, float)
        As `Sameness.reach`: the sides of a box are compared by how many times they hold it.
    most : int
        Rows that a part may have, as far as the extents tell.

    Returns
    -------
    Part
        Of everything. Its leaves cover place and time without overlapping.
    """
    least, longest = np.array(span.low), np.array(span.high)
    low, high = np.clip(low, least, longest), np.clip(high, least, longest)
    length = np.where(high > low, high - low, 1.0)
    sides = np.array(reach)

    def parted(box: Box, start: NDArray[np.float64], end: NDArray[np.float64]) -> Part:
        # A piece without a length in some direction is either in the box or not.
        shared = np.where(
            high > low,
            (np.minimum(high, end) - np.maximum(low, start)) / length,
            (low >= start) & ((low < end) | (end == longest)),
        )
        expected = float((rows * np.maximum(shared, 0).prod(axis=1)).sum())
        axis = int(np.argmax((end - start) / sides))
        if expected <= most or (end - start)[axis] < _LEAST_SIDE * sides[axis]:
            return Part(box)
        middle = float(start[axis] + end[axis]) / 2
        here = np.arange(3) == axis
        lower = Box(box.low, _triple(np.where(here, middle, box.high)))
        upper = Box(_triple(np.where(here, middle, box.low)), box.high)
        halves = (
            parted(lower, start, np.where(here, middle, end)),
            parted(upper, np.where(here, middle, start), end),
        )
        return Part(box, halves)

    return parted(Box(), least, longest)


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """Groups of reports that may go on beyond the edge of a box.

    Attributes
    ----------
    first : ndarray of REPORT, shape (g,)
        The earliest report of each, of those in the box.
    reports : ndarray of int64, shape (g,)
        How many in the box each has.
    ends : ndarray of REPORT, shape (e,)
        Reports on either side of the edge that links across it join.
    group : ndarray of int64, shape (e,)
        The group of each end.
    """

    first: Reports
    reports: NDArray[np.int64]
    ends: Reports
    group: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """What has become of the reports of a part.

    Attributes
    ----------
    first : ndarray of REPORT, shape (m,)
        The earliest report of each incident that is complete now; each is given once, by the smallest
        part that holds all of it.
    reports : ndarray of int64, shape (m,)
        How many each has.
    open : Open
        The others.
    """

    first: Reports
    reports: NDArray[np.int64]
    open: Open


def grouped(reports: Reports, box: Box, same: Sameness) -> Grouped:
    """Group the reports of a part.

    Parameters
    ----------
    reports : ndarray of REPORT
        Those in the box, and at least those in the box grown by the reach of `same`, in any order.
    box : Box
    same : Sameness

    Returns
    -------
    Grouped
    """
    own = box.holds(reports)
    pairs = linked(
        _points(reports),
        _days(reports),
        reports["code"],
        radius_m=same.radius_m,
        window_days=same.window_days,
    )
    group = groups(len(reports), pairs)
    ends = np.unique(pairs[own[pairs[:, 0]] != own[pairs[:, 1]]])
    return _sorted_out(
        reports[own],
        np.ones(np.count_nonzero(own), np.int64),
        group[own],
        reports[ends],
        group[ends],
    )


def joined(one: Open, other: Open, box: Box, same: Sameness) -> Grouped:
    """Join what is open in the halves of a part.

    Parameters
    ----------
    one, other : Open
    box : Box
        Of both together.
    same : Sameness

    Returns
    -------
    Grouped
    """
    first = np.concatenate([one.first, other.first])
    ends = np.concatenate([one.ends, other.ends])
    of_end = np.concatenate([one.group, other.group + len(one.first)])
    by_row = np.argsort(ends["row"], kind="stable")
    again = np.flatnonzero(np.diff(ends["row"][by_row]) == 0)
    group = groups(len(first), np.column_stack([of_end[by_row[again]], of_end[by_row[again + 1]]]))
    leads_out = np.zeros(len(first), np.bool_)
    leads_out[group[of_end[~box.holds(ends)]]] = True
    # Ends deep in the box are seen from nowhere else, and an end that both halves knew is kept once.
    kept = np.ones(len(ends), np.bool_)
    kept[by_row[again + 1]] = False
    kept &= leads_out[group[of_end]] & ~box.grown(same.reach, -1).holds(ends)
    return _sorted_out(
        first,
        np.concatenate([one.reports, other.reports]),
        group,
        ends[kept],
        group[of_end[kept]],
    )


def _sorted_out(
    first: Reports,
    reports: NDArray[np.int64],
    group: NDArray[np.int64],
    ends: Reports,
    of_end: NDArray[np.int64],
) -> Grouped:
    """Make one of each group; those with ends are open."""
    order = in_order(_points(first), _days(first))
    names, at = np.unique(group[order], return_index=True)
    firsts = first[order[at]]
    number = np.searchsorted(names, group)
    counts = np.bincount(number, reports, len(names)).astype(np.int64)
    open_ = np.isin(names, of_end)
    left = names[open_]
    return Grouped(
        firsts[~open_],
        counts[~open_],
        Open(firsts[open_], counts[open_], ends, np.searchsorted(left, of_end)),
    )


def _points(reports: Reports) -> NDArray[np.float64]:
    return np.column_stack([reports["x"], reports["y"]])


def _days(reports: Reports) -> NDArray[np.float64]:
    return np.asarray(reports["at_s"] / 86_400)


def _triple(values: NDArray[Any]) -> Triple:
    east, north, days = values.tolist()
    return east, north, days
