"""Which jobs to do within a budget: the best set, by HiGHS, or within a time limit a set and a bound.

Huangfu and Hall 2018, Parallelizing the dual revised simplex method, doi:10.1007/s12532-017-0130-5, is
what HiGHS asks to be cited by.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, hstack, vstack

from geo.budget import (
    Bounds,
    Choice,
    Infeasible,
    Mask,
    Method,
    Numbers,
    Offer,
    Why,
    choice_of,
    keeps,
)

_TOLERANCE = 1e-9
"""Of HiGHS, absolute: costs are scaled to about one first."""

_FEASIBLE_WITHIN_S = 10.0
"""Seconds in which a set that fills all floors is looked for, where the greedy finds none."""


def optimum(
    offer: Offer, bounds: Bounds, first: Choice, *, most_s: float, gap: float = 1e-6
) -> Choice:
    """Choose the best set, or the best that is found in time.

    The same input gives the same set where HiGHS ends within the time. Where it does not, the gap says
    how much may be missing.

    Parameters
    ----------
    offer : Offer
    bounds : Bounds
    first : Choice
        A set within the bounds, with its bound: what is found is never worse.
    most_s : float
        Seconds.
    gap : float
        The share that may be missing for the answer to count as the best.

    Returns
    -------
    Choice
    """
    program = _coverage(offer, bounds)
    solver = _solver(program.lp, most_s)
    solver.setOptionValue("mip_rel_gap", gap)
    start = highspy.HighsSolution()
    start.col_value = program.values(first.chosen)
    solver.setSolution(start)
    solver.run()
    info = solver.getInfo()
    bound = min(first.bound, info.mip_dual_bound + program.constant)
    best = choice_of(offer, first.chosen, Method.OPTIMUM)
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        columns = np.array(solver.getSolution().col_value)
        found = choice_of(offer, columns[: offer.own.size] > 0.5, Method.OPTIMUM)
        # HiGHS calculates with tolerances: what is handed on keeps to the bounds to the cent.
        if found.worth > best.worth and keeps(offer, bounds, found.chosen):
            best = found
    return replace(best, bound=max(bound, best.worth))


def any_within(offer: Offer, bounds: Bounds) -> Mask:
    """Give a set that keeps to the bounds, whatever it is worth: for floors that are hard to fill.

    Parameters
    ----------
    offer : Offer
    bounds : Bounds

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    Infeasible
        With the floors that can not be kept together with the others, and how far each can be filled
        where as little as possible is missing in all.
    """
    n, count = offer.own.size, len(bounds.floors)
    missing = csr_array(
        (np.ones(count), (np.arange(count), np.arange(count))), shape=(count, count)
    )
    rows = _limit_rows(offer, bounds)
    members = np.array([floor.members for floor in bounds.floors], dtype=float)
    matrix = vstack(
        [
            hstack([csr_array(rows.matrix), csr_array((rows.matrix.shape[0], count))]),
            hstack([csr_array(members), missing]),
        ],
        format="csr",
    )
    least = [float(floor.least) for floor in bounds.floors]
    lp = _lp(
        matrix,
        worth=np.concatenate([np.zeros(n), -np.ones(count)]),
        lower=np.concatenate([bounds.locked_in.astype(float), np.zeros(count)]),
        upper=np.concatenate([(~bounds.locked_out).astype(float), least]),
        row_lower=[-inf] * rows.matrix.shape[0] + least,
        row_upper=[*rows.most, *([inf] * count)],
        whole=n,
    )
    solver = _solver(lp, _FEASIBLE_WITHIN_S)
    solver.run()
    chosen = np.array(solver.getSolution().col_value[:n]) > 0.5
    if not keeps(offer, bounds, chosen):
        filled = [(floor, floor.count(chosen)) for floor in bounds.floors]
        raise Infeasible(
            Why.FLOORS_COST, floors=[(floor.name, n) for floor, n in filled if n < floor.least]
        )
    return chosen


@dataclass(frozen=True, slots=True, eq=False)
class _Coverage:
    """The choice as an integer program: a column a job, then one for each group of demand points.

    Points that the same jobs reach are one group; one that a single job reaches counts as its own;
    those that jobs locked in reach are met in any case: `constant`.
    """

    lp: highspy.HighsLp
    reach: csr_array
    constant: float

    def values(self, chosen: Mask) -> list[float]:
        reached = np.asarray(self.reach.T @ chosen.astype(float)) > 0
        return [*chosen.astype(float).tolist(), *reached.astype(float).tolist()]


def _coverage(offer: Offer, bounds: Bounds) -> _Coverage:
    n, met = offer.own.size, offer.reached(bounds.locked_in)
    own, groups, worth = _grouped(offer, ~met & (offer.demand > 0), ~bounds.locked_out)
    m = len(groups)
    reach = csr_array(
        (
            np.ones(sum(map(len, groups))),
            (
                np.concatenate([*groups, np.empty(0, dtype=np.int64)]).astype(np.int64),
                np.repeat(np.arange(m), [*map(len, groups)]),
            ),
        ),
        shape=(n, m),
    )
    rows = _limit_rows(offer, bounds)
    members = [floor.members.astype(float) for floor in bounds.floors]
    bounded = np.array([*rows.matrix, *members]).reshape(-1, n)
    matrix = vstack(
        [
            hstack([reach.T, -eye_array(m)]),
            hstack([csr_array(bounded), csr_array((bounded.shape[0], m))]),
        ],
        format="csr",
    )
    least = [float(floor.least) for floor in bounds.floors]
    lp = _lp(
        matrix,
        worth=np.concatenate([own, worth]),
        lower=np.concatenate([bounds.locked_in.astype(float), np.zeros(m)]),
        upper=np.concatenate([(~bounds.locked_out).astype(float), np.ones(m)]),
        row_lower=[*([0.0] * m), *([-inf] * len(rows.most)), *least],
        row_upper=[*([inf] * m), *rows.most, *([inf] * len(least))],
        whole=n,
    )
    return _Coverage(lp, reach, float(offer.demand[met].sum()))


def _grouped(
    offer: Offer, points: Mask, jobs: Mask
) -> tuple[Numbers, list[NDArray[np.int32]], list[float]]:
    """Give what jobs weigh with the points that each reaches alone, and groups of the others."""
    pairs = offer.reach.tocoo()
    kept = points[pairs.col] & jobs[pairs.row]
    row, col = pairs.row[kept], pairs.col[kept]
    by_point = np.lexsort((row, col))
    row, col = row[by_point], col[by_point]
    own = offer.own.copy()
    numbers: dict[bytes, int] = {}
    groups: list[NDArray[np.int32]] = []
    worth: list[float] = []
    ids, starts = np.unique(col, return_index=True)
    for point, reached_by in zip(ids.tolist(), np.split(row, starts[1:]), strict=False):
        weight = float(offer.demand[point])
        if reached_by.size == 1:
            own[reached_by[0]] += weight
            continue
        number = numbers.setdefault(reached_by.tobytes(), len(groups))
        if number == len(groups):
            groups.append(reached_by)
            worth.append(0.0)
        worth[number] += weight
    return own, groups, worth


@dataclass(frozen=True, slots=True, eq=False)
class _Limits:
    """Rows of limits, shape (r, n), scaled to costs of about one, and the most of each."""

    matrix: Numbers
    most: list[float]


def _limit_rows(offer: Offer, bounds: Bounds) -> _Limits:
    limited = np.flatnonzero(np.isfinite(bounds.limits))
    scale = np.maximum(offer.costs[:, limited].mean(axis=0), _TOLERANCE)
    return _Limits((offer.costs[:, limited] / scale).T, (bounds.limits[limited] / scale).tolist())


def _lp(
    matrix: csr_array,
    *,
    worth: Numbers,
    lower: Numbers,
    upper: Numbers,
    row_lower: Sequence[float],
    row_upper: Sequence[float],
    whole: int,
) -> highspy.HighsLp:
    """Give a program that makes the most of `worth`, its first `whole` columns in whole numbers."""
    rows, columns = matrix.shape
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns, rows
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = worth, lower, upper
    lp.row_lower_, lp.row_upper_ = np.array(row_lower), np.array(row_upper)
    integer, continuous = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
    lp.integrality_ = [integer] * whole + [continuous] * (columns - whole)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.indptr, matrix.indices
    lp.a_matrix_.value_ = matrix.data
    return lp


def _solver(lp: highspy.HighsLp, most_s: float) -> highspy.Highs:
    solver = highspy.Highs()  # type: ignore[no-untyped-call]  # its maker alone has no types
    options: dict[str, bool | float | int] = {
        "output_flag": False,
        "time_limit": most_s,
        "threads": 1,
        "mip_feasibility_tolerance": _TOLERANCE,
        "primal_feasibility_tolerance": _TOLERANCE,
    }
    for option, value in options.items():
        solver.setOptionValue(option, value)
    solver.passModel(lp)
    return solver
