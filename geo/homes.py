"""Where homes are, and regions of the city in which they hide among one another.

A region is a square cell, or several, and holds at least `ENOUGH` homes. The city is cut as a quadtree
is, from squares of 3.2 km down to cells of 200 m, as far as each part keeps enough homes: quarters with
too few (or none) make one region together, and where even they hold too few, they join a part of the
quarter beside them. So every home is in exactly one region, and whoever knows where all homes are
learns no more from a region than "one of these": k-anonymity of place with k = `ENOUGH` (Sweeney 2002,
doi:10.1142/S0218488502001648; cut as by Gruteser and Grunwald 2003, doi:10.1145/1066116.1189037, without
leaving a rest).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELL_M = 200.0
"""Metres along the side of the smallest cell; cells begin at multiples of it in the city's metres."""

ENOUGH = 8
"""Homes that a region holds at least."""

_LEVELS = 4
"""Times that the largest square, of 3.2 km, may be cut in four."""

_Square = tuple[int, int, int]
"""Level (0 for the smallest cells), and column and row among the squares of that level."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Squares of the city within which homes can not be told apart.

    Attributes
    ----------
    squares : tuple of (int, int, int)
        Level, column and row: a square's side is `CELL_M` times two to the level, in metres.
    cells : ndarray of int, shape (n, 2)
        The cells of `CELL_M` in it that hold homes, in order; all of its cells where none does.
    share : ndarray of float, shape (n,)
        The part of its homes that lie in each of the cells or one before, up to 1.
    homes : int
        Below `ENOUGH` only where a largest square holds so few.
    """

    squares: tuple[_Square, ...]
    cells: NDArray[np.int64]
    share: NDArray[np.float64]
    homes: int


class Homes:
    """The homes of a city, counted in cells, and the regions they make.

    Parameters
    ----------
    cells : ndarray of int, shape (n, 2)
        Column and row of each cell that holds homes: the city's metres, divided by `CELL_M` and
        rounded down. Each cell once.
    counts : ndarray of int, shape (n,)
        Homes in each. Where there are none at all, nothing is known of homes, and every cell is a
        region of its own.
    """

    def __init__(self, cells: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        self._counts: list[Counter[tuple[int, int]]] = [Counter() for _ in range(_LEVELS + 1)]
        for (column, row), count in zip(cells.tolist(), counts.tolist(), strict=True):
            for level, counted in enumerate(self._counts):
                counted[column >> level, row >> level] += count
        self._region_of: dict[_Square, Region] = {}
        for column, row in self._counts[_LEVELS]:
            self._cut((_LEVELS, column, row))

    @property
    def known(self) -> bool:
        """Whether anything is known of homes."""
        return bool(self._counts[0])

    def region(self, column: int, row: int) -> Region:
        """Give the region of a cell.

        Parameters
        ----------
        column, row : int
            As of `Homes`.

        Returns
        -------
        Region
            With fewer homes than `ENOUGH` where the city has so few around, or where nothing is
            known of homes.
        """
        for level in range(_LEVELS + 1):
            found = self._region_of.get((level, column >> level, row >> level))
            if found is not None:
                return found
        level = _LEVELS if self.known else 0
        return self._made(((level, column >> level, row >> level),))

    def _cut(self, square: _Square, beside: tuple[_Square, ...] = ()) -> None:
        """Cut a square into regions; what lies beside it joins one of them."""
        level, column, row = square
        if level == 0 or self._in(square, *beside) < 2 * ENOUGH:
            self._keep((square, *beside))
            return
        quarters = [
            (level - 1, 2 * column + east, 2 * row + north) for north in (0, 1) for east in (0, 1)
        ]
        alone = [quarter for quarter in quarters if self._in(quarter) >= ENOUGH]
        if not alone:
            self._keep((square, *beside))
            return
        rest = (*(quarter for quarter in quarters if quarter not in alone), *beside)
        if self._in(*rest) >= ENOUGH:
            self._keep(rest)
        elif rest:
            fewest = min(alone, key=self._in)
            alone.remove(fewest)
            self._cut(fewest, rest)
        for quarter in alone:
            self._cut(quarter)

    def _in(self, *squares: _Square) -> int:
        return sum(self._counts[level][column, row] for level, column, row in squares)

    def _keep(self, squares: tuple[_Square, ...]) -> None:
        region = self._made(squares)
        for square in squares:
            self._region_of[square] = region

    def _made(self, squares: tuple[_Square, ...]) -> Region:
        inside = [cell for square in squares for cell in _cells_in(square)]
        held = [cell for cell in inside if self._counts[0][cell]] or inside
        passed = np.cumsum([self._counts[0][cell] or 1.0 for cell in held])
        return Region(squares, np.array(held), passed / passed[-1], self._in(*squares))


def _cells_in(square: _Square) -> Iterator[tuple[int, int]]:
    level, column, row = square
    for north in range(row << level, (row + 1) << level):
        for east in range(column << level, (column + 1) << level):
            yield east, north


def cells_of(x_m: NDArray[np.float64], y_m: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the cells of places.

    Parameters
    ----------
    x_m, y_m : ndarray of float, shape (n,)
        The city's metres.

    Returns
    -------
    ndarray of int, shape (n, 2)
        Column and row.
    """
    return np.floor(np.column_stack([x_m, y_m]) / CELL_M).astype(np.int64)


def homes_at(x_m: NDArray[np.float64], y_m: NDArray[np.float64]) -> Homes:
    """Count homes by their places.

    Parameters
    ----------
    x_m, y_m : ndarray of float, shape (n,)
        The city's metres; one place for each home.

    Returns
    -------
    Homes
    """
    cells, counts = np.unique(cells_of(x_m, y_m), axis=0, return_counts=True)
    return Homes(cells, counts)


UNKNOWN = Homes(np.empty((0, 2), np.int64), np.empty(0, np.int64))
"""Where nothing is known of homes: every cell of 200 m is a region."""
