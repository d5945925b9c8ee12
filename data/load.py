"""Bringing a file into its table: found by key, new rows copied in, changed ones updated.

Rows stream through in batches, so that memory stays flat. Each is known by a fingerprint of what
the source made of it; where that is the same, the row is not touched. Everything happens in the
caller's transaction: a file that breaks half-way leaves nothing behind.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pgpq
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from pgpq import schema as pgpq_schema
from pgpq.encoders import StringEncoderBuilder
from psycopg import sql
from shapely.geometry.base import BaseGeometry

from data.sources.batch import Batch, File, Mask
from geo.areas import OUTSIDE

_PLACES: Mapping[str, str] = {
    "address": "geom",
    "parcel": "geom",
    "police_incident": "exact_geom",
    "service_location": "geom",
    "street_light": "geom",
    "transit_stop": "geom",
    "vacant_lot": "geom",
}
"""Table -> its column of points that must lie in the served area, where one is stored."""

JSONB_COLUMNS = frozenset({"row"})


class MissingError(ValueError):
    """What the import needs is not stored yet; the message says what to import first."""


# Those that keep a constraint stay: by them a record is found again.
_INDEXES = """
SELECT index.relname, pg_get_indexdef(index.oid)
FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
WHERE indrelid = %s::regclass AND NOT indisunique
"""

_FOREIGN_KEYS = """
SELECT conname, pg_get_constraintdef(oid)
FROM pg_constraint
WHERE contype = 'f' AND conrelid = %s::regclass AND confrelid::regclass::text = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Target:
    """The table a source fills, and how a record is found again.

    Attributes
    ----------
    table : str
    key : str
        Column whose value names a record.
    within : mapping of str to str
        Columns with one value for the whole source, within which the key is unique. `source` is
        always written; where this is empty and the key is `external_id`, it is the scope.
    supplements : bool
        Whether the source only adds to records of others: see `Supplement`.
    unique : tuple of str
        Other columns of which no two records of the table may share a value.
    """

    table: str
    key: str = "external_id"
    within: Mapping[str, str] = field(default_factory=dict)
    supplements: bool = False
    unique: tuple[str, ...] = ()

    def scope(self, source: str) -> Mapping[str, str]:
        """Give the columns, with their values, within which a source's keys are unique."""
        if self.within or self.key != "external_id":
            return self.within
        return {"source": source}


class Source(Protocol):
    """A publisher's file: what it is, where it goes, and how to read it."""

    @property
    def name(self) -> str:
        """What `porchlight import` and `source` columns call it."""

    @property
    def about(self) -> str:
        """One line: what the file holds and who publishes it."""

    @property
    def target(self) -> Target:
        """Where its records go."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of columns that an operator may map to those of a file."""

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the file, a part at a time."""


class Loader:
    """Writes the batches of one run to the table of its source.

    Parameters
    ----------
    connection : psycopg.Connection
    source : Source
    run_id : int
    """

    def __init__(self, connection: psycopg.Connection[Any], source: Source, run_id: int) -> None:
        self.connection = connection
        self.source = source
        self.target = source.target
        self.run_id = run_id
        self._constants = {"source": source.name, **self.target.within}
        self._scope = self.target.scope(source.name)
        self._staged: set[str] = set()
        self._begun_empty: list[str] = []
        self._put_off: list[sql.SQL | sql.Composed] = []
        self.counts: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self._place = _PLACES.get(self.target.table)
        self._served: BaseGeometry | None = served_area(connection) if self._place else None
        self.begin_empty(self.target.table)
        if self.target.table == "street_light":
            # Reports look for the new lights once, when all of them are there to be found quickly.
            connection.execute("SET LOCAL porchlight.bulk = 'on'")

    def add(self, batch: Batch) -> None:
        """Write one batch."""
        for column in batch.records.schema:
            if pa.types.is_string(column.type):
                # PostgreSQL has no such text.
                zero = pc.match_substring(batch.records.column(column.name), "\0").fill_null(False)
                batch.discard(np.asarray(zero), column.name, "holds a character zero")
        self._settle_outside(batch)
        self.complete(batch)
        prints = fingerprints(batch.records)
        known = self._known(batch.records.column(self.target.key))
        first = pd.Series(known.keys).duplicated(keep="first").to_numpy()
        first_print = pd.Series(prints).groupby(known.keys, sort=False).transform("first")
        again = first | (known.run_ids == self.run_id)
        same = np.where(first, first_print.to_numpy() == prints, known.prints == prints)
        settled = self._settle_repeats(batch, again, same)
        known, prints = known.where(settled), prints[settled]
        for column in self.target.unique:
            free = self._settle_taken(batch, column, known.ids)
            known, prints = known.where(free), prints[free]

        new = known.ids < 0
        changed = ~new & (known.prints != prints)
        records = self.identified(batch.records, known.ids, prints)
        if new.any():
            ids = self._allocate(int(np.count_nonzero(new)))
            fresh = records.filter(pa.array(new))
            position = fresh.schema.get_field_index("id")
            self.insert(fresh.set_column(position, "id", pa.array(ids, pa.int64())))
        if changed.any():
            self.update(records.filter(pa.array(changed)))
        self.counts["inserted"] += int(np.count_nonzero(new))
        self.counts["updated"] += int(np.count_nonzero(changed))
        self.counts["unchanged"] += int(np.count_nonzero(~new & ~changed))
        self._count(batch)

    def complete(self, batch: Batch) -> None:
        """Add to the records what the fingerprint should cover and the source can not know."""

    def insert(self, records: pa.Table) -> None:
        """Write new records, whose ids are allocated."""
        copy(self.connection, self.target.table, records)

    def update(self, records: pa.Table) -> None:
        """Write changed records over the stored ones."""
        staged = self.stage(records)
        self.before_update(staged)
        columns = [name for name in records.column_names if name != "id"]
        self.connection.execute(
            sql.SQL(
                "UPDATE {table} SET {changes} FROM {staged} WHERE {table}.id = {staged}.id"
            ).format(
                table=sql.Identifier(self.target.table),
                staged=sql.Identifier(staged),
                changes=sql.SQL(", ").join(
                    sql.SQL("{0} = {1}").format(
                        sql.Identifier(name), self.replacement(name, staged)
                    )
                    for name in columns
                ),
            )
        )

    def before_update(self, staged: str) -> None:
        """Do what needs both the stored rows and those staged to replace them."""

    def replacement(self, column: str, staged: str) -> sql.Composable:
        """Give the value that an update sets: that of the file."""
        return sql.Identifier(staged, column)

    def finish(self) -> None:
        """Do what is done once, after the last batch."""
        for definition in self._put_off:
            self.connection.execute(definition)
        for name in self._staged:
            self.connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
        if self.target.table == "street_light":
            self.connection.execute("SET LOCAL porchlight.bulk = 'off'")
            self.connection.execute("SELECT needs_catch_up()")

    def begin_empty(self, table: str) -> None:
        """Where a table is empty, put off its indexes: building one is quicker than filling it.

        So are the foreign keys to tables that are filled with it: checked once, not row by row.
        The table is locked until the transaction ends, but there is nothing to be read in it. And
        the checks of foreign keys have no wrong index to choose: until the commit, statistics call
        the table empty, by which every index is as good as its key.
        """
        filled = self.connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
        ).fetchone()
        if filled == (True,):
            return
        for name, definition in self.connection.execute(_INDEXES, [table]).fetchall():
            self.connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
            self._put_off.append(sql.SQL(definition))
        self._begun_empty.append(table)
        held = sql.Identifier(table)
        keys = self.connection.execute(_FOREIGN_KEYS, [table, self._begun_empty]).fetchall()
        for name, definition in keys:
            key = sql.Identifier(name)
            self.connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(held, key))
            self._put_off.append(
                sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(held, key) + sql.SQL(definition)
            )

    def stage(self, records: pa.Table) -> str:
        """Copy records into a temporary table, and give its name."""
        name = f"incoming_{self.target.table}"
        columns = sql.SQL(", ").join(map(sql.Identifier, records.column_names))
        if name in self._staged:
            self.connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(name)))
        else:
            self.connection.execute(
                sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {} FROM {} LIMIT 0").format(
                    sql.Identifier(name), columns, sql.Identifier(self.target.table)
                )
            )
            self._staged.add(name)
        copy(self.connection, name, records)
        return name

    def identified(
        self, records: pa.Table, ids: NDArray[np.int64], prints: NDArray[np.uint64]
    ) -> pa.Table:
        """Add id, provenance and the constants of the source to the records."""
        n = records.num_rows
        table = records.append_column("id", pa.array(ids, pa.int64()))
        for name, value in self._constants.items():
            table = table.append_column(name, pa.array([value], pa.string()).take(_zeros(n)))
        table = table.append_column(
            "fingerprint",
            pa.Array.from_buffers(pa.binary(8), n, [None, pa.py_buffer(prints.astype(">u8"))]),
        )
        return table.append_column("import_run_id", pa.array(np.full(n, self.run_id), pa.int64()))

    def _known(self, keys: pa.ChunkedArray) -> "_Known":
        values = keys.to_pylist()
        stored = {
            key: rest
            for key, *rest in self.connection.execute(
                sql.SQL(
                    "SELECT {key}, id, fingerprint, import_run_id FROM {table} "
                    "WHERE {scope} {key} = ANY(%s)"
                ).format(
                    key=sql.Identifier(self.target.key),
                    table=sql.Identifier(self.target.table),
                    scope=self._within_scope(),
                ),
                [values],
                binary=True,
            )
        }
        n = len(values)
        known = _Known(
            np.asarray(values, dtype=object),
            np.full(n, -1, np.int64),
            np.zeros(n, np.uint64),
            np.full(n, -1, np.int64),
        )
        if stored:
            for index, key in enumerate(values):
                if found := stored.get(key):
                    id_, print_, run_id = found
                    known.ids[index] = id_
                    known.prints[index] = int.from_bytes(print_ or b"", "big")
                    known.run_ids[index] = -1 if run_id is None else run_id
        return known

    def _within_scope(self) -> sql.Composable:
        return sql.SQL("").join(
            sql.SQL("{} = {} AND ").format(sql.Identifier(name), sql.Literal(value))
            for name, value in self._scope.items()
        )

    def _settle_outside(self, batch: Batch) -> None:
        """Reject points outside the served area, which neither the map nor the search would show."""
        if self._served is None or self._place is None:
            return
        held = batch.records.column(self._place).to_numpy()
        inside = shapely.intersects(self._served, shapely.from_wkb(held))
        batch.discard(~inside, "position", OUTSIDE)

    def _settle_repeats(self, batch: Batch, again: Mask, same: Mask) -> Mask:
        """Settle rows whose key an earlier row of the file had; say which records remain."""
        if again.any():
            batch.pass_over(again & same, "the same as an earlier row")
            batch.discard(
                (again & ~same)[~(again & same)],
                self.target.key,
                "an earlier row of the file has the same id",
            )
        return ~again

    def _settle_taken(self, batch: Batch, column: str, ids: NDArray[np.int64]) -> Mask:
        """Reject records whose value of a unique column another has; say which remain."""
        values = pd.Series(batch.records.column(column).to_pylist(), dtype=object)
        holders = dict(
            self.connection.execute(
                sql.SQL("SELECT {column}, id FROM {table} WHERE {column} = ANY(%s)").format(
                    column=sql.Identifier(column), table=sql.Identifier(self.target.table)
                ),
                [values.tolist()],
            ).fetchall()
        )
        holder = values.map(holders).fillna(-1).astype(np.int64).to_numpy()
        taken = ((holder >= 0) & (holder != ids)) | values.duplicated().to_numpy()
        batch.discard(taken, column, f"another record has this {column}")
        free: Mask = ~taken
        return free

    def _allocate(self, count: int) -> list[int]:
        row = self.connection.execute(
            "SELECT array_agg(nextval(pg_get_serial_sequence(%s, 'id'))) "
            "FROM generate_series(1, %s)",
            [self.target.table, count],
            binary=True,
        ).fetchone()
        assert row is not None
        ids: list[int] = row[0]
        return ids

    def _count(self, batch: Batch) -> None:
        """Count what became of the rows, and keep those rejected."""
        self.counts["rows_read"] += len(batch)
        self.counts["mended"] += batch.mended
        self.left_out += batch.left_out
        self.counts["rejected"] += len(batch.rejections)
        if batch.rejections:
            rows = pa.Table.from_pylist(list(batch.rejected_rows()))
            run = pa.array(np.full(rows.num_rows, self.run_id), pa.int64())
            rows = rows.append_column("import_run_id", run)
            index = rows.schema.get_field_index("row_number")
            rows = rows.set_column(index, "row_number", rows.column(index).cast(pa.int32()))
            copy(self.connection, "rejected_row", rows)


class Supplement(Loader):
    """Sets single values of records that another source brought in.

    The records of its batches have the key, the name of a `column`, and its whole-number `value`.
    """

    def add(self, batch: Batch) -> None:
        """Write one batch."""
        records = batch.records
        values = records.column("value").cast(pa.int64())
        stored = self._known(records.column(self.target.key)).ids >= 0
        batch.pass_over(~stored, f"no such {' '.join(self.target.within.values())} is stored")
        for column in pc.unique(records.column("column")).to_pylist():
            chosen = pc.and_(pc.equal(records.column("column"), column), pa.array(stored))
            changed = self.connection.execute(
                sql.SQL(
                    "UPDATE {table} SET {column} = given.value "
                    "FROM unnest(%s::text[], %s::int[]) AS given (key, value) "
                    "WHERE {scope} {key} = given.key AND {column} IS DISTINCT FROM given.value"
                ).format(
                    table=sql.Identifier(self.target.table),
                    column=sql.Identifier(column),
                    key=sql.Identifier(self.target.key),
                    scope=self._within_scope(),
                ),
                [
                    records.column(self.target.key).filter(chosen).to_pylist(),
                    values.filter(chosen).to_pylist(),
                ],
            ).rowcount
            self.counts["updated"] += changed
            self.counts["unchanged"] += pc.sum(chosen).as_py() - changed
        self._count(batch)


@dataclass(frozen=True, slots=True)
class _Known:
    """For each record: its key, and what is stored under it (ids below 0 where nothing is)."""

    keys: NDArray[np.object_]
    ids: NDArray[np.int64]
    prints: NDArray[np.uint64]
    run_ids: NDArray[np.int64]

    def where(self, mask: Mask) -> "_Known":
        return _Known(self.keys[mask], self.ids[mask], self.prints[mask], self.run_ids[mask])


def served_area(connection: psycopg.Connection[Any]) -> BaseGeometry | None:
    """Give the city's area, prepared for many questions; None where none is stored.

    Parameters
    ----------
    connection : psycopg.Connection
    """
    rows = connection.execute(
        "SELECT ST_AsBinary(geom) FROM area WHERE layer = 'city'", binary=True
    ).fetchall()
    if not rows:
        return None
    city: BaseGeometry = shapely.union_all(shapely.from_wkb([row[0] for row in rows]))
    shapely.prepare(city)
    return city


def copy(connection: psycopg.Connection[Any], table: str, records: pa.Table) -> None:
    """Write records to a table by binary COPY.

    Parameters
    ----------
    connection : psycopg.Connection
    table : str
    records : pyarrow.Table
        Columns named as in the table; geometries as EWKB. Text goes to text and enumerations,
        integers must be as wide as the column.
    """
    encoders = {
        column.name: (
            StringEncoderBuilder.new_with_output(column, pgpq_schema.Jsonb())
            if column.name in JSONB_COLUMNS
            else pgpq.ArrowToPostgresBinaryEncoder.infer_encoder(column)
        )
        for column in records.schema
    }
    encoder = pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(records.schema, encoders)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, records.column_names))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        stream.write(encoder.write_header())
        for batch in records.to_batches():
            stream.write(encoder.write_batch(batch))
        stream.write(encoder.finish())


def fingerprints(records: pa.Table) -> NDArray[np.uint64]:
    """Give 64 bits for each record that change when any of its values does.

    Parameters
    ----------
    records : pyarrow.Table

    Returns
    -------
    ndarray of uint64
    """
    total = np.zeros(records.num_rows, np.uint64)
    for name in sorted(records.column_names):
        column = records.column(name).combine_chunks()
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        encoded = column.dictionary_encode()
        values = encoded.dictionary.to_numpy(zero_copy_only=False)
        hashed = np.append(pd.util.hash_array(values, categorize=False), np.uint64(0))
        codes = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
        # FNV's prime keeps columns apart: the same value in another column counts differently.
        total = total * np.uint64(0x100000001B3) + hashed[codes]
    return total


def _zeros(count: int) -> pa.Array:
    return pa.array(np.zeros(count, np.int64))
