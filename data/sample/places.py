"""What stands on the ground of the sample city: areas, addresses, lots, lights, stops, services.

Everything here is in metres of the city's CRS; `data.sample.city` gives it out in degrees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, MultiPolygon, Point, Polygon
from shapely.ops import unary_union

from data.models import AreaLayer, GroundType, LightStatus, LocationType
from data.sample.streets import Grid, Street, coordinates
from data.sample.tables import rows
from geo.areas import NOWHERE, area_ids

LIGHTS = 2_000
LOTS = 260

_FRONT_M = 27.0
"""From the middle of the street to the middle of a house lot, as the city's own addresses lie."""
_HOUSE_EVERY_M = 25.0
_CURB_M = 7.0
_STOP_EVERY_M = 350.0
_HOUSEHOLDS_AN_ADDRESS = 1.2
_NO_HOUSES = {"US 71", "Southwest Trafficway", "Blue Pkwy"}
_DARK_RUNS = 9
"""Runs of adjacent dark poles, each a stretch where a fuse or a cable has gone."""


@dataclass(frozen=True, slots=True)
class Area:
    """One area of one layer; the code is unique within the layer."""

    layer: AreaLayer
    code: str
    name: str
    geom: MultiPolygon
    households: int | None = None


@dataclass(frozen=True, slots=True)
class Habits:
    """How a neighbourhood differs: how much it reports, how long it waits, how many lots stand empty.

    Each is a factor on the rate of the whole city.
    """

    reporting: float
    delay: float
    lots: float


@dataclass(frozen=True, slots=True)
class Ground:
    """Water or a park."""

    type: GroundType
    name: str
    geom: MultiPolygon


@dataclass(frozen=True, slots=True)
class BlockWatch:
    """A block association's watch."""

    code: str
    name: str
    contact: str
    meeting: str
    boundary: MultiPolygon


@dataclass(frozen=True, slots=True)
class ServiceLocation:
    """Where an organization offers a service."""

    organization: str
    service: str
    name: str
    type: LocationType
    geom: Point
    address: str
    phone: str
    hours: str


@dataclass(frozen=True, slots=True)
class Address:
    """A house number on a street."""

    number: int
    street: str
    geom: Point

    @property
    def label(self) -> str:
        """The address as one line."""
        return f"{self.number} {self.street}"

    @property
    def block(self) -> str:
        """The hundred-block, which is as near as a home is named in public."""
        return f"{self.number // 100 * 100} block of {self.street}"


@dataclass(frozen=True, slots=True)
class StreetLight:
    """A pole with a lamp."""

    pole_id: str
    status: LightStatus
    geom: Point


@dataclass(frozen=True, slots=True)
class VacantLot:
    """An empty lot; its shape is for reports about it."""

    parcel_number: str
    address: str
    since: date
    geom: Point
    shape: Polygon


@dataclass(frozen=True, slots=True)
class TransitStop:
    """A bus stop."""

    code: str
    name: str
    geom: Point


@dataclass(frozen=True, slots=True)
class Places:
    """All of it, in metres."""

    grid: Grid
    city: Polygon
    streets: tuple[Street, ...]
    areas: tuple[Area, ...]
    habits: tuple[Habits, ...]
    ground: tuple[Ground, ...]
    block_watches: tuple[BlockWatch, ...]
    service_locations: tuple[ServiceLocation, ...]
    addresses: tuple[Address, ...]
    street_lights: tuple[StreetLight, ...]
    dark_runs: tuple[tuple[int, ...], ...]
    vacant_lots: tuple[VacantLot, ...]
    transit_stops: tuple[TransitStop, ...]
    neighbourhoods: tuple[Area, ...] = field(init=False)

    def __post_init__(self) -> None:
        chosen = tuple(area for area in self.areas if area.layer is AreaLayer.NEIGHBOURHOOD)
        object.__setattr__(self, "neighbourhoods", chosen)

    def habits_at(self, points: Sequence[Point]) -> list[Habits]:
        """Give the habits of the neighbourhood that each point lies in, or else lies nearest to."""
        x, y = shapely.get_coordinates(points).T
        polygons = [area.geom for area in self.neighbourhoods]
        found = area_ids(x, y, range(len(polygons)), polygons)
        for index in np.flatnonzero(found == NOWHERE).tolist():
            found[index] = np.argmin(shapely.distance(polygons, points[index]))
        return [self.habits[index] for index in found]


def places(rng: np.random.Generator, today: date) -> Places:
    """Put up the sample city.

    Parameters
    ----------
    rng : numpy.random.Generator
    today : datetime.date
        Lots have stood empty since some day before.

    Returns
    -------
    Places
    """
    grid = Grid()
    areas = list(_areas(grid))
    city = areas[0].geom.geoms[0]
    ground = tuple(_ground(grid, city))
    addresses = tuple(_addresses(grid, city, ground))
    homes = shapely.STRtree([address.geom for address in addresses])
    neighbourhoods, habits = [], []
    for row in rows("neighbourhoods"):
        geom = MultiPolygon([grid.outline(row["corners"])])
        count = len(homes.query(geom, predicate="contains"))
        neighbourhoods.append(
            Area(
                AreaLayer.NEIGHBOURHOOD,
                row["code"],
                row["name"],
                geom,
                households=round(count * _HOUSEHOLDS_AN_ADDRESS),
            )
        )
        habits.append(Habits(float(row["reporting"]), float(row["delay"]), float(row["lots"])))
    watches = tuple(_block_watches(grid))
    lights, dark_runs = _street_lights(grid, city, watches, rng)
    made = Places(
        grid=grid,
        city=city,
        streets=tuple(_within(grid.streets, city)),
        areas=(*areas, *neighbourhoods, *_blocks(grid, city)),
        habits=tuple(habits),
        ground=ground,
        block_watches=watches,
        service_locations=tuple(_service_locations(grid)),
        addresses=addresses,
        street_lights=lights,
        dark_runs=dark_runs,
        vacant_lots=(),
        transit_stops=tuple(_transit_stops(grid, city)),
    )
    return replace(made, vacant_lots=tuple(_vacant_lots(made, rng, today)))


def _areas(grid: Grid) -> Iterator[Area]:
    for row in rows("areas"):
        outline = MultiPolygon([grid.outline(row["corners"])])
        yield Area(AreaLayer(row["layer"]), row["code"], row["name"], outline)


def _within(streets: Sequence[Street], city: Polygon) -> Iterator[Street]:
    """Cut off what leaves the city; a street on its edge stays."""
    served = city.buffer(5.0)
    for street in streets:
        for line in shapely.get_parts(street.line.intersection(served)):
            yield replace(street, line=line)


def _blocks(grid: Grid, city: Polygon) -> Iterator[Area]:
    """Give the faces between the streets, as the census counts blocks."""
    lines = [street.line for street in grid.streets]
    faces = shapely.get_parts(shapely.polygonize([unary_union([*lines, city.exterior])]))
    inside = [face for face in faces if face.representative_point().within(city)]
    inside.sort(key=lambda face: (-round(face.centroid.y), round(face.centroid.x)))
    for number, face in enumerate(inside, start=1):
        yield Area(AreaLayer.BLOCK, f"{number:04d}", f"Block {number:04d}", MultiPolygon([face]))


def _ground(grid: Grid, city: Polygon) -> Iterator[Ground]:
    for row in rows("ground"):
        if row["width_m"]:
            line = LineString(coordinates(row["outline"]))
            shape = line.buffer(float(row["width_m"]) / 2, cap_style="flat")
        elif "&" in row["outline"]:
            shape = grid.outline(row["outline"])
        else:
            shape = Polygon(coordinates(row["outline"]))
        pieces = shapely.get_parts(shape.intersection(city))
        shape_in_city = MultiPolygon([piece for piece in pieces if isinstance(piece, Polygon)])
        yield Ground(GroundType(row["type"]), row["name"], shape_in_city)


def _block_watches(grid: Grid) -> Iterator[BlockWatch]:
    for row in rows("block_watches"):
        yield BlockWatch(
            row["code"],
            row["name"],
            row["contact"],
            row["meeting"],
            MultiPolygon([grid.outline(row["corners"])]),
        )


def _service_locations(grid: Grid) -> Iterator[ServiceLocation]:
    """Put each back from its corner, with its number on the first street named."""
    for number, row in enumerate(rows("service_locations")):
        corner = grid.corner(row["corner"])
        side = row["side"]
        east = _FRONT_M if "E" in side else -_FRONT_M
        north = _FRONT_M if "N" in side else -_FRONT_M
        point = Point(corner.x + east, corner.y + north)
        street = grid.nearest(row["corner"].partition("&")[0].strip(), point)
        house = _house_number(grid, street, point)
        yield ServiceLocation(
            row["organization"],
            row["service"],
            row["name"],
            LocationType(row["type"]),
            point,
            f"{house} {street.name}",
            f"816-555-01{20 + number:02d}",  # 555-0100 to 555-0199 are kept free for fiction
            row["hours"],
        )


def _house_number(grid: Grid, street: Street, point: Point) -> int:
    return int(
        _with_parity(grid, street, np.array([[point.x, point.y]]), _is_odd(street, point))[0]
    )


def _is_odd(street: Street, point: Point) -> bool:
    """Odd numbers stand on the east side of a street, or on its south side."""
    foot = street.line.interpolate(street.line.project(point))
    return point.x > foot.x if street.north_south else point.y < foot.y


def _with_parity(
    grid: Grid, street: Street, places_m: NDArray[np.float64], odd: bool
) -> NDArray[np.int64]:
    numbers = grid.numbers(street, places_m).astype(np.int64)
    return np.maximum(numbers // 2 * 2 + (1 if odd else 0), 2 - odd)


def _addresses(grid: Grid, city: Polygon, ground: Sequence[Ground]) -> Iterator[Address]:
    """Put houses on both sides of every street, not on corners, in parks or in the water."""
    found: list[tuple[int, str, float, float]] = []
    for street in grid.streets:
        if street.name in _NO_HOUSES or street.line.length < 2 * _FRONT_M:
            continue
        along = np.arange(_HOUSE_EVERY_M / 2, street.line.length, _HOUSE_EVERY_M)
        for side in (-1, 1):
            points = _beside(street.line, along, side * _FRONT_M)
            odd = _is_odd(street, Point(points[len(points) // 2]))
            for number, (x, y) in zip(
                _with_parity(grid, street, points, odd).tolist(), points.tolist(), strict=True
            ):
                found.append((number, street.name, x, y))
    sites = shapely.points([(x, y) for _, _, x, y in found])
    lines = shapely.STRtree([street.line for street in grid.streets])
    in_the_way = np.unique(lines.query(sites, predicate="dwithin", distance=_FRONT_M - 3)[0])
    closed = unary_union([piece.geom for piece in ground])
    shapely.prepare(closed)
    good = shapely.within(sites, city) & ~shapely.intersects(closed, sites)
    good[in_the_way] = False
    taken: set[tuple[int, str]] = set()
    for (number, street_name, _, _), site, is_good in zip(found, sites, good, strict=True):
        if is_good and (number, street_name) not in taken:
            taken.add((number, street_name))
            yield Address(number, street_name, site)


def _beside(line: LineString, along: NDArray[np.float64], by_m: float) -> NDArray[np.float64]:
    """Give points beside a line: to the left of its direction where `by_m` is positive."""
    here = shapely.get_coordinates(shapely.line_interpolate_point(line, along))
    ahead = shapely.get_coordinates(
        shapely.line_interpolate_point(line, np.minimum(along + 1, line.length))
    )
    behind = shapely.get_coordinates(shapely.line_interpolate_point(line, np.maximum(along - 1, 0)))
    way = ahead - behind
    way /= np.linalg.norm(way, axis=1)[:, None]
    return here + np.column_stack([-way[:, 1], way[:, 0]]) * by_m


def _street_lights(
    grid: Grid, city: Polygon, watches: Sequence[BlockWatch], rng: np.random.Generator
) -> tuple[tuple[StreetLight, ...], tuple[tuple[int, ...], ...]]:
    """Put poles along boulevards and arterials, and along every street of a block watch.

    The poles stand in the order of the streets, so that neighbours in the list are neighbours on
    the ground; each dark run is a tuple of their positions in the list.
    """
    watched = unary_union([watch.boundary for watch in watches])
    lines: list[LineString] = []
    for street in grid.streets:
        lit = street.line.intersection(city if street.rank < 3 else watched)
        lines += [
            line
            for line in shapely.get_parts(lit)
            if isinstance(line, LineString) and line.length > 20
        ]
    spots = _spaced(lines, LIGHTS, city)
    status = np.full(LIGHTS, LightStatus.WORKING.value, dtype=object)
    shares = {"out": 0.008, "reported": 0.012, "scheduled": 0.006, "fixed": 0.008}
    drawn = rng.permutation(LIGHTS)
    start = 0
    for name, share in shares.items():
        count = round(share * LIGHTS)
        status[drawn[start : start + count]] = name
        start += count
    runs: list[tuple[int, ...]] = []
    while len(runs) < _DARK_RUNS:
        first = int(rng.integers(0, LIGHTS - 8))
        run = tuple(range(first, first + int(rng.integers(4, 8))))
        steps = [spots[one].distance(spots[other]) for one, other in pairwise(run)]
        if max(steps) < 130 and not any(set(run) & set(other) for other in runs):
            runs.append(run)
            status[list(run)] = LightStatus.OUT.value
    poles = tuple(
        StreetLight(f"KS{number:05d}", LightStatus(status[number - 1]), spot)
        for number, spot in enumerate(spots, start=1)
    )
    return poles, tuple(runs)


def _spaced(lines: Sequence[LineString], count: int, city: Polygon) -> list[Point]:
    """Spread points along lines, alternately left and right, none on top of another."""
    spacing = sum(line.length for line in lines) / count
    spots: list[Point] = []
    while len(spots) < count:
        spots = []
        carried = spacing / 2
        for line in lines:
            along = np.arange(carried, line.length, spacing)
            carried = carried + len(along) * spacing - line.length
            if len(along):
                spots += _at_curbs(line, along, city)
        tree = shapely.STRtree(spots)
        near = tree.query(spots, predicate="dwithin", distance=15.0)
        doubled = set(near[1][near[0] < near[1]].tolist())
        spots = [spot for number, spot in enumerate(spots) if number not in doubled]
        spacing *= 0.995
    return spots[:count]


def _at_curbs(line: LineString, along: NDArray[np.float64], city: Polygon) -> list[Point]:
    """Alternate between the two curbs, but stay in the city."""
    sides = [shapely.points(_beside(line, along, by_m)) for by_m in (_CURB_M, -_CURB_M)]
    pairs = np.array(sides, dtype=object).T
    pairs[1::2] = pairs[1::2, ::-1]
    chosen = np.where(shapely.within(pairs[:, 0], city), pairs[:, 0], pairs[:, 1])
    return [spot for spot in chosen if spot.within(city)]


def _transit_stops(grid: Grid, city: Polygon) -> Iterator[TransitStop]:
    """Put stops at corners along boulevards and arterials, some blocks apart."""
    ranks = {street.name: street.rank for street in grid.streets}
    last: dict[str, list[Point]] = {}
    number = 0
    for corner, first, second in grid.corners:
        for street, cross in ((first, second), (second, first)):
            if ranks[street] == 3 or street in _NO_HOUSES or cross in _NO_HOUSES:
                continue
            spot = Point(corner.x + 9, corner.y - 9)
            before = last.setdefault(street, [])
            if spot.within(city) and all(spot.distance(stop) > _STOP_EVERY_M for stop in before):
                before.append(spot)
                number += 1
                yield TransitStop(f"{number:04d}", f"{street} at {cross}", spot)


def _vacant_lots(made: Places, rng: np.random.Generator, today: date) -> Iterator[VacantLot]:
    streets = {street.name: street for street in made.grid.streets}
    homes = [address for address in made.addresses if streets[address.street].rank == 3]
    habits = made.habits_at([home.geom for home in homes])
    weights = np.array([habit.lots for habit in habits])
    chosen = rng.choice(len(homes), size=LOTS, replace=False, p=weights / weights.sum())
    for number, index in enumerate(np.sort(chosen), start=1):
        home = homes[index]
        yield VacantLot(
            f"S-{number:05d}",
            home.label,
            today - timedelta(days=int(rng.integers(300, 5_000))),
            home.geom,
            _lot(made.grid.nearest(home.street, home.geom), home.geom),
        )


def _lot(street: Street, centre: Point) -> Polygon:
    """Give a lot of 13 by 36 m that faces its street."""
    foot = street.line.interpolate(street.line.project(centre))
    back = np.array([centre.x - foot.x, centre.y - foot.y])
    back /= np.linalg.norm(back)
    side = np.array([-back[1], back[0]])
    middle = np.array([centre.x, centre.y])
    return Polygon(
        middle + depth * back + width * side
        for depth, width in ((-18, -6.5), (-18, 6.5), (18, 6.5), (18, -6.5))
    )
