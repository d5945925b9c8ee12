"""The boundary of a block watch: what one may be, and what is wrong with one that may not.

One outline that a neighbour can walk around: no holes, no second part, no crossing. Its size is held
between `LEAST_M2` and `MOST_M2`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from geo.crs import in_city_metres
from geo.places import MOST_POSITIONS, Box, PlaceError, Position, position

LEAST_M2 = 5_000.0
"""Square metres: both sides of one short street, some 50 by 100 m. Less is one home's own ground."""

MOST_M2 = 10_000_000.0
"""Square metres: four square miles, more than all but the largest neighbourhoods of Kansas City. Nobody
walks around more, and who is told of everything in it is told of too much."""

OUTSIDE_SHARE = 0.01
"""Share of its ground that may lie outside the city, since a finger does not follow the city limit."""

MOST_CROSSINGS = 5
"""Crossings that are shown at once."""


class BoundaryFault(StrEnum):
    """What can be wrong with a boundary."""

    EMPTY = "empty"
    NOT_AN_OUTLINE = "not_an_outline"
    SEVERAL_PARTS = "several_parts"
    HOLES = "holes"
    NOT_A_PLACE = "not_a_place"
    TOO_FEW_CORNERS = "too_few_corners"
    TOO_MANY_CORNERS = "too_many_corners"
    CROSSES_ITSELF = "crosses_itself"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    OUTSIDE = "outside"


class BoundaryError(ValueError):
    """An outline that cannot be a boundary.

    Parameters
    ----------
    fault : BoundaryFault
    crossings : sequence of Position
        Where it crosses itself, at most `MOST_CROSSINGS`.
    outside : float
        Share of its ground outside the city.
    """

    def __init__(
        self,
        fault: BoundaryFault,
        *,
        crossings: Sequence[Position] = (),
        outside: float = 0.0,
    ) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.crossings = tuple(crossings)
        self.outside = outside


@dataclass(frozen=True, slots=True)
class Boundary:
    """A boundary that can be.

    Attributes
    ----------
    outline : shapely.Polygon
        EPSG:4326, without holes.
    area_m2 : float
    """

    outline: Polygon
    area_m2: float


def area_m2(shape: BaseGeometry) -> float:
    """Give the size of a shape in EPSG:4326, in square metres of the city's CRS."""
    return float(shapely.area(in_city_metres(shape)))


def boundary(geometry: object, served: BaseGeometry) -> Boundary:
    """Read a GeoJSON geometry as a boundary.

    Parameters
    ----------
    geometry : object
        As read from JSON; it may be anything. A feature, or a collection of one, is opened.
    served : shapely geometry
        The city, EPSG:4326.

    Returns
    -------
    Boundary

    Raises
    ------
    BoundaryError

    Examples
    --------
    >>> city = shapely.box(-94.6, 39.0, -94.5, 39.1)
    >>> ring = [[-94.56, 39.01], [-94.558, 39.01], [-94.558, 39.012], [-94.56, 39.01]]
    >>> round(boundary({"type": "Polygon", "coordinates": [ring]}, served=city).area_m2)
    19224
    """
    corners = _corners(_one_ring(geometry), served.bounds)
    return of_corners(corners, served)


def of_corners(corners: Sequence[Position], served: BaseGeometry) -> Boundary:
    """Give the boundary that goes from corner to corner and back to the first.

    Parameters
    ----------
    corners : sequence of Position
        One after another around the ground. The last may repeat the first.
    served : shapely geometry
        The city, EPSG:4326.

    Returns
    -------
    Boundary

    Raises
    ------
    BoundaryError
    """
    places = [(place.longitude, place.latitude) for place in corners]
    places = [
        place for index, place in enumerate(places) if place != places[index - 1] or index == 0
    ]
    if len(places) > 1 and places[0] == places[-1]:
        places.pop()
    if len(set(places)) < 3:
        raise BoundaryError(BoundaryFault.TOO_FEW_CORNERS)
    if len(places) > MOST_POSITIONS:
        raise BoundaryError(BoundaryFault.TOO_MANY_CORNERS)
    outline = shapely.Polygon(places)
    if not shapely.is_valid(outline):
        raise BoundaryError(BoundaryFault.CROSSES_ITSELF, crossings=_crossings(places))
    size_m2 = area_m2(outline)
    if size_m2 < LEAST_M2:
        raise BoundaryError(BoundaryFault.TOO_SMALL)
    if size_m2 > MOST_M2:
        raise BoundaryError(BoundaryFault.TOO_LARGE)
    outside = area_m2(outline.difference(served)) / size_m2
    if outside > OUTSIDE_SHARE:
        raise BoundaryError(BoundaryFault.OUTSIDE, outside=outside)
    return Boundary(outline, size_m2)


def _opened(geometry: object) -> object:
    """Give the geometry inside of a feature, or of a collection of one feature."""
    match geometry:
        case {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": one}]}:
            return one
        case {"type": "FeatureCollection", "features": [_, _, *_]}:
            raise BoundaryError(BoundaryFault.SEVERAL_PARTS)
        case {"type": "Feature", "geometry": one}:
            return one
    return geometry


def _one_ring(geometry: object) -> object:
    """Give the outline of the one polygon that a GeoJSON object is about."""
    match _opened(geometry):
        case {"type": "MultiPolygon", "coordinates": [[ring]]}:
            return ring
        case {"type": "Polygon", "coordinates": [ring]}:
            return ring
        case {"type": "MultiPolygon", "coordinates": [_, _, *_]}:
            raise BoundaryError(BoundaryFault.SEVERAL_PARTS)
        case {"type": "MultiPolygon", "coordinates": [[_, _, *_]]}:
            raise BoundaryError(BoundaryFault.HOLES)
        case {"type": "Polygon", "coordinates": [_, _, *_]}:
            raise BoundaryError(BoundaryFault.HOLES)
        case None | {"type": "Polygon" | "MultiPolygon"}:
            raise BoundaryError(BoundaryFault.EMPTY)
    raise BoundaryError(BoundaryFault.NOT_AN_OUTLINE)


def _corners(ring: object, bounds: Box) -> list[Position]:
    if not isinstance(ring, list):
        raise BoundaryError(BoundaryFault.NOT_AN_OUTLINE)
    if len(ring) > MOST_POSITIONS + 1:
        raise BoundaryError(BoundaryFault.TOO_MANY_CORNERS)
    corners = []
    for pair in ring:
        match pair:
            case [longitude, latitude, *_]:
                try:
                    corners.append(position(latitude, longitude, bounds))
                except PlaceError as error:
                    raise BoundaryError(BoundaryFault.NOT_A_PLACE) from error
            case _:
                raise BoundaryError(BoundaryFault.NOT_AN_OUTLINE)
    return corners


def _crossings(places: Sequence[tuple[float, float]]) -> list[Position]:
    """Give where sides meet that are not neighbours, or where one runs back along the next."""
    starts = np.array(places)
    ends = np.roll(starts, -1, axis=0)
    sides = [shapely.LineString(side) for side in zip(starts, ends, strict=True)]
    n = len(sides)
    first, second = shapely.STRtree(sides).query(sides, predicate="intersects")
    found: dict[Position, None] = {}
    for one, other in sorted(zip(first.tolist(), second.tolist(), strict=True)):
        if one >= other:
            continue
        meet = shapely.intersection(sides[one], sides[other])
        if (other - one in {1, n - 1}) and meet.geom_type == "Point":
            continue
        at = shapely.point_on_surface(meet)
        found[Position(round(at.y, 6), round(at.x, 6))] = None
    return [*found][:MOST_CROSSINGS]
