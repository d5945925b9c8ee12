"""Work orders at the desk: the list, one with everybody's word beside each other, and their steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, TypedDict
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.orm import Session

from data.models.work_order import ORDER_NOTE_LIMIT, PARTS_LIMIT
from data.models.work_plan import LONGEST_JOB_MINUTES
from data.photo_store import Size
from data.queries import audit, work_order_lists, work_orders
from data.queries.photos import Files
from data.queries.work import Worker
from data.queries.work_order_lists import NamedCrew, Order, OrderEvent, OrderFilter, OrderReport
from data.queries.work_orders import OrderRefused, Stepped, Stop, Wanted, Why
from geo.categories import N_
from geo.kinds import Kind
from geo.places import plain_text
from geo.statuses import OPEN, Status
from geo.work_orders import Outcome, Party, State, choices
from layers.atlas import Atlas, View
from server.dependencies import Chosen, Reading, Who, Writing, own_site
from server.fixes import ask_neighbours
from server.languages import Language
from server.pages.map import KINDS, STATUSES
from server.pages.page import page
from server.pages.photos import photo_file
from server.pages.reports import ICONS, LOOK_ZOOM, look_atlas
from server.picks import picked_versions
from server.problems import Problem
from server.schemas.filters import LARGEST_ID, Day, Id, none_if_empty
from server.settings import Settings
from server.visitors import Visitor, require_desk
from server.work_order_words import BULK, OUTCOMES, STATES, refused_words, step_word

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

MOST_LISTED = 100
MOST_STEPPED = 200
"""Orders of a page, and of one step."""

WORK_KINDS = {kind: KINDS[kind] for kind in (Kind.LIGHTING, Kind.CLEANUP)}

_NOTICES: dict[str, str] = {
    "made": N_("The order is a draft. Issue it once its crew and day are right."),
    "stepped": N_("Your step is stored."),
    "assigned": N_("Crew, day and time are stored."),
    "again": N_("This was sent twice, and counts once."),
}


class OrderQuery(BaseModel):
    """What the list of work orders is asked for."""

    model_config = ConfigDict(populate_by_name=True)

    state: Annotated[State | None, BeforeValidator(none_if_empty)] = None
    kind: Annotated[Kind | None, BeforeValidator(none_if_empty)] = None
    crew: Annotated[Id | None, BeforeValidator(none_if_empty)] = None
    day: Day = None
    plan: Annotated[Id | None, BeforeValidator(none_if_empty)] = None
    late: Annotated[bool | None, BeforeValidator(none_if_empty)] = None
    q: Annotated[str, Field(max_length=200)] = ""
    after: Annotated[Id | None, BeforeValidator(none_if_empty)] = None

    def chosen(self, today: date) -> OrderFilter:
        """Give the filter as queries take it."""
        return OrderFilter(
            today=today,
            states=frozenset({self.state} if self.state else ()),
            kind=self.kind,
            crew_id=self.crew,
            day=self.day,
            work_plan_id=self.plan,
            late=bool(self.late),
            words=plain_text(self.q),
        )

    def asked(self, **other: object) -> str:
        """Give the query of an address with these filters, some of them set otherwise."""
        held = self.model_dump(mode="json", exclude_none=True, exclude={"after"}) | other
        return urlencode({name: value for name, value in held.items() if value not in {"", None}})


Asked = Annotated[OrderQuery, Query()]


def planner(request: Request, who: Visitor) -> Worker:
    """Give whoever works on needs, and refuse others."""
    require_desk(request, who)
    assert who.person_id is not None
    return Worker(who.person_id, who.grants)


def _order(request: Request, session: Session, id: int) -> Order:
    found = work_order_lists.one(session, id) if id <= LARGEST_ID else None
    if found is None:
        _ = request.state.language.gettext
        raise Problem(
            404,
            _("Not found"),
            _("There is no such work order among yours. It may have gone with its reports."),
        )
    return found


def follow_up(session: Session, settings: Settings, made: Stepped) -> None:
    """Ask neighbours whether it is fixed, where a step says so."""
    for one in made.changed:
        if one.after not in OPEN and one.before is not one.after:
            ask_neighbours(session, settings, one.id, one.category)


# The list -----------------------------------------------------------------------------------------


class OrderList(TypedDict):
    """What the list of work orders shows."""

    orders: Sequence[Order]
    counts: Mapping[State, int]
    query: OrderQuery
    today: date
    crews: Sequence[NamedCrew]
    kinds: Mapping[Kind, str]
    states: Mapping[str, str]
    outcomes: Mapping[str, str]
    bulk: Mapping[str, str]
    more: str | None
    picked: frozenset[int]
    note: str
    fault: str
    note_limit: int


@router.get("/desk/orders")
def read_orders(
    request: Request, session: Writing, settings: Chosen, who: Who, query: Asked
) -> HTMLResponse:
    """Show the work orders that are the visitor's, day by day and crew by crew."""
    planner(request, who)
    return _listed(request, session, settings, who, query)


def _listed(
    request: Request,
    session: Session,
    settings: Settings,
    who: Visitor,
    query: OrderQuery,
    *,
    picked: frozenset[int] = frozenset(),
    note: str = "",
    fault: str = "",
) -> HTMLResponse:
    chosen = query.chosen(settings.today())
    found, after = work_order_lists.orders(session, chosen, limit=MOST_LISTED, after=query.after)
    audit.add(
        session, who.person_id, "work_order_list.read", "", {"orders": [one.id for one in found]}
    )
    context = OrderList(
        orders=found,
        counts=work_order_lists.counts(session, chosen),
        query=query,
        today=chosen.today,
        crews=work_order_lists.crews(session),
        kinds=WORK_KINDS,
        states=STATES,
        outcomes=OUTCOMES,
        bulk=BULK,
        more=None if after is None else f"/desk/orders?{query.asked(after=after)}",
        picked=picked,
        note=note,
        fault=fault,
        note_limit=ORDER_NOTE_LIMIT,
    )
    return page(request, "work_orders.html", context, status=422 if fault else 200)


class StepSummary(TypedDict):
    """What became of a step for several orders."""

    stepped: Sequence[Order]
    refused: Sequence[tuple[Order, str]]
    missing: int
    back: str
    states: Mapping[str, str]
    bulk: Mapping[str, str]
    to: str
    note: str
    note_limit: int


@router.post("/desk/orders/steps")
def step_several(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    query: Asked,
    pick: Annotated[list[str] | None, Form()] = None,
    to: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Take one step for all orders that were ticked, each as one or not at all, and say what became of it."""
    worker, spoken = planner(request, who), request.state.language
    _ = spoken.gettext
    picked, note = picked_versions(pick or []), plain_text(note)
    fault = _bulk_fault(picked, to, note, spoken)
    if picked is None or fault:
        ids = frozenset(picked or ())
        return _listed(request, session, settings, who, query, picked=ids, note=note, fault=fault)
    state, _dot, outcome = to.partition(".")
    wanted = Wanted(State(state), Outcome(outcome), note=note)
    done: list[int] = []
    words: dict[int, str] = {}
    work_orders.hold(session, picked)
    for id, version in picked.items():
        try:
            made = work_orders.step(session, worker, id, wanted, version=version)
        except OrderRefused as error:
            words[id] = refused_words(error, spoken)
        else:
            done.append(id)
            follow_up(session, settings, made)
    shown = {one.id: one for one in work_order_lists.some(session, picked)}
    context = StepSummary(
        stepped=[shown[id] for id in done if id in shown],
        refused=[(shown[id], told) for id, told in words.items() if id in shown],
        missing=sum(id not in shown for id in picked),
        back=f"/desk/orders?{query.asked()}",
        states=STATES,
        bulk=BULK,
        to=to,
        note=note,
        note_limit=ORDER_NOTE_LIMIT,
    )
    return page(request, "work_orders_stepped.html", context, status=200 if done else 409)


def _bulk_fault(picked: Mapping[int, int] | None, to: str, note: str, spoken: Language) -> str:
    _ = spoken.gettext
    if picked is None:
        return _("The list had changed. Tick the orders again.")
    if not picked:
        return _("No order is ticked. Tick those that you want to move.")
    if len(picked) > MOST_STEPPED:
        return _("Move up to {most} orders at once.").format(most=MOST_STEPPED)
    if to not in BULK:
        return _("Choose a step of the list.")
    return _note_fault(note, spoken)


def _note_fault(note: str, spoken: Language) -> str:
    if len(note) <= ORDER_NOTE_LIMIT:
        return ""
    message = spoken.gettext("A note has up to {most} characters.")
    return message.format(most=ORDER_NOTE_LIMIT)


# A new one ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assigned:
    """Crew, day and time as they were typed."""

    crew: str = ""
    day: str = ""
    position: str = ""
    minutes: str = "30"


def _assigned(
    crew: Annotated[str, Form()] = "",
    day: Annotated[str, Form()] = "",
    position: Annotated[str, Form()] = "",
    minutes: Annotated[str, Form()] = "30",
) -> Assigned:
    return Assigned(crew.strip(), day.strip(), position.strip(), minutes.strip())


class Unreadable(ValueError):  # noqa: N818 (it is the name of what happened)
    """What was typed cannot be used; the message says what to mend."""


def _stop(
    session: Session, typed: Assigned, spoken: Language, *, need_id: int, kind: Kind, today: date
) -> tuple[Stop, str]:
    """Read crew, day and time, and give the name of the crew as well.

    Raises
    ------
    Unreadable
    """
    _ = spoken.gettext
    named = {str(one.id): one for one in work_order_lists.crews(session, kind) if one.active}
    if typed.crew and typed.crew not in named:
        raise Unreadable(_("Choose an active crew of the list that does this kind of work."))
    try:
        day = date.fromisoformat(typed.day) if typed.day else None
    except ValueError:
        day = date.min
    if day is not None and not today <= day <= date(today.year + 1, 12, 31):
        raise Unreadable(_("Choose a day from today to the end of next year."))
    crew = named.get(typed.crew)
    stop = Stop(
        need_id=need_id,
        crew_id=None if crew is None else crew.id,
        day=day,
        position=_number(typed.position, 999, _("A place on the route is a number from 1 to 999."))
        if typed.position
        else None,
        service_minutes=_number(
            typed.minutes,
            LONGEST_JOB_MINUTES,
            _("Write how many minutes the work takes, from 1 to {most}.").format(
                most=LONGEST_JOB_MINUTES
            ),
        ),
    )
    return stop, "" if crew is None else crew.name


def _number(typed: str, most: int, otherwise: str) -> int:
    number = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 6 else 0
    if not 1 <= number <= most:
        raise Unreadable(otherwise)
    return number


class NewOrder(TypedDict):
    """What the form of a new order shows."""

    need: work_order_lists.NeedAsked
    held_by: int | None
    crews: Sequence[NamedCrew]
    typed: Assigned
    today: date
    most_minutes: int
    statuses: Mapping[str, str]
    fault: str


@router.get("/desk/orders/new")
def read_new(
    request: Request,
    session: Reading,
    settings: Chosen,
    who: Who,
    need: Annotated[int, Query(ge=1, le=LARGEST_ID)],
) -> HTMLResponse:
    """Ask for the crew and the day of an order for one need."""
    planner(request, who)
    minutes = work_order_lists.usual_minutes(session, need) or 30
    return _new(request, session, settings, need, typed=Assigned(minutes=str(minutes)))


def _new(
    request: Request,
    session: Session,
    settings: Settings,
    need_id: int,
    *,
    typed: Assigned,
    fault: str = "",
) -> HTMLResponse:
    need = work_order_lists.need(session, need_id)
    if need is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is no such item among yours."))
    context = NewOrder(
        need=need,
        held_by=work_orders.holding(session, [need_id]).get(need_id),
        crews=[one for one in work_order_lists.crews(session, need.category.kind) if one.active],
        typed=typed,
        today=settings.today(),
        most_minutes=LONGEST_JOB_MINUTES,
        statuses=STATUSES,
        fault=fault,
    )
    return page(request, "work_order_new.html", context, status=422 if fault else 200)


@router.post("/desk/orders/new", response_model=None)
def make_order(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    typed: Annotated[Assigned, Depends(_assigned)],
    need: Annotated[int, Form(ge=1, le=LARGEST_ID)],
    issue: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Make an order for one need, and issue it at once where that is wanted."""
    worker, spoken = planner(request, who), request.state.language
    asked = work_order_lists.need(session, need)
    if asked is None:
        return _new(request, session, settings, need, typed=typed)
    kind = asked.category.kind
    try:
        stop, _crew = _stop(session, typed, spoken, need_id=need, kind=kind, today=settings.today())
    except Unreadable as error:
        return _new(request, session, settings, need, typed=typed, fault=str(error))
    try:
        with session.begin_nested():
            made = _made(session, worker, stop, issue=bool(issue))
    except OrderRefused as error:
        words = refused_words(error, spoken)
        return _new(request, session, settings, need, typed=typed, fault=words)
    follow_up(session, settings, made)
    return RedirectResponse(f"/desk/orders/{made.id}?notice={'stepped' if issue else 'made'}", 303)


def _made(session: Session, worker: Worker, stop: Stop, *, issue: bool) -> Stepped:
    drafted = work_orders.draft(session, worker.person_id, None, [stop])
    if stop.need_id in drafted.held:
        raise OrderRefused(Why.NEED_IS_HELD, drafted.held[stop.need_id])
    if stop.need_id in drafted.closed:
        raise OrderRefused(Why.NEED_IS_CLOSED)
    id = drafted.made[stop.need_id]
    made = Stepped(id, State.DRAFT, State.DRAFT, None)
    if issue:
        made = work_orders.step(session, worker, id, Wanted(State.ISSUED), version=1)
    work_orders.put_in_line(session, id, stop)
    return made


# One ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepButton:
    """A step that can be taken: its value in the form, and its words."""

    value: str
    words: str


class OrderPage(TypedDict):
    """What the page of a work order shows."""

    order: Order
    events: Sequence[OrderEvent]
    reports: Sequence[OrderReport]
    steps: Sequence[StepButton]
    may_assign: bool
    crews: Sequence[NamedCrew]
    typed: Assigned
    today: date
    atlas: Atlas
    states: Mapping[str, str]
    outcomes: Mapping[str, str]
    statuses: Mapping[str, str]
    icons: Mapping[Status, str]
    token: UUID
    note: str
    parts: str
    fault: str
    notice: str
    limits: Mapping[str, int]


@router.get("/desk/orders/{id:int}")
def read_order(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    notice: str = "",
) -> HTMLResponse:
    """Show a work order: what it is about, what its crew and the neighbours say, and what may follow."""
    planner(request, who)
    return _shown(request, session, settings, who, id, notice=_NOTICES.get(notice, ""))


def _shown(
    request: Request,
    session: Session,
    settings: Settings,
    who: Visitor,
    id: int,
    *,
    typed: Assigned | None = None,
    note: str = "",
    parts: str = "",
    fault: str = "",
    notice: str = "",
    status: int = 422,
) -> HTMLResponse:
    order = _order(request, session, id)
    audit.add(session, who.person_id, "work_order.read", f"work_order {id}")
    now = Assigned(
        crew=str(order.crew_id or ""),
        day=order.day.isoformat() if order.day else "",
        position=str(order.position or ""),
        minutes=str(order.service_minutes),
    )
    view = View(round(order.latitude, 6), round(order.longitude, 6), LOOK_ZOOM)
    context = OrderPage(
        order=order,
        events=work_order_lists.events(session, id),
        reports=work_order_lists.reports(session, order.need_id),
        steps=[*_buttons(order.state)],
        may_assign=order.state in {State.DRAFT, State.ISSUED},
        crews=[one for one in work_order_lists.crews(session, order.category.kind) if one.active],
        typed=typed or now,
        today=settings.today(),
        atlas=look_atlas(request.state.language.code, view, settings),
        states=STATES,
        outcomes=OUTCOMES,
        statuses=STATUSES,
        icons=ICONS,
        token=uuid4(),
        note=note,
        parts=parts,
        fault=fault,
        notice=notice,
        limits={"note": ORDER_NOTE_LIMIT, "parts": PARTS_LIMIT, "minutes": LONGEST_JOB_MINUTES},
    )
    return page(request, "work_order.html", context, status=status if fault else 200)


def _buttons(state: State) -> list[StepButton]:
    """Give the steps that the desk can take, the next of the way first and cancelling last."""
    way = [*State]

    def away(after: State) -> tuple[bool, bool, int]:
        return after is State.CANCELLED, way.index(after) < way.index(state), way.index(after)

    made = []
    for after in sorted(choices(state, Party.DESK), key=away):
        outcomes = [*Outcome][1:] if after is State.DONE else [Outcome.NONE]
        for outcome in outcomes:
            value = f"{after}.{outcome}" if outcome else after.value
            made.append(StepButton(value, step_word(state, after, outcome)))
    return made


def _refused(
    request: Request,
    session: Session,
    settings: Settings,
    who: Visitor,
    *,
    error: OrderRefused,
    id: int,
    **typed: object,
) -> HTMLResponse:
    show: Callable[..., HTMLResponse] = _shown
    return show(
        request,
        session,
        settings,
        who,
        id,
        fault=refused_words(error, request.state.language),
        status=409 if error.why in {Why.CHANGED_MEANWHILE, Why.NEED_IS_HELD} else 422,
        **typed,
    )


@router.post("/desk/orders/{id:int}/step", response_model=None)
def step_one(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    to: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    parts: Annotated[str, Form()] = "",
    version: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
    token: Annotated[UUID | None, Form()] = None,
) -> HTMLResponse | RedirectResponse:
    """Take a step of one order, or say why not with all that was typed."""
    worker, spoken = planner(request, who), request.state.language
    order = _order(request, session, id)
    note, parts = plain_text(note), plain_text(parts)
    fault = _note_fault(note, spoken) or _parts_fault(parts, spoken)
    if to not in {one.value for one in _buttons(order.state)} and version == order.version:
        fault = fault or spoken.gettext("Choose a step of the list.")
    state, _dot, outcome = to.partition(".")
    if not fault and (state not in set(State) or outcome not in set(Outcome)):
        fault = spoken.gettext("Choose a step of the list.")
    if fault:
        return _shown(request, session, settings, who, id, note=note, parts=parts, fault=fault)
    wanted = Wanted(State(state), Outcome(outcome), note=note, parts=parts, key=token)
    try:
        made = work_orders.step(session, worker, id, wanted, version=version)
    except OrderRefused as error:
        return _refused(request, session, settings, who, error=error, id=id, note=note, parts=parts)
    follow_up(session, settings, made)
    notice = "again" if made.replayed else "stepped"
    return RedirectResponse(f"/desk/orders/{id}?notice={notice}", 303)


def _parts_fault(parts: str, spoken: Language) -> str:
    if len(parts) <= PARTS_LIMIT:
        return ""
    message = spoken.gettext("Name the parts in up to {most} characters.")
    return message.format(most=PARTS_LIMIT)


@router.post("/desk/orders/{id:int}/assign", response_model=None)
def assign_one(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    typed: Annotated[Assigned, Depends(_assigned)],
    version: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
) -> HTMLResponse | RedirectResponse:
    """Give an order to another crew, day or place on the route."""
    worker, spoken = planner(request, who), request.state.language
    order = _order(request, session, id)
    try:
        stop, crew = _stop(
            session,
            typed,
            spoken,
            need_id=order.need_id,
            kind=order.category.kind,
            today=min(settings.today(), order.day or settings.today()),
        )
        work_orders.assign(session, worker, id, stop, version=version, crew=crew)
    except Unreadable as error:
        return _shown(request, session, settings, who, id, typed=typed, fault=str(error))
    except OrderRefused as error:
        return _refused(request, session, settings, who, error=error, id=id, typed=typed)
    return RedirectResponse(f"/desk/orders/{id}?notice=assigned", 303)


@router.get("/desk/orders/{id:int}/photos/{photo_id:int}/{size}.webp")
def read_order_photo(
    *, request: Request, session: Reading, who: Who, id: int, photo_id: int, size: Size
) -> Response:
    """Give a photo that a crew took, to the city's people alone."""
    planner(request, who)
    asked = max(id, photo_id) <= LARGEST_ID
    key = work_order_lists.photo_key(session, id, photo_id) if asked else None
    session.close()  # no connection waits for the store of the files
    return photo_file(request, None if key is None else Files(key, public=False), size)
