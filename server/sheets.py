"""PDFs, written by WeasyPrint from a page of ours in a process of its own.

A page takes a second of work that would hold up all other requests, and WeasyPrint some 50 MB that would
never be given back; so a process does it, with limits of time and memory, and ends. It asks for
nothing from anywhere: no address in a page is ever opened, on this machine or another. This file is
that process's program, too: it imports nothing of ours.
"""

import resource
import subprocess
import sys
import threading
from pathlib import Path

PROGRAM = Path(__file__)

_CPU_S = 15
_WALL_S = 20.0
_PATIENCE_S = 8.0
_MOST_WAITING = 4
_MEMORY_BYTES = 1024 * 1024 * 1024  # of addresses; a tenth of it is in use
_LONGEST_TOLD = 500

_turns = threading.BoundedSemaphore(1)
_places = threading.BoundedSemaphore(1 + _MOST_WAITING)


class SheetBusyError(RuntimeError):
    """Others are being written, or this one took too long."""


class SheetError(RuntimeError):
    """No PDF can be written here; says why."""


def pdf(page: str) -> bytes:
    """Write a page as PDF for reading aloud, too (PDF/UA-1).

    Parameters
    ----------
    page : str
        HTML with `lang`, a title, and all of its styles and drawings inside.

    Returns
    -------
    bytes

    Raises
    ------
    SheetBusyError
    SheetError
    """
    if not _places.acquire(blocking=False):
        raise SheetBusyError
    try:
        return _written(page)
    finally:
        _places.release()


def _written(page: str) -> bytes:
    if not _turns.acquire(timeout=_PATIENCE_S):
        raise SheetBusyError
    try:
        ended = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-I", str(PROGRAM)],
            input=page.encode(),
            capture_output=True,
            timeout=_WALL_S,
            check=False,
            env={"LANG": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired as error:
        raise SheetBusyError from error
    finally:
        _turns.release()
    if ended.returncode or not ended.stdout.startswith(b"%PDF"):
        told = ended.stderr.decode(errors="replace").strip()
        raise SheetError(told[-_LONGEST_TOLD:] or f"it ended with {ended.returncode}")
    return ended.stdout


def _program() -> None:
    """Read one page from standard input, and write it as PDF."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        # Imported here: the server itself never loads it.
        from weasyprint import HTML  # noqa: PLC0415
        from weasyprint.urls import FatalURLFetchingError, URLFetcher  # noqa: PLC0415
    except OSError as error:
        sys.stderr.write(f"a library is missing: {error}")
        raise SystemExit(1) from error

    class Refusing(URLFetcher):  # type: ignore[misc]  # it publishes no types
        def fetch(self, url: str, headers: object = None) -> object:
            raise FatalURLFetchingError(f"the page names an address: {url[:100]}")

    made = HTML(
        string=sys.stdin.buffer.read().decode(), base_url=None, url_fetcher=Refusing()
    ).write_pdf(pdf_variant="pdf/ua-1")
    sys.stdout.buffer.write(made)


if __name__ == "__main__":
    _program()
