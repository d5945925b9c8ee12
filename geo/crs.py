"""The one place that says how positions are stored and in which CRS the city measures metres."""

from pyproj import CRS

STORED = CRS.from_epsg(4326)
"""Longitude and latitude on WGS 84, as every geometry is stored."""

CITY_SRID = 26915
"""NAD83 / UTM zone 15N, metres: Kansas City."""

CITY = CRS.from_epsg(CITY_SRID)
