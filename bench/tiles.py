"""Vector tiles of 1,000,000 reports in 250 neighbourhoods, mixed zooms 10 to 16.

    nice .venv/bin/python bench/tiles.py [--tipg PATH-OF-A-VENV]

The city and its reports are those of bench/generate.py. Half of the tiles are those around reports
(and so where many are), half are spread evenly over the city. Load comes from wrk with two
connections that accept gzip, as browsers do.

- limit: pgbench, two connections, prepared, running the very statement of each tile
- uncached: our server, keeping no tile
- warm: our server, every tile kept, the address naming the version
- tipg (its defaults: all attributes, at most 10,000 features), on the same table

bench/requirements.txt names the peers' versions. The database is made once, on the server that
DATABASE_URL names or else in a private cluster under var/bench.
"""

import argparse
import itertools
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import psycopg
import uvicorn
from sqlalchemy import URL, make_url

sys.path.insert(0, str(Path(__file__).parent.parent))

from data import database
from data.cluster import Binaries, Cluster
from data.queries import tiles
from data.queries.filters import ReportFilter
from geo.tiles import Tile
from server import tiles as served
from server.app import create_app
from server.commands.serve import _spare_the_collector
from server.settings import Settings

ROOT = Path(__file__).parent.parent
DATABASE = "porchlight_bench_tiles"
REPORTS = 1_000_000
ZOOMS = range(10, 17)
TILES_PER_ZOOM = 18  # 126 of them: pgbench takes 128 scripts
SECONDS = 20
ROUNDS = 3
CHOSEN = ReportFilter(ZoneInfo("America/Chicago"))


def bench_server() -> URL:
    if url := os.environ.get("DATABASE_URL"):
        return make_url(url)
    var = Path(os.environ.get("PORCHLIGHT_VAR", ROOT / "var"))
    return make_url(Cluster(var / "bench").start())


def connect(url: URL) -> psycopg.Connection:
    plain = url.set(drivername="postgresql")
    return psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True)


def made_database() -> URL:
    server = bench_server()
    url = server.set(database=DATABASE)
    with connect(server) as admin:
        found = admin.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            admin.execute(f"CREATE DATABASE {DATABASE}")
    database.upgrade(url.render_as_string(hide_password=False))
    with connect(url) as own:
        # Those that bench/submit.py sends stay beside the made ones.
        (stored,) = own.execute("SELECT count(*) FROM report WHERE source = 'generated'").fetchone()
        if stored not in {0, REPORTS}:
            raise SystemExit(f"{DATABASE} holds {stored:,} reports: drop it to have it made anew")
        if stored == 0:
            print(f"making {REPORTS:,} reports, once", flush=True)
            from generate import reports, store_areas, store_reports  # noqa: PLC0415 (a server has none of it)

            store_areas(own)
            with own.transaction():
                store_reports(own, reports(REPORTS))
        own.execute("VACUUM ANALYZE")
    return url


def mixed_tiles(url: URL) -> list[Tile]:
    drawn = random.Random(7)
    with connect(url) as own:
        dense = own.execute(
            "SELECT ST_X(public_geom), ST_Y(public_geom) FROM report "
            "WHERE id % 4999 = 0 AND public_geom IS NOT NULL ORDER BY id"
        ).fetchall()
        west, south, east, north = own.execute(
            "SELECT ST_XMin(g), ST_YMin(g), ST_XMax(g), ST_YMax(g) "
            "FROM (SELECT ST_Extent(geom) AS g FROM area) AS extent"
        ).fetchone()
        found = []
        for z in ZOOMS:
            places = drawn.sample(dense, TILES_PER_ZOOM // 2) + [
                (drawn.uniform(west, east), drawn.uniform(south, north))
                for _ in range(TILES_PER_ZOOM // 2)
            ]
            for longitude, latitude in places:
                x, y = own.execute(
                    "SELECT tile_x(%s, %s), tile_y(%s, %s)", [longitude, z, latitude, z]
                ).fetchone()
                found.append(Tile(z, x, y))
    drawn.shuffle(found)
    return found


# Load ---------------------------------------------------------------------------------------------

WRK = """
local paths = {}
for line in io.lines("%s") do paths[#paths + 1] = line end
local at = 0
request = function()
  at = at %% #paths + 1
  return wrk.format("GET", paths[at], {["Accept-Encoding"] = "gzip"})
end
"""

DONE = """
done = function(summary, latency)
  io.write(string.format('{"n": %d, "us": %d, "p50": %d, "p95": %d, "bytes": %d, "errors": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95),
    summary.bytes, summary.errors.status + summary.errors.timeout + summary.errors.read))
end
"""


def wrk(port: int, script: str, folder: Path, *, clients: int, seconds: int) -> dict[str, float]:
    """Give what a server answers in a second to so many clients at once, and how long it takes."""
    (folder / "load.lua").write_text(script + DONE)
    output = subprocess.run(
        ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "20s", "-s",
         folder / "load.lua", f"http://127.0.0.1:{port}"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    found = json.loads(re.search(r"\{.*\}", output)[0])
    assert not found["errors"], output
    return {
        "rate": found["n"] / found["us"] * 1e6,
        "p50": found["p50"] / 1000,
        "p95": found["p95"] / 1000,
        "bytes": found["bytes"] / found["n"],
    }


def load(port: int, paths: list[str], folder: Path, seconds: int = SECONDS) -> dict[str, float]:
    (folder / "paths").write_text("\n".join(paths))
    return wrk(port, WRK % (folder / "paths"), folder, clients=2, seconds=seconds)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command: list, path: str, port: int, **environment: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(command, env=os.environ | environment, stdout=sys.stderr)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20).read()
                break
            except OSError:
                time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def peak_mib(process: subprocess.Popen) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


# What is measured ---------------------------------------------------------------------------------


def serve(port: int, cache_bytes: int) -> None:
    """Our server as `porchlight serve` runs it, keeping so many bytes of tiles."""
    served.CACHE_BYTES = cache_bytes
    app = create_app(Settings(reports_per_hour=0))  # all comes from one address
    _spare_the_collector()
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )


@contextmanager
def ours(url: URL, cache_bytes: int) -> Iterator[tuple[int, subprocess.Popen]]:
    port = free_port()
    command = [sys.executable, __file__, "serve", str(port), str(cache_bytes)]
    shown = url.render_as_string(hide_password=False)
    with running(
        command, "/api/versions", port, DATABASE_URL=shown, PORCHLIGHT_REPORTS_PER_HOUR="1000000000"
    ) as process:
        yield port, process


def limit(url: URL, mixed: list[Tile], folder: Path) -> dict[str, float]:
    """pgbench with the statement of each tile as a script of its own."""
    scripts: list[str] = []
    for number, tile in enumerate(mixed):
        statement, parameters = tiles.prepared("reports", tile, CHOSEN)
        names = dict.fromkeys(re.findall(r"%\((\w+)\)s", statement))
        lines = []
        for name in names:
            value = parameters[name]
            # Words can not be variables of pgbench; PostgreSQL plans constants no slower.
            if isinstance(value, (int, float)):
                lines.append(f"\\set p_{name} {value!r}")
                statement = statement.replace(f"%({name})s", f":p_{name}")
            else:
                word = value.decode() if isinstance(value, bytes) else value
                statement = statement.replace(f"%({name})s", f"'{word}'")
        body = " ".join(statement.split())
        script = folder / f"{number}.sql"
        script.write_text("\n".join([*lines, f"{body};"]))
        scripts += ["-f", str(script)]
    subprocess.run(
        [Binaries.find(None).folder / "pgbench", "-n", "-M", "prepared", "-c", "2", "-j", "1",
         "-T", str(SECONDS), "-l", "--log-prefix", folder / "log", *scripts,
         "-h", url.query.get("host") or url.host or "", "-p", str(url.query.get("port") or url.port or 5432),
         "-U", url.username, url.database],
        check=True, capture_output=True, cwd=folder,
        env=os.environ | {"PGOPTIONS": "-c jit=off"},  # as our connections have it
    )  # fmt: skip
    took: dict[str, list[float]] = {}
    for log in folder.glob("log*"):
        for line in log.read_text().splitlines():
            _, _, us, script, *_ = line.split()
            took.setdefault(script, []).append(int(us) / 1000)
        log.unlink()
    # pgbench draws scripts at random and wrk goes through its list in order, so that each tile
    # counts the same here as there.
    means = [statistics.fmean(times) for times in took.values()]
    every = sorted(itertools.chain(*took.values()))
    return {
        "rate": 2 * 1000 / statistics.fmean(means),
        "p50": every[len(every) // 2],
        "p95": every[len(every) * 95 // 100],
    }


def tipg(venv: Path, url: URL, mixed: list[Tile], folder: Path) -> tuple[dict[str, float], float]:
    port = free_port()
    host = url.query.get("host") or url.host or ""
    command = [venv / "bin" / "python", "-m", "uvicorn", "tipg.main:app", "--port", str(port),
               "--no-access-log", "--log-level", "warning"]  # fmt: skip
    environment = {
        "DATABASE_URL": f"postgresql://{url.username}@{quote(host, safe='')}/{url.database}",
        "TIPG_DB_SCHEMAS": '["public"]',
        "TIPG_DB_TABLES": '["public.report"]',
    }
    paths = [
        f"/collections/public.report/tiles/WebMercatorQuad/{t.z}/{t.x}/{t.y}?geom-column=public_geom"
        for t in mixed
    ]
    with running(command, "/healthz", port, **environment) as process:
        return load(port, paths, folder, seconds=3 * SECONDS), peak_mib(process)


def mean(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.fmean(one[name] for one in rounds) for name in rounds[0]}


def row(name: str, found: dict[str, float], memory: float | None = None, base: float = 0) -> None:
    times = f"{found['rate'] / base:8.2f}" if base else " " * 8
    size = f"{found['bytes'] / 1024:8.1f}" if "bytes" in found else " " * 8
    mib = f"{memory:8.0f}" if memory else " " * 8
    print(
        f"{name:<28}{found['rate']:>10.0f}{times}{found['p50']:>10.2f}{found['p95']:>10.2f}{size}{mib}",
        flush=True,
    )


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tipg", type=Path)
    venv = arguments.parse_args().tipg
    url = made_database()
    mixed = mixed_tiles(url)
    paths = [f"/tiles/reports/{tile.z}/{tile.x}/{tile.y}.mvt" for tile in mixed]
    print(f"{len(mixed)} tiles, {len(set(mixed))} of them different")
    print(
        f"{'':<28}{'tiles/s':>10}{'ratio':>8}{'p50 ms':>10}{'p95 ms':>10}{'KiB':>8}{'MiB RSS':>8}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        limits, founds = [], []
        with ours(url, cache_bytes=0) as (port, process):
            load(port, paths, folder, seconds=5)
            for _ in range(ROUNDS):
                limits.append(limit(url, mixed, folder))
                founds.append(load(port, paths, folder))
            memory = peak_mib(process)
        most, found = mean(limits), mean(founds)
        row("pgbench, the same SQL", most, base=most["rate"])
        row("uncached (of pgbench)", found, memory, most["rate"])
        rounds = [
            f"{ours['rate'] / own['rate']:.2f}" for ours, own in zip(founds, limits, strict=True)
        ]
        print(f"ratio in each of {ROUNDS} rounds: {', '.join(rounds)}")
        with ours(url, cache_bytes=served.CACHE_BYTES) as (port, process):
            versions = urllib.request.urlopen(f"http://127.0.0.1:{port}/api/versions").read()
            version = json.loads(versions)["reports"]
            versioned = [f"{path}?v={version}" for path in paths]
            load(port, versioned, folder, seconds=5)
            warm = load(port, versioned, folder)
            row("warm", warm, peak_mib(process))
            row("warm, no version asked for", load(port, paths, folder), peak_mib(process))
        if venv:
            peer, memory = tipg(venv, url, mixed, folder)
            row("tipg", peer, memory, peer["rate"])
            row("uncached (of tipg)", found, base=peer["rate"])
            row("warm (of tipg)", warm, base=peer["rate"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*map(int, sys.argv[2:]))
    else:
        main()
