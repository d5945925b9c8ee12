"""The readable file of the first weights: why each factor counts, and what that stands on."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from geo.kinds import Kind
from geo.priority import FACTORS, Factor

FILE = Path(__file__).parent / "weights.toml"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a factor counts.

    Attributes
    ----------
    words : mapping of str to str
        By the code of the language.
    source : str
        In English: studies and other cities.
    """

    words: Mapping[str, str]
    source: str


@cache
def reasons() -> Mapping[Kind, Mapping[Factor, Reason]]:
    """Read why each factor of each kind counts."""
    read = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {
        kind: {Factor(row["factor"]): Reason(row["reason"], row["source"]) for row in read[kind]}
        for kind in FACTORS
    }
