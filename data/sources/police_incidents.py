"""Incidents of the Kansas City Police Department (Open Data KC), in the forms of 2017 and 2018.

The files have a row for each person; nothing on persons is read, and the rows of one incident come
to one. The department names the hundred-block, so that positions are general already. An offense
against somebody at home, of a sexual nature, against a child, or a death gets no public position,
nor does one we do not know.

The offense is cut at 20 characters, which is how the table below knows it.
"""

import re
from collections.abc import Iterator
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data import wkb
from data.load import Target
from data.sources import tables
from data.sources.batch import Batch, File
from data.sources.kcmo_311 import TIME_ZONE

METRO = (-95.2, 38.4, -94.0, 39.7)
"""West, south, east and north of the metropolitan area; a position outside is a wrong one."""

SENSITIVE = "private"
"""Group of offenses that are never shown."""

GROUPS = (
    (
        SENSITIVE,
        (
            "dome|full order|ex parte|family|stalking|rape|sodomy|^sex|fondling|traffick|peeping"
            "|invasion of privacy|suicide|dead body|juve|child|kidnap|abduction|homicide|casualty"
            "|abuse|neglect|incest|custod|interference with cu"
        ),
    ),
    ("robbery", "robbery"),
    ("assault", "assau|intimidation|bomb threat|hit and run of a per"),
    ("vehicle_theft", "^auto theft"),
    ("burglary", "^burglary"),
    (
        "fraud",
        (
            "fraud|forge|credit|embezzle|counterfeit|bad check|identity|impersonation|extortion"
            "|hacking|confidence"
        ),
    ),
    ("theft", "^stealing|^stolen|failure to return"),
    ("damage", "damage|^arson|broken window"),
    ("drugs", "^possession"),
    ("weapons", "^weapon"),
    (
        "other",
        "^misc|trespass|disorderly|resisting|false information|drunk|liquor|driving under|animal",
    ),
)
"""Group -> what its offenses look like. The first that fits decides."""

UNKNOWN = "unknown"
"""Group of offenses that are in no other: not shown, until somebody has placed them."""

_FORM_2017 = {"Date": (), "Hour": (), "Crime": (), "Latitude": (), "Longitude": ()}
_FORM_2018 = {
    "report_no": (),
    "offense": (),
    "description": (),
    "dvflag": (),
    "from_date": (),
    "from_time": (),
    "reported_date": (),
    "reported_time": (),
    "location": (),
}
_PLACE = r"\[\s*(?P<longitude>-?\d+\.?\d*)\s*,\s*(?P<latitude>-?\d+\.?\d*)\s*\]"


@cache
def offense_group(offense: str) -> str:
    """Name the group of an offense.

    Parameters
    ----------
    offense : str
        As the file has it.
    """
    words = offense.casefold().strip()
    return next((group for group, looks in GROUPS if re.search(looks, words)), UNKNOWN)


class PoliceIncidents:
    """Police incidents."""

    name = "police_incidents"
    about = "incidents of the Kansas City Police Department, 2017 or 2018 (CSV)"
    columns = (*_FORM_2017, *_FORM_2018)
    target = Target("police_incident")

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the incidents, in whichever form the file is."""
        if "report_no" in tables.header(file):
            for batch in tables.read(file, _FORM_2018):
                yield _of_2018(batch)
        else:
            for batch in tables.read(file, _FORM_2017):
                yield _of_2017(batch)


POLICE_INCIDENTS = PoliceIncidents()


def _of_2017(batch: Batch) -> Batch:
    names = ("Date", "Hour", "Crime", "Latitude", "Longitude")
    date, hour, crime, latitude, longitude = (batch.raw.column(name) for name in names)
    at = _at(date, pc.binary_join_element_wise(pc.utf8_lpad(hour, 2, "0"), "00", ":"))
    return _held(
        batch,
        # No number is given: what happened, when and where stands for one.
        ids=pc.binary_join_element_wise(date, hour, pc.utf8_lower(crime), latitude, longitude, " "),
        offense=crime,
        at_home=np.zeros(len(batch), dtype=bool),
        at=at,
        at_column="Date",
        longitude=tables.numbers(batch, "Longitude"),
        latitude=tables.numbers(batch, "Latitude"),
        place_columns=("Longitude", "Latitude"),
    )


def _of_2018(batch: Batch) -> Batch:
    place = pc.extract_regex(batch.raw.column("location"), _PLACE)
    longitude, latitude = (
        np.asarray(
            pc.struct_field(place, name).cast(pa.float64()).to_numpy(zero_copy_only=False),
            dtype=float,
        )
        for name in ("longitude", "latitude")
    )
    begun = _at(
        pc.utf8_slice_codeunits(batch.raw.column("from_date"), 0, 10), batch.raw.column("from_time")
    )
    reported = _at(
        pc.utf8_slice_codeunits(batch.raw.column("reported_date"), 0, 10),
        batch.raw.column("reported_time"),
    )
    at_home = pc.equal(batch.raw.column("dvflag"), "Y")
    return _held(
        batch,
        ids=pc.binary_join_element_wise(
            batch.raw.column("report_no"), batch.raw.column("offense"), " "
        ),
        offense=batch.raw.column("description"),
        at_home=np.asarray(at_home.to_numpy(zero_copy_only=False), dtype=bool),
        at=pc.coalesce(begun, reported),
        at_column="from_date",
        longitude=longitude,
        latitude=latitude,
        place_columns=("location", "location"),
    )


def _held(
    batch: Batch,
    *,
    ids: pa.Array,
    offense: pa.Array,
    at_home: np.ndarray,
    at: pa.Array,
    at_column: str,
    longitude: np.ndarray,
    latitude: np.ndarray,
    place_columns: tuple[str, str],
) -> Batch:
    tables.require_position(batch, longitude, latitude, place_columns)
    west, south, east, north = METRO
    inside = (longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north)
    batch.reject(~inside, place_columns[0], "outside the metropolitan area")
    batch.reject(np.asarray(at.is_null()), at_column, "no date and time")
    words = offense.dictionary_encode()
    groups = [offense_group(word) for word in words.dictionary.to_pylist()]
    private = np.array([group in {SENSITIVE, UNKNOWN} for group in groups], dtype=bool)
    sensitive = private[words.indices.to_numpy()] | at_home
    return batch.hold(
        pa.table(
            {
                "external_id": ids,
                "offense": pc.utf8_trim_whitespace(offense),
                "offense_group": pa.array(groups, pa.string()).take(words.indices),
                "sensitive": pa.array(sensitive),
                "occurred_at": at,
                "exact_geom": wkb.points(longitude, latitude),
                "public_geom": wkb.points(np.where(sensitive, np.nan, longitude), latitude),
            }
        ).filter(pa.array(batch.kept))
    )


def _at(dates: pa.Array, times: pa.Array) -> pa.Array:
    local = pc.strptime(
        pc.binary_join_element_wise(dates, times, " "),
        format="%Y-%m-%d %H:%M",
        unit="us",
        error_is_null=True,
    )
    zoned = pc.assume_timezone(local, TIME_ZONE, ambiguous="earliest", nonexistent="latest")
    return zoned.cast(pa.timestamp("us", "UTC"))
