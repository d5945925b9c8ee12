"""Walk together: the form that goes along the block on a phone, and the page of each walk."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, NoReturn, TypedDict

from fastapi import APIRouter, Depends, Form, Header, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models.walk import STOP_KEY_LIMIT, STOP_NOTE_LIMIT, WALK_TITLE_LIMIT
from data.queries import walks
from data.queries.associations import Watch
from data.queries.reports import NearbyReport, NotOpen
from data.queries.walks import ReportOfWalk, Stop, StopKeyReused, StoredStop, Walk, Wish
from geo.addresses import LONGEST
from geo.categories import N_
from geo.places import plain_text
from geo.statuses import Status
from geo.walks import QUESTIONS, Compared, Question, Sum, compared, not_looked_at
from layers.atlas import Atlas, Mark, view_of
from layers.reports import Reports
from layers.words import words
from server import limits, visitors
from server import walks as stops
from server.dependencies import Chosen, Places, Reading, Who, Writing, own_site
from server.faults import Fault, Refused
from server.languages import Language
from server.offline import OfflinePart
from server.pages.block_watches import belonging, kept, watch_atlas, watch_of
from server.pages.map import STATUSES, raster
from server.pages.page import page
from server.pages.report_form import (
    Choice,
    choices_of,
    offered_place,
    pick_atlas,
    typed_place,
)
from server.pages.reports import ICONS, in_feet, name_of_place
from server.positions import Positions
from server.problems import Problem
from server.report_words import not_open
from server.schemas.filters import LARGEST_ID
from server.schemas.walks import StopIn, StopOut, StopReport
from server.settings import Settings
from server.spreadsheets import csv_text
from server.submissions import Pair, Where
from server.supporters import join, neighbour, remember
from server.visitors import Visitor
from server.walks import ScreenedFault, Sender, StopDraft

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

REPLAYED = "Idempotency-Replayed"

PART = OfflinePart(
    name="walk",
    pages=r"^/walk/\d*$",  # the same for all members: nothing of them is private
    files=(
        "offline.js",
        "porchlight.css",
        "porchlight.js",
        "porchlight.svg",
        "report.css",
        "theme.js",
        "vendor/bootstrap/bootstrap.min.css",
        "walk.css",
        "walk.js",
        "walk_outbox.js",
        "walk_phone.js",
    ),
    modules={"offline.js": "offline.js", "outbox.js": "walk_outbox.js"},
)

MOST_UNDECIDED = 20
"""Reports to be decided on that the page of a walk shows at a time."""

_EARLIEST, _LATEST = timedelta(days=366), timedelta(days=60)
"""How far from today a walk can be: one written down from paper, and one that is planned."""

_NOTICES: dict[str, str] = {
    "changed": N_("Your changes are kept."),
    "ended": N_("The walk has ended. Stops that still wait on a phone count when they arrive."),
    "decided": N_("Your decision holds."),
    "already": N_("Somebody has decided on this already."),
}

_NO_PLACE = N_("Say where it is: use your position, or type an address or a corner.")

_WORDS: dict[str, str] = {
    "offline": N_("No connection. Stops are kept on this phone and sent later."),
    "ready": N_("This walk now works without a connection too."),
    "kept": N_("The stop is kept on this phone. Next stop."),
    "waits_one": N_("1 stop waits on this phone."),
    "waits_many": N_("{n} stops wait on this phone."),
    "sending": N_("Sending…"),
    "sent_one": N_("1 stop was sent."),
    "sent_many": N_("{n} stops were sent."),
    "reports_one": N_("1 report was made."),
    "reports_many": N_("{n} reports were made."),
    "undecided_one": N_("1 problem may be reported already, or has to wait."),
    "undecided_many": N_("{n} problems may be reported already, or have to wait."),
    "decide": N_("Decide on the page of the walk"),
    "sign_in_first": N_("You are not signed in any more. The stops stay here until you are."),
    "sign_in": N_("Sign in and send"),
    "failed": N_("The site does not answer now. The stops stay on this phone, and are sent later."),
    "refused": N_("A stop could not be taken as it is. See below what is wrong with it."),
    "cut_off": N_("Sending was cut off. It is sent again as it is, and counts once."),
    "stop": N_("Stop at {time}"),
    "nothing_wrong": N_("Nothing wrong"),
    "change": N_("Change"),
    "change_ask": N_("What stands in the form now goes. Change the other stop?"),
    "remove": N_("Remove"),
    "remove_ask": N_("Delete this stop from the phone? It has not been sent."),
    "leave_out": N_("Leave these words out"),
    "even_so": N_("Send the report as it is: a moderator reads it first"),
    "which": N_("Which place do you mean?"),
    "wipe_ask": N_("Delete all stops from this phone? What was not sent is lost."),
    "wiped": N_("This phone keeps nothing of a walk any more."),
    "not_kept": N_(
        "This browser cannot keep stops. Turn off private browsing, or use another browser."
    ),
    "locating": N_("Looking for your position…"),
    "located": N_("Position found, to about {feet} feet."),
    "chosen": N_("Place chosen on the map."),
    "place_kept": N_("The place of this stop is kept."),
    "no_position": N_("Your position is not to be had. Type an address or a corner."),
    "no_place": _NO_PLACE,
    "nothing_seen": N_("Answer one question at least, or write a note."),
    "walk": N_("Walk {id}"),
}


class WalksPage(TypedDict):
    """What the list of the walks of a block watch shows. `sums` go by the ids of walks."""

    watch: Watch
    walks: Sequence[Walk]
    sums: Mapping[int, Sum]
    belongs: bool
    title: str
    day: str
    fault: str
    limit: int


@dataclass(frozen=True, slots=True)
class Undecided:
    """A report that somebody asked for, and those that may be the same; `names` go by their ids."""

    wish: Wish
    number: int
    same: Sequence[NearbyReport]
    feet: Mapping[int, int]
    names: Mapping[int, str | None]


class WalkPage(TypedDict):
    """What the page of a walk shows. Stops are there for members only.

    `undecided` are the first of the reports to be decided on, `waiting` counts all of them.
    """

    walk: Walk
    atlas: Atlas
    sum: Sum
    rows: Sequence[Compared]
    missed: Sequence[Question]
    earlier: Walk | None
    earlier_sum: Sum | None
    reports: Sequence[ReportOfWalk]
    stops: Sequence[Stop]
    undecided: Sequence[Undecided]
    waiting: int
    statuses: Mapping[str, str]
    icons: Mapping[Status, str]
    belongs: bool
    changes: bool
    keeps: bool
    notice: str
    fault: str
    limit: int


class StopPage(TypedDict):
    """What the form of a stop shows. It holds nothing that only members may know."""

    walk_id: int
    watch: str
    walked_on: date
    questions: Sequence[Question]
    typed: Mapping[str, str]
    faults: Sequence[Fault]
    choices: Sequence[Choice]
    token: str
    is_sent: bool
    atlas: Atlas
    import_map: str
    words: str
    map_words: str
    limits: Mapping[str, int]


# Walks and what they have found --------------------------------------------------------------------


def _walk(request: Request, session: Session, id: int) -> Walk:
    found = walks.walk(session, id) if id <= LARGEST_ID else None
    if found is None:
        _ = request.state.language.gettext
        raise Problem(
            404,
            _("Not found"),
            _(
                "There is no such walk that you may see. It may have been deleted, or you are signed "
                "in with another account."
            ),
        )
    return found


def _own_walk(request: Request, session: Session, who: Visitor, id: int) -> Walk:
    """Give a walk to members of its block watch, and refuse others."""
    visitors.require(request, who)
    walk = _walk(request, session, id)
    belonging(request, who, walk.block_watch_id)
    return walk


def _changes(who: Visitor, walk: Walk) -> bool:
    """Tell whether title, end and stops of a walk are the visitor's to change."""
    own = walk.is_own and who.belongs(walk.block_watch_id)
    return own or who.keeps(walk.block_watch_id)


def _changeable(request: Request, session: Session, who: Visitor, id: int) -> Walk:
    visitors.require(request, who)
    walk = _walk(request, session, id)
    if not _changes(who, walk):
        _ = request.state.language.gettext
        raise Problem(
            403,
            _("For its captains"),
            _("Only captains of this block watch, and whoever began the walk, do this."),
        )
    return walk


@router.get("/watches/{id:int}/walks")
def read_walks(
    request: Request, session: Reading, settings: Chosen, who: Who, id: int
) -> HTMLResponse:
    """Show the walks of a block watch."""
    watch = watch_of(request, session, id)
    return _walks_page(request, session, who, watch, day=settings.today().isoformat())


def _walks_page(
    request: Request,
    session: Session,
    who: Visitor,
    watch: Watch,
    *,
    day: str,
    title: str = "",
    fault: str = "",
) -> HTMLResponse:
    found = walks.of_watch(session, watch.id)
    context = WalksPage(
        watch=watch,
        walks=found,
        sums=walks.sums(session, found),
        belongs=who.belongs(watch.id),
        title=title,
        day=day,
        fault=fault,
        limit=WALK_TITLE_LIMIT,
    )
    return page(request, "walks.html", context, status=422 if fault else 200)


@router.post("/watches/{id:int}/walks", response_model=None)
def start_walk(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    who: Who,
    id: int,
    title: Annotated[str, Form()] = "",
    day: Annotated[str, Form()] = "",
) -> Response:
    """Begin a walk."""
    watch = watch_of(request, session, id)
    person_id = belonging(request, who, id)
    _ = request.state.language.gettext
    title = plain_text(title)
    fault = _title_fault(title, request.state.language)
    today = settings.today()
    try:
        walked_on = date.fromisoformat(day.strip()) if day.strip() else today
    except ValueError:
        walked_on = date.min
    if not today - _EARLIEST <= walked_on <= today + _LATEST:
        fault = fault or _("Choose a day of the last 12 months, or of the next 60 days.")
    if fault:
        return _walks_page(request, session, who, watch, day=day, title=title, fault=fault)
    made = walks.start(session, id, title=title, walked_on=walked_on, person_id=person_id)
    return RedirectResponse(f"/walks/{made}", 303)


def _title_fault(title: str, spoken: Language) -> str:
    _ = spoken.gettext
    if not title:
        return _("Give the walk a title, such as the street and its ends.")
    if len(title) > WALK_TITLE_LIMIT:
        return _("This is too long. Use {most} characters at most.").format(most=WALK_TITLE_LIMIT)
    return stops.title_fault(title, spoken)


@router.get("/walks/{id:int}")
def read_walk(
    *,
    request: Request,
    session: Reading,
    settings: Chosen,
    positions: Places,
    who: Who,
    id: int,
    notice: str = "",
) -> HTMLResponse:
    """Show what a walk has found: to members each stop, to everybody the sum."""
    return _walk_page(
        request, session, id, settings=settings, positions=positions, who=who, notice=notice
    )


def _walk_page(
    request: Request,
    session: Session,
    id: int,
    *,
    settings: Settings,
    positions: Positions,
    who: Visitor,
    notice: str = "",
    fault: str = "",
) -> HTMLResponse:
    spoken: Language = request.state.language
    walk = _walk(request, session, id)
    watch = watch_of(request, session, walk.block_watch_id)
    earlier = walks.before(session, walk)
    sums = walks.sums(session, [walk, *filter(None, [earlier])])
    earlier_sum = None if earlier is None else sums[earlier.id]
    belongs = who.belongs(walk.block_watch_id)
    found = walks.stops(session, id) if belongs else []
    marks = [Mark(round(stop.latitude, 6), round(stop.longitude, 6), stop.number) for stop in found]
    wishes = walks.wishes(session, id) if belongs else []
    context = WalkPage(
        walk=walk,
        atlas=watch_atlas(spoken.code, watch, settings, marks),
        sum=sums[id],
        rows=compared(sums[id], earlier_sum),
        missed=not_looked_at(sums[id]) if walk.stops else (),
        earlier=earlier,
        earlier_sum=earlier_sum,
        reports=walks.reports(session, id),
        stops=found,
        undecided=_undecided(session, found, wishes[:MOST_UNDECIDED], positions, spoken),
        waiting=len(wishes),
        statuses=STATUSES,
        icons=ICONS,
        belongs=belongs,
        changes=_changes(who, walk),
        keeps=who.keeps(walk.block_watch_id),
        notice=_NOTICES.get(notice, ""),
        fault=fault,
        limit=WALK_TITLE_LIMIT,
    )
    return page(request, "walk.html", context, status=422 if fault else 200)


def _undecided(
    session: Session,
    found: Sequence[Stop],
    wishes: Sequence[Wish],
    positions: Positions,
    spoken: Language,
) -> list[Undecided]:
    numbers = {stop.id: stop.number for stop in found}
    undecided = []
    for wish in wishes:
        near = stops.same(session, wish, positions)
        names = {one.id: name_of_place(session, one, spoken) for one in near}
        undecided.append(Undecided(wish, numbers[wish.stop_id], near, in_feet(near), names))
    return undecided


@router.post("/walks/{id:int}/title", response_model=None)
def rename_walk(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    positions: Places,
    who: Who,
    id: int,
    title: Annotated[str, Form()] = "",
) -> Response:
    """Give a walk another title."""
    _changeable(request, session, who, id)
    title = plain_text(title)
    if fault := _title_fault(title, request.state.language):
        return _walk_page(
            request, session, id, settings=settings, positions=positions, who=who, fault=fault
        )
    walks.rename(session, id, title)
    return RedirectResponse(f"/walks/{id}?notice=changed", 303)


@router.post("/walks/{id:int}/end")
def end_walk(request: Request, session: Writing, who: Who, id: int) -> RedirectResponse:
    """Show everybody what a walk has found."""
    _changeable(request, session, who, id)
    walks.end(session, id)
    return RedirectResponse(f"/walks/{id}?notice=ended", 303)


@router.post("/walks/{id:int}/delete")
def delete_walk(
    request: Request,
    session: Writing,
    who: Who,
    id: int,
    sure: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Delete a walk with its stops. Its reports stay."""
    visitors.require(request, who)
    walk = _walk(request, session, id)
    kept(request, who, walk.block_watch_id)
    if not sure:
        _ = request.state.language.gettext
        message = _("Tick the box that says so, if the walk shall be deleted.")
        raise Problem(422, _("Nothing was deleted"), message)
    walks.delete(session, id)
    return RedirectResponse(f"/watches/{walk.block_watch_id}/walks", 303)


@router.post("/walks/{id:int}/stops/{stop_id:int}/delete")
def delete_stop(
    request: Request, session: Writing, who: Who, id: int, stop_id: int
) -> RedirectResponse:
    """Delete a stop. Its reports stay."""
    _changeable(request, session, who, id)
    if stop_id <= LARGEST_ID:
        walks.delete_stop(session, id, stop_id)
    return RedirectResponse(f"/walks/{id}?notice=changed#stops", 303)


@router.get("/walks/{id:int}/stops.csv")
def read_table(request: Request, session: Reading, settings: Chosen, who: Who, id: int) -> Response:
    """Give the stops of a walk as a table, to members of the block watch."""
    _own_walk(request, session, who, id)
    _ = request.state.language.gettext
    heads = [
        _("Stop"), _("Seen"), _("Place"), _("Latitude"), _("Longitude"),
        *(_(question.title) for question in QUESTIONS), _("Note"), _("Reports"),
    ]  # fmt: skip
    rows = []
    for stop in walks.stops(session, id):
        seen = {one.question: _(one.answer.name) for one in stop.seen}
        local = stop.seen_at.astimezone(settings.zone)
        rows.append(
            [
                stop.number,
                f"{local:%Y-%m-%d %H:%M}",
                stop.address,
                round(stop.latitude, 6),
                round(stop.longitude, 6),
                *(seen.get(question, "") for question in QUESTIONS),
                stop.note,
                " ".join(str(one.report_id) for one in stop.seen if one.report_id),
            ]
        )
    return Response(
        csv_text(heads, rows),
        media_type="text/csv; charset=utf-8",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="walk-{id}.csv"',
        },
    )


@router.post("/walks/{id:int}/stops/{stop_id:int}/reports/{question}")
def decide(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    positions: Places,
    who: Who,
    id: int,
    stop_id: int,
    question: str,
    answer: Annotated[str, Form()] = "",
    report: Annotated[int, Form(ge=0, le=LARGEST_ID)] = 0,
) -> RedirectResponse:
    """Decide on a report that somebody asked for: it is new, one that is known, or none."""
    walk = _own_walk(request, session, who, id)
    spoken: Language = request.state.language
    _ = spoken.gettext
    waiting = (
        walks.wishes(session, id, stop_id=stop_id, question=question)
        if stop_id <= LARGEST_ID
        else []
    )
    if not waiting:
        return RedirectResponse(f"/walks/{id}?notice=already", 303)
    (wish,) = waiting
    response = RedirectResponse(f"/walks/{id}?notice=decided#decide", 303)
    if answer == "new":
        try:
            made = stops.report(session, walk, wish, _sender(request, session, settings, positions))
        except limits.TooMany as error:
            raise limits.too_many(request, error) from error
        walks.decide(session, stop_id, wish.question, made)
    elif answer == "none":
        walks.decide(session, stop_id, wish.question, None)
    elif answer == "join" and report in {one.id for one in stops.same(session, wish, positions)}:
        limits.limit_supports(request)
        joining = neighbour(request)
        try:
            join(session, positions.secret, joining, report)
        except NotOpen as error:
            raise not_open(error, spoken) from error
        walks.decide(session, stop_id, wish.question, report, joined=True)
        remember(response, joining)
    else:
        message = _("Go back and choose again: what was offered has changed.")
        raise Problem(409, _("Some of this cannot be used"), message)
    return response


# Stops, from phones and from the plain form --------------------------------------------------------


def _sender(request: Request, session: Session, settings: Settings, positions: Places) -> Sender:
    return Sender(
        positions=positions,
        language=request.state.language,
        city=settings.city_name,
        reporter_id=request.state.visitor.person_id,
        count=lambda: limits.count_stored(request, session, limits.reports_from_address(request)),
    )


def _take(session: Session, walk: Walk, draft: StopDraft, sender: Sender) -> StoredStop:
    """Store a stop, once a key.

    Raises
    ------
    Refused
    StopKeyReused
    """
    earlier = walks.sent_before(session, walk.id, key=draft.key, body_hash=draft.body_hash)
    if earlier is not None:
        return earlier
    checked = stops.check(session, walk, draft, sender)
    return stops.store(session, walk, checked, draft, sender)


@router.post("/walk/{id:int}/stops", status_code=201)
def send_stop(
    *,
    request: Request,
    response: Response,
    session: Writing,
    settings: Chosen,
    positions: Places,
    who: Who,
    id: int,
    body: StopIn,
    idempotency_key: Annotated[
        str, Header(min_length=1, max_length=STOP_KEY_LIMIT, pattern=r"^[\x21-\x7e]+$")
    ],
) -> StopOut:
    """Store a stop that a phone has kept. A repetition under the same key gets the same answer."""
    walk = _own_walk(request, session, who, id)
    draft = StopDraft(
        where=_where_of(body, request.state.language),
        answers=body.answers,
        note=body.note,
        reports=body.reports,
        even_so=body.even_so,
        seen_at=body.seen_at,
        key=idempotency_key,
        body=json.dumps(body.model_dump(mode="json"), sort_keys=True).encode(),
    )
    _ = request.state.language.gettext
    try:
        stored = _take(session, walk, draft, _sender(request, session, settings, positions))
    except Refused as refused:
        _refuse(refused, request.state.language)
    except StopKeyReused as error:
        raise Problem(
            422,
            _("This key was used before"),
            _("This Idempotency-Key was used for another stop of this walk. Use a new one."),
        ) from error
    if stored.replayed:
        response.headers[REPLAYED] = "true"
    asked = walks.became(session, stored.id)
    return StopOut(
        id=stored.id,
        reports=[
            StopReport(question=question.code, report=report) for question, report in asked.items()
        ],
    )


def _where_of(body: StopIn, spoken: Language) -> Where | Fault:
    if body.lat is not None or body.lon is not None:
        return Pair(body.lat, body.lon, called=plain_text(body.address))
    return _named(body.address, spoken)


def _named(typed: str, spoken: Language) -> Where | Fault:
    return typed_place(typed) or Fault("place", "missing", spoken.gettext(_NO_PLACE))


def _refuse(refused: Refused, spoken: Language) -> NoReturn:
    errors = []
    for fault in refused.faults:
        error: dict[str, Any] = {
            "field": fault.field,
            "code": fault.code,
            "detail": fault.message,
            "choices": [{"label": one.label, "value": one.value} for one in choices_of(fault)],
        }
        if isinstance(fault, ScreenedFault):
            error["left"] = fault.left
        errors.append(error)
    title = spoken.gettext("Some of this cannot be used")
    raise Problem(422, title, str(refused), errors=errors) from refused


@router.get("/walk/{id:int}")
def read_stop_form(
    *, request: Request, session: Reading, settings: Chosen, who: Who, id: int, sent: str = ""
) -> HTMLResponse:
    """Show the form of the next stop. Phones keep this page: nothing of it is private."""
    walk = _own_walk(request, session, who, id)
    return _stop_page(request, session, settings, walk, is_sent=bool(sent))


def _stop_page(
    request: Request,
    session: Session,
    settings: Settings,
    walk: Walk,
    *,
    typed: Mapping[str, str] = MappingProxyType({}),
    faults: Sequence[Fault] = (),
    token: str = "",
    is_sent: bool = False,
    status: int = 200,
) -> HTMLResponse:
    translate = request.state.language.gettext
    watch = watch_of(request, session, walk.block_watch_id)
    view = view_of(watch.west, watch.south, watch.east, watch.north)
    made = pick_atlas(request.state.language.code, view, raster(settings), (Reports,))
    context = StopPage(
        walk_id=walk.id,
        watch=walk.watch,
        walked_on=walk.walked_on,
        questions=QUESTIONS,
        typed=typed,
        faults=faults,
        choices=[choice for fault in faults for choice in choices_of(fault)],
        token=token or secrets.token_urlsafe(16),
        is_sent=is_sent,
        atlas=made,
        import_map=PART.import_map(made.modules),
        words=_words(translate),
        map_words=json.dumps(words(translate)),
        limits={"note": STOP_NOTE_LIMIT, "address": LONGEST, "most": stops.MOST_STOPS},
    )
    return page(request, "walk_stop.html", context, status=status)


def _words(translate: Callable[[str], str]) -> str:
    return json.dumps({name: translate(message) for name, message in _WORDS.items()})


async def _typed_stop(request: Request) -> dict[str, str]:
    sent = await request.form()
    return {name: value for name, value in sent.items() if isinstance(value, str)}


@router.post("/walk/{id:int}", response_model=None)
def send_stop_form(
    *,
    request: Request,
    session: Writing,
    settings: Chosen,
    positions: Places,
    who: Who,
    id: int,
    typed: Annotated[dict[str, str], Depends(_typed_stop)],
) -> Response:
    """Store a stop of the plain form, and show the form again."""
    walk = _own_walk(request, session, who, id)
    spoken: Language = request.state.language
    token = plain_text(typed.get("token", ""))[:STOP_KEY_LIMIT] or secrets.token_urlsafe(16)
    told = {name: value for name, value in typed.items() if name not in {"token", "place_for"}}
    draft = StopDraft(
        where=_where_typed(typed, spoken),
        answers={one.code: typed[one.code] for one in QUESTIONS if typed.get(one.code)},
        note=typed.get("note", ""),
        reports={
            one.code: typed.get(f"text_{one.code}", "")
            for one in QUESTIONS
            if typed.get(f"report_{one.code}")
        },
        even_so=bool(typed.get("even_so")),
        seen_at=datetime.now(UTC),
        key=token,
        body=json.dumps(told, sort_keys=True).encode(),
    )
    try:
        _take(session, walk, draft, _sender(request, session, settings, positions))
    except Refused as refused:
        return _stop_page(
            request, session, settings, walk,
            typed=typed, faults=refused.faults, token=token, status=422,
        )  # fmt: skip
    except StopKeyReused:
        # Whoever went back and changed something wants to send that, too: under a new key.
        message = spoken.gettext(
            "You have sent this stop already. To send what stands here now as another stop, press "
            "“Save this stop” again."
        )
        fault = Fault("send", "sent_already", message)
        return _stop_page(request, session, settings, walk, typed=typed, faults=[fault], status=409)
    return RedirectResponse(f"/walk/{id}?sent=1", 303)


def _where_typed(typed: Mapping[str, str], spoken: Language) -> Where | Fault:
    """Read where the stop is: a place that was offered for what was typed, the map, or the text."""
    address = typed.get("address", "")
    if offered := offered_place(address, typed.get("place", ""), typed.get("place_for", "")):
        return offered
    if typed.get("lat") or typed.get("lon"):
        return Pair(typed.get("lat"), typed.get("lon"), called=plain_text(address))
    return _named(address, spoken)


# What phones keep ----------------------------------------------------------------------------------


class PhonePage(TypedDict):
    """What a phone says of the walks that it keeps."""

    import_map: str
    words: str


@router.get("/walk/")
def read_phone(request: Request) -> HTMLResponse:
    """Show which walks this phone keeps. The page itself knows of none."""
    translate = request.state.language.gettext
    context = PhonePage(import_map=PART.import_map(), words=_words(translate))
    return page(request, "walk_phone.html", context)


@router.get("/walk/app.webmanifest")
def read_manifest(request: Request) -> JSONResponse:
    """Describe the walk to phones that put it on their home screen."""
    _ = request.state.language.gettext
    return PART.manifest(request, name=_("Porchlight walks"), short_name=_("Walks"))


@router.get("/walk/worker.js")
def read_worker() -> Response:
    """Give the service worker of walks."""
    return PART.worker()
