"""The homes of the city, as the regions need them that hide a report at one of them."""

from collections.abc import Iterable, Sequence

import numpy as np
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data.models import HomeCell
from geo.crs import CITY_SRID
from geo.homes import CELL_M, Homes

_RECOUNT = text(f"""
    WITH home AS (
        SELECT geom FROM parcel WHERE land_use = 'home'
        UNION ALL
        SELECT geom FROM address
        WHERE source <> ALL (:derived) AND NOT EXISTS (SELECT FROM parcel WHERE land_use = 'home')
    )
    INSERT INTO home_cell (x, y, homes)
    SELECT floor(ST_X(place) / {CELL_M}), floor(ST_Y(place) / {CELL_M}), count(*)
    FROM home, LATERAL (SELECT ST_Transform(geom, {CITY_SRID})) AS projected (place)
    GROUP BY 1, 2
""")  # noqa: S608 (its own constants)

_DERIVED = ["vacant_lot", "service_location"]

CELLS = "SELECT x, y, homes FROM home_cell"


def recount(session: Session) -> None:
    """Count the homes anew: parcels with homes, or where none are known, addresses.

    Call it at the end of an import that brought either. Addresses derived from vacant lots and service
    locations are no homes. A parcel counts once, however many homes stand on it, so that there are
    never fewer than counted.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    """
    session.execute(text("DELETE FROM home_cell"))
    session.execute(_RECOUNT, {"derived": _DERIVED})


def homes(session: Session) -> Homes:
    """Give the homes of the city."""
    return of_rows(session.execute(text(CELLS)))


def of_rows(rows: Iterable[Sequence[int]]) -> Homes:
    """Give the homes of rows of `CELLS`."""
    counted = np.array(list(rows), dtype=np.int64).reshape(-1, 3)
    return Homes(counted[:, :2], counted[:, 2])


def state(session: Session) -> tuple[int, int]:
    """Give a number of cells and of homes, which a new count changes."""
    found = session.execute(
        select(
            func.count(), func.coalesce(func.sum(HomeCell.homes * (HomeCell.x + 7 * HomeCell.y)), 0)
        )
    ).one()
    return int(found[0]), int(found[1])
