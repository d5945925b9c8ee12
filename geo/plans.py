"""Action plans: the four steps of problem solving, who may take them, and what everybody sees of a place.

Scanning, analysis, response and assessment (Eck and Spelman 1987, "Problem-Solving: Problem-Oriented
Policing in Newport News"). A response that began is assessed before its plan is closed, whether it
worked or not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geo.boundaries import LEAST_M2, MOST_M2
from geo.grids import Grid, Shape, cells_meeting
from geo.roles import Grant, Role


class Stage(StrEnum):
    """Where a plan stands. The order of the members is the order of the way."""

    SCANNING = "scanning"
    ANALYSIS = "analysis"
    RESPONSE = "response"
    ASSESSMENT = "assessment"
    CLOSED = "closed"


class Audience(StrEnum):
    """Whom a note of a plan is for. Each includes those before it."""

    PARTNERS = "partners"
    WATCH = "watch"
    EVERYONE = "everyone"


STEPS: Mapping[Stage, frozenset[Stage]] = MappingProxyType(
    {
        Stage.SCANNING: frozenset({Stage.ANALYSIS, Stage.CLOSED}),
        Stage.ANALYSIS: frozenset({Stage.SCANNING, Stage.RESPONSE, Stage.CLOSED}),
        Stage.RESPONSE: frozenset({Stage.ANALYSIS, Stage.ASSESSMENT}),
        Stage.ASSESSMENT: frozenset({Stage.RESPONSE, Stage.CLOSED}),
        Stage.CLOSED: frozenset(),
    }
)
"""From each stage, those that may follow. A closed plan stays closed: what comes back is a new plan."""


class Refusal(StrEnum):
    """Why a plan does not come to another stage."""

    NO_SUCH_STEP = "no_such_step"
    WORDS_MISSING = "words_missing"
    START_MISSING = "start_missing"
    NOT_STARTED = "not_started"
    STARTED = "started"


def choices(before: Stage, response_starts: date | None, today: date) -> tuple[Stage, ...]:
    """Give the stages to which a plan can come now, the next of the way first.

    Parameters
    ----------
    before : Stage
    response_starts : date or None
        As stored with the plan, in the city's time.
    today : date
        In the city's time.

    Returns
    -------
    tuple of Stage
    """
    possible = [
        after for after in STEPS[before] if not _timed(before, after, response_starts, today)
    ]
    order = [*Stage]
    return tuple(
        sorted(
            possible,
            key=lambda after: (order.index(after) < order.index(before), order.index(after)),
        )
    )


def _timed(before: Stage, after: Stage, starts: date | None, today: date) -> Refusal | None:
    """Tell why a step of the way can not be taken yet, or no more."""
    if before is not Stage.RESPONSE:
        return None
    has_begun = starts is not None and starts <= today
    if after is Stage.ASSESSMENT and not has_begun:
        return Refusal.NOT_STARTED
    if after is Stage.ANALYSIS and has_begun:
        return Refusal.STARTED
    return None


def refusal(
    before: Stage,
    after: Stage,
    *,
    words: str,
    response_starts: date | None,
    today: date,
) -> Refusal | None:
    """Tell why a plan does not come to another stage; None where it does.

    Parameters
    ----------
    before, after : Stage
    words : str
        What was found or decided. Every step says it; a closed plan says what came of it.
    response_starts : date or None
        Of the plan, or as it is said with the step to response. In the city's time.
    today : date
        In the city's time.

    Returns
    -------
    Refusal or None
    """
    if after not in STEPS[before]:
        return Refusal.NO_SUCH_STEP
    if not words.strip():
        return Refusal.WORDS_MISSING
    if after is Stage.RESPONSE and response_starts is None:
        return Refusal.START_MISSING
    return _timed(before, after, response_starts, today)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the scopes of roles ask of a plan.

    Attributes
    ----------
    block_watch_id, patrol_division_id, council_district_id : int or None
        As of `data.models.Plan`.
    department_ids : frozenset of int
        Departments that are partners.
    """

    block_watch_id: int | None = None
    patrol_division_id: int | None = None
    council_district_id: int | None = None
    department_ids: frozenset[int] = frozenset()


def leads(grants: Iterable[Grant], ground: Ground) -> bool:
    """Tell whether somebody may open a plan at a place, or change one and take its steps."""
    return any(
        grant.role is Role.ADMINISTRATOR
        or (
            grant.role is Role.LIAISON
            and grant.area_id is not None
            and grant.area_id == ground.patrol_division_id
        )
        or (
            grant.role is Role.CAPTAIN
            and grant.block_watch_id is not None
            and grant.block_watch_id == ground.block_watch_id
        )
        for grant in grants
    )


def works(grants: Iterable[Grant], ground: Ground) -> bool:
    """Tell whether somebody takes part in a plan: who leads it, and staff of its partners."""
    held = tuple(grants)
    return leads(held, ground) or any(
        grant.role is Role.STAFF
        and grant.department_id in ground.department_ids
        and (grant.area_id is None or grant.area_id == ground.council_district_id)
        for grant in held
    )


def sees(grants: Iterable[Grant], ground: Ground) -> bool:
    """Tell whether somebody sees more of a plan than its summary: members of the block watch, too."""
    held = tuple(grants)
    return works(held, ground) or any(
        grant.role is Role.MEMBER
        and grant.block_watch_id is not None
        and grant.block_watch_id == ground.block_watch_id
        for grant in held
    )


class PlaceFault(StrEnum):
    """What can be wrong with the place of a plan."""

    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"


AROUND_REPORTS_M = 60.0
"""Metres around reports that their plan takes in: both sides of the street, to the next corner."""


def around_reports(places: Iterable[BaseGeometry]) -> MultiPolygon:
    """Give the place of a plan about some reports: their hull, and a little around it.

    Parameters
    ----------
    places : iterable of shapely geometry
        Where the reports are shown, in the city's metres; one at least.

    Returns
    -------
    shapely.MultiPolygon
        In the city's metres.
    """
    hull = shapely.convex_hull(shapely.union_all([*places]))
    return parts_of(shapely.buffer(hull, AROUND_REPORTS_M, quad_segs=4))


def parts_of(area: BaseGeometry) -> MultiPolygon:
    """Give an area as one of several parts, as the store takes it."""
    return MultiPolygon([part for part in shapely.get_parts(area) if isinstance(part, Polygon)])


def place_fault(place_m: BaseGeometry) -> PlaceFault | None:
    """Tell what is wrong with a place; None where nothing is.

    No smaller than a block watch may be, or it would be the ground of one home, and no larger.

    Parameters
    ----------
    place_m : shapely geometry
        In the city's metres.
    """
    if place_m.area < LEAST_M2:
        return PlaceFault.TOO_SMALL
    return PlaceFault.TOO_LARGE if place_m.area > MOST_M2 else None


TOUCHED = 0.1
"""Share of a place that lies in a cell for the cell to stand for it."""


def public_place(
    place_m: BaseGeometry,
    x_m: NDArray[np.float64],
    y_m: NDArray[np.float64],
    *,
    width_m: float,
    least: int,
) -> MultiPolygon | None:
    """Give what everybody sees of a place: the public map's cells it lies in, if all hold enough.

    Parameters
    ----------
    place_m : shapely geometry
        In the city's metres.
    x_m, y_m : ndarray of float
        Where incidents are shown to everybody, in the same metres.
    width_m : float
        Metres across a hexagon of the public map of hot spots.
    least : int
        Incidents that each of the cells must hold.

    Returns
    -------
    shapely.MultiPolygon or None
        In the city's metres, never narrower than one whole cell. None where a cell holds fewer:
        nothing finer than the neighbourhood is said of the place.
    """
    cells = cells_meeting(Grid(Shape.HEXAGON, width_m), place_m)
    cells = cells.only(cells.asked)
    hexagons = cells.polygons()
    share = shapely.area(shapely.intersection(hexagons, place_m)) / place_m.area
    meant = share >= min(TOUCHED, float(share.max()))
    if (cells.counts(x_m, y_m)[meant] < least).any():
        return None
    return parts_of(shapely.union_all(hexagons[meant]))
