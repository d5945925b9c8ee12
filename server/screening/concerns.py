"""Why a part of a text is held, and what to tell whoever wrote it."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from geo.categories import N_

Span = tuple["Concern", int, int]
"""A concern, and where it begins and ends in a folded text."""


class Concern(StrEnum):
    """Why a part of a text is held, the most telling first: that one has a part two have found."""

    EMAIL = "email"
    PHONE = "phone"
    PLATE = "plate"
    PROFANITY = "profanity"
    NAME = "name"
    ADDRESS = "address"
    PERSON = "person"
    ACCUSATION = "accusation"


@dataclass(frozen=True, slots=True)
class Finding:
    """A part of a text that is held.

    Attributes
    ----------
    concern : Concern
    start, end : int
        Offsets into the text, half open.
    """

    concern: Concern
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to tell whoever wrote it, as keys of the translations.

    Attributes
    ----------
    reason : str
        Why it is held.
    advice : str
        How to say it instead.
    """

    reason: str
    advice: str


EXPLANATIONS = MappingProxyType(
    {
        Concern.PERSON: Explanation(
            N_("This describes a person. Porchlight is about places, not people."),
            N_(
                "Say what happens and where: “Trash is dumped here on weekends” instead of how "
                "someone looks. If you saw a crime, call the police."
            ),
        ),
        Concern.NAME: Explanation(
            N_("This looks like a person's name."),
            N_("Leave names out, your own too. “The owner” or “a neighbour” is enough."),
        ),
        Concern.PLATE: Explanation(
            N_("This looks like a license plate."),
            N_("Say “an abandoned car” or “a blue van”. The city reads the plate on the spot."),
        ),
        Concern.PHONE: Explanation(
            N_("This looks like a phone number."),
            N_("Put your own number into the contact fields. It is not public there."),
        ),
        Concern.EMAIL: Explanation(
            N_("This looks like an e-mail address."),
            N_("Put your own address into the contact fields. It is not public there."),
        ),
        Concern.ADDRESS: Explanation(
            N_("This looks like the number of someone's home."),
            N_("Put the place on the map and name the block or the corner: “near 39th and Main”."),
        ),
        Concern.PROFANITY: Explanation(
            N_("These words may hurt or offend readers."),
            N_("Say plainly what is wrong. It is read just as seriously."),
        ),
        Concern.ACCUSATION: Explanation(
            N_("This accuses someone who could be recognized."),
            N_(
                "Say what is wrong with the place: “Drug dealing at this corner at night”. "
                "What you know about a crime belongs with the police."
            ),
        ),
    }
)
