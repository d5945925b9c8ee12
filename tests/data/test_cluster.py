import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from data import cluster as module
from data.cluster import EXTENSIONS, Binaries, Cluster, ClusterError, State

AS_ROOT = os.geteuid() == 0


def new_folder() -> Path:
    """Make a folder that the server's user can reach, unlike pytest's own where root runs it."""
    path = Path(tempfile.mkdtemp(prefix="porchlight-"))
    path.chmod(0o755)
    return path


@pytest.fixture
def folder() -> Iterator[Path]:
    path = new_folder()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def absent(folder: Path) -> Iterator[Cluster]:
    """A cluster that was never started."""
    cluster = Cluster(folder / "cluster", durable=False)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    path = new_folder()
    cluster = Cluster(path / "cluster", durable=False)
    cluster.start()
    cluster.stop()
    yield cluster.directory
    shutil.rmtree(path)


@pytest.fixture
def cluster(made: Path, absent: Cluster) -> Cluster:
    """A cluster that was made before and is stopped."""
    subprocess.run(["cp", "-a", made, absent.directory], check=True)
    return absent


def ask(url: str, query: str) -> list[tuple]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        return connection.execute(query).fetchall()


KEEP = "CREATE TABLE kept AS SELECT 7 AS number"


def tell(url: str, statement: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statement)


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def kill(cluster: Cluster) -> None:
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: gone(pid))


def test_a_cluster_is_made_once_and_keeps_what_it_holds(absent):
    assert absent.status().state is State.ABSENT
    url = absent.start()
    tell(url, KEEP)
    assert absent.status().state is State.RUNNING
    assert absent.start() == url, "a second start finds it running"

    absent.stop()
    absent.stop()
    assert absent.status().state is State.STOPPED
    assert absent.status().pid is None

    assert absent.start() == url
    assert ask(url, "SELECT number FROM kept") == [(7,)]


def test_the_database_has_what_it_needs_and_its_owner_no_more_rights_than_needed(cluster):
    url = cluster.start()
    installed = {name for (name,) in ask(url, "SELECT extname FROM pg_extension")}
    assert installed >= set(EXTENSIONS)
    assert ask(url, "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user") == [
        (False, True)
    ]
    assert ask(url, "SHOW listen_addresses") == [("",)]
    assert ask(url, "SELECT lower('ÑANDÚ')") == [("ñandú",)]


def test_a_new_database_has_the_extensions_too(cluster):
    url = make_url(cluster.start())
    tell(url.render_as_string(hide_password=False), "CREATE DATABASE another")
    another = url.set(database="another").render_as_string(hide_password=False)
    assert ask(another, "SELECT ST_SRID(ST_Point(-94.58, 39.1, 4326))") == [(4326,)]


def test_tests_may_trade_durability_for_speed_and_the_next_start_takes_it_back(cluster):
    assert ask(cluster.start(), "SHOW fsync") == [("off",)]
    cluster.stop()
    assert ask(Cluster(cluster.directory).start(), "SHOW fsync") == [("on",)]


def test_only_the_servers_user_may_look_inside(cluster):
    cluster.start()
    assert cluster.directory.stat().st_mode & 0o777 == 0o700
    assert (cluster.directory / "socket").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not AS_ROOT, reason="asks what root does")
def test_root_runs_it_as_another_user(cluster):
    cluster.start()
    pid = cluster.status().pid
    assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("postgres").pw_uid


@pytest.mark.skipif(not AS_ROOT, reason="asks what root does")
def test_root_runs_it_as_the_owner_of_the_folder(folder):
    owner = pwd.getpwnam("daemon")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    cluster = Cluster(folder / "cluster", durable=False)
    cluster.start()
    try:
        assert Path(f"/proc/{cluster.status().pid}").stat().st_uid == owner.pw_uid
    finally:
        cluster.stop()


@pytest.mark.skipif(not AS_ROOT, reason="only root starts it as somebody else")
def test_a_parent_that_the_servers_user_may_not_enter_is_named(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ClusterError, match=f"may not enter {closed}.*chmod o\\+x"):
        Cluster(closed / "var" / "cluster").start()


def test_what_was_acknowledged_outlives_a_killed_server(cluster):
    cluster.durable = True
    url = cluster.start()
    tell(url, KEEP)
    kill(cluster)
    assert cluster.start() == url
    assert ask(url, "SELECT number FROM kept") == [(7,)]


def test_a_process_that_took_over_the_number_of_a_dead_server_does_not_matter(cluster):
    server_user = cluster.directory.stat()
    with subprocess.Popen(
        ["sleep", "60"], user=server_user.st_uid if AS_ROOT else None
    ) as stranger:
        stale = cluster.directory / "files" / "postmaster.pid"
        stale.write_text(f"{stranger.pid}\n{cluster.directory / 'files'}\n0\n5432\n\n\n\n")
        os.chown(stale, server_user.st_uid, server_user.st_gid)
        assert cluster.status().state is State.STOPPED
        cluster.start()
        assert stranger.poll() is None
        stranger.kill()


def test_a_creation_that_was_cut_short_is_begun_anew(cluster):
    shutil.rmtree(cluster.directory / "files")
    unfinished = cluster.directory / "files.unfinished"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("15")
    assert ask(cluster.start(), "SELECT 1") == [(1,)]
    assert not unfinished.exists()


def test_two_starts_at_once_end_with_one_server(absent):
    urls, faults = [], []

    def start():
        try:
            urls.append(Cluster(absent.directory, durable=False).start())
        except ClusterError as error:
            faults.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults, urls) == ([], [absent.url] * 4)


def test_a_folder_made_by_others_is_refused_and_left_alone(folder):
    (folder / "holiday.jpg").write_text("not ours")
    with pytest.raises(ClusterError, match="not empty and was not made by Porchlight"):
        Cluster(folder).start()
    assert [path.name for path in folder.iterdir()] == ["holiday.jpg"]


def test_a_folder_that_another_server_uses_is_refused(cluster):
    """Somebody started PostgreSQL on our files by hand, with a socket elsewhere."""
    binaries = Binaries.find()
    options = f"-c unix_socket_directories={cluster.directory}"
    by_hand = ["start", "-D", cluster.directory / "files", "-l", cluster.log, "-o", options]
    assert cluster._run([binaries.folder / "pg_ctl", *by_hand]).returncode == 0
    try:
        with pytest.raises(ClusterError, match="Another PostgreSQL server"):
            cluster.start()
    finally:
        cluster.stop()


def test_a_missing_lock_is_explained_not_replaced(cluster):
    lock = cluster.directory / "porchlight.lock"
    lock.unlink()
    with pytest.raises(ClusterError, match=f"touch {lock}"):
        cluster.status()
    with pytest.raises(ClusterError, match="not made by Porchlight"):
        cluster.start()
    lock.touch()


def test_a_deep_folder_gets_a_short_private_socket_folder(folder):
    cluster = Cluster(folder / ("deep" * 25) / "cluster", durable=False)
    url = cluster.start()
    sockets = Path(str(make_url(url).query["host"]))
    try:
        assert ask(url, "SELECT 1") == [(1,)]
        assert not sockets.is_relative_to(cluster.directory)
        assert sockets.stat().st_mode & 0o777 == 0o700
    finally:
        cluster.stop()
        sockets.rmdir()


def test_a_socket_folder_prepared_by_others_is_refused(folder):
    cluster = Cluster(folder / ("deep" * 25) / "cluster", durable=False)
    sockets = Path(str(make_url(cluster.url).query["host"]))
    sockets.mkdir(mode=0o777)
    try:
        with pytest.raises(ClusterError, match=f"{sockets} is not a private folder"):
            cluster.start()
    finally:
        sockets.rmdir()


def test_a_server_that_does_not_start_is_quoted(cluster):
    (cluster.directory / "files" / "postgresql.auto.conf").write_text("shared_buffers = 'plenty'\n")
    with pytest.raises(
        ClusterError, match='invalid value for parameter "shared_buffers": "plenty"'
    ):
        cluster.start()


def test_the_version_that_made_the_files_is_needed(cluster):
    (cluster.directory / "files" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ClusterError, match="made by PostgreSQL 9, which is not installed"):
        cluster.start()


@pytest.mark.parametrize("postgis", [False, True])
def test_the_newest_server_with_postgis_is_taken(folder, monkeypatch, postgis):
    for major, has_postgis in ((9, True), (14, True), (16, postgis)):
        installed(folder / str(major), major, has_postgis=has_postgis)
    folders = [folder / "14", folder / "16", folder / "9"]
    monkeypatch.setattr(module, "_candidate_folders", lambda: iter(folders))
    assert Binaries.find().major == (16 if postgis else 14)
    assert Binaries.find(9).version == "9.4"


def test_a_server_without_postgis_is_told_apart_from_no_server(folder, monkeypatch):
    monkeypatch.setattr(module, "_candidate_folders", lambda: iter([folder / "16"]))
    with pytest.raises(ClusterError, match="PostgreSQL with PostGIS is not installed"):
        Binaries.find()
    installed(folder / "16", 16, has_postgis=False)
    with pytest.raises(ClusterError, match=r"PostgreSQL 16.4 is installed.*PostGIS for it is not"):
        Binaries.find()


def installed(folder: Path, major: int, *, has_postgis: bool) -> None:
    """Lay out a PostgreSQL that can do no more than say its version and where its files are."""
    (folder / "extension").mkdir(parents=True)
    if has_postgis:
        (folder / "extension" / "postgis.control").touch()
    said = {"postgres": f"postgres (PostgreSQL) {major}.4", "pg_config": str(folder)}
    for name in ("postgres", "initdb", "pg_ctl", "pg_config"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{said.get(name, '')}'\n")
        program.chmod(0o755)


def test_the_lock_outlives_a_starter_that_was_killed(cluster):
    """The process that started the server dies at once; the server is still known as running."""
    code = (
        "import os, sys; from pathlib import Path; from data.cluster import Cluster;"
        "Cluster(Path(sys.argv[1]), durable=False).start(); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, cluster.directory], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert cluster.status().state is State.RUNNING
    assert ask(cluster.start(), "SELECT 1") == [(1,)]
