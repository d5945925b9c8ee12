"""Reports for programs: read one, join one."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response

from data.queries import reports, street_lights
from data.queries.reports import Held, NotOpen, PublicReport
from geo.categories import CATEGORIES
from server import limits
from server.api.feature_pages import GeoJson
from server.dependencies import Places, Reading, Writing, own_site
from server.languages import Language
from server.report_words import held, not_found, not_open
from server.schemas.filters import LARGEST_ID
from server.schemas.problems import described
from server.schemas.reports import (
    CategoryOut,
    LightOut,
    OneFeature,
    OneProperties,
    SupportsOut,
    TimelineOut,
    position_of,
)
from server.supporters import join, neighbour, remember

router = APIRouter(prefix="/api", tags=["reports"], dependencies=[Depends(own_site)])

Id = Annotated[int, Path(ge=1, le=LARGEST_ID, description="Id of a report.")]


@router.get(
    "/reports/{id}",
    response_class=GeoJson,
    response_model=OneFeature,
    responses=described(403, 404, 422, 503),
    summary="Read one report",
)
def read_report(request: Request, id: Id, session: Reading) -> Response:
    """Give what everybody may know of a report, and what happened to it so far.

    Names, and the notes of its timeline that the city has ready in several languages, come in the one
    asked for (`Accept-Language`).
    """
    language = request.state.language
    found = _public(reports.one_public(session, id), language)
    feature = OneFeature(
        id=found.id,
        geometry=found.geometry and orjson.loads(found.geometry),
        properties=OneProperties(
            kind=found.kind,
            category=found.category.code,
            category_name=language.gettext(found.category.name),
            status=found.status,
            severity=found.severity,
            place=found.place,
            occurred_at=found.occurred_at,
            reported_at=found.reported_at,
            updated_at=found.updated_at,
            closed_at=found.closed_at,
            neighbourhood=found.neighbourhood,
            council_district=found.council_district,
            block_watch=found.block_watch,
            text=found.text,
            supports=found.supports,
            duplicate_of=found.duplicate_of_id,
            on_behalf_of=found.on_behalf_of,
            position="none" if found.geometry is None else position_of(found.category),
            street_lights=[
                LightOut(id=one.id, pole=one.pole, status=one.status, reports=one.reports)
                for one in street_lights.of_report(session, id)
            ],
            timeline=[
                TimelineOut(at=entry.at, kind=entry.kind, status=entry.status, note=entry.note)
                for entry in reports.timeline(session, id, language.code)
            ],
            page=f"/reports/{found.id}",
        ),
    )
    return GeoJson(feature.model_dump(mode="json"), headers={"Vary": "Accept-Language, Cookie"})


def _public(found: PublicReport | Held | None, language: Language) -> PublicReport:
    if found is None:
        raise not_found(language)
    if isinstance(found, Held):
        raise held(found, language)
    return found


@router.post(
    "/reports/{id}/support",
    dependencies=[Depends(limits.limit_supports)],
    responses=described(403, 404, 409, 422, 429, 503),
    summary="Affects me too",
)
def support_report(
    request: Request, response: Response, id: Id, session: Writing, positions: Places
) -> SupportsOut:
    """Count a neighbour whom a report affects, too: once a person or browser (by a random cookie).

    Who reported it does not count, and of one address a few browsers a day do.
    """
    language = request.state.language
    who = neighbour(request)
    try:
        supported = join(session, positions.secret, who, id)
    except NotOpen as error:
        raise not_open(error, language) from error
    if supported is None:
        raise not_found(language)
    remember(response, who)
    return SupportsOut(supports=supported.supports, counted=supported.counted)


@router.get("/categories", summary="The categories of reports")
def read_categories(request: Request, response: Response) -> list[CategoryOut]:
    """Give the categories a report can have, by kind and group, in the language asked for."""
    _ = request.state.language.gettext
    response.headers["Cache-Control"] = "public, max-age=3600"
    response.headers["Vary"] = "Accept-Language, Cookie"
    return [
        CategoryOut(
            code=category.code,
            kind=category.kind,
            group=_(category.group),
            name=_(category.name),
            service_code=category.service_code,
            duplicate_radius_m=category.duplicate_radius_m,
            position=position_of(category),
        )
        for category in CATEGORIES
    ]
