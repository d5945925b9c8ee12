"""What is public of one feature, ready to be shown."""

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
