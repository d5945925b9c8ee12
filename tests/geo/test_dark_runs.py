import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString

from geo.dark_runs import WIDEST_GAP_M, dark_runs

NORTON = LineString([(0, 0), (0, 600)])
CROSSINGS = [LineString([(-300, y), (300, y)]) for y in (0, 200, 400)]
STREETS = [NORTON, *CROSSINGS]
NAMES = ["Norton Ave", "E 34th St", "E 33rd St", "E 32nd St"]

# Both sides of Norton, 50 m apart along it.
ROW = shapely.points([(8 if n % 2 else -8, 25 + 50 * n) for n in range(12)])


def runs(dark, lights=ROW, streets=STREETS, names=NAMES, **options):
    mask = np.zeros(len(lights), dtype=bool)
    mask[list(dark)] = True
    return dark_runs(lights, mask, streets, names, **options)


def test_three_in_a_row_are_one_run_between_their_corners():
    (run,) = runs({5, 4, 6})
    assert run.street == "Norton Ave"
    assert run.lights == (4, 5, 6)
    assert (run.from_corner, run.to_corner) == ("E 33rd St", "E 32nd St")
    assert list(run.line.coords) == [(0, 225), (0, 325)]


def test_one_dark_light_is_no_run():
    assert runs({4}) == ()
    assert runs({4}, fewest=1)[0].lights == (4,)


def test_a_lit_light_between_them_breaks_a_run():
    assert [run.lights for run in runs({1, 2, 4, 5, 6})] == [(4, 5, 6), (1, 2)]


def test_no_corner_is_named_where_none_is():
    (run,) = runs({10, 11})
    assert (run.from_corner, run.to_corner) == ("E 32nd St", "")


def test_lights_too_far_apart_are_no_neighbours():
    pair = shapely.points([(0, 10), (0, 10 + WIDEST_GAP_M + 1)])
    assert runs({0, 1}, pair) == ()
    near = shapely.points([(0, 10), (0, 10 + WIDEST_GAP_M)])
    assert len(runs({0, 1}, near)) == 1


def test_lights_of_another_street_are_in_no_row_with_these():
    """The light round the corner stands nearer to the crossing street."""
    lights = shapely.points([(8, 150), (60, 208), (110, 208)])
    (run,) = runs({0, 1, 2}, lights)
    assert (run.street, run.lights) == ("E 33rd St", (1, 2))


def test_a_light_on_no_street_is_in_no_run():
    assert runs({0, 1}, shapely.points([(100, 90), (100, 110)])) == ()


def test_two_lights_opposite_each_other_are_a_run_with_a_line_to_draw():
    (run,) = runs({0, 1}, shapely.points([(-8, 100), (8, 100)]))
    assert run.line.length == pytest.approx(1)


def test_streets_cut_at_their_corners_give_the_same_runs():
    pieces = [LineString([(0, y), (0, y + 200)]) for y in (400, 0, 200)]
    (cut,) = runs({3, 4, 5}, streets=[*CROSSINGS, *pieces], names=[*NAMES[1:], *["Norton Ave"] * 3])
    (whole,) = runs({3, 4, 5})
    assert (cut.street, cut.lights) == (whole.street, whole.lights)
    assert (cut.from_corner, cut.to_corner) == (whole.from_corner, whole.to_corner)
    assert shapely.equals(cut.line, whole.line)


def test_nothing_dark_and_no_street_known_are_no_runs():
    assert runs(set()) == ()
    assert runs({1, 2}, streets=[], names=[]) == ()


@given(st.sets(st.integers(0, 11)), st.permutations(range(12)))
def test_runs_hold_each_dark_light_once_and_do_not_depend_on_the_order(dark, order):
    found = runs(dark)
    held = [light for run in found for light in run.lights]
    assert len(held) == len(set(held))
    assert set(held) <= dark
    assert dark - set(held) == {n for n in dark if not {n - 1, n + 1} & dark}
    shuffled = runs({order.index(n) for n in dark}, ROW[list(order)])
    assert [tuple(order[n] for n in run.lights) for run in shuffled] == [
        run.lights for run in found
    ]
