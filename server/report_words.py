"""What programs and people alike are told of reports."""

from data.queries.reports import Held, NotOpen
from geo.statuses import Status
from server.languages import Language
from server.problems import Problem


def not_found(language: Language) -> Problem:
    """Say that there is no such report."""
    _ = language.gettext
    return Problem(404, _("Not found"), _("There is no report with this number."))


def held(found: Held, language: Language) -> Problem:
    """Say that a report is out of sight, the same on its page, to programs and in feeds."""
    _ = language.gettext
    if found.taken:
        return Problem(
            403,
            _("Out of sight"),
            _("A moderator has taken this report out of sight."),
        )
    return Problem(
        403,
        _("Waiting for a moderator"),
        _("A moderator reads this report before it is shown. Come back later."),
    )


def not_open(error: NotOpen, language: Language) -> Problem:
    """Say why nobody can join a report any more."""
    _ = language.gettext
    detail = (
        _("A moderator keeps this report out of sight, so nobody can join it now.")
        if error.status is Status.HELD
        else _("This report is closed. If the problem is still there, please report it again.")
    )
    return Problem(409, _("This report is not open"), detail)
