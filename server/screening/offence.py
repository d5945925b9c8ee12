"""Offensive words, also written with figures, gaps and stars."""

import re
from collections.abc import Iterator
from functools import cache

from server.screening.concerns import Concern, Span
from server.screening.languages import read_languages

_LEET = str.maketrans("013457@$!|+", "oieastasiit")
_WRITTEN = re.compile(r"[^\W_][\w@$!*#|+]*|[@$][\w@$!*#|+]+")
_SPACED = re.compile(r"(?<![^\W_])[^\W\d_](?:[ .\-_*]{1,2}[^\W\d_]){2,}(?![^\W_])")
_SHORTENED = re.compile(
    r"\b(?:f[-'.*]{1,3}(?:ing|in|er)|p[-'.*]{1,3}(?:che|tas?))\b", re.IGNORECASE
)
_REPEATED = re.compile(r"(.)\1+")
_SHORTEST_REPEATED = 4  # letters left: "as" is no "ass"


def offences(plain: str) -> Iterator[Span]:
    """Give the offensive words of a folded text."""
    for match in _WRITTEN.finditer(plain):
        written = match.group().rstrip("!|+#")
        if _offends(written):
            yield Concern.PROFANITY, match.start(), match.start() + len(written)
    for match in _SPACED.finditer(plain):
        if _offends("".join(filter(str.isalpha, match.group()))):
            yield (Concern.PROFANITY, *match.span())
    for match in _SHORTENED.finditer(plain):
        yield (Concern.PROFANITY, *match.span())


@cache
def _table() -> tuple[frozenset[str], tuple[str, ...], frozenset[str]]:
    """Give whole words, what others begin with, and the two letters with which any begins."""
    whole = frozenset().union(*(language.offensive for language in read_languages()))
    stems = tuple(stem for language in read_languages() for stem in language.stems)
    return whole, stems, frozenset(word[:2] for word in (*whole, *stems))


def _offends(written: str) -> bool:
    whole, stems, heads = _table()
    word = written.lower()
    if not word.isalpha():
        if word.isdecimal():
            return False
        word = word.translate(_LEET)
        if "*" in word or "#" in word:
            return _hidden(word)
    if word[:2] not in heads and word[:1] != word[1:2]:
        return False
    once = _REPEATED.sub(r"\1", word)
    return (
        word in whole
        or word.startswith(stems)
        or (len(once) >= _SHORTEST_REPEATED and (once in whole or once.startswith(stems)))
    )


def _hidden(word: str) -> bool:
    """Tell whether stars or hashes stand for letters of an offensive word."""
    whole, stems, _heads = _table()
    if not word[0].isalpha():
        return False
    return any(len(known) == len(word) and _covers(word, known) for known in whole) or any(
        len(known) <= len(word) and _covers(word, known) for known in stems
    )


def _covers(word: str, known: str) -> bool:
    return all(seen in {letter, "*", "#"} for seen, letter in zip(word, known, strict=False))
