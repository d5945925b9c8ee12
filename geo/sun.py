"""Whether it was dark: by the sun at that date and place, since clocks are put forward and back.

Position of the sun after Meeus, "Astronomical Algorithms" (1998), chapter 25, lower accuracy: to 0.01
degrees between 1950 and 2050, which is a few seconds of rise and set.
"""

import numpy as np
from numpy.typing import NDArray

CIVIL_TWILIGHT_DEG = -6.0
"""Elevation of the middle of the sun below which street lights are needed to see by."""

_NOON_2000 = np.datetime64("2000-01-01T12:00:00", "us")


def elevation_deg(
    at: NDArray[np.datetime64], longitude: NDArray[np.float64], latitude: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the elevation of the middle of the sun above the horizon, without refraction.

    Parameters
    ----------
    at : ndarray of datetime64
        Moments in UTC.
    longitude, latitude : ndarray of float
        Degrees on WGS 84, east and north above 0.

    Returns
    -------
    ndarray of float
        Degrees, from -90 to 90; NaN where a moment or a place is missing.

    Examples
    --------
    Noon at Greenwich at the equinox of March 2024:

    >>> at = np.array(["2024-03-20T12:07"], "datetime64[us]")
    >>> elevation_deg(at, np.array([0.0]), np.array([51.48])).round(1).tolist()
    [38.7]
    """
    known = ~np.isnat(at)
    since = np.where(known, at.astype("datetime64[us]"), _NOON_2000) - _NOON_2000
    days = np.where(known, since / np.timedelta64(1, "D"), np.nan)
    century = days / 36525
    mean = 280.46646 + century * (36000.76983 + century * 0.0003032)
    anomaly = np.radians(357.52911 + century * (35999.05029 - century * 0.0001537))
    centre = (
        (1.914602 - century * (0.004817 + century * 0.000014)) * np.sin(anomaly)
        + (0.019993 - century * 0.000101) * np.sin(2 * anomaly)
        + 0.000289 * np.sin(3 * anomaly)
    )
    node = np.radians(125.04 - 1934.136 * century)
    ecliptic = np.radians(mean + centre - 0.00569 - 0.00478 * np.sin(node))
    tilt = np.radians(23.4392911 - 0.0130042 * century + 0.00256 * np.cos(node))
    declination = np.arcsin(np.sin(tilt) * np.sin(ecliptic))
    ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    sidereal = np.radians((280.46061837 + 360.98564736629 * days) % 360 + longitude)
    north = np.radians(latitude)
    return np.asarray(
        np.degrees(
            np.arcsin(
                np.sin(north) * np.sin(declination)
                + np.cos(north) * np.cos(declination) * np.cos(sidereal - ascension)
            )
        )
    )


def is_dark(
    at: NDArray[np.datetime64], longitude: NDArray[np.float64], latitude: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Say whether civil twilight was over, or had not begun.

    Parameters
    ----------
    at : ndarray of datetime64
        Moments in UTC.
    longitude, latitude : ndarray of float
        Degrees on WGS 84.

    Returns
    -------
    ndarray of bool
        False where a moment or a place is missing: ask about those before.
    """
    return np.asarray(elevation_deg(at, longitude, latitude) < CIVIL_TWILIGHT_DEG)
