"""Finding a name in spite of spelling errors: the streets and landmarks of a city, in memory.

A city has a few thousand street names for some hundred thousand addresses, so a name is compared
with all names, and only then is the number looked up. Ordinals are compared exactly, for one digit
off is another street. Distances are those of optimal string alignment: a letter missing, added,
wrong or swapped with its neighbour counts one.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from geo.addresses import Address, Street, normalise

_SILENT = frozenset({"the", "of", "at", "and", "for", "de", "del", "la", "las", "el", "los", "y"})

_STREETS_KEPT = 30
_LANDMARKS_KEPT = 10


@dataclass(frozen=True)
class Match:
    """A name that was found.

    Parameters
    ----------
    index : int
        Place in the sequence that the gazetteer was made from.
    score : float
        1 for the name as it is written, less for what differs.
    """

    index: int
    score: float


class Gazetteer:
    """The names of a city, ready to be searched.

    Parameters
    ----------
    streets : sequence of Street
    addresses : sequence of int
        How many addresses each street has: of two equal matches the longer street is likelier.
    landmarks : sequence of tuple of str
        Names of places that are no streets, each with further words by which it can be found:
        what sort of place it is.

    Examples
    --------
    >>> names = Gazetteer([Street("", "charlotte", "st"), Street("e", "31st", "st")], [90, 40], [])
    >>> names.streets(Address(Street("", "charlote", "ave")))
    [Match(index=0, score=0.85)]
    """

    def __init__(
        self,
        streets: Sequence[Street],
        addresses: Sequence[int],
        landmarks: Sequence[tuple[str, str]],
    ) -> None:
        self._streets = tuple(streets)
        self._addresses = tuple(addresses)
        self._by_key: defaultdict[str, list[int]] = defaultdict(list)
        for index, street in enumerate(self._streets):
            self._by_key[street.key].append(index)
        self._keys = sorted({street.key for street in self._streets if not street.is_numbered})
        self._landmarks = _Phrases(landmarks)

    def streets(self, address: Address) -> list[Match]:
        """Give the streets that an address may lie on.

        Parameters
        ----------
        address : Address
            As `geo.addresses.parse` gives it, with its other readings.

        Returns
        -------
        list of Match
            Best first, at most 30.
        """
        best: dict[int, float] = {}
        for place, reading in enumerate((address.street, *address.readings)):
            slip = 0.03 if place else 0.0
            for key, likeness in self._like(reading):
                for index in self._by_key[key]:
                    score = likeness - slip - _difference(reading, self._streets[index])
                    best[index] = max(score, best.get(index, 0.0))
        ranked = sorted(best.items(), key=lambda kept: (-kept[1], -self._addresses[kept[0]]))
        return [Match(index, round(score, 4)) for index, score in ranked[:_STREETS_KEPT]]

    def landmarks(self, text: str) -> list[Match]:
        """Give the landmarks whose names have the words of a text.

        Parameters
        ----------
        text : str

        Returns
        -------
        list of Match
            Best first, at most 10.
        """
        return self._landmarks.matches(text)

    def _like(self, reading: Street) -> Iterator[tuple[str, float]]:
        key = reading.key
        if not key:
            return
        if reading.is_numbered:
            if key in self._by_key:
                yield key, 1.0
            return
        slips = 1 if len(key) < 5 else 2 if len(key) < 9 else 3
        found = process.extract(
            key, self._keys, scorer=OSA.distance, score_cutoff=slips, limit=_STREETS_KEPT
        )
        for name, distance, _place in found:
            yield name, 1 - distance / (max(len(key), len(name)) + 1)
        if len(key) >= 2:
            for name in self._keys:
                if name.startswith(key):  # still being typed
                    yield name, 0.8 + 0.2 * len(key) / len(name)


def _difference(asked: Street, known: Street) -> float:
    """Give what is taken off for parts that differ: most for a direction that contradicts."""
    return (
        (0.005 if asked.name != known.name and asked.key == known.key else 0.0)
        + _part(asked.direction, known.direction, wrong=0.25, extra=0.05, missing=0.01)
        + _part(asked.type, known.type, wrong=0.05, extra=0.03, missing=0.0)
        + _part(asked.suffix, known.suffix, wrong=0.08, extra=0.03, missing=0.01)
    )


def _part(asked: str, known: str, *, wrong: float, extra: float, missing: float) -> float:
    if asked == known:
        return 0.0
    if asked and known:
        return wrong
    return extra if asked else missing


class _Phrases:
    """Names of several words, found by their words; a rare word weighs more than a common one."""

    def __init__(self, landmarks: Iterable[tuple[str, str]]) -> None:
        spoken = [(_spoken(name), _spoken(more)) for name, more in landmarks]
        counts = Counter(word for name, more in spoken for word in {*name, *more})
        self._words = sorted(counts)
        place = {word: n for n, word in enumerate(self._words)}
        self._weights = np.array([math.log(1 + len(spoken) / counts[w]) for w in self._words])
        # Names without a word of their own can not be found, and reduceat takes no empty slices.
        self._names = [index for index, (name, _more) in enumerate(spoken) if name]
        kept = [spoken[index] for index in self._names]
        self._flat = np.array(
            [place[word] for name, more in kept for word in (*name, *more)], dtype=np.intp
        )
        lengths = [len(name) + len(more) for name, more in kept]
        self._starts = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.intp)
        in_name = [n < len(name) for name, more in kept for n in range(len(name) + len(more))]
        self._told = self._weights[self._flat] * in_name

    def matches(self, text: str) -> list[Match]:
        asked = _spoken(text)
        if not asked or not self._names:
            return []
        likeness = process.cdist(
            asked, self._words, scorer=OSA.normalized_similarity, score_cutoff=0.7
        ).astype(float)
        for row, word in enumerate(asked):
            if len(word) >= 3:
                for column, known in enumerate(self._words):
                    if known.startswith(word):
                        likeness[row, column] = max(likeness[row, column], 0.9)
        importance = np.where(
            likeness.max(axis=1) > 0,
            self._weights[likeness.argmax(axis=1)],
            self._weights.max(),
        )
        by_name = np.maximum.reduceat(likeness[:, self._flat], self._starts, axis=1)
        found = importance @ by_name / importance.sum()
        told = np.add.reduceat(likeness.max(axis=0)[self._flat] * self._told, self._starts)
        scores = found * (0.85 + 0.15 * told / np.add.reduceat(self._told, self._starts))
        order = np.argsort(-scores, kind="stable")[:_LANDMARKS_KEPT]
        return [
            Match(self._names[n], round(float(scores[n]), 4)) for n in order if scores[n] >= 0.7
        ]


def _spoken(text: str) -> list[str]:
    return [word for word in normalise(text).split() if word not in _SILENT]
