"""Lights that were fixed and places that stayed dark, and what came of a season: kept for good."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.crs import CITY_SRID
from geo.relit import Dark


@dataclass(frozen=True, slots=True)
class Season:
    """What came of a season; the attributes are those of `data.models.LightResult`."""

    fixed_from: date
    fixed_until: date
    computed_at: datetime
    method: int
    found: Mapping[str, Any]


def results(session: Session) -> list[Season]:
    """Give what came of each season, the newest first.

    Parameters
    ----------
    session : Session
        In the name of whoever asks: nothing for whoever does not work on lights.
    """
    rows = session.execute(
        text(
            "SELECT fixed_from, fixed_until, computed_at, method, found FROM light_result "
            "ORDER BY fixed_from DESC, method DESC"
        )
    )
    return [Season(*row) for row in rows]


def keep(
    session: Session, fixed_from: date, fixed_until: date, method: int, found: Mapping[str, Any]
) -> None:
    """Keep what came of a season, once. As the owner of the store."""
    session.execute(
        text(
            "INSERT INTO light_result (fixed_from, fixed_until, method, found) "
            "VALUES (:since, :until, :method, CAST(:found AS jsonb)) ON CONFLICT DO NOTHING"
        ),
        {
            "since": fixed_from,
            "until": fixed_until,
            "method": method,
            "found": orjson.dumps(found).decode(),
        },
    )


def first_fixed(session: Session) -> datetime | None:
    """Give when the first light was fixed of which anything is known; None where none was."""
    found: datetime | None = session.scalar(
        text("SELECT min(closed_at) FROM need WHERE kind = 'lighting' AND status = 'done'")
    )
    return found


_PLACE = f"ST_X(ST_Transform(geom, {CITY_SRID})), ST_Y(ST_Transform(geom, {CITY_SRID}))"


def _dark(rows: list[Any]) -> Dark:
    table: NDArray[np.float64] = np.array([row[:4] for row in rows], np.float64).reshape(-1, 4)
    return Dark(table[:, :2], table[:, 2], table[:, 3])


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """Lights that were fixed.

    Attributes
    ----------
    dark : Dark
    again : ndarray of bool
        Those that failed again within the time that is looked at.
    """

    dark: Dark
    again: NDArray[np.bool_]


def fixed(session: Session, since: datetime, until: datetime, after_days: int) -> Fixed:
    """Give the lights that were fixed in a period.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    since, until : datetime
        From the first to before the second.
    after_days : int
        Within which one may have failed again.
    """
    rows = session.execute(
        text(f"""
            SELECT {_PLACE}, extract(epoch FROM opened_at), extract(epoch FROM closed_at), EXISTS (
                SELECT FROM need AS later WHERE later.street_light_id = need.street_light_id
                    AND later.id <> need.id AND later.opened_at > need.opened_at
                    AND later.opened_at < need.closed_at + make_interval(days => :after)
            )
            FROM need WHERE kind = 'lighting' AND status = 'done' AND street_light_id IS NOT NULL
                AND closed_at >= :since AND closed_at < :until
            ORDER BY id
        """),  # noqa: S608 (its own constants)
        {"since": since, "until": until, "after": after_days},
    ).all()
    return Fixed(_dark([*rows]), np.array([row[4] for row in rows], np.bool_))


def unlit(session: Session) -> Dark:
    """Give all places known to have been dark, whether a light there is out or there is none.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    """
    rows = session.execute(
        text(f"""
            SELECT {_PLACE}, extract(epoch FROM opened_at),
                coalesce(extract(epoch FROM closed_at), 'infinity'::float8)
            FROM need WHERE kind = 'lighting'
                AND category_code IN ('light_out', 'block_dark', 'light_damaged', 'light_needed')
            ORDER BY id
        """)  # noqa: S608 (as above)
    ).all()
    return _dark([*rows])
