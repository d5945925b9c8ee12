"""Notes of action plans that wait for a moderator."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from data.models import ReviewState
from data.models.photo import REASON_LIMIT
from data.models.plan import PLAN_NOTE_LIMIT
from data.queries import plans
from data.queries.plans import WaitingNote
from geo.places import plain_text
from server import screening
from server.dependencies import Moderator, Writing, own_site
from server.plan_forms import LARGEST_ID
from server.problems import Problem
from server.screening import Marked

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class QueuedNote:
    """A note that waits, for the moderators' queue."""

    waiting: WaitingNote
    marked: Marked


def queued(session: Session) -> list[QueuedNote]:
    """Give the notes that wait, for the moderators' queue."""
    return [
        QueuedNote(one, screening.marked(one.words, screening.screen(one.words)))
        for one in plans.waiting(session)
    ]


@router.post("/moderation/plans/{note_id:int}")
def decide_note(
    *,
    request: Request,
    note_id: int,
    person_id: Moderator,
    session: Writing,
    decision: Annotated[Literal["approved", "shortened", "refused"], Form()],
    shown: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Show a note of a plan as it is, shortened, or not at all."""
    _ = request.state.language.gettext
    state = ReviewState(decision)
    why = "" if state is ReviewState.APPROVED else plain_text(reason)
    text = plain_text(shown)
    if state is not ReviewState.APPROVED and not 0 < len(why) <= REASON_LIMIT:
        raise Problem(
            422,
            _("Some of this cannot be used"),
            _("Give a reason, in {most} characters at most.").format(most=REASON_LIMIT),
        )
    if state is ReviewState.SHORTENED and not 0 < len(text) <= PLAN_NOTE_LIMIT:
        raise Problem(
            422,
            _("Some of this cannot be used"),
            _("Write what shall be shown, in {most} characters at most, or refuse it.").format(
                most=PLAN_NOTE_LIMIT
            ),
        )
    decided = plans.decide(
        session,
        min(note_id, LARGEST_ID),
        person_id,
        state=state,
        shown=text,
        reason=why,
    )
    if not decided:
        raise Problem(
            409,
            _("Decided already"),
            _(
                "Somebody else has decided this meanwhile, or it is for another moderator to decide."
            ),
        )
    return RedirectResponse("/moderation?done=1", 303)
