"""Ranking the needs: what is measured of each, by a job that follows every change of them.

Incidents after dark are read at their public places, as everybody may see them: a rank is seen by staff who
may not see more, and violence at home has no public place at all.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from data.queries import hot_spots, priority, work
from data.queries.hot_spots import Source
from data.queries.priority import History, Lights, OpenNeeds, Ranked, Streets
from geo.categories import BY_CODE, CATEGORIES
from geo.crs import to_stored
from geo.dark_runs import DarkRun, dark_runs
from geo.exposure import Homes, Households
from geo.grids import NOWHERE
from geo.hot_spots import HotSpots, survey
from geo.hot_spots import Settings as Look
from geo.kinds import Kind
from geo.priority import (
    DARK_AROUND_M,
    FACTORS,
    FAULTS,
    FEWEST_AROUND,
    GENERATORS_M,
    HOMES_M,
    MOST_UNSEEN_DAYS,
    NEAR_M,
    STREET_M,
    Facts,
    levels,
    ranked,
)
from geo.reporting_rate import WATCHED_DAYS, reporting_rates, watched
from geo.small_areas import steadied
from geo.surroundings import homes_within, least_near, shapes_within, within
from geo.working_days import counted
from server.hot_spots import Asked, Light, NoGround, ground_of, read_happened
from server.settings import Settings

CODES: dict[Kind, tuple[str, ...]] = {
    kind: tuple(one.code for one in CATEGORIES if one.kind is kind) for kind in Kind
}
HISTORY_DAYS = 730
"""Since when past reports tell how a neighbourhood reports and what comes back: two of each season."""

NIGHT_DAYS = 365
"""Since when incidents at night count: each season once."""

_DAY_S = 86_400.0
_AROUND_M = 500.0
"""How far beyond the outermost needs homes are read, so that blocks that reach to these are among them."""


def rank_by_job(engine: Engine, settings: Settings) -> None:
    """Rank all open needs anew.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    settings : Settings
    """
    with Session(engine) as session:
        rank(session, settings, datetime.now(settings.zone))
        session.commit()


def rank(session: Session, settings: Settings, now: datetime) -> None:
    """Rank all open needs, and find the runs of dark lights. Nothing is committed here.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    settings : Settings
    now : datetime
        In the city's time zone.
    """
    priority.drop_waiting(session)
    version = priority.current(session)
    streets, lights = priority.streets(session), priority.lights(session)
    runs = _runs(lights, streets)
    priority.keep_runs(session, {id: run for id, run in runs.items() if len(run.lights) > 1})
    around = _Around(session, settings, now, streets, lights)
    found = []
    for kind in FACTORS:
        needs = priority.open_needs(session, kind, CODES[kind], settings.time_zone)
        if not len(needs):
            continue
        run_of, in_a_row = _run_of(needs, lights, runs)
        facts = around.facts(kind, needs, in_a_row)
        level = levels(kind, facts)
        ranking = ranked(level, version.weights[kind], needs.opened_s, needs.id)
        found.append(Ranked(kind, version.id, needs.id, facts, level, ranking, run_of))
    priority.keep_ranks(session, found)


def _runs(lights: Lights, streets: Streets) -> dict[int, DarkRun]:
    """Give the runs of dark lights, by the lowest id of their lights."""
    found = dark_runs(
        np.asarray(shapely.points(lights.xy_m)),
        lights.dark,
        list(streets.lines),
        list(streets.names),
    )
    return {int(lights.id[[*run.lights]].min()): run for run in found}


def _run_of(
    needs: OpenNeeds, lights: Lights, runs: dict[int, DarkRun]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the run that each need's light is in, 0 for none, and how many dark lights stand there."""
    of_light = np.zeros(len(lights.id) + 1, np.int64)  # the last is no light
    length = np.append(lights.dark, False).astype(np.float64)
    for id, run in runs.items():
        of_light[[*run.lights]] = id
        length[[*run.lights]] = len(run.lights)
    at = np.searchsorted(lights.id, needs.street_light_id)
    known = np.append(lights.id, -1)[at] == needs.street_light_id
    at = np.where(known, at, len(lights.id))
    return of_light[at], length[at]


@dataclass(frozen=True, slots=True, eq=False)
class _Night:
    """Chances of what happened after dark around each need, and what that is."""

    p: NDArray[np.float64]
    seen: NDArray[np.float64]
    usual: NDArray[np.float64]
    police: NDArray[np.float64]


class _Around:
    """What needs of all kinds are measured against, read once."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        now: datetime,
        streets: Streets,
        lights: Lights,
    ) -> None:
        self.session, self.settings, self.now = session, settings, now
        self.today = np.datetime64(now.date(), "D")
        self.streets, self.lights = streets, lights
        self.targets = work.targets(session)
        self.walked_to = priority.walked_to(session)
        self.night = {source: _judged(session, source, now.date(), settings) for source in Source}

    def facts(self, kind: Kind, needs: OpenNeeds, in_a_row: NDArray[np.float64]) -> Facts:
        """Measure needs of a kind."""
        codes, n = CODES[kind], len(needs)
        since = self.now - timedelta(days=HISTORY_DAYS)
        past = priority.history(self.session, kind, codes, since, self.settings.time_zone)
        target = np.array([self.targets.get(code, np.nan) for code in codes])
        of_past = _incidents(past, self.today)
        habits = _habits(of_past, past, needs, target, self.now)
        night = self._night(needs.xy_m)
        lights = self.lights
        around = within(needs.xy_m, lights.xy_m, DARK_AROUND_M)
        dark = within(needs.xy_m, lights.xy_m[lights.dark], DARK_AROUND_M)
        places = self.walked_to
        lit = kind is Kind.LIGHTING
        return Facts(
            hazard=needs.hazard.astype(np.float64),
            fault=np.array([FAULTS[code] for code in codes])[needs.category],
            run=in_a_row,
            dark_share=np.where(
                around >= FEWEST_AROUND, dark / np.maximum(around, 1.0), np.nan if lit else 0.0
            ),
            near=np.maximum(within(needs.xy_m, needs.xy_m, NEAR_M) - 1, 0.0),
            waited=counted(needs.opened_day.astype("datetime64[D]"), np.full(n, self.today)).clip(
                min=0
            ),
            unseen=habits.unseen,
            target=target[needs.category],
            voices=needs.voices.astype(np.float64),
            usual=habits.usual,
            households=homes_within(needs.xy_m, self._homes(needs.xy_m), HOMES_M),
            night_p=night.p,
            night_seen=night.seen,
            night_usual=night.usual,
            night_police=night.police,
            generators=within(needs.xy_m, places.xy_m, GENERATORS_M, places.weights)
            + priority.DAYTIME * shapes_within(needs.xy_m, places.parks, GENERATORS_M),
            street=least_near(needs.xy_m, self.streets.lines, self.streets.ranks, STREET_M),
            failed=needs.failed.astype(np.float64) if lit else _repeats(of_past, needs, codes),
            wait=habits.wait,
        )

    def _homes(self, xy_m: NDArray[np.float64]) -> Homes | Households | None:
        (west, south), (east, north) = xy_m.min(axis=0), xy_m.max(axis=0)
        box = to_stored().transform_bounds(
            west - _AROUND_M, south - _AROUND_M, east + _AROUND_M, north + _AROUND_M
        )
        return hot_spots.homes(self.session, box)

    def _night(self, xy_m: NDArray[np.float64]) -> _Night:
        """Give the smaller of the chances by both sources, times two for having looked twice."""
        judged = {source: spots for source, spots in self.night.items() if spots is not None}
        best = np.full((4, len(xy_m)), np.nan)
        for source, spots in judged.items():
            cell = spots.cells.find(*xy_m.T)
            columns = np.stack(
                [
                    np.minimum(1.0, spots.p * len(judged)),
                    spots.lag,
                    spots.expected,
                    np.full(len(spots.p), float(source is Source.POLICE)),
                ]
            )
            found = np.where(cell == NOWHERE, np.nan, columns[:, cell])
            best = np.where((found[0] < best[0]) | np.isnan(best[0]), found, best)
        return _Night(*best)


def _judged(session: Session, source: Source, today: date, settings: Settings) -> HotSpots | None:
    """Judge what happened after dark in a year, cell by cell; None where nothing is known of it."""
    asked = Asked(
        source,
        today - timedelta(days=NIGHT_DAYS),
        today - timedelta(days=1),
        light=Light.DARK,
        categories=CODES[Kind.PROBLEM_SPOT] if source is Source.REPORTS else (),
    )
    try:
        ground = ground_of(session, asked)
    except NoGround:
        return None
    seen = read_happened(session, asked, (asked.since, asked.until), ground, settings.zone)
    if not len(seen.x):
        return None
    laid = survey(ground, Look(asked.shape, float(asked.width_m), other_widths=(), shifts=()))
    return laid.judge(laid.counts(seen.x, seen.y))


@dataclass(frozen=True, slots=True, eq=False)
class _Incidents:
    """What reports of the past were about: n things, each with how long it took.

    Attributes
    ----------
    of : ndarray of int64
        The thing that each row of the past is of, -1 for those that began before it.
    first_s, closed_s : ndarray of float, shape (n,)
        Seconds since 1970, UTC; NaN for what is open.
    took : ndarray of float
        Working days until it was closed, or until today.
    category, neighbourhood_id : ndarray of int64
    fixed : ndarray of bool
    xy_m : ndarray of float, shape (n, 2)
    """

    of: NDArray[np.int64]
    first_s: NDArray[np.float64]
    closed_s: NDArray[np.float64]
    took: NDArray[np.float64]
    category: NDArray[np.int64]
    neighbourhood_id: NDArray[np.int64]
    fixed: NDArray[np.bool_]
    xy_m: NDArray[np.float64]


def _incidents(past: History, today: np.datetime64) -> _Incidents:
    """Bring reports of the same thing together: from the first of them until the last is closed."""
    said = ~past.joined
    own = said & ~past.duplicate
    names = np.unique(past.incident[own])
    of = np.searchsorted(names, past.incident)
    of[~np.isin(past.incident, names)] = -1
    count = len(names)
    first_s = np.full(count, np.inf)
    np.minimum.at(first_s, of[said & (of >= 0)], past.at_s[said & (of >= 0)])
    closed_s, closed_day = np.full(count, -np.inf), np.zeros(count, np.int64)
    np.fmax.at(closed_s, of[own], past.closed_s[own])
    np.maximum.at(closed_day, of[own], past.closed_day[own])
    closed_s[of[own & np.isnan(past.closed_s)]] = np.nan
    # Of several at once the westernmost, so that the order in which rows are read has no part in it.
    order = np.lexsort((past.xy_m[:, 0], past.at_s))
    order = order[own[order]]
    _, at = np.unique(of[order], return_index=True)
    head = order[at]
    fixed = np.zeros(count, np.bool_)
    np.logical_or.at(fixed, of[own], past.fixed[own])
    until = np.where(np.isnan(closed_s), today.astype(np.int64), closed_day)
    return _Incidents(
        of,
        first_s,
        closed_s,
        counted(past.day[head].astype("datetime64[D]"), until.astype("datetime64[D]")),
        past.category[head],
        past.neighbourhood_id[head],
        fixed,
        past.xy_m[head],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Habits:
    """What is usual in the neighbourhood of each need; as `Facts` has it."""

    usual: NDArray[np.float64]
    unseen: NDArray[np.float64]
    wait: NDArray[np.float64]


def _habits(
    things: _Incidents,
    past: History,
    needs: OpenNeeds,
    target: NDArray[np.float64],
    now: datetime,
) -> _Habits:
    """Say how readily each need's neighbourhood reports, and how long it waits."""
    ids = np.unique(np.concatenate([things.neighbourhood_id, needs.neighbourhood_id]))

    def number(of: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(of == 0, -1, np.searchsorted(ids, of))

    where, here = number(things.neighbourhood_id), number(needs.neighbourhood_id)
    known = things.of >= 0
    seen = watched(
        things.first_s / _DAY_S,
        things.closed_s / _DAY_S,
        things.of[known],
        past.at_s[known] / _DAY_S,
        until=now.timestamp() / _DAY_S,
    )
    rates = reporting_rates(seen, where, len(ids))
    # Where a need lies in no neighbourhood, the city's rate is its own.
    a_day = np.append(rates.a_day, rates.overall)[here]
    open_days = np.clip(now.timestamp() / _DAY_S - needs.opened_s / _DAY_S, 0.0, WATCHED_DAYS)
    later = np.append(rates.delay_days, rates.overall_delay_days) - rates.overall_delay_days
    return _Habits(
        usual=a_day * open_days,
        unseen=np.clip(np.nan_to_num(later), 0.0, MOST_UNSEEN_DAYS)[here],
        wait=_wait(things, target, where, len(ids))[here],
    )


def _wait(
    things: _Incidents, target: NDArray[np.float64], where: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Give how many times as long as the city each neighbourhood waits; the last is that of none.

    From the rate at which work that waits gets done, in which what still waits counts as well: times in
    units of the target of each category, so that the mix of categories has no part in it.
    """
    of_target = target[things.category]
    told = (where >= 0) & (things.fixed | np.isnan(things.closed_s)) & ~np.isnan(of_target)
    # What is done on the day it was reported took half a day.
    waited = np.bincount(
        where[told], (np.maximum(things.took, 0.0) + 0.5)[told] / of_target[told], count
    ).astype(np.float64)
    done = np.bincount(where[told & things.fixed], minlength=count).astype(np.float64)
    if not done.sum():
        return np.full(count + 1, np.nan)
    return np.append(done.sum() / waited.sum() / steadied(done, waited), 1.0)


def _repeats(things: _Incidents, needs: OpenNeeds, codes: tuple[str, ...]) -> NDArray[np.float64]:
    """Count for each need what was cleaned up there before: of its category, and as near as duplicates."""
    before = np.zeros(len(needs))
    for number, code in enumerate(codes):
        mine = needs.category == number
        earlier = things.fixed & ~np.isnan(things.closed_s) & (things.category == number)
        radius_m = float(BY_CODE[code].duplicate_radius_m)
        before[mine] = within(needs.xy_m[mine], things.xy_m[earlier], radius_m)
    return before
