"""The form with which people draw an area to follow, or choose one around a place."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, TypedDict

import shapely
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel
from shapely import Point
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.models import Pace
from data.models.follow import AREA_NAME_LIMIT
from data.queries import areas, follows
from data.queries.follows import Followed, Subject
from geo.categories import N_
from geo.drawn_areas import MOST_CORNERS, RADII_M, AreaError, AreaFault, around, drawn_area
from geo.kinds import Kind
from geo.places import Position, plain_text
from layers.atlas import Atlas, view_of
from layers.words import words
from server import submissions, visitors
from server.dependencies import Chosen, Places, Reading, Who, Writing, own_site
from server.faults import Fault, Refused
from server.languages import Language
from server.pages.following import PACES, no_address, sign_in_first, too_many
from server.pages.map import KINDS, SOMEWHERE, raster
from server.pages.page import page
from server.pages.report_form import (
    Choice,
    choices_of,
    drawn_geometry,
    offered_place,
    pick_atlas,
    typed_place,
)
from server.positions import Positions
from server.problems import Problem
from server.schemas.filters import LARGEST_ID
from server.settings import Settings
from server.submissions import Named, Pair
from server.visitors import Visitor

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

SHAPES: dict[str, str] = {
    "point": N_("Around a place"),
    "polygon": N_("An area that I draw on the map"),
}

RADII: dict[int, str] = {
    200: N_("About 2 blocks (200 meters)"),
    400: N_("About 4 blocks (400 meters)"),
    800: N_("About 8 blocks (half a mile)"),
}
assert set(RADII) == set(RADII_M)

FAULTS: dict[AreaFault, str] = {
    AreaFault.NOT_A_SHAPE: N_("Draw the area on the map, or choose “Around a place”."),
    AreaFault.TOO_FEW_CORNERS: N_("An area needs three different corners at least. Add more."),
    AreaFault.TOO_MANY_CORNERS: N_("This area has too many corners. Draw it with {most} at most."),
    AreaFault.CROSSES_ITSELF: N_(
        "The outline of the area crosses itself. Draw it again, from corner to corner, all the way "
        "around."
    ),
    AreaFault.TOO_SMALL: N_("This area is smaller than one short block. Draw a larger one."),
    AreaFault.TOO_LARGE: N_(
        "This is larger than 5 kilometers (3 miles). Draw a smaller area, or follow a neighbourhood "
        "or the whole city."
    ),
    AreaFault.OUTSIDE: N_("This lies outside {city}. Choose an area in the city."),
}


class AreaForm(BaseModel):
    """The form as it was typed. Everything is text, so that nothing typed is ever lost.

    Attributes
    ----------
    shape : str
        Of `SHAPES`.
    drawn : str
        GeoJSON of the corners that were set on the map.
    place : str
        The one of the places offered for `address` that was chosen.
    place_for : str
        The text for which they were offered.
    """

    shape: str = "point"
    address: str = ""
    lat: str = ""
    lon: str = ""
    place: str = ""
    place_for: str = ""
    radius: str = "400"
    drawn: str = ""
    name: str = ""
    kind: list[str] = []
    pace: str = Pace.AT_ONCE.value


class AreaPage(TypedDict):
    """The form; `id` of what is changed, None for something new."""

    id: int | None
    form: AreaForm
    fault: Fault | None
    choices: Sequence[Choice]
    shapes: Mapping[str, str]
    radii: Mapping[int, str]
    kinds: Mapping[str, str]
    paces: Mapping[Pace, str]
    name_limit: int
    email: str | None
    atlas: Atlas
    words: str


@router.get("/following/area", response_model=None)
def new_area(
    request: Request, session: Reading, visitor: Who, settings: Chosen
) -> HTMLResponse | RedirectResponse:
    """Show the empty form."""
    if visitor.signed_in is None:
        return sign_in_first(request)
    return _form_page(request, session, settings, visitor, AreaForm())


@router.post("/following/area")
def follow_area(
    *,
    request: Request,
    form: Annotated[AreaForm, Form()],
    session: Writing,
    visitor: Who,
    settings: Chosen,
    positions: Places,
) -> Response:
    """Follow an area from now on."""
    language: Language = request.state.language
    visitors.require(request, visitor)
    assert visitor.signed_in is not None
    if visitor.signed_in.email is None:
        raise no_address(language)
    try:
        subject = _subject(session, form, positions, language, settings.city_name)
    except Refused as refused:
        return _form_page(request, session, settings, visitor, form, fault=refused.faults[0])
    pace = Pace(form.pace) if form.pace in set(Pace) else Pace.AT_ONCE
    if not follows.add(session, visitor.signed_in.person_id, subject, pace, language.code):
        raise too_many(language)
    return RedirectResponse("/following?new=1", 303)


@router.get("/following/{id:int}/area", response_model=None)
def change_page(
    request: Request, id: int, session: Reading, visitor: Who, settings: Chosen
) -> HTMLResponse | RedirectResponse:
    """Show an area as it is followed."""
    if visitor.signed_in is None:
        return sign_in_first(request)
    followed = _own(session, visitor, id, request.state.language)
    form = AreaForm(
        shape="polygon",
        drawn=shapely.to_geojson(followed.drawn),
        name=followed.named.name or "",
        kind=[kind.value for kind in followed.named.kinds],
    )
    return _form_page(request, session, settings, visitor, form, id=id)


@router.post("/following/{id:int}/area")
def change_area(
    *,
    request: Request,
    id: int,
    form: Annotated[AreaForm, Form()],
    session: Writing,
    visitor: Who,
    settings: Chosen,
    positions: Places,
) -> Response:
    """Follow another area in place of one that is followed."""
    language: Language = request.state.language
    visitors.require(request, visitor)
    assert visitor.signed_in is not None
    person_id = visitor.signed_in.person_id
    _own(session, visitor, id, language)
    try:
        subject = _subject(session, form, positions, language, settings.city_name)
    except Refused as refused:
        return _form_page(request, session, settings, visitor, form, fault=refused.faults[0], id=id)
    try:
        with session.begin_nested():
            follows.redraw(session, person_id, id, subject)
    except IntegrityError as error:
        _ = language.gettext
        raise Problem(
            409, _("Followed already"), _("You follow this very area already. Stop one of them.")
        ) from error
    return RedirectResponse("/following?new=1", 303)


def _own(session: Session, visitor: Visitor, id: int, language: Language) -> Followed:
    found = (
        follows.of_person(session, visitor.signed_in.person_id, id)
        if visitor.signed_in is not None and id <= LARGEST_ID
        else []
    )
    if not found or found[0].drawn is None:
        _ = language.gettext
        raise Problem(404, _("Not found"), _("You follow no drawn area under this address."))
    return found[0]


def _subject(
    session: Session, form: AreaForm, positions: Positions, language: Language, city: str
) -> Subject:
    """Read what is to be followed.

    Raises
    ------
    Refused
        With the one fault of where it is.
    """
    _ = language.gettext
    served = positions.served_area(session)
    if served is None:
        raise Refused(Fault("place", "no_city", _("No city has been imported yet.")))
    name = " ".join(plain_text(form.name).split())[:AREA_NAME_LIMIT]
    kinds = tuple(kind for kind in Kind if kind.value in form.kind)
    try:
        if form.shape == "polygon":
            return Subject(
                drawn=drawn_area(drawn_geometry(form.drawn), served), name=name, kinds=kinds
            )
        located = submissions.locate(session, _place(form, language), positions, language, city)
        assert isinstance(located.place, Point)
        radius_m = int(form.radius) if form.radius in {str(r) for r in RADII_M} else RADII_M[1]
        place = Position(located.place.y, located.place.x)
        if not name and located.address:
            name = _("Around {place}").format(place=located.address)[:AREA_NAME_LIMIT]
        return Subject(drawn=around(place, radius_m, served), name=name, kinds=kinds)
    except AreaError as error:
        message = _(FAULTS[error.fault]).format(most=MOST_CORNERS, city=city)
        raise Refused(Fault("place", error.fault.value, message)) from error


def _place(form: AreaForm, language: Language) -> Pair | Named:
    """Read around which place: one that was offered, one on the map, or one that was typed."""
    if offered := offered_place(form.address, form.place, form.place_for):
        return offered
    if form.lat or form.lon:
        return Pair(form.lat, form.lon, called=plain_text(form.address))
    if typed := typed_place(form.address):
        return typed
    _ = language.gettext
    message = _("Say around which place: tap the map, use your position, or type an address.")
    raise Refused(Fault("place", "missing", message))


def _form_page(
    request: Request,
    session: Session,
    settings: Settings,
    visitor: Visitor,
    form: AreaForm,
    *,
    fault: Fault | None = None,
    id: int | None = None,
) -> HTMLResponse:
    language: Language = request.state.language
    box = areas.extent(session)
    view = SOMEWHERE if box is None else view_of(box.west, box.south, box.east, box.north)
    context = AreaPage(
        id=id,
        form=form,
        fault=fault,
        choices=() if fault is None else choices_of(fault),
        shapes=SHAPES,
        radii=RADII,
        kinds=KINDS,
        paces=PACES,
        name_limit=AREA_NAME_LIMIT,
        email=None if visitor.signed_in is None else visitor.signed_in.email,
        atlas=pick_atlas(language.code, view, raster(settings)),
        words=json.dumps(words(language.gettext)),
    )
    return page(request, "follow_area.html", context, status=200 if fault is None else 422)
