"""Telling one neighbour's "affects me too" from another's, without knowing who they are."""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import Request, Response
from sqlalchemy.orm import Session

from data.queries import limits, reports
from data.queries.reports import Supported
from server.limits import SUPPORTS_OF_REPORT, client_address

COOKIE = "neighbour"
_KEPT_S = 2 * 365 * 86_400
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Who says that a report affects them.

    Attributes
    ----------
    browser : str
        Its random name: the one it brings, or a new one.
    person_id : int or None
        Who is signed in.
    address : str
        Network address, where nobody is.
    """

    browser: str
    person_id: int | None = None
    address: str = ""


def neighbour(request: Request) -> Neighbour:
    """Tell who asks."""
    browser = request.cookies.get(COOKIE, "")[:_LONGEST] or secrets.token_urlsafe(16)
    return Neighbour(browser, request.state.visitor.person_id, client_address(request))


def remember(response: Response, who: Neighbour) -> None:
    """Have the browser bring its random name again."""
    response.set_cookie(COOKIE, who.browser, max_age=_KEPT_S, httponly=True, samesite="lax")


def supporter(secret: bytes, browser: str, report_id: int) -> bytes:
    """Give what is stored of a nameless browser with a report.

    The report is part of the hash, so that nobody can tell which reports one neighbour joined.
    """
    return _hash(secret, f"support {report_id} {browser}")


def sender(secret: bytes, who: Neighbour, report_id: int) -> bytes:
    """Give what is stored of the browser that sent a report; the report is part of it as above."""
    return _hash(secret, f"sent {report_id} {who.browser}")


def marks(secret: bytes, who: Neighbour, report_ids: Iterable[int]) -> list[bytes]:
    """Give by what the store may know somebody as a neighbour of some reports."""
    return [
        mark
        for id in report_ids
        for mark in (
            _counted(secret, who, id),
            supporter(secret, who.browser, id),
            sender(secret, who, id),
        )
    ]


def _counted(secret: bytes, who: Neighbour, report_id: int) -> bytes:
    if who.person_id is None:
        return supporter(secret, who.browser, report_id)
    # No name of a browser can make this of the text in `supporter`.
    return _hash(secret, f"person {report_id} {who.person_id}")


def _hash(secret: bytes, text: str) -> bytes:
    return hmac.digest(secret, text.encode(), "sha256")


def join(session: Session, secret: bytes, who: Neighbour, report_id: int) -> Supported | None:
    """Count a neighbour with a report, and know them again if they joined one close by.

    Should the two turn out to be one problem, the neighbour counts once. Of reports that are far
    apart nobody can tell that the same neighbour joined them. Who reported it does not count, and of
    nameless browsers at one address only a few do: `SUPPORTS_OF_REPORT`.

    Raises
    ------
    data.queries.reports.NotOpen
    """
    near = {id: _counted(secret, who, id) for id in reports.beside(session, report_id)}
    known = {
        "browser": None if who.person_id is None else supporter(secret, who.browser, report_id),
        "sender": sender(secret, who, report_id),
    }
    attempt = session.begin_nested()
    found = reports.support(session, report_id, _counted(secret, who, report_id), near, **known)
    if found is None or not found.counted or who.person_id is not None or not who.address:
        attempt.commit()
        return found
    here, most = _hash(secret, f"address {report_id} {who.address}"), SUPPORTS_OF_REPORT
    if limits.allowed(session, most.what, here, most.most, most.within):
        attempt.commit()
        return found
    attempt.rollback()
    return Supported(found.supports - 1, counted=False)
