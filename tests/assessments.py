"""Plans and their assessments as tests lay them out, in the city of `tests.places`."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from data.models import Plan, PoliceIncident
from data.queries import assessments
from data.queries.assessments import Design, Grounds
from geo.crs import to_stored
from server.assessments import areas, propose

APART_M = 25.0
"""Further than two reports of one lamp may be from each other."""

PLACE = (-94.5605, 39.0105, -94.5575, 39.0130)
"""Some 260 by 280 m, within the block watch."""


def open_plan(session: Session, **values) -> int:
    shape = f"SRID=4326;{shapely.MultiPolygon([shapely.box(*PLACE)])}"
    return session.scalar(
        insert(Plan)
        .values({"title": "Norton by night", "place": shape, **values})
        .returning(Plan.id)
    )


def design(starts: date, **values) -> Design:
    """Half a year before and half a year after, of lamps that are out."""
    return Design(
        **{
            "response_starts": starts,
            "before_from": starts - timedelta(days=180),
            "before_until": starts - timedelta(days=1),
            "after_from": starts,
            "after_until": starts + timedelta(days=179),
            "settling_days": 10,
            "ring_m": 150,
            "categories": ("light_out",),
            "offense_groups": (),
            "worst_first": False,
            "zone": "America/Chicago",
            **values,
        }
    )


def drafted(session: Session, plan_id: int, made: Design, chosen=(0,), today=None) -> int:
    """A draft with its control."""
    place = shapely.box(*PLACE)
    place = shapely.MultiPolygon([place])
    proposal = propose(session, plan_id, place, made, today or made.response_starts)
    assessments.save(session, plan_id, made, proposal, place)
    draft = assessments.of_plan(session, plan_id)[-1]
    shifts = [proposal["places"][number]["shift"] for number in chosen]
    assessments.choose(session, draft.id, chosen, "", areas(session, place, made, shifts))
    return draft.id


def _lattice(area: BaseGeometry) -> np.ndarray:
    """Points of one lattice of the whole city that lie in an area, none at its edge."""
    west, south, east, north = (APART_M * np.floor(side / APART_M) for side in area.bounds)
    x, y = np.meshgrid(np.arange(west, east + 50, APART_M), np.arange(south, north + 50, APART_M))
    inside = shapely.contains_xy(area.buffer(-1), x, y)
    return np.column_stack([x[inside], y[inside]])


def _moments(made: Design, counts: tuple[int, int]) -> Iterator[datetime]:
    """Evenly over both periods, so that nothing clusters."""
    for number, first, days in (
        (counts[0], made.before_from, made.before_days),
        (counts[1], made.after_from, made.after_days),
    ):
        start = datetime.combine(first, time(12), UTC)
        for nth in range(number):
            yield start + timedelta(days=(nth + 0.5) * (days - 1) / number)


def fill(
    session: Session, made: Design, grounds: Grounds, *, police: bool = False, **counts
) -> None:
    """Put incidents into the areas of an assessment, before and after."""
    for area, (before, after) in counts.items():
        at = _lattice(getattr(grounds, area))
        lon, lat = to_stored().transform(*at.T)
        # Farther on in the lattice each time, so that no place comes again soon.
        rows = [
            (lon[nth % len(at)], lat[nth % len(at)], moment)
            for nth, moment in enumerate(_moments(made, (before, after)))
        ]
        put = incident if police else report
        put(session, rows)


def report(session: Session, rows, category="light_out", late=timedelta(hours=1)) -> None:
    """Reports by longitude, latitude and moment."""
    session.execute(
        text("""
            INSERT INTO report (kind, category_code, exact_geom, public_geom, occurred_at, reported_at)
            SELECT kind, code, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326),
                ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), :at, :reported
            FROM category WHERE code = :category
        """),
        [
            {"lon": lon, "lat": lat, "at": at, "reported": at + late, "category": category}
            for lon, lat, at in rows
        ],
    )


def incident(session: Session, rows, group="Theft", sensitive=False) -> None:
    """Police incidents by longitude, latitude and moment."""
    session.execute(
        insert(PoliceIncident),
        [
            {
                "offense": group,
                "offense_group": group,
                "sensitive": sensitive,
                "occurred_at": at,
                "exact_geom": f"SRID=4326;POINT({lon} {lat})",
                "public_geom": None if sensitive else f"SRID=4326;POINT({lon} {lat})",
            }
            for lon, lat, at in rows
        ],
    )


def somewhere(moment: datetime) -> list[tuple[float, float, datetime]]:
    """Far from the plan, at a moment: rows reach until then."""
    return [(-94.545, 39.035, moment)]
