"""Words of block watches that are held: shown to whoever wrote them, and decided by a moderator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models import ReviewState, WordsField
from data.models.photo import REASON_LIMIT
from data.queries import watch_words as store
from data.queries.associations import Watch
from data.queries.watch_words import WaitingWords
from geo.places import plain_text
from server.dependencies import Moderator, Writing, own_site
from server.pages.page import page
from server.problems import Problem
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
    decision: Annotated[Literal["approved", "shortened", "refused"], Form()],
    shown: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Show words as they are, shortened, or not at all."""
    _ = request.state.language.gettext
    state = ReviewState(decision)
    waiting = store.waiting_one(session, min(id, 2**63 - 1))
    why = "" if state is ReviewState.APPROVED else plain_text(reason)
    if state is not ReviewState.APPROVED and not 0 < len(why) <= REASON_LIMIT:
        raise Problem(
            422,
            _("Some of this cannot be used"),
            _("Give a reason, in {most} characters at most.").format(most=REASON_LIMIT),
        )
    text = plain_text(shown) if state is ReviewState.SHORTENED else waiting.words if waiting else ""
    if waiting is not None and not 0 < len(text) <= LIMITS[waiting.field]:
        raise Problem(
            422,
            _("Some of this cannot be used"),
            _("Write what shall be shown, in {most} characters at most, or refuse it.").format(
                most=LIMITS[waiting.field]
            ),
        )
    if waiting is None or not store.decide(
        session, waiting.id, person_id, state=state, shown=text, reason=why
    ):
        raise Problem(
            409,
            _("Decided already"),
            _(
                "Somebody else has decided this meanwhile, or it is for another moderator to decide."
            ),
        )
    return RedirectResponse("/moderation?done=1", 303)
