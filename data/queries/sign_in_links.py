"""Links sent by e-mail: good once, and for ten minutes by the database's clock."""

import secrets

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.queries.sign_ins import hashed

MINUTES = 10

_USABLE = f"used_at IS NULL AND created_at > clock_timestamp() - interval '{MINUTES} minutes'"


def begin(session: Session, email: str) -> str:
    """Make a link, and give the token that it carries.

    Parameters
    ----------
    session : Session
        As the owner of the store. Nothing is committed here.
    email : str
        Where it is sent, in small letters.
    """
    token = secrets.token_urlsafe(32)
    session.execute(
        text("INSERT INTO sign_in_link (token_hash, email) VALUES (:token_hash, :email)"),
        {"token_hash": hashed(token), "email": email},
    )
    return token


def find(session: Session, token: str) -> str | None:
    """Give the e-mail address of a link that can be used; None of any other."""
    statement = f"SELECT email FROM sign_in_link WHERE token_hash = :token_hash AND {_USABLE}"  # noqa: S608 (its own constants)
    email: str | None = session.scalar(text(statement), {"token_hash": hashed(token)})
    return email


def use(session: Session, token: str) -> str | None:
    """Use a link up, and give its e-mail address; None where it can not be used any more.

    Of many who use one link at once, the row's lock lets one be the first.
    """
    statement = (
        "UPDATE sign_in_link SET used_at = clock_timestamp() "  # noqa: S608 (as above)
        f"WHERE token_hash = :token_hash AND {_USABLE} RETURNING email"
    )
    email: str | None = session.scalar(text(statement), {"token_hash": hashed(token)})
    return email


def forget(session: Session) -> None:
    """Delete the links that are a day old."""
    session.execute(text("DELETE FROM sign_in_link WHERE created_at < now() - interval '1 day'"))
