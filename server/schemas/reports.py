"""Reports as programs send and read them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from data.models import EventKind, LightStatus
from data.models.report import DESCRIPTION_LIMIT, EMAIL_LIMIT, NAME_LIMIT, PHONE_LIMIT
from geo.addresses import LONGEST
from geo.categories import Category, Setting
from geo.kinds import Kind, Severity
from geo.places import MOST_POSITIONS
from geo.statuses import Status
from server.schemas.filters import LARGEST_ID
from server.screening import Concern


def _number(sent: object) -> object:
    """Refuse what could be read as a number and is none: `true` would be 1."""
    if isinstance(sent, bool | str):
        raise ValueError("write a number, without quotes")  # noqa: TRY004 (pydantic tells of no other)
    return sent


Integer = Annotated[int, BeforeValidator(_number)]
Degrees = Annotated[float, BeforeValidator(_number)]

Coordinates = Annotated[
    list[Degrees],
    Field(min_length=2, max_length=3, description="Longitude and latitude, WGS 84."),
]


class PointGeometry(BaseModel):
    """A GeoJSON point."""

    type: Literal["Point"]
    coordinates: Coordinates


class LineGeometry(BaseModel):
    """A GeoJSON line: a dark stretch of street."""

    type: Literal["LineString"]
    coordinates: Annotated[list[Coordinates], Field(min_length=2, max_length=MOST_POSITIONS)]


class PolygonGeometry(BaseModel):
    """A GeoJSON polygon: a lot."""

    type: Literal["Polygon"]
    coordinates: Annotated[
        list[Annotated[list[Coordinates], Field(min_length=4, max_length=MOST_POSITIONS)]],
        Field(min_length=1, max_length=10),
    ]


AnyGeometry = Annotated[PointGeometry | LineGeometry | PolygonGeometry, Field(discriminator="type")]


class ContactIn(BaseModel):
    """How to reach the reporter. Never shown to anybody but the staff who work on the report."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=NAME_LIMIT)] = ""
    email: Annotated[str, Field(max_length=EMAIL_LIMIT)] = ""
    phone: Annotated[str, Field(max_length=PHONE_LIMIT)] = ""


class Attributes(BaseModel):
    """What a service asks for beside the place, as `attribute` of Open311."""

    model_config = ConfigDict(extra="forbid")

    pole: Annotated[
        str | None, Field(min_length=1, max_length=100, description="The number on the pole.")
    ] = None


class ReportIn(BaseModel):
    """A report as a program sends it: a category, and the place in one of three ways or a pole."""

    model_config = ConfigDict(extra="forbid")

    category: Annotated[
        str, Field(max_length=100, description="A code of /api/categories.", examples=["light_out"])
    ]
    geometry: Annotated[
        AnyGeometry | None, Field(description="The place as GeoJSON: point, line or polygon.")
    ] = None
    lat: Annotated[
        Degrees | None, Field(description="Latitude of the place in degrees, with `lon`.")
    ] = None
    lon: Annotated[
        Degrees | None, Field(description="Longitude of the place in degrees, with `lat`.")
    ] = None
    address: Annotated[
        str | None,
        Field(max_length=LONGEST, description="An address, a corner or a landmark of the city."),
    ] = None
    occurred_at: Annotated[
        AwareDatetime | None,
        Field(description="When it was seen, with an offset from UTC. Without it: now."),
    ] = None
    long_ago: Annotated[
        bool, Field(description="Confirms that it was more than two years ago.")
    ] = False
    severity: Severity | None = None
    description: Annotated[
        str,
        Field(
            description="What the matter is, as plain text. Public, unless something in it points at "
            "a person: then it waits for a moderator, and `text` of the answer says why.",
            json_schema_extra={"maxLength": DESCRIPTION_LIMIT},  # checked with a count of our own
        ),
    ] = ""
    contact: ContactIn = ContactIn()
    on_behalf_of: Annotated[
        Integer | None,
        Field(
            ge=1,
            le=LARGEST_ID,
            description="Id of the block watch in whose name it is sent. Takes a member who is signed "
            "in, and a place in it or at most 250 m from it.",
        ),
    ] = None
    street_light_id: Annotated[
        Integer | None,
        Field(
            ge=1,
            le=LARGEST_ID,
            description="Id of the street light it is about. Without it, the nearest within 40 m of "
            "a point counts. Its pole is the place; one that is given, too, lies at most 250 m away.",
        ),
    ] = None
    attribute: Annotated[
        Attributes,
        Field(description="As Open311 sends it: `pole` names the street light by its number."),
    ] = Attributes()


class FindingOut(BaseModel):
    """A part of a text that points at a person, and how to say it instead."""

    concern: Concern
    text: str
    reason: str
    advice: str


class TextOut(BaseModel):
    """What becomes public of a description."""

    state: Annotated[
        Literal["public", "waiting"],
        Field(description="`waiting`: nothing is public until a moderator has read it."),
    ]
    findings: list[FindingOut]
    preview: Annotated[str, Field(description="The text without what was found.")]


class ReportOut(BaseModel):
    """What became of a report that was sent: the same for every repetition under one key."""

    id: int
    reported_at: datetime
    url: Annotated[str, Field(description="The report for programs.")]
    page: Annotated[str, Field(description="The report for people.")]
    text: TextOut


class FeatureProperties(BaseModel):
    """What everybody may know of a report, in a list."""

    kind: Kind
    category: str
    status: Status
    severity: Severity | None
    occurred_at: datetime
    reported_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    neighbourhood: Annotated[int | None, Field(description="Id of the area.")]
    council_district: Annotated[int | None, Field(description="Id of the area.")]
    block_watch: Annotated[int | None, Field(description="Id of the block watch.")]
    duplicate_of: Annotated[int | None, Field(description="Id of the report that stands for it.")]
    on_behalf_of: Annotated[
        int | None, Field(description="Id of the block watch in whose name it was sent.")
    ]
    text: Annotated[str, Field(description="What everybody may read of what the reporter wrote.")]


class ReportFeature(BaseModel):
    """A report as a GeoJSON feature, at its public position."""

    type: Literal["Feature"]
    id: int
    geometry: AnyGeometry
    properties: FeatureProperties


class Link(BaseModel):
    """A link to another page of the same list."""

    rel: Literal["self", "next"]
    href: str
    type: Literal["application/geo+json"] = "application/geo+json"


class ReportPage(BaseModel):
    """A page of reports, newest first."""

    type: Literal["FeatureCollection"]
    features: list[ReportFeature]
    links: list[Link]
    numberReturned: int  # noqa: N815 (the name in OGC API - Features)


class TimelineOut(BaseModel):
    """One line of what happened to a report."""

    at: datetime
    kind: EventKind
    status: Status | None
    note: str


class LightOut(BaseModel):
    """A street light that a report is about."""

    id: int
    pole: Annotated[str, Field(description="The number on the pole.")]
    status: LightStatus
    reports: Annotated[int, Field(description="Open reports of the same outage.")]


class OneProperties(BaseModel):
    """What everybody may know of one report."""

    kind: Kind
    category: str
    category_name: str
    status: Status
    severity: Severity | None
    place: Annotated[str | None, Field(description="Null where it may be at a home.")]
    occurred_at: datetime
    reported_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    neighbourhood: Annotated[str | None, Field(description="Name.")]
    council_district: Annotated[str | None, Field(description="Name.")]
    block_watch: Annotated[str | None, Field(description="Name.")]
    text: Annotated[str, Field(description="What everybody may read of what the reporter wrote.")]
    supports: Annotated[int, Field(description="Neighbours who said: affects me too.")]
    duplicate_of: int | None
    on_behalf_of: Annotated[
        str | None, Field(description="Name of the block watch in whose name it was sent.")
    ]
    position: Annotated[
        Literal["exact", "generalized", "none"],
        Field(description="Whether the geometry is where it is, or moved to protect a home."),
    ]
    street_lights: Annotated[
        list[LightOut], Field(description="Lights it is about; empty where it is about a place.")
    ]
    timeline: list[TimelineOut]
    page: str


class OneFeature(BaseModel):
    """One report as a GeoJSON feature; without a public position the geometry is null."""

    type: Literal["Feature"] = "Feature"
    id: int
    geometry: Annotated[dict[str, Any] | None, Field(description="GeoJSON.")]
    properties: OneProperties


class SupportsOut(BaseModel):
    """How many neighbours a report affects by now, and whether you were counted just now."""

    supports: int
    counted: bool


class CategoryOut(BaseModel):
    """A category a report can have."""

    code: str
    kind: Kind
    group: str
    name: str
    service_code: Annotated[str, Field(description="Open311 GeoReport v2 service code.")]
    duplicate_radius_m: int
    position: Annotated[
        Literal["exact", "generalized"],
        Field(description="How exactly the places of its reports are public."),
    ]


def position_of(category: Category) -> Literal["exact", "generalized"]:
    """Say how exactly the places of a category are public."""
    return "exact" if category.setting is Setting.PUBLIC_SPACE else "generalized"
