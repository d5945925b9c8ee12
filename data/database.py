"""The way to the store: engine, session factory, and the migrations."""

import math
import time
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = Path(__file__).parent / "migrations"

WEB_ROLE = "porchlight_web"
"""Role as which pages and APIs use the store: it owns nothing, and sees only what a visitor may."""

RESTED_S = 1.0
"""Seconds after which a pooled connection is tried before it is used."""


def engine(
    url: str,
    *,
    pool_size: int = 10,
    pool_timeout_s: float = 2.0,
    statement_timeout_ms: int = 0,
    role: str | None = None,
) -> Engine:
    """Give a pool of psycopg 3 connections.

    Parameters
    ----------
    url : str
        SQLAlchemy URL; `postgresql://` is read as `postgresql+psycopg://`.
    pool_size : int
        Connections at the most.
    pool_timeout_s : float
        Seconds to wait for a free connection before giving up.
    statement_timeout_ms : int
        Milliseconds after which PostgreSQL ends a statement; 0 for no limit.
    role : str, optional
        Role whose rights hold, such as `WEB_ROLE`; that of the URL without.
    """
    if url.startswith(("postgresql://", "postgres://")):
        url = "postgresql+psycopg://" + url.partition("://")[2]
    made = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        pool_use_lifo=True,
        connect_args={"connect_timeout": 3, "prepare_threshold": 2},
    )

    @event.listens_for(made, "connect")
    def _configure(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET statement_timeout = {int(statement_timeout_ms)}")
        cursor.execute("SET TIME ZONE 'UTC'")
        # Every query of ours is short; compiling one takes longer than running it.
        cursor.execute("SET jit = off")
        if role is not None:
            cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)).as_string())
        cursor.close()
        connection.commit()

    event.listen(made, "checkin", _rested)
    event.listen(made, "checkout", _still_there)
    return made


def _rested(connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["since"] = time.monotonic()


def _still_there(
    connection: psycopg.Connection[Any], record: ConnectionPoolEntry, proxy: object
) -> None:
    """Try a connection that rested before it is used: under load that would double the trips."""
    if time.monotonic() - record.info.get("since", math.inf) < RESTED_S:
        return
    try:
        connection.execute("")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error  # upon which the pool opens another


def name_visitor(session: Session, person_id: int | None, *, strong: bool) -> None:
    """Tell the store who asks, until the transaction ends: its own rules go by that.

    Parameters
    ----------
    session : Session
    person_id : int or None
        None for nobody in particular.
    strong : bool
        Whether that person has signed in with two factors.
    """
    session.execute(
        text(
            "SELECT set_config('porchlight.person', :person, true), "
            "set_config('porchlight.strong', :strong, true)"
        ),
        {"person": "" if person_id is None else str(person_id), "strong": str(strong).lower()},
    )


def _config(bound: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = bound
    return config


def upgrade(url: str) -> None:
    """Bring the schema to the newest migration.

    Parameters
    ----------
    url : str
        SQLAlchemy URL of a database in which PostGIS is installed or can be.
    """
    bound = engine(url, pool_size=1)
    try:
        command.upgrade(_config(bound), "head")
    finally:
        bound.dispose()


def revisions(url: str) -> tuple[str | None, str]:
    """Give the revision a database is at, and the newest there is.

    Returns
    -------
    tuple of (str or None, str)
        None where no migration has run.
    """
    bound = engine(url, pool_size=1)
    try:
        newest = ScriptDirectory.from_config(_config(bound)).get_current_head()
        assert newest is not None
        with bound.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision(), newest
    finally:
        bound.dispose()
