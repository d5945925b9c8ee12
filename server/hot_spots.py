"""An analysis of hot spots: what is asked, how it is answered, at once or by a job, and read again.

What everybody may read is another answer than what those see who work with it: it stands on published
places alone, at one size of cell, over whole months, and holds no cell with few incidents
(docs/adr/0016).
"""

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data import database
from data.queries import hot_spots
from data.queries.hot_spots import Answer, Places, Source
from geo import false_discovery
from geo.categories import CATEGORIES
from geo.crs import to_stored
from geo.density import Density, density
from geo.emerging import Change, emerging
from geo.exposure import Exposure, Streets
from geo.grids import NOWHERE, Cells, Grid, Shape
from geo.hot_spots import VERSION, Ground, HotSpots, Survey, Verdict, survey
from geo.hot_spots import Settings as Look
from geo.incidents import Incidents, incidents
from geo.kinds import Kind
from geo.sun import is_dark
from geo.suppression import publishable
from server import hot_spot_patterns
from server.settings import Settings

logger = logging.getLogger(__name__)

METHOD = VERSION * 100 + 7
"""Version of the statistics, and of what is done around them."""

LIGHT = 20_000
"""Rows up to which an analysis is done at once: measured, it takes half a second."""

LEAST_PUBLISHED = 5
"""Incidents in a cell below which everybody is told nothing of it, and by which counts are rounded."""

PUBLIC_WIDTH_M = 400
WIDTHS_M = (150, 200, 300, 400, 600)

AROUND_WATCH_M = 800.0
"""A block watch is compared with what lies within half a mile of it."""

_LOOK_S = 600
"""How often it is looked whether a moment is asked for: dusk shifts daily, so what is missed evens out."""

SAME_DAYS = 7.0
"""Days within which reports of one category close to each other are of the same incident."""

_SAME_POLICE_M, _SAME_POLICE_DAYS = 5.0, 1 / 24
"""The police write a row for each person: those of one hour and one place are one incident."""

HELD_AGAINST = ("wider", "shifted")
"""What a firm hot spot must hold against, in the order of `HotSpots.holds`: a name for each grid."""

_NODES_M, _FEWEST_NODES = 100.0, 8
"""How far apart the nodes of a density are at most, and how many there are across a small area."""

LISTED_SPOTS, LISTED_DENSE = 25, 10
_FEWEST_STEPS, _MOST_STEPS, _STEP_DAYS = 4, 24, 30.4
_RIGHTS_CHANGED = "the rights of whoever asked have changed"
_VERDICTS, _CHANGES = tuple(Verdict), tuple(Change)
_RANKS = {Verdict.FIRM: 0, Verdict.HOT: 1, Verdict.DENSE: 2}


class Light(StrEnum):
    """Whether the sun was below civil twilight at that place and date."""

    ANY = ""
    DARK = "dark"
    DAY = "day"


class Measure(StrEnum):
    """What incidents are measured against."""

    CELL = ""
    """Every cell is as likely as any other."""

    STREET = "street"
    """The length of its streets."""

    HOME = "home"
    """The number of its homes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the same for everybody who asks it.

    Attributes
    ----------
    source : Source
    since, until : date
        When it happened; local dates, both inclusive.
    then_since, then_until : date or None
        An earlier period to compare with.
    light : Light
    weekdays : tuple of int
        Local days of the week, 0 for Monday; empty for all.
    categories : tuple of str
        Codes; empty for all. Police incidents have none.
    area_ids : tuple of int
        Where, and the whole city without.
    watch_id : int or None
    width_m : int
    shape : Shape
        Of a cell.
    measure : Measure
    published : bool
        Whether the answer is for everybody.
    """

    source: Source
    since: date
    until: date
    then_since: date | None = None
    then_until: date | None = None
    light: Light = Light.ANY
    weekdays: tuple[int, ...] = ()
    categories: tuple[str, ...] = ()
    area_ids: tuple[int, ...] = ()
    watch_id: int | None = None
    width_m: int = 200
    shape: Shape = Shape.HEXAGON
    measure: Measure = Measure.CELL
    published: bool = False

    @property
    def days(self) -> int:
        """How long the period is."""
        return (self.until - self.since).days + 1

    @property
    def then(self) -> tuple[date, date] | None:
        """The period to compare with."""
        if self.then_since is None or self.then_until is None:
            return None
        return self.then_since, self.then_until

    def written(self) -> dict[str, Any]:
        """Give it as JSON, by which the answer is found again."""
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in asdict(self).items()
        }


def read(written: Mapping[str, Any]) -> Asked:
    """Read a question as `Asked.written` gives it."""
    days = {
        name: date.fromisoformat(written[name]) if written[name] else None
        for name in ("since", "until", "then_since", "then_until")
    }
    lists = {name: tuple(written[name]) for name in ("weekdays", "categories", "area_ids")}
    kinds = {
        "source": Source(written["source"]),
        "light": Light(written["light"]),
        "shape": Shape(written["shape"]),
        "measure": Measure(written["measure"]),
    }
    return Asked(**{**written, **days, **lists, **kinds})


class NothingToMeasureBy(ValueError):  # noqa: N818 (it is the name of what happened)
    """No streets, or no homes, have been imported."""


class NoGround(ValueError):  # noqa: N818 (it is the name of what happened)
    """There is no city, no such area or no such block watch."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What was found, a value for each of n cells. Cells of an answer for everybody are those published.

    Attributes
    ----------
    cells : Cells
    counts, reports : ndarray of int64
        Incidents, and the reports they were told by. For everybody: incidents only, rounded down.
    lag, expected, z, p, q : ndarray
        As `geo.hot_spots.HotSpots`. Zeros and NaN for everybody.
    verdict, change : ndarray of str
        A `Verdict` and a `Change` each.
    spot : ndarray of int64
    holds : ndarray of float, shape (g, n)
        As `geo.hot_spots.HotSpots`, for each of `HELD_AGAINST`. Without rows for everybody.
    dark : ndarray of int64
        Incidents in the dark.
    one_point : ndarray of int64
        Incidents at the point of the cell that has the most: an address that stands for others, perhaps.
    months : ndarray of int64, shape (T, n)
        Incidents in each calendar month of the period.
    then_counts : ndarray of int64
        Incidents of the period to compare with.
    then_hot : ndarray of bool
    then_q : ndarray of float
        Of the difference of both, of the neighbourhoods, adjusted; NaN without a second period.
    smooth : Density or None
        Of the incidents, smoothed. None for everybody, and in parts of a table.
    found : mapping
        Sums, as `Answer.found`.
    """

    cells: Cells
    counts: NDArray[np.int64]
    reports: NDArray[np.int64]
    lag: NDArray[np.int64]
    expected: NDArray[np.float64]
    z: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    verdict: NDArray[np.str_]
    change: NDArray[np.str_]
    spot: NDArray[np.int64]
    holds: NDArray[np.float64]
    dark: NDArray[np.int64]
    one_point: NDArray[np.int64]
    months: NDArray[np.int64]
    then_counts: NDArray[np.int64]
    then_hot: NDArray[np.bool_]
    then_q: NDArray[np.float64]
    smooth: Density | None
    found: Mapping[str, Any]

    @property
    def lonlat(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the middles of the cells in degrees on WGS 84."""
        x, y = self.cells.grid.centres(self.cells.q, self.cells.r)
        lon, lat = to_stored().transform(x, y)
        return np.asarray(lon), np.asarray(lat)

    def number(self, q: int, r: int) -> int | None:
        """Give the place of a cell among these, by its name."""
        at = np.flatnonzero((self.cells.q == q) & (self.cells.r == r))
        return int(at[0]) if len(at) else None

    def ranked(self) -> NDArray[np.int64]:
        """Give the cells that stand out: firm, hot, dense; the likeliest of each first."""
        rank = np.array([_RANKS.get(Verdict(one), 9) for one in self.verdict], np.int64)
        order = np.lexsort((-self.counts, np.nan_to_num(self.p, nan=1.0), self.spot, rank))
        return order[rank[order] < 9]


def _local_hours(at_s: NDArray[np.float64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Give the hours since 1970 on the city's clocks."""
    if not len(at_s):
        return np.empty(0, np.int64)
    hours = np.floor(at_s / 3600).astype(np.int64)
    first = int(hours.min())
    seen = np.flatnonzero(np.bincount(hours - first))
    offsets_s = np.zeros(seen[-1] + 1)
    offsets_s[seen] = [
        (datetime.fromtimestamp(hour * 3600, zone).utcoffset() or timedelta()).total_seconds()
        for hour in (seen + first).tolist()
    ]
    return np.floor((at_s + offsets_s[hours - first]) / 3600).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Happened:
    """Incidents that count: x and y in the city's metres, and what is asked of each."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    at_s: NDArray[np.float64]
    month: NDArray[np.int64]
    dark: NDArray[np.bool_]
    code: NDArray[np.int32]
    reports: NDArray[np.int64]

    def only(self, kept: NDArray[np.bool_]) -> "Happened":
        """Give those that are marked."""
        return Happened(
            self.x[kept],
            self.y[kept],
            self.at_s[kept],
            self.month[kept],
            self.dark[kept],
            self.code[kept],
            self.reports[kept],
        )


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Give the moment at which a day of the city begins."""
    return datetime.combine(day, time(), zone)


def spell(period: tuple[date, date], zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Give from when to before when reports are read: some are of incidents that began before."""
    start, end = start_of(period[0], zone), start_of(period[1] + timedelta(days=1), zone)
    return start - timedelta(days=SAME_DAYS), end


def codes_of(asked: Asked) -> tuple[str, ...]:
    """Give the categories that are read, in the order in which they are numbered from 1."""
    if asked.categories and not asked.published:
        return asked.categories
    return tuple(category.code for category in CATEGORIES)


def sameness(source: Source, codes: Sequence[str]) -> tuple[dict[str, float] | float, float]:
    """Give within how many metres, for the number of each code, and days it is one incident."""
    if source is not Source.REPORTS:
        return _SAME_POLICE_M, _SAME_POLICE_DAYS
    radii = {category.code: float(category.duplicate_radius_m) for category in CATEGORIES}
    return {str(number): radii[code] for number, code in enumerate(codes, 1)}, SAME_DAYS


def grouped(found: Places, source: Source, codes: Sequence[str]) -> Incidents:
    """Make incidents of reports, or of the rows that the police write.

    Parameters
    ----------
    found : Places
    source : Source
    codes : sequence of str
        Those that the codes of the places count.
    """
    radius_m, window_days = sameness(source, codes)
    return incidents(
        found.xy_m, found.at_s / 86_400, found.code, radius_m=radius_m, window_days=window_days
    )


def _utc(at_s: NDArray[np.float64]) -> NDArray[np.datetime64]:
    return (at_s * 1e6).astype("datetime64[us]")


def _fits(asked: Asked, local: NDArray[np.int64], dark: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which moments are of the light and the days of the week that are asked for."""
    kept = np.ones(len(local), np.bool_)
    if asked.light is not Light.ANY:
        kept &= dark if asked.light is Light.DARK else ~dark
    if asked.weekdays:
        kept &= np.isin((local // 24 + 3) % 7, asked.weekdays)  # 1970 began on a Thursday
    return kept


def exposed_days(
    asked: Asked, period: tuple[date, date], at: tuple[float, float], zone: ZoneInfo
) -> float:
    """Give how many days of a period are of the light and the days of the week that are asked for.

    Parameters
    ----------
    asked : Asked
    period : tuple of (date, date)
        Local dates, both inclusive.
    at : tuple of (float, float)
        Longitude and latitude by which the sun is taken.
    zone : ZoneInfo
        The city's.

    Returns
    -------
    float
    """
    first, last = period
    if asked.light is Light.ANY:
        every = (last - first).days + 1
        if not asked.weekdays:
            return every
        return sum((first + timedelta(days=n)).weekday() in asked.weekdays for n in range(every))
    start, end = start_of(first, zone), start_of(last + timedelta(days=1), zone)
    at_s = np.arange(start.timestamp(), end.timestamp(), _LOOK_S)
    dark = is_dark(_utc(at_s), *(np.array([degrees]) for degrees in at))
    return np.count_nonzero(_fits(asked, _local_hours(at_s, zone), dark)) * _LOOK_S / 86_400


def that_count(
    asked: Asked,
    period: tuple[date, date],
    first: Places,
    reports: NDArray[np.int64],
    zone: ZoneInfo,
) -> Happened:
    """Choose the incidents that count: one that began before the period is not in it.

    Parameters
    ----------
    asked : Asked
    period : tuple of (date, date)
        Local dates, both inclusive.
    first : Places
        The first report of each incident.
    reports : ndarray of int64
        How many each has.
    zone : ZoneInfo
        The city's.

    Returns
    -------
    Happened
    """
    local = _local_hours(first.at_s, zone)
    dark = is_dark(_utc(first.at_s), first.lon, first.lat)
    kept = _fits(asked, local, dark) & (first.at_s >= start_of(period[0], zone).timestamp())
    return Happened(
        x=first.xy_m[:, 0],
        y=first.xy_m[:, 1],
        at_s=first.at_s,
        month=(local * 3600).astype("datetime64[s]").astype("datetime64[M]").astype(np.int64),
        dark=dark,
        code=first.code,
        reports=reports,
    ).only(kept)


def read_happened(
    session: Session, asked: Asked, period: tuple[date, date], ground: Ground, zone: ZoneInfo
) -> Happened:
    """Read what happened, and make incidents of it.

    Parameters
    ----------
    session : Session
    asked : Asked
    period : tuple of (date, date)
        Local dates, both inclusive.
    ground : Ground
        As `ground_of` gives it.
    zone : ZoneInfo
        The city's.

    Returns
    -------
    Happened
    """
    codes = codes_of(asked)
    found = hot_spots.places(
        session,
        asked.source,
        spell(period, zone),
        codes,
        read_in(asked, ground),
    )
    of_one = grouped(found, asked.source, codes)
    first = of_one.first
    of_each = Places(
        found.lon[first], found.lat[first], found.xy_m[first], found.at_s[first], found.code[first]
    )
    return that_count(asked, period, of_each, of_one.reports, zone)


def _box(area: BaseGeometry, margin_m: float) -> tuple[float, float, float, float]:
    """Give the degrees that hold an area of the city's metres, with a margin."""
    west, south, east, north = area.bounds
    return to_stored().transform_bounds(
        west - margin_m, south - margin_m, east + margin_m, north + margin_m
    )


def read_in(asked: Asked, ground: Ground) -> tuple[float, float, float, float] | None:
    """Give the degrees in which reports are read; None for everywhere, where all the city is asked."""
    if not asked.area_ids and asked.watch_id is None:
        return None
    return _box(ground.area, 4 * asked.width_m)


def ground_of(session: Session, asked: Asked) -> Ground:
    """Give where a question looks, and what it measures against.

    Raises
    ------
    NoGround, NothingToMeasureBy
    """
    served = hot_spots.area(session, (), None)
    area = hot_spots.area(session, asked.area_ids, asked.watch_id)
    if served is None or area is None:
        raise NoGround
    compared = area if asked.watch_id is None else area.buffer(AROUND_WATCH_M)
    return Ground(
        area=compared,
        served=served.union(area),
        exposure=_exposure(session, asked, _box(compared, 4 * asked.width_m)),
    )


def answer(
    session: Session,
    asked: Asked,
    zone: ZoneInfo,
    tell: Callable[[int], None] = lambda percent: None,
) -> Answer:
    """Answer a question with what the visitor of the session may see.

    Parameters
    ----------
    session : Session
    asked : Asked
    zone : ZoneInfo
        The city's.
    tell : callable
        Is told how far it has come, in percent.

    Returns
    -------
    Answer

    Raises
    ------
    NoGround, NothingToMeasureBy
    """
    read_at = datetime.now(UTC)
    ground = ground_of(session, asked)
    tell(10)
    counting = read_happened(session, asked, (asked.since, asked.until), ground, zone)
    tell(40)
    laid = survey(ground, Look(asked.shape, float(asked.width_m)))
    sight = _seen(asked, laid, counting, zone)
    tell(65)
    if asked.then is not None:
        before = read_happened(session, asked, asked.then, ground, zone)
        middle = ground.area.centroid
        at = to_stored().transform(middle.x, middle.y)
        now, then = (
            exposed_days(asked, period, at, zone)
            for period in ((asked.since, asked.until), asked.then)
        )
        # Without any such day nothing is counted, so that no share is held against anything.
        sight = _compared(laid, sight, before, now / (now + then) if now else 0.0)
    area = ground.area
    if asked.watch_id is not None:
        watched = hot_spots.area(session, (), asked.watch_id)
        assert watched is not None
        area = watched
        sight = _within(sight, shapely.intersects(sight.cells.polygons(), area))
    if not asked.published:
        sight = _with(sight, smooth=_smoothed(counting, area))
    tell(75)
    patterns: dict[str, Any] = {}
    if not asked.published:
        patterns = hot_spot_patterns.found(
            sight.cells,
            (counting.x, counting.y, counting.at_s),
            (start_of(asked.since, zone), start_of(asked.until + timedelta(days=1), zone)),
        )
    tell(95)
    listed = _listed(sight, sight.ranked())
    next_ = [
        sight.number(*map(int, name.split(".")))
        for name in (patterns.get("where_next") or {"cells": []})["cells"]
    ]
    lon, lat = sight.lonlat
    places = [(float(lon[one]), float(lat[one])) for one in (*listed, *next_)]
    if sight.smooth is not None:
        places.append(to_stored().transform(*sight.smooth.densest_m))
    names = hot_spots.named_places(session, places)
    found = {
        **sight.found,
        **patterns,
        "listed": [
            {"cell": int(one), "name": name}
            for one, name in zip(listed, names[: len(listed)], strict=True)
        ],
        "next_names": names[len(listed) : len(listed) + len(next_)],
        "densest": names[-1] if sight.smooth is not None else "",
    }
    return Answer(read_at, found, _packed(sight))


def _smoothed(happened: Happened, area: BaseGeometry) -> Density | None:
    """Smooth incidents; None where the area is too small to hold a node."""
    west, south, east, north = area.bounds
    apart_m = min(_NODES_M, min(east - west, north - south) / _FEWEST_NODES)
    found = density(happened.x, happened.y, area, spacing_m=apart_m)
    return found if np.isfinite(found.per_km2).any() else None


def _exposure(
    session: Session, asked: Asked, box: tuple[float, float, float, float]
) -> Exposure | None:
    """Give what incidents are measured against.

    Raises
    ------
    NothingToMeasureBy
    """
    exposure: Exposure | None = None
    if asked.measure is Measure.STREET:
        lines = hot_spots.streets(session, box)
        exposure = Streets(lines) if lines else None
    elif asked.measure is Measure.HOME:
        exposure = hot_spots.homes(session, box)
    if exposure is None and asked.measure is not Measure.CELL:
        raise NothingToMeasureBy(asked.measure)
    return exposure


def _listed(sight: Sight, ranked: NDArray[np.int64]) -> list[int]:
    """Choose what the list shows: of each hot spot its middle, then dense cells that are busy."""
    middle: dict[int, int] = {}
    for one in ranked.tolist():
        spot = int(sight.spot[one])
        best = middle.setdefault(spot, one)
        if (sight.counts[one] > 0, sight.lag[one]) > (sight.counts[best] > 0, sight.lag[best]):
            middle[spot] = one
    middle.pop(NOWHERE, None)
    dense = ranked[(sight.spot[ranked] == NOWHERE) & (sight.counts[ranked] > 1)]
    spots = [middle[spot] for spot in sorted(middle)]
    return [*spots[:LISTED_SPOTS], *dense[:LISTED_DENSE].tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Incidents counted in n cells, the guard ring included: tallies of parts add up to that of all.

    Attributes
    ----------
    grids : tuple of ndarray of int64
        Of each grid of a survey, as `Survey.counts` gives them.
    months : ndarray of int64, shape (T, n)
        Of each calendar month of the period, in the first grid, as all that follows.
    steps : ndarray of int64, shape (S, n)
        Of steps of about a month, all of one length; none where the period is short.
    dark : ndarray of int64
        Those in the dark.
    reports : ndarray of int64
        Reports they were told by.
    """

    grids: tuple[NDArray[np.int64], ...]
    months: NDArray[np.int64]
    steps: NDArray[np.int64]
    dark: NDArray[np.int64]
    reports: NDArray[np.int64]

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            tuple(one + more for one, more in zip(self.grids, other.grids, strict=True)),
            self.months + other.months,
            self.steps + other.steps,
            self.dark + other.dark,
            self.reports + other.reports,
        )


def tally(asked: Asked, laid: Survey, happened: Happened, zone: ZoneInfo) -> Tally:
    """Count incidents.

    Parameters
    ----------
    asked : Asked
    laid : Survey
    happened : Happened
        All that count, or a part of them.
    zone : ZoneInfo
        The city's.

    Returns
    -------
    Tally
    """
    n = len(laid.cells[0])
    where = laid.cells[0].find(happened.x, happened.y)
    inside = where != NOWHERE
    where, which = where[inside], happened.only(inside)

    def counted(part: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
        return np.bincount(part * n + where, minlength=parts * n).reshape(parts, n)

    months, steps = _months(asked), _steps(asked)
    return Tally(
        grids=laid.counts(happened.x, happened.y),
        months=counted(which.month - months.start, len(months)),
        steps=counted(_step(asked, which.at_s, zone), steps)
        if steps
        else np.empty((0, n), np.int64),
        dark=np.bincount(where[which.dark], minlength=n),
        reports=np.bincount(where, which.reports, n).astype(np.int64),
    )


def judged(asked: Asked, laid: Survey, counted: Tally) -> Sight:
    """Say what a tally of all incidents tells; what is at one point it can not tell.

    Parameters
    ----------
    asked : Asked
    laid : Survey
    counted : Tally

    Returns
    -------
    Sight
        With zeros for `one_point`.
    """
    kept = laid.cells[0].asked
    spots = laid.judge(counted.grids)
    n = len(spots.cells)
    change = np.full(n, Change.NONE, "U12")
    if len(counted.steps) and not spots.too_few:
        share = laid.settings.false_share
        change = emerging(laid.cells[0], counted.steps, false_share=share).change.astype("U12")
    months, reports = counted.months[:, kept], counted.reports[kept]
    return Sight(
        cells=spots.cells,
        counts=spots.counts,
        reports=reports,
        lag=spots.lag,
        expected=spots.expected,
        z=spots.z,
        p=spots.p,
        q=spots.q,
        verdict=spots.verdict,
        change=change,
        spot=spots.spot,
        holds=spots.holds,
        dark=counted.dark[kept],
        one_point=np.zeros(n, np.int64),
        months=months,
        then_counts=np.zeros(n, np.int64),
        then_hot=np.zeros(n, np.bool_),
        then_q=np.full(n, np.nan),
        smooth=None,
        found=_sums(asked, spots, months, reports),
    )


def _seen(asked: Asked, laid: Survey, happened: Happened, zone: ZoneInfo) -> Sight:
    cells = laid.cells[0]
    kind_of = np.array([[*Kind].index(category.kind) for category in CATEGORIES])
    chosen = happened
    kinds = None
    if asked.published and asked.source is Source.REPORTS:
        kinds = np.stack(
            [
                cells.counts(happened.x[mine], happened.y[mine])[cells.asked]
                for number in range(len(Kind))
                for mine in [kind_of[happened.code - 1] == number]
            ]
        )
        if asked.categories:
            numbers = [
                number
                for number, category in enumerate(CATEGORIES, 1)
                if category.code in asked.categories
            ]
            chosen = happened.only(np.isin(happened.code, numbers))
    sight = judged(asked, laid, tally(asked, laid, chosen, zone))
    at_one_point = _at_one_point(cells.find(chosen.x, chosen.y), chosen, len(cells))
    sight = _with(sight, one_point=at_one_point[cells.asked])
    return _published(asked, sight, kinds) if asked.published else sight


def _at_one_point(where: NDArray[np.int64], happened: Happened, cells: int) -> NDArray[np.int64]:
    """Count for each cell the incidents at its busiest point, to the decimetre."""
    inside = where != NOWHERE
    east, north = (
        np.rint(10 * metres[inside]).astype(np.int64) for metres in (happened.x, happened.y)
    )
    _points, first, counts = np.unique((east << 32) + north, return_index=True, return_counts=True)
    most = np.zeros(cells, np.int64)
    np.maximum.at(most, where[inside][first], counts)
    return most


def _sums(
    asked: Asked, spots: HotSpots, series: NDArray[np.int64], reports: NDArray[np.int64]
) -> dict[str, Any]:
    first = _months(asked)[0]
    return {
        "incidents": int(spots.counts.sum()),
        "reports": int(reports.sum()),
        "cells": len(spots.cells),
        "too_few": bool(spots.too_few),
        "spots": int(spots.spot.max(initial=NOWHERE)) + 1,
        "least_p": float(spots.least_p),
        "left_out": int(spots.left_out),
        "not_measured": int(np.count_nonzero(spots.verdict == Verdict.NOT_MEASURED)),
        "first_month": str(np.datetime64(int(first), "M")),
        "months": series.sum(axis=1).tolist(),
        "suppressed": 0,
    }


def _months(asked: Asked) -> range:
    """Give the calendar months of the period, since January 1970."""
    first, last = (12 * (day.year - 1970) + day.month - 1 for day in (asked.since, asked.until))
    return range(first, last + 1)


def _steps(asked: Asked) -> int:
    """Give the number of steps in which change is looked for: about a month each, or none."""
    steps = min(round(asked.days / _STEP_DAYS), _MOST_STEPS)
    return 0 if asked.published or steps < _FEWEST_STEPS else steps


def _step(asked: Asked, at_s: NDArray[np.float64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Give the step of each moment; all are of the same length."""
    start = start_of(asked.since, zone).timestamp()
    length = (start_of(asked.until + timedelta(days=1), zone).timestamp() - start) / (
        _steps(asked) or 1
    )
    return np.floor((at_s - start) / length).astype(np.int64)


def _compared(laid: Survey, sight: Sight, before: Happened, share: float) -> Sight:
    """Set what is found beside an earlier period.

    If nothing had changed, the reports of both periods in a neighbourhood would be shared out by the
    lengths of the periods, of which the later has a share: a binomial test, two-sided, adjusted for
    all cells. Only days of the week and hours of light that are counted make up those lengths.
    """
    from scipy.stats import binom  # noqa: PLC0415 (26 MiB that a web server need not hold)

    then = laid.judge(laid.counts(before.x, before.y))
    both = sight.lag + then.lag
    lower, upper = binom.cdf(sight.lag, both, share), binom.sf(sight.lag - 1, both, share)
    p = np.where(both > 0, np.minimum(1.0, 2 * np.minimum(lower, upper)), np.nan)
    # A cell that was hot and is not any more stands on the map all the same.
    return _with(
        sight,
        then_counts=then.counts,
        then_hot=then.hot,
        then_q=false_discovery.adjusted(p),
        found={**sight.found, "then_incidents": int(then.counts.sum())},
    )


def _with(sight: Sight, **changed: Any) -> Sight:
    return Sight(**{name: changed.get(name, getattr(sight, name)) for name in Sight.__slots__})


def _within(sight: Sight, kept: NDArray[np.bool_]) -> Sight:
    """Keep some of the cells; hot spots are numbered anew, and sums are theirs."""
    columns = {
        name: getattr(sight, name)[..., kept] for name in (*_NUMBERS, *_THEN, "verdict", "change")
    }
    left, columns["spot"] = _renumbered(columns["spot"])
    return Sight(
        **columns,
        cells=sight.cells.only(kept),
        smooth=sight.smooth,
        found={
            **sight.found,
            "incidents": int(columns["counts"].sum()),
            "reports": int(columns["reports"].sum()),
            "cells": int(kept.sum()),
            "spots": left,
            "months": columns["months"].sum(axis=1).tolist(),
            "then_incidents": int(columns["then_counts"].sum()),
        },
    )


def _renumbered(spot: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
    """Give how many hot spots are left, and their numbers anew, in the same order."""
    left = np.unique(spot[spot != NOWHERE])
    return len(left), np.where(spot == NOWHERE, NOWHERE, np.searchsorted(left, spot))


def _published(asked: Asked, sight: Sight, kinds: NDArray[np.int64] | None) -> Sight:
    """Keep of an answer what everybody may read."""
    shown = sight.counts >= LEAST_PUBLISHED
    if kinds is not None and asked.categories:
        kind = next(one.kind for one in CATEGORIES if one.code in asked.categories)
        shown &= publishable(kinds, LEAST_PUBLISHED)[[*Kind].index(kind)]
    few = (sight.counts > 0) & ~shown
    n = int(shown.sum())
    # Numbers of hot spots of which nothing is shown would tell that there are some.
    spots, spot = _renumbered(sight.spot[shown])
    rounded = sight.counts[shown] // LEAST_PUBLISHED * LEAST_PUBLISHED
    nothing = np.full(n, np.nan)
    zeros = np.zeros(n, np.int64)
    return Sight(
        cells=sight.cells.only(shown),
        counts=rounded,
        reports=zeros,
        lag=zeros,
        expected=nothing,
        z=nothing,
        p=nothing,
        q=nothing,
        verdict=sight.verdict[shown],
        change=np.full(n, Change.NONE, "U12"),
        spot=spot,
        holds=np.zeros((0, n)),
        dark=zeros,
        one_point=zeros,
        months=np.zeros((0, n), np.int64),
        then_counts=zeros,
        then_hot=np.zeros(n, np.bool_),
        then_q=nothing,
        smooth=None,
        found={
            **{
                name: sight.found[name] for name in ("incidents", "cells", "too_few", "first_month")
            },
            "reports": sight.found["incidents"],
            "spots": spots,
            "months": [],
            "least_p": None,
            "suppressed": int(few.sum()),
        },
    )


_NUMBERS = (
    "counts",
    "reports",
    "lag",
    "expected",
    "z",
    "p",
    "q",
    "spot",
    "holds",
    "dark",
    "one_point",
    "months",
)
_THEN = ("then_counts", "then_hot", "then_q")


def _packed(sight: Sight) -> bytes:
    columns: dict[str, Any] = {name: getattr(sight, name) for name in (*_NUMBERS, *_THEN)}
    if sight.smooth is not None:
        smooth = sight.smooth
        columns["per_km2"] = smooth.per_km2.astype(np.float32)
        columns["nodes"] = [*smooth.corner_m, smooth.spacing_m, smooth.bandwidth_m]
    file = io.BytesIO()
    np.savez_compressed(
        file,
        width_m=sight.cells.grid.width_m,
        shape=str(sight.cells.grid.shape),
        cell_q=sight.cells.q,
        cell_r=sight.cells.r,
        verdict=np.array([_VERDICTS.index(Verdict(one)) for one in sight.verdict], np.int8),
        change=np.array([_CHANGES.index(Change(one)) for one in sight.change], np.int8),
        **columns,
    )
    return file.getvalue()


def unpacked(kept: bytes, found: Mapping[str, Any]) -> Sight:
    """Read what `answer` packed."""
    with np.load(io.BytesIO(kept), allow_pickle=False) as columns:
        n = len(columns["cell_q"])
        grid = Grid(Shape(str(columns["shape"])), float(columns["width_m"]))
        return Sight(
            cells=Cells(grid, columns["cell_q"], columns["cell_r"], np.ones(n, np.bool_)),
            verdict=np.array([*map(str, _VERDICTS)])[columns["verdict"]],
            change=np.array([*map(str, _CHANGES)])[columns["change"]],
            **{name: columns[name] for name in (*_NUMBERS, *_THEN)},
            smooth=_smooth(columns) if "per_km2" in columns else None,
            found=found,
        )


def _smooth(columns: Mapping[str, NDArray[Any]]) -> Density:
    east_m, north_m, spacing_m, bandwidth_m = columns["nodes"].tolist()
    per_km2 = columns["per_km2"].astype(np.float64)
    return Density(per_km2, (east_m, north_m), spacing_m, bandwidth_m)


def find_by_job(engine: Engine, settings: Settings, id: int) -> None:
    """Answer a question in the name of whoever asked it, and keep the answer.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    settings : Settings
    id : int
        Of the analysis.
    """
    with Session(engine) as session:
        begun = hot_spots.begin(session, id)
        session.commit()
    if begun is None:
        return

    def tell(percent: int) -> None:
        with Session(engine) as session:
            hot_spots.advance(session, id, percent)
            session.commit()

    found: Answer | str
    try:
        with Session(engine) as session:
            _in_the_name_of(session, begun.person_id)
            found = _RIGHTS_CHANGED
            if hot_spots.rights(session) == begun.rights:
                found = answer(session, read(begun.asked), settings.zone, tell)
            if hot_spots.rights(session) != begun.rights:
                found = _RIGHTS_CHANGED
            session.rollback()
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise  # tried again as soon as the database is back
        logger.exception("Analysis %s of hot spots failed.", id)
        found = type(error).__name__
    with Session(engine) as session:
        if isinstance(found, str):
            hot_spots.fail(session, id, found)
        else:
            hot_spots.end(session, id, found)
        session.commit()


def _in_the_name_of(session: Session, person_id: int | None) -> None:
    """Have the rules of the store hold as if somebody asked who is signed in by two factors.

    The rights under which the answer is kept are compared after that: a weak sign-in has none.
    """
    session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
    database.name_visitor(session, person_id, strong=True)
