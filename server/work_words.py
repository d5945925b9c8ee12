"""What the city's people are told about a change that was not made."""

from collections.abc import Callable

from data.queries.work import Refused, Why
from geo.categories import N_
from geo.statuses import Refusal
from server.languages import Language
from server.pages.map import STATUSES

_REASONS: dict[Why | Refusal, str] = {
    Why.NOT_FOUND: N_("There is no report with this number."),
    Why.OUT_OF_SCOPE: N_(
        "This report is not yours to work on. Ask an administrator if it should be."
    ),
    Why.CHANGED_MEANWHILE: N_(
        "Somebody else changed it meanwhile. Read what happened, and send your change again if it "
        "still fits: what you typed is kept."
    ),
    Why.NOTHING: N_(
        "Nothing was chosen. Choose a status, write a note, or give the work to somebody."
    ),
    Why.OTHER_NOT_FOUND: N_(
        "There is no such other report among yours. Write the number of a report on your work list."
    ),
    Why.OTHER_IS_DUPLICATE: N_(
        "The other report is a duplicate itself. Write the number of the report that stands for it."
    ),
    Why.DUPLICATES_OUT_OF_SCOPE: N_(
        "This report stands for others that are not yours to work on. Ask an administrator to merge "
        "them."
    ),
    Why.NOT_THEIR_WORK: N_(
        "They do not work on reports like this one, or not there. Choose somebody else."
    ),
    Why.ANSWER_DOES_NOT_FIT: N_(
        "The ready answer is for another status or another kind of problem. Choose one that fits "
        "the status, or none."
    ),
    Refusal.NOT_YOURS: N_(
        "This step is not the city's to take. “Verified” is the neighbours' word."
    ),
    Refusal.REASON_MISSING: N_(
        "Say why, in the public note: everybody reads it on the report's page."
    ),
    Refusal.OTHER_MISSING: N_("Write the number of the report that stands for this one."),
}


def refused_words(error: Refused, language: Language) -> str:
    """Say why a change was not made, and what to do."""
    _: Callable[[str], str] = language.gettext
    if error.why is Refusal.NO_SUCH_STEP:
        assert error.before is not None
        assert error.after is not None
        return _("A report cannot go from “{before}” to “{after}”.").format(
            before=_(STATUSES.get(error.before, error.before.value)),
            after=_(STATUSES.get(error.after, error.after.value)),
        )
    return _(_REASONS[error.why])
