"""A sheet of paper for a meeting of a block watch: the map, open reports, and what was promised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypedDict

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.orm import Session

from data.queries import associations, imports, meeting_sheets, work
from data.queries.associations import Watch
from data.queries.meeting_sheets import MOST_LISTED, OnSheet
from geo.kinds import Kind
from geo.statuses import Status
from server import meetings, sheets
from server.dependencies import Chosen, Reading, own_site
from server.languages import Language
from server.links import root
from server.meetings import Coming
from server.pages.block_watches import watch_of
from server.pages.map import KINDS, STATUSES
from server.pages.page import TEMPLATES
from server.problems import Problem
from server.settings import Settings
from server.sheet_map import SheetMap, around, shape_path, sheet_map
from server.sheets import SheetBusyError, SheetError

router = APIRouter(prefix="/watches", dependencies=[Depends(own_site)], include_in_schema=False)

MOST_DATES = 3

_WITHOUT_MEETINGS = timedelta(days=30)
"""How far a sheet looks back where no meeting was held yet."""

_PROMISED = frozenset({Status.SCHEDULED, Status.IN_PROGRESS})


@dataclass(frozen=True, slots=True)
class Line:
    """A report as the sheet lists it.

    Attributes
    ----------
    number : int
        By which the map shows it.
    due : date or None
        By when the city aims to have it done.
    late : bool
    """

    number: int
    report: OnSheet
    due: date | None
    late: bool


class Sheet(TypedDict):
    """What the sheet shows.

    `since` is the last meeting, or some weeks ago where `met` is False.
    """

    watch: Watch
    map: SheetMap
    open: Sequence[Line]
    promised: Sequence[Line]
    late: Sequence[Line]
    done: Sequence[OnSheet]
    since: datetime
    met: bool
    coming: Sequence[tuple[Coming, str]]
    kinds: Mapping[str, str]
    legend: Mapping[Kind, str]
    statuses: Mapping[str, str]
    most: int
    address: str
    is_sample: bool


@router.get("/{id:int}/sheet.pdf")
def read_sheet(request: Request, session: Reading, settings: Chosen, id: int) -> Response:
    """Write the sheet of a block watch."""
    spoken: Language = request.state.language
    watch = watch_of(request, session, id)
    now = datetime.now(UTC)
    day = now.astimezone(settings.zone).date().isoformat()
    page = sheet_page(session, settings, watch, spoken, now)
    session.close()  # others need its connection while this one is written
    return pdf_response(page, f"block-watch-{id}-{day}.pdf", spoken)


def pdf_response(page: str, name: str, spoken: Language) -> Response:
    """Answer with a page as PDF under a name of its own.

    Raises
    ------
    Problem
        503 where none can be written now.
    """
    _ = spoken.gettext
    try:
        written = sheets.pdf(page)
    except SheetBusyError as error:
        raise Problem(
            503,
            _("Not at this moment"),
            _("Other sheets are being written. Try again in a minute."),
        ) from error
    except SheetError as error:
        raise Problem(
            503,
            _("Not on this server"),
            _(
                "Sheets cannot be written here now. Whoever runs this site learns why from "
                "“porchlight doctor”."
            ),
        ) from error
    return Response(
        written,
        media_type="application/pdf",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'inline; filename="{name}"',
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        },
    )


def sheet_page(
    session: Session, settings: Settings, watch: Watch, spoken: Language, now: datetime
) -> str:
    """Write the sheet of a block watch as HTML, with its drawing inside.

    Parameters
    ----------
    session : Session
    settings : Settings
    watch : Watch
    spoken : Language
    now : datetime
        The moment of which it is.
    """
    sheet = _sheet(session, settings, watch, spoken, now)
    return TEMPLATES.get_template("block_watch_sheet.html").render(
        {
            "language": spoken,
            "now": now,
            "time_zone": settings.zone,
            "city_name": settings.city_name,
            **sheet,
        }
    )


def _sheet(
    session: Session, settings: Settings, watch: Watch, spoken: Language, now: datetime
) -> Sheet:
    planned = [one for one in associations.meetings(session, watch.id) if not one.is_cancelled]
    last = meetings.last(planned, settings.zone, now)
    since = last or now - _WITHOUT_MEETINGS
    reports = meeting_sheets.open_reports(session, watch.id)
    box = around(watch.west, watch.south, watch.east, watch.north)
    days = work.targets(session)
    today = now.astimezone(settings.zone).date()
    lines = []
    for number, one in enumerate(reports, 1):
        due = work.due_on(one.category, one.status, one.reported_at, days, settings.zone)
        lines.append(Line(number, one, due, late=due is not None and due < today))
    return Sheet(
        watch=watch,
        map=sheet_map(meeting_sheets.ground(session, watch.id, box), reports),
        open=lines,
        promised=[line for line in lines if line.report.status in _PROMISED],
        late=[line for line in lines if line.late],
        done=meeting_sheets.done_reports(session, watch.id, since),
        since=since,
        met=last is not None,
        coming=[
            (one, meetings.hour_said(one, spoken))
            for one in meetings.coming(planned, settings.zone, now, MOST_DATES)
        ],
        kinds=KINDS,
        legend={
            kind: shape_path(kind) for kind in (Kind.PROBLEM_SPOT, Kind.LIGHTING, Kind.CLEANUP)
        },
        statuses=STATUSES,
        most=MOST_LISTED,
        address=f"{root(settings)}/watches/{watch.id}",
        is_sample=imports.is_sample(session),
    )
