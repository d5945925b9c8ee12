"""Vector tiles over HTTP: what was drawn once is kept, compressed, and handed out by a dict look-up.

Tiles are most of what a map asks for, so they are answered in front of everything else, without
the layers that a page goes through: `Tiles` is ASGI middleware. Whatever it can not answer (a bad
address, a database that is away) it passes on to the route below, which says why.
"""

import asyncio
import gzip
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from data.queries import tallies, tiles
from data.queries.filters import ReportFilter
from geo.tiles import DEEPEST, Tile
from server.front import CLOSED_POLICY, SAFETY
from server.schemas.filters import LARGEST_ID, Filters
from server.schemas.problems import described
from server.schemas.query import from_query

PREFIX = "/tiles/"
SUFFIX = ".mvt"

CACHE_BYTES = 32 * 1024 * 1024
"""Bytes of tiles that a process keeps: some 1,400 of them, so that it stays well below 300 MiB."""

ENTRY_BYTES = 1_000
"""What an entry weighs beside its tile, about."""

VERSION_IS_REMEMBERED_S = 1.0
"""For addresses that name no version, or an older one."""

KEPT_WITH_VERSION_S = 86_400
"""Seconds a browser or proxy may keep a tile whose address names its version."""

MOST_WAITING = 400
"""Tiles that may wait to be drawn; more are turned away at once."""

_COMPRESSED_FROM_BYTES = 200
_COMPRESSION = 1
"""Level of gzip. The next three make tiles 5 % smaller and take half as long again."""

_SAFE = [
    (name.lower().encode(), value.encode())
    for name, value in (SAFETY | {"Content-Security-Policy": CLOSED_POLICY}).items()
]


class TileQuery(Filters):
    """What may stand behind the question mark of a tile."""

    v: Annotated[int | None, Field(ge=0, le=LARGEST_ID)] = Field(
        None, description="Version of the layer, from /api/versions."
    )


@dataclass(frozen=True, slots=True)
class Key:
    """What a tile is kept under."""

    layer: str
    tile: Tile
    chosen: ReportFilter


class Entry:
    """A tile ready to be sent.

    Parameters
    ----------
    drawn : data.queries.tiles.DrawnTile
    """

    __slots__ = ("body", "compressed", "etag", "headers", "passing_headers", "version")

    def __init__(self, drawn: tiles.DrawnTile) -> None:
        self.version = drawn.version
        self.body = drawn.mvt
        self.compressed = len(drawn.mvt) >= _COMPRESSED_FROM_BYTES
        if self.compressed:
            self.body = gzip.compress(drawn.mvt, _COMPRESSION, mtime=0)
        # Weak, since the same tile goes out compressed or not.
        self.etag = b'W/"%s"' % blake2b(drawn.mvt, digest_size=9).hexdigest().encode()
        self.headers = self._headers(b"public, max-age=%d" % KEPT_WITH_VERSION_S)
        self.passing_headers = self._headers(b"public, no-cache")

    def _headers(self, lifetime: bytes) -> list[tuple[bytes, bytes]]:
        return [
            (b"etag", self.etag),
            (b"cache-control", lifetime),
            (b"vary", b"accept-encoding"),
            *_SAFE,
        ]

    @property
    def weight(self) -> int:
        """Bytes in memory, about."""
        return len(self.body) + ENTRY_BYTES


class Kept:
    """The tiles used last, up to a number of bytes.

    Parameters
    ----------
    most_bytes : int
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._entries: OrderedDict[Key, Entry] = OrderedDict()

    def get(self, key: Key) -> Entry | None:
        """Give the tile, and remember that it was used."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        """Keep the tile in place of an older one."""
        before = self._entries.pop(key, None)
        if before is not None:
            self.bytes -= before.weight
        self._entries[key] = entry
        self.bytes += entry.weight
        while self.bytes > self.most_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.bytes -= oldest.weight


class Drawing:
    """Draws tiles in threads, keeps them, and knows the versions of the layers.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    zone : zoneinfo.ZoneInfo
        The city's time zone.
    threads : int
        Tiles drawn at once; as many connections of the pool are taken at the most.
    """

    def __init__(self, engine: Engine, zone: ZoneInfo, threads: int) -> None:
        self.zone = zone
        self.kept = Kept(CACHE_BYTES)
        # One statement is a transaction of its own and needs no round trips around it.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tiles")
        self._under_way: dict[tuple[Key, int], asyncio.Future[Entry]] = {}
        self._versions: dict[str, tuple[int, float]] = {}
        self._asking: asyncio.Future[None] | None = None

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def entry(self, key: Key, wanted: int | None) -> Entry:
        """Give a tile as it is now, or as it was at the version that is wanted if it is kept.

        Parameters
        ----------
        key : Key
        wanted : int or None
            A version the asker knows of.

        Raises
        ------
        sqlalchemy.exc.OperationalError, sqlalchemy.exc.TimeoutError
            Where the database is away or busy.
        """
        entry = self.kept.get(key)
        if entry is not None and entry.version == wanted:
            return entry
        current = await self._version(key.layer, wanted)
        entry = self.kept.get(key)
        if entry is not None and entry.version == current:
            return entry
        # Whoever waits for a drawing that is under way knows of no newer version than it shows.
        flight = (key, current)
        under_way = self._under_way.get(flight)
        if under_way is None:
            if len(self._under_way) >= MOST_WAITING:
                raise PoolTimeoutError
            under_way = asyncio.get_running_loop().run_in_executor(self._pool, self._draw, key)
            self._under_way[flight] = under_way
            under_way.add_done_callback(lambda _: self._under_way.pop(flight, None))
        # One asker who leaves must not end it for the others.
        entry = await asyncio.shield(under_way)
        self.kept.put(key, entry)
        return entry

    def _draw(self, key: Key) -> Entry:
        asked_at = time.monotonic()
        with self._engine.connect() as connection:
            drawn = tiles.draw(connection, key.layer, key.tile, key.chosen)
        self._learn({key.layer: drawn.version}, asked_at)
        return Entry(drawn)

    async def _version(self, layer: str, wanted: int | None) -> int:
        """Give the version as it was a second ago or later; later than now where it is wanted so."""
        now = time.monotonic()
        while True:
            version, asked_at = self._versions.get(layer, (0, float("-inf")))
            known = wanted is None or wanted <= version
            if asked_at >= (now - VERSION_IS_REMEMBERED_S if known else now):
                return version
            # One question serves all who wait; who came while it was under way may need another.
            if self._asking is None or self._asking.done():
                loop = asyncio.get_running_loop()
                self._asking = loop.run_in_executor(self._pool, self._ask)
            await asyncio.shield(self._asking)

    def _ask(self) -> None:
        asked_at = time.monotonic()
        with Session(self._engine) as session:
            self._learn(tallies.versions(session), asked_at)

    def _learn(self, versions: dict[str, int], asked_at: float) -> None:
        """Remember versions, unless they were asked for before what is known."""
        for layer, version in versions.items():
            if asked_at >= self._versions.get(layer, (0, float("-inf")))[1]:
                self._versions[layer] = (version, asked_at)


class Tiles:
    """ASGI middleware that answers for tiles, before everything else.

    Parameters
    ----------
    app : ASGIApp
    drawing : Drawing
    """

    def __init__(self, app: ASGIApp, drawing: Drawing) -> None:
        self.app = app
        self.drawing = drawing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if (
            scope["type"] != "http"
            or not scope["path"].startswith(PREFIX)
            or scope["method"] not in {"GET", "HEAD"}
        ):
            await self.app(scope, receive, send)
            return
        try:
            layer, tile = _place(scope["path"])
            wanted, chosen = _question(scope["query_string"], self.drawing.zone, layer)
            entry = await self.drawing.entry(Key(layer, tile, chosen), wanted)
        except Exception as error:  # noqa: BLE001 (the route below raises it again)
            scope.setdefault("state", {})["tile_failed"] = error
            await self.app(scope, receive, send)
            return
        await _send(entry, entry.version == wanted, scope, send)


@lru_cache(maxsize=16_384)
def _place(path: str) -> tuple[str, Tile]:
    layer, z, x, y = path.removeprefix(PREFIX).removesuffix(SUFFIX).split("/")
    numbers = (z, x, y)
    if layer not in tiles.LAYERS or not path.endswith(SUFFIX):
        raise ValueError("no such layer")
    # int() would also take signs, spaces, underscores and the digits of other scripts.
    if not all(number.isascii() and number.isdigit() and len(number) <= 8 for number in numbers):
        raise ValueError("not numbers")
    return layer, Tile(*map(int, numbers))


@lru_cache(maxsize=4_096)
def _question(query: bytes, zone: ZoneInfo, layer: str) -> tuple[int | None, ReportFilter]:
    """Read what stands behind the question mark, in one form however it was written."""
    asked = from_query(TileQuery, query)
    return asked.v, asked.chosen(zone) if layer == "reports" else ReportFilter(zone)


@lru_cache(maxsize=256)
def _takes_gzip(accepted: bytes) -> bool:
    for part in accepted.replace(b" ", b"").split(b","):
        name, _, quality = part.partition(b";q=")
        if name == b"gzip":
            return not quality or bool(quality.strip(b"0."))
    return False


async def _send(entry: Entry, versioned: bool, scope: Scope, send: Send) -> None:
    headers = entry.headers if versioned else entry.passing_headers
    compressible = False
    status, body = (200, entry.body) if entry.body else (204, b"")
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            compressible = _takes_gzip(value)
        elif name == b"if-none-match" and (entry.etag in value or value == b"*"):
            status, body = 304, b""
    if status == 200:
        if entry.compressed and compressible:
            headers = [*headers, (b"content-encoding", b"gzip")]
        elif entry.compressed:
            body = gzip.decompress(body)
        headers = [
            *headers,
            (b"content-type", b"application/vnd.mapbox-vector-tile"),
            (b"content-length", b"%d" % len(body)),
        ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if scope["method"] == "HEAD":
        body = b""
    await send({"type": "http.response.body", "body": body})


router = APIRouter()


@router.get(
    "/tiles/{layer}/{z}/{x}/{y}.mvt",
    response_class=Response,
    responses={
        200: {"content": {"application/vnd.mapbox-vector-tile": {}}},
        204: {"description": "Nothing of this layer lies in the tile."},
        304: {"description": "The tile that is known is still right."},
        **described(404, 422, 503),
    },
    tags=["map"],
)
def tile(
    *,
    request: Request,
    layer: str,
    z: Annotated[int, Path(ge=0, le=DEEPEST)],
    x: Annotated[int, Path(ge=0)],
    y: Annotated[int, Path(ge=0)],
    query: Annotated[TileQuery, Query()],
) -> Response:
    """Give a vector tile (Mapbox Vector Tile 2.1) of a layer of the map.

    Below zoom 14 points come as counts a cell, in an MVT layer named `cells`.
    """
    # `Tiles` has answered whatever can be answered, and FastAPI what is wrong with the query.
    failed: Exception = request.state.tile_failed
    if isinstance(failed, ValueError):
        raise HTTPException(404) from failed
    raise failed
