"""Reports that programs send."""

import json
import re
import secrets
from collections.abc import Sequence
from typing import Any, NoReturn

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError

from data.queries import reports
from data.queries.reports import Contact, KeyReused
from geo.categories import BY_CODE
from geo.places import plain_text
from server import limits, screening, submissions
from server.dependencies import own_site, written
from server.faults import Fault, Refused
from server.languages import Language
from server.lean_route import LeanRoute
from server.poles import Pole
from server.problems import Problem
from server.schemas.problems import described
from server.schemas.reports import FindingOut, ReportIn, ReportOut, TextOut
from server.screening import EXPLANATIONS, Finding
from server.submissions import Draft, Drawn, Named, Pair, Where
from server.visitors import Visitor

REPLAYED = "Idempotency-Replayed"

KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[\x21-\x7e]+$"},
    "description": "Anything of your own choice, such as a UUID. Send it again with the same report "
    "after a failure: the report is stored once.",
}
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


async def json_only(request: Request) -> None:
    """Refuse a body that is not said to be JSON: a page of another site could send it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/json" or (kind.startswith("application/") and "+json" in kind)):
        _ = request.state.language.gettext
        raise Problem(
            415,
            _("Not sent as JSON"),
            _("Send the report as JSON, with the header Content-Type: application/json."),
        )


router = APIRouter(
    prefix="/api",
    tags=["reports"],
    dependencies=[Depends(own_site), Depends(json_only)],
    route_class=LeanRoute,
)


@router.post(
    "/reports",
    status_code=201,
    response_model=ReportOut,
    responses=described(400, 403, 413, 415, 422, 429, 503),
    summary="Send a report",
    openapi_extra={"parameters": [KEY]},
)
def send_report(request: Request, body: ReportIn) -> Response:
    """Store a report. A repetition under the same Idempotency-Key gets the first answer again."""
    language = request.state.language
    positions, settings = request.app.state.positions, request.app.state.settings
    key = _key(request)
    with written(request) as (session, visitor):
        try:
            draft = _draft(body, key, language, visitor)
            # What was stored stays so, whatever has become of its place or its pole since.
            submitted = reports.sent_before(session, key=draft.key, body_hash=draft.body_hash)
            if submitted is not None:
                findings = screening.screen(plain_text(body.description))
            else:
                sent = submissions.check(session, draft, positions, language, settings.city_name)
                submitted = submissions.store(
                    session,
                    sent,
                    positions,
                    language,
                    settings.city_name,
                    reporter_id=visitor.person_id,
                )
                findings = sent.findings
            if not submitted.replayed:
                limits.count_stored(request, session, limits.reports_from_address(request))
        except Refused as refused:
            _refuse(refused, body, language)
        except limits.TooMany as error:
            raise limits.too_many(request, error) from error
        except KeyReused as error:
            raise _key_reused(error, language) from error
    stored = ReportOut(
        id=submitted.id,
        reported_at=submitted.reported_at,
        url=f"/api/reports/{submitted.id}",
        page=f"/reports/{submitted.id}",
        text=_text(plain_text(body.description), findings, language),
    )
    headers = {"Location": stored.url} | ({REPLAYED: "true"} if submitted.replayed else {})
    return Response(stored.model_dump_json(), 201, headers, "application/json")


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key")
    if key is None:
        return secrets.token_urlsafe(16)
    if not _KEY.fullmatch(key):
        fault = {
            "loc": ("header", "idempotency-key"),
            "msg": "write 1 to 200 letters, digits or signs, without spaces",
        }
        raise RequestValidationError([fault])
    return key


def _text(description: str, findings: Sequence[Finding], language: Language) -> TextOut:
    return TextOut(
        state="waiting" if findings else "public",
        findings=[
            FindingOut(
                concern=finding.concern,
                text=description[finding.start : finding.end],
                reason=language.gettext(EXPLANATIONS[finding.concern].reason),
                advice=language.gettext(EXPLANATIONS[finding.concern].advice),
            )
            for finding in findings
        ],
        preview=screening.preview(description, findings),
    )


def _draft(body: ReportIn, key: str, language: Language, visitor: Visitor) -> Draft:
    category = BY_CODE.get(body.category)
    # What is not said leaves no mark, so that a key outlives a new field.
    said = {
        "on_behalf_of": body.on_behalf_of,
        "street_light_id": body.street_light_id,
        "attribute": body.attribute.pole,
    }
    unsaid = {name for name, value in said.items() if value is None}
    told = body.model_dump(mode="json", exclude=unsaid)
    return Draft(
        category=category or submissions.category_fault(body.category, language),
        where=_where(body, language),
        occurred_at=body.occurred_at,
        long_ago=body.long_ago,
        severity=body.severity,
        description=body.description,
        contact=Contact(**body.contact.model_dump()),
        key=f"api {key}",
        body=json.dumps(told).encode(),
        on_behalf_of_id=submissions.on_behalf_of(visitor, body.on_behalf_of, language)
        if body.on_behalf_of
        else None,
        pole=_pole(body),
    )


def _pole(body: ReportIn) -> Pole | None:
    number = plain_text(body.attribute.pole or "")
    said = body.street_light_id is not None or body.attribute.pole is not None
    return Pole(body.street_light_id, number) if said else None


def _where(body: ReportIn, language: Language) -> Where | Fault | None:
    _ = language.gettext
    coordinates = body.lat is not None or body.lon is not None
    ways = (body.geometry is not None) + coordinates + bool(body.address)
    if ways == 0 and _pole(body):
        return None
    if ways != 1:
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


_CONTACT = frozenset({"name", "email", "phone"})


def _member(field: str, body: ReportIn) -> str:
    """Give the member of the body that a fault is about."""
    if field == "street_light":
        return "attribute/pole" if body.street_light_id is None else "street_light_id"
    return f"contact/{field}" if field in _CONTACT else field


def _refuse(refused: Refused, body: ReportIn, language: Language) -> NoReturn:
    _ = language.gettext
    errors = []
    for fault in refused.faults:
        error: dict[str, Any] = {
            "pointer": f"body/{_member(fault.field, body)}",
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
