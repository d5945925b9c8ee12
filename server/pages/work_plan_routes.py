"""Routes of a work plan: a crew's day with its stops, moving them, sheets to take along, and issuing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, TypedDict
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models import PlanAsked, PlanState, UnitCost, WorkPlan
from data.queries import audit, work_orders, work_plans
from data.queries.work import Worker
from data.queries.work_orders import Stop, Wanted
from data.queries.work_plans import PlanNeed, PlanRefused, Why
from geo.jobs import CHECK_MINUTES, minutes
from geo.work_orders import State
from layers.atlas import Atlas
from server import sheets
from server.dependencies import Chosen, Who, Writing, own_site
from server.languages import Language
from server.pages.page import TEMPLATES, page
from server.pages.work_plans import (
    RouteDay,
    Version,
    days_of,
    is_stale,
    marked_atlas,
    plan_of,
    plans_kinds,
    refusal,
    shown,
)
from server.problems import Problem
from server.route_map import drawn
from server.schemas.filters import LARGEST_ID
from server.sheet_map import SheetMap
from server.work_plan_jobs import Repair, repairs
from server.work_plan_words import refused_words

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

SOONEST, LATEST = timedelta(0), timedelta(days=366)
"""From today: when routes can start."""


@dataclass(frozen=True, slots=True)
class RouteStop:
    """A stop of a crew's day, and at which local time it is come to.

    Attributes
    ----------
    key : int
        The need that the plan's routes call it by.
    """

    number: int
    key: int
    job: Repair
    arrive: str
    minutes: int

    @property
    def need(self) -> PlanNeed:
        """The need that the crew comes to."""
        return self.job.first

    @property
    def is_open(self) -> bool:
        """Whether anything is left to do there."""
        return any(need.is_open for need in self.job.needs)


@dataclass(frozen=True, slots=True)
class RouteOfDay:
    """A crew's day, with all that its page and its sheet show."""

    day: RouteDay
    leave: str
    back: str
    depot: str
    depot_longitude: float
    depot_latitude: float
    stops: Sequence[RouteStop]
    materials: Mapping[str, int]


def _route(
    request: Request, session: Session, plan: WorkPlan, number: int, zone: ZoneInfo
) -> RouteOfDay:
    days = days_of(plan)
    if not number < len(days) or plan.routes is None:
        _ = request.state.language.gettext
        raise Problem(
            404, _("Not found"), _("This plan has no such route. It may have been made anew.")
        )
    kept = plan.routes["days"][number]
    by_id = {need.need_id: need for need in work_plans.needs(session, plan.id)}
    jobs = {
        key: [by_id[need] for need in _members(plan, key) if need in by_id] for key in kept["stops"]
    }
    service = dict(zip(plan.routes["needs"], plan.routes["minutes"], strict=True))
    leave = datetime.combine(days[number].day, time.fromisoformat(kept["starts_at"]), zone)
    depot = plan.routes["depots"][kept["depot"]]

    def clock(moment: datetime) -> str:
        return str(format_time(_minute(moment), "short", locale=request.state.language.locale))

    stops = [
        RouteStop(
            at, key, Repair(jobs[key]), clock(leave + timedelta(seconds=arrival)), service[key]
        )
        for at, (key, arrival) in enumerate(zip(kept["stops"], kept["arrivals_s"], strict=True), 1)
        if jobs[key]  # it is gone where its reports are
    ]
    return RouteOfDay(
        day=days[number],
        leave=clock(leave),
        back=clock(leave + timedelta(seconds=kept["back_s"])),
        depot=depot["name"],
        depot_longitude=depot["lon"],
        depot_latitude=depot["lat"],
        stops=stops,
        materials=_materials(stops, work_plans.unit_costs(session, plan.kind)),
    )


def _members(plan: WorkPlan, stop: int) -> list[int]:
    """Give the needs of a stop, in the order in which they are come to."""
    assert plan.routes is not None
    return [stop, *plan.routes.get("with", {}).get(str(stop), ())]


def _minute(moment: datetime) -> datetime:
    """Give the full minute, rounded up: a sheet names no seconds."""
    return (moment + timedelta(seconds=59)).replace(second=0, microsecond=0)


def _materials(stops: Sequence[RouteStop], costs: Mapping[str, UnitCost]) -> dict[str, int]:
    """Give what to load for a day."""
    load: dict[str, int] = {}
    for stop in stops:
        cost = costs.get(stop.job.code) if stop.is_open else None
        for name, count in (cost.materials if cost else {}).items():
            load[name] = load.get(name, 0) + count
    return dict(sorted(load.items()))


class RoutePage(TypedDict):
    """What the page of a crew's day shows."""

    plan: WorkPlan
    route: RouteOfDay
    number: int
    days: Sequence[RouteDay]
    atlas: Atlas | None
    is_draft: bool
    notice: bool


@router.get("/desk/plans/{id:int}/routes/{number:int}")
def read_route(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    number: int,
    notice: str = "",
) -> HTMLResponse:
    """Show a crew's day: its stops in order, each of which can be moved."""
    plans_kinds(request, who)
    plan = plan_of(request, session, id)
    route = _route(request, session, plan, number, settings.zone)
    audit.add(session, who.person_id, "work_plan.route", f"work plan {id}", {"route": number})
    places = [(round(s.need.longitude, 6), round(s.need.latitude, 6)) for s in route.stops]
    context = RoutePage(
        plan=plan,
        route=route,
        number=number,
        days=days_of(plan),
        atlas=marked_atlas(places, settings, request.state.language),
        is_draft=plan.state is PlanState.DRAFT,
        notice=notice == "moved",
    )
    return page(request, "work_plan_route.html", context)


@router.post("/desk/plans/{id:int}/routes", response_model=None)
def ask_routes(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    start: Annotated[str, Form()] = "",
    version: Version = 0,
) -> HTMLResponse | RedirectResponse:
    """Have a job make the crews' routes, from a day on."""
    plans_kinds(request, who)
    plan = plan_of(request, session, id)
    _ = request.state.language.gettext
    try:
        day = date.fromisoformat(start)
    except ValueError:
        day = date.min
    today = settings.today()
    if not today + SOONEST <= day <= today + LATEST:
        raise Problem(
            422,
            _("This day does not work"),
            _("Choose a first day from today to a year from now, then make the routes again."),
        )
    if not work_plans.crews(session, plan.kind, active=True):
        raise Problem(
            422,
            _("There is no crew"),
            _("Add a crew for this kind of work under Crews and costs, then make the routes."),
        )
    again = {"path": "routes", "fields": [("start", start)]}
    if is_stale(plan, work_plans.needs(session, id)):
        fault = refused_words(Why.NOT_CHOSEN, request.state.language)
        return shown(request, session, settings, plan, fault=fault, status=422)
    try:
        work_plans.change(
            session,
            id,
            version,
            asked=PlanAsked.ROUTES,
            routes={"start": day.isoformat()},
            distances=None,
        )
    except PlanRefused as error:
        return refusal(request, session, settings, id, why=error.why, again=again)
    return RedirectResponse(f"/desk/plans/{id}#routes", 303)


@router.post("/desk/plans/{id:int}/routes/move", response_model=None)
def move_stop(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    need: Annotated[int, Form(ge=1, le=LARGEST_ID)],
    to: Annotated[str, Form()] = "",
    position: Annotated[int, Form(ge=1, le=1_000)] = 1,
    version: Version = 0,
) -> HTMLResponse | RedirectResponse:
    """Move a stop to another place or another day, or take it off the routes."""
    # Here, since solvers take memory that a server without plans need not hold.
    from server.work_plans import moved  # noqa: PLC0415

    plans_kinds(request, who)
    plan = plan_of(request, session, id)
    fields = [("need", need), ("to", to), ("position", position)]
    again = {"path": "routes/move", "fields": fields}
    number = int(to) if to.isascii() and to.isdecimal() and len(to) < 5 else None
    try:
        # A word that names no day is the number of a day that is not there.
        routes = moved(plan, need, -1 if number is None and to != "off" else number, position)
    except LookupError:
        _ = request.state.language.gettext
        raise Problem(
            422,
            _("The stop was not moved"),
            _("This route or stop is not there any more. Open the plan anew, and move it again."),
        ) from None
    try:
        work_plans.change(session, id, version, routes=routes)
    except PlanRefused as error:
        return refusal(request, session, settings, id, why=error.why, again=again)
    page_of = f"/routes/{number}" if number is not None else ""
    return RedirectResponse(f"/desk/plans/{id}{page_of}?notice=moved", 303)


# Sheets -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DrawnRoute:
    """The map of a sheet. `line` is an SVG path, straight from the depot by all stops and back."""

    ground: SheetMap
    line: str
    depot: tuple[float, float]
    stops: Sequence[tuple[float, float, int]]


def _drawn(session: Session, route: RouteOfDay) -> DrawnRoute | None:
    if not route.stops:
        return None
    depot = (route.depot_longitude, route.depot_latitude)
    places = [depot, *((stop.need.longitude, stop.need.latitude) for stop in route.stops)]
    ground, drawn_at = drawn(session, places)
    at = drawn_at.tolist()
    return DrawnRoute(
        ground=ground,
        line="M" + "L".join(f"{x} {y}" for x, y in [*at, at[0]]),
        depot=(at[0][0], at[0][1]),
        stops=[(x, y, stop.number) for (x, y), stop in zip(at[1:], route.stops, strict=True)],
    )


def _file_name(plan: WorkPlan, number: int, ending: str) -> dict[str, str]:
    name = f"route-{plan.id}-{number + 1}.{ending}"
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}


@router.get("/desk/plans/{id:int}/routes/{number:int}/sheet.pdf")
def read_sheet(
    *, request: Request, session: Writing, settings: Chosen, who: Who, id: int, number: int
) -> Response:
    """Give the sheet of a crew's day to print: its map, its stops, what to load, room for words."""
    plans_kinds(request, who)
    plan = plan_of(request, session, id)
    route = _route(request, session, plan, number, settings.zone)
    spoken: Language = request.state.language
    audit.add(session, who.person_id, "work_plan.sheet", f"work plan {id}", {"route": number})
    written = TEMPLATES.get_template("work_plan_sheet.html").render(
        plan=plan,
        route=route,
        drawn=_drawn(session, route),
        language=spoken,
        city_name=settings.city_name,
        time_zone=settings.zone,
        miles=round(route.day.miles, 1),
    )
    _ = spoken.gettext
    try:
        made = sheets.pdf(written)
    except sheets.SheetBusyError as error:
        raise Problem(
            503,
            _("Busy"),
            _("Others are printing right now. Try again in a few seconds."),
            {"Retry-After": "5"},
        ) from error
    except sheets.SheetError as error:
        raise Problem(
            503, _("No sheet"), _("A sheet can not be written on this server.")
        ) from error
    return Response(made, media_type="application/pdf", headers=_file_name(plan, number, "pdf"))


@router.get("/desk/plans/{id:int}/routes/{number:int}/route.gpx")
def read_gpx(
    *, request: Request, session: Writing, settings: Chosen, who: Who, id: int, number: int
) -> Response:
    """Give a crew's day as GPX 1.1, for a navigation device: the depot, each stop, the depot."""
    plans_kinds(request, who)
    plan = plan_of(request, session, id)
    route = _route(request, session, plan, number, settings.zone)
    audit.add(session, who.person_id, "work_plan.gpx", f"work plan {id}", {"route": number})
    made = gpx(plan.name, route, request.state.language)
    headers = _file_name(plan, number, "gpx")
    return Response(made, media_type="application/gpx+xml", headers=headers)


def _called(job: Repair, spoken: Language) -> str:
    if not job.lights:
        return spoken.gettext(job.first.category.name)
    return spoken.ngettext(
        "{n} light in a row, one repair", "{n} lights in a row, one repair", job.lights
    ).format(n=job.lights)


def gpx(name: str, route: RouteOfDay, spoken: Language) -> bytes:
    """Write a route as GPX 1.1 (https://www.topografix.com/GPX/1/1/)."""
    space = "http://www.topografix.com/GPX/1/1"
    root = ET.Element("gpx", {"version": "1.1", "creator": "Porchlight", "xmlns": space})
    rte = ET.SubElement(root, "rte")
    ET.SubElement(rte, "name").text = f"{name}: {route.day.crew}, {route.day.day.isoformat()}"
    ends = (route.depot_latitude, route.depot_longitude)
    points = [(*ends, route.depot, "")]
    points += [
        (
            stop.need.latitude,
            stop.need.longitude,
            f"{stop.number}. {_called(stop.job, spoken)}",
            ", ".join(filter(None, (stop.need.address, *(need.pole for need in stop.job.needs)))),
        )
        for stop in route.stops
        if stop.is_open
    ]
    for lat, lon, label, where in [*points, points[0]]:
        point = ET.SubElement(rte, "rtept", {"lat": f"{lat:.6f}", "lon": f"{lon:.6f}"})
        ET.SubElement(point, "name").text = label
        if where:
            ET.SubElement(point, "desc").text = where
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


# Issuing ------------------------------------------------------------------------------------------


class IssuedPage(TypedDict):
    """What stood in the way of some orders."""

    plan: WorkPlan
    made: int
    held: Mapping[int, int]
    closed: Sequence[int]


@router.post("/desk/plans/{id:int}/issue", response_model=None)
def issue_plan(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    version: Version = 0,
) -> HTMLResponse | RedirectResponse:
    """Make work orders of a plan: issued with their crew and day, or drafts where there are no routes."""
    plans_kinds(request, who)
    plan = plan_of(request, session, id)
    assert who.person_id is not None
    if plan.state is PlanState.DRAFT and is_stale(plan, work_plans.needs(session, id)):
        fault = refused_words(Why.NOT_CHOSEN, request.state.language)
        return shown(request, session, settings, plan, fault=fault, status=422)
    stops = _stops(session, plan, settings.zone)
    routed = bool(days_of(plan))
    if plan.state is PlanState.DRAFT:
        work_plans.take_turns(session)
        fault = _outdated(session, plan, settings.today(), request.state.language)
        if fault:
            return shown(request, session, settings, plan, fault=fault, status=409)
    again = {"path": "issue", "fields": []}
    try:
        work_plans.end(session, id, version, PlanState.ISSUED)
    except PlanRefused as error:
        return refusal(request, session, settings, id, why=error.why, again=again)
    drafted = work_orders.draft(session, who.person_id, id, stops)
    worker = Worker(who.person_id, who.grants)
    for order_id in sorted(drafted.made.values()) if routed else ():
        work_orders.step(session, worker, order_id, Wanted(State.ISSUED), version=1)
    audit.add(
        session,
        who.person_id,
        "work_plan.issue",
        f"work plan {id}",
        {"orders": sorted(drafted.made.values())},
    )
    if drafted.held or drafted.closed:
        context = IssuedPage(
            plan=plan,
            made=len(drafted.made),
            held=dict(drafted.held),
            closed=sorted(drafted.closed),
        )
        return page(request, "work_plan_issued.html", context)
    notice = "issued" if routed else "drafted"
    return RedirectResponse(f"/desk/plans/{id}?notice={notice}", 303)


def _outdated(session: Session, plan: WorkPlan, today: date, spoken: Language) -> str:
    """Say what keeps crews from the days of a plan's routes by now; empty where nothing does."""
    _ = spoken.gettext
    days = (plan.routes or {}).get("days", ())
    active = {crew.id for crew in work_plans.crews(session, plan.kind, active=True)}
    busy = work_plans.busy_days(session, today)
    for day in days:
        on = date.fromisoformat(day["day"])
        when = format_date(on, "medium", locale=spoken.locale)
        if not day["stops"]:
            continue
        if on < today:
            fault = _("{day} is over. Make the routes anew, then issue them.")
            return fault.format(day=when)
        if (day["crew"], on) in busy or day["crew"] not in active:
            fault = _(
                "{crew} has other orders on {day} by now, or does not work any more. Make the routes "
                "anew, then issue them."
            )
            return fault.format(crew=day["name"], day=when)
    return ""


def _stops(session: Session, plan: WorkPlan, zone: ZoneInfo) -> list[Stop]:
    """Give the orders to be: one for each need, those of a job behind each other."""
    if not days_of(plan) or plan.routes is None:
        costs = work_plans.unit_costs(session, plan.kind)
        needs = [n for n in work_plans.needs(session, plan.id) if n.chosen and n.is_open]
        return [
            Stop(need.need_id, service_minutes=service)
            for job in repairs(plan, needs)
            if job.code in costs
            for need, service in zip(job.needs, job.minutes(costs), strict=True)
        ]
    total = dict(zip(plan.routes["needs"], plan.routes["minutes"], strict=True))
    stops: list[Stop] = []
    for day in plan.routes["days"]:
        on, position = date.fromisoformat(day["day"]), 0
        leave = datetime.combine(on, time.fromisoformat(day["starts_at"]), zone)
        for key, arrival in zip(day["stops"], day["arrivals_s"], strict=True):
            arrive = leave + timedelta(seconds=arrival)
            members = _members(plan, key)
            repair = total[key] - CHECK_MINUTES * (len(members) - 1)
            for need, service in zip(members, minutes(len(members), repair), strict=True):
                position += 1
                stops.append(Stop(need, day["crew"], on, position, _minute(arrive), service))
                arrive += timedelta(minutes=service)
    return stops
