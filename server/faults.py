"""What is wrong with what somebody sends in, said to whoever can mend it."""

from dataclasses import dataclass

from data.queries.places import Place
from geo.places import Position


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, said to whoever can mend it.

    Attributes
    ----------
    field : str
        What it is about: category, place, to (the other end of a stretch of street), occurred_at,
        street_light, description, on_behalf_of, name, email or phone.
    code : str
        The same for every occurrence, for programs.
    message : str
        What is wrong and what to do, in the language of the reader.
    meant : Position or None
        What was probably meant, where latitude and longitude were swapped.
    choices : tuple of Place
        What was perhaps meant, where a text names several places.
    """

    field: str
    code: str
    message: str
    meant: Position | None = None
    choices: tuple[Place, ...] = ()


class Refused(Exception):  # noqa: N818 (it is the name of what happened)
    """Some of what was sent cannot be used.

    Parameters
    ----------
    *faults : Fault
    """

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults
