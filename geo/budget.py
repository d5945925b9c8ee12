"""What it means to choose jobs within a budget: what a set is worth, and within what it must keep.

A job is one need, or the needs that one repair mends (`geo.jobs`), so it is chosen as a whole. A set of jobs
is worth what they weigh by themselves (hazard, age and the like), and the demand that they reach, each
demand point counted once however many of the set reach it: a light beside a lit one helps fewer people
than one in the dark. A set must keep to every limit (money, crew minutes, materials) and floor; floors
count needs. This is the budgeted maximum coverage problem. `geo.budget_greedy` answers it at once, and
`geo.budget_optimum` as well as can be.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """What could be fixed, and what each costs.

    Attributes
    ----------
    own : ndarray of float, shape (n,)
        What each job weighs by itself, 0 or more.
    reach : scipy.sparse.csr_array, shape (n, m)
        1 where a job reaches a demand point.
    demand : ndarray of float, shape (m,)
        What each demand point weighs, 0 or more.
    costs : ndarray of float, shape (n, r)
        What each job takes of each limit, 0 or more.
    """

    own: Numbers
    reach: csr_array
    demand: Numbers
    costs: Numbers

    def __post_init__(self) -> None:
        n, m = self.reach.shape
        if self.own.shape != (n,) or self.demand.shape != (m,) or self.costs.shape[:1] != (n,):
            raise ValueError("own, reach, demand and costs must be of the same jobs and points.")
        if any(values.size and values.min() < 0 for values in (self.own, self.demand, self.costs)):
            raise ValueError("Nothing weighs or costs less than 0.")

    def worth(self, chosen: Mask) -> float:
        """Give what a set of jobs is worth, `chosen` of shape (n,)."""
        return float(self.own[chosen].sum() + self.demand[self.reached(chosen)].sum())

    def reached(self, chosen: Mask) -> Mask:
        """Give which demand points a set of jobs reaches, shape (m,)."""
        reached = np.zeros(self.demand.size, dtype=bool)
        reached[self.reach[np.flatnonzero(chosen)].indices] = True
        return reached


@dataclass(frozen=True, slots=True, eq=False)
class Floor:
    """The fewest needs to choose of some, whichever jobs they are of.

    Attributes
    ----------
    name : str
        For whoever asks which floor can not be kept.
    members : ndarray of int, shape (n,)
        How many of these needs each job has.
    least : int
    """

    name: str
    members: NDArray[np.int64]
    least: int

    def count(self, chosen: Mask) -> int:
        """Give how many of them a set of jobs has."""
        return int(self.members[chosen].sum())


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Within what to choose.

    Attributes
    ----------
    limits : ndarray of float, shape (r,)
        The most of each cost; infinite where it is not limited.
    locked_in, locked_out : ndarray of bool, shape (n,)
        What must be chosen, and what must not.
    floors : tuple of Floor
    """

    limits: Numbers
    locked_in: Mask
    locked_out: Mask
    floors: tuple[Floor, ...] = ()


class Method(StrEnum):
    """How a set was chosen."""

    GREEDY = "greedy"
    OPTIMUM = "optimum"
    IN_ORDER = "in_order"


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A set of jobs within its bounds.

    Attributes
    ----------
    chosen : ndarray of bool, shape (n,)
    worth : float
    bound : float
        No set within the same limits is worth more. Infinite where that was not asked.
    spent : ndarray of float, shape (r,)
    method : Method
    """

    chosen: Mask
    worth: float
    bound: float
    spent: Numbers
    method: Method

    @property
    def gap(self) -> float:
        """The share of the bound that may be missing, 0 where the choice is the best."""
        return max(0.0, 1 - self.worth / self.bound) if self.bound > 0 else 0.0


class Why(StrEnum):
    """Why no set of jobs keeps to the bounds."""

    LOCKED_COST = "locked_cost"
    LOCKED_BOTH = "locked_both"
    TOO_FEW = "too_few"
    FLOORS_COST = "floors_cost"


class Infeasible(ValueError):  # noqa: N818 (it is the name of what was found)
    """No set of jobs keeps to the bounds.

    Parameters
    ----------
    why : Why
    limits : sequence of int
        Which limits the jobs locked in go beyond.
    floors : sequence of (str, int)
        Which floors can not be kept, and with how many needs each could.
    """

    def __init__(
        self, why: Why, limits: Sequence[int] = (), floors: Sequence[tuple[str, int]] = ()
    ) -> None:
        super().__init__(f"{why.value}: limits {[*limits]}, floors {[*floors]}")
        self.why, self.limits, self.floors = why, tuple(limits), tuple(floors)


def choice_of(offer: Offer, chosen: Mask, method: Method) -> Choice:
    """Give a set with what it is worth and takes, without a bound."""
    return Choice(chosen, offer.worth(chosen), inf, offer.costs[chosen].sum(axis=0), method)


def keeps(offer: Offer, bounds: Bounds, chosen: Mask) -> bool:
    """Tell whether a set keeps to limits, locks and floors."""
    return bool(
        (offer.costs[chosen].sum(axis=0) <= bounds.limits).all()
        and chosen[bounds.locked_in].all()
        and not chosen[bounds.locked_out].any()
        and all(floor.count(chosen) >= floor.least for floor in bounds.floors)
    )


def check(offer: Offer, bounds: Bounds) -> None:
    """Refuse what can be seen at once to be impossible.

    Raises
    ------
    Infeasible
    """
    if (bounds.locked_in & bounds.locked_out).any():
        raise Infeasible(Why.LOCKED_BOTH)
    over = np.flatnonzero(offer.costs[bounds.locked_in].sum(axis=0) > bounds.limits)
    if over.size:
        raise Infeasible(Why.LOCKED_COST, limits=over.tolist())
    left = bounds.limits - offer.costs[bounds.locked_in].sum(axis=0)
    possible = ~bounds.locked_out & ((offer.costs <= left).all(axis=1) | bounds.locked_in)
    few = [
        (floor.name, floor.count(possible))
        for floor in bounds.floors
        if floor.count(possible) < floor.least
    ]
    if few:
        raise Infeasible(Why.TOO_FEW, floors=few)


def in_order(offer: Offer, bounds: Bounds, order: Iterable[int]) -> Choice:
    """Choose as a list has it: what is locked in, then each job that still fits. Floors do not count.

    Parameters
    ----------
    offer : Offer
    bounds : Bounds
    order : iterable of int
        Jobs, the first of the list first.

    Returns
    -------
    Choice
        Its bound is infinite.
    """
    chosen = bounds.locked_in.copy()
    left = bounds.limits - offer.costs[chosen].sum(axis=0)
    for i in order:
        if not chosen[i] and not bounds.locked_out[i] and (offer.costs[i] <= left).all():
            chosen[i] = True
            left -= offer.costs[i]
    return choice_of(offer, chosen, Method.IN_ORDER)
