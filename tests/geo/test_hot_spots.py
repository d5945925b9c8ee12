import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.exposure import Households, Streets
from geo.grids import NOWHERE, Grid, Shape
from geo.hot_spots import Ground, Settings, Verdict, analyse, survey

CORNER = np.array([360_000.0, 4_320_000.0])
CITY = shapely.box(*CORNER, *(CORNER + 6_000))
GROUND = Ground(CITY)
FAST = Settings(width_m=200.0)

few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def even(rng, count):
    return CORNER + rng.uniform(0, 6_000, (count, 2))


def at(east, north):
    return CORNER + np.array([east, north])


def spot(rng, east, north, count=40, spread_m=150):
    return at(east, north) + rng.normal(0, spread_m, (count, 2))


def found(points, ground=GROUND, how=FAST):
    return analyse(*points.T, ground, how)


@pytest.mark.parametrize("shape", Shape)
def test_planted_hot_spots_are_found_where_they_are_and_firm(shape):
    rng = np.random.default_rng(1)
    points = np.concatenate([even(rng, 400), spot(rng, 1_500, 2_000, 60), spot(rng, 4_500, 4_400)])
    spots = found(points, how=replace(FAST, shape=shape))

    east, north = spots.cells.grid.centres(spots.cells.q, spots.cells.r)
    firm = np.column_stack([east, north])[spots.verdict == Verdict.FIRM] - CORNER
    near = [np.hypot(*(firm - place).T) for place in ((1_500, 2_000), (4_500, 4_400))]
    assert (np.minimum(*near) < 700).all()
    assert all(apart.min() < 300 for apart in near)
    assert spots.spot.max() == 1
    assert spots.counts[spots.spot == 0].sum() > spots.counts[spots.spot == 1].sum()
    assert not spots.too_few


def test_a_spot_narrower_than_a_cell_is_dense_and_not_hot():
    rng = np.random.default_rng(11)
    grid = Grid(Shape.HEXAGON, 200.0)
    middle = np.concatenate(grid.centres(*grid.cells_of(*at(3_000, 3_000)[:, None])))
    corner = middle + rng.normal(0, 5, (40, 2))
    spots = found(np.concatenate([even(rng, 400), corner]))
    assert not spots.hot.any()
    assert spots.verdict[spots.counts.argmax()] == Verdict.DENSE


def test_an_even_map_has_places_that_are_dense_and_none_that_is_hot():
    spots = found(even(np.random.default_rng(2), 500))
    assert not spots.hot.any()
    assert (spots.spot == NOWHERE).all()
    assert (spots.verdict == Verdict.DENSE).any()


def test_maps_without_hot_spots_show_one_no_more_often_than_promised():
    rng = np.random.default_rng(3)
    how = replace(FAST, other_widths=(), shifts=())
    laid = survey(GROUND, how)
    alarms = [laid.judge(laid.counts(*even(rng, 300).T)).hot.any() for _ in range(100)]
    assert sum(alarms) <= 9


def test_a_spot_that_another_grid_does_not_show_is_hot_and_not_firm():
    rng = np.random.default_rng(1)
    points = np.concatenate([even(rng, 400), spot(rng, 1_500, 2_000)])
    laid = survey(GROUND, FAST)
    counts = list(laid.counts(*points.T))
    assert (laid.judge(counts).verdict == Verdict.FIRM).any()

    counts[2] = np.roll(counts[2], len(counts[2]) // 2)
    elsewhere = laid.judge(counts)
    assert elsewhere.hot.any()
    assert not (elsewhere.verdict == Verdict.FIRM).any()
    assert (elsewhere.holds[1][elsewhere.hot] < FAST.overlap).all()


def test_a_hot_cell_says_how_far_each_other_grid_bears_it_out():
    rng = np.random.default_rng(1)
    spots = found(np.concatenate([even(rng, 400), spot(rng, 1_500, 2_000, 60)]))
    assert spots.holds.shape == (2, len(spots.cells))
    assert np.isnan(spots.holds[:, ~spots.hot]).all()
    firm = spots.verdict == Verdict.FIRM
    assert firm.any()
    assert np.array_equal(firm, (spots.holds >= FAST.overlap).all(axis=0))
    assert spots.holds[:, spots.hot].max() <= 1 + 1e-9


@few
@given(seeds)
def test_the_order_of_reports_and_the_parts_they_come_in_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    points = np.concatenate([even(rng, 200), spot(rng, 3_000, 3_000)])
    whole = found(points)

    mixed = rng.permutation(points)
    laid = survey(GROUND, FAST)
    parts = [laid.counts(*part.T) for part in np.array_split(mixed, 4)]
    summed = laid.judge([sum(grid) for grid in zip(*parts, strict=True)])
    for name in ("counts", "lag", "p", "q", "verdict", "spot"):
        assert np.array_equal(getattr(whole, name), getattr(summed, name)), name


@few
@given(seeds)
def test_counts_are_conserved(seed):
    rng = np.random.default_rng(seed)
    points = np.concatenate([even(rng, 150), CORNER + rng.uniform(-900, 0, (20, 2))])
    spots = found(points)
    inside = shapely.contains_xy(CITY, *points.T).sum()
    assert inside <= spots.counts.sum() == spots.reports <= len(points)


def test_reports_beyond_the_border_of_a_division_belong_to_its_neighbourhoods():
    rng = np.random.default_rng(4)
    division = shapely.box(*CORNER, *at(3_000, 6_000))
    points = np.concatenate([even(rng, 300), spot(rng, 3_150, 3_000)])

    guarded, alone = found(points, Ground(division, served=CITY)), found(points, Ground(division))
    assert (guarded.lag >= alone.lag).all()
    assert guarded.lag.sum() > alone.lag.sum()
    assert guarded.reports > alone.reports
    assert np.array_equal(guarded.counts, alone.counts)


def test_empty_ground_outside_the_city_makes_no_hot_spots():
    rng = np.random.default_rng(5)
    points = even(rng, 900)
    around = Ground(CITY.buffer(6_000))
    assert found(points, around).hot.any()
    assert not found(points, Ground(CITY, served=CITY)).hot.any()


def test_more_street_is_no_hot_spot_when_reports_are_measured_against_it():
    rng = np.random.default_rng(6)
    row = np.arange(0, 6_001, 600.0)
    dense = 2_000 + np.arange(0, 1_001, 50.0)
    lines = [shapely.LineString([(0, y), (6_000, y)]) for y in row]
    lines += [shapely.LineString([(2_000, y), (3_000, y)]) for y in dense]
    lines = [shapely.transform(line, lambda xy: xy + CORNER) for line in lines]
    length = shapely.length(lines)
    along = rng.choice(len(lines), 900, p=length / length.sum())
    places = shapely.line_interpolate_point(
        np.array(lines)[along], rng.uniform(0, 1, 900), normalized=True
    )
    points = np.column_stack([shapely.get_x(places), shapely.get_y(places)])

    assert found(points).hot.any()
    measured = found(points, Ground(CITY, exposure=Streets(lines)))
    assert not measured.hot.any()
    assert np.nanmax(measured.expected) > 5 * np.nanmedian(measured.expected)


def test_where_nothing_can_be_reported_nothing_is_said():
    rng = np.random.default_rng(7)
    blocks = [shapely.box(*CORNER, *at(3_000, 6_000))]
    spots = found(even(rng, 300), Ground(CITY, exposure=Households(blocks, [1_000])))

    east, _ = spots.cells.grid.centres(spots.cells.q, spots.cells.r)
    empty = east > CORNER[0] + 3_200
    assert (spots.verdict[empty] == Verdict.NOT_MEASURED).all()
    assert np.isnan(spots.p[empty]).all()
    assert np.isnan(spots.expected[empty]).all()
    assert 100 < spots.left_out < 200
    assert spots.reports + spots.left_out == 300


def test_too_few_reports_to_find_anything_are_told_from_nothing_found():
    rng = np.random.default_rng(8)
    assert found(even(rng, 1)).too_few
    assert not found(even(rng, 500)).too_few
    nobody = found(np.empty((0, 2)))
    assert nobody.too_few
    assert (nobody.verdict == Verdict.ORDINARY).all()


def test_reports_against_homes_nobody_lives_in_say_nothing():
    nothing = Ground(CITY, exposure=Households([CITY], [0]))
    spots = found(even(np.random.default_rng(9), 50), nothing)
    assert (spots.verdict == Verdict.NOT_MEASURED).all()
    assert not spots.too_few


def test_the_result_carries_how_it_was_made():
    spots = found(even(np.random.default_rng(10), 50))
    assert spots.settings == FAST
    assert spots.version == 1


def test_a_server_that_imports_the_analysis_holds_no_scipy():
    listed = "import geo.hot_spots, geo.emerging, geo.near_repeat, geo.density, geo.incidents, sys"
    done = subprocess.run(
        [sys.executable, "-c", f"{listed}; sys.exit('scipy' in sys.modules)"], check=False
    )
    assert done.returncode == 0
