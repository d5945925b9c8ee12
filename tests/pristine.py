"""A migrated database for one test after the other, put back each time to how migrations left it.

To make a new one copies well over a thousand files, which took a third of the whole run; a test writes to a
dozen tables. A test that changed the schema, or wrote much, still gets a new database after it.
"""

from dataclasses import dataclass, field

import psycopg
from psycopg import sql

MOST_ROWS = 5_000
"""Rows that are deleted to put a table back: what so many leave behind slows the tests after it."""

OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
SCHEMA = """
SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
    SELECT concat_ws(' ', 'r', oid, relname, relrowsecurity, relacl) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'a', attrelid, attnum, attname, attacl) FROM pg_attribute
    WHERE attrelid >= 16384
    UNION ALL SELECT concat_ws(' ', 't', oid, tgenabled) FROM pg_trigger
    UNION ALL SELECT concat_ws(' ', 'p', oid, xmin) FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'c', oid) FROM pg_constraint
    UNION ALL SELECT concat_ws(' ', 'y', oid, xmin) FROM pg_policy
    UNION ALL SELECT concat_ws(' ', 's', setconfig) FROM pg_db_role_setting
) AS known (line)
"""
TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT EXISTS (
    SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e'
)
"""
SEQUENCES = (
    "SELECT sequencename, start_value, last_value FROM pg_sequences WHERE schemaname = 'public'"
)


@dataclass(slots=True)
class Pristine:
    """What migrations leave behind.

    Attributes
    ----------
    schema : str
        A digest.
    empty : list of str
        Tables without rows.
    filled : dict of str to bytes
        The rows of the others, as COPY writes them.
    sequences : dict of str to int or None
        Where each stands; None where it was never asked.
    own : psycopg.Connection or None
        To the database that was put back last: a new one has to learn of every table first.
    """

    schema: str
    empty: list[str]
    filled: dict[str, bytes]
    sequences: dict[str, int | None]
    own: psycopg.Connection | None = field(default=None, init=False)

    @classmethod
    def of(cls, url: str) -> "Pristine":
        """Look at a database that nobody has written to."""
        with psycopg.connect(url) as own:
            tables = [name for (name,) in own.execute(TABLES)]
            rows = {name: _rows(own, name) for name in tables}
            return cls(
                _schema(own),
                [name for name in tables if not rows[name]],
                {name: kept for name, kept in rows.items() if kept},
                {name: last for name, _start, last in own.execute(SEQUENCES)},
            )

    def put_back(self, url: str) -> bool:
        """Put a database back; False where a new one is to be made instead."""
        try:
            own = self.own = self.own or psycopg.connect(url)
            with own.transaction():
                own.execute(OTHERS)
                own.execute("SET session_replication_role = replica")  # no triggers, no keys
                if _schema(own) == self.schema and self._put_back(own):
                    return True
        except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege):
            pass  # the test dropped it, it takes no connections, or is somebody else's server
        self.close()
        return False

    def close(self) -> None:
        """Let go of the database."""
        if self.own is not None:
            self.own.close()
            self.own = None

    def _put_back(self, own: psycopg.Connection) -> bool:
        ask = sql.SQL("SELECT {}").format(
            sql.SQL(", ").join(
                sql.SQL("EXISTS (SELECT FROM {})").format(sql.Identifier(name))
                for name in self.empty
            )
        )
        (*written,) = own.execute(ask).fetchone()
        for name in (one for one, has in zip(self.empty, written, strict=True) if has):
            if _delete(own, name) > MOST_ROWS:
                return False
        for name, kept in self.filled.items():
            if _rows(own, name) != kept:
                if _delete(own, name) > MOST_ROWS:
                    return False
                with own.cursor().copy(
                    sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))
                ) as copy:
                    copy.write(kept)
        for name, start, last in own.execute(SEQUENCES).fetchall():
            if last != self.sequences[name]:
                first = self.sequences[name] is None
                own.execute(
                    "SELECT setval(%s, %s, %s)",
                    [f'"{name}"', start if first else self.sequences[name], not first],
                )
        return True


def _schema(own: psycopg.Connection) -> str:
    return own.execute(SCHEMA).fetchone()[0]


def _rows(own: psycopg.Connection, table: str) -> bytes:
    with own.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
        return b"".join(map(bytes, copy))


def _delete(own: psycopg.Connection, table: str) -> int:
    return own.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table))).rowcount
