from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.orm import Session

from data import database
from data.queries import audit, people
from geo.roles import Role
from server import invitations
from server.commands.database import upgraded_database
from server.links import root
from server.mail import one_address
from server.settings import SettingsError, load, position_secret

app = typer.Typer(no_args_is_help=True, help="Look after the people who can sign in.")


@app.callback()
def _nothing() -> None:
    """Stand before the commands; without it Typer takes a single one for the whole program."""


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    administrator: Annotated[
        bool, typer.Option("--administrator", help="Make them an administrator.")
    ] = False,
) -> None:
    """Add a person, and print the link with which they choose a password."""
    console, settings = Console(soft_wrap=True), load()
    address = email.strip().lower()
    try:
        one_address(address)
    except ValueError as error:
        raise SettingsError(f"{email}: {error}.") from error
    with upgraded_database(settings, console) as url:
        engine = database.engine(url, pool_size=1)
        try:
            with Session(engine) as session:
                person = people.of_email(session, address, settings.language)
                if person.password_hash is not None:
                    people.start_over(session, person.id)
                audit.add(session, None, "person.invite", f"person {person.id}")
                if administrator and people.grant(
                    session, person.id, Role.ADMINISTRATOR, granted_by_id=None
                ):
                    detail = {"role": Role.ADMINISTRATOR.value}
                    audit.add(session, None, "role.grant", f"person {person.id}", detail)
                token = invitations.token(session, position_secret(settings), person.id)
                session.commit()
        finally:
            engine.dispose()
    console.print(
        f"{address} chooses a password here, within {invitations.LASTS.days} days and once:",
        markup=False,
        highlight=False,
    )
    console.print(f"{root(settings)}/invitation?token={token}", markup=False, highlight=False)
