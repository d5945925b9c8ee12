"""The places of the sample city that reports can be about, by the kind of place."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Point, Polygon
from shapely.ops import substring

from data.models import LightStatus
from data.sample.places import Habits, Places
from data.sample.streets import Street

Array = NDArray[np.object_]
_LOCAL = 3
_INSIDE_M = 3.0
"""Nothing is reported nearer than this to the edge of the city, where rounding decides."""
_CURB_M = 6.0
_STRETCH_M = 160.0
_RACE_M = 240.0


@dataclass(frozen=True, slots=True)
class Site:
    """A place a report can be about.

    Attributes
    ----------
    geom : shapely.Point, LineString or Polygon
        In metres.
    address : str
        A corner, or the nearest house.
    street, cross : str
        What descriptions call it.
    habits : Habits
        Of its neighbourhood.
    """

    geom: Point | LineString | Polygon
    address: str
    street: str
    cross: str
    habits: Habits


@dataclass(frozen=True, slots=True)
class _Draft:
    geom: Point | LineString | Polygon
    weight: float = 1.0
    address: str = ""

    @property
    def middle(self) -> Point:
        if isinstance(self.geom, LineString):
            return self.geom.interpolate(0.5, normalized=True)
        return self.geom if isinstance(self.geom, Point) else self.geom.centroid


class Sites:
    """The sites of every kind of place that categories.csv names.

    Parameters
    ----------
    made : Places
    """

    def __init__(self, made: Places) -> None:
        self._made = made
        self._inside = made.city.buffer(-_INSIDE_M)
        shapely.prepare(self._inside)
        self._lines = shapely.STRtree([street.line for street in made.grid.streets])
        self._homes = shapely.STRtree([address.geom for address in made.addresses])
        self._corners = shapely.STRtree([corner for corner, _, _ in made.grid.corners])
        self._ranks = {street.name: street.rank for street in made.grid.streets}
        self._curbs = self._at_curbs()
        finders: dict[str, Callable[[], Iterator[_Draft]]] = {
            "home": self._home,
            "local": lambda: self._curb(lambda rank: rank == _LOCAL),
            "arterial": lambda: self._curb(lambda rank: rank < _LOCAL),
            "corner": lambda: self._corner(busy=False),
            "busy_corner": lambda: self._corner(busy=True),
            "busy_stretch": self._busy_stretch,
            "pole": self._pole,
            "dark_stretch": self._dark_stretch,
            "lot": self._lot,
            "lot_or_street": self._lot_or_street,
            "stop": self._stop,
        }
        self._drafts: dict[str, list[_Draft]] = {}
        self._habits: dict[str, list[Habits]] = {}
        self.middles: dict[str, Array] = {}
        """Where the sites of a kind of place lie, in metres."""
        self.rates: dict[str, NDArray[np.float64]] = {}
        """How often each of them is reported, with a sum of 1."""
        for place, find in finders.items():
            found = list(find())
            inside = shapely.covers(self._inside, [draft.geom for draft in found])
            drafts = [draft for draft, is_inside in zip(found, inside, strict=True) if is_inside]
            middles = [draft.middle for draft in drafts]
            habits = made.habits_at(middles)
            weights = [
                draft.weight * habit.reporting for draft, habit in zip(drafts, habits, strict=True)
            ]
            self._drafts[place], self._habits[place] = drafts, habits
            self.middles[place] = np.array(middles, dtype=object)
            self.rates[place] = np.array(weights) / sum(weights)

    def site(self, place: str, index: int) -> Site:
        """Give one site of a kind of place.

        Parameters
        ----------
        place : str
        index : int
            Its position in `middles` and `rates`.

        Returns
        -------
        Site
        """
        draft = self._drafts[place][index]
        home = self._made.addresses[self._homes.nearest(draft.middle)]
        _, first, second = self._made.grid.corners[self._corners.nearest(draft.middle)]
        return Site(
            draft.geom,
            draft.address or home.label,
            home.street,
            f"{first} and {second}",
            self._habits[place][index],
        )

    def _at_curbs(self) -> Array:
        """Move every second address to the curb of the street nearest to it."""
        homes = np.array([address.geom for address in self._made.addresses[::2]], dtype=object)
        lines = self._lines.geometries[self._lines.nearest(homes)]
        there = shapely.get_coordinates(homes)
        foot = shapely.get_coordinates(
            shapely.line_interpolate_point(lines, shapely.line_locate_point(lines, homes))
        )
        away = there - foot
        points: Array = shapely.points(
            foot + away * (_CURB_M / np.linalg.norm(away, axis=1))[:, None]
        )
        return points

    def _home(self) -> Iterator[_Draft]:
        for address in self._made.addresses:
            yield _Draft(address.geom)

    def _curb(self, chosen: Callable[[int], bool]) -> Iterator[_Draft]:
        for address, curb in zip(self._made.addresses[::2], self._curbs, strict=True):
            if chosen(self._ranks[address.street]):
                yield _Draft(curb)

    def _corner(self, *, busy: bool) -> Iterator[_Draft]:
        for place, first, second in self._made.grid.corners:
            arterials = (self._ranks[first] < _LOCAL) + (self._ranks[second] < _LOCAL)
            if arterials or not busy:
                yield _Draft(place, 1.0 + 2.0 * arterials, f"{first} & {second}")

    def _busy_stretch(self) -> Iterator[_Draft]:
        """Along an arterial through a corner: as a line, or as a point where it is worst."""
        for number, (place, first, second) in enumerate(self._made.grid.corners):
            name = min(first, second, key=lambda street: self._ranks[street])
            if self._ranks[name] < _LOCAL:
                line = _around(self._made.grid.nearest(name, place), place, _RACE_M)
                yield _Draft(line if number % 2 else place, address=f"{first} & {second}")

    def _pole(self) -> Iterator[_Draft]:
        for light in self._made.street_lights:
            yield _Draft(light.geom, 1.0 if light.status is LightStatus.WORKING else 25.0)

    def _dark_stretch(self) -> Iterator[_Draft]:
        lights, streets = self._made.street_lights, self._made.grid.streets
        for run in self._made.dark_runs:
            first, last = lights[run[0]].geom, lights[run[-1]].geom
            street = streets[self._lines.nearest(lights[run[len(run) // 2]].geom)]
            ends = sorted((street.line.project(first), street.line.project(last)))
            if ends[1] - ends[0] > _STRETCH_M / 2:
                yield _Draft(substring(street.line, ends[0], ends[1]), 40.0)
        for light in lights[::8]:
            street = streets[self._lines.nearest(light.geom)]
            yield _Draft(_around(street, light.geom, _STRETCH_M))

    def _lot(self) -> Iterator[_Draft]:
        for lot in self._made.vacant_lots:
            yield _Draft(lot.shape, address=lot.address)

    def _lot_or_street(self) -> Iterator[_Draft]:
        for lot in self._made.vacant_lots:
            yield _Draft(lot.geom, 12.0, lot.address)
        yield from self._curb(lambda rank: rank == _LOCAL)

    def _stop(self) -> Iterator[_Draft]:
        for stop in self._made.transit_stops:
            yield _Draft(stop.geom, address=stop.name.replace(" at ", " & "))


def _around(street: Street, place: Point, length_m: float) -> LineString:
    """Give a stretch of a street with a place in its middle."""
    middle = street.line.project(place)
    start = max(middle - length_m / 2, 0.0)
    line = substring(street.line, start, min(middle + length_m / 2, street.line.length))
    assert isinstance(line, LineString)
    return line
