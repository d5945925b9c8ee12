"""Lights that were fixed, each beside a place that stayed dark: what happened there at night, before and after.

Each light is compared over its own time: as long as it was dark, and a season after it was fixed. Its
control is a place that was dark all of that time, had as much happen before, and lies so far off that
the rings around both do not meet. A control is used once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geo import evaluation
from geo.evaluation import Assessment, BeforeAfter, assess

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Dark:
    """Places without light, and for how long.

    Attributes
    ----------
    xy_m : ndarray of float, shape (n, 2)
        In the city's metres.
    from_s, until_s : ndarray of float, shape (n,)
        Seconds since 1970; infinite for those dark to this day.
    """

    xy_m: NDArray[np.float64]
    from_s: NDArray[np.float64]
    until_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Look:
    """How places are compared.

    Attributes
    ----------
    reach_m, ring_m : float
        How far a light lights, and the width of the ring around that into which its gains, or its
        problems, may spill.
    after_days : int
        Of a season after the light was fixed, and at the most before it.
    least_days : int
        That a light was dark for: of fewer nothing can be counted.
    """

    reach_m: float = 60.0
    ring_m: float = 100.0
    after_days: int = 91
    least_days: int = 14

    @property
    def apart_m(self) -> float:
        """Distance from which the rings around two places do not meet."""
        return 2 * (self.reach_m + self.ring_m)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What was compared, and what follows.

    Attributes
    ----------
    pairs : ndarray of int64, shape (m, 2)
        Numbers of the fixed lights and of their controls.
    distance : ndarray of float, shape (m,)
        How unlike both of a pair were before (`geo.evaluation.Controls`).
    near, alone : int
        Lights left out since they stand beside one that is compared, or have no control.
    counts : ndarray of int64, shape (4, 2)
        Before and after: at the lights, in the rings around them, at the controls and around those.
    days : tuple of (float, float)
        Before and after, summed up over the lights.
    whole, around : Assessment
        The rings counted in, and of the rings alone.
    """

    pairs: NDArray[np.int64]
    distance: NDArray[np.float64]
    near: int
    alone: int
    counts: NDArray[np.int64]
    days: tuple[float, float]
    variation: float
    whole: Assessment
    around: Assessment


class _Nights:
    """What happened, to be counted around places."""

    def __init__(self, xy_m: NDArray[np.float64], at_s: NDArray[np.float64], look: Look) -> None:
        self.tree = cKDTree(xy_m) if len(xy_m) else None
        self.xy_m, self.at_s, self.look = xy_m, at_s, look

    def around(self, place: NDArray[np.float64], edges_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Count between the edges: in reach of a place, and in the ring around it."""
        found = np.zeros((2, len(edges_s) - 1), np.int64)
        if self.tree is None:
            return found
        near = np.asarray(
            self.tree.query_ball_point(place, self.look.reach_m + self.look.ring_m), np.int64
        )
        step = np.searchsorted(edges_s, self.at_s[near], side="right") - 1
        within = (step >= 0) & (step < found.shape[1])
        far = np.hypot(*(self.xy_m[near] - place).T) > self.look.reach_m
        np.add.at(found, (far[within].astype(np.int64), step[within]), 1)
        return found


def compare(
    fixed: Dark,
    unlit: Dark,
    xy_m: NDArray[np.float64],
    at_s: NDArray[np.float64],
    look: Look | None = None,
) -> Compared:
    """Compare what happened around lights that were fixed with places that stayed dark.

    Parameters
    ----------
    fixed : Dark
        `until_s` is when each was fixed. All of them were dark for `Look.least_days` at least.
    unlit : Dark
        Places to choose controls from.
    xy_m, at_s : ndarray
        Where and when something happened at night: of n incidents.
    look : Look, optional

    Returns
    -------
    Compared
        Do not conclude from it that fixing one light changes what happens at that light: of single
        lights it says nothing.
    """
    look = look or Look()
    after_s = look.after_days * _DAY_S
    nights = _Nights(xy_m, at_s, look)
    chosen = _apart(fixed, look)
    starts = np.maximum(fixed.from_s, fixed.until_s - after_s)
    edges = np.column_stack(
        [starts, (starts + fixed.until_s) / 2, fixed.until_s, fixed.until_s + after_s]
    )
    treated = {i: nights.around(fixed.xy_m[i], edges[i]) for i in chosen}
    free = _far_from(unlit.xy_m, fixed.xy_m[chosen], look.apart_m)
    pairs, distances, halves = list[tuple[int, int]](), list[float](), list[NDArray[np.int64]]()
    sums = np.zeros((4, 2), np.int64)
    for i in sorted(chosen, key=lambda i: (-int(treated[i][0, :2].sum()), i)):
        dark = (unlit.from_s <= edges[i, 0]) & (unlit.until_s >= edges[i, 3])
        numbers = np.flatnonzero(free & dark)
        if not len(numbers):
            continue
        counts = [nights.around(unlit.xy_m[j], edges[i]) for j in numbers]
        before = np.array([treated[i][0, :2], *(one[0, :2] for one in counts)])
        found = evaluation.matched_controls(
            before, np.array([0]), np.arange(1, len(numbers) + 1), each=1
        )
        best = int(found.places[0, 0]) - 1
        j = int(numbers[best])
        pairs.append((i, j))
        distances.append(float(found.distance[0, 0]))
        halves += [before[0], before[best + 1]]
        for row, one in ((0, treated[i]), (2, counts[best])):
            sums[row : row + 2, 0] += one[:, :2].sum(axis=1)
            sums[row : row + 2, 1] += one[:, 2]
        free &= _far_from(unlit.xy_m, unlit.xy_m[[j]], look.apart_m)
    used = np.array([i for i, _ in pairs], np.int64)
    days = (
        float((fixed.until_s - starts)[used].sum() / _DAY_S),
        float(look.after_days * len(used)),
    )
    variation = evaluation.overdispersion(np.array(halves)) if halves else 1.0
    return Compared(
        pairs=np.array(pairs, np.int64).reshape(-1, 2),
        distance=np.array(distances),
        near=len(fixed.from_s) - len(chosen),
        alone=len(chosen) - len(pairs),
        counts=sums,
        days=days,
        variation=variation,
        whole=_assessed(sums, days, variation, [0, 2, 1, 3]),
        around=_assessed(sums, days, variation, [1, 3]),
    )


def _assessed(
    sums: NDArray[np.int64], days: tuple[float, float], variation: float, rows: list[int]
) -> Assessment:
    weight = days[0] / days[1] if days[1] else 1.0
    areas = [BeforeAfter(int(sums[row, 0]), int(sums[row, 1]), weight) for row in rows]
    return assess(*areas, overdispersion=variation)


def _apart(fixed: Dark, look: Look) -> list[int]:
    """Choose lights whose rings do not meet: the one that was dark the longest stands for its group."""
    dark_for = fixed.until_s - fixed.from_s
    free = np.ones(len(dark_for), np.bool_)
    chosen = []
    for i in np.lexsort((np.arange(len(dark_for)), -dark_for)).tolist():
        if free[i]:
            chosen.append(i)
            free &= _far_from(fixed.xy_m, fixed.xy_m[[i]], look.apart_m)
    return chosen


def _far_from(
    places: NDArray[np.float64], others: NDArray[np.float64], apart_m: float
) -> NDArray[np.bool_]:
    if not len(others) or not len(places):
        return np.ones(len(places), np.bool_)
    distance, _ = cKDTree(others).query(places)
    far: NDArray[np.bool_] = np.asarray(distance) > apart_m
    return far
