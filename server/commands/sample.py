from datetime import UTC, datetime
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.orm import Session

from data import database
from data.queries.imports import holds_real_city
from data.sample.city import sample_city
from data.sample.load import Loaded, RealCityError, holds_sample, load
from server.commands.database import upgraded_database
from server.light_results import find_due
from server.sample_orders import put_route
from server.sample_plans import put_plans
from server.settings import Settings, position_secret
from server.settings import load as load_settings


def sample(
    seed: Annotated[int, typer.Option(help="Another seed makes other reports.")] = 1,
    until: Annotated[
        datetime | None,
        typer.Option(help="When its two years end, in UTC. Without it they end now."),
    ] = None,
    if_empty: Annotated[
        bool, typer.Option(help="Do nothing, and say nothing, where the database holds a city.")
    ] = False,
    beside_real: Annotated[
        bool, typer.Option(help="Put it in even beside the data of a real city.")
    ] = False,
) -> None:
    """Put in the sample city: made-up reports on real streets, to try everything with."""
    console, settings = Console(), load_settings()
    end = until.replace(tzinfo=UTC) if until else datetime.now(UTC)
    with upgraded_database(settings, console) as url:
        engine = database.engine(url, pool_size=1)
        try:
            with Session(engine) as session:
                if if_empty and (holds_sample(session) or holds_real_city(session)):
                    return
                if holds_sample(session):
                    console.print("The sample city is there already; nothing was changed.")
                    return
                _put_in(session, settings, console, seed, end, beside_real=beside_real)
        except RealCityError as error:
            Console(stderr=True, soft_wrap=True).print(str(error), style="red", highlight=False)
            raise typer.Exit(1) from error
        finally:
            engine.dispose()


def _put_in(
    session: Session,
    settings: Settings,
    console: Console,
    seed: int,
    until: datetime,
    *,
    beside_real: bool,
) -> None:
    started = perf_counter()
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("Making the sample city")
        city = sample_city(seed, until)
        loaded = load(
            session,
            city,
            secret=position_secret(settings),
            beside_real=beside_real,
            progress=lambda table, rows: shown.update(
                task, description=f"Putting in: {table.replace('_', ' ')}, {rows:,} rows"
            ),
        )
        shown.update(task, description="Putting in: action plans, and judging them")
        put_plans(session, city, settings.zone)
        find_due(session, settings.zone, until)
        put_route(session, city.until, settings.zone)
        session.commit()
    _show(console, loaded, perf_counter() - started)


def _show(console: Console, loaded: Loaded, seconds: float) -> None:
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, rows in loaded.rows.items():
        table.add_row(name.replace("_", " "), f"{rows:,}")
    console.print(table)
    rate = sum(loaded.rows.values()) / seconds
    console.print(
        f"The sample city is in, after {seconds:.1f} s ({rate:,.0f} rows/s). Its streets are "
        "Kansas City's; everything that happens there is made up.",
        soft_wrap=True,
    )
