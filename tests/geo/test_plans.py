from datetime import date

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.plans import (
    STEPS,
    Ground,
    PlaceFault,
    Refusal,
    Stage,
    around_reports,
    choices,
    leads,
    place_fault,
    public_place,
    refusal,
    sees,
    works,
)
from geo.roles import Grant, Role

TODAY = date(2026, 6, 9)
YESTERDAY, TOMORROW = date(2026, 6, 8), date(2026, 6, 10)
GROUND = Ground(1, 2, 3, frozenset({4}))


def refused(before, after, words="said", starts=None):
    return refusal(before, after, words=words, response_starts=starts, today=TODAY)


def ways(stage, began=False):
    """All ways of stages from one on that come to an end, each stage once."""
    if stage is Stage.CLOSED:
        yield ()
        return
    for after in choices(stage, YESTERDAY if began else None, TODAY):
        if [*Stage].index(after) > [*Stage].index(stage):
            for rest in ways(after, began or after is Stage.RESPONSE):
                yield (after, *rest)


def test_a_response_that_began_is_assessed_before_its_plan_is_closed():
    for way in ways(Stage.SCANNING):
        assert (Stage.RESPONSE in way) == (Stage.ASSESSMENT in way), way
    assert Stage.CLOSED not in STEPS[Stage.RESPONSE]


def test_nothing_leads_back_to_before_a_response_that_began():
    assert refused(Stage.RESPONSE, Stage.ANALYSIS, starts=TODAY) is Refusal.STARTED
    assert refused(Stage.RESPONSE, Stage.ANALYSIS, starts=TOMORROW) is None
    assert choices(Stage.RESPONSE, TODAY, TODAY) == (Stage.ASSESSMENT,)
    assert choices(Stage.RESPONSE, TOMORROW, TODAY) == (Stage.ANALYSIS,)


def test_nothing_is_assessed_before_it_began():
    assert refused(Stage.RESPONSE, Stage.ASSESSMENT, starts=TOMORROW) is Refusal.NOT_STARTED
    assert refused(Stage.RESPONSE, Stage.ASSESSMENT, starts=TODAY) is None


@pytest.mark.parametrize("before", Stage)
@pytest.mark.parametrize("after", Stage)
def test_every_step_says_why_and_only_those_of_the_way_are_taken(before, after):
    starts = YESTERDAY if after is not Stage.ANALYSIS else TOMORROW
    if after in STEPS[before]:
        assert refused(before, after, starts=starts) is None
        assert refused(before, after, words=" \n", starts=starts) is Refusal.WORDS_MISSING
    else:
        assert refused(before, after, starts=starts) is Refusal.NO_SUCH_STEP


def test_a_response_has_a_first_day():
    assert refused(Stage.ANALYSIS, Stage.RESPONSE) is Refusal.START_MISSING


def test_a_closed_plan_stays_closed():
    assert choices(Stage.CLOSED, None, TODAY) == ()


def test_the_next_step_is_offered_before_the_way_back():
    assert choices(Stage.ANALYSIS, None, TODAY) == (Stage.RESPONSE, Stage.CLOSED, Stage.SCANNING)


@pytest.mark.parametrize(
    ("grant", "most"),
    [
        (Grant(Role.ADMINISTRATOR), "leads"),
        (Grant(Role.LIAISON, area_id=2), "leads"),
        (Grant(Role.LIAISON, area_id=5), ""),
        (Grant(Role.CAPTAIN, block_watch_id=1), "leads"),
        (Grant(Role.CAPTAIN, block_watch_id=5), ""),
        (Grant(Role.MEMBER, block_watch_id=1), "sees"),
        (Grant(Role.MEMBER, block_watch_id=5), ""),
        (Grant(Role.STAFF, department_id=4), "works"),
        (Grant(Role.STAFF, department_id=4, area_id=3), "works"),
        (Grant(Role.STAFF, department_id=4, area_id=5), ""),
        (Grant(Role.STAFF, department_id=5), ""),
        (Grant(Role.MODERATOR), ""),
    ],
)
def test_who_leads_works_and_who_works_sees(grant, most):
    rights = {"leads": leads, "works": works, "sees": sees}
    held = [name for name, right in rights.items() if right([grant], GROUND)]
    assert held == ([*rights][[*rights].index(most) :] if most else [])


def test_nobody_leads_where_nothing_is_known_of_the_place():
    nowhere = Ground()
    for role in (Role.LIAISON, Role.CAPTAIN, Role.MEMBER, Role.STAFF):
        assert not sees([Grant(role)], nowhere)


def test_the_place_of_one_report_is_more_than_a_home():
    place = around_reports([shapely.Point(360_000, 4_320_000)])
    assert place_fault(place) is None
    assert place_fault(shapely.box(0, 0, 70, 70)) is PlaceFault.TOO_SMALL
    assert place_fault(shapely.box(0, 0, 4_000, 4_000)) is PlaceFault.TOO_LARGE


@given(
    st.floats(360_000, 361_000),
    st.floats(4_320_000, 4_321_000),
    st.floats(80, 900),
    st.integers(0, 30),
)
def test_everybody_sees_whole_cells_that_hold_enough_or_nothing(x, y, side, n):
    """Never the place itself, however it lies, and never what few incidents are in."""
    place = shapely.box(x, y, x + side, y + side)
    at = np.random.default_rng(n)
    xs, ys = at.uniform(x, x + side, n), at.uniform(y, y + side, n)
    shown = public_place(place, xs, ys, width_m=400.0, least=5)
    if n < 5:
        assert shown is None
    if shown is not None:
        whole = 400.0**2 * 3**0.5 / 2
        assert shown.area >= whole * 0.999
        assert round(shown.area / whole) == pytest.approx(shown.area / whole, abs=1e-6)
        assert shown.intersection(place).area >= 0.5 * place.area


def test_one_poor_cell_hides_all_of_a_place():
    place = shapely.box(360_000, 4_320_000, 360_900, 4_320_900)
    everywhere = np.meshgrid(
        np.linspace(359_500, 361_400, 60), np.linspace(4_319_500, 4_321_400, 60)
    )
    x, y = (axis.ravel() for axis in everywhere)
    assert public_place(place, x, y, width_m=400.0, least=5) is not None
    east = x < 360_500
    assert public_place(place, x[east], y[east], width_m=400.0, least=5) is None
