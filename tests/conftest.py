"""The one database server of a test run, and a migrated database for each test that asks."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import sql
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.orm import Session

from data import database
from data.cluster import EXTENSIONS, Cluster
from server.app import create_app
from server.settings import Settings, variable
from tests.pristine import Pristine

ROOT = Path(__file__).parent.parent
SERVER = "TESTS_SERVER"  # handed to the worker processes of pytest-xdist
OURS = {"DATABASE_URL", "PORCHLIGHT_VAR"}  # where the tests' own databases are


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # What somebody has set for their own server must not change what tests expect.
    for name in {variable(field) for field in Settings.model_fields} - OURS:
        os.environ.pop(name, None)
    if SERVER in os.environ or config.option.collectonly:
        return
    if url := os.environ.get("DATABASE_URL"):
        os.environ[SERVER] = url
        return
    var = Path(os.environ.get("PORCHLIGHT_VAR", ROOT / "var"))
    cluster = Cluster(var / "tests", durable=False)
    url = make_url(cluster.start()).set(username="postgres")
    os.environ[SERVER] = url.render_as_string(hide_password=False)
    config.add_cleanup(cluster.stop)


class Server:
    """A PostgreSQL server on which databases may be created."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def plain(self, name: str) -> str:
        """Give where a database is, without the name of a driver."""
        url = self.url.set(drivername="postgresql", database=name)
        return url.render_as_string(hide_password=False)

    def execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.plain("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def drop(self, name: str) -> None:
        self.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def create(self, name: str, template: str = "template0") -> str:
        self.drop(name)
        # Copying files takes a quarter of what writing each page to the log takes.
        self.execute("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        return self.url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "alone")


@pytest.fixture(scope="session")
def server() -> Server:
    url = make_url(os.environ[SERVER])
    return Server(url.set(drivername="postgresql+psycopg"))


@pytest.fixture(scope="session")
def template(server: Server, worker: str) -> str:
    """A database with the schema and nothing else."""
    name = f"porchlight_template_{worker}"
    url = server.create(name)
    with psycopg.connect(server.plain(name)) as own:
        for extension in EXTENSIONS:
            own.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    database.upgrade(url)
    return name


@pytest.fixture(scope="session")
def pristine(server: Server, template: str) -> Iterator[Pristine]:
    with closing(Pristine.of(server.plain(template))) as found:
        yield found


@pytest.fixture
def database_url(server: Server, template: str, pristine: Pristine, worker: str) -> str:
    """A migrated, empty database of the test's own, in which it may commit."""
    name = f"porchlight_test_{worker}"
    if not pristine.put_back(server.plain(name)):
        server.create(name, template)
    return server.url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = database.engine(database_url, pool_size=10)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def _rolled_back_engine(server: Server, template: str, worker: str) -> Iterator[Engine]:
    engine = database.engine(server.create(f"porchlight_rolled_back_{worker}", template))
    yield engine
    engine.dispose()


@pytest.fixture
def session(_rolled_back_engine: Engine) -> Iterator[Session]:
    """A session on a migrated, empty database; all it does is undone. Quicker than `engine`."""
    with _rolled_back_engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        transaction.rollback()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, var=tmp_path, position_secret="s" * 32)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The application on a database of the test's own. Server faults come as answers."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client
