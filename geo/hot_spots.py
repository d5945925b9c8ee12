"""Where reports concentrate more than chance would have it, and how sure that is.

`analyse` is the whole of it. What it does can also be done on parts of a table: `survey` lays out the
cells once, `Survey.counts` is added up over the parts, and `Survey.judge` gives the verdicts. Nothing in
it is drawn at random, so the same reports give the same verdicts, to the last digit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from geo.crs import CITY
from geo.exposure import Exposure
from geo.false_discovery import adjusted
from geo.gi_star import binomial_tails, permutation_tails, z_scores
from geo.grids import NOWHERE, Cells, Grid, Shape, cells_meeting

VERSION = 1
"""Of the method: stored with results, and raised whenever the same reports would be judged anew."""


class Verdict(StrEnum):
    """What can be said of a cell."""

    FIRM = "firm"
    """Hot, however the cells are laid."""

    HOT = "hot"
    """More than chance, after allowing for all cells looked at."""

    DENSE = "dense"
    """Many reports, but with so many cells and so few busy ones around it, chance is not ruled out."""

    ORDINARY = "ordinary"
    """No more than chance."""

    NOT_MEASURED = "not_measured"
    """Nothing here can be reported, so nothing can be said."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Where is looked, and what reports are measured against.

    Attributes
    ----------
    area : shapely Polygon or MultiPolygon
        What is asked about.
    served : shapely Polygon or MultiPolygon, optional
        From where reports can come, if from farther than the area: the whole city around a division.
    exposure : Exposure, optional
        Without it every cell is as likely to be reported from as any other.
    crs : pyproj.CRS
        Of all of them, and of the reports: projected, in metres.
    """

    area: BaseGeometry
    served: BaseGeometry | None = None
    exposure: Exposure | None = None
    crs: CRS = CITY


@dataclass(frozen=True, slots=True)
class Settings:
    """How is looked.

    Attributes
    ----------
    shape : Shape
    width_m : float
        Metres across a cell.
    rings : int
        How many rings of cells around a cell belong to its neighbourhood.
    false_share : float
        Share of the hot cells that may be false alarms, expected.
    dense_p : float
        Below this p-value, not adjusted, a cell that is not hot is called dense.
    other_widths : tuple of float
        Times `width_m`: the other sizes of cells in which a firm hot spot must show.
    shifts : tuple of (float, float)
        In widths, east and north: the other origins with which it must show.
    overlap : float
        Share of a hot cell that hot cells of each other grid must cover for it to be firm.
    """

    shape: Shape = Shape.HEXAGON
    width_m: float = 200.0
    rings: int = 1
    false_share: float = 0.05
    dense_p: float = 0.05
    other_widths: tuple[float, ...] = (1.5,)
    shifts: tuple[tuple[float, float], ...] = ((0.5, 0.5),)
    overlap: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class HotSpots:
    """Verdicts on the cells of the area asked about, the guard ring left out.

    Attributes
    ----------
    cells : Cells
        n of them; every array below has one value for each.
    counts : ndarray of int64
        Reports in the cell.
    lag : ndarray of int64
        Reports in its neighbourhood, the cell included: what the verdict is about.
    expected : ndarray of float
        What chance would put into the neighbourhood; NaN where not measured.
    z : ndarray of float
        Normal z, to compare with other programs; not what the verdict rests on.
    p : ndarray of float
        Exact probability of as many reports or more; NaN where not measured.
    q : ndarray of float
        The same, adjusted for all cells of the map (Benjamini and Hochberg).
    verdict : ndarray of str
        A `Verdict` each.
    spot : ndarray of int64
        Which hot spot the cell belongs to: hot cells that touch are one, numbered from 0, those with
        the most reports first. `NOWHERE` for cells that are not hot.
    holds : ndarray of float, shape (g, n)
        How much of a hot cell the hot cells of each of the other grids cover, from 0 to 1: those of
        `Settings.other_widths`, then of `Settings.shifts`. NaN for cells that are not hot.
    reports : int
        Reports counted, those of the guard ring included.
    left_out : int
        Reports from cells in which nothing can be reported.
    least_p : float
        The smallest p there could have been with these counts.
    settings : Settings
    version : int
        Of the method.
    """

    cells: Cells
    counts: NDArray[np.int64]
    lag: NDArray[np.int64]
    expected: NDArray[np.float64]
    z: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    verdict: NDArray[np.str_]
    spot: NDArray[np.int64]
    holds: NDArray[np.float64]
    reports: int
    left_out: int
    least_p: float
    settings: Settings
    version: int = VERSION

    @property
    def too_few(self) -> bool:
        """Whether no spot could have been found, had all these reports lain as close as can be."""
        tested = int(np.count_nonzero(np.isfinite(self.p)))
        return self.least_p * tested > self.settings.false_share

    @property
    def hot(self) -> NDArray[np.bool_]:
        """Which cells are hot, the firm ones included."""
        return np.asarray(self.spot != NOWHERE)


@dataclass(frozen=True, slots=True, eq=False)
class _Map:
    """One grid's answers, on all of its cells."""

    lag: NDArray[np.int64]
    expected: NDArray[np.float64]
    z: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    hot: NDArray[np.bool_]
    reports: int
    left_out: int
    least_p: float


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Cells laid out over the ground: those that are shown, then the others a firm spot must show in.

    Attributes
    ----------
    cells : tuple of Cells
    exposure : tuple of (ndarray of float or None)
        What can be reported in each, as `cells`.
    settings : Settings
    """

    cells: tuple[Cells, ...]
    exposure: tuple[NDArray[np.float64] | None, ...]
    settings: Settings

    def counts(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], ...]:
        """Count reports in the cells of each grid; counts of parts of the reports add up.

        Parameters
        ----------
        x, y : ndarray of float
            Metres, in the CRS of the ground.

        Returns
        -------
        tuple of ndarray of int64
            As `cells`.
        """
        return tuple(cells.counts(x, y) for cells in self.cells)

    def judge(self, counts: Sequence[NDArray[np.int64]]) -> HotSpots:
        """Give verdicts on counts.

        Parameters
        ----------
        counts : sequence of ndarray of int64
            As `counts` gives them, or sums of such.

        Returns
        -------
        HotSpots
        """
        maps = [
            _judged(cells, exposure, counted, self.settings)
            for cells, exposure, counted in zip(self.cells, self.exposure, counts, strict=True)
        ]
        shown, asked = maps[0], self.cells[0].asked
        verdict = np.full(len(asked), Verdict.ORDINARY, "U12")
        verdict[shown.p <= self.settings.dense_p] = Verdict.DENSE
        verdict[np.isnan(shown.p)] = Verdict.NOT_MEASURED
        verdict[shown.hot] = Verdict.HOT
        holds = self._holds(maps)
        verdict[shown.hot & (holds >= self.settings.overlap).all(axis=0)] = Verdict.FIRM
        return HotSpots(
            cells=self.cells[0].only(asked),
            counts=counts[0][asked],
            lag=shown.lag[asked],
            expected=shown.expected[asked],
            z=shown.z[asked],
            p=shown.p[asked],
            q=shown.q[asked],
            verdict=verdict[asked],
            spot=_spots(self.cells[0], shown.hot, counts[0])[asked],
            holds=holds[:, asked],
            reports=shown.reports,
            left_out=shown.left_out,
            least_p=shown.least_p,
            settings=self.settings,
        )

    def _holds(self, maps: Sequence[_Map]) -> NDArray[np.float64]:
        """Say how much of each hot cell the hot cells of every other grid cover."""
        which = np.flatnonzero(maps[0].hot)
        holds = np.full((len(maps) - 1, len(self.cells[0])), np.nan)
        for nth, (cells, other) in enumerate(zip(self.cells[1:], maps[1:], strict=True)):
            holds[nth, which] = self.cells[0].covered(which, cells.only(other.hot).polygons())
        return holds


def survey(ground: Ground, settings: Settings = Settings()) -> Survey:
    """Lay out cells over the ground.

    Parameters
    ----------
    ground : Ground
    settings : Settings

    Returns
    -------
    Survey

    Raises
    ------
    ValueError
        As `geo.grids.Grid` and `geo.grids.cells_meeting`.
    """
    width = settings.width_m
    grids = [
        Grid(settings.shape, width, crs=ground.crs),
        *(Grid(settings.shape, width * times, crs=ground.crs) for times in settings.other_widths),
        *(
            Grid(settings.shape, width, (east * width, north * width), ground.crs)
            for east, north in settings.shifts
        ),
    ]
    cells = tuple(
        cells_meeting(grid, ground.area, served=ground.served, rings=settings.rings)
        for grid in grids
    )
    exposure = tuple(None if ground.exposure is None else ground.exposure.on(c) for c in cells)
    return Survey(cells, exposure, settings)


def analyse(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    ground: Ground,
    settings: Settings = Settings(),
) -> HotSpots:
    """Find where reports concentrate more than chance would have it.

    Each cell is judged with its neighbours, by the exact chance of as many reports or more if the
    counts were dealt anew to the cells, or, measured against exposure, if every metre of street or
    every household were as likely to be reported as any other. Then all cells of the map are allowed for
    at once. A cell is firm where hot cells of another size, and of a shifted origin, cover it as well.

    Parameters
    ----------
    x, y : ndarray of float
        Metres, in the CRS of the ground: the places of incidents (`geo.incidents`), since reports of
        the same thing are not independent. Those of the period, kinds and hours asked about.
    ground : Ground
    settings : Settings

    Returns
    -------
    HotSpots

    Raises
    ------
    ValueError
        As `survey` and `geo.grids.Cells.find`.

    Notes
    -----
    Not to be used to conclude that more happens at a hot spot: people report at different rates, and
    patrols sent by reports make reports.

    Without exposure the counts of the cells are taken as given, and what is tested is whether high ones
    lie together. So a single corner with many reports is dense, not hot, in cells that hold all of it:
    choose cells no wider than half of the spots that are looked for. Measured against exposure it is hot,
    and so is all of a neighbourhood that merely reports more.

    References
    ----------
    Getis and Ord (1992), doi:10.1111/j.1538-4632.1992.tb00261.x; `geo.gi_star`, `geo.false_discovery`.

    Examples
    --------
    >>> from shapely import box
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.uniform(360_000, 364_000, 100), rng.uniform(4_320_000, 4_324_000, 100)
    >>> x[:30], y[:30] = x[:30] / 20 + 343_900, y[:30] / 20 + 4_106_000
    >>> spots = analyse(x, y, Ground(box(360_000, 4_320_000, 364_000, 4_324_000)))
    >>> int(spots.hot.sum()) > 0
    True
    """
    laid = survey(ground, settings)
    return laid.judge(laid.counts(x, y))


def _judged(
    cells: Cells,
    exposure: NDArray[np.float64] | None,
    counts: NDArray[np.int64],
    settings: Settings,
) -> _Map:
    """Judge each cell of one grid; guard cells get no verdict."""
    open_ = np.ones(len(cells), np.bool_) if exposure is None else exposure > 0
    counted = np.where(open_, counts, 0)
    total = int(counted.sum())
    lag = cells.around(counted, settings.rings)
    if exposure is None:
        size = cells.around(np.ones_like(counted), settings.rings)
        share = size / max(len(cells), 1)
        tails, z = permutation_tails(lag, size, counted), z_scores(lag, size, counted)
    else:
        near = cells.around(exposure, settings.rings)
        share = np.where(open_, near / (exposure.sum() or 1.0), np.nan)
        tails = binomial_tails(lag, share, total)
        spread = np.sqrt(total * share * (1 - share))
        z = (lag - total * share) / np.where(spread > 0, spread, np.nan)
    p = np.where(cells.asked & open_, tails.upper, np.nan)
    q = adjusted(p)
    return _Map(
        lag=lag,
        expected=np.where(open_, total * share, np.nan),
        z=z,
        p=p,
        q=q,
        hot=q <= settings.false_share,
        reports=total,
        left_out=int(counts.sum()) - total,
        least_p=tails.least,
    )


def _spots(cells: Cells, hot: NDArray[np.bool_], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give a number to each group of hot cells that touch, those with the most reports first."""
    from scipy.sparse import coo_array  # noqa: PLC0415 (34 MiB that a web server need not hold)
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 (as above)

    spot = np.full(len(cells), NOWHERE, np.int64)
    which = np.flatnonzero(hot)
    one, other = cells.only(hot).touching()
    groups, group = connected_components(
        coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(len(which), len(which))),
        directed=False,
    )
    reports = np.bincount(group, counts[which], groups)
    rank = np.empty(groups, np.int64)
    rank[np.argsort(-reports, kind="stable")] = np.arange(groups)
    spot[which] = rank[group]
    return spot
