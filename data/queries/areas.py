"""Areas and block watches by name, to choose from, and how far the city reaches."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from data.models import Area, AreaLayer, BlockWatch
from data.queries.filters import Bounds

CHOSEN_FROM = (
    AreaLayer.NEIGHBOURHOOD,
    AreaLayer.COUNCIL_DISTRICT,
    AreaLayer.PATROL_DIVISION,
)
"""Layers whose areas people know by name."""

_FILTERED_BY = (*CHOSEN_FROM, AreaLayer.TRACT)

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Named:
    """Something to choose by its name."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Outline:
    """How far an area or a block watch reaches.

    Attributes
    ----------
    name : str
    bounds : Bounds
    geometry : dict
        GeoJSON, EPSG:4326.
    """

    name: str
    bounds: Bounds
    geometry: dict[str, Any]


def named(session: Session, layer: AreaLayer) -> Sequence[Named]:
    """Give the areas of a layer that have a name, in the order of their names.

    Parameters
    ----------
    session : Session
    layer : AreaLayer
    """
    rows = session.execute(
        select(Area.id, Area.name)
        .where(Area.layer == layer, Area.name != "")
        .order_by(Area.name, Area.id)
    )
    return [Named(*row) for row in rows]


def named_block_watches(session: Session) -> Sequence[Named]:
    """Give the block watches, in the order of their names.

    Parameters
    ----------
    session : Session
    """
    rows = session.execute(select(BlockWatch.id, BlockWatch.name).order_by(BlockWatch.name))
    return [Named(*row) for row in rows]


def extent(session: Session) -> Bounds | None:
    """Give the box around the city, or None where no city has been imported.

    Parameters
    ----------
    session : Session
    """
    box = func.ST_Extent(Area.geom, type_=None)
    edges = (func.ST_XMin(box), func.ST_YMin(box), func.ST_XMax(box), func.ST_YMax(box))
    row = session.execute(select(*edges).where(Area.layer == AreaLayer.CITY)).one()
    return None if row[0] is None else Bounds(*row)


def area(session: Session, id: int) -> Named | None:
    """Give an area by which reports can be filtered, or None where there is none of this id.

    Parameters
    ----------
    session : Session
    id : int
    """
    row = session.execute(
        select(Area.id, func.coalesce(func.nullif(Area.name, ""), Area.code)).where(
            Area.id == id, Area.layer.in_(_FILTERED_BY)
        )
    ).one_or_none()
    return None if row is None else Named(*row)


def outline_of_area(session: Session, id: int) -> Outline | None:
    """Give how far an area reaches by which reports can be filtered.

    Parameters
    ----------
    session : Session
    id : int

    Returns
    -------
    Outline or None
        None where there is no such area.
    """
    found = area(session, id)
    return None if found is None else _outline(session, found.name, Area.geom, Area.id == id)


def outline_of_block_watch(session: Session, id: int) -> Outline | None:
    """Give how far a block watch reaches.

    Parameters
    ----------
    session : Session
    id : int

    Returns
    -------
    Outline or None
        None where there is no such block watch.
    """
    name = session.scalar(select(BlockWatch.name).where(BlockWatch.id == id))
    if name is None:
        return None
    return _outline(session, name, BlockWatch.boundary, BlockWatch.id == id)


def _outline(
    session: Session, name: str, shape: InstrumentedAttribute[Any], meant: ColumnElement[bool]
) -> Outline:
    edges = (func.ST_XMin(shape), func.ST_YMin(shape), func.ST_XMax(shape), func.ST_YMax(shape))
    geometry, *box = session.execute(
        select(func.ST_AsGeoJSON(shape, _DECIMALS), *edges).where(meant)
    ).one()
    return Outline(name, Bounds(*box), json.loads(geometry))
