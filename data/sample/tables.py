"""The tables of `data/sample/tables`, read as they are written."""

import csv
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent / "tables"


def rows(name: str) -> Iterator[dict[str, str]]:
    """Give the rows of one table, by column name.

    Parameters
    ----------
    name : str
        File name without ".csv".

    Yields
    ------
    dict of str to str
    """
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, strict=True)


def items(cell: str) -> list[str]:
    """Give the parts of a cell that lists several, separated by semicolons."""
    return [part.strip() for part in cell.split(";") if part.strip()]
