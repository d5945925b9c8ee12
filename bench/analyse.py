# ruff: noqa: PLC0415 (each process imports only what it measures, since its memory is measured, too)
"""Hot spots of millions of reports in GeoParquet partitions, by processes of a Dask cluster.

    nice .venv/bin/python bench/analyse.py [FOLDER]

Makes a city of 17 by 29 km with six years of reports, a file a month, 5 and 20 million of them, unless
FOLDER has them already. Counts them into three grids of hexagons of 200 m, near-duplicates grouped, by
one, two and four worker processes on this machine; in one process, part by part; and in one process with
all rows in memory at once. Beside it, what a script would do: geopandas reads and projects everything,
and numpy bins it, without grouping. All that group must give the same counts.

Each run has a process of its own. Time is by the clock, from the first file that is opened to the last count,
without the start of the workers, and in seconds of a core, summed over the workers. Memory is
the most that a worker held, with all it imported; bare, a worker that has done nothing yet.
"""

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parent.parent))

COUNTS = (5_000_000, 20_000_000)
MONTHS = 72
ZONE = ZoneInfo("America/Chicago")
FLAT = 1.3
"""Times the memory of a worker with a quarter of the reports: what is called flat."""


def make(folder, count):
    """Write reports, each month's in a file."""
    import numpy as np
    import pyarrow as pa

    from bench.generate import SEED, places
    from data.partitions import write
    from geo.categories import CATEGORIES

    lon, lat = places(count, SEED)
    random = np.random.default_rng(SEED)
    codes = np.array([category.code for category in CATEGORIES])
    month_of = random.integers(0, MONTHS, count)
    folder.mkdir(parents=True)
    for month in range(MONTHS):
        mine = month_of == month
        start, end = (
            np.datetime64("2019-01") + np.timedelta64(month + step, "M") for step in (0, 1)
        )
        first, last = (moment.astype("datetime64[us]").astype(int) for moment in (start, end))
        at_us = random.integers(first, last, mine.sum())
        category = pa.array(codes[random.integers(0, len(codes), mine.sum())])
        write(folder / f"{start}.parquet", lon[mine], lat[mine], at_us / 1e6, category, about={})


def asked(folder):
    from bench.generate import CITY
    from data.partitions import files, pieces
    from data.queries.hot_spots import Source
    from geo.crs import in_city_metres
    from geo.hot_spots import Ground, Settings
    from server.hot_spot_parts import question
    from server.hot_spots import Asked

    outline = in_city_metres(CITY)
    ground = Ground(outline, outline)
    years = Asked(Source.REPORTS, date(2019, 1, 1), date(2024, 12, 31))
    return question(years, ground, Settings(), pieces(files(folder)), ZONE), ground


def used():
    """Say how many MiB this process has held at most, and for how many seconds it had a core."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_maxrss // 1024, usage.ru_utime + usage.ru_stime


def digest(found):
    """Give a short name of counts: the same for the same ones."""
    tally = found.tally
    columns = (*tally.grids, tally.months, tally.steps, tally.dark, tally.reports)
    return hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()[:12]


def by_workers(folder, workers):
    from server.hot_spot_parts import by, cluster, plan

    with (
        tempfile.TemporaryDirectory() as scratch,
        cluster(None, workers, Path(scratch)) as client,
    ):
        # Imports are not what is measured; each worker does them once.
        client.run(asked, folder)
        before = client.run(used)
        start = time.perf_counter()
        put, ground = asked(folder)
        found = by(client, put, plan(put, ground))
        seconds = time.perf_counter() - start
        after = client.run(used)
        return {
            "seconds": seconds,
            "core": sum(after[name][1] - before[name][1] for name in before),
            "mib": max(mib for mib, _ in after.values()),
            "bare": max(mib for mib, _ in before.values()),
            "found": digest(found),
            "rows": found.rows,
        }


def here(folder, most):
    from server.hot_spot_parts import here as in_this_process
    from server.hot_spot_parts import plan

    bare, before = used()
    start = time.perf_counter()
    put, ground = asked(folder)
    found = in_this_process(put, plan(put, ground, most))
    seconds = time.perf_counter() - start
    mib, after = used()
    return {
        "seconds": seconds,
        "core": after - before,
        "mib": mib,
        "bare": bare,
        "found": digest(found),
        "rows": found.rows,
    }


def script(folder):
    """What one would write without us: all rows at once, and each report counted."""
    import geopandas as gpd
    import pandas as pd

    from data.partitions import files

    bare, before = used()
    start = time.perf_counter()
    put, _ = asked(folder)
    table = pd.concat(map(gpd.read_parquet, files(folder)))
    places = table.geometry.to_crs(26915)
    counts = [cells.counts(places.x.to_numpy(), places.y.to_numpy()) for cells in put.laid.cells]
    seconds = time.perf_counter() - start
    mib, after = used()
    return {
        "seconds": seconds,
        "core": after - before,
        "mib": mib,
        "bare": bare,
        "found": "",
        "rows": len(table) if counts[0].sum() else 0,
    }


JOBS = {
    "1 worker": lambda folder: by_workers(folder, 1),
    "2 workers": lambda folder: by_workers(folder, 2),
    "4 workers": lambda folder: by_workers(folder, 4),
    "no cluster, part by part": lambda folder: here(folder, 400_000),
    "no cluster, all at once": lambda folder: here(folder, 10**12),
    "geopandas and numpy, no grouping": script,
}


def measured(name, folder):
    done = subprocess.run(
        [sys.executable, __file__, "--job", name, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def main(folder):
    rows = {}
    print("| run | reports | seconds | of a core | MiB | bare | load |")
    print("|---|---|---|---|---|---|---|")
    for count in COUNTS:
        of_count = folder / str(count)
        if not of_count.is_dir():
            subprocess.run(
                [sys.executable, __file__, "--make", str(count), str(of_count)], check=True
            )
    for name, count in product(JOBS, COUNTS):
        load = os.getloadavg()[0]
        one = rows[name, count] = measured(name, folder / str(count))
        print(
            f"| {name} | {one['rows']:,} | {one['seconds']:.0f} | {one['core']:.0f} | {one['mib']} "
            f"| {one['bare']} | {load:.1f} |",
            flush=True,
        )
    for count in COUNTS:
        assert len({rows[name, count]["found"] for name in JOBS} - {""}) == 1, "counts differ"
    few, many = COUNTS
    grown = {
        name: rows[name, many]["mib"] / rows[name, few]["mib"]
        for name in ("1 worker", "2 workers", "4 workers")
    }
    fall = rows["1 worker", many]["seconds"] / rows["2 workers", many]["seconds"]
    print(f"\nMemory of a worker, {many:,} to {few:,}: {grown}")
    print(f"Two workers are {fall:.2f} times as fast as one at {many:,}")
    return max(grown.values()) <= FLAT and fall > 1


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--job", name, folder]:
            print(json.dumps(JOBS[name](Path(folder))))
        case ["--make", count, folder]:
            make(Path(folder), int(count))
        case [folder]:
            raise SystemExit(not main(Path(folder)))
        case _:
            with tempfile.TemporaryDirectory() as folder:
                raise SystemExit(not main(Path(folder)))
