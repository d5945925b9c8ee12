"""The map of a meeting sheet: streets, boundary and numbered reports, as shapes of one SVG drawing.

Kinds of reports differ in shape, so that a copy in black and white says the same.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Point
from shapely.geometry.base import BaseGeometry

from data.queries.filters import Bounds
from data.queries.meeting_sheets import OnSheet, SheetGround
from geo.kinds import Kind

WIDTH = 720.0
"""Units of the drawing across the paper, of which some four are a millimetre."""

_MARGIN = 0.10  # of the boundary's extent, on each side
_LEAST_RATIO, _MOST_RATIO = 0.45, 0.72  # height by width
_STEPS_M = (50, 100, 200, 500, 1_000, 2_000, 5_000)  # of the scale bar
_SIZE = 20.0  # of a mark
_APART = 19.0
_NAME_SIZE = 10.0
_LETTER = 0.58  # mean width of a letter by its height

_SHAPES: dict[Kind, str] = {
    Kind.PROBLEM_SPOT: "triangle",
    Kind.LIGHTING: "circle",
    Kind.CLEANUP: "square",
}


@dataclass(frozen=True, slots=True)
class StreetName:
    """The name of a street, turned along it: degrees clockwise."""

    text: str
    x: float
    y: float
    turn: float


@dataclass(frozen=True, slots=True)
class NumberedMark:
    """A report on the map. The line from its place is drawn where marks stood too close.

    Attributes
    ----------
    shape : str
        "triangle", "circle" or "square".
    path : str
        SVG path of the shape, empty for a circle.
    place_x, place_y : float
        Where it is; the mark stands at `x`, `y`.
    """

    number: int
    shape: str
    path: str
    x: float
    y: float
    place_x: float
    place_y: float

    @property
    def moved(self) -> bool:
        """Whether the mark stands beside its place."""
        return (self.x, self.y) != (self.place_x, self.place_y)


@dataclass(frozen=True, slots=True)
class SheetMap:
    """The drawing: SVG paths, names and marks. `scale_m` metres are `scale` units long."""

    width: float
    height: float
    water: str
    parks: str
    streets: dict[int, str]
    boundary: str
    names: Sequence[StreetName]
    marks: Sequence[NumberedMark]
    scale_m: int
    scale: float


def shape_path(kind: Kind, x: float = 0.0, y: float = 0.0, size: float = _SIZE) -> str:
    """Give the outline of a kind's mark around a point; empty for the one that is a circle."""
    half = size / 2
    if kind is Kind.CLEANUP:
        return f"M{x - half:.1f} {y - half:.1f}h{size:.1f}v{size:.1f}h{-size:.1f}z"
    if kind is Kind.PROBLEM_SPOT:
        wide = size * 0.68
        return f"M{x:.1f} {y - size * 0.72:.1f}L{x + wide:.1f} {y + half:.1f}H{x - wide:.1f}z"
    return ""


def around(west: float, south: float, east: float, north: float) -> Bounds:
    """Give the box, EPSG:4326, whose ground a map of these bounds may show."""
    wide, high = east - west, north - south
    # A narrow boundary is given ground on both sides, up to the shape of the paper.
    more = max(wide, high) * 0.9
    return Bounds(west - more, south - more, east + more, north + more)


@dataclass(frozen=True, slots=True)
class Paper:
    """Which ground lies on the drawing: metres of its upper left corner, and units for a metre."""

    left: float
    top: float
    scale: float
    height: float

    def drawn(self, shape: BaseGeometry) -> BaseGeometry:
        """Place a shape of the city's CRS on the drawing."""

        def move(at: np.ndarray) -> np.ndarray:
            return np.column_stack(
                ((at[:, 0] - self.left) * self.scale, (self.top - at[:, 1]) * self.scale)
            )

        placed: BaseGeometry = shapely.transform(shape, move)
        return placed


def paper_around(boundary: BaseGeometry) -> Paper:
    """Lay a drawing around a boundary, in the city's CRS, with a margin."""
    west, south, east, north = boundary.bounds
    margin = _MARGIN * max(east - west, north - south)
    wide, high = east - west + 2 * margin, north - south + 2 * margin
    high = max(high, _LEAST_RATIO * wide)
    if high > _MOST_RATIO * wide:
        wide = high / _MOST_RATIO
    scale = WIDTH / wide
    return Paper((west + east - wide) / 2, (south + north + high) / 2, scale, high * scale)


def sheet_map(ground: SheetGround, reports: Sequence[OnSheet]) -> SheetMap:
    """Draw the ground of a block watch with its reports, numbered in their order.

    Parameters
    ----------
    ground : SheetGround
    reports : sequence of OnSheet

    Returns
    -------
    SheetMap
    """
    paper = paper_around(ground.boundary)
    height, scale, drawn = paper.height, paper.scale, paper.drawn
    frame = shapely.box(-20, -20, WIDTH + 20, height + 20)
    streets = [
        (name, rank, shapely.intersection(drawn(shape), frame))
        for name, rank, shape in ground.streets
    ]
    scale_m = next(step for step in _STEPS_M if step * scale >= 60 or step == _STEPS_M[-1])
    return SheetMap(
        width=WIDTH,
        height=round(height, 1),
        water=path(drawn(shape) for shape in ground.water),
        parks=path(drawn(shape) for shape in ground.parks),
        streets={
            rank: path(shape for _name, its, shape in streets if its == rank) for rank in (3, 2, 1)
        },
        boundary=path([drawn(ground.boundary)]),
        names=[*_names(streets, WIDTH, height)],
        marks=_marks([drawn(report.position).centroid for report in reports], reports, height),
        scale_m=scale_m,
        scale=round(scale_m * scale, 1),
    )


def path(shapes: Iterator[BaseGeometry] | Sequence[BaseGeometry]) -> str:
    """Write lines and areas as one SVG path."""
    parts = []
    for shape in shapes:
        for part in shapely.get_parts(shape):
            lines = (
                [part.exterior, *part.interiors]
                if part.geom_type == "Polygon"
                else [part] * (part.geom_type in {"LineString", "LinearRing"})
            )
            for line in lines:
                at = shapely.get_coordinates(line)
                if len(at):
                    parts.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at))
    return "".join(parts)


def _names(
    streets: Sequence[tuple[str | None, int, BaseGeometry]], width: float, height: float
) -> Iterator[StreetName]:
    """Name each street once, where its longest straight stretch holds the name."""
    inner = shapely.box(8, 8, width - 8, height - 8)
    taken: list[BaseGeometry] = []
    for name, _rank, shape in sorted(streets, key=lambda street: (street[1], street[0] or "")):
        if not name:
            continue
        parts = shapely.get_parts(shapely.intersection(shape, inner))
        lines = [part for part in parts if part.geom_type == "LineString"]
        longest = max(lines, key=shapely.length, default=None)
        room = len(name) * _NAME_SIZE * _LETTER
        if longest is None or longest.length < room + 6:
            continue
        for along in (0.18, 0.5, 0.82, 0.34, 0.66):
            middle = min(max(along * longest.length, room / 2), longest.length - room / 2)
            start, end = (
                longest.interpolate(middle - room / 2),
                longest.interpolate(middle + room / 2),
            )
            covered = shapely.LineString([start, end]).buffer(_NAME_SIZE * 0.6)
            bent = start.distance(end) < 0.97 * room
            if bent or any(covered.intersects(other) for other in taken):
                continue
            taken.append(covered)
            turn = math.degrees(math.atan2(end.y - start.y, end.x - start.x))
            turn -= 180 * round(turn / 180)
            yield StreetName(
                name,
                round((start.x + end.x) / 2, 1),
                round((start.y + end.y) / 2, 1),
                round(turn, 1),
            )
            break


def _marks(
    places: Sequence[Point], reports: Sequence[OnSheet], height: float
) -> list[NumberedMark]:
    """Place marks so that each number can be read: the later one of two steps aside."""
    made: list[NumberedMark] = []
    stand = np.empty((0, 2))
    for number, (place, report) in enumerate(zip(places, reports, strict=True), 1):
        x, y = next(
            (
                (x, y)
                for x, y in _around(place.x, place.y)
                if _SIZE / 2 <= x <= WIDTH - _SIZE / 2
                and _SIZE / 2 <= y <= height - _SIZE / 2
                and (np.abs(stand - (x, y)).max(axis=1) >= _APART).all()
            ),
            (place.x, place.y),
        )
        stand = np.vstack([stand, (x, y)])
        kind = report.category.kind
        made.append(
            NumberedMark(
                number=number,
                shape=_SHAPES[kind],
                path=shape_path(kind, x, y),
                x=round(x, 1),
                y=round(y, 1),
                place_x=round(place.x, 1),
                place_y=round(place.y, 1),
            )
        )
    return made


def _around(x: float, y: float) -> Iterator[tuple[float, float]]:
    """Give a place, then others around it, the nearest first."""
    yield x, y
    for ring in range(1, 12):
        count = 6 * ring
        for step in range(count):
            angle = 2 * math.pi * step / count
            yield x + ring * _APART * math.cos(angle), y + ring * _APART * math.sin(angle)
