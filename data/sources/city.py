"""The city limit of the Census Bureau's TIGER files: the served area."""

import shapely
from pydantic import BaseModel, Field

from data.models.area import AreaLayer
from data.sources.areas import AreaSource


class Place(BaseModel):
    """One incorporated place."""

    geoid: str = Field(alias="GEOID", min_length=1)
    name: str = Field(alias="NAME", min_length=1)
    land: float | None = Field(alias="ALAND", default=None)

    def code(self, shape: shapely.MultiPolygon) -> str:
        """Give the Census code of the place."""
        return self.geoid

    def title(self) -> str:
        """Give the name of the city."""
        return self.name

    def land_m2(self) -> float | None:
        """Give the land within the limit."""
        return self.land


CITY = AreaSource("city", "city limit, the served area (Census TIGER)", AreaLayer.CITY, Place)
