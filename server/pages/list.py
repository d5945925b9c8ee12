"""The list of what the map shows: a part of the map's page, and a page without JavaScript."""

from collections.abc import Sequence
from typing import Annotated, TypedDict
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from pydantic import Field

from data.queries import listing
from data.queries.filters import Cursor
from data.queries.listing import ListedReport
from geo.kinds import Kind
from geo.statuses import OPEN, Status
from server.dependencies import Chosen, Reading
from server.pages.feeds import feed_address
from server.pages.following import follow_address
from server.pages.map import KINDS, STATUSES
from server.pages.page import page
from server.schemas.cursors import CURSOR, cursor_of, cursor_text
from server.schemas.filters import Box, Filters, bounds

router = APIRouter(include_in_schema=False)

MOST_LISTED = 50

KIND_MARKS: dict[Kind, str] = {
    Kind.PROBLEM_SPOT: "▲",
    Kind.LIGHTING: "✹",
    Kind.CLEANUP: "■",
}
"""As on the map: the kinds differ in shape."""


class ListQuery(Filters):
    """What the list is asked for."""

    bbox: Box = None
    cursor: Annotated[str | None, Field(pattern=f"^{CURSOR.pattern}$")] = None


class ReportList(TypedDict):
    """What the list shows.

    `total` and `counts` are None where more is in view than is counted, and `more` is how many are
    not listed of those that are. `older` is the address of the next page, where there is one.
    """

    reports: Sequence[ListedReport]
    places: dict[int, str]
    counts: dict[Kind, int] | None
    total: int | None
    more: int
    older: str | None
    most: int
    kinds: dict[str, str]
    marks: dict[Kind, str]
    statuses: dict[str, str]
    open: frozenset[Status]
    whole_city: bool
    beside_map: bool
    map_query: str
    feed: str
    follow: str


@router.get("/list", response_class=HTMLResponse)
def list_in_view(
    request: Request,
    session: Reading,
    settings: Chosen,
    query: Annotated[ListQuery, Query()],
) -> HTMLResponse:
    """Show the newest reports in view, as a whole page or, asked by HTMX, as a part of one."""
    try:
        box = bounds(query.bbox)
    except ValueError as error:
        fault = {"loc": ("query", "bbox"), "msg": str(error)}
        raise RequestValidationError([fault]) from error
    found = listing.newest(
        session, query.chosen(settings.zone), box, MOST_LISTED, cursor_of(query.cursor)
    )
    total = found.total
    asked = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
    beside_map = "HX-Request" in request.headers
    context = ReportList(
        reports=found.reports,
        places={
            report.id: " · ".join(filter(None, (report.place, report.neighbourhood)))
            for report in found.reports
        },
        counts=None if found.counts is None else dict(found.counts),
        total=total,
        more=0 if total is None else total - len(found.reports),
        older=None if found.next is None else _older(asked, found.next),
        most=listing.MOST_COUNTED,
        kinds=KINDS,
        marks=KIND_MARKS,
        statuses=STATUSES,
        open=OPEN,
        whole_city=box is None,
        beside_map=beside_map,
        map_query=urlencode(asked),
        feed=feed_address(asked),
        follow=follow_address(asked),
    )
    template = "list_part.html" if beside_map else "list.html"
    return page(request, template, context, headers={"Vary": "HX-Request"})


def _older(asked: Sequence[tuple[str, str]], after: Cursor) -> str:
    return f"/list?{urlencode([*asked, ('cursor', cursor_text(after))])}"
