"""Reading delimited text: CSV as it comes, plain or gzipped, a part at a time.

Every value stays text until the source says what it is: numbers would lose their leading zeros.
"""

import csv
import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from data.sources.batch import Batch, BrokenFileError, File, Mask

HEADER_ROWS = 1
_BLOCK_BYTES = 8 << 20
_FIELD_LIMIT = 1 << 20
_BYTE_ORDER_MARKS = re.compile(r"^(\ufeff|ï»¿|X\.U\.FEFF\.)+")
_UNDECODABLE = re.compile("[\udc80-\udcff]")


def read(file: File, required: Mapping[str, Sequence[str]]) -> Iterator[Batch]:
    """Read a table, every value as text.

    Parameters
    ----------
    file : File
    required : mapping of str to sequence of str
        Column a source needs -> the names under which files are known to have it, besides its own.
        Upper and lower case make no difference where a name is not found as it is.

    Yields
    ------
    Batch
        Its columns have the names of `required` where they are required, else those of the file.

    Raises
    ------
    BrokenFileError
        Where the file is not UTF-8, lacks a column, or a row does not fit the header.
    """
    columns = header(file)
    names = _renamed(file, columns, required)
    row = HEADER_ROWS + 1
    try:
        with _opened(file.path) as stream:
            reader = arrow_csv.open_csv(
                stream,
                read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES),
                parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string())
                ),
            )
            end = ""
            for raw in reader:
                yield Batch(raw.rename_columns(names), row)
                row += raw.num_rows
                end = raw.column(raw.num_columns - 1)[-1].as_py() if raw.num_rows else end
    except pa.ArrowInvalid as error:
        raise _fault(file, columns) or file.broken(str(error)) from error
    except (OSError, EOFError) as error:
        raise file.broken(
            f"the file ends too early or is damaged ({error}). Get it again.", row=row
        ) from error
    # A quotation mark that is never closed swallows the rows to the end without a word.
    if "\n" in end and (fault := _fault(file, columns)):
        raise fault


def numbers(batch: Batch, column: str) -> np.ndarray:
    """Give a column as numbers; NaN where the text is empty or no number.

    Parameters
    ----------
    batch : Batch
    column : str

    Returns
    -------
    ndarray of float
    """
    text = pc.utf8_trim_whitespace(batch.raw.column(column))
    number = pc.match_substring_regex(text, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    cast = pc.if_else(number, text, pa.scalar(None, pa.string())).cast(pa.float64())
    return np.asarray(cast.to_numpy(zero_copy_only=False), dtype=float)


def require_position(
    batch: Batch,
    longitude: np.ndarray,
    latitude: np.ndarray,
    columns: tuple[str, str],
    not_in_degrees: str = "not in degrees",
) -> None:
    """Reject rows without a position on Earth; zeros count as none.

    Parameters
    ----------
    batch : Batch
    longitude, latitude : ndarray of float
        One for each row of the batch.
    columns : tuple of two str
        Their names in the file.
    not_in_degrees : str
        Reason of those beyond the poles or the date line.
    """
    for values, limit, name in ((longitude, 180, columns[0]), (latitude, 90, columns[1])):
        batch.reject(np.isnan(values) | (values == 0), name, "no position")
        batch.reject(np.abs(values) > limit, name, not_in_degrees)


def empty(batch: Batch, column: str) -> Mask:
    """Say which rows have nothing but blanks in a column."""
    return np.asarray(
        pc.equal(pc.utf8_trim_whitespace(batch.raw.column(column)), "").to_numpy(
            zero_copy_only=False
        ),
        dtype=bool,
    )


def _opened(path: Path) -> pa.NativeFile:
    return pa.input_stream(str(path), compression="gzip" if _gzipped(path) else None)


def _text(path: Path) -> TextIO:
    opened = gzip.open if _gzipped(path) else open
    text = opened(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return cast(TextIO, text)


def _gzipped(path: Path) -> bool:
    with path.open("rb") as start:
        return start.read(2) == b"\x1f\x8b"


def header(file: File) -> list[str]:
    """Give the names of the columns, as they stand in the file.

    Raises
    ------
    BrokenFileError
        Where there are none.
    """
    try:
        with _text(file.path) as text:
            names = next(csv.reader(text), [])
    except (OSError, EOFError, csv.Error) as error:
        raise file.broken(f"the header can not be read: {error}", row=1) from error
    if not any(names):
        raise file.broken("the file is empty; the first row should name the columns", row=1)
    if bad := next((name for name in names if _UNDECODABLE.search(name) or "\0" in name), None):
        raise file.broken("not text in UTF-8. Save it as CSV in UTF-8.", row=1, column=repr(bad))
    return names


def _renamed(file: File, columns: list[str], required: Mapping[str, Sequence[str]]) -> list[str]:
    names = [_BYTE_ORDER_MARKS.sub("", name).strip() for name in columns]
    folded = [name.casefold() for name in names]
    for wanted, known in required.items():
        mapped = file.columns.get(wanted)
        candidates = [mapped] if mapped else [wanted, *known]
        found = next((names.index(name) for name in candidates if name in names), None)
        if found is None:
            found = next(
                (folded.index(n.casefold()) for n in candidates if n.casefold() in folded), None
            )
        if found is None:
            raise file.broken(
                f"there is no such column; the file has {', '.join(names)}. Name the one to use "
                f"with --map {wanted}=COLUMN.",
                row=1,
                column=mapped or wanted,
            )
        names[found] = wanted
    return names


def _fault(file: File, columns: list[str]) -> BrokenFileError | None:
    """Find where a table breaks, reading it again slowly; None where it does not."""
    row, column = HEADER_ROWS, None
    before = csv.field_size_limit(_FIELD_LIMIT)
    try:
        with _text(file.path) as text:
            rows = csv.reader(text, strict=True)
            for row, fields in enumerate(rows, HEADER_ROWS):
                for name, value in zip(columns, fields, strict=False):
                    if _UNDECODABLE.search(value):
                        return file.broken(
                            "not text in UTF-8. Save the file as CSV in UTF-8.",
                            row=row,
                            column=name,
                        )
                if fields and len(fields) != len(columns):
                    column = columns[len(fields)] if len(fields) < len(columns) else columns[-1]
                    return file.broken(
                        f"{len(fields)} values where the header names {len(columns)} columns. "
                        "Look for a comma or a quotation mark too many.",
                        row=row,
                        column=column,
                    )
    except csv.Error:
        column = _column_of_open_quote(file, columns, row)
        return file.broken("a quotation mark is opened and not closed.", row=row + 1, column=column)
    finally:
        csv.field_size_limit(before)
    return None


def _column_of_open_quote(file: File, columns: list[str], whole_rows: int) -> str | None:
    """Name the column in which the row after the whole ones breaks off."""
    with _text(file.path) as text:
        rows = csv.reader(text, strict=True)
        for _ in range(whole_rows):
            next(rows)
        line = text.readline()
    reached = next(csv.reader([line]), [])
    return columns[len(reached) - 1] if 0 < len(reached) <= len(columns) else None
