"""What a file of poles would change, found by importing it and taking that back.

So nothing can be shown that the import would not do, and nothing is done that was not shown.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from data import imports
from data.imports import Summary
from data.models import PoleChangeKind
from data.sources.batch import Batch, File
from data.sources.street_lights import StreetLights
from geo.crs import CITY_SRID

_NO_SECRET = b""
"""Poles stand in the street: none of them has a public position to be derived."""

NEAR_M = 0.05
"""A pole that is moved by less than this stays where it is: files round their coordinates."""

UNCHANGED, KEPT = "unchanged", "kept"
"""Counts beside those of the changes: `KEPT` are poles that are gone, but asked about."""

_REMEMBER = """
    CREATE TEMPORARY TABLE pole_before ON COMMIT DROP AS
    SELECT id, pole_id, geom, status <> 'working' AS asked FROM street_light
"""

_CHANGES = f"""
    SELECT 'added', new.pole_id, NULL::float8, false, NULL::int, '', NULL::text, new.geom::text
    FROM street_light AS new
    WHERE NOT EXISTS (SELECT FROM pole_before AS old WHERE old.id = new.id)
    UNION ALL
    SELECT 'moved', pole_id, distance_m, asked, NULL, '', was, geom FROM (
        SELECT new.pole_id, old.asked, old.geom::text AS was, new.geom::text,
            ST_Distance(ST_Transform(old.geom, {CITY_SRID}), ST_Transform(new.geom, {CITY_SRID}))
                AS distance_m
        FROM pole_before AS old JOIN street_light AS new USING (id)
        WHERE NOT ST_Equals(old.geom, new.geom)
    ) AS changed WHERE distance_m >= %(near_m)s
    UNION ALL
    SELECT 'gone', pole_id, NULL, asked, NULL, '', geom::text, NULL FROM pole_before
    WHERE pole_id <> ALL (%(held)s::text[])
"""  # noqa: S608 (its own constants)

_UNUSABLE = """
    SELECT row_number, reason, coalesce(row ->> 'POLEID', row ->> 'pole_id', row ->> 'poleid', '')
    FROM rejected_row WHERE import_run_id = %s ORDER BY row_number
"""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """What a file changes of one pole; the fields are those of `data.models.PoleChange`."""

    kind: PoleChangeKind
    pole_id: str
    distance_m: float | None = None
    asked: bool = False
    row_number: int | None = None
    reason: str = ""
    was: str | None = None
    geom: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """All that a file changes.

    Attributes
    ----------
    summary : Summary
        Of the import.
    each : sequence of Change
        The furthest moved first; of the others in the order of their numbers, or rows.
    """

    summary: Summary
    each: Sequence[Change]

    @property
    def digest(self) -> bytes:
        """The same for the same changes, and for no others."""
        told = hashlib.sha256()
        for change in self.each:
            told.update(repr(change).encode())
        return told.digest()

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind, of poles as they are, and of those kept though gone."""
        found = Counter(change.kind.value for change in self.each)
        kept = sum(change.kind is PoleChangeKind.GONE and change.asked for change in self.each)
        moved = self.summary.updated + self.summary.unchanged - found[PoleChangeKind.MOVED]
        every = {kind.value: found[kind] for kind in PoleChangeKind}
        return {**every, UNCHANGED: moved, KEPT: kept}


class _Noted(StreetLights):
    """The poles of a file, of which is remembered which it has."""

    def __init__(self) -> None:
        self.held: set[str] = set()

    def batches(self, file: File) -> Iterator[Batch]:
        for batch in super().batches(file):
            self.held.update(batch.records.column("pole_id").to_pylist())
            yield batch


def bring_in(connection: psycopg.Connection[Any], file: File) -> Changes:
    """Import a file of poles, and say what it has changed.

    Parameters
    ----------
    connection : psycopg.Connection
        As the owner of the store, in a transaction. Take that back to have only looked.
    file : File

    Returns
    -------
    Changes

    Raises
    ------
    data.sources.batch.BrokenFileError
        Where the file can not be read.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('porchlight import'))")
    connection.execute(_REMEMBER)
    source = _Noted()
    summary = imports.run(connection, source, file, secret=_NO_SECRET, again=True)
    unusable = [
        Change(PoleChangeKind.UNUSABLE, pole_id[:_NUMBER_LIMIT], row_number=row, reason=reason)
        for row, reason, pole_id in connection.execute(_UNUSABLE, [summary.run_id])
    ]
    # What stands in a row that can not be used is not gone.
    held = source.held | {change.pole_id for change in unusable}
    found = connection.execute(_CHANGES, {"near_m": NEAR_M, "held": [*held]}).fetchall()
    connection.execute("DROP TABLE pole_before")
    changes = [Change(PoleChangeKind(kind), *rest) for kind, *rest in found]
    return Changes(
        summary,
        sorted([*changes, *unusable], key=_order),
    )


_NUMBER_LIMIT = 100
"""Characters that are kept of what stands for a number in a row that can not be used."""


def _order(change: Change) -> tuple[Any, ...]:
    kinds = [*PoleChangeKind]
    return (
        kinds.index(change.kind),
        -(change.distance_m or 0.0),
        change.row_number or 0,
        change.pole_id,
    )


def remove_gone(connection: psycopg.Connection[Any], changes: Changes) -> int:
    """Remove the poles that the file has no more, but for those somebody asks about.

    Parameters
    ----------
    connection : psycopg.Connection
        In the transaction in which `changes` were brought in.
    changes : Changes

    Returns
    -------
    int
        How many.
    """
    gone = [
        change.pole_id
        for change in changes.each
        if change.kind is PoleChangeKind.GONE and not change.asked
    ]
    return connection.execute("DELETE FROM street_light WHERE pole_id = ANY(%s)", [gone]).rowcount


def keep(
    connection: psycopg.Connection[Any], pole_import_id: int, changes: Changes
) -> Mapping[str, int]:
    """Keep what a file would change, in place of what was kept of it before.

    Parameters
    ----------
    connection : psycopg.Connection
        As the owner of the store.
    pole_import_id : int
    changes : Changes

    Returns
    -------
    mapping of str to int
        `Changes.counts`.
    """
    connection.execute("DELETE FROM pole_change WHERE pole_import_id = %s", [pole_import_id])
    columns = "pole_import_id, kind, pole_id, distance_m, asked, row_number, reason, was, geom"
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY pole_change ({columns}) FROM STDIN") as rows,
    ):
        for change in changes.each:
            rows.write_row(
                (
                    pole_import_id,
                    change.kind.value,
                    change.pole_id,
                    change.distance_m,
                    change.asked,
                    change.row_number,
                    change.reason,
                    change.was,
                    change.geom,
                )
            )
    return changes.counts
