"""Work plans: what can be chosen from, what was chosen, the crews and what a repair takes.

Every statement runs in the name of the visitor, and the rules of the store show and let change only what
the visitor plans. Two planners lose nothing: a change names the version that it saw.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.models import Category as CategoryRow
from data.models import Crew, Depot, PlanState, UnitCost, WorkPlan, WorkPlanNeed
from data.models.work_order import HOLDS_NEED
from geo.categories import BY_CODE, Category
from geo.crs import to_city
from geo.jobs import FEWEST_LIGHTS
from geo.kinds import Kind
from geo.outages import DARK
from geo.statuses import Status


class Why(StrEnum):
    """Why a work plan is not changed."""

    NOT_FOUND = "not_found"
    CHANGED_MEANWHILE = "changed_meanwhile"
    NOT_A_DRAFT = "not_a_draft"
    NOT_CHOSEN = "not_chosen"
    IN_USE = "in_use"
    NAME_TAKEN = "name_taken"
    DEPOT_GONE = "depot_gone"


class PlanRefused(ValueError):  # noqa: N818 (it is the name of what happened)
    """A work plan, a crew or a depot is not changed, and nothing of it is."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """A work plan in the list of all.

    Attributes
    ----------
    items : int
        Needs that are chosen.
    orders : int
        Work orders that were made of it.
    done : int
        Those of them that a crew or the desk has ended.
    by : str
        Who made it; empty where that person has no name or is gone.
    """

    id: int
    name: str
    kind: Kind
    state: PlanState
    budget_cents: int
    crew_days: int
    items: int
    orders: int
    done: int
    by: str
    at: datetime


def plans(session: Session) -> list[PlanSummary]:
    """Give the work plans that the visitor plans, the newest first."""
    rows = session.execute(
        text("""
            SELECT work_plan.id, work_plan.name, kind, state, budget_cents, crew_days, work_plan.at,
                coalesce(colleague.name, '') AS by,
                (SELECT count(*) FROM work_plan_need WHERE work_plan_id = work_plan.id AND chosen)
                    AS items,
                orders.n AS orders, orders.done
            FROM work_plan
            LEFT JOIN (SELECT DISTINCT person_id, name FROM colleague) AS colleague
                ON colleague.person_id = work_plan.person_id
            CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE work_order.state <> 'cancelled') AS n,
                    count(*) FILTER (WHERE work_order.state IN ('done', 'inspected')) AS done
                FROM work_order WHERE work_plan_id = work_plan.id
            ) AS orders
            ORDER BY work_plan.id DESC
        """)
    )
    return [
        PlanSummary(
            **dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
            | {"kind": Kind(row.kind), "state": PlanState(row.state)}
        )
        for row in rows
    ]


def plan(session: Session, id: int) -> WorkPlan | None:
    """Give a work plan, read anew; None where there is none for the visitor."""
    return session.scalar(
        select(WorkPlan).where(WorkPlan.id == id).execution_options(populate_existing=True)
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a work plan has to keep within, as `WorkPlan` names it."""

    name: str
    budget_cents: int
    crew_days: int
    materials: Mapping[str, int]
    floors: Mapping[int, int]

    @property
    def values(self) -> dict[str, Any]:
        """The columns."""
        return {
            "name": self.name,
            "budget_cents": self.budget_cents,
            "crew_days": self.crew_days,
            "materials": dict(self.materials),
            "floors": {str(area): least for area, least in self.floors.items()},
        }


def make(session: Session, person_id: int, kind: Kind, bounds: Bounds) -> int:
    """Make a work plan without a choice, and give its id. Nothing is committed here."""
    made = WorkPlan(kind=kind, person_id=person_id, **bounds.values)
    session.add(made)
    session.flush()
    return made.id


def change(session: Session, id: int, version: int, **values: Any) -> int:
    """Change a draft as it was seen, and give its new version. Nothing is committed here.

    Parameters
    ----------
    session : Session
    id : int
    version : int
        Of the plan as it was seen.
    values
        Columns of `WorkPlan`. What a job was asked for is forgotten where they do not ask it.

    Returns
    -------
    int

    Raises
    ------
    PlanRefused
    """
    asked: dict[str, Any] = {"asked": None, "asked_at_version": None, "progress": 0, "trouble": ""}
    if "asked" in values:
        values["asked_at_version"] = version + 1
    changed = session.scalar(
        update(WorkPlan)
        .where(WorkPlan.id == id, WorkPlan.version == version, WorkPlan.state == PlanState.DRAFT)
        .values(**(asked | values), version=version + 1, changed_at=func.now())
        .returning(WorkPlan.version)
        .execution_options(synchronize_session=False)
    )
    if changed is None:
        _refuse(session, id, version)
    return int(version + 1)


def _refuse(session: Session, id: int, version: int) -> None:
    found = plan(session, id)
    if found is None:
        raise PlanRefused(Why.NOT_FOUND)
    raise PlanRefused(Why.NOT_A_DRAFT if found.version == version else Why.CHANGED_MEANWHILE)


def end(session: Session, id: int, version: int, state: PlanState) -> None:
    """Bring a work plan to a later state.

    Raises
    ------
    PlanRefused
    """
    before = [PlanState.DRAFT] if state is PlanState.ISSUED else [PlanState.DRAFT, PlanState.ISSUED]
    changed = session.scalar(
        update(WorkPlan)
        .where(WorkPlan.id == id, WorkPlan.version == version, WorkPlan.state.in_(before))
        .values(
            state=state, version=version + 1, changed_at=func.now(), asked=None,
            asked_at_version=None,
        )
        .returning(WorkPlan.id)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    if changed is None:
        _refuse(session, id, version)


_JOBS = """
    SELECT need.id AS need_id, dark_run.id
    FROM need JOIN need_rank ON need_rank.need_id = need.id
    JOIN dark_run ON dark_run.id = dark_run_id
    WHERE need.closed_at IS NULL AND need.category_code = ANY (:dark) AND (
        dark_run.lights >= :fewest_lights OR EXISTS (
            SELECT FROM need_report AS own JOIN need_report AS other USING (report_id)
            JOIN need_rank AS beside ON beside.need_id = other.need_id
            WHERE own.need_id = need.id AND own.how IN ('block', 'stretch')
                AND other.need_id <> need.id AND beside.dark_run_id = dark_run.id
        )
    )
"""
"""The job of each open need that has one with others: the run of dark lights, by the last ranking. A pole that
is damaged besides is mended by itself."""

_OF_JOBS = {"dark": sorted(DARK), "fewest_lights": FEWEST_LIGHTS}


def lock(session: Session, id: int, version: int, need_ids: Collection[int], how: str) -> int:
    """Lock needs in or out, or free them, and forget the choice that was made without that.

    Needs of one job are locked and freed together.

    Parameters
    ----------
    session : Session
        Nothing is committed here.
    id, version : int
        Of the work plan as it was seen.
    need_ids : collection of int
        Those that are not of its kind, or not there for the visitor, are left out.
    how : {"in", "out", ""}

    Returns
    -------
    int
        Its version.

    Raises
    ------
    PlanRefused
    """
    after = change(session, id, version, solution=None, routes=None, distances=None)
    session.execute(
        text(f"""
            WITH job AS ({_JOBS}), meant AS (
                SELECT unnest(CAST(:needs AS bigint[])) AS need_id
                UNION SELECT need_id FROM job WHERE id IN (
                    SELECT id FROM job WHERE need_id = ANY (:needs)
                )
            )
            INSERT INTO work_plan_need (work_plan_id, need_id, lock, chosen)
            SELECT :id, need.id, CAST(:how AS text), :how = 'in' FROM need
            JOIN meant ON meant.need_id = need.id
            JOIN work_plan ON work_plan.id = :id AND work_plan.kind = need.kind
            ON CONFLICT (work_plan_id, need_id) DO UPDATE SET lock = excluded.lock,
                chosen = CASE excluded.lock WHEN 'out' THEN false WHEN 'in' THEN true
                    ELSE work_plan_need.chosen END
        """),  # noqa: S608 (a text of this module)
        {"id": id, "how": how, "needs": sorted(need_ids), **_OF_JOBS},
    )
    return after


def keep(session: Session, id: int, version: int, chosen: Collection[int], **values: Any) -> int:
    """Keep a choice of needs, and give the plan's new version.

    Raises
    ------
    PlanRefused
    """
    after = change(session, id, version, routes=None, distances=None, **values)
    session.execute(
        delete(WorkPlanNeed)
        .where(WorkPlanNeed.work_plan_id == id, WorkPlanNeed.lock == "")
        .execution_options(synchronize_session=False)
    )
    session.execute(
        text("""
            INSERT INTO work_plan_need (work_plan_id, need_id, chosen)
            SELECT :id, need.id, true FROM need WHERE need.id = ANY (:needs)
            ON CONFLICT (work_plan_id, need_id) DO UPDATE SET chosen = true
        """),
        {"id": id, "needs": sorted(chosen)},
    )
    return after


@dataclass(frozen=True, slots=True, eq=False)
class OpenNeeds:
    """The open needs of a kind that no work order holds: a column each, by their ids.

    Attributes
    ----------
    id : ndarray of int64
    xy_m : ndarray of float, shape (n, 2)
        In the city's metres.
    category : tuple of str
        Codes.
    neighbourhood_id, council_district_id : ndarray of int64
        0 for none.
    opened_s : ndarray of float
        Seconds since 1970.
    rank : ndarray of int64
        0 where it was not ranked yet.
    parts : ndarray of float, shape (n, factors)
        Points, as `geo.priority.FACTORS` of the kind has them; 0 where it was not ranked yet.
    lock : tuple of str
        Of the work plan that was asked for.
    job : ndarray of int64
        Needs of the same number are one repair; 0 where it is one by itself.
    weights_version_id : int or None
        By which they were ranked.
    """

    id: NDArray[np.int64]
    xy_m: NDArray[np.float64]
    category: tuple[str, ...]
    neighbourhood_id: NDArray[np.int64]
    council_district_id: NDArray[np.int64]
    opened_s: NDArray[np.float64]
    rank: NDArray[np.int64]
    parts: NDArray[np.float64]
    lock: tuple[str, ...]
    job: NDArray[np.int64]
    weights_version_id: int | None

    def __len__(self) -> int:
        return len(self.id)


def open_needs(session: Session, id: int, kind: Kind, factors: int) -> OpenNeeds:
    """Read what a work plan can choose from.

    Parameters
    ----------
    session : Session
    id : int
        Of the work plan.
    kind : Kind
    factors : int
        How many there are of the kind.
    """
    rows = session.execute(
        text(f"""
            WITH job AS ({_JOBS})
            SELECT need.id, ST_X(need.geom) AS lon, ST_Y(need.geom) AS lat, category_code,
                coalesce(neighbourhood_id, 0) AS neighbourhood_id,
                coalesce(council_district_id, 0) AS council_district_id,
                extract(epoch FROM opened_at)::float8 AS opened_s, coalesce(rank, 0) AS rank, parts,
                coalesce(mine.lock, '') AS lock, coalesce(job.id, 0) AS job, weights_version_id
            FROM need
            LEFT JOIN need_rank ON need_rank.need_id = need.id
            LEFT JOIN job ON job.need_id = need.id
            LEFT JOIN work_plan_need AS mine ON mine.need_id = need.id AND mine.work_plan_id = :id
            WHERE need.kind = CAST(:kind AS report_kind) AND closed_at IS NULL AND NOT EXISTS (
                SELECT FROM work_order WHERE work_order.need_id = need.id AND {HOLDS_NEED}
            )
            ORDER BY need.id
        """),  # noqa: S608 (a text of this module)
        {"id": id, "kind": kind.value, **_OF_JOBS},
    ).all()
    nothing = [0.0] * factors
    parts = [row.parts if len(row.parts or ()) == factors else nothing for row in rows]
    lon, lat = np.array([(row.lon, row.lat) for row in rows], np.float64).reshape(-1, 2).T
    return OpenNeeds(
        id=np.array([row.id for row in rows], np.int64),
        xy_m=np.column_stack(to_city().transform(lon, lat)),
        category=tuple(row.category_code for row in rows),
        neighbourhood_id=np.array([row.neighbourhood_id for row in rows], np.int64),
        council_district_id=np.array([row.council_district_id for row in rows], np.int64),
        opened_s=np.array([row.opened_s for row in rows], np.float64),
        rank=np.array([row.rank for row in rows], np.int64),
        parts=np.array(parts, np.float64).reshape(-1, factors),
        lock=tuple(row.lock for row in rows),
        job=np.array([row.job for row in rows], np.int64),
        weights_version_id=max((row.weights_version_id or 0 for row in rows), default=0) or None,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Incidents:
    """Police incidents at their public places, in the city's metres, and when they happened."""

    xy_m: NDArray[np.float64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    at_s: NDArray[np.float64]


def incidents(session: Session, since: datetime) -> Incidents:
    """Read police incidents since a moment, at the places that everybody sees.

    So that a plan is the same, whoever makes it.
    """
    rows = session.execute(
        text("""
            SELECT ST_X(public_geom), ST_Y(public_geom), extract(epoch FROM occurred_at)::float8
            FROM police_incident WHERE occurred_at >= :since AND public_geom IS NOT NULL ORDER BY id
        """),
        {"since": since},
    ).all()
    lon, lat, at_s = np.array(rows, np.float64).reshape(-1, 3).T
    return Incidents(np.column_stack(to_city().transform(lon, lat)), lon, lat, at_s)


@dataclass(frozen=True, slots=True)
class PlanNeed:
    """A need of a work plan, as pages show it.

    Attributes
    ----------
    is_open : bool
        Whether it still is.
    pole : str
        Number of the light; may be empty.
    order_id : int or None
        The work order that this plan made of it.
    """

    need_id: int
    category: Category
    status: Status
    is_open: bool
    hazard: bool
    address: str
    neighbourhood: str
    council_district: str
    pole: str
    longitude: float
    latitude: float
    opened_at: datetime
    rank: int | None
    score: float | None
    lock: str
    chosen: bool
    order_id: int | None


_NEEDS = """
    SELECT need.id AS need_id, need.category_code, need.status, need.closed_at IS NULL AS is_open,
        need.hazard, need.address, coalesce(neighbourhood.name, '') AS neighbourhood,
        coalesce(district.name, '') AS council_district, coalesce(light.pole_id, '') AS pole,
        ST_X(need.geom) AS longitude, ST_Y(need.geom) AS latitude, need.opened_at, rank, score,
        mine.lock, mine.chosen, (
            SELECT max(work_order.id) FROM work_order
            WHERE work_order.need_id = need.id AND work_order.work_plan_id = :id
        ) AS order_id
    FROM work_plan_need AS mine JOIN need ON need.id = mine.need_id
    LEFT JOIN area AS neighbourhood ON neighbourhood.id = need.neighbourhood_id
    LEFT JOIN area AS district ON district.id = need.council_district_id
    LEFT JOIN street_light AS light ON light.id = need.street_light_id
    LEFT JOIN need_rank ON need_rank.need_id = need.id
    WHERE mine.work_plan_id = :id AND (mine.chosen OR mine.lock <> '')
    ORDER BY mine.chosen DESC, rank NULLS LAST, need.id
"""


def needs(session: Session, id: int) -> list[PlanNeed]:
    """Give what a work plan chose or has locked, the chosen first, by rank."""
    rows = session.execute(text(_NEEDS), {"id": id})
    return [_plan_need(row) for row in rows]


def _plan_need(row: Any) -> PlanNeed:
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    values |= {"status": Status(row.status), "category": BY_CODE[values.pop("category_code")]}
    return PlanNeed(**values)


# Crews --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DepotPlace:
    """A depot, in degrees."""

    id: int
    name: str
    longitude: float
    latitude: float
    crews: int


def depots(session: Session) -> list[DepotPlace]:
    """Give the depots, by name."""
    rows = session.execute(
        text("""
            SELECT id, name, ST_X(geom) AS longitude, ST_Y(geom) AS latitude,
                (SELECT count(*) FROM crew WHERE depot_id = depot.id) AS crews
            FROM depot ORDER BY name
        """)
    )
    return [DepotPlace(**row._mapping) for row in rows]  # noqa: SLF001 (as above)


def crews(session: Session, kind: Kind | None = None, *, active: bool = False) -> Sequence[Crew]:
    """Give the crews, by name; of one kind, or only those that routes are made for, where asked."""
    asked = select(Crew).order_by(Crew.kind, Crew.name)
    if kind is not None:
        asked = asked.where(Crew.kind == kind)
    if active:
        asked = asked.where(Crew.active)
    return session.scalars(asked).all()


def busy_days(session: Session, start: date) -> set[tuple[int, date]]:
    """Give the days, from one on, on which crews have orders already: pairs of a crew and a day."""
    rows = session.execute(
        text("""
            SELECT DISTINCT crew_id, day FROM work_order
            WHERE crew_id IS NOT NULL AND day >= :start AND state <> 'cancelled'
        """),
        {"start": start},
    )
    return {(row.crew_id, row.day) for row in rows}


def take_turns(session: Session) -> None:
    """Have whoever sends out crews at the same time wait, until this transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('work_plan.issue'))"))


def unit_costs(session: Session, kind: Kind | None = None) -> dict[str, UnitCost]:
    """Give what a need of each category takes, by its code."""
    asked = select(UnitCost).order_by(UnitCost.category_code)
    if kind is not None:
        asked = asked.join(CategoryRow, CategoryRow.code == UnitCost.category_code).where(
            CategoryRow.kind == kind
        )
    return {cost.category_code: cost for cost in session.scalars(asked)}


def keep_depot(
    session: Session, id: int | None, name: str, longitude: float, latitude: float
) -> None:
    """Add a depot, or change one.

    Raises
    ------
    PlanRefused
    """
    values = {"name": name, "geom": f"SRID=4326;POINT({longitude:.7f} {latitude:.7f})"}
    _keep(session, Depot, id, values)


def keep_crew(
    session: Session,
    id: int | None,
    *,
    name: str,
    depot_id: int,
    kind: Kind,
    day_minutes: int,
    starts_at: time,
    active: bool,
) -> None:
    """Add a crew, or change one.

    Raises
    ------
    PlanRefused
    """
    values = {
        "name": name,
        "depot_id": depot_id,
        "kind": kind,
        "day_minutes": day_minutes,
        "starts_at": starts_at,
        "active": active,
    }
    _keep(session, Crew, id, values)


_REFUSED_BY = {
    "depot_name_key": Why.NAME_TAKEN,
    "crew_name_key": Why.NAME_TAKEN,
    "crew_depot_id_fkey": Why.DEPOT_GONE,
}


def _keep(
    session: Session, table: type[Depot] | type[Crew], id: int | None, values: dict[str, Any]
) -> None:
    try:
        with session.begin_nested():
            if id is None:
                session.execute(postgresql.insert(table).values(**values))
                return
            kept = session.scalar(
                update(table)
                .where(table.id == id)
                .values(**values)
                .returning(table.id)
                .execution_options(synchronize_session=False)
            )
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        why = _REFUSED_BY.get(constraint or "")
        if why is None:
            raise
        raise PlanRefused(why) from error
    if kept is None:
        raise PlanRefused(Why.NOT_FOUND)


def drop_depot(session: Session, id: int) -> None:
    """Delete a depot that no crew starts from.

    Raises
    ------
    PlanRefused
    """
    try:
        with session.begin_nested():
            session.execute(delete(Depot).where(Depot.id == id))
    except IntegrityError as error:
        raise PlanRefused(Why.IN_USE) from error


def keep_cost(
    session: Session, code: str, cents: int, minutes: int, materials: Mapping[str, int]
) -> None:
    """Say what a need of a category takes."""
    values = {"cents": cents, "minutes": minutes, "materials": dict(materials)}
    session.execute(
        postgresql.insert(UnitCost)
        .values(category_code=code, **values)
        .on_conflict_do_update(index_elements=["category_code"], set_=values)
    )


# Jobs ---------------------------------------------------------------------------------------------


def begin(session: Session, id: int) -> WorkPlan | None:
    """Give a work plan of which something is asked; None where nothing is any more. As the owner."""
    found = plan(session, id)
    if found is None or found.asked is None or found.asked_at_version != found.version:
        return None
    return found


def advance(session: Session, id: int, percent: int) -> None:
    """Say how far the job of a work plan has come. As the owner."""
    session.execute(
        update(WorkPlan)
        .where(WorkPlan.id == id, WorkPlan.asked.is_not(None))
        .values(progress=percent)
        .execution_options(synchronize_session=False)
    )


def fail(session: Session, id: int, version: int, trouble: str) -> None:
    """Keep why a job found nothing, unless the plan is another by now. As the owner."""
    session.execute(
        update(WorkPlan)
        .where(WorkPlan.id == id, WorkPlan.version == version)
        .values(asked=None, asked_at_version=None, progress=0, trouble=trouble)
        .execution_options(synchronize_session=False)
    )
