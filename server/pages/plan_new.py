"""Opening an action plan on a cell of the hot spots, on reports, or on a whole block watch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypedDict
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field
from shapely import MultiPolygon
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.models.association import NEAR_M
from data.models.plan import TITLE_LIMIT
from data.queries import areas, hot_spots, plans
from data.queries.people import Choice
from data.queries.plans import Figures, Misplaced, NewPlan
from geo.plans import Audience, Ground, Stage, around_reports, leads, parts_of, place_fault
from layers.atlas import Atlas
from server import visitors
from server.dependencies import Who, own_site
from server.hot_spot_words import SOURCES, VERDICTS
from server.pages.hot_spots import AtDesk, Desk, HotSpotQuery, found_cell
from server.pages.page import page
from server.pages.plans import LEADERS, place_map
from server.plan_forms import LIMITS, NOTHING_SENT, Reading, Sent, Typed
from server.plans import PLACE_FAULTS, frozen, in_degrees, shown_place
from server.problems import Problem
from server.schemas.features import GroundFeature, GroundProperties
from server.schemas.filters import Id

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)


class NewPlanQuery(HotSpotQuery):
    """On what a plan is to be opened: a cell of an analysis, reports, or a whole block watch."""

    cell: str = ""
    report: list[Id] = Field(default_factory=list)

    @property
    def address(self) -> str:
        """Give the query of the address anew."""
        values = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return urlencode(values, doseq=True)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a plan is opened on.

    Attributes
    ----------
    place_m : shapely.MultiPolygon
        In the city's metres.
    place : shapely.MultiPolygon
        In degrees.
    name : str
        Of the place, to begin a title with.
    figures : mapping or None
        Of a cell, and whether they count exact places.
    reports : tuple of int
        Those that are linked.
    left_out : int
        Reports that are not shown to everybody, so that no plan can be opened on them.
    watch_id : int or None
        Of the analysis, or the whole of which is the place.
    """

    place_m: MultiPolygon
    place: MultiPolygon
    name: str
    figures: Mapping[str, Any] | None = None
    exact: bool = False
    reports: tuple[int, ...] = ()
    left_out: int = 0
    watch_id: int | None = None
    is_watch: bool = False

    def shown(self, session: Session) -> MultiPolygon | None:
        """Give what everybody sees of the place; None where that is its neighbourhood alone."""
        if self.is_watch:
            return self.place
        return shown_place(session, self.place_m, datetime.now(UTC))


def _origin(request: Request, desk: Desk, query: NewPlanQuery) -> Origin:
    """Find out on what a plan is to be opened.

    Raises
    ------
    Problem
    """
    _ = request.state.language.gettext
    nothing = Problem(
        404,
        _("Choose where"),
        _(
            "A plan is opened on a cell of the hot spots, on reports, or on a block watch. Go to one "
            "of them and choose “Open an action plan”."
        ),
    )
    if query.cell:
        return _of_cell(request, desk, query)
    if query.report:
        return _of_reports(request, desk.session, query.report[: plans.MOST_REPORTS])
    if query.block_watch is None:
        raise nothing
    place_m = hot_spots.area(desk.session, (), query.block_watch)
    if place_m is None:
        raise nothing
    return _of_watch(desk.session, place_m, query.block_watch)


def _of_watch(session: Session, place_m: BaseGeometry, watch_id: int) -> Origin:
    outline = areas.outline_of_block_watch(session, watch_id)
    name = "" if outline is None else outline.name
    whole = parts_of(place_m)
    return Origin(whole, in_degrees(whole), name, watch_id=watch_id, is_watch=True)


def _of_cell(request: Request, desk: Desk, query: NewPlanQuery) -> Origin:
    _ = request.state.language.gettext
    found = found_cell(request, desk, query, query.cell)
    if found is None:
        raise Problem(
            409,
            _("Not counted yet"),
            _("The analysis of this cell is not there. Go back to the hot spots and wait for it."),
        )
    asked, run, sight, number = found
    if asked.published:
        raise Problem(
            403,
            _("Choose what is yours"),
            _("Open a plan from the hot spots of your own block watch or division."),
        )
    only = np.arange(len(sight.cells)) == number
    place_m = parts_of(sight.cells.only(only).polygons()[0])
    lon, lat = sight.lonlat
    (name,) = hot_spots.named_places(desk.session, [(float(lon[number]), float(lat[number]))])
    return Origin(
        place_m,
        in_degrees(place_m),
        name,
        figures=frozen(asked, run, sight, number),
        exact=bool(desk.rights),
        watch_id=asked.watch_id,
    )


def _of_reports(request: Request, session: Session, ids: Sequence[int]) -> Origin:
    _ = request.state.language.gettext
    shown = plans.shown_at(session, ids)
    if not shown:
        raise Problem(
            404,
            _("None of these reports is on the map"),
            _("A plan is opened on reports that everybody can see. Choose others."),
        )
    place_m = around_reports(shown.values())
    place = in_degrees(place_m)
    middle = place.centroid
    (name,) = hot_spots.named_places(session, [(middle.x, middle.y)])
    missing = len(set(ids)) - len(shown)
    return Origin(place_m, place, name, reports=tuple(sorted(shown)), left_out=missing)


class NewPlanPage(TypedDict):
    """The form of a plan to be opened."""

    origin: Origin
    is_shown: bool
    title: str
    watches: Sequence[Choice]
    alone: bool
    sent: Sent
    atlas: Atlas
    asked: str
    figures: Figures | None
    sources: Mapping[Any, str]
    verdict_names: Mapping[str, str]
    limits: Mapping[str, int]


@router.post("/plans/new")
async def new_plan_on_ticked(request: Request, who: Who) -> RedirectResponse:
    """Go from reports that are ticked in the work list to the form of a plan on them."""
    visitors.require(request, who, LEADERS)
    sent = await request.form()
    picked = [str(word).partition(".")[0] for word in sent.getlist("pick")]
    pairs = [("report", word) for word in picked if word.isdecimal()]
    return RedirectResponse(f"/plans/new?{urlencode(pairs)}", 303)


@router.get("/plans/new")
def new_plan(
    request: Request, desk: AtDesk, query: Annotated[NewPlanQuery, Query()]
) -> HTMLResponse:
    """Show the form of a new plan."""
    visitors.require(request, desk.who, LEADERS)
    origin = _origin(request, desk, query)
    return _new_page(request, desk, query, origin, NOTHING_SENT)


def _offered(request: Request, desk: Desk, origin: Origin) -> tuple[list[Choice], bool]:
    """Give the block watches that the visitor may open a plan with, and whether without one.

    Raises
    ------
    Problem
        403 where neither.
    """
    division = plans.division_of(desk.session, origin.place)
    near = plans.watches_near(desk.session, origin.place, NEAR_M)
    may = [
        one
        for one in near
        # The whole of a block watch is for a plan of its own.
        if (not origin.is_watch or one.id == origin.watch_id)
        and leads(desk.who.grants, Ground(one.id, division))
    ]
    alone = leads(desk.who.grants, Ground(None, division))
    if not may and not alone:
        _ = request.state.language.gettext
        raise Problem(
            403,
            _("Not your place"),
            _(
                "Liaisons open plans in their divisions, captains in or near their block watch. Ask "
                "the liaison of this division."
            ),
        )
    return may, alone


def _new_page(
    request: Request, desk: Desk, query: NewPlanQuery, origin: Origin, sent: Sent
) -> HTMLResponse:
    watches, alone = _offered(request, desk, origin)
    asked = query.address
    is_shown = origin.shown(desk.session) is not None
    # Of a place that is not shown, everybody must not learn the corner by the title.
    title = origin.name if is_shown else hot_spots.around(desk.session, origin.place).neighbourhood
    context = NewPlanPage(
        origin=origin,
        is_shown=is_shown,
        title=title,
        watches=watches,
        alone=alone,
        sent=sent,
        atlas=place_map(
            request.state.language.code,
            desk.settings,
            origin.place.bounds,
            ("plan", 0),
            f"/plans/new/place?{asked}",
        ),
        asked=asked,
        figures=None if origin.figures is None else Figures(origin.exact, origin.figures),
        sources=SOURCES,
        verdict_names=VERDICTS,
        limits=LIMITS,
    )
    return page(request, "plan_new.html", context, status=422 if sent.form else 200)


@router.get("/plans/new/place")
def new_place(
    request: Request, response: Response, desk: AtDesk, query: Annotated[NewPlanQuery, Query()]
) -> GroundFeature:
    """Give the place of a plan that is not opened yet, for its map."""
    visitors.require(request, desk.who, LEADERS)
    origin = _origin(request, desk, query)
    response.headers["Cache-Control"] = "no-store"
    return GroundFeature(
        id=0,
        bbox=origin.place.bounds,
        geometry=mapping(origin.place),
        properties=GroundProperties(name=origin.name),
    )


@router.post("/plans", response_model=None)
def open_plan(
    request: Request, desk: AtDesk, query: Annotated[NewPlanQuery, Query()], typed: Typed
) -> Response:
    """Open a plan."""
    visitors.require(request, desk.who, LEADERS)
    assert desk.who.person_id is not None
    origin = _origin(request, desk, query)
    watches, alone = _offered(request, desk, origin)
    reading = Reading(typed, request.state.language)
    title = reading.short("title", TITLE_LIMIT)
    problem, held = reading.words("problem")
    watch_id = _watch(reading, watches, alone=alone)
    if typed.get("whole") and watch_id is not None:
        origin = _widened(desk.session, origin, watch_id)
    fault = place_fault(origin.place_m)
    if fault is not None:
        reading.faults["place"] = reading.spoken.gettext(PLACE_FAULTS[fault])
    if not reading.stands:
        return _new_page(request, desk, query, origin, reading.sent("new"))
    shown = origin.shown(desk.session)
    new = NewPlan(title, watch_id, origin.place, shown, origin.figures, origin.exact)
    twin = plans.just_opened(desk.session, new, problem)
    if twin is not None and twin.is_same:  # a form that was sent twice
        return RedirectResponse(f"/plans/{twin.id}?notice=opened", 303)
    if twin is not None:
        reading.faults["title"] = reading.spoken.gettext(
            "A plan of this name was opened here just now: number {id}. Add what you know to it, or "
            "choose another title."
        ).format(id=twin.id)
        return _new_page(request, desk, query, origin, reading.sent("new"))
    try:
        id = plans.open_plan(desk.session, desk.who.person_id, new)
    except Misplaced:
        reading.faults["place"] = reading.spoken.gettext(
            "This place lies outside of the city, or far from the block watch."
        )
        return _new_page(request, desk, query, origin, reading.sent("new"))
    plans.add_note(desk.session, id, Audience.WATCH, problem, stage=Stage.SCANNING, held=held)
    for report_id in origin.reports:
        plans.link(desk.session, id, report_id)
    if typed.get("link"):
        plans.link_open(desk.session, id)
    return RedirectResponse(f"/plans/{id}?notice={'held' if held else 'opened'}", 303)


def _watch(reading: Reading, watches: Sequence[Choice], *, alone: bool) -> int | None:
    """Read with which block watch a plan is opened; None for none."""
    watch_id = reading.number("watch")
    if watch_id is None and not alone:
        reading.faults["watch"] = reading.spoken.gettext("Choose your block watch.")
    elif watch_id is not None and watch_id not in {one.id for one in watches}:
        reading.faults["watch"] = reading.spoken.gettext("Choose a block watch of the list.")
    return watch_id


def _widened(session: Session, origin: Origin, watch_id: int) -> Origin:
    """Make a whole block watch the place of a plan, whatever it is opened on."""
    whole = hot_spots.area(session, (), watch_id)
    if whole is None:
        return origin
    widened = _of_watch(session, whole, watch_id)
    return replace(widened, figures=origin.figures, exact=origin.exact, reports=origin.reports)
