"""Among how many homes a report at a home hides, and how far from it it is shown.

    nice .venv/bin/python bench/positions.py FOLDER-OF-KANSAS-CITYS-FILES

Each parcel of Kansas City with homes on it reports once. Beside the regions of geo.homes stand fixed
cells of 200 and of 400 m, and a ring of 60 to 150 m around the home, of which others see as many homes
as the ring around what is shown holds (that whoever sends in those homes, too, finds the one is in
docs/adr/0009).
"""

import sys
import time
from pathlib import Path

import numpy as np
import shapely

sys.path.insert(0, str(Path(__file__).parent.parent))

from pyproj import Transformer

from data.models.parcel import LandUse
from data.sources.batch import File
from data.sources.parcels import PARCELS
from geo.crs import CITY, STORED
from geo.homes import ENOUGH, cells_of, homes_at
from geo.positions import generalized

GOAL = 0.99
RING_M = 60, 150


def homes_of(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    path = folder / "parcel_points_2015.csv.gz"
    places = []
    for batch in PARCELS.batches(File(path, path.name)):
        uses = np.asarray(batch.records.column("land_use"))
        points = shapely.from_wkb(batch.records.column("geom").to_pylist())
        places.append(shapely.get_coordinates(points)[uses == LandUse.HOME.value])
    return np.concatenate(places).T


def row(name: str, k: np.ndarray, moved_m: np.ndarray) -> None:
    low, middle, high = np.percentile(moved_m, [5, 50, 95])
    print(
        f"{name:<32}{100 * (k >= ENOUGH).mean():>9.2f} %{np.percentile(k, 1):>8.0f}{np.median(k):>8.0f}"
        f"{low:>10.0f}{middle:>8.0f}{high:>8.0f}"
    )


def main() -> None:
    longitude, latitude = homes_of(Path(sys.argv[1]))
    x, y = Transformer.from_crs(STORED, CITY, always_xy=True).transform(longitude, latitude)
    start = time.perf_counter()
    homes = homes_at(x, y)
    built = time.perf_counter() - start
    keys = [str(number) for number in range(len(x))]
    start = time.perf_counter()
    shown = generalized(longitude, latitude, keys, secret=b"s" * 32, homes=homes)
    drawn = time.perf_counter() - start
    shown_x, shown_y = Transformer.from_crs(STORED, CITY, always_xy=True).transform(*shown)
    k = np.array([homes.region(*cell).homes for cell in cells_of(x, y).tolist()])
    public = ~np.isnan(shown[0])
    print(f"{len(x):,} homes; cut into regions in {built:.2f} s, drawn in {drawn:.2f} s")
    print(f"without a public position: {100 * (~public).mean():.3f} %\n")
    print(
        f"{'':<32}{f'k >= {ENOUGH}':>11}{'k p1':>8}{'k p50':>8}{'moved p5':>10}{'p50':>8}{'p95 m':>8}"
    )
    row("regions", k, np.hypot(shown_x - x, shown_y - y)[public])
    luck = np.random.default_rng(1)
    for side in (200, 400):
        cells = np.floor(np.column_stack([x, y]) / side).astype(int)
        _, which, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
        there = (cells + luck.random(cells.shape)) * side
        row(f"fixed cells of {side} m", counts[which], np.hypot(*(there.T - [x, y])))
    near, far = RING_M
    distance = np.sqrt(luck.uniform(near**2, far**2, len(x)))
    angle = luck.uniform(0, 2 * np.pi, len(x))
    ring_x, ring_y = x + distance * np.cos(angle), y + distance * np.sin(angle)
    tree = shapely.STRtree(shapely.points(x, y))
    reached = [
        np.bincount(
            tree.query(shapely.points(ring_x, ring_y), "dwithin", radius)[0], minlength=len(x)
        )
        for radius in RING_M
    ]
    row("a ring of 60 to 150 m", reached[1] - reached[0], distance)
    met = (k >= ENOUGH).mean() >= GOAL
    print(
        f"\nGoal: {100 * GOAL:.0f} % of homes among {ENOUGH} or more: {'met' if met else 'MISSED'}."
    )


if __name__ == "__main__":
    main()
