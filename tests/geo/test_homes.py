import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geo.homes import CELL_M, ENOUGH, UNKNOWN, Homes, cells_of, homes_at

cells = st.dictionaries(
    st.tuples(st.integers(-40, 40), st.integers(-40, 40)), st.integers(1, 30), max_size=80
)


def known(counted):
    return Homes(
        np.array(list(counted), np.int64).reshape(-1, 2), np.array([*counted.values()], np.int64)
    )


def square(region):
    return {
        (east, north)
        for level, column, row in region.squares
        for east in range(column << level, (column + 1) << level)
        for north in range(row << level, (row + 1) << level)
    }


@given(cells)
def test_every_home_is_in_one_region_which_counts_it(counted):
    homes = known(counted)
    regions = {homes.region(*cell) for cell in counted}

    assert sum(region.homes for region in regions) == sum(counted.values())
    for cell in counted:
        assert sum(cell in square(region) for region in regions) == 1
        assert cell in square(homes.region(*cell))


@given(cells)
def test_a_region_holds_enough_homes_wherever_there_are_so_many_in_its_largest_square(counted):
    homes = known(counted)
    for column, row in counted:
        around = sum(
            count
            for (x, y), count in counted.items()
            if (x >> 4, y >> 4) == (column >> 4, row >> 4)
        )
        assert homes.region(column, row).homes >= min(ENOUGH, around)


@given(cells)
def test_regions_do_not_depend_on_the_order_in_which_homes_are_counted(counted):
    one, other = known(counted), known(dict(reversed(counted.items())))
    for cell in counted:
        assert one.region(*cell).squares == other.region(*cell).squares


@given(cells)
def test_a_cell_of_a_region_is_drawn_as_often_as_it_holds_its_homes(counted):
    homes = known(counted)
    for region in {homes.region(*cell) for cell in counted}:
        drawn = dict(
            zip(map(tuple, region.cells.tolist()), np.diff(region.share, prepend=0), strict=True)
        )
        assert drawn.keys() == square(region) & counted.keys()
        for cell, share in drawn.items():
            assert np.isclose(share, counted[cell] / region.homes)
        assert region.share[-1] == 1


def test_a_dense_neighbourhood_is_cut_into_single_cells():
    homes = known({(x, y): 20 for x in range(16) for y in range(16)})
    assert {len(homes.region(x, y).squares) for x in range(16) for y in range(16)} == {1}
    assert homes.region(3, 3).squares == ((0, 3, 3),)


def test_an_empty_quarter_joins_a_part_of_its_neighbour_and_not_all_of_it():
    homes = known({(x, y): 20 for x in range(16) for y in range(16) if x >= 8 or y >= 8})
    joined = homes.region(0, 0)
    assert joined.homes == 20
    assert (3, 0, 0) in joined.squares


def test_a_cell_without_homes_is_part_of_a_region_with_enough():
    homes = known({(5, 5): ENOUGH})
    assert homes.region(0, 0) is homes.region(5, 5)


def test_far_from_all_homes_there_are_too_few():
    assert known({(5, 5): 100}).region(500, 500).homes == 0


def test_where_nothing_is_known_each_cell_is_a_region():
    assert not UNKNOWN.known
    assert UNKNOWN.region(7, -3).squares == ((0, 7, -3),)
    assert UNKNOWN.region(7, -3).cells.tolist() == [[7, -3]]


def test_cells_are_half_open():
    edge = np.array([0.0, CELL_M - 0.001, CELL_M, -0.001])
    assert cells_of(edge, edge).tolist() == [[0, 0], [0, 0], [1, 1], [-1, -1]]
    assert homes_at(edge, edge).region(0, 0).homes == 3
