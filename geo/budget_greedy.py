"""Which jobs to do within a budget, at once: by worth per cost.

How far the answer can be from the best, and why (`share_at_least`). The worth of a set never falls as the
set grows, and what a job adds only falls (it is submodular). That holds of jobs of several needs as of those of
one: a job weighs what its needs weigh together and reaches what any of them does, so all below is of jobs.

- One limit, no floor: the better of the greedy by worth per cost and of the best single job, each
  filled up, is worth at least (1 - 1/e)/2 of the best (Leskovec et al. 2007, Cost-effective outbreak
  detection in networks, doi:10.1145/1281192.1281239, theorem 3). Where all costs are equal it is
  1 - 1/e (Nemhauser, Wolsey and Fisher 1978, doi:10.1007/BF01588971).
- k limits, no floor: (1 - e^(-1/k))/2, by the same argument. Measure cost as the sum of the shares of
  each limit. Until the first job that does not fit, the greedy took the best of all that were left;
  with that job the set costs more than 1, and the best set costs k at most. So the set with that job
  is worth 1 - e^(-1/k) of the best, and one of the two has at least half of that.
- Jobs locked in or out: the same of what is added to those locked in, within what they leave.
- Floors: no such share is known to hold. They are filled first, each by worth per cost.

In every case, floors or not, `Choice.bound` is a number that the best can not exceed, by
weak duality: if each demand point is either paid for in advance or counted anew for every job that
reaches it, the worth of any set is at most what was paid, and what a knapsack filled with
fractions of jobs then holds. It is read at several steps of the greedy, and the least is kept
(Leskovec et al. give the same for the last step alone).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import islice, pairwise
from math import exp, inf

import numpy as np

from geo.budget import Bounds, Choice, Mask, Method, Numbers, Offer, check, choice_of
from geo.budget_optimum import any_within

_BOUND_STEPS = 12
"""Steps of the greedy at which the bound is read."""

_FREE = 1e-12
"""The share of a budget that what costs nothing counts as, so that there is a worth per cost."""


def share_at_least(limits: int, *, equal_costs: bool = False) -> float:
    """Give the share of the best that `greedy` never falls below, where there are no floors.

    Parameters
    ----------
    limits : int
        How many there are.
    equal_costs : bool
        Whether there is one limit, of which all jobs take the same.

    Returns
    -------
    float
        See the head of this module.
    """
    if limits == 0:
        return 1.0
    return 1 - exp(-1) if equal_costs and limits == 1 else (1 - exp(-1 / limits)) / 2


def greedy(offer: Offer, bounds: Bounds, *, thorough: bool = True) -> Choice:
    """Choose at once, by worth per cost; see the head of this module for how good it is.

    The same offer and bounds give the same set. Equal jobs are taken in their order.

    Parameters
    ----------
    offer : Offer
    bounds : Bounds
    thorough : bool
        Without, costs are measured in one way alone, and neither the best single job nor the bound is
        looked for: a third of the time, and no share of the best is sure.

    Returns
    -------
    Choice

    Raises
    ------
    Infeasible
    """
    check(offer, bounds)
    walk = _Walk(offer, bounds)
    ways = walk.ways() if thorough else islice(walk.ways(), 1)
    runs = [_run(walk, per_cost, cheapest_first) for per_cost, cheapest_first in ways]
    found = [run for run in runs if run is not None]
    if not found:
        start = any_within(offer, bounds)
        found = [_filled(walk, start)]
    best = max(found, key=lambda run: run.worth)
    if not thorough:
        return choice_of(offer, best.chosen, Method.GREEDY)
    single = _best_single(walk)
    if single is not None and single.worth > best.worth:
        best = single
    return replace(
        choice_of(offer, best.chosen, Method.GREEDY), bound=_bound(offer, bounds, best.order)
    )


@dataclass(slots=True)
class _Run:
    """A set on its way: in the order in which it was chosen, and what it leaves."""

    chosen: Mask
    order: list[int]
    left: list[float]
    open: Numbers
    worth: float


class _Walk:
    """What all runs of the greedy share."""

    def __init__(self, offer: Offer, bounds: Bounds) -> None:
        self.offer, self.bounds = offer, bounds
        indices, ends = offer.reach.indices, offer.reach.indptr.tolist()
        self.points = [indices[a:b] for a, b in pairwise(ends)]
        self.own: list[float] = offer.own.tolist()
        self.limited = np.flatnonzero(np.isfinite(bounds.limits))
        self.costs: list[list[float]] = offer.costs[:, self.limited].tolist()
        self.floors_of: list[list[tuple[int, int]]] = [[] for _ in self.own]
        for number, floor in enumerate(bounds.floors):
            for i in np.flatnonzero(floor.members):
                self.floors_of[i].append((number, int(floor.members[i])))
        self.free = ~bounds.locked_in & ~bounds.locked_out

    def start(self) -> _Run:
        locked = np.flatnonzero(self.bounds.locked_in)
        run = _Run(
            np.zeros(self.free.size, dtype=bool),
            [],
            self.bounds.limits[self.limited].tolist(),
            self.offer.demand.copy(),
            0.0,
        )
        for i in locked.tolist():
            self.take(run, i)
        return run

    def gain(self, run: _Run, i: int) -> float:
        return self.own[i] + float(run.open[self.points[i]].sum())

    def fits(self, run: _Run, i: int) -> bool:
        return all(cost <= left for cost, left in zip(self.costs[i], run.left, strict=True))

    def take(self, run: _Run, i: int) -> None:
        run.worth += self.gain(run, i)
        run.open[self.points[i]] = 0.0
        run.chosen[i] = True
        run.order.append(i)
        for r, cost in enumerate(self.costs[i]):
            run.left[r] -= cost

    def ways(self) -> Iterable[tuple[Numbers, bool]]:
        """Give ways to measure a job's cost, and whether floors are filled by the least cost."""
        left = self.bounds.limits - self.offer.costs[self.bounds.locked_in].sum(axis=0)
        left = left[self.limited]
        # Where nothing is left, only what takes nothing of it fits.
        scaled = self.offer.costs[:, self.limited] / np.where(left > 0, left, 1.0)
        together = scaled.sum(axis=1)
        yield together, False
        if self.limited.size > 1:
            # Where one limit alone binds, the others are no measure.
            for r in range(self.limited.size):
                yield scaled[:, r] + 1e-6 * together, False
        if self.bounds.floors:
            yield together, True


def _run(walk: _Walk, per_cost: Numbers, cheapest_first: bool) -> _Run | None:
    """Fill the floors, then the rest; None where the floors do not fit in this way."""
    run = walk.start()
    cost = np.maximum(per_cost, _FREE)
    if walk.bounds.floors:
        owed = [floor.least - floor.count(walk.bounds.locked_in) for floor in walk.bounds.floors]
        in_floor = np.zeros(walk.free.size, dtype=bool)
        for floor in walk.bounds.floors:
            in_floor |= floor.members > 0
        _lazy(walk, run, walk.free & in_floor, cost, owed=owed, cheapest_first=cheapest_first)
        if any(left > 0 for left in owed):
            return None
    _lazy(walk, run, walk.free & ~run.chosen, cost)
    return run


def _lazy(
    walk: _Walk,
    run: _Run,
    among: Mask,
    cost: Numbers,
    *,
    owed: list[int] | None = None,
    cheapest_first: bool = False,
) -> None:
    """Take by worth per cost until nothing fits; with `owed`, only what a floor still lacks.

    A job's gain only falls as others are taken, so a stale gain is an upper bound: what still is
    first after it was counted anew is first of all (Minoux 1978).
    """
    ids = np.flatnonzero(among)
    per = cost.tolist()
    if cheapest_first:
        queue = [(per[i], i) for i in ids.tolist()]
    else:
        gains = walk.offer.own + walk.offer.reach @ run.open
        queue = list(zip((-gains[ids] / cost[ids]).tolist(), ids.tolist(), strict=True))
    heapify(queue)
    while queue:
        key, i = heappop(queue)
        if not walk.fits(run, i):
            continue
        if owed is not None and not any(owed[floor] > 0 for floor, _needs in walk.floors_of[i]):
            continue
        if not cheapest_first:
            fresh = -walk.gain(run, i) / per[i]
            if fresh > key and queue and (fresh, i) > queue[0]:
                heappush(queue, (fresh, i))
                continue
            if fresh == 0 and owed is None:
                continue  # it would cost something and be worth nothing
        walk.take(run, i)
        if owed is not None:
            for floor, needs in walk.floors_of[i]:
                owed[floor] -= needs


def _best_single(walk: _Walk) -> _Run | None:
    """Give the job worth most, filled up; None where there are floors, for which it may leave no room."""
    if walk.bounds.floors:
        return None
    run = walk.start()
    gains = walk.offer.own + walk.offer.reach @ run.open
    for i in np.lexsort((np.arange(gains.size), -gains)).tolist():
        if walk.free[i] and walk.fits(run, i):
            walk.take(run, i)
            return _filled(walk, run.chosen)
    return None


def _filled(walk: _Walk, chosen: Mask) -> _Run:
    """Go on from a set that keeps to the bounds."""
    run = walk.start()
    for i in np.flatnonzero(chosen & ~run.chosen).tolist():
        walk.take(run, i)
    cost, _floors = next(iter(walk.ways()))
    _lazy(walk, run, walk.free & ~run.chosen, np.maximum(cost, _FREE))
    return run


def _bound(offer: Offer, bounds: Bounds, order: list[int]) -> float:
    """Give what no set within the limits can exceed: see the head of this module."""
    locked = bounds.locked_in
    left = bounds.limits - offer.costs[locked].sum(axis=0)
    free = ~locked & ~bounds.locked_out & (offer.costs <= left).all(axis=1)
    first = int(locked.sum())
    steps = np.unique(np.linspace(first, len(order), _BOUND_STEPS).astype(int))
    least = inf
    for step in steps.tolist():
        taken = np.zeros(locked.size, dtype=bool)
        taken[order[:step]] = True
        reached = offer.reached(taken)
        gains = (offer.own + offer.reach @ np.where(reached, 0.0, offer.demand))[free]
        paid = float(offer.demand[reached].sum() + offer.own[locked].sum())
        held = min(
            (_knapsack(gains, offer.costs[free, r], left[r]) for r in range(left.size)),
            default=float(gains.sum()),
        )
        least = min(least, paid + held)
    return least


def _knapsack(gains: Numbers, costs: Numbers, limit: float) -> float:
    """Give the most that fractions of things hold within a limit."""
    if not np.isfinite(limit):
        return float(gains.sum())
    free = costs == 0
    costs_left, gains_left = costs[~free], gains[~free]
    by_ratio = np.argsort(-gains_left / costs_left, kind="stable")
    used = np.cumsum(costs_left[by_ratio])
    worth = np.concatenate(([0.0], np.cumsum(gains_left[by_ratio])))
    held = np.interp(limit, np.concatenate(([0.0], used)), worth)
    return float(gains[free].sum() + held)
