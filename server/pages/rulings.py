"""A moderator's decision about words that wait: read the same way, whoever wrote them and wherever they stand."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Form

from data.models import ReviewState
from data.models.photo import REASON_LIMIT
from geo.places import plain_text
from server.languages import Language
from server.problems import Problem

Decision = Annotated[Literal["approved", "shortened", "refused"], Form()]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided.

    Attributes
    ----------
    state : ReviewState
    shown : str
        What is shown in place of the words; empty unless they are shortened.
    reason : str
        Empty where they are approved.
    """

    state: ReviewState
    shown: str
    reason: str


def ruling(decision: str, shown: str, reason: str, most: int, spoken: Language) -> Ruling:
    """Read a decision.

    Parameters
    ----------
    decision : str
        As of `Decision`.
    shown, reason : str
        As typed.
    most : int
        Characters that such words may have.
    spoken : Language

    Raises
    ------
    Problem
        422 where the reason, or what is to be shown, is missing or too long.
    """
    _ = spoken.gettext
    state = ReviewState(decision)
    why = "" if state is ReviewState.APPROVED else plain_text(reason)
    if state is not ReviewState.APPROVED and not 0 < len(why) <= REASON_LIMIT:
        raise Problem(
            422,
            _("Some of this cannot be used"),
            _("Give a reason, in {most} characters at most.").format(most=REASON_LIMIT),
        )
    text = plain_text(shown) if state is ReviewState.SHORTENED else ""
    if state is ReviewState.SHORTENED and not 0 < len(text) <= most:
        raise Problem(
            422,
            _("Some of this cannot be used"),
            _("Write what shall be shown, in {most} characters at most, or refuse it.").format(
                most=most
            ),
        )
    return Ruling(state, text, why)


def decided_already(spoken: Language) -> Problem:
    """Say that there is nothing for this moderator to decide."""
    _ = spoken.gettext
    return Problem(
        409,
        _("Decided already"),
        _("Somebody else has decided this meanwhile, or it is for another moderator to decide."),
    )
