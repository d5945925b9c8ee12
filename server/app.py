"""The application: routes, static files, and what they share."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable

from anyio import to_thread
from fastapi import APIRouter, FastAPI
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from data import database
from data.queries import imports
from data.queries.pole_imports import MOST_BYTES as POLE_FILE_BYTES
from server import identity_provider, photo_store, problems, tiles
from server.api import (
    feature_pages,
    features,
    grounds,
    health,
    places,
    plans,
    reports,
    submissions,
    versions,
)
from server.front import Front
from server.pages import account as account_page
from server.pages import assessments as assessment_pages
from server.pages import block_watches as block_watch_pages
from server.pages import boundaries as boundary_pages
from server.pages import crew as crew_pages
from server.pages import crews as crews_pages
from server.pages import desk as desk_pages
from server.pages import feeds as feed_pages
from server.pages import (
    followed_area,
    plan_changes,
    plan_new,
    plan_notes,
    report_form,
    work_plan_routes,
)
from server.pages import following as following_pages
from server.pages import hot_spots as hot_spot_pages
from server.pages import light_results as light_result_pages
from server.pages import list as list_page
from server.pages import map as map_page
from server.pages import meeting_sheets as sheet_pages
from server.pages import moderation as moderation_page
from server.pages import people as people_page
from server.pages import photos as photo_page
from server.pages import plans as plan_pages
from server.pages import pole_imports as pole_import_pages
from server.pages import priority as priority_pages
from server.pages import provider as provider_page
from server.pages import reports as report_pages
from server.pages import sign_in as sign_in_page
from server.pages import snapshot as snapshot_page
from server.pages import walks as walk_pages
from server.pages import watch_words as words_pages
from server.pages import work as work_pages
from server.pages import work_orders as order_pages
from server.pages import work_plans as work_plan_pages
from server.pages.page import STATIC
from server.photos import BYTES_LIMIT, PHOTOS_LIMIT
from server.positions import Positions
from server.settings import Settings
from server.upkeep import upkeep

SAMPLE_IS_REMEMBERED_S = 30

THREADS = 128
"""Requests that may wait for a connection at the same time. Where there are fewer threads, those behind
wait for a thread first, and are told too late that the site is busy (bench/faults.py, 5)."""

OWNER_POOL_SIZE = 3
"""Connections for what pages and APIs may not do themselves: accounts, upkeep."""


ROUTES = APIRouter()
"""All pages and APIs. Made once: every application serves the same, and FastAPI takes 5 ms a route to read
what it asks for."""

for _routed in (
    tiles,
    versions,
    health,
    features,
    grounds,
    feature_pages,
    submissions,
    reports,
    places,
    plans,
    map_page,
    list_page,
    report_form,
    report_pages,
    block_watch_pages,
    boundary_pages,
    sheet_pages,
    words_pages,
    walk_pages,
    work_pages,
    order_pages,
    crew_pages,
    work_plan_pages,
    work_plan_routes,
    crews_pages,
    priority_pages,
    desk_pages,
    pole_import_pages,
    light_result_pages,
    hot_spot_pages,
    plan_pages,
    plan_new,
    plan_changes,
    plan_notes,
    assessment_pages,
    feed_pages,
    followed_area,
    following_pages,
    photo_page,
    moderation_page,
    snapshot_page,
    sign_in_page,
    provider_page,
    account_page,
    people_page,
):
    ROUTES.include_router(_routed.router)


class VersionedFiles(StaticFiles):
    """Static files, kept by browsers for a year where their address carries a version."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer as Starlette does, with the lifetime that the address allows."""
        response = await super().get_response(path, scope)
        versioned = b"v=" in scope["query_string"]
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if versioned else "public, max-age=300"
        )
        return response


def _is_sample(engine: Engine) -> Callable[[], bool]:
    """Give a function that tells whether the sample city is shown, asking now and then."""
    asked_at, answer = float("-inf"), False

    def is_sample() -> bool:
        nonlocal asked_at, answer
        if time.monotonic() - asked_at > SAMPLE_IS_REMEMBERED_S:
            asked_at = time.monotonic()
            # A page that says the database is away must not need it.
            with contextlib.suppress(SQLAlchemyError), Session(engine) as session:
                answer = imports.is_sample(session)
        return answer

    return is_sample


def create_app(settings: Settings) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    settings : Settings
        Its `database_url` names a database at the newest migration.
    """
    assert settings.database_url is not None
    engine = database.engine(
        settings.database_url,
        pool_size=settings.pool_size,
        pool_timeout_s=settings.pool_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
        role=database.WEB_ROLE,
    )
    owner = database.engine(
        settings.database_url,
        pool_size=OWNER_POOL_SIZE,
        pool_timeout_s=settings.pool_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
    )

    # Half of the pool at the most: a map must not keep pages from the database.
    drawing = tiles.Drawing(engine, settings.zone, threads=(settings.pool_size + 1) // 2)

    photos = photo_store.chosen(settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        with upkeep(owner, photos, settings.contact_days):
            yield
        drawing.close()
        await app.state.probe.close()
        engine.dispose()
        owner.dispose()

    app = FastAPI(
        title="Porchlight",
        version="0.1.0",
        summary="Places and conditions, never people.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.engine = engine
    app.state.owner = owner
    app.state.reading = engine.execution_options(isolation_level="AUTOCOMMIT")
    app.state.is_sample = _is_sample(engine)
    app.state.positions = Positions(settings)
    app.state.photo_store = photos
    app.state.probe = health.Probe(settings.database_url)
    app.state.identity_provider = identity_provider.of(settings)
    app.add_middleware(
        Front,
        max_body_bytes=settings.max_body_bytes,
        larger={
            "/report": PHOTOS_LIMIT * BYTES_LIMIT + settings.max_body_bytes,
            "/desk/lights/import": POLE_FILE_BYTES + settings.max_body_bytes,
            "/crew/marks": BYTES_LIMIT + settings.max_body_bytes,
            "/crew/stops": BYTES_LIMIT + settings.max_body_bytes,
        },
        fallback=settings.language,
    )
    app.add_middleware(tiles.Tiles, drawing=drawing)
    problems.install(app)
    app.router.routes.extend(ROUTES.routes)
    app.mount("/static", VersionedFiles(directory=STATIC), name="static")
    return app
