"""E-mail about joining a block watch: to its captains that somebody asks, and to that person an answer.

Who asks, and what they wrote, stands on the page alone and in no message.
"""

import contextlib

from sqlalchemy.orm import Session

from data.queries import associations
from data.queries.associations import Watch
from server.languages import language_of
from server.links import root
from server.mail import post
from server.settings import Settings


def tell_captains(session: Session, settings: Settings, watch: Watch) -> None:
    """Write to the captains of a block watch that somebody asks to join.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    settings : Settings
    watch : Watch
    """
    for captain in associations.captains_to_tell(session, watch.id):
        _ = language_of(captain.language, settings.language).gettext
        text = _(
            "Somebody asks to join {watch}.\n\nSee who it is, and decide:\n{link}\n\n"
            "You get this because you are one of its captains."
        ).format(watch=watch.name, link=f"{root(settings)}/watches/{watch.id}/members#asking")
        with contextlib.suppress(ValueError):  # no address
            post(
                session,
                captain.email,
                _("Somebody asks to join {watch}").format(watch=watch.name),
                text,
            )


def tell_asker(
    session: Session, settings: Settings, watch: Watch, person_id: int, *, approved: bool
) -> None:
    """Write to whoever asked to join what the captains have decided.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    settings : Settings
    watch : Watch
    person_id : int
    approved : bool
    """
    to = associations.person_to_tell(session, person_id)
    if to is None:
        return
    _ = language_of(to.language, settings.language).gettext
    link = f"{root(settings)}/watches/{watch.id}"
    if approved:
        subject = _("Welcome to {watch}").format(watch=watch.name)
        text = _("You are a member of {watch} now.\n\nIts page, with its meetings:\n{link}")
    else:
        subject = _("Your request to join {watch}").format(watch=watch.name)
        text = _(
            "The captains of {watch} have not taken you in. You can still report, follow and come to "
            "its meetings like everybody:\n{link}"
        )
    with contextlib.suppress(ValueError):  # no address
        post(session, to.email, subject, text.format(watch=watch.name, link=link))
