"""The way of a report, from received to verified.

"Done" is the city's word and "verified" the neighbours': one never stands for the other.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from geo.roles import Act, Grant, Site, may


class Status(StrEnum):
    """Where a report stands. The order of the members is the order of the way."""

    HELD = "held"
    RECEIVED = "received"
    CONFIRMED = "confirmed"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    VERIFIED = "verified"
    DUPLICATE = "duplicate"
    DECLINED = "declined"
    NOT_OURS = "not_ours"


OPEN = frozenset({Status.RECEIVED, Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS})
"""Something is still to be done about these."""

PUBLIC = frozenset(Status) - {Status.HELD}
"""Everybody may see these; a held report waits for a moderator."""

_WAY_BACK = {Status.RECEIVED, Status.CONFIRMED, Status.HELD}
_ASIDE = {Status.HELD, Status.DUPLICATE, Status.DECLINED, Status.NOT_OURS}

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.HELD: PUBLIC,
    Status.RECEIVED: frozenset(
        {Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE, *_ASIDE}
    ),
    Status.CONFIRMED: frozenset({Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE, *_ASIDE}),
    Status.SCHEDULED: frozenset({Status.CONFIRMED, Status.IN_PROGRESS, Status.DONE, *_ASIDE}),
    Status.IN_PROGRESS: frozenset({Status.CONFIRMED, Status.SCHEDULED, Status.DONE, *_ASIDE}),
    Status.DONE: frozenset({Status.VERIFIED, Status.CONFIRMED, Status.HELD}),
    Status.VERIFIED: frozenset({Status.CONFIRMED, Status.HELD}),
    Status.DUPLICATE: frozenset(_WAY_BACK),
    Status.DECLINED: frozenset(_WAY_BACK),
    Status.NOT_OURS: frozenset(_WAY_BACK),
}
"""From each status, those that may follow. Reopening leads back to confirmed.

Whatever is public can be held; from there a report only ever goes back to where it was (`refusal`).
"""


class Party(StrEnum):
    """Who takes a step: the city's own people, those who moderate, or the neighbours."""

    CITY = "city"
    MODERATOR = "moderator"
    NEIGHBOUR = "neighbour"


class Refusal(StrEnum):
    """Why a step is not taken."""

    NO_SUCH_STEP = "no_such_step"
    NOT_YOURS = "not_yours"
    REASON_MISSING = "reason_missing"
    OTHER_MISSING = "other_missing"


@dataclass(frozen=True, slots=True)
class Step:
    """What it takes to bring a report from one status to another.

    Attributes
    ----------
    by : frozenset of Party
        Any of these may take it.
    needs_reason : bool
        Whether it must be said why.
    needs_other : bool
        Whether the report must be named that stands for this one.
    """

    by: frozenset[Party]
    needs_reason: bool
    needs_other: bool


_CLOSED_WITHOUT_WORK = {Status.DECLINED, Status.NOT_OURS}
_SAID_TO_BE_FIXED = {Status.DONE, Status.VERIFIED}


def reopens(before: Status, after: Status) -> bool:
    """Tell whether a step takes a closed report up again."""
    return before is not Status.HELD and before not in OPEN and after in OPEN


def _step(before: Status, after: Status) -> Step:
    if Status.HELD in {before, after}:
        return Step(by=frozenset({Party.MODERATOR}), needs_reason=True, needs_other=False)
    if after is Status.VERIFIED:
        by = {Party.NEIGHBOUR}
    elif before in _SAID_TO_BE_FIXED:
        by = {Party.CITY, Party.NEIGHBOUR}
    else:
        by = {Party.CITY}
    return Step(
        by=frozenset(by),
        needs_reason=after in _CLOSED_WITHOUT_WORK or reopens(before, after),
        needs_other=after is Status.DUPLICATE,
    )


STEPS: Mapping[tuple[Status, Status], Step] = MappingProxyType(
    {
        (before, after): _step(before, after)
        for before, following in TRANSITIONS.items()
        for after in following
    }
)
"""Every step there is. Every way in asks here, through `refusal`."""


def parties(grants: Collection[Grant], site: Site) -> frozenset[Party]:
    """Give as whom somebody acts on a report by their roles.

    Being a neighbour is no role: whoever reported, joined, or belongs to the block watch is one.
    """
    acts = {Party.CITY: Act.WORK, Party.MODERATOR: Act.MODERATE}
    return frozenset(party for party, act in acts.items() if may(grants, act, site))


def released_to(held_from: Status | None) -> Status:
    """Give where a held report goes: back to where it stood, so that nothing of its way is lost.

    Parameters
    ----------
    held_from : Status or None
        Where it stood before; None where it was held from the beginning.
    """
    return held_from or Status.RECEIVED


def _jumps(before: Status, after: Status, held_from: Status | None) -> bool:
    return before is Status.HELD and after is not released_to(held_from)


def choices(
    before: Status, by: Collection[Party], held_from: Status | None = None
) -> tuple[Status, ...]:
    """Give the statuses to which somebody may bring a report, in the order of the way."""
    return tuple(
        after
        for after in Status
        if (step := STEPS.get((before, after)))
        and step.by & set(by)
        and not _jumps(before, after, held_from)
    )


def refusal(
    before: Status,
    after: Status,
    by: Collection[Party],
    *,
    reason: str = "",
    names_other: bool = False,
    held_from: Status | None = None,
) -> Refusal | None:
    """Tell why a step is not taken; None where it is.

    Parameters
    ----------
    before, after : Status
    by : collection of Party
        As whom somebody acts.
    reason : str
        What is said about it.
    names_other : bool
        Whether the report is named that stands for this one.
    held_from : Status or None
        Of a held report, where it stood before; None where it was held from the beginning.

    Returns
    -------
    Refusal or None
    """
    step = STEPS.get((before, after))
    if step is None or _jumps(before, after, held_from):
        return Refusal.NO_SUCH_STEP
    if not step.by & set(by):
        return Refusal.NOT_YOURS
    if step.needs_reason and not reason.strip():
        return Refusal.REASON_MISSING
    if step.needs_other and not names_other:
        return Refusal.OTHER_MISSING
    return None
