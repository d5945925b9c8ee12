"""Public words of block watches in which something points at a person: held, then decided."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from data.models import ReviewState, WordsField
from data.queries import audit

MOST_SHOWN = 20
"""That the moderators' queue shows at once, the oldest first."""

_TOLD_FOR = "30 days"


def hold(
    session: Session, watch_id: int, meeting_id: int | None, field: WordsField, words: str
) -> None:
    """Have words wait for a moderator, in place of others that wait for the same.

    Parameters
    ----------
    session : Session
        Of whoever keeps the watch; the store refuses others.
    watch_id : int
    meeting_id : int or None
        Whose words they are, where they are of a meeting.
    field : WordsField
    words : str
    """
    take_back(session, watch_id, meeting_id, [field])
    session.execute(
        text(
            "INSERT INTO watch_words (block_watch_id, meeting_id, field, words, written_by_id) "
            "VALUES (:watch_id, :meeting_id, :field, :words, visitor())"
        ),
        {"watch_id": watch_id, "meeting_id": meeting_id, "field": field.value, "words": words},
    )


def take_back(
    session: Session, watch_id: int, meeting_id: int | None, fields: Collection[WordsField]
) -> None:
    """Have words wait no longer: others were written in their place."""
    session.execute(
        text(
            "DELETE FROM watch_words WHERE block_watch_id = :watch_id "
            "AND meeting_id IS NOT DISTINCT FROM CAST(:meeting_id AS bigint) "
            "AND field = ANY (:fields) AND state = 'waiting'"
        ),
        {"watch_id": watch_id, "meeting_id": meeting_id, "fields": [one.value for one in fields]},
    )


@dataclass(frozen=True, slots=True)
class OwnWords:
    """Words that wait, or what was decided of them, as those who keep the watch see it."""

    field: WordsField
    words: str
    state: ReviewState
    reason: str


def of_watch(session: Session, watch_id: int) -> list[OwnWords]:
    """Give what waits of a watch, and for 30 days what was not shown whole, the newest first."""
    rows = session.execute(
        text(
            "SELECT field, words, state, reason FROM watch_words "  # noqa: S608 (its own constant)
            "WHERE block_watch_id = :id AND (state = 'waiting' OR (state <> 'approved' "
            f"AND decided_at > now() - interval '{_TOLD_FOR}')) ORDER BY id DESC"
        ),
        {"id": watch_id},
    )
    return [OwnWords(WordsField(row.field), row.words, ReviewState(row.state), row.reason)
            for row in rows]  # fmt: skip


@dataclass(frozen=True, slots=True)
class WaitingWords:
    """Words that wait, as a moderator sees them.

    Attributes
    ----------
    watch : str
        Name of the block watch.
    own : bool
        Whether the visitor wrote them: then another moderator decides.
    """

    id: int
    watch_id: int
    watch: str
    field: WordsField
    words: str
    created_at: datetime
    own: bool


_WAITING = """
    SELECT held.id, block_watch_id AS watch_id, name, field, words, created_at,
        visitor_wrote_words(held.id) AS own
    FROM watch_words AS held JOIN block_watch ON block_watch.id = block_watch_id
    WHERE state = 'waiting' AND visitor_is_moderator()
"""


def waiting(session: Session) -> list[WaitingWords]:
    """Give what waits for a moderator, the oldest first."""
    rows = session.execute(text(f"{_WAITING} ORDER BY held.id LIMIT :most"), {"most": MOST_SHOWN})
    return [_words(row) for row in rows]


def waiting_one(session: Session, id: int) -> WaitingWords | None:
    """Give one that waits; None where it does not, or not for the visitor."""
    row = session.execute(text(f"{_WAITING} AND held.id = :id"), {"id": id}).one_or_none()
    return None if row is None else _words(row)


def _words(row: Row[Any]) -> WaitingWords:
    return WaitingWords(
        row.id, row.watch_id, row.name, WordsField(row.field), row.words, row.created_at, row.own
    )


def forget(session: Session) -> None:
    """Delete what was decided so long ago that those who keep the watch are told no more.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    """
    session.execute(
        text(f"DELETE FROM watch_words WHERE decided_at < now() - interval '{_TOLD_FOR}'")  # noqa: S608 (its own constant)
    )


def decide(
    session: Session, id: int, person_id: int, *, state: ReviewState, shown: str, reason: str
) -> bool:
    """Show words, all or part of them, or refuse them; False where nothing waits to be decided.

    Parameters
    ----------
    session : Session
        Of a moderator who did not write them; to others nothing waits.
    id : int
    person_id : int
        The moderator.
    state : ReviewState
    shown : str
        What everybody reads.
    reason : str
        Told to those who keep the watch.
    """
    decided = session.scalar(
        text("SELECT decide_watch_words(:id, CAST(:state AS review_state), :shown, :reason)"),
        {"id": id, "state": state.value, "shown": shown, "reason": reason},
    )
    if decided:
        detail = {"state": state.value, "reason": reason}
        audit.add(session, person_id, "words.decide", f"watch_words {id}", detail)
    return bool(decided)
