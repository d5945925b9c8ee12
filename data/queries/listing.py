"""The list beside the map: what is in view in words, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data.models import Area, BlockWatch, Report
from data.queries.filters import Bounds, Cursor, ReportFilter, in_view, newest_first, public_reports
from geo.categories import BY_CODE, Category
from geo.kinds import Kind
from geo.statuses import Status

MOST_COUNTED = 10_000
"""Reports in view that are counted; beyond it the list says that there are more."""


_DECIMALS = 6  # of a degree: 0.1 m


@dataclass(frozen=True, slots=True)
class ListedReport:
    """A report as the list shows it.

    Attributes
    ----------
    longitude, latitude : float
        A point of the public position, EPSG:4326.
    place : str or None
        As `data.queries.reports.PublicReport` has it.
    neighbourhood : str or None
        Its name.
    geometry : str
        GeoJSON of the public position.
    text : str
        What everybody may read of what the reporter wrote.
    on_behalf_of : str or None
        Name of the block watch in whose name it was sent.
    """

    id: int
    category: Category
    status: Status
    reported_at: datetime
    longitude: float
    latitude: float
    place: str | None
    neighbourhood: str | None
    geometry: str
    text: str
    on_behalf_of: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """The newest reports in view.

    Attributes
    ----------
    reports : tuple of ListedReport
    counts : mapping of Kind to int, or None
        How many reports of each kind are in view; None where they are more than `MOST_COUNTED`.
    next : Cursor or None
        Where the next ones begin; None where these are the last.
    """

    reports: tuple[ListedReport, ...]
    counts: Mapping[Kind, int] | None
    next: Cursor | None

    @property
    def total(self) -> int | None:
        """How many reports are in view; None where they are more than `MOST_COUNTED`."""
        return None if self.counts is None else sum(self.counts.values())


def newest(
    session: Session,
    chosen: ReportFilter,
    bounds: Bounds | None,
    limit: int,
    after: Cursor | None = None,
) -> Listing:
    """Give the newest public reports in view.

    Parameters
    ----------
    session : Session
    chosen : ReportFilter
    bounds : Bounds or None
        None for the whole city.
    limit : int
        Reports at the most.
    after : Cursor, optional
        Where the reports before ended; those are counted all the same.

    Returns
    -------
    Listing
    """
    meant = public_reports(chosen)
    if bounds is not None:
        meant.append(in_view(bounds))
    some = select(Report.kind).where(*meant).limit(MOST_COUNTED + 1).subquery()
    counted = session.execute(select(some.c.kind, func.count()).group_by(some.c.kind))
    counts = dict.fromkeys(Kind, 0) | dict(counted.all())
    centre = func.ST_PointOnSurface(Report.public_geom)
    asked = (
        select(
            Report.id,
            Report.category_code,
            Report.status,
            Report.reported_at,
            Report.address,
            Report.public_text,
            func.ST_X(centre).label("longitude"),
            func.ST_Y(centre).label("latitude"),
            func.ST_AsGeoJSON(Report.public_geom, _DECIMALS).label("geometry"),
            Area.name.label("neighbourhood"),
            BlockWatch.name.label("on_behalf_of"),
        )
        .outerjoin(Area, Area.id == Report.neighbourhood_id)
        .outerjoin(BlockWatch, BlockWatch.id == Report.on_behalf_of_id)
        .where(*meant)
    )
    found = session.execute(newest_first(asked, limit, after)).all()
    rows = found[:limit]
    return Listing(
        reports=tuple(
            ListedReport(
                id=row.id,
                category=BY_CODE[row.category_code],
                status=row.status,
                reported_at=row.reported_at,
                longitude=row.longitude,
                latitude=row.latitude,
                place=row.address or None,
                neighbourhood=row.neighbourhood or None,
                geometry=row.geometry,
                text=row.public_text,
                on_behalf_of=row.on_behalf_of,
            )
            for row in rows
        ),
        counts=counts if sum(counts.values()) <= MOST_COUNTED else None,
        next=Cursor(rows[-1].reported_at, rows[-1].id) if len(found) > limit else None,
    )
