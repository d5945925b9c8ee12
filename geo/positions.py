"""What everybody may see of where a report is.

A thing in public space (a street light, a corner) is public exactly. A problem at a home is shown
at a point drawn anywhere in the square cell that holds the home, decided by a keyed hash of the cell
and of the report's key. So what is published is a function of the cell, and of something that has
nothing to do with the place in it: the homes of one cell cannot be told apart, whatever is sent in
to compare with, and the mean of many reports is the middle of the cell.

A mask of its own for each place (a point in a ring around it: donut masking, Hampton et al. 2010,
doi:10.1093/aje/kwq248) was given up, since it can be undone in two ways. Anybody may send in a
report of a house and read its mask, and so try the houses of a block until one has the mask in
question. And positions that are tapped, or a phone's, differ by metres: with 4 m of jitter every
report is a fresh draw, and the rings of ten intersect within 6 m of the home (docs/adr/0009).

What is shown must not be used to judge one home, nor for distances or densities finer than the
cell; statistics are computed on exact positions.
"""

import hmac
import struct
from collections.abc import Sequence
from functools import cache

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.enums import TransformDirection
from shapely.geometry.base import BaseGeometry

from geo.crs import CITY, STORED

CELL_M = 200.0
"""Metres along the side of a cell; cells begin at multiples of it in the city's metres. At four homes
a hectare (midtown) a cell holds about 16. How many each one really holds is not measured here."""

_TRIES = 64
_FRACTION = float(2**64)


@cache
def _to_city() -> Transformer:
    return Transformer.from_crs(STORED, CITY, always_xy=True)


def _from_city(places_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    longitude, latitude = _to_city().transform(
        places_m[:, 0], places_m[:, 1], direction=TransformDirection.INVERSE
    )
    return longitude, latitude


def _draws(
    cells: NDArray[np.int64], keys: Sequence[str], secret: bytes, attempt: int
) -> NDArray[np.float64]:
    """Give two numbers in [0, 1) for each report, which only the holder of the secret can repeat."""
    digests = b"".join(
        hmac.digest(secret, struct.pack("<qqI", *cell, attempt) + key.encode(), "sha256")[:16]
        for cell, key in zip(cells.tolist(), keys, strict=True)
    )
    return np.frombuffer(digests, "<u8").reshape(-1, 2) / _FRACTION


def generalized(
    longitude: NDArray[np.float64],
    latitude: NDArray[np.float64],
    keys: Sequence[str],
    *,
    secret: bytes,
    served_area: BaseGeometry | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give a point in the cell of each place: evenly over the cell, the same for the same key.

    Drawn with HMAC-SHA256 of the cell and the key. Where a point falls outside the served area the
    next one of that cell and key is taken.

    Parameters
    ----------
    longitude, latitude : ndarray of float
        Degrees, EPSG:4326.
    keys : sequence of str
        What identifies each report: nothing that was made from its place.
    secret : bytes
        Whoever knows it can tell what a report with a known key would show, though never more of
        its place than the cell.
    served_area : shapely geometry, optional
        In EPSG:4326. Without it any point of the cell will do.

    Returns
    -------
    tuple of two ndarray of float
        Longitude and latitude; NaN where no point drawn in the cell lies in the served area, so
        that the report has no public position.
    """
    cells = np.floor(np.column_stack(_to_city().transform(longitude, latitude)) / CELL_M)
    cells = cells.astype(np.int64)
    shown = np.full((len(cells), 2), np.nan)
    waiting = np.arange(len(cells))
    if served_area is not None:
        shapely.prepare(served_area)
    for attempt in range(_TRIES):
        if not len(waiting):
            break
        draws = _draws(cells[waiting], [keys[index] for index in waiting.tolist()], secret, attempt)
        drawn = np.column_stack(_from_city((cells[waiting] + draws) * CELL_M))
        inside = (
            np.ones(len(waiting), dtype=bool)
            if served_area is None
            else shapely.intersects_xy(served_area, drawn)
        )
        shown[waiting[inside]] = drawn[inside]
        waiting = waiting[~inside]
    return shown[:, 0], shown[:, 1]


def public_geometries(
    exact: Sequence[BaseGeometry],
    at_home: Sequence[bool],
    keys: Sequence[str],
    *,
    secret: bytes,
    served_area: BaseGeometry | None = None,
) -> list[BaseGeometry | None]:
    """Give what everybody may see of each geometry.

    Parameters
    ----------
    exact : sequence of shapely geometry
        Points, lines or polygons in EPSG:4326.
    at_home : sequence of bool
        Whether it may be at a home. Such a line or polygon becomes a point, too: its shape would
        name the lot.
    keys, secret, served_area
        As for `generalized`.

    Returns
    -------
    list of shapely geometry or None
        None where there is no public position.
    """
    shown: list[BaseGeometry | None] = list(exact)
    homes = np.flatnonzero(np.asarray(at_home, dtype=bool))
    places = shapely.point_on_surface(np.asarray(exact, dtype=object)[homes])
    drawn = generalized(
        shapely.get_x(places),
        shapely.get_y(places),
        [keys[index] for index in homes.tolist()],
        secret=secret,
        served_area=served_area,
    )
    for index, longitude, latitude in zip(homes, *drawn, strict=True):
        shown[index] = None if np.isnan(longitude) else shapely.Point(longitude, latitude)
    return shown


def cells_near(place: BaseGeometry, radius_m: float) -> shapely.Polygon:
    """Give the cells that lie wholly or partly within a distance of a place's bounds.

    Whatever home is that near, its public position lies in one of them.

    Parameters
    ----------
    place : shapely geometry
        EPSG:4326.
    radius_m : float
        Metres.

    Returns
    -------
    shapely.Polygon
        EPSG:4326.
    """
    west, south, east, north = shapely.bounds(
        shapely.transform(place, lambda at: np.column_stack(_to_city().transform(*at.T)))
    )
    west, south = (CELL_M * np.floor((side - radius_m) / CELL_M) for side in (west, south))
    east, north = (CELL_M * np.floor((side + radius_m) / CELL_M + 1) for side in (east, north))
    corners = np.array([[west, south], [east, south], [east, north], [west, north]])
    return shapely.Polygon(np.column_stack(_from_city(corners)))
