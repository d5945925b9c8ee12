"""Reports for people: the form, and the page of each report."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import lru_cache
from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.models import EventKind
from data.queries import areas, places, reports
from data.queries.reports import (
    Contact,
    Held,
    KeyReused,
    NearbyReport,
    NotOpen,
    PublicReport,
    TimelineEntry,
)
from geo.categories import BY_CODE, CATEGORIES, N_, Category, Setting
from geo.kinds import Kind, Severity
from geo.places import (
    PlaceError,
    Position,
    plain_text,
    point,
    position,
    typed_coordinates,
)
from geo.statuses import OPEN, Status
from layers.atlas import Atlas, Options, Raster, View, atlas, view_of
from layers.reports import Reports
from layers.street_lights import StreetLights
from layers.words import words
from server import submissions
from server.dependencies import Chosen, Places, Reading, Writing, own_site
from server.languages import Language, language
from server.pages.map import KINDS, SOMEWHERE, STATUSES, raster
from server.pages.page import asset, page
from server.positions import Positions
from server.report_words import not_found, not_open
from server.settings import Settings
from server.submissions import Fault, Refused, Sent
from server.supporters import neighbour, remember, supporter

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

KIND_HINTS: dict[Kind, str] = {
    Kind.LIGHTING: N_("A street light is out, or a place is too dark"),
    Kind.CLEANUP: N_("Trash, weeds, graffiti, an abandoned car"),
    Kind.PROBLEM_SPOT: N_("A building, corner or spot that does not feel safe"),
}

SEVERITIES: dict[Severity, str] = {
    Severity.MINOR: N_("A nuisance"),
    Severity.SERIOUS: N_("Serious"),
    Severity.DANGEROUS: N_("Dangerous"),
}

MEANINGS: dict[Status, str] = {
    Status.RECEIVED: N_("The report has arrived. Nobody has looked into it yet."),
    Status.CONFIRMED: N_("Somebody has checked: the problem is there."),
    Status.SCHEDULED: N_("The work is planned."),
    Status.IN_PROGRESS: N_("The work has begun."),
    Status.DONE: N_("This is the city's word. Neighbours have not said yet whether it is fixed."),
    Status.VERIFIED: N_("This is the neighbours' word: they have seen that it is fixed."),
    Status.DUPLICATE: N_("Another report stands for this one."),
    Status.DECLINED: N_("Nothing will be done about it."),
    Status.NOT_OURS: N_("This is not for the city to fix."),
}

ICONS: dict[Status, str] = {
    Status.RECEIVED: "○",
    Status.CONFIRMED: "◔",
    Status.SCHEDULED: "◑",
    Status.IN_PROGRESS: "◕",
    Status.DONE: "●",
    Status.VERIFIED: "✓",
    Status.DUPLICATE: "≡",
    Status.DECLINED: "✕",
    Status.NOT_OURS: "↷",
}

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
_FEET_PER_METRE = 3.28084

LOOK_ZOOM = 16
"""Of the small map of a report: some blocks around it."""


class ReportForm(BaseModel):
    """The form as it was typed. Everything is text, so that nothing typed is ever lost."""

    kind: str = ""
    category: str = ""
    address: str = ""
    lat: str = ""
    lon: str = ""
    place: str = ""
    place_for: str = ""
    when: str = "now"
    day: str = ""
    time: str = ""
    long_ago: str = ""
    description: str = ""
    severity: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A place offered for what was typed; the value is what the form sends back."""

    label: str
    value: str


class FormPage(TypedDict):
    """What the form's page shows."""

    form: ReportForm
    faults: Sequence[Fault]
    wrong: Mapping[str, Fault]
    choices: Sequence[Choice]
    kinds: dict[Kind, str]
    kind_hints: dict[Kind, str]
    categories: dict[Kind, dict[str, list[Category]]]
    severities: dict[Severity, str]
    today: date
    sent_id: int | None
    atlas: Atlas
    words: str


class SamePage(TypedDict):
    """What "is it one of these?" shows."""

    form: ReportForm
    category: Category
    same: Sequence[NearbyReport]
    feet: Mapping[int, int]
    statuses: dict[str, str]
    icons: dict[Status, str]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline as it is shown: neighbours who joined in a row are one."""

    at: datetime
    status: Status | None
    note: str
    supports: int


class OnePage(TypedDict):
    """What the page of a report shows."""

    report: PublicReport
    title: str
    kind: str
    place: str | None
    generalized: bool
    status: str
    icon: str
    meaning: str
    is_open: bool
    severity: str | None
    timeline: Sequence[Line]
    statuses: dict[str, str]
    icons: dict[Status, str]
    nearby: Sequence[NearbyReport]
    feet: Mapping[int, int]
    link: str
    is_new: bool
    supported: bool
    atlas: Atlas | None
    map_link: str | None


@router.get("/report", response_class=HTMLResponse)
def report_form(
    request: Request, session: Reading, settings: Chosen, kind: str = "", category: str = ""
) -> HTMLResponse:
    """Show the empty form."""
    chosen = BY_CODE.get(category)
    form = ReportForm(kind=chosen.kind if chosen else kind, category=category, token=_token())
    return _form_page(request, session, settings, form)


@router.post("/report")
def send_form(
    *,
    request: Request,
    form: Annotated[ReportForm, Form()],
    session: Writing,
    settings: Chosen,
    positions: Places,
    new: Annotated[str, Form()] = "",
    change: Annotated[str, Form()] = "",
) -> Response:
    """Check what was typed, ask whether it is known already, and store it."""
    language = request.state.language
    if not _TOKEN.fullmatch(form.token):
        form = form.model_copy(update={"token": _token()})
    if change:
        return _form_page(request, session, settings, form)
    try:
        sent = _sent(session, form, positions, settings, language)
        # A second tap must not be asked whether its own report is the same.
        submitted = reports.sent_before(session, key=sent.key, body_hash=sent.body_hash)
        if submitted is None and not new:
            same = reports.nearby_same(session, sent.place, sent.category)
            if same:
                return _same_page(request, form, sent.category, same)
        submitted = submitted or submissions.store(
            session, sent, positions, language, settings.city_name
        )
    except Refused as refused:
        return _form_page(request, session, settings, form, faults=refused.faults, status=422)
    except KeyReused as error:
        # Whoever went back and changed something wants to send that, too: under a new key.
        fresh = form.model_copy(update={"token": _token()})
        return _form_page(request, session, settings, fresh, status=409, sent_id=error.report_id)
    return RedirectResponse(f"/reports/{submitted.id}?new=1", 303)


def _token() -> str:
    return secrets.token_urlsafe(16)


def _sent(
    session: Session,
    form: ReportForm,
    positions: Positions,
    settings: Settings,
    language: Language,
) -> Sent:
    _ = language.gettext
    faults: list[Fault] = []
    category = BY_CODE.get(form.category)
    if category is None or (form.kind and form.kind != category.kind):
        category = None
        faults.append(Fault("category", "missing", _("Choose what it is about.")))
    place: BaseGeometry | None = None
    address = ""
    try:
        place, address = _place(session, form, positions, language)
    except PlaceError as error:
        faults.append(submissions.place_fault(error, language, settings.city_name))
    except Refused as refused:
        faults += refused.faults
    occurred_at: datetime | None = None
    try:
        occurred_at = _occurred_at(form, settings, language)
    except Refused as refused:
        faults += refused.faults
    fault = submissions.occurred_fault(occurred_at, long_ago=bool(form.long_ago), language=language)
    if fault is not None:
        faults.append(fault)
    description = plain_text(form.description)
    if fault := submissions.description_fault(description, language):
        faults.append(fault)
    contact = submissions.cleaned(Contact(form.name, form.email, form.phone))
    faults += submissions.contact_faults(contact, language)
    if faults or category is None or place is None:
        raise Refused(*faults)
    return Sent(
        category=category,
        place=place,
        occurred_at=occurred_at,
        severity=Severity(form.severity) if form.severity in set(Severity) else None,
        description=description,
        address=address,
        contact=contact,
        key=f"form {form.token}",
        body=json.dumps(form.model_dump(exclude={"token", "kind", "place_for"})).encode(),
    )


def _place(
    session: Session, form: ReportForm, positions: Positions, language: Language
) -> tuple[BaseGeometry, str]:
    """Give the place, and the name under which it was found if it was.

    A place chosen from those offered counts for the text it was offered for; the map comes before
    the text, since tapping it after typing means the tap.
    """
    _ = language.gettext
    served = positions.bounds(session)
    typed = plain_text(form.address)
    found: Position
    if form.place and form.place_for == form.address:
        latitude, _comma, longitude = form.place.partition(",")
        found = position(latitude, longitude, served)
    elif form.lat or form.lon:
        found = position(form.lat, form.lon, served)
    elif coordinates := typed_coordinates(typed):
        found = position(*coordinates, served)
    elif typed:
        named = submissions.place_by_name(session, typed, language)
        return point(Position(named.lat, named.lon)), named.label
    else:
        message = _("Say where it is: tap the map, use your position, or type an address.")
        raise Refused(Fault("place", "missing", message))
    return point(found), submissions.name_of(session, typed, found)


def _occurred_at(form: ReportForm, settings: Settings, language: Language) -> datetime | None:
    """Read day and time of the city; None for now."""
    _ = language.gettext
    now = datetime.now(settings.zone)
    if form.when not in {"today", "earlier"}:
        return None
    try:
        day = now.date() if form.when == "today" else date.fromisoformat(form.day.strip())
    except ValueError as error:
        message = _("Say on which day, or choose “Now, or all the time”.")
        raise Refused(Fault("occurred_at", "missing_day", message)) from error
    if form.when == "today" and not form.time:
        message = _("Say about what time it was, or choose “Now, or all the time”.")
        raise Refused(Fault("occurred_at", "missing_time", message))
    try:
        clock = time.fromisoformat(form.time.strip()) if form.time else time(12)
    except ValueError as error:
        message = _("This is no time. Write it like 9:30 PM or 21:30.")
        raise Refused(Fault("occurred_at", "not_a_time", message)) from error
    moment = datetime.combine(day, clock.replace(tzinfo=None), settings.zone)
    # A day without a time counts as its noon, which on this very day may be still to come.
    return moment if form.time else min(moment, max(now, datetime.combine(day, time(), now.tzinfo)))


def _form_page(
    request: Request,
    session: Session,
    settings: Settings,
    form: ReportForm,
    *,
    faults: Sequence[Fault] = (),
    status: int = 200,
    sent_id: int | None = None,
) -> HTMLResponse:
    box = areas.extent(session)
    view = SOMEWHERE if box is None else view_of(box.west, box.south, box.east, box.north)
    choices: list[Choice] = []
    for fault in faults:
        if fault.meant is not None:
            found = f"{fault.meant.latitude},{fault.meant.longitude}"
            choices.append(Choice(found.replace(",", ", "), found))
        choices += [Choice(place.label, f"{place.lat},{place.lon}") for place in fault.choices]
    context = FormPage(
        form=form,
        faults=faults,
        wrong={fault.field: fault for fault in reversed(faults)},
        choices=choices,
        kinds={kind: KINDS[kind] for kind in KIND_HINTS},
        kind_hints=KIND_HINTS,
        categories=_categories(),
        severities=SEVERITIES,
        today=datetime.now(settings.zone).date(),
        sent_id=sent_id,
        atlas=_pick_atlas(request.state.language.code, view, raster(settings)),
        words=json.dumps(words(request.state.language.gettext)),
    )
    return page(request, "report.html", context, status=status)


@lru_cache(maxsize=1)
def _categories() -> dict[Kind, dict[str, list[Category]]]:
    found: dict[Kind, dict[str, list[Category]]] = {kind: {} for kind in KIND_HINTS}
    for category in CATEGORIES:
        found[category.kind].setdefault(category.group, []).append(category)
    return found


@lru_cache(maxsize=16)
def _pick_atlas(code: str, view: View, base: Raster | None) -> Atlas:
    options = Options(
        mode="pick",
        asset=asset,
        translate=language(code).gettext,
        raster=base,
        places="",  # the form's own field searches
    )
    return atlas((Reports, StreetLights), view, options)


def _look_atlas(code: str, view: View, base: Raster | None) -> Atlas:
    options = Options(mode="look", asset=asset, translate=language(code).gettext, raster=base)
    return atlas((Reports,), view, options)


def _same_page(
    request: Request, form: ReportForm, category: Category, same: Sequence[NearbyReport]
) -> HTMLResponse:
    context = SamePage(
        form=form,
        category=category,
        same=same,
        feet=_feet(same),
        statuses=STATUSES,
        icons=ICONS,
    )
    return page(request, "report_same.html", context)


def _feet(near: Sequence[NearbyReport]) -> dict[int, int]:
    """Give distances in feet, to ten of them, for those whose position is public exactly."""
    return {
        report.id: max(10, 10 * round(report.distance_m * _FEET_PER_METRE / 10))
        for report in near
        if report.category.setting is Setting.PUBLIC_SPACE
    }


@router.get("/reports/{id:int}")
def read_page(
    *,
    request: Request,
    id: int,
    session: Reading,
    settings: Chosen,
    new: str = "",
    supported: str = "",
) -> HTMLResponse:
    """Show what everybody may know of a report."""
    language = request.state.language
    found = reports.one_public(session, id) if id < 2**63 else None
    if found is None:
        raise not_found(language)
    if isinstance(found, Held):
        return page(request, "report_held.html", {"id": found.id, "is_new": bool(new)})
    near = reports.nearby(session, found)
    at_home = found.category.setting is Setting.HOME
    view = (
        None
        if found.longitude is None or found.latitude is None
        else View(round(found.latitude, 6), round(found.longitude, 6), LOOK_ZOOM)
    )
    root = str(settings.public_url or request.base_url).rstrip("/")
    context = OnePage(
        report=found,
        title=found.category.name,
        kind=KINDS[found.kind],
        place=_roughly(found, language) if at_home else found.place or _nearest(session, found),
        generalized=at_home,
        status=STATUSES[found.status],
        icon=ICONS[found.status],
        meaning=MEANINGS[found.status],
        is_open=found.status in OPEN,
        severity=found.severity and SEVERITIES[found.severity],
        timeline=_told(reports.timeline(session, id)),
        statuses=STATUSES,
        icons=ICONS,
        nearby=near,
        # From a drawn point a distance says nothing.
        feet={} if at_home else _feet(near),
        link=f"{root}/reports/{id}",
        is_new=bool(new),
        supported=bool(supported),
        atlas=None if view is None else _look_atlas(language.code, view, raster(settings)),
        map_link=None if view is None else f"/?lat={view.lat}&lon={view.lon}&zoom={view.zoom}",
    )
    return page(request, "report_page.html", context)


def _roughly(report: PublicReport, language: Language) -> str | None:
    """Name the neighbourhood of what may be at a home."""
    if report.neighbourhood is None:
        return None
    return language.gettext("Somewhere in {area}").format(area=report.neighbourhood)


def _nearest(session: Session, report: PublicReport) -> str | None:
    """Name the public position of a thing in public space."""
    if report.longitude is None or report.latitude is None:
        return None
    found = places.nearest(session, report.longitude, report.latitude)
    return None if found is None else found.label


def _told(entries: Sequence[TimelineEntry]) -> list[Line]:
    lines: list[Line] = []
    for entry in entries:
        joined = entry.kind is EventKind.SUPPORT
        if joined and lines and lines[-1].supports:
            lines[-1] = replace(lines[-1], at=entry.at, supports=lines[-1].supports + 1)
        else:
            lines.append(Line(entry.at, entry.status, entry.note, int(joined)))
    return lines


@router.post("/reports/{id:int}/support")
def support_form(
    request: Request, id: int, session: Writing, positions: Places
) -> RedirectResponse:
    """Count a neighbour, and show the report again."""
    language = request.state.language
    name = neighbour(request)
    try:
        found = (
            reports.support(session, id, supporter(positions.secret, name, id))
            if id < 2**63
            else None
        )
    except NotOpen as error:
        raise not_open(error, language) from error
    if found is None:
        raise not_found(language)
    response = RedirectResponse(f"/reports/{id}?supported=1#support", 303)
    remember(response, name)
    return response
