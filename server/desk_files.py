"""The queue of the desk as files, for spreadsheets and map programs."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from data.queries.desk import QueueItem
from geo.crs import CITY, to_city
from server import map_files
from server.spreadsheets import csv_text

COLUMNS = (
    "need", "kind", "category", "status", "hazard", "rank", "rank_low", "rank_high", "score",
    "pole", "place", "neighbourhood", "council_district", "opened_at", "expected_by", "overdue",
    "closed_at", "reports", "supports", "times_fixed_before", "dark_run", "assigned_to",
    "work_plan", "work_order", "work_order_state", "crew", "day", "verified_by_neighbours",
)  # fmt: skip

_WHOLE = frozenset(
    {
        "need", "rank", "rank_low", "rank_high", "reports", "supports", "times_fixed_before",
        "dark_run", "work_plan", "work_order",
    }
)  # fmt: skip
_TRUTHS = frozenset({"hazard", "overdue", "verified_by_neighbours"})


def _facts(item: QueueItem) -> tuple[Any, ...]:
    return (
        item.id, item.category.kind.value, item.category.code, item.status.value, item.hazard,
        item.rank, item.rank_low, item.rank_high, item.score,
        item.pole, item.place, item.neighbourhood, item.council_district,
        item.opened_at.isoformat(), item.due and item.due.isoformat(), item.overdue,
        item.closed_at and item.closed_at.isoformat(), item.reports, item.supports,
        item.times_failed, item.run_id, item.assigned_to, item.plan_id, item.order_id,
        item.order_state, item.crew, item.day and item.day.isoformat(), item.verified,
    )  # fmt: skip


def made_with(asked: str, today: date, rows: int) -> dict[str, Any]:
    """Say how a file was made: of which filters, on which day, and of how many rows."""
    return {"filters": asked, "day": today.isoformat(), "rows": rows}


def table(items: Sequence[QueueItem]) -> str:
    """Write the queue as CSV, in its order."""
    rows = ((*_facts(item), item.longitude, item.latitude) for item in items)
    return csv_text((*COLUMNS, "longitude", "latitude"), rows)


def geojson(items: Sequence[QueueItem], made: Mapping[str, Any]) -> bytes:
    """Write the queue as GeoJSON, at the exact places."""
    geometries = (
        {"type": "Point", "coordinates": [round(item.longitude, 6), round(item.latitude, 6)]}
        for item in items
    )
    return map_files.geojson(made, geometries, _objects(items))


def geopackage(items: Sequence[QueueItem], made: Mapping[str, Any]) -> bytes:
    """Write the queue as GeoPackage, in the city's metres."""
    objects = _objects(items)
    degrees = np.array([(item.longitude, item.latitude) for item in items]).reshape(-1, 2)
    east, north = to_city().transform(*degrees.T)
    return map_files.geopackage(
        made,
        "queue",
        "Point",
        np.asarray(shapely.to_wkb(shapely.points(east, north))),
        {name: _typed(name, column) for name, column in objects.items()},
        crs=CITY,
        masks=[np.array([value is None for value in column]) for column in objects.values()],
    )


def _objects(items: Sequence[QueueItem]) -> dict[str, NDArray[np.object_]]:
    facts = [_facts(item) for item in items]
    return {name: np.array([row[at] for row in facts], object) for at, name in enumerate(COLUMNS)}


def _typed(name: str, column: NDArray[np.object_]) -> NDArray[Any]:
    """Give a column as its type has it; what has no value is masked."""
    if name in _WHOLE:
        return np.array([value or 0 for value in column], np.int64)
    if name in _TRUTHS:
        return column.astype(np.bool_)
    if name == "score":
        return np.array([value or 0.0 for value in column], np.float64)
    return column
