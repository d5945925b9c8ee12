"""Areas that people draw to follow what is reported in them: what one may be, and one around a place.

No smaller than a block watch may be (`geo.boundaries.LEAST_M2`): less would be the ground of one home,
and following is for places, not for a neighbour.
"""

from enum import StrEnum

import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from geo.boundaries import LEAST_M2
from geo.crs import in_city_metres, to_city, to_stored
from geo.places import PlaceError, PlaceFault, Position, shape

MOST_CORNERS = 99
"""Corners of an area; the store takes a hundred positions, the last of which is the first again."""

RADII_M = (200, 400, 800)
"""Metres around a place: some two, four and eight blocks of a city of blocks of 100 m."""

_QUARTER = 4
"""Sides of a quarter of what is drawn around a place: few enough corners to be moved by hand."""


class AreaFault(StrEnum):
    """What can be wrong with a drawn area."""

    NOT_A_SHAPE = "not_a_shape"
    TOO_FEW_CORNERS = "too_few_corners"
    TOO_MANY_CORNERS = "too_many_corners"
    CROSSES_ITSELF = "crosses_itself"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    OUTSIDE = "outside"


class AreaError(ValueError):
    """An area that cannot be followed.

    Parameters
    ----------
    fault : AreaFault
    """

    def __init__(self, fault: AreaFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


_FAULTS = {
    PlaceFault.TOO_FEW_POSITIONS: AreaFault.TOO_FEW_CORNERS,
    PlaceFault.TOO_MANY_POSITIONS: AreaFault.TOO_MANY_CORNERS,
    PlaceFault.CROSSES_ITSELF: AreaFault.CROSSES_ITSELF,
    PlaceFault.TOO_LARGE: AreaFault.TOO_LARGE,
    PlaceFault.FAR_AWAY: AreaFault.OUTSIDE,
}


def drawn_area(geometry: object, served: BaseGeometry) -> Polygon:
    """Read a GeoJSON polygon as an area to follow.

    Parameters
    ----------
    geometry : object
        As read from JSON; it may be anything.
    served : shapely geometry
        The city, EPSG:4326.

    Returns
    -------
    shapely.Polygon
        EPSG:4326, without holes. Part of it may lie outside the city.

    Raises
    ------
    AreaError

    Examples
    --------
    >>> city = shapely.box(-94.6, 39.0, -94.5, 39.1)
    >>> ring = [[-94.56, 39.01], [-94.558, 39.01], [-94.558, 39.012], [-94.56, 39.01]]
    >>> drawn_area({"type": "Polygon", "coordinates": [ring]}, city).wkt
    'POLYGON ((-94.56 39.01, -94.558 39.01, -94.558 39.012, -94.56 39.01))'
    """
    try:
        area = shape(geometry, served.bounds)
    except PlaceError as error:
        raise AreaError(_FAULTS.get(error.fault, AreaFault.NOT_A_SHAPE)) from error
    if not isinstance(area, Polygon) or len(area.interiors):
        raise AreaError(AreaFault.NOT_A_SHAPE)
    if len(area.exterior.coords) > MOST_CORNERS + 1:
        raise AreaError(AreaFault.TOO_MANY_CORNERS)
    if in_city_metres(area).area < LEAST_M2:
        raise AreaError(AreaFault.TOO_SMALL)
    if not area.intersects(served):
        raise AreaError(AreaFault.OUTSIDE)
    return area


def around(place: Position, radius_m: float, served: BaseGeometry) -> Polygon:
    """Give the area around a place, as a polygon of few corners on the circle.

    Parameters
    ----------
    place : Position
    radius_m : float
        One of `RADII_M`.
    served : shapely geometry
        The city, EPSG:4326.

    Returns
    -------
    shapely.Polygon
        EPSG:4326.

    Raises
    ------
    AreaError
        Where it does not meet the city.
    """
    middle = shapely.Point(*to_city().transform(place.longitude, place.latitude))
    circle = middle.buffer(radius_m, quad_segs=_QUARTER)
    corners = np.column_stack(to_stored().transform(*shapely.get_coordinates(circle).T))
    area = Polygon(corners.round(6))
    if not area.intersects(served):
        raise AreaError(AreaFault.OUTSIDE)
    return area
