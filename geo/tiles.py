"""The square tiles of web maps (Web Mercator): where a tile lies, and the cells that count in it."""

import math
from dataclasses import dataclass

DEEPEST = 22
"""Zoom beyond which no tile is made: a tile of it covers seven metres."""

EXTENT = 4096
"""Units along the side of a vector tile, as Mapbox Vector Tile 2.1 recommends."""

MARGIN = 64
"""Units around a tile whose features belong to it, too, so that no mark is cut at the edge."""

CELLS_BELOW = 14
"""Below this zoom a tile carries counts a cell, from it on every feature."""

CELL_STEPS = 4
"""A tile is counted in cells of this many zooms deeper: 16 by 16 of them."""

COUNTED_LEVELS = (14, 17)
"""First and last level at which reports are tallied, both counted."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile: column x from the west and row y from the north, of 2^z each.

    Raises
    ------
    ValueError
        Where there is no such tile.
    """

    z: int
    x: int
    y: int

    def __post_init__(self) -> None:
        if not 0 <= self.z <= DEEPEST:
            raise ValueError(f"there is no zoom {self.z}; the zooms are 0 to {DEEPEST}")
        if not (0 <= self.x < 1 << self.z and 0 <= self.y < 1 << self.z):
            raise ValueError(f"at zoom {self.z} columns and rows are 0 to {(1 << self.z) - 1}")


def corner(z: int, x: float, y: float) -> tuple[float, float]:
    """Give longitude and latitude of a corner of the grid.

    Parameters
    ----------
    z : int
        Zoom.
    x, y : float
        Column and row from the north-west; a part of a tile is allowed.

    Returns
    -------
    tuple of float
        Degrees on WGS 84, no further than the corners of the grid itself.
    """
    across, down = (min(max(part / (1 << z), 0.0), 1.0) for part in (x, y))
    latitude = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * down))))
    return across * 360 - 180, latitude


def box(tile: Tile, margin: int = MARGIN) -> tuple[float, float, float, float]:
    """Give west, south, east and north of a tile and what lies around it.

    Parameters
    ----------
    tile : Tile
    margin : int
        Units of which a tile has `EXTENT`.

    Returns
    -------
    tuple of float
        Degrees on WGS 84.
    """
    more = margin / EXTENT
    west, north = corner(tile.z, tile.x - more, tile.y - more)
    east, south = corner(tile.z, tile.x + 1 + more, tile.y + 1 + more)
    return west, south, east, north


def level(z: int) -> int:
    """Give the level at which the cells of a tile are tallied.

    Returns
    -------
    int
        The zoom whose tiles are the cells, or the nearest that is kept; where it is deeper than
        the cells are, several of it make one.
    """
    first, last = COUNTED_LEVELS
    return min(max(z + CELL_STEPS, first), last)
