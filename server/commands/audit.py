import typer
from rich.console import Console
from sqlalchemy.orm import Session

from data import database
from data.queries import audit
from server.commands.database import upgraded_database
from server.settings import load

app = typer.Typer(no_args_is_help=True, help="Look after the log of what was done and read.")


@app.callback()
def _nothing() -> None:
    """Stand before the commands; without it Typer takes a single one for the whole program."""


@app.command()
def verify() -> None:
    """Check that no entry of the audit log was changed, taken out or put in between."""
    console = Console(soft_wrap=True)
    with upgraded_database(load(), console) as url:
        engine = database.engine(url, pool_size=1)
        try:
            with Session(engine) as session:
                found = audit.verify(session)
        finally:
            engine.dispose()
    if found.broken is not None:
        Console(stderr=True, soft_wrap=True).print(
            f"The audit log is broken at entry {found.broken.id} ({found.broken.action}, "
            f"{found.broken.at:%Y-%m-%d %H:%M:%S %Z}): it was changed, or the entry before it was "
            "changed or taken out. Compare it with a backup.",
            style="red",
            markup=False,
            highlight=False,
        )
        raise typer.Exit(1)
    console.print(f"The audit log is whole: {found.entries:,} entries.", highlight=False)
    if found.head:
        console.print(
            f"Newest: {found.head}\nKeep this elsewhere: it shows later whether entries were cut off.",
            highlight=False,
        )
