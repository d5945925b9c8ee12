"""The words and marks of a text, and what their form tells of them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

MARKS = frozenset({"stop", "comma", "hyphen", "hash", "possessive"})
"""Forms of what is no word."""

FORMS = (
    *sorted(MARKS),
    "number", "small", "year", "figures", "ordinal", "measure", "code", "caps", "letter", "short",
    "word",
)  # fmt: skip
"""Classes that are told by form alone: see the package."""


class Word(NamedTuple):
    """A word or mark of a folded text.

    Attributes
    ----------
    text : str
        In lower case.
    form : str
        One of `FORMS`.
    case : str
        "U" with a capital inside a sentence, "S" with one at its start, "l" without.
    start, end : int
        Offsets into the folded text.
    """

    text: str
    form: str
    case: str
    start: int
    end: int


_WORDS = re.compile(
    r"(?P<word>[^\W_]+(?:'(?!s\b)[^\W_]+)*)|(?P<possessive>'s\b)|(?P<mark>[^\w\s]|_)|(?P<line>\n)"
)
_MARKS = dict.fromkeys(',:()"/“”', "comma") | {"-": "hyphen", "#": "hash"}
_ABBREVIATED = re.compile(
    r"mrs?|ms|dra?|jr|sra?|srta|st|ave?|blvd|rd|ter|pkwy|apto?|depto|num?|no|lic|tel|[^\W\d_]"
)
_CAPITALS = re.compile(r"[A-Z]")
_LETTERS = re.compile(r"[A-Za-z]")
_SHOUTED = 0.7  # share of capitals above which they say nothing
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th|er|ra|ro|ta|to|va|vo|ma|mo|na|no|da|do|a|o)")
_MEASURE = re.compile(
    r"\d+(?:x\d+|[ap]m|mph|kph|km|ft|in|lbs?|oz|yds?|min|hrs?|gb|mm|cm|[hwkvscfgm])"
    r"|(?:us|mo|ks|hwy|rt|[ikm])\d{1,3}"  # and highways
)


def words_of(plain: str) -> Iterator[Word]:
    """Give the words and marks of a folded text.

    The point of an abbreviation or initial is left out: it ends no sentence.
    """
    shouted = len(_CAPITALS.findall(plain)) > _SHOUTED * len(_LETTERS.findall(plain))
    fresh, last = True, ""
    for match in _WORDS.finditer(plain):
        written = match.group()
        text = written.lower()
        if match.lastgroup == "word":
            form = _form(text, written, shouted)
        elif match.lastgroup == "possessive":
            form = "possessive"
        elif text == "." and _ABBREVIATED.fullmatch(last):
            continue
        else:
            form = _MARKS.get(text, "stop")
        case = "l" if shouted or not written[0].isupper() else "S" if fresh else "U"
        yield Word(text, form, case, *match.span())
        fresh, last = form == "stop", text


def _form(text: str, written: str, shouted: bool) -> str:  # noqa: PLR0911 (a form, a return)
    if text.isdecimal():
        if len(text) == 4 and "1950" <= text <= "2039":
            return "year"
        return "small" if len(text) < 3 else "number" if len(text) < 6 else "figures"
    if not text.isalpha() and any(character.isdecimal() for character in text):
        if _ORDINAL.fullmatch(text):
            return "ordinal"
        return "measure" if _MEASURE.fullmatch(text) else "code"
    if len(text) > 3:
        return "word"
    if len(text) == 1:
        return "letter"
    return "caps" if written.isupper() and not shouted else "short"
