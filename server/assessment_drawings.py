"""What an assessment compares, drawn: a map of the places, and months of one beside the others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import shapely
from shapely import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.queries import meeting_sheets
from data.queries.filters import Bounds
from geo.crs import to_stored
from server.languages import Language
from server.month_charts import Chart, chart
from server.sheet_map import SheetMap, paper_around, path, sheet_map

_WIDE_M, _VERY_WIDE_M = 3_000.0, 6_000.0
_AROUND_M = 150.0


@dataclass(frozen=True, slots=True)
class Numbered:
    """A place to compare with, with the number of the list; x and y in units of the drawing."""

    number: int
    path: str
    chosen: bool
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class PlacesMap:
    """The map of what is compared: SVG paths of the treated place, of rings, and of places."""

    ground: SheetMap
    treated: str
    rings: str
    places: Sequence[Numbered]


def places_map(
    session: Session,
    treated: BaseGeometry,
    rings: BaseGeometry,
    places: Sequence[tuple[int, BaseGeometry, bool]],
) -> PlacesMap:
    """Draw what is compared.

    Parameters
    ----------
    session : Session
    treated, rings : shapely geometry
        In the city's metres.
    places : sequence of (int, shapely geometry, bool)
        Number, shape, and whether it is of the control.

    Returns
    -------
    PlacesMap
    """
    shown = shapely.union_all([treated, rings, *(shape for _, shape, _ in places)])
    shown = shown.envelope.buffer(_AROUND_M)
    paper = paper_around(shown)
    west, south, east, north = shown.buffer(paper.height / paper.scale / 2).bounds
    wide = max(east - west, north - south)
    ground = meeting_sheets.ground_around(
        session,
        shown,
        Bounds(*to_stored().transform_bounds(west, south, east, north)),
        3 if wide < _WIDE_M else 2 if wide < _VERY_WIDE_M else 1,
    )
    return PlacesMap(
        ground=sheet_map(ground, ()),
        treated=path([paper.drawn(treated)]),
        rings=path([paper.drawn(rings)]),
        places=[
            Numbered(
                number,
                path([drawn]),
                chosen,
                *(round(side, 1) for side in _middle(drawn)),
            )
            for number, drawn, chosen in (
                (number, paper.drawn(shape), chosen) for number, shape, chosen in places
            )
        ],
    )


def _middle(shape: BaseGeometry) -> tuple[float, float]:
    middle: Point = shape.representative_point()
    return middle.x, middle.y


@dataclass(frozen=True, slots=True)
class PairedChart:
    """Months of the treated place as bars, and those of the control, of one place, as a line.

    Attributes
    ----------
    treated : Chart
        Heights are of the most of both, of which 100 units are the height.
    control : sequence of float
        Of the months, for one place.
    line : str
        SVG path.
    most : float
    start_x : float or None
        Where the response starts; None where it does not within these months.
    """

    treated: Chart
    control: Sequence[float]
    line: str
    most: float
    start_x: float | None


def paired_chart(
    first_month: str,
    treated: Sequence[int],
    control: Sequence[float],
    starts: date | None,
    spoken: Language,
) -> PairedChart:
    """Draw months of the treated place beside those of its control.

    Parameters
    ----------
    first_month : str
        As 2026-01.
    treated : sequence of int
        Of it and of the months after it.
    control : sequence of float
        Of one place of the control, on average.
    starts : date or None
        When the response starts.
    spoken : Language
    """
    bars = chart(first_month, treated, spoken)
    most = max(bars.most, *control)
    step = bars.bar + 4
    points = [
        (nth * step + bars.bar / 2, 100 - (100 * count / most if most else 0))
        for nth, count in enumerate(control)
    ]
    start_x = None
    if starts is not None:
        year, month = (int(part) for part in first_month.split("-"))
        months = 12 * (starts.year - year) + starts.month - month
        if 0 <= months < len(treated):
            start_x = round((months + (starts.day - 1) / 31) * step - 2, 1)
    scale = bars.most / most if most else 0.0
    drawn = [replace(bar, height=round(bar.height * scale, 1)) for bar in bars.bars]
    return PairedChart(
        treated=replace(bars, bars=drawn),
        control=[round(count, 1) for count in control],
        line="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points),
        most=round(most, 1),
        start_x=start_x,
    )
