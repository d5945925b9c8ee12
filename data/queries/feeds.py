"""What feeds and messages tell: reports and what happened to them, as far as everybody may know."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from data.models import Area, EventKind, Report, ReportEvent
from data.queries.filters import (
    Bounds,
    Cursor,
    ReportFilter,
    in_view,
    newest_first,
    public_reports,
)
from data.queries.reports import note_in
from geo.categories import BY_CODE, Category
from geo.statuses import PUBLIC, Status

_DECIMALS = 6  # of a degree: 0.1 m


def told() -> ColumnElement[bool]:
    """Give the condition that an event is news: a public status or a public note."""
    return and_(
        ReportEvent.public,
        or_(
            ReportEvent.to_status.in_(PUBLIC),
            and_(ReportEvent.kind == EventKind.NOTE, ReportEvent.note != ""),
        ),
    )


@dataclass(frozen=True, slots=True)
class FedReport:
    """A report as a feed names it.

    Attributes
    ----------
    updated_at : datetime
        Of the newest thing that everybody may know.
    place : str or None
        As of `data.queries.reports.PublicReport`.
    neighbourhood : str or None
        Its name.
    geometry : str
        GeoJSON of the public position.
    """

    id: int
    category: Category
    status: Status
    reported_at: datetime
    updated_at: datetime
    place: str | None
    neighbourhood: str | None
    geometry: str


@dataclass(frozen=True, slots=True)
class FedEvent:
    """Something that happened to a report.

    Attributes
    ----------
    status : Status or None
        The status it came to.
    """

    id: int
    at: datetime
    status: Status | None
    note: str


def newest(
    session: Session,
    chosen: ReportFilter,
    limit: int,
    after: Cursor | None = None,
    *,
    box: Bounds | None = None,
) -> tuple[list[FedReport], Cursor | None]:
    """Give public reports, newest first, and where the next ones begin.

    Parameters
    ----------
    session : Session
    chosen : ReportFilter
    limit : int
        Reports at the most.
    after : Cursor, optional
        Where the reports before ended.
    box : Bounds, optional
        What the public position of a report meets.

    Returns
    -------
    list of FedReport
    Cursor or None
        None where these are the last.
    """
    meant = public_reports(chosen)
    if box is not None:
        meant = [*meant, in_view(box)]
    happened = (
        select(func.max(ReportEvent.at))
        .where(ReportEvent.report_id == Report.id, told())
        .correlate(Report)
        .scalar_subquery()
    )
    asked = (
        select(
            Report.id,
            Report.category_code,
            Report.status,
            Report.reported_at,
            func.greatest(Report.reported_at, happened).label("updated_at"),
            Report.address,
            Area.name.label("neighbourhood"),
            func.ST_AsGeoJSON(Report.public_geom, _DECIMALS).label("geometry"),
        )
        .outerjoin(Area, Area.id == Report.neighbourhood_id)
        .where(*meant)
    )
    found = session.execute(newest_first(asked, limit, after)).all()
    entries = [
        FedReport(
            id=row.id,
            category=BY_CODE[row.category_code],
            status=row.status,
            reported_at=row.reported_at,
            updated_at=row.updated_at,
            place=row.address or None,
            neighbourhood=row.neighbourhood,
            geometry=row.geometry,
        )
        for row in found[:limit]
    ]
    more = len(found) > limit
    return entries, Cursor(entries[-1].reported_at, entries[-1].id) if more else None


def events(session: Session, report_id: int, language: str) -> list[FedEvent]:
    """Give what happened to a public report, newest first, in a language where it is kept in it."""
    found = session.execute(
        select(ReportEvent.id, ReportEvent.at, ReportEvent.to_status, note_in(language))
        .where(ReportEvent.report_id == report_id, told())
        .order_by(ReportEvent.at.desc(), ReportEvent.id.desc())
    )
    return [FedEvent(*event) for event in found]
