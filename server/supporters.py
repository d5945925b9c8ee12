"""Telling one neighbour's "affects me too" from another's, without knowing who they are."""

import hmac
import secrets

from fastapi import Request, Response
from sqlalchemy.orm import Session

from data.queries import reports
from data.queries.reports import Supported

COOKIE = "neighbour"
_KEPT_S = 2 * 365 * 86_400
_LONGEST = 64


def neighbour(request: Request) -> str:
    """Give the random name of this browser: the one it brings, or a new one."""
    return request.cookies.get(COOKIE, "")[:_LONGEST] or secrets.token_urlsafe(16)


def remember(response: Response, name: str) -> None:
    """Have the browser bring its random name again."""
    response.set_cookie(COOKIE, name, max_age=_KEPT_S, httponly=True, samesite="lax")


def supporter(secret: bytes, name: str, report_id: int) -> bytes:
    """Give what is stored of a neighbour with a report.

    The report is part of the hash, so that nobody can tell which reports one neighbour joined.
    """
    return hmac.digest(secret, f"support {report_id} {name}".encode(), "sha256")


def join(session: Session, secret: bytes, name: str, report_id: int) -> Supported | None:
    """Count a neighbour with a report, and know them again if they joined one close by.

    Should the two turn out to be one problem, the neighbour counts once. Of reports that are far
    apart nobody can tell that the same neighbour joined them.

    Raises
    ------
    data.queries.reports.NotOpen
    """
    near = {id: supporter(secret, name, id) for id in reports.beside(session, report_id)}
    return reports.support(session, report_id, supporter(secret, name, report_id), near)
