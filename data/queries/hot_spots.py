"""Analyses of hot spots: the places that one may see, the ground, what is kept, and what lies near.

Every place is read as exactly as whoever asks may see it: the views `report_place` and
`police_incident_place` see to that, so pages and jobs ask alike, in the name of the visitor.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Row, TextClause, func, select, text
from sqlalchemy.orm import Session

from data.models import AnalysisState, Area, AreaLayer, BlockWatch
from data.queries import tallies
from data.queries.areas import Named
from geo.crs import CITY_SRID, in_city_metres, to_city
from geo.exposure import Homes, Households
from geo.grids import edges
from geo.places import Box
from geo.statuses import OPEN

KEPT_DAYS = 30
"""Days after which an analysis is forgotten."""

FRESH_MINUTES = 10
"""Minutes for which an analysis is shown although rows have changed since."""

_AS_BYTES = "coalesce(string_agg({}, ''::bytea), ''::bytea)"
"""A column as one string of bytes: psycopg takes a million rows apart for as long as all else takes."""


class Source(StrEnum):
    """What is analysed. The two are never mixed."""

    REPORTS = "reports"
    POLICE = "police"


_LAYERS = {Source.REPORTS: "reports", Source.POLICE: "police_incidents"}

_PLACES = {
    Source.REPORTS: """
        FROM report_place
        WHERE reported_at >= %(since)s AND occurred_at >= %(since)s AND occurred_at < %(until)s
            AND category_code = ANY (%(codes)s)
    """,
    Source.POLICE: """
        FROM police_incident_place
        WHERE occurred_at >= %(since)s AND occurred_at < %(until)s
    """,
}
_CODES = {
    Source.REPORTS: "array_position(%(codes)s, category_code)",
    Source.POLICE: "hashtext(offense_group)",
}
_IN_BOX = " AND geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326)"


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where and when: n reports or incidents.

    Attributes
    ----------
    lon, lat : ndarray of float
        Degrees on WGS 84; of a line or an area, its middle.
    xy_m : ndarray of float, shape (n, 2)
        The same in the city's metres.
    at_s : ndarray of float
        Seconds since 1970, UTC, of when it happened.
    code : ndarray of int32
        Which of the codes asked for it has, from 1; of police incidents, a number for each group.
    """

    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    xy_m: NDArray[np.float64]
    at_s: NDArray[np.float64]
    code: NDArray[np.int32]


def places(
    session: Session,
    source: Source,
    period: tuple[datetime, datetime],
    codes: Sequence[str],
    box: Box | None,
) -> Places:
    """Read what happened in a period, as exactly as the visitor may see it.

    Parameters
    ----------
    session : Session
    source : Source
    period : tuple of (datetime, datetime)
        From the first to before the second.
    codes : sequence of str
        Categories of reports that count.
    box : tuple of float or None
        West, south, east, north in degrees: no others are read.

    Returns
    -------
    Places
        Without those that have no place to be seen. A million take about three seconds.
    """
    values: dict[str, Any] = {"since": period[0], "until": period[1], "codes": [*codes]}
    if box is not None:
        values |= dict(zip(("west", "south", "east", "north"), box, strict=True))
    driver = session.connection().connection.driver_connection
    assert driver is not None
    with driver.cursor(binary=True) as cursor:
        read = cursor.execute(
            f"""
                SELECT {_AS_BYTES.format("float8send(ST_X(place))")},
                    {_AS_BYTES.format("float8send(ST_Y(place))")},
                    {_AS_BYTES.format("float8send(extract(epoch FROM occurred_at)::float8)")},
                    {_AS_BYTES.format("int4send(coalesce(code, 0)::int4)")}
                FROM (
                    SELECT CASE GeometryType(geom)
                            WHEN 'POINT' THEN geom ELSE ST_Centroid(geom) END AS place,
                        occurred_at, {_CODES[source]} AS code
                    {_PLACES[source]} AND geom IS NOT NULL {_IN_BOX if box else ""}
                ) AS placed
            """,  # noqa: S608 (words of this module; values are bound)
            values,
        ).fetchone()
    lon, lat, at = (np.frombuffer(column, ">f8").astype(np.float64) for column in read[:3])
    code = np.frombuffer(read[3], ">i4").astype(np.int32)
    return Places(lon, lat, np.column_stack(to_city().transform(lon, lat)), at, code)


def at_most(session: Session, source: Source, period: tuple[datetime, datetime], most: int) -> bool:
    """Tell whether no more rows than these happened in a time, whatever they are about."""
    table, further = (
        ("report", "AND reported_at >= :since")
        if source is Source.REPORTS
        else ("police_incident", "")
    )
    counted = session.scalar(
        text(
            f"SELECT count(*) FROM (SELECT FROM {table} WHERE occurred_at >= :since "  # noqa: S608 (its own words)
            f"AND occurred_at < :until {further} LIMIT :most) AS first"
        ),
        {"since": period[0], "until": period[1], "most": most + 1},
    )
    return int(counted or 0) <= most


def rights(session: Session) -> str:
    """Give the visitor's rights to exact places in one word; empty where there are none."""
    return str(session.scalar(text("SELECT visitor_rights()")))


def rows_version(session: Session, source: Source) -> int:
    """Give a number that grows with every change of the rows that are analysed."""
    return tallies.versions(session)[_LAYERS[source]]


def area(session: Session, ids: Sequence[int], watch_id: int | None) -> BaseGeometry | None:
    """Give areas, or a block watch, as one shape in the city's metres; the whole city without any."""
    if watch_id is not None:
        meant = select(BlockWatch.boundary).where(BlockWatch.id == watch_id)
    elif ids:
        meant = select(Area.geom).where(Area.id.in_(ids))
    else:
        meant = select(Area.geom).where(Area.layer == AreaLayer.CITY)
    shape = meant.subquery().c[0]
    read = session.scalars(
        select(func.ST_AsBinary(func.ST_Transform(shape, CITY_SRID, type_=None), type_=None))
    ).all()
    if not read:
        return None
    shapes = shapely.make_valid(shapely.from_wkb([bytes(one) for one in read]))
    return shapely.union_all(shapes)


def choices(session: Session, layers: Sequence[AreaLayer]) -> dict[AreaLayer, list[Named]]:
    """Give the areas of some layers that have a name, by one question, in the order of their names."""
    rows = session.execute(
        text(
            "SELECT layer::text, id, name FROM area WHERE layer = ANY (CAST(:layers AS area_layer[])) AND name <> '' "
            "ORDER BY name, id"
        ),
        {"layers": [*layers]},
    ).all()
    return {layer: [Named(id, name) for of, id, name in rows if of == layer] for layer in layers}


@dataclass(frozen=True, slots=True)
class Measures:
    """What incidents can be measured against: what has been imported.

    Attributes
    ----------
    streets : str
        "street" for the streets themselves, "block" for the edges of blocks; empty for neither.
    homes : AreaLayer, "parcel" or None
        The smallest areas whose number of households is known, or else lots with homes on them.
    """

    streets: str
    homes: AreaLayer | Literal["parcel"] | None


_HOMES_IN = (
    AreaLayer.BLOCK,
    AreaLayer.BLOCK_GROUP,
    AreaLayer.TRACT,
    AreaLayer.NEIGHBOURHOOD,
    AreaLayer.POSTAL_AREA,
)
"""Layers whose areas do not overlap, the smallest first."""


def measures(session: Session) -> Measures:
    """Say what incidents can be measured against."""
    by_street, by_block, by_lot, layers = session.execute(
        text("""
            SELECT EXISTS (SELECT FROM street), EXISTS (SELECT FROM area WHERE layer = 'block'),
                EXISTS (SELECT FROM parcel WHERE land_use = 'home'),
                ARRAY(SELECT DISTINCT layer::text FROM area WHERE households > 0)
        """)
    ).one()
    known = (layer for layer in _HOMES_IN if layer in layers)
    return Measures(
        streets="street" if by_street else "block" if by_block else "",
        homes=next(known, "parcel" if by_lot else None),
    )


_EDGES = text("SELECT ST_AsBinary(geom) FROM area WHERE layer = 'block' AND geom && :box")
_STREETS = text("SELECT ST_AsBinary(geom) FROM street WHERE geom && :box")
_LOTS = text("""
    SELECT ST_X(geom), ST_Y(geom) FROM parcel WHERE land_use = 'home' AND geom && :box
""")
_HOMES = text("""
    SELECT ST_AsBinary(geom), households FROM area
    WHERE layer = CAST(:layer AS area_layer) AND households > 0 AND geom && :box
""")


def streets(session: Session, box: Box) -> list[BaseGeometry]:
    """Give the streets of a box, or the edges of its blocks where no streets are known.

    Parameters
    ----------
    session : Session
    box : tuple of float
        West, south, east, north in degrees.

    Returns
    -------
    list of shapely lines
        In the city's metres, each stretch once.
    """
    if measures(session).streets == "street":
        return [
            in_city_metres(shapely.from_wkb(bytes(one))) for one in _within(session, _STREETS, box)
        ]
    blocks = [shapely.from_wkb(bytes(one)) for one in _within(session, _EDGES, box)]
    return [in_city_metres(edges(blocks))] if blocks else []


def _within(session: Session, statement: TextClause, box: Box) -> Sequence[Any]:
    return session.scalars(statement, {"box": _envelope(box)}).all()


def _envelope(box: Box) -> str:
    return f"SRID=4326;{shapely.box(*box).wkt}"


def homes(session: Session, box: Box) -> Homes | Households | None:
    """Give the homes of a box: by the smallest areas whose households are known, or by lots.

    Parameters
    ----------
    session : Session
    box : tuple of float
        West, south, east, north in degrees.

    Returns
    -------
    geo.exposure.Homes or geo.exposure.Households or None
        In the city's metres.
    """
    layer = measures(session).homes
    if layer is None:
        return None
    values = {"box": _envelope(box)}
    if layer == "parcel":
        lots = np.array(session.execute(_LOTS, values).all(), np.float64).reshape(-1, 2)
        return Homes(*to_city().transform(*lots.T))
    rows = session.execute(_HOMES, values | {"layer": layer}).all()
    shapes = [shapely.make_valid(in_city_metres(shapely.from_wkb(bytes(one)))) for one, _n in rows]
    return Households(shapes, [households for _shape, households in rows])


@dataclass(frozen=True, slots=True)
class Run:
    """An analysis as it is kept, without its cells. The attributes are those of `HotSpotRun`."""

    id: int
    state: AnalysisState
    progress: int
    reason: str
    asked: Mapping[str, Any]
    method: int
    rows_version: int
    created_at: datetime
    read_at: datetime | None
    found: Mapping[str, Any] | None


_COLUMNS = "id, state, progress, reason, asked, method, rows_version, created_at, read_at, found"


def _run(row: Row[Any] | None) -> Run | None:
    if row is None:
        return None
    values = row._asdict()
    return Run(**values | {"state": AnalysisState(values["state"])})


@dataclass(frozen=True, slots=True)
class Question:
    """What an analysis is kept under.

    Attributes
    ----------
    asked : mapping
        Parameters as JSON.
    rights : str
        As `rights` gives them.
    method, version : int
        Of the method, and of the rows.
    """

    asked: Mapping[str, Any]
    rights: str
    method: int
    version: int

    @property
    def values(self) -> dict[str, Any]:
        """As statements bind them."""
        return {
            "asked": orjson.dumps(self.asked).decode(),
            "rights": self.rights,
            "method": self.method,
            "version": self.version,
        }


def find(session: Session, question: Question) -> Run | None:
    """Give the newest analysis that answers a question: of these very rows, or a few minutes old."""
    return _run(
        session.execute(
            text(f"""
                SELECT {_COLUMNS} FROM hot_spot_run
                WHERE md5(asked::text) = md5(CAST(:asked AS jsonb)::text)
                    AND rights = :rights AND method = :method AND (rows_version = :version
                        OR created_at > now() - make_interval(mins => :fresh))
                ORDER BY rows_version DESC, id DESC LIMIT 1
            """),  # noqa: S608 (its own words)
            question.values | {"fresh": FRESH_MINUTES},
        ).one_or_none()
    )


def by_id(session: Session, id: int) -> Run | None:
    """Give an analysis that the visitor may read."""
    return _run(
        session.execute(
            text(f"SELECT {_COLUMNS} FROM hot_spot_run WHERE id = :id"),  # noqa: S608 (as above)
            {"id": id},
        ).one_or_none()
    )


def cells(session: Session, id: int) -> bytes:
    """Give the cells of an analysis that is done and that the visitor may read."""
    return bytes(
        session.execute(
            text("SELECT cells FROM hot_spot_run WHERE id = :id"), {"id": id}
        ).scalar_one()
    )


def ask(session: Session, question: Question, person_id: int | None) -> None:
    """Have a job answer a question; nothing is done where one does already."""
    session.execute(
        text("""
            INSERT INTO hot_spot_run (asked, rights, method, rows_version, asked_by_id)
            VALUES (CAST(:asked AS jsonb), :rights, :method, :version, :person) ON CONFLICT DO NOTHING
        """),
        question.values | {"person": person_id},
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What an analysis found: sums, and a column of values for each cell as .npz."""

    read_at: datetime
    found: Mapping[str, Any]
    cells: bytes

    @property
    def values(self) -> dict[str, Any]:
        """As statements bind them."""
        return {
            "read_at": self.read_at,
            "found": orjson.dumps(self.found).decode(),
            "cells": self.cells,
        }


def keep(session: Session, question: Question, answer: Answer) -> None:
    """Keep an answer that was found at once; nothing is done where there is one already."""
    session.execute(
        text("""
            INSERT INTO hot_spot_run (asked, rights, method, rows_version, state, progress, read_at,
                ended_at, found, cells)
            VALUES (CAST(:asked AS jsonb), :rights, :method, :version, 'done', 100, :read_at,
                clock_timestamp(), CAST(:found AS jsonb), :cells)
            ON CONFLICT DO NOTHING
        """),
        question.values | answer.values,
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """A question that a job answers, and in whose name."""

    asked: Mapping[str, Any]
    rights: str
    person_id: int | None


def begin(session: Session, id: int) -> Begun | None:
    """Take up a question; None where it is answered or gone. As the owner of the store."""
    row = session.execute(
        text("""
            UPDATE hot_spot_run SET state = 'running', progress = 0
            WHERE id = :id AND state IN ('waiting', 'running')
            RETURNING asked, rights, asked_by_id
        """),
        {"id": id},
    ).one_or_none()
    return None if row is None else Begun(*row)


def advance(session: Session, id: int, percent: int) -> None:
    """Say how far an analysis has come."""
    session.execute(
        text("UPDATE hot_spot_run SET progress = :percent WHERE id = :id"),
        {"id": id, "percent": percent},
    )


def end(session: Session, id: int, answer: Answer) -> None:
    """Keep the answer of a job."""
    session.execute(
        text("""
            UPDATE hot_spot_run SET state = 'done', progress = 100, read_at = :read_at,
                ended_at = clock_timestamp(), found = CAST(:found AS jsonb), cells = :cells
            WHERE id = :id
        """),
        {"id": id} | answer.values,
    )


def fail(session: Session, id: int, reason: str) -> None:
    """Say that an analysis failed, and why."""
    session.execute(
        text("""
            UPDATE hot_spot_run SET state = 'failed', reason = left(:reason, 500),
                ended_at = clock_timestamp() WHERE id = :id
        """),
        {"id": id, "reason": reason},
    )


def again(session: Session, id: int) -> bool:
    """Have a job try an analysis again that failed; False where the visitor has none such."""
    found = session.execute(
        text(
            "UPDATE hot_spot_run SET state = 'waiting', reason = '', progress = 0, ended_at = NULL "
            "WHERE id = :id AND state = 'failed' RETURNING id"
        ),
        {"id": id},
    )
    return found.one_or_none() is not None


def forget(session: Session) -> None:
    """Delete analyses that nobody asks for any more. As the owner of the store."""
    session.execute(
        text(
            "DELETE FROM hot_spot_run WHERE created_at < now() - make_interval(days => :days) "
            "AND state IN ('done', 'failed')"
        ),
        {"days": KEPT_DAYS},
    )


@dataclass(frozen=True, slots=True)
class Near:
    """Something near a cell; the distance is from the middle of the cell."""

    id: int
    name: str
    type: str
    distance_m: float


@dataclass(frozen=True, slots=True)
class Around:
    """What everybody may know of a cell's surroundings.

    Attributes
    ----------
    locations : list of Near
        The nearest service locations.
    lights, lights_out : int
        Street lights in the cell and those of them that are out or reported.
    open_reports : int
        Open reports whose public position lies in the cell.
    watches : list of (int, str, str)
        Id, name and contact of the block watches that the cell meets.
    neighbourhood : str
        Of its middle; may be empty.
    """

    locations: list[Near]
    lights: int
    lights_out: int
    open_reports: int
    watches: list[tuple[int, str, str]]
    neighbourhood: str


_LOCATIONS = text("""
    SELECT id, name, type::text AS type,
        ST_Distance(geom::geography, ST_Centroid(CAST(:cell AS geometry))::geography) AS distance_m
    FROM service_location WHERE NOT confidential
    ORDER BY geom <-> ST_Centroid(CAST(:cell AS geometry)), id LIMIT :most
""")
_SUMS = text("""
    SELECT
        (SELECT count(*) FROM street_light WHERE ST_Intersects(geom, :cell)),
        (SELECT count(*) FROM street_light
            WHERE ST_Intersects(geom, :cell) AND status IN ('reported', 'out', 'scheduled')),
        (SELECT count(*) FROM report
            WHERE ST_Intersects(public_geom, :cell) AND status::text = ANY (:open)),
        coalesce((SELECT name FROM area_piece JOIN area ON area.id = area_id
            WHERE area.layer = 'neighbourhood'
                AND ST_Intersects(area_piece.geom, ST_Centroid(CAST(:cell AS geometry))) LIMIT 1), '')
""")
_WATCHES = text("""
    SELECT id, name, contact FROM block_watch
    WHERE ST_Intersects(boundary, :cell) ORDER BY name, id
""")


def around(session: Session, cell: BaseGeometry, most: int = 5) -> Around:
    """Give what lies in and near a cell.

    Parameters
    ----------
    session : Session
    cell : shapely Polygon
        EPSG:4326.
    most : int
        Service locations at the most.
    """
    values = {"cell": f"SRID=4326;{shapely.to_wkt(cell, 7)}"}
    lights, out, open_, neighbourhood = session.execute(
        _SUMS, values | {"open": sorted(OPEN)}
    ).one()
    return Around(
        locations=[Near(*row) for row in session.execute(_LOCATIONS, values | {"most": most})],
        lights=lights,
        lights_out=out,
        open_reports=open_,
        watches=[tuple(row) for row in session.execute(_WATCHES, values)],
        neighbourhood=neighbourhood,
    )


_NAMES = text("""
    SELECT coalesce((
        SELECT one.label || ' & ' || other.label FROM (
            SELECT first_id, second_id, geom FROM corner ORDER BY geom <-> at LIMIT 1
        ) AS nearest
        JOIN street_name AS one ON one.id = first_id JOIN street_name AS other ON other.id = second_id
        WHERE ST_DistanceSphere(nearest.geom, at) <= :near_m
    ), (
        SELECT name FROM area_piece JOIN area ON area.id = area_id
        WHERE area.layer = 'neighbourhood' AND ST_Intersects(area_piece.geom, at) LIMIT 1
    ), '')
    FROM jsonb_array_elements(CAST(:points AS jsonb)) WITH ORDINALITY AS point (lonlat, nth),
        LATERAL ST_SetSRID(ST_MakePoint((lonlat->>0)::float8, (lonlat->>1)::float8), 4326) AS at
    ORDER BY nth
""")
_CORNER_M = 300.0


def named_places(session: Session, points: Sequence[tuple[float, float]]) -> list[str]:
    """Say where some points are: by the corner nearby, else by the neighbourhood.

    Parameters
    ----------
    session : Session
    points : sequence of (float, float)
        Longitude and latitude.
    """
    values = {"points": json.dumps(points), "near_m": _CORNER_M}
    return [*session.scalars(_NAMES, values)] if points else []
