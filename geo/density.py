"""How dense reports are, smoothed: to look at, never a proof that a place is worse than chance.

Each report is shared among the four nearest nodes of a square lattice, and the lattice is smoothed
with a Gaussian by Fourier transform, where the blur of the sharing is divided out again. So the cost
hardly depends on the number of reports, and away from edges the result is that of summing the kernels
one by one to within 0.2 % of the peak at two nodes to a bandwidth, and 0.05 % at three.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

_REACH = 6
"""Bandwidths beyond which a kernel is nothing."""

_LEAST = 1e-3
"""Share of a kernel that must lie in the area for the edge to be corrected for."""

_FINE = 4
"""Points along a node's square that are asked whether they lie in the area."""


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """Reports per square kilometre.

    Attributes
    ----------
    per_km2 : ndarray of float, shape (rows, columns)
        At the nodes of a lattice, from south to north and west to east; NaN outside the area.
    corner_m : tuple of (float, float)
        Of the first node: metres, in the CRS of the points.
    spacing_m : float
        Between nodes.
    bandwidth_m : float
        Standard deviation of the kernel.
    """

    per_km2: NDArray[np.float64]
    corner_m: tuple[float, float]
    spacing_m: float
    bandwidth_m: float

    @property
    def densest_m(self) -> tuple[float, float]:
        """Give the densest node: metres, in the CRS of the points."""
        row, column = np.unravel_index(np.nanargmax(self.per_km2), self.per_km2.shape)
        east_m, north_m = self.corner_m
        return east_m + self.spacing_m * float(column), north_m + self.spacing_m * float(row)


def density(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    area: BaseGeometry,
    *,
    bandwidth_m: float = 300.0,
    spacing_m: float = 100.0,
) -> Density:
    """Smooth reports with a Gaussian kernel.

    Near the edge of the area part of a kernel falls outside, where no report could come from: the sum is
    divided by the part inside (Diggle 1985, doi:10.2307/2347366), so that an even map stays even.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,)
        Metres, in a projected CRS. Points outside the area are left out.
    area : shapely Polygon or MultiPolygon
        From where reports come, in the same CRS.
    bandwidth_m : float
        The same for all maps that are compared.
    spacing_m : float
        Between the nodes at which the density is given, at most half the bandwidth.

    Returns
    -------
    Density

    Raises
    ------
    ValueError
        Where nodes are too far apart for the bandwidth.
    """
    if spacing_m * 2 > bandwidth_m:
        raise ValueError(
            f"Nodes {spacing_m:g} m apart are too coarse for a bandwidth of {bandwidth_m:g} m. "
            "Put them no more than half of it apart."
        )
    west, south, east, north = area.bounds
    columns, rows = (
        int(np.ceil((high - low) / spacing_m)) + 1 for low, high in ((west, east), (south, north))
    )
    shapely.prepare(area)
    inside = shapely.contains_xy(area, x, y)
    u, v = (x[inside] - west) / spacing_m, (y[inside] - south) / spacing_m
    shape = (rows, columns)
    smooth = _smoothed(_shared(u, v, shape), bandwidth_m / spacing_m)
    share = _smoothed(_part_within(area, (west, south), spacing_m, shape), bandwidth_m / spacing_m)
    east_of, north_of = np.meshgrid(
        west + spacing_m * np.arange(columns), south + spacing_m * np.arange(rows)
    )
    shown = shapely.intersects_xy(area, east_of, north_of) & (share > _LEAST)
    per_node = np.where(shown, smooth, np.nan) / np.where(shown, np.clip(share, _LEAST, 1.0), 1.0)
    return Density(per_node / (spacing_m / 1000) ** 2, (west, south), spacing_m, bandwidth_m)


def _shared(
    u: NDArray[np.float64], v: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Share points out to the four nodes around each, more to the nearer ones."""
    rows, columns = shape
    column, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    east, north = u - column, v - row
    place = row * (columns + 1) + column
    nodes = np.zeros((rows + 1) * (columns + 1))
    for step, weight in (
        (0, (1 - east) * (1 - north)),
        (1, east * (1 - north)),
        (columns + 1, (1 - east) * north),
        (columns + 2, east * north),
    ):
        nodes += np.bincount(place + step, weight, len(nodes))
    return nodes.reshape(rows + 1, columns + 1)[:rows, :columns]


def _part_within(
    area: BaseGeometry, corner_m: tuple[float, float], spacing_m: float, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Say how much of the square around each node lies in the area, by points in it."""
    x, y = np.meshgrid(
        corner_m[0] + spacing_m * np.arange(shape[1]), corner_m[1] + spacing_m * np.arange(shape[0])
    )
    within: NDArray[np.float64] = np.asarray(shapely.contains_xy(area, x, y), np.float64)
    # Only squares that the border runs through are in part within.
    border = shapely.get_coordinates(shapely.segmentize(area.boundary, spacing_m / 2))
    crossed = np.zeros((shape[0] + 2, shape[1] + 2), np.bool_)
    column, row = (np.rint((border - corner_m) / spacing_m).astype(np.int64) + 1).T
    for up, across in product((-1, 0, 1), repeat=2):
        crossed[np.clip(row + up, 0, shape[0] + 1), np.clip(column + across, 0, shape[1] + 1)] = (
            True
        )
    crossed = crossed[1:-1, 1:-1]
    steps = (np.arange(_FINE) - (_FINE - 1) / 2) / _FINE * spacing_m
    fine_x, fine_y = (
        at[crossed][:, None] + shift.ravel()
        for at, shift in zip((x, y), np.meshgrid(steps, steps), strict=True)
    )
    within[crossed] = shapely.contains_xy(area, fine_x, fine_y).mean(axis=1)
    return within


def _smoothed(nodes: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Smooth a lattice with a Gaussian of a bandwidth in nodes, undoing the blur of `_shared`."""
    margin = int(np.ceil(_REACH * bandwidth))
    rows, columns = (side + margin for side in nodes.shape)
    waves = np.fft.rfft2(nodes, (rows, columns))
    for frequency in (np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]):
        waves *= np.exp(-2 * (np.pi * bandwidth * frequency) ** 2) / np.sinc(frequency) ** 2
    return np.maximum(np.fft.irfft2(waves, (rows, columns))[: nodes.shape[0], : nodes.shape[1]], 0)
