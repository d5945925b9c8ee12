import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import shapely
import typer
from pyproj import CRS, Transformer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from data import database
from data.partitions import PartitionError, files, pieces
from data.queries.hot_spots import Source
from geo.categories import BY_CODE, CATEGORIES
from geo.crs import CITY
from geo.grids import Shape
from geo.hot_spots import Ground, Verdict
from geo.hot_spots import Settings as Look
from geo.kinds import Kind
from geo.parts import Part
from server import hot_spot_files, hot_spot_parts
from server.commands.database import upgraded_database
from server.commands.partitions import partitions_of
from server.hot_spot_files import Written
from server.hot_spot_parts import ROWS_AT_ONCE, ClusterFault, Question, Sum
from server.hot_spots import (
    METHOD,
    Asked,
    Measure,
    NoGround,
    NothingToMeasureBy,
    Sight,
    ground_of,
)
from server.settings import Settings, load

_WRITERS = {
    ".geojson": hot_spot_files.geojson,
    ".csv": hot_spot_files.table,
    ".gpkg": hot_spot_files.geopackage,
    ".parquet": hot_spot_files.geoparquet,
}


@dataclass(frozen=True, slots=True)
class _Hands:
    """Who does the work: workers of a scheduler, some of this machine, or this process."""

    scheduler: str | None
    workers: int
    rows_at_once: int


def analyse(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A GeoParquet file of reports, or a folder of them."),
    ] = None,
    *,
    from_database: Annotated[
        bool, typer.Option("--from-database", help="Analyse what is stored, by exact places.")
    ] = False,
    out: Annotated[
        Path, typer.Option(help="File to write the cells to: .geojson, .gpkg, .csv or .parquet.")
    ],
    source: Annotated[Source, typer.Option(help="What the rows are.")] = Source.REPORTS,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day; else that of the rows."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Last day; else that of the rows."),
    ] = None,
    kind: Annotated[
        list[Kind] | None, typer.Option(help="Kind of report; may be repeated.")
    ] = None,
    category: Annotated[list[str] | None, typer.Option(help="Category; may be repeated.")] = None,
    area: Annotated[
        list[int] | None, typer.Option(help="Id of an area to look in; may be repeated.")
    ] = None,
    ground: Annotated[
        Path | None,
        typer.Option(help="File with the outline of the city, where there is no database."),
    ] = None,
    cell: Annotated[int, typer.Option(min=20, max=5_000, help="Metres across a cell.")] = 200,
    shape: Annotated[Shape, typer.Option(help="Of a cell.")] = Shape.HEXAGON,
    measure: Annotated[
        str, typer.Option(help="Measure against: street or home. Without it every cell is alike.")
    ] = "",
    q: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Share of hot cells that may be false alarms.")
    ] = 0.05,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler, such as tcp://10.0.0.5:8786.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=256, help="Processes to start on this machine instead.")
    ] = 0,
    rows_at_once: Annotated[
        int, typer.Option(min=1_000, help="Rows that a worker holds at once, about.")
    ] = ROWS_AT_ONCE,
) -> None:
    """Find hot spots among more reports than a machine holds: counted in parts, the same as the page."""
    console, settings = Console(soft_wrap=True), load()
    _require_sense(path, from_database=from_database, out=out, scheduler=scheduler, workers=workers)
    if from_database and ground is not None:
        raise typer.BadParameter("--ground is for files. The database has its own outline.")
    if measure not in {*Measure}:
        raise typer.BadParameter("--measure: write street or home, or leave it out.")
    hands = _Hands(scheduler, workers, rows_at_once)
    try:
        with _folder(path, source, settings, console) as given:
            among = pieces(files(given))
            over = settings.today() - timedelta(days=1)
            known = hot_spot_parts.period(among, settings.zone)
            first, last = _days(known, since, until, over)
            asked = Asked(
                source=source,
                since=first,
                until=last,
                categories=_categories(source, kind or [], category or []),
                area_ids=tuple(sorted(area or [])),
                width_m=cell,
                shape=shape,
                measure=Measure(measure),
            )
            started, read_at = perf_counter(), datetime.now(UTC)
            where = _ground(asked, ground, settings, console)
            look = Look(shape=shape, width_m=float(cell), false_share=q)
            question = hot_spot_parts.question(asked, where, look, among, settings.zone)
            part = hot_spot_parts.plan(question, where, hands.rows_at_once)
            found = _worked_on(question, part, hands, settings, console)
    except (PartitionError, ClusterFault) as error:
        Console(stderr=True, soft_wrap=True).print(
            str(error), style="red", markup=False, highlight=False
        )
        raise typer.Exit(1) from error
    sight = hot_spot_parts.seen(question, found)
    made = hot_spot_files.made_with(
        asked,
        method=METHOD,
        read_at=read_at,
        false_share=q,
        rows=found.rows,
        files=len({piece.path for piece in among}),
    )
    written = hot_spot_parts.written(made, asked, sight)
    _save(out, written)
    _show(console, found, sight, perf_counter() - started)
    without = sum(piece.without_place for piece in among)
    if without:
        console.print(f"{without:,} rows of the files have no place, and are left out.")
    console.print(
        f"{out}: {len(written.cells):,} cells. They rest on exact places, and some have few "
        "incidents: not for publication.",
        highlight=False,
    )


def _require_sense(
    path: Path | None, *, from_database: bool, out: Path, scheduler: str | None, workers: int
) -> None:
    """Find what cannot work before the work begins."""
    if (path is None) is not from_database:
        raise typer.BadParameter("give a file or a folder, or --from-database.")
    if out.suffix not in _WRITERS:
        raise typer.BadParameter(f"--out {out}: end its name in {', '.join(_WRITERS)}.")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"--out {out}: there is no folder {out.parent}.")
    if scheduler is not None and workers:
        raise typer.BadParameter("--workers are of this machine: leave them out with --scheduler.")
    if scheduler is not None and from_database:
        raise typer.BadParameter(
            "workers of other machines cannot reach the database. Write partitions into a folder "
            "that all share: porchlight partitions FOLDER."
        )


@contextmanager
def _folder(
    path: Path | None, source: Source, settings: Settings, console: Console
) -> Iterator[Path]:
    """Give what is analysed; what is stored is written out for as long as it is needed."""
    if path is not None:
        yield path
        return
    settings.var.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="analyse-", dir=settings.var) as own:
        folder = Path(own) / "partitions"
        if not partitions_of(folder, source, settings, console):
            raise PartitionError("The database holds no reports of that source.")
        yield folder


def _days(
    known: tuple[datetime, datetime] | None,
    since: datetime | None,
    until: datetime | None,
    over: date,
) -> tuple[date, date]:
    """Give the first and the last day; days that are not over would count as without incidents."""
    first, last = since, until
    if known is not None:
        first, last = since or known[0], until or known[1]
    if first is None or last is None:
        raise typer.BadParameter(
            "the files do not tell from when to when their rows are: --from and --to."
        )
    if first.date() > last.date():
        raise typer.BadParameter(f"--from {first:%Y-%m-%d} must not come after {last:%Y-%m-%d}.")
    if first.date() > over:
        raise typer.BadParameter(
            f"--from: write a day up to {over:%Y-%m-%d}; later days are not over yet."
        )
    return first.date(), min(last.date(), over)


def _categories(
    source: Source, kinds: Sequence[Kind], categories: Sequence[str]
) -> tuple[str, ...]:
    if source is Source.POLICE and (kinds or categories):
        raise typer.BadParameter("police incidents have no kind and no category.")
    if strange := [code for code in categories if code not in BY_CODE]:
        raise typer.BadParameter(f"--category {strange[0]}: write one of {', '.join(BY_CODE)}.")
    if not kinds and not categories:
        return ()
    narrowed = {BY_CODE[code].kind for code in categories}
    return tuple(
        sorted(
            one.code
            for one in CATEGORIES
            if one.code in categories or (one.kind in kinds and one.kind not in narrowed)
        )
    )


def _ground(asked: Asked, file: Path | None, settings: Settings, console: Console) -> Ground:
    if file is not None:
        if asked.area_ids or asked.measure is not Measure.CELL:
            raise typer.BadParameter("--area and --measure need the database: leave out --ground.")
        outline = _outline(file)
        return Ground(area=outline, served=outline)
    with upgraded_database(settings, console) as url:
        engine = database.engine(url, pool_size=1)
        try:
            with Session(engine) as session:
                return ground_of(session, asked)
        except NoGround as error:
            raise typer.BadParameter(
                "there is no such area in the database, or no city. Import one, or give its outline: "
                "--ground FILE."
            ) from error
        except NothingToMeasureBy as error:
            raise typer.BadParameter(
                f"--measure {asked.measure}: nothing of that has been imported."
            ) from error
        finally:
            engine.dispose()


def _outline(file: Path) -> BaseGeometry:
    """Read the outline of the city, in its metres."""
    from pyogrio import raw  # noqa: PLC0415 (GDAL, which few need)
    from pyogrio.errors import DataSourceError  # noqa: PLC0415 (as above)

    try:
        meta, _, shapes, _ = raw.read(file, columns=[])
    except DataSourceError as error:
        raise typer.BadParameter(f"--ground {file} can not be read: {error}") from error
    if meta["crs"] is None:
        raise typer.BadParameter(f"--ground {file} does not say its coordinate system.")
    to_city = Transformer.from_crs(CRS(meta["crs"]), CITY, always_xy=True)
    outline: BaseGeometry = shapely.transform(
        shapely.union_all(shapely.make_valid(shapely.from_wkb(shapes))),
        lambda at: np.column_stack(to_city.transform(*at.T)),
    )
    if outline.geom_type not in {"Polygon", "MultiPolygon"}:
        raise typer.BadParameter(f"--ground {file} holds no area.")
    return outline


def _worked_on(
    question: Question, part: Part, hands: _Hands, settings: Settings, console: Console
) -> Sum:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("Counting parts", total=sum(1 for _ in part.leaves()))

        def tell(done: int) -> None:
            shown.update(task, completed=done)

        if hands.scheduler is None and not hands.workers:
            return hot_spot_parts.here(question, part, tell)
        folder = settings.var / "dask"
        with hot_spot_parts.cluster(hands.scheduler, hands.workers, folder) as client:
            return hot_spot_parts.by(client, question, part, tell)


def _save(out: Path, written: Written) -> None:
    content: Any = _WRITERS[out.suffix](written)
    try:
        out.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise typer.BadParameter(f"{out} can not be written: {error.strerror}") from error


def _show(console: Console, found: Sum, sight: Sight, seconds: float) -> None:
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "reports read": found.rows,
        "incidents in the area": int(sight.counts.sum()),
        "cells": len(sight.cells),
        "hot spots": int(sight.found["spots"]),
        "firm cells": int((sight.verdict == Verdict.FIRM).sum()),
        "hot cells that are not firm": int((sight.verdict == Verdict.HOT).sum()),
        "merely dense cells": int((sight.verdict == Verdict.DENSE).sum()),
    }
    for label, number in rows.items():
        table.add_row(label, f"{number:,}")
    console.print(table)
    if found.rows and not sight.counts.any():
        console.print(
            "None of them lies in the area. Is it the right one, and the coordinate system of the "
            "files what they say?",
            style="yellow",
        )
    elif sight.found["too_few"]:
        console.print(
            "Too few incidents to tell: no spot could have been found among so many cells."
        )
    console.print(f"Done after {seconds:.1f} s.", highlight=False)
