"""Action plans: the summary that everybody reads, and what those of a plan see and change of it.

Every statement runs in the name of the visitor, and the rules of the store hold each to what the visitor
may. Only reminders are the owner's.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import numpy as np
import orjson
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.models import ReviewState
from data.queries import audit
from data.queries.hot_spots import Places
from data.queries.people import Choice
from geo.categories import BY_CODE, Category
from geo.crs import CITY_SRID, to_city
from geo.places import Box
from geo.plans import Audience, Ground, Stage
from geo.roles import Role
from geo.statuses import OPEN, Status

MOST_REPORTS = 200
"""Reports that a plan is opened with, or that its page lists."""

MOST_SHOWN = 20
"""Notes that the moderators' queue shows at once, the oldest first."""

REMIND_DAYS = 2
"""Days before a task is due on which its reminder is written."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What everybody may know of a plan.

    Attributes
    ----------
    area : str
        The neighbourhood, or else the patrol division; may be empty.
    watch_id, watch : int and str, or None
        The block watch.
    tasks, done : int
        How many there are, and are done.
    overdue : int
        Tasks that are late; 0 for whoever may not see them.
    reached_at : datetime
        When it came to its stage.
    """

    id: int
    title: str
    stage: Stage
    response_starts: date | None
    created_at: datetime
    reached_at: datetime
    version: int
    area: str
    neighbourhood_id: int | None
    watch_id: int | None
    watch: str | None
    division: str
    has_public_place: bool
    tasks: int
    done: int
    overdue: int
    ground: Ground


_SUMMARY = """
    SELECT plan.id, title, stage, response_starts, plan.created_at, plan.version,
        neighbourhood_id, plan.block_watch_id, patrol_division_id, council_district_id,
        coalesce(hood.name, '') AS hood, coalesce(division.name, '') AS division,
        block_watch.name AS watch, public_place IS NOT NULL AS has_public_place,
        (SELECT max(at) FROM plan_step WHERE plan_id = plan.id) AS reached_at,
        coalesce(progress.tasks, 0) AS tasks, coalesce(progress.done, 0) AS done,
        (SELECT count(*) FROM plan_task WHERE plan_id = plan.id
            AND done_at IS NULL AND due < :today AND stage <> 'closed') AS overdue,
        ARRAY(SELECT department_id FROM plan_partner
            WHERE plan_id = plan.id AND department_id IS NOT NULL) AS departments
    FROM plan
    LEFT JOIN area AS hood ON hood.id = neighbourhood_id
    LEFT JOIN area AS division ON division.id = patrol_division_id
    LEFT JOIN block_watch ON block_watch.id = plan.block_watch_id
    LEFT JOIN plan_progress AS progress ON progress.plan_id = plan.id
"""


def _summary(row: Row[Any]) -> Summary:
    return Summary(
        id=row.id,
        title=row.title,
        stage=Stage(row.stage),
        response_starts=row.response_starts,
        created_at=row.created_at,
        reached_at=row.reached_at,
        version=row.version,
        area=row.hood or row.division,
        neighbourhood_id=row.neighbourhood_id,
        watch_id=row.block_watch_id,
        watch=row.watch,
        division=row.division,
        has_public_place=row.has_public_place,
        tasks=row.tasks,
        done=row.done,
        overdue=row.overdue,
        ground=Ground(
            row.block_watch_id,
            row.patrol_division_id,
            row.council_district_id,
            frozenset(row.departments),
        ),
    )


@dataclass(frozen=True, slots=True)
class PlanFilter:
    """Which plans are listed.

    Attributes
    ----------
    stage : Stage or "open" or None
        "open" means all that are not closed.
    area_id, block_watch_id : int or None
    mine, overdue : bool
        Those whose progress the visitor sees, and of these the late ones.
    """

    today: date
    stage: Stage | Literal["open"] | None = None
    area_id: int | None = None
    block_watch_id: int | None = None
    mine: bool = False
    overdue: bool = False


def summaries(
    session: Session, chosen: PlanFilter, *, limit: int, before: int | None = None
) -> tuple[list[Summary], int | None]:
    """Give plans, the newest first, and where the next page begins.

    Parameters
    ----------
    session : Session
    chosen : PlanFilter
    limit : int
    before : int, optional
        Only plans with lower ids.
    """
    asked = [
        ("plan.id < :before", before is not None),
        ("stage = CAST(:stage AS plan_stage)", isinstance(chosen.stage, Stage)),
        ("stage <> 'closed'", chosen.stage == "open"),
        (
            ":area IN (neighbourhood_id, patrol_division_id, council_district_id)",
            chosen.area_id is not None,
        ),
        ("plan.block_watch_id = :watch", chosen.block_watch_id is not None),
        ("visitor_sees_plan(plan.id)", chosen.mine or chosen.overdue),
        (
            """stage <> 'closed' AND EXISTS (
                SELECT FROM plan_task WHERE plan_id = plan.id AND done_at IS NULL AND due < :today
            )""",
            chosen.overdue,
        ),
    ]
    where = " AND ".join(["true", *(sql for sql, meant in asked if meant)])
    rows = session.execute(
        text(f"{_SUMMARY} WHERE {where} ORDER BY plan.id DESC LIMIT :limit"),
        {
            "before": before,
            "stage": chosen.stage,
            "area": chosen.area_id,
            "watch": chosen.block_watch_id,
            "today": chosen.today,
            "limit": limit + 1,
        },
    ).all()
    shown = [_summary(row) for row in rows[:limit]]
    return shown, shown[-1].id if len(rows) > limit else None


def summary(session: Session, id: int, today: date) -> Summary | None:
    """Give what everybody may know of a plan; None where there is none."""
    row = session.execute(
        text(f"{_SUMMARY} WHERE plan.id = :id"), {"id": id, "today": today}
    ).one_or_none()
    return None if row is None else _summary(row)


def of_report(session: Session, report_id: int) -> list[Choice]:
    """Give the plans that a report is linked to, as far as the visitor sees them."""
    rows = session.execute(
        text(
            "SELECT id, title FROM plan JOIN plan_report ON plan_id = id "
            "WHERE report_id = :id ORDER BY id"
        ),
        {"id": report_id},
    )
    return [Choice(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plan is, as far as the visitor may see it.

    Attributes
    ----------
    is_whole : bool
        Whether it is the place itself, not what everybody sees of it.
    """

    title: str
    geom: BaseGeometry
    is_whole: bool


def place(session: Session, id: int) -> Place | None:
    """Give the place of a plan for the visitor; None where nothing finer than an area may be shown."""
    row = session.execute(
        text("""
            SELECT title, ST_AsBinary(coalesce(plan_private.place, public_place)) AS geom,
                plan_private.place IS NOT NULL AS is_whole
            FROM plan LEFT JOIN plan_private ON plan_id = plan.id WHERE plan.id = :id
        """),
        {"id": id},
    ).one_or_none()
    if row is None or row.geom is None:
        return None
    return Place(row.title, shapely.from_wkb(bytes(row.geom)), row.is_whole)


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A plan to be opened.

    Attributes
    ----------
    place, public_place : shapely geometry
        In degrees, of several parts. None for nothing to be shown.
    figures : mapping or None
        Of the hot spot, and whether they count exact places.
    """

    title: str
    block_watch_id: int | None
    place: BaseGeometry
    public_place: BaseGeometry | None
    figures: Mapping[str, Any] | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Twin:
    """A plan of the same title and place; `is_same` where the visitor opened it with the same words."""

    id: int
    is_same: bool


def just_opened(session: Session, new: NewPlan, problem: str) -> Twin | None:
    """Give the plan of this title and place that was opened in the last minutes, if there is one.

    Of two who ask at the same time the second waits for the first.
    """
    _take_turns(session, f"open {new.title}")
    found = session.execute(
        text("""
            SELECT id, EXISTS (
                SELECT FROM plan_note AS note JOIN plan_note_author AS author ON note_id = note.id
                WHERE note.plan_id = plan.id AND words = :problem AND author.person_id = visitor()
            ) AS is_same
            FROM plan JOIN plan_private AS seen ON plan_id = id
            WHERE title = :title AND created_at > now() - interval '10 minutes'
                AND ST_Equals(seen.place, ST_GeomFromWKB(:place, 4326))
            ORDER BY is_same DESC, id DESC LIMIT 1
        """),
        {"title": new.title, "problem": problem, "place": shapely.to_wkb(new.place)},
    ).one_or_none()
    return None if found is None else Twin(found.id, found.is_same)


def _take_turns(session: Session, what: str) -> None:
    """Have whoever does the same at the same time wait, until this transaction ends."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('plan'), hashtext(:what))"), {"what": what}
    )


class Misplaced(ValueError):  # noqa: N818 (it is the name of what happened)
    """A place where no such plan can be: outside of the city, or far from its block watch."""


def open_plan(session: Session, person_id: int, new: NewPlan) -> int:
    """Open a plan, and give its id. The store refuses whoever may not lead it.

    Raises
    ------
    Misplaced
    """
    try:
        with session.begin_nested():
            id: int = session.scalars(
                text("""
                    INSERT INTO plan (title, opened_by_id, block_watch_id, place, public_place)
                    VALUES (:title, :person, :watch, ST_GeomFromWKB(:place, 4326),
                        ST_GeomFromWKB(CAST(:shown AS bytea), 4326))
                    RETURNING id
                """),
                {
                    "title": new.title,
                    "person": person_id,
                    "watch": new.block_watch_id,
                    "place": shapely.to_wkb(new.place),
                    "shown": None if new.public_place is None else shapely.to_wkb(new.public_place),
                },
            ).one()
    except IntegrityError as error:
        raise Misplaced from error
    if new.figures is not None:
        session.execute(
            text(
                "INSERT INTO plan_figures (plan_id, exact, figures) "
                "VALUES (:id, :exact, CAST(:figures AS jsonb))"
            ),
            {"id": id, "exact": new.exact, "figures": orjson.dumps(new.figures).decode()},
        )
    audit.add(session, person_id, "plan.open", f"plan {id}")
    return id


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted when a plan was opened; `exact` where exact places were."""

    exact: bool
    figures: Mapping[str, Any]

    @property
    def since(self) -> date:
        """The first day that was counted."""
        return date.fromisoformat(self.figures["since"])

    @property
    def until(self) -> date:
        """The last day that was counted."""
        return date.fromisoformat(self.figures["until"])


def figures(session: Session, id: int) -> Figures | None:
    """Give the figures a plan was opened with; None where there are none for the visitor."""
    row = session.execute(
        text("SELECT exact, figures FROM plan_figures WHERE plan_id = :id"), {"id": id}
    ).one_or_none()
    return None if row is None else Figures(*row)


@dataclass(frozen=True, slots=True)
class Step:
    """When a plan came to a stage."""

    stage: Stage
    at: datetime


def steps(session: Session, id: int) -> list[Step]:
    """Give the stages that a plan came to, in their order."""
    rows = session.execute(
        text("SELECT stage, at FROM plan_step WHERE plan_id = :id ORDER BY at, id"), {"id": id}
    )
    return [Step(Stage(stage), at) for stage, at in rows]


class Changed(ValueError):  # noqa: N818 (it is the name of what happened)
    """Somebody else has changed it meanwhile."""


def rename(session: Session, id: int, version: int, title: str) -> None:
    """Give a plan another title.

    Raises
    ------
    Changed
    """
    _one(
        session,
        "UPDATE plan SET title = :title WHERE id = :id AND version = :version RETURNING id",
        {"id": id, "version": version, "title": title},
    )


def move(session: Session, id: int, version: int, to: Stage, response_starts: date | None) -> None:
    """Bring a plan to another stage. The store refuses what `geo.plans.STEPS` does not have.

    Parameters
    ----------
    session : Session
    id, version : int
    to : Stage
    response_starts : date or None
        In the city's time; none before a response.

    Raises
    ------
    Changed
    """
    _one(
        session,
        "UPDATE plan SET stage = CAST(:stage AS plan_stage), response_starts = :starts "
        "WHERE id = :id AND version = :version RETURNING id",
        {"id": id, "version": version, "stage": to.value, "starts": response_starts},
    )


def _one(session: Session, statement: str, values: Mapping[str, Any]) -> None:
    if session.execute(text(statement), values).first() is None:
        raise Changed


# Partners -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Partner:
    """Who works on a plan, and what they bring."""

    id: int
    name: str
    brings: str
    department_id: int | None
    service_location_id: int | None


def partners(session: Session, id: int) -> list[Partner]:
    """Give the partners of a plan, the first first."""
    rows = session.execute(
        text(
            "SELECT id, name, brings, department_id, service_location_id FROM plan_partner "
            "WHERE plan_id = :id ORDER BY id"
        ),
        {"id": id},
    )
    return [Partner(*row) for row in rows]


def departments(session: Session) -> list[Choice]:
    """Give the departments by name."""
    rows = session.execute(text("SELECT id, name FROM department ORDER BY name, id"))
    return [Choice(*row) for row in rows]


def add_partner(
    session: Session,
    id: int,
    *,
    department_id: int | None = None,
    service_location_id: int | None = None,
    name: str = "",
    brings: str = "",
) -> bool:
    """Add a partner; False where there is no such department or place, or it is one already."""
    found = session.execute(
        text("""
            INSERT INTO plan_partner (plan_id, department_id, service_location_id, name, brings)
            SELECT :id, :department, :location, left(named.name, 120), :brings FROM (
                SELECT name FROM department WHERE id = :department
                UNION ALL
                SELECT name FROM service_location WHERE id = :location AND NOT confidential
                UNION ALL
                SELECT :name WHERE CAST(:department AS bigint) IS NULL
                    AND CAST(:location AS bigint) IS NULL
            ) AS named
            ON CONFLICT DO NOTHING RETURNING id
        """),
        {
            "id": id,
            "department": department_id,
            "location": service_location_id,
            "name": name,
            "brings": brings,
        },
    )
    return found.first() is not None


def remove_partner(session: Session, id: int, partner_id: int) -> bool:
    """Remove a partner; its tasks are nobody's then. False where there is none such."""
    found = session.execute(
        text("DELETE FROM plan_partner WHERE plan_id = :id AND id = :partner RETURNING id"),
        {"id": id, "partner": partner_id},
    )
    return found.first() is not None


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a role in a plan. The name is empty where it is not the visitor's to know."""

    person_id: int
    role: Role
    name: str
    department: str


def people(session: Session, id: int) -> list[Member]:
    """Give who has a role in a plan: nobody to whoever does not work on it."""
    rows = session.execute(
        text(
            "SELECT person_id, role::text, name, department FROM plan_people(:id) "
            "ORDER BY role, name, person_id"
        ),
        {"id": id},
    )
    return [Member(row[0], Role(row[1]), row[2], row[3]) for row in rows]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to write to somebody, and in which language."""

    email: str
    language: str


def address_of(session: Session, id: int, person_id: int) -> Address | None:
    """Give where to write to somebody with a role in a plan. To others than its people, nothing."""
    row = session.execute(
        text("SELECT email, language FROM plan_person_address(:id, :person)"),
        {"id": id, "person": person_id},
    ).one_or_none()
    return None if row is None else Address(*row)


# Tasks --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done.

    Attributes
    ----------
    partner : str
        Name of the partner who does it; empty where a person does, or nobody.
    person_id : int or None
    late : bool
    """

    id: int
    what: str
    partner_id: int | None
    partner: str
    person_id: int | None
    due: date | None
    done_at: datetime | None
    version: int
    late: bool


def tasks(session: Session, id: int, today: date) -> list[Task]:
    """Give the tasks of a plan: open ones by when they are due, then what is done."""
    rows = session.execute(
        text("""
            SELECT task.id, what, partner_id, coalesce(partner.name, '') AS partner, person_id, due,
                done_at, version, coalesce(done_at IS NULL AND due < :today, false)
            FROM plan_task AS task LEFT JOIN plan_partner AS partner ON partner.id = partner_id
            WHERE task.plan_id = :id
            ORDER BY done_at IS NOT NULL, due NULLS LAST, task.id
        """),
        {"id": id, "today": today},
    )
    return [Task(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task as it is written down: of a partner, of a person, or of nobody yet."""

    what: str
    partner_id: int | None
    person_id: int | None
    due: date | None


def add_task(session: Session, id: int, new: NewTask) -> int | None:
    """Write down a task, and give its id; None where it was written down a minute ago."""
    _take_turns(session, f"work {id}")
    task_id: int | None = session.scalar(
        text("""
            INSERT INTO plan_task (plan_id, what, partner_id, person_id, due)
            SELECT :id, :what, :partner, :person, :due WHERE NOT EXISTS (
                SELECT FROM plan_task WHERE plan_id = :id AND what = :what
                    AND due IS NOT DISTINCT FROM CAST(:due AS date)
                    AND created_at > now() - interval '1 minute'
            ) RETURNING id
        """),
        {"id": id} | _values(new),
    )
    return task_id


def change_task(session: Session, id: int, task_id: int, version: int, new: NewTask) -> None:
    """Change a task. Whoever has it is reminded anew.

    Raises
    ------
    Changed
    """
    _one(
        session,
        "UPDATE plan_task SET what = :what, partner_id = :partner, person_id = :person, due = :due, "
        "reminded_at = NULL WHERE plan_id = :id AND id = :task AND version = :version RETURNING id",
        {"id": id, "task": task_id, "version": version} | _values(new),
    )


def _values(new: NewTask) -> dict[str, Any]:
    return {
        "what": new.what,
        "partner": new.partner_id,
        "person": new.person_id,
        "due": new.due,
    }


def tick(session: Session, id: int, task_id: int, *, done: bool) -> bool:
    """Write down that a task is done, or is not; False where there is none for the visitor to tick."""
    found = session.execute(
        text("""
            UPDATE plan_task SET done_at = CASE WHEN :done THEN coalesce(done_at, now()) END,
                done_by_id = CASE WHEN :done THEN coalesce(done_by_id, visitor()) END
            WHERE plan_id = :id AND id = :task RETURNING id
        """),
        {"id": id, "task": task_id, "done": done},
    )
    return found.first() is not None


def drop_task(session: Session, id: int, task_id: int) -> bool:
    """Delete a task; False where there is none such."""
    found = session.execute(
        text("DELETE FROM plan_task WHERE plan_id = :id AND id = :task RETURNING id"),
        {"id": id, "task": task_id},
    )
    return found.first() is not None


@dataclass(frozen=True, slots=True)
class OwnTask:
    """A task that waits for the visitor."""

    plan_id: int
    title: str
    what: str
    due: date | None
    late: bool


def own_tasks(session: Session, person_id: int, today: date) -> list[OwnTask]:
    """Give the open tasks of the visitor in plans that are not closed, the next due first."""
    rows = session.execute(
        text("""
            SELECT plan.id, title, what, due, coalesce(due < :today, false)
            FROM plan_task JOIN plan ON plan.id = plan_id
            WHERE person_id = :person AND done_at IS NULL AND stage <> 'closed'
            ORDER BY due NULLS LAST, plan_task.id LIMIT 50
        """),
        {"person": person_id, "today": today},
    )
    return [OwnTask(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task of which somebody is reminded."""

    id: int
    plan_id: int
    title: str
    what: str
    due: date


_TAKES_PART = """CASE held.role
    WHEN 'captain' THEN held.block_watch_id = plan.block_watch_id
    WHEN 'liaison' THEN held.area_id = patrol_division_id
    WHEN 'staff' THEN held.department_id IN (
        SELECT department_id FROM plan_partner WHERE plan_id = plan.id)
    ELSE held.role = 'administrator' END"""
"""Whether a role that holds gives a part in a plan."""


def to_remind(session: Session, today: date) -> dict[Address, list[DueTask]]:
    """Give the tasks that are due soon, by whom to remind: whoever has it, else who opened the plan.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    today : date
        In the city's time.

    Returns
    -------
    dict of Address to list of DueTask
        Only people whose role in the plan still holds.
    """
    rows = session.execute(
        text(f"""
            SELECT DISTINCT task.id, plan.id AS plan_id, title, what, due, email, language
            FROM plan_task AS task JOIN plan ON plan.id = task.plan_id
            JOIN person ON person.id = coalesce(task.person_id, opened_by_id)
            JOIN role_grant AS held ON held.person_id = person.id AND ended_at IS NULL
            WHERE done_at IS NULL AND reminded_at IS NULL AND stage <> 'closed'
                AND due BETWEEN :today AND :until AND disabled_at IS NULL AND email IS NOT NULL
                AND {_TAKES_PART}
            ORDER BY email, due, task.id
        """),  # noqa: S608 (of its own constant)
        {"today": today, "until": today + timedelta(days=REMIND_DAYS)},
    )
    found: dict[Address, list[DueTask]] = {}
    for row in rows:
        found.setdefault(Address(row.email, row.language), []).append(
            DueTask(row.id, row.plan_id, row.title, row.what, row.due)
        )
    return found


def to_tell(session: Session, id: int) -> list[Address]:
    """Give where to write to whoever opened a plan or has had a task of it, and still has a part in it.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    id : int
        Of the plan.
    """
    rows = session.execute(
        text(f"""
            SELECT DISTINCT email, language FROM plan
            JOIN person ON person.id = opened_by_id OR person.id IN (
                SELECT person_id FROM plan_task WHERE plan_id = plan.id)
            JOIN role_grant AS held ON held.person_id = person.id AND ended_at IS NULL
            WHERE plan.id = :id AND disabled_at IS NULL AND email IS NOT NULL AND {_TAKES_PART}
            ORDER BY email
        """),  # noqa: S608 (of its own constant)
        {"id": id},
    )
    return [Address(*row) for row in rows]


def reminded(session: Session, ids: Collection[int]) -> None:
    """Keep that somebody was reminded of tasks. As the owner of the store."""
    session.execute(
        text("UPDATE plan_task SET reminded_at = now() WHERE id = ANY (:ids)"),
        {"ids": sorted(ids)},
    )


# Notes --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Note:
    """What was found at a stage, or a word in the discussion.

    Attributes
    ----------
    person_id : int or None
        Who wrote it; None, too, for whoever may not know.
    state : ReviewState
        All but what is shown is there for its author alone.
    """

    id: int
    at: datetime
    audience: Audience
    stage: Stage | None
    words: str
    state: ReviewState
    reason: str
    person_id: int | None


def notes(session: Session, id: int) -> list[Note]:
    """Give the notes of a plan that the visitor may read, the first first."""
    rows = session.execute(
        text("""
            SELECT note.id, at, audience, stage, words, state, coalesce(author.reason, '') AS reason,
                author.person_id
            FROM plan_note AS note LEFT JOIN plan_note_author AS author ON note_id = note.id
            WHERE note.plan_id = :id ORDER BY note.id
        """),
        {"id": id},
    )
    return [
        Note(
            row.id,
            row.at,
            Audience(row.audience),
            row.stage and Stage(row.stage),
            row.words,
            ReviewState(row.state),
            row.reason,
            row.person_id,
        )
        for row in rows
    ]


def add_note(
    session: Session,
    id: int,
    audience: Audience,
    words: str,
    *,
    stage: Stage | None = None,
    held: bool = False,
) -> None:
    """Add a note; one that is held waits for a moderator. One that is sent twice is added once."""
    _take_turns(session, f"work {id}")
    session.execute(
        text("""
            INSERT INTO plan_note (plan_id, person_id, audience, stage, words, state)
            SELECT :id, visitor(), CAST(:audience AS plan_audience), CAST(:stage AS plan_stage),
                :words, CAST(:state AS review_state)
            WHERE NOT EXISTS (
                SELECT FROM plan_note JOIN plan_note_author ON note_id = plan_note.id
                WHERE plan_id = :id AND words = :words AND plan_note_author.person_id = visitor()
                    AND at > now() - interval '1 minute'
            )
        """),
        {
            "id": id,
            "audience": audience.value,
            "stage": stage and stage.value,
            "words": words,
            "state": ReviewState.WAITING.value if held else ReviewState.APPROVED.value,
        },
    )


@dataclass(frozen=True, slots=True)
class WaitingNote:
    """A note that waits, as a moderator sees it; `own` where the visitor wrote it."""

    id: int
    plan_id: int
    title: str
    words: str
    at: datetime
    own: bool


_WAITING = """
    SELECT note.id, plan_id, title, words, at, visitor_wrote_plan_note(note.id)
    FROM plan_note AS note JOIN plan ON plan.id = plan_id
    WHERE state = 'waiting' AND visitor_is_moderator()
"""


def waiting(session: Session) -> list[WaitingNote]:
    """Give the notes that wait for a moderator, the oldest first."""
    rows = session.execute(text(f"{_WAITING} ORDER BY note.id LIMIT :most"), {"most": MOST_SHOWN})
    return [WaitingNote(*row) for row in rows]


def decide(
    session: Session, id: int, person_id: int, *, state: ReviewState, shown: str, reason: str
) -> bool:
    """Show a note, all or part of it, or refuse it; False where nothing waits for this moderator."""
    decided = session.scalar(
        text("SELECT decide_plan_note(:id, CAST(:state AS review_state), :shown, :reason)"),
        {"id": id, "state": state.value, "shown": shown, "reason": reason},
    )
    if decided:
        detail = {"state": state.value, "reason": reason}
        audit.add(session, person_id, "plan_note.decide", f"plan_note {id}", detail)
    return bool(decided)


# Reports ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Linked:
    """A report of a plan, as everybody may know it."""

    id: int
    category: Category
    status: Status
    place: str
    reported_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done about it."""
        return self.status in OPEN


def linked(session: Session, id: int) -> list[Linked]:
    """Give the reports of a plan, open ones first."""
    rows = session.execute(
        text("""
            SELECT report.id, category_code, status, coalesce(nullif(address, ''), area.name, ''),
                reported_at
            FROM plan_report JOIN report ON report.id = report_id
            LEFT JOIN area ON area.id = neighbourhood_id
            WHERE plan_id = :id AND status <> 'held'
            ORDER BY status::text <> ALL (:open), reported_at DESC, report.id DESC LIMIT :most
        """),
        {"id": id, "open": [*OPEN], "most": MOST_REPORTS},
    )
    return [Linked(row[0], BY_CODE[row[1]], Status(row[2]), row[3], row[4]) for row in rows]


def link(session: Session, id: int, report_id: int) -> bool:
    """Link a report to a plan; False where it is not shown in its place or near it.

    A report that is linked already stays so.
    """
    try:
        with session.begin_nested():
            session.execute(
                text(
                    "INSERT INTO plan_report (plan_id, report_id) VALUES (:id, :report) "
                    "ON CONFLICT DO NOTHING"
                ),
                {"id": id, "report": report_id},
            )
    except IntegrityError:
        return False
    return True


def link_open(session: Session, id: int) -> int:
    """Link the open reports that are shown in the place of a plan, and give how many."""
    found = session.execute(
        text("""
            INSERT INTO plan_report (plan_id, report_id)
            SELECT plan_id, report.id FROM plan_private JOIN report
                ON ST_Intersects(public_geom, place)
            WHERE plan_id = :id AND status::text = ANY (:open)
            ORDER BY reported_at DESC LIMIT :most ON CONFLICT DO NOTHING RETURNING report_id
        """),
        {"id": id, "open": [*OPEN], "most": MOST_REPORTS},
    )
    return len(found.all())


def unlink(session: Session, id: int, report_id: int) -> bool:
    """Unlink a report; False where it is none of the plan."""
    found = session.execute(
        text(
            "DELETE FROM plan_report WHERE plan_id = :id AND report_id = :report RETURNING plan_id"
        ),
        {"id": id, "report": report_id},
    )
    return found.first() is not None


# Places to open plans on --------------------------------------------------------------------------


def shown_at(session: Session, ids: Sequence[int]) -> dict[int, BaseGeometry]:
    """Give where reports are shown to everybody, in the city's metres, by their ids."""
    rows = session.execute(
        text("""
            SELECT id, ST_AsBinary(ST_Transform(public_geom, CAST(:srid AS integer))) FROM report
            WHERE id = ANY (:ids) AND status <> 'held' AND public_geom IS NOT NULL
        """),
        {"ids": sorted(ids), "srid": CITY_SRID},
    )
    return {id: shapely.from_wkb(bytes(geom)) for id, geom in rows}


def division_of(session: Session, place: BaseGeometry) -> int | None:
    """Give the patrol division that the middle of a place in degrees lies in."""
    found: int | None = session.scalar(
        text("""
            SELECT min(area_id) FROM area_piece WHERE layer = 'patrol_division' AND ST_Intersects(
                geom, ST_PointOnSurface(ST_GeomFromWKB(:place, 4326)))
        """),
        {"place": shapely.to_wkb(place)},
    )
    return found


def watches_near(session: Session, place: BaseGeometry, within_m: float) -> list[Choice]:
    """Give the block watches that lie within some metres of a place in degrees, the nearest first."""
    rows = session.execute(
        text("""
            SELECT id, name FROM (
                SELECT id, name, ST_Distance(
                    ST_Transform(boundary, CAST(:srid AS integer)),
                    ST_Transform(ST_GeomFromWKB(:place, 4326), CAST(:srid AS integer))) AS away_m
                FROM block_watch
            ) AS near WHERE away_m <= :within_m ORDER BY away_m, name, id
        """),
        {"place": shapely.to_wkb(place), "srid": CITY_SRID, "within_m": within_m},
    )
    return [Choice(*row) for row in rows]


def shown_since(session: Session, since: datetime, box: Box, codes: Sequence[str]) -> Places:
    """Give where and when reports happened, as they are shown to everybody, whoever asks.

    Parameters
    ----------
    session : Session
    since : datetime
    box : tuple of float
        West, south, east, north in degrees.
    codes : sequence of str
        Of categories, by which the codes of the places count.
    """
    rows = session.execute(
        text("""
            SELECT ST_X(middle), ST_Y(middle), extract(epoch FROM occurred_at)::float8,
                array_position(:codes, category_code)
            FROM report, LATERAL (SELECT ST_Centroid(public_geom) AS middle) AS shown
            WHERE public_geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
                AND status NOT IN ('held', 'duplicate') AND occurred_at >= :since
                AND category_code = ANY (:codes)
        """),
        {
            "since": since,
            "codes": [*codes],
            **dict(zip(("west", "south", "east", "north"), box, strict=True)),
        },
    ).all()
    lon, lat, at_s = (np.array([row[n] for row in rows], np.float64) for n in range(3))
    code = np.array([row[3] for row in rows], np.int32)
    return Places(lon, lat, np.column_stack(to_city().transform(lon, lat)), at_s, code)
