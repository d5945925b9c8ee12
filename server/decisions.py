"""Telling whoever sent a report what a moderator has decided about its text or photos.

Such an e-mail names the report and says what became of it. It holds no word of the text, no picture and
no reason: an address that was typed into a form may be anybody's.
"""

import contextlib
import time
from collections.abc import Callable
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from data.models import ReviewState
from data.queries import moderation
from data.queries.moderation import APPEAL_DAYS, Sender
from server import appeals
from server.languages import Language, language
from server.links import root
from server.mail import post
from server.settings import Settings, position_secret


def tell_of_text(
    session: Session, settings: Settings, report_id: int, state: ReviewState, *, final: bool
) -> bool:
    """Write what was decided about the text of a report.

    Parameters
    ----------
    session : Session
        Of a moderator. Nothing is committed here.
    settings : Settings
    report_id : int
    state : ReviewState
    final : bool
        Whether it was the decision after an appeal.

    Returns
    -------
    bool
        Whether an e-mail was written.
    """

    def said(spoken: Language, sender: Sender) -> str:
        _ = spoken.gettext
        words = {
            ReviewState.APPROVED: _("A moderator has read the text and shows all of it."),
            ReviewState.SHORTENED: _(
                "A moderator has taken something out of the text. Everybody reads the rest."
            ),
            ReviewState.REFUSED: _(
                "A moderator does not show the text. The report itself is public and goes its way."
            ),
        }[state]
        if state is ReviewState.APPROVED:
            return words
        return f"{words} {_appeal(settings, report_id, spoken, sender, final=final)}"

    return _tell(session, settings, report_id, said)


def tell_of_photos(session: Session, settings: Settings, report_id: int) -> bool:
    """Write what became of the photos of a report, once none of them waits any more.

    Parameters
    ----------
    session : Session
        Of a moderator. Nothing is committed here.
    settings : Settings
    report_id : int

    Returns
    -------
    bool
        Whether an e-mail was written.
    """
    found = moderation.photographed(session, report_id)
    if found.waiting:
        return False

    def said(spoken: Language, sender: Sender) -> str:
        shown = spoken.ngettext(
            "%(num)d photo is shown now.", "%(num)d photos are shown now.", found.public
        ) % {"num": found.public}
        not_shown = spoken.ngettext(
            "%(num)d photo is not shown, as a rule because somebody could be recognized on it.",
            "%(num)d photos are not shown, as a rule because somebody could be recognized on them.",
            found.refused,
        ) % {"num": found.refused}
        parts = [shown] * bool(found.public) + [not_shown] * bool(found.refused)
        if found.refused:
            parts.append(_appeal(settings, report_id, spoken, sender, final=False))
        return " ".join(parts)

    return _tell(session, settings, report_id, said)


def tell_of_hold(session: Session, settings: Settings, report_id: int, *, final: bool) -> bool:
    """Write that a report was taken out of sight, or stays so after an appeal.

    Returns
    -------
    bool
        Whether an e-mail was written.
    """

    def said(spoken: Language, sender: Sender) -> str:
        words = spoken.gettext("A moderator has taken this report out of sight.")
        return f"{words} {_appeal(settings, report_id, spoken, sender, final=final)}"

    return _tell(session, settings, report_id, said)


def tell_of_release(session: Session, settings: Settings, report_id: int) -> bool:
    """Write that a report is shown again.

    Returns
    -------
    bool
        Whether an e-mail was written.
    """

    def said(spoken: Language, _sender: Sender) -> str:
        return spoken.gettext("A moderator shows this report again.")

    return _tell(session, settings, report_id, said)


def _appeal(
    settings: Settings, report_id: int, spoken: Language, sender: Sender, *, final: bool
) -> str:
    _ = spoken.gettext
    if final:
        return _("This is the decision after your appeal, and it stays so.")
    if not sender.knows:
        token = appeals.token(position_secret(settings), report_id, time.time())
        question = urlencode({"token": token, "lang": spoken.code})
        return _(
            "You see it in another way? This link shows the reason. For {days} days you can appeal "
            "there once; another moderator decides then:\n{link}"
        ).format(days=APPEAL_DAYS, link=f"{root(settings)}/reports/{report_id}/appeal?{question}")
    return _(
        "The reason stands on the page of the report once you are signed in. There you can appeal, for "
        "photos within {days} days; another moderator decides then."
    ).format(days=APPEAL_DAYS)


def _tell(
    session: Session,
    settings: Settings,
    report_id: int,
    said: Callable[[Language, Sender], str],
) -> bool:
    sender = moderation.sender(session, report_id)
    if sender is None:
        return False
    spoken = language(sender.language or settings.language)
    _ = spoken.gettext
    subject = _("A moderator has looked at your report {id}").format(id=report_id)
    text = _("{said}\n\nThe report:\n{link}\n\nYou get this because you left your address with it.")
    link = f"{root(settings)}/reports/{report_id}?lang={spoken.code}"
    # What a reporter typed may be no address.
    with contextlib.suppress(ValueError):
        post(session, sender.email, subject, text.format(said=said(spoken, sender), link=link))
        return True
    return False
