"""The depots and crews of the sample city, and what its repairs take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time

from shapely import Point

from data.sample.streets import Grid
from data.sample.tables import items, rows
from geo.kinds import Kind


@dataclass(frozen=True, slots=True)
class Depot:
    """Where crews start from."""

    name: str
    geom: Point


@dataclass(frozen=True, slots=True)
class Crew:
    """A crew, and the name of its depot."""

    name: str
    depot: str
    kind: Kind
    starts_at: time
    day_minutes: int


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What a need of a category takes."""

    category: str
    cents: int
    minutes: int
    materials: Mapping[str, int]


def depots(grid: Grid) -> Iterator[Depot]:
    """Give the depots, in metres."""
    for row in rows("depots"):
        yield Depot(row["name"], grid.corner(row["corner"]))


def crews() -> Iterator[Crew]:
    """Give the crews."""
    for row in rows("crews"):
        yield Crew(
            row["name"],
            row["depot"],
            Kind(row["kind"]),
            time.fromisoformat(row["starts_at"]),
            int(row["day_minutes"]),
        )


def unit_costs() -> Iterator[UnitCost]:
    """Give what repairs take."""
    for row in rows("unit_costs"):
        materials = (item.partition(" ") for item in items(row["materials"]))
        yield UnitCost(
            row["category"],
            100 * int(row["dollars"]),
            int(row["minutes"]),
            {name: int(count) for count, _space, name in materials},
        )
