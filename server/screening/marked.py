"""A text cut where it points at a person: for whoever wrote it, and for whoever decides about it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from server.screening.concerns import EXPLANATIONS, Concern, Explanation, Finding
from server.screening.folding import MARK


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text, and why it is held if it is."""

    text: str
    concern: Concern | None = None


@dataclass(frozen=True, slots=True)
class Marked:
    """A text with what was found in it.

    Attributes
    ----------
    parts : sequence of Part
        The whole text.
    concerns : mapping of Concern to Explanation
        Why parts of it are held, in their order.
    preview : str
        What becomes public of it.
    """

    parts: Sequence[Part]
    concerns: Mapping[Concern, Explanation]
    preview: str


def marked(text: str, findings: Iterable[Finding]) -> Marked:
    """Cut a text into what is held and what is not.

    Parameters
    ----------
    text : str
    findings : iterable of Finding
        As `screen` gives them for this text.

    Returns
    -------
    Marked
    """
    cut, at = [], 0
    for finding in findings:
        cut.append(Part(text[at : finding.start]))
        cut.append(Part(text[finding.start : finding.end], finding.concern))
        at = finding.end
    parts = [part for part in (*cut, Part(text[at:])) if part.text]
    held = dict.fromkeys(part.concern for part in parts if part.concern)
    return Marked(
        parts=parts,
        concerns={concern: EXPLANATIONS[concern] for concern in held},
        preview="".join(MARK if part.concern else part.text for part in parts),
    )


def preview(text: str, findings: Iterable[Finding]) -> str:
    """Give what becomes public of a text: `MARK` in place of each part that is held.

    Parameters
    ----------
    text : str
    findings : iterable of Finding
        As `screen` gives them for this text.

    Returns
    -------
    str
        Screened again, it has no findings.
    """
    return marked(text, findings).preview


def seal(*words: str) -> str:
    """Give what a form carries that was shown with what was found in just these words.

    Words are warned of once: whoever sends the same again, with their seal, has read the warning and
    means them. Other words have another seal.
    """
    return sha256("\0".join(words).encode()).hexdigest()[:32]
