"""A small made-up city for tests, in which it is easy to say where things are."""

from dataclasses import dataclass

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from data.models import Area, AreaLayer, BlockWatch, Street

WEST, SOUTH, EAST, NORTH = -94.60, 39.00, -94.54, 39.04
MIDDLE = -94.57
"""West of it lies Westside, east of it Eastside."""

IN_WESTSIDE = (-94.585, 39.02)
IN_EASTSIDE = (-94.555, 39.02)
IN_THE_WATCH = (-94.561, 39.012)
OUTSIDE = (-94.50, 39.02)
"""Longitude and latitude of places."""


@dataclass(frozen=True)
class City:
    """Ids of what `found_city` made."""

    city: int
    westside: int
    eastside: int
    council_district: int
    block_watch: int


def box(west: float, south: float, east: float, north: float) -> str:
    ring = f"({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south})"
    return f"SRID=4326;MULTIPOLYGON(({ring}))"


def found_city(session: Session) -> City:
    """Store a rectangular city with two neighbourhoods, a district, a block watch and two streets."""

    def area(layer: AreaLayer, name: str, shape: str) -> int:
        return session.execute(
            insert(Area).values(layer=layer, code=name, name=name, geom=shape).returning(Area.id)
        ).scalar_one()

    made = City(
        city=area(AreaLayer.CITY, "Testville", box(WEST, SOUTH, EAST, NORTH)),
        westside=area(AreaLayer.NEIGHBOURHOOD, "Westside", box(WEST, SOUTH, MIDDLE, NORTH)),
        eastside=area(AreaLayer.NEIGHBOURHOOD, "Eastside", box(MIDDLE, SOUTH, EAST, NORTH)),
        council_district=area(
            AreaLayer.COUNCIL_DISTRICT, "District 3", box(WEST, SOUTH, EAST, NORTH)
        ),
        block_watch=session.execute(
            insert(BlockWatch)
            .values(name="Norton Watch", boundary=box(-94.565, 39.01, -94.557, 39.014))
            .returning(BlockWatch.id)
        ).scalar_one(),
    )
    session.execute(
        insert(Street),
        [
            {
                "name": "Norton Ave",
                "rank": 3,
                "geom": "SRID=4326;LINESTRING(-94.561 39, -94.561 39.04)",
            },
            {
                "name": "E 34th St",
                "rank": 2,
                "geom": "SRID=4326;LINESTRING(-94.6 39.012, -94.54 39.012)",
            },
        ],
    )
    session.execute(text("ANALYZE area_piece"))
    return made
