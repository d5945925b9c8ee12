"""Boundaries of block watches, from any GeoJSON, GeoPackage, Shapefile or CSV with WKT."""

from collections.abc import Iterator
from typing import Annotated

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from data import wkb
from data.load import Target
from data.sources import features, mapped
from data.sources.batch import Batch, File

Text = Annotated[str, StringConstraints(strip_whitespace=True)]


class BlockWatch(BaseModel):
    """One watch. Without an id of its own it is known by its name."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    name: Text = Field(min_length=1)
    id: Text | None = None
    contact: Text | None = None
    meeting: Text | None = None


class BlockWatches:
    """Block watches: `name`, and where there are such columns `id`, `contact` and `meeting`."""

    name = "block_watches"
    about = "boundaries of block watches (any GeoJSON, GeoPackage, Shapefile, or CSV with WKT)"
    columns = (*BlockWatch.model_fields, mapped.SHAPE)
    target = Target("block_watch", unique=("name",))

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the watches."""
        for batch, shapes, names in mapped.read(file, BlockWatch, points=False):
            whole = features.polygons(batch, shapes)
            held = mapped.checked(BlockWatch, batch, names)
            yield batch.hold(
                pa.table(
                    {
                        "external_id": pa.array([w.id or w.name for w in held], pa.string()),
                        "name": pa.array([watch.name for watch in held], pa.string()),
                        "contact": pa.array([watch.contact or "" for watch in held], pa.string()),
                        "meeting": pa.array([watch.meeting or "" for watch in held], pa.string()),
                        "boundary": wkb.geometries(whole[batch.kept]),
                    }
                )
            )


BLOCK_WATCHES = BlockWatches()
