import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.controls import NOWHERE, alike, area_of, copies, counts, moved

CITY = shapely.box(0, 0, 5_000, 4_000)
PLACE = shapely.box(2_000, 2_000, 2_300, 2_200)
RING_M = 100.0


def test_copies_lie_within_the_city_and_out_of_reach_of_the_action():
    found = copies(PLACE, RING_M, CITY)
    assert len(found.places) > 50
    assert np.allclose(shapely.area(found.places), PLACE.area)
    assert shapely.covers(CITY, found.places).all()
    assert not shapely.intersects(PLACE.buffer(RING_M), found.outlines).any()
    far = np.hypot(*found.shifts_m.T)
    assert (np.diff(far) > -1e-3).all()


def test_no_copy_lies_where_something_else_is_done():
    avoid = shapely.box(0, 0, 5_000, 1_500)
    found = copies(PLACE, RING_M, CITY, avoid)
    assert len(found.places)
    assert not shapely.intersects(avoid, found.outlines).any()


def test_a_city_that_is_too_small_has_no_copies():
    found = copies(PLACE, RING_M, PLACE.buffer(50))
    assert len(found.places) == 0
    none = alike(np.array([3, 4]), np.empty((0, 2), np.int64), found.outlines, most=3)
    assert len(none.numbers) == 0


def test_places_of_several_parts_and_with_holes_are_moved_as_a_whole():
    holed = PLACE.difference(shapely.box(2_100, 2_050, 2_150, 2_100))
    both = shapely.union_all([holed, shapely.box(2_500, 2_000, 2_600, 2_100)])
    (one, other) = moved(both, np.array([[10.0, 20.0], [-5.0, 0.0]]))
    assert one.equals(shapely.transform(both, lambda at: at + np.array([10.0, 20.0])))
    assert other.equals(shapely.transform(both, lambda at: at - np.array([5.0, 0.0])))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 6))
def test_nothing_is_lost_between_places_that_cover_the_city(seed, steps):
    rng = np.random.default_rng(seed)
    halves = np.array([shapely.box(0, 0, 2_500.5, 4_000), shapely.box(2_500.6, 0, 5_000, 4_000)])
    xy = rng.integers(0, 4_000, (200, 2)).astype(float)
    when = rng.integers(-2, steps + 2, 200)
    found = counts(halves, xy, when, steps)
    assert found.sum() == ((when >= 0) & (when < steps)).sum()
    assert found.shape == (2, steps)
    order = rng.permutation(200)
    assert np.array_equal(found, counts(halves, xy[order], when[order], steps))


def test_the_most_alike_are_chosen_and_none_that_meet():
    rng = np.random.default_rng(3)
    found = copies(PLACE, RING_M, CITY)
    xy = rng.uniform((0, 0), (5_000, 4_000), (6_000, 2))
    when = rng.integers(0, 6, 6_000)
    before = counts(found.places, xy, when, 6)
    chosen = alike(before[7], before, found.outlines, most=5)
    assert (np.diff(chosen.distance) >= 0).all()
    assert chosen.distance[0] == 0
    outlines = found.outlines[chosen.numbers]
    apart = shapely.area(shapely.union_all(outlines))
    assert np.isclose(apart, shapely.area(outlines).sum())
    assert chosen.busier == (before.sum(axis=1) > before[7].sum()).sum()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_point_lies_in_one_area_at_the_most(seed):
    rng = np.random.default_rng(seed)
    ring = PLACE.buffer(RING_M).difference(PLACE)
    far = shapely.box(0, 0, 300, 200)
    xy = rng.integers(0, 60, (300, 2)) * 50.0  # many on edges
    found = area_of([PLACE, ring, far, shapely.Polygon()], xy)
    points = shapely.points(xy)
    assert np.array_equal(found == 0, shapely.intersects(PLACE, points))
    assert np.array_equal(
        found >= 0, shapely.intersects(shapely.union_all([PLACE, ring, far]), points)
    )
    assert found.max(initial=NOWHERE) < 3
