"""What came of fixed lights: a season later, found once by a job, and kept even where it disappoints.

Counted is what happened in the dark, at true positions: of residents' reports only problem spots, since a
report of the light itself ends with the light. Residents' reports and police incidents are never mixed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from data.queries import areas, assessments, light_results
from data.queries.assessments import Design
from data.queries.hot_spots import Source
from geo.categories import CATEGORIES
from geo.evaluation import Interval
from geo.kinds import Kind
from geo.relit import Compared, Dark, Look, compare
from geo.sun import is_dark
from server.assessments import UNLIKE, complete_until
from server.hot_spots import SAME_DAYS, grouped, start_of

METHOD = 1
"""Version of how it is found."""

LOOK = Look()

SETTLING_DAYS = 14
"""What was reported more days than these after it happened is not counted, so that the time after a
repair has had as long as the time before."""

_QUARTER = 3
_ALL_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Season:
    """Three months in which lights were fixed; both days included."""

    first: date
    last: date

    @property
    def after_until(self) -> date:
        """The last day that is looked at."""
        return self.last + timedelta(days=LOOK.after_days)

    @property
    def due(self) -> date:
        """The first day on which it can be found."""
        return self.after_until + timedelta(days=SETTLING_DAYS + 1)


def season_of(day: date) -> Season:
    """Give the quarter of the year that a day lies in."""
    first = day.replace(month=(day.month - 1) // _QUARTER * _QUARTER + 1, day=1)
    following = (first + timedelta(days=31 * _QUARTER)).replace(day=1)
    return Season(first, following - _ALL_DAY)


def seasons(session: Session, zone: ZoneInfo, today: date) -> Iterator[Season]:
    """Give the seasons since the first light was fixed, up to the one of today."""
    began = light_results.first_fixed(session)
    day = None if began is None else began.astimezone(zone).date()
    while day is not None and day <= today:
        season = season_of(day)
        yield season
        day = season.last + _ALL_DAY


def find_due(session: Session, zone: ZoneInfo, now: datetime) -> int:
    """Find what came of each season whose time has come, and keep it.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    zone : ZoneInfo
        The city's.
    now : datetime

    Returns
    -------
    int
        How many.
    """
    today = now.astimezone(zone).date()
    kept = {(one.fixed_from, one.method) for one in light_results.results(session)}
    reached = complete_until(session, Source.REPORTS, zone)
    found = 0
    for season in seasons(session, zone, today):
        waits = today < season.due or reached is None or reached < season.after_until
        if waits or (season.first, METHOD) in kept:
            continue
        result = find(session, season, zone)
        light_results.keep(session, season.first, season.last, METHOD, result)
        found += 1
    return found


def find_by_job(engine: Engine, zone: ZoneInfo) -> None:
    """Find what is due. Done twice it changes nothing."""
    with Session(engine) as session:
        find_due(session, zone, datetime.now(UTC))
        session.commit()


def find(session: Session, season: Season, zone: ZoneInfo) -> dict[str, Any]:
    """Compare the lights that were fixed in a season with places that stayed dark.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    season : Season
    zone : ZoneInfo

    Returns
    -------
    dict
        As JSON. `fixed`: how many lights; `again`, `short`: of those not compared, since they failed
        again, or were dark for too few days. `sources`: by the source, what `_told` writes.
    """
    start, end = start_of(season.first, zone), start_of(season.last + _ALL_DAY, zone)
    fixed = light_results.fixed(session, start, end, LOOK.after_days)
    short = fixed.dark.until_s - fixed.dark.from_s < LOOK.least_days * 86_400
    kept = ~fixed.again & ~short
    lights = Dark(fixed.dark.xy_m[kept], fixed.dark.from_s[kept], fixed.dark.until_s[kept])
    unlit = light_results.unlit(session)
    return {
        "fixed": len(kept),
        "again": int(np.count_nonzero(fixed.again)),
        "short": int(np.count_nonzero(short & ~fixed.again)),
        "reach_m": LOOK.reach_m,
        "ring_m": LOOK.ring_m,
        "after_days": LOOK.after_days,
        "sources": {
            source.value: _told(
                compare(lights, unlit, *_nights(session, source, season, zone), LOOK)
            )
            for source in Source
            if assessments.span(session, source) is not None
        },
    }


def _nights(session: Session, source: Source, season: Season, zone: ZoneInfo) -> tuple[Any, Any]:
    """Give where and when something happened in the dark, in the time that is looked at."""
    since = season.first - timedelta(days=LOOK.after_days)
    design = Design(
        response_starts=season.first,
        before_from=since,
        before_until=season.first,
        after_from=season.last,
        after_until=season.after_until,
        settling_days=SETTLING_DAYS,
        ring_m=round(LOOK.ring_m),
        categories=tuple(one.code for one in CATEGORIES if one.kind is Kind.PROBLEM_SPOT),
        offense_groups=tuple(assessments.offense_groups(session)),
        worst_first=True,
        zone=str(zone),
    )
    extent = areas.extent(session)
    if extent is None:
        return np.empty((0, 2)), np.empty(0)
    found = assessments.happened(
        session,
        source,
        design,
        (
            start_of(since, zone) - timedelta(days=SAME_DAYS),
            start_of(season.after_until + _ALL_DAY, zone),
        ),
        (extent.west, extent.south, extent.east, extent.north),
        exact=True,
    )
    first = grouped(found, source, design.codes(source)).first
    at = (found.at_s[first] * 1e6).astype("datetime64[us]")
    night = first[is_dark(at, found.lon[first], found.lat[first])]
    return found.xy_m[night], found.at_s[night]


def _told(compared: Compared) -> dict[str, Any]:
    whole = compared.whole
    return {
        "pairs": len(compared.pairs),
        "near": compared.near,
        "alone": compared.alone,
        "unlike": int(np.count_nonzero(compared.distance > UNLIKE)),
        "outcome": whole.outcome.value,
        "around": compared.around.outcome.value,
        "counts": compared.counts.tolist(),
        "days": [round(one, 1) for one in compared.days],
        "wdd": _interval(whole.wdd),
        "expected": round(whole.expected_after, 2),
        "detectable": round(whole.detectable, 2),
        "irr": None if whole.irr is None else _interval(whole.irr),
        "overdispersion": round(compared.variation, 3),
    }


def _interval(of: Interval) -> list[float]:
    return [round(one, 4) for one in (of.value, of.low, of.high)]
