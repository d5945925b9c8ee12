"""Police incidents of the sample city: a few hundred, of everyday kinds, at hundred-blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from shapely import Point

from data.sample.places import Places
from data.sample.reports import CITY_TIME, DAYS
from data.sample.tables import rows

INCIDENTS = 400


@dataclass(frozen=True, slots=True)
class PoliceIncident:
    """An incident at the middle of a hundred-block."""

    number: int
    offense: str
    offense_group: str
    occurred_at: datetime
    geom: Point


def police_incidents(
    made: Places, rng: np.random.Generator, until: datetime
) -> tuple[PoliceIncident, ...]:
    """Draw the incidents of two years, by number in the order of time.

    Parameters
    ----------
    made : Places
    rng : numpy.random.Generator
    until : datetime

    Returns
    -------
    tuple of PoliceIncident
    """
    drawn = sorted(_drawn(made, rng, until), key=lambda one: one[:2])
    return tuple(
        PoliceIncident(number, offense, group, at, point)
        for number, (at, offense, group, point) in enumerate(drawn, start=1)
    )


def _drawn(
    made: Places, rng: np.random.Generator, until: datetime
) -> Iterator[tuple[datetime, str, str, Point]]:
    kinds = list(rows("offenses"))
    shares = np.array([float(kind["share"]) for kind in kinds])
    blocks: dict[str, Point] = {}
    for address in made.addresses:
        blocks.setdefault(address.block, address.geom)
    points = list(blocks.values())
    rates = np.array([habits.reporting for habits in made.habits_at(points)])
    for kind in rng.choice(len(kinds), size=INCIDENTS, p=shares / shares.sum()).tolist():
        row = kinds[kind]
        hours = np.array([float(digit) for digit in row["hours"]])
        at = (until - timedelta(days=float(rng.uniform(1, DAYS)))).astimezone(CITY_TIME)
        at = at.replace(
            hour=int(rng.choice(24, p=hours / hours.sum())), minute=int(rng.integers(0, 60))
        )
        point = points[int(rng.choice(len(points), p=rates / rates.sum()))]
        yield (
            at.astimezone(UTC).replace(second=0, microsecond=0),
            row["offense"],
            row["group"],
            point,
        )
