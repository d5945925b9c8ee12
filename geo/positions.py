"""What everybody may see of where a report is.

A thing in public space (a street light, a corner) is public exactly. A problem at a home is shown
at a point of the region that hides the home among others (`geo.homes`), decided by a keyed hash of the
region and of the report's key. So what is published is a function of the region, and of something that
has nothing to do with the place in it: the homes of one region cannot be told apart, whatever is sent in
to compare with, and the mean of many reports is the middle of the region's homes.

A mask of its own for each place (a point in a ring around it: donut masking, Hampton et al. 2010,
doi:10.1093/aje/kwq248) was given up, since it can be undone in two ways. Anybody may send in a
report of a house and read its mask, and so try the houses of a block until one has the mask in
question. And positions that are tapped, or a phone's, differ by metres: with 4 m of jitter every
report is a fresh draw, and the rings of ten intersect within 6 m of the home (docs/adr/0009).

What is shown must not be used to judge one home, nor for distances or densities finer than the
region; statistics are computed on exact positions.
"""

import hmac
import struct
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.crs import in_city_metres, to_city, to_stored
from geo.homes import CELL_M, ENOUGH, UNKNOWN, Homes, Region, cells_of

_TRIES = 64
_FRACTION = float(2**64)


def _draw(region: Region, key: str, secret: bytes, attempt: int) -> tuple[float, float]:
    """Give a point of a region in the city's metres, which only the holder of the secret can repeat."""
    drawn = hmac.digest(
        secret, struct.pack("<qqqI", *region.squares[0], attempt) + key.encode(), "sha256"
    )
    where, east, north, _ = (part / _FRACTION for part in struct.unpack("<4Q", drawn))
    column, row = region.cells[bisect_right(region.share, where)].tolist()
    return (column + east) * CELL_M, (row + north) * CELL_M


def generalized(
    longitude: NDArray[np.float64],
    latitude: NDArray[np.float64],
    keys: Sequence[str],
    *,
    secret: bytes,
    served_area: BaseGeometry | None = None,
    homes: Homes = UNKNOWN,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give a point in the region of each place: near its homes, the same for the same key.

    Drawn with HMAC-SHA256 of the region and the key: first a cell of the region, by the homes in each,
    then a point of the cell. Where it falls outside the served area the next one is taken.

    Parameters
    ----------
    longitude, latitude : ndarray of float
        Degrees, EPSG:4326.
    keys : sequence of str
        What identifies each report: nothing that was made from its place.
    secret : bytes
        Whoever knows it can tell what a report with a known key would show, though never more of
        its place than the region.
    served_area : shapely geometry, optional
        In EPSG:4326. Without it any point of the region will do.
    homes : Homes
        Where homes are known to be. Where nothing is known, a region is a cell.

    Returns
    -------
    tuple of two ndarray of float
        Longitude and latitude; NaN where the report has no public position: the region holds too few
        homes, or no point drawn in it lies in the served area.
    """
    cells, which = np.unique(
        cells_of(*to_city().transform(longitude, latitude)), axis=0, return_inverse=True
    )
    found = [homes.region(*cell) for cell in cells.tolist()]
    regions = [found[index] for index in which.reshape(-1).tolist()]
    shown = np.full((len(regions), 2), np.nan)
    hidden = [region.homes >= ENOUGH or not homes.known for region in regions]
    waiting = np.flatnonzero(np.array(hidden, dtype=bool))
    if served_area is not None:
        shapely.prepare(served_area)
    for attempt in range(_TRIES):
        if not len(waiting):
            break
        draws = [_draw(regions[i], keys[i], secret, attempt) for i in waiting.tolist()]
        drawn = np.column_stack(to_stored().transform(*np.array(draws).T))
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
    homes: Homes = UNKNOWN,
) -> list[BaseGeometry | None]:
    """Give what everybody may see of each geometry.

    Parameters
    ----------
    exact : sequence of shapely geometry
        Points, lines or polygons in EPSG:4326.
    at_home : sequence of bool
        Whether it may be at a home. Such a line or polygon becomes a point, too: its shape would
        name the lot.
    keys, secret, served_area, homes
        As for `generalized`.

    Returns
    -------
    list of shapely geometry or None
        None where there is no public position.
    """
    shown: list[BaseGeometry | None] = list(exact)
    masked = np.flatnonzero(np.asarray(at_home, dtype=bool))
    places = shapely.point_on_surface(np.asarray(exact, dtype=object)[masked])
    drawn = generalized(
        shapely.get_x(places),
        shapely.get_y(places),
        [keys[index] for index in masked.tolist()],
        secret=secret,
        served_area=served_area,
        homes=homes,
    )
    for index, longitude, latitude in zip(masked, *drawn, strict=True):
        shown[index] = None if np.isnan(longitude) else shapely.Point(longitude, latitude)
    return shown


def regions_near(place: BaseGeometry, radius_m: float, homes: Homes = UNKNOWN) -> BaseGeometry:
    """Give where the public position of any home within a distance of a place's bounds may lie.

    Parameters
    ----------
    place : shapely geometry
        EPSG:4326.
    radius_m : float
        Metres.
    homes : Homes

    Returns
    -------
    shapely geometry
        Polygon or MultiPolygon in EPSG:4326: the cells of all regions that the distance reaches.
    """
    west, south, east, north = shapely.bounds(in_city_metres(place))
    (left, low), (right, high) = cells_of(
        np.array([west - radius_m, east + radius_m]), np.array([south - radius_m, north + radius_m])
    ).tolist()
    reached = {
        homes.region(column, row)
        for column in range(left, right + 1)
        for row in range(low, high + 1)
    }
    cells = np.unique(np.concatenate([region.cells for region in reached]), axis=0)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    rings = (cells[:, None, :] + corners) * CELL_M
    placed = np.column_stack(to_stored().transform(*rings.reshape(-1, 2).T)).reshape(rings.shape)
    return shapely.union_all(shapely.polygons(placed))
