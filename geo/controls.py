"""Places to compare a treated one with: of its size and shape, and as bad before the action as it was.

A control is a copy of the treated place, moved elsewhere. So area, and the ring around it, are the same;
what is left to choose by is how many reports there were before, and whether they were rising
(`geo.evaluation.matched_controls`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.evaluation import matched_controls

MOST_COPIES = 4_000
"""Copies that are looked at: the nearest ones."""

_LEAST_STEP_M = 50.0


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Places of the size and shape of a treated one, the nearest first.

    Attributes
    ----------
    shifts_m : ndarray of float, shape (n, 2)
        By how much each was moved, east and north.
    places : ndarray of shapely geometry
    outlines : ndarray of shapely geometry
        Each place with the ring around it.
    """

    shifts_m: NDArray[np.float64]
    places: NDArray[np.object_]
    outlines: NDArray[np.object_]


def copies(
    treated: BaseGeometry,
    ring_m: float,
    served: BaseGeometry,
    avoid: BaseGeometry | None = None,
    *,
    most: int = MOST_COPIES,
) -> Copies:
    """Lay copies of a treated place wherever the action could not have reached.

    Parameters
    ----------
    treated : shapely Polygon or MultiPolygon
        In a projected CRS, in metres.
    ring_m : float
        Width of the ring of spill-over around it. No ring of a copy meets this one.
    served : shapely Polygon or MultiPolygon
        From where reports can come: copies lie within.
    avoid : shapely geometry, optional
        Where something else is being done.
    most : int
        No more than these, the nearest.

    Returns
    -------
    Copies
        Half a place apart, so that they overlap: `alike` takes such as do not.
    """
    outline = treated.buffer(ring_m)
    west, south, east, north = outline.bounds
    step = max(min(east - west, north - south) / 2, _LEAST_STEP_M)
    left, bottom, right, top = served.bounds
    middle = treated.centroid
    # A lattice through the treated place itself, whose node is left out with its neighbours.
    columns = np.arange(np.floor((left - middle.x) / step), np.ceil((right - middle.x) / step) + 1)
    rows = np.arange(np.floor((bottom - middle.y) / step), np.ceil((top - middle.y) / step) + 1)
    shifts = step * np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    shapely.prepare(served)
    shifts = shifts[shapely.contains_xy(served, middle.x + shifts[:, 0], middle.y + shifts[:, 1])]
    shifts = shifts[np.lexsort((shifts[:, 1], shifts[:, 0], np.hypot(*shifts.T).round(3)))]
    places, outlines = moved(treated, shifts), moved(outline, shifts)
    taken = outline if avoid is None else outline.union(avoid)
    shapely.prepare(taken)
    free = shapely.covers(served, places) & ~shapely.intersects(taken, outlines)
    kept = np.flatnonzero(free)[:most]
    return Copies(shifts[kept], places[kept], outlines[kept])


def moved(shape: BaseGeometry, shifts_m: NDArray[np.float64]) -> NDArray[np.object_]:
    """Give a shape once for each shift, moved by it.

    Parameters
    ----------
    shape : shapely geometry
    shifts_m : ndarray of float, shape (n, 2)

    Returns
    -------
    ndarray of shapely geometry, shape (n,)
    """
    same = np.full(len(shifts_m), shape, object)
    at, of = shapely.get_coordinates(same, return_index=True)
    placed: NDArray[np.object_] = shapely.set_coordinates(same.copy(), at + shifts_m[of])
    return placed


def counts(
    places: NDArray[np.object_], xy_m: NDArray[np.float64], step: NDArray[np.int64], steps: int
) -> NDArray[np.int64]:
    """Count what happened in each place and each step of time.

    Parameters
    ----------
    places : ndarray of shapely polygons, shape (n,)
        They may overlap; what lies on an edge is inside.
    xy_m : ndarray of float, shape (m, 2)
    step : ndarray of int, shape (m,)
        When, from 0; what is before or from `steps` upwards is not counted.
    steps : int

    Returns
    -------
    ndarray of int64, shape (n, steps)
    """
    found = np.zeros((len(places), steps), np.int64)
    within = (step >= 0) & (step < steps)
    points = np.asarray(shapely.points(xy_m[within]), dtype=object)
    place, point = shapely.STRtree(points).query(places, predicate="intersects")
    np.add.at(found, (place, step[within][point]), 1)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """The copies that are most like the treated place, the most alike first.

    Attributes
    ----------
    numbers : ndarray of int64
        Of the copies.
    distance : ndarray of float
        How unlike each is, in standard errors (`geo.evaluation.Controls`).
    busier : int
        Of all copies, those that had more reports than the treated place.
    """

    numbers: NDArray[np.int64]
    distance: NDArray[np.float64]
    busier: int


def alike(
    treated: NDArray[np.int64],
    candidates: NDArray[np.int64],
    outlines: NDArray[np.object_],
    *,
    most: int,
) -> Alike:
    """Choose copies that had as many reports as the treated place, and as steep a trend.

    Parameters
    ----------
    treated : ndarray of int, shape (steps,)
        Reports before the action.
    candidates : ndarray of int, shape (n, steps)
        Of the copies.
    outlines : ndarray of shapely geometry, shape (n,)
        Two that meet are not both taken.
    most : int

    Returns
    -------
    Alike
        Fewer than `most` where there is no room for more.
    """
    if not len(candidates):
        return Alike(np.empty(0, np.int64), np.empty(0), 0)
    ranked = matched_controls(
        np.vstack([treated, candidates]),
        np.array([0]),
        np.arange(1, len(candidates) + 1),
        each=len(candidates),
    )
    free = np.ones(len(candidates), np.bool_)
    numbers: list[int] = []
    distance: list[float] = []
    for number, far in zip((ranked.places[0] - 1).tolist(), ranked.distance[0], strict=True):
        if len(numbers) == most:
            break
        if free[number]:
            numbers.append(number)
            distance.append(float(far))
            free &= ~shapely.intersects(outlines[number], outlines)
    busier = int((candidates.sum(axis=1) > treated.sum()).sum())
    return Alike(np.array(numbers, np.int64), np.array(distance), busier)


NOWHERE = -1
"""Of what lies in none of the areas."""


def area_of(areas: Sequence[BaseGeometry], xy_m: NDArray[np.float64]) -> NDArray[np.int64]:
    """Say in which area each point lies; on an edge of two it is in the first.

    Parameters
    ----------
    areas : sequence of shapely geometry
        They may touch; where one is empty nothing lies in it.
    xy_m : ndarray of float, shape (m, 2)

    Returns
    -------
    ndarray of int64, shape (m,)
        Numbers of areas, or `NOWHERE`.
    """
    found = np.full(len(xy_m), NOWHERE, np.int64)
    for number, area in enumerate(areas):
        shapely.prepare(area)
        within = shapely.intersects_xy(area, xy_m[:, 0], xy_m[:, 1])
        found[within & (found == NOWHERE)] = number
    return found
