"""What a sheet for a meeting of a block watch shows: the ground, open reports, and what came of others.

All of it is what everybody may know: a sheet lies on a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data.models import GroundType
from data.queries import base_map
from data.queries.filters import Bounds, envelope
from geo.categories import BY_CODE, Category
from geo.crs import CITY_SRID
from geo.statuses import OPEN, Status

MOST_LISTED = 200
"""Open reports that a sheet numbers, the oldest first; more is not talked through at one meeting."""

MOST_KEPT = 60
"""Reports that a sheet lists as done since the last meeting."""


_LAST_RANK = max(base_map.STREET_RANKS)


@dataclass(frozen=True, slots=True)
class OnSheet:
    """A report as a sheet shows it.

    Attributes
    ----------
    place : str
        Its public address, or the neighbourhood; may be empty.
    reported_at, at : datetime
        When it was reported, and when it came to its status.
    supports : int
    position : shapely.Point
        A point of its public position, in the city's CRS.
    """

    id: int
    category: Category
    status: Status
    place: str
    reported_at: datetime
    at: datetime
    supports: int
    position: BaseGeometry


_REPORTS = """
    SELECT report.id, category_code, status,
        coalesce(nullif(address, ''), area.name, '') AS place, reported_at,
        coalesce(reached.at, reported_at) AS at,
        (SELECT count(*) FROM support WHERE report_id = report.id) AS supports,
        ST_AsBinary(ST_Transform(CASE GeometryType(public_geom)
            WHEN 'LINESTRING' THEN ST_LineInterpolatePoint(public_geom, 0.5)
            ELSE ST_PointOnSurface(public_geom) END, CAST(:srid AS integer))) AS position
    FROM report LEFT JOIN area ON area.id = neighbourhood_id
    LEFT JOIN LATERAL (
        SELECT max(event.at) AS at FROM report_event AS event
        WHERE event.report_id = report.id AND event.public AND event.to_status = report.status
    ) AS reached ON true
    WHERE block_watch_id = :id AND public_geom IS NOT NULL AND status::text = ANY (:statuses)
"""

_OPEN = text(f"{_REPORTS} ORDER BY reported_at, report.id LIMIT :most")
_DONE = text(f"{_REPORTS} AND closed_at >= :since ORDER BY closed_at, report.id LIMIT :most")


def open_reports(session: Session, id: int) -> list[OnSheet]:
    """Give the open reports of a block watch, the oldest first, at most `MOST_LISTED`."""
    values = {"id": id, "statuses": sorted(OPEN), "most": MOST_LISTED}
    return _reports(session, _OPEN, values)


def done_reports(session: Session, id: int, since: datetime) -> list[OnSheet]:
    """Give what came to done or verified since a moment, the first first, at most `MOST_KEPT`."""
    statuses = [Status.DONE, Status.VERIFIED]
    values = {"id": id, "statuses": statuses, "since": since, "most": MOST_KEPT}
    return _reports(session, _DONE, values)


def _reports(session: Session, question: Any, values: dict[str, Any]) -> list[OnSheet]:
    return [
        OnSheet(
            id=row.id,
            category=BY_CODE[row.category_code],
            status=Status(row.status),
            place=row.place,
            reported_at=row.reported_at,
            at=row.at,
            supports=row.supports,
            position=shapely.from_wkb(bytes(row.position)),
        )
        for row in session.execute(question, {**values, "srid": CITY_SRID})
    ]


@dataclass(frozen=True, slots=True)
class SheetGround:
    """What lies under the reports, in the city's CRS, cut to the box asked for.

    Attributes
    ----------
    boundary : shapely geometry
        Of the block watch, whole.
    water, parks : sequence of shapely geometry
    streets : sequence of (name or None, rank, geometry)
    """

    boundary: BaseGeometry
    water: Sequence[BaseGeometry]
    parks: Sequence[BaseGeometry]
    streets: Sequence[tuple[str | None, int, BaseGeometry]]


def ground(session: Session, id: int, bounds: Bounds) -> SheetGround:
    """Give the ground of a block watch and around it.

    Parameters
    ----------
    session : Session
    id : int
        Of a block watch.
    bounds : Bounds
        What the sheet's map shows, EPSG:4326.
    """
    boundary = session.scalar(
        text(
            "SELECT ST_AsBinary(ST_Transform(boundary, CAST(:srid AS integer))) "
            "FROM block_watch WHERE id = :id"
        ),
        {"id": id, "srid": CITY_SRID},
    )
    assert boundary is not None
    return ground_around(session, shapely.from_wkb(bytes(boundary)), bounds)


def ground_around(
    session: Session, boundary: BaseGeometry, bounds: Bounds, last_rank: int = _LAST_RANK
) -> SheetGround:
    """Give the ground of any boundary, in the city's CRS, and around it.

    Parameters
    ----------
    session : Session
    boundary : shapely geometry
        In the city's CRS.
    bounds : Bounds
        What the map shows, EPSG:4326.
    last_rank : int
        Smaller streets are left out.
    """
    box = envelope(bounds)

    def cut(rows: Any, *columns: str) -> list[tuple[Any, ...]]:
        found = rows.subquery()
        shape = func.ST_Transform(func.ST_ClipByBox2D(found.c.geom, box), CITY_SRID)
        asked = select(*(found.c[column] for column in columns), func.ST_AsBinary(shape))
        return [
            (*values, shapely.from_wkb(bytes(shape_))) for *values, shape_ in session.execute(asked)
        ]

    return SheetGround(
        boundary=boundary,
        water=[shape for (shape,) in cut(base_map.shapes(GroundType.WATER, box))],
        parks=[shape for (shape,) in cut(base_map.shapes(GroundType.PARK, box))],
        streets=cut(base_map.streets(box, last_rank, blocks_stand_in=True), "name", "rank"),
    )
