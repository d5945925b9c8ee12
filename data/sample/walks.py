"""The block walks of the sample city: one that found much, and one later that found less."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from shapely import Point

from data.sample.streets import Grid
from data.sample.tables import items, rows
from geo.walks import understood

_BEGINS = time(18, 30)
_BETWEEN = timedelta(minutes=7)


@dataclass(frozen=True, slots=True)
class WalkStop:
    """A stop of a walk. Those of one walk have its watch and title, and follow each other.

    Attributes
    ----------
    watch : str
        Code of the block watch.
    seen_at : datetime
    geom : Point
    answers : mapping of str to str
        Codes of questions and answers of `geo.walks`.
    """

    watch: str
    title: str
    seen_at: datetime
    geom: Point
    corner: str
    answers: Mapping[str, str]
    note: str


def walk_stops(grid: Grid, until: datetime, zone: ZoneInfo) -> Iterator[WalkStop]:
    """Give the stops of all walks, in their order.

    Parameters
    ----------
    grid : Grid
    until : datetime
        Days are counted back from here.
    zone : ZoneInfo
        Of the city: walks begin in the early evening.
    """
    walk, number = "", 0
    for row in rows("walks"):
        number = number + 1 if row["title"] == walk else 0
        walk = row["title"]
        answers = dict(item.split("=") for item in items(row["answers"]))
        understood(answers)
        day = (until - timedelta(days=int(row["days_ago"]))).astimezone(zone).date()
        yield WalkStop(
            watch=row["watch"],
            title=walk,
            seen_at=datetime.combine(day, _BEGINS, zone) + number * _BETWEEN,
            geom=grid.corner(row["corner"]),
            corner=row["corner"],
            answers=answers,
            note=row["note"],
        )
