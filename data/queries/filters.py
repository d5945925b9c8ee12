"""The one way to narrow down reports, for the map's tiles, the list, the API and files alike."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, or_, tuple_

from data.models import Report
from geo.kinds import Kind
from geo.statuses import PUBLIC, Status

SRID = 4326


@dataclass(frozen=True, slots=True)
class Bounds:
    """A box on the map, in degrees of WGS 84."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Which reports are meant. Empty fields do not narrow.

    Attributes
    ----------
    kinds, categories, statuses : tuple
        Any of these. Categories by their codes.
    since, until : datetime.date or None
        Both inclusive, local dates in `zone`, of the time of reporting.
    area_id, block_watch_id : int or None
        Shown within this area (neighbourhood, council district, patrol division or tract), or
        watch: where its public position lies.
    zone : zoneinfo.ZoneInfo
        The city's time zone.
    """

    zone: ZoneInfo
    kinds: tuple[Kind, ...] = ()
    categories: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    since: date | None = None
    until: date | None = None
    area_id: int | None = None
    block_watch_id: int | None = None

    @property
    def start(self) -> datetime | None:
        """First moment of `since`."""
        return None if self.since is None else datetime.combine(self.since, time(), self.zone)

    @property
    def end(self) -> datetime | None:
        """First moment after `until`."""
        if self.until is None:
            return None
        return datetime.combine(self.until + timedelta(days=1), time(), self.zone)

    @property
    def only_counted(self) -> bool:
        """Whether the tallies, which know kind, category and status, can answer for it."""
        return not any((self.since, self.until, self.area_id, self.block_watch_id))


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last report of a page of a list, newest first: the next page begins after it."""

    reported_at: datetime
    id: int


def public_reports(chosen: ReportFilter) -> list[ColumnElement[bool]]:
    """Give the conditions under which a report is public and meant by a filter."""
    return [
        Report.status.in_([status for status in chosen.statuses or Status if status in PUBLIC]),
        Report.public_geom.is_not(None),
        *narrowed(chosen),
    ]


def narrowed(chosen: ReportFilter) -> list[ColumnElement[bool]]:
    """Give the conditions of a filter beside those on the status."""
    conditions: list[ColumnElement[bool]] = []
    if chosen.kinds:
        conditions.append(Report.kind.in_(chosen.kinds))
    if chosen.categories:
        conditions.append(Report.category_code.in_(chosen.categories))
    if chosen.start is not None:
        conditions.append(Report.reported_at >= chosen.start)
    if chosen.end is not None:
        conditions.append(Report.reported_at < chosen.end)
    if chosen.area_id is not None:
        conditions.append(within_area(Report, chosen.area_id))
    if chosen.block_watch_id is not None:
        conditions.append(Report.block_watch_id == chosen.block_watch_id)
    return conditions


def within_area(columns: Any, area_id: int) -> ColumnElement[bool]:
    """Give the condition that one of the areas of a report, as `columns` has them, is this one."""
    return or_(
        columns.neighbourhood_id == area_id,
        columns.council_district_id == area_id,
        columns.patrol_division_id == area_id,
        columns.tract_id == area_id,
    )


def newest_first(asked: Select[Any], limit: int, after: Cursor | None = None) -> Select[Any]:
    """Give a page of what is asked of reports: the newest after a cursor.

    One more than `limit`, which tells whether there are others.
    """
    if after is not None:
        place = tuple_(after.reported_at, after.id)
        asked = asked.where(tuple_(Report.reported_at, Report.id) < place)
    return asked.order_by(Report.reported_at.desc(), Report.id.desc()).limit(limit + 1)


def envelope(bounds: Bounds) -> ColumnElement[Any]:
    """Give a box as a geometry."""
    return func.ST_MakeEnvelope(bounds.west, bounds.south, bounds.east, bounds.north, SRID)


def in_view(bounds: Bounds) -> ColumnElement[bool]:
    """Give the condition that a report's public position meets a box."""
    return func.ST_Intersects(Report.public_geom, envelope(bounds))
