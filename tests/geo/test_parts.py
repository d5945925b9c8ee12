import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.incidents import incidents
from geo.parts import REPORT, Box, Part, Sameness, cut, grouped, joined

SAME = Sameness({"1": 40.0, "2": 120.0}, 7.0)
SIDE_M, DAYS = 3_000, 200
SPAN = Box((0.0, 0.0, 0.0), (SIDE_M, SIDE_M, DAYS))

some = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def made(seed, count=400):
    """Reports on lattices of place and time, so that many are the same or just close enough."""
    rng = np.random.default_rng(seed)
    reports = np.zeros(count, REPORT)
    step = rng.choice([20, 40, 120])
    spread = rng.choice([200, SIDE_M])
    reports["x"] = rng.integers(0, spread // step, count) * step
    reports["y"] = rng.integers(0, spread // step, count) * step
    reports["at_s"] = rng.integers(0, DAYS * 4, count) * 86_400 / 4
    reports["code"] = rng.integers(1, 3, count)
    reports["lon"], reports["lat"] = reports["x"] / 1e5, reports["y"] / 1e5
    reports["row"] = rng.permutation(count)
    return reports


def cut_by_chance(rng, box, low, high, depth):
    """Boxes cut anywhere, across edges of the lattice as well."""
    if depth == 0 or rng.random() < 0.1:
        return Part(box)
    axis = rng.integers(3)
    middle = rng.uniform(low[axis], high[axis])
    if rng.random() < 0.5:
        middle = np.clip(np.round(middle / 20) * 20, low[axis], high[axis])
    at = np.arange(3) == axis
    lower = Box(box.low, tuple(np.where(at, middle, box.high)))
    upper = Box(tuple(np.where(at, middle, box.low)), box.high)
    return Part(
        box,
        (
            cut_by_chance(rng, lower, low, np.where(at, middle, high), depth - 1),
            cut_by_chance(rng, upper, np.where(at, middle, low), high, depth - 1),
        ),
    )


def worked_on(part, reports):
    """Give the incidents of a part, and what is open."""
    if part.halves is None:
        near = reports[part.box.grown(SAME.reach).holds(reports)]
        found = grouped(near, part.box, SAME)
        return [(found.first, found.reports)], found.open
    (one, open_one), (other, open_other) = (worked_on(half, reports) for half in part.halves)
    found = joined(open_one, open_other, part.box, SAME)
    return [*one, *other, (found.first, found.reports)], found.open


def in_one_order(first, reports):
    order = np.lexsort([first[name] for name in ("code", "y", "x", "at_s")])
    columns = [first[name][order] for name in ("x", "y", "at_s", "lon", "lat", "code")]
    return np.column_stack([*columns, reports[order]])


def of_the_whole(reports):
    points = np.column_stack([reports["x"], reports["y"]])
    found = incidents(
        points,
        reports["at_s"] / 86_400,
        reports["code"],
        radius_m=SAME.radius_m,
        window_days=SAME.window_days,
    )
    return in_one_order(reports[found.first], found.reports)


@some
@given(seeds, st.integers(0, 6))
def test_parts_cut_anywhere_give_the_incidents_of_the_whole(seed, depth):
    rng = np.random.default_rng(seed)
    reports = made(seed)
    low, high = np.array(SPAN.low), np.array(SPAN.high)
    found, left = worked_on(cut_by_chance(rng, Box(), low, high, depth), reports)
    assert len(left.first) == len(left.ends) == 0
    firsts, counts = zip(*found, strict=True)
    parts = in_one_order(np.concatenate(firsts), np.concatenate(counts))
    assert np.array_equal(parts, of_the_whole(reports))


def test_a_chain_through_all_parts_is_one_incident():
    reports = np.zeros(75, REPORT)
    reports["x"], reports["code"], reports["row"] = np.arange(75) * 40.0, 1, np.arange(75)
    reports["at_s"] = (np.arange(75)[::-1] + 10) * 86_400
    extents = [np.array([one]) for one in (SPAN.low, SPAN.high)]
    part = cut(*extents, np.array([75]), span=SPAN, reach=SAME.reach, most=4)
    assert len(list(part.leaves())) >= 8
    found, _ = worked_on(part, reports)
    firsts, counts = zip(*found, strict=True)
    assert np.concatenate(counts).tolist() == [75]
    assert np.concatenate(firsts)["x"].tolist() == [74 * 40.0]


def test_what_lies_beyond_the_span_belongs_to_some_part():
    reports = made(3)
    reports["x"] += 50_000
    extents = [np.array([one]) for one in (SPAN.low, SPAN.high)]
    part = cut(*extents, np.array([400]), span=SPAN, reach=SAME.reach, most=50)
    held = sum(leaf.box.holds(reports).astype(int) for leaf in part.leaves())
    assert (held == 1).all()


@some
@given(seeds)
def test_leaves_cover_everything_once_and_have_about_as_many_rows_as_they_may(seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, SIDE_M, (30, 3)) * (1, 1, DAYS / SIDE_M)
    high = low + rng.uniform(0, 500, (30, 3)) * rng.integers(0, 2, (30, 1))
    part = cut(low, high, np.full(30, 100), span=SPAN, reach=SAME.reach, most=500)
    reports = made(seed)
    held = sum(leaf.box.holds(reports).astype(int) for leaf in part.leaves())
    assert (held == 1).all()
    assert len(list(part.leaves())) > 1


@pytest.mark.parametrize("unknown", [np.inf, -np.inf])
def test_pieces_whose_extents_are_not_known_are_taken_to_be_anywhere(unknown):
    low, high = np.full((2, 3), -np.inf), np.full((2, 3), np.inf)
    part = cut(low, high, np.array([50, 50]), span=SPAN, reach=SAME.reach, most=30)
    assert len(list(part.leaves())) == 4
    assert part.box.meets(low, high).all()


def test_what_is_open_grows_with_the_edge_and_not_with_what_lies_inside():
    reports = made(5, 20_000)
    half = Box(high=(SIDE_M / 2, np.inf, np.inf))
    open_ = grouped(reports[half.grown(SAME.reach).holds(reports)], half, SAME).open
    deep = half.grown(SAME.reach, -1).holds(open_.ends)
    assert len(open_.ends)
    assert not deep.any()
