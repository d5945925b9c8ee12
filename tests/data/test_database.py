import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from data import database

ROOT = Path(__file__).parent.parent.parent


def test_two_that_upgrade_at_once_take_turns(server, worker):
    url = server.create(f"porchlight_upgrade_{worker}")
    upgrade = [sys.executable, "-c", f"from data import database; database.upgrade({url!r})"]
    both = [subprocess.Popen(upgrade, cwd=ROOT) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    at, newest = database.revisions(url)
    assert at == newest
    server.drop(f"porchlight_upgrade_{worker}")


def test_a_schema_can_be_taken_back_and_built_again(server, worker):
    name = f"porchlight_downgrade_{worker}"
    url = server.create(name)
    database.upgrade(url)
    bound = database.engine(url, pool_size=1)
    database.command.downgrade(database._config(bound), "base")
    bound.dispose()
    assert database.revisions(url)[0] is None
    _hold_a_contact_that_is_too_long(url)
    database.upgrade(url)
    bound = database.engine(url, pool_size=1)
    with bound.connect() as connection:
        assert connection.scalar(text("SELECT name FROM report_contact")) == "n" * 200
    bound.dispose()
    server.drop(name)


def _hold_a_contact_that_is_too_long(url):
    """As stood in a store before contacts were short."""
    bound = database.engine(url, pool_size=1)
    database.command.upgrade(database._config(bound), "0011")
    with bound.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # without a report
        connection.execute(
            text("INSERT INTO report_contact (report_id, name) VALUES (1, repeat('n', 300))")
        )
    bound.dispose()


def test_a_pool_that_is_used_up_says_so_in_time(database_url):
    engine = database.engine(database_url, pool_size=1, pool_timeout_s=0.1)
    with engine.connect(), pytest.raises(PoolTimeoutError):
        engine.connect()
    engine.dispose()


def test_a_statement_that_takes_too_long_is_ended(database_url):
    engine = database.engine(database_url, statement_timeout_ms=100)
    with engine.connect() as connection, pytest.raises((OperationalError, DBAPIError)):
        connection.exec_driver_sql("SELECT pg_sleep(5)")
    engine.dispose()


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "AUTOCOMMIT"])
def test_a_connection_that_broke_while_it_rested_is_replaced_unnoticed(
    database_url, monkeypatch, isolation
):
    monkeypatch.setattr(database, "RESTED_S", 0)
    engine = database.engine(database_url).execution_options(isolation_level=isolation)
    with engine.connect() as connection:
        first = connection.scalar(text("SELECT pg_backend_pid()"))
    other = database.engine(database_url)
    with other.connect() as connection:
        assert connection.scalar(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    other.dispose()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) != first
    engine.dispose()
