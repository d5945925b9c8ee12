from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.orm import Session

from data import database, imports
from data.download import DownloadError, downloaded, is_url
from data.load import MissingError, Source
from data.queries import gazetteer, homes
from data.queries.imports import is_sample
from data.sources.batch import BrokenFileError, File
from data.sources.registry import sources
from server.commands.database import upgraded_database
from server.settings import Settings, load, position_secret

_SEARCHED = frozenset({"address", "report", "street", "vacant_lot", "service_location"})
"""Tables from which the address search is derived."""

_HOMES = frozenset({"parcel", "address"})
"""Tables that tell where homes are."""

_EXAMPLES = 5
"""Rejected rows that are shown; the rest are in the table rejected_row."""


def import_(
    source: Annotated[
        str | None, typer.Argument(help="What the file is; --list shows the choices.")
    ] = None,
    file: Annotated[str | None, typer.Argument(help="A file, or an http(s) URL.")] = None,
    *,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", help="NAME=COLUMN, for files whose columns have other names."),
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option(help="Coordinate system, such as EPSG:2817, where the file does not say."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Read the file even if it was the last one read.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show what can be imported.")] = False,
) -> None:
    """Bring in a file: a newer one updates, the same one changes nothing, a broken one neither."""
    console, settings = Console(soft_wrap=True), load()
    if listed:
        _show_sources(console)
        return
    known = sources(neighbourhoods=list)
    if source not in known or file is None:
        raise typer.BadParameter(
            f"give a source and a file: porchlight import SOURCE FILE. Sources: {', '.join(known)}."
        )
    mapped = _mapped(columns or [])
    try:
        with _local(file, console) as (path, name), upgraded_database(settings, console) as url:
            _bring_in(url, settings, console, source, File(path, name, mapped, crs), again=again)
    except (BrokenFileError, DownloadError, MissingError) as error:
        Console(stderr=True, soft_wrap=True).print(
            f"{error}\nThe database is as it was.", style="red", markup=False, highlight=False
        )
        raise typer.Exit(1) from error


def _mapped(columns: Sequence[str]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in columns]
    if wrong := next((name for name, equals, column in pairs if not (name and column)), None):
        raise typer.BadParameter(f"--map {wrong}: write it as --map name=COLUMN.")
    return {name: column for name, _, column in pairs}


@contextmanager
def _local(file: str, console: Console) -> Iterator[tuple[Path, str]]:
    if is_url(file):
        with console.status(f"Getting {file}"), downloaded(file) as got:
            yield got
        return
    path = Path(file)
    if not path.is_file():
        raise typer.BadParameter(f"{file}: there is no such file.")
    yield path, path.name


def _bring_in(
    url: str, settings: Settings, console: Console, name: str, file: File, *, again: bool
) -> None:
    engine = database.engine(url, pool_size=1)
    started = perf_counter()
    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,.0f} rows"),
        TextColumn("{task.fields[rate]:,.0f} rows/s"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    try:
        with Session(engine) as session, shown:
            connection: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]  # psycopg's, as the URL says
            source = sources(partial(imports.stored_neighbourhoods, connection))[name]
            if is_sample(session):
                console.print(
                    "This database holds the sample city, beside which the file will stand. For a "
                    "real city take an empty database.",
                    style="yellow",
                )
            task = shown.add_task(f"Importing {name}", total=None, rate=0.0)

            def advance(rows: int) -> None:
                done = shown.tasks[task].completed + rows
                rate = done / (perf_counter() - started)
                shown.update(task, completed=done, rate=rate)

            summary = imports.run(
                connection,
                source,
                file,
                secret=position_secret(settings),
                again=again,
                progress=advance,
            )
            examples = imports.rejected_rows(connection, summary.run_id, _EXAMPLES)
            if not summary.known and 0 < summary.rows_read == summary.rejected:
                raise file.broken(_none_usable(summary.rejected, examples))
            if source.target.table in _SEARCHED and summary.inserted + summary.updated:
                shown.update(task, description="Preparing the address search")
                gazetteer.rebuild(session)
            if source.target.table in _HOMES and summary.inserted + summary.updated:
                homes.recount(session)
            session.commit()
    finally:
        engine.dispose()
    if summary.known:
        console.print(
            f"{file.name}: unchanged since the last import, so nothing was done. "
            "Add --again to read it anyway."
        )
        return
    _show(console, source, file, summary, perf_counter() - started)
    for row in examples:
        console.print(f"  {row}", style="yellow", markup=False, highlight=False)
    if summary.rejected > len(examples):
        console.print(f"  and {summary.rejected - len(examples):,} more, in rejected_row.")


def _none_usable(rows: int, examples: Sequence[str]) -> str:
    return "\n".join((f"none of its {rows:,} rows can be used:", *(f"  {row}" for row in examples)))


def _show(
    console: Console, source: Source, file: File, summary: imports.Summary, seconds: float
) -> None:
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, rows in (
        ("new", summary.inserted),
        ("updated", summary.updated),
        ("unchanged", summary.unchanged),
        ("rejected", summary.rejected),
    ):
        table.add_row(label, f"{rows:,}")
    for reason, rows in sorted(summary.left_out.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(f"left out: {reason}", f"{rows:,}")
    table.add_row("rows read", f"{summary.rows_read:,}", style="bold")
    if summary.mended:
        table.add_row("with a shape that was mended", f"{summary.mended:,}")
    console.print(table)
    console.print(
        f"{file.name} is in as {source.name}, run {summary.run_id}, after {seconds:.1f} s "
        f"({summary.rows_read / seconds:,.0f} rows/s)."
    )


def _show_sources(console: Console) -> None:
    table = Table(box=None)
    table.add_column("source")
    table.add_column("what it is")
    table.add_column("--map takes")
    for source in sources(neighbourhoods=list).values():
        table.add_row(source.name, source.about, ", ".join(source.columns))
    console.print(table)
