"""People and their roles, for administrators. Every change is written down in the audit log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from data.queries import audit, people
from data.queries.people import Held, Known, LastAdministrator, NotThere, Scopes
from geo.places import plain_text
from geo.roles import Role
from server import invitations, keys, mail, visitors
from server.dependencies import Accounts, Who, own_site
from server.languages import language
from server.links import root
from server.pages.account import MOST_CHARACTERS, last_administrator
from server.pages.page import page
from server.problems import Problem
from server.role_words import ROLES, said
from server.schemas.filters import LARGEST_ID
from server.visitors import Visitor

router = APIRouter(prefix="/people", dependencies=[Depends(own_site)], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """A person as the list shows them."""

    person: Known
    roles: Sequence[str]


class PeoplePage(TypedDict):
    """What the list of people shows. `typed` is what an invitation was refused with."""

    people: Sequence[Listed]
    sought: str
    is_cut: bool
    most: int
    typed: Mapping[str, str]
    fault: str


class PersonPage(TypedDict):
    """What the page of a person shows."""

    person: Known
    held: Sequence[tuple[Held, str]]
    works_for_city: bool
    is_own: bool
    scopes: Scopes
    roles: Mapping[Role, str]
    typed: "GrantForm"
    fault: str
    notice: str


class GrantForm(BaseModel):
    """A role as it was chosen. Everything is text, so that nothing chosen is ever lost."""

    role: str = ""
    block_watch: str = ""
    division: str = ""
    department: str = ""
    district: str = ""


def _administrator(request: Request, who: Visitor) -> int:
    visitors.require(request, who, (Role.ADMINISTRATOR,))
    assert who.person_id is not None
    return who.person_id


@router.get("")
def read_list(request: Request, session: Accounts, who: Who, q: str = "") -> HTMLResponse:
    """List the people who hold a role, or those whom an administrator looks for."""
    _administrator(request, who)
    return _list_page(request, session, q)


def _list_page(
    request: Request,
    session: Session,
    sought: str = "",
    *,
    typed: Mapping[str, str] | None = None,
    fault: str = "",
) -> HTMLResponse:
    sought = plain_text(sought)[:MOST_CHARACTERS]
    found = people.listed(session, sought)
    held = people.held(session, [person.id for person in found])
    gettext = request.state.language.gettext
    context = PeoplePage(
        people=[
            Listed(person, [said(role, gettext) for role in held[person.id]]) for person in found
        ],
        sought=sought,
        is_cut=len(found) == people.MOST_LISTED,
        most=people.MOST_LISTED,
        typed=typed or {"email": "", "name": ""},
        fault=fault,
    )
    return page(request, "people.html", context, status=422 if fault else 200)


@router.post("")
def add(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    email: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
) -> Response:
    """Add somebody by their e-mail address, or find whom it belongs to; roles come next."""
    own = _administrator(request, who)
    typed = email.strip().lower()
    try:
        mail.one_address(typed)
    except ValueError:
        _ = request.state.language.gettext
        fault = _("Write one e-mail address, such as name@example.org.")
        return _list_page(request, session, typed={"email": email, "name": name}, fault=fault)
    known = people.find_by_email(session, typed)
    person = known or people.of_email(
        session, typed, request.state.language.code, plain_text(name)[:MOST_CHARACTERS]
    )
    if known is None:
        audit.add(session, own, "person.add", f"person {person.id}")
    return RedirectResponse(f"/people/{person.id}", 303)


def _person(request: Request, session: Session, id: int) -> Known:
    found = people.find(session, id) if id <= LARGEST_ID else None
    if found is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is nobody at this address."))
    return found


@router.get("/{id:int}")
def read_person(
    request: Request, session: Accounts, who: Who, id: int, done: str = ""
) -> HTMLResponse:
    """Show a person, with the roles they hold and may be given."""
    own = _administrator(request, who)
    person = _person(request, session, id)
    _ = request.state.language.gettext
    notices = {
        "granted": _("The role holds now."),
        "ended": _("The role has ended."),
        "invited": _("An invitation is on its way by e-mail."),
        "closed": _("The account is closed."),
        "opened": _("The account is open again."),
    }
    return _person_page(request, session, own, person, notice=notices.get(done, ""))


def _person_page(
    request: Request,
    session: Session,
    own_id: int,
    person: Known,
    *,
    typed: GrantForm | None = None,
    fault: str = "",
    notice: str = "",
) -> HTMLResponse:
    held = people.held(session, [person.id])[person.id]
    gettext = request.state.language.gettext
    context = PersonPage(
        person=person,
        held=[(role, said(role, gettext)) for role in held],
        works_for_city=people.works_for_city(held),
        is_own=person.id == own_id,
        scopes=people.scopes(session),
        roles=ROLES,
        typed=typed or GrantForm(),
        fault=fault,
        notice=notice,
    )
    return page(request, "person.html", context, status=422 if fault else 200)


@router.post("/{id:int}/roles")
def grant(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    id: int,
    form: Annotated[GrantForm, Form()],
) -> Response:
    """Give a person a role within a scope."""
    own = _administrator(request, who)
    person = _person(request, session, id)
    _ = request.state.language.gettext
    scope = _scope(form)
    if scope is None:
        fault = _(
            "Choose a role, and what it is about: a block watch for captains and members, a "
            "division for liaisons, a department for staff."
        )
        return _person_page(request, session, own, person, typed=form, fault=fault)
    try:
        granted = people.grant(session, id, Role(form.role), granted_by_id=own, **scope)
    except NotThere:
        fault = _("What you chose is not there any more. Choose again.")
        return _person_page(request, session, own, person, typed=form, fault=fault)
    if granted is not None:
        detail = {"role": form.role, **{name: of for name, of in scope.items() if of is not None}}
        audit.add(session, own, "role.grant", f"person {id}", detail)
    return RedirectResponse(f"/people/{id}?done=granted", 303)


def _scope(form: GrantForm) -> dict[str, int | None] | None:
    """Read what a role is about; None where that is missing. What does not belong to it is left."""

    def chosen(value: str) -> int | None:
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None

    if form.role not in set(Role):
        return None
    match Role(form.role):
        case Role.CAPTAIN | Role.MEMBER:
            scope = {"block_watch_id": chosen(form.block_watch)}
        case Role.LIAISON:
            scope = {"area_id": chosen(form.division)}
        case Role.STAFF:
            scope = {"department_id": chosen(form.department)}
        case Role.MODERATOR | Role.ADMINISTRATOR:
            return {}
    if None in scope.values():
        return None
    if form.role == Role.STAFF and form.district:
        scope["area_id"] = chosen(form.district)
    return scope


@router.post("/{id:int}/roles/{grant_id:int}/end")
def end_role(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    id: int,
    grant_id: int,
    sure: Annotated[str, Form()] = "",
) -> Response:
    """End a role that a person holds; one's own only once that is meant."""
    own = _administrator(request, who)
    person = _person(request, session, id)
    if id == own and not sure:
        gettext = request.state.language.gettext
        held = {role.id: said(role, gettext) for role in people.held(session, [id])[id]}
        if grant_id in held:
            asked = {"person": person, "grant_id": grant_id, "role": held[grant_id]}
            return page(request, "person_end_role.html", asked)
    try:
        ended = grant_id <= LARGEST_ID and people.end_grant(session, grant_id, id)
    except LastAdministrator as error:
        raise last_administrator(request) from error
    if ended:
        audit.add(session, own, "role.end", f"person {id}", {"role_grant": grant_id})
    # Whose own role it was may not see that page any more.
    return RedirectResponse("/account" if id == own else f"/people/{id}?done=ended", 303)


@router.post("/{id:int}/invite")
def invite(request: Request, session: Accounts, who: Who, id: int) -> RedirectResponse:
    """Send a link to choose a password with, and start over with one-time codes."""
    own = _administrator(request, who)
    person = _person(request, session, id)
    _ = request.state.language.gettext
    if person.email is None:
        raise Problem(
            409, _("No e-mail address"), _("This person has no e-mail address to write to.")
        )
    people.start_over(session, id)
    audit.add(session, own, "person.invite", f"person {id}")
    _send_invitation(request, session, person)
    return RedirectResponse(f"/people/{id}?done=invited", 303)


def _send_invitation(request: Request, session: Session, person: Known) -> None:
    assert person.email is not None
    settings = request.app.state.settings
    _ = language(person.language).gettext
    token = invitations.token(session, keys.secret_of(request), person.id)
    mail.post(
        session,
        person.email,
        _("Your account at Porchlight {city}").format(city=settings.city_name),
        _(
            "An administrator has given you an account at Porchlight {city}. Choose a password "
            "here:\n\n{link}\n\nThe link works once, for {days} days. You will also need an app for "
            "one-time codes on your phone."
        ).format(
            city=settings.city_name,
            link=f"{root(settings)}/invitation?token={token}&lang={person.language}",
            days=invitations.LASTS.days,
        ),
    )


@router.post("/{id:int}/close")
def close(
    *,
    request: Request,
    session: Accounts,
    who: Who,
    id: int,
    open: Annotated[str, Form()] = "",  # noqa: A002 (the name in the form)
) -> RedirectResponse:
    """Keep a person from signing in, or let them again."""
    own = _administrator(request, who)
    _person(request, session, id)
    if id == own:
        _ = request.state.language.gettext
        raise Problem(
            409, _("Your own account"), _("Ask another administrator to close your account.")
        )
    try:
        people.close(session, id, closed=not open)
    except LastAdministrator as error:
        raise last_administrator(request) from error
    audit.add(session, own, "person.open" if open else "person.close", f"person {id}")
    return RedirectResponse(f"/people/{id}?done={'opened' if open else 'closed'}", 303)
