import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.sun import CIVIL_TWILIGHT_DEG, elevation_deg, is_dark

KANSAS_CITY = (np.array([-94.5786]), np.array([39.0997]))


def moments(*at):
    return np.array(at, "datetime64[us]")


def elevation(at, longitude, latitude):
    return elevation_deg(moments(at), np.array([longitude]), np.array([latitude]))[0]


def test_the_sun_stands_where_the_solar_position_algorithm_puts_it():
    # The example of Reda and Andreas (2004), doi:10.1016/j.solener.2003.12.003, before refraction.
    assert elevation("2003-10-17T19:30:30", -105.1786, 39.742476) == pytest.approx(
        39.872, abs=0.002
    )


def test_the_sun_stands_where_meeus_puts_it():
    # Example 25.a: declination -7.78507 on 13 October 1992; overhead there the sun is in the zenith.
    highest = max(
        elevation("1992-10-13T00:00", longitude, -7.78507)
        for longitude in np.arange(176.0, 177.2, 0.002)
    )
    assert highest == pytest.approx(90, abs=0.005)


@pytest.mark.parametrize(
    ("day", "dawn", "dusk"),
    [
        # Civil dawn and dusk in UTC, by astral 3.2, which differs from us by 20 seconds at most.
        ("2018-06-21", "10:19:59", "02:20:29"),
        ("2018-12-21", "13:03:31", "23:29:30"),
        ("2019-03-10", "12:10:46", "00:47:04"),
        ("2021-11-07", "12:24:26", "23:39:04"),
    ],
)
def test_it_gets_dark_when_civil_twilight_ends(day, dawn, dusk):
    minute = np.timedelta64(60, "s")
    rise, set_ = moments(f"{day}T{dawn}")[0], moments(f"{day}T{dusk}")[0]
    if dusk < "12":
        set_ += np.timedelta64(1, "D")
    at = np.array([rise - minute, rise + minute, set_ - minute, set_ + minute])
    assert is_dark(at, *KANSAS_CITY).tolist() == [True, False, False, True]


def test_the_clock_does_not_matter():
    # Six in the evening, by the clock of winter and of summer: dark, and light.
    assert is_dark(moments("2018-12-22T00:00", "2018-06-21T23:00"), *KANSAS_CITY).tolist() == [
        True,
        False,
    ]


@given(
    st.integers(0, 50 * 365 * 24 * 60),
    st.floats(-180, 180),
    st.floats(-66, 66),
)
def test_somewhere_the_sun_is_as_far_below_as_it_is_above_here(minutes, longitude, latitude):
    at = np.datetime64("1990-01-01", "us") + np.timedelta64(minutes, "m")
    here = elevation_deg(np.array([at]), np.array([longitude]), np.array([latitude]))[0]
    there = elevation_deg(np.array([at]), np.array([longitude + 180]), np.array([-latitude]))[0]
    assert here == pytest.approx(-there, abs=1e-6)
    assert is_dark(np.array([at]), np.array([longitude]), np.array([latitude])) == (
        here < CIVIL_TWILIGHT_DEG
    )


def test_a_missing_moment_or_place_is_neither_dark_nor_light():
    at = moments("NaT", "2018-06-21T00:00")
    where = np.array([-94.5, np.nan]), np.array([39.1, 39.1])
    assert np.isnan(elevation_deg(at, *where)).all()
    assert not is_dark(at, *where).any()
