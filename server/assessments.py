"""Assessments of action plans: what can be compared and what could be seen, and the verdict when due.

Before it is fixed an assessment rests on the positions that everybody sees. A verdict counts true ones, as
the owner of the store. Everybody is told it in words, and in counts only where none is small, rounded to
fives, and only of the first assessment of a plan, fixed before the response began: else whoever leads a
plan could ask about the past of any ground as often as they like, and learn of single homes by the
differences.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from data.queries import assessments, hot_spots, served_area
from data.queries.assessments import Design, Grounds
from data.queries.hot_spots import Source
from geo import controls, evaluation
from geo.categories import CATEGORIES
from geo.controls import Copies
from geo.crs import in_city_metres, to_stored
from geo.evaluation import Assessment as Assessed
from geo.evaluation import BeforeAfter, Interval, assess, spill_over_buffer
from server.hot_spots import LEAST_PUBLISHED, SAME_DAYS, NoGround, grouped, start_of
from server.plans import tell_of_verdict
from server.settings import Settings

logger = logging.getLogger(__name__)

METHOD = 1
"""Version of how verdicts are found."""

SEARCH_M = 4_000.0
"""Places to compare with lie within this distance: nearer ones have more in common."""

PROPOSED, SUGGESTED = 8, 3
"""Places that are listed, and how many of them are suggested at the most."""

UNLIKE = 3.0
"""Distance in standard errors from which a place is not like the treated one: chance makes about 2."""

LEAST_DAYS, MOST_DAYS = 28, 3 * 366
"""Of each period."""

GRACE_DAYS = 7
"""Days without a row for which the rows still count as complete."""

WORST_SHARE = 0.1
"""Share of places of its size that may be busier for a place to count as one of the worst."""

SAME_SEASON = 0.8
"""Share of the months that two times have in common from which their season is the same."""

_LEAST_STEPS, _STEP_DAYS = 4, 30.4
_MARGIN_M = 2 * max(category.duplicate_radius_m for category in CATEGORIES)
_AREAS = ("treated", "ring", "control", "control_ring")


@dataclass(frozen=True, slots=True, eq=False)
class _Happened:
    """Incidents: where, in the city's metres, and when, in seconds since 1970."""

    xy_m: NDArray[np.float64]
    at_s: NDArray[np.float64]

    def step(self, edges_s: Sequence[float] | NDArray[np.float64]) -> NDArray[np.int64]:
        """Say between which edges each lies; -1 before the first."""
        return np.searchsorted(np.asarray(edges_s), self.at_s, side="right").astype(np.int64) - 1


def _read(
    session: Session,
    source: Source,
    design: Design,
    days: tuple[date, date],
    ground: BaseGeometry,
    *,
    exact: bool,
) -> _Happened:
    """Make incidents of what happened around a ground, from one day to another, both included."""
    zone = ZoneInfo(design.zone)
    start, end = start_of(days[0], zone), start_of(days[1] + timedelta(days=1), zone)
    west, south, east, north = ground.bounds
    box = to_stored().transform_bounds(
        west - _MARGIN_M, south - _MARGIN_M, east + _MARGIN_M, north + _MARGIN_M
    )
    found = assessments.happened(
        session, source, design, (start - timedelta(days=SAME_DAYS), end), box, exact=exact
    )
    first = grouped(found, source, design.codes(source)).first
    # One that began before the period is not in it.
    first = first[found.at_s[first] >= start.timestamp()]
    return _Happened(found.xy_m[first], found.at_s[first])


def _steps(first: date, last: date, zone: ZoneInfo) -> NDArray[np.float64]:
    """Give the edges of steps of the same length, about a month each."""
    start, end = (start_of(day, zone).timestamp() for day in (first, last + timedelta(days=1)))
    steps = max(_LEAST_STEPS, round(((last - first).days + 1) / _STEP_DAYS))
    return np.linspace(start, end, steps + 1)


def _months(first: date, last: date, zone: ZoneInfo) -> list[float]:
    """Give the edges of the calendar months that two days lie in and those between them."""
    month, edges = first.replace(day=1), list[float]()
    while month <= last:
        edges.append(start_of(month, zone).timestamp())
        month = (month + timedelta(days=32)).replace(day=1)
    return [*edges, start_of(month, zone).timestamp()]


# Before it is fixed --------------------------------------------------------------------------------


class NoRoom(ValueError):  # noqa: N818 (it is the name of what happened)
    """No copy of the place fits into what lies around it."""


def propose(
    session: Session, plan_id: int, place: BaseGeometry, design: Design, today: date
) -> dict[str, Any]:
    """Look for places to compare with, by what everybody sees of the time before.

    Parameters
    ----------
    session : Session
        Of whoever leads the plan.
    plan_id : int
    place : shapely MultiPolygon
        What is treated, EPSG:4326.
    design : Design
    today : date
        In the city's time: what has not happened yet is not looked at.

    Returns
    -------
    dict
        The proposal as JSON. `places`: the most alike first, each with `shift` (metres east and
        north of the treated one), `name`, and `distance` as of `geo.controls.Alike`. `suggested`:
        numbers of those to begin with. `counts`: of each source, incidents of the treated place, the
        ring around it, and of each place and its ring, by steps of the same length and by calendar
        months from `first_month`. `copies` and `busier`: how many were looked at, and had more.

    Raises
    ------
    NoGround
    NoRoom
    """
    treated = in_city_metres(place)
    city = served_area.served_area(session)
    if city is None:
        raise NoGround
    served = in_city_metres(city)
    avoid = assessments.elsewhere(session, plan_id, design.after_until)
    near = served.intersection(treated.buffer(SEARCH_M))
    found = controls.copies(treated, design.ring_m, near, avoid)
    if not len(found.places):
        raise NoRoom
    last = min(design.before_until, today - timedelta(days=1))
    seen = {
        source: _read(session, source, design, (design.before_from, last), near, exact=False)
        for source in design.sources
    }
    edges = _steps(design.before_from, last, ZoneInfo(design.zone))
    steps, main = len(edges) - 1, seen[design.sources[0]]
    before = controls.counts(_and(found.places, treated), main.xy_m, main.step(edges), steps)
    chosen = controls.alike(before[-1], before[:-1], found.outlines, most=PROPOSED)
    listed = Copies(
        found.shifts_m[chosen.numbers],
        found.places[chosen.numbers],
        found.outlines[chosen.numbers],
    )
    lon, lat = to_stored().transform(*shapely.get_coordinates(shapely.centroid(listed.places)).T)
    names = hot_spots.named_places(session, [*zip(lon.tolist(), lat.tolist(), strict=True)])
    alike = [number for number, far in enumerate(chosen.distance) if far <= UNLIKE]
    return {
        "until": last.isoformat(),
        "first_month": design.before_from.isoformat()[:7],
        "copies": len(found.places),
        "busier": chosen.busier,
        "places": [
            {"shift": shift, "name": name, "distance": round(float(far), 2)}
            for shift, name, far in zip(
                listed.shifts_m.tolist(), names, chosen.distance, strict=True
            )
        ],
        "suggested": (alike or [*range(len(chosen.numbers))])[:SUGGESTED],
        "counts": {
            source.value: _counted(one, design, last, (_and(listed.places, treated), served))
            for source, one in seen.items()
        },
    }


def _counted(
    seen: _Happened,
    design: Design,
    last: date,
    compared: tuple[NDArray[np.object_], BaseGeometry],
) -> dict[str, Any]:
    """Count in places, the treated one last, and in their rings within the served area."""
    zone = ZoneInfo(design.zone)
    edges = _steps(design.before_from, last, zone)
    months = _months(design.before_from, last, zone)
    areas, served = compared
    rings = np.array([_ring(area, design.ring_m, served) for area in areas], object)
    by_step = controls.counts(areas, seen.xy_m, seen.step(edges), len(edges) - 1)
    by_month = controls.counts(areas, seen.xy_m, seen.step(months), len(months) - 1)
    around = controls.counts(rings, seen.xy_m, np.zeros(len(seen.at_s), np.int64), 1)[:, 0]
    return {
        "treated": {"steps": by_step[-1].tolist(), "months": by_month[-1].tolist()},
        "ring": int(around[-1]),
        "places": [
            {"steps": steps, "months": monthly, "ring": ring}
            for steps, monthly, ring in zip(
                by_step[:-1].tolist(), by_month[:-1].tolist(), around[:-1].tolist(), strict=True
            )
        ],
    }


def _and(places: NDArray[np.object_], treated: BaseGeometry) -> NDArray[np.object_]:
    return np.array([*places, treated], object)


def _ring(place: BaseGeometry, ring_m: float, served: BaseGeometry) -> BaseGeometry:
    return spill_over_buffer(place, ring_m, served) if ring_m else shapely.Polygon()


def areas(
    session: Session, place: BaseGeometry, design: Design, shifts_m: Sequence[Sequence[float]]
) -> Grounds:
    """Give what is compared: the treated place, the control, and the rings around both.

    Parameters
    ----------
    session : Session
    place : shapely MultiPolygon
        EPSG:4326.
    design : Design
    shifts_m : sequence of (float, float)
        Of the places that are the control.

    Raises
    ------
    NoGround
    """
    city = served_area.served_area(session)
    if city is None:
        raise NoGround
    treated, served = in_city_metres(place), in_city_metres(city)
    places = controls.moved(treated, np.asarray(shifts_m, np.float64).reshape(-1, 2))
    return Grounds(
        treated=treated,
        ring=_ring(treated, design.ring_m, served),
        control=shapely.union_all(places),
        control_ring=shapely.union_all([_ring(one, design.ring_m, served) for one in places]),
    )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What could be seen of one source, by the months before.

    Attributes
    ----------
    before : int
        Incidents of the treated place in the whole period before, put up to its length where some
        of it is still to come.
    expected : int
        That there would be after, if nothing changed.
    detectable : int
        The smallest fall that would be seen four times out of five.
    can_tell : bool
        Whether such a fall is possible at all.
    overdispersion : float
    """

    before: int
    expected: int
    detectable: int
    can_tell: bool
    overdispersion: float

    @property
    def percent(self) -> int:
        """The smallest fall, of what is expected."""
        return round(100 * self.detectable / self.expected) if self.expected else 100


def outlook(
    design: Design, proposal: Mapping[str, Any], chosen: Sequence[int], source: Source
) -> Outlook:
    """Say what could be seen with some of the proposed places as the control.

    Parameters
    ----------
    design : Design
    proposal : mapping
        As `propose` gives it.
    chosen : sequence of int
        At least one.
    source : Source
    """
    counted = proposal["counts"][source.value]
    others = [counted["places"][number] for number in chosen]
    by_step = np.array([counted["treated"]["steps"], *(one["steps"] for one in others)])
    observed = (date.fromisoformat(proposal["until"]) - design.before_from).days + 1
    more = design.before_days / observed
    variation = evaluation.overdispersion(by_step)
    found = evaluation.outlook(
        round(more * by_step[0].sum()),
        round(more * by_step[1:].sum()),
        round(more * counted["ring"]),
        round(more * sum(one["ring"] for one in others)),
        before_weight=design.before_days / design.after_days,
        controls=len(chosen),
        overdispersion=variation,
    )
    return Outlook(
        before=round(more * by_step[0].sum()),
        expected=round(found.expected_after),
        detectable=int(np.ceil(found.detectable)),
        can_tell=found.can_tell,
        overdispersion=round(variation, 2),
    )


class Caveat(StrEnum):
    """What makes a verdict less sure than its figures."""

    WORST = "worst"
    """The place was among the worst, so it would have got better by itself (regression to the mean)."""

    UNLIKE = "unlike"
    """A place it is compared with was not as bad, or had another trend: there were no better ones."""

    SEASON = "season"
    """The two times cover different parts of the year."""


def caveats(
    design: Design, proposal: Mapping[str, Any], chosen: Sequence[int]
) -> tuple[Caveat, ...]:
    """Say what makes a verdict less sure, known before it is found.

    Parameters
    ----------
    design : Design
    proposal : mapping
        As `propose` gives it.
    chosen : sequence of int
    """
    overlap = evaluation.seasonal_overlap(
        (design.before_from, design.before_until), (design.after_from, design.after_until)
    )
    holds = {
        Caveat.WORST: design.worst_first or proposal["busier"] <= WORST_SHARE * proposal["copies"],
        Caveat.UNLIKE: any(proposal["places"][number]["distance"] > UNLIKE for number in chosen),
        Caveat.SEASON: overlap < SAME_SEASON,
    }
    return tuple(caveat for caveat in Caveat if holds[caveat])


# When the time has come ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """What was counted and what follows: areas as `_AREAS`, each before and after."""

    counts: NDArray[np.int64]
    variation: float
    whole: Assessed
    around: Assessed | None
    months: NDArray[np.int64]


def _judge(session: Session, id: int, source: Source) -> tuple[Design, _Judged]:
    assessment = assessments.by_id(session, id)
    design, zone = assessment.design, ZoneInfo(assessment.design.zone)
    grounds = assessments.grounds(session, id, as_owner=True)
    private = assessments.private(session, id, as_owner=True)
    assert grounds is not None
    assert private is not None
    compared = [grounds.treated, grounds.ring, grounds.control, grounds.control_ring]
    seen = _read(
        session,
        source,
        design,
        (design.before_from, design.after_until),
        shapely.union_all(compared),
        exact=True,
    )
    of = controls.area_of(compared, seen.xy_m)
    counts = np.stack(
        [
            _tally(of, _within(seen, first, last, zone))
            for first, last in (
                (design.before_from, design.before_until),
                (design.after_from, design.after_until),
            )
        ],
        axis=1,
    )
    edges = _steps(design.before_from, design.before_until, zone)
    shifts = [private.proposal["places"][number]["shift"] for number in assessment.chosen]
    places = _and(controls.moved(grounds.treated, np.array(shifts)), grounds.treated)
    variation = evaluation.overdispersion(
        controls.counts(places, seen.xy_m, seen.step(edges), len(edges) - 1)
    )
    longer = design.before_days / design.after_days
    treated, ring, control, control_ring = (
        BeforeAfter(int(before), int(after), longer * n, float(n))
        for (before, after), n in zip(
            counts, (1, 1, assessment.controls, assessment.controls), strict=True
        )
    )
    # An empty ring is none, whatever its weights: there is no quotient then.
    rings = (ring, control_ring) if design.ring_m else ()
    months = _months(design.before_from, design.after_until, zone)
    by_month = np.stack(
        [_tally(of, seen.step(months) == number) for number in range(len(months) - 1)], axis=1
    )
    return design, _Judged(
        counts=counts,
        variation=variation,
        whole=assess(treated, control, *rings, overdispersion=variation),
        around=assess(*rings, overdispersion=variation) if rings else None,
        months=by_month,
    )


def _within(seen: _Happened, first: date, last: date, zone: ZoneInfo) -> NDArray[np.bool_]:
    start, end = start_of(first, zone), start_of(last + timedelta(days=1), zone)
    within: NDArray[np.bool_] = seen.step([start.timestamp(), end.timestamp()]) == 0
    return within


def _tally(of: NDArray[np.int64], meant: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.bincount(of[meant & (of != controls.NOWHERE)], minlength=len(_AREAS)).astype(np.int64)


def judge(session: Session, verdict_id: int) -> int | None:
    """Find a verdict that waits, and write it down.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    verdict_id : int

    Returns
    -------
    int or None
        Of the plan; None where the verdict had been found already.
    """
    begun = assessments.begin(session, verdict_id)
    if begun is None:
        return None
    id, source = begun
    read_at = datetime.now(UTC)
    rows = assessments.state_of_rows(session, source)
    design, judged = _judge(session, id, source)
    assessment = assessments.by_id(session, id)
    private = assessments.private(session, id, as_owner=True)
    assert private is not None
    assessments.end(
        session,
        verdict_id,
        method=METHOD,
        found={**_found(design, judged), "read_at": read_at.isoformat(), **rows},
        published={
            **_published(
                design, judged, in_counts=assessments.is_first(session, id) and not assessment.late
            ),
            "caveats": [*caveats(design, private.proposal, assessment.chosen)],
            "read_at": read_at.isoformat(),
            **rows,
        },
    )
    return assessment.plan_id


def _found(design: Design, judged: _Judged) -> dict[str, Any]:
    whole = judged.whole
    return {
        "outcome": whole.outcome.value,
        "around": judged.around.outcome.value if judged.around else None,
        "numbers": {
            **{name: counted.tolist() for name, counted in zip(_AREAS, judged.counts, strict=True)},
            "wdd": _interval(whole.wdd),
            "wdd_error": round(whole.wdd_error, 5),
            "z": round(whole.z, 3),
            "expected": round(whole.expected_after, 2),
            "detectable": round(whole.detectable, 2),
            "irr": None if whole.irr is None else _interval(whole.irr),
            "wdq": None if whole.wdq is None else round(whole.wdq, 6),
            "tne": None if whole.tne is None else round(whole.tne, 3),
            "around": None if judged.around is None else _interval(judged.around.wdd),
            "overdispersion": round(judged.variation, 4),
        },
        "months": _by_month(design, judged.months),
    }


def _interval(of: Interval) -> list[float]:
    return [round(one, 6) for one in (of.value, of.low, of.high)]


def _by_month(design: Design, months: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "first": design.before_from.isoformat()[:7],
        "treated": months[0].tolist(),
        "control": months[2].tolist(),
    }


def _published(design: Design, judged: _Judged, *, in_counts: bool) -> dict[str, Any]:
    """Keep of a verdict what everybody may know."""
    told: dict[str, Any] = {
        "outcome": judged.whole.outcome.value,
        "around": judged.around.outcome.value if judged.around else None,
        "numbers": None,
        "months": None,
    }
    used = judged.counts if design.ring_m else judged.counts[[0, 2]]
    if not in_counts or used.min() < LEAST_PUBLISHED:
        return told
    whole = judged.whole
    told["numbers"] = {
        **{
            name: _fives(counted) if design.ring_m or "ring" not in name else [0, 0]
            for name, counted in zip(_AREAS, judged.counts, strict=True)
        },
        "wdd": _fives([whole.wdd.value, whole.wdd.low, whole.wdd.high]),
        "expected": _fives([whole.expected_after])[0],
        "detectable": _fives([whole.detectable])[0],
    }
    monthly = judged.months[[0, 2]]
    if monthly.min() >= LEAST_PUBLISHED:
        rounded = np.array([[_fives([one])[0] for one in area] for area in judged.months])
        told["months"] = _by_month(design, rounded)
    return told


def _fives(counts: Sequence[float] | NDArray[np.int64]) -> list[int]:
    """Round to fives."""
    return [LEAST_PUBLISHED * round(float(one) / LEAST_PUBLISHED) for one in counts]


def ask_for_due(session: Session, zone: ZoneInfo, now: datetime) -> int:
    """Have verdicts found whose time has come, each by a job of its own.

    Rows that end before the time is over would make every place look better: a verdict waits until
    there are some of its last days, here or anywhere in the city.

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
    yesterday = now.astimezone(zone).date() - timedelta(days=1)
    return assessments.ask_for_due(
        session,
        {
            source: min(yesterday, last)
            for source in Source
            if (last := complete_until(session, source, zone)) is not None
        },
    )


def complete_until(session: Session, source: Source, zone: ZoneInfo) -> date | None:
    """Give the last day for which the rows count as complete; None where there are none."""
    span = assessments.span(session, source)
    return None if span is None else span[1].astimezone(zone).date() + timedelta(days=GRACE_DAYS)


def judge_by_job(engine: Engine, settings: Settings, verdict_id: int) -> None:
    """Find a verdict, keep it, and tell those of the plan. Done twice it changes nothing.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    settings : Settings
    verdict_id : int
    """
    with Session(engine) as session:
        plan_id = judge(session, verdict_id)
        if plan_id is not None:
            tell_of_verdict(session, settings, plan_id)
        session.commit()
