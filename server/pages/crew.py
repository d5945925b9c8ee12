"""The crew's pages: its route of a day on a phone, and what it marks at each stop."""

import contextlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, TypedDict
from uuid import UUID, uuid4

from babel.dates import format_time
from fastapi import APIRouter, Depends, File, Form, Header, Path, Request, UploadFile
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import AwareDatetime, BaseModel
from sqlalchemy.orm import Session

from data.models.work_order import ORDER_NOTE_LIMIT, PARTS_LIMIT
from data.photo_store import new_key
from data.queries import audit, work_order_lists, work_orders
from data.queries.work import Worker
from data.queries.work_order_lists import CrewDay, CrewRoute
from data.queries.work_orders import OrderRefused, Stepped, Wanted
from geo.categories import N_
from geo.places import plain_text
from geo.work_orders import Outcome, Party, State
from server.dependencies import Chosen, Reading, Who, Writing, own_site
from server.languages import Language
from server.offline import OfflinePart
from server.pages.page import page
from server.pages.photos import put, said, store_of
from server.pages.work_orders import follow_up, planner
from server.photos import BYTES_LIMIT, PATIENCE_S, PhotoError, PhotoFault, clean, turn
from server.problems import Problem
from server.route_map import RouteMap, route_map
from server.schemas.filters import LARGEST_ID
from server.settings import Settings
from server.visitors import require_desk
from server.work_order_words import OUTCOMES, STATES, refused_words

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

logger = logging.getLogger(__name__)

PART = OfflinePart(
    name="crew",
    # Exact places stand on these pages: a phone forgets them on signing out, and those of past days.
    pages=r"^/crew/(routes/\d+/\d{4}-\d{2}-\d{2})?$",
    files=(
        "crew.css",
        "crew.js",
        "crew_outbox.js",
        "crew_phone.js",
        "offline.js",
        "porchlight.css",
        "porchlight.js",
        "porchlight.svg",
        "report.css",
        "theme.js",
        "vendor/bootstrap/bootstrap.min.css",
        "walk.css",
    ),
    modules={"offline.js": "offline.js", "crew_outbox.js": "crew_outbox.js"},
)

_DAYS_BEFORE, _DAYS_AHEAD = timedelta(days=1), timedelta(days=7)
"""Of routes that the list shows."""

_EARLIEST = timedelta(days=31)
"""How long ago a crew can have marked what its phone sends now."""

MARKS = {
    "done.fixed": N_("Done: it is fixed"),
    "done.not_found": N_("Cannot find it"),
    "done.needs_parts": N_("Needs parts"),
}
"""What a crew says of a stop, as forms send it."""

_BEGIN, _CORRECT = "in_field", "in_field.again"
_FIRST_SEEN = {_BEGIN: State.ISSUED, _CORRECT: State.DONE}

_LATE = N_("This order had moved on before. Your word is kept beside it, and the desk decides.")
_NOTHING = N_("Nothing was stored. Open the route anew, and try again.")

_NOTICES: dict[str, str] = {
    "marked": N_("Your mark is stored."),
    "began": N_("The route has begun. Neighbours read that a crew is on its way."),
    "none_waits": N_("No order of this route waits to be begun."),
    "late": _LATE,
    "without_photo": N_("Your mark is stored, without the photo: it could not be taken."),
    "nothing": _NOTHING,
}

_WORDS: dict[str, str] = {
    "offline": N_("No connection. What you mark is kept on this phone and sent later."),
    "ready": N_("This route now works without a connection too."),
    "kept": N_("Kept on this phone."),
    "waits_one": N_("1 mark waits on this phone."),
    "waits_many": N_("{n} marks wait on this phone."),
    "sending": N_("Sending…"),
    "sent_one": N_("1 mark was sent."),
    "sent_many": N_("{n} marks were sent."),
    "sign_in_first": N_("You are not signed in any more. Your marks stay here until you are."),
    "sign_in": N_("Sign in and send"),
    "failed": N_(
        "The site does not answer now. Your marks stay on this phone, and are sent later."
    ),
    "refused": N_("A mark could not be taken. See at its stop what is wrong."),
    "take_back": N_("Take it back"),
    "cut_off": N_("Sending was cut off. It is sent again as it is, and counts once."),
    "wipe_ask": N_("Delete all from this phone? What was not sent is lost."),
    "wiped": N_("This phone keeps nothing of a route any more."),
    "not_kept": N_(
        "This browser cannot keep marks. Turn off private browsing, or use another browser."
    ),
    "photo": N_("with a photo"),
    "too_large": N_(
        "This photo is too large. Nothing is marked yet: choose another photo, or none, and mark again."
    ),
    "began": N_("Begun"),
    "corrects": N_("Taken up again"),
    "feet": N_("{n} feet"),
    "miles": N_("{n} miles"),
    "here": N_("{distance} from you"),
    "no_position": N_("Your position is not to be had."),
    **MARKS,
}


class Phone(TypedDict):
    """What each of the crew's pages hands to its scripts."""

    import_map: str
    words: str


class RoutesPage(Phone):
    """What the list of routes shows."""

    days: Mapping[date, Sequence[CrewDay]]
    today: date


class RoutePage(Phone):
    """What the route of a crew shows. `keys` go by orders: each mark is sent under one, once."""

    route: CrewRoute
    today: date
    map: RouteMap | None
    done: int
    waiting: int
    next_id: int | None
    away: Mapping[int, str]
    times: Mapping[int, str]
    keys: Mapping[int, UUID]
    marks: Mapping[str, str]
    states: Mapping[str, str]
    outcomes: Mapping[str, str]
    notice: str
    limits: Mapping[str, int]


def _phone(spoken: Language) -> Phone:
    words = {name: spoken.gettext(message) for name, message in _WORDS.items()}
    return Phone(import_map=PART.import_map(), words=json.dumps(words))


@router.get("/crew/")
def read_routes(request: Request, session: Reading, settings: Chosen, who: Who) -> HTMLResponse:
    """Show the routes of these days."""
    planner(request, who)
    today = settings.today()
    days: dict[date, list[CrewDay]] = {}
    for one in work_order_lists.crew_days(session, today - _DAYS_BEFORE, today + _DAYS_AHEAD):
        days.setdefault(one.day, []).append(one)
    context = RoutesPage(days=days, today=today, **_phone(request.state.language))
    return page(request, "crew_routes.html", context)


_Crew = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("/crew/routes/{crew_id}/{day}")
def read_route(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    crew_id: _Crew,
    day: date,
    notice: str = "",
) -> HTMLResponse:
    """Show the route of a crew on a day: its stops in their order, each with what can be marked."""
    planner(request, who)
    spoken: Language = request.state.language
    route = work_order_lists.crew_route(session, crew_id, day)
    if route is None:
        _ = spoken.gettext
        raise Problem(404, _("Not found"), _("There is no such crew. Choose a route of the list."))
    audit.add(
        session,
        who.person_id,
        "crew_route.read",
        f"crew {crew_id}",
        {"day": day.isoformat(), "orders": [stop.id for stop in route.stops]},
    )
    open_stops = [stop for stop in route.stops if stop.state in {State.ISSUED, State.IN_FIELD}]
    context = RoutePage(
        route=route,
        today=settings.today(),
        map=route_map(session, route),
        done=len(route.stops) - len(open_stops),
        waiting=sum(stop.state is State.ISSUED for stop in open_stops),
        next_id=open_stops[0].id if open_stops else None,
        away={stop.id: _distance(stop.distance_m or 0.0, spoken) for stop in route.stops},
        times={
            stop.id: _time(stop.arrive_at, settings, spoken) if stop.arrive_at else ""
            for stop in route.stops
        },
        keys={stop.id: uuid4() for stop in route.stops},
        marks=MARKS,
        states=STATES,
        outcomes=OUTCOMES,
        notice=_NOTICES.get(notice, ""),
        limits={"note": ORDER_NOTE_LIMIT, "parts": PARTS_LIMIT, "photo": BYTES_LIMIT},
        **_phone(spoken),
    )
    return page(request, "crew_route.html", context)


def _time(moment: datetime, settings: Settings, spoken: Language) -> str:
    return str(format_time(moment.astimezone(settings.zone), "short", locale=spoken.locale))


_FEET, _METRES_PER_MILE, _FEET_UP_TO_M = 3.28084, 1_609.344, 300


def _distance(metres: float, spoken: Language) -> str:
    """Give a distance in feet or miles, as signs along a road do."""
    if metres < _FEET_UP_TO_M:
        return spoken.gettext("{n} feet").format(n=10 * round(metres * _FEET / 10))
    return spoken.gettext("{n} miles").format(n=f"{metres / _METRES_PER_MILE:.1f}")


# Marks, from phones and from plain forms -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TakenPhoto:
    """A photo that lies in the store, or why it does not."""

    key: str = ""
    width: int = 0
    height: int = 0
    fault: PhotoFault | None = None


def _taken_photo(
    request: Request,
    who: Who,
    photo: Annotated[UploadFile | str | None, File()] = None,
) -> TakenPhoto | None:
    """Clean the photo that came with a mark. This is done before a connection to the store is held."""
    require_desk(request, who)
    if photo is None or isinstance(photo, str) or not (photo.filename or photo.size):
        return None
    until = time.monotonic() + PATIENCE_S
    try:
        with turn(until - time.monotonic()):
            cleaned = clean(photo.file.read(BYTES_LIMIT + 1))
    except PhotoError as error:
        return TakenPhoto(fault=error.fault)
    key = new_key()
    try:
        put(store_of(request), key, cleaned)
    except OSError as error:
        logger.warning("A photo of a crew could not be stored: %s", error)
        return TakenPhoto(fault=PhotoFault.NOT_STORED)
    return TakenPhoto(key, cleaned.width, cleaned.height)


Taken = Annotated[TakenPhoto | None, Depends(_taken_photo)]


@dataclass(frozen=True, slots=True)
class Mark:
    """What a crew says of a stop, as it was sent."""

    order: int
    to: str
    note: str
    parts: str


def _mark(
    order: Annotated[int, Form(ge=1, le=LARGEST_ID)],
    to: Annotated[str, Form(max_length=20)],
    note: Annotated[str, Form(max_length=5_000)] = "",
    parts: Annotated[str, Form(max_length=1_000)] = "",
) -> Mark:
    # What is too long is cut: a word from the field is never sent back for its length.
    return Mark(order, to, plain_text(note)[:ORDER_NOTE_LIMIT], plain_text(parts)[:PARTS_LIMIT])


Marked = Annotated[Mark, Depends(_mark)]


def _wanted(mark: Mark, key: UUID, marked_at: datetime | None = None) -> Wanted | None:
    """Read what a mark means; None where it means nothing."""
    if mark.to in _FIRST_SEEN:
        return Wanted(State.IN_FIELD, seen=_FIRST_SEEN[mark.to], marked_at=marked_at, key=key)
    if mark.to not in MARKS:
        return None
    outcome = Outcome(mark.to.partition(".")[2])
    return Wanted(State.DONE, outcome, mark.note, mark.parts, marked_at=marked_at, key=key)


def _take(
    session: Session, worker: Worker, order_id: int, wanted: Wanted, photo: TakenPhoto | None
) -> Stepped:
    made = work_orders.step(session, worker, order_id, wanted, by=Party.FIELD)
    if photo and photo.key and made.event_id and not made.replayed:
        work_orders.add_photo(
            session, made.event_id, key=photo.key, width=photo.width, height=photo.height
        )
    return made


def _drop(request: Request, photo: TakenPhoto | None) -> None:
    """Delete a photo that came a second time; what is left the hourly sweep finds."""
    if photo and photo.key:
        with contextlib.suppress(OSError):
            store_of(request).delete(photo.key)


class MarkOut(BaseModel):
    """What became of a mark: the same for every repetition under one key.

    Attributes
    ----------
    told : str
        What the crew should know of it, in its language: that it came late, or lost its photo.
    """

    order: int
    came_late: bool
    told: str


@router.post("/crew/marks", status_code=201)
def send_mark(
    *,
    request: Request,
    photo: Taken,
    mark: Marked,
    session: Writing,
    settings: Chosen,
    who: Who,
    idempotency_key: Annotated[UUID, Header()],
    marked_at: Annotated[AwareDatetime, Form()],
) -> MarkOut:
    """Take a mark that a phone has kept. A repetition under the same key gets the same answer."""
    worker, spoken = planner(request, who), request.state.language
    _ = spoken.gettext
    if photo and photo.fault in {PhotoFault.BUSY, PhotoFault.NOT_STORED}:
        # The phone keeps both, and sends them again.
        raise Problem(
            503, _("Not at this moment"), said(photo.fault, spoken), {"Retry-After": "30"}
        )
    now = datetime.now(UTC)
    at = min(max(marked_at, now - _EARLIEST), now)  # its clock may be wrong
    wanted = _wanted(mark, idempotency_key, at)
    try:
        if wanted is None:
            raise Problem(422, _("Some of this cannot be used"), _(_NOTHING))
        made = _take(session, worker, mark.order, wanted, photo)
    except OrderRefused as error:
        _drop(request, photo)
        # Never 404: a mark that has no place any more must not hold up those behind it.
        title = _("Some of this cannot be used")
        raise Problem(422, title, refused_words(error, spoken)) from error
    if made.replayed:
        _drop(request, photo)
    follow_up(session, settings, made)
    told = [_late(session, made, settings, spoken)] if made.came_late else []
    if photo and photo.fault:
        told.append(said(photo.fault, spoken))
    return MarkOut(order=mark.order, came_late=made.came_late, told=" ".join(told))


def _late(session: Session, made: Stepped, settings: Settings, spoken: Language) -> str:
    """Name what came before a mark that came late."""
    _ = spoken.gettext
    before = [
        one for one in work_order_lists.events(session, made.id) if one.state and not one.came_late
    ]
    order = work_order_lists.one(session, made.id)
    if order is None or not before:
        return _(_LATE)
    last = before[-1]
    state = ": ".join(
        _(words) for words in (STATES[order.state], OUTCOMES.get(order.outcome, "")) if words
    )
    message = _(
        "{place}: {by} had set this order to “{state}” at {time}. Your word is kept beside it, and "
        "the desk decides."
    )
    return message.format(
        place=order.address or order.id,
        by=last.by or _("Somebody"),
        state=state,
        time=_time(last.at, settings, spoken),
    )


@router.post("/crew/stops", response_model=None)
def send_form(
    *,
    request: Request,
    photo: Taken,
    mark: Marked,
    session: Writing,
    settings: Chosen,
    who: Who,
    crew_id: Annotated[int, Form(ge=1, le=LARGEST_ID)],
    day: Annotated[date, Form()],
    key: Annotated[UUID, Form()],
) -> RedirectResponse:
    """Take a mark of the plain form, and show the route again."""
    worker = planner(request, who)
    wanted, notice = _wanted(mark, key), "nothing"
    if wanted is not None:
        try:
            made = _take(session, worker, mark.order, wanted, photo)
        except OrderRefused as error:
            _drop(request, photo)
            spoken = request.state.language
            title = spoken.gettext("Nothing was stored")
            raise Problem(409, title, refused_words(error, spoken)) from error
        if made.replayed:
            _drop(request, photo)
        follow_up(session, settings, made)
        notice = "late" if made.came_late else "marked"
        if photo and photo.fault:
            notice = "without_photo"
    return RedirectResponse(f"/crew/routes/{crew_id}/{day}?notice={notice}#stop-{mark.order}", 303)


@router.post("/crew/routes/{crew_id}/{day}/start")
def start_route(
    *,
    request: Request,
    session: Writing,
    who: Who,
    crew_id: _Crew,
    day: date,
) -> RedirectResponse:
    """Say that a crew has begun with all that is issued to it for a day."""
    worker = planner(request, who)
    route = work_order_lists.crew_route(session, crew_id, day)
    ids = [stop.id for stop in (route.stops if route else ()) if stop.state is State.ISSUED]
    wanted = Wanted(State.IN_FIELD, seen=State.ISSUED)
    work_orders.hold(session, ids)
    made = [work_orders.step(session, worker, id, wanted, by=Party.FIELD) for id in ids]
    begun = any(one.after is State.IN_FIELD for one in made)
    notice = "began" if begun else "none_waits"
    return RedirectResponse(f"/crew/routes/{crew_id}/{day}?notice={notice}", 303)


# What phones keep ----------------------------------------------------------------------------------


@router.get("/crew/app.webmanifest")
def read_manifest(request: Request) -> JSONResponse:
    """Describe the crew's pages to phones that put them on their home screen."""
    _ = request.state.language.gettext
    return PART.manifest(request, name=_("Porchlight routes"), short_name=_("Routes"))


@router.get("/crew/worker.js")
def read_worker() -> Response:
    """Give the service worker of routes."""
    return PART.worker()
