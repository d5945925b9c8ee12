"""The way of a report, from received to verified.

"Done" is the city's word and "verified" the neighbours': one never stands for the other.
"""

from enum import StrEnum


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

_WAY_BACK = {Status.RECEIVED, Status.CONFIRMED}
_ASIDE = {Status.HELD, Status.DUPLICATE, Status.DECLINED, Status.NOT_OURS}

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.HELD: frozenset({Status.RECEIVED, Status.DECLINED}),
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
"""From each status, those that may follow. Reopening leads back to confirmed."""
