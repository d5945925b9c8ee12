"""Telling the city's people once of each report that was forgotten, in one e-mail to each of them."""

import contextlib
from datetime import datetime

from sqlalchemy.orm import Session

from data.queries import nudges
from data.queries.work import WorkFilter
from server.languages import language_of
from server.links import root
from server.mail import post
from server.settings import Settings

MOST_NAMED = 50
"""Reports that one e-mail names; the work list has them all."""


def nudge(session: Session, settings: Settings, now: datetime) -> int:
    """Write to whoever should have moved a report on long ago.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    settings : Settings
    now : datetime
        With a time zone; decides what is overdue.

    Returns
    -------
    int
        E-mails written.
    """
    chosen = WorkFilter(zone=settings.zone, today=now.astimezone(settings.zone).date())
    written, told = 0, set[int]()
    for to, found in nudges.forgotten(session, chosen).items():
        words = language_of(to.language, settings.language)
        _ = words.gettext
        lines = [
            f"{_(category.name)}: {root(settings)}/work/{id}" for id, category in found[:MOST_NAMED]
        ]
        text = "\n\n".join(
            (
                words.ngettext(
                    "{n} report should have been done by now, and nothing was heard of it for two "
                    "weeks.",
                    "{n} reports should have been done by now, and nothing was heard of them for two "
                    "weeks.",
                    len(found),
                ).format(n=len(found)),
                "\n".join(lines),
                _("All that is overdue: {link}").format(link=f"{root(settings)}/work?overdue=1"),
                _("You are told of each report once."),
            )
        )
        with contextlib.suppress(ValueError):  # no address
            post(session, to.email, _("Reports that wait for you"), text)
            told |= {id for id, _category in found}
            written += 1
    nudges.nudged(session, told)
    return written
