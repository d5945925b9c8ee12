"""The one place that says how positions are stored and in which CRS the city measures metres."""

from pyproj import CRS

STORED = CRS.from_epsg(4326)
"""Longitude and latitude on WGS 84, as every geometry is stored."""

CITY_SRID = 26915
"""NAD83 / UTM zone 15N, metres: Kansas City."""

CITY = CRS.from_epsg(CITY_SRID)


def require_projected(crs: CRS | None) -> CRS:
    """Give back the CRS where distances in it are metres.

    Parameters
    ----------
    crs : pyproj.CRS or None
        What a frame declares.

    Returns
    -------
    pyproj.CRS

    Raises
    ------
    ValueError
        Where the CRS is missing, geographic, or not in metres.
    """
    if crs is None:
        raise ValueError("The geometry has no CRS, so its distances mean nothing. Declare one.")
    if crs.is_geographic:
        raise ValueError(f"{crs.name} is in degrees. Project it to metres first, e.g. {CITY.name}.")
    if any(axis.unit_name != "metre" for axis in crs.axis_info[:2]):
        raise ValueError(f"{crs.name} is not in metres. Project it first, e.g. to {CITY.name}.")
    return crs
