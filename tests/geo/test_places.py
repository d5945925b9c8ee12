import contextlib
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo import places
from geo.places import PlaceError, PlaceFault, Position, TimeFault

SERVED = (-94.77, 38.82, -94.38, 39.39)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fault(*, of):
    with pytest.raises(PlaceError) as caught:
        of()
    return caught.value.fault


def test_a_position_in_the_city_is_taken_as_it_is():
    assert places.position(39.05, -94.57, SERVED) == Position(39.05, -94.57)


def test_a_position_may_be_text():
    assert places.position(" 39.05", "-94.57", SERVED) == Position(39.05, -94.57)


@pytest.mark.parametrize(
    "wrong", ["north", "", "1e999", math.nan, math.inf, -math.inf, None, True, [39.05], 10**400]
)
def test_what_is_no_number_is_no_coordinate(wrong):
    assert fault(of=lambda: places.position(wrong, -94.57, SERVED)) == PlaceFault.NOT_A_NUMBER


def test_degrees_end_at_90_and_180():
    assert fault(of=lambda: places.position(391.0, -94.57, SERVED)) == PlaceFault.OUT_OF_RANGE
    assert fault(of=lambda: places.position(39.05, -945.7, SERVED)) == PlaceFault.OUT_OF_RANGE


def test_a_swapped_coordinate_is_offered_back():
    with pytest.raises(PlaceError) as caught:
        places.position(-94.57, 39.05, SERVED)
    assert caught.value.fault == PlaceFault.SWAPPED
    assert caught.value.meant == Position(39.05, -94.57)


def test_a_swap_is_offered_where_both_numbers_are_possible_latitudes():
    somewhere = (30.0, 50.0, 31.0, 51.0)
    with pytest.raises(PlaceError) as caught:
        places.position(30.5, 50.5, somewhere)
    assert caught.value.meant == Position(50.5, 30.5)


def test_without_a_served_area_only_an_impossible_latitude_tells_of_a_swap():
    with pytest.raises(PlaceError) as caught:
        places.position(-94.57, 39.05)
    assert caught.value.meant == Position(39.05, -94.57)
    assert places.position(30.5, 50.5) == Position(30.5, 50.5)


@pytest.mark.parametrize("served", [SERVED, None])
def test_zero_zero_is_a_device_that_knows_nothing(served):
    assert fault(of=lambda: places.position(0, 0, served)) == PlaceFault.ZERO


def test_another_part_of_the_world_is_far_away():
    assert fault(of=lambda: places.position(48.85, 2.35, SERVED)) == PlaceFault.FAR_AWAY


def test_a_neighbour_town_is_left_for_the_store_to_refuse():
    assert places.position(38.9, -94.8, SERVED) == Position(38.9, -94.8)


@given(
    st.one_of(st.floats(), st.text(), st.integers(), st.none()),
    st.one_of(st.floats(), st.text(), st.integers(), st.none()),
)
def test_every_pair_gives_a_position_near_the_city_or_a_reason(latitude, longitude):
    with contextlib.suppress(PlaceError):
        place = places.position(latitude, longitude, SERVED)
        assert 38.32 <= place.latitude <= 39.89
        assert -95.27 <= place.longitude <= -93.88


@given(st.floats(38.9, 39.3), st.floats(-94.7, -94.4))
def test_every_position_in_the_city_is_known_again_when_swapped(latitude, longitude):
    with pytest.raises(PlaceError) as caught:
        places.position(longitude, latitude, SERVED)
    assert caught.value.meant == Position(latitude, longitude)


def test_a_line_needs_two_different_positions():
    same = [[-94.57, 39.05], [-94.57, 39.05]]
    assert fault(of=lambda: places.line(same, SERVED)) == PlaceFault.TOO_FEW_POSITIONS
    made = places.line([[-94.57, 39.05, 300.0], [-94.57, 39.051]], SERVED)
    assert made.wkt == "LINESTRING (-94.57 39.05, -94.57 39.051)"


def test_a_stretch_of_street_is_no_longer_than_five_kilometres():
    across_town = [[-94.57, 39.05], [-94.57, 39.10]]
    assert fault(of=lambda: places.line(across_town, SERVED)) == PlaceFault.TOO_LARGE


def test_a_lot_is_closed_and_does_not_cross_itself():
    a, b, c, d = [-94.57, 39.05], [-94.569, 39.05], [-94.569, 39.051], [-94.57, 39.051]
    assert places.polygon([[a, b, c, d, a]], SERVED).area > 0
    assert fault(of=lambda: places.polygon([[a, b, c, d]], SERVED)) == PlaceFault.NOT_CLOSED
    assert fault(of=lambda: places.polygon([[a, c, b, d, a]], SERVED)) == PlaceFault.CROSSES_ITSELF
    assert fault(of=lambda: places.polygon([[a, b, a]], SERVED)) == PlaceFault.TOO_FEW_POSITIONS
    assert fault(of=lambda: places.polygon([], SERVED)) == PlaceFault.TOO_FEW_POSITIONS


def test_a_shape_of_thousands_of_positions_is_refused_before_it_is_looked_at():
    many = [[math.nan, math.nan]] * 10_000
    assert fault(of=lambda: places.line(many, SERVED)) == PlaceFault.TOO_MANY_POSITIONS
    assert fault(of=lambda: places.polygon([many], SERVED)) == PlaceFault.TOO_MANY_POSITIONS


def test_a_swapped_line_is_offered_the_swap():
    assert fault(of=lambda: places.line([[39.05, -94.57], [39.05, -94.58]], SERVED)) == (
        PlaceFault.SWAPPED
    )


def test_geojson_gives_the_point_the_line_or_the_lot_that_it_says():
    a, b, c = [-94.57, 39.05], [-94.569, 39.05], [-94.569, 39.051]
    for kind, coordinates in (("Point", a), ("LineString", [a, b]), ("Polygon", [[a, b, c, a]])):
        made = places.shape({"type": kind, "coordinates": coordinates}, SERVED)
        assert made.geom_type == kind
        assert made.bounds[:2] == (-94.57, 39.05)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "POINT (1 2)",
        {},
        {"type": "MultiPoint", "coordinates": [[-94.57, 39.05]]},
        {"type": ["Point"], "coordinates": [-94.57, 39.05]},
        {"type": "Point", "coordinates": "12"},
        {"type": "LineString", "coordinates": [-94.57, 39.05]},
        {"type": "Polygon", "coordinates": [[-94.57, 39.05], [-94.56, 39.05]]},
        {"type": "LineString"},
    ],
)
def test_what_is_no_geojson_of_a_place_is_no_shape(wrong):
    assert fault(of=lambda: places.shape(wrong, SERVED)) == PlaceFault.NOT_A_SHAPE


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from(["Point", "LineString", "Polygon"]), json_values)
def test_whatever_stands_for_coordinates_gives_a_shape_or_a_reason(kind, coordinates):
    with contextlib.suppress(PlaceError):
        assert not places.shape({"type": kind, "coordinates": coordinates}, SERVED).is_empty


def test_a_position_of_one_number_is_no_position():
    assert fault(of=lambda: places.line([[1.0], [2.0]], SERVED)) == PlaceFault.NOT_A_NUMBER


def test_coordinates_may_be_typed_where_an_address_is_asked_for():
    assert places.typed_coordinates(" 39.05, -94.57 ") == ("39.05", "-94.57")
    assert places.typed_coordinates("39.05° -94.57°") == ("39.05", "-94.57")


@pytest.mark.parametrize("text", ["3400 39", "39th and Main", "3421 Norton Ave", "39.05", "39, 47"])
def test_an_address_is_not_taken_for_coordinates(text):
    assert places.typed_coordinates(text) is None


@pytest.mark.parametrize("text", ["", "-1", "1.5", " 7", "²", "٣", "9" * 19, "9" * 5_000])
def test_what_only_looks_like_a_number_of_something_is_none(text):
    assert places.typed_number(text) is None
    assert places.typed_number("9" * 18) == 10**18 - 1


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(0), None),
        (timedelta(days=729), None),
        (timedelta(minutes=-4), None),
        (timedelta(minutes=-6), TimeFault.FUTURE),
        (timedelta(days=731), TimeFault.LONG_AGO),
        (timedelta(days=40_000), TimeFault.TOO_LONG_AGO),
    ],
)
def test_a_time_is_past_and_not_long_past(ago, expected):
    assert places.time_fault(NOW - ago, NOW) == expected


def test_the_first_day_of_the_calendar_is_too_long_ago():
    assert places.time_fault(datetime.min.replace(tzinfo=UTC), NOW) == TimeFault.TOO_LONG_AGO


def test_markup_stays_as_it_was_written():
    assert places.plain_text("<b>Lamp</b> & <script>") == "<b>Lamp</b> & <script>"


def test_what_cannot_be_seen_is_taken_out():
    assert places.plain_text("\x00a\x1b[31mb\u202ec\ud800\r\nd\t e ") == "a[31mbc\nd\t e"


@given(st.text(st.characters(codec=None, categories=None)))
def test_plain_text_can_be_stored_and_does_not_change_again(text):
    kept = places.plain_text(text)
    assert "\x00" not in kept
    kept.encode()
    assert places.plain_text(kept) == kept
