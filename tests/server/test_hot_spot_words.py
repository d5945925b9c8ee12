import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.hot_spot_words import Odds, odds


@pytest.mark.parametrize(
    ("p", "told"),
    [
        (1.0, Odds(100, 100)),
        (0.3, Odds(30, 100)),
        (0.05, Odds(5, 100)),
        (0.01, Odds(1, 100)),
        (0.0012, Odds(1, 830)),
        (7.14e-6, Odds(1, 140_000)),
        (1e-30, Odds(1, 1_000_000_000, less=True)),
        (0.0, Odds(1, 1_000_000_000, less=True)),
    ],
)
def test_a_probability_is_told_as_so_many_of_so_many(p, told):
    assert odds(p) == told


def test_what_is_not_measured_has_no_odds():
    assert odds(math.nan) is None


@given(st.floats(1e-9, 1))
def test_odds_are_never_far_from_the_probability(p):
    told = odds(p)
    assert told.times / told.of == pytest.approx(p, rel=0.35)
    assert told.times >= 1
