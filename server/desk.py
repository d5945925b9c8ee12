"""What is done at the desk with several needs at once: each as one, or not at all.

A change names what was seen of each need. Where somebody else has changed it since, it is left as it is
and named, so that of two who plan at once nobody loses anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from sqlalchemy.orm import Session

from data.queries import desk, work, work_orders
from data.queries.desk import Asking, Held
from data.queries.work import Assign, Change, Changed, Worker
from data.queries.work_orders import Stop
from geo.statuses import OPEN, Status


class Act(StrEnum):
    """What can be done with the needs that are ticked."""

    CONFIRM = "confirm"
    SCHEDULE = "schedule"
    ASSIGN = "assign"
    PLAN_IN = "plan_in"
    PLAN_OUT = "plan_out"
    ORDER = "order"


class Why(StrEnum):
    """Why a need is left as it is."""

    GONE = "gone"
    CHANGED_MEANWHILE = "changed_meanwhile"
    CLOSED = "closed"
    NOTHING_TO_DO = "nothing_to_do"
    REFUSED = "refused"
    HAS_ORDER = "has_order"
    PLAN_IS_ISSUED = "plan_is_issued"


@dataclass(frozen=True, slots=True)
class Seen:
    """A need as it was ticked: its version, and the newest of what happened to its reports."""

    version: int
    seen: int


@dataclass(frozen=True, slots=True)
class Left:
    """A need that was left as it is. `order_id` is the order that has it."""

    why: Why
    order_id: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done.

    Attributes
    ----------
    act : Act
    assign : Assign or None
        To whom, for `ASSIGN`.
    plan_id : int or None
        For `PLAN_IN` and `PLAN_OUT`.
    crew_id, day : int and datetime.date, or None
        For `ORDER`; both may wait.
    """

    act: Act
    assign: Assign | None = None
    plan_id: int | None = None
    crew_id: int | None = None
    day: date | None = None


@dataclass(slots=True)
class Done:
    """What became of it.

    Attributes
    ----------
    done : list of int
        Needs that were changed.
    left : dict of int to Left
        Those that were left as they are.
    changed : list of Changed
        Reports of which neighbours are told.
    """

    done: list[int] = field(default_factory=list)
    left: dict[int, Left] = field(default_factory=dict)
    changed: list[Changed] = field(default_factory=list)


_TO = {Act.CONFIRM: Status.CONFIRMED, Act.SCHEDULE: Status.SCHEDULED}
_WAY = [*Status]


def change(session: Session, worker: Worker, picked: Mapping[int, Seen], wanted: Wanted) -> Done:
    """Do something with several needs.

    Parameters
    ----------
    session : Session
        In the name of `worker`. Nothing is committed here.
    worker : Worker
    picked : mapping of int to Seen
    wanted : Wanted

    Returns
    -------
    Done
    """
    made = Done()
    held = desk.hold(session, picked)
    fit = {}
    for id, seen in sorted(picked.items()):
        now = held.get(id)
        if now is None:
            made.left[id] = Left(Why.GONE)
        elif (now.version, now.seen) != (seen.version, seen.seen):
            made.left[id] = Left(Why.CHANGED_MEANWHILE)
        elif not now.open:
            made.left[id] = Left(Why.CLOSED)
        else:
            fit[id] = now
    _WAYS[wanted.act](session, worker, fit, wanted, made)
    return made


def _bring(
    session: Session, worker: Worker, fit: Mapping[int, Held], wanted: Wanted, made: Done
) -> None:
    """Bring the open reports of each need as far as is wanted; those further on stay."""
    to = _TO[wanted.act]
    changing = _Changing(session, worker, Change(to=to), made)
    for id, need in fit.items():
        changing.need(id, [one for one in need.reports if _WAY.index(one.status) < _WAY.index(to)])


def _give(
    session: Session, worker: Worker, fit: Mapping[int, Held], wanted: Wanted, made: Done
) -> None:
    """Give the open reports of each need to somebody."""
    changing = _Changing(session, worker, Change(assign=wanted.assign), made)
    for id, need in fit.items():
        changing.need(id, need.reports)


@dataclass(slots=True)
class _Changing:
    """One change of the reports of several needs. A report that asks for several is changed once."""

    session: Session
    worker: Worker
    wish: Change
    made: Done
    before: set[int] = field(default_factory=set)

    def need(self, id: int, reports: Sequence[Asking]) -> None:
        """Change those of these reports that are open, or none of them."""
        own = [report for report in reports if report.status in OPEN]
        if not own:
            self.made.left[id] = Left(Why.NOTHING_TO_DO)
            return
        try:
            with self.session.begin_nested():
                changed = [
                    work.change(
                        self.session, self.worker, one.report_id, self.wish, version=one.version
                    )
                    for one in own
                    if one.report_id not in self.before
                ]
        except work.Refused:
            self.made.left[id] = Left(Why.REFUSED)
            return
        self.before |= {one.id for one in changed}
        self.made.changed += changed
        self.made.done.append(id)


def _plan(
    session: Session, worker: Worker, fit: Mapping[int, Held], wanted: Wanted, made: Done
) -> None:
    assert wanted.plan_id is not None
    into = wanted.act is Act.PLAN_IN
    if fit and not desk.lock(session, wanted.plan_id, [*fit], "in" if into else "out"):
        made.left |= dict.fromkeys(fit, Left(Why.PLAN_IS_ISSUED))
        return
    made.done += fit


def _order(
    session: Session, worker: Worker, fit: Mapping[int, Held], wanted: Wanted, made: Done
) -> None:
    stops = [Stop(id, crew_id=wanted.crew_id, day=wanted.day) for id in fit]
    drafted = work_orders.draft(session, worker.person_id, None, stops)
    made.done += sorted(drafted.made)
    made.left |= {id: Left(Why.HAS_ORDER, order) for id, order in drafted.held.items()}
    made.left |= {id: Left(Why.CLOSED) for id in drafted.closed}


_WAYS: Mapping[Act, Callable[[Session, Worker, Mapping[int, Held], Wanted, Done], None]] = {
    Act.CONFIRM: _bring,
    Act.SCHEDULE: _bring,
    Act.ASSIGN: _give,
    Act.PLAN_IN: _plan,
    Act.PLAN_OUT: _plan,
    Act.ORDER: _order,
}
