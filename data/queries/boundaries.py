"""The boundary of a block watch: what it was, what a new one would change, and changing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.queries import audit
from geo.crs import CITY_SRID
from geo.statuses import OPEN

MOST_KEPT = 20
"""Boundaries that the history shows, the newest first."""

SLIVER = 0.005
"""Share of a boundary that overlaps another without being told: both go along the same street."""

_NEW = "ST_Multi(ST_GeomFromWKB(CAST(:boundary AS bytea), 4326))"


class ChangedMeanwhile(ValueError):  # noqa: N818 (it is the name of what happened)
    """Somebody has changed the boundary since it was read."""


@dataclass(frozen=True, slots=True)
class Held:
    """The boundary that holds.

    Attributes
    ----------
    version : int
        Changes with every change of the boundary; a change names the one that it saw.
    boundary : shapely geometry
        MultiPolygon, EPSG:4326.
    """

    version: int
    boundary: BaseGeometry


def held(session: Session, block_watch_id: int) -> Held:
    """Give the boundary that holds, to whoever keeps the watch."""
    version, boundary = session.execute(
        text(
            "SELECT max(made.id), (SELECT ST_AsBinary(boundary) FROM block_watch WHERE id = :id) "
            "FROM watch_boundary_private AS made WHERE block_watch_id = :id"
        ),
        {"id": block_watch_id},
    ).one()
    return Held(version, shapely.from_wkb(bytes(boundary)))


@dataclass(frozen=True, slots=True)
class Kept:
    """A boundary that holds or held.

    Attributes
    ----------
    at : datetime
        Since when.
    drawn : bool
        On a page; imported otherwise.
    drawn_by : str
        The name of one of its own people; empty for others.
    own : bool
        Whether the visitor drew it.
    area_m2 : float
    """

    id: int
    at: datetime
    drawn: bool
    drawn_by: str
    own: bool
    area_m2: float


def history(session: Session, block_watch_id: int) -> list[Kept]:
    """Give the boundaries of a watch to whoever keeps it, the newest first."""
    rows = session.execute(
        text(
            "SELECT id, at, drawn, drawn_by, own, "
            "ST_Area(ST_Transform(boundary, CAST(:srid AS integer))) "
            "FROM watch_boundary_private WHERE block_watch_id = :id ORDER BY id DESC LIMIT :most"
        ),
        {"id": block_watch_id, "srid": CITY_SRID, "most": MOST_KEPT},
    )
    return [Kept(*row) for row in rows]


def earlier(session: Session, block_watch_id: int, id: int) -> BaseGeometry | None:
    """Give a boundary that held once; None where there is none of this id."""
    found = session.scalar(
        text(
            "SELECT ST_AsBinary(boundary) FROM watch_boundary_private "
            "WHERE block_watch_id = :block_watch_id AND id = :id"
        ),
        {"block_watch_id": block_watch_id, "id": id},
    )
    return None if found is None else shapely.from_wkb(bytes(found))


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another watch on the same ground.

    Attributes
    ----------
    share : float
        Of the new boundary's ground.
    """

    id: int
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Moved:
    """Open reports that a new boundary gives to another watch, or takes from one.

    Attributes
    ----------
    name : str or None
        Of the other watch; None for no watch.
    comes : bool
        To the watch whose boundary it is; they go otherwise.
    reports : int
    """

    name: str | None
    comes: bool
    reports: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a new boundary would change."""

    overlaps: Sequence[Overlap]
    moved: Sequence[Moved]


_OVERLAPS = text(f"""
    WITH new AS (
        SELECT {_NEW} AS shape, ST_Area(ST_Transform({_NEW}, CAST(:srid AS integer))) AS size
    ), common AS (
        SELECT watch.id, name, ST_Area(
            ST_Transform(ST_Intersection(boundary, shape), CAST(:srid AS integer))) / size AS share
        FROM block_watch AS watch, new
        WHERE watch.id <> :id AND ST_Intersects(boundary, shape)
    )
    SELECT id, name, share FROM common WHERE share >= :sliver ORDER BY share DESC, name
""")  # noqa: S608 (its own constant)

# As the triggers join reports: the smallest watch around the public position, then the first.
_MOVED = text(f"""
    WITH new AS (
        SELECT {_NEW} AS shape, ST_Union({_NEW}, boundary) AS region
        FROM block_watch WHERE id = :id
    ), watch AS (
        SELECT id, CASE WHEN id = :id THEN shape ELSE boundary END AS boundary
        FROM block_watch, new
    ), joined AS (
        SELECT report.block_watch_id AS before, (
            SELECT watch.id FROM watch
            WHERE ST_Intersects(watch.boundary, ST_PointOnSurface(report.public_geom))
            ORDER BY ST_Area(watch.boundary), watch.id LIMIT 1
        ) AS after
        FROM report, new
        WHERE status::text = ANY (:open) AND report.public_geom && region
    )
    SELECT name, after IS NOT DISTINCT FROM :id AS comes, count(*) FROM joined
    LEFT JOIN block_watch ON block_watch.id = CASE WHEN before = :id THEN after ELSE before END
    WHERE before IS DISTINCT FROM after
    GROUP BY name, comes ORDER BY comes DESC, count(*) DESC, name
""")  # noqa: S608 (its own constant)


def effect(session: Session, block_watch_id: int, boundary: BaseGeometry) -> Effect:
    """Tell what a new boundary would change, from what everybody may know of reports.

    Parameters
    ----------
    session : Session
    block_watch_id : int
    boundary : shapely geometry
        Polygon or MultiPolygon, EPSG:4326.

    Returns
    -------
    Effect
    """
    values = {"id": block_watch_id, "boundary": shapely.to_wkb(boundary)}
    overlaps = session.execute(_OVERLAPS, {**values, "srid": CITY_SRID, "sliver": SLIVER})
    moved = session.execute(_MOVED, {**values, "open": sorted(OPEN)})
    return Effect([Overlap(*row) for row in overlaps], [Moved(*row) for row in moved])


def change(
    session: Session, block_watch_id: int, boundary: BaseGeometry, *, version: int, by_id: int
) -> None:
    """Give a watch another boundary. Reports change hands, and whoever follows it follows that.

    Parameters
    ----------
    session : Session
        Of whoever keeps the watch; the store refuses others. Nothing is committed here.
    block_watch_id : int
    boundary : shapely geometry
        Polygon or MultiPolygon, EPSG:4326.
    version : int
        Of the boundary that was read.
    by_id : int
        The person.

    Raises
    ------
    ChangedMeanwhile
    """
    session.execute(
        text("SELECT FROM block_watch WHERE id = :id FOR NO KEY UPDATE"), {"id": block_watch_id}
    )
    if held(session, block_watch_id).version != version:
        raise ChangedMeanwhile
    session.execute(
        text(f"UPDATE block_watch SET boundary = {_NEW} WHERE id = :id"),  # noqa: S608 (its own constant)
        {"id": block_watch_id, "boundary": shapely.to_wkb(boundary)},
    )
    detail = {"before": version, "after": held(session, block_watch_id).version}
    audit.add(session, by_id, "watch.boundary", f"block_watch {block_watch_id}", detail)
