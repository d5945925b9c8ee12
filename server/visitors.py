"""Who asks: the one place where pages and APIs learn what a visitor may do."""

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import Request, Response
from sqlalchemy.orm import Session

from data import database
from data.queries import sign_ins
from data.queries.sign_ins import SignedIn
from geo.kinds import Kind
from geo.roles import STRONG, Act, Grant, Role, Site, belongs, keeps, may
from server.problems import Problem

_KEPT_S = 14 * 86_400


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever sent a request.

    Attributes
    ----------
    signed_in : SignedIn or None
        None for nobody in particular.
    """

    signed_in: SignedIn | None = None

    @property
    def person_id(self) -> int | None:
        """The person, where somebody is signed in."""
        return None if self.signed_in is None else self.signed_in.person_id

    @property
    def grants(self) -> tuple[Grant, ...]:
        """The roles that hold now: those of the city only after two factors."""
        if self.signed_in is None:
            return ()
        return tuple(
            grant
            for grant in self.signed_in.grants
            if self.signed_in.strong or grant.role not in STRONG
        )

    def has(self, *roles: Role) -> bool:
        """Tell whether one of these roles holds somewhere."""
        return any(grant.role in roles for grant in self.grants)

    @property
    def works(self) -> bool:
        """Whether there is a work list for the visitor."""
        return self.has(Role.STAFF, Role.LIAISON, Role.ADMINISTRATOR)

    @property
    def desk_kinds(self) -> tuple[Kind, ...]:
        """What the visitor decides about at the desk, somewhere in the city."""
        mine = {kind for grant in self.grants if grant.role is Role.STAFF for kind in grant.kinds}
        return tuple(
            kind
            for kind in (Kind.LIGHTING, Kind.CLEANUP)
            if kind in mine or self.has(Role.ADMINISTRATOR)
        )

    @property
    def moderates(self) -> bool:
        """Whether held texts and photos are the visitor's to judge."""
        return self.has(Role.MODERATOR, Role.ADMINISTRATOR)

    @property
    def administers(self) -> bool:
        """Whether people and their roles are the visitor's to change."""
        return self.has(Role.ADMINISTRATOR)

    def may(self, act: Act, site: Site) -> bool:
        """Tell whether this may be done with a report."""
        return may(self.grants, act, site)

    def keeps(self, block_watch_id: int) -> bool:
        """Tell whether a block watch is the visitor's to change."""
        return keeps(self.grants, block_watch_id)

    def belongs(self, block_watch_id: int) -> bool:
        """Tell whether the visitor is of a block watch."""
        return belongs(self.grants, block_watch_id)

    @property
    def watches(self) -> frozenset[int]:
        """Ids of the block watches that the visitor is of."""
        return frozenset(
            grant.block_watch_id
            for grant in self.grants
            if grant.block_watch_id is not None and self.belongs(grant.block_watch_id)
        )


NOBODY = Visitor()


def cookie(request: Request) -> str:
    """Give the name of the cookie: bound to the host where the connection is safe."""
    return "__Host-porchlight" if request.url.scheme == "https" else "porchlight"


def find(request: Request) -> Visitor:
    """Find out who asks, by the cookie."""
    token = request.cookies.get(cookie(request))
    if not token:
        return NOBODY
    with Session(request.app.state.owner) as session:
        found = sign_ins.find(session, token)
        session.commit()
    return Visitor(found) if found else NOBODY


def keep(request: Request, response: Response, token: str) -> None:
    """Have the browser stay signed in."""
    safe = request.url.scheme == "https"
    response.set_cookie(
        cookie(request),
        token,
        max_age=_KEPT_S,
        path="/",
        secure=safe,
        httponly=True,
        samesite="lax",
    )


def forget(request: Request, response: Response) -> None:
    """Have the browser forget who it is."""
    # A name that begins with __Host- can only be deleted as it was set.
    safe = request.url.scheme == "https"
    response.delete_cookie(cookie(request), path="/", secure=safe, httponly=True, samesite="lax")


def name_visitor(session: Session, visitor: Visitor) -> None:
    """Tell the store who asks, for this transaction: its own rules go by that."""
    if visitor.signed_in is not None:
        database.name_visitor(session, visitor.signed_in.person_id, strong=visitor.signed_in.strong)


def require(request: Request, visitor: Visitor, roles: Iterable[Role] = ()) -> None:
    """Refuse whoever is not signed in, or holds none of the roles.

    Raises
    ------
    Problem
        401 with the way to sign in, or 403.
    """
    _ = request.state.language.gettext
    if visitor.signed_in is None:
        raise Problem(
            401,
            _("Sign in first"),
            _("This page is for people who are signed in. Sign in, and you come back here."),
            signs_in=True,
        )
    if roles and not visitor.has(*roles):
        held = {grant.role for grant in visitor.signed_in.grants} & set(roles)
        raise Problem(
            403,
            _("Not for this account"),
            _(
                "Your role needs the second step of signing in. Sign in again with password and code."
            )
            if held
            else _("Your account has no role for this page. Ask an administrator of your city."),
            signs_in=bool(held),
        )


def require_desk(request: Request, visitor: Visitor) -> None:
    """Refuse whoever does not work on lights or cleanup.

    Raises
    ------
    Problem
    """
    require(request, visitor, (Role.STAFF, Role.ADMINISTRATOR))
    if not visitor.desk_kinds:
        _ = request.state.language.gettext
        raise Problem(
            403,
            _("Not for this account"),
            _(
                "The desk is for people who work on lights and cleanup. Your reports are in the work list."
            ),
        )
