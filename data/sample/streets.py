"""The street grid: centrelines, corners and house numbers, from three short tables.

`avenues.csv` holds the streets that run north and south, by their longitude at four streets they
cross; `cross_streets.csv` those that run east and west, by their latitude at two meridians;
`boulevards.csv` those that bend, point by point. House numbers grow by 100 a block from the river
southward and from Main Street to both sides, as Kansas City counts them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Point, Polygon
from shapely.ops import substring

from data.sample.tables import items, rows
from geo.crs import to_city

_CROSSED = (27, 39, 55, 63)
"""The streets at which avenues.csv gives a longitude."""

_NORTH_SOUTH, _EAST_WEST = (6.0, 58.0), (2.0, 24.0)
"""How numbers run within a block: those that would come before the first, and all of them."""

_WEST, _EAST = -94.59, -94.54
"""The meridians at which cross_streets.csv gives a latitude."""

_REACH = 0.006
"""Degrees by which a straight street is drawn on, so that corners beyond its ends can be named."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Street:
    """One unbroken stretch of a street.

    Attributes
    ----------
    name : str
        As on the sign, such as "E 39th St".
    rank : int
        1 boulevard or highway, 2 arterial, 3 local.
    north_south : bool
        Whether houses are numbered along the north-south axis.
    line : shapely.LineString
        Centreline in metres of the city's CRS.
    """

    name: str
    rank: int
    north_south: bool
    line: LineString


@dataclass(frozen=True, slots=True)
class _Whole:
    """A street of the tables before it is cut into the stretches where it runs."""

    name: str
    rank: int
    north_south: bool
    hundred: int | None
    line: LineString
    runs: str


def to_metres(lon_lat: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Project longitudes and latitudes to metres of the city's CRS."""
    lons, lats = zip(*lon_lat, strict=True)
    xs, ys = to_city().transform(np.array(lons), np.array(lats))
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def coordinates(cell: str) -> list[tuple[float, float]]:
    """Read "longitude latitude; longitude latitude; ..." and project it to metres."""
    pairs = [item.split() for item in items(cell)]
    return to_metres([(float(lon), float(lat)) for lon, lat in pairs])


class Grid:
    """The streets of the tables, and where they meet.

    Every position is in metres of the city's CRS.
    """

    def __init__(self) -> None:
        latitudes: dict[int, tuple[float, float]] = {}
        self._wholes: dict[str, _Whole] = {}
        for row in rows("cross_streets"):
            west, east = float(row["lat_at_94_59_west"]), float(row["lat_at_94_54_west"])
            slope = (east - west) / (_EAST - _WEST)
            latitudes[int(row["hundred"]) // 100] = (west, slope)
            ends = (_WEST - 0.015, _EAST + 0.010)
            self._add(
                row, north_south=False, lon_lat=[(x, west + (x - _WEST) * slope) for x in ends]
            )
        for row in rows("avenues"):
            lons = [float(row[f"lon_{street}"]) for street in ("27th", "39th", "55th", "63rd")]
            lats = []
            for lon, number in zip(lons, _CROSSED, strict=True):
                west, slope = latitudes[number]
                lats.append(west + (lon - _WEST) * slope)
            points = list(zip(lons, lats, strict=True))
            points.insert(0, _beyond(points[1], points[0]))
            points.append(_beyond(points[-2], points[-1]))
            self._add(row, north_south=True, lon_lat=points)
        for row in rows("boulevards"):
            pairs = [item.split() for item in items(row["path"])]
            self._add(
                row | {"hundred": "", "runs": ""},
                north_south=row["numbers"] == "north_south",
                lon_lat=[(float(lon), float(lat)) for lon, lat in pairs],
            )

    def _add(
        self, row: dict[str, str], *, north_south: bool, lon_lat: list[tuple[float, float]]
    ) -> None:
        self._wholes[_short(row["name"])] = _Whole(
            name=row["name"],
            rank=int(row["rank"]),
            north_south=north_south,
            hundred=int(row["hundred"]) if row["hundred"] else None,
            line=LineString(to_metres(lon_lat)),
            runs=row["runs"],
        )

    def _whole(self, name: str) -> _Whole:
        try:
            return self._wholes[name]
        except KeyError:
            raise ValueError(
                f"The tables of the sample city have no street {name!r}. Write it as in the "
                "tables, without its last word: 39th, Troost, Paseo, US 71."
            ) from None

    def corner(self, text: str) -> Point:
        """Give the place where two streets meet.

        Parameters
        ----------
        text : str
            Two names without their last words, such as "Troost & 31st".

        Returns
        -------
        shapely.Point
            In metres. Where they meet more than once, the northernmost.

        Raises
        ------
        ValueError
            Where a street is unknown or the two do not meet.
        """
        first, second = (self._whole(name.strip()) for name in text.split("&"))
        met = shapely.get_parts(first.line.intersection(second.line))
        points = [place for place in met if isinstance(place, Point)]
        if not points:
            raise ValueError(f"{first.name} and {second.name} do not meet in the sample city.")
        return max(points, key=lambda place: place.y)

    def outline(self, cell: str) -> Polygon:
        """Give the polygon whose sides run along streets from corner to corner.

        Parameters
        ----------
        cell : str
            Corners in order, such as "Troost & 31st; Paseo & 31st; ...". A side follows the street
            that its two corners share, and is straight where they share none.

        Returns
        -------
        shapely.Polygon
            In metres.
        """
        corners = items(cell)
        ring: list[tuple[float, float]] = []
        for here, there in zip(corners, [*corners[1:], corners[0]], strict=True):
            start, end = self.corner(here), self.corner(there)
            shared = {name.strip() for name in here.split("&")} & {
                name.strip() for name in there.split("&")
            }
            if shared:
                line = self._whole(min(shared)).line
                side = _part(line, line.project(start), line.project(end))
                ring += [(start.x, start.y), *((x, y) for x, y in side.coords[1:-1])]
            else:
                ring.append((start.x, start.y))
        return Polygon(ring)

    @cached_property
    def streets(self) -> tuple[Street, ...]:
        """The stretches where streets really run, with their full names."""
        return tuple(street for whole in self._wholes.values() for street in self._stretches(whole))

    def _stretches(self, whole: _Whole) -> Iterable[Street]:
        """Cut a street where it does not run, and a cross street in east and west at Main."""
        for line in self._running(whole):
            if whole.north_south or not whole.line.intersects(self._whole("Main").line):
                yield Street(whole.name, whole.rank, whole.north_south, line)
                continue
            main = whole.line.project(self.corner(f"{_short(whole.name)} & Main"))
            middle = min(max(main - whole.line.project(Point(line.coords[0])), 0.0), line.length)
            for side, start, end in (("W", 0.0, middle), ("E", middle, line.length)):
                if end - start > 1:
                    piece = _part(line, start, end)
                    yield Street(f"{side} {whole.name}", whole.rank, whole.north_south, piece)

    def _running(self, whole: _Whole) -> Iterable[LineString]:
        if not whole.runs:
            yield whole.line
            return
        for stretch in items(whole.runs):
            ends = sorted(
                whole.line.project(self.corner(f"{_short(whole.name)} & {name}"))
                for name in stretch.split(" to ")
            )
            yield _part(whole.line, ends[0], ends[1])

    def nearest(self, name: str, point: Point) -> Street:
        """Give the stretch of a street that lies nearest to a point.

        Parameters
        ----------
        name : str
            As on the sign, or without its last word.
        point : shapely.Point
            In metres.

        Returns
        -------
        Street
        """
        if name in self._wholes:
            name = self._wholes[name].name
        stretches = self._by_name.get(name) or [
            *self._by_name.get(f"E {name}", []),
            *self._by_name.get(f"W {name}", []),
        ]
        return min(stretches, key=lambda street: street.line.distance(point))

    @cached_property
    def _by_name(self) -> dict[str, list[Street]]:
        named: dict[str, list[Street]] = {}
        for street in self.streets:
            named.setdefault(street.name, []).append(street)
        return named

    @cached_property
    def corners(self) -> tuple[tuple[Point, str, str], ...]:
        """Every crossing of two named streets, with the names, from west to east."""
        lines = [street.line for street in self.streets]
        tree = shapely.STRtree(lines)
        found: dict[frozenset[str], tuple[Point, str, str]] = {}
        for one, other in tree.query(lines, predicate="intersects").T:
            first, second = self.streets[one], self.streets[other]
            if one >= other or first.name[2:] == second.name[2:]:
                continue
            for place in shapely.get_parts(first.line.intersection(second.line)):
                if isinstance(place, Point):
                    found.setdefault(
                        frozenset((first.name, second.name)), (place, first.name, second.name)
                    )
        return tuple(sorted(found.values(), key=lambda corner: (corner[0].x, corner[0].y)))

    def numbers(self, street: Street, places: Numbers) -> Numbers:
        """Give house numbers on a street at positions along it, not yet made odd or even.

        Of the hundred numbers of a block only the first are used: some fifty where it is long,
        from north to south, and some twenty where it is short. The first come a little after the
        corner, whose house has its number on the other street.

        Parameters
        ----------
        street : Street
        places : array of float, shape (n, 2)
            Positions in metres.

        Returns
        -------
        array of float, shape (n,)
            Such as 3923.0, half way from 39th to 40th Street.
        """
        along, marks, hundreds = self._southward if street.north_south else self._eastward
        exact = np.abs(np.interp(places @ along, marks, hundreds))
        block, part = np.floor(exact / 100) * 100, exact % 100 / 100
        first, used = _NORTH_SOUTH if street.north_south else _EAST_WEST
        return block + np.maximum(part * used - first, 0.0)

    @cached_property
    def _southward(self) -> tuple[Numbers, Numbers, Numbers]:
        return self._ruler(self._whole("Troost").line, north_south=False)

    @cached_property
    def _eastward(self) -> tuple[Numbers, Numbers, Numbers]:
        return self._ruler(self._whole("39th").line, north_south=True)

    def _ruler(self, across: LineString, *, north_south: bool) -> tuple[Numbers, Numbers, Numbers]:
        """Where the numbered streets cross one line, measured along the tilt of the grid."""
        start, end = np.asarray(across.coords[0]), np.asarray(across.coords[-1])
        along = (end - start) / np.linalg.norm(end - start)
        marks = sorted(
            (
                float(shapely.get_coordinates(whole.line.intersection(across))[0] @ along),
                whole.hundred,
            )
            for whole in self._wholes.values()
            if whole.hundred is not None and whole.north_south is north_south
        )
        positions, hundreds = np.array(marks, dtype=float).T
        return along, positions, hundreds


def _part(line: LineString, start: float, end: float) -> LineString:
    """Give the part of a line between two distances along it."""
    part = substring(line, start, end)
    assert isinstance(part, LineString)
    return part


def _beyond(before: tuple[float, float], last: tuple[float, float]) -> tuple[float, float]:
    """Carry a line on past its last point."""
    by = _REACH / abs(last[1] - before[1])
    return last[0] + (last[0] - before[0]) * by, last[1] + (last[1] - before[1]) * by


def _short(name: str) -> str:
    """Give the name without "The" and without its last word: 39th, Troost, Paseo, US 71."""
    if name.startswith("The "):
        return name.removeprefix("The ")
    return name if name == "US 71" else name.rpartition(" ")[0]
