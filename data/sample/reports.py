"""The reports of the sample city: a background that follows streets and homes, and hot spots on top.

A report is drawn in this order: category, place, hour and day it occurred, when it was reported,
then what became of it. What would lie after the end of the sample has not happened yet, which is
why some reports are still open.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Point, Polygon

from data.sample.places import Places
from data.sample.sites import Site, Sites
from data.sample.tables import rows
from data.sample.truth import HotSpot, hot_spots
from geo.categories import BY_CODE, Setting
from geo.kinds import Kind, Severity
from geo.statuses import OPEN, Status

REPORTS = 3_000
DAYS = 730
DUPLICATES = 210
CITY_TIME = ZoneInfo("America/Chicago")

_SPANISH = 0.22
"""Share of reports written in Spanish."""

_HOURS = MappingProxyType(
    {
        # Relative rate of each hour of the day, from midnight.
        "day": "000001246788888764321000",
        "evening": "432111221000000012578975",
        "night": "875431000000001112346899",
        "overnight": "688876421100000001122345",
        "rush": "210000136521123479986543",
    }
)
_SEASONS = MappingProxyType(
    {
        # Relative rate of each month, from January.
        "even": "555555555555",
        "dark": "875432223678",
        "growing": "001369986410",
        "warm": "223456776432",
    }
)
_WEEKEND = 1.7
"""Nights from Friday to Sunday against other nights, for what happens by night."""
_BY_RESIDENTS = frozenset({Status.RECEIVED, Status.HELD, Status.VERIFIED})
"""Steps that come at any hour; the city works from 8 to 16 on weekdays."""
_ASIDE = (
    (Status.DECLINED, 0.03, "Nothing was found at this place."),
    (Status.NOT_OURS, 0.06, "Passed on to the office that looks after it."),
)
"""Ends that come instead of a repair, with the share up to which they are drawn."""
_NOT_TAKEN_UP = 0.14
"""Up to this share a report is confirmed, and nothing more happens."""
_WAYS = (
    ((Status.SCHEDULED, 0.35), (Status.IN_PROGRESS, 0.45), (Status.DONE, 0.2)),
    ((Status.IN_PROGRESS, 0.6), (Status.DONE, 0.4)),
    ((Status.DONE, 1.0),),
)
_WAY_SHARES = (0.7, 0.18, 0.12)
"""Ways from confirmed to done, each step with its part of the time."""
_REOPENED, _VERIFIED = 0.08, 0.55
_SUPPORTS = {Severity.MINOR: 0.8, Severity.SERIOUS: 2.0, Severity.DANGEROUS: 3.5}
"""Neighbours who would join in, on average, if a report stayed open for long."""
_DAY = 24 * 60
"""Minutes."""
_BEDTIME, _RISING = 23, 6
_OPENS, _CLOSES, _SATURDAY = 8, 16, 5
_ASLEEP = 0.75
"""Share of those who would report between bedtime and rising, but do it in the morning."""
_NEAR = 0.85
"""Part of its category's radius within which a duplicate lies."""


@dataclass(frozen=True, slots=True)
class Event:
    """A step in the timeline of a report."""

    at: datetime
    before: Status | None
    after: Status
    note: str = ""


@dataclass(frozen=True, slots=True)
class Support:
    """One "affects me too"."""

    supporter: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """A report with all that became of it.

    `address` is a corner or the nearest house, as a reporter gives it: what is public of it is for
    `geo.places` to say. `hot_spot` is the code of the
    hot spot it was planted for. `duplicate_of` is the number of the report it repeats, whether or
    not anybody has noticed.
    """

    number: int
    kind: Kind
    category: str
    severity: Severity
    geom: Point | LineString | Polygon
    address: str
    language: str
    description: str
    occurred_at: datetime
    reported_at: datetime
    events: tuple[Event, ...]
    supports: tuple[Support, ...]
    duplicate_of: int | None = None
    hot_spot: str | None = None

    @property
    def status(self) -> Status:
        """Where it stands at the end of the sample."""
        return self.events[-1].after

    @property
    def closed_at(self) -> datetime | None:
        """When it was last settled, and null while something is still to be done."""
        if self.status is Status.VERIFIED:
            return self.events[-2].at
        closed = {Status.DONE, Status.DUPLICATE, Status.DECLINED, Status.NOT_OURS}
        return self.events[-1].at if self.status in closed else None


@dataclass(frozen=True, slots=True)
class _Manner:
    """How reports of one category come about: a row of categories.csv."""

    category: str
    share: float
    place: str
    hours: str
    season: str
    days_to_confirm: float
    days_to_fix: float
    severity: tuple[float, ...]


def reports(
    made: Places, rng: np.random.Generator, until: datetime
) -> tuple[tuple[Report, ...], tuple[HotSpot, ...]]:
    """Write the reports of two years.

    Parameters
    ----------
    made : Places
    rng : numpy.random.Generator
    until : datetime
        End of the sample, with a time zone. Nothing happens after it.

    Returns
    -------
    tuple of (tuple of Report, tuple of HotSpot)
        Reports by number, in the order of time; hot spots with what was expected and planted.
    """
    return _Writer(made, rng, until).write()


class _Writer:
    def __init__(self, made: Places, rng: np.random.Generator, until: datetime) -> None:
        self.made, self.rng, self.until = made, rng, until
        self.written: list[tuple[Report, Site]] = []
        self.manners = {manner.category: manner for manner in _manners()}
        self.sites = Sites(made)
        self.texts: dict[tuple[str, str], list[str]] = {}
        for row in rows("descriptions"):
            self.texts.setdefault((row["category"], row["language"]), []).append(row["text"])
        self.day_rates = {season: self._day_rates(season) for season in _SEASONS}
        self.hour_rates = {name: _rates(digits) for name, digits in _HOURS.items()}
        self.inside: dict[tuple[str, str], NDArray[np.int64]] = {}

    def write(self) -> tuple[tuple[Report, ...], tuple[HotSpot, ...]]:
        spots = self._planted(list(hot_spots(self.made.grid)))
        count = REPORTS - DUPLICATES - sum(spot.planted for spot in spots)
        codes = sorted(self.manners)
        shares = _normal(np.array([self.manners[code].share for code in codes]))
        for code, number in zip(codes, self.rng.multinomial(count, shares).tolist(), strict=True):
            manner = self.manners[code]
            rates = self.sites.rates[manner.place]
            for index in self.rng.choice(len(rates), size=number, p=rates).tolist():
                self._report(manner, self.sites.site(manner.place, index))
        for spot in spots:
            self._plant(spot)
        for report, site in self._repeated():
            self._repeat(report, site)
        return self._numbered(), tuple(spots)

    def _planted(self, spots: Sequence[HotSpot]) -> list[HotSpot]:
        """Work out what chance would bring to each circle, and how much is put on top."""
        share = sum(manner.share for manner in self.manners.values())
        planted = []
        for spot in spots:
            expected = 0.0
            for code in spot.categories:
                manner = self.manners[code]
                inside = self._inside(spot, manner.place)
                period = self.day_rates[manner.season][
                    DAYS - spot.from_day : DAYS - spot.to_day
                ].sum()
                rate = self.sites.rates[manner.place][inside].sum()
                expected += REPORTS * manner.share / share * float(period) * float(rate)
            extra = int(self.rng.poisson(expected * (spot.factor - 1)))
            planted.append(replace(spot, expected=round(expected, 3), planted=extra))
        return planted

    def _inside(self, spot: HotSpot, place: str) -> NDArray[np.int64]:
        if (spot.code, place) not in self.inside:
            near = shapely.dwithin(self.sites.middles[place], spot.center, spot.radius_m)
            self.inside[spot.code, place] = np.flatnonzero(near)
        return self.inside[spot.code, place]

    def _plant(self, spot: HotSpot) -> None:
        codes = [
            code for code in spot.categories if len(self._inside(spot, self.manners[code].place))
        ]
        shares = _normal(np.array([self.manners[code].share for code in codes]))
        for code in self.rng.choice(codes, size=spot.planted, p=shares).tolist():
            manner = self.manners[code]
            inside = self._inside(spot, manner.place)
            rates = _normal(self.sites.rates[manner.place][inside])
            site = self.sites.site(manner.place, int(self.rng.choice(inside, p=rates)))
            self._report(manner, site, spot)

    def _report(self, manner: _Manner, site: Site, spot: HotSpot | None = None) -> None:
        occurred = self._occurred(manner, spot)
        reported = self._reported(manner, occurred)
        category = BY_CODE[manner.category]
        language, description = self._words(category.code, site)
        severity = tuple(Severity)[int(self.rng.choice(3, p=manner.severity))]
        events = self._events(manner, site, reported)
        self.written.append(
            (
                Report(
                    number=len(self.written),
                    kind=category.kind,
                    category=category.code,
                    severity=severity,
                    geom=self._placed(site, category.setting),
                    address=site.address,
                    language=language,
                    description=description,
                    occurred_at=occurred,
                    reported_at=reported,
                    events=events,
                    supports=self._supports(severity, events),
                    hot_spot=spot.code if spot else None,
                ),
                site,
            )
        )

    def _words(self, category: str, site: Site) -> tuple[str, str]:
        language = "es" if self.rng.random() < _SPANISH else "en"
        texts = self.texts[category, language]
        text = texts[int(self.rng.integers(len(texts)))]
        return language, text.format(street=site.street, cross=site.cross)

    def _placed(self, site: Site, setting: Setting) -> Point | LineString | Polygon:
        """People tap near the thing, not on it; a home is known by its address."""
        if setting is Setting.HOME or not isinstance(site.geom, Point):
            return site.geom
        return self._nearby(site.geom, 4.0)

    def _nearby(self, point: Point, by_m: float) -> Point:
        angle, radius = self.rng.uniform(0, 2 * np.pi), by_m * np.sqrt(self.rng.random())
        moved = Point(point.x + radius * np.cos(angle), point.y + radius * np.sin(angle))
        return moved if moved.within(self.made.city) else point

    def _day_rates(self, season: str) -> NDArray[np.float64]:
        """Share of each day of the sample, first day first; the city reports a little more now."""
        monthly = _rates(_SEASONS[season])
        days = [self.until - timedelta(days=DAYS - 0.5 - number) for number in range(DAYS)]
        rates = [
            monthly[day.month - 1] * (1 + 0.3 * number / DAYS) for number, day in enumerate(days)
        ]
        return _normal(np.array(rates))

    def _occurred(self, manner: _Manner, spot: HotSpot | None) -> datetime:
        from_day, to_day = (spot.from_day, spot.to_day) if spot else (DAYS, 0)
        first = (self.until - timedelta(days=from_day - 0.5)).astimezone(CITY_TIME)
        days = self.day_rates[manner.season][DAYS - from_day : DAYS - to_day].copy()
        if manner.hours in {"night", "overnight"}:
            weekdays = (np.arange(len(days)) + first.weekday()) % 7
            days[weekdays >= 4] *= _WEEKEND
        hours = self.hour_rates[manner.hours].copy()
        if spot and spot.hours:
            start, end = spot.hours
            clock = np.arange(24)
            within = (clock - start) % 24 < (end - start) % 24
            hours = np.where(within, np.maximum(hours, 1.0), 0.0)
        day = int(self.rng.choice(len(days), p=_normal(days)))
        at = (first + timedelta(days=day)).replace(
            hour=int(self.rng.choice(24, p=_normal(hours))),
            minute=int(self.rng.integers(0, 60)),
        )
        if at > self.until - timedelta(hours=1):
            at -= timedelta(days=1)
        return at.astimezone(UTC)

    def _reported(self, manner: _Manner, occurred: datetime) -> datetime:
        """Trouble by night is reported next morning; a condition when somebody has had enough."""
        by_night = manner.hours in {"night", "overnight", "rush"}
        wait = self.rng.exponential(420.0 if by_night else 1_800.0)
        at = (occurred + timedelta(minutes=round(wait))).astimezone(CITY_TIME)
        if (at.hour >= _BEDTIME or at.hour < _RISING) and self.rng.random() < _ASLEEP:
            morning = at + timedelta(days=1) if at.hour >= _BEDTIME else at
            at = morning.replace(hour=7, minute=0) + timedelta(
                minutes=int(self.rng.integers(0, 180))
            )
        at, left = at.astimezone(UTC), (self.until - occurred) // timedelta(minutes=1)
        hurried = occurred + timedelta(minutes=int(self.rng.integers(0, left - 1)))
        return at if at < self.until else hurried

    def _events(self, manner: _Manner, site: Site, reported: datetime) -> tuple[Event, ...]:
        """Follow the report along its way, up to the end of the sample."""
        return tuple(event for event in self._way(manner, site, reported) if event.at <= self.until)

    def _way(self, manner: _Manner, site: Site, reported: datetime) -> Iterator[Event]:
        rng, at = self.rng, reported
        status: Status | None = None

        def step(after: Status, days: float, note: str = "") -> Event:
            nonlocal at, status
            at += timedelta(minutes=round(days * _DAY))
            if after not in _BY_RESIDENTS:
                at = _at_work(at, int(rng.integers(0, 8 * 60)))
            event = Event(at, status, after, note)
            status = after
            return event

        slow = site.habits.delay
        if rng.random() < 0.015:
            yield step(Status.HELD, 0, "The text waits for a moderator.")
            yield step(Status.RECEIVED, float(rng.uniform(0.1, 2.0)))
        else:
            yield step(Status.RECEIVED, 0)
        fate = rng.random()
        confirm = float(rng.gamma(2.0, manner.days_to_confirm * slow / 2))
        for ending, below, note in _ASIDE:
            if fate < below:
                yield step(ending, confirm, note)
                return
        yield step(Status.CONFIRMED, confirm)
        if fate < _NOT_TAKEN_UP:
            return
        fix = float(manner.days_to_fix * slow * rng.lognormal(0.0, 0.7))
        for after, share in _WAYS[int(rng.choice(len(_WAYS), p=_WAY_SHARES))]:
            yield step(after, fix * share)
        if rng.random() < _REOPENED:
            found = float(rng.uniform(1, 15))
            yield step(Status.CONFIRMED, found, "People on the block say that it is not fixed.")
            yield step(Status.IN_PROGRESS, fix * 0.4)
            yield step(Status.DONE, fix * 0.3)
        if rng.random() < _VERIFIED:
            seen = float(rng.gamma(2.0, 4.0))
            yield step(Status.VERIFIED, seen, "People on the block say that it is fixed.")

    def _supports(self, severity: Severity, events: Sequence[Event]) -> tuple[Support, ...]:
        """Let neighbours join in for as long as the report is open."""
        reported = events[0].at
        settled = [event.at for event in events if event.after not in OPEN | {Status.HELD}]
        mean = _SUPPORTS[severity]
        waits = self.rng.exponential(9.0, size=int(self.rng.poisson(mean))).tolist()
        times = [reported + timedelta(minutes=round(wait * _DAY)) for wait in sorted(waits)]
        supporters = [hashlib.sha256(self.rng.bytes(16)).digest() for _ in times]
        return tuple(
            Support(supporter, at)
            for supporter, at in zip(supporters, times, strict=True)
            if at < min([*settled, self.until])
        )

    def _repeated(self) -> list[tuple[Report, Site]]:
        """Choose the reports that somebody else makes again."""
        early = self.until - timedelta(days=2)
        chosen = [
            (report, site)
            for report, site in self.written
            if isinstance(report.geom, Point) and report.reported_at < early
        ]
        drawn = self.rng.choice(len(chosen), size=DUPLICATES, replace=False)
        return [chosen[index] for index in np.sort(drawn)]

    def _repeat(self, first: Report, site: Site) -> None:
        assert isinstance(first.geom, Point)
        left = (self.until - first.reported_at) // timedelta(minutes=1)
        wait = int(self.rng.integers(60, min(12 * _DAY, left)))
        reported = first.reported_at + timedelta(minutes=wait)
        noticed = reported + timedelta(minutes=int(self.rng.integers(120, 4 * _DAY)))
        seen = reported - timedelta(minutes=int(self.rng.integers(5, 600)))
        events = [Event(reported, None, Status.RECEIVED)]
        if noticed <= self.until:
            note = "The same thing was reported before."
            events.append(Event(noticed, Status.RECEIVED, Status.DUPLICATE, note))
        language, description = self._words(first.category, site)
        again = replace(
            first,
            number=len(self.written),
            geom=self._nearby(first.geom, _NEAR * BY_CODE[first.category].duplicate_radius_m),
            language=language,
            description=description,
            occurred_at=max(first.occurred_at, seen),
            reported_at=reported,
            events=tuple(events),
            supports=(),
            duplicate_of=first.number,
            hot_spot=None,
        )
        self.written.append((again, site))

    def _numbered(self) -> tuple[Report, ...]:
        """Give the reports their numbers from 1, in the order in which they came in."""
        ordered = sorted(
            (report for report, _ in self.written),
            key=lambda report: (report.reported_at, report.number),
        )
        numbers = {report.number: place for place, report in enumerate(ordered, start=1)}
        return tuple(
            replace(
                report,
                number=numbers[report.number],
                duplicate_of=None if report.duplicate_of is None else numbers[report.duplicate_of],
            )
            for report in ordered
        )


def _at_work(at: datetime, minutes: int) -> datetime:
    """Put off to the next hour of work what would come by night or at a weekend."""
    local = at.astimezone(CITY_TIME)
    if local.weekday() < _SATURDAY and _OPENS <= local.hour < _CLOSES:
        return at
    if local.hour >= _CLOSES:
        local += timedelta(days=1)
    while local.weekday() >= _SATURDAY:
        local += timedelta(days=1)
    opened = local.replace(hour=_OPENS, minute=0) + timedelta(minutes=minutes)
    return opened.astimezone(UTC)


def _manners() -> Iterator[_Manner]:
    for row in rows("categories"):
        severity = np.array([float(part) for part in row["severity"].split()])
        yield _Manner(
            row["category"],
            float(row["share"]),
            row["place"],
            row["hours"],
            row["season"],
            float(row["days_to_confirm"]),
            float(row["days_to_fix"]),
            tuple((severity / severity.sum()).tolist()),
        )


def _rates(digits: str) -> NDArray[np.float64]:
    return np.array([float(digit) for digit in digits])


def _normal(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = weights / weights.sum()
    return result
