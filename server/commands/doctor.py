import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

import psycopg
import typer
from packaging.requirements import Requirement
from rich.console import Console
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from data import database
from data.cluster import EXTENSIONS, Binaries, ClusterError, State
from data.photo_bucket import PhotoBucket
from data.photo_store import Size, new_key
from data.queries import mails
from server import identity_provider, photo_store
from server.commands.database import private_cluster, running_database
from server.delivery import outbox
from server.identity_provider import ProviderError
from server.links import root
from server.settings import Settings, SettingsError, load
from server.sheets import SheetBusyError, SheetError, pdf

_POSTGIS_NEEDED = (3, 1)
"""The first with margins of tile envelopes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    subject : str
    well : bool
    found : str
        What is there, or why it is not well.
    remedy : str
        What to do about it; empty where all is well.
    """

    subject: str
    well: bool
    found: str
    remedy: str = ""


def doctor() -> None:
    """Check all that Porchlight needs, and say how to mend what is wrong."""
    console = Console(soft_wrap=True)
    ill = 0
    for finding in _examine():
        mark = "[green]ok  [/green]" if finding.well else "[red]FAIL[/red]"
        console.print(f"{mark} [bold]{finding.subject}[/bold]: ", end="")
        console.print(finding.found, markup=False, highlight=False)
        if not finding.well:
            ill += 1
            console.print(f"     {finding.remedy}", markup=False, highlight=False)
    if ill:
        console.print(f"{ill} {'check' if ill == 1 else 'checks'} failed.", style="red")
        raise typer.Exit(1)
    console.print("All is well.", style="green")


def _examine() -> Iterator[Finding]:
    yield _python()
    yield _packages()
    try:
        settings = load()
    except SettingsError as error:
        yield Finding(
            "Settings", False, str(error), "Correct the environment; see docs/settings.md."
        )
        return
    yield Finding("Settings", True, "every one is valid")
    yield _paper()
    yield _run_time_folder(settings)
    if settings.s3_bucket is not None:
        yield _photo_bucket(settings)
    if settings.oidc_issuer is not None:
        yield _identity_provider(settings)
    try:
        if settings.database_url is None:
            yield _installed_server(settings)
            state = private_cluster(settings).status().state
            yield Finding("Private database", True, f"{state} in {settings.var / 'cluster'}")
            if state is State.ABSENT:
                return  # the first start makes it; a check changes nothing
        with running_database(settings) as url:
            yield from _database(url, settings)
    except ClusterError as error:
        yield Finding("Private database", False, "can not be used", str(error))


def _python() -> Finding:
    found = f"{platform.python_version()} in {sys.prefix}"
    well = sys.version_info >= (3, 11)
    return Finding("Python", well, found, "" if well else "Install Python 3.11 or newer.")


def _packages() -> Finding:
    needed = [Requirement(line) for line in metadata.requires("porchlight") or []]
    wrong, count = [], 0
    for requirement in needed:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if version not in requirement.specifier:
            wrong.append(f"{requirement.name} is {version}, not {requirement.specifier}")
    if wrong:
        return Finding(
            "Packages",
            False,
            "; ".join(wrong),
            f"{sys.executable} -m pip install --require-hashes -r requirements.lock",
        )
    main = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("fastapi", "folium", "sqlalchemy")
    )
    return Finding("Packages", True, f"all {count} at versions that fit ({main})")


def _paper() -> Finding:
    try:
        pdf("<html lang='en'><head><title>Porchlight</title></head><body>A test</body></html>")
    except SheetError as error:
        return Finding(
            "Sheets on paper",
            False,
            f"no PDF can be written: {error}",
            "Run script/setup, or: apt-get install libpango-1.0-0 libpangoft2-1.0-0 "
            "libharfbuzz-subset0 fonts-dejavu-core",
        )
    except SheetBusyError:
        return Finding(
            "Sheets on paper", False, "a PDF takes too long", "Look whether this machine is busy."
        )
    return Finding("Sheets on paper", True, "WeasyPrint writes PDF")


def _run_time_folder(settings: Settings) -> Finding:
    try:
        settings.var.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.var):
            pass
    except OSError as error:
        return Finding(
            "Run-time folder",
            False,
            f"{settings.var} can not be written: {error.strerror}",
            "Give its user the right to write there, or set PORCHLIGHT_VAR to another folder.",
        )
    return Finding("Run-time folder", True, f"{settings.var} can be written")


def _photo_bucket(settings: Settings) -> Finding:
    store, key = photo_store.chosen(settings), new_key()
    assert isinstance(store, PhotoBucket)
    try:
        store.put(key, Size.SMALL, b"porchlight doctor")
        whole = store.get(key, Size.SMALL) == b"porchlight doctor"
        is_public = whole and store.is_public(key, Size.SMALL)
        store.delete(key)
    except OSError as error:
        return Finding(
            "Photo bucket",
            False,
            f"{settings.s3_bucket} can not be used: {error}",
            "Correct PORCHLIGHT_S3_..., make the bucket, or let that key read, write, delete and list in it.",
        )
    if not whole:
        return Finding(
            "Photo bucket",
            False,
            f"{settings.s3_bucket} did not give back what was put into it",
            "Ask whoever runs that store.",
        )
    if is_public:
        return Finding(
            "Photo bucket",
            False,
            f"everybody can read {settings.s3_bucket}, photos that wait for a moderator too",
            "Make the bucket private: pages give the photos to whoever may see them.",
        )
    return Finding("Photo bucket", True, f"{settings.s3_bucket}, which only this program reads")


def _identity_provider(settings: Settings) -> Finding:
    provider = identity_provider.of(settings)
    assert provider is not None
    try:
        provider.described()
    except ProviderError as error:
        return Finding(
            "Sign-in provider",
            False,
            str(error),
            "Correct PORCHLIGHT_OIDC_ISSUER, or let this machine reach that server.",
        )
    back = f"{root(settings)}{identity_provider.BACK}"
    return Finding("Sign-in provider", True, f"{settings.oidc_issuer}; people come back to {back}")


def _installed_server(settings: Settings) -> Finding:
    binaries = Binaries.find(private_cluster(settings).status().version)
    return Finding("PostgreSQL", True, f"{binaries.version} with PostGIS in {binaries.folder}")


def _database(url: str, settings: Settings) -> Iterator[Finding]:
    shown = make_url(url).render_as_string(hide_password=True)
    engine = database.engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            yield Finding("Connection", True, shown)
            yield _extensions(connection)
            yield _postgis(connection)
    except OperationalError as error:
        reason = str(error.orig).strip() if isinstance(error.orig, psycopg.Error) else str(error)
        yield Finding(
            "Connection",
            False,
            f"{shown} does not answer: {reason}",
            "Start that server, or correct DATABASE_URL.",
        )
        return
    finally:
        engine.dispose()
    schema = _schema(url)
    yield schema
    if schema.well:
        yield _mail(url, settings)


def _extensions(connection: Connection) -> Finding:
    installed = set(connection.scalars(text("SELECT extname FROM pg_extension")))
    missing = [name for name in EXTENSIONS if name not in installed]
    if missing:
        return Finding(
            "Extensions",
            False,
            f"{', '.join(missing)} not installed",
            "As superuser, in this database: "
            + " ".join(f"CREATE EXTENSION {name};" for name in missing),
        )
    return Finding("Extensions", True, ", ".join(EXTENSIONS))


def _postgis(connection: Connection) -> Finding:
    # From the catalogue: postgis_version() can not be asked where the extension is missing.
    version = connection.scalar(
        text("SELECT extversion FROM pg_extension WHERE extname = 'postgis'")
    )
    server = connection.scalar(text("SHOW server_version"))
    found = f"PostGIS {version or 'missing'} on PostgreSQL {server}"
    numbers = tuple(int(part) for part in str(version or "0").split(".")[:2] if part.isdigit())
    if numbers < _POSTGIS_NEEDED:
        needed = ".".join(map(str, _POSTGIS_NEEDED))
        return Finding("PostGIS", False, found, f"Install PostGIS {needed} or newer.")
    return Finding("PostGIS", True, found)


def _schema(url: str) -> Finding:
    current, newest = database.revisions(url)
    if current != newest:
        return Finding(
            "Schema",
            False,
            f"at {current or 'nothing'}, the newest is {newest}",
            "porchlight db upgrade",
        )
    return Finding("Schema", True, f"at {current}, the newest")


def _mail(url: str, settings: Settings) -> Finding:
    engine = database.engine(url, pool_size=1)
    with Session(engine) as session:
        state = mails.state(session)
    engine.dispose()
    if settings.smtp_host is None:
        way = f"kept in {outbox(settings)}, since no mail server is set"
    else:
        way = f"by {settings.smtp_host} port {settings.smtp_port}"
    found = f"{way}; {state.waiting} waiting"
    if state.since is not None:
        found += f" since {state.since:%Y-%m-%d %H:%M} UTC"
    if state.given_up:
        found += f"; {state.given_up} given up in the last week"
    if state.last_error:
        found += f"; last error: {state.last_error}"
    if state.late:
        return Finding(
            "Mail",
            False,
            found,
            "Nothing is lost: it is tried again, at least every hour. Correct PORCHLIGHT_SMTP_... or "
            "that server."
            if state.last_error
            else "Start what sends it: porchlight serve or porchlight work.",
        )
    return Finding("Mail", True, found)
