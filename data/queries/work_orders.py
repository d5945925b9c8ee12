"""Work orders: drafting them, and each of their steps.

A step is taken as one or not at all, together with what it means for the reports of the need, which go
through `data.queries.work.change` as everything does, so that followers and neighbours hear of it. What a
crew says from the field is a fact even where it comes late: it is kept, and named, for the desk to decide.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, insert, or_, select, text, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.models import NeedReport, ResponseTemplate, WorkOrder, WorkOrderEvent, WorkOrderPhoto
from data.models.work_order import HOLDS_NEED
from data.queries import work
from data.queries.work import Change, Changed, Worker
from geo.statuses import OPEN, Status
from geo.work_orders import Outcome, Party, Refusal, State, Visit, Word, refusal, word


class Why(StrEnum):
    """Why nothing is changed, beside what the way of an order forbids."""

    NOT_FOUND = "not_found"
    CHANGED_MEANWHILE = "changed_meanwhile"
    KEY_REUSED = "key_reused"
    NEED_IS_HELD = "need_is_held"
    NEED_IS_CLOSED = "need_is_closed"
    NOT_ITS_CREW = "not_its_crew"
    CREW_IS_OUT = "crew_is_out"


class OrderRefused(ValueError):  # noqa: N818 (it is the name of what happened)
    """A work order is not changed, and nothing of what was asked is.

    Parameters
    ----------
    why : Why or Refusal
    order_id : int, optional
        Which order is meant; where the need is held, the one that holds it.
    before, after : State, optional
        The step, where it was one.
    """

    def __init__(
        self,
        why: Why | Refusal,
        order_id: int | None = None,
        before: State | None = None,
        after: State | None = None,
    ) -> None:
        super().__init__(why.value)
        self.why, self.order_id, self.before, self.after = why, order_id, before, after


# Drafts -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stop:
    """A need that a crew shall go to. A draft may name neither crew nor day.

    Attributes
    ----------
    position : int or None
        On the route of the day, from 1.
    arrive_at : datetime or None
    service_minutes : int
        Of work at the stop.
    """

    need_id: int
    crew_id: int | None = None
    day: date | None = None
    position: int | None = None
    arrive_at: datetime | None = None
    service_minutes: int = 30


@dataclass(frozen=True, slots=True)
class Drafted:
    """What became of stops, by the ids of their needs.

    Attributes
    ----------
    made : mapping of int to int
        The order of each need.
    held : mapping of int to int
        The other order that holds a need. One need, one order at a time.
    closed : frozenset of int
        Needs that are closed, or not there for whoever asks.
    """

    made: Mapping[int, int]
    held: Mapping[int, int]
    closed: frozenset[int]


_DRAFT = text(f"""
    INSERT INTO work_order (work_plan_id, need_id, crew_id, day, position, arrive_at,
        service_minutes, person_id)
    SELECT :work_plan_id, stop.need_id, stop.crew_id, stop.day, stop.position, stop.arrive_at,
        stop.service_minutes, :person_id
    FROM unnest(
        CAST(:need_id AS bigint[]), CAST(:crew_id AS bigint[]), CAST(:day AS date[]),
        CAST(:position AS integer[]), CAST(:arrive_at AS timestamptz[]),
        CAST(:service_minutes AS integer[])
    ) AS stop (need_id, crew_id, day, position, arrive_at, service_minutes)
    JOIN need ON need.id = stop.need_id AND need.closed_at IS NULL
    ORDER BY stop.need_id
    ON CONFLICT (need_id) WHERE {HOLDS_NEED} DO NOTHING
    RETURNING need_id, id
""")  # noqa: S608 (a text of ours)


def draft(
    session: Session, person_id: int, work_plan_id: int | None, stops: Collection[Stop]
) -> Drafted:
    """Make a work order of each stop whose need is open and held by no other order.

    The needs stay as they are until the transaction ends, so that what is made can be issued in it.

    Parameters
    ----------
    session : Session
        In the name of the person. Nothing is committed here. Two who draft the same need take turns.
    person_id : int
    work_plan_id : int or None
    stops : collection of Stop
        Each need once.

    Returns
    -------
    Drafted
    """
    _hold_needs(session, [stop.need_id for stop in stops])
    columns = ("need_id", "crew_id", "day", "position", "arrive_at", "service_minutes")
    values = {name: [getattr(stop, name) for stop in stops] for name in columns}
    asked = {"work_plan_id": work_plan_id, "person_id": person_id, **values}
    made = {row.need_id: row.id for row in session.execute(_DRAFT, asked)}
    if made:
        session.execute(
            insert(WorkOrderEvent).inline(),
            [
                {"work_order_id": id, "state": State.DRAFT, "person_id": person_id}
                for id in sorted(made.values())
            ],
        )
    left = {stop.need_id for stop in stops} - made.keys()
    held = holding(session, left)
    return Drafted(made, held, frozenset(left - held.keys()))


def holding(session: Session, need_ids: Collection[int]) -> dict[int, int]:
    """Give the order that holds each of some needs, by the need; nothing of those held by none."""
    rows = session.execute(
        text(f"SELECT need_id, id FROM work_order WHERE need_id = ANY (:ids) AND {HOLDS_NEED}"),  # noqa: S608 (a text of ours)
        {"ids": sorted(need_ids)},
    )
    return {row.need_id: row.id for row in rows}


# Steps --------------------------------------------------------------------------------------------


def hold(session: Session, ids: Collection[int]) -> None:
    """Have others wait who would change some orders, or the reports and needs that these are about.

    Whoever takes several steps in one transaction holds their orders first: reports, needs and
    orders, each in the order of their numbers, as everybody does who changes several.

    Parameters
    ----------
    session : Session
        In the name of whoever takes the steps.
    ids : collection of int
        Those not to be seen are left out.
    """
    _hold_needs(session, session.scalars(select(WorkOrder.need_id).where(WorkOrder.id.in_(ids))))
    session.execute(
        select(WorkOrder.id).where(WorkOrder.id.in_(ids)).order_by(WorkOrder.id).with_for_update()
    )


def _hold_needs(session: Session, ids: Iterable[int]) -> None:
    asking = select(NeedReport.report_id).where(NeedReport.need_id.in_([*ids])).distinct()
    work.hold(session, session.scalars(asking).all())


@dataclass(frozen=True, slots=True)
class Wanted:
    """A step, as somebody takes it.

    Attributes
    ----------
    to : State
    outcome : Outcome
        What came of the visit, for an order that is done.
    note : str
        For the city's people only.
    parts : str
        What is missing, for a visit that needs parts.
    seen : State or None
        Where a crew saw the order stand. It may have had no connection for hours.
    marked_at : datetime or None
        When a crew said it, by the clock of its phone; now without.
    key : UUID or None
        Whoever sends the same step again sends the same key.
    """

    to: State
    outcome: Outcome = Outcome.NONE
    note: str = ""
    parts: str = ""
    seen: State | None = None
    marked_at: datetime | None = None
    key: UUID | None = None

    @property
    def body_hash(self) -> bytes | None:
        """What is stored to tell a repetition from another step under the same key."""
        if self.key is None:
            return None
        said = [self.to, self.outcome, self.note, self.parts]
        return sha256(json.dumps(said).encode()).digest()


@dataclass(frozen=True, slots=True)
class Stepped:
    """What became of a step.

    Attributes
    ----------
    event_id : int or None
        Of the line that was written; None where there was nothing to write.
    replayed : bool
        Whether it had been sent before.
    came_late : bool
        Whether it could be no step any more: it is kept as the crew's word.
    changed : tuple of Changed
        Reports of which neighbours were told.
    """

    id: int
    before: State
    after: State
    event_id: int | None
    replayed: bool = False
    came_late: bool = False
    changed: tuple[Changed, ...] = ()


def step(
    session: Session,
    worker: Worker,
    id: int,
    wanted: Wanted,
    *,
    version: int | None = None,
    by: Party = Party.DESK,
) -> Stepped:
    """Bring an order to another state, with what that means for its reports, or change nothing.

    Parameters
    ----------
    session : Session
        In the name of `worker`. Nothing is committed here.
    worker : Worker
    id : int
        Of the order.
    wanted : Wanted
    version : int, optional
        Of the order as the desk saw it. What comes from the field names none: a crew's word counts
        wherever it still can be a step, and is kept as its word where not.
    by : Party

    Returns
    -------
    Stepped

    Raises
    ------
    OrderRefused
    """
    with session.begin_nested():
        hold(session, [id])
        order = session.scalar(
            select(WorkOrder)
            .where(WorkOrder.id == id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if order is None:
            raise OrderRefused(Why.NOT_FOUND)
        before = order.state
        if (earlier := _sent_before(session, id, wanted)) is not None:
            return replace(earlier, before=before, after=before)
        if by is Party.DESK and version != order.version:
            raise OrderRefused(Why.CHANGED_MEANWHILE, id)
        if by is Party.FIELD and _overtaken(order, wanted):
            return Stepped(id, before, before, None)
        why = refusal(
            before,
            wanted.to,
            by,
            outcome=wanted.outcome,
            reason=wanted.note,
            is_assigned=order.crew_id is not None and order.day is not None,
        )
        late = by is Party.FIELD and (why is Refusal.NO_SUCH_STEP or _is_stale(order, wanted))
        if why is not None and not late:
            raise OrderRefused(why, id, before, wanted.to)
        if wanted.to is State.ISSUED and _is_closed(session, order.need_id):
            raise OrderRefused(Why.NEED_IS_CLOSED, id)
        if not late:
            late = not _brought(session, order, wanted, by)
        event_id = _written(session, worker, id, wanted, came_late=late)
        if late:
            return Stepped(id, before, before, event_id, came_late=True)
        said = word(before, wanted.to, wanted.outcome)
        changed = _tell(session, worker, order.need_id, said, before) if said else ()
        return Stepped(id, before, wanted.to, event_id, changed=changed)


def _is_closed(session: Session, need_id: int) -> bool:
    asked = text("SELECT closed_at IS NOT NULL FROM need WHERE id = :id")
    return bool(session.scalar(asked, {"id": need_id}))


def _sent_before(session: Session, id: int, wanted: Wanted) -> Stepped | None:
    if wanted.key is None:
        return None
    event = session.execute(
        select(
            WorkOrderEvent.id,
            WorkOrderEvent.work_order_id,
            WorkOrderEvent.body_hash,
            WorkOrderEvent.came_late,
        ).where(WorkOrderEvent.key == wanted.key)
    ).one_or_none()
    if event is None:
        return None
    if event.work_order_id != id or event.body_hash != wanted.body_hash:
        raise OrderRefused(Why.KEY_REUSED, id)
    return Stepped(id, wanted.to, wanted.to, event.id, replayed=True, came_late=event.came_late)


def _overtaken(order: WorkOrder, wanted: Wanted) -> bool:
    """Tell whether a crew says that it has begun, and somebody has said so or more already."""
    return (
        wanted.to is State.IN_FIELD
        and wanted.seen is not State.DONE
        and order.state in {State.IN_FIELD, State.DONE, State.INSPECTED}
    )


def _is_stale(order: WorkOrder, wanted: Wanted) -> bool:
    """Tell whether a crew takes back what is not there any more."""
    return wanted.seen is State.DONE and order.state is not State.DONE


def _brought(session: Session, order: WorkOrder, wanted: Wanted, by: Party) -> bool:
    """Bring the order to its state; False where a crew cannot, since another order has the need."""
    values: dict[str, Any] = {"state": wanted.to}
    if wanted.to is not State.INSPECTED:
        values["outcome"] = wanted.outcome
    if wanted.to is State.DONE:
        values["parts"] = wanted.parts if wanted.outcome is Outcome.NEEDS_PARTS else ""
    if wanted.to is State.DRAFT and order.state is State.DONE:
        values |= {"day": None, "position": None, "arrive_at": None}
    try:
        with session.begin_nested():
            session.execute(update(WorkOrder).where(WorkOrder.id == order.id).values(**values))
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if constraint != "work_order_holds_need":
            raise
        if by is Party.FIELD:
            return False
        other = holding(session, [order.need_id])
        raise OrderRefused(Why.NEED_IS_HELD, other.get(order.need_id)) from error
    return True


def _written(
    session: Session, worker: Worker, id: int, wanted: Wanted, *, came_late: bool = False
) -> int:
    """Write a line of what happened, once a key."""
    values = {
        "work_order_id": id,
        "state": wanted.to,
        "outcome": wanted.outcome,
        "note": wanted.note,
        "parts": wanted.parts,
        "came_late": came_late,
        "person_id": worker.person_id,
        "key": wanted.key,
        "body_hash": wanted.body_hash,
    }
    if wanted.marked_at is not None:
        values["marked_at"] = text("least(:marked_at, now())").bindparams(
            marked_at=wanted.marked_at
        )
    made: int | None = session.scalar(
        postgresql.insert(WorkOrderEvent)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(WorkOrderEvent.id)
    )
    if made is None:
        raise OrderRefused(Why.KEY_REUSED, id)  # of an order that whoever asks may not see
    return made


_ASKING = text("""
    SELECT report.id, report.status, report.category_code
    FROM need_report JOIN report ON report.id = report_id
    WHERE need_id = :need_id AND report.status = ANY (CAST(:statuses AS report_status[]))
    ORDER BY report.id FOR UPDATE OF report
""")

_ELSEWHERE = text("""
    SELECT other.report_id, bool_and(coalesce(last.outcome = 'fixed', false)) AS fixed,
        bool_or(coalesce(last.state IN ('issued', 'in_field', 'done') AND last.outcome IN ('', 'fixed'),
            false)) AS under_way,
        bool_or(coalesce(last.state = 'in_field' OR last.outcome = 'fixed', false)) AS begun
    FROM need_report AS other JOIN need ON need.id = other.need_id AND need.closed_at IS NULL
    LEFT JOIN LATERAL (
        SELECT state, outcome FROM work_order WHERE work_order.need_id = other.need_id
            AND state <> 'cancelled' ORDER BY id DESC LIMIT 1
    ) AS last ON true
    WHERE other.need_id <> :need_id AND other.report_id = ANY (:report_ids)
    GROUP BY other.report_id
""")


def _tell(
    session: Session, worker: Worker, need_id: int, said: Word, before: State
) -> tuple[Changed, ...]:
    """Bring the reports of a need to where a step leads, and say so to everybody.

    Of a report that asks for several needs, such as the lights of a block, the visit to one says
    little: it is done once all of them are fixed, and goes back only as far as the furthest of the other
    orders. A report that is not the worker's, or stands aside, stays where it is.
    """
    movable = OPEN | ({Status.DONE} if before is State.DONE else frozenset())
    rows = session.execute(
        _ASKING, {"need_id": need_id, "statuses": sorted(map(str, movable))}
    ).all()
    ids = [row.id for row in rows]
    asked = {"need_id": need_id, "report_ids": ids}
    elsewhere = {row.report_id: row for row in session.execute(_ELSEWHERE, asked)}
    versions = work.versions(session, ids)
    words = _templates(session)
    changed = []
    for row in rows:
        meant, other = said, elsewhere.get(row.id)
        if other and said.status is Status.DONE and not other.fixed:
            meant = Word(Status.IN_PROGRESS)
        if other and said.status is Status.CONFIRMED and other.under_way:
            if other.begun:
                continue
            meant = Word(Status.SCHEDULED)
        if other and said.status is Status.SCHEDULED and other.begun:
            continue
        stays = Status(row.status) is meant.status
        key = meant.visit or meant.status
        template_id = words.get((key, row.category_code), words.get((key, None)))
        if stays and meant.visit is None:
            continue
        wanted = Change(to=None if stays else meant.status, template_id=template_id)
        try:
            changed.append(work.change(session, worker, row.id, wanted, version=versions[row.id]))
        except work.Refused:
            continue
    return tuple(changed)


def _templates(session: Session) -> Mapping[tuple[Visit | Status, str | None], int]:
    """Give the words that are said of a status or a visit, by the category for which they are."""
    rows = session.execute(
        select(
            ResponseTemplate.visit,
            ResponseTemplate.status,
            ResponseTemplate.category_code,
            ResponseTemplate.id,
        ).order_by(ResponseTemplate.id.desc())
    )
    return MappingProxyType({(row.visit or row.status, row.category_code): row.id for row in rows})


def assign(
    session: Session, worker: Worker, id: int, stop: Stop, *, version: int, crew: str
) -> None:
    """Give an order to another crew or day, as long as no crew has begun with it.

    Those on the routes that it leaves and joins are numbered anew.

    Parameters
    ----------
    session : Session
        In the name of `worker`. Nothing is committed here.
    worker : Worker
    id : int
        Of the order.
    stop : Stop
        Its need is not looked at.
    version : int
        Of the order as it was seen.
    crew : str
        Name of the crew, for the line that is written; empty for none.

    Raises
    ------
    OrderRefused
    """
    with session.begin_nested():
        left = session.execute(
            select(WorkOrder.crew_id, WorkOrder.day).where(WorkOrder.id == id)
        ).one_or_none()
        routes = {(stop.crew_id, stop.day)} | ({(left.crew_id, left.day)} if left else set())
        session.execute(
            select(WorkOrder.id)
            .where(or_(WorkOrder.id == id, _on(routes)))
            .order_by(WorkOrder.id)
            .with_for_update()
        )
        order = session.execute(
            select(WorkOrder.version, WorkOrder.state).where(WorkOrder.id == id).with_for_update()
        ).one_or_none()
        if order is None:
            raise OrderRefused(Why.NOT_FOUND)
        if order.version != version:
            raise OrderRefused(Why.CHANGED_MEANWHILE, id)
        if order.state not in {State.DRAFT, State.ISSUED}:
            raise OrderRefused(Why.CREW_IS_OUT, id)
        if order.state is State.ISSUED and (stop.crew_id is None or stop.day is None):
            raise OrderRefused(Refusal.CREW_MISSING, id)
        session.execute(
            update(WorkOrder)
            .where(WorkOrder.id == id)
            .values(
                crew_id=stop.crew_id,
                day=stop.day,
                position=stop.position,
                arrive_at=stop.arrive_at,
                service_minutes=stop.service_minutes,
            )
        )
        for crew_id, day in routes:
            _number(session, crew_id, day, id)
        told = ", ".join(filter(None, (crew, stop.day.isoformat() if stop.day else "")))
        session.execute(
            insert(WorkOrderEvent)
            .inline()
            .values(work_order_id=id, note=f"→ {told or '-'}", person_id=worker.person_id)
        )


def put_in_line(session: Session, id: int, stop: Stop) -> None:
    """Put an order that was made for a crew's day in its place, and number the others anew.

    Parameters
    ----------
    session : Session
        In the name of whoever made it. Nothing is committed here.
    id : int
        Of the order that was made.
    stop : Stop
    """
    session.execute(
        select(WorkOrder.id)
        .where(_on({(stop.crew_id, stop.day)}))
        .order_by(WorkOrder.id)
        .with_for_update()
    )
    _number(session, stop.crew_id, stop.day, id)


def _on(routes: Collection[tuple[int | None, date | None]]) -> ColumnElement[bool]:
    return and_(
        tuple_(WorkOrder.crew_id, WorkOrder.day).in_(routes), WorkOrder.state != State.CANCELLED
    )


def _number(session: Session, crew_id: int | None, day: date | None, moved_id: int) -> None:
    """Give stops of a crew's day their numbers from 1, the one that was moved where it was put."""
    asked = (
        select(WorkOrder.id, WorkOrder.position)
        .where(_on({(crew_id, day)}), WorkOrder.position.is_not(None))
        .order_by(WorkOrder.position, WorkOrder.id)
    )
    before = {row.id: row.position for row in session.execute(asked)}
    line = [id for id in before if id != moved_id]
    if moved_id in before:
        line.insert(before[moved_id] - 1, moved_id)
    for position, id in enumerate(line, start=1):
        if before[id] != position:
            session.execute(update(WorkOrder).where(WorkOrder.id == id).values(position=position))


def add_photo(session: Session, event_id: int, *, key: str, width: int, height: int) -> None:
    """Keep a photo with what a crew marked. Nothing is committed here."""
    session.execute(
        insert(WorkOrderPhoto)
        .inline()
        .values(event_id=event_id, key=key, width=width, height=height)
    )
