"""Atom feeds (RFC 4287) with GeoRSS-Simple: what the pages show, for feed readers and programs."""

import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Annotated
from urllib.parse import urlencode

import shapely
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field

from data.queries import feeds, reports
from data.queries.feeds import FedReport
from data.queries.reports import Held
from server.dependencies import Chosen, Reading
from server.languages import CODES, Language
from server.pages.map import KINDS, STATUSES
from server.report_words import held, not_found
from server.schemas.cursors import CURSOR, cursor_of, cursor_text
from server.schemas.filters import LARGEST_ID, Box, Filters, bounds
from server.settings import Settings

router = APIRouter(include_in_schema=False)

MEDIA_TYPE = "application/atom+xml"
MOST_ENTRIES = 50

_ATOM = "http://www.w3.org/2005/Atom"
_GEORSS = "http://www.georss.org/georss"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

ET.register_namespace("", _ATOM)
ET.register_namespace("georss", _GEORSS)


class FeedQuery(Filters):
    """What a feed is asked for."""

    bbox: Box = None
    cursor: Annotated[str | None, Field(pattern=f"^{CURSOR.pattern}$")] = None


def filters_of(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give those parameters of an address that narrow down reports."""
    names = {info.alias or name for name, info in Filters.model_fields.items()}
    return [(name, value) for name, value in pairs if name in names and value]


def feed_address(pairs: Iterable[tuple[str, str]]) -> str:
    """Give the path of the feed that a page with these parameters stands for."""
    query = urlencode(filters_of(pairs))
    return f"/feeds/reports.atom{'?' if query else ''}{query}"


@router.get("/feeds/reports.atom")
def reports_feed(
    request: Request, session: Reading, settings: Chosen, query: Annotated[FeedQuery, Query()]
) -> Response:
    """Give the newest reports that fit the filters."""
    language: Language = request.state.language
    _ = language.gettext
    try:
        box = bounds(query.bbox)
    except ValueError as error:
        fault = {"loc": ("query", "bbox"), "msg": str(error)}
        raise RequestValidationError([fault]) from error
    entries, following = feeds.newest(
        session, query.chosen(settings.zone), MOST_ENTRIES, cursor_of(query.cursor), box=box
    )
    root = root_of(request, settings)
    pairs = request.query_params.multi_items()
    inside = [("bbox", query.bbox)] if query.bbox else []
    narrowed = [*filters_of(pairs), *inside]
    kept = [*narrowed, *((n, v) for n, v in pairs if n == "lang" and v in CODES)]
    made = _feed(
        language,
        id=_with(f"{root}/feeds/reports.atom", narrowed),
        title=_("Reports in {city}").format(city=settings.city_name),
        updated=max((entry.updated_at for entry in entries), default=_NEVER),
        author=f"Porchlight {settings.city_name}",
        here=_with(
            f"{root}/feeds/reports.atom",
            [*kept, *((n, v) for n, v in pairs if n == "cursor")],
        ),
        page=_with(f"{root}/list", kept),
    )
    if following is not None:
        address = _with(f"{root}/feeds/reports.atom", [*kept, ("cursor", cursor_text(following))])
        _link(made, "next", address, MEDIA_TYPE)
    for entry in entries:
        _report(made, entry, root, language)
    return _answer(request, made)


@router.get("/reports/{id:int}.atom")
def report_feed(request: Request, id: int, session: Reading, settings: Chosen) -> Response:
    """Give what happened to one report, newest first."""
    language: Language = request.state.language
    found = reports.one_public(session, id) if id <= LARGEST_ID else None
    if found is None:
        raise not_found(language)
    if isinstance(found, Held):
        raise held(found, language)
    _ = language.gettext
    happened = feeds.events(session, id, language.code)
    root = root_of(request, settings)
    name = _(found.category.name)
    made = _feed(
        language,
        id=f"{root}/reports/{id}.atom",
        title=_("{category}, report {id}").format(category=name, id=id),
        updated=max((event.at for event in happened), default=found.reported_at),
        author=f"Porchlight {settings.city_name}",
        here=f"{root}/reports/{id}.atom",
        page=f"{root}/reports/{id}",
    )
    for event in happened:
        entry = ET.SubElement(made, f"{{{_ATOM}}}entry")
        _text(entry, "id", f"{root}/reports/{id}#event-{event.id}")
        _text(entry, "title", _(STATUSES[event.status]) if event.status else _("A note"))
        _text(entry, "updated", event.at.isoformat())
        _text(entry, "published", event.at.isoformat())
        _link(entry, "alternate", f"{root}/reports/{id}", "text/html")
        _text(entry, "content", event.note or _(STATUSES[event.status or found.status]))
        _place(entry, found.geometry)
    return _answer(request, made)


def root_of(request: Request, settings: Settings) -> str:
    """Give what addresses of this site begin with."""
    return str(settings.public_url or request.base_url).rstrip("/")


def _with(address: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{address}?{urlencode(pairs)}" if pairs else address


def _feed(
    language: Language,
    *,
    id: str,
    title: str,
    updated: datetime,
    author: str,
    here: str,
    page: str,
) -> ET.Element:
    made = ET.Element(f"{{{_ATOM}}}feed", {_LANGUAGE: language.code})
    _text(made, "id", id)
    _text(made, "title", title)
    _text(made, "updated", updated.isoformat())
    _text(ET.SubElement(made, f"{{{_ATOM}}}author"), "name", author)
    _text(made, "generator", "Porchlight")
    _link(made, "self", here, MEDIA_TYPE)
    _link(made, "alternate", page, "text/html")
    return made


def _report(made: ET.Element, report: FedReport, root: str, language: Language) -> None:
    _ = language.gettext
    entry = ET.SubElement(made, f"{{{_ATOM}}}entry")
    address = f"{root}/reports/{report.id}"
    where = report.place or report.neighbourhood
    name = _(report.category.name)
    _text(entry, "id", address)
    _text(entry, "title", f"{name}, {where}" if where else name)
    _text(entry, "updated", report.updated_at.isoformat())
    _text(entry, "published", report.reported_at.isoformat())
    _link(entry, "alternate", address, "text/html")
    for term, label in (
        (report.category.kind.value, _(KINDS[report.category.kind])),
        (report.category.code, name),
    ):
        ET.SubElement(entry, f"{{{_ATOM}}}category", {"term": term, "label": label})
    told = (name, report.place, report.neighbourhood, _(STATUSES[report.status]))
    _text(entry, "summary", " · ".join(filter(None, told)))
    _place(entry, report.geometry)


def _place(entry: ET.Element, geometry: str | None) -> None:
    """Write the public position: latitude first, as GeoRSS wants it."""
    if geometry is None:
        return
    shape = shapely.from_geojson(geometry)
    name, line = {
        "Point": ("point", shape),
        "LineString": ("line", shape),
        "Polygon": ("polygon", getattr(shape, "exterior", shape)),
    }[shape.geom_type]
    written = " ".join(f"{y:.6f} {x:.6f}" for x, y in line.coords)
    ET.SubElement(entry, f"{{{_GEORSS}}}{name}").text = written


def _text(parent: ET.Element, name: str, text: str) -> None:
    # XML has no way to write most control characters, not even escaped.
    plain = (c for c in text if c in "\t\n\r" or unicodedata.category(c) not in {"Cc", "Cs", "Cn"})
    ET.SubElement(parent, f"{{{_ATOM}}}{name}").text = "".join(plain)


def _link(parent: ET.Element, rel: str, href: str, media_type: str) -> None:
    ET.SubElement(parent, f"{{{_ATOM}}}link", {"rel": rel, "href": href, "type": media_type})


def _answer(request: Request, made: ET.Element) -> Response:
    body = ET.tostring(made, encoding="utf-8", xml_declaration=True)
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    updated = datetime.fromisoformat(made.findtext(f"{{{_ATOM}}}updated", ""))
    headers = {
        "ETag": tag,
        "Last-Modified": format_datetime(updated.astimezone(UTC), usegmt=True),
        "Cache-Control": "public, max-age=60",
        "Vary": "Accept-Language, Cookie",
    }
    # By the tag alone: a report that is taken back changes a feed, but not its newest date.
    if tag in request.headers.get("if-none-match", "").replace("W/", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=MEDIA_TYPE)
