"""What the city's people read of work orders: states, steps, and why one is not taken."""

from collections.abc import Callable

from data.queries.work_orders import OrderRefused, Why
from geo.categories import N_
from geo.work_orders import Outcome, Refusal, State
from server.languages import Language

STATES: dict[str, str] = {
    State.DRAFT: N_("Draft"),
    State.ISSUED: N_("Issued"),
    State.IN_FIELD: N_("In the field"),
    State.DONE: N_("Done by the crew"),
    State.INSPECTED: N_("Inspected"),
    State.CANCELLED: N_("Cancelled"),
}

OUTCOMES: dict[str, str] = {
    Outcome.FIXED: N_("Fixed"),
    Outcome.NOT_FOUND: N_("Not found"),
    Outcome.NEEDS_PARTS: N_("Needs parts"),
}

_STEPS: dict[tuple[State, State], str] = {
    (State.DRAFT, State.ISSUED): N_("Issue it to the crew"),
    (State.DRAFT, State.CANCELLED): N_("Cancel it"),
    (State.ISSUED, State.DRAFT): N_("Take it back from the crew"),
    (State.ISSUED, State.IN_FIELD): N_("The crew has begun"),
    (State.ISSUED, State.CANCELLED): N_("Cancel it"),
    (State.IN_FIELD, State.ISSUED): N_("The crew left it for later"),
    (State.IN_FIELD, State.CANCELLED): N_("Cancel it"),
    (State.DONE, State.IN_FIELD): N_("Correct what the crew marked"),
    (State.DONE, State.INSPECTED): N_("Inspected: close it"),
    (State.DONE, State.DRAFT): N_("Not finished: send it back"),
}

_DONE: dict[str, str] = {
    Outcome.FIXED: N_("The crew has fixed it"),
    Outcome.NOT_FOUND: N_("The crew could not find it"),
    Outcome.NEEDS_PARTS: N_("It needs parts"),
}

BULK: dict[str, str] = {
    "issued": N_("Issue them to their crews"),
    "draft": N_("Take or send them back to draft"),
    "done.fixed": N_("Their crews have fixed them"),
    "inspected": N_("Inspected: close them"),
    "cancelled": N_("Cancel them"),
}
"""Steps for several orders at once, as forms send them."""

_REASONS: dict[Why | Refusal, str] = {
    Why.NOT_FOUND: N_("There is no such work order among yours."),
    Why.CHANGED_MEANWHILE: N_(
        "Somebody else changed this order meanwhile. Read below what happened, and take your step "
        "again if it still fits."
    ),
    Why.KEY_REUSED: N_("This was sent before with other words. Open the page anew, and try again."),
    Why.NEED_IS_HELD: N_(
        "Work order {id} is for the same item. Close or cancel that one first: an item has one "
        "order at a time."
    ),
    Why.NEED_IS_CLOSED: N_("This item is closed already, or it is not yours to work on."),
    Why.NOT_ITS_CREW: N_("Choose an active crew of the list that does this kind of work."),
    Why.CREW_IS_OUT: N_(
        "The crew has this order in the field, or is done with it. Its day and crew stay as they are."
    ),
    Refusal.NOT_YOURS: N_("This step is the desk's to take."),
    Refusal.CREW_MISSING: N_("Choose a crew and a day first: an order is issued to somebody."),
    Refusal.OUTCOME_MISSING: N_("Say what came of the visit: fixed, not found, or needs parts."),
    Refusal.REASON_MISSING: N_("Say why, in the note: it undoes what neighbours were told."),
}


def step_word(before: State, after: State, outcome: Outcome = Outcome.NONE) -> str:
    """Give the untranslated words of a step, as a button has them."""
    return _DONE[outcome] if after is State.DONE else _STEPS[before, after]


def refused_words(error: OrderRefused, language: Language) -> str:
    """Say why a step was not taken, and what to do."""
    _: Callable[[str], str] = language.gettext
    if error.why is Refusal.NO_SUCH_STEP:
        assert error.before is not None
        assert error.after is not None
        return _("An order cannot go from “{before}” to “{after}”.").format(
            before=_(STATES[error.before]), after=_(STATES[error.after])
        )
    return _(_REASONS[error.why]).format(id=error.order_id)
