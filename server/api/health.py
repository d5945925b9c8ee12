"""Whether the server lives, and whether it can answer: for service managers and load balancers.

Neither waits for what pages wait for: threads of the pool, connections of the pool.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from data import database
from server.problems import busy
from server.schemas.problems import described

router = APIRouter(prefix="/api/health", tags=["health"])

ANSWERED_WITHIN_S = 1.5
"""After which a database counts as away."""


class Probe:
    """A connection to the database of its own, asked in a thread of its own.

    Parameters
    ----------
    url : str
        SQLAlchemy URL.
    """

    def __init__(self, url: str) -> None:
        self._engine = database.engine(
            url, pool_size=1, statement_timeout_ms=int(ANSWERED_WITHIN_S * 1000)
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="health")

    async def answers(self) -> bool:
        """Tell whether the database answers, within `ANSWERED_WITHIN_S`."""
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self._ask)
        try:
            return await asyncio.wait_for(asked, ANSWERED_WITHIN_S)
        except TimeoutError:
            return False

    def _ask(self) -> bool:
        try:
            with self._engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True

    async def close(self) -> None:
        """Give everything back."""
        await run_in_threadpool(self._thread.shutdown, cancel_futures=True)
        self._engine.dispose()


@router.get("/live", summary="Whether the server lives")
async def live(response: Response) -> dict[str, str]:
    """Answer as long as there is somebody to answer. Restart the server where this fails."""
    response.headers["Cache-Control"] = "no-store"
    return {"status": "live"}


@router.get("/ready", responses=described(503), summary="Whether the server can answer")
async def ready(request: Request, response: Response) -> dict[str, str]:
    """Tell whether the database answers. Send requests elsewhere where it does not."""
    probe = request.app.state.probe
    assert isinstance(probe, Probe)
    if not await probe.answers():
        raise busy(request.state.language)
    response.headers["Cache-Control"] = "no-store"
    return {"status": "ready"}
