"""The hot spots planted in the sample city, so that tests can ask whether an analysis finds them."""

from collections.abc import Iterator
from dataclasses import dataclass

from shapely import Point

from data.sample.streets import Grid
from data.sample.tables import items, rows


@dataclass(frozen=True, slots=True)
class HotSpot:
    """A circle in which some categories are reported more often than elsewhere, for a while.

    Attributes
    ----------
    code, name : str
    center : shapely.Point
        In metres of the city's CRS; in degrees once `data.sample.city` has given it out.
    radius_m : float
    categories : tuple of str
        Category codes that are raised.
    from_day, to_day : int
        Days before the end of the sample at which it begins and ends: 260 and 0 is the last 260.
    hours : tuple of (int, int) or None
        Local hours of occurrence, from the first to before the last, over midnight where the first
        is later. None for the whole day.
    factor : float
        Planted rate in the circle and period against the rate without it.
    expected : float
        Reports of these categories in the circle and period that chance alone would bring.
    planted : int
        Reports put on top of that.
    """

    code: str
    name: str
    center: Point
    radius_m: float
    categories: tuple[str, ...]
    from_day: int
    to_day: int
    hours: tuple[int, int] | None
    factor: float
    expected: float = 0.0
    planted: int = 0


def hot_spots(grid: Grid) -> Iterator[HotSpot]:
    """Give the hot spots of the table, with nothing planted yet."""
    for row in rows("hot_spots"):
        hours = (int(row["first_hour"]), int(row["last_hour"])) if row["first_hour"] else None
        yield HotSpot(
            code=row["code"],
            name=row["name"],
            center=grid.corner(row["corner"]),
            radius_m=float(row["radius_m"]),
            categories=tuple(sorted(items(row["categories"]))),
            from_day=int(row["from_day"]),
            to_day=int(row["to_day"]),
            hours=hours,
            factor=float(row["factor"]),
        )
