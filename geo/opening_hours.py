"""Whether a place is open after dark, from the words in which its opening hours are written."""

import re
from typing import Any

EVENING_H = 20
"""Hour of the day: what closes at eight or later is open after dark for most of the year."""

_ALWAYS = re.compile(r"\b24\b|day and night|all day|around the clock", re.IGNORECASE)
_TIME = r"(\d{1,2})(?::?([0-5]\d))?\s*(?:([ap])\.?\s*m\b\.?)?"
_SPAN = re.compile(
    rf"(?<![\d-]){_TIME}\s*(?:-|\u2013|to|until)\s*{_TIME}(?![\d-])",  # no phone number
    re.IGNORECASE,
)
_NOON = 12
_Time = tuple[str | Any, ...]


def open_after_dark(hours: str) -> bool | None:
    """Tell whether a place closes at eight in the evening or later on any day.

    Parameters
    ----------
    hours : str
        As people write them: "Mon-Sat 10 am-8 pm", "Daily 14:00-22:00", "Open day and night".

    Returns
    -------
    bool or None
        None where the words hold no hours.

    Examples
    --------
    >>> open_after_dark("Mon-Fri 9 am-5 pm"), open_after_dark("Fri 6 pm-1 am"), open_after_dark("")
    (False, True, None)
    """
    if _ALWAYS.search(hours):
        return True
    spans = [
        span
        for found in _SPAN.finditer(hours)
        if (span := _span(found.group(1, 2, 3), found.group(4, 5, 6)))
    ]
    if not spans:
        return None
    # What closes before it opens does so on the next day.
    return any(closes >= EVENING_H or closes <= opens for opens, closes in spans)


def _span(opens: _Time, closes: _Time) -> tuple[float, float] | None:
    """Read two times; where only one names its half of the day, it names that of both."""
    halves = opens[2] or closes[2], closes[2] or opens[2]
    first, last = (_hour(time, half) for time, half in zip((opens, closes), halves, strict=True))
    if first is None or last is None:
        return None
    if halves == (None, None) and last <= first <= _NOON:
        last += _NOON  # "9-5"
    return first, last


def _hour(time: _Time, half: str | None) -> float | None:
    number, minutes = int(time[0]), int(time[1] or 0) / 60
    if half is None:
        return number + minutes if number <= 2 * _NOON else None
    if not 1 <= number <= _NOON:
        return None
    return number % _NOON + (_NOON if half.lower() == "p" else 0) + minutes
