"""The screening of texts, on 543 texts in two languages that its authors wrote.

    nice .venv/bin/python bench/screening.py [--wrong=tuned] [--wrong=held-out] [--wrong=later]

423 texts were written before the rules, and halved by their SHA-256: rules were tuned on the one
half, whose misses were read; of the other half only figures were looked at. 120 longer ones were
written when the rules stood. A text is held where anything is found in it. Precision and recall of
a concern count texts: found in it, and expected.
"""

import hashlib
import statistics
import sys
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from server.screening import Concern, preview, screen

TEXTS = Path(__file__).with_name("screening_texts.toml")
LATER = Path(__file__).with_name("screening_texts_later.toml")
LONGEST = 2_000  # characters of a description


@dataclass(frozen=True)
class Labelled:
    """A text, and what should be found in it."""

    language: str
    text: str
    expected: frozenset[Concern]

    @property
    def held_out(self) -> bool:
        return hashlib.sha256(self.text.encode()).digest()[0] % 2 == 1

    @property
    def found(self) -> frozenset[Concern]:
        return frozenset(finding.concern for finding in screen(self.text))


def labelled(path: Path) -> list[Labelled]:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return [
        Labelled(language, text, frozenset(map(Concern, concerns.split())))
        for language, lists in table.items()
        for concerns, text in [*(("", text) for text in lists["harmless"]), *lists["held"]]
    ]


def share(part: int, whole: int) -> str:
    return f"{part / whole:7.1%} ({part}/{whole})" if whole else "      -"


def row(name: str, pairs: Iterable[tuple[bool, bool]]) -> None:
    """Print one line of (expected, found) pairs."""
    counted = list(pairs)
    both = sum(expected and found for expected, found in counted)
    found = sum(found for _expected, found in counted)
    expected = sum(expected for expected, _found in counted)
    print(f"    {name:12} precision {share(both, found):18} recall {share(both, expected)}")


def report(texts: list[Labelled]) -> None:
    harmless = [text for text in texts if not text.expected]
    held = sum(bool(text.found) for text in harmless)
    print(f"{len(texts)} texts, harmless held {share(held, len(harmless)).strip()}")
    row("held", ((bool(text.expected), bool(text.found)) for text in texts))
    for concern in Concern:
        row(concern, ((concern in text.expected, concern in text.found) for text in texts))


def wrong(texts: list[Labelled]) -> None:
    for text in texts:
        if text.found != text.expected:
            print(f"  {' '.join(sorted(text.expected)) or 'harmless'}, but", end=" ")
            print(
                f"{' '.join(sorted(text.found)) or 'nothing'}: {preview(text.text, screen(text.text))}"
            )
            print(f"      {text.text}")


def speed(texts: list[Labelled]) -> None:
    joined = " ".join(text.text for text in texts)
    pieces = [joined[at : at + LONGEST] for at in range(0, len(joined) - LONGEST, LONGEST)]
    times = []
    for piece in pieces * 5:
        start = time.perf_counter()
        screen(piece)
        times.append((time.perf_counter() - start) * 1000)
    harmless = [text.text for text in texts if not text.expected]
    start = time.perf_counter()
    for text in harmless:
        screen(text)
    each = (time.perf_counter() - start) * 1000 / len(harmless)
    print(
        f"\n{LONGEST} characters, full of findings: p50 {statistics.median(times):.1f} ms, ", end=""
    )
    print(f"slowest {max(times):.1f} ms; a harmless text {each:.2f} ms")


def main() -> None:
    texts = labelled(TEXTS)
    parts = {
        "tuned": [text for text in texts if not text.held_out],
        "held-out": [text for text in texts if text.held_out],
        "later": labelled(LATER),
    }
    for name, part in parts.items():
        print(f"\n{name}: ", end="")
        report(part)
        for language in ("english", "spanish"):
            print(f"  {language}: ", end="")
            report([text for text in part if text.language == language])
        if f"--wrong={name}" in sys.argv:
            wrong(part)
    speed(texts)


if __name__ == "__main__":
    main()
