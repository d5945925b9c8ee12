"""The city's Neighborhood Borders (Open Data KC, data set vq6h-tqrf).

Fillers between neighbourhoods have no name and all carry the id 0, which therefore names nothing:
such an area is known by a point inside it.
"""

import shapely
from pydantic import BaseModel, Field

from data.models.area import AreaLayer
from data.sources.areas import AreaSource

UNNAMED = "Unnamed area"


class Neighbourhood(BaseModel):
    """One feature of the file, in which every value is text."""

    nbhid: str = Field(min_length=1)
    nbhname: str | None = None

    def code(self, shape: shapely.MultiPolygon) -> str:
        """Give the city's id, or where the area has none, a point inside it."""
        if self.nbhid != "0":
            return self.nbhid
        inside = shapely.point_on_surface(shape)
        return f"unnamed {inside.y:.4f} {inside.x:.4f}"

    def title(self) -> str:
        """Give the name; every area gets one that can be shown."""
        return (self.nbhname or "").strip() or UNNAMED

    def land_m2(self) -> None:
        """Nothing: the file counts water in, and square feet."""


NEIGHBOURHOODS = AreaSource(
    "neighbourhoods",
    "Neighborhood Borders of Kansas City, Missouri (GeoJSON)",
    AreaLayer.NEIGHBOURHOOD,
    Neighbourhood,
)
