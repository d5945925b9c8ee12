"""Reports as GeoJSON, page by page, written by PostgreSQL itself."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    DateTime,
    Float,
    Select,
    bindparam,
    func,
    literal_column,
    select,
    tuple_,
)

from data.models import Report
from data.queries.filters import Bounds, Cursor, ReportFilter, in_view, public_reports


@dataclass(frozen=True, slots=True)
class FeaturePage:
    """A page of reports.

    Attributes
    ----------
    features : bytes
        GeoJSON features in UTF-8, split by commas, as PostgreSQL wrote them: building them here
        would cost more than everything else of the request (see bench/RESULTS.md).
    count : int
    next : Cursor or None
        None where this is the last page.
    """

    features: bytes
    count: int
    next: Cursor | None


def page_of_features(
    connection: Connection,
    chosen: ReportFilter,
    bounds: Bounds | None = None,
    *,
    limit: int,
    after: Cursor | None = None,
) -> FeaturePage:
    """Give public reports as GeoJSON features, newest first.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    chosen : ReportFilter
    bounds : Bounds, optional
        Only reports whose public position meets this box.
    limit : int
        Features at the most.
    after : Cursor, optional
        Where the page before ended.

    Returns
    -------
    FeaturePage
    """
    statement, values = features(chosen, bounds, limit, after)
    found = connection.execute(statement, values).one()
    return FeaturePage(
        features=(found.features or "").encode(),
        count=min(found.found, limit),
        next=Cursor(found.last_at, found.last_id) if found.found > limit else None,
    )


def features(
    chosen: ReportFilter, bounds: Bounds | None, limit: int, after: Cursor | None
) -> tuple[Select[Any], dict[str, Any]]:
    """Give the statement of a page (its features, how many were found, the last one), and values."""
    values = {} if after is None else {"after_at": after.reported_at, "after_id": after.id}
    if bounds is not None:
        values |= asdict(bounds)
    return _features(chosen, bounds is not None, limit, after is not None), values


@lru_cache(maxsize=256)
def _features(chosen: ReportFilter, bounded: bool, limit: int, follows: bool) -> Select[Any]:
    """Build the statement, which takes longer than all else of a request: kept, page after page."""
    newest = (Report.reported_at.desc(), Report.id.desc())
    narrowed = public_reports(chosen)
    if bounded:
        sides: Any = [bindparam(side, type_=Float) for side in Bounds.__slots__]
        narrowed.append(in_view(Bounds(*sides)))
    if follows:
        narrowed.append(
            tuple_(Report.reported_at, Report.id)
            < tuple_(
                bindparam("after_at", type_=DateTime(timezone=True)),
                bindparam("after_id", type_=BigInteger),
            )
        )
    rows = (
        # One more than asked for tells whether there is a next page.
        select(*_COLUMNS, func.row_number().over(order_by=newest).label("n"))
        .where(*narrowed)
        .order_by(*newest)
        .limit(literal_column(str(limit + 1)))
        .subquery("page")
    )
    # What never changes stands in the text: each value bound is one more to convert at each request.
    on_page = literal_column(f"page.n <= {limit:d}", Boolean)
    last = literal_column(f"page.n = {limit:d}", Boolean)
    return select(
        func.string_agg(literal_column(_FEATURE), literal_column("',' ORDER BY page.n"))
        .filter(on_page)
        .label("features"),
        func.count().label("found"),
        func.max(rows.c.reported_at).filter(last).label("last_at"),
        func.max(rows.c.id).filter(last).label("last_id"),
    )


_COLUMNS = (
    Report.id,
    Report.public_geom,
    Report.kind,
    Report.category_code,
    Report.status,
    Report.severity,
    Report.occurred_at,
    Report.reported_at,
    Report.updated_at,
    Report.closed_at,
    Report.neighbourhood_id,
    Report.council_district_id,
    Report.block_watch_id,
    Report.duplicate_of_id,
    Report.on_behalf_of_id,
    Report.public_text,
)

_FEATURE = """concat(
    '{"type":"Feature","id":', page.id,
    ',"geometry":', ST_AsGeoJSON(page.public_geom, 6),
    ',"properties":', row_to_json((SELECT properties FROM (SELECT
        page.kind, page.category_code AS category, page.status, page.severity, page.occurred_at,
        page.reported_at, page.updated_at, page.closed_at, page.neighbourhood_id AS neighbourhood,
        page.council_district_id AS council_district, page.block_watch_id AS block_watch,
        page.duplicate_of_id AS duplicate_of, page.on_behalf_of_id AS on_behalf_of,
        page.public_text AS text
    ) AS properties)),
    '}'
)"""
"""A feature as text, since an object inside of an object is written and read once more, and an object
built of pairs takes half as long again. Six decimals of a degree are 0.1 m."""
