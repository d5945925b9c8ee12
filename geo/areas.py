"""Which area a point lies in.

For many points at once: the points are sorted by x, so that an area looks only at those between its
left and right edge, and a prepared polygon answers for the rest. On 1,000,000 points and 250 areas
this is several times faster than a spatial join of frames (see bench/RESULTS.md).
"""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

NOWHERE = -1
"""Stands for the id of an area where a point lies in none."""

OUTSIDE = "outside the served area"
"""Why a record is left out whose place no served area holds."""


def area_ids(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    ids: Sequence[int],
    polygons: Sequence[BaseGeometry],
) -> NDArray[np.int64]:
    """Say for each point which area it lies in, one area for each.

    A point on a shared edge lies in every area that has this edge, and belongs to the one named
    first: give the areas in the order of their ids to get what the database's own join gives.

    Parameters
    ----------
    x, y : ndarray of float
        Coordinates, in the CRS of the polygons. NaN lies nowhere.
    ids : sequence of int
        Of the areas, none of them `NOWHERE`.
    polygons : sequence of shapely geometry
        Valid polygons or multipolygons, one for each id. They may overlap.

    Returns
    -------
    ndarray of int64
        An id for each point, in the order of the points; `NOWHERE` where it lies in none.

    Raises
    ------
    ValueError
        Where the lengths do not match.

    Examples
    --------
    >>> square = shapely.box(0, 0, 1, 1)
    >>> area_ids(np.array([0.5, 1.0, 2.0]), np.array([0.5, 0.5, 0.5]), [7], [square]).tolist()
    [7, 7, -1]
    """
    if len(x) != len(y) or len(ids) != len(polygons):
        raise ValueError("Give as many x as y, and as many ids as polygons.")
    by_x = np.argsort(x)
    sorted_x, sorted_y = x[by_x], y[by_x]
    found = np.full(len(x), NOWHERE, np.int64)
    for id_, polygon in zip(ids, polygons, strict=True):
        left, bottom, right, top = shapely.bounds(polygon)
        start = np.searchsorted(sorted_x, left, side="left")
        stop = np.searchsorted(sorted_x, right, side="right")
        near_y = sorted_y[start:stop]
        near = start + np.flatnonzero(
            (near_y >= bottom) & (near_y <= top) & (found[start:stop] == NOWHERE)
        )
        shapely.prepare(polygon)
        found[near[shapely.intersects_xy(polygon, sorted_x[near], sorted_y[near])]] = id_
    result = np.empty_like(found)
    result[by_x] = found
    return result
