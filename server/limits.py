"""Limits on what strangers can try, for an account or an e-mail address and for where they come from."""

import hmac
import ipaddress
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request
from sqlalchemy.orm import Session

from data.queries import limits
from server import keys
from server.problems import Problem

_IPV6_NETWORK = 64
"""Bits of an IPv6 address that tell one household or server from another."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How often something may be tried.

    Attributes
    ----------
    what : str
    most : int
        0 for as often as anybody likes.
    within : timedelta
    """

    what: str
    most: int
    within: timedelta


class TooMany(Exception):  # noqa: N818 (it is the name of what happened)
    """A limit is reached.

    Parameters
    ----------
    retry_after_s : int
        Seconds until the next attempt is allowed.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s

    @property
    def minutes(self) -> int:
        """Whole minutes to wait, for people."""
        return -(-self.retry_after_s // 60)


SIGN_INS_OF_ACCOUNT = Limit("sign in to account", 10, timedelta(minutes=5))
SIGN_INS_FROM_ADDRESS = Limit("sign in from address", 10, timedelta(minutes=5))
PROVIDER_FROM_ADDRESS = Limit("sign in by provider from address", 60, timedelta(minutes=5))
LINKS_TO_EMAIL = Limit("link to e-mail address", 5, timedelta(hours=1))
LINKS_FROM_ADDRESS = Limit("link from address", 20, timedelta(hours=1))


def reports_from_address(request: Request) -> Limit:
    """Give the limit on new reports from one address."""
    most = request.app.state.settings.reports_per_hour
    return Limit("report from address", most, timedelta(hours=1))


def supports_from_address(request: Request) -> Limit:
    """Give the limit on "affects me too" from one address."""
    most = request.app.state.settings.supports_per_hour
    return Limit("support from address", most, timedelta(hours=1))


SUPPORTS_OF_REPORT = Limit("support of report from address", 5, timedelta(days=1))
"""New "affects me too" of one report by nameless browsers of one address: as many as a household,
but no crowd made by clearing cookies. Whoever shares an address with many can sign in to count."""

LONGEST = timedelta(days=1)
"""The longest window of a limit: older attempts need not be kept."""


def client_address(request: Request) -> str:
    """Give the network address that a request came from.

    uvicorn has already taken it from X-Forwarded-For where a trusted proxy wrote that; what others
    write there is not looked at. Of IPv6 it is the network, since a client has all of its addresses.
    """
    host = "" if request.client is None else request.client.host
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))
    return str(found)


def count_stored(request: Request, session: Session, limit: Limit) -> None:
    """Count what is being stored, in its own transaction: what is rolled back does not count.

    Raises
    ------
    TooMany
        The transaction has to be rolled back.
    """
    if limit.most:
        asked = limit.what, _hashed(request, client_address(request)), limit.most, limit.within
        if not limits.counted(session, *asked):
            raise TooMany(limits.free_in_s(session, *asked))


def _hashed(request: Request, subject: str) -> bytes:
    key = keys.key(keys.secret_of(request), "attempts")
    return hmac.digest(key, subject.encode(), "sha256")


def count(request: Request, limit: Limit, subject: str) -> None:
    """Count an attempt, before anything else is done and whatever comes of it.

    Parameters
    ----------
    request : Request
    limit : Limit
    subject : str
        Whom or where it is tried for; kept as a keyed hash only.

    Raises
    ------
    TooMany
    """
    if not limit.most:
        return
    asked = limit.what, _hashed(request, subject), limit.most, limit.within
    with Session(request.app.state.owner) as session:
        allowed = limits.allowed(session, *asked)
        session.commit()
        if not allowed:
            raise TooMany(limits.free_in_s(session, *asked))


def count_from_here(request: Request, limit: Limit) -> None:
    """Count an attempt of the address that the request came from.

    Raises
    ------
    TooMany
    """
    count(request, limit, client_address(request))


def limit_supports(request: Request) -> None:
    """Count an "affects me too", as a dependency of the routes that take it.

    Raises
    ------
    Problem
        429.
    """
    try:
        count_from_here(request, supports_from_address(request))
    except TooMany as error:
        raise too_many(request, error) from error


def too_many(request: Request, error: TooMany) -> Problem:
    """Say 429, and when to come back."""
    language = request.state.language
    return Problem(
        429,
        language.gettext("Too many at once"),
        said(request, error),
        {"Retry-After": str(error.retry_after_s)},
    )


def said(request: Request, error: TooMany) -> str:
    """Say in words when to come back."""
    text: str = request.state.language.ngettext(
        "There were too many tries from here. Please try again in %(num)d minute.",
        "There were too many tries from here. Please try again in %(num)d minutes.",
        error.minutes,
    )
    return text % {"num": error.minutes}
