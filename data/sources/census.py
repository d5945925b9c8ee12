"""Areas of the Census Bureau's TIGER files: tracts, block groups, postal areas, blocks, water.

Files may be clipped to the city, as those of kchd-ophs/kcData are: an area keeps the part that
lies in the file.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from pydantic import AliasChoices, BaseModel, Field

from data import wkb
from data.load import Target
from data.models.area import AreaLayer
from data.models.ground import GroundType
from data.sources import features
from data.sources.areas import AreaSource
from data.sources.batch import Batch, File


class Unit(BaseModel):
    """One unit. Names of columns end in the year of the census, in those of 2020."""

    geoid: str = Field(validation_alias=AliasChoices("GEOID", "GEOID20"), min_length=1)
    name: str = Field(
        validation_alias=AliasChoices("NAMELSAD", "NAME20", "ZCTA5CE20"), min_length=1
    )
    land: float = Field(validation_alias=AliasChoices("ALAND", "ALAND20"), ge=0)

    def code(self, shape: shapely.MultiPolygon) -> str:
        """Give the Census code."""
        return self.geoid

    def title(self) -> str:
        """Give the Census name, such as Census Tract 134.18."""
        return self.name

    def land_m2(self) -> float:
        """Give the land of the whole unit, of which a clipped file shows a part."""
        return self.land


TRACTS = AreaSource("tracts", "census tracts (Census TIGER)", AreaLayer.TRACT, Unit)
BLOCK_GROUPS = AreaSource(
    "block_groups", "census block groups (Census TIGER)", AreaLayer.BLOCK_GROUP, Unit
)
POSTAL_AREAS = AreaSource(
    "postal_areas", "ZIP Code tabulation areas (Census TIGER)", AreaLayer.POSTAL_AREA, Unit
)
BLOCKS = AreaSource(
    "blocks", "census blocks, the lines of the base map (Census TIGER)", AreaLayer.BLOCK, Unit
)


class Water:
    """The water of the base map: census blocks that have no land."""

    name = "water"
    about = "rivers and lakes for the base map: census blocks without land (Census TIGER)"
    columns = ()
    target = Target("ground")

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the blocks without land."""
        for batch, shapes in features.read(file):
            land = features.column(file, batch, "ALAND20", "ALAND").cast(pa.float64())
            codes = features.column(file, batch, "GEOID20", "GEOID").cast(pa.string())
            dry = np.asarray(pc.greater(land, 0).fill_null(True).to_numpy(zero_copy_only=False))
            batch.leave_out(dry.astype(bool), "has land")
            whole = features.polygons(batch, shapes)[batch.kept]
            yield batch.hold(
                pa.table(
                    {
                        "external_id": codes.filter(pa.array(batch.kept)),
                        "type": pa.array([GroundType.WATER.value] * len(whole), pa.string()),
                        "geom": wkb.geometries(whole),
                    }
                )
            )


WATER = Water()
