"""Runs of dark lights: neighbours in the row of a street, none of which is lit.

One light that is out is a lamp; three in a row are more often a circuit, a fuse or stolen wire, and
leave a stretch that nobody can walk in the light.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString
from shapely.ops import substring

SIDE_M = 30.0
"""Metres from a centreline within which a light stands on that street."""

WIDEST_GAP_M = 120.0
"""Metres between two lights beyond which they are no neighbours: twice the widest usual spacing."""

CORNER_M = 1.0
"""Metres within which two centrelines meet."""


@dataclass(frozen=True, slots=True)
class DarkRun:
    """Dark lights in a row.

    Attributes
    ----------
    street : str
        Its name.
    lights : tuple of int
        Indices of the lights, in order along the street.
    line : LineString
        Along the street from the first to the last of them.
    from_corner, to_corner : str
        Streets that cross just before the first light and just after the last; empty where none does.
    """

    street: str
    lights: tuple[int, ...]
    line: LineString
    from_corner: str
    to_corner: str


def dark_runs(
    lights: NDArray[Any],
    dark: NDArray[np.bool_],
    streets: Sequence[LineString],
    names: Sequence[str],
    *,
    fewest: int = 2,
) -> tuple[DarkRun, ...]:
    """Find the runs of adjacent dark lights.

    Each light belongs to the nearest centreline within `SIDE_M`, and stands in its row by its
    position along it, whichever side it is on. A run is broken by a light that is not dark and by a
    gap of more than `WIDEST_GAP_M`. Pieces of one street that meet end to end are one line, so that
    a file that cuts streets at corners gives the same runs.

    Parameters
    ----------
    lights : array of shapely points, shape (n,)
        In the city's metres.
    dark : bool array, shape (n,)
    streets : sequence of LineString
        Centrelines in the city's metres.
    names : sequence of str
        Of the streets, in the same order.
    fewest : int
        Lights that make a run.

    Returns
    -------
    tuple of DarkRun
        The longest first, then by street and position; the same for the same lights in any order.

    Notes
    -----
    Lights that stand on no known street are in no run. A run says nothing of the reason.
    """
    if not dark.any() or not len(streets):
        return ()
    known = _whole(streets, names)
    # Of two streets that are equally near, the first counts.
    light, line = known.tree.query_nearest(lights, max_distance=SIDE_M, all_matches=True)
    light, first = np.unique(light, return_index=True)
    line = line[first]
    along = shapely.line_locate_point(known.lines[line], lights[light])
    x, y = shapely.get_x(lights[light]), shapely.get_y(lights[light])
    order = np.lexsort((y, x, along, line))
    light, line, along = light[order], line[order], along[order]
    is_dark = dark[light]

    breaks = np.ones(len(light), dtype=bool)
    breaks[1:] = (
        (line[1:] != line[:-1]) | (np.diff(along) > WIDEST_GAP_M) | ~is_dark[1:] | ~is_dark[:-1]
    )
    starts = np.flatnonzero(breaks)
    ends = np.append(starts[1:], len(light))
    kept = is_dark[starts] & (ends - starts >= fewest)
    corners = _corners(known, np.unique(line[starts[kept]]))
    found = [
        _run(known, int(line[start]), corners, light[start:end], along[start:end])
        for start, end in zip(starts[kept], ends[kept], strict=True)
    ]
    return tuple(sorted(found, key=lambda run: (-len(run.lights), run.street, run.line.coords[0])))


@dataclass(frozen=True, slots=True)
class _Streets:
    """Whole streets: their lines, the name of each, and where they are."""

    lines: NDArray[Any]
    names: tuple[str, ...]
    tree: shapely.STRtree


def _whole(streets: Sequence[LineString], names: Sequence[str]) -> _Streets:
    """Join the pieces of each street that meet end to end, each line from its western end."""
    pieces: dict[str, list[LineString]] = {}
    for street, name in zip(streets, names, strict=True):
        pieces.setdefault(name, []).append(street)
    lines: list[LineString] = []
    called: list[str] = []
    for name in sorted(pieces):
        merged = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(pieces[name])))
        turned = [
            part if part.coords[0] <= part.coords[-1] else shapely.reverse(part) for part in merged
        ]
        lines += sorted(turned, key=lambda part: part.coords[0])
        called += [name] * len(turned)
    array = np.array(lines, dtype=object)
    return _Streets(array, tuple(called), shapely.STRtree(array))


Corners = Mapping[int, list[tuple[float, str]]]
"""Index of a street -> metres along it and the name of the street that crosses there."""


def _corners(known: _Streets, of: NDArray[np.intp]) -> Corners:
    own, other = known.tree.query(known.lines[of], predicate="dwithin", distance=CORNER_M)
    own = of[own]
    # One that ends just short of this one meets it where it comes nearest.
    meeting = shapely.intersection(known.lines[own], known.lines[other])
    meeting = np.where(
        shapely.is_empty(meeting),
        shapely.get_point(shapely.shortest_line(known.lines[own], known.lines[other]), 0),
        meeting,
    )
    points, pair = shapely.get_parts(meeting, return_index=True)
    along = shapely.line_locate_point(known.lines[own[pair]], shapely.centroid(points))
    found: dict[int, list[tuple[float, str]]] = {int(index): [] for index in of}
    for mine, at, theirs in zip(own[pair], along, other[pair], strict=True):
        if known.names[theirs] != known.names[mine]:
            found[int(mine)].append((float(at), known.names[theirs]))
    return found


def _run(
    known: _Streets,
    own: int,
    corners: Corners,
    lights: NDArray[np.intp],
    along: NDArray[np.float64],
) -> DarkRun:
    street = known.lines[own]
    start, end = float(along[0]), float(along[-1])
    _at, from_corner = max((at for at in corners[own] if at[0] <= start), default=(0.0, ""))
    _at, to_corner = min((at for at in corners[own] if at[0] >= end), default=(0.0, ""))
    if end - start < 1.0:  # lights that stand opposite each other have no street between them
        start, end = max(start - 0.5, 0.0), min(end + 0.5, street.length)
    line = substring(street, start, end)
    assert isinstance(line, LineString)
    return DarkRun(known.names[own], tuple(lights.tolist()), line, from_corner, to_corner)
