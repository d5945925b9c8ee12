"""The sample city: midtown and east-side Kansas City, made from short tables and a seed.

The streets, corners and neighbourhoods are the city's own, placed from the tables of this folder.
Everything that happens in it is made up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from data.sample.crews import Depot, depots
from data.sample.places import (
    Address,
    Area,
    BlockWatch,
    Ground,
    ServiceLocation,
    StreetLight,
    TransitStop,
    VacantLot,
    places,
)
from data.sample.police import PoliceIncident, police_incidents
from data.sample.reports import CITY_TIME, DAYS, Report, reports
from data.sample.streets import Street
from data.sample.truth import HotSpot
from data.sample.walks import WalkStop, walk_stops
from geo.crs import to_stored

_DIGITS = 7
"""Decimals of a degree that are kept: a centimetre."""

_Row = TypeVar("_Row", bound=Any)


@dataclass(frozen=True, slots=True)
class SampleCity:
    """Everything there is in the sample city. Geometries are in EPSG:4326.

    Attributes
    ----------
    seed : int
    since, until : datetime
        The two years it covers, until the time the caller gave.
    dark_runs : tuple of tuple of int
        Runs of adjacent lights that are out, as positions in `street_lights`.
    hot_spots : tuple of HotSpot
        What was planted among the reports: the known truth.
    """

    seed: int
    since: datetime
    until: datetime
    areas: tuple[Area, ...]
    streets: tuple[Street, ...]
    ground: tuple[Ground, ...]
    addresses: tuple[Address, ...]
    block_watches: tuple[BlockWatch, ...]
    service_locations: tuple[ServiceLocation, ...]
    street_lights: tuple[StreetLight, ...]
    dark_runs: tuple[tuple[int, ...], ...]
    vacant_lots: tuple[VacantLot, ...]
    transit_stops: tuple[TransitStop, ...]
    police_incidents: tuple[PoliceIncident, ...]
    reports: tuple[Report, ...]
    hot_spots: tuple[HotSpot, ...]
    walk_stops: tuple[WalkStop, ...]
    depots: tuple[Depot, ...]


def sample_city(seed: int, until: datetime) -> SampleCity:
    """Build the sample city.

    Parameters
    ----------
    seed : int
        The same seed and end give the same city, to the last digit.
    until : datetime
        Where its two years end, with a time zone; seconds are dropped.

    Returns
    -------
    SampleCity

    Raises
    ------
    ValueError
        Where `until` has no time zone.

    Examples
    --------
    >>> from datetime import UTC
    >>> city = sample_city(1, datetime(2026, 6, 1, tzinfo=UTC))
    >>> len(city.street_lights), len(city.reports), len(city.service_locations)
    (2000, 3000, 60)
    """
    if until.tzinfo is None:
        raise ValueError("The end of the sample needs a time zone, such as datetime.now(UTC).")
    until = until.replace(second=0, microsecond=0)
    # A stream of its own for each part, so that a change to one leaves the others as they were.
    of_places, of_reports, of_police = (
        np.random.default_rng([seed, stream]) for stream in range(3)
    )
    made = places(of_places, until.astimezone(CITY_TIME).date())
    written, spots = reports(made, of_reports, until)
    return SampleCity(
        seed=seed,
        since=until - timedelta(days=DAYS),
        until=until,
        areas=_in_degrees(made.areas),
        streets=_in_degrees(made.streets),
        ground=_in_degrees(made.ground),
        addresses=_in_degrees(made.addresses),
        block_watches=_in_degrees(made.block_watches),
        service_locations=_in_degrees(made.service_locations),
        street_lights=_in_degrees(made.street_lights),
        dark_runs=made.dark_runs,
        vacant_lots=_in_degrees(made.vacant_lots),
        transit_stops=_in_degrees(made.transit_stops),
        police_incidents=_in_degrees(police_incidents(made, of_police, until)),
        reports=_in_degrees(written),
        hot_spots=_in_degrees(spots),
        walk_stops=_in_degrees([*walk_stops(made.grid, until, CITY_TIME)]),
        depots=_in_degrees([*depots(made.grid)]),
    )


def _in_degrees(rows: Sequence[_Row]) -> tuple[_Row, ...]:
    """Give the rows with every geometry in EPSG:4326, all of a column at once."""
    converted: list[dict[str, Any]] = [{} for _ in rows]
    for column in fields(rows[0]) if rows else ():
        values = [getattr(row, column.name) for row in rows]
        if isinstance(values[0], shapely.Geometry):
            shapes = shapely.transform(np.asarray(values, dtype=object), _degrees)
            for changes, shape in zip(converted, shapes, strict=True):
                changes[column.name] = shape
    return tuple(replace(row, **changes) for row, changes in zip(rows, converted, strict=True))


def _degrees(metres: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack(to_stored().transform(metres[:, 0], metres[:, 1])).round(_DIGITS)
