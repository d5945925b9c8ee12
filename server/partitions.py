"""Partitions of the stored reports: one file for each month, for analyses beyond the database."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlalchemy.orm import Session

from data.partitions import write
from data.queries.exact_places import exact_places, span
from data.queries.hot_spots import Source


def write_partitions(
    session: Session,
    folder: Path,
    source: Source,
    zone: ZoneInfo,
    tell: Callable[[int, int], None] = lambda month, months: None,
) -> int:
    """Write what is stored, by exact places, into a new folder.

    Parameters
    ----------
    session : Session
        As the owner of the store.
    folder : Path
        Must not be there. It appears once all is written, readable by its owner only.
    source : Source
    zone : ZoneInfo
        The city's: months are its.
    tell : callable
        Is told how many months are done, and of how many.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    OSError
        Where the folder is there already, or can not be written.
    """
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    if folder.exists():
        raise FileExistsError(f"{folder} is there already. Give the name of a new folder.")
    unfinished.mkdir(mode=0o700)
    rows = 0
    try:
        found = span(session, source)
        months = [] if found is None else [*_months(found[0], found[1], zone)]
        about = {"source": source, "exact": True, "written_at": datetime.now(UTC).isoformat()}
        for done, (month, since, until) in enumerate(months, 1):
            of_month = exact_places(session, source, since, until)
            if len(of_month.lon):
                write(
                    unfinished / f"{source}-{month:%Y-%m}.parquet",
                    of_month.lon,
                    of_month.lat,
                    of_month.at_s,
                    pa.array(of_month.category, pa.string()),
                    about=about,
                )
            rows += len(of_month.lon)
            tell(done, len(months))
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return rows


def _months(
    first: datetime, last: datetime, zone: ZoneInfo
) -> Iterator[tuple[date, datetime, datetime]]:
    """Give each local month that holds something: its first day, its start and its end."""
    start, end = (moment.astimezone(zone) for moment in (first, last))
    for number in range(12 * start.year + start.month - 1, 12 * end.year + end.month):
        day, next_day = (date(one // 12, one % 12 + 1, 1) for one in (number, number + 1))
        yield day, datetime.combine(day, time(), zone), datetime.combine(next_day, time(), zone)
