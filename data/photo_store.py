"""Where the files of photos lie: a folder, or any other place that keeps files by key."""

import contextlib
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Protocol

_KEY = re.compile(r"[A-Za-z0-9_-]{32}")


class Size(StrEnum):
    """The sizes in which every photo is kept."""

    LARGE = "large"
    SMALL = "small"


class PhotoStore(Protocol):
    """What keeps the files of photos. A key stands for one photo in every size.

    Each of these raises an `OSError` where the store is away, full or refuses.
    """

    def put(self, key: str, size: Size, content: bytes) -> None:
        """Keep a file; afterwards it is there whole, or not at all."""

    def get(self, key: str, size: Size) -> bytes | None:
        """Give a file; None where there is none."""

    def delete(self, key: str) -> None:
        """Delete every size; nothing happens where there is none."""

    def keys(self, older_than_s: float) -> Iterator[str]:
        """Give the keys of files that were put that long ago."""


def is_key(text: str) -> bool:
    """Tell whether something is the key of a photo."""
    return _KEY.fullmatch(text) is not None


def new_key() -> str:
    """Give a key that nobody can guess, and that tells nothing."""
    return secrets.token_urlsafe(24)


class PhotoFolder:
    """A folder of files, by the first two characters of their keys.

    Parameters
    ----------
    folder : Path
        Made when the first file comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, key: str, size: Size) -> Path:
        if not is_key(key):
            raise ValueError(f"not the key of a photo: {key!r}")
        return self.folder / key[:2] / f"{key}.{size}.webp"

    def put(self, key: str, size: Size, content: bytes) -> None:
        """Keep a file; afterwards it is there whole, or not at all."""
        path = self._path(key, size)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent)  # of mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(draft).unlink()
            raise

    def get(self, key: str, size: Size) -> bytes | None:
        """Give a file; None where there is none."""
        try:
            return self._path(key, size).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        """Delete every size; nothing happens where there is none."""
        for size in Size:
            self._path(key, size).unlink(missing_ok=True)

    def keys(self, older_than_s: float) -> Iterator[str]:
        """Give the keys of files that were put that long ago, and delete drafts left by a crash."""
        before = time.time() - older_than_s
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime >= before:
                    continue
                key, _dot, rest = path.name.partition(".")
                if is_key(key) and rest.endswith("webp"):
                    yield key
                else:
                    path.unlink()
