"""Following by e-mail: a report, a block watch, an area, a part of the map, or the whole city."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypedDict
from urllib.parse import urlencode

import shapely
from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BeforeValidator, Field
from shapely import Polygon
from sqlalchemy.orm import Session

from data import database
from data.models import Pace
from data.queries import follows
from data.queries.follows import Followed, Named, Subject
from geo.categories import N_
from geo.crs import in_city_metres
from server import visitors
from server.dependencies import Places, Reading, Who, Writing, own_site
from server.following import name_of, read_token
from server.languages import Language
from server.pages.feeds import feed_address
from server.pages.page import page
from server.problems import Problem
from server.schemas.filters import LARGEST_ID, Box, Filters, Id, bounds, none_if_empty
from server.visitors import Visitor

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

PACES: dict[Pace, str] = {
    Pace.AT_ONCE: N_("At once"),
    Pace.DAILY: N_("Once a day, in the morning"),
    Pace.WEEKLY: N_("Once a week, on Monday morning"),
}

_METRES_PER_MILE = 1609.344

_NAMES = ("report", "block_watch", "area", "bbox", "kind", "category")
"""Parameters that say what is followed."""


class What(Filters):
    """What is to be followed, as addresses and forms say it: by the filters of the map."""

    report: Annotated[Id | None, BeforeValidator(none_if_empty)] = None
    bbox: Box = None

    def subject(self) -> Subject:
        """Give what is meant: the finest thing that is named."""
        if self.report is not None:
            return Subject(report_id=self.report)
        kinds, categories = tuple(sorted(set(self.kind))), tuple(sorted(set(self.category)))
        if self.block_watch is not None:
            return Subject(block_watch_id=self.block_watch, kinds=kinds, categories=categories)
        if self.area is not None:
            return Subject(area_id=self.area, kinds=kinds, categories=categories)
        try:
            box = bounds(self.bbox)
        except ValueError as error:
            fault = {"loc": ("query", "bbox"), "msg": str(error)}
            raise RequestValidationError([fault]) from error
        if box is None or box.west == box.east or box.south == box.north:
            return Subject(kinds=kinds, categories=categories)
        drawn = shapely.box(box.west, box.south, box.east, box.north)
        return Subject(drawn=drawn, kinds=kinds, categories=categories)


class WhatAndWhen(What):
    """What is to be followed, and how soon it is told."""

    pace: Pace = Field(Pace.AT_ONCE)


@dataclass(frozen=True, slots=True)
class Outline:
    """The shape of a drawn area, for a picture of `SIDE` by `SIDE`, and how large the area is.

    Attributes
    ----------
    points : str
        As SVG takes them.
    miles : float
        From one end to the other, along the longer side.
    """

    SIDE: ClassVar[int] = 64

    points: str
    miles: float


@dataclass(frozen=True, slots=True)
class Row:
    """Something that is followed, as the page names it."""

    id: int
    name: str
    pace: Pace
    address: str | None
    outline: Outline | None


class FollowingPage(TypedDict):
    """What a person follows."""

    rows: Sequence[Row]
    paces: Mapping[Pace, str]
    email: str | None
    is_new: bool


class NewPage(TypedDict):
    """What is about to be followed."""

    name: str
    pairs: Sequence[tuple[str, str]]
    paces: Mapping[Pace, str]
    email: str | None
    feed: str


class UnsubscribePage(TypedDict):
    """What a link in an e-mail ends; nothing where it has ended."""

    token: str
    names: Sequence[str]


class OnReport(TypedDict):
    """How the visitor follows the report whose page it is."""

    report_id: int
    signed_in: bool
    email: str | None
    followed: Followed | None
    paces: Mapping[Pace, str]


def on_report(session: Session, visitor: Visitor, report_id: int) -> OnReport:
    """Give what `follow.html` shows on the page of a report."""
    person_id = visitor.person_id
    return OnReport(
        report_id=report_id,
        signed_in=person_id is not None,
        email=None if visitor.signed_in is None else visitor.signed_in.email,
        followed=None if person_id is None else follows.of_report(session, person_id, report_id),
        paces=PACES,
    )


def follow_address(pairs: Iterable[tuple[str, str]]) -> str:
    """Give the path that leads to following what a page with these parameters shows."""
    query = urlencode([(name, value) for name, value in pairs if name in _NAMES and value])
    return f"/following/new{'?' if query else ''}{query}"


def _outline(drawn: Polygon) -> Outline:
    flat = in_city_metres(drawn)
    west, south, east, north = flat.bounds
    across_m = max(east - west, north - south)
    scale = (Outline.SIDE - 4) / across_m
    points = " ".join(
        f"{2 + (x - west) * scale:.1f},{2 + (north - y) * scale:.1f}"
        for x, y in flat.exterior.coords
    )
    return Outline(points, across_m / _METRES_PER_MILE)


def sign_in_first(request: Request) -> RedirectResponse:
    """Lead to signing in, and back to here."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?{urlencode({'next': here})}", 303)


def no_address(language: Language) -> Problem:
    """Say that there is nowhere to write to."""
    _ = language.gettext
    return Problem(
        409,
        _("No e-mail address"),
        _("Your account has no e-mail address to write to. Follow with a feed reader instead."),
    )


def too_many(language: Language) -> Problem:
    """Say that nobody follows without end."""
    _ = language.gettext
    message = _(
        "You follow {most} things already. Stop some of them first, or follow a larger area."
    )
    return Problem(409, _("Too much to follow"), message.format(most=follows.MOST_FOLLOWED))


@router.get("/following", response_model=None)
def following(
    request: Request, session: Reading, visitor: Who, new: str = ""
) -> HTMLResponse | RedirectResponse:
    """Show what a person follows."""
    if visitor.signed_in is None:
        return sign_in_first(request)
    language: Language = request.state.language
    rows = [
        Row(
            one.id,
            name_of(one.named, language),
            one.pace,
            None if one.named.report_id is None else f"/reports/{one.named.report_id}",
            None if one.drawn is None else _outline(one.drawn),
        )
        for one in follows.of_person(session, visitor.signed_in.person_id)
    ]
    context = FollowingPage(rows=rows, paces=PACES, email=visitor.signed_in.email, is_new=bool(new))
    return page(request, "following.html", context)


@router.get("/following/new", response_model=None)
def new_page(
    request: Request, session: Reading, visitor: Who, what: Annotated[What, Query()]
) -> HTMLResponse | RedirectResponse:
    """Ask how soon a person wants to be told."""
    if visitor.signed_in is None:
        return sign_in_first(request)
    language: Language = request.state.language
    pairs = request.query_params.multi_items()
    context = NewPage(
        name=name_of(_named(session, what.subject(), language), language),
        pairs=[(name, value) for name, value in pairs if name in _NAMES and value],
        paces=PACES,
        email=visitor.signed_in.email,
        feed=feed_address(pairs) if what.report is None else f"/reports/{what.report}.atom",
    )
    return page(request, "follow_new.html", context)


@router.post("/following")
def add(
    request: Request, session: Writing, visitor: Who, what: Annotated[WhatAndWhen, Form()]
) -> RedirectResponse:
    """Follow something from now on."""
    language: Language = request.state.language
    if visitor.signed_in is None:
        pairs = [(name, value) for name, value in _sent(what) if value]
        return RedirectResponse(f"/sign-in?{urlencode({'next': follow_address(pairs)})}", 303)
    if visitor.signed_in.email is None:
        raise no_address(language)
    subject = what.subject()
    _named(session, subject, language)
    person_id = visitor.signed_in.person_id
    if not follows.add(session, person_id, subject, what.pace, language.code):
        raise too_many(language)
    return RedirectResponse("/following?new=1", 303)


@router.post("/following/{id:int}")
def change(
    request: Request,
    id: int,
    session: Writing,
    visitor: Who,
    pace: Annotated[Pace, Form()],
) -> RedirectResponse:
    """Tell sooner or later."""
    visitors.require(request, visitor)
    assert visitor.person_id is not None
    if id <= LARGEST_ID:
        follows.change(session, visitor.person_id, id, pace)
    return RedirectResponse("/following", 303)


@router.post("/following/{id:int}/stop")
def stop(request: Request, id: int, session: Writing, visitor: Who) -> RedirectResponse:
    """Follow something no longer."""
    visitors.require(request, visitor)
    assert visitor.person_id is not None
    if id <= LARGEST_ID:
        follows.stop(session, visitor.person_id, id)
    return RedirectResponse("/following", 303)


@router.get("/unsubscribe/{token}")
def unsubscribe_page(
    request: Request, token: str, session: Writing, positions: Places
) -> HTMLResponse:
    """Show what a link in an e-mail ends, and a button: programs that look at links press none."""
    id, person_id = _by_token(request, token, session, positions.secret)
    found = follows.of_person(session, person_id, id)
    names = [name_of(one.named, request.state.language) for one in found]
    return page(request, "unsubscribe.html", UnsubscribePage(token=token, names=names))


@router.post("/unsubscribe/{token}")
def unsubscribe(request: Request, token: str, session: Writing, positions: Places) -> Response:
    """End what a link in an e-mail is about, for people and for mail programs (RFC 8058)."""
    id, person_id = _by_token(request, token, session, positions.secret)
    if id is None:
        follows.stop_all(session, person_id)
    else:
        follows.stop(session, person_id, id)
    return page(request, "unsubscribe.html", UnsubscribePage(token=token, names=()))


def _by_token(
    request: Request, token: str, session: Session, secret: bytes
) -> tuple[int | None, int]:
    """Let the session see what the person of a link follows, and nothing that their roles open."""
    found = read_token(secret, token)
    if found is None:
        _ = request.state.language.gettext
        raise Problem(
            404,
            _("Not found"),
            _("This link is not whole. Copy all of it from the e-mail, or sign in."),
        )
    database.name_visitor(session, found[1], strong=False)
    return found


def _named(session: Session, subject: Subject, language: Language) -> Named:
    found = follows.named(session, subject)
    if found is None:
        _ = language.gettext
        raise Problem(404, _("Not found"), _("There is nothing of this kind to follow."))
    return found


def _sent(what: What) -> list[tuple[str, str]]:
    """Give the parameters again, for the way back from signing in."""
    given = what.model_dump(mode="json", by_alias=True, include=set(_NAMES), exclude_none=True)
    pairs = []
    for name, value in given.items():
        pairs += [(name, str(one)) for one in (value if isinstance(value, list) else [value])]
    return pairs
