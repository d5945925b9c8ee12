from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from sqlalchemy.orm import Session

from data import database
from geo.kinds import Kind
from server.commands.database import upgraded_database
from server.languages import CODES, language
from server.pages.snapshot import NoCity, SnapshotQuery, snapshot_of
from server.schemas.filters import bounds
from server.settings import Settings, load


def snapshot(  # noqa: PLR0917 (typer passes options by name)
    file: Annotated[Path, typer.Argument(help="HTML file to write.", dir_okay=False)],
    bbox: Annotated[
        str, typer.Option(help="west,south,east,north in degrees; the whole city without it.")
    ] = "",
    layers: Annotated[str, typer.Option(help="Names of layers, split by commas.")] = "",
    kind: Annotated[
        list[Kind] | None, typer.Option(help="Kind of report; may be repeated.")
    ] = None,
    category: Annotated[list[str] | None, typer.Option(help="Category; may be repeated.")] = None,
    status: Annotated[
        list[str] | None, typer.Option(help="Status, or open; may be repeated.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day of reporting."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of reporting.")
    ] = None,
    area: Annotated[int | None, typer.Option(help="Id of an area.")] = None,
    block_watch: Annotated[int | None, typer.Option(help="Id of a block watch.")] = None,
    code: Annotated[str, typer.Option("--language", help=" or ".join(CODES))] = "",
) -> None:
    """Write a map with its data inside as one HTML file, which opens without internet."""
    console, settings = Console(soft_wrap=True), load()
    query = _query(
        bbox=bbox,
        layers=layers,
        kind=kind or [],
        category=category or [],
        status=status or [],
        since=_day(since),
        until=_day(until),
        area=area,
        block_watch=block_watch,
    )
    if code and code not in CODES:
        raise typer.BadParameter(f"--language: write {' or '.join(CODES)}")
    try:
        text = _written(settings, console, query, code or settings.language)
    except NoCity as error:
        raise typer.BadParameter(
            "There is no city in the database yet. Import one, or try the sample: porchlight sample"
        ) from error
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file} can not be written: {error.strerror}") from error
    console.print(f"{file}: {len(text.encode()) / 1e6:.1f} MB", highlight=False)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _query(**options: Any) -> SnapshotQuery:
    try:
        query = SnapshotQuery.model_validate(options)
        bounds(query.bbox)
    except ValidationError as error:
        faults = (
            f"--{fault['loc'][0]}: {fault['msg'].removeprefix('Value error, ')}"
            if fault["loc"]
            else fault["msg"].removeprefix("Value error, ")
            for fault in error.errors()
        )
        raise typer.BadParameter("; ".join(faults)) from error
    except ValueError as error:
        raise typer.BadParameter(f"--bbox: {error}") from error
    return query


def _written(settings: Settings, console: Console, query: SnapshotQuery, code: str) -> str:
    with upgraded_database(settings, console) as url:
        engine = database.engine(url, pool_size=1)
        try:
            with Session(engine) as session, console.status("Collecting what the map shows"):
                return snapshot_of(
                    session,
                    settings,
                    language(code),
                    chosen=query.chosen(settings.zone),
                    box=bounds(query.bbox),
                    names=query.layer_names,
                    now=datetime.now(UTC),
                )
        finally:
            engine.dispose()
