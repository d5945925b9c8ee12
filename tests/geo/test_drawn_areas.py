import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.crs import in_city_metres
from geo.drawn_areas import MOST_CORNERS, RADII_M, AreaError, AreaFault, around
from geo.places import Position

CITY = shapely.box(-94.6, 39.0, -94.5, 39.1)


@given(st.floats(-94.59, -94.51), st.floats(39.01, 39.09), st.sampled_from(RADII_M))
def test_what_lies_around_a_place_is_as_wide_as_was_asked_for(lon, lat, radius_m):
    area = around(Position(lat, lon), radius_m, CITY)
    west, south, east, north = in_city_metres(area).bounds
    assert (east - west, north - south) == pytest.approx((2 * radius_m,) * 2, abs=1)
    assert area.is_valid
    assert len(area.exterior.coords) <= MOST_CORNERS
    assert area.contains(shapely.Point(lon, lat))


def test_a_place_away_from_the_city_has_nothing_around_it_to_follow():
    with pytest.raises(AreaError) as error:
        around(Position(39.05, -94.4), 800, CITY)
    assert error.value.fault is AreaFault.OUTSIDE
