"""Small plans against brute force, floors, locks, and that the same input gives the same plan."""

from itertools import product
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from geo.budget import (
    Bounds,
    Floor,
    Infeasible,
    Method,
    Offer,
    Why,
    in_order,
    keeps,
)
from geo.budget_greedy import greedy, share_at_least
from geo.budget_optimum import optimum
from geo.jobs import jobs_of


def offer(own, reach, demand, costs):
    return Offer(
        np.array(own, dtype=float),
        csr_array(np.array(reach, dtype=float).reshape(len(own), len(demand))),
        np.array(demand, dtype=float),
        np.array(costs, dtype=float).reshape(len(own), -1),
    )


def bounds(limits, n, *, locked_in=(), locked_out=(), floors=()):
    inside, outside = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    inside[list(locked_in)] = True
    outside[list(locked_out)] = True
    made = []
    for name, members, least in floors:
        count = np.zeros(n, dtype=np.int64)
        count[list(members)] = 1
        made.append(Floor(name, count, least))
    return Bounds(np.array(limits, dtype=float), inside, outside, tuple(made))


def brute_force(of, within):
    """Give the best worth of all sets that keep to the bounds, None where there is none."""
    sets = (np.array(chosen, dtype=bool) for chosen in product([False, True], repeat=of.own.size))
    return max((of.worth(chosen) for chosen in sets if keeps(of, within, chosen)), default=None)


@st.composite
def questions(draw, *, floors=True, locks=True):
    n, m, r = draw(st.integers(1, 7)), draw(st.integers(0, 6)), draw(st.integers(1, 3))
    some = st.integers(0, 9)
    of = offer(
        draw(st.lists(some, min_size=n, max_size=n)),
        draw(st.lists(st.integers(0, 1), min_size=n * m, max_size=n * m)),
        draw(st.lists(some, min_size=m, max_size=m)),
        draw(st.lists(st.integers(0, 6), min_size=n * r, max_size=n * r)),
    )
    state = draw(st.lists(st.sampled_from("....io" if locks else "."), min_size=n, max_size=n))
    limit = st.one_of(st.integers(0, 20), st.just(inf))
    limits = draw(st.lists(limit, min_size=r, max_size=r))
    return of, bounds(
        limits,
        n,
        locked_in=[i for i, c in enumerate(state) if c == "i"],
        locked_out=[i for i, c in enumerate(state) if c == "o"],
        floors=[
            (str(k), draw(st.sets(st.integers(0, n - 1))), draw(st.integers(0, 3)))
            for k in range(draw(st.integers(0, 2)) if floors else 0)
        ],
    )


@given(questions())
@settings(max_examples=150, deadline=None)
def test_a_small_plan_is_what_brute_force_finds_and_keeps_to_its_bounds(question):
    of, within = question
    best = brute_force(of, within)
    if best is None:
        with pytest.raises(Infeasible):
            greedy(of, within)
        return
    quick = greedy(of, within)
    exact = optimum(of, within, quick, most_s=10)
    assert keeps(of, within, quick.chosen)
    assert keeps(of, within, greedy(of, within, thorough=False).chosen)
    assert keeps(of, within, exact.chosen)
    assert exact.worth == pytest.approx(best)
    assert exact.gap == pytest.approx(0, abs=1e-5)
    assert quick.worth <= best <= quick.bound + 1e-9
    assert (quick.spent <= within.limits).all()


@st.composite
def questions_of_jobs(draw, *, floors=True):
    """Needs with what they reach, some of them one job, and what each job costs."""
    n, m, r = draw(st.integers(1, 8)), draw(st.integers(0, 6)), draw(st.integers(1, 2))
    jobs = jobs_of(np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), np.int64))
    count, some = len(jobs.sizes), st.integers(0, 9)
    needs = offer(
        draw(st.lists(some, min_size=n, max_size=n)),
        draw(st.lists(st.integers(0, 1), min_size=n * m, max_size=n * m)),
        draw(st.lists(some, min_size=m, max_size=m)),
        np.zeros((n, r)),
    )
    costs = draw(st.lists(st.integers(0, 6), min_size=count * r, max_size=count * r))
    asked = [
        (np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n))), draw(st.integers(0, 4)))
        for _ in range(draw(st.integers(0, 2)) if floors else 0)
    ]
    state = draw(st.lists(st.sampled_from("......io"), min_size=n, max_size=n))
    locked_in = jobs.any(np.array([c == "i" for c in state]))
    locked_out = jobs.any(np.array([c == "o" for c in state])) & ~locked_in
    limits = np.array(draw(st.lists(st.integers(0, 20), min_size=r, max_size=r)), float)
    floors_ = tuple(
        Floor(str(k), jobs.count(members), least) for k, (members, least) in enumerate(asked)
    )
    of = Offer(
        jobs.total(needs.own),
        jobs.reach(needs.reach),
        needs.demand,
        np.array(costs, float).reshape(count, r),
    )
    return needs, jobs, of, Bounds(limits, locked_in, locked_out, floors_), asked


def brute_force_of_needs(needs, jobs, of, within, asked):
    """Give the best worth of all sets of needs that split no job, measured need by need."""
    best = None
    for chosen in map(np.array, product([False, True], repeat=needs.own.size)):
        done = jobs.any(chosen)
        if (jobs.needs(done) != chosen).any():
            continue  # half a repair
        fits = (of.costs[done].sum(axis=0) <= within.limits).all()
        locks = done[within.locked_in].all() and not done[within.locked_out].any()
        floors = all(chosen[members].sum() >= least for members, least in asked)
        if fits and locks and floors and (best is None or needs.worth(chosen) > best):
            best = needs.worth(chosen)
    return best


@given(questions_of_jobs())
@settings(max_examples=150, deadline=None)
def test_jobs_of_several_needs_are_chosen_as_brute_force_over_needs_does(question):
    needs, jobs, of, within, asked = question
    best = brute_force_of_needs(needs, jobs, of, within, asked)
    if best is None:
        with pytest.raises(Infeasible):
            greedy(of, within)
        return
    quick = greedy(of, within)
    exact = optimum(of, within, quick, most_s=10)
    assert keeps(of, within, quick.chosen)
    assert needs.worth(jobs.needs(exact.chosen)) == pytest.approx(exact.worth)
    assert exact.worth == pytest.approx(best)
    assert quick.worth <= best <= quick.bound + 1e-9


@given(questions_of_jobs(floors=False))
@settings(max_examples=150, deadline=None)
def test_with_jobs_the_greedy_is_never_below_its_share_of_the_best(question):
    needs, jobs, of, within, asked = question
    best = brute_force_of_needs(needs, jobs, of, within, asked)
    if best is None:
        return
    locked = of.worth(within.locked_in)
    share = share_at_least(len(within.limits))
    assert greedy(of, within).worth - locked >= share * (best - locked) - 1e-9


def test_a_row_of_lights_is_paid_for_once_and_fills_a_floor_with_each_light():
    # Five lights of weight 2 by one repair of 10, or a light of weight 3 for 4.
    jobs = jobs_of(np.array([0, 7, 7, 7, 7, 7], np.int64))
    of = Offer(
        jobs.total(np.array([3.0, 2, 2, 2, 2, 2])),
        jobs.reach(csr_array((6, 0))),
        np.zeros(0),
        np.array([[4.0], [10.0]]),
    )
    floor = Floor("north", jobs.count(np.array([False, True, True, True, True, False])), 4)
    nothing = np.zeros(2, dtype=bool)
    found = greedy(of, Bounds(np.array([10.0]), nothing, nothing, (floor,)))
    assert jobs.needs(found.chosen).tolist() == [False, True, True, True, True, True]
    assert (found.worth, found.spent.tolist()) == (10, [10])
    assert floor.count(found.chosen) == 4


@given(questions(floors=False))
@settings(max_examples=300, deadline=None)
def test_the_greedy_is_never_below_its_share_of_the_best(question):
    of, within = question
    best = brute_force(of, within)
    if best is None:
        return
    locked = of.worth(within.locked_in)
    limits = int(np.isfinite(within.limits).sum())
    found = greedy(of, within)
    assert found.worth - locked >= share_at_least(limits) * (best - locked) - 1e-9


@given(questions(floors=False, locks=False), st.integers(0, 7))
@settings(max_examples=100, deadline=None)
def test_where_all_cost_the_same_the_greedy_has_the_better_share(question, most):
    free, _within = question
    of = Offer(free.own, free.reach, free.demand, np.ones((free.own.size, 1)))
    within = bounds([most], free.own.size)
    share = share_at_least(1, equal_costs=True)
    assert share == pytest.approx(0.632, abs=1e-3)
    assert greedy(of, within).worth >= share * brute_force(of, within) - 1e-9


def test_one_big_need_is_not_lost_to_small_ones_that_cost_less_for_their_worth():
    # By worth per cost the small one comes first and leaves no room: without the best single need
    # the greedy would have 2 of 100.
    of = offer([2, 100], [[], []], [], [1, 100])
    assert greedy(of, bounds([100], 2)).chosen.tolist() == [False, True]


def test_the_same_people_are_not_counted_twice():
    # The two lights of ten people beside each other, or one of them and the one of six elsewhere.
    of = offer([0, 0, 0], [[1, 0], [1, 0], [0, 1]], [10, 6], [1, 1, 1])
    found = greedy(of, bounds([2], 3))
    assert found.chosen.tolist() == [True, False, True]
    assert found.worth == 16


def test_what_adds_nothing_is_not_bought():
    of = offer([0, 0], [[1], [1]], [10], [1, 1])
    assert greedy(of, bounds([2], 2)).chosen.sum() == 1


def test_a_floor_is_kept_though_it_is_worth_less():
    of = offer([9, 8, 1], [[], [], []], [], [1, 1, 1])
    within = bounds([2], 3, floors=[("south", [2], 1)])
    assert greedy(of, within).chosen.tolist() == [True, False, True]
    assert greedy(of, bounds([2], 3)).chosen.tolist() == [True, True, False]


def test_a_floor_that_only_one_set_can_keep_is_kept():
    # By worth per cost need 0 comes first in both floors, and leaves too little for the other two.
    of = offer([50, 1, 1], [[], [], []], [], [[9, 0], [5, 5], [5, 5]])
    within = bounds([10, 10], 3, floors=[("north", [0, 1], 1), ("south", [1, 2], 2)])
    assert greedy(of, within).chosen.tolist() == [False, True, True]


def test_locks_that_cost_too_much_say_which_limit():
    of = offer([1, 1], [[], []], [], [[5, 1], [6, 1]])
    with pytest.raises(Infeasible) as raised:
        greedy(of, bounds([10, 10], 2, locked_in=[0, 1]))
    assert raised.value.why is Why.LOCKED_COST
    assert raised.value.limits == (0,)


def test_what_is_locked_in_and_out_at_once_is_refused():
    with pytest.raises(Infeasible) as raised:
        greedy(offer([1], [[]], [], [1]), bounds([1], 1, locked_in=[0], locked_out=[0]))
    assert raised.value.why is Why.LOCKED_BOTH


def test_a_floor_with_too_few_needs_says_how_many_there_are():
    of = offer([1, 1, 1], [[], [], []], [], [1, 1, 1])
    with pytest.raises(Infeasible) as raised:
        greedy(of, bounds([9], 3, locked_out=[1], floors=[("north", [0, 1], 2)]))
    assert raised.value.why is Why.TOO_FEW
    assert raised.value.floors == (("north", 1),)


def test_floors_that_cost_too_much_together_say_how_far_they_can_be_filled():
    of = offer([1, 1, 1, 1], [[]] * 4, [], [4, 4, 4, 4])
    within = bounds([9], 4, floors=[("north", [0, 1], 2), ("south", [2, 3], 1)])
    with pytest.raises(Infeasible) as raised:
        greedy(of, within)
    assert raised.value.why is Why.FLOORS_COST
    assert sum(n for _name, n in raised.value.floors) + (2 - len(raised.value.floors)) <= 2
    assert raised.value.floors


def test_a_list_is_taken_from_the_top_as_far_as_it_fits():
    of = offer([5, 4, 3], [[], [], []], [], [6, 6, 3])
    found = in_order(of, bounds([10], 3), [0, 1, 2])
    assert found.chosen.tolist() == [True, False, True]
    assert found.method is Method.IN_ORDER


def test_the_same_input_gives_the_same_plan():
    rng = np.random.default_rng(7)
    reach = csr_array((rng.random((60, 90)) < 0.08).astype(float))
    of = Offer(np.zeros(60), reach, rng.integers(1, 4, 90).astype(float), np.ones((60, 1)))
    within = bounds([15], 60, floors=[("a", range(5), 2)])
    quick = [greedy(of, within).chosen.tolist() for _ in range(3)]
    exact = [optimum(of, within, greedy(of, within), most_s=20).chosen.tolist() for _ in range(2)]
    assert quick[0] == quick[1] == quick[2]
    assert exact[0] == exact[1]


def test_what_is_of_different_sizes_or_below_zero_is_refused():
    with pytest.raises(ValueError, match="same jobs"):
        Offer(np.ones(2), csr_array((3, 1)), np.ones(1), np.ones((3, 1)))
    with pytest.raises(ValueError, match="less than 0"):
        offer([-1], [[]], [], [1])
