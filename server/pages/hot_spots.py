"""Hot spots: where problems concentrate more than chance, for those who work on it and for everybody."""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypedDict
from urllib.parse import urlencode

import numpy as np
import orjson
from babel.dates import format_date, get_day_names
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from pydantic import BeforeValidator, Field, model_validator
from shapely.geometry import shape
from sqlalchemy.orm import Session

from data.models import AnalysisState, AreaLayer
from data.queries import areas, associations, audit, hot_spots
from data.queries.areas import Named
from data.queries.hot_spots import Around, Measures, Question, Run, Source
from geo.categories import BY_CODE, CATEGORIES, Category
from geo.grids import NOWHERE, Shape
from geo.hot_spots import Settings as Look
from geo.hot_spots import Verdict
from geo.roles import Role
from layers.atlas import Atlas, Options, Raster, atlas, view_of
from layers.atlas import View as MapView
from layers.block_watches import BlockWatches
from layers.police_incidents import PoliceIncidents
from layers.reports import Reports
from layers.service_locations import ServiceLocations
from layers.street_lights import StreetLights
from server import hot_spot_files
from server.dependencies import Chosen, Reading, Who, Writing, own_site
from server.hot_spot_brief import Named as NamedOnPaper
from server.hot_spot_brief import brief_page
from server.hot_spot_density import Smoothed, picture, pictures, smoothed
from server.hot_spot_patterns import PATTERNS
from server.hot_spot_sights import sight_of
from server.hot_spot_words import (
    CHANGES,
    HELD,
    HOMES_IN,
    LIGHTS,
    MEANINGS,
    MEASURES,
    METHODS,
    SHAPES,
    SHUFFLES,
    SOURCES,
    VERDICTS,
    Odds,
    odds,
)
from server.hot_spots import (
    HELD_AGAINST,
    LEAST_PUBLISHED,
    LIGHT,
    METHOD,
    PUBLIC_WIDTH_M,
    WIDTHS_M,
    Asked,
    Light,
    Measure,
    NoGround,
    NothingToMeasureBy,
    Sight,
    answer,
)
from server.kept import Kept
from server.languages import Language, language
from server.map_files import GEOPACKAGE
from server.month_charts import Chart, chart
from server.pages.map import KINDS, SOMEWHERE, raster
from server.pages.meeting_sheets import pdf_response
from server.pages.page import TEMPLATES, asset, page
from server.problems import Problem
from server.schemas.filters import LARGEST_ID, Day, Filters, none_if_empty
from server.settings import Settings
from server.visitors import Visitor

router = APIRouter(prefix="/hotspots", dependencies=[Depends(own_site)], include_in_schema=False)

LAYERS = (Reports, StreetLights, BlockWatches, ServiceLocations, PoliceIncidents)

CHOSEN_BY = {
    AreaLayer.PATROL_DIVISION: "patrol",
    AreaLayer.COUNCIL_DISTRICT: "district",
    AreaLayer.NEIGHBOURHOOD: "neighbourhood",
}
"""What those who may ask about the whole city choose areas by, and the titles."""

CELL = re.compile(r"(-?\d{1,9})\.(-?\d{1,9})")
"""How a cell is named in addresses: q and r."""

FALSE_SHARE = Look().false_share
"""Up to which q a difference is called more than chance: as that of hot cells."""

LONGEST_DAYS = 20 * 366
LOPSIDED = 0.4
"""Share of all incidents in one hot spot from which the page doubts the area, not the place."""

MOST_DRAWN = 4_000
"""Cells that stand out and are drawn on the map: more hide it."""


class HotSpotQuery(Filters):
    """What the page is asked for. Days are those on which it happened."""

    source: list[Source] = Field(default_factory=list)
    light: Light = Light.ANY
    weekday: list[Annotated[int, Field(ge=0, le=6)]] = Field(default_factory=list)
    width: Annotated[
        Literal[150, 200, 300, 400, 600] | None,
        BeforeValidator(lambda word: int(word) if str(word).isdecimal() else none_if_empty(word)),
    ] = None
    shape: Annotated[Shape, BeforeValidator(lambda word: word or Shape.HEXAGON)] = Shape.HEXAGON
    measure: Measure = Measure.CELL
    density: list[Source] = Field(default_factory=list)
    then_since: Day = Field(None, alias="then_from")
    then_until: Day = Field(None, alias="then_to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Leave the order of days to `_asked`: the page says at the field what is wrong with it."""
        return self


assert set(WIDTHS_M) == {150, 200, 300, 400, 600}


DAYS = ("since", "until", "then_since", "then_until")
"""Fields of the periods."""


class NotAPeriod(Problem):
    """Days that can not be asked about.

    Parameters
    ----------
    title : str
    faults : mapping of str to str
        What to do, by the name of the field in addresses.
    """

    def __init__(self, title: str, faults: Mapping[str, str]) -> None:
        super().__init__(422, title, " ".join(faults.values()))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Standing:
    """What a visitor may ask for.

    Attributes
    ----------
    areas : mapping of str to sequence of Named
        By a title; empty for whom there is nothing to choose.
    whole : bool
        Whether the whole city may be asked about freely.
    area_ids : tuple of int
        What is asked about where nothing is chosen; the whole city without any.
    watches : sequence of Named
        Of the visitor's own.
    """

    areas: Mapping[str, Sequence[Named]]
    whole: bool
    area_ids: tuple[int, ...]
    watches: Sequence[Named]

    @property
    def works(self) -> bool:
        """Whether the visitor has a role that sees more than everybody."""
        return self.whole or bool(self.area_ids)

    @property
    def key(self) -> Hashable:
        """All of it, to keep something by."""
        titled = tuple((title, *named) for title, named in self.areas.items())
        return titled, self.whole, self.area_ids, (*self.watches,)


def _standing(session: Session, who: Visitor) -> Standing:
    watches = [Named(one.id, one.name) for one in associations.named(session, who.watches)]
    if who.has(Role.STAFF, Role.ADMINISTRATOR):
        named = hot_spots.choices(session, [*CHOSEN_BY])
        titled = {title: named[layer] for layer, title in CHOSEN_BY.items() if named[layer]}
        return Standing(titled, True, (), watches)
    divisions = areas.named(session, AreaLayer.PATROL_DIVISION) if who.works else []
    own = {grant.area_id for grant in who.grants if grant.role is Role.LIAISON}
    mine = [division for division in divisions if division.id in own]
    ids = tuple(sorted(one.id for one in mine))
    return Standing({"patrol": mine} if mine else {}, False, ids, watches)


def _asked(
    request: Request, standing: Standing, query: HotSpotQuery, today: date
) -> tuple[Asked, ...]:
    """Turn what stands in the address into questions that the visitor may ask.

    Raises
    ------
    Problem
        `NotAPeriod` where the days are not in order.
    """
    sources = tuple(one for one in Source if one in query.source) or (Source.REPORTS,)
    watch = query.block_watch
    if watch is not None and watch not in {one.id for one in standing.watches}:
        raise _refused(request)
    if not standing.works and watch is None:
        return tuple(_public(source, query, today) for source in sources)
    allowed = {one.id for named in standing.areas.values() for one in named}
    if query.area is not None and query.area not in allowed:
        raise _refused(request)
    # Days that are not over would count as days without incidents.
    over = today - timedelta(days=1)
    until = min(query.until or over, over)
    since = query.since or _year_before(until)
    spoken: Language = request.state.language
    if faults := _faults(spoken, query, (since, until), over):
        raise NotAPeriod(spoken.gettext("Not such a period"), faults)
    asked = Asked(
        source=Source.REPORTS,
        since=since,
        until=until,
        then_since=query.then_since,
        then_until=query.then_until,
        light=query.light,
        weekdays=tuple(sorted(set(query.weekday))),
        area_ids=()
        if watch is not None
        else ((query.area,) if query.area is not None else standing.area_ids),
        watch_id=watch,
        width_m=query.width or 200,
        shape=query.shape,
        measure=query.measure,
    )
    return tuple(
        replace(asked, source=source, categories=_categories(query))
        if source is Source.REPORTS
        else replace(asked, source=source)
        for source in sources
    )


def _faults(
    spoken: Language, query: HotSpotQuery, period: tuple[date, date], over: date
) -> dict[str, str]:
    """Say what is wrong with the days, by the name of the field.

    A period to compare with ends before the other begins, so all its days are over.
    """
    _ = spoken.gettext
    order = _("Choose a last day that does not come before the first.")
    long = _("Choose at most 20 years.")
    faults = {}
    since, until = period
    if query.since and query.until and query.until < query.since:
        faults["to"] = order
    elif since > over:
        faults["from"] = _("Choose a day up to {day}: later days are not over yet.").format(
            day=format_date(over, "long", locale=spoken.locale)
        )
    elif (until - since).days > LONGEST_DAYS:
        faults["from"] = long
    then_since, then_until = query.then_since, query.then_until
    if then_since is None and then_until is not None:
        faults["then_from"] = _("Give the first day as well, or leave both empty.")
    elif then_until is None and then_since is not None:
        faults["then_to"] = _("Give the last day as well, or leave both empty.")
    elif then_since is not None and then_until is not None:
        if then_until < then_since:
            faults["then_to"] = order
        elif then_until >= since:
            faults["then_to"] = _(
                "Choose a day before {day}: the period to compare with ends before the other begins."
            ).format(day=format_date(since, "long", locale=spoken.locale))
        elif (then_until - then_since).days > LONGEST_DAYS:
            faults["then_from"] = long
    return faults


def _year_before(until: date) -> date:
    return until - timedelta(days=364)


def _categories(query: HotSpotQuery) -> tuple[str, ...]:
    """Give the codes of what is chosen: chosen categories, and kinds of which none is chosen as a whole."""
    narrowed = {BY_CODE[code].kind for code in query.category}
    return tuple(
        sorted(
            category.code
            for category in CATEGORIES
            if category.code in query.category
            or (category.kind in query.kind and category.kind not in narrowed)
        )
    )


def _public(source: Source, query: HotSpotQuery, today: date) -> Asked:
    """Give what everybody may ask: the last twelve whole months, and of reports one kind or all."""
    month = today.replace(day=1)
    since, until = month.replace(year=month.year - 1), month - timedelta(days=1)
    one = query.model_copy(update={"category": [], "kind": query.kind[:1]})
    return Asked(
        source=source,
        since=since,
        until=until,
        categories=_categories(one) if source is Source.REPORTS else (),
        width_m=PUBLIC_WIDTH_M,
        published=True,
    )


def _refused(request: Request) -> Problem:
    _ = request.state.language.gettext
    return Problem(
        403,
        _("Not yours to ask"),
        _("You may ask about your own divisions and block watches. Choose one of the list."),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A hot spot, or a dense cell, as the list shows it.

    Attributes
    ----------
    number : int or None
        Of the hot spot, from 1; None where merely dense.
    code : str
        Names the cell in addresses.
    count, cells, firm : int
        Incidents of the whole hot spot or the dense cell, its cells, and those of them that are firm.
    dark : int or None
        Percent of them in the dark.
    then : int or None
        Incidents in the period to compare with.
    differs : bool
        Whether both periods differ more than chance in one of its cells with those around it.
    """

    number: int | None
    code: str
    name: str
    verdict: str
    count: int
    cells: int
    firm: int
    change: str
    dark: int | None
    then: int | None
    differs: bool
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Place:
    """A cell by its name in addresses, and where it is in words."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class View:
    """One source as the page shows it.

    Attributes
    ----------
    state : str
        "working", "failed", "no_city", "no_measure", "not_measured", "none_found", "suppressed" or
        "found".
    next_ : sequence of Place
        Where the most is to be expected.
    query : str
        Of the address, for this source alone.
    smooth : Smoothed or None
        Of the density, for those who may see it.
    """

    source: Source
    asked: Asked
    state: str
    run: Run | None
    rows: Sequence[Row]
    gone: int
    next_: Sequence[Place]
    query: str
    smooth: Smoothed | None

    @property
    def lopsided(self) -> bool:
        """Whether one hot spot holds so much that reports seem to come from a part of the area."""
        most = max((row.count for row in self.rows if row.number), default=0)
        return most > LOPSIDED * int(self.found["incidents"])

    @property
    def found(self) -> Mapping[str, Any]:
        """Sums; empty where there is no answer."""
        return self.run.found or {} if self.run is not None else {}


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, and by what it is answered. `rights` is what `hot_spots.rights` gives."""

    session: Session
    who: Visitor
    settings: Settings
    rights: str


def _run(desk: Desk, asked: Asked) -> Run | None:
    """Give the answer to a question: the one that is kept, one found now, or a job that works on it.

    None where there is no city to ask about, or nothing to measure it against.
    """
    session, zone = desk.session, desk.settings.zone
    if asked.measure is not Measure.CELL and not _measurable(session, asked.measure):
        return None
    version = hot_spots.rows_version(session, asked.source)
    question = Question(asked.written(), desk.rights, METHOD, version)
    kept = hot_spots.find(session, question)
    if kept is not None:
        return kept
    start = datetime.combine(asked.since, time(), zone)
    end = datetime.combine(asked.until + timedelta(days=1), time(), zone)
    if hot_spots.at_most(session, asked.source, (start, end), LIGHT):
        try:
            found = answer(session, asked, zone)
        except (NoGround, NothingToMeasureBy):
            return None
        now = hot_spots.rights(session)
        if now != desk.rights:  # a role began or ended meanwhile
            return _run(replace(desk, rights=now), asked)
        hot_spots.keep(session, question, found)
    else:
        hot_spots.ask(session, question, desk.who.person_id if desk.rights else None)
    return hot_spots.find(session, question)


def _measurable(session: Session, measure: Measure) -> bool:
    known = hot_spots.measures(session)
    return bool(known.streets if measure is Measure.STREET else known.homes)


def _state(run: Run | None, asked: Asked) -> str:
    if run is None:
        return "no_city" if asked.measure is Measure.CELL else "no_measure"
    if run.state is AnalysisState.FAILED:
        return "failed"
    if run.state is not AnalysisState.DONE:
        return "working"
    assert run.found is not None
    if run.found["too_few"]:
        return "not_measured"
    if run.found["listed"]:
        return "found" if run.found["spots"] else "none_found"
    return "suppressed" if asked.published and run.found["suppressed"] else "none_found"


def _query(query: HotSpotQuery, source: Source | None = None) -> str:
    """Write the address of a question anew, of one source alone where one is given."""
    values = query.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if source is not None:
        values["source"] = [source]
    pairs = [
        (name, one)
        for name, value in values.items()
        if value is not None
        for one in (value if isinstance(value, list) else [value])
    ]
    return urlencode(pairs)


def _rows(sight: Sight, asked: Asked) -> list[Row]:
    lon, lat = sight.lonlat
    made = []
    for listed in sight.found["listed"]:
        cell = listed["cell"]
        spot = int(sight.spot[cell])
        mine = np.flatnonzero(sight.spot == spot) if spot != NOWHERE else np.array([cell])
        count = int(sight.counts[mine].sum())
        firm = int(np.count_nonzero(sight.verdict[mine] == Verdict.FIRM))
        made.append(
            Row(
                number=None if spot == NOWHERE else spot + 1,
                code=f"{sight.cells.q[cell]}.{sight.cells.r[cell]}",
                name=listed["name"],
                verdict=str(Verdict.FIRM if firm else sight.verdict[cell]),
                count=count,
                cells=len(mine),
                firm=firm,
                change=str(sight.change[cell]),
                dark=round(100 * sight.dark[mine].sum() / count)
                if count and not asked.published
                else None,
                then=int(sight.then_counts[mine].sum()) if asked.then else None,
                differs=bool((sight.then_q[mine] <= FALSE_SHARE).any()),
                lat=round(float(lat[cell]), 5),
                lon=round(float(lon[cell]), 5),
            )
        )
    return made


def _view(desk: Desk, asked: Asked, run: Run | None, query: HotSpotQuery) -> View:
    state = _state(run, asked)
    rows: Sequence[Row] = ()
    next_: Sequence[Place] = ()
    smooth = None
    gone = 0
    if run is not None and run.state is AnalysisState.DONE:
        sight = sight_of(desk.session, run)
        rows = _rows(sight, asked)
        gone = int((sight.then_hot & (sight.spot == NOWHERE)).sum())
        forecast = sight.found.get("where_next") or {"cells": []}
        next_ = [
            Place(code, name)
            for code, name in zip(forecast["cells"], sight.found["next_names"], strict=True)
        ]
        smooth = None if sight.smooth is None else smoothed(sight.smooth)
    own = _query(query, asked.source)
    return View(asked.source, asked, state, run, rows, gone, next_, own, smooth)


def _log(desk: Desk, what: str, subject: str = "") -> None:
    """Write down what police read of places that are not public."""
    if desk.rights and desk.who.has(Role.LIAISON):
        audit.add(desk.session, desk.who.person_id, f"hot_spots.{what}", subject)


def _desk(session: Writing, settings: Chosen, who: Who) -> Desk:
    return Desk(session, who, settings, hot_spots.rights(session))


AtDesk = Annotated[Desk, Depends(_desk)]


class HotSpotsPage(TypedDict):
    """What the page of hot spots shows."""

    views: Sequence[View]
    standing: Standing
    query: HotSpotQuery
    asked: Asked
    published: bool
    atlas: Atlas
    kinds: Mapping[str, str]
    categories: Sequence[Category]
    lights: Mapping[Light, str]
    sources: Mapping[Source, str]
    weekdays: Sequence[str]
    widths: Sequence[int]
    shapes: Mapping[Shape, str]
    measures: Mapping[Measure, str]
    known: Measures
    homes_in: Mapping[AreaLayer, str]
    methods: Mapping[str, str]
    verdicts: Mapping[str, str]
    changes: Mapping[str, str]
    least: int
    export: str
    asked_categories: Sequence[str]
    unmeasured: str
    faults: Mapping[str, str]
    chosen: Sequence[Source]


@router.get("")
def hot_spots_page(
    request: Request, desk: AtDesk, query: Annotated[HotSpotQuery, Query()]
) -> HTMLResponse:
    """Show where problems concentrate, as a map and as a list."""
    standing = _standing(desk.session, desk.who)
    spoken: Language = request.state.language
    today = desk.settings.today()
    try:
        questions = _asked(request, standing, query, today)
    except NotAPeriod as problem:
        undated = query.model_copy(update=dict.fromkeys(DAYS))
        unanswered = [(asked, None) for asked in _asked(request, standing, undated, today)]
        shown = _shown(desk, spoken, query, standing, unanswered, faults=problem.faults)
        return page(request, "hot_spots.html", shown, status=problem.status)
    answered = [(asked, _run(desk, asked)) for asked in questions]
    if not questions[0].published:
        _log(desk, "read")

    def make() -> Shown:
        return _shown(desk, spoken, query, standing, answered)

    done = tuple(
        (run.id, run.read_at) if run is not None and run.state is AnalysisState.DONE else None
        for _asked, run in answered
    )
    shown = (
        make()
        if None in done
        else _kept.get((spoken.code, _query(query), standing.key, done), make)
    )
    return page(request, "hot_spots.html", shown)


class Shown(TypedDict):
    """The page but for what is of this one answer: its visitor, its nonce."""

    atlas: Atlas
    main: Markup
    mapped: bool
    working: bool


_kept = Kept[Shown](64, for_s=60)
"""Pages of answers that stay as they are; what has been imported since shows after a minute."""


def _shown(
    desk: Desk,
    spoken: Language,
    query: HotSpotQuery,
    standing: Standing,
    answered: Sequence[tuple[Asked, Run | None]],
    *,
    faults: Mapping[str, str] = MappingProxyType({}),
) -> Shown:
    """Write the page; with faults only the form, and what is wrong at its fields."""
    views = [] if faults else [_view(desk, asked, run, query) for asked, run in answered]
    asked = answered[0][0]
    drawn = _atlas(desk, spoken, asked)
    context = HotSpotsPage(
        views=views,
        standing=standing,
        query=query,
        asked=asked,
        published=asked.published,
        atlas=drawn,
        kinds=KINDS,
        categories=CATEGORIES,
        lights=LIGHTS,
        sources=SOURCES,
        weekdays=_weekdays(spoken),
        widths=WIDTHS_M,
        shapes=SHAPES,
        measures=MEASURES,
        known=hot_spots.measures(desk.session),
        homes_in=HOMES_IN,
        methods=METHODS,
        verdicts=VERDICTS,
        changes=CHANGES,
        least=LEAST_PUBLISHED,
        export=_query(query),
        asked_categories=_categories(query),
        unmeasured=_query(query.model_copy(update={"measure": Measure.CELL})),
        faults=faults,
        chosen=[one.source for one, _run in answered],
    )
    main = TEMPLATES.get_template("hot_spots_main.html").render(
        {"language": spoken, "time_zone": desk.settings.zone, **context}
    )
    working = any(view.state == "working" for view in views)
    return Shown(atlas=drawn, main=Markup(main), mapped=not faults, working=working)  # noqa: S704 (a template's)


def _weekdays(spoken: Language) -> list[str]:
    names = get_day_names("wide", "stand-alone", spoken.locale)
    return [names[day] for day in range(7)]


def _atlas(desk: Desk, spoken: Language, asked: Asked) -> Atlas:
    ground: tuple[Literal["area", "block_watch"], int] | None = None
    outline = None
    if asked.watch_id is not None:
        ground = ("block_watch", asked.watch_id)
        outline = areas.outline_of_block_watch(desk.session, asked.watch_id)
    elif len(asked.area_ids) == 1:
        ground = ("area", asked.area_ids[0])
        outline = areas.outline_of_area(desk.session, asked.area_ids[0])
    box = areas.extent(desk.session) if outline is None else outline.bounds
    view = SOMEWHERE if box is None else view_of(box.west, box.south, box.east, box.north)
    return _cached_atlas(spoken.code, view, raster(desk.settings), ground)


@lru_cache(maxsize=64)
def _cached_atlas(
    code: str,
    view: MapView,
    base: Raster | None,
    ground: tuple[Literal["area", "block_watch"], int] | None,
) -> Atlas:
    return atlas(
        LAYERS,
        view,
        Options(
            mode="cells",
            shown={BlockWatches.name},
            asset=asset,
            translate=language(code).gettext,
            raster=base,
            ground=ground,
            cells="[data-hot-spots]",
        ),
    )


def _answered(request: Request, desk: Desk, query: HotSpotQuery) -> list[tuple[Asked, Run | None]]:
    """Give the answers that there are, in the order of the sources."""
    standing = _standing(desk.session, desk.who)
    questions = _asked(request, standing, query, desk.settings.today())
    return [(asked, _run(desk, asked)) for asked in questions]


@router.get("/cells")
def cells_of_the_map(
    request: Request, desk: AtDesk, query: Annotated[HotSpotQuery, Query()]
) -> Response:
    """Give the cells that stand out, for the map."""
    drawn = []
    _ = request.state.language.gettext
    for asked, run in _answered(request, desk, query):
        if run is None or run.state is not AnalysisState.DONE:
            continue
        sight = sight_of(desk.session, run)
        stands_out = np.zeros(len(sight.cells), np.bool_)
        stands_out[sight.ranked()[:MOST_DRAWN]] = True
        stands_out |= sight.then_hot
        rings = sight.cells.only(stands_out).geojson(5)
        for cell, ring in zip(np.flatnonzero(stands_out).tolist(), rings, strict=True):
            verdict = str(sight.verdict[cell])
            gone = bool(sight.then_hot[cell]) and sight.spot[cell] == NOWHERE
            code = f"{sight.cells.q[cell]}.{sight.cells.r[cell]}"
            drawn.append(
                {
                    "source": asked.source,
                    "look": "gone" if gone else verdict,
                    "spot": int(sight.spot[cell]) + 1,
                    "title": _("No longer hot") if gone else _(VERDICTS[verdict]),
                    "ring": ring["coordinates"][0],  # type: ignore[index]  # a polygon's
                    "cell": code,
                    "href": f"/hotspots/cell/{code}?{_query(query, asked.source)}",
                }
            )
    return Response(
        orjson.dumps(drawn),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


@router.get("/density.png")
def density_of_the_map(
    request: Request, desk: AtDesk, query: Annotated[HotSpotQuery, Query()]
) -> Response:
    """Give the density of one source, for the map."""
    _ = request.state.language.gettext
    asked, run = _answered(request, desk, query)[0]
    if asked.published:
        raise Problem(
            403,
            _("For those who work on it"),
            _("A smoothed map would tell of places with few reports. Liaisons and staff see it."),
        )
    done = run is not None and run.state is AnalysisState.DONE
    smooth = sight_of(desk.session, run).smooth if run is not None and done else None
    if run is None or smooth is None:
        raise Problem(
            404,
            _("No density yet"),
            _("Nothing has been counted yet. Wait until the analysis is done, and try again."),
        )
    drawn = pictures.get((run.id, run.read_at), lambda: picture(smooth))
    return Response(drawn, media_type="image/png", headers={"Cache-Control": "no-store"})


class CellPage(TypedDict):
    """What is told of one cell. The numbers are those of `Sight`; `then` is None without a period."""

    asked: Asked
    run: Run
    published: bool
    name: str
    verdict: str
    meaning: str
    change: str
    spot: int | None
    spot_cells: int
    count: int
    reports: int
    around: int
    expected: float
    p: float
    q: float
    chance: Odds | None
    false_alarms: Odds | None
    shuffle: str
    holds: Sequence[tuple[str, int]]
    dark: int
    one_point: int
    then: int | None
    differs: bool
    chart: Chart | None
    near: Around
    sources: Mapping[Source, str]
    verdicts: Mapping[str, str]
    least: int
    map_view: str
    back: str


@router.get("/cell/{cell}", response_model=None)
def cell_page(
    request: Request, desk: AtDesk, cell: str, query: Annotated[HotSpotQuery, Query()]
) -> HTMLResponse | RedirectResponse:
    """Show one cell: what was counted in it, how sure that is, and what lies near."""
    back = f"/hotspots?{_query(query)}"
    found = found_cell(request, desk, query, cell)
    if found is None:
        return RedirectResponse(back, 303)
    asked, run, sight, number = found
    context = _cell(desk.session, request.state.language, (asked, run, sight), number, back)
    return page(request, "hot_spot_cell.html", context)


def found_cell(
    request: Request, desk: Desk, query: HotSpotQuery, cell: str
) -> tuple[Asked, Run, Sight, int] | None:
    """Give a cell as an analysis has it, and write down that it is read.

    Returns
    -------
    tuple of (Asked, Run, Sight, int) or None
        The last is the number of the cell. None where there is no answer, or not yet.

    Raises
    ------
    Problem
        404 where the answer has no such cell.
    """
    asked, run = _answered(request, desk, query)[0]
    if run is None or run.state is not AnalysisState.DONE:
        return None
    sight = sight_of(desk.session, run)
    name = CELL.fullmatch(cell)
    number = sight.number(int(name[1]), int(name[2])) if name else None
    if number is None:
        raise _no_cell(request, published=asked.published)
    if not asked.published:
        _log(desk, "cell.read", f"hot_spot_cell {asked.width_m}:{cell}")
    return asked, run, sight, number


def _no_cell(request: Request, *, published: bool) -> Problem:
    _ = request.state.language.gettext
    if published:
        return Problem(
            404,
            _("Nothing is shown of this place"),
            _(
                "Either it lies outside, or fewer than {least} incidents were counted there. So few "
                "could point at a home, and they are not shown."
            ).format(least=LEAST_PUBLISHED),
        )
    return Problem(
        404,
        _("No such cell"),
        _("This cell lies outside of what you asked about. Go back and choose one of the map."),
    )


def _cell(
    session: Session,
    spoken: Language,
    answered: tuple[Asked, Run, Sight],
    number: int,
    back: str,
) -> CellPage:
    asked, run, sight = answered
    (ring,) = sight.cells.only(np.arange(len(sight.cells)) == number).geojson(7)
    near = hot_spots.around(session, shape(ring))
    spot = int(sight.spot[number])
    verdict = str(sight.verdict[number])
    lon, lat = sight.lonlat
    return CellPage(
        asked=asked,
        run=run,
        published=asked.published,
        name=hot_spots.named_places(session, [(float(lon[number]), float(lat[number]))])[0],
        verdict=verdict,
        meaning=MEANINGS[verdict],
        change=CHANGES[str(sight.change[number])] if asked.days >= 120 else "",
        spot=None if spot == NOWHERE else spot + 1,
        spot_cells=int((sight.spot == spot).sum()),
        count=int(sight.counts[number]),
        reports=int(sight.reports[number]),
        around=int(sight.lag[number]),
        expected=float(sight.expected[number]),
        p=float(sight.p[number]),
        q=float(sight.q[number]),
        chance=odds(float(sight.p[number])),
        false_alarms=odds(float(sight.q[number])),
        shuffle=SHUFFLES[asked.measure],
        holds=[
            (HELD[grid], round(100 * float(share)))
            for grid, share in zip(HELD_AGAINST, sight.holds[:, number], strict=False)
            if share == share  # noqa: PLR0124 (NaN: not hot)
        ],
        dark=int(sight.dark[number]),
        one_point=int(sight.one_point[number]),
        then=int(sight.then_counts[number]) if asked.then else None,
        differs=bool(sight.then_q[number] <= FALSE_SHARE),
        chart=None
        if asked.published
        else chart(sight.found["first_month"], sight.months[:, number].tolist(), spoken),
        near=near,
        sources=SOURCES,
        verdicts=VERDICTS,
        least=LEAST_PUBLISHED,
        map_view=urlencode(
            {"lat": round(float(lat[number]), 5), "lon": round(float(lon[number]), 5), "zoom": 16}
        ),
        back=back,
    )


@router.get("/cells.{form}")
def cells_as_file(
    request: Request,
    desk: AtDesk,
    form: Literal["geojson", "gpkg", "csv"],
    query: Annotated[HotSpotQuery, Query()],
) -> Response:
    """Write the cells of one source as a file."""
    asked, run = _answered(request, desk, query)[0]
    if run is None or run.state is not AnalysisState.DONE:
        return RedirectResponse(f"/hotspots?{_query(query)}", 303)
    if not asked.published:
        _log(desk, "file.read")
    sight = sight_of(desk.session, run)
    assert run.read_at is not None
    made = hot_spot_files.made_with(
        asked,
        method=run.method,
        read_at=run.read_at,
        rows_version=run.rows_version,
        **{name: sight.found[name] for name in PATTERNS if name in sight.found},
    )
    file = hot_spot_files.written(made, asked, sight)
    content: str | bytes
    match form:
        case "geojson":
            content, media_type = hot_spot_files.geojson(file), "application/geo+json"
        case "csv":
            content, media_type = hot_spot_files.table(file), "text/csv; charset=utf-8"
        case "gpkg":
            content = hot_spot_files.geopackage(file)
            media_type = GEOPACKAGE
    name = f"hot-spots-{asked.source}-{asked.since}-{asked.until}.{form}"
    return Response(
        content,
        media_type=media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


@router.get("/brief.pdf", response_model=None)
def brief(request: Request, desk: AtDesk, query: Annotated[HotSpotQuery, Query()]) -> Response:
    """Write two pages of paper about one source."""
    spoken: Language = request.state.language
    _ = spoken.gettext
    asked, run = _answered(request, desk, query)[0]
    if asked.published:
        raise Problem(
            403,
            _("For those who work on it"),
            _("Liaisons, staff and block watches print this. Sign in, and choose what is yours."),
        )
    if run is None or run.state is not AnalysisState.DONE:
        return RedirectResponse(f"/hotspots?{_query(query)}", 303)
    _log(desk, "brief.read")
    names = _weekdays(spoken)
    named = NamedOnPaper(
        area=_area_name(desk, asked, spoken),
        weekdays=[names[day] for day in asked.weekdays],
        categories=[
            _(category.name) for category in CATEGORIES if category.code in asked.categories
        ],
        address=f"/hotspots?{_query(query, asked.source)}",
        now=datetime.now(UTC),
    )
    written = brief_page(
        desk.session, desk.settings, spoken, (asked, run, sight_of(desk.session, run)), named
    )
    return pdf_response(written, f"hot-spots-{asked.since}-{asked.until}.pdf", spoken)


def _area_name(desk: Desk, asked: Asked, spoken: Language) -> str:
    if asked.watch_id is not None:
        return ", ".join(one.name for one in associations.named(desk.session, [asked.watch_id]))
    found = [areas.area(desk.session, id) for id in asked.area_ids]
    return ", ".join(one.name for one in found if one) or spoken.gettext("Whole city")


@router.get("/progress/{run_id}")
def progress(request: Request, session: Reading, run_id: int) -> HTMLResponse:
    """Show how far an analysis has come; the page is loaded anew when it has ended."""
    run = hot_spots.by_id(session, run_id) if 0 < run_id <= LARGEST_ID else None
    ended = run is None or run.state in {AnalysisState.DONE, AnalysisState.FAILED}
    return page(
        request,
        "hot_spots_progress.html",
        {"run": run},
        headers={"HX-Refresh": "true"} if ended else None,
    )


@router.post("/again/{run_id}")
def try_again(
    request: Request,
    session: Writing,
    run_id: int,
    asked: Annotated[str, Form(max_length=2_000)] = "",
) -> RedirectResponse:
    """Have an analysis that failed be tried again."""
    if 0 < run_id <= LARGEST_ID:
        hot_spots.again(session, run_id)
    return RedirectResponse(f"/hotspots?{asked}", 303)
