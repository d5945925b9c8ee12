"""Getting a file from the web without being sent where we should not go.

A name is resolved once, every address it has must be a public one, and the connection is made to
the address that was checked: a name that changes its mind in between, or a redirect, leads nowhere
else. Proxies of the environment are not used.
"""

import http.client
import ipaddress
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, urljoin, urlsplit

SIZE_LIMIT_BYTES = 2 << 30
"""The largest file of a city known to us, a full parcel layer, has about a quarter of this."""

_REDIRECTS = 5
_REDIRECTED = frozenset({301, 302, 303, 307, 308})
_TIMEOUT_S = 30
_PART_BYTES = 1 << 20
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""Stand for the IPv4 address in their last bits (RFC 6052)."""

_PORTS = {"http": 80, "https": 443}


class DownloadError(ValueError):
    """A file could not be got; the message says why and what to do."""


def is_url(text: str) -> bool:
    """Whether an operator's FILE names something on the web rather than a file here."""
    return "://" in text


@contextmanager
def downloaded(
    url: str, *, limit_bytes: int = SIZE_LIMIT_BYTES, private_addresses: bool = False
) -> Iterator[tuple[Path, str]]:
    """Get a file into a temporary folder for as long as the context lasts.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    limit_bytes : int
        A larger file is given up.
    private_addresses : bool
        Whether the server may be on this machine or its network: for tests.

    Yields
    ------
    pathlib.Path
        The file, under the name it has at the server.
    str
        What to call it: the URL without query and password.

    Raises
    ------
    DownloadError
        Where it can not be got.
    """
    with tempfile.TemporaryDirectory(prefix="porchlight-") as folder:
        yield _fetch(url, Path(folder), limit_bytes, private_addresses)


def _fetch(url: str, folder: Path, limit_bytes: int, private_addresses: bool) -> tuple[Path, str]:
    for _ in range(_REDIRECTS + 1):
        parts = _checked(url)
        name = f"{parts.scheme}://{parts.hostname}{parts.path}"
        connection = _connection(parts, private_addresses)
        try:
            target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
            connection.request(
                "GET", target, headers={"Accept-Encoding": "identity", "User-Agent": "Porchlight"}
            )
            answer = connection.getresponse()
            if answer.status == http.client.OK:
                path = folder / (PurePosixPath(parts.path).name or "file")
                _write(answer, path, name, limit_bytes)
                return path, name
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(
                f"{name}: the connection broke off ({error}). Try again."
            ) from error
        finally:
            connection.close()
        if answer.status not in _REDIRECTED:
            raise DownloadError(f"{name}: the server answers {answer.status} {answer.reason}.")
        url = urljoin(url, answer.getheader("Location", ""))
    raise DownloadError(f"{url}: more than {_REDIRECTS} redirects.")


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DownloadError(f"{url}: {error}.") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise DownloadError(f"{url}: give a file, or a URL that begins with https:// or http://.")
    if parts.username is not None or port == 0:
        raise DownloadError("Leave user and password out of the URL, and give a real port.")
    if any(ord(character) <= 0x20 or ord(character) > 0x7E for character in url):
        raise DownloadError(f"{url!r}: write blanks and special letters as %20 and the like.")
    return parts


def _connection(parts: SplitResult, private_addresses: bool) -> http.client.HTTPConnection:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DownloadError(f"{host}: no such server ({error}).") from error
    addresses = [str(place[0]) for *_, place in found]
    for address in addresses:
        if not private_addresses and not _is_public(address):
            raise DownloadError(
                f"{host} is {address}, which is not on the public internet. Download the file "
                "yourself and import it from here."
            )
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        plain = socket.create_connection((addresses[0], port), timeout=_TIMEOUT_S)
        if parts.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        else:
            connection.sock = plain
    except OSError as error:
        raise DownloadError(f"{host}: no connection ({error}).") from error
    return connection


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _TRANSLATED:
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if embedded is not None and not embedded.is_global:
            return False
    return ip.is_global and not ip.is_multicast


def _write(answer: http.client.HTTPResponse, path: Path, name: str, limit_bytes: int) -> None:
    written = 0
    with path.open("wb") as stream:
        while part := answer.read(_PART_BYTES):
            written += len(part)
            if written > limit_bytes:
                raise DownloadError(
                    f"{name}: larger than {limit_bytes / (1 << 20):,.0f} MiB. Download the file "
                    "yourself and import it from here."
                )
            stream.write(part)
