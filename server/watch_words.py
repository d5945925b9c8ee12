"""Public words of block watches, screened as the texts of reports are, but for what belongs in them.

A contact is there to be reached by, and a meeting is at an address: those are no findings there.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from data.models import WordsField
from data.models.association import ASSOCIATION_NOTE_LIMIT, CONTACT_LIMIT, PLACE_LIMIT
from geo.categories import N_
from server import screening
from server.screening import Concern, Finding

LABELS: Mapping[WordsField, str] = MappingProxyType(
    {
        WordsField.CONTACT: N_("The contact for everybody"),
        WordsField.MEETING: N_("When it meets"),
        WordsField.PLACE: N_("Where a meeting is"),
        WordsField.NOTE: N_("The note of a meeting"),
    }
)

LIMITS: Mapping[WordsField, int] = MappingProxyType(
    {
        WordsField.CONTACT: CONTACT_LIMIT,
        WordsField.MEETING: CONTACT_LIMIT,
        WordsField.PLACE: PLACE_LIMIT,
        WordsField.NOTE: ASSOCIATION_NOTE_LIMIT,
    }
)

_BELONGS: Mapping[WordsField, frozenset[Concern]] = MappingProxyType(
    {
        WordsField.CONTACT: frozenset({Concern.PHONE, Concern.EMAIL}),
        WordsField.MEETING: frozenset({Concern.ADDRESS}),
        WordsField.PLACE: frozenset({Concern.ADDRESS}),
        WordsField.NOTE: frozenset(),
    }
)


def findings(field: WordsField, words: str) -> tuple[Finding, ...]:
    """Find what in words points at a person and has no place there."""
    return tuple(one for one in screening.screen(words) if one.concern not in _BELONGS[field])


def held(words: Mapping[WordsField, str]) -> dict[WordsField, tuple[Finding, ...]]:
    """Give what is found in which words; nothing for those that are all right."""
    found = {field: findings(field, text) for field, text in words.items()}
    return {field: some for field, some in found.items() if some}


def sealed(words: Mapping[WordsField, str], found: Collection[WordsField]) -> str:
    """Give the seal of words that shall be sent though they are held."""
    return screening.seal(*(f"{field} {words[field]}" for field in sorted(found)))
