"""Somebody's own account: what is held about them, where they are signed in, and its end."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, TypedDict

import orjson
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from data.queries import associations, audit, people, sign_ins
from data.queries.people import Browser, Choice, LastAdministrator, OwnReport
from data.queries.sign_ins import SignedIn
from geo.places import plain_text
from server import visitors
from server.dependencies import Accounts, Who, own_site
from server.languages import CODES
from server.pages.map import STATUSES
from server.pages.page import page
from server.pages.sign_in import remember_language
from server.problems import Problem
from server.role_words import said
from server.schemas.filters import LARGEST_ID
from server.visitors import Visitor

router = APIRouter(prefix="/account", dependencies=[Depends(own_site)], include_in_schema=False)

MOST_CHARACTERS = 200

_SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Macintosh", "CrOS", "Linux")
_BROWSERS = re.compile(r"(Edg|OPR|SamsungBrowser|Firefox|FxiOS|CriOS|Chrome|Safari)[^ ]*/[0-9]+")
_CALLED = {
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Macintosh": "Mac",
    "CrOS": "Chromebook",
}


class AccountPage(TypedDict):
    """What the account page shows."""

    person: SignedIn
    roles: Sequence[str]
    watches: Sequence[Choice]
    needs_code: bool
    provider: str | None
    reports: Sequence[OwnReport]
    statuses: Mapping[str, str]
    browsers: Sequence[tuple[Browser, str]]
    is_saved: bool
    codes: Sequence[str]
    most_characters: int


def named(browser: str) -> str:
    """Name a browser by what it says it is; empty where that tells nothing."""
    found = _BROWSERS.findall(browser)
    # What comes later in the text is more particular, but for Safari, which Chrome also says it is.
    name = next((name for name in ("Edg", "OPR", "SamsungBrowser") if name in found), None)
    name = name or (found[0] if found else "")
    system = next((system for system in _SYSTEMS if system in browser), "")
    return ", ".join(_CALLED.get(part, part) for part in (name, system) if part)


def _own(request: Request, who: Visitor) -> SignedIn:
    visitors.require(request, who)
    assert who.signed_in is not None
    return who.signed_in


def last_administrator(request: Request) -> Problem:
    """Say that somebody must stay to look after people and roles."""
    _ = request.state.language.gettext
    return Problem(
        409,
        _("The last administrator"),
        _(
            "Nobody would be left to give roles, so nothing was changed. Make somebody else an "
            "administrator first."
        ),
    )


@router.get("")
def read(request: Request, session: Accounts, who: Who, saved: str = "") -> HTMLResponse:
    """Show the account of whoever is signed in."""
    own = _own(request, who)
    held = people.held(session, [own.person_id])[own.person_id]
    context = AccountPage(
        person=own,
        roles=[said(role, request.state.language.gettext) for role in held],
        watches=associations.named(session, who.watches),
        needs_code=people.works_for_city(held) and not own.strong,
        provider=provider.name if (provider := request.app.state.identity_provider) else None,
        reports=people.own_reports(session, own.person_id),
        statuses=STATUSES,
        browsers=[
            (browser, named(browser.browser)) for browser in people.browsers(session, own.person_id)
        ],
        is_saved=bool(saved),
        codes=CODES,
        most_characters=MOST_CHARACTERS,
    )
    return page(request, "account.html", context)


@router.post("")
def change(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    name: Annotated[str, Form()] = "",
    language: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Keep the name and the language that were chosen."""
    own = _own(request, who)
    chosen = language if language in CODES else own.language
    people.change(session, own.person_id, name=plain_text(name)[:MOST_CHARACTERS], language=chosen)
    response = RedirectResponse("/account?saved=1", 303)
    remember_language(response, chosen)
    return response


@router.post("/sign-ins/{id:int}/end")
def end(request: Request, session: Accounts, who: Who, id: int) -> RedirectResponse:
    """Sign another of the person's browsers out, or this one."""
    own = _own(request, who)
    if id <= LARGEST_ID:
        sign_ins.end(session, id, own.person_id)
    if id != own.id:
        return RedirectResponse("/account#sign-ins", 303)
    response = RedirectResponse("/", 303)
    visitors.forget(request, response)
    return response


@router.post("/sign-ins/end")
def end_all(request: Request, session: Accounts, who: Who) -> RedirectResponse:
    """Sign the person out everywhere."""
    people.end_sign_ins(session, _own(request, who).person_id)
    response = RedirectResponse("/", 303)
    visitors.forget(request, response)
    return response


@router.get("/export")
def export(request: Request, session: Accounts, who: Who) -> Response:
    """Give everything that is held about the person, as a file."""
    held = people.export(session, _own(request, who).person_id)
    return Response(
        orjson.dumps(held, option=orjson.OPT_INDENT_2),
        media_type="application/json",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="porchlight-account.json"',
        },
    )


@router.get("/delete")
def ask_to_delete(request: Request, session: Accounts, who: Who) -> HTMLResponse:
    """Say what goes and what stays, and ask."""
    return page(request, "account_delete.html", {"person": _own(request, who)})


@router.post("/delete")
def delete(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    sure: Annotated[str, Form()] = "",
    shown: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Delete the account, all that is held to reach the person, and what they wrote."""
    own = _own(request, who)
    _ = request.state.language.gettext
    if own.is_sample:
        raise Problem(
            403,
            _("Somebody made up"),
            _("People of the sample city stay, so that others can try being them, too."),
        )
    if not sure:
        return RedirectResponse("/account/delete", 303)
    try:
        people.erase(session, own.person_id, shown=bool(shown))
    except LastAdministrator as error:
        raise last_administrator(request) from error
    audit.add(session, own.person_id, "person.delete", f"person {own.person_id}")
    response = RedirectResponse("/", 303)
    visitors.forget(request, response)
    return response
