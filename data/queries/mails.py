"""Mail that waits: claimed by one worker at a time, and forgotten once it is sent."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

GIVEN_UP_AFTER = "5 days"
"""As long as mail servers try among themselves (RFC 5321, 4.5.4.1)."""

_CLAIMED = text("""
    SELECT id, key, recipient, subject, text, html, unsubscribe FROM mail
    WHERE id = :id AND sent_at IS NULL AND given_up_at IS NULL FOR UPDATE
""")
_SENT = text("""
    UPDATE mail SET sent_at = clock_timestamp(), attempts = attempts + 1, last_error = '', text = '',
        html = NULL
    WHERE id = :id
""")
_FAILED = text(f"""
    UPDATE mail SET attempts = attempts + 1, last_error = left(:reason, 500), given_up_at = CASE
        WHEN :for_good OR created_at < now() - interval '{GIVEN_UP_AFTER}' THEN clock_timestamp() END
    WHERE id = :id RETURNING given_up_at IS NOT NULL
""")  # noqa: S608 (its own constant)
_FORGET = text("""
    DELETE FROM mail
    WHERE sent_at < now() - interval '7 days' OR given_up_at < now() - interval '30 days'
""")
_STATE = text("""
    SELECT count(*) FILTER (WHERE given_up_at IS NULL) AS waiting,
        min(created_at) FILTER (WHERE given_up_at IS NULL) AS since,
        count(*) FILTER (WHERE given_up_at > now() - interval '7 days') AS given_up,
        coalesce((array_agg(last_error ORDER BY created_at DESC)
            FILTER (WHERE last_error <> ''))[1], '') AS last_error,
        coalesce(min(created_at) FILTER (WHERE given_up_at IS NULL)
            < now() - interval '15 minutes', false) AS late
    FROM mail WHERE sent_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class Letter:
    """Mail as it is to be sent. The attributes are those of `data.models.Mail`."""

    id: int
    key: UUID
    recipient: str
    subject: str
    text: str
    html: str | None
    unsubscribe: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How the mail goes.

    Attributes
    ----------
    waiting : int
        Neither sent nor given up.
    since : datetime or None
        When the oldest of these was written.
    given_up : int
        In the last seven days.
    last_error : str
        Of the newest that failed.
    late : bool
        Whether one has waited for more than 15 minutes.
    """

    waiting: int
    since: datetime | None
    given_up: int
    last_error: str
    late: bool


def claim(session: Session, id: int) -> Letter | None:
    """Take mail for this transaction; None where it is sent, given up or gone.

    Raises
    ------
    sqlalchemy.exc.OperationalError
        Where another transaction has held it for five seconds.
    """
    session.execute(text("SET LOCAL lock_timeout = '5s'"))
    found = session.execute(_CLAIMED, {"id": id}).one_or_none()
    return None if found is None else Letter(*found)


def sent(session: Session, id: int) -> None:
    """Write down that mail was sent, and forget what it said."""
    session.execute(_SENT, {"id": id})


def failed(session: Session, id: int, reason: str, *, for_good: bool) -> bool:
    """Write down why mail was not sent, and tell whether it is given up now.

    Parameters
    ----------
    session : Session
    id : int
    reason : str
    for_good : bool
        Whether another try is in vain.
    """
    values = {"id": id, "reason": reason, "for_good": for_good}
    return bool(session.scalar(_FAILED, values))


def forget(session: Session) -> None:
    """Delete what was sent a week ago, or given up a month ago."""
    session.execute(_FORGET)


def state(session: Session) -> Waiting:
    """Tell how the mail goes."""
    return Waiting(*session.execute(_STATE).one())
