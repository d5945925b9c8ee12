import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.tiles import COUNTED_LEVELS, DEEPEST, Tile, box, corner, level

TILES = st.integers(0, DEEPEST).flatmap(
    lambda z: st.builds(
        Tile, st.just(z), st.integers(0, (1 << z) - 1), st.integers(0, (1 << z) - 1)
    )
)


@pytest.mark.parametrize(
    ("z", "x", "y"), [(-1, 0, 0), (DEEPEST + 1, 0, 0), (0, 1, 0), (3, 0, 8), (3, -1, 0), (3, 0, -1)]
)
def test_there_is_no_tile_outside_the_world(z, x, y):
    with pytest.raises(ValueError, match="zoom"):
        Tile(z, x, y)


def test_the_world_is_the_one_tile_of_zoom_0():
    assert box(Tile(0, 0, 0), margin=0) == pytest.approx((-180, -85.0511, 180, 85.0511), abs=1e-4)


def test_a_corner_beyond_the_grid_is_the_corner_of_the_grid():
    assert corner(3, -5, 99) == corner(3, 0, 8)


@given(TILES)
def test_the_four_tiles_below_fill_a_tile(tile):
    if tile.z == DEEPEST:
        return
    below = [
        box(Tile(tile.z + 1, 2 * tile.x + a, 2 * tile.y + b), margin=0)
        for a in (0, 1)
        for b in (0, 1)
    ]
    west, south, east, north = zip(*below, strict=True)
    assert (min(west), min(south), max(east), max(north)) == pytest.approx(box(tile, margin=0))
    assert max(west) == pytest.approx(min(east))
    assert max(south) == pytest.approx(min(north))


@given(TILES)
def test_a_margin_reaches_into_the_tiles_around_but_not_out_of_the_world(tile):
    west, south, east, north = box(tile, margin=0)
    wider = box(tile)
    assert -180 <= wider[0] <= west < east <= wider[2] <= 180
    assert -86 < wider[1] <= south < north <= wider[3] < 86
    if 0 < tile.x < (1 << tile.z) - 1:
        assert wider[0] < west
        assert wider[2] > east


def test_cells_are_four_zooms_deeper_as_far_as_they_are_kept():
    assert [level(z) for z in (0, 9, 10, 11, 13)] == [14, 14, 14, 15, 17]
    assert {level(z) for z in range(DEEPEST)} <= set(
        range(COUNTED_LEVELS[0], COUNTED_LEVELS[1] + 1)
    )
