"""Reports for people: the page of each report, and joining it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Annotated, TypedDict

import shapely
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from data.models import EventKind
from data.queries import places, reports
from data.queries.reports import Held, NearbyReport, NotOpen, PublicReport, TimelineEntry
from geo.categories import N_, Setting
from geo.kinds import Severity
from geo.places import plain_text
from geo.statuses import OPEN, Status
from layers.atlas import Atlas, Mark, Options, View, atlas, view_of
from layers.reports import Reports
from server.dependencies import Chosen, Places, Reading, Writing, own_site
from server.languages import Language, language
from server.pages.map import KINDS, STATUSES, raster
from server.pages.page import asset, page
from server.problems import Problem
from server.report_words import not_found, not_open
from server.settings import Settings
from server.submissions import description_faults
from server.supporters import neighbour, remember, supporter

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

_FEET_PER_METRE = 3.28084

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
    supported: bool
    noted: bool
    atlas: Atlas | None
    map_link: str | None


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
        report.id: max(10, 10 * round(report.distance_m * _FEET_PER_METRE / 10))
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
    new: str = "",
    supported: str = "",
    noted: str = "",
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
        timeline=_told(reports.timeline(session, id)),
        statuses=STATUSES,
        icons=ICONS,
        nearby=near,
        # From a drawn point a distance says nothing.
        feet={} if at_home else in_feet(near),
        link=f"{root}/reports/{id}",
        is_new=bool(new),
        supported=bool(supported),
        noted=bool(noted),
        atlas=None if view is None else look_atlas(language.code, view, settings),
        map_link=None if view is None else f"/?lat={view.lat}&lon={view.lon}&zoom={view.zoom}",
    )
    return page(request, "report_page.html", context)


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


@router.post("/reports/{id:int}/support")
def support_form(
    *,
    request: Request,
    id: int,
    session: Writing,
    positions: Places,
    token: Annotated[str, Form()] = "",
    description: Annotated[str, Form()] = "",
) -> RedirectResponse:
    """Count a neighbour, keep for the staff what they wrote, and show the report again."""
    language = request.state.language
    name = neighbour(request)
    note = _note(description, language)
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
    if note:
        written = sha256(f"{plain_text(token)} {note}".encode()).hexdigest()
        reports.note_for_staff(session, id, note, key=f"join {id} {written}")
    response = RedirectResponse(
        f"/reports/{id}?supported=1{'&noted=1' if note else ''}#support", 303
    )
    remember(response, name)
    return response


def _note(description: str, language: Language) -> str:
    note = plain_text(description)
    for fault in description_faults(note, language):
        raise Problem(422, language.gettext("Some of this cannot be used"), fault.message)
    return note
