"""Routes of 120 stops by four crews, beside PyVRP's longer run of the same question.

    nice .venv/bin/python bench/routes.py [ROUNDS]

A city of 16 km with streets every 400 m and two depots; stops lie near streets in 12 clusters, each takes
20 to 40 minutes, and a crew has 18 hours, so that the four of them can just go to all. The longer run has
ROUNDS (20,000 without).
"""

import sys
import time
from pathlib import Path

import numpy as np
import shapely

sys.path.insert(0, str(Path(__file__).parent.parent))

from geo.routes import Shift, routed
from geo.street_network import StreetNetwork

STOPS, DEPOTS, SIDE_M, EVERY_M = 120, 2, 16_000, 400
SEED = 20_260_514
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000

rng = np.random.default_rng(SEED)
ways = np.arange(0, SIDE_M + 1, EVERY_M)
streets = [shapely.LineString([(0, y), (SIDE_M, y)]) for y in ways]
streets += [shapely.LineString([(x, 0), (x, SIDE_M)]) for x in ways]
middle = rng.uniform(0, SIDE_M, (12, 2))
stops = middle[rng.integers(0, 12, STOPS)] + rng.normal(0, 900, (STOPS, 2))
places = np.vstack([rng.uniform(0, SIDE_M, (DEPOTS, 2)), stops.clip(0, SIDE_M)])
service_s = (60 * rng.integers(20, 41, STOPS)).tolist()
shifts = [Shift(depot, 18 * 60, 1) for depot in (0, 0, 1, 1)]

start = time.perf_counter()
network = StreetNetwork(streets)
noded_s = time.perf_counter() - start
start = time.perf_counter()
distances = network.distances(places)
ways_s = time.perf_counter() - start
print(
    f"{len(streets)} streets joined in {noded_s:.2f} s, {len(places)} places apart in {ways_s:.2f} s"
)


def measured(rounds=None):
    start = time.perf_counter()
    found = routed(distances.metres, DEPOTS, service_s, shifts, rounds=rounds)
    return time.perf_counter() - start, found


short_s, short = measured()
again = measured()[1]
long_s, long = measured(ROUNDS)
print("| | s | km | left out |")
print("|---|---|---|---|")
print(f"| ours | {short_s:.1f} | {short.metres / 1000:.1f} | {len(short.left)} |")
print(f"| {ROUNDS:,} rounds | {long_s:.1f} | {long.metres / 1000:.1f} | {len(long.left)} |")
print(f"{short.metres / long.metres - 1:.2%} longer")
assert again == short
assert not short.left
assert short_s < 10, short_s
assert short.metres <= 1.05 * long.metres
