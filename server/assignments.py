"""Telling somebody by e-mail of work that they were given."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from data.queries import work
from data.queries.work import Changed
from server.languages import language
from server.links import root
from server.mail import post
from server.settings import Settings


def tell_assigned(
    session: Session, settings: Settings, person_id: int, given: Sequence[Changed]
) -> None:
    """Write to whoever was given reports, once for all of them; where they are stays out of the mail.

    Parameters
    ----------
    session : Session
        In the name of whoever gave them. Nothing is committed here.
    settings : Settings
    person_id : int
    given : sequence of Changed
    """
    to = work.address_of(session, person_id)
    if to is None:
        return
    words = language(to.language)
    _ = words.gettext
    subject = words.ngettext(
        "{n} report was given to you", "{n} reports were given to you", len(given)
    ).format(n=len(given))
    lines = [
        _("{what}, report {id}").format(what=_(one.category.name), id=one.id)
        + f"\n{root(settings)}/work/{one.id}"
        for one in given
    ]
    post(session, to.email, subject, "\n\n".join([_("Now yours to work on:"), *lines]))
