"""Where next: forecasts, and whether they are any better than looking at past counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from geo.grids import Cells

BASELINE = "prior_counts"
"""The method that any other must beat."""

HALF_LIFE_STEPS = 3.0

MOST_HELD_OUT = 16
"""Steps; so many have 65,536 ways to be leads and lags."""

BY_CHANCE = 0.05
"""How often one of the other methods may be shown although none is better than the baseline."""

_ROUNDING = 1e-12

Method = Callable[[NDArray[np.int64], Cells], NDArray[np.float64]]
"""From counts so far, shape (T, n), a score for each cell, shape (n,): higher where more is expected."""


def prior_counts(counts: NDArray[np.int64], cells: Cells) -> NDArray[np.float64]:
    """Expect reports where there were the most."""
    return np.asarray(counts.sum(axis=0), np.float64)


def recent_counts(counts: NDArray[np.int64], cells: Cells) -> NDArray[np.float64]:
    """Expect reports where there were the most lately: each `HALF_LIFE_STEPS` back counts half."""
    age = np.arange(len(counts))[::-1]
    return np.asarray(0.5 ** (age / HALF_LIFE_STEPS) @ counts)


def recent_nearby(counts: NDArray[np.int64], cells: Cells) -> NDArray[np.float64]:
    """Expect reports where there were the most lately, in the cell and half as much around it."""
    recent = recent_counts(counts, cells)
    around = cells.around(recent) / cells.around(np.ones(len(cells)))
    return (recent + around) / 2


METHODS: Mapping[str, Method] = MappingProxyType(
    {BASELINE: prior_counts, "recent_counts": recent_counts, "recent_nearby": recent_nearby}
)


@dataclass(frozen=True, slots=True, eq=False)
class Accuracy:
    """How well a forecast told where reports would be, for each number of cells chosen.

    Attributes
    ----------
    pai : ndarray of float, shape (n,)
        Predictive accuracy index: share of the reports over share of the area. 1 is no better than
        chance.
    pei : ndarray of float, shape (n,)
        Predictive efficiency index: the same over the best that was possible, from 0 to 1.
    """

    pai: NDArray[np.float64]
    pei: NDArray[np.float64]


def accuracy(observed: NDArray[np.int64], predicted: NDArray[np.float64]) -> Accuracy:
    """Score a forecast on reports that it did not know.

    Parameters
    ----------
    observed : ndarray of int, shape (n,)
        Reports in each cell, later than all the forecast was made from. Cells are of equal size.
    predicted : ndarray of float, shape (n,)
        Higher where more is expected. Of cells with the same value those with the fewest reports count
        as chosen first, so that a forecast gains nothing by not telling places apart.

    Returns
    -------
    Accuracy
        At place i for the i + 1 cells with the highest prediction; NaN without reports.

    References
    ----------
    Chainey, Tompson and Uhlig (2008), doi:10.1057/palgrave.sj.8350066; Hunt (2016) for PEI.
    """
    chosen = np.lexsort((observed, -predicted))
    hits, best = np.cumsum(observed[chosen]), np.cumsum(np.sort(observed)[::-1])
    total, n = observed.sum(), len(observed)
    if not total:
        return Accuracy(np.full(n, np.nan), np.full(n, np.nan))
    return Accuracy(hits / total / (np.arange(1, n + 1) / n), hits / best)


@dataclass(frozen=True, slots=True)
class Score:
    """How a method did on the held-out steps, choosing the same share of the cells in each.

    Attributes
    ----------
    hits : float
        Reports in the chosen cells.
    pai, pei : float
        Of all steps together; NaN without reports.
    lead : float
        Reports a step more than the baseline had.
    p : float
        Probability of such a lead or a larger one if the lead of each step could as well have been a
        lag: exact, from all signs that the steps could have had.
    beats_baseline : bool
        Whether the lead is more than chance, after allowing for the number of methods.
    """

    hits: float
    pai: float
    pei: float
    lead: float
    p: float
    beats_baseline: bool


@dataclass(frozen=True, slots=True, eq=False)
class WhereNext:
    """A forecast for the step after the last.

    Attributes
    ----------
    method : str
        Key of `METHODS`: the baseline, unless another one beat it on the held-out steps.
    predicted : ndarray of float, shape (n,)
        Higher where more is expected: an order of the cells, not a number of reports.
    scores : mapping of str to Score
    held_out : int
        Steps that were predicted from those before each.
    chosen_cells : int
    """

    method: str
    predicted: NDArray[np.float64]
    scores: Mapping[str, Score]
    held_out: int
    chosen_cells: int


def where_next(
    counts: NDArray[np.int64],
    cells: Cells,
    *,
    held_out: int = 6,
    share: float = 0.05,
    methods: Mapping[str, Method] = METHODS,
) -> WhereNext:
    """Say where the most reports are to be expected next, by the method that has proved itself.

    Parameters
    ----------
    counts : ndarray of int, shape (T, n)
        Reports in each step (a month) and cell, in the order of time.
    cells : Cells
    held_out : int
        Last steps to score on, each predicted from the steps before it.
    share : float
        Of the cells, chosen in each step.
    methods : mapping of str to callable
        With `BASELINE` among them.

    Returns
    -------
    WhereNext

    Raises
    ------
    ValueError
        Where fewer than two steps are held out, or too many, or none is left to predict from.

    Notes
    -----
    Says where reports will come from, not where something will happen; and places that are visited
    more for being on the list bring more reports (Lum and Isaac 2016,
    doi:10.1111/j.1740-9713.2016.00960.x).
    """
    if not 2 <= held_out < len(counts) or held_out > MOST_HELD_OUT:
        raise ValueError(
            f"Of {len(counts)} steps {held_out} can not be held out: keep 2 to {MOST_HELD_OUT} to score "
            "on, and 1 or more before them."
        )
    chosen = max(1, round(share * len(cells)))
    steps = range(len(counts) - held_out, len(counts))
    hits = {
        name: np.array([_hits(counts[t], method(counts[:t], cells), chosen) for t in steps])
        for name, method in methods.items()
    }
    total = int(counts[steps.start :].sum())
    best = sum(float(np.sort(counts[t])[::-1][:chosen].sum()) for t in steps)
    scores = {}
    for name, found in hits.items():
        lead = found - hits[BASELINE]
        p = _p_of_lead(lead)
        scores[name] = Score(
            hits=float(found.sum()),
            pai=float(found.sum()) / total / (chosen / len(cells)) if total else np.nan,
            pei=float(found.sum()) / best if total else np.nan,
            lead=float(lead.mean()),
            p=p,
            beats_baseline=p <= BY_CHANCE / max(len(methods) - 1, 1),
        )
    better = [name for name, score in scores.items() if score.beats_baseline]
    method = max(better, key=lambda name: scores[name].hits, default=BASELINE)
    return WhereNext(method, methods[method](counts, cells), scores, held_out, chosen)


def _p_of_lead(lead: NDArray[np.float64]) -> float:
    """Give the part of all signs of the steps' leads with which they add up to as much or more."""
    signs = 1 - 2 * (np.arange(2 ** len(lead))[:, None] >> np.arange(len(lead)) & 1)
    sums = signs @ lead
    return float((sums >= sums[0] - _ROUNDING * np.abs(lead).sum()).mean())


def _hits(observed: NDArray[np.int64], predicted: NDArray[np.float64], chosen: int) -> float:
    """Count the reports in the chosen cells; where some tie for the last places, on average."""
    last = np.partition(predicted, len(predicted) - chosen)[len(predicted) - chosen]
    sure, tied = predicted > last, predicted == last
    left = chosen - np.count_nonzero(sure)
    return float(observed[sure].sum() + observed[tied].mean() * left)
