"""What may be published of counts and their parts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from geo.suppression import publishable

LEAST = 5

PARTS = arrays.arrays(
    np.int64, st.tuples(st.just(3), st.integers(1, 8)), elements=st.integers(0, 15)
)


@given(PARTS)
def test_no_small_count_is_published(parts):
    assert (parts[publishable(parts, LEAST)] >= LEAST).all()


@given(PARTS)
def test_no_part_follows_from_the_sum_and_the_others(parts):
    left_out = (~publishable(parts, LEAST)).sum(axis=0)
    assert (left_out != 1).all()


@given(PARTS)
def test_no_more_is_left_out_than_that_takes(parts):
    shown = publishable(parts, LEAST)
    large = parts >= LEAST
    assert (shown.sum(axis=0) >= large.sum(axis=0) - 1).all()
    assert shown[:, large.all(axis=0)].all()
