"""The city's council districts of 2023 (Open Data KC)."""

import shapely
from pydantic import BaseModel, Field

from data.models.area import AreaLayer
from data.sources.areas import AreaSource


class CouncilDistrict(BaseModel):
    """One feature of the file. Who represents the district changes too often to be kept."""

    dist_id: str = Field(coerce_numbers_to_str=True, min_length=1)

    def code(self, shape: shapely.MultiPolygon) -> str:
        """Give the number of the district."""
        return self.dist_id

    def title(self) -> str:
        """Give the name as the city writes it."""
        return f"District {self.dist_id}"

    def land_m2(self) -> None:
        """Nothing: the file does not say."""


COUNCIL_DISTRICTS = AreaSource(
    "council_districts",
    "council districts of Kansas City, Missouri, 2023 (GeoJSON)",
    AreaLayer.COUNCIL_DISTRICT,
    CouncilDistrict,
)
