"""The desk of the city's people: the queue beside the map, what is done with it, and its files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import lru_cache, partial
from typing import Annotated, Any, Literal, TypedDict
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.orm import Session

from data.models import AreaLayer, Department
from data.queries import areas, audit, desk, work
from data.queries.areas import Named
from data.queries.desk import Choice, Counts, Cursor, DarkRun, DeskFilter, Order, QueueItem
from data.queries.work import Assign, Colleague, Worker
from geo.categories import BY_CODE, CATEGORIES, Category
from geo.kinds import Kind
from geo.places import plain_text, typed_number
from geo.statuses import Status
from geo.tiles import DEEPEST, Tile
from layers.atlas import Atlas, Options, Raster, View, atlas, view_of
from layers.registry import DESK
from server import desk_files
from server.assignments import tell_assigned
from server.dependencies import Chosen, Reading, Who, Writing, own_site
from server.desk import Act, Done, Left, Seen, Wanted, change
from server.desk_words import ACTS, KINDS, ORDERS, STATES, left_words, rank_words
from server.languages import Language, language
from server.map_files import GEOPACKAGE
from server.pages.map import AREAS, SOMEWHERE, raster
from server.pages.page import asset, page
from server.picks import picked_ids, picked_numbers
from server.problems import Problem
from server.schemas.features import Fact, FeatureFacts
from server.schemas.filters import LARGEST_ID, Day, Id, none_if_empty
from server.settings import Settings
from server.visitors import require_desk

router = APIRouter(prefix="/desk", dependencies=[Depends(own_site)], include_in_schema=False)

LISTED, MOST_CHANGED, MOST_EXPORTED = 50, 200, 20_000
"""Needs of a page, of one change, and of a file."""

_CHOSEN_BY = (AreaLayer.COUNCIL_DISTRICT, AreaLayer.NEIGHBOURHOOD)
_SHOWN = ("needs", "dark_runs")
_MOST_ASKED = 100
_CURSOR = r"^[0-9]{1,10}-[0-9]{1,17}-[0-9]{1,18}$"


def _known(code: str) -> str:
    if code not in BY_CODE or BY_CODE[code].kind not in KINDS:
        raise ValueError(f"the desk knows no category {code!r}")
    return code


def _filled(words: object) -> object:
    return [word for word in words if word != ""] if isinstance(words, list | tuple) else words


Tick = Annotated[bool, BeforeValidator(lambda word: bool(word) and word not in {"0", "false"})]
OrNone = BeforeValidator(none_if_empty)


class DeskQuery(BaseModel):
    """What the queue is asked for, as it stands in addresses."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Annotated[Literal[Kind.LIGHTING, Kind.CLEANUP] | None, OrNone] = None
    category: Annotated[list[Annotated[str, AfterValidator(_known)]], BeforeValidator(_filled)] = (
        Field(default_factory=list)
    )
    status: Annotated[
        list[
            Literal[
                Status.RECEIVED, Status.CONFIRMED, Status.SCHEDULED, Status.IN_PROGRESS, Status.DONE
            ]
        ],
        BeforeValidator(_filled),
    ] = Field(default_factory=list)
    area: Annotated[Id | None, OrNone] = None
    hazard: Tick = False
    overdue: Tick = False
    due: Day = None
    run: Annotated[Id | None, OrNone] = None
    plan: Annotated[Id | None, OrNone] = None
    q: Annotated[str, Field(max_length=200)] = ""
    order: Order = ""
    after: Annotated[str | None, Field(pattern=_CURSOR), OrNone] = None
    layers: Annotated[str, Field(max_length=200)] = ""

    def asked(self, **other: object) -> str:
        """Give the query of an address with these filters, some of them set otherwise."""
        place = {"after", "layers"}
        held = self.model_dump(mode="json", exclude_defaults=True, exclude=place) | other
        pairs = [
            (name, "1" if one is True else one)
            for name, value in held.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        return urlencode([(name, value) for name, value in pairs if value not in {None, "", False}])

    @property
    def here(self) -> str:
        """The query of this very page of the queue, with what its map shows."""
        return self.asked(after=self.after, layers=self.layers)

    def chosen(self, kind: Kind, settings: Settings, days: Mapping[str, int]) -> DeskFilter:
        """Give the filter as queries take it."""
        return DeskFilter(
            kind=kind,
            today=settings.today(),
            zone=settings.zone,
            days=days,
            categories=tuple(
                sorted({code for code in self.category if BY_CODE[code].kind is kind})
            ),
            statuses=tuple(dict.fromkeys(self.status)),
            area_id=self.area,
            hazard=self.hazard,
            overdue=self.overdue,
            due=self.due,
            run_id=self.run,
            plan_id=self.plan,
            words=plain_text(self.q),
            order=self.order,
        )


Asked = Annotated[DeskQuery, Query()]


def cursor_of(written: str | None) -> Cursor | None:
    """Read where a page of the queue ended."""
    return Cursor(*map(int, written.split("-"))) if written else None


def cursor_text(cursor: Cursor) -> str:
    """Write where a page of the queue ended."""
    return f"{cursor.first}-{cursor.at_us}-{cursor.id}"


@dataclass(frozen=True, slots=True)
class Planner:
    """Whoever works at the desk.

    Attributes
    ----------
    worker : Worker
    kinds : tuple of Kind
        Of what they decide: the first one is shown where none is asked for.
    """

    worker: Worker
    kinds: tuple[Kind, ...]


def planner(request: Request, who: Who) -> Planner:
    """Refuse whoever does not work on lights or cleanup."""
    require_desk(request, who)
    assert who.person_id is not None
    return Planner(Worker(who.person_id, who.grants), who.desk_kinds)


AtDesk = Annotated[Planner, Depends(planner)]


def _kind(request: Request, at: Planner, asked: Kind | None) -> Kind:
    if asked is None or asked in at.kinds:
        return asked or at.kinds[0]
    _ = request.state.language.gettext
    raise Problem(
        403,
        _("Not for this account"),
        _("Your department works on other things. Ask an administrator of your city."),
    )


class Choosable(TypedDict):
    """What the form of a change offers."""

    acts: Mapping[Act, str]
    typed: Mapping[str, str]
    plans: Sequence[Choice]
    crews: Sequence[Choice]
    departments: Sequence[Department]
    colleagues: Sequence[Colleague]


_TYPED = ("act", "assigned", "plan", "crew", "day")


def _offered(session: Session, kind: Kind, typed: Mapping[str, str] | None = None) -> Choosable:
    return Choosable(
        acts=ACTS,
        typed=typed or dict.fromkeys(_TYPED, ""),
        plans=desk.plans(session, kind),
        crews=desk.crews(session, kind),
        departments=work.departments(session),
        colleagues=work.colleagues(session),
    )


class Queue(Choosable):
    """What the queue shows."""

    items: Sequence[QueueItem]
    counts: Counts
    kind: Kind
    states: Mapping[Status, str]
    orders: Mapping[Order, str]
    query: DeskQuery
    run: DarkRun | None
    filters: str
    narrowed: bool
    more: str | None
    address: Callable[..., str]
    rank: Callable[[QueueItem], str]
    fault: str
    picked: frozenset[int]
    most_exported: int


class DeskPage(TypedDict):
    """What the desk shows around its queue."""

    atlas: Atlas
    kinds: Mapping[Kind, str]
    categories: Sequence[Category]
    areas: Mapping[str, Sequence[Named]]


@router.get("")
def read_desk(
    request: Request, session: Writing, settings: Chosen, at: AtDesk, query: Asked
) -> HTMLResponse:
    """Show the queue of what to fix, beside the map."""
    return _shown(request, session, settings, at, query)


def _shown(
    request: Request,
    session: Session,
    settings: Settings,
    at: Planner,
    query: DeskQuery,
    *,
    typed: Mapping[str, str] | None = None,
    fault: str = "",
    picked: frozenset[int] = frozenset(),
) -> HTMLResponse:
    spoken: Language = request.state.language
    kind = _kind(request, at, query.kind)
    query = query.model_copy(update={"kind": kind})
    chosen = query.chosen(kind, settings, work.targets(session))
    items, more = desk.queue(session, chosen, limit=LISTED, after=cursor_of(query.after))
    if not items and query.after:  # all that stood from there on has left the queue
        query = query.model_copy(update={"after": None})
        items, more = desk.queue(session, chosen, limit=LISTED)
    context = Queue(
        items=items,
        counts=desk.counts(session, chosen),
        kind=kind,
        states=STATES[kind],
        orders=ORDERS,
        query=query,
        run=desk.dark_run(session, query.run) if query.run is not None else None,
        filters=query.asked(),
        narrowed=query.asked(kind=None, order=None) != "",
        more=query.asked(after=cursor_text(more)) if more else None,
        address=query.asked,
        rank=partial(rank_words, language=spoken),
        fault=fault,
        picked=picked,
        most_exported=MOST_EXPORTED,
        **_offered(session, kind, typed),
    )
    if _part_asked(request):
        shown = page(request, "desk_queue.html", context)
    else:
        around = DeskPage(
            atlas=_atlas(session, settings, spoken.code),
            kinds={one: KINDS[one] for one in at.kinds},
            categories=[category for category in CATEGORIES if category.kind is kind],
            areas={AREAS[layer]: areas.named(session, layer) for layer in _CHOSEN_BY},
        )
        shown = page(request, "desk.html", {**context, **around}, status=422 if fault else 200)
    # The last thing: from it until the end of the transaction others wait who write to the log.
    _log(session, at, "desk.read", [item.id for item in items])
    return shown


def _some(session: Session, settings: Settings, ids: Sequence[int]) -> list[QueueItem]:
    days = work.targets(session)
    return desk.some(session, ids, today=settings.today(), zone=settings.zone, days=days)


def _part_asked(request: Request) -> bool:
    """Tell whether a script puts the queue into the page that it has, after a filter or a step back."""
    headers = request.headers
    return headers.get("HX-Target") == "queue" or "HX-History-Restore-Request" in headers


def _log(session: Session, at: Planner, action: str, ids: Sequence[int]) -> None:
    """Write down who read exact places: one entry a page."""
    audit.add(session, at.worker.person_id, action, "", {"needs": [*ids]})


def _atlas(session: Session, settings: Settings, code: str) -> Atlas:
    extent = areas.extent(session)
    view = (
        SOMEWHERE
        if extent is None
        else view_of(extent.west, extent.south, extent.east, extent.north)
    )
    return _cached_atlas(code, view, raster(settings))


@lru_cache(maxsize=16)
def _cached_atlas(code: str, view: View, base: Raster | None) -> Atlas:
    return atlas(
        DESK,
        view,
        Options(
            mode="desk",
            shown=_SHOWN,
            asset=asset,
            translate=language(code).gettext,
            raster=base,
        ),
    )


# Changes ------------------------------------------------------------------------------------------


class Unreadable(ValueError):  # noqa: N818 (it is the name of what happened)
    """What was sent makes no change; the message says what to mend."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The form of a change as it was sent."""

    pick: Sequence[str]
    asked: str
    act: str
    assigned: str
    plan: str
    crew: str
    day: str

    @property
    def typed(self) -> dict[str, str]:
        """What was typed, to be shown again."""
        return {name: value for name, value in asdict(self).items() if isinstance(value, str)}


def _sent(
    *,
    pick: Annotated[list[str] | None, Form()] = None,
    asked: Annotated[str, Form()] = "",
    act: Annotated[str, Form()] = "",
    assigned: Annotated[str, Form()] = "",
    plan: Annotated[str, Form()] = "",
    crew: Annotated[str, Form()] = "",
    day: Annotated[str, Form()] = "",
) -> Sent:
    return Sent(pick or [], asked, act, assigned, plan, crew, day)


def _picked(sent: Sent, spoken: Language) -> dict[int, Seen]:
    """Read what was ticked, as it was seen.

    Raises
    ------
    Unreadable
    """
    _ = spoken.gettext
    if not sent.pick:
        raise Unreadable(_("Nothing is ticked. Tick what you want to change."))
    if len(sent.pick) > MOST_CHANGED:
        raise Unreadable(_("Change up to {most} at once.").format(most=MOST_CHANGED))
    found = picked_numbers(sent.pick, 2)
    if found is None:
        raise Unreadable(_("The list had changed. Tick again what you want to change."))
    return {id: Seen(version, seen) for id, (version, seen) in found.items()}


def _wanted(
    session: Session, sent: Sent, worker: Worker, spoken: Language, *, kind: Kind, today: date
) -> Wanted:
    """Read what is to be done.

    Raises
    ------
    Unreadable
    """
    _ = spoken.gettext
    if sent.act not in set(Act):
        raise Unreadable(_("Choose what to do with what is ticked."))
    act = Act(sent.act)
    match act:
        case Act.ASSIGN:
            return Wanted(act, assign=_assign(sent.assigned, worker, spoken))
        case Act.PLAN_IN | Act.PLAN_OUT:
            plan_id = typed_number(sent.plan)
            if plan_id is None:
                raise Unreadable(_("Choose a work plan. Make one first where there is none."))
            return Wanted(act, plan_id=plan_id)
        case Act.ORDER:
            try:
                day = date.fromisoformat(sent.day) if sent.day else None
            except ValueError:
                day = date.min
            if day is not None and not today <= day <= date(today.year + 1, 12, 31):
                raise Unreadable(_("Choose a day from today to the end of next year."))
            crew_id = typed_number(sent.crew)
            if sent.crew and crew_id not in {crew.id for crew in desk.crews(session, kind)}:
                raise Unreadable(
                    _("Choose an active crew of the list that does this kind of work.")
                )
            return Wanted(act, crew_id=crew_id, day=day)
        case _:
            return Wanted(act)


def _assign(word: str, worker: Worker, spoken: Language) -> Assign:
    if word == "nobody":
        return Assign()
    if word == "me":
        return Assign(person_id=worker.person_id)
    kind, _dash, number = word.partition("-")
    id = typed_number(number)
    if kind == "department" and id is not None:
        return Assign(department_id=id)
    if kind == "person" and id is not None:
        return Assign(person_id=id)
    raise Unreadable(spoken.gettext("Choose to whom it is given."))


def _asked_again(asked: str) -> DeskQuery:
    """Read the filters that a form carries; none where the desk would not take them."""
    try:
        told = parse_qsl(asked, max_num_fields=_MOST_ASKED)
        values: dict[str, Any] = dict(told)
        for name in ("category", "status"):
            values[name] = [value for known, value in told if known == name]
        return DeskQuery.model_validate(values)
    except ValueError:  # too many of them, or such as no address has
        return DeskQuery()


class Changes(Choosable):
    """What became of a change."""

    act: str
    done: Sequence[QueueItem]
    left: Sequence[tuple[QueueItem | None, int, Left, str]]
    again: Sequence[QueueItem]
    kind: Kind
    states: Mapping[Status, str]
    rank: Callable[[QueueItem], str]
    asked: str


@router.post("/changes")
def change_several(
    request: Request,
    session: Writing,
    settings: Chosen,
    at: AtDesk,
    sent: Annotated[Sent, Depends(_sent)],
) -> HTMLResponse:
    """Do something with all that is ticked, each as one or not at all, and say what became of it."""
    spoken: Language = request.state.language
    query = _asked_again(sent.asked)
    kind = _kind(request, at, query.kind)
    try:
        picked = _picked(sent, spoken)
        today = settings.today()
        wanted = _wanted(session, sent, at.worker, spoken, kind=kind, today=today)
    except Unreadable as error:
        ids = picked_ids(sent.pick)
        return _shown(
            request, session, settings, at, query, typed=sent.typed, fault=str(error), picked=ids
        )
    made = change(session, at.worker, picked, wanted)
    _tell(session, settings, at, wanted, made)
    now = {item.id: item for item in _some(session, settings, sorted(picked))}
    _log(session, at, f"desk.{wanted.act}", made.done)
    context = Changes(
        act=ACTS[wanted.act],
        done=[now[id] for id in made.done if id in now],
        left=[(now.get(id), id, left, left_words(left, spoken)) for id, left in made.left.items()],
        again=[now[id] for id in made.left if id in now and now[id].closed_at is None],
        kind=kind,
        states=STATES[kind],
        rank=partial(rank_words, language=spoken),
        asked=query.here,
        **_offered(session, kind, sent.typed),
    )
    return page(request, "desk_changed.html", context, status=409 if made.left else 200)


def _tell(session: Session, settings: Settings, at: Planner, wanted: Wanted, made: Done) -> None:
    to = wanted.assign and wanted.assign.person_id
    if to and to != at.worker.person_id and made.changed:
        tell_assigned(session, settings, to, made.changed)


# Day by day ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueDay:
    """How much is due on a day; `share` of the fullest day, in percent."""

    day: date
    counts: Counts
    share: int


class Overdue(TypedDict):
    """What is overdue, and what falls due."""

    late: Sequence[DueDay]
    coming: Sequence[DueDay]
    later: int
    kind: Kind
    kinds: Mapping[Kind, str]
    areas: Mapping[str, Sequence[Named]]
    query: DeskQuery
    today: date
    overdue: int
    hazard: int
    address: Callable[..., str]
    earlier: int


_LATE_DAYS, _COMING_DAYS = 30, 14
"""Days that are listed one by one. What is overdue for longer is put together."""


@router.get("/overdue")
def read_overdue(
    request: Request, session: Reading, settings: Chosen, at: AtDesk, query: Asked
) -> HTMLResponse:
    """Show day by day what is overdue and what falls due."""
    kind = _kind(request, at, query.kind)
    query = query.model_copy(update={"kind": kind, "overdue": False, "due": None})
    chosen = query.chosen(kind, settings, work.targets(session))
    days = desk.due_days(session, chosen)
    today = chosen.today
    late = [day for day in days if day < today]
    coming = [day for day in days if today <= day < today + timedelta(days=_COMING_DAYS)]
    fullest = max((days[day].total for day in (*late[-_LATE_DAYS:], *coming)), default=1)

    def row(day: date) -> DueDay:
        return DueDay(day, days[day], max(1, round(100 * days[day].total / fullest)))

    context = Overdue(
        late=[row(day) for day in reversed(late[-_LATE_DAYS:])],
        earlier=sum(days[day].total for day in late[:-_LATE_DAYS]),
        coming=[row(day) for day in coming],
        later=sum(counts.total for day, counts in days.items() if day >= today)
        - sum(days[day].total for day in coming),
        kind=kind,
        kinds={one: KINDS[one] for one in at.kinds},
        areas={AREAS[layer]: areas.named(session, layer) for layer in _CHOSEN_BY},
        query=query,
        today=today,
        overdue=sum(days[day].total for day in late),
        hazard=sum(days[day].hazard for day in late),
        address=query.asked,
    )
    return page(request, "desk_overdue.html", context)


# Files --------------------------------------------------------------------------------------------


def _exported(
    request: Request, session: Session, settings: Settings, at: Planner, query: DeskQuery
) -> tuple[list[QueueItem], dict[str, Any]]:
    kind = _kind(request, at, query.kind)
    chosen = query.chosen(kind, settings, work.targets(session))
    items, _more = desk.queue(session, chosen, limit=MOST_EXPORTED)
    _log(session, at, "desk.export", [item.id for item in items])
    return items, desk_files.made_with(query.asked(kind=kind.value), chosen.today, len(items))


def _file(content: str | bytes, name: str, media_type: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return Response(content, headers=headers, media_type=media_type)


@router.get("/queue.csv")
def queue_table(
    request: Request, session: Writing, settings: Chosen, at: AtDesk, query: Asked
) -> Response:
    """Give the queue as a table for spreadsheets."""
    items, _made = _exported(request, session, settings, at, query)
    return _file(desk_files.table(items), "queue.csv", "text/csv; charset=utf-8")


@router.get("/queue.geojson")
def queue_features(
    request: Request, session: Writing, settings: Chosen, at: AtDesk, query: Asked
) -> Response:
    """Give the queue as GeoJSON, at the exact places."""
    items, made = _exported(request, session, settings, at, query)
    return _file(desk_files.geojson(items, made), "queue.geojson", "application/geo+json")


@router.get("/queue.gpkg")
def queue_geopackage(
    request: Request, session: Writing, settings: Chosen, at: AtDesk, query: Asked
) -> Response:
    """Give the queue as GeoPackage, in the city's metres."""
    items, made = _exported(request, session, settings, at, query)
    return _file(desk_files.geopackage(items, made), "queue.gpkg", GEOPACKAGE)


# What the map fetches -----------------------------------------------------------------------------


@router.get("/tiles/{layer}/{z:int}/{x:int}/{y:int}.mvt")
def read_tile(
    *,
    request: Request,
    session: Reading,
    settings: Chosen,
    at: AtDesk,
    layer: str,
    z: int,
    x: int,
    y: int,
    query: Asked,
) -> Response:
    """Draw one tile of a layer of the desk."""
    if layer not in desk.LAYERS or z > DEEPEST or max(x, y) >= 1 << z:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is no such thing on the map any more."))
    kind = _kind(request, at, query.kind)
    chosen = query.chosen(kind, settings, work.targets(session))
    drawn = desk.tile(session, layer, Tile(z, x, y), chosen)
    return Response(
        drawn,
        status_code=200 if drawn else 204,
        headers={"Cache-Control": "no-store"},
        media_type="application/vnd.mapbox-vector-tile",
    )


@router.get("/features/{layer}/{id:int}")
def read_feature(
    *,
    request: Request,
    session: Reading,
    settings: Chosen,
    at: AtDesk,
    layer: str,
    id: int,
) -> FeatureFacts:
    """Give what the city's people may know of a feature of the map."""
    spoken: Language = request.state.language
    said = None
    if id <= LARGEST_ID and layer in {"needs", "work_plans"}:
        said = _need_said(session, settings, spoken, layer, id)
    elif id <= LARGEST_ID and layer == "dark_runs":
        said = _run_said(session, spoken, id)
    if said is None:
        _ = spoken.gettext
        raise Problem(404, _("Not found"), _("There is no such thing on the map any more."))
    return said


def _need_said(
    session: Session, settings: Settings, spoken: Language, layer: str, id: int
) -> FeatureFacts | None:
    _ = spoken.gettext
    found = _some(session, settings, [id])
    if not found:
        return None
    (item,) = found
    facts: Iterator[tuple[str, str]] = iter(
        [
            (_("How far"), _(STATES[item.category.kind].get(item.status, item.status.value))),
            (_("Priority"), rank_words(item, spoken)),
            (_("Pole"), item.pole),
            (_("Place"), item.place or item.neighbourhood),
            (_("Reports"), str(item.reports)),
        ]
    )
    return FeatureFacts(
        layer=layer,
        id=id,
        title=_(item.category.name),
        facts=[Fact(label=label, value=value) for label, value in facts if value],
        url=f"/desk/needs/{id}",
    )


def _run_said(session: Session, spoken: Language, id: int) -> FeatureFacts | None:
    run = desk.dark_run(session, id)
    if run is None:
        return None
    _ = spoken.gettext
    return FeatureFacts(
        layer="dark_runs",
        id=id,
        title=spoken.ngettext(
            "{n} dark light in a row", "{n} dark lights in a row", run.lights
        ).format(n=run.lights),
        facts=[
            Fact(label=label, value=value)
            for label, value in (
                (_("Street"), run.street),
                (_("From"), run.from_corner),
                (_("To"), run.to_corner),
            )
            if value
        ],
        url=f"/desk?run={id}",
    )
