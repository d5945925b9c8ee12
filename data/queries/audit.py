"""Who did or read what that is not public: a chain to which is only ever added."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session


def add(
    session: Session,
    person_id: int | None,
    action: str,
    subject: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write down what somebody did or read.

    Parameters
    ----------
    session : Session
        Nothing is committed here.
    person_id : int or None
        Who; None for the operator's command line.
    action : str
        What, as `noun.verb`.
    subject : str
        With what, as a noun and its id. Ids and no names: the log outlives erasure.
    detail : mapping, optional
        More of it.
    """
    session.execute(
        text(
            "INSERT INTO audit_entry (person_id, action, subject, detail) "
            "VALUES (:person_id, :action, :subject, CAST(:detail AS jsonb))"
        ),
        {
            "person_id": person_id,
            "action": action,
            "subject": subject,
            "detail": orjson.dumps(detail or {}).decode(),
        },
    )


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry that is not as it was written, or does not follow the one before."""

    id: int
    at: datetime
    action: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of checking the chain.

    Attributes
    ----------
    entries : int
    head : str
        Hash of the newest entry, in hexadecimal: kept elsewhere, it shows later that none were cut
        off at the end.
    broken : Broken or None
        None where the chain is whole.
    """

    entries: int
    head: str
    broken: Broken | None


def verify(session: Session) -> Verified:
    """Check every entry and that each follows the one before.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    """
    first = session.execute(
        text("""
            SELECT id, at, action FROM (
                SELECT id, at, action, previous, hash, audit_entry_hash(audit_entry) AS is_now,
                    lag(hash, 1, '') OVER (ORDER BY id) AS before
                FROM audit_entry
            ) AS entry
            WHERE previous <> before OR hash <> is_now ORDER BY id LIMIT 1
        """)
    ).one_or_none()
    entries, head = session.execute(
        text("""
            SELECT count(*), coalesce(
                (SELECT encode(hash, 'hex') FROM audit_entry ORDER BY id DESC LIMIT 1), ''
            ) FROM audit_entry
        """)
    ).one()
    return Verified(entries, head, None if first is None else Broken(*first))
