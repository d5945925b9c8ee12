"""Meetings that recur: their rules, their dates and their words, and the calendar file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_day_names
from dateutil.rrule import rrulestr
from icalendar import Calendar, Event, vRecur

from data.queries.associations import PlannedMeeting
from geo.categories import N_
from server.languages import Language

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

MONTHLY_WORDS: dict[int, str] = {
    1: N_("First {weekday} of each month"),
    2: N_("Second {weekday} of each month"),
    3: N_("Third {weekday} of each month"),
    4: N_("Fourth {weekday} of each month"),
    -1: N_("Last {weekday} of each month"),
}


class Repeats(StrEnum):
    """How often a meeting recurs, counted from its first date."""

    ONCE = "once"
    WEEKLY = "weekly"
    FORTNIGHTLY = "fortnightly"
    MONTHLY = "monthly"
    MONTHLY_LAST = "monthly_last"


class NotTheLast(ValueError):  # noqa: N818 (it is the name of what happened)
    """The first date is not the last such weekday of its month."""


def rule(repeats: Repeats, first: date) -> str:
    """Give the RRULE (RFC 5545) of meetings that begin on a day.

    Parameters
    ----------
    repeats : Repeats
    first : date
        Decides on the weekday, and on which of the month it is.

    Returns
    -------
    str
        Empty for once. A fifth weekday, which few months have, is read as the last.

    Raises
    ------
    NotTheLast
    """
    day = _DAYS[first.weekday()]
    is_last = (first + timedelta(days=7)).month != first.month
    match repeats:
        case Repeats.ONCE:
            return ""
        case Repeats.WEEKLY:
            return f"FREQ=WEEKLY;BYDAY={day}"
        case Repeats.FORTNIGHTLY:
            return f"FREQ=WEEKLY;INTERVAL=2;BYDAY={day}"
        case Repeats.MONTHLY:
            week = (first.day + 6) // 7
            return f"FREQ=MONTHLY;BYDAY={week if week < 5 else -1}{day}"
        case Repeats.MONTHLY_LAST:
            if not is_last:
                raise NotTheLast
            return f"FREQ=MONTHLY;BYDAY=-1{day}"


def repeats_of(rrule: str) -> Repeats:
    """Tell how often a meeting with this rule recurs."""
    if not rrule:
        return Repeats.ONCE
    if rrule.startswith("FREQ=WEEKLY"):
        return Repeats.FORTNIGHTLY if "INTERVAL=2" in rrule else Repeats.WEEKLY
    return Repeats.MONTHLY_LAST if "BYDAY=-1" in rrule else Repeats.MONTHLY


def said(rrule: str, language: Language) -> str:
    """Say a rule in words, such as "Second Tuesday of each month"; empty for once."""
    if not rrule:
        return ""
    days = get_day_names("wide", locale=language.locale)
    weekday = days[_DAYS.index(rrule[-2:])]
    match repeats_of(rrule):
        case Repeats.WEEKLY:
            words = language.gettext("Every {weekday}")
        case Repeats.FORTNIGHTLY:
            words = language.gettext("Every second week on {weekday}")
        case _:
            week = int(rrule.partition("BYDAY=")[2][:-2])
            words = language.gettext(MONTHLY_WORDS[week])
    return words.format(weekday=weekday)


@dataclass(frozen=True, slots=True)
class Coming:
    """One date of a meeting, in the city's time zone.

    Attributes
    ----------
    day : date
        On which it would be by the rule of the meeting.
    is_cancelled, is_moved : bool
        Whether this one date is cancelled, or at another time than by the rule.
    """

    meeting: PlannedMeeting
    starts_at: datetime
    ends_at: datetime
    day: date
    is_cancelled: bool = False
    is_moved: bool = False


def coming(
    meetings: Iterable[PlannedMeeting], zone: ZoneInfo, now: datetime, most: int
) -> list[Coming]:
    """Give the next dates of meetings, those going on now and those cancelled alone among them.

    Parameters
    ----------
    meetings : iterable of PlannedMeeting
        What is cancelled is left out.
    zone : zoneinfo.ZoneInfo
        Of the city: a meeting at 6 pm stays at 6 pm when clocks change.
    now : datetime
    most : int
        Dates at the most, and no cancelled one after the last of them.
    """
    dates: list[Coming] = []
    for meeting in meetings:
        if not meeting.is_cancelled:
            after = now.astimezone(zone).replace(tzinfo=None) - timedelta(
                minutes=meeting.duration_minutes
            )
            dates += _after(meeting, zone, after, most)
    dates.sort(key=lambda one: (one.starts_at, one.meeting.id))
    held = [index for index, one in enumerate(dates) if not one.is_cancelled]
    return dates[: held[most - 1] + 1] if len(held) >= most else dates


def _after(meeting: PlannedMeeting, zone: ZoneInfo, after: datetime, most: int) -> Iterator[Coming]:
    """Give dates that begin after a local time: as the rule says, but for those changed."""
    first = meeting.starts_at.astimezone(zone).replace(tzinfo=None)
    if not meeting.rrule:
        if first > after:
            yield _coming(meeting, first, zone, first.date())
        return
    kept = 0
    for local in rrulestr(meeting.rrule, dtstart=first).xafter(after):
        changed = meeting.dates.get(local.date())
        if changed is None or changed.moved_to is None:
            one = _coming(meeting, local, zone, local.date())
            yield replace(one, is_cancelled=changed is not None)
        kept += changed is None
        if kept == most:
            break
    for day, changed in meeting.dates.items():
        if changed.moved_to is not None and on_day(meeting, zone, day) is not None:
            local = changed.moved_to.astimezone(zone).replace(tzinfo=None)
            if local > after:
                yield replace(_coming(meeting, local, zone, day), is_moved=True)


def _coming(meeting: PlannedMeeting, local: datetime, zone: ZoneInfo, day: date) -> Coming:
    ends = local + timedelta(minutes=meeting.duration_minutes)
    return Coming(meeting, local.replace(tzinfo=zone), ends.replace(tzinfo=zone), day)


def on_day(meeting: PlannedMeeting, zone: ZoneInfo, day: date) -> datetime | None:
    """Give when a meeting that recurs begins on a day by its rule; None where it does not."""
    if not meeting.rrule:
        return None
    first = meeting.starts_at.astimezone(zone).replace(tzinfo=None)
    begin = datetime.combine(day, time())
    found = rrulestr(meeting.rrule, dtstart=first).between(
        begin, begin + timedelta(days=1) - timedelta(seconds=1), inc=True
    )
    return found[0].replace(tzinfo=zone) if found else None


def last(meetings: Iterable[PlannedMeeting], zone: ZoneInfo, now: datetime) -> datetime | None:
    """Give when the last meeting began that is over; None where there was none.

    Parameters
    ----------
    meetings : iterable of PlannedMeeting
        What is cancelled is left out.
    zone : zoneinfo.ZoneInfo
        Of the city.
    now : datetime
    """
    begun = []
    for meeting in meetings:
        if meeting.is_cancelled:
            continue
        first = meeting.starts_at.astimezone(zone).replace(tzinfo=None)
        over = now.astimezone(zone).replace(tzinfo=None) - timedelta(
            minutes=meeting.duration_minutes
        )
        found = first if first <= over else None
        if meeting.rrule:
            rule_ = rrulestr(meeting.rrule, dtstart=first)
            found = rule_.before(over, inc=True)
            while found is not None and found.date() in meeting.dates:
                found = rule_.before(found)
        moved = (one.moved_to for one in meeting.dates.values() if one.moved_to is not None)
        local = (at.astimezone(zone).replace(tzinfo=None) for at in moved)
        begun += [
            at.replace(tzinfo=zone) for at in (found, *local) if at is not None and at <= over
        ]
    return max(begun, default=None)


def hour_said(one: Coming, language: Language) -> str:
    """Say when it is, such as "Tuesday, December 8, 2026, 6:30 PM"."""
    return moment_said(one.starts_at, language)


def moment_said(at: datetime, language: Language) -> str:
    """Say a moment in the zone that it has, as `hour_said` does."""
    day = format_date(at.date(), "full", locale=language.locale)
    hour = format_time(at.time(), "short", locale=language.locale)
    return f"{day}, {hour}"


def calendar(name: str, url: str, meetings: Sequence[PlannedMeeting], zone: ZoneInfo) -> bytes:
    """Write meetings as iCalendar (RFC 5545).

    Parameters
    ----------
    name : str
        Of the block watch.
    url : str
        Of its page.
    meetings : sequence of PlannedMeeting
        Those that are cancelled say so, so that calendars that know them learn of it.
    zone : zoneinfo.ZoneInfo
        In which they recur.

    Returns
    -------
    bytes
    """
    made = Calendar()
    made.add("prodid", "-//Porchlight//Meetings//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", name)
    for meeting in meetings:
        starts_at = meeting.starts_at.astimezone(zone)
        event = _event(name, url, meeting, starts_at, cancelled=meeting.is_cancelled)
        changed = () if meeting.is_cancelled else meeting.dates.items()
        by_rule = [(on_day(meeting, zone, day), date_) for day, date_ in changed]
        dates = [(planned, date_) for planned, date_ in by_rule if planned is not None]
        if meeting.rrule:
            event.add("rrule", vRecur.from_ical(meeting.rrule))
        # Said twice: a program that knows no status of a single date must not send anybody there.
        for planned, date_ in dates:
            if date_.moved_to is None:
                event.add("exdate", planned)
        made.add_component(event)
        for planned, date_ in dates:
            at = planned if date_.moved_to is None else date_.moved_to.astimezone(zone)
            single = _event(name, url, meeting, at, cancelled=date_.moved_to is None)
            single.add("recurrence-id", planned)
            made.add_component(single)
    made.add_missing_timezones()
    written: bytes = made.to_ical()
    return written


def _event(
    name: str, url: str, meeting: PlannedMeeting, starts_at: datetime, *, cancelled: bool
) -> Event:
    event = Event()
    event.add("uid", str(meeting.uid))
    event.add("dtstamp", meeting.changed_at)
    event.add("last-modified", meeting.changed_at)
    event.add("sequence", meeting.sequence)
    event.add("dtstart", starts_at)
    event.add("duration", timedelta(minutes=meeting.duration_minutes))
    event.add("summary", name)
    place = (meeting.place, meeting.location, meeting.location_address)
    event.add("location", ", ".join(filter(None, dict.fromkeys(place))))
    if meeting.note:
        event.add("description", meeting.note)
    event.add("url", url)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    return event
