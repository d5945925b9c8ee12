"""What to fix first: levels of factors, their points by published weights, and ranks with how sure they are.

Each factor of a need has a level from 0 to 1. Its points are its share of the weights, times 100, times the
level; the score is the sum of the points, so it can be taken apart again and explained. Every threshold
below is a judgement, written down and shown to everybody on /priorities.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.kinds import Kind

SEED = 20261122
DRAWS = 100
SPREAD = 0.25
"""Weights are shaken this many times, each by about a quarter up or down, the same way every time."""

SURE = 0.9
"""Share of the draws whose ranks lie in the interval."""


class Factor(StrEnum):
    """What counts for a need."""

    HAZARD = "hazard"
    FAULT = "fault"
    RUN = "run"
    NEAR = "near"
    AGE = "age"
    VOICES = "voices"
    HOUSEHOLDS = "households"
    NIGHT = "night"
    GENERATORS = "generators"
    STREET = "street"
    REPEATED = "repeated"
    EQUITY = "equity"


_COMMON = (
    Factor.AGE,
    Factor.VOICES,
    Factor.HOUSEHOLDS,
    Factor.NIGHT,
    Factor.GENERATORS,
    Factor.STREET,
    Factor.REPEATED,
    Factor.EQUITY,
)
FACTORS: Mapping[Kind, tuple[Factor, ...]] = MappingProxyType(
    {
        Kind.LIGHTING: (Factor.HAZARD, Factor.FAULT, Factor.RUN, *_COMMON),
        Kind.CLEANUP: (Factor.HAZARD, Factor.FAULT, Factor.NEAR, *_COMMON),
    }
)
"""The factors of each kind that has a queue, in the order in which parts are stored and shown."""

FAULTS: Mapping[str, float] = MappingProxyType(
    {
        "light_out": 1.0,
        "block_dark": 1.0,
        "light_damaged": 1.0,
        "light_flickers": 0.5,
        "light_blocked": 0.5,
        "light_needed": 0.5,
        "light_day_burner": 0.0,
        "sign_damaged": 1.0,
        "dumping": 0.8,
        "abandoned_vehicle": 0.6,
        "private_trash": 0.5,
        "overgrowth": 0.5,
        "litter": 0.4,
        "vacant_lot": 0.4,
        "graffiti": 0.3,
    }
)
"""Level of `Factor.FAULT` by category: how dark a light leaves the place, how much harm a mess does."""

RUN_LIGHTS = 3
"""Dark lights in a row that count in full: London, Ontario, mends three in 7 days instead of 28."""

DARK_SHARE, DARK_AROUND_M, FEWEST_AROUND = 0.3, 500.0, 10
"""Share of the lights within half a kilometre that counts in full, likewise; of fewer lights none is told."""

NEAR_M, MANY_NEAR = 100.0, 4
AGE_TARGETS = 8.0
"""Times its target after which age counts in full; at its target it counts a third, at twice that a half."""

# What counts in full, from here on, cites nothing where it names no source: it is a judgement, as the
# weights are, and stands on the public page beside them.

INTEREST = 4.0
"""Times the usual number of reports that counts in full."""

HOMES_M, MANY_HOMES = 100.0, 80.0
GENERATORS_M, MANY_GENERATORS = 150.0, 4.0
NIGHT_SILENT_P, NIGHT_FULL_P = 0.1, 0.0001
"""Chance above which incidents at night count nothing, and below which they count in full."""

STREET_M = 60.0
STREET_LEVELS = (1.0, 0.6, 0.2)
"""Levels of a highway or boulevard, an arterial, and a local street, as `Street.rank` numbers them."""

MANY_FAILURES = 2
WAIT_TIMES = 2.0
"""Times the city's wait at which a neighbourhood's counts in full."""

MOST_UNSEEN_DAYS = 30.0
"""Days that are added at most for a neighbourhood where reports come late."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What was measured of n needs of one kind: a column of numbers each, NaN where it was not measured.

    Attributes
    ----------
    hazard : ndarray of float
        1 where it is dangerous.
    fault : ndarray of float
        As `FAULTS` has it.
    run : ndarray of float
        Dark lights in its row, itself included: 1 stands alone, 0 is no dark light.
    dark_share : ndarray of float
        Share of the lights around that are dark.
    near : ndarray of float
        Other open needs of the kind within `NEAR_M`.
    waited : ndarray of float
        Working days since its first report.
    unseen : ndarray of float
        Days by which reports of its neighbourhood come later than the city's.
    target : ndarray of float
        Working days in which it should be done.
    voices : ndarray of float
        Neighbours who reported it, or said that it affects them too.
    usual : ndarray of float
        How many would have followed the first by now in its neighbourhood, on average.
    households : ndarray of float
        Homes within `HOMES_M`.
    night_p : ndarray of float
        Chance of as many incidents after dark around it, or more, if they fell anywhere.
    night_seen, night_usual : ndarray of float
        How many those are, and how many chance alone would put there.
    night_police : ndarray of float
        1 where those are police records, 0 where they are residents' reports.
    generators : ndarray of float
        Places within `GENERATORS_M` that people walk to: 1 for each that is open after dark, else 1/2.
    street : ndarray of float
        Rank of its street, 1 for the widest.
    failed : ndarray of float
        Times it was fixed in the two years before.
    wait : ndarray of float
        How many times as long as in the whole city its neighbourhood waits for work to be done.
    """

    hazard: NDArray[np.float64]
    fault: NDArray[np.float64]
    run: NDArray[np.float64]
    dark_share: NDArray[np.float64]
    near: NDArray[np.float64]
    waited: NDArray[np.float64]
    unseen: NDArray[np.float64]
    target: NDArray[np.float64]
    voices: NDArray[np.float64]
    usual: NDArray[np.float64]
    households: NDArray[np.float64]
    night_p: NDArray[np.float64]
    night_seen: NDArray[np.float64]
    night_usual: NDArray[np.float64]
    night_police: NDArray[np.float64]
    generators: NDArray[np.float64]
    street: NDArray[np.float64]
    failed: NDArray[np.float64]
    wait: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.hazard)

    def written(self) -> list[dict[str, float | None]]:
        """Give the facts of each need as JSON takes them: None where not measured."""
        columns = {
            field.name: [
                None if value != value else value  # noqa: PLR0124 (only NaN is not itself)
                for value in np.round(getattr(self, field.name), 6).tolist()
            ]
            for field in fields(self)
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def read_facts(written: Mapping[str, float | None]) -> Facts:
    """Read the facts of one need as `Facts.written` gives them."""
    return Facts(
        **{
            field.name: np.array([written[field.name]], np.float64)  # None becomes NaN
            for field in fields(Facts)
        }
    )


def _share(value: NDArray[np.float64], full: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(np.nan_to_num(value / full, nan=0.0), 0.0, 1.0)


def interest(voices: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how many times the usual number of neighbours spoke up; 1 where silence says nothing.

    theta = (1 + y) / (1 + lambda D) with y voices after the first: the mean, after y reports in D days, of
    a factor on the neighbourhood's rate lambda that is Gamma(1, 1) before. Where people rarely report,
    lambda D is near 0 and no report is no evidence: theta stays at 1. Where they often do, silence is.

    Parameters
    ----------
    voices : ndarray of float
        The first report included.
    usual : ndarray of float
        lambda D: reports that follow the first on average; NaN where no rate is known, taken as 0.

    Returns
    -------
    ndarray of float
        Above 0.
    """
    return np.asarray(np.maximum(voices, 1.0) / (1.0 + np.nan_to_num(usual, nan=0.0)))


def _run(facts: Facts) -> NDArray[np.float64]:
    in_a_row = _share(facts.run - 1, RUN_LIGHTS - 1)
    return np.maximum(in_a_row, _share(facts.dark_share, DARK_SHARE))


def _age(facts: Facts) -> NDArray[np.float64]:
    targets = np.maximum(facts.waited + np.nan_to_num(facts.unseen), 0.0) / facts.target
    return _share(np.log2(1 + targets), np.log2(1 + AGE_TARGETS))


def _voices(facts: Facts) -> NDArray[np.float64]:
    return _share(np.log2(1 + interest(facts.voices, facts.usual)), np.log2(1 + INTEREST))


def _night(facts: Facts) -> NDArray[np.float64]:
    chance = np.maximum(facts.night_p, NIGHT_FULL_P)
    return _share(np.log(NIGHT_SILENT_P / chance), np.log(NIGHT_SILENT_P / NIGHT_FULL_P))


def _street(facts: Facts) -> NDArray[np.float64]:
    ranks = np.arange(1.0, len(STREET_LEVELS) + 1)
    return np.nan_to_num(np.interp(facts.street, ranks, STREET_LEVELS))


_LEVELS: Mapping[Factor, Callable[[Facts], NDArray[np.float64]]] = MappingProxyType(
    {
        Factor.HAZARD: lambda facts: _share(facts.hazard, 1.0),
        Factor.FAULT: lambda facts: _share(facts.fault, 1.0),
        Factor.RUN: _run,
        Factor.NEAR: lambda facts: _share(facts.near, MANY_NEAR),
        Factor.AGE: _age,
        Factor.VOICES: _voices,
        Factor.HOUSEHOLDS: lambda facts: _share(facts.households, MANY_HOMES),
        Factor.NIGHT: _night,
        Factor.GENERATORS: lambda facts: _share(facts.generators, MANY_GENERATORS),
        Factor.STREET: _street,
        Factor.REPEATED: lambda facts: _share(facts.failed, MANY_FAILURES),
        Factor.EQUITY: lambda facts: _share(facts.wait - 1, WAIT_TIMES - 1),
    }
)


def levels(kind: Kind, facts: Facts) -> NDArray[np.float64]:
    """Give the level of each factor of the kind.

    Parameters
    ----------
    kind : Kind
        One of `FACTORS`.
    facts : Facts
        Of n needs.

    Returns
    -------
    ndarray of float, shape (n, factors of the kind)
        From 0 to 1; what was not measured counts nothing.
    """
    return np.column_stack([_LEVELS[factor](facts) for factor in FACTORS[kind]])


def read_weights(written: Mapping[str, Mapping[str, Any]]) -> dict[Kind, NDArray[np.float64]]:
    """Read weights as they are published.

    Parameters
    ----------
    written : mapping of str to mapping of str to number
        Of each kind of `FACTORS`, of each of its factors.

    Returns
    -------
    dict of Kind to ndarray of float
        In the order of `FACTORS`.

    Raises
    ------
    ValueError
        Where a kind or factor is missing or unknown, a weight is no number from 0 to 100, or all of a
        kind are 0.
    """
    if {*written} != {*FACTORS}:
        raise ValueError(f"Give weights for {' and '.join(FACTORS)}.")
    found: dict[Kind, NDArray[np.float64]] = {}
    for kind, factors in FACTORS.items():
        if {*written[kind]} != {*factors}:
            raise ValueError(f"Give a weight for each of {', '.join(factors)}, and no other.")
        weights = np.array([written[kind][factor] for factor in factors], np.float64)
        if not ((weights >= 0) & (weights <= 100)).all() or not weights.any():
            raise ValueError("A weight is a number from 0 to 100, and not all of them are 0.")
        found[kind] = weights
    return found


def shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the points of each factor at its highest level: 100 in all."""
    return np.asarray(100 * weights / weights.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Where n needs stand.

    Attributes
    ----------
    parts : ndarray of float, shape (n, factors)
        Points.
    score : ndarray of float
        Their sum, from 0 to 100.
    rank : ndarray of int64
        From 1, the highest score first; of equals, the one that is open longer.
    low, high : ndarray of int64
        Between which numbers the rank is in `SURE` of the draws. They hold the rank.
    """

    parts: NDArray[np.float64]
    score: NDArray[np.float64]
    rank: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]


def _sums(parts: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    # Added one after the other, so that a score does not hang on which needs stand beside it.
    total = np.asarray(parts[0] * times[0], np.float64)
    for part, by in zip(parts[1:], times[1:], strict=True):
        total += part * by
    return total


def ranks(
    levels: NDArray[np.float64],
    weights: NDArray[np.float64],
    opened: NDArray[np.float64],
    ids: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Give the ranks alone, from 1. The parameters are those of `ranked`."""
    score = np.minimum(_sums((levels * shares(weights)).T, np.ones(len(weights))), 100.0)
    return _inverse(np.lexsort((ids, opened, -score)))


def ranked(
    levels: NDArray[np.float64],
    weights: NDArray[np.float64],
    opened: NDArray[np.float64],
    ids: NDArray[np.int64],
    *,
    seed: int = SEED,
    draws: int = DRAWS,
) -> Ranking:
    """Rank needs, and say between which ranks each would be if the weights were a little other.

    Each draw multiplies every weight by exp(x), x normal with standard deviation `SPREAD`, and ranks anew.

    Parameters
    ----------
    levels : ndarray of float, shape (n, f)
        From 0 to 1.
    weights : ndarray of float, shape (f,)
    opened : ndarray of float, shape (n,)
        When each was opened, in any unit: decides between equals.
    ids : ndarray of int64, shape (n,)
        Decide between those opened at the same moment.
    seed, draws : int

    Returns
    -------
    Ranking
        In the order given, which has no part in it.

    Notes
    -----
    The interval says how much the rank hangs on the weights, which are judgements. It does not hold what
    is not measured, nor errors of what is.
    """
    n, factors = levels.shape
    points = shares(weights)
    parts = levels * points
    score = np.minimum(_sums(parts.T, np.ones(factors)), 100.0)
    first = np.lexsort((ids, opened, -score))
    rank = _inverse(first)
    shaken = np.exp(np.random.default_rng(seed).normal(0.0, SPREAD, (draws, factors)))
    columns = np.ascontiguousarray(parts[first].T)
    ranks = np.empty((draws, n), np.int32)
    for drawn, times in zip(ranks, shaken, strict=True):
        drawn[_falling(_sums(columns, times))] = np.arange(1, n + 1)
    outside = round((1 - SURE) / 2 * (draws - 1))
    ranks.sort(axis=0)  # four times as fast as a partition
    return Ranking(
        parts=parts,
        score=score,
        rank=rank,
        low=np.minimum(ranks[outside][rank - 1], rank),
        high=np.maximum(ranks[draws - 1 - outside][rank - 1], rank),
    )


def _falling(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the order from the highest score down; equals keep theirs.

    Score and place are put into one whole number each, since NumPy sorts those twenty times as fast as it
    finds the order of fractions. Scores are told apart to the ten thousand millionth of a point or so.
    """
    bits = max(len(scores) - 1, 1).bit_length()
    high = 2.0 ** (62 - bits) / max(float(scores.max(initial=0.0)), 1.0)
    keys = ((scores.max(initial=0.0) - scores) * high).astype(np.int64) << bits
    keys |= np.arange(len(scores))
    keys.sort()
    return np.asarray(keys & ((1 << bits) - 1))


def _inverse(order: NDArray[np.int64]) -> NDArray[np.int64]:
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return rank


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that may happen to a need, and the score it would have then.

    Attributes
    ----------
    factor : Factor
    by : int
        How much of it: neighbours, lights, places.
    score : float
    """

    factor: Factor
    by: int
    score: float


_TURNS: Mapping[Factor, tuple[str, int]] = MappingProxyType(
    {
        Factor.HAZARD: ("hazard", 1),
        Factor.RUN: ("run", 1),
        Factor.NEAR: ("near", 1),
        Factor.VOICES: ("voices", 3),
    }
)
"""What can happen to one open need alone: homes and streets around it stay, and all of them grow older."""


def turns(kind: Kind, facts: Facts, weights: NDArray[np.float64]) -> tuple[Turn, ...]:
    """Say what would raise the score of one need, and to what.

    Parameters
    ----------
    kind : Kind
    facts : Facts
        Of one need.
    weights : ndarray of float

    Returns
    -------
    tuple of Turn
        The one that raises it most first; what would change nothing is left out.
    """
    points = shares(weights)

    def score(of: Facts) -> float:
        return min(float(_sums((levels(kind, of) * points).T, np.ones(len(points)))[0]), 100.0)

    now = score(facts)
    found = []
    for factor in FACTORS[kind]:
        if factor is Factor.RUN and not facts.run[0] > 0:
            continue  # what is no dark light stands in no row
        if factor in _TURNS:
            column, by = _TURNS[factor]
            then = score(replace(facts, **{column: getattr(facts, column) + by}))
            if then > now:
                found.append(Turn(factor, by, then))
    return tuple(sorted(found, key=lambda turn: -turn.score))


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """What other weights would change.

    Attributes
    ----------
    before, after : ndarray of int64, shape (n,)
        Ranks.
    gained, lost : ndarray of int64, shape (groups,)
        How many needs of each group come among the first, or leave them.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    gained: NDArray[np.int64]
    lost: NDArray[np.int64]


def moved(
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    groups: NDArray[np.int64],
    count: int,
    *,
    among: int,
) -> Moved:
    """Compare two rankings of the same needs.

    Parameters
    ----------
    before, after : ndarray of int64, shape (n,)
    groups : ndarray of int64, shape (n,)
        The neighbourhood of each, from 0 to before `count`.
    count : int
    among : int
        How many are the first: what is likely to be fixed next.

    Returns
    -------
    Moved
    """
    was, comes = before <= among, after <= among
    return Moved(
        before,
        after,
        np.bincount(groups[comes & ~was], minlength=count),
        np.bincount(groups[was & ~comes], minlength=count),
    )
