"""Stops of a walk as phones send them."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from geo.addresses import LONGEST

_Code = Annotated[str, Field(max_length=20)]


class StopIn(BaseModel):
    """A stop: a place in one of two ways, and what was seen there.

    Attributes
    ----------
    lat, lon : float or None
        Degrees on WGS 84; they come before `address`.
    address : str
        An address or a corner.
    answers : dict
        By question, as of `geo.walks`.
    reports : dict
        The words of a report of what was seen, by question; empty for the usual words.
    even_so : bool
        Whether reports shall be sent though something in their words points at a person.
    """

    model_config = ConfigDict(extra="forbid")

    lat: float | None = None
    lon: float | None = None
    address: Annotated[str, Field(max_length=LONGEST)] = ""
    answers: Annotated[dict[_Code, _Code], Field(max_length=20)] = {}
    note: Annotated[str, Field(max_length=5_000)] = ""
    reports: Annotated[
        dict[_Code, Annotated[str, Field(max_length=5_000)]], Field(max_length=20)
    ] = {}
    even_so: bool = False
    seen_at: AwareDatetime


class StopReport(BaseModel):
    """What became of a problem that was asked to be reported; no report while it is undecided."""

    question: str
    report: int | None


class StopOut(BaseModel):
    """What became of a stop: the same for every repetition under one key."""

    id: int
    reports: list[StopReport]
