"""Files of the city's poles: read by a job to show what they change, and applied by another."""

import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from data import pole_files
from data.models import PoleImport, PoleImportState
from data.queries.pole_imports import CHANGED, MOST_BYTES
from data.sources.batch import BrokenFileError, File

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


def _waiting(session: Session, id: int, state: PoleImportState) -> PoleImport | None:
    """Give a file whose turn it is; None where this was done already."""
    found = session.get(PoleImport, id, with_for_update=True)
    return found if found is not None and found.state is state else None


def _driver(session: Session) -> psycopg.Connection[Any]:
    return session.connection().connection.driver_connection  # type: ignore[return-value]  # psycopg's, as the URL says


def _look(session: Session, file: File) -> pole_files.Changes:
    """Say what a file would change, and leave everything as it is."""
    trial = session.begin_nested()
    try:
        return pole_files.bring_in(_driver(session), file)
    finally:
        trial.rollback()


def _show(session: Session, found: PoleImport, changes: pole_files.Changes, reason: str) -> None:
    found.counts = dict(pole_files.keep(_driver(session), found.id, changes))
    found.digest = changes.digest
    found.reason = reason
    found.state = PoleImportState.READY


def _fail(found: PoleImport, error: BrokenFileError) -> None:
    # GDAL names the file where it lies on the server.
    found.reason = _OWN_PLACE.sub(found.file_name, str(error))
    found.state = PoleImportState.FAILED


def read_by_job(engine: Engine, id: int) -> None:
    """Find out what a file would change. Done twice it changes nothing.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    id : int
        Of the `pole_import`.
    """
    with Session(engine) as session:
        found = _waiting(session, id, PoleImportState.READING)
        if found is None:
            return
        try:
            with _on_disk(found) as file:
                changes = _look(session, file)
        except BrokenFileError as error:
            _fail(found, error)
        else:
            _show(session, found, changes, "")
        session.commit()


def apply_by_job(engine: Engine, id: int) -> None:
    """Apply a file, or show it again where it would change something else than was shown.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        As the owner of the store.
    id : int
        Of the `pole_import`.
    """
    with Session(engine) as session:
        found = _waiting(session, id, PoleImportState.APPLYING)
        if found is None:
            return
        applied = session.begin_nested()
        try:
            with _on_disk(found) as file:
                changes = pole_files.bring_in(_driver(session), file)
            if changes.digest == found.digest:
                if found.remove_gone:
                    pole_files.remove_gone(_driver(session), changes)
                applied.commit()
                found.import_run_id = changes.summary.run_id
                found.applied_at = datetime.now(UTC)
                found.state = PoleImportState.APPLIED
            else:
                applied.rollback()
                _show(session, found, changes, CHANGED)
        except BrokenFileError as error:
            if applied.is_active:
                applied.rollback()
            _fail(found, error)
        session.commit()
