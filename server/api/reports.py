"""Reports for programs: send one, read one, join one."""

import json
import secrets
from typing import Annotated, Any, NoReturn

import orjson
from fastapi import APIRouter, Depends, Header, Path, Request, Response

from data.queries import reports
from data.queries.reports import Contact, Held, KeyReused, NotOpen, PublicReport
from geo.categories import BY_CODE, CATEGORIES
from geo.places import plain_text
from server import limits, screening, submissions
from server.api.feature_pages import GeoJson
from server.dependencies import Chosen, Places, Reading, Who, Writing, own_site
from server.languages import Language
from server.problems import Problem
from server.report_words import not_found, not_open
from server.schemas.problems import described
from server.schemas.reports import (
    CategoryOut,
    FindingOut,
    OneFeature,
    OneProperties,
    ReportIn,
    ReportOut,
    SupportsOut,
    TextOut,
    TimelineOut,
    position_of,
)
from server.screening import EXPLANATIONS
from server.submissions import Draft, Drawn, Fault, Named, Pair, Refused, Sent, Where
from server.supporters import neighbour, remember, supporter
from server.visitors import Visitor

router = APIRouter(prefix="/api", tags=["reports"], dependencies=[Depends(own_site)])

REPLAYED = "Idempotency-Replayed"

Id = Annotated[int, Path(ge=1, le=2**63 - 1, description="Id of a report.")]


async def _json_only(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/json" or (kind.startswith("application/") and "+json" in kind)):
        _ = request.state.language.gettext
        raise Problem(
            415,
            _("Not sent as JSON"),
            _("Send the report as JSON, with the header Content-Type: application/json."),
        )


@router.post(
    "/reports",
    status_code=201,
    response_model=ReportOut,
    dependencies=[Depends(_json_only)],
    responses=described(400, 403, 413, 415, 422, 429, 503),
    summary="Send a report",
)
def send_report(
    *,
    request: Request,
    body: ReportIn,
    session: Writing,
    settings: Chosen,
    positions: Places,
    visitor: Who,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            pattern=r"^[\x21-\x7e]+$",
            description="Anything of your own choice, such as a UUID. Send it again with the same "
            "report after a failure: the report is stored once.",
        ),
    ] = None,
) -> Response:
    """Store a report. A repetition under the same Idempotency-Key gets the first answer again."""
    language = request.state.language
    try:
        draft = _draft(body, idempotency_key, language, visitor)
        sent = submissions.check(session, draft, positions, language, settings.city_name)
        submitted = submissions.store(
            session,
            sent,
            positions,
            language,
            settings.city_name,
            reporter_id=visitor.person_id,
        )
        if not submitted.replayed:
            limits.count_stored(request, session, limits.reports_from_address(request))
    except Refused as refused:
        _refuse(refused, language)
    except limits.TooMany as error:
        raise limits.too_many(request, error) from error
    except KeyReused as error:
        raise _key_reused(error, language) from error
    stored = ReportOut(
        id=submitted.id,
        reported_at=submitted.reported_at,
        url=f"/api/reports/{submitted.id}",
        page=f"/reports/{submitted.id}",
        text=_text(sent, language),
    )
    headers = {"Location": stored.url} | ({REPLAYED: "true"} if submitted.replayed else {})
    session.commit()  # while in this thread: a trip back to it takes as long as checking the report
    return Response(stored.model_dump_json(), 201, headers, "application/json")


def _text(sent: Sent, language: Language) -> TextOut:
    return TextOut(
        state="waiting" if sent.findings else "public",
        findings=[
            FindingOut(
                concern=finding.concern,
                text=sent.description[finding.start : finding.end],
                reason=language.gettext(EXPLANATIONS[finding.concern].reason),
                advice=language.gettext(EXPLANATIONS[finding.concern].advice),
            )
            for finding in sent.findings
        ],
        preview=screening.preview(sent.description, sent.findings),
    )


def _draft(body: ReportIn, key: str | None, language: Language, visitor: Visitor) -> Draft:
    category = BY_CODE.get(body.category)
    unsaid = None if body.on_behalf_of else {"on_behalf_of"}
    told = body.model_dump(mode="json", exclude=unsaid)
    return Draft(
        category=category or submissions.category_fault(body.category, language),
        where=_where(body, language),
        occurred_at=body.occurred_at,
        long_ago=body.long_ago,
        severity=body.severity,
        description=body.description,
        contact=Contact(**body.contact.model_dump()),
        key=f"api {key or secrets.token_urlsafe(16)}",
        body=json.dumps(told).encode(),
        on_behalf_of_id=submissions.on_behalf_of(visitor, body.on_behalf_of, language)
        if body.on_behalf_of
        else None,
    )


def _where(body: ReportIn, language: Language) -> Where | Fault:
    _ = language.gettext
    coordinates = body.lat is not None or body.lon is not None
    if (body.geometry is not None) + coordinates + bool(body.address) != 1:
        message = _("Say where in one way: geometry, lat and lon, or address.")
        return Fault("place", "one_place", message)
    if body.address:
        return Named(plain_text(body.address))
    if body.geometry is None:
        return Pair(body.lat, body.lon)
    return Drawn(body.geometry.model_dump())


def _key_reused(error: KeyReused, language: Language) -> Problem:
    _ = language.gettext
    return Problem(
        422,
        _("This key was used before"),
        _(
            "This Idempotency-Key was used for another report ({url}). Use a new key for a new "
            "report."
        ).format(url=f"/api/reports/{error.report_id}"),
    )


def _refuse(refused: Refused, language: Language) -> NoReturn:
    _ = language.gettext
    errors = []
    for fault in refused.faults:
        error: dict[str, Any] = {
            "pointer": f"body/{fault.field}",
            "code": fault.code,
            "detail": fault.message,
        }
        if fault.meant is not None:
            error["meant"] = {"lat": fault.meant.latitude, "lon": fault.meant.longitude}
        if fault.choices:
            error["choices"] = [
                {"label": choice.label, "lat": choice.lat, "lon": choice.lon}
                for choice in fault.choices
            ]
        errors.append(error)
    title = _("Some of this cannot be used")
    raise Problem(422, title, str(refused), errors=errors) from refused


@router.get(
    "/reports/{id}",
    response_class=GeoJson,
    response_model=OneFeature,
    responses=described(403, 404, 422, 503),
    summary="Read one report",
)
def read_report(request: Request, id: Id, session: Reading) -> Response:
    """Give what everybody may know of a report, and what happened to it so far."""
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
            timeline=[
                TimelineOut(at=entry.at, kind=entry.kind, status=entry.status, note=entry.note)
                for entry in reports.timeline(session, id)
            ],
            page=f"/reports/{found.id}",
        ),
    )
    return GeoJson(feature.model_dump(mode="json"))


def _public(found: PublicReport | Held | None, language: Language) -> PublicReport:
    _ = language.gettext
    if found is None:
        raise not_found(language)
    if isinstance(found, Held):
        raise Problem(
            403,
            _("Waiting for a moderator"),
            _("A moderator reads this report before it is shown. Come back later."),
        )
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
    """Count a neighbour whom a report affects, too, once a browser (by a random cookie)."""
    language = request.state.language
    name = neighbour(request)
    try:
        supported = reports.support(session, id, supporter(positions.secret, name, id))
    except NotOpen as error:
        raise not_open(error, language) from error
    if supported is None:
        raise not_found(language)
    remember(response, name)
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
