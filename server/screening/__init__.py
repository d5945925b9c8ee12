"""What in a text points at a person rather than at a place.

Porchlight records places and conditions, never people. Before a text is kept it is looked through
for what would make a person known or hurt: both languages, whatever the page's own. Nothing is
refused here: a finding is shown to whoever wrote it, and what stays is held for a moderator.

Words stand in `english.toml`, `spanish.toml` and `names.toml` beside this file, each with its class,
and the patterns of a concern are regular expressions over classes. So every word of a text becomes
two characters (its class; its case), and a pattern is matched against classes, not letters. A
pattern is written with the names of classes and parts, and with these:

    word      of no class; short: of 2 or 3 letters
    capital   with a capital inside a sentence
    proper    with a capital anywhere       gap       any word but one for people
    number    3 to 5 figures                small     1 or 2 figures
    year      1950 to 2039                  ordinal   39th
    code      letters and figures mixed     measure   a code that may be one: 2x4, 9pm, I70
    caps      2 or 3 capitals               letter    a single letter
    comma, hyphen, hash, possessive ('s)
    ^         before a class: with a capital anywhere
    < >       around the part that is found, where it is not the whole

A text that is screened again with its findings taken out has none: they are looked for until there
are no more.

What this cannot do: it knows words, not meaning. It misses persons described in words that are in
no table, and holds harmless texts that look alike. `bench/screening.py` measures both.
"""

import re
from collections.abc import Iterable, Iterator

from server.screening.concerns import EXPLANATIONS, Concern, Explanation, Finding, Span
from server.screening.figures import phones_and_emails
from server.screening.folding import MARK, Folded, fold
from server.screening.languages import read_languages
from server.screening.marked import Marked, Part, marked, preview, seal
from server.screening.offence import offences
from server.screening.words import Word, words_of

__all__ = [
    "EXPLANATIONS",
    "MARK",
    "Concern",
    "Explanation",
    "Finding",
    "Marked",
    "Part",
    "marked",
    "preview",
    "screen",
    "seal",
]


def screen(text: str) -> tuple[Finding, ...]:
    """Find what in a text points at a person or offends, in English and Spanish.

    Parameters
    ----------
    text : str
        Any text; a `MARK` in it counts as something taken out.

    Returns
    -------
    tuple of Finding
        In order of their place, without overlaps. What was found once is found wherever
        it stands.
    """
    found: list[Finding] = []
    while new := _apart(_look(fold(text, found)), text):
        found = sorted([*found, *new], key=lambda finding: finding.start)
    return tuple(found)


def _look(folded: Folded) -> Iterator[Finding]:
    """Find all there is, overlaps included."""
    spans = {
        *phones_and_emails(folded.plain),
        *offences(folded.plain),
        *_patterned([*words_of(folded.plain)]),
    }
    for span in spans:
        yield folded.finding(span)
    yield from _elsewhere(folded, spans)


def _patterned(found: list[Word]) -> Iterator[Span]:
    """Find what the patterns of both languages say."""
    tagged = [(language, language.tags(found)) for language in read_languages()]
    places: set[int] = set()
    things: set[int] = set()
    for language, tags in tagged:
        joined = "".join(tags)
        places |= _covered(language.people, joined)
        things |= _covered(language.numbers, joined)
    for language, tags in tagged:
        persons = _without(tags, places, language.nothing)
        numbers = _without(tags, things, language.nothing)
        names: list[list[Word]] = []
        for concern, pattern in language.patterns:
            numbered = concern in {Concern.ADDRESS, Concern.PLATE}
            for match in pattern.finditer(numbers if numbered else persons):
                start, end = match.span(match.lastindex or 0)
                words = found[start // 2 : end // 2]
                yield concern, words[0].start, words[-1].end
                if concern is Concern.NAME:
                    names.append(words)
        yield from _again(names, found, places)


def _covered(patterns: Iterable[re.Pattern[str]], tags: str) -> set[int]:
    """Give which words the patterns match."""
    return {
        n
        for pattern in patterns
        for match in pattern.finditer(tags)
        for n in range(match.start() // 2, match.end() // 2)
    }


def _without(tags: list[str], left_out: set[int], nothing: str) -> str:
    kept = tags.copy()
    for n in left_out:
        kept[n] = nothing
    return "".join(kept)


def _again(names: list[list[Word]], found: list[Word], places: set[int]) -> Iterator[Span]:
    """Find the parts of names where they stand alone, but not in the name of a street."""
    parts = {
        (part.text, part.case == "l")
        for name in names
        for part in name
        if len(name) == 1 or (part.case != "l" and len(part.text) > 2)
    }
    for n, word in enumerate(found):
        if (word.text, word.case == "l") in parts and n not in places:
            yield Concern.NAME, word.start, word.end


def _elsewhere(folded: Folded, spans: set[Span]) -> Iterator[Finding]:
    """Find the same words wherever they stand; single names are looked for with the patterns."""
    plain = folded.plain
    for concern, sought in {(concern, plain[start:end]) for concern, start, end in spans}:
        if concern is Concern.NAME and " " not in sought:
            continue
        start = plain.find(sought)
        while start >= 0:
            end = start + len(sought)
            if not (plain[max(0, start - 1) : start].isalnum() or plain[end : end + 1].isalnum()):
                yield folded.finding((concern, start, end))
            start = plain.find(sought, end)


def _apart(findings: Iterable[Finding], text: str) -> list[Finding]:
    """Cut findings so that none overlap: the more telling concern keeps what two have found."""
    order = list(Concern)
    taken = bytearray(len(text))
    kept: list[Finding] = []
    for finding in sorted(
        set(findings), key=lambda one: (order.index(one.concern), one.start - one.end, one.start)
    ):
        start = finding.start
        while (start := taken.find(0, start, finding.end)) >= 0:
            end = taken.find(1, start, finding.end)
            end = finding.end if end < 0 else end
            taken[start:end] = bytes([1]) * (end - start)
            if (start, end) == (finding.start, finding.end):
                kept.append(finding)
            elif piece := text[start:end].strip():
                begin = text.index(piece, start)
                kept.append(Finding(finding.concern, begin, begin + len(piece)))
            start = end
    return kept
