"""The layers a map can show, in the order of the layer control."""

from types import MappingProxyType

from layers.block_watches import BlockWatches
from layers.council_districts import CouncilDistricts
from layers.crew_routes import CrewRoutes
from layers.dark_runs import DarkRuns
from layers.features import Features
from layers.needs import Needs
from layers.neighbourhoods import Neighbourhoods
from layers.police_incidents import PoliceIncidents
from layers.reports import Reports
from layers.service_locations import ServiceLocations
from layers.street_lights import StreetLights
from layers.transit_stops import TransitStops
from layers.vacant_lots import VacantLots
from layers.work_plans import WorkPlans

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

DESK: tuple[type[Features], ...] = (
    Needs,
    DarkRuns,
    WorkPlans,
    CrewRoutes,
    StreetLights,
    CouncilDistricts,
    Neighbourhoods,
    ServiceLocations,
    TransitStops,
)
"""Those of the desk, with what the city's people see alone."""

BY_NAME = MappingProxyType({layer.name: layer for layer in LAYERS})

DRAWN: tuple[type[Features], ...] = (
    Neighbourhoods,
    CouncilDistricts,
    BlockWatches,
    VacantLots,
    DarkRuns,
    PoliceIncidents,
    TransitStops,
    StreetLights,
    ServiceLocations,
    Reports,
    CrewRoutes,
    WorkPlans,
    Needs,
)
"""All of them from the bottom to the top of the map: areas under points, reports above all."""
