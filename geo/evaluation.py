"""Whether an action worked: fewer reports than there would have been, or too few to tell.

Where the worst place was chosen for the action, reports would have fallen without it too (regression to
the mean): show that beside every figure, and match controls that were as bad.
"""

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

POWER = 0.8
"""How often a change of the detectable size would be seen, if it were there."""


class Outcome(StrEnum):
    """What can be said of an action."""

    FEWER = "fewer"
    """Fewer reports than there would have been; chance alone is an unlikely reason."""

    MORE = "more"
    """More reports than there would have been, likewise."""

    NO_CLEAR_CHANGE = "no_clear_change"
    """A large enough change would have been seen, and was not."""

    TOO_FEW = "too_few"
    """Too few reports to tell: even none at all after the action would not have stood out."""


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """Reports of an area before and after.

    Attributes
    ----------
    before, after : int
    before_weight, after_weight : float
        By how much longer the period, or larger the area, was than those it is compared with.
    """

    before: int
    after: int
    before_weight: float = 1.0
    after_weight: float = 1.0

    @property
    def rates(self) -> tuple[float, float]:
        """Reports before and after, made comparable by the weights."""
        return self.before / self.before_weight, self.after / self.after_weight

    @property
    def change(self) -> float:
        """Comparable reports after, less those before."""
        return self.rates[1] - self.rates[0]

    @property
    def variance(self) -> float:
        """Of the change, if reports come one by one (Poisson)."""
        return self.before / self.before_weight**2 + self.after / self.after_weight**2


NOTHING = BeforeAfter(0, 0)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the limits between which the true value is expected."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """What came of an action.

    Attributes
    ----------
    outcome : Outcome
    wdd : Interval
        Weighted displacement difference: reports more (below 0: fewer) than there would have been,
        those pushed into the buffer counted.
    wdd_error : float
        Its standard error.
    z : float
        0 where there are no reports at all.
    expected_after : float
        Reports after the action there would have been, had the area changed as its control did.
    detectable : float
        The smallest fall that would be seen four times out of five (`POWER`); more than
        `expected_after` where none would.
    irr : Interval or None
        Rate ratio: treated after over before, over the same of the control. None where a count is 0.
    wdq : float or None
        Weighted displacement quotient: above 0 the buffer gained too (diffusion), below 0 reports moved
        there (displacement), below -1 more than the action saved. None where the area did not do
        better than its control, or without a buffer: then there is nothing to displace.
    tne : float or None
        Total net effect: reports avoided in area and buffer, by the ratio of the control.
    confidence : float
        Of the intervals.
    """

    outcome: Outcome
    wdd: Interval
    wdd_error: float
    z: float
    expected_after: float
    detectable: float
    irr: Interval | None
    wdq: float | None
    tne: float | None
    confidence: float

    @property
    def can_tell(self) -> bool:
        """Whether a fall that is possible at all would be seen four times out of five."""
        return 0 < self.detectable <= self.expected_after


def assess(
    treated: BeforeAfter,
    control: BeforeAfter,
    spill_over: BeforeAfter = NOTHING,
    spill_over_control: BeforeAfter = NOTHING,
    *,
    overdispersion: float = 1.0,
    confidence: float = 0.95,
) -> Assessment:
    """Compare an area before and after with a control that was left alone.

    Parameters
    ----------
    treated, control : BeforeAfter
    spill_over, spill_over_control : BeforeAfter
        The buffer around the treated area, and its own control.
    overdispersion : float
        By how much reports vary more than Poisson, from before the action (`overdispersion`).
    confidence : float

    Returns
    -------
    Assessment

    References
    ----------
    WDD: Wheeler and Ratcliffe (2018), doi:10.1186/s40163-018-0085-5. WDQ: Bowers and Johnson (2003),
    doi:10.1023/A:1024909009240. TNE: Guerette (2009), "Analyzing crime displacement and diffusion".

    Examples
    --------
    >>> assess(BeforeAfter(50, 30), BeforeAfter(60, 55)).wdd.value
    -15.0
    """
    wdd = treated.change - control.change + spill_over.change - spill_over_control.change
    others = control.variance + spill_over.variance + spill_over_control.variance
    error = math.sqrt(overdispersion * (treated.variance + others))
    reach = _normal_quantile((1 + confidence) / 2)
    estimate = Interval(wdd, wdd - reach * error, wdd + reach * error)

    expected = max(0.0, treated.rates[0] + control.change)
    unit = overdispersion / treated.after_weight
    unchanged = (
        overdispersion * (treated.before / treated.before_weight**2 + others) + unit * expected
    )
    if estimate.high < 0:
        outcome = Outcome.FEWER
    elif estimate.low > 0:
        outcome = Outcome.MORE
    elif _detectable(unchanged, unit, reach) >= expected:
        outcome = Outcome.TOO_FEW
    else:
        outcome = Outcome.NO_CLEAR_CHANGE
    return Assessment(
        outcome=outcome,
        wdd=estimate,
        wdd_error=error,
        z=wdd / error if error else 0.0,
        expected_after=expected * treated.after_weight,
        detectable=treated.after_weight
        * _detectable(unchanged, unit, reach + _normal_quantile(POWER)),
        irr=_rate_ratio(treated, control, overdispersion, reach),
        wdq=_displacement_quotient(treated, control, spill_over),
        tne=_net_effect(treated, control, spill_over),
        confidence=confidence,
    )


def outlook(
    treated: int,
    control: int,
    spill_over: int = 0,
    spill_over_control: int = 0,
    *,
    before_weight: float = 1.0,
    controls: int = 1,
    overdispersion: float = 1.0,
) -> Assessment:
    """Say before an action what could be seen of it afterwards, from the reports there were so far.

    Parameters
    ----------
    treated, control, spill_over, spill_over_control : int
        Reports before; those of controls summed up.
    before_weight : float
        By how much longer the period before is than the one after.
    controls : int
        Places that the control consists of.
    overdispersion : float

    Returns
    -------
    Assessment
        As if nothing changed. `expected_after` and `detectable` are what to look at: a smaller fall is
        not to be seen, and none at all where it is more than what is expected.
    """

    def unchanged(before: int, places: int) -> BeforeAfter:
        return BeforeAfter(before, round(before / before_weight), before_weight * places, places)

    return assess(
        unchanged(treated, 1),
        unchanged(control, controls),
        unchanged(spill_over, 1),
        unchanged(spill_over_control, controls),
        overdispersion=overdispersion,
    )


def seasonal_overlap(before: tuple[date, date], after: tuple[date, date]) -> float:
    """Say how far two periods cover the same months of the year.

    Parameters
    ----------
    before, after : tuple of (date, date)
        First and last day.

    Returns
    -------
    float
        1 where both spread alike over the months, 0 where they have no month in common.

    Examples
    --------
    >>> year, summer = (date(2025, 1, 1), date(2025, 12, 31)), (date(2026, 6, 1), date(2026, 8, 31))
    >>> round(seasonal_overlap(year, year), 2), round(seasonal_overlap(year, summer), 2)
    (1.0, 0.25)
    """

    def shares(period: tuple[date, date]) -> NDArray[np.float64]:
        days = np.arange(np.datetime64(period[0], "D"), np.datetime64(period[1], "D") + 1)
        months = days.astype("datetime64[M]").astype(np.int64) % 12
        return np.bincount(months, minlength=12) / len(days)

    return float(np.minimum(shares(before), shares(after)).sum())


def overdispersion(before: NDArray[np.int64]) -> float:
    """Say by how much reports vary more than Poisson, from before an action.

    Parameters
    ----------
    before : ndarray of int, shape (places, periods)
        Reports of treated and control places.

    Returns
    -------
    float
        Pearson's chi-square over its degrees of freedom, for counts that are the product of a level of
        the place and one of the period; at least 1. 1 where there is too little to tell.
    """
    total = before.sum()
    degrees = (before.shape[0] - 1) * (before.shape[1] - 1)
    if not total or not degrees:
        return 1.0
    expected = before.sum(axis=1, keepdims=True) * before.sum(axis=0, keepdims=True) / total
    off = np.where(expected > 0, (before - expected) ** 2 / np.where(expected > 0, expected, 1), 0)
    return max(1.0, float(off.sum() / degrees))


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """Places as like the treated ones as there are.

    Attributes
    ----------
    places : ndarray of int64, shape (treated, each)
        Numbers of the controls of each treated place, the most alike first.
    distance : ndarray of float, shape (treated, each)
        How unlike they are, in standard errors: two places that differ by chance alone are about 2
        apart. Do not use controls far beyond.
    """

    places: NDArray[np.int64]
    distance: NDArray[np.float64]


def matched_controls(
    before: NDArray[np.int64],
    treated: NDArray[np.int64],
    candidates: NDArray[np.int64],
    *,
    each: int = 1,
) -> Controls:
    """Choose places that had as many reports as the treated ones, and as steep a trend.

    Parameters
    ----------
    before : ndarray of int, shape (places, periods)
        Reports before the action, in periods of the same length: at least two.
    treated, candidates : ndarray of int
        Numbers of places. Leave the spill-over buffer out of the candidates.
    each : int
        Controls for each treated place. None is used twice; the places with the most reports choose
        first.

    Returns
    -------
    Controls

    Raises
    ------
    ValueError
        Where there are too few candidates or periods, or a treated place is among them.
    """
    if before.shape[1] < 2:
        raise ValueError("A trend takes at least two periods before the action.")
    if np.isin(treated, candidates).any():
        raise ValueError("A treated place can not be its own control: leave it out.")
    if len(candidates) < each * len(treated):
        raise ValueError(
            f"{each * len(treated)} controls are needed, and there are {len(candidates)} places to "
            "choose from. Widen the area, or take fewer for each."
        )
    total, time = before.sum(axis=1), np.arange(before.shape[1]) - (before.shape[1] - 1) / 2
    # Both have a variance of 1 where counts are Poisson, so that distances are in standard errors.
    level = 2 * np.sqrt(total + 3 / 8)
    trend = (before @ time) / np.sqrt(np.maximum(total, 1) * (time**2).mean())
    free = np.sort(candidates)
    places = np.empty((len(treated), each), np.int64)
    distance = np.empty(places.shape)
    for row in np.lexsort((treated, -total[treated])).tolist():
        mine = treated[row]
        apart = np.hypot(level[free] - level[mine], trend[free] - trend[mine])
        nearest = np.argsort(apart, kind="stable")[:each]
        places[row], distance[row] = free[nearest], apart[nearest]
        free = np.delete(free, nearest)
    return Controls(places, distance)


def spill_over_buffer(
    treated: BaseGeometry, width_m: float, served: BaseGeometry | None = None
) -> BaseGeometry:
    """Give the ring around a treated area into which its problems, or its gains, may spill.

    Parameters
    ----------
    treated : shapely Polygon or MultiPolygon
        In a projected CRS, in metres.
    width_m : float
    served : shapely Polygon or MultiPolygon, optional
        From where reports can come; the ring ends there.

    Returns
    -------
    shapely geometry
    """
    ring = treated.buffer(width_m).difference(treated)
    return ring if served is None else ring.intersection(served)


def _normal_quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)


def _detectable(unchanged: float, unit: float, reach: float) -> float:
    """Give the fall f with f = reach times the error there is after it: variance less f times unit."""
    squared = reach * reach
    fall = (math.sqrt((squared * unit) ** 2 + 4 * squared * unchanged) - squared * unit) / 2
    return float(fall)


def _rate_ratio(
    treated: BeforeAfter, control: BeforeAfter, overdispersion: float, reach: float
) -> Interval | None:
    reports = (treated.before, treated.after, control.before, control.after)
    if not all(reports):
        return None
    ratio = (treated.rates[1] / treated.rates[0]) / (control.rates[1] / control.rates[0])
    spread = math.exp(reach * math.sqrt(overdispersion * sum(1 / count for count in reports)))
    return Interval(ratio, ratio / spread, ratio * spread)


def _displacement_quotient(
    treated: BeforeAfter, control: BeforeAfter, spill_over: BeforeAfter
) -> float | None:
    before, after = control.rates
    if spill_over == NOTHING or not (before and after):
        return None
    gain = treated.rates[1] / after - treated.rates[0] / before
    if gain >= 0:
        return None
    return (spill_over.rates[1] / after - spill_over.rates[0] / before) / gain


def _net_effect(
    treated: BeforeAfter, control: BeforeAfter, spill_over: BeforeAfter
) -> float | None:
    before, after = control.rates
    if not before:
        return None
    return sum(area.rates[0] * after / before - area.rates[1] for area in (treated, spill_over))
