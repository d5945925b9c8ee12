import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, MultiLineString

from geo.numbering import Cluster, crossings, reaching, run, stretches

ALONG = [Cluster(number, 0.0, -2.0 * number) for number in (3025, 3075, 3125, 3175)]
"""A street that runs south, two metres a number."""


def place(pieces, number):
    piece = next(piece for piece in pieces if piece.low <= number <= piece.high)
    return piece.line.interpolate((number - piece.low) / (piece.high - piece.low), normalized=True)


def test_numbers_between_two_clusters_lie_between_them():
    assert place(stretches(ALONG), 3100).y == pytest.approx(-6200)


def test_the_outer_stretches_reach_to_the_ends_of_their_blocks():
    pieces = stretches(ALONG)
    assert (pieces[0].low, pieces[-1].high) == (3000, 3200)
    assert place(pieces, 3000).y == pytest.approx(-6000)


def test_a_wrong_geocode_is_passed_over():
    stray = Cluster(3100, 9_000.0, 40_000.0)
    assert stretches([*ALONG, stray]) == stretches(ALONG)


def test_a_street_that_is_broken_has_no_stretch_across_the_gap():
    beyond = [Cluster(number, 0.0, -2.0 * number) for number in (9025, 9075)]
    pieces = stretches(ALONG + beyond)
    assert not any(piece.low < 6000 < piece.high for piece in pieces)
    assert len(run(pieces).geoms) == 2


def test_one_cluster_tells_nothing():
    assert stretches(ALONG[:1]) == []
    assert run([]) is None


@given(
    st.lists(
        st.builds(
            Cluster,
            st.floats(1, 20_000),
            st.floats(-20_000, 20_000),
            st.floats(-20_000, 20_000),
        ),
        max_size=12,
    )
)
def test_stretches_rise_whatever_the_clusters(clusters):
    for piece in stretches(clusters):
        assert piece.low < piece.high
        assert piece.line.is_valid
        assert piece.line.length > 0


@given(st.permutations(ALONG))
def test_the_order_of_the_clusters_does_not_matter(clusters):
    assert stretches(clusters) == stretches(ALONG)


def line(*coordinates) -> MultiLineString:
    return MultiLineString([LineString(coordinates)])


def test_streets_that_cross_meet_once():
    met = crossings({2: line((0, -500), (0, 500)), 1: line((-500, 0), (500, 0))})
    assert [(c.first, c.second, c.point.coords[0]) for c in met] == [(1, 2, (0, 0))]


def test_a_street_that_stops_short_is_carried_on():
    avenue, street = line((0, -500), (0, 500)), line((-500, 0), (-30, 0))
    assert crossings({1: avenue, 2: street}) == []
    assert len(crossings({1: avenue, 2: reaching(street, 60)})) == 1


def test_parallel_streets_do_not_meet():
    assert crossings({1: reaching(line((0, 0), (900, 0)), 60), 2: line((0, 80), (900, 80))}) == []


def test_a_divided_road_meets_a_street_once_but_a_loop_meets_it_twice():
    divided = MultiLineString([[(-500, 0), (500, 0)], [(-500, 20), (500, 20)]])
    street = line((0, -500), (0, 500))
    assert len(crossings({1: divided, 2: street})) == 1
    loop = line((-100, 0), (100, 0), (100, 400), (-100, 400))
    assert len(crossings({1: loop, 2: street})) == 2


def test_streets_along_one_another_meet_in_the_middle_of_what_they_share():
    met = crossings({1: line((0, 0), (100, 0)), 2: line((50, 0), (200, 0))})
    assert shapely.equals(met[0].point, shapely.Point(75, 0))
