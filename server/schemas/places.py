"""Places as programs read them."""

from typing import Annotated, Self

from pydantic import BaseModel, Field

from data.queries.places import Exactness, Place, PlaceKind


class PlaceOut(BaseModel):
    """A place with a name."""

    label: Annotated[str, Field(description="Address, corner, street or name.")]
    kind: PlaceKind
    lon: Annotated[float, Field(description="Longitude, WGS 84.")]
    lat: Annotated[float, Field(description="Latitude, WGS 84.")]
    score: Annotated[float, Field(description="How well it fits, from 0 to 1.")]
    exact: Annotated[
        bool,
        Field(
            description="False where the position is told from the numbers around it, or is the "
            "middle of a street or an area."
        ),
    ]

    @classmethod
    def of(cls, place: Place) -> Self:
        """Give a place as it is sent."""
        return cls(
            label=place.label,
            kind=place.kind,
            lon=round(place.lon, 6),
            lat=round(place.lat, 6),
            score=place.score,
            exact=place.exactness is Exactness.EXACT,
        )


class PlacesOut(BaseModel):
    """Places found, best first; empty where nothing fits."""

    places: list[PlaceOut]


class NearestOut(BaseModel):
    """The place at a position; null where nothing is near or the city does not serve it."""

    place: PlaceOut | None
