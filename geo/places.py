"""What somebody says about where, when and what, before it becomes a report.

Every mistake that can be told from the words alone is told here, with what was probably meant.
Whether a place lies in the served area only the store can tell.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeGuard

import shapely
from shapely.geometry.base import BaseGeometry

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees of WGS 84."""

NEAR_DEGREES = 0.5
"""Outside the served area by less than this (some 50 km), a place is a neighbour town's, not
nonsense."""

MOST_POSITIONS = 500
"""Positions a line or a lot may have: what a finger draws has a few dozen."""

LARGEST_M = 5_000.0
"""Metres that a dark stretch of street or a lot may measure across."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""A phone's clock may be ahead by this much."""

ASK_AFTER = timedelta(days=730)
"""What happened longer ago is more often a slip of the finger than a memory."""

REFUSE_AFTER = timedelta(days=36_525)
"""Nobody alive saw it."""

_METRES_PER_DEGREE = 111_195.0  # mean radius 6,371,008.8 m * pi / 180


class PlaceFault(StrEnum):
    """What can be wrong with a place."""

    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    ZERO = "zero"
    SWAPPED = "swapped"
    FAR_AWAY = "far_away"
    NOT_A_SHAPE = "not_a_shape"
    TOO_FEW_POSITIONS = "too_few_positions"
    TOO_MANY_POSITIONS = "too_many_positions"
    NOT_CLOSED = "not_closed"
    CROSSES_ITSELF = "crosses_itself"
    TOO_LARGE = "too_large"


class TimeFault(StrEnum):
    """What can be wrong with a time."""

    FUTURE = "future"
    LONG_AGO = "long_ago"
    TOO_LONG_AGO = "too_long_ago"


@dataclass(frozen=True, slots=True)
class Position:
    """A position in degrees of WGS 84 (EPSG:4326)."""

    latitude: float
    longitude: float


class PlaceError(ValueError):
    """A place that cannot be used.

    Parameters
    ----------
    fault : PlaceFault
    meant : Position, optional
        The position with latitude and longitude swapped back, where that is what was meant.
    """

    def __init__(self, fault: PlaceFault, meant: Position | None = None) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.meant = meant


def position(latitude: object, longitude: object, served: Box | None = None) -> Position:
    """Give a position that can be on the map of this city.

    Parameters
    ----------
    latitude, longitude : object
        Degrees, as numbers or as text of a number.
    served : Box, optional
        Bounds of the served area, EPSG:4326.

    Returns
    -------
    Position
        Within `NEAR_DEGREES` of the bounds. It may still lie outside the served area.

    Raises
    ------
    PlaceError
        With the swapped position where that one lies in or near the bounds.

    Examples
    --------
    >>> position("39.05", -94.57)
    Position(latitude=39.05, longitude=-94.57)
    """
    y, x = _number(latitude), _number(longitude)
    possible = -90 <= y <= 90 and -180 <= x <= 180
    if possible and (served is None or _near(y, x, served)):
        if served is None and y == 0 and x == 0:
            raise PlaceError(PlaceFault.ZERO)
        return Position(y, x)
    swap_possible = -90 <= x <= 90 and -180 <= y <= 180
    if swap_possible and (not possible if served is None else _near(x, y, served)):
        raise PlaceError(PlaceFault.SWAPPED, Position(x, y))
    if not possible:
        raise PlaceError(PlaceFault.OUT_OF_RANGE)
    raise PlaceError(PlaceFault.ZERO if y == 0 and x == 0 else PlaceFault.FAR_AWAY)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PlaceError(PlaceFault.NOT_A_NUMBER)
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise PlaceError(PlaceFault.NOT_A_NUMBER) from error
    if not math.isfinite(number):
        raise PlaceError(PlaceFault.NOT_A_NUMBER)
    return number


def _near(latitude: float, longitude: float, served: Box) -> bool:
    west, south, east, north = served
    return (
        west - NEAR_DEGREES <= longitude <= east + NEAR_DEGREES
        and south - NEAR_DEGREES <= latitude <= north + NEAR_DEGREES
    )


def point(place: Position) -> BaseGeometry:
    """Give the position as a point in EPSG:4326."""
    return shapely.Point(place.longitude, place.latitude)


def line(
    coordinates: Sequence[Sequence[float]],
    served: Box | None = None,
) -> BaseGeometry:
    """Give a stretch of street.

    Parameters
    ----------
    coordinates : sequence of (longitude, latitude)
        As in GeoJSON; a height after them is left out.
    served : Box, optional
        As for `position`.

    Returns
    -------
    shapely.LineString
        In EPSG:4326.

    Raises
    ------
    PlaceError
    """
    places = _positions(coordinates, served)
    if len(set(places)) < 2:
        raise PlaceError(PlaceFault.TOO_FEW_POSITIONS)
    return _of_size(shapely.LineString(_xy(places)))


def polygon(
    rings: Sequence[Sequence[Sequence[float]]],
    served: Box | None = None,
) -> BaseGeometry:
    """Give a lot.

    Parameters
    ----------
    rings : sequence of sequences of (longitude, latitude)
        As in GeoJSON: the outer ring, then holes; the last position of each repeats the first.
    served : Box, optional
        As for `position`.

    Returns
    -------
    shapely.Polygon
        In EPSG:4326, valid.

    Raises
    ------
    PlaceError
    """
    if not rings:
        raise PlaceError(PlaceFault.TOO_FEW_POSITIONS)
    if sum(len(ring) for ring in rings) > MOST_POSITIONS:
        raise PlaceError(PlaceFault.TOO_MANY_POSITIONS)
    checked = [_positions(ring, served) for ring in rings]
    for ring in checked:
        if len(set(ring)) < 3:
            raise PlaceError(PlaceFault.TOO_FEW_POSITIONS)
        if ring[0] != ring[-1]:
            raise PlaceError(PlaceFault.NOT_CLOSED)
    outer, *holes = ([*_xy(ring)] for ring in checked)
    lot = shapely.Polygon(outer, holes)
    if not shapely.is_valid(lot):
        raise PlaceError(PlaceFault.CROSSES_ITSELF)
    return _of_size(lot)


def shape(geometry: object, served: Box | None = None) -> BaseGeometry:
    """Give the point, line or polygon that a GeoJSON geometry says.

    Parameters
    ----------
    geometry : object
        As read from JSON; it may be anything.
    served : Box, optional
        As for `position`.

    Returns
    -------
    shapely.Point, shapely.LineString or shapely.Polygon
        In EPSG:4326.

    Raises
    ------
    PlaceError

    Examples
    --------
    >>> shape({"type": "Point", "coordinates": [-94.57, 39.05]})
    <POINT (-94.57 39.05)>
    """
    if not isinstance(geometry, Mapping):
        raise PlaceError(PlaceFault.NOT_A_SHAPE)
    coordinates = geometry.get("coordinates")
    match geometry.get("type"):
        case "Point" if _nested(coordinates, 1):
            return point(_positions([coordinates], served)[0])
        case "LineString" if _nested(coordinates, 2):
            return line(coordinates, served)
        case "Polygon" if _nested(coordinates, 3):
            return polygon(coordinates, served)
    raise PlaceError(PlaceFault.NOT_A_SHAPE)


def _nested(coordinates: object, levels: int) -> TypeGuard[Any]:
    """Tell whether these are lists of lists to so many levels. What is in the last is not looked at."""
    if levels == 0:
        return True
    return isinstance(coordinates, list | tuple) and all(
        _nested(inner, levels - 1) for inner in coordinates
    )


def _positions(coordinates: Sequence[Sequence[float]], served: Box | None) -> list[Position]:
    if len(coordinates) > MOST_POSITIONS:
        raise PlaceError(PlaceFault.TOO_MANY_POSITIONS)
    if any(len(pair) < 2 for pair in coordinates):
        raise PlaceError(PlaceFault.NOT_A_NUMBER)
    return [position(pair[1], pair[0], served) for pair in coordinates]


def _xy(places: Sequence[Position]) -> Iterator[tuple[float, float]]:
    return ((place.longitude, place.latitude) for place in places)


def _of_size(shape: BaseGeometry) -> BaseGeometry:
    west, south, east, north = shape.bounds
    across_m = _METRES_PER_DEGREE * math.hypot(
        (east - west) * math.cos(math.radians((south + north) / 2)), north - south
    )
    if across_m > LARGEST_M:
        raise PlaceError(PlaceFault.TOO_LARGE)
    return shape


_MOST_DIGITS = 18

_PAIR = re.compile(r"\s*([-+]?\d{1,3}(?:\.\d*)?)\s*°?\s*[,;\s]\s*([-+]?\d{1,3}(?:\.\d*)?)\s*°?\s*")


def typed_coordinates(text: str) -> tuple[str, str] | None:
    """Give the two numbers of a text that is nothing but coordinates, in the order written.

    Parameters
    ----------
    text : str
        Such as "39.05, -94.57". At least one number has decimals, so that no address is taken for
        coordinates.

    Returns
    -------
    tuple of str or None
    """
    found = _PAIR.fullmatch(text)
    return (found[1], found[2]) if found and "." in text else None


def typed_number(text: str) -> int | None:
    """Give the number of something stored, such as a report, as it is typed or sent.

    Parameters
    ----------
    text : str

    Returns
    -------
    int or None
        None where it is no number, or longer than any of ours.
    """
    plain = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if plain else None


def time_fault(occurred_at: datetime, now: datetime) -> TimeFault | None:
    """Say what is wrong with the time at which something is said to have occurred.

    Parameters
    ----------
    occurred_at, now : datetime
        With time zones.

    Returns
    -------
    TimeFault or None
        `FUTURE` where it is ahead by more than `CLOCK_TOLERANCE`; `LONG_AGO` is a question, not a
        refusal.
    """
    if occurred_at > now + CLOCK_TOLERANCE:
        return TimeFault.FUTURE
    if occurred_at < now - REFUSE_AFTER:
        return TimeFault.TOO_LONG_AGO
    if occurred_at < now - ASK_AFTER:
        return TimeFault.LONG_AGO
    return None


_KEPT = frozenset("\n\t")
# Control characters, lone surrogates, and characters that reverse the order of what follows.
_DROPPED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def plain_text(text: str) -> str:
    """Give what somebody wrote as it is kept: plain text, whole, without what cannot be seen.

    `<` and `>` are characters like any other here, since every way out escapes them.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        In Unicode's normal form C, with line feeds as line ends, without control characters, and
        without space at its ends.
    """
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(
        character
        for character in unified
        if character in _KEPT
        or (character not in _DROPPED and unicodedata.category(character) not in {"Cc", "Cs"})
    )
    return unicodedata.normalize("NFC", kept).strip()
