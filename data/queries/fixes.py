"""Whether it is fixed: the question to the neighbours once a report is done, and their answers.

Who is a neighbour of a report, and whose yes is enough alone, the store decides itself
(`report_voice`): whoever asks is often nobody in particular.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from data.models import FixAsked, Report


class Answer(StrEnum):
    """What became of an answer. Where it was `HEARD`, another neighbour's yes is still needed."""

    VERIFIED = "verified"
    HEARD = "heard"
    REOPENED = "reopened"
    ANSWERED = "answered"
    NOT_ASKED = "not_asked"
    NOT_YOURS = "not_yours"
    YOUR_WORK = "your_work"
    REASON_MISSING = "reason_missing"


class Asked(StrEnum):
    """What a page has to ask whoever reads it."""

    ASKED = "asked"
    ANSWERED = "answered"


def merged(session: Session, id: int) -> list[int]:
    """Give the reports for which one stands, and itself: any of them may have been joined."""
    found = session.scalars(select(Report.id).where(Report.duplicate_of_id == id))
    return [id, *sorted(found)]


def asks(session: Session, id: int, marks: Sequence[bytes]) -> Asked | None:
    """Tell whether somebody is asked if a report is fixed.

    Parameters
    ----------
    session : Session
        In the name of whoever is signed in.
    id : int
    marks : sequence of bytes
        Hashes that the browser brings: of supports, of having sent it, and of a link that was sent.

    Returns
    -------
    Asked or None
        None for whoever is no neighbour, or where it is not said to be done.
    """
    found = session.scalar(text("SELECT report_asks(:id, :marks)"), {"id": id, "marks": [*marks]})
    return None if found is None else Asked(found)


def answer(
    session: Session,
    id: int,
    marks: Sequence[bytes],
    *,
    fixed: bool,
    reason: str = "",
    reason_is_public: bool = False,
) -> Answer:
    """Take a neighbour's word: enough of yes makes a report verified, no opens it again.

    Parameters
    ----------
    session : Session
        In the name of whoever is signed in. Nothing is committed here.
    id : int
    marks : sequence of bytes
        As for `asks`.
    fixed : bool
    reason : str
        Why it is not fixed.
    reason_is_public : bool
        Whether everybody may read the reason; only the city's people otherwise.

    Returns
    -------
    Answer
    """
    found = session.scalar(
        text("SELECT report_answer(:id, :marks, :fixed, :reason, :public)"),
        {
            "id": id,
            "marks": [*marks],
            "fixed": fixed,
            "reason": reason,
            "public": reason_is_public,
        },
    )
    return Answer(found)


@dataclass(frozen=True, slots=True)
class ToAsk:
    """Where to ask by e-mail.

    Attributes
    ----------
    language : str or None
        None where it is not known.
    """

    email: str
    language: str | None


def to_ask(session: Session, id: int) -> list[ToAsk]:
    """Give where to ask whether a report is fixed: who reported it, and the captains of the watch.

    Parameters
    ----------
    session : Session
        In the name of somebody who works on it; to others this gives nobody.
    id : int

    Returns
    -------
    list of ToAsk
    """
    rows = session.execute(text("SELECT email, language FROM report_to_ask(:id)"), {"id": id})
    return [ToAsk(row.email, row.language) for row in rows]


def mark_of(token: str) -> bytes:
    """Give the hash of the token in a link that was sent."""
    return sha256(f"fixed {token}".encode()).digest()


def ask(session: Session, id: int, token: str) -> None:
    """Let whoever brings a token answer, until the report is done another time."""
    session.execute(
        insert(FixAsked)
        .inline()
        .values(token_hash=mark_of(token), report_id=id, done_event_id=func.report_done_event(id))
    )
