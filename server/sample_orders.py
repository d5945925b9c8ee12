"""A crew's route in the sample city: issued for the last day of the sample, begun, and not yet done."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.database import name_visitor
from data.queries import work_orders
from data.queries.work import Worker
from data.queries.work_orders import Stop, Wanted
from geo.crs import to_city
from geo.kinds import Kind
from geo.roles import Grant, Role
from geo.routes import driving_s
from geo.street_network import DETOUR
from geo.work_orders import Outcome, Party, State

_STOPS, _MINUTES = 8, 30

_PLANNER = "Sample Lighting planner"

_MARKED = (
    Wanted(State.DONE, Outcome.FIXED, note="New lamp head, works."),
    Wanted(State.DONE, Outcome.NEEDS_PARTS, note="Rust at the base.", parts="Ballast, 70 W"),
)
"""What the crew has said of its first stops."""

_CREW = text("""
    SELECT crew.id, starts_at, ST_X(geom) AS longitude, ST_Y(geom) AS latitude
    FROM crew JOIN depot ON depot.id = depot_id
    WHERE kind = 'lighting' AND active ORDER BY crew.id LIMIT 1
""")

_NEAREST = text("""
    SELECT need.id, coalesce(minutes, :minutes) AS minutes,
        ST_X(geom) AS longitude, ST_Y(geom) AS latitude
    FROM need LEFT JOIN unit_cost USING (category_code)
    WHERE kind = 'lighting' AND closed_at IS NULL AND street_light_id IS NOT NULL
        AND category_code IN ('light_out', 'light_flickers', 'light_day_burner')
    ORDER BY geom <-> ST_SetSRID(ST_MakePoint(:longitude, :latitude), 4326), need.id LIMIT :most
""")


def put_route(session: Session, until: datetime, zone: ZoneInfo) -> int:
    """Issue a route to the first lighting crew of the sample city, for the lights near its depot.

    Parameters
    ----------
    session : Session
        As the owner of the store, with the sample city in it. Nothing is committed here.
    until : datetime
        When the sample ends: that day is the route's.
    zone : ZoneInfo
        The city's.

    Returns
    -------
    int
        Stops.
    """
    crew = session.execute(_CREW).one()
    places = {"longitude": crew.longitude, "latitude": crew.latitude}
    needs = session.execute(_NEAREST, {**places, "minutes": _MINUTES, "most": _STOPS}).all()
    at = [(crew.longitude, crew.latitude), *((row.longitude, row.latitude) for row in needs)]
    metres = np.column_stack(to_city().transform(*np.array(at).T))
    day = until.astimezone(zone).date()
    now, here = datetime.combine(day, crew.starts_at, zone), 0
    stops: list[Stop] = []
    for one in _nearest_next(metres):
        away = float(np.hypot(*(metres[one] - metres[here])))
        now += timedelta(seconds=driving_s(away * DETOUR))
        need = needs[one - 1]
        stops.append(Stop(need.id, crew.id, day, len(stops) + 1, now, need.minutes))
        now, here = now + timedelta(minutes=need.minutes), one
    planner = Worker(
        session.execute(
            text("SELECT id FROM person WHERE name = :name"), {"name": _PLANNER}
        ).scalar_one(),
        (Grant(Role.STAFF, kinds=frozenset({Kind.LIGHTING})),),
    )
    name_visitor(session, planner.person_id, strong=True)
    _put(session, planner, stops)
    name_visitor(session, None, strong=False)
    return len(stops)


def _nearest_next(metres: NDArray[np.float64]) -> list[int]:
    """Give all places after the first, each the nearest to the one before it."""
    left, way = set(range(1, len(metres))), [0]
    while left:
        here = metres[way[-1]]
        way.append(min(left, key=lambda one: (float(np.hypot(*(metres[one] - here))), one)))
        left.remove(way[-1])
    return way[1:]


def _put(session: Session, planner: Worker, stops: list[Stop]) -> None:
    made = work_orders.draft(session, planner.person_id, None, stops).made
    ids = [made[stop.need_id] for stop in stops]
    for id in ids:
        work_orders.step(session, planner, id, Wanted(State.ISSUED), version=1)
    for id in ids:
        work_orders.step(session, planner, id, Wanted(State.IN_FIELD), by=Party.FIELD)
    for id, wanted in zip(ids, _MARKED, strict=False):
        work_orders.step(session, planner, id, wanted, by=Party.FIELD)
