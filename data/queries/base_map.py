"""What the base map is drawn from: city, water, parks, blocks, streets, and the names of places.

Geometries in EPSG:4326. The box is an SQL expression, so that a statement made once serves any.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    cast,
    exists,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from data.models import Area, AreaLayer, Ground, GroundType, Street

WEB_MERCATOR = 3857

SHAPES = ("city", *(type_.value for type_ in GroundType), "block")
"""Kinds of areas, in the order in which they are painted."""

STREET_RANKS = (1, 2, 3)


def shapes(name: str, box: ColumnElement[Any]) -> Select[Any]:
    """Give the areas of one kind that meet a box.

    Parameters
    ----------
    name : str
        One of `SHAPES`.
    box : SQL expression

    Returns
    -------
    Select
        Of `geom`.
    """
    if name in {AreaLayer.CITY, AreaLayer.BLOCK}:
        areas = select(Area.geom).where(Area.layer == AreaLayer(name))
        return areas.where(Area.geom.op("&&")(box))
    return select(Ground.geom).where(Ground.type == GroundType(name), Ground.geom.op("&&")(box))


def streets(box: ColumnElement[Any], last_rank: int, *, blocks_stand_in: bool) -> Select[Any]:
    """Give the streets that meet a box, each as one line as far as it goes.

    Parameters
    ----------
    box : SQL expression
    last_rank : int
        Smaller streets are left out.
    blocks_stand_in : bool
        Where no street is stored at all, whether the edges of census blocks, which follow the
        streets, are given instead.

    Returns
    -------
    Select
        Of `name` (null where there is none), `rank` and `geom`.
    """
    named = (
        select(
            func.nullif(Street.name, "").label("name"),
            Street.rank,
            func.ST_LineMerge(func.ST_Collect(Street.geom)).label("geom"),
        )
        .where(Street.geom.op("&&")(box), Street.rank <= last_rank)
        .group_by(Street.name, Street.rank)
    )
    lines = named.subquery("lines")
    if blocks_stand_in:
        blocks = shapes(AreaLayer.BLOCK, box)
        edges = blocks.with_only_columns(
            literal(None, String).label("name"),
            literal(max(STREET_RANKS), Integer).label("rank"),
            func.ST_Boundary(Area.geom).label("geom"),
        ).where(~exists(select(Street.id)))
        lines = union_all(named, edges).subquery("lines")
    return select(lines.c.name, lines.c.rank, lines.c.geom)


def labels(
    box: ColumnElement[Any], *, city: bool, neighbourhoods: bool, grounds: bool
) -> Select[Any]:
    """Give the names of places that meet a box.

    Parameters
    ----------
    box : SQL expression
    city, neighbourhoods, grounds : bool
        Which places.

    Returns
    -------
    Select
        Of `name`, `type`, `rank` (the larger the place the lower, and the sooner it shows) and
        `geom`, a point.
    """
    sources: list[Select[Any]] = []

    def add(
        geometry: InstrumentedAttribute[Any], type_: ColumnElement[str], *where: ColumnElement[bool]
    ) -> None:
        name = geometry.class_.name
        columns = (name.label("name"), type_.label("type"), geometry.label("geom"))
        sources.append(select(*columns).where(geometry.op("&&")(box), name != "", *where))

    if city:
        add(Area.geom, literal("city"), Area.layer == AreaLayer.CITY)
    if neighbourhoods:
        add(Area.geom, literal("neighbourhood"), Area.layer == AreaLayer.NEIGHBOURHOOD)
    if grounds:
        add(Ground.geom, cast(Ground.type, String))
    places = union_all(*sources).subquery("places")
    size_m2 = func.ST_Area(func.ST_Transform(places.c.geom, WEB_MERCATOR))
    return select(
        places.c.name,
        places.c.type,
        cast(func.greatest(1, 21 - func.ln(size_m2)), Integer).label("rank"),
        func.ST_PointOnSurface(places.c.geom).label("geom"),
    )
