"""The map of the city, with its filters and its list."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypedDict
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams

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
from server.schemas.filters import OPEN_WORD, Filters
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

REPEATED = frozenset({"kind", "category", "status"})
"""Filters of which several values may be chosen."""

FILTERS = REPEATED | {"from", "to", "area", "block_watch"}

_MOST_TOLD = 60
"""Characters of what an address says that the page tells back."""


class MapPage(TypedDict):
    """What the map's page shows."""

    atlas: Atlas
    kinds: dict[str, str]
    statuses: dict[str, str]
    categories: dict[str, list[Category]]
    category_names: dict[str, str]
    areas: dict[str, Sequence[Named]]
    beyond: Named | None
    block_watches: Sequence[Named]
    chosen: dict[str, list[str]]
    left_out: list[str]
    map_query: str


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
def map_of_the_city(request: Request, session: Reading, settings: Chosen) -> HTMLResponse:
    """Show the map."""
    chosen, left_out = understood(request.query_params)
    named_areas = {
        title: found for layer, title in AREAS.items() if (found := areas.named(session, layer))
    }
    block_watches = areas.named_block_watches(session)
    beyond = _beyond(session, chosen, named_areas)
    _drop_unknown(chosen, left_out, "area", [*chain(*named_areas.values()), beyond])
    _drop_unknown(chosen, left_out, "block_watch", block_watches)
    box = areas.extent(session)
    view = SOMEWHERE if box is None else view_of(box.west, box.south, box.east, box.north)
    context = MapPage(
        atlas=city_atlas(request.state.language.code, view, raster(settings)),
        kinds=KINDS,
        statuses=STATUSES,
        categories=_grouped(),
        category_names={category.code: category.name for category in CATEGORIES},
        areas=named_areas,
        beyond=beyond,
        block_watches=block_watches,
        chosen=chosen,
        left_out=left_out,
        map_query=_query(request.query_params, chosen),
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


def understood(query: QueryParams) -> tuple[dict[str, list[str]], list[str]]:
    """Split the filters of an address in those that mean something and those that do not.

    Parameters
    ----------
    query : QueryParams

    Returns
    -------
    dict of str to list of str
        Name of a filter -> its values, as forms write them.
    list of str
        What is left out, as it stands in the address.
    """
    chosen: dict[str, list[str]] = {}
    left_out = []
    for name, word in query.multi_items():
        if name not in FILTERS or not word:
            continue
        several = name in REPEATED
        try:
            read = Filters.model_validate({name: [word] if several else word})
        except ValidationError:
            left_out.append(f"{name}={word[:_MOST_TOLD]}")
            continue
        if several:
            chosen.setdefault(name, []).append(word)
        else:
            chosen[name] = [str(read.model_dump(mode="json", by_alias=True)[name])]
    since, until = chosen.get("from"), chosen.get("to")
    if since and until and until < since:
        left_out += [f"from={since[0]}", f"to={until[0]}"]
        del chosen["from"], chosen["to"]
    return chosen, left_out


def _beyond(
    session: Session, chosen: dict[str, list[str]], listed: dict[str, Sequence[Named]]
) -> Named | None:
    """Give the area that an address names where the form does not offer it: a tract."""
    id = next(map(int, chosen.get("area", [])), None)
    if id is None or any(area.id == id for area in chain(*listed.values())):
        return None
    return areas.area(session, id)


def _drop_unknown(
    chosen: dict[str, list[str]], left_out: list[str], name: str, known: Iterable[Named | None]
) -> None:
    ids = {str(one.id) for one in known if one is not None}
    if name in chosen and not ids.issuperset(chosen[name]):
        left_out.append(f"{name}={chosen.pop(name)[0]}")


def _query(query: QueryParams, chosen: dict[str, list[str]]) -> str:
    """Give the query of the page without what means nothing."""
    others = [(name, word) for name, word in query.multi_items() if name not in FILTERS]
    return urlencode([*((name, word) for name in chosen for word in chosen[name]), *others])


def _grouped() -> dict[str, list[Category]]:
    groups: dict[str, list[Category]] = {}
    for category in CATEGORIES:
        groups.setdefault(category.group, []).append(category)
    return groups
