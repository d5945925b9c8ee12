from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.orm import Session

from data import database
from data.queries.hot_spots import Source
from server.commands.database import upgraded_database
from server.partitions import write_partitions
from server.settings import Settings, load


def partitions(
    folder: Annotated[Path, typer.Argument(help="New folder to write.")],
    source: Annotated[Source, typer.Option(help="What is written.")] = Source.REPORTS,
) -> None:
    """Write the stored reports as GeoParquet, a file a month, by exact places: for operators only."""
    console, settings = Console(soft_wrap=True), load()
    try:
        rows = partitions_of(folder, source, settings, console)
    except OSError as error:
        raise typer.BadParameter(str(error)) from error
    megabytes = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    console.print(f"{folder}: {rows:,} rows, {megabytes:.1f} MB", highlight=False)
    console.print(
        "They have exact places, homes among them. Only you can read the folder: keep it so, and "
        "delete it when you are done.",
        style="yellow",
    )


def partitions_of(folder: Path, source: Source, settings: Settings, console: Console) -> int:
    """Write partitions, with progress, and say how many rows they have."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with upgraded_database(settings, console) as url:
        engine = database.engine(url, pool_size=1)
        try:
            with (
                Session(engine) as session,
                Progress(*columns, console=console, transient=True) as shown,
            ):
                task = shown.add_task("Writing months", total=None)
                return write_partitions(
                    session,
                    folder,
                    source,
                    settings.zone,
                    lambda month, months: shown.update(task, completed=month, total=months),
                )
        finally:
            engine.dispose()
