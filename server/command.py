"""The `porchlight` command. Each subcommand is a module of `server.commands`."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import psycopg
import typer
import typer.main
from rich.console import Console
from sqlalchemy.exc import OperationalError
from typer.core import TyperGroup

from data.cluster import ClusterError
from server.settings import SettingsError

COMMANDS = {
    "serve": "server.commands.serve:serve",
    "work": "server.commands.work:work",
    "db": "server.commands.db:app",
    "doctor": "server.commands.doctor:doctor",
    "import": "server.commands.import_:import_",
    "sample": "server.commands.sample:sample",
    "person": "server.commands.person:app",
    "audit": "server.commands.audit:app",
    "rank": "server.commands.rank:rank",
    "snapshot": "server.commands.snapshot:snapshot",
    "partitions": "server.commands.partitions:partitions",
    "analyse": "server.commands.analyse:analyse",
}
"""Name to module and attribute: a function, or a Typer application with commands of its own."""


class Lazily(TyperGroup):
    """Loads a command when it is called: a server should not hold all that imports need."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Give the names in their order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load one command, or give None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), attribute)
        around = typer.Typer(callback=_nothing, add_completion=False)
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=cmd_name)
        else:
            around.command(cmd_name)(found)
        group = typer.main.get_command(around)
        assert isinstance(group, TyperGroup)
        return group.commands[cmd_name]


def _nothing() -> None:
    """Stand before the commands; without it Typer takes a single one for the whole program."""


app = typer.Typer(
    cls=Lazily,
    help="Porchlight: a neighbourhood crime-prevention map. Settings: docs/settings.md.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they may hold what people wrote
    callback=_nothing,
)


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
