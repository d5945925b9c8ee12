"""Photos in a bucket of an S3-compatible store, which nobody but this program reads."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from data.photo_store import Size, is_key

if TYPE_CHECKING:
    from obstore.store import S3Store

TIMEOUT_S = 5.0
"""Of one request. A photo has less than 1 MB."""

AWAY_S = 5.0
"""For how long a store that did not answer is not asked again: requests must not pile up."""

_SLOW_S = 1.0  # a fault that comes sooner holds nobody up
_CONNECT_S = 2.0
_RETRIES = 1
_MOST_KEYS = 1_000
_FOLDER = "photos"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a bucket is, and who may use it.

    Attributes
    ----------
    endpoint : str or None
        None for Amazon's of the region.
    path_style : bool
        Whether its name stands in the path of addresses, not in the host.
    """

    name: str
    access_key: str
    secret_key: str
    region: str
    endpoint: str | None = None
    path_style: bool = True


class PhotoBucket:
    """A bucket of files.

    Every fault of the store is an `OSError`, as those of a folder are.

    Parameters
    ----------
    bucket : Bucket
        It has to be there.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._away_until = 0.0
        self._store = self._opened()

    def _opened(self, *, signs: bool = True) -> "S3Store":
        # Only where a bucket is set: a server without one needs none of it in memory.
        from obstore.store import S3Store  # noqa: PLC0415

        bucket = self.bucket
        return S3Store(
            bucket.name,
            prefix=_FOLDER,
            endpoint=_address(bucket),
            region=bucket.region,
            access_key_id=bucket.access_key,
            secret_access_key=bucket.secret_key,
            skip_signature=not signs,
            virtual_hosted_style_request=not bucket.path_style,
            client_options={
                "timeout": timedelta(seconds=TIMEOUT_S),
                "connect_timeout": timedelta(seconds=_CONNECT_S),
                "allow_http": True,  # the settings let only loopback do without TLS
            },
            retry_config={
                "max_retries": _RETRIES,
                "retry_timeout": timedelta(seconds=TIMEOUT_S),
            },
        )

    def put(self, key: str, size: Size, content: bytes) -> None:
        """Keep a file; afterwards it is there whole, or not at all."""
        import obstore  # noqa: PLC0415 (as above)

        with self._faults():
            obstore.put(self._store, _path(key, size), content, use_multipart=False)

    def get(self, key: str, size: Size) -> bytes | None:
        """Give a file; None where there is none."""
        import obstore  # noqa: PLC0415 (as above)

        with self._faults():
            try:
                return obstore.get(self._store, _path(key, size)).bytes().to_bytes()
            except FileNotFoundError:
                return None

    def delete(self, key: str) -> None:
        """Delete every size; nothing happens where there is none."""
        import obstore  # noqa: PLC0415 (as above)

        with self._faults():
            for size in Size:
                with contextlib.suppress(FileNotFoundError):
                    obstore.delete(self._store, _path(key, size))

    def keys(self, older_than_s: float) -> Iterator[str]:
        """Give the keys of files that were put that long ago."""
        import obstore  # noqa: PLC0415 (as above)

        before = time.time() - older_than_s
        with self._faults():
            for found in obstore.list(self._store, chunk_size=_MOST_KEYS):
                for file in found:
                    key = file["path"].partition("/")[2].partition(".")[0]
                    if file["last_modified"].timestamp() < before and is_key(key):
                        yield key

    def is_public(self, key: str, size: Size) -> bool:
        """Tell whether everybody can read a file that is there."""
        import obstore  # noqa: PLC0415 (as above)
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError  # noqa: PLC0415 (as above)

        with self._faults():
            try:
                obstore.head(self._opened(signs=False), _path(key, size))
            except (PermissionDeniedError, UnauthenticatedError, FileNotFoundError):
                return False
        return True

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        from obstore.exceptions import BaseError  # noqa: PLC0415 (as above)

        began = time.monotonic()
        if began < self._away_until:
            raise OSError("the store of the photos did not answer just now")
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            ended = time.monotonic()
            if ended - began > _SLOW_S:
                self._away_until = ended + AWAY_S
            # Its first line says what happened; the rest is for whoever develops that library.
            raise OSError(str(error).partition("\n")[0]) from error


def _address(bucket: Bucket) -> str | None:
    if bucket.endpoint is None or bucket.path_style:
        return bucket.endpoint
    scheme, _, host = bucket.endpoint.partition("://")
    return f"{scheme}://{bucket.name}.{host}"


def _path(key: str, size: Size) -> str:
    if not is_key(key):
        raise ValueError(f"not the key of a photo: {key!r}")
    return f"{key[:2]}/{key}.{size}.webp"
