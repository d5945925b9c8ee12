"""The screening of texts, on 807 texts in two languages that its authors wrote.

    nice .venv/bin/python bench/screening.py [--wrong=1-tuned] [--wrong=2] ...

The first list was written before the rules, and halved by the SHA-256 of its texts: rules were
tuned on the one half, whose misses were read; of the other half only figures were looked at. Each
further list was written when the rules stood, run once (RESULTS.md has that run), and then one half
of it was tuned on; the fourth and fifth were not. A text is held where anything is found in it.
Precision and recall of a concern count texts: found in it, and expected.
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

FOLDER = Path(__file__).parent
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


def labelled(name: str) -> list[Labelled]:
    table = tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))
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
    print(f"\n{LONGEST:,} characters at once:")
    harmless = [text.text for text in texts if not text.expected]
    for name, some in (("harmless", harmless), ("all", [text.text for text in texts])):
        joined = " ".join(some)
        pieces = [joined[at : at + LONGEST] for at in range(0, len(joined) - LONGEST, LONGEST)]
        times = []
        for piece in pieces * 10:
            start = time.perf_counter()
            screen(piece)
            times.append((time.perf_counter() - start) * 1000)
        p50, p95 = (statistics.quantiles(times, n=20)[part] for part in (9, 18))
        print(f"    {name:12} p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    start = time.perf_counter()
    for text in harmless:
        screen(text)
    each = (time.perf_counter() - start) * 1000 / len(harmless)
    print(f"one harmless text: {each:.2f} ms")


def main() -> None:
    texts = labelled("screening_texts.toml")
    parts = {"1-tuned": [text for text in texts if not text.held_out]}
    parts["1-held-out"] = [text for text in texts if text.held_out]
    for later in (2, 3, 4, 5):
        parts[str(later)] = labelled(f"screening_texts_{later}.toml")
    for name, part in parts.items():
        print(f"\n{name}: ", end="")
        report(part)
        for language in ("english", "spanish"):
            print(f"  {language}: ", end="")
            report([text for text in part if text.language == language])
        if f"--wrong={name}" in sys.argv:
            wrong(part)
    speed([text for part in parts.values() for text in part])


if __name__ == "__main__":
    main()
