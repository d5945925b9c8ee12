"""The `porchlight` command. Each subcommand is a module of `server.commands`."""

import sys
from collections.abc import Sequence

import psycopg
import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError

from data.cluster import ClusterError
from server.commands import db
from server.commands.doctor import doctor
from server.commands.import_ import import_
from server.commands.sample import sample
from server.commands.serve import serve
from server.commands.snapshot import snapshot
from server.settings import SettingsError

app = typer.Typer(
    help="Porchlight: a neighbourhood crime-prevention map. Settings: docs/settings.md.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they may hold what people wrote
)
app.command()(serve)
app.add_typer(db.app, name="db")
app.command()(doctor)
app.command("import")(import_)
app.command()(sample)
app.command()(snapshot)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; faults that an operator can mend end it with a sentence."""
    try:
        app(arguments)
    except (ClusterError, SettingsError) as error:
        message = str(error)
    except OperationalError as error:
        if not isinstance(error.orig, psycopg.OperationalError):
            raise
        message = f"The database does not answer: {error.orig}"
    except KeyboardInterrupt:
        sys.exit(130)
    else:
        return
    Console(stderr=True, soft_wrap=True).print(message, style="red", markup=False, highlight=False)
    sys.exit(1)
