from fastapi import APIRouter, Response

from data.queries import tallies
from server.dependencies import Reading

router = APIRouter(prefix="/api", tags=["map"])


@router.get("/versions")
def versions(session: Reading, response: Response) -> dict[str, int]:
    """Give a number for each layer of tiles, which grows whenever what the layer shows changes."""
    response.headers["Cache-Control"] = "no-store"
    return tallies.versions(session)
