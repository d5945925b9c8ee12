"""Vector tiles (Mapbox Vector Tile 2.1) of the map's layers, each drawn by one SQL statement.

The version of the layer is read in the same statement, so that it is the version of what the tile
shows, whoever writes meanwhile.

Most of the cost of a tile is the values of its attributes, so there are few, and details are asked
for one feature at a time. Below zoom 14 points come as counts a cell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    SQLColumnExpression,
    Subquery,
    and_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute

from data.models import (
    Area,
    AreaLayer,
    BlockWatch,
    LayerChange,
    PoliceIncident,
    Report,
    ReportTally,
    ServiceLocation,
    StreetLight,
    TransitStop,
    VacantLot,
)
from data.models.base import SRID
from data.queries import base_map
from data.queries.base_map import WEB_MERCATOR
from data.queries.filters import ReportFilter, public_reports
from geo.kinds import Kind
from geo.statuses import OPEN, PUBLIC
from geo.tiles import CELL_STEPS, CELLS_BELOW, EXTENT, MARGIN, Tile, box, level

WORLD_M = 40_075_016.69
"""Width of the world in units of Web Mercator."""

_FINEST = 4
"""Units below which the shape of a line or an area is simplified: half a pixel, where a tile is
drawn 512 pixels wide."""

_DIALECT = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]

_Z, _X, _Y = (bindparam(name, None, type_=Integer) for name in ("z", "x", "y"))
_BOX = func.ST_MakeEnvelope(
    *(bindparam(name, None, type_=Float) for name in ("west", "south", "east", "north")), SRID
)
_CELLS = bindparam("cells", None, type_=Float)
_TALLY_LEVEL = bindparam("tally_level", None, type_=Integer)
_TALLY_SHIFT = bindparam("tally_shift", None, type_=Integer)
_TOLERANCE_M = bindparam("tolerance_m", None, type_=Float)

_Column = InstrumentedAttribute[Any]
_Expression = SQLColumnExpression[Any]


@dataclass(frozen=True, slots=True)
class DrawnTile:
    """A tile as it stood at one moment.

    Attributes
    ----------
    version : int
        Of the layer, at that moment.
    mvt : bytes
        Empty where the tile shows nothing.
    """

    version: int
    mvt: bytes


def draw(connection: Connection, layer: str, tile: Tile, chosen: ReportFilter) -> DrawnTile:
    """Draw one tile of one layer.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    layer : str
        One of `LAYERS`.
    tile : Tile
    chosen : ReportFilter
        Narrows down the layer `reports`.

    Returns
    -------
    DrawnTile

    Raises
    ------
    sqlalchemy.exc.OperationalError
        Where the database is away or takes too long.
    """
    statement, parameters = prepared(layer, tile, chosen)
    # A cursor of the driver's own: SQLAlchemy's would have the tile sent as hexadecimal text.
    cursor = connection.connection.driver_connection.cursor(binary=True)  # type: ignore[union-attr]
    with cursor:
        try:
            cursor.execute(statement, parameters, prepare=True)
            version, mvt = cursor.fetchone()
        except psycopg.OperationalError as error:
            raise OperationalError(statement, None, error) from error
    return DrawnTile(version, mvt)


def prepared(layer: str, tile: Tile, chosen: ReportFilter) -> tuple[str, dict[str, Any]]:
    """Give the statement that draws a tile, as psycopg takes it, and its parameters."""
    statement, fixed = _compiled(layer, tile.z, chosen)
    west, south, east, north = box(tile)
    where = {
        "z": tile.z,
        "x": tile.x,
        "y": tile.y,
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "cells": float(1 << tile.z + CELL_STEPS),
        "tally_level": level(tile.z),
        "tally_shift": level(tile.z) - tile.z - CELL_STEPS,
        "tolerance_m": WORLD_M / (1 << tile.z) / EXTENT * _FINEST,
    }
    return statement, fixed | where


@lru_cache(maxsize=1024)
def _compiled(layer: str, z: int, chosen: ReportFilter) -> tuple[str, dict[str, Any]]:
    """Give the statement as the driver takes it, and the parameters that are the same for a zoom."""
    version = select(func.coalesce(func.sum(LayerChange.n), 0)).where(LayerChange.layer == layer)
    mvt = func.coalesce(_STATEMENTS[layer](z, chosen), cast(literal(b""), LargeBinary))
    statement = select(version.scalar_subquery(), mvt)
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    fixed = {
        name: value.value if isinstance(value, Enum) else value
        for name, value in compiled.params.items()
    }
    return str(compiled), fixed


def _mvt(name: str, features: Subquery, id_name: str | None = None) -> ColumnElement[Any]:
    """Give an MVT layer of the rows, whose geometry is `geom`; ST_AsMVT passes over null ones."""
    every: ColumnElement[Any] = literal_column(f"{features.name}.*")
    named = () if id_name is None else (id_name,)
    tile = func.ST_AsMVT(every, name, EXTENT, "geom", *named)
    return select(tile).select_from(features).scalar_subquery()


def _in_tile(
    geometry: _Expression, *, simplified: bool = False, margin: int = MARGIN
) -> ColumnElement[Any]:
    """Give the geometry in units of the tile, cut to it."""
    projected = func.ST_Transform(geometry, WEB_MERCATOR)
    if simplified:
        projected = func.ST_Simplify(projected, _TOLERANCE_M, True)
    return func.ST_AsMVTGeom(projected, func.ST_TileEnvelope(_Z, _X, _Y), EXTENT, margin, True)


def _near(geometry: _Expression) -> ColumnElement[bool]:
    return geometry.op("&&")(_BOX)


def _cell_centre(cells: FromClause) -> ColumnElement[Any]:
    """Give the middle of a cell in units of the tile."""
    side = EXTENT >> CELL_STEPS
    return func.ST_MakePoint(
        *(
            (column - (place.op("<<")(CELL_STEPS))) * side + side // 2
            for column, place in ((cells.c.cx, _X), (cells.c.cy, _Y))
        )
    )


def _cells(counted: Subquery, counts: Sequence[str]) -> ColumnElement[Any]:
    """Give the MVT layer `cells` from rows with the cell (cx, cy) and its counts."""
    drawn = select(
        _cell_centre(counted).label("geom"), *(counted.c[name] for name in counts)
    ).subquery("cells")
    return _mvt("cells", drawn)


def _placed(centre: _Expression, *columns: Any, where: ColumnElement[bool]) -> Subquery:
    """Give rows with the cell (cx, cy) that holds each one's centre."""
    centred = select(centre.label("centre"), *columns).where(where).subquery("centred")
    # Written out instead of calling tile_x and tile_y, which PostgreSQL does not inline: 4 times as
    # quick for a million reports.
    across = (func.ST_X(centred.c.centre) + 180.0) / 360.0
    down = 0.5 - func.asinh(func.tan(func.radians(func.ST_Y(centred.c.centre)))) / (2.0 * func.pi())
    rest = [column for column in centred.c if column.name != "centre"]
    return (
        select(
            cast(func.floor(across * _CELLS), Integer).label("cx"),
            cast(func.floor(down * _CELLS), Integer).label("cy"),
            *rest,
        )
        .offset(0)  # or else PostgreSQL would work the cell out wherever it is named
        .subquery("placed")
    )


def _counted(placed: Subquery, counts: Sequence[ColumnElement[Any]]) -> Subquery:
    """Give the counts of the tile's own cells.

    The box has a margin; the cell alone decides where a place belongs, so that one on an edge is
    counted once. Asked of groups, not of rows, where PostgreSQL would expect next to none to pass.
    """
    own = [
        func.min(column).op(">>")(CELL_STEPS) == place
        for column, place in ((placed.c.cx, _X), (placed.c.cy, _Y))
    ]
    cells = select(placed.c.cx, placed.c.cy, *counts).group_by(placed.c.cx, placed.c.cy)
    return cells.having(and_(*own)).subquery("counted")


def _counts_of_reports(
    n: _Expression, kind: _Expression, status: _Expression
) -> list[ColumnElement[Any]]:
    conditions = {
        **{kind_.value: kind == kind_ for kind_ in Kind},
        "open": status.in_(sorted(OPEN)),
    }
    return [
        func.sum(n).label("n"),
        *(
            func.coalesce(func.sum(n).filter(condition), 0).label(name)
            for name, condition in conditions.items()
        ),
    ]


_REPORT_COUNTS = ("n", *(kind.value for kind in Kind), "open")


def _tallied(chosen: ReportFilter) -> ColumnElement[Any]:
    """Give the cells of reports from the tallies, which triggers keep."""
    tally = ReportTally
    conditions: list[ColumnElement[bool]] = [tally.status.in_(chosen.statuses or sorted(PUBLIC))]
    if chosen.kinds:
        conditions.append(tally.kind.in_(chosen.kinds))
    if chosen.categories:
        conditions.append(tally.category_code.in_(chosen.categories))
    steps = CELL_STEPS + _TALLY_SHIFT
    for column, place in ((tally.x, _X), (tally.y, _Y)):
        first = place.op("<<")(steps)
        conditions.append(column.between(first, (place + 1).op("<<")(steps) - 1))
    counted = (
        select(
            tally.x.op(">>")(_TALLY_SHIFT).label("cx"),
            tally.y.op(">>")(_TALLY_SHIFT).label("cy"),
            *_counts_of_reports(tally.n, tally.kind, tally.status),
        )
        .where(tally.level == _TALLY_LEVEL, *conditions)
        .group_by("cx", "cy")
        .having(func.sum(tally.n) > 0)
        .subquery("counted")
    )
    return _cells(counted, _REPORT_COUNTS)


def _reports(z: int, chosen: ReportFilter) -> ColumnElement[Any]:
    if z < CELLS_BELOW and chosen.only_counted:
        return _tallied(chosen)
    conditions = and_(_near(Report.public_geom), *public_reports(chosen))
    if z < CELLS_BELOW:
        placed = _placed(
            func.ST_Centroid(Report.public_geom), Report.kind, Report.status, where=conditions
        )
        counts = _counts_of_reports(literal_column("1", Integer), placed.c.kind, placed.c.status)
        return _cells(_counted(placed, counts), _REPORT_COUNTS)
    features = select(
        Report.id,
        Report.kind,
        Report.category_code.label("category"),
        Report.status,
        _in_tile(Report.public_geom).label("geom"),
    ).where(conditions)
    return _mvt("reports", features.subquery("reports"), "id")


def _points(
    name: str,
    geometry: _Column,
    *attributes: _Expression,
    where: ColumnElement[bool] | None = None,
    in_cells: bool = True,
) -> Callable[[int, ReportFilter], ColumnElement[Any]]:
    """Give the layer of a table of points, counted at low zooms."""
    table = geometry.class_

    def statement(z: int, chosen: ReportFilter) -> ColumnElement[Any]:
        conditions = _near(geometry) if where is None else and_(_near(geometry), where)
        if in_cells and z < CELLS_BELOW:
            counted = _counted(_placed(geometry, where=conditions), [func.count().label("n")])
            return _cells(counted, ["n"])
        features = select(table.id, *attributes, _in_tile(geometry).label("geom"))
        return _mvt(name, features.where(conditions).subquery(name), "id")

    return statement


def _polygons(
    name: str, geometry: _Column, where: ColumnElement[bool] | None = None
) -> Callable[[int, ReportFilter], ColumnElement[Any]]:
    """Give the layer of a table of named areas."""
    table = geometry.class_

    def statement(z: int, chosen: ReportFilter) -> ColumnElement[Any]:
        features = select(
            table.id, table.name, _in_tile(geometry, simplified=True).label("geom")
        ).where(_near(geometry))
        if where is not None:
            features = features.where(where)
        return _mvt(name, features.subquery(name), "id")

    return statement


_STREETS_FROM_ZOOM = {1: 7, 2: 9, 3: 11}
"""By rank."""
_BLOCKS_FROM_ZOOM = 12
_NAMES_FROM_ZOOM = 11
"""Of neighbourhoods, parks and waters; further out the city has its name."""


def _base(z: int, chosen: ReportFilter) -> ColumnElement[Any]:
    """Give the base map: several MVT layers, which may simply stand one after another."""
    with_blocks = z >= _BLOCKS_FROM_ZOOM
    parts = [
        _drawn(name, base_map.shapes(name, _BOX))
        for name in base_map.SHAPES
        if name != AreaLayer.BLOCK or with_blocks
    ]
    last_rank = max((rank for rank, first in _STREETS_FROM_ZOOM.items() if z >= first), default=0)
    parts.append(_drawn("street", base_map.streets(_BOX, last_rank, blocks_stand_in=with_blocks)))
    names_near = z >= _NAMES_FROM_ZOOM
    labels = base_map.labels(
        _BOX, city=not names_near, neighbourhoods=names_near, grounds=names_near
    )
    # No margin: a name belongs to the one tile that holds its place.
    parts.append(_drawn("label", labels, margin=0))
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.op("||")(part)
    return whole


def _drawn(name: str, rows: Select[Any], margin: int = MARGIN) -> ColumnElement[Any]:
    """Give the MVT layer of rows with a geometry in degrees."""
    places = rows.subquery()
    attributes = [column for column in places.c if column.name != "geom"]
    geometry = _in_tile(places.c.geom, simplified=True, margin=margin).label("geom")
    return _mvt(name, select(*attributes, geometry).subquery(f"{name}_drawn"))


_STATEMENTS: dict[str, Callable[[int, ReportFilter], ColumnElement[Any]]] = {
    "base": _base,
    "reports": _reports,
    "street_lights": _points("street_lights", StreetLight.geom, StreetLight.status),
    "service_locations": _points(
        "service_locations",
        ServiceLocation.geom,
        ServiceLocation.type,
        where=~ServiceLocation.confidential,
        in_cells=False,
    ),
    "block_watches": _polygons("block_watches", BlockWatch.boundary),
    "neighbourhoods": _polygons("neighbourhoods", Area.geom, Area.layer == AreaLayer.NEIGHBOURHOOD),
    "council_districts": _polygons(
        "council_districts", Area.geom, Area.layer == AreaLayer.COUNCIL_DISTRICT
    ),
    "vacant_lots": _points("vacant_lots", VacantLot.geom),
    "transit_stops": _points("transit_stops", TransitStop.geom),
    "police_incidents": _points(
        "police_incidents",
        PoliceIncident.public_geom,
        PoliceIncident.offense_group.label("group"),
        where=~PoliceIncident.sensitive,
    ),
}

LAYERS = tuple(_STATEMENTS)
"""Names of the layers that have tiles."""
