"""Street lights, for whoever reports one or follows what becomes of it: all of it is public."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Row, column, func, select, table, true
from sqlalchemy.orm import Session

from data.models import LightStatus, Street, StreetLight
from data.queries.filters import Bounds, envelope
from geo.crs import in_city_metres, to_city
from geo.outages import BLOCK_M, REACH_M, STREET_REACH_M, STRETCH_REACH_M, Match, meant

OFFERED_M = 120.0
"""Metres from a place within which lights are offered to be picked."""

MOST_OFFERED = 6

_METRES_PER_DEGREE = 111_195.0
_LEAST_COSINE = 0.5
"""Of a latitude: a box that is too wide in the north only holds lights that are sorted out later."""

_needs = table(
    "street_light_need", column("street_light_id"), column("reports"), column("opened_at")
)

light_needs = (
    select(_needs.c.reports, _needs.c.opened_at)
    .where(_needs.c.street_light_id == StreetLight.id)
    .offset(0)
    .lateral("light_need")
)
"""The open outage of a light, as everybody may know it. To be joined to street lights.

Looked up light by light, which `offset` sees to: else reports are counted for every light there is.
"""

_report_lights = table(
    "report_light", column("report_id"), column("street_light_id"), column("how")
)


@dataclass(frozen=True, slots=True)
class Light:
    """A street light.

    Attributes
    ----------
    pole : str
        The number on its pole.
    reports : int
        How many say now that something is wrong with it.
    opened_at : datetime or None
        When the first of them came.
    """

    id: int
    pole: str
    status: LightStatus
    longitude: float
    latitude: float
    reports: int
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class NearLight:
    """A light and how far it is from a place, in metres."""

    light: Light
    distance_m: float


@dataclass(frozen=True, slots=True)
class MeantLights:
    """The lights that a report will be about.

    Attributes
    ----------
    how : Match
        `place` where it is about none.
    lights : tuple of Light
        The nearest first.
    """

    how: Match
    lights: tuple[Light, ...]


_COLUMNS = (
    StreetLight.id,
    StreetLight.pole_id,
    StreetLight.status,
    func.ST_X(StreetLight.geom).label("longitude"),
    func.ST_Y(StreetLight.geom).label("latitude"),
    func.coalesce(light_needs.c.reports, 0).label("reports"),
    light_needs.c.opened_at,
)
_LIGHTS = select(*_COLUMNS).outerjoin(light_needs, true())


def _light(row: Row[Any]) -> Light:
    return Light(
        row.id, row.pole_id, row.status, row.longitude, row.latitude, row.reports, row.opened_at
    )


def one(session: Session, id: int) -> Light | None:
    """Give a light; None where there is none."""
    row = session.execute(_LIGHTS.where(StreetLight.id == id)).one_or_none()
    return None if row is None else _light(row)


def by_pole(session: Session, pole: str) -> Light | None:
    """Give the light with a number on its pole; None where there is none."""
    row = session.execute(_LIGHTS.where(StreetLight.pole_id == pole)).one_or_none()
    return None if row is None else _light(row)


def near(session: Session, shape: BaseGeometry) -> list[NearLight]:
    """Give the lights around a place that somebody may mean, the nearest first.

    Parameters
    ----------
    session : Session
    shape : shapely geometry
        EPSG:4326.

    Returns
    -------
    list of NearLight
        `MOST_OFFERED` at the most, within `OFFERED_M`.
    """
    lights, distances = _around(session, shape, OFFERED_M)
    order = np.argsort(distances, kind="stable")
    return [
        NearLight(lights[index], float(distances[index]))
        for index in order[:MOST_OFFERED]
        if distances[index] <= OFFERED_M
    ]


def meant_by(session: Session, category: str, shape: BaseGeometry) -> MeantLights:
    """Give the lights that a report of a place will be about, if no pole is picked.

    Parameters
    ----------
    session : Session
    category : str
        Its code.
    shape : shapely geometry
        EPSG:4326.

    Returns
    -------
    MeantLights
    """
    reach = BLOCK_M + STREET_REACH_M + max(REACH_M, STRETCH_REACH_M)
    lights, _distances = _around(session, shape, reach)
    streets = session.scalars(
        select(func.ST_AsBinary(Street.geom))
        .where(Street.geom.op("&&")(envelope(_box(shape, reach))))
        .order_by(Street.id)
    )
    found = meant(
        category,
        in_city_metres(shape),
        _points(lights),
        shapely.transform(
            shapely.from_wkb([bytes(line) for line in streets]),
            lambda at: np.column_stack(to_city().transform(*at.T)),
        ).tolist(),
    )
    return MeantLights(found.how, tuple(lights[index] for index in found.lights))


def of_report(session: Session, report_id: int) -> Sequence[Light]:
    """Give the lights that a report is about, by the numbers on their poles."""
    mine = (
        select(_report_lights.c.street_light_id)
        .where(_report_lights.c.report_id == report_id)
        .distinct()
        .subquery()
    )
    rows = session.execute(
        _LIGHTS.join(mine, mine.c.street_light_id == StreetLight.id).order_by(StreetLight.pole_id)
    )
    return [_light(row) for row in rows]


def _around(
    session: Session, shape: BaseGeometry, metres: float
) -> tuple[list[Light], NDArray[np.float64]]:
    """Give the lights in a box around a shape, and how many metres each is from it."""
    rows = session.execute(
        _LIGHTS.where(StreetLight.geom.op("&&")(envelope(_box(shape, metres)))).order_by(
            StreetLight.id
        )
    )
    lights = [_light(row) for row in rows]
    return lights, shapely.distance(_points(lights), in_city_metres(shape))


def _points(lights: Sequence[Light]) -> NDArray[Any]:
    at = np.array([(light.longitude, light.latitude) for light in lights]).reshape(-1, 2)
    return np.asarray(shapely.points(*to_city().transform(*at.T)))


def _box(shape: BaseGeometry, metres: float) -> Bounds:
    west, south, east, north = shape.bounds
    degrees = metres / _METRES_PER_DEGREE
    wide = degrees / _LEAST_COSINE
    return Bounds(west - wide, south - degrees, east + wide, north + degrees)
