"""Signing in: residents by a link sent by e-mail, the city's people by password and one-time code."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypedDict
from urllib.parse import urlencode

from cryptography.fernet import InvalidToken
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from data.queries import imports, people, sign_in_links, sign_ins
from data.queries.people import Known
from data.queries.sign_ins import SignedIn
from geo.roles import STRONG
from server import codes, invitations, keys, limits, mail, passwords, visitors
from server.dependencies import Accounts, Chosen, Who, own_site
from server.languages import COOKIE as LANGUAGE_COOKIE
from server.links import root
from server.pages.page import page
from server.problems import Problem
from server.role_words import said
from server.ways_back import own_path

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

_ENROLMENT = "enrolment"
_ENROLMENT_LASTS_S = 15 * 60

QUIET = {"Referrer-Policy": "no-referrer"}
"""For pages whose address holds a secret."""


@dataclass(frozen=True, slots=True)
class TryAs:
    """Somebody of the sample city."""

    id: int
    label: str


class SignInPage(TypedDict):
    """What the sign-in page shows. `faults` go by the way they are about: link, password, provider."""

    next: str
    email: str
    faults: Mapping[str, str]
    provider: str | None
    sample_people: Sequence[TryAs]


@router.get("/sign-in")
def sign_in(request: Request, session: Accounts, who: Who, next: str = "/") -> HTMLResponse:  # noqa: A002 (the name in the address)
    """Show the ways of signing in."""
    return sign_in_page(request, session, next)


def sign_in_page(
    request: Request,
    session: Session,
    next_path: str,
    *,
    email: str = "",
    faults: Mapping[str, str] | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Show the ways of signing in, and what went wrong with one of them.

    Parameters
    ----------
    request : Request
    session : Session
    next_path : str
        Where to go on to afterwards.
    email : str
        What was typed.
    faults : mapping of str to str, optional
        By the way they are about.
    status : int
    headers : mapping, optional
    """
    context = SignInPage(
        next=own_path(next_path),
        email=email,
        faults=faults or {},
        provider=provider.name if (provider := request.app.state.identity_provider) else None,
        sample_people=_sample_people(request, session),
    )
    return page(request, "sign_in.html", context, status=status, headers=headers)


def _sample_people(request: Request, session: Session) -> list[TryAs]:
    if not imports.is_only_sample(session):
        return []
    gettext = request.state.language.gettext
    known = people.sample_people(session)
    held = people.held(session, [person.id for person in known])
    return [
        TryAs(
            person.id,
            "; ".join(said(role, gettext) for role in held[person.id]) or gettext("Resident"),
        )
        for person in known
    ]


@router.post("/sign-in")
def send_link(
    *,
    request: Request,
    session: Accounts,
    settings: Chosen,
    email: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 (as above)
) -> HTMLResponse:
    """Send a link to an e-mail address. The answer is the same whether or not it is known here."""
    language = request.state.language
    _ = language.gettext
    typed = email.strip().lower()
    try:
        mail.one_address(typed)
    except ValueError:
        faults = {"link": _("Write one e-mail address, such as name@example.org.")}
        return sign_in_page(request, session, next, email=email, faults=faults, status=422)
    try:
        limits.count_from_here(request, limits.LINKS_FROM_ADDRESS)
        limits.count(request, limits.LINKS_TO_EMAIL, typed)
    except limits.TooMany as error:
        return _too_many(request, session, next, error, form="link", email=email)
    token = sign_in_links.begin(session, typed)
    question = urlencode({"token": token, "next": own_path(next), "lang": language.code})
    mail.post(
        session,
        typed,
        _("Sign in to Porchlight {city}").format(city=settings.city_name),
        _(
            "Open this link and press the button to sign in to Porchlight {city}:\n\n{link}\n\n"
            "It works once, for {minutes} minutes. If you did not ask for it, do nothing: nobody "
            "can sign in without it."
        ).format(
            city=settings.city_name,
            link=f"{root(settings)}/sign-in/link?{question}",
            minutes=sign_in_links.MINUTES,
        ),
    )
    context = {"email": typed, "minutes": sign_in_links.MINUTES, "next": own_path(next)}
    return page(request, "sign_in_sent.html", context)


def _too_many(
    request: Request,
    session: Session,
    next_path: str,
    error: limits.TooMany,
    *,
    form: str,
    email: str,
) -> HTMLResponse:
    return sign_in_page(
        request,
        session,
        next_path,
        email=email,
        faults={form: limits.said(request, error)},
        status=429,
        headers={"Retry-After": str(error.retry_after_s)},
    )


@router.get("/sign-in/link")
def show_link(
    request: Request,
    session: Accounts,
    who: Who,
    token: str = "",
    next: str = "/",  # noqa: A002 (as above)
) -> HTMLResponse:
    """Show a button: programs that look through mail open links, but press no buttons."""
    email = sign_in_links.find(session, token)
    context = {"email": email, "token": token, "next": own_path(next)}
    status = 200 if email else 410
    return page(request, "sign_in_link.html", context, status=status, headers=QUIET)


@router.post("/sign-in/link")
def use_link(
    *,
    request: Request,
    session: Accounts,
    token: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 (as above)
) -> Response:
    """Use the link up, and sign its e-mail address in."""
    email = sign_in_links.use(session, token)
    if email is None:
        context = {"email": None, "token": "", "next": own_path(next)}
        return page(request, "sign_in_link.html", context, status=410, headers=QUIET)
    person = people.of_email(session, email, request.state.language.code)
    if person.disabled_at is not None:
        _ = request.state.language.gettext
        raise Problem(
            403,
            _("This account is closed"),
            _("An administrator has closed it. You can send reports without an account."),
        )
    return go_on(request, session, person, next, strong=False)


def go_on(
    request: Request,
    session: Session,
    person: Known,
    next_path: str,
    *,
    strong: bool,
    by_provider: bool = False,
) -> RedirectResponse:
    """Sign a person in under a new token, and show what they came for."""
    _end_this(request, session)
    token = sign_ins.begin(
        session,
        person.id,
        strong=strong,
        browser=request.headers.get("user-agent", ""),
        by_provider=by_provider,
    )
    response = RedirectResponse(own_path(next_path), 303)
    visitors.keep(request, response, token)
    remember_language(response, person.language)
    return response


def remember_language(response: Response, code: str) -> None:
    """Have pages come in a person's language."""
    response.set_cookie(LANGUAGE_COOKIE, code, max_age=31_536_000, samesite="lax", httponly=True)


def _end_this(request: Request, session: Session) -> SignedIn | None:
    token = request.cookies.get(visitors.cookie(request), "")
    before = sign_ins.find(session, token)
    if before is not None:
        sign_ins.end(session, before.id, before.person_id)
    return before


@router.post("/sign-in/password")
def by_password(
    *,
    request: Request,
    session: Accounts,
    settings: Chosen,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 (as above)
) -> Response:
    """Sign in by password and one-time code; at the first time, show how to get codes.

    What is wrong is not told, and takes as long, whether the account, the password or the code.
    """
    typed = email.strip().lower()
    try:
        limits.count_from_here(request, limits.SIGN_INS_FROM_ADDRESS)
        limits.count(request, limits.SIGN_INS_OF_ACCOUNT, typed)
    except limits.TooMany as error:
        return _too_many(request, session, next, error, form="password", email=email)
    found = people.find_by_email(session, typed)
    usable = found is not None and found.disabled_at is None
    known = passwords.fits(found.password_hash if found and usable else None, password)
    if found is not None and known:
        if found.totp_secret is None:
            return _enrolment_page(request, session, settings.city_name, found, next)
        code_secret = codes.opened(keys.secret_of(request), found.totp_secret)
        step = codes.step_of(code_secret, code, people.now_s(session))
        if step is not None and people.use_code(session, found.id, step):
            return go_on(request, session, found, next, strong=True)
    _ = request.state.language.gettext
    faults = {
        "password": _(
            "E-mail address, password and code do not fit together. Each code works once: wait for "
            "the next one."
        )
    }
    return sign_in_page(request, session, next, email=email, faults=faults, status=422)


def _enrolment_page(
    request: Request,
    session: Session,
    city: str,
    person: Known,
    next_path: str,
    *,
    code_secret: str = "",
) -> HTMLResponse:
    again, code_secret = bool(code_secret), code_secret or codes.new_secret()
    until_s = people.now_s(session) + _ENROLMENT_LASTS_S
    # The password was right: the form carries that, sealed, to its second step.
    told = [person.id, person.password_hash, code_secret, until_s]
    sealed = keys.sealing(keys.secret_of(request), _ENROLMENT).encrypt(json.dumps(told).encode())
    context = {
        "enrolment": sealed.decode(),
        "code_secret": code_secret,
        "drawn": codes.drawn(code_secret, person.email or "", f"Porchlight {city}"),
        "next": own_path(next_path),
        "again": again,
    }
    return page(request, "sign_in_codes.html", context, status=422 if again else 200)


@router.post("/sign-in/codes")
def enrol(
    *,
    request: Request,
    session: Accounts,
    settings: Chosen,
    enrolment: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 (as above)
) -> Response:
    """Keep the secret of somebody's codes once the first code shows that their app has it."""
    _ = request.state.language.gettext
    over = Problem(
        410,
        _("This took too long"),
        _("Sign in with your password again, and you get a new code to scan."),
    )
    try:
        told = keys.sealing(keys.secret_of(request), _ENROLMENT).decrypt(enrolment.encode())
    except InvalidToken:
        raise over from None
    person_id, password_hash, code_secret, until_s = json.loads(told)
    try:
        limits.count(request, limits.SIGN_INS_OF_ACCOUNT, f"codes of {person_id}")
    except limits.TooMany as error:
        raise limits.too_many(request, error) from error
    person, now_s = people.find(session, person_id), people.now_s(session)
    if (
        person is None
        or person.disabled_at is not None
        or person.password_hash != password_hash
        or now_s > until_s
    ):
        raise over
    step = codes.step_of(code_secret, code, now_s)
    if step is None:
        return _enrolment_page(
            request, session, settings.city_name, person, next, code_secret=code_secret
        )
    if not people.enrol(
        session, person.id, codes.sealed(keys.secret_of(request), code_secret), step
    ):
        raise over
    return go_on(request, session, person, next, strong=True)


@router.get("/invitation")
def show_invitation(request: Request, session: Accounts, who: Who, token: str = "") -> HTMLResponse:
    """Show the form in which somebody whom an administrator invited chooses a password."""
    invited = invitations.find(session, keys.secret_of(request), token)
    return _invitation_page(request, token, invited)


def _invitation_page(
    request: Request, token: str, invited: invitations.Invited | None, fault: str = ""
) -> HTMLResponse:
    context = {
        "email": None if invited is None else invited.email,
        "token": token,
        "fault": fault,
        "fewest": passwords.FEWEST,
        "days": invitations.LASTS.days,
    }
    status = 410 if invited is None else 422 if fault else 200
    return page(request, "invitation.html", context, status=status, headers=QUIET)


@router.post("/invitation")
def choose_password(
    *,
    request: Request,
    session: Accounts,
    token: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Keep the chosen password; the link is used up by that."""
    _ = request.state.language.gettext
    invited = invitations.find(session, keys.secret_of(request), token)
    if invited is None:
        return _invitation_page(request, token, None)
    fault = ""
    if not passwords.FEWEST <= len(password) <= passwords.MOST:
        fault = _("Choose a password of {fewest} to {most} characters. Four random words do well.")
        fault = fault.format(fewest=passwords.FEWEST, most=passwords.MOST)
    elif password.lower() == invited.email:
        fault = _("Choose something else than your e-mail address.")
    elif password != again:
        fault = _("The two passwords are not the same. Type them again.")
    if fault:
        return _invitation_page(request, token, invited, fault)
    people.set_password(session, invited.person_id, passwords.hashed(password))
    people.end_sign_ins(session, invited.person_id)
    return RedirectResponse("/sign-in?chosen=1#password", 303)


@router.post("/sign-in/as")
def sign_in_as(
    *,
    request: Request,
    session: Accounts,
    person: Annotated[int, Form()] = 0,
    next: Annotated[str, Form()] = "/",  # noqa: A002 (as above)
) -> Response:
    """Sign somebody in as a person of the sample city, where nothing real can be read."""
    _ = request.state.language.gettext
    offered = people.sample_people(session) if imports.is_only_sample(session) else []
    chosen = {one.id: one for one in offered}.get(person)
    if chosen is None:
        raise Problem(404, _("Not found"), _("There is nothing at this address."))
    grants = people.held(session, [chosen.id])[chosen.id]
    strong = any(held.role in STRONG for held in grants)
    return go_on(request, session, chosen, next, strong=strong)


@router.post("/sign-out")
def sign_out(request: Request, session: Accounts) -> RedirectResponse:
    """Sign this browser out, and say so where the provider may keep it signed in."""
    before = _end_this(request, session)
    stays = before is not None and before.by_provider and request.app.state.identity_provider
    response = RedirectResponse("/sign-in/provider/left" if stays else "/", 303)
    visitors.forget(request, response)
    return response
