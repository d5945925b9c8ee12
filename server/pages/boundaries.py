"""The boundary of a block watch: drawn or described by a captain, looked at, and then changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, TypedDict

import shapely
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel
from shapely import Polygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.queries import boundaries, places
from data.queries.associations import Watch
from data.queries.boundaries import ChangedMeanwhile, Effect, Kept
from geo.boundaries import Boundary, BoundaryError, BoundaryFault, area_m2, boundary, of_corners
from geo.categories import N_
from geo.places import MOST_POSITIONS, PlaceError, Position, plain_text, position, typed_coordinates
from layers.atlas import Atlas, Mark, Options, atlas, view_of
from layers.block_watches import BlockWatches
from layers.reports import Reports
from server.dependencies import Places, Reading, Who, Writing, own_site
from server.faults import Refused
from server.languages import Language
from server.pages.block_watches import kept, watch_of
from server.pages.map import raster
from server.pages.page import asset, page
from server.positions import Positions
from server.problems import Problem
from server.schemas.filters import LARGEST_ID
from server.submissions import place_by_name, place_fault

router = APIRouter(prefix="/watches", dependencies=[Depends(own_site)], include_in_schema=False)

MOST_DRAWN = 200
"""Corners of an imported boundary that is drawn on; one with more is shown in a simpler form."""

MOST_TOLD = 40
"""Corners that are told by name."""

_STEP_DEGREES = 2e-5  # some 2 m
_M2_PER_ACRE = 4_046.856
_ACRES_PER_SQUARE_MILE = 640

_MESSAGES: dict[BoundaryFault, str] = {
    BoundaryFault.EMPTY: N_("There is no boundary yet. Set its corners on the map, or name them."),
    BoundaryFault.NOT_AN_OUTLINE: N_(
        "The boundary cannot be read. Draw it again, or name its corners."
    ),
    BoundaryFault.SEVERAL_PARTS: N_(
        "A boundary has one part. Draw one outline around all of the ground."
    ),
    BoundaryFault.HOLES: N_("A boundary has no holes. Draw the outer edge alone."),
    BoundaryFault.NOT_A_PLACE: N_(
        "One of the corners is no place in or near the city. Draw it again, or name its corners."
    ),
    BoundaryFault.TOO_FEW_CORNERS: N_("A boundary needs three different corners at least."),
    BoundaryFault.TOO_SMALL: N_(
        "This is smaller than one short street. Draw it around both sides of it at least."
    ),
    BoundaryFault.TOO_LARGE: N_(
        "This is larger than four square miles, more than neighbours can look after. Draw it smaller."
    ),
}

_WORDS: dict[str, str] = {
    "empty": N_("Tap each corner of the boundary, one after another."),
    "tracing": N_("{n} corners set. Tap the next one; the last is joined to the first by itself."),
    "whole": N_("{n} corners. Choose one to move it, or tap a small dot to add one there."),
    "chosen": N_(
        "Corner {index} of {n} is chosen. Drag it, or tap where it should be. On these buttons the "
        "arrow keys move it."
    ),
    "crosses": N_("The outline crosses itself."),
}


class BoundaryForm(BaseModel):
    """A boundary as it was sent.

    Attributes
    ----------
    drawn : str
        GeoJSON.
    corners : str
        Its corners in words, one a line; they count before what was drawn.
    restore : str
        Id of an earlier boundary, which counts before both.
    version : str
        Of the boundary that was read.
    act : str
        "check", "change" (go on drawing) or "save".
    """

    drawn: str = ""
    corners: str = ""
    restore: str = ""
    version: str = ""
    act: str = "check"


class BoundaryPage(TypedDict):
    """A boundary to be drawn.

    `overtaken` is whether somebody changed it meanwhile, `simpler` whether the outline is not all
    that holds now.
    """

    watch: Watch
    form: BoundaryForm
    faults: Sequence[str]
    overtaken: bool
    simpler: bool
    words: str
    history: Sequence[Kept]
    sizes: Mapping[int, str]
    most_corners: int
    atlas: Atlas


class ReviewPage(TypedDict):
    """What a new boundary would change. `corners` are the names along it."""

    watch: Watch
    form: BoundaryForm
    drawn: str
    effect: Effect
    size: str
    corners: Sequence[str]
    more_corners: int
    atlas: Atlas


@dataclass(frozen=True, slots=True)
class Unusable(Exception):  # noqa: N818 (it is the name of what is the case)
    """What was sent is no boundary: what to say, and where it crosses itself."""

    messages: Sequence[str]
    crossings: Sequence[Position] = ()


def _size(m2: float, spoken: Language) -> str:
    acres = m2 / _M2_PER_ACRE
    if acres >= _ACRES_PER_SQUARE_MILE:
        miles = round(acres / _ACRES_PER_SQUARE_MILE, 1)
        return spoken.gettext("about {n} square miles").format(n=miles)
    n = max(1, round(acres))
    return spoken.ngettext("about {n} acre", "about {n} acres", n).format(n=n)


@router.get("/{id:int}/boundary")
def read_boundary(request: Request, session: Reading, who: Who, id: int) -> HTMLResponse:
    """Show the boundary of a block watch, to be drawn anew or changed."""
    watch = watch_of(request, session, id)
    kept(request, who, id)
    held = boundaries.held(session, id)
    outline = _one_outline(held.boundary)
    form = BoundaryForm(drawn=shapely.to_geojson(outline), version=str(held.version))
    simpler = not shapely.equals_exact(shapely.MultiPolygon([outline]), held.boundary)
    return _editor(request, session, watch, form, simpler=simpler)


def _one_outline(shape: BaseGeometry) -> Polygon:
    """Give the outer edge of the largest part, with as many corners as can be drawn on."""
    largest = max(shapely.get_parts(shape), key=shapely.area)
    outline = shapely.Polygon(largest.exterior)
    tolerance = 0.0
    while len(outline.exterior.coords) > MOST_DRAWN:
        tolerance += _STEP_DEGREES
        outline = shapely.Polygon(shapely.simplify(largest, tolerance).exterior)
    return outline


def _editor(
    request: Request,
    session: Session,
    watch: Watch,
    form: BoundaryForm,
    *,
    unusable: Unusable | None = None,
    overtaken: bool = False,
    simpler: bool = False,
) -> HTMLResponse:
    spoken: Language = request.state.language
    history = boundaries.history(session, watch.id)
    crossings = unusable.crossings if unusable else ()
    context = BoundaryPage(
        watch=watch,
        form=form,
        faults=unusable.messages if unusable else (),
        overtaken=overtaken,
        simpler=simpler,
        words=json.dumps({key: spoken.gettext(word) for key, word in _WORDS.items()}),
        history=history,
        sizes={one.id: _size(one.area_m2, spoken) for one in history},
        most_corners=MOST_POSITIONS,
        atlas=_atlas(request, watch, crossings),
    )
    status = 409 if overtaken else 422 if unusable else 200
    return page(request, "block_watch_boundary.html", context, status=status)


def _atlas(request: Request, watch: Watch, crossings: Sequence[Position] = ()) -> Atlas:
    options = Options(
        mode="draw",
        asset=asset,
        translate=request.state.language.gettext,
        raster=raster(request.app.state.settings),
        marks=tuple(
            Mark(at.latitude, at.longitude, number) for number, at in enumerate(crossings, 1)
        ),
    )
    view = view_of(watch.west, watch.south, watch.east, watch.north)
    return atlas((BlockWatches, Reports), view, options)


@router.post("/{id:int}/boundary", response_model=None)
def change_boundary(
    *,
    request: Request,
    session: Writing,
    positions: Places,
    who: Who,
    id: int,
    form: Annotated[BoundaryForm, Form()],
) -> Response:
    """Show what a boundary would change, and change it once that was seen."""
    watch = watch_of(request, session, id)
    kept(request, who, id)
    held = boundaries.held(session, id)
    if form.act == "change":
        return _editor(request, session, watch, form)
    try:
        shape = _restored(request, session, id, form) or _understood(
            request, session, positions, form
        )
    except Unusable as unusable:
        return _editor(request, session, watch, form, unusable=unusable)
    drawn = form.model_copy(
        update={"drawn": shapely.to_geojson(_one_outline(shape)), "corners": ""}
    )
    overtaken = form.version != str(held.version)
    if form.act == "save" and not overtaken:
        assert who.person_id is not None
        try:
            boundaries.change(session, id, shape, version=held.version, by_id=who.person_id)
        except ChangedMeanwhile:
            overtaken = True
        else:
            return RedirectResponse(f"/watches/{id}?notice=boundary", 303)
    if overtaken:
        newest = drawn.model_copy(update={"version": str(boundaries.held(session, id).version)})
        return _editor(request, session, watch, newest, overtaken=True)
    return _review(request, session, watch, drawn, shape)


def _restored(
    request: Request, session: Session, id: int, form: BoundaryForm
) -> BaseGeometry | None:
    """Give the earlier boundary that is asked for, whatever may be drawn today."""
    if not form.restore:
        return None
    asked = int(form.restore) if form.restore.isascii() and form.restore.isdigit() else 0
    found = boundaries.earlier(session, id, min(asked, LARGEST_ID))
    if found is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is no such boundary."))
    return found


def _understood(
    request: Request, session: Session, positions: Positions, form: BoundaryForm
) -> Polygon:
    """Read what was drawn or named.

    Raises
    ------
    Unusable
    """
    spoken: Language = request.state.language
    served = positions.served_area(session)
    if served is None:
        _ = spoken.gettext
        raise Problem(503, _("Not at this moment"), _("The city is not on the map yet."))
    try:
        return _read(request, session, form, served).outline
    except BoundaryError as error:
        city = request.app.state.settings.city_name
        messages = [_said(error, spoken, city), *_crossings_said(session, error, spoken)]
        raise Unusable(messages, error.crossings) from error


def _read(request: Request, session: Session, form: BoundaryForm, served: BaseGeometry) -> Boundary:
    lines = [line for line in map(plain_text, form.corners.splitlines()) if line]
    if lines:
        return of_corners(_named(request, session, lines, served), served)
    try:
        return boundary(json.loads(form.drawn) if form.drawn else None, served)
    except (ValueError, RecursionError) as error:
        if isinstance(error, BoundaryError):
            raise
        raise BoundaryError(BoundaryFault.NOT_AN_OUTLINE) from error


def _named(
    request: Request, session: Session, lines: Sequence[str], served: BaseGeometry
) -> list[Position]:
    """Find the corners that were named, or say what is wrong with which."""
    spoken: Language = request.state.language
    city = request.app.state.settings.city_name
    found: list[Position] = []
    messages: list[str] = []
    if len(lines) > MOST_POSITIONS:
        raise BoundaryError(BoundaryFault.TOO_MANY_CORNERS)
    for number, line in enumerate(lines, 1):
        try:
            if typed := typed_coordinates(line):
                found.append(position(*typed, served.bounds))
            else:
                place = place_by_name(session, line, spoken)
                found.append(Position(place.lat, place.lon))
            continue
        except PlaceError as error:
            faults = [place_fault(error, spoken, city)]
        except Refused as refused:
            faults = [*refused.faults]
        for fault in faults:
            choices = "; ".join(choice.label for choice in fault.choices)
            said = f"{fault.message} {choices}".strip()
            messages.append(
                spoken.gettext("Line {number}, “{line}”: {what}").format(
                    number=number, line=line, what=said
                )
            )
    if messages:
        raise Unusable(messages)
    return found


def _said(error: BoundaryError, spoken: Language, city: str) -> str:
    _ = spoken.gettext
    match error.fault:
        case BoundaryFault.CROSSES_ITSELF:
            return _(
                "The outline crosses itself. Set its corners in the order in which you would walk "
                "around the ground."
            )
        case BoundaryFault.OUTSIDE:
            return _("{share} % of this is outside {city}. Keep it within the city limits.").format(
                share=max(1, round(error.outside * 100)), city=city
            )
        case BoundaryFault.TOO_MANY_CORNERS:
            return _("This has too many corners. Use {most} at most.").format(most=MOST_POSITIONS)
    return _(_MESSAGES[error.fault])


def _crossings_said(session: Session, error: BoundaryError, spoken: Language) -> list[str]:
    said = []
    for number, at in enumerate(error.crossings, 1):
        near = places.nearest(session, at.longitude, at.latitude)
        where = near.label if near else f"{at.latitude}, {at.longitude}"
        said.append(
            spoken.gettext("Crossing {number} on the map is near {place}.").format(
                number=number, place=where
            )
        )
    return said


def _review(
    request: Request,
    session: Session,
    watch: Watch,
    form: BoundaryForm,
    shape: BaseGeometry,
) -> HTMLResponse:
    spoken: Language = request.state.language
    ring = _one_outline(shape).exterior.coords[:-1]
    context = ReviewPage(
        watch=watch,
        form=form,
        drawn=form.drawn,
        effect=boundaries.effect(session, watch.id, shape),
        size=_size(area_m2(shape), spoken),
        corners=[name for name, _same in groupby(_names(session, ring[:MOST_TOLD]))],
        more_corners=max(0, len(ring) - MOST_TOLD),
        atlas=_atlas(request, watch),
    )
    return page(request, "block_watch_boundary_review.html", context)


def _names(session: Session, ring: Sequence[tuple[float, ...]]) -> list[str]:
    found = ((at, places.nearest(session, *at[:2])) for at in ring)
    return [near.label if near else f"{at[1]:.5f}, {at[0]:.5f}" for at, near in found]
