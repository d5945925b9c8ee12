"""Work orders: one need, one crew, one day; the steps of an order, and what each says to neighbours.

"Done" is the crew's word and "inspected" the desk's. Neither is "verified", which is the neighbours'
(`geo.statuses`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from geo.statuses import Status


class State(StrEnum):
    """Where a work order stands. The order of the members is the order of the way."""

    DRAFT = "draft"
    ISSUED = "issued"
    IN_FIELD = "in_field"
    DONE = "done"
    INSPECTED = "inspected"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What came of a visit; nothing yet where the crew has not said it."""

    NONE = ""
    FIXED = "fixed"
    NOT_FOUND = "not_found"
    NEEDS_PARTS = "needs_parts"


class Party(StrEnum):
    """Who takes a step: whoever plans, or a crew in the field."""

    DESK = "desk"
    FIELD = "field"


class Refusal(StrEnum):
    """Why a step is not taken."""

    NO_SUCH_STEP = "no_such_step"
    NOT_YOURS = "not_yours"
    CREW_MISSING = "crew_missing"
    OUTCOME_MISSING = "outcome_missing"
    REASON_MISSING = "reason_missing"


class Visit(StrEnum):
    """What neighbours are told of a visit for which its status alone would say too little."""

    PUT_OFF = "put_off"
    NOT_FOUND = "not_found"
    NEEDS_PARTS = "needs_parts"
    CORRECTED = "corrected"
    SENT_BACK = "sent_back"


@dataclass(frozen=True, slots=True)
class Step:
    """What it takes to bring a work order from one state to another.

    Attributes
    ----------
    by : frozenset of Party
        Either of these may take it.
    needs_reason : bool
        Whether it must be said why.
    """

    by: frozenset[Party]
    needs_reason: bool = False


_DESK, _BOTH = frozenset({Party.DESK}), frozenset(Party)

STEPS: Mapping[tuple[State, State], Step] = MappingProxyType(
    {
        (State.DRAFT, State.ISSUED): Step(_DESK),
        (State.DRAFT, State.CANCELLED): Step(_DESK),
        (State.ISSUED, State.DRAFT): Step(_DESK),
        (State.ISSUED, State.IN_FIELD): Step(_BOTH),
        (State.ISSUED, State.DONE): Step(_BOTH),
        (State.ISSUED, State.CANCELLED): Step(_DESK, needs_reason=True),
        (State.IN_FIELD, State.ISSUED): Step(_BOTH),
        (State.IN_FIELD, State.DONE): Step(_BOTH),
        (State.IN_FIELD, State.CANCELLED): Step(_DESK, needs_reason=True),
        (State.DONE, State.IN_FIELD): Step(_BOTH),
        (State.DONE, State.INSPECTED): Step(_DESK),
        (State.DONE, State.DRAFT): Step(_DESK, needs_reason=True),
        # The crew had no connection, and did it before it knew.
        (State.DRAFT, State.DONE): Step(frozenset({Party.FIELD})),
        (State.CANCELLED, State.DONE): Step(frozenset({Party.FIELD})),
    }
)
"""Every step there is. An order that was inspected is closed: what comes back is a new order."""

UNDER_WAY = frozenset({State.ISSUED, State.IN_FIELD})
"""A crew has these before it."""


def holds_need(state: State, outcome: Outcome) -> bool:
    """Tell whether an order keeps its need from another: one at a time.

    A visit that came to nothing leaves the need to a new order at once, before anybody inspects it.
    """
    closed = state in {State.INSPECTED, State.CANCELLED}
    return not closed and outcome in {Outcome.NONE, Outcome.FIXED}


def refusal(
    before: State,
    after: State,
    by: Party,
    *,
    outcome: Outcome = Outcome.NONE,
    reason: str = "",
    is_assigned: bool = True,
) -> Refusal | None:
    """Tell why a step is not taken; None where it is.

    Parameters
    ----------
    before, after : State
    by : Party
        As whom somebody acts.
    outcome : Outcome
        What came of the visit, for an order that is done.
    reason : str
        What is said about it.
    is_assigned : bool
        Whether the order names a crew and a day.

    Returns
    -------
    Refusal or None
    """
    step = STEPS.get((before, after))
    if step is None:
        return Refusal.NO_SUCH_STEP
    if by not in step.by:
        return Refusal.NOT_YOURS
    if after is State.ISSUED and not is_assigned:
        return Refusal.CREW_MISSING
    if (after is State.DONE) != (outcome is not Outcome.NONE):
        return Refusal.OUTCOME_MISSING
    if step.needs_reason and not reason.strip():
        return Refusal.REASON_MISSING
    return None


def choices(before: State, by: Party) -> tuple[State, ...]:
    """Give the states to which somebody may bring an order, in the order of the way."""
    return tuple(after for after in State if (step := STEPS.get((before, after))) and by in step.by)


@dataclass(frozen=True, slots=True)
class Word:
    """What a step means for the reports of a need.

    Attributes
    ----------
    status : Status
        To which those are brought that can come there.
    visit : Visit or None
        What is said about it; None for what is always said of the status.
    """

    status: Status
    visit: Visit | None = None


_OF_OUTCOME = {
    Outcome.FIXED: Word(Status.DONE),
    Outcome.NOT_FOUND: Word(Status.CONFIRMED, Visit.NOT_FOUND),
    Outcome.NEEDS_PARTS: Word(Status.CONFIRMED, Visit.NEEDS_PARTS),
}
_OF_STEP = {
    (State.DRAFT, State.ISSUED): Word(Status.SCHEDULED),
    (State.ISSUED, State.IN_FIELD): Word(Status.IN_PROGRESS),
    (State.IN_FIELD, State.ISSUED): Word(Status.SCHEDULED),
    (State.ISSUED, State.DRAFT): Word(Status.CONFIRMED, Visit.PUT_OFF),
    (State.ISSUED, State.CANCELLED): Word(Status.CONFIRMED, Visit.PUT_OFF),
    (State.IN_FIELD, State.CANCELLED): Word(Status.CONFIRMED, Visit.PUT_OFF),
    (State.DONE, State.IN_FIELD): Word(Status.CONFIRMED, Visit.CORRECTED),
    (State.DONE, State.DRAFT): Word(Status.CONFIRMED, Visit.SENT_BACK),
}


def word(before: State, after: State, outcome: Outcome = Outcome.NONE) -> Word | None:
    """Give what a step means for the reports of a need; None where it is the city's business alone.

    Parameters
    ----------
    before, after : State
        Of a step that is taken.
    outcome : Outcome
        What came of the visit.

    Returns
    -------
    Word or None
    """
    if after is State.DONE:
        return _OF_OUTCOME[outcome]
    return _OF_STEP.get((before, after))
