"""Areas and block watches by name, to choose from, and how far the city reaches."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from data.models import Area, AreaLayer, BlockWatch
from data.queries.filters import Bounds

CHOSEN_FROM = (
    AreaLayer.NEIGHBOURHOOD,
    AreaLayer.COUNCIL_DISTRICT,
    AreaLayer.PATROL_DIVISION,
)
"""Layers whose areas people know by name."""


@dataclass(frozen=True, slots=True)
class Named:
    """Something to choose by its name."""

    id: int
    name: str


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
    box = select(func.ST_Extent(Area.geom).label("box")).where(Area.layer == AreaLayer.CITY)
    around = box.subquery()
    edges = [
        getattr(func, edge)(literal_column(f"{around.name}.box"))
        for edge in ("ST_XMin", "ST_YMin", "ST_XMax", "ST_YMax")
    ]
    west, south, east, north = session.execute(select(*edges).select_from(around)).one()
    return None if west is None else Bounds(west, south, east, north)
