"""Pages of 1,000 reports as GeoJSON, out of 1,000,000.

    nice .venv/bin/python bench/page_of_features.py [--tipg PATH-OF-A-VENV]

The pages begin at 40 places of the list, spread over all of it, as clients do who follow the `next`
links. Load comes from wrk with two connections, gzip accepted. All take
turns in four rounds, and the means are shown, since the machine is shared.

- limit: pgbench, two connections, prepared, running the very statement of each page
- ours: GET /api/reports?limit=1000&cursor=...
- tipg, on the same table: its items, 1,000 at once, all attributes; it pages by offset

The database is that of bench/tiles.py; bench/requirements.txt names the peer's version.
"""

import argparse
import json
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import tiles as bench  # first: it puts the project on the path
from sqlalchemy import URL
from sqlalchemy.dialects import postgresql
from submit import pgbench

from data.queries import feature_pages
from data.queries.filters import Cursor, ReportFilter
from server.schemas.cursors import cursor_text

PAGES = 40
LIMIT = 1_000
ROUNDS = 4
SECONDS = 8
CHOSEN = ReportFilter(ZoneInfo("America/Chicago"))


def places_in_the_list(url: URL) -> list[Cursor]:
    with bench.connect(url) as own:
        rows = own.execute(
            "SELECT reported_at, id FROM report WHERE id %% %s = 0 ORDER BY reported_at",
            [bench.REPORTS // PAGES],
        ).fetchall()
    return [Cursor(at.astimezone(UTC), id) for at, id in rows][1:]


def statement(after: Cursor) -> str:
    """Give the statement of a page as pgbench takes it."""
    query, values = feature_pages.features(CHOSEN, None, LIMIT, after)
    text = (
        query.params(values)
        .compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
        .string
    )
    return " ".join(text.replace("%%", "%").split())


def limit(url: URL, places: list[Cursor], folder: Path) -> dict[str, float]:
    scripts = []
    for number, after in enumerate(places):
        script = folder / f"{number}.sql"
        script.write_text(f"{statement(after)};")
        scripts.append(script)
    return pgbench(url, folder, 2, SECONDS, *scripts)


@contextmanager
def tipg(venv: Path, url: URL, port: int) -> Iterator[subprocess.Popen]:
    host = url.query.get("host") or url.host or ""
    command = [venv / "bin" / "python", "-m", "uvicorn", "tipg.main:app", "--port", str(port),
               "--no-access-log", "--log-level", "warning"]  # fmt: skip
    environment = {
        "DATABASE_URL": f"postgresql://{url.username}@{quote(host, safe='')}/{url.database}",
        "TIPG_DB_SCHEMAS": '["public"]',
        "TIPG_DB_TABLES": '["public.report"]',
    }
    with bench.running(command, "/healthz", port, **environment) as process:
        yield process


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tipg", type=Path)
    venv = arguments.parse_args().tipg
    url = bench.made_database()
    places = places_in_the_list(url)
    print(f"{len(places)} pages of {LIMIT:,} reports")
    print(
        f"{'':<28}{'pages/s':>10}{'ratio':>8}{'p50 ms':>10}{'p95 ms':>10}{'KiB':>8}{'MiB RSS':>8}"
    )
    paths = [f"/api/reports?limit={LIMIT}&cursor={cursor_text(place)}" for place in places]
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        folder = Path(name)
        folder.chmod(0o755)
        port, process = servers.enter_context(bench.ours(url, cache_bytes=0))
        page = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}{paths[0]}"))
        assert page["numberReturned"] == len(page["features"]) == LIMIT
        if venv:
            peer_port = bench.free_port()
            peer_process = servers.enter_context(tipg(venv, url, peer_port))
            peer_paths = [
                f"/collections/public.report/items?f=geojson&limit={LIMIT}"
                f"&offset={number * LIMIT}&geom-column=public_geom"
                for number in range(PAGES)
            ]
        most, found, peer = [], [], []
        for _ in range(ROUNDS):
            most.append(limit(url, places, folder))
            found.append(bench.load(port, paths, folder, SECONDS))
            if venv:
                peer.append(bench.load(peer_port, peer_paths, folder, SECONDS))
        base = bench.mean(most)
        bench.row("pgbench, the same SQL", base, base=base["rate"])
        ours = bench.mean(found)
        bench.row("ours (of pgbench)", ours, bench.peak_mib(process), base["rate"])
        if venv:
            other = bench.mean(peer)
            bench.row("tipg", other, bench.peak_mib(peer_process), other["rate"])
            bench.row("ours (of tipg)", ours, base=other["rate"])


if __name__ == "__main__":
    main()
