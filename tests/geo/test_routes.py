"""Routes of few stops against all orders there are, days that end in time, and what is left out."""

from itertools import pairwise, permutations

import numpy as np
import pytest

from geo.routes import SPEED_KMH, Route, Shift, driving_s, routed, timed_route


def apart(*places):
    xy = np.array(places, dtype=float)
    return np.hypot(*(xy[:, None] - xy[None, :]).T).T


def shortest(distances):
    """Give the shortest round from 0 by all others, of all orders there are."""
    return min(
        sum(distances[a, b] for a, b in pairwise((0, *order, 0)))
        for order in permutations(range(1, len(distances)))
    )


def test_a_round_of_seven_stops_is_the_shortest_there_is():
    rng = np.random.default_rng(3)
    distances = apart((0, 0), *rng.uniform(-5_000, 5_000, (7, 2)))
    found = routed(distances, 1, [600] * 7, [Shift(0, 480, 1)])
    assert len(found.routes) == 1
    assert sorted(found.routes[0].stops) == list(range(7))
    assert found.metres == pytest.approx(shortest(distances), abs=10)


def test_each_crew_goes_to_what_is_near_its_depot_where_a_day_is_too_short_for_one():
    # Two depots 40 km apart, three stops of two hours around each.
    near = [(0, 0), (40_000, 0)]
    stops = [(500, 0), (0, 500), (-500, 0), (40_500, 0), (40_000, 500), (39_500, 0)]
    found = routed(apart(*near, *stops), 2, [7_200] * 6, [Shift(0, 480, 1), Shift(1, 480, 1)])
    assert {(route.shift, frozenset(route.stops)) for route in found.routes} == {
        (0, frozenset({0, 1, 2})),
        (1, frozenset({3, 4, 5})),
    }


def test_no_day_is_longer_than_it_may_be_and_what_does_not_fit_is_said():
    distances = apart((0, 0), *[(100 * i, 0) for i in range(1, 11)])
    found = routed(distances, 1, [3_600] * 10, [Shift(0, 240, 2)])
    for route in found.routes:
        assert timed_route(route.stops, 0, distances, 1, [3_600] * 10).back_s <= 240 * 60
    assert sum(len(route.stops) for route in found.routes) == 6
    assert len(found.left) == 4


def test_what_counts_least_is_left_out():
    distances = apart((0, 0), (0, 1_000), (1_000, 0), (0, -1_000))
    found = routed(distances, 1, [3_600] * 3, [Shift(0, 150, 1)], importance=[5, 1, 9])
    assert found.left == (1,)


def test_the_same_question_has_the_same_routes():
    rng = np.random.default_rng(8)
    distances = apart((0, 0), *rng.uniform(-5_000, 5_000, (25, 2)))
    again = [routed(distances, 1, [900] * 25, [Shift(0, 300, 3)]) for _ in range(2)]
    assert again[0] == again[1]


def test_without_stops_or_without_days_there_are_no_routes():
    assert routed(np.zeros((1, 1)), 1, [], [Shift(0, 480, 1)]).routes == ()
    assert routed(apart((0, 0), (1, 1)), 1, [60], [Shift(0, 480, 0)]).left == (0,)


def test_a_route_says_when_it_comes_where():
    distances = apart((0, 0), (3_000, 0), (3_000, 4_000))
    timed = timed_route([0, 1], 0, distances, 1, [600, 1_200])
    assert timed.metres == 12_000
    assert timed.arrivals_s == (driving_s(3_000), driving_s(3_000) + 600 + driving_s(4_000))
    assert timed.back_s == driving_s(3_000) + driving_s(4_000) + driving_s(5_000) + 1_800
    assert driving_s(SPEED_KMH * 1_000) == 3_600


def test_a_shift_that_has_no_day_keeps_its_number():
    found = routed(apart((0, 0), (1_000, 0)), 1, [60], [Shift(0, 480, 0), Shift(0, 480, 1)])
    assert found.routes == (Route(1, (0,)),)
