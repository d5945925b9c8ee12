import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data.cluster import Cluster
from server.command import main
from server.commands.database import private_cluster
from server.settings import Settings


@pytest.fixture
def own(monkeypatch, tmp_path, database_url) -> str:
    """The settings name a migrated database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PORCHLIGHT_VAR", str(tmp_path))
    return database_url


@pytest.fixture
def private(monkeypatch) -> Iterator[Cluster]:
    """The settings name no database, and an empty run-time folder."""
    # pytest's own folders are closed to the user that the server runs as where root runs the tests.
    var = Path(tempfile.mkdtemp(prefix="porchlight-"))
    var.chmod(0o755)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("PORCHLIGHT_VAR", str(var))
    cluster = private_cluster(Settings())
    yield cluster
    cluster.stop()
    shutil.rmtree(var)


@pytest.fixture
def porchlight(capsys) -> Callable[..., tuple[int, str]]:
    """Run the command line; gives its exit status and what it wrote."""

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        code = ended.value.code or 0
        assert isinstance(code, int)
        return code, "".join(capsys.readouterr())

    return run
