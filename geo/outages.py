"""Which street lights a report of darkness is about.

The store matches every report by the same rules (migration 0031), whatever way it came in; a test
holds the two together. Here they tell whoever is reporting which lights that will be.

All positions are in the city's metres (`geo.crs`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Point
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring

REACH_M = 40.0
"""Metres from a report of one light within which a pole may be meant.

Residential lights stand up to 60 m apart: whoever is half-way between two, on the far side of a
20 m street, is 36 m from the nearest.
"""

STRETCH_REACH_M = 25.0
"""Metres from a drawn stretch or a block's centreline within which lights belong to it.

Half of a wide street and its verge, and the hand that drew the line.
"""

BLOCK_M = 150.0
"""Metres along the street, to either side, beyond which a block is cut where no corner ends it."""

STREET_REACH_M = 60.0
"""Metres within which a street is the one that a report of a dark block means."""

POLE = frozenset({"light_out", "light_flickers", "light_day_burner", "light_damaged"})
"""Categories that are about one pole, which is found by being the nearest."""

BLOCK = "block_dark"
"""The category that is about all lights of a block."""

NEEDED = "light_needed"
"""The category that is about no light at all."""

DARK = frozenset({"light_out", BLOCK})
"""Categories by which a light is dark, and can be part of a dark run."""


class Match(StrEnum):
    """How a report and a light were found to belong together."""

    PICKED = "picked"
    NEAREST = "nearest"
    BLOCK = "block"
    STRETCH = "stretch"
    PLACE = "place"


@dataclass(frozen=True, slots=True)
class Meant:
    """Lights that a report means.

    Attributes
    ----------
    how : Match
        `place` where it means none.
    lights : int array, shape (n,)
        Their indices, the nearest first.
    distances_m : float array, shape (n,)
        From the place, the stretch or the block's centreline.
    """

    how: Match
    lights: NDArray[np.intp]
    distances_m: NDArray[np.float64]


NONE = Meant(Match.PLACE, np.empty(0, np.intp), np.empty(0))


def meant(
    category: str,
    shape: BaseGeometry,
    lights: NDArray[Any],
    streets: Sequence[LineString],
    picked: int | None = None,
) -> Meant:
    """Give the lights that a report means.

    Parameters
    ----------
    category : str
        Its code.
    shape : shapely geometry
        Where it is: a point, a drawn stretch or a lot, in the city's metres.
    lights : array of shapely points
        Those around, in the city's metres.
    streets : sequence of LineString
        Centrelines around, in the city's metres. Only a dark block asks for them.
    picked : int, optional
        Index of the light that the reporter picked.

    Returns
    -------
    Meant

    Notes
    -----
    Not to be read as a finding that the others around are lit: they were not reported.
    """
    if category == NEEDED:
        return NONE
    if not isinstance(shape, Point):
        return _within(Match.STRETCH, lights, shape, STRETCH_REACH_M)
    if category == BLOCK:
        block = block_at(shape, streets)
        return NONE if block is None else _within(Match.BLOCK, lights, block, STRETCH_REACH_M)
    if picked is not None:
        distance = shapely.distance(lights[picked], shape)
        return Meant(Match.PICKED, np.array([picked]), np.array([distance]))
    if category in POLE:
        near = _within(Match.NEAREST, lights, shape, REACH_M)
        return Meant(near.how, near.lights[:1], near.distances_m[:1])
    return NONE


def _within(how: Match, lights: NDArray[Any], shape: BaseGeometry, reach_m: float) -> Meant:
    distances = shapely.distance(lights, shape)
    order = np.argsort(distances, kind="stable")
    found = order[distances[order] <= reach_m]
    return Meant(how, found, distances[found]) if len(found) else NONE


def block_at(place: Point, streets: Sequence[LineString]) -> LineString | None:
    """Give the street from corner to corner at a place.

    A corner is where another centreline meets this one. Where none does within `BLOCK_M`, the block
    is cut there.

    Parameters
    ----------
    place : Point
        In the city's metres.
    streets : sequence of LineString
        Centrelines around, in the city's metres, as far as the next corners.

    Returns
    -------
    LineString or None
        None where no street is within `STREET_REACH_M`.
    """
    if not len(streets):
        return None
    away = shapely.distance(streets, place)
    nearest = int(np.argmin(away))
    if away[nearest] > STREET_REACH_M:
        return None
    street = streets[nearest]
    others = [other for index, other in enumerate(streets) if index != nearest]
    crossings = shapely.get_parts(shapely.intersection(others, street))
    points = crossings[shapely.get_type_id(crossings) == shapely.GeometryType.POINT]
    corners = shapely.line_locate_point(street, points)
    here = street.project(place)
    before = corners[(corners <= here) & (corners < street.length)]
    start = float(before.max(initial=0.0))
    end = float(corners[corners > start].min(initial=street.length))
    part = substring(street, max(start, here - BLOCK_M), min(end, here + BLOCK_M))
    assert isinstance(part, LineString)
    return part
