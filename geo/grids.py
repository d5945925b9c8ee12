"""Cells of equal size over the city: squares and hexagons, found by arithmetic.

A cell is half-open, so every point of the plane lies in exactly one, and the counts of the parts of a
table add up to the counts of the whole. A hexagon is made of triangles between three families of
lines: how many of each a point has passed gives its cell (an idea of Charles Chambers; see "Hexagonal
Grids", redblobgames.com). The same lines cut streets and borders at the edges of cells, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from geo.crs import CITY, STORED

Number = TypeVar("Number", np.int64, np.float64)

NOWHERE = -1
"""Stands for the number of a cell where a point lies in none."""

_ROOT_3 = 3**0.5

_CHUNK = 32_768
"""Points worked on at a time: as many as stay in a core's own cache."""

_TOUCH = 1e-7
"""Part of a cell's width within which something lies on its edge."""

_POLE = (180.0, 90.0)

_FAR_M = 10_000.0
"""Metres from zero beyond which no place is that could be mistaken for degrees."""


class Shape(StrEnum):
    """Of a cell."""

    SQUARE = "square"
    HEXAGON = "hexagon"


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells that cover the plane.

    Attributes
    ----------
    shape : Shape
    width_m : float
        Metres between the centres of two cells that share an edge: the side of a square, or the
        distance between opposite sides of a hexagon.
    origin_m : tuple of (float, float)
        Where the corner of square (0, 0) with the least coordinates lies, or the centre of hexagon
        (0, 0).
    crs : pyproj.CRS
        Of every coordinate: projected, in metres.

    Raises
    ------
    ValueError
        Where the CRS measures in degrees or feet, or the width is not above zero.

    Notes
    -----
    A cell is named by two whole numbers, q and r: column and row of a square, the axial coordinates of
    a hexagon with its points up and down, whose centre lies at q + r/2 widths east and r √3/2 widths
    north of the origin.
    """

    shape: Shape
    width_m: float
    origin_m: tuple[float, float] = (0.0, 0.0)
    crs: CRS = CITY

    def __post_init__(self) -> None:
        if not self.crs.is_projected or any(a.unit_name != "metre" for a in self.crs.axis_info[:2]):
            raise ValueError(
                f"Cells are measured in metres, and {self.crs.name} has none. Project the places "
                "first, to the CRS of geo.crs.CITY."
            )
        if not self.width_m > 0:
            raise ValueError(f"A cell of {self.width_m} m has no inside. Give a width above 0.")

    @property
    def cell_km2(self) -> float:
        """Square kilometres of a cell."""
        shrunk = _ROOT_3 / 2 if self.shape is Shape.HEXAGON else 1.0
        return shrunk * self.width_m**2 / 1e6

    def cells_of(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Name the cell of each point.

        Parameters
        ----------
        x, y : ndarray of float, shape (n,)
            Metres, in the CRS of the grid.

        Returns
        -------
        tuple of (ndarray of int64, ndarray of int64)
            q and r of each.

        Raises
        ------
        ValueError
            Where a coordinate is no number.
        """
        q, r = np.empty(len(x), np.int64), np.empty(len(x), np.int64)
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            if not (np.isfinite(x[part]).all() and np.isfinite(y[part]).all()):
                raise ValueError("A place without coordinates lies in no cell. Leave it out.")
            q[part], r[part] = self._named(self._lines(x[part], y[part]))
        return q, r

    def centres(
        self, q: NDArray[np.int64], r: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give x and y of the middle of cells, in metres."""
        if self.shape is Shape.SQUARE:
            columns, rows = q + 0.5, r + 0.5
        else:
            columns, rows = q + r / 2, r * (_ROOT_3 / 2)
        return (
            np.asarray(self.origin_m[0] + columns * self.width_m, np.float64),
            np.asarray(self.origin_m[1] + rows * self.width_m, np.float64),
        )

    def steps(self, rings: int) -> list[tuple[int, int]]:
        """Give the differences of q and r from a cell to itself and to all within some rings.

        One ring of squares has the eight around a cell, one of hexagons six.
        """
        return [
            (dq, dr)
            for dr in range(-rings, rings + 1)
            for dq in range(-rings, rings + 1)
            if self.shape is Shape.SQUARE or abs(dq + dr) <= rings
        ]

    def polygons(self, q: NDArray[np.int64], r: NDArray[np.int64]) -> NDArray[np.object_]:
        """Give cells as shapely polygons, in the CRS of the grid."""
        return np.asarray(shapely.polygons(self._rings(q, r)))

    def pieces(
        self, lines: Sequence[BaseGeometry] | NDArray[np.object_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Cut lines so that each piece lies in one cell.

        Parameters
        ----------
        lines : sequence of shapely LineString, MultiLineString or LinearRing
            In the CRS of the grid.

        Returns
        -------
        tuple of three ndarray of float
            x and y of the middle of each piece, and its length, all in metres. The lengths add up to
            those of the lines.
        """
        starts, ends = _segments(lines)
        which = [np.arange(len(starts))] * 2
        at = [np.zeros(len(starts)), np.ones(len(starts))]
        for first, last in zip(self._lines(*starts.T), self._lines(*ends.T), strict=True):
            low, high = np.floor(np.minimum(first, last)), np.ceil(np.maximum(first, last))
            crossed = np.maximum(high - low - 1, 0).astype(np.int64)
            segment = np.repeat(np.arange(len(starts)), crossed)
            before = np.repeat(np.cumsum(crossed) - crossed, crossed)
            line = low[segment] + 1 + np.arange(len(segment)) - before
            which.append(segment)
            at.append((line - first[segment]) / (last - first)[segment])
        segments, along = np.concatenate(which), np.clip(np.concatenate(at), 0.0, 1.0)
        order = np.lexsort((along, segments))
        segments, along = segments[order], along[order]
        left = np.flatnonzero((np.diff(segments) == 0) & (np.diff(along) > 0))
        segment, middle = segments[left], (along[left] + along[left + 1]) / 2
        way = ends - starts
        x, y = (starts[segment] + middle[:, None] * way[segment]).T
        length = (along[left + 1] - along[left]) * np.hypot(*way[segment].T)
        return x, y, length

    def _lines(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], ...]:
        """Say how many lines of each family a point has passed, with the fraction to the next."""
        u = (x - self.origin_m[0]) * (1 / self.width_m)
        v = (y - self.origin_m[1]) * (1 / self.width_m)
        if self.shape is Shape.SQUARE:
            return u, v
        v *= _ROOT_3
        return 2 * u, u + v, v - u

    def _named(
        self, lines: tuple[NDArray[np.float64], ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        passed = [np.floor(family) for family in lines]
        if self.shape is Shape.SQUARE:
            return passed[0], passed[1]
        r = np.floor((passed[1] + passed[2] + 2) / 3)
        return np.floor((passed[0] + passed[1] + 2) / 3) - r, r

    def _rings(self, q: NDArray[np.int64], r: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the corners of cells, counter-clockwise, the first again at the end: (n, 5 or 7, 2)."""
        if self.shape is Shape.SQUARE:
            corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) / 2
        else:
            turns = np.radians(np.arange(-90, 271, 60))
            corners = np.column_stack([np.cos(turns), np.sin(turns)]) / _ROOT_3
            corners[-1] = corners[0]
        middles = np.column_stack(self.centres(q, r))
        return np.asarray(middles[:, None, :] + corners * self.width_m)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Some cells of a grid, in the order of their rows: each is named by its place in this order.

    Attributes
    ----------
    grid : Grid
    q, r : ndarray of int64, shape (n,)
    asked : ndarray of bool, shape (n,)
        Whether the cell meets the area that is asked about. The others are the guard ring: they lend
        their reports to neighbourhoods, and no verdict is given on them.
    """

    grid: Grid
    q: NDArray[np.int64]
    r: NDArray[np.int64]
    asked: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.q)

    def only(self, kept: NDArray[np.bool_]) -> "Cells":
        """Give those of the cells that are marked, shape (n,)."""
        return Cells(self.grid, self.q[kept], self.r[kept], self.asked[kept])

    def find(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        """Give the number of the cell each point lies in, or `NOWHERE`.

        Parameters
        ----------
        x, y : ndarray of float
            Metres, in the CRS of the grid.

        Returns
        -------
        ndarray of int64

        Raises
        ------
        ValueError
            Where a coordinate is no number, or all seem to be degrees.
        """
        self._require_metres(x, y)
        return self._numbers(*self.grid.cells_of(x, y))

    def counts(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        """Count the points in each cell; points outside all of them count nowhere.

        Counts of parts of the points, added up, are those of all.

        Parameters
        ----------
        x, y : ndarray of float
            Metres, in the CRS of the grid.

        Returns
        -------
        ndarray of int64, shape (n,)

        Raises
        ------
        ValueError
            As `find`.
        """
        self._require_metres(x, y)
        window = self._window(0)
        total = np.zeros(window.width * window.height + 1, np.int64)
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            total += np.bincount(
                window.positions(*self.grid.cells_of(x[part], y[part])), minlength=len(total)
            )
        return total[window.of_cell]

    def around(self, values: NDArray[Number], rings: int = 1) -> NDArray[Number]:
        """Add up the values of each cell and of those within some rings of it.

        Parameters
        ----------
        values : ndarray of int or float, shape (..., n)
        rings : int

        Returns
        -------
        ndarray, shape (..., n)
            Of the type of the values. A cell that is not among these adds nothing.
        """
        window = self._window(rings)
        padded = np.zeros((*values.shape[:-1], window.width * window.height + 1), values.dtype)
        padded[..., window.of_cell] = values
        total = np.zeros_like(values)
        for dq, dr in self.grid.steps(rings):
            total += padded[..., window.of_cell + (dr * window.width + dq)]
        return total

    def touching(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the numbers of each two cells among these that share an edge or a corner, once."""
        here = np.arange(len(self))
        there = [
            self._numbers(self.q + dq, self.r + dr)
            for dq, dr in self.grid.steps(1)
            if (dr, dq) > (0, 0)
        ]
        one, other = np.tile(here, len(there)), np.concatenate(there)
        found = other != NOWHERE
        return one[found], other[found]

    def polygons(self) -> NDArray[np.object_]:
        """Give the cells as shapely polygons, in the CRS of the grid."""
        return self.grid.polygons(self.q, self.r)

    def geojson(self, decimals: int = 6) -> list[dict[str, object]]:
        """Give the cells as GeoJSON geometries: degrees on WGS 84, counter-clockwise (RFC 7946)."""
        corners = self.grid._rings(self.q, self.r)  # noqa: SLF001 (the grid of these cells)
        to_stored = _transformer(self.grid.crs)
        degrees = np.stack(to_stored.transform(corners[..., 0], corners[..., 1]), axis=-1)
        return [
            {"type": "Polygon", "coordinates": [ring]}
            for ring in np.round(degrees, decimals).tolist()
        ]

    def street_m(self, lines: Sequence[BaseGeometry] | NDArray[np.object_]) -> NDArray[np.float64]:
        """Measure the lines in each cell, cut exactly at its edges.

        Parameters
        ----------
        lines : sequence of shapely lines
            In the CRS of the grid, each stretch once (see `edges`).

        Returns
        -------
        ndarray of float, shape (n,)
            Metres.
        """
        x, y, length = self.grid.pieces(lines)
        found = self.find(x, y)
        return np.bincount(found + 1, length, len(self) + 1)[1:].astype(np.float64, copy=False)

    def shared_out(
        self, polygons: Sequence[BaseGeometry] | NDArray[np.object_], amounts: ArrayLike
    ) -> NDArray[np.float64]:
        """Share amounts out to the cells by the area of each polygon that a cell holds.

        Parameters
        ----------
        polygons : sequence of shapely polygons
            Blocks or tracts, in the CRS of the grid, cut exactly at the edges of cells.
        amounts : array_like of float
            Households of each, taken as spread evenly over it.

        Returns
        -------
        ndarray of float, shape (n,)
        """
        shapes, shares = np.asarray(polygons, dtype=object), np.asarray(amounts, dtype=float)
        cells = self.polygons()
        block, cell = shapely.STRtree(cells).query(shapes, predicate="intersects")
        part = shapely.area(shapely.intersection(shapes[block], cells[cell]))
        weight = part * (shares / shapely.area(shapes))[block]
        return np.bincount(cell, weight, len(self)).astype(np.float64, copy=False)

    def covered(self, which: NDArray[np.int64], by: NDArray[np.object_]) -> NDArray[np.float64]:
        """Say how much of some cells is covered by polygons that do not overlap each other.

        Parameters
        ----------
        which : ndarray of int64, shape (m,)
            Numbers of the cells.
        by : ndarray of shapely polygons

        Returns
        -------
        ndarray of float, shape (m,)
            Shares, from 0 to 1.
        """
        cells = self.grid.polygons(self.q[which], self.r[which])
        cell, other = shapely.STRtree(by).query(cells)
        shared = shapely.area(shapely.intersection(cells[cell], by[other]))
        return np.bincount(cell, weights=shared, minlength=len(which)) / (self.grid.cell_km2 * 1e6)

    def _require_metres(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        if len(x) and len(self) and np.abs(x).max() <= _POLE[0] and np.abs(y).max() <= _POLE[1]:
            east, north = self.grid.centres(self.q, self.r)
            if min(np.abs(east).min(), np.abs(north).min()) > _FAR_M:
                raise ValueError(
                    "All places seem to be in degrees. Project them to the CRS of the grid first."
                )

    def _window(self, margin: int) -> "_Window":
        if not len(self):
            return _Window(0, 0, 0, 0, np.empty(0, np.int64))
        first_q, first_r = int(self.q.min()) - margin, int(self.r.min()) - margin
        width, height = int(self.q.max()) + margin + 1, int(self.r.max()) + margin + 1
        width, height = width - first_q, height - first_r
        of_cell = (self.r - first_r) * width + self.q - first_q
        return _Window(first_q, first_r, width, height, of_cell)

    def _numbers(self, q: NDArray[np.int64], r: NDArray[np.int64]) -> NDArray[np.int64]:
        window = self._window(0)
        number = np.full(window.width * window.height + 1, NOWHERE, np.int64)
        number[window.of_cell] = np.arange(len(self))
        return number[window.positions(q, r)]


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """A rectangle of q and r, row by row, that holds some cells; `of_cell` says where each is."""

    first_q: int
    first_r: int
    width: int
    height: int
    of_cell: NDArray[np.int64]

    def positions(self, q: NDArray[np.int64], r: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the place of each cell, or the one after the last where it lies outside."""
        column, row = q - self.first_q, r - self.first_r
        within = (column >= 0) & (column < self.width) & (row >= 0) & (row < self.height)
        return np.where(within, row * self.width + column, self.width * self.height)


def cells_meeting(
    grid: Grid, area: BaseGeometry, *, served: BaseGeometry | None = None, rings: int = 1
) -> Cells:
    """Give the cells that share more than an edge with an area, and a guard ring around them.

    Reports beyond the edge of the area belong to the neighbourhoods of its outer cells. But a cell from
    which no report can come must not be counted as an empty one, or every border makes hot spots: so
    the guard ring has only cells that meet the served area.

    Parameters
    ----------
    grid : Grid
    area : shapely Polygon or MultiPolygon
        What is asked about; valid, in the CRS of the grid.
    served : shapely Polygon or MultiPolygon, optional
        Where reports can come from. Without it the area is all there is, and it has no guard ring.
    rings : int
        Width of the guard ring in cells.

    Returns
    -------
    Cells
        In the order of r, then q.

    Raises
    ------
    ValueError
        Where the area is empty or no polygon, or smaller than one cell, as it is in degrees.
    """
    asked = _meeting(grid, area)
    q, r = _from_keys(asked)
    if served is None:
        return Cells(grid, q, r, np.ones(len(q), np.bool_))
    near = np.concatenate([_keys(q + dq, r + dr) for dq, dr in grid.steps(rings)])
    kept = np.union1d(asked, np.intersect1d(near, _meeting(grid, served)))
    return Cells(grid, *_from_keys(kept), np.isin(kept, asked))


def edges(polygons: Sequence[BaseGeometry] | NDArray[np.object_]) -> BaseGeometry:
    """Give the edges of polygons, a shared one once: the streets between blocks, nearly.

    Parameters
    ----------
    polygons : sequence of shapely polygons
        Blocks, for example; edges are shared where their corners are the same.

    Returns
    -------
    shapely MultiLineString
        Rivers, railways and the outer border among them, where blocks end there.
    """
    return shapely.union_all(shapely.boundary(np.asarray(polygons, dtype=object)))


@cache
def _transformer(crs: CRS) -> Transformer:
    return Transformer.from_crs(crs, STORED, always_xy=True)


def _segments(
    lines: Sequence[BaseGeometry] | NDArray[np.object_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    parts = shapely.get_parts(np.asarray(lines, dtype=object))
    xy, line = shapely.get_coordinates(parts, return_index=True)
    first = np.flatnonzero(np.diff(line) == 0)
    return xy[first], xy[first + 1]


def _keys(q: NDArray[np.int64], r: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give one number for each cell, in the order of r, then q."""
    return r * (1 << 32) + q


def _from_keys(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    r = (keys + (1 << 31)) >> 32
    return keys - (r << 32), r


def _meeting(grid: Grid, area: BaseGeometry) -> NDArray[np.int64]:
    """Give the keys of the cells that an area meets: its border runs in them, or they lie within.

    A piece of the border that runs along an edge of cells tells of neither side, but then either the
    middle of a cell lies in the area, or another piece runs inside it.
    """
    if area.geom_type not in {"Polygon", "MultiPolygon"} or area.is_empty:
        raise ValueError(f"An area is a polygon with an inside, not {area.geom_type}.")
    west, south, east, north = area.bounds
    if max(east - west, north - south) < grid.width_m and max(map(abs, area.bounds)) <= _POLE[0]:
        raise ValueError(
            f"The whole area is smaller than a cell of {grid.width_m:g} m. If it is in degrees, "
            "project it to the CRS of the grid first."
        )
    x, y, _ = grid.pieces([area.boundary])
    nudge = _TOUCH * grid.width_m
    sides = [
        _keys(*grid.cells_of(x + dx, y + dy))
        for dx, dy in ((nudge, 0), (-nudge, 0), (0, nudge), (0, -nudge))
    ]
    runs_inside = np.all([one == other for one, other in pairwise(sides)], axis=0)
    return np.union1d(sides[0][runs_inside], _within(grid, area))


def _within(grid: Grid, area: BaseGeometry) -> NDArray[np.int64]:
    """Give the keys of the cells whose middle lies in an area."""
    west, south, east, north = area.bounds
    q, r = grid.cells_of(np.array([west, west, east, east]), np.array([south, north, south, north]))
    columns, rows = np.arange(q.min() - 1, q.max() + 2), np.arange(r.min() - 1, r.max() + 2)
    q, r = (names.ravel() for names in np.meshgrid(columns, rows))
    x, y = grid.centres(q, r)
    near = (x >= west) & (x <= east) & (y >= south) & (y <= north)
    shapely.prepare(area)
    inside = shapely.contains_xy(area, x[near], y[near])
    return _keys(q[near][inside], r[near][inside])
