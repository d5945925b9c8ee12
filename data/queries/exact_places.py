"""Reports by their exact places, for whoever runs the store: analyses beyond it, and nothing that is shown.

Which rows count is as in the views that pages read, `report_place` and `police_incident_place`.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.queries.hot_spots import Source

_ROWS = {
    Source.REPORTS: """
        SELECT category_code AS category, occurred_at, exact_geom AS geom
        FROM report WHERE status NOT IN ('held', 'duplicate')
    """,
    Source.POLICE: """
        SELECT offense_group AS category, occurred_at, exact_geom AS geom
        FROM police_incident WHERE exact_geom IS NOT NULL
    """,
}


@dataclass(frozen=True, slots=True, eq=False)
class ExactPlaces:
    """Where and when n reports are of, exactly.

    Attributes
    ----------
    lon, lat : ndarray of float
        Degrees on WGS 84; of a line or an area, its middle.
    at_s : ndarray of float
        Seconds since 1970, UTC, of when it happened.
    category : tuple of str
        Code of the category, or the police's group of offenses.
    """

    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    at_s: NDArray[np.float64]
    category: tuple[str, ...]


def span(session: Session, source: Source) -> tuple[datetime, datetime] | None:
    """Give when the first and the last happened; None where there are none. As the owner of the store."""
    first, last = session.execute(
        text(f"SELECT min(occurred_at), max(occurred_at) FROM ({_ROWS[source]}) AS counting")  # noqa: S608 (its own words)
    ).one()
    return None if first is None else (first, last)


def exact_places(session: Session, source: Source, since: datetime, until: datetime) -> ExactPlaces:
    """Read what happened from a moment to before another. As the owner of the store."""
    rows = session.execute(
        text(f"""
            SELECT ST_X(place), ST_Y(place), extract(epoch FROM occurred_at)::float8, category
            FROM (
                SELECT CASE GeometryType(geom)
                    WHEN 'POINT' THEN geom ELSE ST_Centroid(geom) END AS place, occurred_at, category
                FROM ({_ROWS[source]}) AS counting
                WHERE occurred_at >= :since AND occurred_at < :until
            ) AS placed
        """),  # noqa: S608 (its own words; values are bound)
        {"since": since, "until": until},
    ).all()
    lon, lat, at_s, category = zip(*rows, strict=True) if rows else ((), (), (), ())
    return ExactPlaces(
        np.array(lon, np.float64), np.array(lat, np.float64), np.array(at_s, np.float64), category
    )
