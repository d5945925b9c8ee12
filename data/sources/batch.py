"""What a source gives the loader, a part of the file at a time."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class BrokenFileError(ValueError):
    """A file that can not be read. The message names the file, the row and the column.

    Parameters
    ----------
    file : str
        Name as the operator gave it.
    problem : str
        What is wrong and what to do.
    row : int, optional
        As a spreadsheet counts: the header of a table is row 1.
    column : str, optional
    """

    def __init__(
        self, file: str, problem: str, *, row: int | None = None, column: str | None = None
    ) -> None:
        place = [file]
        if row is not None:
            place.append(f"row {row}")
        if column is not None:
            place.append(f"column {column}")
        super().__init__(f"{', '.join(place)}: {problem}")
        self.row = row
        self.column = column


@dataclass(frozen=True, slots=True)
class File:
    """A file to import.

    Attributes
    ----------
    path : pathlib.Path
        Where it lies now.
    name : str
        What it is called in messages and in the import run.
    columns : mapping of str to str
        Name of ours -> name in the file, as the operator mapped them.
    crs : str or None
        CRS the operator declared, such as ``EPSG:2817``.
    """

    path: Path
    name: str
    columns: dict[str, str] = field(default_factory=dict)
    crs: str | None = None

    def broken(
        self, problem: str, *, row: int | None = None, column: str | None = None
    ) -> BrokenFileError:
        """Give the error to raise where this file can not be read."""
        return BrokenFileError(self.name, problem, row=row, column=column)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that could not be used.

    Attributes
    ----------
    row : int
        Within its batch, from 0.
    column : str
        Of the file; empty where no single column is at fault.
    reason : str
    """

    row: int
    column: str
    reason: str


class Batch:
    """Some rows of a file, and what becomes of each: kept, left out or rejected.

    A row is settled once: later reasons do not touch it.

    Parameters
    ----------
    raw : pyarrow.RecordBatch
        The rows as they stand in the file.
    first_row : int
        Number of the first of them in the file.
    """

    def __init__(self, raw: pa.RecordBatch, first_row: int) -> None:
        self.raw = raw
        self.first_row = first_row
        self.kept: Mask = np.ones(raw.num_rows, dtype=bool)
        self.rejections: list[Rejection] = []
        self.left_out: Counter[str] = Counter()
        self.mended = 0
        self.records = pa.table({})

    def __len__(self) -> int:
        return int(self.raw.num_rows)

    def reject(self, bad: Mask, column: str, reason: str) -> None:
        """Reject the rows marked, of those still kept."""
        self.rejections += [
            Rejection(int(row), column, reason) for row in np.flatnonzero(bad & self.kept)
        ]
        self.kept &= ~bad

    def leave_out(self, unwanted: Mask, reason: str) -> None:
        """Leave out the rows marked, of those still kept."""
        if count := int(np.count_nonzero(unwanted & self.kept)):
            self.left_out[reason] += count
        self.kept &= ~unwanted

    def hold(self, records: pa.Table) -> "Batch":
        """Take the mapped records of the rows still kept, in their order.

        Parameters
        ----------
        records : pyarrow.Table
            Columns named as in the table they go to; geometries as `data.wkb` gives them.

        Returns
        -------
        Batch
            Itself.
        """
        if records.num_rows != np.count_nonzero(self.kept):
            raise ValueError("Give one record for each row that is kept.")
        self.records = records
        return self

    def discard(self, rows: Mask, column: str, reason: str) -> None:
        """Reject kept rows after all, with their records.

        Parameters
        ----------
        rows : ndarray of bool
            One for each record.
        column, reason : str
            As for `reject`.
        """
        self._drop(rows, lambda marked: self.reject(marked, column, reason))

    def pass_over(self, rows: Mask, reason: str) -> None:
        """Leave out kept rows after all, with their records; `rows` as for `discard`."""
        self._drop(rows, lambda marked: self.leave_out(marked, reason))

    def _drop(self, rows: Mask, settle: Any) -> None:
        if rows.any():
            marked = np.zeros(len(self), dtype=bool)
            marked[np.flatnonzero(self.kept)[rows]] = True
            settle(marked)
            self.records = self.records.filter(pa.array(~rows))

    def rejected_rows(self) -> Iterable[dict[str, Any]]:
        """Give what to keep of each rejected row: its number, column, reason, and the row whole."""
        rows = self.raw.take(pa.array([r.row for r in self.rejections], pa.int64())).to_pylist()
        for rejection, row in zip(self.rejections, rows, strict=True):
            yield {
                "row_number": self.first_row + rejection.row,
                "column_name": rejection.column,
                "reason": rejection.reason,
                "row": _json(row),
            }


def _json(row: dict[str, Any]) -> str:
    # PostgreSQL's text holds no NUL; a geometry is kept as hexadecimal WKB.
    text = json.dumps(row, default=lambda v: v.hex() if isinstance(v, bytes) else str(v))
    return text.replace("\\u0000", "")
