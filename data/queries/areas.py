"""Areas and block watches by name, to choose from, and how far the city reaches."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
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
    box = func.ST_Extent(Area.geom, type_=None)
    edges = (func.ST_XMin(box), func.ST_YMin(box), func.ST_XMax(box), func.ST_YMax(box))
    row = session.execute(select(*edges).where(Area.layer == AreaLayer.CITY)).one()
    return None if row[0] is None else Bounds(*row)
