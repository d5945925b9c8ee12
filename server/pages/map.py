"""The map of the city, with its filters and its list."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypedDict

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from data.models import AreaLayer
from data.queries import areas
from data.queries.areas import Named
from geo.categories import CATEGORIES, N_, Category
from geo.kinds import Kind
from geo.statuses import PUBLIC, Status
from layers.atlas import Atlas, Options, Raster, View, atlas, view_of
from layers.registry import LAYERS
from server.dependencies import Chosen, Reading
from server.languages import language
from server.pages.page import asset, page
from server.schemas.filters import OPEN_WORD
from server.settings import Settings

router = APIRouter()

SOMEWHERE = View(39.06, -94.57, 12)
"""Where the map opens as long as no city has been imported."""

KINDS: dict[str, str] = {
    Kind.PROBLEM_SPOT: N_("Problem spots"),
    Kind.LIGHTING: N_("Lighting"),
    Kind.CLEANUP: N_("Cleanup"),
}

STATUSES: dict[str, str] = {
    OPEN_WORD: N_("Still open"),
    Status.RECEIVED: N_("Received"),
    Status.CONFIRMED: N_("Confirmed"),
    Status.SCHEDULED: N_("Scheduled"),
    Status.IN_PROGRESS: N_("In progress"),
    Status.DONE: N_("Done, says the city"),
    Status.VERIFIED: N_("Verified by neighbours"),
    Status.DUPLICATE: N_("Duplicate"),
    Status.DECLINED: N_("Declined"),
    Status.NOT_OURS: N_("Not the city's"),
}
assert {*STATUSES} == {OPEN_WORD, *PUBLIC}

AREAS: dict[AreaLayer, str] = {
    AreaLayer.NEIGHBOURHOOD: N_("Neighbourhoods"),
    AreaLayer.COUNCIL_DISTRICT: N_("Council districts"),
    AreaLayer.PATROL_DIVISION: N_("Patrol divisions"),
}


class MapPage(TypedDict):
    """What the map's page shows."""

    atlas: Atlas
    kinds: dict[str, str]
    statuses: dict[str, str]
    categories: dict[str, list[Category]]
    areas: dict[str, Sequence[Named]]
    block_watches: Sequence[Named]
    chosen: dict[str, list[str]]


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
def map_of_the_city(request: Request, session: Reading, settings: Chosen) -> HTMLResponse:
    """Show the map."""
    query = request.query_params
    box = areas.extent(session)
    view = SOMEWHERE if box is None else view_of(box.west, box.south, box.east, box.north)
    context = MapPage(
        atlas=city_atlas(request.state.language.code, view, raster(settings)),
        kinds=KINDS,
        statuses=STATUSES,
        categories=_grouped(),
        areas={
            title: found for layer, title in AREAS.items() if (found := areas.named(session, layer))
        },
        block_watches=areas.named_block_watches(session),
        chosen={name: query.getlist(name) for name in query},
    )
    return page(request, "map.html", context)


@lru_cache(maxsize=16)
def city_atlas(code: str, view: View, base: Raster | None) -> Atlas:
    """Give the city's map in one language; the same for everybody, so it is made once."""
    translate = language(code).gettext
    return atlas(LAYERS, view, Options(asset=asset, translate=translate, raster=base))


def raster(settings: Settings) -> Raster | None:
    """Give the operator's raster tiles, or None for the base map of our own."""
    if settings.tile_url is None or settings.tile_attribution is None:
        return None
    return Raster(settings.tile_url, settings.tile_attribution)


def _grouped() -> dict[str, list[Category]]:
    groups: dict[str, list[Category]] = {}
    for category in CATEGORIES:
        groups.setdefault(category.group, []).append(category)
    return groups
