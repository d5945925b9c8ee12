"""Notes of action plans that wait for a moderator."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from data.models.plan import PLAN_NOTE_LIMIT
from data.queries import plans
from data.queries.plans import WaitingNote
from server import screening
from server.dependencies import Moderator, Writing, own_site
from server.pages.rulings import Decision, decided_already, ruling
from server.schemas.filters import LARGEST_ID
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
    decision: Decision,
    shown: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Show a note of a plan as it is, shortened, or not at all."""
    spoken = request.state.language
    ruled = ruling(decision, shown, reason, PLAN_NOTE_LIMIT, spoken)
    decided = plans.decide(
        session,
        min(note_id, LARGEST_ID),
        person_id,
        state=ruled.state,
        shown=ruled.shown,
        reason=ruled.reason,
    )
    if not decided:
        raise decided_already(spoken)
    return RedirectResponse("/moderation?done=1", 303)
