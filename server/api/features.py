"""What is public of one feature of the map, said in the language of whoever asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal
from fastapi import APIRouter, Request, Response

from data.queries import features, reports
from data.queries.reports import PublicReport
from geo.categories import N_
from layers.registry import BY_NAME
from server.dependencies import Chosen, Reading
from server.languages import Language
from server.pages.map import STATUSES
from server.problems import Problem
from server.report_words import place_text
from server.schemas.features import Fact, FeatureFacts
from server.schemas.filters import Id
from server.schemas.problems import described

router = APIRouter(prefix="/api/features", tags=["map"])

_OFFENSE_GROUPS: Mapping[str, str] = {
    "robbery": N_("Robbery"),
    "assault": N_("Assault"),
    "vehicle_theft": N_("Vehicle theft"),
    "burglary": N_("Burglary"),
    "fraud": N_("Fraud"),
    "theft": N_("Theft"),
    "damage": N_("Damage or arson"),
    "drugs": N_("Drugs"),
    "weapons": N_("Weapons"),
    "other": N_("Other"),
}


@dataclass(frozen=True, slots=True)
class _Said:
    """Title, facts by label (those without a value are left out) and page of a feature."""

    title: str
    facts: Mapping[str, str | None]
    url: str | None = None


@dataclass(frozen=True, slots=True)
class _Speech:
    """A language and what goes with it."""

    language: Language
    zone: ZoneInfo

    def __call__(self, message: str) -> str:
        return self.language.gettext(message)

    def day(self, moment: Any) -> str:
        if hasattr(moment, "astimezone"):
            moment = moment.astimezone(self.zone)
        return str(format_date(moment, "medium", locale=self.language.locale))

    def number(self, value: int) -> str:
        return str(format_decimal(value, locale=self.language.locale))

    def legend(self, layer: str, attribute: str, value: str) -> str:
        """Give the words of the map's legend for a value."""
        labels = (
            rule.label for rule in BY_NAME[layer].rules if value in rule.when.get(attribute, ())
        )
        return self(next((label for label in labels if label is not None), value))


def _report(found: PublicReport, _: _Speech) -> _Said:
    return _Said(
        _(found.category.name),
        {
            _("Status"): _(STATUSES[found.status]),
            _("Kind"): _.legend("reports", "kind", found.kind),
            _("Place"): place_text(found.place, _.language),
            _("Neighbourhood"): found.neighbourhood,
            _("Reported"): _.day(found.reported_at),
            _("Neighbours affected, too"): _.number(found.supports) if found.supports else None,
        },
        f"/reports/{found.id}",
    )


def _street_light(row: Mapping[str, Any], _: _Speech) -> _Said:
    return _Said(
        _("Street light {number}").format(number=row["pole_id"]),
        {_("Status"): _.legend("street_lights", "status", row["status"])},
    )


def _service_location(row: Mapping[str, Any], _: _Speech) -> _Said:
    return _Said(
        row["name"],
        {
            _("Type"): _.legend("service_locations", "type", row["type"]),
            _("Offered by"): row["organization"],
            _("Services"): row["services"],
            _("Address"): row["address"],
            _("Hours"): row["hours"],
            _("Phone"): row["phone"],
            _("Website"): row["website"],
        },
    )


def _block_watch(row: Mapping[str, Any], _: _Speech) -> _Said:
    return _Said(
        row["name"],
        {
            _("Meets"): row["meeting"],
            _("How to join"): row["contact"],
            _("Open reports"): _.number(row["open_reports"]),
        },
        f"/?block_watch={row['id']}",
    )


def _area(row: Mapping[str, Any], _: _Speech) -> _Said:
    households = row["households"]
    return _Said(
        row["name"] or _("No name"),
        {
            _("Open reports"): _.number(row["open_reports"]),
            _("Households"): None if households is None else _.number(households),
        },
        f"/?area={row['id']}",
    )


def _vacant_lot(row: Mapping[str, Any], _: _Speech) -> _Said:
    return _Said(
        row["address"] or _("Vacant lot"),
        {
            _("Owner"): _("Land bank") if row["owner_kind"] == "land bank" else row["owner_kind"],
            _("Parcel"): row["parcel_number"],
            _("Since"): row["since"] and _.day(row["since"]),
        },
    )


def _transit_stop(row: Mapping[str, Any], _: _Speech) -> _Said:
    return _Said(row["name"], {_("Type"): _("Bus or streetcar stop")})


def _police_incident(row: Mapping[str, Any], _: _Speech) -> _Said:
    group = row["offense_group"]
    return _Said(
        row["offense"],
        {
            _("Group"): _(_OFFENSE_GROUPS.get(group, group)),
            _("Day"): _.day(row["occurred_at"]),
            _("Source"): _("Recorded by the police"),
        },
    )


_SAYINGS: Mapping[str, Callable[[Mapping[str, Any], _Speech], _Said]] = {
    "street_lights": _street_light,
    "service_locations": _service_location,
    "block_watches": _block_watch,
    "neighbourhoods": _area,
    "council_districts": _area,
    "vacant_lots": _vacant_lot,
    "transit_stops": _transit_stop,
    "police_incidents": _police_incident,
}
assert {*_SAYINGS} == {*features.LAYERS}


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
    _ = _Speech(request.state.language, settings.zone)
    said = None
    if layer == "reports":
        report = reports.one_public(session, id)
        if isinstance(report, PublicReport):
            said = _report(report, _)
    elif layer in _SAYINGS:
        row = features.one(session, layer, id)
        if row is not None:
            said = _SAYINGS[layer](row, _)
    if said is None:
        raise Problem(404, _("Not found"), _("There is no such thing on the map any more."))
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept-Language, Cookie"
    return FeatureFacts(
        layer=layer,
        id=id,
        title=said.title,
        facts=[Fact(label=label, value=value) for label, value in said.facts.items() if value],
        url=said.url,
    )
