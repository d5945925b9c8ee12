"""Two pages of paper about hot spots, for roll call or a block meeting: map, list and charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data.queries import hot_spots, imports, meeting_sheets
from data.queries.filters import Bounds
from data.queries.hot_spots import Around, Run, Source
from geo.crs import to_stored
from geo.grids import NOWHERE, Shape
from geo.hot_spots import Verdict
from server.hot_spot_words import CHANGES, LIGHTS, MEASURES, SHAPES, SOURCES, VERDICTS
from server.hot_spots import Asked, Light, Measure, Sight
from server.languages import Language
from server.links import root
from server.month_charts import Chart, chart
from server.pages.page import TEMPLATES
from server.settings import Settings
from server.sheet_map import SheetMap, paper_around, path, sheet_map

MOST_SPOTS = 6
"""What fits on the second page with a chart each."""

_WIDE_M, _VERY_WIDE_M = 3_000.0, 7_000.0
_AROUND_M = 250.0


@dataclass(frozen=True, slots=True)
class SpotOnPaper:
    """A hot spot, or a dense cell, with the number by which the map shows it.

    Attributes
    ----------
    x, y : float
        Of its number, in units of the drawing.
    dark : int
        Percent of its incidents in the dark.
    """

    number: int
    name: str
    verdict: str
    change: str
    count: int
    cells: int
    firm: int
    dark: int
    chart: Chart
    near: Around
    x: float
    y: float


class Brief(TypedDict):
    """What the paper shows. `firm`, `hot` and `dense` are SVG paths of cells."""

    source: Source
    asked: Asked
    run: Run
    area: str
    map: SheetMap
    border: str
    firm: str
    hot: str
    dense: str
    spots: Sequence[SpotOnPaper]
    next_names: Sequence[str]
    chart: Chart
    sources: Mapping[Source, str]
    verdicts: Mapping[str, str]
    changes: Mapping[str, str]
    lights: Mapping[Light, str]
    measures: Mapping[Measure, str]
    shapes: Mapping[Shape, str]
    weekdays: Sequence[str]
    categories: Sequence[str]
    address: str
    is_sample: bool


@dataclass(frozen=True, slots=True)
class Named:
    """What was asked, in words; the `address` of the page, and the moment of the paper."""

    area: str
    weekdays: Sequence[str]
    categories: Sequence[str]
    address: str
    now: datetime


def brief_page(
    session: Session,
    settings: Settings,
    spoken: Language,
    answered: tuple[Asked, Run, Sight],
    named: Named,
) -> str:
    """Write the brief as HTML, with its drawings inside.

    Parameters
    ----------
    session : Session
    settings : Settings
    spoken : Language
    answered : tuple of (Asked, Run, Sight)
    named : Named
    """
    asked, run, sight = answered
    border = hot_spots.area(session, asked.area_ids, asked.watch_id)
    assert border is not None
    listed = [row["cell"] for row in sight.found["listed"]][:MOST_SPOTS]
    shown = _shown(sight, listed, border)
    paper = paper_around(shown)
    west, south, east, north = shown.buffer(paper.height / paper.scale).bounds
    wide = max(east - west, north - south)
    ground = meeting_sheets.ground_around(
        session,
        shown,
        Bounds(*to_stored().transform_bounds(west, south, east, north)),
        3 if wide < _WIDE_M else 2 if wide < _VERY_WIDE_M else 1,
    )
    polygons = sight.cells.polygons()

    def looks(verdict: Verdict) -> str:
        return path(map(paper.drawn, polygons[sight.verdict == verdict]))

    context = Brief(
        source=asked.source,
        asked=asked,
        run=run,
        area=named.area,
        map=sheet_map(ground, ()),
        border=path([paper.drawn(border)]),
        firm=looks(Verdict.FIRM),
        hot=looks(Verdict.HOT),
        dense=looks(Verdict.DENSE),
        spots=[
            _spot(session, sight, spoken, number, paper.drawn(polygons[cell]).centroid)
            for number, cell in enumerate(listed, 1)
        ],
        next_names=sight.found["next_names"],
        chart=chart(sight.found["first_month"], sight.found["months"], spoken),
        sources=SOURCES,
        verdicts=VERDICTS,
        changes=CHANGES,
        lights=LIGHTS,
        measures=MEASURES,
        shapes=SHAPES,
        weekdays=named.weekdays,
        categories=named.categories,
        address=f"{root(settings)}{named.address}",
        is_sample=imports.is_sample(session),
    )
    return TEMPLATES.get_template("hot_spots_brief.html").render(
        {
            "language": spoken,
            "now": named.now,
            "time_zone": settings.zone,
            "city_name": settings.city_name,
            **context,
        }
    )


def _shown(sight: Sight, listed: Sequence[int], border: BaseGeometry) -> BaseGeometry:
    """Give the ground around what is listed; all that was asked about, where nothing is."""
    if not listed:
        return border
    spots = sight.spot[list(listed)]
    cells = np.isin(sight.spot, spots[spots != NOWHERE])
    cells[list(listed)] = True
    return shapely.union_all(sight.cells.only(cells).polygons()).buffer(_AROUND_M)


def _spot(session: Session, sight: Sight, spoken: Language, number: int, at: Point) -> SpotOnPaper:
    listed = sight.found["listed"][number - 1]
    cell = listed["cell"]
    spot = int(sight.spot[cell])
    mine: NDArray[np.int64] = (
        np.array([cell]) if spot == NOWHERE else np.flatnonzero(sight.spot == spot)
    )
    count = int(sight.counts[mine].sum())
    (ring,) = sight.cells.only(np.arange(len(sight.cells)) == cell).geojson(7)
    firm = int(np.count_nonzero(sight.verdict[mine] == Verdict.FIRM))
    return SpotOnPaper(
        number=number,
        name=listed["name"],
        verdict=str(Verdict.FIRM if firm else sight.verdict[cell]),
        change=str(sight.change[cell]),
        count=count,
        cells=len(mine),
        firm=firm,
        dark=round(100 * int(sight.dark[mine].sum()) / count) if count else 0,
        chart=chart(sight.found["first_month"], sight.months[:, mine].sum(axis=1).tolist(), spoken),
        near=hot_spots.around(session, shapely.geometry.shape(ring), most=3),
        x=round(at.x, 1),
        y=round(at.y, 1),
    )
