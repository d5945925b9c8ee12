"""Meetings that recur: their rules, their dates and their words, and the calendar file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import islice
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
    """One date of a meeting, in the city's time zone."""

    meeting: PlannedMeeting
    starts_at: datetime
    ends_at: datetime


def coming(
    meetings: Iterable[PlannedMeeting], zone: ZoneInfo, now: datetime, most: int
) -> list[Coming]:
    """Give the next dates of meetings, those going on now among them.

    Parameters
    ----------
    meetings : iterable of PlannedMeeting
        What is cancelled is left out.
    zone : zoneinfo.ZoneInfo
        Of the city: a meeting at 6 pm stays at 6 pm when clocks change.
    now : datetime
    most : int
        Dates at the most.
    """
    dates = []
    for meeting in meetings:
        if meeting.is_cancelled:
            continue
        lasts = timedelta(minutes=meeting.duration_minutes)
        first = meeting.starts_at.astimezone(zone).replace(tzinfo=None)
        after = now.astimezone(zone).replace(tzinfo=None) - lasts
        found: Iterable[datetime] = [first] if first > after else []
        if meeting.rrule:
            found = islice(rrulestr(meeting.rrule, dtstart=first).xafter(after), most)
        for local in found:
            starts_at = local.replace(tzinfo=zone)
            dates.append(Coming(meeting, starts_at, (local + lasts).replace(tzinfo=zone)))
    return sorted(dates, key=lambda one: (one.starts_at, one.meeting.id))[:most]


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
            found = rrulestr(meeting.rrule, dtstart=first).before(over, inc=True)
        if found is not None:
            begun.append(found.replace(tzinfo=zone))
    return max(begun, default=None)


def hour_said(one: Coming, language: Language) -> str:
    """Say when it is, such as "Tuesday, December 8, 2026, 6:30 PM"."""
    day = format_date(one.starts_at.date(), "full", locale=language.locale)
    hour = format_time(one.starts_at.time(), "short", locale=language.locale)
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
        event = Event()
        starts_at = meeting.starts_at.astimezone(zone)
        event.add("uid", str(meeting.uid))
        event.add("dtstamp", meeting.changed_at)
        event.add("last-modified", meeting.changed_at)
        event.add("sequence", meeting.sequence)
        event.add("dtstart", starts_at)
        event.add("duration", timedelta(minutes=meeting.duration_minutes))
        if meeting.rrule:
            event.add("rrule", vRecur.from_ical(meeting.rrule))
        event.add("summary", name)
        place = (meeting.place, meeting.location, meeting.location_address)
        event.add("location", ", ".join(filter(None, dict.fromkeys(place))))
        if meeting.note:
            event.add("description", meeting.note)
        event.add("url", url)
        event.add("status", "CANCELLED" if meeting.is_cancelled else "CONFIRMED")
        made.add_component(event)
    made.add_missing_timezones()
    written: bytes = made.to_ical()
    return written
