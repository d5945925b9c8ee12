"""Tables of words, and patterns over their classes."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from server.screening.concerns import Concern
from server.screening.folding import fold
from server.screening.words import FORMS, MARKS, Word

_HERE = Path(__file__).parent
_PEOPLE = frozenset({"person", "someone", "anyone", "child", "sir", "young"})


@dataclass(frozen=True, slots=True)
class Language:
    """What is read from one language's file.

    Attributes
    ----------
    classes : dict
        The class of each word.
    signs : dict
        One character for each class.
    people, numbers : tuple of re.Pattern
        What only looks like people, and like numbers of homes or plates.
    patterns : tuple
        Concerns, each with a pattern.
    offensive : frozenset of str
        Offensive words.
    stems : tuple of str
        What offensive words begin with.
    """

    classes: dict[str, str]
    signs: dict[str, str]
    people: tuple[re.Pattern[str], ...]
    numbers: tuple[re.Pattern[str], ...]
    patterns: tuple[tuple[Concern, re.Pattern[str]], ...]
    offensive: frozenset[str]
    stems: tuple[str, ...]

    def tags(self, words: list[Word]) -> list[str]:
        """Write each word as a sign and a case."""
        signs, classes = self.signs, self.classes
        return [
            signs[word.form if word.form in MARKS else classes.get(word.text, word.form)]
            + word.case
            for word in words
        ]

    @property
    def nothing(self) -> str:
        """The tag that no pattern leaps over."""
        return self.signs["stop"] + "l"


@cache
def read_languages() -> tuple[Language, ...]:
    """Read the tables."""
    names = tomllib.loads((_HERE / "names.toml").read_text(encoding="utf-8"))["words"]
    return tuple(_language(name, names) for name in ("english", "spanish"))


def _language(name: str, names: dict[str, str]) -> Language:
    table = tomllib.loads((_HERE / f"{name}.toml").read_text(encoding="utf-8"))
    classes: dict[str, str] = {}
    for class_, words in (*table["words"].items(), *names.items()):
        for word in words.split():
            classes.setdefault(fold(word).plain, class_)
    every_class = dict.fromkeys((*FORMS, *table["words"], *names))
    signs = {class_: chr(0xE000 + n) for n, class_ in enumerate(every_class)}

    def compiled(patterns: list[str]) -> tuple[re.Pattern[str], ...]:
        return tuple(_compiled(pattern, table["parts"], signs) for pattern in patterns)

    offensive = fold(table["offensive"]).plain.split()
    return Language(
        classes,
        signs,
        compiled(table["harmless"]["people"]),
        compiled(table["harmless"]["numbers"]),
        tuple(
            (Concern(concern), pattern)
            for concern, patterns in table["patterns"].items()
            for pattern in compiled(patterns)
        ),
        frozenset(word for word in offensive if not word.endswith("*")),
        tuple(word[:-1] for word in offensive if word.endswith("*")),
    )


def _compiled(pattern: str, parts: dict[str, str], signs: dict[str, str]) -> re.Pattern[str]:
    """Make a regular expression over signs and cases of a pattern written with class names."""
    words = "".join(sign for class_, sign in signs.items() if class_ not in MARKS)
    leapt = "".join(
        sign for class_, sign in signs.items() if class_ not in MARKS and class_ not in _PEOPLE
    )
    special = {
        "capital": f"[{words}]U",
        "proper": f"[{words}][US]",
        "unknown": f"[{signs['word']}{signs['short']}]U",
        "gap": f"[{leapt}].",
    }

    def tag(match: re.Match[str]) -> str:
        name = match.group().removeprefix("^")
        case = "." if name == match.group() else "[US]"
        return f"(?:{special.get(name) or signs[name] + case})"

    whole = pattern
    for name, part in parts.items():
        whole = re.sub(rf"\b{name}\b", part, whole)
    grouped = re.sub(r"\((?!\?)", "(?:", whole)
    tagged = re.sub(r"\^?[a-z_]{2,}", tag, grouped)
    return re.compile(tagged.replace("<", "(").replace(">", ")").replace(" ", ""))
