from fastapi import APIRouter, Response

from data.queries import tallies
from server.dependencies import Reading
from server.schemas.problems import described

router = APIRouter(prefix="/api", tags=["map"])


@router.get("/versions", responses=described(503), summary="Versions of the map's layers")
def versions(session: Reading, response: Response) -> dict[str, int]:
    """Give a number for each layer of tiles, which grows whenever what the layer shows changes."""
    response.headers["Cache-Control"] = "no-store"
    return tallies.versions(session)
