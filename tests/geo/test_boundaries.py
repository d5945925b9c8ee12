import math
from contextlib import suppress

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.boundaries import LEAST_M2, MOST_M2, BoundaryError, BoundaryFault, area_m2, boundary
from geo.places import MOST_POSITIONS, Position

CITY = shapely.box(-94.6, 39.0, -94.5, 39.1)
RING = [[-94.56, 39.01], [-94.556, 39.01], [-94.556, 39.014], [-94.56, 39.014], [-94.56, 39.01]]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [*rings]}


def fault_of(geometry):
    with pytest.raises(BoundaryError) as raised:
        boundary(geometry, CITY)
    return raised.value


def test_one_outline_is_a_boundary_with_a_size():
    found = boundary(polygon(RING), CITY)
    assert found.outline.equals(shapely.Polygon(RING))
    assert found.area_m2 == pytest.approx(346 * 444, rel=0.01)


def test_features_and_single_parts_are_opened():
    alone = {"type": "MultiPolygon", "coordinates": [[RING]]}
    feature = {"type": "Feature", "properties": {"name": "x"}, "geometry": alone}
    for given_ in (alone, feature, {"type": "FeatureCollection", "features": [feature]}):
        assert boundary(given_, CITY).outline.equals(shapely.Polygon(RING))


def test_the_last_corner_need_not_repeat_the_first_and_double_taps_count_once():
    doubled = [corner for corner in RING[:-1] for _ in range(2)]
    assert boundary(polygon(doubled), CITY).outline.equals(shapely.Polygon(RING))


@pytest.mark.parametrize(
    ("geometry", "fault"),
    [
        (None, "empty"),
        (polygon(), "empty"),
        ({"type": "MultiPolygon", "coordinates": []}, "empty"),
        ({}, "not_an_outline"),
        ("x", "not_an_outline"),
        ({"type": "Point", "coordinates": [1, 2]}, "not_an_outline"),
        (polygon("ring"), "not_an_outline"),
        (polygon([1, 2, 3]), "not_an_outline"),
        ({"type": "MultiPolygon", "coordinates": [[RING], [RING]]}, "several_parts"),
        ({"type": "FeatureCollection", "features": [{}, {}]}, "several_parts"),
        (polygon(RING, RING), "holes"),
        (polygon([]), "too_few_corners"),
        (polygon(RING[:2]), "too_few_corners"),
        (polygon([RING[0], RING[1], RING[0], RING[1]]), "too_few_corners"),
        (polygon([["x", 39.01], *RING[1:]]), "not_a_place"),
        (polygon([[39.01, -94.56], *RING[1:]]), "not_a_place"),
        (polygon([[math.nan, 39.01], *RING[1:]]), "not_a_place"),
        (polygon([[-94.56, 39.01]] * (MOST_POSITIONS + 2)), "too_many_corners"),
    ],
)  # fmt: skip
def test_what_is_no_outline_is_named(geometry, fault):
    assert fault_of(geometry).fault is BoundaryFault(fault)


def test_a_crossing_is_named_with_its_place():
    bow = [RING[0], RING[2], RING[1], RING[3]]
    found = fault_of(polygon(bow))
    assert found.fault is BoundaryFault.CROSSES_ITSELF
    assert found.crossings == (Position(39.012, -94.558),)


def test_an_outline_that_runs_back_along_itself_is_named_with_its_place():
    spike = [*RING[:2], [-94.552, 39.01], [-94.556, 39.01], *RING[2:]]
    found = fault_of(polygon(spike))
    assert found.fault is BoundaryFault.CROSSES_ITSELF
    assert found.crossings
    assert all(39.009 < at.latitude < 39.011 for at in found.crossings)


@pytest.mark.parametrize(("metres", "fault"), [(60, "too_small"), (3_400, "too_large")])
def test_size_is_held_between_a_street_and_a_neighbourhood(metres, fault):
    north, east = metres / 111_195, metres / 111_195 / math.cos(math.radians(39.05))
    west, south = -94.58, 39.03
    ring = [
        [west, south],
        [west + east, south],
        [west + east, south + north],
        [west, south + north],
    ]
    assert (metres**2 < LEAST_M2) == (fault == "too_small")
    assert (metres**2 > MOST_M2) == (fault == "too_large")
    assert fault_of(polygon(ring)).fault is BoundaryFault(fault)


def test_the_city_limit_may_be_missed_by_a_finger_and_no_more():
    def reaching(west):
        return [[west, 39.01], [-94.59, 39.01], [-94.59, 39.02], [west, 39.02]]

    assert boundary(polygon(reaching(-94.60009)), CITY)
    found = fault_of(polygon(reaching(-94.605)))
    assert found.fault is BoundaryFault.OUTSIDE
    assert found.outside == pytest.approx(1 / 3, abs=0.01)


@given(
    st.lists(st.tuples(st.floats(-94.6, -94.5), st.floats(39.0, 39.1)), min_size=3, max_size=12),
)
def test_whatever_is_drawn_is_a_valid_boundary_or_has_a_fault(corners):
    with suppress(BoundaryError):
        found = boundary(polygon([list(corner) for corner in corners]), CITY)
        assert found.outline.is_valid
        assert LEAST_M2 <= found.area_m2 == area_m2(found.outline) <= MOST_M2
