"""The filters as they stand in addresses: the same names on the map, in tiles, lists and the API."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from data.queries.filters import Bounds, ReportFilter
from geo.categories import BY_CODE
from geo.kinds import Kind
from geo.statuses import OPEN, PUBLIC, Status

OPEN_WORD = "open"
"""Stands for the four statuses under which something is still to be done."""

LARGEST_ID = 2**63 - 1
"""What a column of ids holds at the most."""

Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]


def _known_category(code: str) -> str:
    if code not in BY_CODE:
        raise ValueError(f"there is no category {code!r}; see the list at /api/categories")
    return code


def _known_status(word: str) -> str:
    public = [status.value for status in Status if status in PUBLIC]
    if word != OPEN_WORD and word not in public:
        raise ValueError(f"write one of {', '.join([OPEN_WORD, *public])}")
    return word


def _without_empty(words: object) -> object:
    """Forms send an empty word for "any"."""
    return [word for word in words if word != ""] if isinstance(words, list | tuple) else words


def none_if_empty(word: object) -> object:
    """Take the empty word that forms send for what is not filled in."""
    return None if word == "" else word


def _in_living_memory(day: date | None) -> date | None:
    """Refuse the ends of the calendar: queries need the day after, too."""
    if day is not None and not 1900 <= day.year < 2200:
        raise ValueError("write a day of the years 1900 to 2199")
    return day


Day = Annotated[date | None, BeforeValidator(none_if_empty), AfterValidator(_in_living_memory)]


class Filters(BaseModel):
    """Query parameters that narrow down reports."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Annotated[list[Kind], BeforeValidator(_without_empty)] = []
    category: Annotated[
        list[Annotated[str, AfterValidator(_known_category)]], BeforeValidator(_without_empty)
    ] = []
    status: Annotated[
        list[Annotated[str, AfterValidator(_known_status)]], BeforeValidator(_without_empty)
    ] = Field([], description="A status, or `open` for all under which something is to be done.")
    since: Day = Field(None, alias="from", description="First day of reporting, local date.")
    until: Day = Field(None, alias="to", description="Last day of reporting, local date.")
    area: Annotated[Id | None, BeforeValidator(none_if_empty)] = Field(
        None, description="Id of a neighbourhood, council district, patrol division or tract."
    )
    block_watch: Annotated[Id | None, BeforeValidator(none_if_empty)] = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.until and self.until < self.since:
            raise ValueError("the first day (from) must not come after the last day (to)")
        return self

    def chosen(self, zone: ZoneInfo) -> ReportFilter:
        """Give the filter as queries take it."""
        statuses = {Status(word) for word in self.status if word != OPEN_WORD}
        if OPEN_WORD in self.status:
            statuses |= OPEN
        return ReportFilter(
            zone=zone,
            kinds=tuple(sorted(set(self.kind))),
            categories=tuple(sorted(set(self.category))),
            statuses=tuple(status for status in Status if status in statuses),
            since=self.since,
            until=self.until,
            area_id=self.area,
            block_watch_id=self.block_watch,
        )


def bounds(text: str | None) -> Bounds | None:
    """Read a box written as west,south,east,north in degrees.

    Raises
    ------
    ValueError
        Says how to write it.
    """
    if not text:
        return None
    parts: Iterable[str] = text.split(",")
    try:
        west, south, east, north = (float(part) for part in parts)
    except ValueError as error:
        raise ValueError("write the box as west,south,east,north in degrees") from error
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError(
            "the box must have west <= east within -180..180, and south <= north within -90..90"
        )
    return Bounds(west, south, east, north)


Box = Annotated[str | None, Field(description="west,south,east,north in degrees", max_length=120)]
