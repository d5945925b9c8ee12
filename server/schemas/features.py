"""What is public of one feature, ready to be shown."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class Fact(BaseModel):
    """One thing to know, in the language asked for."""

    label: str
    value: str


class FeatureFacts(BaseModel):
    """A feature as a popup shows it."""

    layer: str
    id: int
    title: str
    facts: list[Fact]
    url: str | None = Field(description="Page of this site that tells more; null where none does.")


class GroundProperties(BaseModel):
    """What an area or a block watch is called."""

    name: str


class GroundFeature(BaseModel):
    """The outline of an area or a block watch, as a GeoJSON feature."""

    type: Literal["Feature"] = "Feature"
    id: int
    bbox: tuple[float, float, float, float]
    geometry: dict[str, Any]
    properties: GroundProperties
