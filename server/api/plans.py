"""The place of an action plan: its outline, as far as whoever asks may see it."""

from fastapi import APIRouter, Request, Response
from shapely.geometry import mapping

from data.queries import plans
from server.dependencies import Reading
from server.problems import Problem
from server.schemas.features import GroundFeature, GroundProperties
from server.schemas.filters import Id
from server.schemas.problems import described

router = APIRouter(prefix="/api", tags=["map"])


@router.get(
    "/plans/{id}", responses=described(404, 422, 503), summary="Read where an action plan is"
)
def read_plan(request: Request, response: Response, session: Reading, id: Id) -> GroundFeature:
    """Give the place of an action plan, as GeoJSON.

    Everybody gets cells of the public map of hot spots, those of the plan its place itself. 404, too,
    where everybody reads no more than its neighbourhood.
    """
    found = plans.place(session, id)
    if found is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is no such thing on the map any more."))
    response.headers["Cache-Control"] = "no-store"
    return GroundFeature(
        id=id,
        bbox=found.geom.bounds,
        geometry=mapping(found.geom),
        properties=GroundProperties(name=found.title),
    )
