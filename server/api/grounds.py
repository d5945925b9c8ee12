"""The ground that a filter by area or block watch keeps to: its outline and how far it reaches."""

from typing import Any

from fastapi import APIRouter, Request, Response

from data.queries import areas
from data.queries.areas import Outline
from server.dependencies import Reading
from server.problems import Problem
from server.schemas.features import GroundFeature, GroundProperties
from server.schemas.filters import Id
from server.schemas.problems import described

router = APIRouter(prefix="/api", tags=["map"])

_ANSWERS: dict[int | str, dict[str, Any]] = described(404, 422, 503)


@router.get("/areas/{id}", responses=_ANSWERS, summary="Read the outline of an area")
def read_area(request: Request, response: Response, session: Reading, id: Id) -> GroundFeature:
    """Give an area that `area` may be, as GeoJSON."""
    return _feature(request, response, id, areas.outline_of_area(session, id))


@router.get("/block_watches/{id}", responses=_ANSWERS, summary="Read the outline of a block watch")
def read_block_watch(
    request: Request, response: Response, session: Reading, id: Id
) -> GroundFeature:
    """Give a block watch, as GeoJSON."""
    return _feature(request, response, id, areas.outline_of_block_watch(session, id))


def _feature(request: Request, response: Response, id: int, found: Outline | None) -> GroundFeature:
    if found is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is no such thing on the map any more."))
    response.headers["Cache-Control"] = "no-cache"
    box = found.bounds
    return GroundFeature(
        id=id,
        bbox=(box.west, box.south, box.east, box.north),
        geometry=found.geometry,
        properties=GroundProperties(name=found.name),
    )
