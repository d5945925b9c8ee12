"""Asking neighbours by e-mail whether a report is fixed."""

import contextlib
import secrets
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from data.queries import fixes
from geo.categories import Category
from server.languages import language
from server.links import root
from server.mail import post
from server.settings import Settings


def ask_neighbours(session: Session, settings: Settings, id: int, category: Category) -> int:
    """Write to whoever reported it, and to the captains of the block watch.

    Supporters are asked on the report's page, since nobody knows where to write to them.

    Parameters
    ----------
    session : Session
        In the name of whoever said that it is done. Nothing is committed here.
    settings : Settings
    id : int
        Of a report that came to done.
    category : Category

    Returns
    -------
    int
        E-mails written.
    """
    written = 0
    for one in fixes.to_ask(session, id):
        spoken = language(one.language or settings.language)
        _ = spoken.gettext
        token = secrets.token_urlsafe(24)
        question = urlencode({"asked": token, "lang": spoken.code})
        subject = _("Is it fixed? {what}, report {id}").format(what=_(category.name), id=id)
        text = _(
            "The city says that this report is done: {what}.\n\n"
            "Is it fixed? Please look, and answer here:\n{link}\n\n"
            "Your answer decides: yes closes the report, no opens it again."
        ).format(what=_(category.name), link=f"{root(settings)}/reports/{id}?{question}#fixed")
        # What a reporter typed years ago may be no address.
        with contextlib.suppress(ValueError):
            post(session, one.email, subject, text)
            fixes.ask(session, id, token)
            written += 1
    return written
