"""Action plans: their list, and the page of each, as far as the visitor may see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypedDict
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, BeforeValidator
from sqlalchemy.orm import Session

from data.models import AreaLayer, ReviewState
from data.queries import areas, audit, hot_spots, plans
from data.queries.areas import Named
from data.queries.hot_spots import Near
from data.queries.people import Choice
from data.queries.plans import (
    Figures,
    Linked,
    Member,
    Note,
    OwnTask,
    Partner,
    Place,
    PlanFilter,
    Step,
    Summary,
    Task,
)
from geo.categories import N_
from geo.plans import Audience, Stage, choices, leads, sees, works
from geo.roles import Role
from geo.statuses import Status
from layers.atlas import Atlas, Options, atlas, view_of
from layers.block_watches import BlockWatches
from layers.reports import Reports
from layers.service_locations import ServiceLocations
from server.assessment_words import Progress, headlines, progress
from server.dependencies import Chosen, Who, Writing, own_site
from server.hot_spot_words import SOURCES, VERDICTS
from server.languages import Language, language
from server.pages.map import SOMEWHERE, STATUSES, raster
from server.pages.page import asset, page
from server.pages.reports import ICONS
from server.plan_forms import LIMITS, NOTHING_SENT, Sent
from server.plans import ASKS, AUDIENCES, MEANINGS, ROLES, STAGES
from server.problems import Problem
from server.schemas.filters import LARGEST_ID, Id, none_if_empty
from server.settings import Settings
from server.visitors import Visitor

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

MOST_LISTED = 30

LEADERS = (Role.LIAISON, Role.CAPTAIN, Role.ADMINISTRATOR)
"""Roles that open plans."""

_NOTICES: dict[str, str] = {
    "opened": N_("The plan is open. Add partners and tasks, and say what you know."),
    "changed": N_("Your changes are kept."),
    "held": N_("Your words wait for a moderator, since something in them points at a person."),
}


# The list -----------------------------------------------------------------------------------------


class PlansQuery(BaseModel):
    """Which plans are asked for."""

    stage: Annotated[Stage | Literal["open"] | None, BeforeValidator(none_if_empty)] = None
    area: Annotated[Id | None, BeforeValidator(none_if_empty)] = None
    block_watch: Annotated[Id | None, BeforeValidator(none_if_empty)] = None
    mine: Annotated[bool | None, BeforeValidator(none_if_empty)] = None
    overdue: Annotated[bool | None, BeforeValidator(none_if_empty)] = None
    before: Annotated[Id | None, BeforeValidator(none_if_empty)] = None

    def address(self, **changed: object) -> str:
        """Write the address of the list with these filters."""
        values = self.model_copy(update=changed).model_dump(mode="json", exclude_none=True)
        return f"/plans?{urlencode(values)}" if values else "/plans"


class PlansPage(TypedDict):
    """What the list of plans shows."""

    plans: Sequence[Summary]
    older: str | None
    own: Sequence[OwnTask]
    takes_part: bool
    query: PlansQuery
    areas: Sequence[Named]
    stages: Mapping[Stage, str]
    verdicts: Mapping[int, str]


@router.get("/plans")
def read_all(
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    query: Annotated[PlansQuery, Query()],
) -> HTMLResponse:
    """Show action plans, in summary."""
    today = settings.today()
    takes_part = who.has(*LEADERS, Role.STAFF, Role.MEMBER)
    chosen = PlanFilter(
        today=today,
        stage=query.stage,
        area_id=query.area,
        block_watch_id=query.block_watch,
        mine=bool(query.mine) and takes_part,
        overdue=bool(query.overdue) and takes_part,
    )
    found, before = plans.summaries(session, chosen, limit=MOST_LISTED, before=query.before)
    context = PlansPage(
        plans=found,
        older=None if before is None else query.address(before=before),
        own=() if who.person_id is None else plans.own_tasks(session, who.person_id, today),
        takes_part=takes_part,
        query=query,
        areas=areas.named(session, AreaLayer.NEIGHBOURHOOD),
        stages=STAGES,
        verdicts=headlines(session, [one.id for one in found]),
    )
    return page(request, "plans.html", context)


# One plan -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What a visitor may do with a plan, as `geo.plans` says: each includes the ones after it."""

    leads: bool
    works: bool
    sees: bool


@dataclass(frozen=True, slots=True)
class StageShown:
    """A stage of a plan on its page.

    Attributes
    ----------
    state : str
        "past", "now" or "ahead".
    at : datetime or None
        When the plan came to it first.
    """

    stage: Stage
    state: str
    at: datetime | None
    notes: Sequence[Note]


class PlanPage(TypedDict):
    """What the page of a plan shows, as far as the visitor may see it."""

    plan: Summary
    standing: Standing
    atlas: Atlas | None
    is_whole: bool
    stages: Sequence[StageShown]
    discussion: Sequence[Note]
    figures: Figures | None
    partners: Sequence[Partner]
    people: Sequence[Member]
    labels: Mapping[int, str]
    tasks: Sequence[Task]
    linked: Sequence[Linked]
    suggested: Sequence[Near]
    departments: Sequence[Choice]
    moves: Sequence[Stage]
    audiences: Sequence[Audience]
    sent: Sent
    notice: str
    assessment: Progress
    own_id: int | None
    asks: Mapping[Stage, str]
    meanings: Mapping[Stage, str]
    stage_names: Mapping[Stage, str]
    audience_names: Mapping[Audience, str]
    reviews: Mapping[ReviewState, str]
    sources: Mapping[Any, str]
    verdict_names: Mapping[str, str]
    statuses: Mapping[str, str]
    icons: Mapping[Status, str]
    limits: Mapping[str, int]
    today: date


_REVIEWS: dict[ReviewState, str] = {
    ReviewState.WAITING: N_("These words wait for a moderator, who decides what of them is shown."),
    ReviewState.SHORTENED: N_("A moderator shows a part of these words."),
    ReviewState.REFUSED: N_("A moderator does not show these words."),
}


def found_plan(request: Request, session: Session, settings: Settings, id: int) -> Summary:
    """Give what everybody may know of a plan.

    Raises
    ------
    Problem
        404 where there is none.
    """
    found = plans.summary(session, id, settings.today()) if id <= LARGEST_ID else None
    if found is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is no such action plan."))
    return found


def standing_of(who: Visitor, found: Summary) -> Standing:
    """Give what a visitor may do with a plan."""
    return Standing(
        leads(who.grants, found.ground),
        works(who.grants, found.ground),
        sees(who.grants, found.ground),
    )


def _label(member: Member, spoken: Language) -> str:
    role = member.department or spoken.gettext(ROLES[member.role])
    return f"{member.name} ({role})" if member.name else role


def plan_page(
    request: Request,
    session: Session,
    settings: Settings,
    who: Visitor,
    found: Summary,
    *,
    sent: Sent = NOTHING_SENT,
    notice: str = "",
    status: int = 200,
) -> HTMLResponse:
    """Show a plan, and a form of it with what is wrong with it."""
    spoken: Language = request.state.language
    standing, today = standing_of(who, found), settings.today()
    place = plans.place(session, found.id)
    written = plans.notes(session, found.id)
    members = plans.people(session, found.id) if standing.works else []
    partners = plans.partners(session, found.id) if standing.sees else []
    counted = plans.figures(session, found.id) if standing.sees else None
    if counted is not None and counted.exact:
        audit.add(session, who.person_id, "plan.read", f"plan {found.id}")
    suggested: Sequence[Near] = ()
    if standing.leads and place is not None:
        there = {one.service_location_id for one in partners}
        suggested = [
            one for one in hot_spots.around(session, place.geom).locations if one.id not in there
        ]
    context = PlanPage(
        plan=found,
        standing=standing,
        atlas=_place_atlas(session, spoken.code, settings, found, place),
        is_whole=place is not None and place.is_whole,
        stages=_stages(found, plans.steps(session, found.id), written),
        discussion=[note for note in written if note.stage is None],
        figures=counted,
        partners=partners,
        people=members,
        labels={one.person_id: _label(one, spoken) for one in members},
        tasks=plans.tasks(session, found.id, today) if standing.sees else [],
        linked=plans.linked(session, found.id) if standing.sees else [],
        suggested=suggested,
        departments=plans.departments(session) if standing.leads else (),
        moves=choices(found.stage, found.response_starts, today) if standing.leads else (),
        audiences=[*Audience] if found.watch_id else [Audience.PARTNERS, Audience.EVERYONE],
        sent=sent,
        notice=_NOTICES.get(notice, ""),
        assessment=progress(session, found.id, spoken, leads=standing.leads),
        own_id=who.person_id,
        asks=ASKS,
        meanings=MEANINGS,
        stage_names=STAGES,
        audience_names=AUDIENCES,
        reviews=_REVIEWS,
        sources=SOURCES,
        verdict_names=VERDICTS,
        statuses=STATUSES,
        icons=ICONS,
        limits=LIMITS,
        today=today,
    )
    return page(request, "plan.html", context, status=status)


def place_map(
    code: str,
    settings: Settings,
    bounds: tuple[float, float, float, float] | None,
    ground: tuple[Literal["area", "block_watch", "plan"], int] | None,
    grounds: str = "/api/{path}/{id}",
) -> Atlas:
    """Give the small map of a place.

    Parameters
    ----------
    code : str
        Of the language.
    settings : Settings
    bounds : tuple of float or None
        West, south, east, north in degrees.
    ground : tuple or None
        What is outlined.
    grounds : str
        Where the outline is fetched.
    """
    options = Options(
        mode="look",
        asset=asset,
        translate=language(code).gettext,
        raster=raster(settings),
        ground=ground,
        grounds=grounds,
    )
    view = SOMEWHERE if bounds is None else view_of(*bounds)
    return atlas((BlockWatches, Reports, ServiceLocations), view, options)


def _place_atlas(
    session: Session, code: str, settings: Settings, found: Summary, place: Place | None
) -> Atlas | None:
    """Give the map of a plan: its place, else its neighbourhood; none where even that is unknown."""
    if place is not None:
        return place_map(code, settings, place.geom.bounds, ("plan", found.id))
    if found.neighbourhood_id is None:
        return None
    around = areas.outline_of_area(session, found.neighbourhood_id)
    if around is None:
        return None
    box = around.bounds
    bounds = (box.west, box.south, box.east, box.north)
    return place_map(code, settings, bounds, ("area", found.neighbourhood_id))


def _stages(found: Summary, steps: Sequence[Step], notes: Sequence[Note]) -> list[StageShown]:
    order = [*Stage]
    first = {step.stage: step.at for step in reversed(steps)}
    return [
        StageShown(
            stage,
            "now"
            if stage is found.stage
            else "past"
            if stage in first and order.index(stage) < order.index(found.stage)
            else "ahead",
            first.get(stage),
            [note for note in notes if note.stage is stage],
        )
        for stage in order
    ]


@router.get("/plans/{id:int}")
def read_plan(
    *, request: Request, session: Writing, settings: Chosen, who: Who, id: int, notice: str = ""
) -> HTMLResponse:
    """Show a plan, as far as the visitor may see it."""
    found = found_plan(request, session, settings, id)
    return plan_page(request, session, settings, who, found, notice=notice)
