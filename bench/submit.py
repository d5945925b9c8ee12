"""Reports sent by eight clients at once: validation, report, event, areas, tallies, commit.

    nice .venv/bin/python bench/submit.py

Each request is a POST /api/reports with a key of its own at a place of its own; four in ten are of a
category at homes, whose public position is computed. Load comes from wrk with eight connections on
one server process. Both take turns in four rounds, and the means are shown.

- limit: pgbench, eight connections, prepared, running the very statements: BEGIN, the one that
  writes report, event and key (triggers join the areas and count the tallies), COMMIT
- ours: POST /api/reports

The database is that of bench/tiles.py, with its 1,000,000 reports; what is sent is taken out again.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import tiles as bench  # first: it puts the project on the path
from sqlalchemy import URL

from data.cluster import Binaries
from data.queries.reports import SUBMIT
from geo.categories import CATEGORIES

CLIENTS = 8
ROUNDS = 4
SECONDS = 8
BOX = (-94.65, 38.96, -94.47, 39.19)
"""Degrees; inside of the city."""

# As the statement's parameters are bound by the server, but with what pgbench can compute.
PGBENCH = r"""
\set c random(1, {categories})
\set x random({west}, {east})
\set y random({south}, {north})
\set k random(1, 9000000000000000000)
BEGIN;
{submit};
COMMIT;
"""

WRK = """
local codes = {%s}
local west, south, east, north = %s
local me, count = 0, 0
function setup(thread) me = me + 1; thread:set("id", me) end
function init() math.randomseed(os.time() + id) end
request = function()
  count = count + 1
  local body = string.format(
    '{"category": "%%s", "lat": %%.6f, "lon": %%.6f, "severity": "serious", '
      .. '"description": "It has been like this for some weeks."}',
    codes[math.random(#codes)], south + math.random() * (north - south),
    west + math.random() * (east - west))
  return wrk.format("POST", "/api/reports", {
    ["Content-Type"] = "application/json",
    ["Idempotency-Key"] = string.format("bench-%%d-%%d-%%d", os.time(), id, count)
      .. "-" .. math.random(1e9),
  }, body)
end
"""


def pgbench(url: URL, folder: Path, clients: int, seconds: int, *scripts: Path) -> dict[str, float]:
    """Give what the database alone does in a second, and how long each transaction takes."""
    host = url.query.get("host") or url.host or ""
    chosen = [part for script in scripts for part in ("-f", script)]
    output = subprocess.run(
        [Binaries.find(None).folder / "pgbench", "-n", "-M", "prepared", "-c", str(clients),
         "-j", "1", "-T", str(seconds), "-l", "--log-prefix", folder / "log", *chosen,
         "-h", host, "-p", str(url.query.get("port") or url.port or 5432),
         "-U", url.username, url.database],
        check=True, capture_output=True, text=True, cwd=folder,
        env=os.environ | {"PGOPTIONS": "-c jit=off"},  # as our connections have it
    ).stdout  # fmt: skip
    assert re.search(r"failed transactions: 0 ", output), output
    took = []
    for log in folder.glob("log*"):
        took += [int(line.split()[2]) / 1000 for line in log.read_text().splitlines()]
        log.unlink()
    took.sort()
    return {
        "rate": float(re.search(r"tps = ([\d.]+)", output)[1]),
        "p50": took[len(took) // 2],
        "p95": took[len(took) * 95 // 100],
    }


def limit(url: URL, folder: Path) -> dict[str, float]:
    codes = ", ".join(f"'{category.code}'" for category in CATEGORIES)
    kinds = ", ".join(f"'{category.kind}'" for category in CATEGORIES)
    point = "ST_AsBinary(ST_MakePoint(:x / 1000000.0, :y / 1000000.0))"
    values = {
        "key": "'bench ' || CAST(:k AS text)", "body_hash": "sha256(''::bytea)", "kind": f"(ARRAY[{kinds}])[:c]",
        "category": f"(ARRAY[{codes}])[:c]", "severity": "'serious'", "exact": point,
        "public": point.replace(":x ", "(:x + 900) "), "address": "''", "home_address": "''", "public_text": "'It has been like this for some weeks.'", "text_waits": "false", "reporter_id": "NULL", "on_behalf_of_id": "NULL", "street_light_id": "NULL", "description": "'It has been like this for some weeks.'",
        "occurred_at": "NULL", "language": "NULL", "name": "''", "email": "''", "phone": "''", "reachable": "false",
    }  # fmt: skip
    submit = re.sub(r"(?<!:):([a-z_]+)", lambda found: values[found[1]], SUBMIT)
    west, south, east, north = (round(degrees * 1_000_000) for degrees in BOX)
    script = folder / "submit.sql"
    script.write_text(
        PGBENCH.format(
            categories=len(CATEGORIES), west=west, south=south, east=east, north=north,
            submit=" ".join(submit.split()),
        )
    )  # fmt: skip
    return pgbench(url, folder, CLIENTS, SECONDS, script)


def load(port: int, folder: Path, seconds: int) -> dict[str, float]:
    codes = ", ".join(f'"{category.code}"' for category in CATEGORIES)
    script = WRK % (codes, ", ".join(map(str, BOX)))
    return bench.wrk(port, script, folder, clients=CLIENTS, seconds=seconds)


def stored(url: URL) -> int:
    with bench.connect(url) as own:
        return own.execute("SELECT count(*) FROM submission").fetchone()[0]


def take_out(url: URL) -> None:
    with bench.connect(url) as own:
        own.execute("DELETE FROM report USING submission WHERE report.id = submission.report_id")
        own.execute("VACUUM ANALYZE report, report_event, submission, report_tally, layer_change")


def main() -> None:
    url = bench.made_database()
    print(f"{'':<28}{'reports/s':>10}{'ratio':>8}{'p50 ms':>10}{'p95 ms':>10}{'':>8}{'MiB RSS':>8}")
    with tempfile.TemporaryDirectory() as name, bench.ours(url, cache_bytes=0) as (port, process):
        folder = Path(name)
        folder.chmod(0o755)
        load(port, folder, 3)
        most, found = [], []
        for _ in range(ROUNDS):
            take_out(url)
            most.append(limit(url, folder))
            take_out(url)
            found.append(load(port, folder, SECONDS))
            assert stored(url) >= found[-1]["rate"] * SECONDS * 0.99
        base, ours = bench.mean(most), bench.mean(found)
        bench.row("pgbench, the same SQL", base, base=base["rate"])
        bench.row("ours (of pgbench)", ours, bench.peak_mib(process), base["rate"])
    take_out(url)


if __name__ == "__main__":
    main()
