"""What everybody may see of where a report is.

A thing in public space (a street light, a corner) is public exactly. A problem at a home is shown
at a mask: a point in a ring around the place, drawn once for the place and for ever. A fresh draw
for each report would be worthless, since the mean of twenty draws lies within 27 m of the home
(reference: donut masking, Hampton et al. 2010, doi:10.1093/aje/kwq248). Here a keyed hash of the
place decides the draw, so that another report of the same place adds nothing to what can be known.

What is shown must not be used to judge one home; statistics are computed on exact positions.
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

R_MIN_M = 60.0
"""Metres a mask is away from its home at the least: past the neighbours on both sides, and past the
houses across the street, on Kansas City's lots of 12 to 20 m."""

R_MAX_M = 150.0
"""Metres at the most: within the block or the next, so that the map still shows the right street
corner. At four homes a hectare (midtown) the ring holds about 24."""

PLACE_M = 1.0
"""Places are told apart by this much: two addresses never share a mask by rounding, and the noise
of a coordinate's last digits does not make a new place."""

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


def _draws(places: NDArray[np.int64], secret: bytes, attempt: int) -> NDArray[np.float64]:
    """Give two numbers in [0, 1) for each place, which only the holder of the secret can repeat."""
    digests = b"".join(
        hmac.digest(secret, struct.pack("<qqI", east, north, attempt), "sha256")[:16]
        for east, north in places.tolist()
    )
    return np.frombuffer(digests, "<u8").reshape(-1, 2) / _FRACTION


def masked(
    longitude: NDArray[np.float64],
    latitude: NDArray[np.float64],
    *,
    secret: bytes,
    served_area: BaseGeometry | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the mask of each place: the same for the same place, spread evenly over the ring.

    r = sqrt(U(R_MIN_M^2, R_MAX_M^2)) metres, in a direction of U(0, 2 pi); both from HMAC-SHA256 of
    the place in city metres, rounded to `PLACE_M`. Where a mask falls outside the served area the
    next one of that place is taken.

    Parameters
    ----------
    longitude, latitude : ndarray of float
        Degrees, EPSG:4326.
    secret : bytes
        Whoever knows it can undo the masks.
    served_area : shapely geometry, optional
        In EPSG:4326. Without it any mask will do.

    Returns
    -------
    tuple of two ndarray of float
        Longitude and latitude; NaN where no mask of the place lies in the served area, so that the
        place has no public position.
    """
    east, north = _to_city().transform(longitude, latitude)
    places, which = np.unique(
        np.rint(np.column_stack([east, north]) / PLACE_M).astype(np.int64),
        axis=0,
        return_inverse=True,
    )
    which = which.reshape(-1)
    shift = np.full((len(places), 2), np.nan)
    waiting = np.arange(len(places))
    # From the rounded place, so that every report of the place gets the very same point; one
    # step more keeps the mask R_MIN_M away from the place itself.
    inner = R_MIN_M + PLACE_M
    for attempt in range(_TRIES):
        draws = _draws(places[waiting], secret, attempt)
        radius = np.sqrt(inner**2 + draws[:, 0] * (R_MAX_M**2 - inner**2))
        angle = 2 * np.pi * draws[:, 1]
        shift[waiting] = places[waiting] * PLACE_M + np.column_stack(
            [radius * np.cos(angle), radius * np.sin(angle)]
        )
        if served_area is None:
            waiting = waiting[:0]
        else:
            shapely.prepare(served_area)
            waiting = waiting[~shapely.intersects_xy(served_area, *_from_city(shift[waiting]))]
        if not len(waiting):
            break
    shift[waiting] = np.nan
    longitudes, latitudes = _from_city(shift[which])
    lost = np.isin(which, waiting)
    return np.where(lost, np.nan, longitudes), np.where(lost, np.nan, latitudes)


def public_geometries(
    exact: Sequence[BaseGeometry],
    at_home: Sequence[bool],
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
        Whether it may be at a home. Such a line or polygon becomes a masked point, too: its shape
        would name the lot.
    secret, served_area
        As for `masked`.

    Returns
    -------
    list of shapely geometry or None
        None where there is no public position.
    """
    shown: list[BaseGeometry | None] = list(exact)
    homes = np.flatnonzero(np.asarray(at_home, dtype=bool))
    places = shapely.point_on_surface(np.asarray(exact, dtype=object)[homes])
    masks = masked(
        shapely.get_x(places), shapely.get_y(places), secret=secret, served_area=served_area
    )
    for index, longitude, latitude in zip(homes, *masks, strict=True):
        shown[index] = None if np.isnan(longitude) else shapely.Point(longitude, latitude)
    return shown
