import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, Point, Polygon

from geo.categories import CATEGORIES
from geo.kinds import Kind
from geo.outages import (
    BLOCK,
    BLOCK_M,
    NEEDED,
    POLE,
    REACH_M,
    STRETCH_REACH_M,
    Match,
    block_at,
    meant,
)

NORTON = LineString([(0, -1000), (0, 1000)])
CROSSINGS = [LineString([(-300, y), (300, y)]) for y in (0, 120, 240)]
STREETS = [NORTON, *CROSSINGS]
LIGHTS = shapely.points([(8, 20), (-8, 60), (8, 100), (8, 140), (-8, 180), (120, 128)])

coordinates = st.floats(-200, 300, allow_nan=False)


def found(category, shape, **values):
    result = meant(category, shape, LIGHTS, STREETS, **values)
    return result.how, result.lights.tolist()


def test_a_report_of_one_light_means_the_nearest_within_reach():
    result = meant("light_out", Point(20, 95), LIGHTS, STREETS)
    assert (result.how, result.lights.tolist()) == (Match.NEAREST, [2])
    assert result.distances_m == pytest.approx([13])


def test_no_light_within_reach_is_none():
    far = Point(8 + REACH_M + 0.1, 20)
    assert found("light_out", far) == (Match.PLACE, [])
    assert found("light_out", Point(8 + REACH_M, 20)) == (Match.NEAREST, [0])


def test_the_pole_that_was_picked_counts_however_near_another_is():
    assert found("light_flickers", Point(8, 21), picked=2) == (Match.PICKED, [2])


def test_a_dark_block_means_the_lights_from_corner_to_corner_on_both_sides():
    assert found(BLOCK, Point(12, 70)) == (Match.BLOCK, [0, 1, 2, 3])


def test_a_drawn_stretch_means_the_lights_along_it():
    stretch = LineString([(0, 90), (0, 190)])
    assert found("light_out", stretch) == (Match.STRETCH, [2, 3, 4])


def test_a_lot_means_the_lights_on_it_and_beside_it():
    lot = Polygon([(100, 100), (160, 100), (160, 150), (100, 150)])
    assert found("light_out", lot) == (Match.STRETCH, [5])


def test_where_a_light_is_needed_none_is_meant():
    assert found(NEEDED, Point(8, 20)) == (Match.PLACE, [])
    assert found(NEEDED, LineString([(0, 90), (0, 190)])) == (Match.PLACE, [])


def test_trees_block_the_light_that_was_picked_and_else_none():
    assert found("light_blocked", Point(8, 20)) == (Match.PLACE, [])
    assert found("light_blocked", Point(8, 20), picked=0) == (Match.PICKED, [0])


def test_a_block_reaches_from_corner_to_corner():
    assert list(block_at(Point(10, 70), STREETS).coords) == [(0, 0), (0, 120)]
    assert list(block_at(Point(0, 120), STREETS).coords) == [(0, 120), (0, 240)]


def test_a_block_without_a_corner_is_cut():
    assert list(block_at(Point(5, 700), STREETS).coords) == [(0, 700 - BLOCK_M), (0, 700 + BLOCK_M)]


def test_there_is_no_block_far_from_every_street():
    assert block_at(Point(500, 700), STREETS) is None
    assert block_at(Point(0, 0), []) is None
    assert found(BLOCK, Point(500, 700)) == (Match.PLACE, [])


def test_every_category_of_lighting_has_its_rule():
    codes = {category.code for category in CATEGORIES if category.kind is Kind.LIGHTING}
    assert POLE | {BLOCK, NEEDED, "light_blocked"} == codes


@given(coordinates, coordinates)
def test_the_light_meant_is_the_nearest_and_moves_with_the_map(x, y):
    result = meant("light_out", Point(x, y), LIGHTS, STREETS)
    away = shapely.distance(LIGHTS, Point(x, y))
    if result.how is Match.NEAREST:
        assert result.distances_m[0] == away.min() <= REACH_M
    else:
        assert away.min() > REACH_M
    shifted = meant("light_out", Point(x + 512, y - 512), _shifted(LIGHTS), [])
    assert shifted.lights.tolist() == result.lights.tolist()


@given(coordinates, coordinates, coordinates, coordinates)
def test_a_longer_stretch_means_no_fewer_lights(x, y, to_x, to_y):
    if (x, y) == (to_x, to_y):
        return
    half = LineString([(x, y), ((x + to_x) / 2, (y + to_y) / 2)])
    whole = LineString([(x, y), ((x + to_x) / 2, (y + to_y) / 2), (to_x, to_y)])
    if half.length == 0:
        return
    shorter = meant("light_out", half, LIGHTS, STREETS).lights
    longer = meant("light_out", whole, LIGHTS, STREETS)
    assert set(shorter.tolist()) <= set(longer.lights.tolist())
    assert (np.diff(longer.distances_m) >= 0).all()
    assert (longer.distances_m <= STRETCH_REACH_M).all()


def _shifted(points):
    return shapely.transform(points, lambda at: at + np.array([512, -512]))
