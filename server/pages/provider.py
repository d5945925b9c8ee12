"""Signing in by the city's own provider: there, back, and out again."""

import logging
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from data.queries import audit, people
from data.queries.people import Known
from server import keys, limits
from server.dependencies import Accounts, Who
from server.identity_provider import (
    ERRAND_LASTS_S,
    Errand,
    IdentityProvider,
    ProviderError,
    ProviderFault,
    Vouched,
    opened,
)
from server.languages import Language
from server.pages.page import page
from server.pages.sign_in import QUIET, go_on, sign_in_page
from server.problems import Problem
from server.ways_back import own_path

router = APIRouter(prefix="/sign-in/provider", include_in_schema=False)

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 30
_LONGEST = 4_000


class NotSignedIn(Exception):  # noqa: N818 (it is the name of what happened)
    """Nobody is signed in; the message tells whoever tried why, and what to do.

    Parameters
    ----------
    status : int
        HTTP status.
    why : str
    retry_after_s : int, optional
    """

    def __init__(self, status: int, why: str, retry_after_s: int | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}


def _cookie(request: Request) -> str:
    # Bound to the host where the connection is safe: no other site of the city can set it.
    return "__Host-errand" if request.url.scheme == "https" else "errand"


def _provider(request: Request) -> IdentityProvider:
    provider = request.app.state.identity_provider
    if provider is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is nothing at this address."))
    assert isinstance(provider, IdentityProvider)
    return provider


@router.get("")
def leave(
    request: Request,
    session: Accounts,
    who: Who,
    next: str = "/",  # noqa: A002 (the name in the address)
) -> Response:
    """Send the browser to the provider. A link and no form: our policy keeps forms on this site."""
    provider = _provider(request)
    errand = Errand.new(own_path(next), people.now_s(session))
    session.rollback()  # no connection waits while the provider is asked
    try:
        address = provider.address(errand, request.state.language.code)
    except ProviderError as problem:
        return _ways_in(request, session, next, _failed(request, provider, problem))
    response = RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        _cookie(request),
        errand.sealed(keys.secret_of(request)),
        max_age=ERRAND_LASTS_S,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/back")
def come_back(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    state: Annotated[str, Query(max_length=_LONGEST)] = "",
    code: Annotated[str, Query(max_length=_LONGEST)] = "",
    error: Annotated[str, Query(max_length=_LONGEST)] = "",
) -> Response:
    """Take a browser back from the provider, and sign in whom it vouches for."""
    provider, language = _provider(request), request.state.language
    sealed, now_s = request.cookies.get(_cookie(request), ""), people.now_s(session)
    errand = opened(keys.secret_of(request), sealed, state, now_s)
    session.rollback()  # as above
    response: Response
    try:
        _require_code(errand, code, error, language)
        assert errand is not None
        limits.count_from_here(request, limits.PROVIDER_FROM_ADDRESS)
        vouched = provider.vouched(errand, code, now_s)
        person = _known(session, vouched, language)
    except (NotSignedIn, limits.TooMany, ProviderError) as problem:
        onward = errand.onward if errand else "/"
        response = _ways_in(request, session, onward, _failed(request, provider, problem))
    else:
        # Without two factors no role of the city holds; the account page says so, and what to do.
        onward = errand.onward if vouched.strong else "/account"
        response = go_on(request, session, person, onward, strong=vouched.strong, by_provider=True)
    # A name that begins with __Host- can only be deleted as it was set.
    secure = request.url.scheme == "https"
    response.delete_cookie(_cookie(request), path="/", secure=secure, httponly=True, samesite="lax")
    response.headers.update(QUIET)
    return response


def _require_code(errand: Errand | None, code: str, told: str, language: Language) -> None:
    """Refuse what brings no code of a sign-in that this browser has begun.

    Raises
    ------
    NotSignedIn
    """
    _ = language.gettext
    if told:
        logger.info("The identity provider sent somebody back: %s", told[:100])
    if told == "access_denied":  # some providers leave the state out then
        raise NotSignedIn(200, _("You stopped signing in there. Nothing has changed here."))
    if errand is None:
        raise NotSignedIn(
            400,
            _(
                "That sign-in was begun in another browser or tab, or took longer than 10 minutes. "
                "Begin again here."
            ),
        )
    if not code:
        raise NotSignedIn(400, _("That sign-in was not finished there. Begin again here."))


def _known(session: Session, vouched: Vouched, language: Language) -> Known:
    """Give the person whom a provider vouches for, linked by e-mail address the first time.

    Raises
    ------
    NotSignedIn
    """
    _ = language.gettext
    named = vouched.issuer, vouched.subject
    person = people.find_by_subject(session, *named)
    if person is None and vouched.email is None:
        raise NotSignedIn(
            403,
            _(
                "Your account there has no e-mail address that is verified, so we cannot tell who you "
                "are. Ask those who run it to verify the address, or an administrator of this site "
                "for an invitation."
            ),
        )
    if person is None and vouched.email is not None:
        person = people.link(session, vouched.email, *named)
        if person is not None:
            detail = {"issuer": vouched.issuer, "subject": vouched.subject}
            audit.add(session, person.id, "person.link", f"person {person.id}", detail)
    if person is None:
        raise NotSignedIn(
            403,
            _(
                "Nobody with a role of the city is known here as {email}, or that address belongs to "
                "another account there. Ask an administrator of this site to invite you under that "
                "address. If you sign in as a resident, use the link to your e-mail address."
            ).format(email=vouched.email),
        )
    if person.disabled_at is not None:
        raise NotSignedIn(
            403,
            _("Your account here is closed. Ask an administrator of this site to open it again."),
        )
    return person


def _failed(
    request: Request,
    provider: IdentityProvider,
    error: NotSignedIn | limits.TooMany | ProviderError,
) -> NotSignedIn:
    _ = request.state.language.gettext
    if isinstance(error, NotSignedIn):
        return error
    if isinstance(error, limits.TooMany):
        return NotSignedIn(429, limits.said(request, error), error.retry_after_s)
    logger.warning("Sign-in by the identity provider failed (%s): %s", error.fault, error)
    messages = {
        ProviderFault.AWAY: _(
            "{name} does not answer right now. Try again in half a minute, or sign in with your "
            "password."
        ),
        ProviderFault.REFUSED: _(
            "{name} did not finish the sign-in: it took too long, or the page was opened twice. "
            "Begin again."
        ),
        ProviderFault.WRONG: _(
            "What {name} sent could not be checked, so nobody was signed in. Tell whoever runs this "
            "site; its log says what is wrong."
        ),
        ProviderFault.CLOCK: _(
            "The clocks of {name} and of this site differ, so nobody was signed in. Tell whoever runs "
            "this site."
        ),
    }
    status = {ProviderFault.AWAY: 503, ProviderFault.REFUSED: 400}.get(error.fault, 502)
    wait = RETRY_AFTER_S if error.fault is ProviderFault.AWAY else None
    return NotSignedIn(status, messages[error.fault].format(name=provider.name), wait)


def _ways_in(request: Request, session: Session, onward: str, stopped: NotSignedIn) -> HTMLResponse:
    return sign_in_page(
        request,
        session,
        onward,
        faults={"provider": str(stopped)},
        status=stopped.status,
        headers=stopped.headers,
    )


@router.get("/left")
def left(request: Request, who: Who) -> HTMLResponse:
    """Say that the provider may keep the browser signed in, and where to end that."""
    provider = _provider(request)
    context = {"provider": provider.name, "address": provider.sign_out_address()}
    return page(request, "signed_out.html", context)
