"""Telling one neighbour's "affects me too" from another's, without knowing who they are."""

import hmac
import secrets

from fastapi import Request, Response

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
