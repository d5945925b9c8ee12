"""Street addresses with positions: a county's address points, or a file of OpenAddresses.

The search finds an address that is in no file too, by the numbers around it; but only a file tells
which numbers there are, and where the houses stand.
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
    "number": ("house_number", "housenumber", "addr_num", "address_number"),
    "street": ("street_name", "streetname", "full_street", "road"),
    "lat": ("latitude", "y"),
    "lon": ("longitude", "lng", "long", "x"),
}
_MORE = {
    "unit": ("apt", "suite"),
    "postal_code": ("postcode", "zip", "zipcode", "zip_code", "zip code"),
}
_NUMBER = r"^0*(?P<number>[1-9][0-9]{0,5})(?:[^0-9].*)?$"


class Addresses:
    """Addresses by number and street; of a range like 808-810 the first number counts."""

    name = "addresses"
    about = "street addresses (CSV with number, street, lat and lon; OpenAddresses fits as it is)"
    columns = (*_COLUMNS, *_MORE)
    target = Target("address")

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the addresses."""
        for batch in tables.read(file, _COLUMNS):
            longitude, latitude = (tables.numbers(batch, name) for name in ("lon", "lat"))
            tables.require_position(batch, longitude, latitude, ("lon", "lat"))
            written, street = _text(batch, "number"), _text(batch, "street")
            unit, postal_code = (_text(batch, _found(file, batch, name)) for name in _MORE)
            number = pc.struct_field(pc.extract_regex(written, _NUMBER), "number")
            batch.reject(np.asarray(number.is_null()), "number", "no house number")
            batch.reject(tables.empty(batch, "street"), "street", "no street")
            where = pc.binary_join_element_wise(written, street, unit, postal_code, " ")
            yield batch.hold(
                pa.table(
                    {
                        "external_id": pc.replace_substring_regex(where, r"\s+", " "),
                        "number": number.cast(pa.int32()),
                        "street": street,
                        "postal_code": pc.utf8_slice_codeunits(postal_code, 0, 5),
                        "geom": wkb.points(longitude, latitude),
                    }
                ).filter(pa.array(batch.kept))
            )


def _text(batch: Batch, column: str | None) -> pa.Array:
    if column is None:
        return pa.array([""] * len(batch), pa.string())
    return pc.utf8_trim_whitespace(batch.raw.column(column))


def _found(file: File, batch: Batch, wanted: str) -> str | None:
    """Give the name of a column that a file may have; one that was mapped must be there."""
    names = batch.raw.schema.names
    mapped = file.columns.get(wanted)
    if mapped is not None and mapped not in names:
        raise file.broken(
            f"there is no such column; the file has {', '.join(names)}.", row=1, column=mapped
        )
    known = (mapped,) if mapped else (wanted, *_MORE[wanted])
    folded = {name.casefold(): name for name in reversed(names)}
    return next((folded[name.casefold()] for name in known if name.casefold() in folded), None)


ADDRESSES = Addresses()
"""The source of addresses."""
