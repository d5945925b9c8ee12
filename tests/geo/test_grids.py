import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from geo.crs import CITY
from geo.grids import NOWHERE, Cells, Grid, Shape, cells_meeting, edges

EAST, NORTH = 360_000.0, 4_320_000.0
CORNER = np.array([EAST, NORTH])
shapes = st.sampled_from(Shape)
widths = st.sampled_from([100.0, 333.0])
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=20, deadline=None)


def scattered(seed, count=300, across=4_000.0):
    rng = np.random.default_rng(seed)
    return EAST + rng.uniform(0, across, count), NORTH + rng.uniform(0, across, count)


def lake(seed):
    """A city with a hole, a second part, and a border that fits no grid."""
    rng = np.random.default_rng(seed)
    around = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    reach = rng.uniform(600, 1500, 40)
    shore = np.column_stack([np.cos(around) * reach, np.sin(around) * reach]) + CORNER
    hole = shapely.Point(EAST, NORTH).buffer(300)
    island = shapely.box(EAST + 2_000, NORTH, EAST + 2_030, NORTH + 900)
    return shapely.MultiPolygon([shapely.Polygon(shore).difference(hole), island])


@given(shapes, widths, seeds)
def test_every_point_lies_in_the_cell_whose_middle_is_nearest(shape, width, seed):
    x, y = scattered(seed)
    grid = Grid(shape, width, (17.0, -4.0))
    q, r = grid.cells_of(x, y)

    def apart(q, r):
        east, north = grid.centres(q, r)
        if shape is Shape.SQUARE:
            return np.maximum(abs(x - east), abs(y - north))
        return np.hypot(x - east, y - north)

    for dq, dr in grid.steps(1):
        assert (apart(q, r) <= apart(q + dq, r + dr) + 1e-6).all()


@given(shapes, widths, seeds)
def test_a_point_lies_in_the_polygon_of_its_cell(shape, width, seed):
    x, y = scattered(seed, 50)
    grid = Grid(shape, width)
    cells = grid.polygons(*grid.cells_of(x, y))

    assert (shapely.distance(cells, shapely.points(x, y)) < 1e-6).all()
    assert shapely.area(cells) == pytest.approx(grid.cell_km2 * 1e6)
    assert shapely.is_ccw(shapely.get_exterior_ring(cells)).all()


def test_a_point_on_an_edge_or_corner_of_squares_belongs_to_the_one_beyond():
    x, y = np.array([100.0, 199.999, 200.0]), np.array([100.0, 100.0, 300.0])
    q, r = Grid(Shape.SQUARE, 100.0).cells_of(x, y)
    assert list(zip(q.tolist(), r.tolist(), strict=True)) == [(1, 1), (1, 1), (2, 3)]


@given(shapes, st.integers(-50, 50), st.integers(-50, 50), seeds)
def test_cells_move_with_their_origin(shape, east, north, seed):
    x, y = scattered(seed)
    shift = (east * 8.0, north * 8.0)
    here = Grid(shape, 128.0).cells_of(np.round(x), np.round(y))
    there = Grid(shape, 128.0, shift).cells_of(np.round(x) + shift[0], np.round(y) + shift[1])
    assert np.array_equal(here, there)


@few
@given(shapes, seeds)
def test_counts_of_parts_add_up_to_the_count_of_all_in_any_order(shape, seed):
    x, y = scattered(seed)
    area = shapely.box(EAST + 50, NORTH + 70, EAST + 3_000, NORTH + 3_500)
    cells = cells_meeting(Grid(shape, 200.0), area)
    order = np.random.default_rng(seed).permutation(len(x))
    counts = cells.counts(x, y)

    assert np.array_equal(counts, cells.counts(x[order], y[order]))
    assert np.array_equal(counts, cells.counts(x[:100], y[:100]) + cells.counts(x[100:], y[100:]))
    found = cells.find(x, y)
    assert counts.sum() == (found != NOWHERE).sum()
    assert not shapely.contains_xy(area, x, y)[found == NOWHERE].any()


@few
@given(shapes, widths, seeds)
def test_the_cells_of_an_area_are_those_that_share_some_of_its_ground(shape, width, seed):
    area = lake(seed)
    grid = Grid(shape, width)
    cells = cells_meeting(grid, area)
    shared = shapely.area(shapely.intersection(area, cells.polygons()))

    assert (shared > 0).all()
    assert shared.sum() == pytest.approx(area.area)
    assert np.array_equal(np.lexsort((cells.q, cells.r)), np.arange(len(cells)))


def test_cells_that_only_touch_an_area_are_left_out():
    cells = cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.box(0, 0, 500, 300))
    assert (len(cells), cells.q.max(), cells.r.max()) == (15, 4, 2)
    narrow = cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.box(0, 0, 30, 200))
    assert (len(narrow), narrow.q.max(), narrow.r.max()) == (2, 0, 1)


@pytest.mark.parametrize("shape", Shape)
def test_the_guard_ring_is_one_neighbourhood_wide_and_within_the_served_area(shape):
    served = shapely.Point(EAST, NORTH).buffer(2_000)
    division = shapely.box(EAST, NORTH - 500, EAST + 1_900, NORTH + 500)
    cells = cells_meeting(Grid(shape, 150.0), division, served=served, rings=2)
    alone = cells_meeting(Grid(shape, 150.0), division)

    assert np.array_equal(cells.only(cells.asked).q, alone.q)
    guard = cells.only(~cells.asked).polygons()
    assert (shapely.area(shapely.intersection(guard, served)) > 0).all()
    complete = cells.around(np.ones(len(cells), np.int64), 2)[cells.asked]
    middle = shapely.distance(alone.polygons(), shapely.boundary(served)) > 600
    assert (complete[middle] == len(cells.grid.steps(2))).all()
    assert (complete[~middle] < len(cells.grid.steps(2))).any()


@few
@given(shapes, st.integers(1, 3), seeds)
def test_neighbourhoods_add_up_what_is_near(shape, rings, seed):
    cells = cells_meeting(Grid(shape, 333.0), lake(seed))
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 9, (2, len(cells)))
    at = {cell: n for n, cell in enumerate(zip(cells.q.tolist(), cells.r.tolist(), strict=True))}
    expected = [
        sum(
            values[:, at[q + dq, r + dr]]
            for dq, dr in cells.grid.steps(rings)
            if (q + dq, r + dr) in at
        )
        for q, r in at
    ]
    assert np.array_equal(cells.around(values, rings), np.array(expected).T)


def test_a_ring_has_eight_squares_or_six_hexagons():
    assert len(Grid(Shape.SQUARE, 1.0).steps(1)) == 9
    assert len(Grid(Shape.HEXAGON, 1.0).steps(1)) == 7
    assert len(Grid(Shape.HEXAGON, 1.0).steps(2)) == 19


@pytest.mark.parametrize("shape", Shape)
def test_cells_touch_where_their_polygons_do(shape):
    cells = cells_meeting(Grid(shape, 333.0), lake(3))
    one, other = cells.touching()
    near = shapely.STRtree(cells.polygons()).query(
        cells.polygons(), predicate="dwithin", distance=1e-3
    )
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == {
        (a, b) for a, b in near.T.tolist() if a < b
    }


@few
@given(shapes, widths, seeds)
def test_streets_are_cut_at_the_edges_of_cells_and_keep_their_length(shape, width, seed):
    rng = np.random.default_rng(seed)
    lines = shapely.linestrings(rng.uniform(0, 900, (6, 4, 2)) + CORNER)
    cells = cells_meeting(
        Grid(shape, width), shapely.box(EAST - 9, NORTH - 9, EAST + 909, NORTH + 909)
    )
    cut = shapely.length(shapely.intersection(cells.polygons()[:, None], lines)).sum(axis=1)

    assert cells.street_m(lines) == pytest.approx(cut, abs=1e-5)
    assert cells.street_m(lines).sum() == pytest.approx(shapely.length(lines).sum())


def test_a_street_along_the_edge_of_two_cells_counts_once():
    cells = cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.box(0, 0, 300, 300))
    streets = [
        shapely.LineString([(100, 50), (100, 250)]),
        shapely.LineString([(0, 200), (300, 200)]),
    ]
    assert cells.street_m(streets) == pytest.approx([0, 50, 0, 0, 100, 0, 100, 150, 100])


def test_the_edge_that_two_blocks_share_is_one_street():
    blocks = [shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100)]
    assert edges(blocks).length == 700


@few
@given(shapes, seeds)
def test_households_are_shared_out_by_area_and_none_is_lost(shape, seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 800, (8, 2)) + CORNER
    blocks = shapely.box(*corners.T, *(corners + rng.uniform(20, 400, (8, 2))).T)
    homes = rng.integers(0, 90, 8)
    cells = cells_meeting(
        Grid(shape, 150.0), shapely.box(EAST - 9, NORTH - 9, EAST + 1_300, NORTH + 1_300)
    )
    assert cells.shared_out(blocks, homes).sum() == pytest.approx(homes.sum())


def test_a_block_in_two_cells_gives_each_its_share():
    cells = cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.box(0, 0, 200, 100))
    assert cells.shared_out([shapely.box(80, 0, 110, 100)], [30]) == pytest.approx([20, 10])


def test_cells_are_given_as_geojson_in_degrees():
    cells = cells_meeting(Grid(Shape.HEXAGON, 500.0), shapely.Point(EAST, NORTH).buffer(800))
    places = [shapely.geometry.shape(geometry) for geometry in cells.geojson()]

    assert all(place.is_valid and place.exterior.is_ccw for place in places)
    assert all(-95 < x < -94 and 38 < y < 40 for place in places for x, y in place.exterior.coords)
    assert {len(place.exterior.coords) for place in places} == {7}


@pytest.mark.parametrize("code", [4326, 2225])
def test_degrees_and_feet_are_refused(code):
    with pytest.raises(ValueError, match="metres"):
        Grid(Shape.SQUARE, 100.0, crs=CRS.from_epsg(code))


@pytest.mark.parametrize("width", [0.0, -100.0, float("nan")])
def test_a_cell_has_an_inside(width):
    with pytest.raises(ValueError, match="above 0"):
        Grid(Shape.SQUARE, width)


def test_an_area_in_degrees_is_refused():
    with pytest.raises(ValueError, match="degrees"):
        cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.box(-94.7, 38.9, -94.4, 39.3))


def test_places_in_degrees_are_refused():
    cells = cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.Point(EAST, NORTH).buffer(500))
    with pytest.raises(ValueError, match="degrees"):
        cells.counts(np.array([-94.5]), np.array([39.1]))


def test_a_place_without_coordinates_is_refused():
    cells = cells_meeting(Grid(Shape.SQUARE, 100.0), shapely.Point(EAST, NORTH).buffer(500))
    with pytest.raises(ValueError, match="without coordinates"):
        cells.counts(np.array([EAST, np.nan]), np.array([NORTH, NORTH]))


@pytest.mark.parametrize("area", [shapely.Point(0, 0), shapely.Polygon()])
def test_what_has_no_inside_is_no_area(area):
    with pytest.raises(ValueError, match="polygon with an inside"):
        cells_meeting(Grid(Shape.SQUARE, 100.0), area)


def test_no_cells_hold_no_points():
    none = np.empty(0, np.int64)
    cells = Cells(Grid(Shape.SQUARE, 100.0, crs=CITY), none, none, none.astype(bool))
    assert cells.find(np.array([EAST]), np.array([NORTH])).tolist() == [NOWHERE]
    assert cells.around(none).tolist() == []


def test_no_points_are_none_in_each_cell():
    cells = cells_meeting(Grid(Shape.HEXAGON, 300.0), shapely.Point(EAST, NORTH).buffer(500))
    assert not cells.counts(np.empty(0), np.empty(0)).any()
