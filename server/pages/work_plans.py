"""Work plans at the desk: what is chosen within a budget, what each bound costs, and the way to orders."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from math import floor
from typing import Annotated, Any, TypedDict

import numpy as np
from babel.numbers import format_currency
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models import AreaLayer, PlanAsked, PlanState, WorkPlan
from data.models.work_plan import MOST_CENTS, MOST_CREW_DAYS, PLAN_NAME_LIMIT
from data.queries import areas, audit, work_plans
from data.queries.work_plans import Bounds, PlanNeed, PlanRefused, PlanSummary, Why
from geo.kinds import Kind
from geo.places import plain_text
from geo.roles import Act, Role, Site, may
from layers.atlas import Atlas, Mark, Options, atlas, view_of
from server.dependencies import Chosen, Reading, Who, Writing, own_site
from server.languages import Language
from server.pages.map import KINDS, raster
from server.pages.page import asset, page
from server.problems import Problem
from server.schemas.filters import LARGEST_ID
from server.settings import Settings
from server.visitors import Visitor, require
from server.work_plan_jobs import Repair, repairs
from server.work_plan_words import (
    COMPARED,
    CREW_TIME,
    METHODS,
    MONEY,
    STATES,
    NoPlanError,
    bound_words,
    no_plan_words,
    refused_words,
)

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

MOST_SHOWN = 200
"""Repairs of a plan that its page lists and marks on its map. The desk lists them all."""

_ROOM_DEG = 0.002

MOST_FLOORS = 30
MOST_OF_ONE = 100_000

WORK_KINDS: tuple[Kind, ...] = (Kind.LIGHTING, Kind.CLEANUP)

PLANNED: Mapping[Kind, str] = {kind: KINDS[kind] for kind in WORK_KINDS}


def plans_kinds(request: Request, who: Visitor) -> tuple[Kind, ...]:
    """Give the kinds for which somebody plans, in all of the city; refuse whoever plans none."""
    require(request, who, (Role.STAFF, Role.ADMINISTRATOR))
    kinds = tuple(kind for kind in WORK_KINDS if may(who.grants, Act.WORK, Site(kind)))
    if not kinds:
        _ = request.state.language.gettext
        raise Problem(
            403,
            _("Not yours to plan"),
            _("Work plans are for all of the city. You work on one district, or on other reports."),
        )
    return kinds


def money(cents: float, spoken: Language) -> str:
    """Give an amount of dollars, without cents where there are none."""
    whole = cents % 100 == 0
    return str(
        format_currency(
            cents / 100,
            "USD",
            format="¤#,##0" if whole else None,
            locale=spoken.locale,
            currency_digits=not whole,
        )
    )


def plan_of(request: Request, session: Session, id: int) -> WorkPlan:
    """Give a work plan of the visitor's, or say that there is none."""
    found = work_plans.plan(session, id) if id <= LARGEST_ID else None
    if found is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is no such work plan among yours."))
    return found


# What is typed ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Typed:
    """The form of a plan as it was sent, to be shown again where it is refused."""

    name: str = ""
    kind: str = Kind.LIGHTING.value
    budget: str = ""
    crew_days: str = ""
    materials: Mapping[str, str] = field(default_factory=dict)
    floors: Mapping[str, str] = field(default_factory=dict)


def _typed(
    *,
    name: Annotated[str, Form()] = "",
    kind: Annotated[str, Form()] = "",
    budget: Annotated[str, Form()] = "",
    crew_days: Annotated[str, Form()] = "",
    material: Annotated[list[str] | None, Form()] = None,
    most: Annotated[list[str] | None, Form()] = None,
    area: Annotated[list[str] | None, Form()] = None,
    least: Annotated[list[str] | None, Form()] = None,
) -> Typed:
    return Typed(
        plain_text(name),
        kind,
        budget.strip(),
        crew_days.strip(),
        dict(zip(material or (), map(str.strip, most or ()), strict=False)),
        {
            one: n
            for one, n in zip(area or (), map(str.strip, least or ()), strict=False)
            if one and n
        },
    )


Sent = Annotated[Typed, Depends(_typed)]


class UnreadableError(ValueError):
    """What was typed makes no plan; the message says what to mend."""


def _number(text: str, most: int, fault: str) -> int:
    plain = text.replace(",", "")
    if not (plain.isascii() and plain.isdecimal() and len(plain) < 16 and int(plain) <= most):
        raise UnreadableError(fault)
    return int(plain)


def cents_of(text: str, fault: str) -> int:
    """Read dollars, with or without cents, as whole cents.

    Raises
    ------
    UnreadableError
    """
    dollars, dot, cents = text.removeprefix("$").strip().partition(".")
    if (dot and len(cents) != 2) or not (dollars or cents):
        raise UnreadableError(fault)
    return _number(f"{dollars}{cents or '00'}", MOST_CENTS, fault)


def _bounds(typed: Typed, areas_: Mapping[int, str], spoken: Language) -> Bounds:
    """Read what a plan has to keep within.

    Raises
    ------
    UnreadableError
    """
    _ = spoken.gettext
    if not 1 <= len(typed.name) <= PLAN_NAME_LIMIT:
        raise UnreadableError(
            _("Give the plan a name of up to {most} characters.").format(most=PLAN_NAME_LIMIT)
        )
    days = _number(
        typed.crew_days,
        MOST_CREW_DAYS,
        _("Write the crew days as a whole number from 1 to {most}.").format(most=MOST_CREW_DAYS),
    )
    if days < 1:
        raise UnreadableError(_("A plan needs one crew day at least."))
    floors: dict[int, int] = {}
    for area, least in typed.floors.items():
        fault = _("Write the fewest items of an area as a whole number, or leave it empty.")
        id = _number(area, LARGEST_ID, fault)
        if id not in areas_:
            raise UnreadableError(_("Choose an area of the list."))
        floors[id] = _number(least, MOST_OF_ONE, fault)
    if len(floors) > MOST_FLOORS:
        raise UnreadableError(
            _("Name up to {most} areas for which there is a fewest.").format(most=MOST_FLOORS)
        )
    fault = _("Write materials as whole numbers, or leave them empty where they do not run out.")
    return Bounds(
        typed.name,
        cents_of(typed.budget, _("Write the budget in dollars, such as 25,000 or 25,000.00.")),
        days,
        {name: _number(n, MOST_OF_ONE, fault) for name, n in typed.materials.items() if n},
        {area: least for area, least in floors.items() if least},
    )


def _as_typed(plan: WorkPlan) -> Typed:
    cents = plan.budget_cents
    return Typed(
        plan.name,
        plan.kind.value,
        f"{cents // 100:,}" if cents % 100 == 0 else f"{cents / 100:,.2f}",
        str(plan.crew_days),
        {name: str(most) for name, most in plan.materials.items()},
        {area: str(least) for area, least in plan.floors.items()},
    )


# The list and a new one ---------------------------------------------------------------------------


class PlansPage(TypedDict):
    """What the list of work plans shows."""

    plans: Sequence[PlanSummary]
    states: Mapping[PlanState, str]
    kinds: Mapping[Kind, str]
    budgets: Mapping[int, str]


@router.get("/desk/plans")
def read_plans(request: Request, session: Reading, who: Who) -> HTMLResponse:
    """Show the work plans."""
    plans_kinds(request, who)
    found = work_plans.plans(session)
    spoken = request.state.language
    context = PlansPage(
        plans=found,
        states=STATES,
        kinds=PLANNED,
        budgets={one.id: money(one.budget_cents, spoken) for one in found},
    )
    return page(request, "work_plans.html", context)


@dataclass(frozen=True, slots=True)
class AreaChoice:
    """An area for which a plan can name the fewest."""

    id: int
    name: str


class PlanForm(TypedDict):
    """What the form of a plan's bounds shows."""

    typed: Typed
    districts: Sequence[AreaChoice]
    neighbourhoods: Sequence[AreaChoice]
    materials: Mapping[Kind, Sequence[str]]
    fault: str
    limit: int


def _named_areas(session: Session) -> tuple[list[AreaChoice], list[AreaChoice]]:
    districts, neighbourhoods = (
        [AreaChoice(one.id, one.name) for one in areas.named(session, layer)]
        for layer in (AreaLayer.COUNCIL_DISTRICT, AreaLayer.NEIGHBOURHOOD)
    )
    return districts, neighbourhoods


def _form(session: Session, typed: Typed, fault: str = "") -> PlanForm:
    districts, neighbourhoods = _named_areas(session)
    return PlanForm(
        typed=typed,
        districts=districts,
        neighbourhoods=neighbourhoods,
        materials={
            kind: sorted(
                {
                    name
                    for cost in work_plans.unit_costs(session, kind).values()
                    for name in cost.materials
                }
            )
            for kind in WORK_KINDS
        },
        fault=fault,
        limit=PLAN_NAME_LIMIT,
    )


def _names(form: PlanForm) -> dict[int, str]:
    return {one.id: one.name for one in (*form["districts"], *form["neighbourhoods"])}


def _choose(session: Session, id: int) -> None:
    # Here, since solvers take memory that a server without plans need not hold.
    from server.work_plans import choose  # noqa: PLC0415

    plan = work_plans.plan(session, id)
    assert plan is not None
    choose(session, plan, datetime.now(UTC))


class NewPlan(PlanForm):
    """What the page of a new plan shows."""

    kinds: Mapping[Kind, str]
    mine: Sequence[Kind]


def _new_page(request: Request, mine: Sequence[Kind], form: PlanForm) -> HTMLResponse:
    context = NewPlan(kinds=PLANNED, mine=mine, **form)
    return page(request, "work_plan_new.html", context, status=422 if form["fault"] else 200)


@router.get("/desk/plans/new")
def read_new(request: Request, session: Reading, who: Who, kind: str = "") -> HTMLResponse:
    """Show the form of a new work plan."""
    mine = plans_kinds(request, who)
    chosen = kind if kind in {one.value for one in mine} else mine[0].value
    return _new_page(request, mine, _form(session, Typed(kind=chosen)))


@router.post("/desk/plans/new", response_model=None)
def make_plan(
    *, request: Request, session: Writing, settings: Chosen, who: Who, typed: Sent
) -> HTMLResponse | RedirectResponse:
    """Make a work plan and choose at once, or say why that can not be."""
    mine, spoken = plans_kinds(request, who), request.state.language
    form = _form(session, typed)
    fault = ""
    if typed.kind not in {one.value for one in mine}:
        fault = spoken.gettext("Choose lighting or cleanup.")
    try:
        bounds = _bounds(typed, _names(form), spoken)
        if not fault:
            assert who.person_id is not None
            with session.begin_nested():
                id = work_plans.make(session, who.person_id, Kind(typed.kind), bounds)
                _choose(session, id)
            return RedirectResponse(f"/desk/plans/{id}", 303)
    except UnreadableError as error:
        fault = fault or str(error)
    except NoPlanError as error:
        fault = no_plan_words(error, _names(form), spoken)
    return _new_page(request, mine, PlanForm(**{**form, "fault": fault}))


# One ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit, how much of it the plan takes, and what the plan would be worth without it.

    Attributes
    ----------
    share : int
        Percent.
    """

    name: str
    spent: str
    limit: str
    share: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Another way to choose, beside the plan.

    Attributes
    ----------
    share : int
        Percent of the need that the plan meets.
    """

    name: str
    items: int
    share: int
    floors_missed: int


@dataclass(frozen=True, slots=True)
class Price:
    """What a bound costs: percent more need would be met without it; of all, where none is met."""

    name: str
    more: float


@dataclass(frozen=True, slots=True)
class Found:
    """A choice in figures for people.

    Attributes
    ----------
    repairs : int
        What is chosen, each row of lights as one.
    at_least : float
        Percent of the best that the choice is sure to be worth, rounded down.
    is_best, is_near : bool
        Whether that is proven: to be the best, or as near to it as HiGHS is asked to come.
    met : int
        Percent of all need that is met.
    """

    method: str
    items: int
    repairs: int
    open: int
    cost: str
    met: int
    at_least: float
    is_best: bool
    is_near: bool
    seconds: float
    bars: Sequence[Bar]
    compared: Sequence[Compared]
    prices: Sequence[Price]
    without_cost: int
    not_ranked: int


_NOTHING, _NEAR = 1e-6, 2e-4
"""Shares that may be missing for a choice to be the best, by how exact figures are, or so near that looking
on is of no use."""


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole > 0 else 100.0


def _amount(name: str, value: int, spoken: Language) -> str:
    if name == MONEY:
        return money(value, spoken)
    if name == CREW_TIME:
        return spoken.gettext("{n} hours").format(n=f"{value / 60:,.0f}")
    return f"{value:,}"


def found_of(plan: WorkPlan, names: Mapping[int, str], spoken: Language) -> Found | None:
    """Give what was found for a plan; None before."""
    kept = plan.solution
    if kept is None:
        return None
    worth, bound = kept["worth"], kept["bound"]
    method = METHODS[kept["method"]]
    others = [(COMPARED[one["name"]], one) for one in kept["comparisons"]]
    return Found(
        method=spoken.gettext(method),
        items=kept["items"],
        repairs=kept.get("repairs", kept["items"]),
        open=kept["open"],
        cost=money(kept["spent"][MONEY], spoken),
        met=round(_percent(worth, kept["all"])),
        at_least=min(99.9, floor(_percent(worth, bound) * 10) / 10),
        is_best=kept["gap"] <= _NOTHING,
        is_near=kept["method"] == "optimum" and kept["gap"] <= _NEAR,
        seconds=kept["seconds"],
        bars=[
            Bar(
                bound_words(name, names, spoken),
                _amount(name, kept["spent"][name], spoken),
                _amount(name, limit, spoken),
                round(_percent(kept["spent"][name], limit)) if limit else 0,
            )
            for name, limit in kept["limits"].items()
        ],
        compared=[
            Compared(
                spoken.gettext(name),
                one["items"],
                round(_percent(one["worth"], worth)),
                one["floors_missed"],
            )
            for name, one in others
        ],
        prices=[
            Price(
                bound_words(one["name"], names, spoken),
                round(_percent(one["gain"], worth if worth > 0 else kept["all"]), 1),
            )
            for one in sorted(kept["prices"], key=lambda one: -one["gain"])
        ],
        without_cost=sum(kept["without_cost"].values()),
        not_ranked=kept["not_ranked"],
    )


@dataclass(frozen=True, slots=True)
class RouteDay:
    """A crew's day, as the plan's page lists it.

    Attributes
    ----------
    over_minutes : int
        By which it is longer than the crew's day; 0 where it fits.
    """

    number: int
    crew: str
    day: date
    stops: int
    hours: float
    miles: float
    over_minutes: int


METRES_A_MILE = 1_609.344


def days_of(plan: WorkPlan) -> list[RouteDay]:
    """Give the days of a plan's routes, in the order of their numbers."""
    if plan.routes is None or "days" not in plan.routes:
        return []
    return [
        RouteDay(
            number,
            day["name"],
            date.fromisoformat(day["day"]),
            len(day["stops"]),
            round(day["back_s"] / 3600, 1),
            round(day["metres"] / METRES_A_MILE, 1),
            max(0, -(-day["back_s"] // 60) - day["minutes"]),
        )
        for number, day in enumerate(plan.routes["days"])
    ]


def is_stale(plan: WorkPlan, needs: Sequence[PlanNeed]) -> bool:
    """Tell whether the queue of the desk changed locks since the choice was made."""
    kept = plan.solution
    return (
        kept is None
        or kept["items"] != sum(need.chosen for need in needs)
        or any(need.lock == "in" and not need.chosen for need in needs)
    )


class PlanPage(PlanForm):
    """What the page of a plan shows.

    `again` is what was refused, to be sent once more. A plan that is `stale` has to be chosen anew
    before anything comes of it.
    """

    plan: WorkPlan
    stale: bool
    running: bool
    found: Found | None
    chosen: Sequence[Repair]
    more: int
    locked: Sequence[Repair]
    gone: int
    days: Sequence[RouteDay]
    left: int
    by_street: int
    crews: int
    atlas: Atlas | None
    states: Mapping[PlanState, str]
    kinds: Mapping[Kind, str]
    notice: str
    trouble: str
    again: Mapping[str, Any]
    start: str
    orders: int


_NOTICES: Mapping[str, Callable[[Language], str]] = {
    "kept": lambda spoken: spoken.gettext("The plan is stored, and the choice made anew."),
    "locked": lambda spoken: spoken.gettext("The locks hold, and the choice is made anew."),
    "issued": lambda spoken: spoken.gettext(
        "The work orders are issued. Followers hear that the work is scheduled."
    ),
    "drafted": lambda spoken: spoken.gettext(
        "The work orders are drafts. Give each its crew and day, then issue it."
    ),
    "closed": lambda spoken: spoken.gettext("The plan is closed."),
    "moved": lambda spoken: spoken.gettext("The stop is moved."),
}


def _is_running(plan: WorkPlan) -> bool:
    # A job that was asked of an earlier version comes to nothing.
    return plan.asked is not None and plan.asked_at_version == plan.version


def shown(
    request: Request,
    session: Session,
    settings: Settings,
    plan: WorkPlan,
    *,
    typed: Typed | None = None,
    fault: str = "",
    notice: str = "",
    again: Mapping[str, Any] | None = None,
    status: int = 200,
) -> HTMLResponse:
    """Show a plan, with what was typed and why it was refused."""
    spoken: Language = request.state.language
    form = _form(session, typed or _as_typed(plan), fault)
    needs = work_plans.needs(session, plan.id)
    chosen = [need for need in needs if need.chosen]
    jobs = repairs(plan, chosen)
    listed = jobs[:MOST_SHOWN]
    routes = plan.routes or {}
    # In the form the kind of a plan never changes.
    context = PlanPage(
        **form,
        plan=plan,
        stale=is_stale(plan, needs) and plan.state is PlanState.DRAFT,
        running=_is_running(plan),
        found=found_of(plan, _names(form), spoken),
        chosen=listed,
        more=sum(len(job.needs) for job in jobs[MOST_SHOWN:]),
        locked=repairs(plan, [need for need in needs if need.lock == "out"]),
        gone=sum(not need.is_open for need in chosen) if plan.state is PlanState.DRAFT else 0,
        days=days_of(plan),
        left=sum(
            1 + len(routes.get("with", {}).get(str(one), ())) for one in routes.get("left", ())
        ),
        by_street=int(100 * routes.get("by_street", 0)),
        crews=len(work_plans.crews(session, plan.kind, active=True)),
        atlas=_atlas(listed, settings, spoken),
        states=STATES,
        kinds=PLANNED,
        notice=_NOTICES[notice](spoken) if notice in _NOTICES else "",
        trouble=plan.trouble,
        again=again or {},
        start=routes.get("start", "") or settings.today().isoformat(),
        orders=sum(need.order_id is not None for need in needs),
    )
    return page(request, "work_plan.html", context, status=status)


def _atlas(jobs: Sequence[Repair], settings: Settings, spoken: Language) -> Atlas | None:
    places = [(round(one.first.longitude, 6), round(one.first.latitude, 6)) for one in jobs]
    return marked_atlas(places, settings, spoken)


def marked_atlas(
    places: Sequence[tuple[float, float]], settings: Settings, spoken: Language
) -> Atlas | None:
    """Give a map of places by their numbers in the list beside it; None where there are none."""
    if not places:
        return None
    lon, lat = (np.array(one) for one in zip(*places, strict=True))
    marks = tuple(Mark(y, x, number) for number, (x, y) in enumerate(places, 1))
    # Wider than the places: the map is lower than a screen, and marks need room at its edges.
    wide, high = 0.1 * np.ptp(lon) + _ROOM_DEG, 0.4 * np.ptp(lat) + _ROOM_DEG
    view = view_of(
        float(lon.min() - wide),
        float(lat.min() - high),
        float(lon.max() + wide),
        float(lat.max() + high),
    )
    options = Options(
        mode="look",
        asset=asset,
        translate=spoken.gettext,
        raster=raster(settings),
        facts="",
        marks=marks,
        pin=False,
    )
    return atlas((), view, options)


def _log(session: Session, who: Visitor, plan: WorkPlan, action: str) -> None:
    audit.add(session, who.person_id, action, f"work plan {plan.id}")


@router.get("/desk/plans/{id:int}")
def read_plan(
    *, request: Request, session: Writing, settings: Chosen, who: Who, id: int, notice: str = ""
) -> HTMLResponse:
    """Show a work plan: what it chose, why not more, and what comes next."""
    plans_kinds(request, who)
    plan = plan_of(request, session, id)
    _log(session, who, plan, "work_plan.read")
    return shown(request, session, settings, plan, notice=notice)


@router.get("/desk/plans/{id:int}/progress")
def read_progress(request: Request, session: Reading, who: Who, id: int) -> HTMLResponse:
    """Show how far the job of a plan has come, for the part of the page that asks by itself."""
    plans_kinds(request, who)
    plan = plan_of(request, session, id)
    if not _is_running(plan):
        return HTMLResponse("", headers={"HX-Refresh": "true"})
    return page(request, "work_plan_progress.html", {"plan": plan})


Version = Annotated[int, Form(ge=0, le=2**31 - 1)]


def refusal(
    request: Request,
    session: Session,
    settings: Settings,
    id: int,
    *,
    why: Why,
    typed: Typed | None = None,
    again: Mapping[str, Any] | None = None,
) -> HTMLResponse:
    """Show a plan as it is now, with what was typed and why it was not made."""
    words = refused_words(why, request.state.language)
    session.expire_all()
    plan = plan_of(request, session, id)
    return shown(
        request, session, settings, plan, typed=typed, fault=words, again=again, status=409
    )


@router.post("/desk/plans/{id:int}", response_model=None)
def change_plan(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    typed: Sent,
    version: Version = 0,
) -> HTMLResponse | RedirectResponse:
    """Change the bounds of a plan and choose anew, or say why not with all that was typed."""
    plans_kinds(request, who)
    spoken: Language = request.state.language
    plan = plan_of(request, session, id)
    names = _names(_form(session, typed))
    try:
        bounds = _bounds(typed, names, spoken)
        with session.begin_nested():
            work_plans.change(session, id, version, **bounds.values)
            _choose(session, id)
    except UnreadableError as error:
        fault = str(error)
    except NoPlanError as error:
        fault = no_plan_words(error, names, spoken)
    except PlanRefused as error:
        return refusal(request, session, settings, id, why=error.why, typed=typed)
    else:
        _log(session, who, plan, "work_plan.change")
        return RedirectResponse(f"/desk/plans/{id}?notice=kept", 303)
    return shown(request, session, settings, plan, typed=typed, fault=fault, status=422)


@router.post("/desk/plans/{id:int}/locks", response_model=None)
def lock_needs(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    need: Annotated[list[int] | None, Form()] = None,
    how: Annotated[str, Form()] = "",
    version: Version = 0,
) -> HTMLResponse | RedirectResponse:
    """Lock needs in or out, or free them, and choose anew."""
    plans_kinds(request, who)
    spoken: Language = request.state.language
    _ = spoken.gettext
    plan = plan_of(request, session, id)
    ids = sorted({one for one in need or () if 0 < one <= LARGEST_ID})
    again = {"path": "locks", "fields": [("how", how), *(("need", one) for one in ids)]}
    if not ids or how not in {"in", "out", "free"}:
        fault = _("No item is ticked. Tick those that you want to lock or free.")
        return shown(request, session, settings, plan, fault=fault, status=422)
    try:
        with session.begin_nested():
            work_plans.lock(session, id, version, ids, "" if how == "free" else how)
            _choose(session, id)
    except NoPlanError as error:
        names = _names(_form(session, Typed()))
        fault = no_plan_words(error, names, spoken)
        session.expire_all()
        plan = plan_of(request, session, id)
        return shown(request, session, settings, plan, fault=fault, again=again, status=422)
    except PlanRefused as error:
        return refusal(request, session, settings, id, why=error.why, again=again)
    _log(session, who, plan, "work_plan.lock")
    return RedirectResponse(f"/desk/plans/{id}?notice=locked", 303)


@router.post("/desk/plans/{id:int}/choose", response_model=None)
def choose_anew(
    *, request: Request, session: Writing, settings: Chosen, who: Who, id: int, version: Version = 0
) -> HTMLResponse | RedirectResponse:
    """Choose anew, within the same bounds, from what is open now."""
    plans_kinds(request, who)
    spoken: Language = request.state.language
    plan = plan_of(request, session, id)
    try:
        with session.begin_nested():
            work_plans.change(session, id, version)
            _choose(session, id)
    except NoPlanError as error:
        fault = no_plan_words(error, _names(_form(session, Typed())), spoken)
        return shown(request, session, settings, plan, fault=fault, status=422)
    except PlanRefused as error:
        again = {"path": "choose", "fields": []}
        return refusal(request, session, settings, id, why=error.why, again=again)
    return RedirectResponse(f"/desk/plans/{id}?notice=kept", 303)


@router.post("/desk/plans/{id:int}/optimum", response_model=None)
def ask_optimum(
    *, request: Request, session: Writing, settings: Chosen, who: Who, id: int, version: Version = 0
) -> HTMLResponse | RedirectResponse:
    """Have a job look for the best choice."""
    plans_kinds(request, who)
    plan_of(request, session, id)
    try:
        work_plans.change(session, id, version, asked=PlanAsked.OPTIMUM)
    except PlanRefused as error:
        again = {"path": "optimum", "fields": []}
        return refusal(request, session, settings, id, why=error.why, again=again)
    return RedirectResponse(f"/desk/plans/{id}", 303)


@router.post("/desk/plans/{id:int}/close", response_model=None)
def close_plan(
    *, request: Request, session: Writing, settings: Chosen, who: Who, id: int, version: Version = 0
) -> HTMLResponse | RedirectResponse:
    """Close a plan: it stays to be read, and its orders go on."""
    plans_kinds(request, who)
    plan = plan_of(request, session, id)
    try:
        work_plans.end(session, id, version, PlanState.CLOSED)
    except PlanRefused as error:
        again = {"path": "close", "fields": []}
        return refusal(request, session, settings, id, why=error.why, again=again)
    _log(session, who, plan, "work_plan.close")
    return RedirectResponse(f"/desk/plans/{id}?notice=closed", 303)
