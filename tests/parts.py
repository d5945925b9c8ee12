"""Reports of the tests' small city as arrays and as files, many of them of the same thing."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from shapely import box

from data.partitions import write
from geo.crs import in_city_metres
from geo.hot_spots import Ground
from tests.places import EAST, NORTH, SOUTH, WEST

CITY = in_city_metres(box(WEST, SOUTH, EAST, NORTH))
GROUND = Ground(CITY, CITY)
FIRST_S = 1_704_088_800.0
"""Midnight of the first of January 2024 in Kansas City: when the first row is of."""

DAYS = 200
"""Of 24 hours, to the 18th of July."""


@dataclass(frozen=True)
class Rows:
    lon: np.ndarray
    lat: np.ndarray
    at_s: np.ndarray
    category: np.ndarray

    def only(self, kept) -> "Rows":
        return Rows(self.lon[kept], self.lat[kept], self.at_s[kept], self.category[kept])

    def write(self, path: Path) -> None:
        write(path, self.lon, self.lat, self.at_s, pa.array(self.category), about={})


def rows(seed: int = 1, n: int = 3_000) -> Rows:
    """A third anywhere, the others about twenty places, again and again."""
    rng = np.random.default_rng(seed)
    middles = rng.uniform((WEST, SOUTH), (EAST, NORTH), (20, 2))
    places = middles[rng.integers(0, 20, n)] + rng.normal(0, 0.0008, (n, 2))
    anywhere = rng.random(n) < 1 / 3
    places[anywhere] = rng.uniform((WEST, SOUTH), (EAST, NORTH), (anywhere.sum(), 2))
    places = np.clip(places, (WEST + 1e-6, SOUTH + 1e-6), (EAST - 1e-6, NORTH - 1e-6))
    at_us = int(FIRST_S * 1e6) + rng.integers(0, (DAYS * 24 - 1) * 3_600 * 10**6, n)
    at_us[0] = int(FIRST_S * 1e6)
    category = rng.choice(["dumping", "litter", "speeding"], n)
    return Rows(*places.T, at_us / 1e6, category)


def write_mixed(folder: Path, all_: Rows, seed: int, parts: int) -> None:
    """Write rows into files, each anywhere."""
    part = np.random.default_rng(seed).integers(0, parts, len(all_.lon))
    for number in range(parts):
        all_.only(part == number).write(folder / f"{number}.parquet")
