"""Work plans: what there is to choose from, the choice at once or the best one by a job, and crews' routes.

Whatever a plan is made of is read as everybody who plans may read it, so that two who plan alike get the
same plan (docs/adr/0024).
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data.models import Crew, PlanAsked, UnitCost, WorkPlan
from data.queries import hot_spots, priority, work_plans
from data.queries.work_plans import DepotPlace, OpenNeeds, PlanRefused
from geo.budget import Bounds, Choice, Floor, Infeasible, Offer, in_order
from geo.budget_greedy import greedy, share_at_least
from geo.budget_optimum import optimum
from geo.crs import to_city, to_stored
from geo.demand import Around, shared
from geo.exposure import Homes, Households
from geo.jobs import CHECK_MINUTES, Jobs, in_row, jobs_of
from geo.kinds import Kind
from geo.priority import FACTORS, GENERATORS_M, HOMES_M, Factor
from geo.routes import Shift, routed, timed_route
from geo.street_network import StreetNetwork
from geo.sun import is_dark
from geo.working_days import is_working_day
from server.priority import NIGHT_DAYS
from server.settings import Settings
from server.work_plan_jobs import job_code, repairs
from server.work_plan_words import (
    CREW_TIME,
    FLOOR,
    LOCKED_IN,
    LOCKED_OUT,
    MATERIAL,
    MONEY,
    NoPlanError,
)

logger = logging.getLogger(__name__)

METHOD = 2
"""Of choosing: raised whenever the same needs and bounds would be chosen from otherwise."""

WORKING_SHARE = 0.75
"""Of a crew's day that is left for work, when a quarter of it is driving: an assumption that the routes
then put right, since they count each way."""

USUAL_DAY_MINUTES = 480
"""Of a crew, where none is known."""

NIGHT_M = 200.0
"""How near to a need an incident after dark counts for the people it stands for."""

MOST_STOPS = 300
"""Needs that routes are made for at once."""

PRICED_THOROUGHLY = 2_000
"""Needs up to which the price of a bound is looked for as thoroughly as the plan itself."""

BEST_S, PRICE_S, PRICES_S = 60.0, 10.0, 60.0
"""Seconds for HiGHS: for the best plan, for each of those without one of its bounds, and for all these."""

_SHARED = (Factor.HOUSEHOLDS, Factor.GENERATORS, Factor.NIGHT)
"""Factors that are about people around, who are counted once."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What a work plan chooses from, and within what.

    Attributes
    ----------
    needs : OpenNeeds
        Those whose repair has a unit cost.
    jobs : Jobs
        What of them is one repair.
    offer : Offer
        Of jobs, as the bounds are.
    bounds : Bounds
    limits : tuple of str
        Names of the limits.
    without_cost : dict of str to int
        Open needs that were left out, by the category that has no unit cost.
    """

    needs: OpenNeeds
    jobs: Jobs
    offer: Offer
    bounds: Bounds
    limits: tuple[str, ...]
    without_cost: Mapping[str, int]


def question(session: Session, plan: WorkPlan, now: datetime) -> Question:
    """Read what a work plan chooses from.

    Parameters
    ----------
    session : Session
    plan : WorkPlan
    now : datetime
    """
    factors = FACTORS[plan.kind]
    found = work_plans.open_needs(session, plan.id, plan.kind, len(factors))
    costs = work_plans.unit_costs(session, plan.kind)
    jobs = jobs_of(found.job)
    codes = [
        job_code(code, size)
        for code, size in zip(found.category, jobs.sizes[jobs.of].tolist(), strict=True)
    ]
    known = np.array([code in costs for code in codes], dtype=bool)
    without = Counter(code for code in codes if code not in costs)
    needs = _some(found, known)
    jobs = jobs_of(needs.job)
    materials = sorted(plan.materials)
    people = shared(needs.xy_m, _around(session, needs, factors, now))
    return Question(
        needs,
        jobs,
        Offer(
            _own(needs, jobs, factors) + jobs.total(people.alone),
            jobs.reach(people.reach),
            people.demand,
            _costs(needs, jobs, costs, materials),
        ),
        Bounds(
            np.array(
                [
                    plan.budget_cents,
                    crew_minutes(session, plan.kind, plan.crew_days),
                    *(plan.materials[name] for name in materials),
                ],
                np.float64,
            ),
            jobs.any(np.array([lock == "in" for lock in needs.lock], dtype=bool)),
            jobs.any(np.array([lock == "out" for lock in needs.lock], dtype=bool)),
            tuple(
                Floor(
                    area,
                    jobs.count(
                        (needs.council_district_id == int(area))
                        | (needs.neighbourhood_id == int(area))
                    ),
                    least,
                )
                for area, least in sorted(plan.floors.items())
                if least > 0
            ),
        ),
        (MONEY, CREW_TIME, *(MATERIAL + name for name in materials)),
        MappingProxyType(dict(without)),
    )


def crew_minutes(session: Session, kind: Kind, days: int) -> int:
    """Give the minutes of work that crew days hold, by the mean day of the crews of a kind."""
    lengths = [crew.day_minutes for crew in work_plans.crews(session, kind, active=True)]
    usual = sum(lengths) / len(lengths) if lengths else USUAL_DAY_MINUTES
    return int(days * usual * WORKING_SHARE)


def _some(needs: OpenNeeds, kept: NDArray[np.bool_]) -> OpenNeeds:
    at = np.flatnonzero(kept).tolist()
    return replace(
        needs,
        id=needs.id[at],
        xy_m=needs.xy_m[at],
        category=tuple(needs.category[i] for i in at),
        neighbourhood_id=needs.neighbourhood_id[at],
        council_district_id=needs.council_district_id[at],
        opened_s=needs.opened_s[at],
        rank=needs.rank[at],
        parts=needs.parts[at],
        lock=tuple(needs.lock[i] for i in at),
        job=needs.job[at],
    )


def _own(needs: OpenNeeds, jobs: Jobs, factors: Sequence[Factor]) -> NDArray[np.float64]:
    """Give what jobs weigh by themselves: what their needs do, but being in one row is counted once."""
    own = np.zeros(len(jobs.sizes))
    for at, factor in enumerate(factors):
        if factor is Factor.RUN:
            own -= jobs.least(-needs.parts[:, at])
        elif factor not in _SHARED:
            own += jobs.total(needs.parts[:, at])
    return own


def _costs(
    needs: OpenNeeds, jobs: Jobs, costs: Mapping[str, UnitCost], materials: Sequence[str]
) -> NDArray[np.float64]:
    rows = []
    for first, size in zip(jobs.firsts.tolist(), jobs.sizes.tolist(), strict=True):
        cost = costs[job_code(needs.category[first], size)]
        rows.append(
            [
                cost.cents,
                cost.minutes + CHECK_MINUTES * (size - 1),
                *(cost.materials.get(name, 0) for name in materials),
            ]
        )
    return np.array(rows, np.float64).reshape(-1, 2 + len(materials))


def _around(
    session: Session, needs: OpenNeeds, factors: Sequence[Factor], now: datetime
) -> list[Around]:
    """Give homes, places and incidents around needs, with the points that the priority gave for them."""
    if not len(needs):
        return []
    parts = {factor: needs.parts[:, factors.index(factor)] for factor in _SHARED}
    walked_to = priority.walked_to(session)
    homes, count = _homes(session, needs)
    happened = work_plans.incidents(session, now - timedelta(days=NIGHT_DAYS))
    at = (happened.at_s * 1000).astype("datetime64[ms]")
    dark = happened.xy_m[is_dark(at, happened.lon, happened.lat)]
    return [
        Around(homes, count, HOMES_M, parts[Factor.HOUSEHOLDS]),
        Around(walked_to.xy_m, walked_to.weights, GENERATORS_M, parts[Factor.GENERATORS]),
        Around(dark, np.ones(len(dark)), NIGHT_M, parts[Factor.NIGHT]),
    ]


def _homes(session: Session, needs: OpenNeeds) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = needs.xy_m.min(axis=0) - HOMES_M, needs.xy_m.max(axis=0) + HOMES_M
    (west, east), (south, north) = to_stored().transform(*np.array([low, high]).T)
    found = hot_spots.homes(session, (west, south, east, north))
    if isinstance(found, Homes):
        return np.column_stack([found.x, found.y]), np.ones(len(found.x))
    if isinstance(found, Households) and len(found.blocks):
        middles = [block.representative_point() for block in found.blocks]
        return (
            np.array([(point.x, point.y) for point in middles]),
            np.asarray(found.households, np.float64),
        )
    return np.empty((0, 2)), np.empty(0)


# The choice ---------------------------------------------------------------------------------------


def choose(session: Session, plan: WorkPlan, now: datetime) -> int:
    """Choose at once, keep the choice, and give the plan's new version. Nothing is committed here.

    Raises
    ------
    NoPlanError
    PlanRefused
    """
    asked = question(session, plan, now)
    start = time.perf_counter()
    chosen = _within(asked, lambda: greedy(asked.offer, asked.bounds))
    took_s = time.perf_counter() - start
    thorough = len(asked.needs) <= PRICED_THOROUGHLY
    prices = [
        (name, max(0.0, greedy(asked.offer, bounds, thorough=thorough).worth - chosen.worth))
        for name, bounds in _without_each(asked)
    ]
    return _keep(session, plan, asked, chosen, prices=prices, took_s=took_s)


def _within(asked: Question, solve: Callable[[], Choice]) -> Choice:
    try:
        return solve()
    except Infeasible as error:
        raise NoPlanError(
            error.why.value,
            [asked.limits[limit] for limit in error.limits],
            [(int(area), most) for area, most in error.floors],
        ) from error


def _without_each(asked: Question) -> list[tuple[str, Bounds]]:
    """Give the bounds without each of them, by its name."""
    bounds, found = asked.bounds, []
    for at, name in enumerate(asked.limits):
        limits = bounds.limits.copy()
        limits[at] = np.inf
        found.append((name, replace(bounds, limits=limits)))
    for floor in bounds.floors:
        others = tuple(other for other in bounds.floors if other is not floor)
        found.append((FLOOR + floor.name, replace(bounds, floors=others)))
    none = np.zeros(bounds.locked_in.size, dtype=bool)
    if bounds.locked_in.any():
        found.append((LOCKED_IN, replace(bounds, locked_in=none)))
    if bounds.locked_out.any():
        found.append((LOCKED_OUT, replace(bounds, locked_out=none)))
    return found


def _keep(
    session: Session,
    plan: WorkPlan,
    asked: Question,
    chosen: Choice,
    *,
    prices: Sequence[tuple[str, float]],
    took_s: float,
) -> int:
    needs, jobs, bounds = asked.needs, asked.jobs, asked.bounds
    # A row stands where its first light does. What is not ranked yet stands last.
    by_rank = np.argsort(jobs.least(np.where(needs.rank > 0, needs.rank, np.inf)), kind="stable")
    by_age = np.argsort(jobs.least(needs.opened_s), kind="stable")
    picked = jobs.needs(chosen.chosen)
    compared = [
        (name, in_order(asked.offer, bounds, order.tolist()))
        for name, order in (("top", by_rank), ("oldest", by_age))
    ]
    limited = int(np.isfinite(bounds.limits).sum())
    solution = {
        "version": METHOD,
        "method": chosen.method.value,
        "worth": round(chosen.worth, 4),
        "bound": round(chosen.bound, 4),
        "gap": round(chosen.gap, 6),
        "share_at_least": None if bounds.floors else round(share_at_least(limited), 4),
        "seconds": round(took_s, 3),
        "open": len(needs),
        "items": int(picked.sum()),
        "repairs": int(chosen.chosen.sum()),
        "jobs": _rows(asked, chosen.chosen | bounds.locked_out),
        "all": round(asked.offer.worth(np.ones(chosen.chosen.size, dtype=bool)), 4),
        "spent": _named(asked.limits, chosen.spent),
        "limits": _named(asked.limits, bounds.limits),
        "floors": {floor.name: floor.count(chosen.chosen) for floor in bounds.floors},
        "without_cost": dict(asked.without_cost),
        "not_ranked": int((needs.rank == 0).sum()),
        "comparisons": [
            {
                "name": name,
                "worth": round(choice.worth, 4),
                "items": int(jobs.needs(choice.chosen).sum()),
                "floors_missed": sum(
                    floor.count(choice.chosen) < floor.least for floor in bounds.floors
                ),
            }
            for name, choice in compared
        ],
        "prices": [{"name": name, "gain": round(gain, 4)} for name, gain in prices],
    }
    return work_plans.keep(
        session,
        plan.id,
        plan.version,
        needs.id[picked].tolist(),
        solution=solution,
        weights_version_id=needs.weights_version_id,
    )


def _rows(asked: Question, jobs: NDArray[np.bool_]) -> list[list[int]]:
    """Give the needs of jobs that have several, in order along their row."""
    found = []
    for job in np.flatnonzero(jobs & (asked.jobs.sizes > 1)).tolist():
        members = np.flatnonzero(asked.jobs.of == job)
        found.append(asked.needs.id[members[in_row(asked.needs.xy_m[members])]].tolist())
    return found


def _named(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, int]:
    return {name: int(value) for name, value in zip(names, values.tolist(), strict=True)}


# Jobs ---------------------------------------------------------------------------------------------


def solve_by_job(engine: Engine, settings: Settings, id: int) -> None:
    """Find what is asked of a work plan, and keep it unless the plan is another by then.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    settings : Settings
    id : int
        Of the plan.
    """

    def tell(percent: int) -> None:
        with Session(engine) as session:
            work_plans.advance(session, id, percent)
            session.commit()

    with Session(engine) as session:
        plan = work_plans.begin(session, id)
        if plan is None:
            return
        version = plan.version
        try:
            if plan.asked is PlanAsked.OPTIMUM:
                _best(session, plan, datetime.now(UTC), tell)
            else:
                _route(session, plan, tell)
            session.commit()
        except PlanRefused:
            session.rollback()
        except Exception as error:
            session.rollback()
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise  # tried again as soon as the database is back
            logger.exception("Work plan %s could not be solved.", id)
            work_plans.fail(session, id, version, type(error).__name__)
            session.commit()


def _best(session: Session, plan: WorkPlan, now: datetime, tell: Callable[[int], None]) -> None:
    tell(5)
    asked = question(session, plan, now)
    start = time.perf_counter()

    def solved(bounds: Bounds, most_s: float) -> Choice:
        first = greedy(asked.offer, bounds)
        return optimum(asked.offer, bounds, first, most_s=most_s, gap=1e-4)

    chosen = _within(asked, lambda: solved(asked.bounds, BEST_S))
    took_s = time.perf_counter() - start
    each = _without_each(asked)
    most_s = min(PRICE_S, PRICES_S / len(each))
    prices = []
    for number, (name, bounds) in enumerate(each):
        tell(40 + 60 * number // len(each))
        prices.append((name, max(0.0, solved(bounds, most_s).worth - chosen.worth)))
    _keep(session, plan, asked, chosen, prices=prices, took_s=took_s)


# Routes -------------------------------------------------------------------------------------------


def _route(session: Session, plan: WorkPlan, tell: Callable[[int], None]) -> None:
    """Make crews' days of what is chosen. The plan's routes say with which day they start.

    A row of lights is one stop, called by its first: the others are under `with`.
    """
    tell(10)
    assert plan.routes is not None
    start = date.fromisoformat(plan.routes["start"])
    chosen = [need for need in work_plans.needs(session, plan.id) if need.chosen and need.is_open]
    costs = work_plans.unit_costs(session, plan.kind)
    # By rank: where there are more than can be routed, those that come first are.
    jobs = repairs(plan, chosen)
    stops = [job for job in jobs if job.code in costs][:MOST_STOPS]
    crews = work_plans.crews(session, plan.kind, active=True)
    used = {crew.depot_id for crew in crews}
    depots = [depot for depot in work_plans.depots(session) if depot.id in used]
    places = [(one.longitude, one.latitude) for one in depots]
    places += [(one.first.longitude, one.first.latitude) for one in stops]
    xy_m = np.column_stack(to_city().transform(*np.array(places, np.float64).reshape(-1, 2).T))
    streets = priority.streets(session)
    tell(30)
    distances = StreetNetwork(streets.lines).distances(xy_m)
    tell(50)
    minutes = [sum(stop.minutes(costs)) for stop in stops]
    shifts = _shifts(crews, depots, plan.crew_days)
    found = routed(
        distances.metres,
        len(depots),
        [60 * one for one in minutes],
        shifts,
        importance=[stop.score for stop in stops],
    )
    busy = work_plans.busy_days(session, start)
    days: list[dict[str, Any]] = []
    for number, crew in enumerate(crews):
        own = [route for route in found.routes if route.shift == number]
        # What counts most is gone to first.
        own.sort(key=lambda route: -max(stops[stop].score for stop in route.stops))
        calendar = _free_days(start, len(own), {day for id, day in busy if id == crew.id})
        days += [
            {
                "crew": crew.id,
                "name": crew.name,
                "starts_at": crew.starts_at.isoformat("minutes"),
                "minutes": crew.day_minutes,
                "depot": shifts[number].depot,
                "day": day.isoformat(),
                "stops": [stops[stop].first.need_id for stop in route.stops],
            }
            for day, route in zip(calendar, own, strict=True)
        ]
    routes = {
        "start": plan.routes["start"],
        "by_street": round(distances.share_by_street, 4),
        "depots": [{"name": one.name, "lon": one.longitude, "lat": one.latitude} for one in depots],
        "needs": [stop.first.need_id for stop in stops],
        "with": {
            str(job.first.need_id): [need.need_id for need in job.needs[1:]]
            for job in jobs
            if job.lights
        },
        "minutes": minutes,
        "days": days,
        "left": [stops[stop].first.need_id for stop in found.left]
        + [job.first.need_id for job in jobs if job not in stops],
    }
    kept = np.rint(distances.metres).astype(np.int32)
    work_plans.change(
        session,
        plan.id,
        plan.version,
        routes=_timed(routes, kept),
        distances=kept.tobytes(),
    )


def _shifts(crews: Sequence[Crew], depots: Sequence[DepotPlace], days: int) -> list[Shift]:
    """Share crew days out evenly, the first crews first."""
    at = {depot.id: number for number, depot in enumerate(depots)}
    return [
        Shift(
            at[crew.depot_id],
            crew.day_minutes,
            days // len(crews) + (number < days % len(crews)),
        )
        for number, crew in enumerate(crews)
    ]


def _free_days(start: date, count: int, busy: Collection[date]) -> list[date]:
    """Give working days on which a crew has no orders yet."""
    found: list[date] = []
    day = start
    while len(found) < count:
        if is_working_day(day) and day not in busy:
            found.append(day)
        day += timedelta(days=1)
    return found


def _timed(routes: Mapping[str, Any], distances: NDArray[np.int32]) -> dict[str, Any]:
    """Give routes with the times at which each day comes where."""
    at = {need: number for number, need in enumerate(routes["needs"])}
    service_s = [60 * minutes for minutes in routes["minutes"]]
    days = []
    for day in routes["days"]:
        timed = timed_route(
            [at[need] for need in day["stops"]],
            day["depot"],
            distances.astype(np.float64),
            len(routes["depots"]),
            service_s,
        )
        days.append(
            {
                **day,
                "arrivals_s": list(timed.arrivals_s),
                "back_s": timed.back_s,
                "metres": timed.metres,
            }
        )
    return {**routes, "days": days}


def moved(plan: WorkPlan, need_id: int, to: int | None, position: int) -> dict[str, Any]:
    """Give the routes of a plan with a stop moved to another place.

    Parameters
    ----------
    plan : WorkPlan
        With routes.
    need_id : int
    to : int or None
        Number of the day; None takes it off all routes.
    position : int
        From 1. After the last one it comes last.

    Returns
    -------
    dict
        As `WorkPlan.routes`. A day may be longer by this than a crew's: its times say so.

    Raises
    ------
    LookupError
        Where the plan has no such stop or day.
    """
    routes = plan.routes
    if not routes or plan.distances is None or need_id not in routes["needs"]:
        raise LookupError(need_id)
    if to is not None and not 0 <= to < len(routes["days"]):
        raise LookupError(to)
    days = [
        {**day, "stops": [stop for stop in day["stops"] if stop != need_id]}
        for day in routes["days"]
    ]
    left = [stop for stop in routes["left"] if stop != need_id]
    if to is None:
        left.append(need_id)
    else:
        days[to]["stops"].insert(max(position - 1, 0), need_id)
    size = len(routes["depots"]) + len(routes["needs"])
    distances = np.frombuffer(plan.distances, np.int32).reshape(size, size)
    return _timed({**routes, "days": days, "left": left}, distances)
