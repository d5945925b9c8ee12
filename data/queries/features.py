"""What is public of one feature of a map's layer, other than a report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from data.models import (
    Area,
    AreaLayer,
    BlockWatch,
    Organization,
    PoliceIncident,
    Report,
    Service,
    ServiceAtLocation,
    ServiceLocation,
    ServiceStatus,
    StreetLight,
    TransitStop,
    VacantLot,
)
from data.queries.filters import Bounds, envelope
from data.queries.street_lights import light_needs
from geo.statuses import OPEN

_TOLERANCE = 0.00002
"""Degrees by which a boundary may be simplified: 2 m."""

_DECIMALS = 6

_services = (
    select(func.string_agg(Service.name, ", "))
    .join(ServiceAtLocation, ServiceAtLocation.service_id == Service.id)
    .where(
        ServiceAtLocation.service_location_id == ServiceLocation.id,
        Service.status == ServiceStatus.ACTIVE,
    )
    .correlate(ServiceLocation)
    .scalar_subquery()
)


def _open_reports(within: InstrumentedAttribute[int | None], place: Any) -> Any:
    return (
        select(func.count())
        .select_from(Report)
        .where(within == place.id, Report.status.in_(sorted(OPEN)))
        .correlate(place)
        .scalar_subquery()
        .label("open_reports")
    )


def _area(layer: AreaLayer, within: InstrumentedAttribute[int | None]) -> Select[Any]:
    return select(Area.id, Area.name, Area.households, _open_reports(within, Area)).where(
        Area.layer == layer
    )


_PUBLIC: Mapping[str, tuple[InstrumentedAttribute[int], Select[*tuple[Any, ...]]]] = {
    "street_lights": (
        StreetLight.id,
        select(
            StreetLight.pole_id, StreetLight.status, light_needs.c.reports, light_needs.c.opened_at
        ).outerjoin(light_needs, true()),
    ),
    "service_locations": (
        ServiceLocation.id,
        select(
            ServiceLocation.name,
            ServiceLocation.type,
            Organization.name.label("organization"),
            _services.label("services"),
            ServiceLocation.address,
            ServiceLocation.phone,
            ServiceLocation.hours,
            ServiceLocation.website,
        )
        .outerjoin(Organization, Organization.id == ServiceLocation.organization_id)
        .where(~ServiceLocation.confidential),
    ),
    "block_watches": (
        BlockWatch.id,
        select(
            BlockWatch.id,
            BlockWatch.name,
            BlockWatch.meeting,
            BlockWatch.contact,
            _open_reports(Report.block_watch_id, BlockWatch),
        ),
    ),
    "neighbourhoods": (Area.id, _area(AreaLayer.NEIGHBOURHOOD, Report.neighbourhood_id)),
    "council_districts": (Area.id, _area(AreaLayer.COUNCIL_DISTRICT, Report.council_district_id)),
    "vacant_lots": (
        VacantLot.id,
        select(VacantLot.address, VacantLot.parcel_number, VacantLot.owner_kind, VacantLot.since),
    ),
    "transit_stops": (TransitStop.id, select(TransitStop.name)),
    "police_incidents": (
        PoliceIncident.id,
        select(
            PoliceIncident.offense, PoliceIncident.offense_group, PoliceIncident.occurred_at
        ).where(and_(PoliceIncident.public_geom.is_not(None), ~PoliceIncident.sensitive)),
    ),
}

_GEOMETRIES: Mapping[str, InstrumentedAttribute[Any]] = {
    "street_lights": StreetLight.geom,
    "service_locations": ServiceLocation.geom,
    "block_watches": BlockWatch.boundary,
    "neighbourhoods": Area.geom,
    "council_districts": Area.geom,
    "vacant_lots": VacantLot.geom,
    "transit_stops": TransitStop.geom,
    "police_incidents": PoliceIncident.public_geom,
}

LAYERS = tuple(_PUBLIC)
"""Layers whose features can be asked for here."""


def one(session: Session, layer: str, id: int) -> Mapping[str, Any] | None:
    """Give the public columns of one feature.

    Parameters
    ----------
    session : Session
    layer : str
        One of `LAYERS`.
    id : int

    Returns
    -------
    mapping of str to value, or None
        None where there is no such feature, or none that is public.
    """
    key, columns = _PUBLIC[layer]
    row = session.execute(columns.where(key == id)).one_or_none()
    return None if row is None else row._asdict()


@dataclass(frozen=True, slots=True)
class Placed:
    """A feature and where it is.

    Attributes
    ----------
    id : int
    geometry : dict
        GeoJSON, EPSG:4326.
    row : mapping of str to value
        Its public columns, as from `one`.
    """

    id: int
    geometry: dict[str, Any]
    row: Mapping[str, Any]


def within(session: Session, layer: str, bounds: Bounds, limit: int) -> list[Placed]:
    """Give the public features of a layer that meet a box.

    Parameters
    ----------
    session : Session
    layer : str
        One of `LAYERS`.
    bounds : Bounds
    limit : int
        Features at the most.

    Returns
    -------
    list of Placed
        By id.
    """
    key, columns = _PUBLIC[layer]
    geometry = _GEOMETRIES[layer]
    shape = func.ST_AsGeoJSON(func.ST_Simplify(geometry, _TOLERANCE, True), _DECIMALS)
    rows = session.execute(
        columns.add_columns(key.label("feature_id"), shape.label("shape"))
        .where(geometry.op("&&")(envelope(bounds)))
        .order_by(key)
        .limit(limit)
    )
    return [Placed(row.feature_id, json.loads(row.shape), row._asdict()) for row in rows]
