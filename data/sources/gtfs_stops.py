"""Stops of a transit feed: stops.txt of GTFS (https://gtfs.org/documentation/schedule)."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data import wkb
from data.load import Target
from data.sources import tables
from data.sources.batch import Batch, File

_COLUMNS = {"stop_id": (), "stop_name": (), "stop_lat": (), "stop_lon": ()}
_BOARDING = pa.array(["", "0"])
"""Values of location_type where a vehicle stops; stations, entrances and areas are others."""


class GtfsStops:
    """Where buses and streetcars stop. Those outside the city are kept: people walk there."""

    name = "gtfs_stops"
    about = "bus and streetcar stops (stops.txt of a GTFS feed)"
    columns = tuple(_COLUMNS)
    target = Target("transit_stop")

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the stops."""
        for batch in tables.read(file, _COLUMNS):
            if "location_type" in batch.raw.schema.names:
                boards = pc.is_in(batch.raw.column("location_type"), _BOARDING)
                batch.leave_out(
                    ~np.asarray(boards.to_numpy(zero_copy_only=False)),
                    "a station or entrance, no stop",
                )
            longitude, latitude = (tables.numbers(batch, name) for name in ("stop_lon", "stop_lat"))
            tables.require_position(batch, longitude, latitude, ("stop_lon", "stop_lat"))
            batch.reject(tables.empty(batch, "stop_id"), "stop_id", "no id")
            yield batch.hold(
                pa.table(
                    {
                        "external_id": batch.raw.column("stop_id"),
                        "name": pc.utf8_trim_whitespace(batch.raw.column("stop_name")),
                        "geom": wkb.points(longitude, latitude),
                    }
                ).filter(pa.array(batch.kept))
            )


GTFS_STOPS = GtfsStops()
