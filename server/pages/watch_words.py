"""Words of block watches that are held: shown to whoever wrote them, and decided by a moderator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models import WordsField
from data.queries import watch_words as store
from data.queries.associations import Watch
from data.queries.watch_words import WaitingWords
from server.dependencies import Moderator, Writing, own_site
from server.pages.page import page
from server.pages.rulings import Decision, decided_already, ruling
from server.schemas.filters import LARGEST_ID
from server.screening import Finding, Marked, marked
from server.watch_words import LABELS, LIMITS, findings, sealed

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class MarkedWords:
    """Words, what they are about, and what was found in them."""

    label: str
    name: str
    words: str
    limit: int
    marked: Marked


@dataclass(frozen=True, slots=True)
class QueuedWords:
    """Words that wait, for the moderators' queue."""

    waiting: WaitingWords
    marked: MarkedWords


class ScreenPage(TypedDict):
    """What is shown to whoever wrote something that points at a person."""

    watch: Watch
    action: str
    typed: Mapping[str, str]
    marked: Sequence[MarkedWords]
    screened: str


def marked_words(field: WordsField, words: str, found: Sequence[Finding]) -> MarkedWords:
    """Give words with what was found in them."""
    return MarkedWords(
        label=LABELS[field],
        name=field.value,
        words=words,
        limit=LIMITS[field],
        marked=marked(words, found),
    )


def screen_page(
    request: Request,
    watch: Watch,
    action: str,
    typed: Mapping[str, str],
    held: Mapping[WordsField, Sequence[Finding]],
) -> HTMLResponse:
    """Show what in words points at a person, to be reworded or sent as it is.

    Parameters
    ----------
    request : Request
    watch : Watch
    action : str
        Where the form goes.
    typed : mapping of str to str
        All of the form, by the names of its fields.
    held : mapping of WordsField to findings
    """
    words = {field: typed[field] for field in held}
    context = ScreenPage(
        watch=watch,
        action=action,
        typed={name: value for name, value in typed.items() if name not in set(held)},
        marked=[marked_words(field, words[field], found) for field, found in held.items()],
        screened=sealed(words, held),
    )
    return page(request, "block_watch_screen.html", context)


def queued(session: Session) -> list[QueuedWords]:
    """Give what waits, for the moderators' queue."""
    return [
        QueuedWords(one, marked_words(one.field, one.words, findings(one.field, one.words)))
        for one in store.waiting(session)
    ]


@router.post("/moderation/words/{id:int}")
def decide_words(
    *,
    request: Request,
    id: int,
    person_id: Moderator,
    session: Writing,
    decision: Decision,
    shown: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Show words as they are, shortened, or not at all."""
    spoken = request.state.language
    waiting = store.waiting_one(session, min(id, LARGEST_ID))
    if waiting is None:
        raise decided_already(spoken)
    ruled = ruling(decision, shown, reason, LIMITS[waiting.field], spoken)
    if not store.decide(
        session,
        waiting.id,
        person_id,
        state=ruled.state,
        shown=ruled.shown or waiting.words,
        reason=ruled.reason,
    ):
        raise decided_already(spoken)
    return RedirectResponse("/moderation?done=1", 303)
