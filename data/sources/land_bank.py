"""Parcels of the Land Bank of Kansas City, Missouri: lots that stand empty.

The export comes with a byte order mark that has become part of the first column's name, and at
times with both `longitude` and `Longitude`; the APN is cut off by the spreadsheet it went through
and names nothing, so that a lot is known by its parcel number.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data import wkb
from data.load import Target
from data.sources import tables
from data.sources.batch import Batch, File

_COLUMNS = {
    "Parcel.Number": ("Parcel Number",),
    "Combined.Full.Address": ("Combined Full Address", "Address"),
    "Date.Sold": ("Date Sold",),
    "Longitude": (),
    "Latitude": (),
}
OWNER_KIND = "land bank"


class LandBank:
    """Vacant lots of the Land Bank."""

    name = "land_bank"
    about = "vacant lots of the Land Bank of Kansas City, Missouri (CSV)"
    columns = tuple(_COLUMNS)
    target = Target("vacant_lot")

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the lots."""
        for batch in tables.read(file, _COLUMNS):
            longitude, latitude = (
                tables.numbers(batch, name) for name in ("Longitude", "Latitude")
            )
            tables.require_position(batch, longitude, latitude, ("Longitude", "Latitude"))
            batch.reject(tables.empty(batch, "Parcel.Number"), "Parcel.Number", "no id")
            since = pc.strptime(
                batch.raw.column("Date.Sold"), format="%Y-%m-%d", unit="s", error_is_null=True
            )
            batch.reject(
                np.asarray(since.is_null()) & ~tables.empty(batch, "Date.Sold"),
                "Date.Sold",
                "no date like 2012-08-01",
            )
            number = batch.raw.column("Parcel.Number")
            address = pc.utf8_trim_whitespace(batch.raw.column("Combined.Full.Address"))
            yield batch.hold(
                pa.table(
                    {
                        "external_id": number,
                        "parcel_number": number,
                        "address": pc.replace_substring_regex(address, r"\s+", " "),
                        "owner_kind": pa.array([OWNER_KIND] * len(batch), pa.string()),
                        "since": since.cast(pa.date32()),
                        "geom": wkb.points(longitude, latitude),
                    }
                ).filter(pa.array(batch.kept))
            )


LAND_BANK = LandBank()
