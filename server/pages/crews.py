"""Crews, depots and what a repair takes: what work plans and routes are made with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models import Crew
from data.models.work_plan import (
    CREW_NAME_LIMIT,
    DEPOT_NAME_LIMIT,
    LONGEST_DAY_MINUTES,
    LONGEST_JOB_MINUTES,
    MATERIAL_LIMIT,
    SHORTEST_DAY_MINUTES,
)
from data.queries import audit, places, work_plans
from data.queries.work_plans import DepotPlace, PlanRefused
from geo.categories import BY_CODE, CATEGORIES, Category
from geo.kinds import Kind
from geo.places import plain_text, typed_coordinates
from server.dependencies import Places, Reading, Who, Writing, own_site
from server.languages import Language
from server.pages.map import KINDS
from server.pages.page import page
from server.pages.work_plans import UnreadableError, cents_of, plans_kinds
from server.positions import Positions
from server.schemas.filters import LARGEST_ID
from server.work_plan_words import refused_words

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

MOST_MATERIALS = 10
"""Materials of one category."""

_NEAR_DEG = 0.2
"""How far beyond the box around the city a depot can lie."""


class CrewsPage(TypedDict):
    """What the page of crews, depots and costs shows. `typed` is what was sent and refused, by form."""

    depots: Sequence[DepotPlace]
    crews: Sequence[Crew]
    costs: Sequence["CostRow"]
    kinds: Mapping[Kind, str]
    faults: Mapping[str, str]
    typed: Mapping[str, Mapping[str, str]]
    limits: Mapping[str, int]
    notice: bool


@dataclass(frozen=True, slots=True)
class CostRow:
    """What a need of a category takes, as its form shows it. Empty where nobody said so yet."""

    category: Category
    dollars: str
    minutes: str
    materials: str


def _cost_rows(session: Session, mine: Sequence[Kind]) -> list[CostRow]:
    known = work_plans.unit_costs(session)
    rows = []
    for category in CATEGORIES:
        if category.kind not in mine:
            continue
        cost = known.get(category.code)
        rows.append(
            CostRow(
                category,
                "" if cost is None else f"{cost.cents / 100:.2f}",
                "" if cost is None else str(cost.minutes),
                "" if cost is None else _materials_text(cost.materials),
            )
        )
    return rows


def _materials_text(materials: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(materials.items()))


def _shown(
    request: Request,
    session: Session,
    mine: Sequence[Kind],
    *,
    faults: Mapping[str, str] | None = None,
    typed: Mapping[str, Mapping[str, str]] | None = None,
    status: int = 200,
    notice: bool = False,
) -> HTMLResponse:
    context = CrewsPage(
        depots=work_plans.depots(session),
        crews=[crew for crew in work_plans.crews(session) if crew.kind in mine],
        costs=_cost_rows(session, mine),
        kinds={kind: KINDS[kind] for kind in mine},
        faults=faults or {},
        typed=typed or {},
        limits={
            "depot": DEPOT_NAME_LIMIT,
            "crew": CREW_NAME_LIMIT,
            "shortest": SHORTEST_DAY_MINUTES,
            "longest": LONGEST_DAY_MINUTES,
            "job": LONGEST_JOB_MINUTES,
        },
        notice=notice,
    )
    return page(request, "crews.html", context, status=status)


@router.get("/desk/crews")
def read_crews(request: Request, session: Reading, who: Who, notice: str = "") -> HTMLResponse:
    """Show depots, crews, and what a repair takes."""
    mine = plans_kinds(request, who)
    return _shown(request, session, mine, notice=notice == "kept")


def _kept() -> RedirectResponse:
    return RedirectResponse("/desk/crews?notice=kept", 303)


@router.post("/desk/crews/depots", response_model=None)
def keep_depot(
    *,
    request: Request,
    session: Writing,
    positions: Places,
    who: Who,
    id: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    place: Annotated[str, Form()] = "",
    drop: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Add a depot, change one, or take one away that no crew starts from."""
    mine, spoken = plans_kinds(request, who), request.state.language
    _ = spoken.gettext
    name, place = plain_text(name), plain_text(place)
    depot_id, form = _id(id), f"depot-{_id(id) or 'new'}"
    fault = ""
    if drop and depot_id:
        try:
            work_plans.drop_depot(session, depot_id)
        except PlanRefused as error:
            fault = refused_words(error.why, spoken)
    elif not 1 <= len(name) <= DEPOT_NAME_LIMIT:
        fault = _("Give the depot a name of up to {most} characters.").format(most=DEPOT_NAME_LIMIT)
    elif (at := _place(session, place, positions)) is None:
        fault = _(
            "This place was not found in the city. Write an address, a corner or coordinates."
        )
    else:
        try:
            work_plans.keep_depot(session, depot_id, name, *at)
        except PlanRefused as error:
            fault = refused_words(error.why, spoken)
    if fault:
        typed = {form: {"name": name, "place": place}}
        return _shown(request, session, mine, faults={form: fault}, typed=typed, status=422)
    audit.add(session, who.person_id, "depot.keep", f"depot {depot_id or name}")
    return _kept()


def _id(text: str) -> int | None:
    plain = text.isascii() and text.isdecimal() and len(text) < 19
    return int(text) if plain and 0 < int(text) <= LARGEST_ID else None


def _place(session: Session, text: str, positions: Positions) -> tuple[float, float] | None:
    """Find a place in or near the city by coordinates or by its name; give longitude and latitude."""
    if coordinates := typed_coordinates(text):
        latitude, longitude = map(float, coordinates)
        bounds = positions.bounds(session)
        if bounds is None:
            return None
        west, south, east, north = bounds
        near = (
            west - _NEAR_DEG <= longitude <= east + _NEAR_DEG
            and south - _NEAR_DEG <= latitude <= north + _NEAR_DEG
        )
        return (longitude, latitude) if near else None
    found = places.search(session, text, limit=1) if text else []
    return (found[0].lon, found[0].lat) if found else None


@router.post("/desk/crews/crews", response_model=None)
def keep_crew(
    *,
    request: Request,
    session: Writing,
    who: Who,
    id: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    depot: Annotated[str, Form()] = "",
    kind: Annotated[str, Form()] = "",
    hours: Annotated[str, Form()] = "",
    starts: Annotated[str, Form()] = "",
    active: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Add a crew, or change one."""
    mine, spoken = plans_kinds(request, who), request.state.language
    crew_id = _id(id)
    form = f"crew-{crew_id or 'new'}"
    name = plain_text(name)
    try:
        minutes, starts_at = _crew_times(hours, starts, spoken)
        _crew_fault(session, name, depot, kind, mine=mine, spoken=spoken)
        work_plans.keep_crew(
            session,
            crew_id,
            name=name,
            depot_id=_id(depot) or 0,
            kind=Kind(kind),
            day_minutes=minutes,
            starts_at=starts_at,
            active=bool(active),
        )
    except (UnreadableError, PlanRefused) as error:
        fault = (
            str(error) if isinstance(error, UnreadableError) else refused_words(error.why, spoken)
        )
        typed = {
            form: {
                "name": name,
                "depot": depot,
                "kind": kind,
                "hours": hours,
                "starts": starts,
                "active": active,
            }
        }
        return _shown(request, session, mine, faults={form: fault}, typed=typed, status=422)
    audit.add(session, who.person_id, "crew.keep", f"crew {crew_id or name}")
    return _kept()


def _crew_fault(
    session: Session,
    name: str,
    depot: str,
    kind: str,
    *,
    mine: Sequence[Kind],
    spoken: Language,
) -> None:
    _ = spoken.gettext
    if not 1 <= len(name) <= CREW_NAME_LIMIT:
        message = _("Give the crew a name of up to {most} characters.")
        raise UnreadableError(message.format(most=CREW_NAME_LIMIT))
    if kind not in {one.value for one in mine}:
        raise UnreadableError(_("Choose lighting or cleanup."))
    if _id(depot) not in {one.id for one in work_plans.depots(session)}:
        raise UnreadableError(_("Choose a depot of the list, or add one first."))


def _crew_times(hours: str, starts: str, spoken: Language) -> tuple[int, time]:
    _ = spoken.gettext
    fault = _("Write the day in hours, from {least} to {most}, such as 8 or 7.5.").format(
        least=SHORTEST_DAY_MINUTES // 60, most=LONGEST_DAY_MINUTES // 60
    )
    try:
        minutes = round(float(hours.strip()) * 60)
        starts_at = time.fromisoformat(starts.strip()).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise UnreadableError(fault) from None
    if not SHORTEST_DAY_MINUTES <= minutes <= LONGEST_DAY_MINUTES:
        raise UnreadableError(fault)
    return minutes, starts_at


@router.post("/desk/crews/costs", response_model=None)
def keep_cost(
    *,
    request: Request,
    session: Writing,
    who: Who,
    category: Annotated[str, Form()] = "",
    dollars: Annotated[str, Form()] = "",
    minutes: Annotated[str, Form()] = "",
    materials: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Say what a need of a category takes."""
    mine, spoken = plans_kinds(request, who), request.state.language
    _ = spoken.gettext
    known = BY_CODE.get(category)
    form = f"cost-{category}" if known and known.kind in mine else "costs"
    try:
        if known is None or known.kind not in mine:
            raise UnreadableError(_("Choose a category of the list."))  # noqa: TRY301 (as the readers below do)
        cents = cents_of(dollars.strip(), _("Write the cost in dollars, such as 350 or 350.00."))
        work_plans.keep_cost(
            session,
            category,
            cents,
            _minutes(minutes.strip(), spoken),
            _materials(plain_text(materials), spoken),
        )
    except UnreadableError as error:
        typed = {form: {"dollars": dollars, "minutes": minutes, "materials": materials}}
        return _shown(request, session, mine, faults={form: str(error)}, typed=typed, status=422)
    audit.add(session, who.person_id, "unit_cost.keep", f"category {category}")
    return _kept()


def _minutes(text: str, spoken: Language) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= LONGEST_JOB_MINUTES):
        message = spoken.gettext("Write the minutes as a whole number from 1 to {most}.")
        raise UnreadableError(message.format(most=LONGEST_JOB_MINUTES))
    return int(text)


def _materials(text: str, spoken: Language) -> dict[str, int]:
    """Read materials such as "1 LED head, 2 fuses"."""
    found: dict[str, int] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        count, _space, name = part.partition(" ")
        name = name.strip()
        if not (
            count.isascii()
            and count.isdecimal()
            and len(count) < 5
            and int(count) > 0
            and 1 <= len(name) <= MATERIAL_LIMIT
        ):
            raise UnreadableError(
                spoken.gettext(
                    "Write materials with their number first, such as: 1 LED head, 2 fuses."
                )
            )
        found[name] = found.get(name, 0) + int(count)
    if len(found) > MOST_MATERIALS:
        message = spoken.gettext("Name up to {most} materials.")
        raise UnreadableError(message.format(most=MOST_MATERIALS))
    return found
