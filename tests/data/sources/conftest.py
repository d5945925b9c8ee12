"""Files to import: small ones written here, and Kansas City's own where they are to be had."""

import os
from functools import partial
from pathlib import Path

import pytest
import shapely

from data import imports
from data.sources.batch import File
from data.sources.registry import sources

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("PORCHLIGHT_SHARED", ROOT.parent / "shared" / "data"))
SECRET = b"a secret of at least thirty-two bytes"

# Two neighbourhoods of a city that ends at their outer edges.
WEST = shapely.box(-94.60, 39.00, -94.55, 39.10)
EAST = shapely.box(-94.55, 39.00, -94.50, 39.10)


@pytest.fixture(scope="session")
def kc() -> Path:
    """The folder of Kansas City's files."""
    folder = SHARED / "kc"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture
def connection(session):
    return session.connection().connection.driver_connection


@pytest.fixture
def bring_in(connection, tmp_path):
    """Import a file, or text that is written to one."""

    def run(source, content, *, name="file.csv", columns=None, crs=None, **options):
        if isinstance(content, Path):
            path = content
        else:
            path = tmp_path / name
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        chosen = sources(partial(imports.stored_neighbourhoods, connection))[source]
        file = File(path, path.name, columns or {}, crs)
        return imports.run(connection, chosen, file, secret=SECRET, **options)

    return run


@pytest.fixture
def one(connection):
    """The one row, or the one value, that a query gives."""

    def ask(query, *values):
        (row,) = connection.execute(query, values).fetchall()
        return row[0] if len(row) == 1 else row

    return ask


@pytest.fixture
def rows(connection):
    return lambda query, *values: connection.execute(query, values).fetchall()


@pytest.fixture
def city(connection):
    """A served area of two neighbourhoods; gives their ids."""
    ids = {}
    for layer, code, shape in (
        ("city", "city", shapely.union(WEST, EAST)),
        ("neighbourhood", "west", WEST),
        ("neighbourhood", "east", EAST),
    ):
        (ids[code],) = connection.execute(
            "INSERT INTO area (layer, code, name, geom) "
            "VALUES (%s, %s, %s, ST_Multi(ST_GeomFromWKB(%s, 4326))) RETURNING id",
            [layer, code, code.title(), shape.wkb],
        ).fetchone()
    return ids
