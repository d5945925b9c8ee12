"""The private PostGIS cluster, for where no DATABASE_URL names a server.

The server is reached only by a Unix socket in a folder that its user (and root) can open, so it
needs no password and no port. It holds a lock on the folder for as long as one of its processes
lives: the lock is taken here and handed to the server as an open file, so it can be neither
forgotten after a crash nor mistaken for a process that happens to have the same number.
"""

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql
from sqlalchemy import URL

from data.database import WEB_ROLE

EXTENSIONS = ("postgis", "pg_trgm", "fuzzystrmatch", "unaccent", "btree_gist")
"""What the private database has installed, and one of your own needs."""

DATABASE = "porchlight"
"""Name of the database, and of the role that owns it (which is no superuser)."""

_SUPERUSER = "postgres"
_PORT = 5432  # only names the socket: the server listens on no network address
_SOCKET_PATH_MAX_BYTES = 103  # macOS; Linux allows 107
_START_SECONDS = 120  # recovery after a crash replays at most max_wal_size
_LAST_PROCESS_SECONDS = 10
_LINUX = sys.platform.startswith("linux")
_LOCALE = "C.UTF-8" if _LINUX else "en_US.UTF-8"

# For a modest machine that also runs the web server. JIT only delays queries as short as ours.
# Statements and rows stay out of the log: they hold what people wrote.
_CONFIGURATION = f"""\
# Written by Porchlight at every start. Settings of your own: ALTER SYSTEM SET ... in
# `porchlight db shell --superuser`.
listen_addresses = ''
port = {_PORT}
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 256MB
wal_compression = on
min_wal_size = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_error_verbosity = terse
log_min_error_statement = panic
"""

# A crash of the machine may destroy what is written like this.
_NOT_DURABLE = """\
fsync = off
synchronous_commit = off
full_page_writes = off
"""


class ClusterError(RuntimeError):
    """The private cluster cannot do what was asked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installed PostgreSQL server that has PostGIS.

    Attributes
    ----------
    folder : pathlib.Path
        Where `postgres`, `initdb`, `pg_ctl` and `psql` lie.
    version : str
        As the server says it, e.g. ``15.8``.
    """

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The number that data folders are bound to."""
        return int(self.version.split(".", maxsplit=1)[0])

    @classmethod
    def find(cls, major: int | None = None) -> Self:
        """Find the newest PostgreSQL with PostGIS on this machine.

        Parameters
        ----------
        major : int, optional
            Only this major version will do, since a data folder was made by it.

        Returns
        -------
        Binaries

        Raises
        ------
        ClusterError
            Where there is none; says which package is missing and how to get it.
        """
        servers = sorted(cls._installed(), key=lambda server: server.major, reverse=True)
        if major is not None:
            servers = [server for server in servers if server.major == major]
        for server in servers:
            if server.has_postgis():
                return server
        if servers:
            raise ClusterError(
                f"PostgreSQL {servers[0].version} is installed in {servers[0].folder}, but PostGIS "
                f"for it is not. Install it: {_install_line(f'postgresql-{servers[0].major}-postgis-3')}. "
                "Or set DATABASE_URL to a PostGIS database of your own."
            )
        if major is not None:
            raise ClusterError(
                f"The database was made by PostgreSQL {major}, which is not installed now. Install "
                f"it again: {_install_line(f'postgresql-{major}-postgis-3')}. To move to a newer "
                "version, see docs/operators.md."
            )
        raise ClusterError(
            "PostgreSQL with PostGIS is not installed. Install it: "
            f"{_install_line('postgresql postgis postgresql-postgis')}. "
            "Or set DATABASE_URL to a PostGIS database of your own."
        )

    @classmethod
    def _installed(cls) -> Iterator[Self]:
        for folder in dict.fromkeys(_candidate_folders()):
            if all((folder / name).is_file() for name in ("postgres", "initdb", "pg_ctl")):
                answer = _output([folder / "postgres", "--version"])
                if found := re.search(r"(\d+(?:\.\d+)?)", answer):
                    yield cls(folder, found[1])

    def has_postgis(self) -> bool:
        """Whether `CREATE EXTENSION postgis` would find its files."""
        shared = [Path("/usr/share/pgsql")]  # Fedora, which ships the server without pg_config
        if (self.folder / "pg_config").is_file():
            shared = [Path(_output([self.folder / "pg_config", "--sharedir"]).strip())]
        return any((folder / "extension" / "postgis.control").is_file() for folder in shared)


class State(StrEnum):
    """What a cluster is doing."""

    ABSENT = "absent"
    STOPPED = "stopped"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a cluster.

    Attributes
    ----------
    state : State
    directory : pathlib.Path
    url : str
        Where SQLAlchemy reaches the database while it runs.
    version : int or None
        Major version of PostgreSQL that made it; None where it is absent.
    pid : int or None
        Of the server, while it runs.
    """

    state: State
    directory: Path
    url: str
    version: int | None
    pid: int | None


class Cluster:
    """A PostGIS server of our own, in a folder of its own.

    Parameters
    ----------
    directory : pathlib.Path
        Absent, empty, or made by an earlier `Cluster`. Its parents must be open (``x``) to the user
        the server runs as. As root that is the owner of the folder (or, while it is absent, of its
        parent), and where that is root too, ``postgres`` or ``nobody``.
    durable : bool
        False makes writes faster and lets a crash of the machine destroy them: for tests.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = directory.absolute()
        self.durable = durable
        self._files = self.directory / "files"
        self._lock = self.directory / "porchlight.lock"
        self.log = self.directory / "log"
        """What the server said since its last start."""

    def start(self) -> str:
        """Create the cluster where it is absent, start it where it is stopped.

        Returns
        -------
        str
            SQLAlchemy URL of its database, which has the `EXTENSIONS`.

        Raises
        ------
        ClusterError
            Where PostgreSQL or PostGIS is missing, or the folder can not be used.
        """
        binaries = Binaries.find(self._made_by())
        self._claim_directory()
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            with self._locked(fcntl.LOCK_EX) as lock:
                if lock is not None:
                    self._create(binaries)
                    self._start(binaries, lock)
                    break
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"Another server holds {self.directory}, and does not answer on "
                    f"{self._socket_directory}. Stop it, or set PORCHLIGHT_VAR to another folder. "
                    f"Its log: {self.log}"
                )
            time.sleep(0.1)
        self._provision()
        return self.url

    def stop(self) -> None:
        """Stop the server and wait until it has; do nothing where it does not run.

        Raises
        ------
        ClusterError
            Where it does not stop.
        """
        if self.status().state is not State.RUNNING:
            return
        pg_ctl = Binaries.find(self._made_by()).folder / "pg_ctl"
        result = self._run([pg_ctl, "stop", "-D", self._files, "-mfast", "-t60"])
        # pg_ctl returns a moment before the last process has gone and let go of the lock.
        deadline = time.monotonic() + _LAST_PROCESS_SECONDS
        while self.status().state is State.RUNNING:
            if time.monotonic() > deadline:
                raise ClusterError(f"The database does not stop: {result.stdout.strip()}")
            time.sleep(0.02)

    def status(self) -> Status:
        """Say what the cluster is doing, changing nothing.

        Raises
        ------
        ClusterError
            Where the folder belongs to another user.
        """
        version = self._made_by()
        state, pid = State.ABSENT if version is None else State.STOPPED, None
        if version is not None:
            # Shared, so that two who only ask do not take each other for a server.
            with self._locked(fcntl.LOCK_SH) as lock:
                if lock is None or self._foreign_server():
                    state, pid = State.RUNNING, self._postmaster_pid()
        return Status(state, self.directory, self.url, version, pid)

    @property
    def url(self) -> str:
        """Where SQLAlchemy reaches the database while the server runs."""
        query = {"host": str(self._socket_directory), "port": str(_PORT)}
        url = URL.create("postgresql+psycopg", DATABASE, database=DATABASE, query=query)
        return url.render_as_string(hide_password=False)

    # The folder.

    @cached_property
    def _user(self) -> pwd.struct_passwd:
        """The user the server runs as: never root."""
        if os.geteuid() != 0:
            try:
                return pwd.getpwuid(os.geteuid())
            except KeyError:
                raise ClusterError(
                    f"PostgreSQL does not run as user {os.geteuid()}, who has no name. Give it one "
                    "in /etc/passwd, or set DATABASE_URL to a PostGIS database of your own."
                ) from None
        nearest = next(path for path in (self.directory, *self.directory.parents) if path.exists())
        owner = nearest.stat().st_uid
        by_name = {user.pw_name: user for user in pwd.getpwall()}
        by_uid = {user.pw_uid: user for user in by_name.values()}
        chosen = by_uid.get(owner) if owner != 0 else None
        chosen = chosen or by_name.get("postgres") or by_name.get("nobody")
        if chosen is None:
            raise ClusterError(
                "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to "
                "run it as. Create one (useradd --system postgres), or start as another user."
            )
        return chosen

    @cached_property
    def _socket_directory(self) -> Path:
        inside = self.directory / "socket"
        if len(os.fsencode(inside / f".s.PGSQL.{_PORT}")) <= _SOCKET_PATH_MAX_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path("/tmp") / f"porchlight-{digest}"  # noqa: S108 (checked by _private_directory)

    def _made_by(self) -> int | None:
        """Major version of PostgreSQL that made the cluster; None where it is absent."""
        try:
            return int((self._files / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None
        except (PermissionError, NotADirectoryError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> ClusterError:
        return ClusterError(
            f"{self.directory} can not be used ({error.strerror}: {error.filename}). If it belongs "
            "to another user, start as that user or as root; or set PORCHLIGHT_VAR to a folder of "
            "your own."
        )

    def _claim_directory(self) -> None:
        """Make the folder, or recognise it as ours; raise where it is neither empty nor ours."""
        try:
            user = self._user
            self.directory.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.directory.mkdir(mode=0o700, exist_ok=True)
            if not self._lock.exists():
                if any(self.directory.iterdir()):
                    raise ClusterError(
                        f"{self.directory} is not empty and was not made by Porchlight. "
                        "Set PORCHLIGHT_VAR to another folder, or move its content away."
                    )
                self._lock.touch(mode=0o600)
            for path in (self.directory, self._lock):
                if path.stat().st_uid != user.pw_uid:
                    os.chown(path, user.pw_uid, user.pw_gid)
        except OSError as error:
            raise self._unusable(error) from error
        self._require_open_parents()
        self._private_directory(self._socket_directory)

    def _require_open_parents(self) -> None:
        for folder in (*reversed(self.directory.parents), self.directory):
            if self._run(["/bin/sh", "-c", 'cd "$0"', folder], cwd=Path("/")).returncode != 0:
                raise ClusterError(
                    f"The database runs as user {self._user.pw_name}, who may not enter {folder}. "
                    f"Allow it (chmod o+x {folder}), or set PORCHLIGHT_VAR to a folder elsewhere, "
                    "such as /var/lib/porchlight."
                )

    def _private_directory(self, path: Path) -> None:
        """Make a folder that only the server's user may open; refuse one that others prepared."""
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            found = path.lstat()
            private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
            if not private or found.st_uid != self._user.pw_uid:
                raise ClusterError(
                    f"{path} is not a private folder of user {self._user.pw_name}. Remove it, and "
                    "start again."
                ) from None
        else:
            if os.geteuid() == 0:
                os.chown(path, self._user.pw_uid, self._user.pw_gid)

    @contextmanager
    def _locked(self, operation: int) -> Iterator[int | None]:
        """Hold the folder's lock; None where a server, or another start, holds it."""
        try:
            lock = os.open(self._lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ClusterError(
                f"{self._lock} is gone, so nothing keeps two servers from sharing {self.directory}. "
                f"Make sure that none runs, then create it again: touch {self._lock}"
            ) from None
        except OSError as error:
            raise self._unusable(error) from error
        try:
            try:
                fcntl.flock(lock, operation | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield lock
        finally:
            os.close(lock)  # the server, where one was started, keeps its own hold

    # The server.

    def _run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        keep_open: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user."""
        as_root = os.geteuid() == 0
        return subprocess.run(  # noqa: S603 (fixed commands; paths are passed as arguments)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            encoding="utf-8",
            errors="replace",
            cwd=cwd or self.directory,
            env={"PATH": os.defpath, "HOME": str(self.directory), "LC_ALL": _LOCALE},
            user=self._user.pw_uid if as_root else None,
            group=self._user.pw_gid if as_root else None,
            extra_groups=[] if as_root else None,
            umask=0o077,
            pass_fds=keep_open,
        )

    def _create(self, binaries: Binaries) -> None:
        if self._files.exists():
            return
        # Made aside and then renamed, so that a crash midway leaves nothing half made.
        unfinished = self.directory / "files.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        options = f"--username={_SUPERUSER} --encoding=UTF8 --locale={_LOCALE}"
        options += " --auth-local=trust --auth-host=reject"
        result = self._run([binaries.folder / "initdb", "-D", unfinished, *options.split()])
        if result.returncode != 0:
            raise ClusterError(f"initdb could not make {self._files}:\n{result.stdout.strip()}")
        unfinished.rename(self._files)

    def _start(self, binaries: Binaries, lock: int) -> None:
        if self._foreign_server():
            raise ClusterError(
                f"Another PostgreSQL server (process {self._postmaster_pid()}), which Porchlight "
                f"did not start, uses {self._files}. Stop it, or set PORCHLIGHT_VAR to another folder."
            )
        if _LINUX:
            # What a killed server left behind. PostgreSQL would judge by process number, which may
            # be a stranger's by now, or a dead process that nobody has collected.
            (self._files / "postmaster.pid").unlink(missing_ok=True)
            (self._socket_directory / f".s.PGSQL.{_PORT}.lock").unlink(missing_ok=True)
        sockets = f"unix_socket_directories = '{_quoted(self._socket_directory)}'\n"
        durability = "" if self.durable else _NOT_DURABLE
        configuration = self._files / "postgresql.conf"  # made by initdb: keeps owner and mode
        configuration.write_text(_CONFIGURATION + sockets + durability, encoding="utf-8")
        if self.log.exists():
            self.log.replace(self.log.with_name("log.previous"))
        result = self._run(
            [
                binaries.folder / "pg_ctl",
                *("start", "-D", self._files, "-l", self.log, "-t", str(_START_SECONDS)),
            ],
            keep_open=[lock],
        )
        if result.returncode != 0:
            said = self.log.read_text(errors="replace") if self.log.exists() else result.stdout
            raise ClusterError(
                f"The database does not start. The end of {self.log}:\n"
                + "\n".join(said.strip().splitlines()[-8:])
            )

    def _foreign_server(self) -> bool:
        """Whether a server runs here that does not hold our lock (which the caller does)."""
        pid = self._postmaster_pid()
        if pid is None or not _LINUX:
            return False
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == self._files.resolve()
        except OSError:  # gone, or of a user who can not open our files
            return False

    def _postmaster_pid(self) -> int | None:
        try:
            return int((self._files / "postmaster.pid").read_text().split(maxsplit=1)[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._socket_directory),
            port=_PORT,
            user=_SUPERUSER,
            dbname=database,
            connect_timeout=10,
            autocommit=True,
        )

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _provision(self) -> None:
        """Make the roles and the database where they are absent: the last step of a creation."""
        name = sql.Identifier(DATABASE)
        exists = "SELECT FROM pg_database WHERE datname = %s"
        with self._connect("postgres") as connection:
            connection.execute("SELECT pg_advisory_lock(0)")  # two starts at once take turns
            self._provision_roles(connection)
            if connection.execute(exists, [DATABASE]).fetchone() is not None:
                return
            # In the template, so that databases for tests and restored backups have them as well.
            with self._connect("template1") as template:
                for extension in map(sql.Identifier, EXTENSIONS):
                    template.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(extension))
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))

    def _provision_roles(self, connection: psycopg.Connection[Any]) -> None:
        for role, may in ((DATABASE, "LOGIN CREATEDB"), (WEB_ROLE, "NOLOGIN")):
            exists = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
            if exists.fetchone() is not None:
                continue
            name = sql.Identifier(role)
            connection.execute(sql.SQL("CREATE ROLE {} " + may).format(name))
            if role == WEB_ROLE:
                owner = sql.Identifier(DATABASE)
                connection.execute(sql.SQL("GRANT {} TO {}").format(name, owner))


def _candidate_folders() -> Iterator[Path]:
    for root, pattern in (
        ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
        ("/usr", "pgsql-*/bin"),  # the PostgreSQL project's packages for Fedora and Red Hat
        ("/opt/homebrew/opt", "postgresql@*/bin"),
        ("/usr/local/opt", "postgresql@*/bin"),
    ):
        yield from Path(root).glob(pattern)
    if pg_config := shutil.which("pg_config"):
        yield Path(_output([pg_config, "--bindir"]).strip())
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent


def _output(command: Sequence[str | Path]) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout  # noqa: S603 (found programs)


def _install_line(packages: str) -> str:
    if sys.platform == "darwin":
        return "brew install postgis"
    if shutil.which("apt-get"):
        return f"sudo apt-get install {packages}"
    return "the packages of PostgreSQL and PostGIS from your system"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
