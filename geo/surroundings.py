"""What lies around places: how much of it within a radius, in straight lines."""

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.exposure import Homes, Households


def within(
    points_m: NDArray[np.float64],
    others_m: NDArray[np.float64],
    radius_m: float,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Add up what lies within a radius of each place, the radius included.

    Parameters
    ----------
    points_m : ndarray of float, shape (n, 2)
        Metres, in a projected CRS.
    others_m : ndarray of float, shape (m, 2)
        As `points_m`.
    radius_m : float
    weights : ndarray of float, shape (m,), optional
        How much each of the others counts; 1 without.

    Returns
    -------
    ndarray of float, shape (n,)

    Examples
    --------
    >>> within(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [9.0, 0.0]]), 5.0).tolist()
    [1.0]
    """
    from scipy.spatial import cKDTree  # noqa: PLC0415 (38 MiB that a web server need not hold)

    if not len(points_m) or not len(others_m):
        return np.zeros(len(points_m))
    tree = cKDTree(others_m)
    if weights is None:
        counted = tree.query_ball_point(points_m, radius_m, return_length=True)
        return np.asarray(counted, np.float64)
    pairs = cKDTree(points_m).sparse_distance_matrix(tree, radius_m, output_type="ndarray")
    return np.bincount(pairs["i"], weights[pairs["j"]], len(points_m)).astype(np.float64)


def homes_within(
    points_m: NDArray[np.float64], homes: Homes | Households | None, radius_m: float
) -> NDArray[np.float64]:
    """Give the homes within a radius of each place.

    Where homes are known by area only, they are taken to lie evenly in the area that the place is in.

    Parameters
    ----------
    points_m : ndarray of float, shape (n, 2)
        Metres, in the CRS of the homes.
    homes : Homes or Households or None
        None where nothing is known of them.
    radius_m : float

    Returns
    -------
    ndarray of float, shape (n,)
        NaN where nothing is known.
    """
    if homes is None:
        return np.full(len(points_m), np.nan)
    if isinstance(homes, Homes):
        return within(points_m, np.column_stack([homes.x, homes.y]), radius_m)
    blocks = np.asarray(homes.blocks, dtype=object)
    density = np.asarray(homes.households, np.float64) / shapely.area(blocks)
    point, block = shapely.STRtree(blocks).query(shapely.points(points_m), predicate="intersects")
    found = np.full(len(points_m), np.nan)
    # On an edge two areas meet: the denser one counts, whatever their order.
    np.fmax.at(found, point, density[block] * np.pi * radius_m**2)
    return found


def shapes_within(
    points_m: NDArray[np.float64], shapes: NDArray[np.object_], radius_m: float
) -> NDArray[np.float64]:
    """Count the shapes that come within a radius of each place.

    Parameters
    ----------
    points_m : ndarray of float, shape (n, 2)
        Metres, in the CRS of the shapes.
    shapes : ndarray of shapely geometries
    radius_m : float

    Returns
    -------
    ndarray of float, shape (n,)
    """
    if not len(shapes) or not len(points_m):
        return np.zeros(len(points_m))
    point, _shape = shapely.STRtree(shapes).query(
        shapely.points(points_m), predicate="dwithin", distance=radius_m
    )
    return np.bincount(point, minlength=len(points_m)).astype(np.float64)


def least_near(
    points_m: NDArray[np.float64],
    lines: NDArray[np.object_],
    values: NDArray[np.float64],
    reach_m: float,
) -> NDArray[np.float64]:
    """Give the least value of the lines within reach of each place.

    Parameters
    ----------
    points_m : ndarray of float, shape (n, 2)
        Metres, in the CRS of the lines.
    lines : ndarray of shapely lines, shape (m,)
    values : ndarray of float, shape (m,)
        Such as the rank of a street, of which 1 is the highest.
    reach_m : float

    Returns
    -------
    ndarray of float, shape (n,)
        NaN where no line is within reach.
    """
    found = np.full(len(points_m), np.nan)
    if len(lines) and len(points_m):
        point, line = shapely.STRtree(lines).query(
            shapely.points(points_m), predicate="dwithin", distance=reach_m
        )
        np.fmin.at(found, point, values[line])
    return found
