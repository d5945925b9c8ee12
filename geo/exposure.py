"""How much there is in each cell that could be reported: metres of street, or households."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.grids import Cells


class Exposure(Protocol):
    """What reports are measured against."""

    def on(self, cells: Cells) -> NDArray[np.float64]:
        """Give the amount in each cell, 0 where there is none, shape (n,)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Streets:
    """Metres of street.

    Attributes
    ----------
    lines : sequence of shapely lines
        In the CRS of the grid, each stretch once. Edges of blocks stand in well where streets are not
        to be had: `geo.grids.edges` gives them.
    """

    lines: Sequence[BaseGeometry] | NDArray[np.object_]

    def on(self, cells: Cells) -> NDArray[np.float64]:
        """Measure the streets in each cell, cut exactly at its edges."""
        return cells.street_m(self.lines)


@dataclass(frozen=True, slots=True, eq=False)
class Households:
    """Households, spread evenly over each block or tract.

    Attributes
    ----------
    blocks : sequence of shapely polygons
        In the CRS of the grid.
    households : sequence of float
        Of each block.
    """

    blocks: Sequence[BaseGeometry] | NDArray[np.object_]
    households: Sequence[float] | NDArray[np.generic]

    def on(self, cells: Cells) -> NDArray[np.float64]:
        """Share the households of each block out to cells by area."""
        return cells.shared_out(self.blocks, self.households)


@dataclass(frozen=True, slots=True, eq=False)
class Homes:
    """Homes, each at its place.

    Attributes
    ----------
    x, y : ndarray of float
        Metres, in the CRS of the grid.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def on(self, cells: Cells) -> NDArray[np.float64]:
        """Count the homes in each cell."""
        return cells.counts(self.x, self.y).astype(np.float64)
