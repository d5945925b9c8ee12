"""What is public of a feature of the map, in the words of a language."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal

from data.queries import features
from data.queries.listing import ListedReport
from data.queries.reports import PublicReport
from geo.categories import N_
from layers.registry import BY_NAME
from server.languages import Language
from server.pages.map import STATUSES

OFFENSE_GROUPS: Mapping[str, str] = {
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
class Said:
    """A feature as a popup tells of it.

    Attributes
    ----------
    title : str
    facts : mapping of str to str or None
        By label; those without a value are nothing to know.
    url : str or None
        Page of this site that tells more.
    """

    title: str
    facts: Mapping[str, str | None]
    url: str | None = None

    @property
    def known(self) -> list[dict[str, str]]:
        """The facts that have a value, each as `label` and `value`."""
        return [{"label": label, "value": value} for label, value in self.facts.items() if value]


@dataclass(frozen=True, slots=True)
class Speech:
    """A language, and the time zone in which days are told.

    Parameters
    ----------
    language : Language
    zone : zoneinfo.ZoneInfo
    """

    language: Language
    zone: ZoneInfo

    def __call__(self, message: str) -> str:
        """Translate a message."""
        return self.language.gettext(message)

    def day(self, moment: Any) -> str:
        """Write a day, or the local day of a moment."""
        if hasattr(moment, "astimezone"):
            moment = moment.astimezone(self.zone)
        return str(format_date(moment, "medium", locale=self.language.locale))

    def number(self, value: int) -> str:
        """Write a number."""
        return str(format_decimal(value, locale=self.language.locale))

    def legend(self, layer: str, attribute: str, value: str) -> str:
        """Give the words of the map's legend for a value."""
        labels = (
            rule.label for rule in BY_NAME[layer].rules if value in rule.when.get(attribute, ())
        )
        return self(next((label for label in labels if label is not None), value))


def report_said(found: PublicReport | ListedReport, _: Speech) -> Said:
    """Tell of a report."""
    supports = found.supports if isinstance(found, PublicReport) else 0
    return Said(
        _(found.category.name),
        {
            _("Status"): _(STATUSES[found.status]),
            _("Kind"): _.legend("reports", "kind", found.category.kind),
            _("Place"): found.place,
            _("Neighbourhood"): found.neighbourhood,
            _("Reported"): _.day(found.reported_at),
            _("Neighbours affected, too"): _.number(supports) if supports else None,
        },
        f"/reports/{found.id}",
    )


def _street_light(row: Mapping[str, Any], _: Speech) -> Said:
    return Said(
        _("Street light {number}").format(number=row["pole_id"]),
        {
            _("Status"): _.legend("street_lights", "status", row["status"]),
            _("Open reports"): _.number(row["reports"]) if row["reports"] else None,
            _("Reported"): row["opened_at"] and _.day(row["opened_at"]),
        },
    )


def _service_location(row: Mapping[str, Any], _: Speech) -> Said:
    return Said(
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


def _block_watch(row: Mapping[str, Any], _: Speech) -> Said:
    return Said(
        row["name"],
        {
            _("Meets"): row["meeting"],
            _("How to join"): row["contact"],
            _("Open reports"): _.number(row["open_reports"]),
        },
        f"/watches/{row['id']}",
    )


def _area(row: Mapping[str, Any], _: Speech) -> Said:
    households = row["households"]
    return Said(
        row["name"] or _("No name"),
        {
            _("Open reports"): _.number(row["open_reports"]),
            _("Households"): None if households is None else _.number(households),
        },
        f"/?area={row['id']}",
    )


def _vacant_lot(row: Mapping[str, Any], _: Speech) -> Said:
    return Said(
        row["address"] or _("Vacant lot"),
        {
            _("Owner"): _("Land bank") if row["owner_kind"] == "land bank" else row["owner_kind"],
            _("Parcel"): row["parcel_number"],
            _("Since"): row["since"] and _.day(row["since"]),
        },
    )


def _transit_stop(row: Mapping[str, Any], _: Speech) -> Said:
    return Said(row["name"], {_("Type"): _("Bus or streetcar stop")})


def _police_incident(row: Mapping[str, Any], _: Speech) -> Said:
    group = row["offense_group"]
    return Said(
        row["offense"],
        {
            _("Group"): _(OFFENSE_GROUPS.get(group, group)),
            _("Day"): _.day(row["occurred_at"]),
            _("Source"): _("Recorded by the police"),
        },
    )


_SAYINGS: Mapping[str, Callable[[Mapping[str, Any], Speech], Said]] = {
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


def feature_said(layer: str, row: Mapping[str, Any], _: Speech) -> Said:
    """Tell of a feature of another layer.

    Parameters
    ----------
    layer : str
        One of `data.queries.features.LAYERS`.
    row : mapping of str to value
        From `data.queries.features`.
    _ : Speech
    """
    return _SAYINGS[layer](row, _)
