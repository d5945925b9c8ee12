"""Reports as GeoParquet, a folder of files: what an analysis reads that outgrows the database's machine.

Files are as GeoParquet 1.1 has them. Ours keep points as two columns of numbers (encoding `point`),
whose least and greatest values stand in the footer for each row group: so a part of the city and of
time is read without reading the rest. Other people's may have WKB and any CRS.
"""

import json
import os
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geo.crs import CITY, STORED, to_city, to_stored
from geo.parts import REPORT, Box, Reports, Triple
from geo.places import Box as Degrees

GEOMETRY, OCCURRED_AT, CATEGORY = "geometry", "occurred_at", "category"

ABOUT = b"porchlight"
"""Key in a file's metadata under which it says, as JSON, how it was made."""

ROWS_TOGETHER = 8_192
"""Rows of a row group: read at once, and known by their extent."""

_TILE_DEG = 0.005
"""Side of the squares by which rows are sorted."""

_CRS84 = CRS.from_user_input("OGC:CRS84")
MARGIN: Triple = (10.0, 10.0, 1 / 86_400)
"""By which extents are taken larger, so that no rounding leaves out a row."""

_WIDEST_DEG, _WIDEST_M = 1.0, 100_000.0
"""Sides above which an extent is not projected: its edges would be curves. It is taken as unknown."""


class PartitionError(ValueError):
    """A file cannot be read as reports; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A row group of a file.

    Attributes
    ----------
    path : str
    group : int
        Its place in the file.
    rows : int
    first_row : int
        Number of its first row among those of all files.
    without_place : int
        Rows that have no geometry.
    low, high : tuple of (float, float, float)
        Metres east and north in the city's CRS, and days since 1970, UTC, between which its rows lie;
        infinite where the footer does not tell.
    """

    path: str
    group: int
    rows: int
    first_row: int
    without_place: int
    low: Triple
    high: Triple


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows are read.

    Attributes
    ----------
    since, until : float
        Seconds since 1970, UTC; before `until`.
    codes : mapping of str to int, optional
        Numbers of the categories that are read. Without it all are, each with a number of its own.
    known : collection of str
        Categories that there are; a file with others is refused, where `codes` are given.
    degrees : tuple of float, optional
        West, south, east, north: no others are read.
    """

    since: float
    until: float
    codes: Mapping[str, int] | None
    known: Collection[str] = ()
    degrees: Degrees | None = None


@dataclass(frozen=True, slots=True)
class _Places:
    """How a file keeps its places."""

    column: str
    encoding: str
    crs: CRS
    bounds: tuple[str, str, str, str]
    """Columns whose statistics bound x and y: least x, least y, greatest x, greatest y."""

    @property
    def stored(self) -> bool:
        return self.crs in {_CRS84, STORED}


def files(path: Path) -> list[Path]:
    """Give the file itself, or the GeoParquet files in a folder and those below it, by name.

    Raises
    ------
    PartitionError
        Where there are none.
    """
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*.parquet") if not file.name.startswith(("_", ".")))
    if not found:
        what = "holds no .parquet files" if path.is_dir() else "is not there"
        raise PartitionError(
            f"{path} {what}. Give a GeoParquet file or a folder of them: porchlight partitions "
            "writes one."
        )
    return found


def pieces(paths: Iterable[Path]) -> list[Piece]:
    """Read the footers of files, and say what lies where.

    Parameters
    ----------
    paths : iterable of Path

    Returns
    -------
    list of Piece

    Raises
    ------
    PartitionError
        Where a file is no GeoParquet, says nothing of its CRS, or lacks a column.
    """
    found: list[Piece] = []
    row = 0
    for path in paths:
        with _opened(path) as file:
            places = _places(path, file)
            _check_columns(path, file.schema_arrow, places)
            for group in range(file.metadata.num_row_groups):
                footer = file.metadata.row_group(group)
                low, high = _extent(footer, places)
                found.append(
                    Piece(str(path), group, footer.num_rows, row, _empty(footer, places), low, high)
                )
                row += footer.num_rows
    return found


def reports(among: Sequence[Piece], box: Box, chosen: Chosen) -> Reports:
    """Read the reports that lie in a part of place and time.

    Parameters
    ----------
    among : sequence of Piece
    box : geo.parts.Box
    chosen : Chosen

    Returns
    -------
    ndarray of REPORT
        Those without a place are left out. What is held meanwhile is one row group.

    Raises
    ------
    PartitionError
        Where a file is gone or another than when its footer was read, has a category that is not known,
        or coordinates that its CRS cannot have.
    """
    since, until = chosen.since / 86_400, chosen.until / 86_400
    low, high = (
        np.array(corners).reshape(-1, 3)
        for corners in ([piece.low for piece in among], [piece.high for piece in among])
    )
    meant = box.meets(low, high) & (low[:, 2] < until) & (high[:, 2] >= since)
    near = [piece for piece, one in zip(among, meant.tolist(), strict=True) if one]
    read = [np.empty(0, REPORT)]
    for path in dict.fromkeys(piece.path for piece in near):
        with _opened(Path(path), read_dictionary=[CATEGORY]) as file:
            places = _places(Path(path), file)
            read.extend(
                _rows(file, piece, places, box, chosen) for piece in near if piece.path == path
            )
    return np.concatenate(read)


def write(
    path: Path,
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    at_s: NDArray[np.float64],
    category: pa.Array,
    *,
    about: Mapping[str, Any],
) -> None:
    """Write reports as a file, readable by its owner only.

    Parameters
    ----------
    path : Path
    lon, lat : ndarray of float
        Degrees on WGS 84.
    at_s : ndarray of float
        Seconds since 1970, UTC; kept to the microsecond.
    category : pyarrow.Array of str
    about : mapping
        How it was made: goes into the file, as JSON.
    """
    by_place = np.lexsort((at_s, _place_in_order(lon, lat)))
    point = pa.StructArray.from_arrays(
        [pa.array(lon[by_place]), pa.array(lat[by_place])],
        fields=[pa.field("x", pa.float64(), nullable=False), pa.field("y", pa.float64(), False)],
    )
    at = np.round(at_s[by_place] * 1e6).astype(np.int64)
    table = pa.table(
        {
            GEOMETRY: point,
            OCCURRED_AT: pa.array(at).cast(pa.timestamp("us", "UTC")),
            CATEGORY: category.take(pa.array(by_place)),
        }
    )
    bounds = [lon.min(), lat.min(), lon.max(), lat.max()] if len(lon) else None
    metadata = {b"geo": geo_metadata("point", "Point", _CRS84, bounds), ABOUT: _json(about)}
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        pq.write_table(
            table.replace_schema_metadata(metadata),
            file,
            row_group_size=ROWS_TOGETHER,
            compression="zstd",
        )


def _place_in_order(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give numbers that are near each other for most places that are, so that row groups are compact.

    The bits of column and row are taken in turn (Morton 1966).
    """
    column, row = (
        np.floor((value + turn) / _TILE_DEG).astype(np.int64)
        for value, turn in ((lon, 180), (lat, 90))
    )
    order = np.zeros(len(lon), np.int64)
    for bit in range(int(360 / _TILE_DEG).bit_length()):
        order |= (column >> bit & 1) << 2 * bit | (row >> bit & 1) << 2 * bit + 1
    return order


def geo_metadata(
    encoding: str, type_: str, crs: CRS, bounds: Sequence[float] | None = None
) -> bytes:
    """Give what GeoParquet 1.1 wants to know of a file whose only geometries are in `geometry`."""
    column: dict[str, Any] = {
        "encoding": encoding,
        "geometry_types": [type_],
        "crs": crs.to_json_dict(),
    }
    if bounds is not None:
        column["bbox"] = [float(value) for value in bounds]
    return _json({"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}})


def about(path: Path) -> Mapping[str, Any]:
    """Give what `write` was told of how a file was made; nothing of others."""
    with _opened(path) as file:
        read = json.loads((file.schema_arrow.metadata or {}).get(ABOUT, b"{}"))
    return read if isinstance(read, dict) else {}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _opened(path: Path, **options: Any) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, **options)
    except FileNotFoundError as error:
        raise PartitionError(
            f"{path} is not there. Every worker must see the files under the same path: put them "
            "into a folder that all machines share."
        ) from error
    except pa.ArrowInvalid as error:
        raise PartitionError(f"{path} is not a Parquet file: {error}") from error


def _places(path: Path, file: pq.ParquetFile) -> _Places:
    """Read how a file keeps its places.

    Columns: https://geoparquet.org/releases/v1.1.0/
    """
    written = (file.schema_arrow.metadata or {}).get(b"geo")
    if written is None:
        raise PartitionError(
            f"{path} is Parquet without places: the metadata “geo” is missing. Write it as GeoParquet, "
            "with geopandas' to_parquet, for instance."
        )
    geo = json.loads(written)
    name = geo["primary_column"]
    column = geo["columns"][name]
    if "crs" in column and column["crs"] is None:
        raise PartitionError(
            f"{path} does not say in which coordinate system its places are. Set it where the file is "
            "written: set_crs in geopandas."
        )
    crs = CRS.from_json_dict(column["crs"]) if "crs" in column else _CRS84
    encoding = column["encoding"]
    if encoding not in {"point", "WKB"}:
        raise PartitionError(
            f"{path} keeps its places as {encoding}. Reports are points: as WKB or “point”."
        )
    covering = column.get("covering", {}).get("bbox")
    if encoding == "point":
        x, y = f"{name}.x", f"{name}.y"
        bounds = (x, y, x, y)
    elif covering:
        west, south, east, north = (
            ".".join(covering[side]) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        bounds = (west, south, east, north)
    else:
        bounds = ("", "", "", "")
    return _Places(name, encoding, crs, bounds)


def _check_columns(path: Path, schema: pa.Schema, places: _Places) -> None:
    missing = [name for name in (OCCURRED_AT, CATEGORY) if name not in schema.names]
    if missing:
        raise PartitionError(
            f"{path} has no column {' and '.join(missing)}; it has {', '.join(schema.names)}. Each "
            f"report needs {OCCURRED_AT} (when, with a time zone) and {CATEGORY}."
        )
    at = schema.field(OCCURRED_AT).type
    if not pa.types.is_timestamp(at) or at.tz is None:
        raise PartitionError(
            f"{path}: {OCCURRED_AT} is {at}. It must be a timestamp with a time zone, such as UTC."
        )
    kind = schema.field(CATEGORY).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise PartitionError(f"{path}: {CATEGORY} is {kind}. It must be text.")


def _statistics(footer: pq.RowGroupMetaData) -> dict[str, Any]:
    columns = (footer.column(number) for number in range(footer.num_columns))
    return {column.path_in_schema: column.statistics for column in columns}


def _empty(footer: pq.RowGroupMetaData, places: _Places) -> int:
    name = places.bounds[0] if places.encoding == "point" else places.column
    found = _statistics(footer).get(name)
    return int(found.null_count) if found is not None and found.has_null_count else 0


def _extent(footer: pq.RowGroupMetaData, places: _Places) -> tuple[Triple, Triple]:
    """Give the least and the greatest metres and days of a row group, a little larger."""
    known = {
        name: found
        for name, found in _statistics(footer).items()
        if found is not None and found.has_min_max
    }
    low, high = [-np.inf] * 3, [np.inf] * 3
    if OCCURRED_AT in known:
        first, last = known[OCCURRED_AT].min, known[OCCURRED_AT].max
        if isinstance(first, datetime) and isinstance(last, datetime):
            low[2], high[2] = first.timestamp() / 86_400, last.timestamp() / 86_400
    if all(name in known for name in places.bounds):
        west, south, east, north = places.bounds
        corners = known[west].min, known[south].min, known[east].max, known[north].max
        low[:2], high[:2] = _projected(corners, places.crs)
    return _moved(low, -1), _moved(high, 1)


def _moved(corner: Sequence[float], times: int) -> Triple:
    east, north, days = np.add(corner, np.multiply(MARGIN, times)).tolist()
    return east, north, days


def _projected(corners: Degrees, crs: CRS) -> tuple[list[float], list[float]]:
    west, south, east, north = corners
    widest = _WIDEST_DEG if crs.is_geographic else _WIDEST_M
    if max(east - west, north - south) > widest:
        return [-np.inf] * 2, [np.inf] * 2
    bounds = _from(crs, CITY).transform_bounds(west, south, east, north)
    if not np.isfinite(bounds).all():
        return [-np.inf] * 2, [np.inf] * 2
    return [*bounds[:2]], [*bounds[2:]]


@cache
def _from(crs: CRS, to: CRS) -> Transformer:
    return Transformer.from_crs(crs, to, always_xy=True)


def _rows(file: pq.ParquetFile, piece: Piece, places: _Places, box: Box, chosen: Chosen) -> Reports:
    """Read those of a row group that lie in the box and are asked for."""
    if piece.group >= file.metadata.num_row_groups:
        raise _changed(piece)
    table = file.read_row_group(piece.group, columns=[places.column, OCCURRED_AT, CATEGORY])
    if table.num_rows != piece.rows:
        raise _changed(piece)
    x, y = _coordinates(piece, table[places.column], places)
    for name in (OCCURRED_AT, CATEGORY):
        if table[name].null_count:
            raise PartitionError(
                f"{piece.path} has reports without {name}. Leave them out where the file is written."
            )
    at = table[OCCURRED_AT].cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
    at_s = at.to_numpy() / 1e6
    code = _codes(piece, table, chosen)
    # Most rows are told apart by time and place before anything is projected.
    kept = (at_s >= chosen.since) & (at_s < chosen.until) & (code > 0)
    kept &= np.isfinite(x) & np.isfinite(y)
    kept &= (at_s / 86_400 >= box.low[2]) & (at_s / 86_400 < box.high[2])
    if places.stored:
        west, south, east, north = _degrees(box, piece)
        kept &= (x >= west) & (x <= east) & (y >= south) & (y <= north)
    which = np.flatnonzero(kept)
    lon, lat = x[which], y[which]
    if not places.stored:
        lon, lat = _from(places.crs, STORED).transform(lon, lat)
    found = np.empty(len(which), REPORT)
    found["x"], found["y"] = to_city().transform(lon, lat)
    found["lon"], found["lat"], found["at_s"] = lon, lat, at_s[which]
    found["code"], found["row"] = code[which], piece.first_row + which
    inside = box.holds(found)
    if chosen.degrees is not None:
        west, south, east, north = chosen.degrees
        inside &= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return found[inside]


def _changed(piece: Piece) -> PartitionError:
    return PartitionError(f"{piece.path} was written anew while it was read. Start again.")


def _coordinates(
    piece: Piece, column: pa.ChunkedArray, places: _Places
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    together = column.combine_chunks()
    if places.encoding == "point":
        x, y = (
            side.cast(pa.float64()).fill_null(np.nan).to_numpy() for side in together.flatten()[:2]
        )
    else:
        shapes = shapely.from_wkb(together.to_numpy(zero_copy_only=False))
        if not (shapely.is_missing(shapes) | (shapely.get_type_id(shapes) == 0)).all():
            raise PartitionError(
                f"{piece.path} has lines or areas. Reports are points: write their middles."
            )
        x, y = shapely.get_x(shapes), shapely.get_y(shapes)
    if not len(x) or np.isnan(x).all():
        return x, y
    furthest = float(np.nanmax(np.abs(x))), float(np.nanmax(np.abs(y)))
    degrees = furthest[0] <= 180 and furthest[1] <= 90
    if places.crs.is_geographic and not degrees:
        raise PartitionError(
            f"{piece.path} says that its places are in degrees ({places.crs.name}), but has a "
            f"coordinate of {max(furthest):.0f}. Set the coordinate system it is really in."
        )
    if not places.crs.is_geographic and degrees:
        raise PartitionError(
            f"{piece.path} says that its places are in {places.crs.name}, but they seem to be in "
            "degrees. Set the coordinate system they are really in (EPSG:4326, most likely)."
        )
    return x, y


def _codes(piece: Piece, table: pa.Table, chosen: Chosen) -> NDArray[np.int32]:
    """Give the number of the category of each row, 0 where it is not asked for."""
    column = table[CATEGORY].combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words = [str(word) for word in column.dictionary.to_pylist()]
    if chosen.codes is None:
        # By its letters, so that a category has one number in all files.
        numbers = [zlib.crc32(word.encode()) & 0x7FFFFFFF or 1 for word in words]
    else:
        strange = [word for word in words if word not in chosen.known]
        if strange:
            raise PartitionError(
                f"{piece.path} has categories that are not known: {', '.join(sorted(strange)[:5])}. "
                f"Known are {', '.join(sorted(chosen.known))}."
            )
        numbers = [chosen.codes.get(word, 0) for word in words]
    return np.asarray(np.array(numbers, np.int32)[column.indices.to_numpy()])


def _degrees(box: Box, piece: Piece) -> Degrees:
    """Give degrees that surely hold what a box has of a piece; infinite where that has no end."""
    west, south = np.maximum(box.low[:2], piece.low[:2]).tolist()
    east, north = np.minimum(box.high[:2], piece.high[:2]).tolist()
    if not max(east - west, north - south) <= _WIDEST_M:
        return -np.inf, -np.inf, np.inf, np.inf
    return to_stored().transform_bounds(
        west - MARGIN[0], south - MARGIN[1], east + MARGIN[0], north + MARGIN[1]
    )
