"""The small map of a crew's route: streets, the way from stop to stop, and the stops by their numbers.

A drawing within the page, so that a phone shows it without a connection.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPoint
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.queries import meeting_sheets
from data.queries.work_order_lists import CrewRoute, Order
from geo.crs import in_city_metres
from geo.work_orders import Outcome
from server.sheet_map import SheetMap, around, paper_around, sheet_map

_AROUND_M = 150.0
_ALL_STREETS_M, _MAIN_STREETS_M = 2_500.0, 12_000.0
"""Up to these extents all streets are drawn, and those that are more than local."""

_APART = 60.0
"""Units of the drawing within which stops that follow each other share a mark."""


@dataclass(frozen=True, slots=True)
class RouteMark:
    """One or several stops that follow each other.

    Attributes
    ----------
    label : str
        Their numbers.
    done : bool
        Whether the crew has said of each what came of it.
    """

    label: str
    x: float
    y: float
    done: bool


@dataclass(frozen=True, slots=True)
class RouteMap:
    """The drawing. `line` is an SVG path, straight from the depot along all stops."""

    ground: SheetMap
    line: str
    depot_x: float
    depot_y: float
    marks: Sequence[RouteMark]


def drawn(
    session: Session, places: Sequence[tuple[float, float]]
) -> tuple[SheetMap, NDArray[np.float64]]:
    """Draw the ground around places, EPSG:4326, and say where on the drawing each of them lies.

    Returns
    -------
    tuple of SheetMap and ndarray
        A pair of units for each place.
    """
    metres: BaseGeometry = in_city_metres(MultiPoint(places))
    frame = shapely.box(*metres.bounds).buffer(_AROUND_M, join_style="mitre")
    west, south, east, north = frame.bounds
    extent = max(east - west, north - south)
    last_rank = 3 if extent <= _ALL_STREETS_M else 2 if extent <= _MAIN_STREETS_M else 1
    degrees = np.array(places)
    bounds = around(*degrees.min(axis=0), *degrees.max(axis=0))
    ground = meeting_sheets.ground_around(session, frame, bounds, last_rank)
    at = shapely.get_coordinates(paper_around(frame).drawn(metres)).round(1)
    return sheet_map(ground, ()), at


def route_map(session: Session, route: CrewRoute) -> RouteMap | None:
    """Draw the route of a crew; None where it has no stops."""
    if not route.stops:
        return None
    depot = (route.depot.longitude, route.depot.latitude)
    ground, at = drawn(session, [depot, *((one.longitude, one.latitude) for one in route.stops)])
    return RouteMap(
        ground=ground,
        line="M" + "L".join(f"{x} {y}" for x, y in at.tolist()),
        depot_x=float(at[0][0]),
        depot_y=float(at[0][1]),
        marks=[*_marks(route.stops, at[1:])],
    )


def _marks(stops: Sequence[Order], at: NDArray[np.float64]) -> Iterator[RouteMark]:
    first = 0
    for n in range(1, len(stops) + 1):
        near = n < len(stops) and np.hypot(*(at[n] - at[first])) < _APART
        if near:
            continue
        x, y = at[first:n].mean(axis=0)
        yield RouteMark(
            label=str(first + 1) if n == first + 1 else f"{first + 1}-{n}",
            x=round(float(x), 1),
            y=round(float(y), 1),
            done=all(stop.outcome is not Outcome.NONE for stop in stops[first:n]),
        )
        first = n
