"""Every source, by its name."""

from collections.abc import Callable, Sequence

from shapely.geometry.base import BaseGeometry

from data.load import Source
from data.sources.acs import ACS
from data.sources.addresses import ADDRESSES
from data.sources.block_watches import BLOCK_WATCHES
from data.sources.census import BLOCK_GROUPS, BLOCKS, POSTAL_AREAS, TRACTS, WATER
from data.sources.city import CITY
from data.sources.council_districts import COUNCIL_DISTRICTS
from data.sources.gtfs_stops import GTFS_STOPS
from data.sources.kcmo_311 import KCMO_311
from data.sources.land_bank import LAND_BANK
from data.sources.neighbourhoods import NEIGHBOURHOODS
from data.sources.parcels import PARCELS
from data.sources.patrol_divisions import PatrolDivisions
from data.sources.police_incidents import POLICE_INCIDENTS
from data.sources.service_locations import SERVICE_LOCATIONS
from data.sources.street_lights import STREET_LIGHTS


def sources(neighbourhoods: Callable[[], Sequence[BaseGeometry]]) -> dict[str, Source]:
    """Give the sources, in an order in which they can be imported one after the other.

    Parameters
    ----------
    neighbourhoods : callable
        Gives the polygons of the stored neighbourhoods; asked only by sources made of them.

    Returns
    -------
    dict of str to Source
    """
    listed: tuple[Source, ...] = (
        CITY,
        NEIGHBOURHOODS,
        COUNCIL_DISTRICTS,
        PatrolDivisions(neighbourhoods),
        TRACTS,
        ACS,
        BLOCK_GROUPS,
        POSTAL_AREAS,
        BLOCKS,
        WATER,
        BLOCK_WATCHES,
        SERVICE_LOCATIONS,
        STREET_LIGHTS,
        ADDRESSES,
        KCMO_311,
        POLICE_INCIDENTS,
        LAND_BANK,
        PARCELS,
        GTFS_STOPS,
    )
    return {source.name: source for source in listed}
