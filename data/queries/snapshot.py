"""What a map in one file shows: public positions only, and no more than a file should hold."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from data.queries import base_map
from data.queries.filters import Bounds, envelope

_UNITS = 4096
"""Parts of the width of the view that can be told apart."""

_DECIMALS = 5
"""Of a degree: 1 m."""


def collection(features: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Give GeoJSON features as a collection."""
    return {"type": "FeatureCollection", "features": list(features)}


def feature(geometry: dict[str, Any], properties: dict[str, Any], id: int | None) -> dict[str, Any]:
    """Give a GeoJSON feature.

    Parameters
    ----------
    geometry, properties : dict
    id : int or None
        None for a feature that nobody asks for.
    """
    made = {"type": "Feature", "geometry": geometry, "properties": properties}
    return made if id is None else {"id": id, **made}


def base(session: Session, bounds: Bounds) -> dict[str, dict[str, Any]]:
    """Give the base map of a view.

    Parameters
    ----------
    session : Session
    bounds : Bounds

    Returns
    -------
    dict of str to GeoJSON FeatureCollection
        The layers and attributes of the tiles of `base`, simplified as far as nobody sees it.
    """
    box = envelope(bounds)
    parts = {name: base_map.shapes(name, box) for name in base_map.SHAPES}
    parts["street"] = base_map.streets(box, max(base_map.STREET_RANKS), blocks_stand_in=True)
    parts["label"] = base_map.labels(box, city=True, neighbourhoods=True, grounds=True)
    tolerance = (bounds.east - bounds.west) / _UNITS
    return {name: _collected(session, rows, tolerance) for name, rows in parts.items()}


def _collected(session: Session, rows: Select[Any], tolerance: float) -> dict[str, Any]:
    found = rows.subquery()
    names = [column.name for column in found.c if column.name != "geom"]
    simple = func.ST_AsGeoJSON(func.ST_Simplify(found.c.geom, tolerance, True), _DECIMALS)
    shown = session.execute(select(simple, *(found.c[name] for name in names)))
    return collection(
        feature(json.loads(shape), dict(zip(names, values, strict=True)), None)
        for shape, *values in shown
    )
