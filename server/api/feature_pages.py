"""Reports for programs, page by page: what maps, mirrors and studies read most."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from data.queries import feature_pages as store
from server.lean_route import LeanRoute
from server.problems import Problem
from server.schemas.cursors import CURSOR, cursor_of, cursor_text
from server.schemas.filters import Box, Filters, bounds
from server.schemas.problems import described
from server.schemas.reports import Link, ReportPage

router = APIRouter(prefix="/api", tags=["reports"], route_class=LeanRoute)

MOST_FEATURES = 1000


class GeoJson(JSONResponse):
    """GeoJSON (RFC 7946)."""

    media_type = "application/geo+json"


class PageQuery(Filters):
    """Which reports, and which of them first."""

    bbox: Box = None
    limit: Annotated[int, Field(ge=1, le=MOST_FEATURES)] = 100
    cursor: str | None = Field(
        None, pattern=f"^{CURSOR.pattern}$", description="From the `next` link of a page."
    )


@router.get(
    "/reports",
    response_class=GeoJson,
    response_model=ReportPage,
    responses=described(422, 503),
    summary="Read reports, newest first",
)
def read_reports(request: Request, query: Annotated[PageQuery, Query()]) -> Response:
    """Give public reports as GeoJSON. Follow the `next` link for more."""
    try:
        box, after = bounds(query.bbox), cursor_of(query.cursor)
    except ValueError as error:
        _ = request.state.language.gettext
        raise Problem(422, _("Some of this cannot be used"), str(error)) from error
    state = request.app.state
    chosen = query.chosen(state.settings.zone)
    # As nobody, whoever asks: this is what everybody may know.
    with state.reading.connect() as connection:
        page = store.page_of_features(connection, chosen, box, limit=query.limit, after=after)
    links = [Link(rel="self", href=_address(request))]
    headers = {}
    if page.next is not None:
        following = _address(request, cursor=cursor_text(page.next))
        links.append(Link(rel="next", href=following))
        headers["Link"] = f'<{following}>; rel="next"; type="application/geo+json"'
    tail = orjson.dumps(
        {"links": [link.model_dump() for link in links], "numberReturned": page.count}
    )
    content = b'{"type":"FeatureCollection","features":[%b],%b' % (page.features, tail[1:])
    return Response(content, headers=headers, media_type=GeoJson.media_type)


def _address(request: Request, **changed: str) -> str:
    """Give the address of this page, or the same with parameters changed, without the host."""
    url = request.url.include_query_params(**changed)
    return f"{url.path}?{url.query}" if url.query else url.path
