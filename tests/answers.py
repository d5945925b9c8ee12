"""What an answer says, however it is packed: tiles, PDFs and GeoPackages read, the rest as text."""

import math
import re
import sqlite3
import zlib
from contextlib import closing

from tests import mvt

EXTENT = 4096


def said_by(answer, address: str) -> str:
    """All that whoever gets an answer can read of it, and of its headers."""
    body, kind = answer.content, answer.headers.get("content-type", "")
    if kind.startswith("application/vnd.mapbox-vector-tile"):
        return f"{tile_in_words(body, address)} {dict(answer.headers)!r}"
    if kind.startswith("application/geopackage"):
        return f"{tables_in_words(body)} {dict(answer.headers)!r}"
    if kind == "application/pdf":
        return f"{pdf_in_words(body)} {dict(answer.headers)!r}"
    return f"{answer.text} {dict(answer.headers)!r}"


def tile_in_words(body: bytes, address: str) -> str:
    """Layers, attributes, and each position in degrees, with as many decimals as a tile can hold."""
    z, x, y = map(int, re.search(r"/(\d+)/(\d+)/(\d+)\.mvt", address).groups())
    told = []
    for name, features in mvt.decode(body).items():
        for feature in features:
            places = [
                degrees(z, x + east / EXTENT, y + south / EXTENT)
                for path in feature.paths
                for east, south in path
            ]
            told.append(f"{name} {feature.id} {feature.attributes} {places}")
    return "\n".join(told)


def tables_in_words(body: bytes) -> str:
    """The rows of a GeoPackage, whatever SQLite counts beside them."""
    with closing(sqlite3.connect(":memory:")) as file:
        file.deserialize(body)
        return "\n".join(file.iterdump())


def degrees(z: int, x: float, y: float) -> str:
    """Latitude and longitude of a place on the grid of a zoom."""
    n = 1 << z
    latitude = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y / n))))
    return f"{latitude:.7f} {x / n * 360 - 180:.7f}"


def pdf_in_words(pdf: bytes) -> str:
    """The plain parts, the packed ones, and the text that is written in glyphs of fonts."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    unpacked = [
        part for part in map(_unpacked, streams) if re.search(rb"\bBT\b|bfchar|xpacket", part)
    ]
    parts = [re.sub(rb"stream\r?\n.*?endstream", b"", pdf, flags=re.DOTALL), *unpacked]
    glyphs = [found for part in parts if (found := _glyphs(part))]
    drawn = [re.findall(rb"<([0-9a-fA-F]+)>", part) for part in parts if b"BT" in part]
    words = [
        "".join(
            letters.get(text[at : at + 4].lower(), "")
            for text in texts
            for at in range(0, len(text), 4)
        )
        for letters in glyphs
        for texts in drawn
    ]
    return "\n".join([*(part.decode("latin-1") for part in parts), *words])


def _unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(stream)
    except zlib.error:
        return b""


def _glyphs(part: bytes) -> dict[bytes, str]:
    """The letters of the glyphs of one font, as its table for copying text has them."""
    if b"beginbfchar" not in part:
        return {}
    pairs = re.findall(rb"<([0-9a-fA-F]{4})>\s*<([0-9a-fA-F]{4,})>", part)
    return {
        glyph.lower(): bytes.fromhex(letter.decode()).decode("utf-16-be") for glyph, letter in pairs
    }
