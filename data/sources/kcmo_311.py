"""Requests of Kansas City's 311 call centre (Open Data KC, data set 7at3-sxhp), to 2021.

The city changed its vocabulary in June 2015 ("Street Light" became "Lights / Signals", "Trash"
became "Trash / Recycling"); the table below knows both. What asks for lighting or cleanup, or tells
of a nuisance or a vacant place, becomes a report. The rest is left out with its reason: what is
about persons (camps, police calls) above all, and what another department's own system handles.
"""

import fnmatch
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.load import Target
from data.sources import tables
from data.sources.batch import Batch, File
from geo.categories import BY_CODE
from geo.statuses import Status

TIME_ZONE = "America/Chicago"

CLOSING_HOUR = time(17)
"""The file gives the day of closing only: it counts as closed when the working day ends."""

# fmt: off
RULES = """
# CATEGORY | TYPE | DETAIL                                          our category, or - and why not
Street Light | Outage | Two to Four                                 block_dark
Street Light | Outage | Multiple                                    block_dark
Street Light | Outage | *                                           light_out
Street Light | Malfunction | Day Burn                               light_day_burner
Street Light | Malfunction | *                                      light_flickers
Street Light | Damage | *                                           light_damaged
Street Light | New | *                                              light_needed
Lights / Signals | Street Light | 1 Light Out                       light_out
Lights / Signals | Street Light | 2 to 4 Lights Out                 block_dark
Lights / Signals | Street Light | 5+ Lights Out                     block_dark
Lights / Signals | Street Light | Blinking                          light_flickers
Lights / Signals | Street Light | Burning During The Day            light_day_burner
Lights / Signals | Street Light | Graffiti                          graffiti
Lights / Signals | Street Light | New/Remove Light                  light_needed
Lights / Signals | Street Light | Pole Down or Leaning              light_damaged
Lights / Signals | Street Light | Wire Down*                        light_damaged
Lights / Signals | Street Light | *                                 light_out
Lights / Signals | Traffic Signal | Graffiti                        graffiti
Lights / Signals | Traffic Signal | *                               - traffic signals
Lights / Signals | Services | *                                     - questions and feedback
Signal | * | *                                                      - traffic signals
Trees | Trimming | Streetlight                                      light_blocked
Trees | Trimming | Visibility                                       blind_corner
Trees | Intersection | *                                            blind_corner
Trees | * | *                                                       - trees
Weeds | Visibility | *                                              blind_corner
Weeds | Land Trust | *                                              vacant_lot
Weeds | Privately Owned Property | *                                vacant_lot
Weeds | * | *                                                       overgrowth
Mowing / Weeds | Visibility | *                                     blind_corner
Mowing / Weeds | Private / Commercial | Lot - Vacant                vacant_lot
Mowing / Weeds | Public Property | City Vacant Lot                  vacant_lot
Mowing / Weeds | Public Property | Land Bank                        vacant_lot
Mowing / Weeds | * | Feedback                                       - questions and feedback
Mowing / Weeds | * | *                                              overgrowth
Trash | Illegal Dumping | *                                         dumping
Trash | Right of Way | *                                            dumping
Trash | Land Trust | *                                              vacant_lot
Trash | Investigation | *                                           private_trash
Trash | City Property | *                                           litter
Trash | Animal | *                                                  - animals
Trash | Salvage Yard Investigation | *                              - permits and land use
Trash | * | *                                                       - trash pickup
Trash / Recycling | Dumping | Private Property                      private_trash
Trash / Recycling | Dumping | *                                     dumping
Trash / Recycling | Dumpsters | Private Property                    private_trash
Trash / Recycling | Dumpsters | *                                   litter
Trash / Recycling | Early Set Out | *                               litter
Trash / Recycling | Leaf / Brush | Dumping in Street                dumping
Trash / Recycling | Nuisance | Land Bank                            vacant_lot
Trash / Recycling | Nuisance | Early Set Out                        litter
Trash / Recycling | Nuisance | *                                    private_trash
Trash / Recycling | * | *                                           - trash pickup
Bulky Appointment | * | *                                           - trash pickup
Cleaning | Alley | *                                                litter
Streets / Roadways / Alleys | Street Clean Up | District *          litter
Streets / Roadways / Alleys | Street Clean Up | Bridge              litter
Graffiti | * | *                                                    graffiti
Parks & Recreation | Graffiti | *                                   graffiti
Property / Buildings / Construction | Property Maintenance | Graffiti   graffiti
Signs | * | Graffiti                                                graffiti
Vehicle | Abandoned | *                                             abandoned_vehicle
Vehicles / Parking | Abandoned On Street | *                        abandoned_vehicle
Vehicles / Parking | Disabled/Unlicensed on Private Property | *    nuisance
Vehicles / Parking | Parked on Unapproved Surface | *               nuisance
Vehicles / Parking | * | *                                          - parking
Downtown Parking | * | *                                            - parking
Parking Meter | * | *                                               - parking
Street Sign | * | *                                                 sign_damaged
Traffic Sign | * | *                                                sign_damaged
Signs | Street Name Signs | Missing                                 sign_damaged
Signs | Street Name Signs | Down / Damaged                          sign_damaged
Signs | Traffic Sign | Damaged*                                     sign_damaged
Signs | Traffic Sign | Missing*                                     sign_damaged
Signs | No Dumping Sign | *                                         dumping
Signs | * | *                                                       - streets, signs and sidewalks
Property Violations | Board Up | *                                  open_building
Property Violations | Private Property | Snow on Sidewalk           - snow and ice
Property Violations | Private Property | *                          property_neglect
Property Violations | * | *                                         - administration
Property & Nuisance Violations | * | *                              nuisance
Nuisance Violations | * | *                                         nuisance
Housing | Private Property | *                                      property_neglect
Property / Buildings / Construction | Dangerous Building | Open To Entry    open_building
Property / Buildings / Construction | Dangerous Building | *        unsafe_building
Property / Buildings / Construction | Property Maintenance | DART   nuisance
Property / Buildings / Construction | Property Maintenance | *      property_neglect
Property / Buildings / Construction | Services* | *                 - questions and feedback
Property / Buildings / Construction | * | *                         - permits and land use
Noise Control | * | *                                               noise_spot
Public Health | Noise | *                                           noise_spot
Sidewalk | Hazardous | *                                            unsafe_crossing
Sidewalk | Disrepair | *                                            unsafe_crossing
Sidewalks / Curbs / Ditch | Damage / Dis-Repair | *                 unsafe_crossing
Sidewalks / Curbs / Ditch | Obstructed / Closure | *                unsafe_crossing
Sidewalks / Curbs / Ditch | Snow / Ice | *                          - snow and ice
Streets / Roadways / Alleys | Markings / Paint | Crosswalk          unsafe_crossing
Streets / Roadways / Alleys | Speed Bump | *                        speeding
Streets / Roadways / Alleys | Snow / Ice | *                        - snow and ice
Snow & Ice | * | *                                                  - snow and ice
Public Safety | * | *                                               - persons and emergencies
Fire | * | *                                                        - persons and emergencies
Animal | * | *                                                      - animals
Animals / Pets | * | *                                              - animals
Health | Rat Control and Treatment | *                              - animals
Health | * | *                                                      - public health
Public Health | * | *                                               - public health
Air Quality | * | *                                                 - public health
Food Protection | * | *                                             - public health
Storm Water | * | *                                                 - water and sewers
Storm Water / Sewer | * | *                                         - water and sewers
Sewer | * | *                                                       - water and sewers
Wastewater | * | *                                                  - water and sewers
Water* | * | *                                                      - water and sewers
Consumer Services | * | *                                           - water and sewers
Ditch | * | *                                                       - water and sewers
Sidewalk* | * | *                                                   - streets, signs and sidewalks
Streets / Roadways / Alleys | * | *                                 - streets, signs and sidewalks
Street | * | *                                                      - streets, signs and sidewalks
Pothole | * | *                                                     - streets, signs and sidewalks
Maintenance | Street | *                                            - streets, signs and sidewalks
Markings | * | *                                                    - streets, signs and sidewalks
Sealing | * | *                                                     - streets, signs and sidewalks
Sweeping | * | *                                                    - streets, signs and sidewalks
Steel Plate | * | *                                                 - streets, signs and sidewalks
Guard Rail | * | *                                                  - streets, signs and sidewalks
Bridge | * | *                                                      - streets, signs and sidewalks
Traffic Study | * | *                                               - streets, signs and sidewalks
Public Works | * | *                                                - streets, signs and sidewalks
Park | * | *                                                        - parks
Park Maintenance | * | *                                            - parks
Parks & Recreation | * | *                                          - parks
Boulevard Parks and Rec | * | *                                     - parks
Permit | * | *                                                      - permits and land use
Right of Way | * | *                                                - permits and land use
Zoning | * | *                                                      - permits and land use
City Planning & Development | * | *                                 - permits and land use
Data Not Available | * | *                                          - no category given
Aviation | * | *                                                    - administration
Capital Projects | * | *                                            - administration
City Facilities | * | *                                             - administration
City Managers Office | * | *                                        - administration
Convention & Entertainment Center | * | *                           - administration
Facilities | * | *                                                  - administration
Finance | * | *                                                     - administration
Government | * | *                                                  - administration
Neighborhood & Community Services | * | *                           - administration
Neighborhood Preservation | * | *                                   - administration
Property Preservation | * | *                                       - administration
"""
# fmt: on
"""The first line that fits decides. Stars stand for anything."""

STATUSES = {
    "OPEN": Status.RECEIVED,
    "ASSIG": Status.CONFIRMED,
    "RESOL": Status.DONE,
    "DUP": Status.DUPLICATE,
    "CANC": Status.DECLINED,
}
"""The city's word -> ours."""

_COLUMNS: dict[str, tuple[str, ...]] = {
    "CASE ID": ("case_id",),
    "CATEGORY": (),
    "TYPE": (),
    "DETAIL": (),
    "CREATION DATE": ("creation_date",),
    "CREATION TIME": ("creation_time",),
    "STATUS": (),
    "CLOSED DATE": ("closed_date",),
    "STREET ADDRESS": ("street_address",),
    "LATITUDE": (),
    "LONGITUDE": (),
}
_FILLERS = frozenset({"", "All", "*Select one", "*Select One"})


@cache
def _rules() -> list[tuple[tuple[str, ...], str]]:
    rules = []
    for line in RULES.strip().splitlines()[1:]:
        pattern, answer = line.rsplit("   ", maxsplit=1)
        words = tuple(word.strip() for word in pattern.split(" | "))
        rules.append((words, answer.strip()))
    return rules


@cache
def category_or_reason(category: str, type_: str, detail: str) -> tuple[str | None, str]:
    """Say what a request becomes.

    Parameters
    ----------
    category, type_, detail : str
        As in the columns CATEGORY, TYPE and DETAIL.

    Returns
    -------
    tuple of (str or None, str)
        Code of our category and an empty text; or None and the reason for leaving it out.
    """
    for patterns, answer in _rules():
        if all(
            fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))
            for value, pattern in zip((category, type_, detail), patterns, strict=True)
        ):
            if answer.startswith("- "):
                return None, answer.removeprefix("- ")
            return BY_CODE[answer].code, ""
    return None, f"no rule for {category or 'an empty category'}"


class Requests311:
    """311 requests, as the portal's CSV export or its API's JSON."""

    name = "kcmo_311"
    about = "311 requests of Kansas City, Missouri (CSV or the portal's JSON)"
    columns = tuple(_COLUMNS)
    target = Target("report")

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the requests."""
        for batch in read(file):
            yield self._mapped(batch)

    def _mapped(self, batch: Batch) -> Batch:
        words = [batch.raw.column(name) for name in ("CATEGORY", "TYPE", "DETAIL")]
        encoded = pc.binary_join_element_wise(*words, "\x1f").dictionary_encode()
        terms = [tuple(term.split("\x1f")) for term in encoded.dictionary.to_pylist()]
        which = encoded.indices.to_numpy()
        answers = [category_or_reason(*term) for term in terms]
        for reason in sorted({reason for code, reason in answers if code is None}):
            batch.leave_out(np.array([answer[1] == reason for answer in answers])[which], reason)

        latitude, longitude = (tables.numbers(batch, name) for name in ("LATITUDE", "LONGITUDE"))
        tables.require_position(batch, longitude, latitude, ("LONGITUDE", "LATITUDE"))
        reported = _at(batch, "CREATION DATE", batch.raw.column("CREATION TIME"))
        batch.reject(_null(reported), "CREATION DATE", "no date and time like 05/11/2018 09:37 AM")
        closed = _at(batch, "CLOSED DATE", _always(CLOSING_HOUR, len(batch)))
        batch.reject(
            _null(closed) & ~tables.empty(batch, "CLOSED DATE"),
            "CLOSED DATE",
            "no date like 05/11/2018",
        )
        before = pc.less(
            _at(batch, "CLOSED DATE", _always(time.max, len(batch))), reported
        ).fill_null(False)
        batch.reject(
            np.asarray(before.to_numpy(zero_copy_only=False), dtype=bool),
            "CLOSED DATE",
            "closed before it was created",
        )
        city_status = batch.raw.column("STATUS").dictionary_encode()
        status = [STATUSES.get(word) for word in city_status.dictionary.to_pylist()]
        of_row = city_status.indices.to_numpy()
        batch.reject(
            np.array([found is None for found in status], dtype=bool)[of_row],
            "STATUS",
            f"none of {', '.join(STATUSES)}",
        )
        batch.reject(tables.empty(batch, "CASE ID"), "CASE ID", "no id")

        kept = pa.array(batch.kept)
        statuses = pa.array(status, pa.string()).take(pa.array(of_row))
        # A status that is open has no end, whatever the file says.
        is_open = pc.is_in(statuses, pa.array([Status.RECEIVED.value, Status.CONFIRMED.value]))
        closed = pc.if_else(is_open, pa.scalar(None, closed.type), closed)
        closed = pc.if_else(pc.less(closed, reported), reported, closed)
        columns = {
            "external_id": batch.raw.column("CASE ID"),
            "category_code": pa.array([code for code, _ in answers], pa.string()).take(
                encoded.indices
            ),
            "status": statuses,
            "address": pc.utf8_trim_whitespace(batch.raw.column("STREET ADDRESS")),
            "description": pa.array(
                [", ".join(word for word in term[1:] if word not in _FILLERS) for term in terms],
                pa.string(),
            ).take(encoded.indices),
            "reported_at": reported,
            "occurred_at": reported,
            "closed_at": closed,
            "longitude": pa.array(longitude),
            "latitude": pa.array(latitude),
        }
        return batch.hold(pa.table(columns).filter(kept))


KCMO_311 = Requests311()


def read(file: File, also: Sequence[str] = ()) -> Iterator[Batch]:
    """Read the rows of either form, with the names of the CSV's columns.

    Parameters
    ----------
    file : File
    also : sequence of str
        Columns that must be there besides those of a report.

    Yields
    ------
    Batch
    """
    with file.path.open("rb") as stream:
        is_json = stream.read(64).lstrip().startswith((b"[", b"{"))
    required = _COLUMNS | dict.fromkeys(also, ())
    yield from _payload(file) if is_json else tables.read(file, required)


def _payload(file: File) -> Iterator[Batch]:
    """Read an answer of the portal's API: a page of requests, every value text."""
    try:
        requests = json.loads(file.path.read_bytes())
        rows = [_row(request) for request in requests]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise file.broken(f"it is no answer of the portal's API: {error}") from error
    schema = pa.schema(
        [(name, pa.string()) for name in (*_COLUMNS, "NEIGHBORHOOD", "POLICE DISTRICT")]
    )
    for raw in pa.Table.from_pylist(rows, schema).to_batches():
        yield Batch(raw, 1)


def _row(request: dict[str, object]) -> dict[str, str]:
    row = {name: str(request.get(name.lower().replace(" ", "_"), "")) for name in _COLUMNS}
    row["NEIGHBORHOOD"] = str(request.get("neighborhood", ""))
    row["POLICE DISTRICT"] = str(request.get("police_district", ""))
    place = request.get("address_with_geocode")
    held = place if isinstance(place, dict) else {}
    row["LATITUDE"] = str(held.get("latitude", request.get("ycoordinate", "")))
    row["LONGITUDE"] = str(held.get("longitude", request.get("xcoordinate", "")))
    for name in ("CREATION DATE", "CLOSED DATE"):
        if row[name]:
            row[name] = f"{datetime.fromisoformat(row[name]):%m/%d/%Y}"
    return row


def _at(batch: Batch, date_column: str, times: pa.Array) -> pa.Array:
    """Give the moments of local dates and times; null where they are none."""
    text = pc.binary_join_element_wise(batch.raw.column(date_column), times, " ")
    local = pc.strptime(text, format="%m/%d/%Y %I:%M %p", unit="us", error_is_null=True)
    # An hour that happens twice is taken as the first; one that does not happen, as the next.
    zoned = pc.assume_timezone(local, TIME_ZONE, ambiguous="earliest", nonexistent="latest")
    return zoned.cast(pa.timestamp("us", "UTC"))


def _always(hour: time, count: int) -> pa.Array:
    return pa.array([f"{hour:%I:%M %p}"] * count, pa.string())


def _null(values: pa.Array) -> np.ndarray:
    return np.asarray(values.is_null().to_numpy(zero_copy_only=False), dtype=bool)
