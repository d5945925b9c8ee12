"""One run of an import: the file, what became of its rows, and what is remembered of it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
import shapely
from psycopg.types.json import Jsonb
from shapely.geometry.base import BaseGeometry

from data.load import Loader, Source, Supplement
from data.load_reports import ReportLoader
from data.load_service_locations import ServiceLocationLoader
from data.sources.batch import File

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the rows of one file.

    rows_read = inserted + updated + unchanged + rejected + the sum of left_out.

    Attributes
    ----------
    run_id : int
        Of the import run; where `known`, of the earlier one.
    known : bool
        Whether this very file was the last one of its source, so that nothing was done.
    rows_read, inserted, updated, unchanged, rejected : int
    left_out : mapping of str to int
        Reason -> rows.
    mended : int
        Rows among those kept whose geometry was invalid and was made valid.
    """

    run_id: int
    known: bool
    rows_read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    mended: int = 0

    def __post_init__(self) -> None:
        settled = self.inserted + self.updated + self.unchanged + self.rejected
        if self.rows_read != settled + sum(self.left_out.values()):
            raise AssertionError(f"rows were lost on the way: {self}")


def run(
    connection: psycopg.Connection[Any],
    source: Source,
    file: File,
    *,
    secret: bytes,
    again: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> Summary:
    """Import one file, in the transaction of the connection.

    Parameters
    ----------
    connection : psycopg.Connection
        Of which the caller commits the transaction; where this raises, the caller rolls it back.
    source : Source
    file : File
    secret : bytes
        Behind the public positions of places at homes.
    again : bool
        Read the file even where it was the last one of its source.
    progress : callable
        Told after each batch how many rows it had.

    Returns
    -------
    Summary

    Raises
    ------
    data.sources.batch.BrokenFileError
        Where the file can not be read.
    """
    for name in file.columns:
        if name not in source.columns:
            known = ", ".join(source.columns) or "nothing: its columns have fixed names"
            raise file.broken(f"there is no {name} to map. {source.name} maps {known}.")
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('porchlight import'))")
    # A plan made while a table is nearly empty and kept as it fills ends in hours of reading.
    connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    digest = _sha256(file)
    options = {"map": file.columns, "crs": file.crs}
    last = connection.execute(
        "SELECT id, sha256 = %s AND options = %s FROM import_run "
        "WHERE source = %s AND finished_at IS NOT NULL ORDER BY id DESC LIMIT 1",
        [digest, Jsonb(options), source.name],
    ).fetchone()
    if last is not None and last[1] and not again:
        return Summary(run_id=last[0], known=True)
    started = connection.execute(
        "INSERT INTO import_run (source, file_name, sha256, options, started_at) "
        "VALUES (%s, %s, %s, %s, clock_timestamp()) RETURNING id",
        [source.name, file.name, digest, Jsonb(options)],
    ).fetchone()
    assert started is not None
    writer = _writer(connection, source, started[0], secret)
    try:
        for batch in source.batches(file):
            writer.add(batch)
            progress(len(batch))
        writer.finish()
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        # The sources check what the tables ask for; this says at least which file it was.
        raise file.broken(f"the database refuses a row: {error}") from error
    summary = Summary(
        run_id=started[0], known=False, left_out=dict(writer.left_out), **writer.counts
    )
    connection.execute(
        "UPDATE import_run SET finished_at = clock_timestamp(), rows_read = %s, inserted = %s, "
        "updated = %s, unchanged = %s, rejected = %s, mended = %s, left_out = %s WHERE id = %s",
        [
            summary.rows_read,
            summary.inserted,
            summary.updated,
            summary.unchanged,
            summary.rejected,
            summary.mended,
            Jsonb(dict(summary.left_out)),
            summary.run_id,
        ],
    )
    return summary


def rejected_rows(connection: psycopg.Connection[Any], run_id: int, limit: int) -> list[str]:
    """Say of the first rejected rows of a run where and why.

    Parameters
    ----------
    connection : psycopg.Connection
    run_id : int
    limit : int
        Rows at the most.

    Returns
    -------
    list of str
    """
    rows = connection.execute(
        "SELECT row_number, column_name, reason FROM rejected_row WHERE import_run_id = %s "
        "ORDER BY row_number LIMIT %s",
        [run_id, limit],
    ).fetchall()
    return [
        f"row {number}{f', {column}' if column else ''}: {reason}"
        for number, column, reason in rows
    ]


def stored_neighbourhoods(connection: psycopg.Connection[Any]) -> list[BaseGeometry]:
    """Give the polygons of the neighbourhoods, in the order of their ids.

    Parameters
    ----------
    connection : psycopg.Connection

    Returns
    -------
    list of shapely geometry
        In EPSG:4326.
    """
    rows = connection.execute(
        "SELECT ST_AsBinary(geom) FROM area WHERE layer = 'neighbourhood' ORDER BY id", binary=True
    ).fetchall()
    polygons: list[BaseGeometry] = shapely.from_wkb([row[0] for row in rows]).tolist()
    return polygons


def _writer(
    connection: psycopg.Connection[Any], source: Source, run_id: int, secret: bytes
) -> Loader:
    if source.target.table == "report":
        return ReportLoader(connection, source, run_id, secret)
    if source.target.table == "service_location":
        return ServiceLocationLoader(connection, source, run_id)
    if source.target.supplements:
        return Supplement(connection, source, run_id)
    return Loader(connection, source, run_id)


def _sha256(file: File) -> bytes:
    digest = hashlib.sha256()
    with file.path.open("rb") as stream:
        while part := stream.read(_READ_BYTES):
            digest.update(part)
    return digest.digest()
