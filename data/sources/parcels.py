"""Every parcel of Kansas City as a point with its land use, without owners (2015).

Where homes are, among which that of a report must hide.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data import wkb
from data.load import Target
from data.models.parcel import LandUse
from data.sources import tables
from data.sources.batch import Batch, File

_COLUMNS = {"kivapin": (), "longitude": (), "latitude": (), "landusecode": (), "landuse": ()}

LAND_USES = {
    "Residential": LandUse.HOME,
    "Commercial": LandUse.COMMERCIAL,
    "Industrial": LandUse.INDUSTRIAL,
    "Agricultural/Vacant": LandUse.VACANT,
}
"""The zoning the city gives -> ours, where the code of the actual use says nothing else."""

VACANT_CODES = r"^9[56]00"
"""Codes of actual use that say vacant, whatever the zoning."""

HOME_CODES = r"^11"
"""Codes of actual use that say homes."""


class Parcels:
    """Parcels as points."""

    name = "parcels"
    about = "parcels of Kansas City, Missouri, as points with their land use (CSV)"
    columns = tuple(_COLUMNS)
    target = Target("parcel")

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the parcels."""
        for batch in tables.read(file, _COLUMNS):
            longitude, latitude = (
                tables.numbers(batch, name) for name in ("longitude", "latitude")
            )
            tables.require_position(batch, longitude, latitude, ("longitude", "latitude"))
            batch.reject(tables.empty(batch, "kivapin"), "kivapin", "no id")
            code, zoning = batch.raw.column("landusecode"), batch.raw.column("landuse")
            zoned = zoning.dictionary_encode()
            known = [LAND_USES.get(word) for word in zoned.dictionary.to_pylist()]
            use = pc.if_else(
                pc.match_substring_regex(code, VACANT_CODES),
                LandUse.VACANT.value,
                pc.if_else(
                    pc.match_substring_regex(code, HOME_CODES),
                    LandUse.HOME.value,
                    pa.array(known, pa.string()).take(zoned.indices),
                ),
            )
            batch.reject(np.asarray(use.is_null()), "landuse", f"none of {', '.join(LAND_USES)}")
            yield batch.hold(
                pa.table(
                    {
                        # One number may stand for several lots.
                        "external_id": pc.binary_join_element_wise(
                            batch.raw.column("kivapin"),
                            batch.raw.column("longitude"),
                            batch.raw.column("latitude"),
                            " ",
                        ),
                        "land_use": use,
                        "geom": wkb.points(longitude, latitude),
                    }
                ).filter(pa.array(batch.kept))
            )


PARCELS = Parcels()
