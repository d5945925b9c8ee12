"""A small reader of vector tiles (Mapbox Vector Tile 2.1), independent of who wrote them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TYPES = {0: "unknown", 1: "point", 2: "line", 3: "polygon"}


@dataclass
class Feature:
    """Paths are lists of (x, y) in units of the tile, one a point, line or ring."""

    id: int | None = None
    type: str = "unknown"
    paths: list[list[tuple[int, int]]] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


def varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def varints(body: bytes) -> list[int]:
    values, at = [], 0
    while at < len(body):
        value, at = varint(body, at)
        values.append(value)
    return values


def fields(body: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: number and value."""
    at = 0
    while at < len(body):
        tag, at = varint(body, at)
        match tag & 7:
            case 0:
                value, at = varint(body, at)
            case 1:
                value, at = struct.unpack_from("<d", body, at)[0], at + 8
            case 2:
                length, at = varint(body, at)
                value, at = body[at : at + length], at + length
            case 5:
                value, at = struct.unpack_from("<f", body, at)[0], at + 4
        yield tag >> 3, value


def signed(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def value_of(body: bytes) -> Any:
    ((number, value),) = fields(body)
    match number:
        case 1:
            return value.decode()
        case 6:
            return signed(value)
        case 7:
            return bool(value)
    return value


def paths_of(commands: list[int]) -> list[list[tuple[int, int]]]:
    paths: list[list[tuple[int, int]]] = []
    x = y = at = 0
    while at < len(commands):
        command, count = commands[at] & 7, commands[at] >> 3
        at += 1
        if command == 7:
            paths[-1].append(paths[-1][0])
            continue
        for _ in range(count):
            x, y, at = x + signed(commands[at]), y + signed(commands[at + 1]), at + 2
            if command == 1:
                paths.append([])
            paths[-1].append((x, y))
    return paths


def feature_of(body: bytes, keys: list[str], values: list[Any]) -> Feature:
    feature = Feature()
    for number, value in fields(body):
        match number:
            case 1:
                feature.id = value
            case 2:
                tags = varints(value)
                pairs = zip(tags[::2], tags[1::2], strict=True)
                feature.attributes = {keys[key]: values[index] for key, index in pairs}
            case 3:
                feature.type = TYPES[value]
            case 4:
                feature.paths = paths_of(varints(value))
    return feature


def decode(body: bytes) -> dict[str, list[Feature]]:
    """The features of a tile by MVT layer."""
    found: dict[str, list[Feature]] = {}
    for number, layer in fields(body):
        assert number == 3, "a tile holds layers"
        parts: dict[int, list[Any]] = {1: [], 2: [], 3: [], 4: [], 5: [], 15: []}
        for part, value in fields(layer):
            parts[part].append(value)
        name, keys = parts[1][0].decode(), [key.decode() for key in parts[3]]
        assert name not in found, f"the layer {name} stands twice"
        assert (parts[5], parts[15]) == ([4096], [2]), "extent and version"
        values = [value_of(value) for value in parts[4]]
        found[name] = [feature_of(feature, keys, values) for feature in parts[2]]
    return found
