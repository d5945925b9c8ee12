import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from data.models import Area, AreaLayer


def served_area(session: Session) -> BaseGeometry | None:
    """Give the area whose reports are taken: the union of the areas of the layer `city`.

    Parameters
    ----------
    session : Session

    Returns
    -------
    shapely geometry or None
        In EPSG:4326, prepared, so that threads can ask it at the same time. None where no city has
        been imported.
    """
    shapes = session.scalars(
        select(Area.geom.ST_AsBinary(type_=None)).where(Area.layer == AreaLayer.CITY)
    ).all()
    if not shapes:
        return None
    area = shapely.union_all(shapely.from_wkb(np.asarray([bytes(s) for s in shapes], dtype=object)))
    shapely.prepare(area)
    shapely.intersects_xy(area, *area.bounds[:2])  # GEOS builds its index at the first question
    return area
