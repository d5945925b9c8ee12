"""Texts in which what looks alike is alike, each character remembering where it stood."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from server.screening.concerns import Finding, Span

MARK = "[…]"
"""Stands in a preview where something was taken out; the same in every language."""

TAKEN = "\x00"
"""Stands in a folded text for what was taken out, and matches nothing."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A text in which what looks alike is alike.

    Attributes
    ----------
    plain : str
    at : list of int
        Where in the text each character stood, and the end of the text.
    """

    plain: str
    at: list[int]

    def finding(self, span: Span) -> Finding:
        """Say where in the text a part of the folded text stood."""
        concern, start, end = span
        # What cannot be seen and follows belongs to it; a character that unfolds into several is whole.
        return Finding(concern, self.at[start], max(self.at[end], self.at[end - 1] + 1))


# Letters of other alphabets that stand for Latin ones without looking different.
_ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухԁһոԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοναιкտɡıⅼ’‘ʼ`´‐‑‒–—−",  # noqa: RUF001 (that is the point)
    "ABESIJKMHOPCTYXaesijopcyxdhnqwABEZHIKMNOPTYXovaiktgil'''''------",
)


def fold(text: str, found: Sequence[Finding] = ()) -> Folded:
    """Unfold ligatures and wide forms, take accents off all letters but ñ, drop what is unseen.

    Parameters
    ----------
    text : str
    found : sequence of Finding
        What `TAKEN` stands for.
    """
    plain: list[str] = []
    at: list[int] = []
    start = 0
    taken = sorted(
        [(finding.start, finding.end) for finding in found]
        + [match.span() for match in re.finditer(re.escape(MARK), text)]
    )
    for begin, end in [*taken, (len(text), len(text))]:
        for offset in range(start, begin):
            character = text[offset]
            if character.isascii():
                plain.append(character if character != TAKEN else " ")
                at.append(offset)
            elif character in "ñÑ":
                plain.append(character)
                at.append(offset)
            elif character == "\N{COMBINING TILDE}" and plain and plain[-1] in "nN":
                plain[-1] = "ñ" if plain[-1] == "n" else "Ñ"
            else:
                for part in unicodedata.normalize("NFKD", character).translate(_ALIKE):
                    if unicodedata.category(part) not in {"Mn", "Me", "Cf", "Cc"}:
                        plain.append(part)
                        at.append(offset)
        if end > begin:
            plain.append(TAKEN)
            at.append(begin)
        start = end
    return Folded("".join(plain), [*at, len(text)])
