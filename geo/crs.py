"""The one place that says how positions are stored and in which CRS the city measures metres."""

from functools import cache
from typing import TypeVar

import numpy as np
import shapely
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

Shape = TypeVar("Shape", bound=BaseGeometry)

STORED = CRS.from_epsg(4326)
"""Longitude and latitude on WGS 84, as every geometry is stored."""

CITY_SRID = 26915
"""NAD83 / UTM zone 15N, metres: Kansas City."""

CITY = CRS.from_epsg(CITY_SRID)


@cache
def to_city() -> Transformer:
    """Give the way from longitude and latitude to the city's metres, x before y."""
    return Transformer.from_crs(STORED, CITY, always_xy=True)


@cache
def to_stored() -> Transformer:
    """Give the way from the city's metres to longitude and latitude, x before y."""
    return Transformer.from_crs(CITY, STORED, always_xy=True)


def in_city_metres(shape: Shape) -> Shape:
    """Give a shape of EPSG:4326 in the city's metres."""
    return shapely.transform(shape, lambda at: np.column_stack(to_city().transform(*at.T)))
