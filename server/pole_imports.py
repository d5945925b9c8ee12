"""Files of the city's poles: read by a job to show what they change, and applied by another."""

import logging
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from data import pole_files
from data.models import PoleImport, PoleImportState
from data.queries.pole_imports import CHANGED, FAULT, MOST_BYTES
from data.sources.batch import BrokenFileError, File

logger = logging.getLogger(__name__)

_MOST_UNPACKED = 8 * MOST_BYTES

_SUFFIXES = frozenset({".geojson", ".json", ".gpkg", ".zip"})

_SHAPEFILE = frozenset({".shp", ".shx", ".dbf", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".xml"})
"""What a zipped Shapefile consists of. GDAL would open other things too, that fetch what they name."""

_OWN_PLACE = re.compile(r"(/vsizip/)?/[^\s']*porchlight-[^\s']*")


@contextmanager
def _on_disk(found: PoleImport) -> Iterator[File]:
    """Lay a file where GDAL can read it.

    Raises
    ------
    BrokenFileError
        Where it is an archive of something else than a Shapefile.
    """
    suffix = PurePath(found.file_name).suffix.lower()
    with tempfile.TemporaryDirectory(prefix="porchlight-") as folder:
        path = Path(folder) / f"poles{suffix if suffix in _SUFFIXES else ''}"
        path.write_bytes(found.content or b"")
        file = File(path, found.file_name, crs=found.crs or None)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            others = any(
                PurePath(entry.filename).suffix.lower() not in _SHAPEFILE for entry in entries
            )
            if others or sum(entry.file_size for entry in entries) > _MOST_UNPACKED:
                raise file.broken(
                    "the archive holds something else than one Shapefile. Pack the .shp, .shx, .dbf "
                    "and .prj of the poles alone."
                )
        yield file


def _driver(session: Session) -> psycopg.Connection[Any]:
    return session.connection().connection.driver_connection  # type: ignore[return-value]  # psycopg's, as the URL says


def _read(session: Session, found: PoleImport, file: File) -> None:
    """Show what a file would change, and leave everything as it is."""
    trial = session.begin_nested()
    changes = pole_files.bring_in(_driver(session), file)
    trial.rollback()
    _show(session, found, changes, "")


def _apply(session: Session, found: PoleImport, file: File) -> None:
    """Apply a file, or show it again where it would change something else than was shown."""
    applied = session.begin_nested()
    changes = pole_files.bring_in(_driver(session), file)
    if changes.digest != found.digest:
        applied.rollback()
        _show(session, found, changes, CHANGED)
        return
    if found.remove_gone:
        pole_files.remove_gone(_driver(session), changes)
    applied.commit()
    found.import_run_id = changes.summary.run_id
    found.applied_at = datetime.now(UTC)
    found.state = PoleImportState.APPLIED


def _show(session: Session, found: PoleImport, changes: pole_files.Changes, reason: str) -> None:
    found.counts = dict(pole_files.keep(_driver(session), found.id, changes))
    found.digest = changes.digest
    found.reason = reason
    found.state = PoleImportState.READY


_Act = Callable[[Session, PoleImport, File], None]


def _do(engine: Engine, id: int, state: PoleImportState, act: _Act) -> None:
    """Do something with a file whose turn it is, and nothing where that was done already."""
    with Session(engine) as session:
        found = session.get(PoleImport, id, with_for_update=True)
        if found is None or found.state is not state:
            return
        name = found.file_name
        try:
            with _on_disk(found) as file:
                act(session, found, file)
            session.commit()
        except Exception as error:
            session.rollback()
            if _passes(error):
                raise  # tried again
            if isinstance(error, BrokenFileError):
                # GDAL names the file where it lies on the server.
                reason = _OWN_PLACE.sub(name, str(error))
            else:
                logger.exception("Pole file %s could not be brought in.", id)
                reason = FAULT
            found = session.get(PoleImport, id, with_for_update=True)
            if found is not None and found.state is state:
                found.reason, found.state = reason, PoleImportState.FAILED
            session.commit()


def _passes(error: Exception) -> bool:
    """Tell whether the store may take the same at another time, and nothing is wrong with the file."""
    told = error.orig if isinstance(error, DBAPIError) else error
    too_long = isinstance(told, psycopg.errors.QueryCanceled)
    return isinstance(told, psycopg.OperationalError) and not too_long


def read_by_job(engine: Engine, id: int) -> None:
    """Find out what a file would change. Done twice it changes nothing.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    id : int
        Of the `pole_import`.
    """
    _do(engine, id, PoleImportState.READING, _read)


def apply_by_job(engine: Engine, id: int) -> None:
    """Apply a file, or show it again where it would change something else than was shown.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    id : int
        Of the `pole_import`.
    """
    _do(engine, id, PoleImportState.APPLYING, _apply)
