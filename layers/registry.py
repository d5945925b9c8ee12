"""The layers a map can show, in the order of the layer control."""

from types import MappingProxyType

from layers.block_watches import BlockWatches
from layers.council_districts import CouncilDistricts
from layers.features import Features
from layers.neighbourhoods import Neighbourhoods
from layers.police_incidents import PoliceIncidents
from layers.reports import Reports
from layers.service_locations import ServiceLocations
from layers.street_lights import StreetLights
from layers.transit_stops import TransitStops
from layers.vacant_lots import VacantLots

LAYERS: tuple[type[Features], ...] = (
    Reports,
    StreetLights,
    BlockWatches,
    ServiceLocations,
    Neighbourhoods,
    CouncilDistricts,
    TransitStops,
    VacantLots,
    PoliceIncidents,
)

BY_NAME = MappingProxyType({layer.name: layer for layer in LAYERS})

DRAWN: tuple[type[Features], ...] = (
    Neighbourhoods,
    CouncilDistricts,
    BlockWatches,
    VacantLots,
    PoliceIncidents,
    TransitStops,
    StreetLights,
    ServiceLocations,
    Reports,
)
"""The same from the bottom to the top of the map: areas under points, reports above all."""
