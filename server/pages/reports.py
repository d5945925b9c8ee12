"""Reports for people: the page of each report, and joining it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated, TypedDict

import shapely
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models import EventKind
from data.queries import fixes, places, plans, reports, street_lights, work
from data.queries.fixes import Answer, Asked
from data.queries.people import Choice
from data.queries.reports import Held, NearbyReport, NotOpen, PublicReport, TimelineEntry
from data.queries.street_lights import Light
from geo.categories import N_, Setting
from geo.kinds import Kind, Severity
from geo.places import plain_text
from geo.statuses import OPEN, Status
from layers.atlas import Atlas, Mark, Options, View, atlas, view_of
from layers.reports import Reports
from layers.street_lights import StreetLights
from server import limits
from server.dependencies import Chosen, Places, Reading, Writing, own_site
from server.languages import Language, language
from server.pages.following import OnReport, on_report
from server.pages.map import KINDS, STATUSES, raster
from server.pages.moderation import Moderated, held_page, moderated
from server.pages.page import asset, page
from server.positions import Positions
from server.problems import Problem
from server.report_words import not_found, not_open
from server.schemas.filters import LARGEST_ID
from server.screening import screen
from server.settings import Settings
from server.submissions import description_faults
from server.supporters import join, marks, neighbour, remember

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

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

LIGHT_STATES: Mapping[str, str] = MappingProxyType(
    {
        status: rule.label or ""
        for rule in StreetLights.rules
        for status in rule.when.get("status", ())
    }
)
"""Words of the map's legend for the states of a street light."""

FEET_PER_METRE = 3.28084

REASON_LIMIT = 500
"""Characters of why something is not fixed."""

LOOK_ZOOM = 16
"""Of the small map of a report: some blocks around it."""

_FARTHEST_ZOOM = 14
"""The farthest at which a map draws a shape rather than a count."""


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
    supported: str
    noted: bool
    atlas: Atlas | None
    map_link: str | None
    expected: date | None
    late: bool
    stands_for: Sequence[int]
    asks: Asked | None
    asked: str
    reason: str
    reason_fault: str
    reason_limit: int
    answered: str
    moderated: Moderated
    following: OnReport
    plans: Sequence[Choice]
    lights: Sequence[Light]
    light_states: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What just came of something that the reader of a report did, or is wrong with it."""

    new: bool = False
    supported: str = ""
    noted: bool = False
    answered: str = ""
    reason: str = ""
    reason_fault: str = ""


def look_atlas(code: str, view: View, settings: Settings, marks: Sequence[Mark] = ()) -> Atlas:
    """Give the small map of one place.

    Parameters
    ----------
    code : str
        Of the language.
    view : View
        Its middle gets a pin.
    settings : Settings
    marks : sequence of Mark
        With numbers, beside the pin. On such a map nothing opens: whoever chooses among them has not
        sent the form yet.
    """
    options = Options(
        mode="look",
        asset=asset,
        translate=language(code).gettext,
        raster=raster(settings),
        marks=tuple(marks),
    )
    if marks:
        options = replace(options, facts="")
    return atlas((Reports,), view, options)


def in_feet(near: Sequence[NearbyReport]) -> dict[int, int]:
    """Give distances in feet, to ten of them, for those whose position is public exactly."""
    return {
        report.id: max(10, 10 * round(report.distance_m * FEET_PER_METRE / 10))
        for report in near
        if report.category.setting is Setting.PUBLIC_SPACE
    }


def name_of_place(
    session: Session, report: PublicReport | NearbyReport, language: Language
) -> str | None:
    """Name the place of a report as finely as it is public.

    Returns
    -------
    str or None
        The address of a thing in public space, or the one nearest to it; the neighbourhood of what
        may be at a home. None where there is no name.
    """
    if report.category.setting is Setting.HOME:
        if report.neighbourhood is None:
            return None
        return language.gettext("Somewhere in {area}").format(area=report.neighbourhood)
    if report.place or report.longitude is None or report.latitude is None:
        return report.place
    found = places.nearest(session, report.longitude, report.latitude)
    return None if found is None else found.label


@router.get("/reports/{id:int}")
def read_page(
    *,
    request: Request,
    id: int,
    session: Reading,
    settings: Chosen,
    positions: Places,
    new: str = "",
    supported: str = "",
    noted: str = "",
    asked: Annotated[str, Query(max_length=100)] = "",
    answered: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show what everybody may know of a report."""
    said = Said(new=bool(new), supported=supported, noted=bool(noted), answered=answered)
    return _shown(request, session, settings, positions, id, asked=asked, said=said)


def _shown(
    request: Request,
    session: Session,
    settings: Settings,
    positions: Positions,
    id: int,
    *,
    asked: str = "",
    said: Said = Said(),
) -> HTMLResponse:
    language = request.state.language
    found = reports.one_public(session, id) if id <= LARGEST_ID else None
    if found is None:
        raise not_found(language)
    if isinstance(found, Held):
        return held_page(request, session, found, is_new=said.new)
    near = reports.nearby(session, found)
    expected = work.due_on(
        found.category, found.status, found.reported_at, work.targets(session), settings.zone
    )
    asks, stands_for = None, fixes.merged(session, id)
    if found.status in {Status.DONE, Status.VERIFIED}:
        asks = fixes.asks(session, id, _marks(request, positions, stands_for, asked))
    at_home = found.category.setting is Setting.HOME
    view = _view(found)
    root = str(settings.public_url or request.base_url).rstrip("/")
    context = OnePage(
        report=found,
        title=found.category.name,
        kind=KINDS[found.kind],
        place=name_of_place(session, found, language),
        generalized=at_home,
        status=STATUSES[found.status],
        icon=ICONS[found.status],
        meaning=MEANINGS[found.status],
        is_open=found.status in OPEN,
        severity=found.severity and SEVERITIES[found.severity],
        timeline=_told(reports.timeline(session, id, language.code)),
        statuses=STATUSES,
        icons=ICONS,
        nearby=near,
        # From a drawn point a distance says nothing.
        feet={} if at_home else in_feet(near),
        link=f"{root}/reports/{id}",
        is_new=said.new,
        supported=said.supported,
        noted=said.noted,
        atlas=None if view is None else look_atlas(language.code, view, settings),
        map_link=None if view is None else f"/?lat={view.lat}&lon={view.lon}&zoom={view.zoom}",
        expected=expected,
        late=expected is not None and expected < settings.today(),
        stands_for=stands_for[1:],
        asks=asks,
        asked=asked,
        answered=said.answered,
        reason=said.reason,
        reason_fault=said.reason_fault,
        reason_limit=REASON_LIMIT,
        moderated=moderated(session, id, request.state.visitor),
        following=on_report(session, request.state.visitor, id),
        plans=plans.of_report(session, id) if request.state.visitor.signed_in else (),
        lights=street_lights.of_report(session, id) if found.kind is Kind.LIGHTING else (),
        light_states=LIGHT_STATES,
    )
    return page(request, "report_page.html", context, status=422 if said.reason_fault else 200)


def _marks(request: Request, positions: Positions, ids: Sequence[int], asked: str) -> list[bytes]:
    """Give by what the store may know a neighbour: what they did here before, and a link by e-mail."""
    known = marks(positions.secret, neighbour(request), ids)
    return [*known, fixes.mark_of(asked)] if asked else known


def _view(report: PublicReport) -> View | None:
    """Give a view that holds the whole shape, on a phone too; None without a public position."""
    if report.geometry is None or report.longitude is None or report.latitude is None:
        return None
    whole = view_of(*shapely.from_geojson(report.geometry).bounds)
    zoom = max(min(LOOK_ZOOM, whole.zoom - 1), _FARTHEST_ZOOM)
    return View(round(report.latitude, 6), round(report.longitude, 6), zoom)


def _told(entries: Sequence[TimelineEntry]) -> list[Line]:
    lines: list[Line] = []
    for entry in entries:
        joined = entry.kind is EventKind.SUPPORT
        if joined and lines and lines[-1].supports:
            lines[-1] = replace(lines[-1], at=entry.at, supports=lines[-1].supports + 1)
        else:
            lines.append(Line(entry.at, entry.status, entry.note, int(joined)))
    return lines


@router.post("/reports/{id:int}/support", response_model=None)
def support_form(
    *,
    request: Request,
    id: int,
    session: Writing,
    positions: Places,
    token: Annotated[str, Form()] = "",
    description: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Count a neighbour, keep for the staff what they wrote, and show the report again."""
    language = request.state.language
    who = neighbour(request)
    note = _note(description, language)
    try:
        limits.count_from_here(request, limits.supports_from_address(request))
    except limits.TooMany as error:
        context = {"id": id, "token": token, "note": note, "wait": limits.said(request, error)}
        headers = {"Retry-After": str(error.retry_after_s)}
        return page(request, "report_later.html", context, status=429, headers=headers)
    try:
        found = join(session, positions.secret, who, id) if id <= LARGEST_ID else None
    except NotOpen as error:
        raise not_open(error, language) from error
    if found is None:
        raise not_found(language)
    if note:
        written = sha256(f"{plain_text(token)} {note}".encode()).hexdigest()
        reports.note_for_staff(session, id, note, key=f"join {id} {written}")
    supported = "1" if found.counted else "known"
    response = RedirectResponse(
        f"/reports/{id}?supported={supported}{'&noted=1' if note else ''}#support", 303
    )
    remember(response, who)
    return response


_NOT_TAKEN: dict[Answer, tuple[int, str, str]] = {
    Answer.ANSWERED: (
        409,
        N_("You have answered already"),
        N_("One answer counts each time a report is done. The city sees yours."),
    ),
    Answer.NOT_ASKED: (
        409,
        N_("Nothing is asked now"),
        N_("This report is not done right now. Its page shows where it stands."),
    ),
    Answer.YOUR_WORK: (
        403,
        N_("This is for its neighbours to say"),
        N_(
            "Whoever works on a report, or said that it is done, does not say as a neighbour whether "
            "it is fixed. If it is not, change it on your work list."
        ),
    ),
    Answer.NOT_YOURS: (
        403,
        N_("This is for its neighbours to say"),
        N_(
            "Only people who reported it, said that it affects them, or belong to the block watch "
            "can say whether it is fixed. If the problem is still there, please report it again."
        ),
    ),
}


@router.post("/reports/{id:int}/fixed", response_model=None)
def fixed_form(
    *,
    request: Request,
    id: int,
    session: Writing,
    settings: Chosen,
    positions: Places,
    fixed: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    asked: Annotated[str, Form()] = "",
) -> HTMLResponse | RedirectResponse:
    """Take a neighbour's word on whether it is fixed, and show the report again."""
    language = request.state.language
    _ = language.gettext
    if id > LARGEST_ID:
        raise not_found(language)
    why = plain_text(reason) if fixed == "no" else ""
    known = _marks(request, positions, fixes.merged(session, id), asked)
    fault = _answer_fault(fixed, why, language)
    if not fault or fixes.asks(session, id, known) is not Asked.ASKED:
        answer = fixes.answer(
            session,
            id,
            known,
            fixed=fixed == "yes",
            reason=why,
            # Words that may point at a person are for the staff alone.
            reason_is_public=not screen(why),
        )
        if answer in _NOT_TAKEN:
            status, title, detail = _NOT_TAKEN[answer]
            raise Problem(status, _(title), _(detail))
    if fault:
        said = Said(reason=reason, reason_fault=fault)
        return _shown(request, session, settings, positions, id, asked=asked, said=said)
    return RedirectResponse(f"/reports/{id}?answered={answer}#fixed", 303)


def _answer_fault(fixed: str, why: str, language: Language) -> str:
    """Say what is wrong with a neighbour's answer; nothing where it can be taken."""
    _ = language.gettext
    if fixed not in {"yes", "no"}:
        return _("Choose yes or no.")
    if fixed == "no" and not why:
        return _("Write in a few words what is not fixed, so that the crew knows.")
    excess = len(why) - REASON_LIMIT
    if excess <= 0:
        return ""
    return language.ngettext(
        "What you wrote has {n} character too many; {limit} fit. Shorten it a little.",
        "What you wrote has {n} characters too many; {limit} fit. Shorten it a little.",
        excess,
    ).format(n=excess, limit=REASON_LIMIT)


def _note(description: str, language: Language) -> str:
    note = plain_text(description)
    for fault in description_faults(note, language):
        raise Problem(422, language.gettext("Some of this cannot be used"), fault.message)
    return note
