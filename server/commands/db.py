import os
import shutil
import signal
import subprocess
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import make_url

from data import database
from data.cluster import Binaries, ClusterError, State
from server.commands.database import private_cluster, running_database, upgraded_database
from server.settings import Settings, load

app = typer.Typer(no_args_is_help=True, help="Look after the database.")

_OWN = "DATABASE_URL names a server of your own, so there is no private one to"


@app.command()
def start() -> None:
    """Start the private database, making it at the first time."""
    console, settings = Console(), load()
    if settings.database_url is not None:
        console.print(f"{_OWN} start.")
        return
    console.print(f"The database runs: {private_cluster(settings).start()}", soft_wrap=True)


@app.command()
def stop() -> None:
    """Stop the private database."""
    console, settings = Console(), load()
    if settings.database_url is not None:
        console.print(f"{_OWN} stop.")
        return
    private_cluster(settings).stop()
    console.print("The database is stopped.")


@app.command()
def status() -> None:
    """Show where the database is, whether it runs, and how old its schema is."""
    settings = load()
    rows: dict[str, str] = {}
    url = settings.database_url
    if url is None:
        cluster = private_cluster(settings).status()
        rows |= {"Folder": str(cluster.directory), "State": cluster.state}
        if cluster.version is not None:
            rows["PostgreSQL"] = str(cluster.version)
        if cluster.state is State.RUNNING:
            rows["Process"] = str(cluster.pid)
            url = cluster.url
    if url is not None:
        rows["URL"] = make_url(url).render_as_string(hide_password=True)
        current, newest = database.revisions(url)
        behind = "" if current == newest else f" (newest is {newest}: porchlight db upgrade)"
        rows["Schema"] = f"{current or 'none'}{behind}"
    console = Console(soft_wrap=True)
    for name, value in rows.items():
        console.print(f"{name:<12}{value}", markup=False, highlight=False)


@app.command()
def upgrade() -> None:
    """Bring the schema of the database to the newest version."""
    console = Console()
    with upgraded_database(load(), console) as url:
        console.print(f"The schema is at {database.revisions(url)[0]}, the newest.")


@app.command()
def shell(
    superuser: Annotated[
        bool, typer.Option(help="As the superuser of the private database, to change the server.")
    ] = False,
) -> None:
    """Open psql on the database."""
    settings = load()
    psql = _psql(settings)
    with running_database(settings) as url:
        target = make_url(url).set(drivername="postgresql")
        if superuser and settings.database_url is None:
            target = target.set(username="postgres")
        # The password goes by the environment: arguments can be read by every user.
        password = {"PGPASSWORD": target.password} if target.password else {}
        command = [psql, target.set(password=None).render_as_string()]
        # Ctrl-C ends a query in psql; it must not end us before psql has left.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            ended = subprocess.run(command, check=False, env=os.environ | password)  # noqa: S603 (psql of the operator)
        finally:
            signal.signal(signal.SIGINT, before)
    raise typer.Exit(ended.returncode)


def _psql(settings: Settings) -> str:
    if settings.database_url is None:
        return str(Binaries.find(private_cluster(settings).status().version).folder / "psql")
    found = shutil.which("psql")
    if found is None:
        raise ClusterError(
            "psql is not installed. Install it: sudo apt-get install postgresql-client."
        )
    return found
