"""What is public of one feature of the map, said in the language of whoever asks."""

from fastapi import APIRouter, Request, Response

from data.queries import features, reports
from data.queries.reports import PublicReport
from server.dependencies import Chosen, Reading
from server.feature_words import Speech, feature_said, report_said
from server.problems import Problem
from server.schemas.features import Fact, FeatureFacts
from server.schemas.filters import Id
from server.schemas.problems import described

router = APIRouter(prefix="/api/features", tags=["map"])


@router.get("/{layer}/{id}", responses=described(404, 422, 503), summary="Read one feature")
def read_feature(
    *,
    request: Request,
    response: Response,
    session: Reading,
    settings: Chosen,
    layer: str,
    id: Id,
) -> FeatureFacts:
    """Give what everybody may know of a feature of the map, in the language asked for."""
    _ = Speech(request.state.language, settings.zone)
    said = None
    if layer == "reports":
        report = reports.one_public(session, id)
        if isinstance(report, PublicReport):
            said = report_said(report, _)
    elif layer in features.LAYERS:
        row = features.one(session, layer, id)
        if row is not None:
            said = feature_said(layer, row, _)
    if said is None:
        raise Problem(404, _("Not found"), _("There is no such thing on the map any more."))
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept-Language, Cookie"
    return FeatureFacts(
        layer=layer,
        id=id,
        title=said.title,
        facts=[Fact(**fact) for fact in said.known],
        url=said.url,
    )
