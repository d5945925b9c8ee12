"""Tables for spreadsheet programs, in which no cell is a formula of somebody else's."""

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins with one of these is computed, or runs a program."""


def cell(value: object) -> str:
    """Give a value as text that no spreadsheet program computes. A number is one, with its sign."""
    text = "" if value is None else str(value)
    is_number = isinstance(value, int | float)
    return f"'{text}" if text.startswith(_FORMULAS) and not is_number else text


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Give a table as CSV (RFC 4180), with a mark at its start by which Excel knows UTF-8.

    Parameters
    ----------
    heads : sequence of str
    rows : iterable of sequence

    Returns
    -------
    str
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([cell(head) for head in heads])
    writer.writerows([cell(value) for value in row] for row in rows)
    return "\ufeff" + file.getvalue()
