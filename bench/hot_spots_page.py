"""The page of hot spots on 1,000,000 reports: until the answer is there, and how long it takes after that.

    nice .venv/bin/python bench/hot_spots_page.py

The database is that of bench/tiles.py: six years of reports in one city of 250 neighbourhoods, 14,704
cells of 200 m. The server runs as `porchlight serve` does, with its jobs in a thread; its clock for this
page stands at the day after the last report, since without a choice the page is about the last year.

- first answer: until the page has come, with the hot spots or with how far they are
- cold: until the page shows the hot spots, asked as its script does; nothing is kept before
- warm: wrk, so many connections at once, each asking anew as soon as it is answered
- core: seconds, or milliseconds a page, of one core that the server itself took, jobs included and PostgreSQL
  not: on a busy machine the only figures that tell
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import tiles as bench  # first: it puts the project on the path
import uvicorn
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session

from data.models import Person, RoleGrant
from data.queries import sign_ins
from geo.roles import Role
from server import jobs
from server.app import create_app
from server.commands.serve import _spare_the_collector
from server.settings import Settings

TODAY = date(2024, 12, 30)
PATIENCE_S, LOOK_S = 120, 0.5
ROUNDS, SECONDS, CLIENTS = 3, 8, (1, 8)

VIEWS = {
    "everybody": (False, ""),
    "everybody, one kind": (False, "kind=lighting"),
    "the city, the last year": (True, ""),
    "one neighbourhood, the last year": (True, "area={area}"),
    "the city, one kind in the dark": (True, "kind=lighting&light=dark"),
    "the city, compared with the year before": (True, "then_from=2023-01-01&then_to=2023-12-30"),
    "the city, six years": (True, "from=2019-01-01&to=2024-12-29"),
}
"""Whether it is an administrator's, and the address."""

WRK = """
request = function() return wrk.format("GET", "%s", {["Cookie"] = "porchlight=%s"}) end
"""


def serve(port: int) -> None:
    Settings.today = lambda settings: TODAY  # the clock of the pages
    settings = Settings()
    app = create_app(settings)
    _spare_the_collector()
    with jobs.working(settings):
        uvicorn.run(
            app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
        )


@contextmanager
def administrator(url: str) -> Iterator[str]:
    """Give the token of an administrator, who is signed in for as long as it takes."""
    engine = create_engine(url)
    with Session(engine) as session:
        id = session.scalar(insert(Person).values().returning(Person.id))
        session.execute(insert(RoleGrant).values(person_id=id, role=Role.ADMINISTRATOR))
        token = sign_ins.begin(session, id, strong=True, browser="Bench")
        session.commit()
    yield token
    with bench.connect(engine.url) as own:
        # The person stays: somebody must be administrator.
        own.execute("DELETE FROM sign_in WHERE person_id = %s", [id])


def page(address: str, token: str) -> tuple[str, bool]:
    """Give a page, and whether the browser is told to load its page anew."""
    asked = urllib.request.Request(address, headers={"Cookie": f"porchlight={token}"})
    with urllib.request.urlopen(asked) as answer:
        return answer.read().decode(), answer.headers.get("HX-Refresh") == "true"


def core_s(process: subprocess.Popen) -> float:
    """Give the seconds of one core that a process has taken so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cold(port: int, query: str, token: str) -> tuple[float, float]:
    """Give the seconds until the first answer, and until the hot spots are shown."""
    site, start = f"http://127.0.0.1:{port}", time.perf_counter()
    text, _ = page(f"{site}/hotspots?{query}", token)
    first = time.perf_counter() - start
    while (progress := re.search(r'hx-get="(/hotspots/progress/\d+)"', text)) is not None:
        if time.perf_counter() - start > PATIENCE_S:
            raise SystemExit(f"no answer to {query}")
        time.sleep(LOOK_S)
        _, ended = page(site + progress[1], token)
        if ended:
            text, _ = page(f"{site}/hotspots?{query}", token)
    assert "hot-state-failed" not in text, "the analysis failed"
    return first, time.perf_counter() - start


def main() -> None:
    url = bench.made_database()
    shown = url.render_as_string(hide_password=False)
    port = bench.free_port()
    with bench.connect(url) as own, administrator(shown) as token:
        (area,) = own.execute(
            "SELECT neighbourhood_id FROM report GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
        ).fetchone()
        command = [sys.executable, __file__, "serve", str(port)]
        with bench.running(command, "/api/versions", port, DATABASE_URL=shown) as process:
            heads = ["view", "first answer, s", "cold, s", "of that core, s"]
            heads += [f"warm of {n}, p50 and p95, ms" for n in CLIENTS]
            print("|", " | ".join([*heads, "core, ms a page"]), "|")
            print("|---" * (len(heads) + 1) + "|")
            for name, (signed_in, query) in VIEWS.items():
                asked, cookie = query.format(area=area), token if signed_in else ""
                times = []
                for _ in range(ROUNDS):
                    own.execute("DELETE FROM hot_spot_run")
                    taken = core_s(process)
                    times.append((*cold(port, asked, cookie), core_s(process) - taken))
                first, whole, core = (statistics.median(one) for one in zip(*times, strict=True))
                slowest = max(whole for _, whole, _ in times)
                warm = []
                taken, pages = core_s(process), 0.0
                with tempfile.TemporaryDirectory() as folder:
                    for clients in CLIENTS:
                        found = bench.wrk(
                            port,
                            WRK % (f"/hotspots?{asked}", cookie),
                            Path(folder),
                            clients=clients,
                            seconds=SECONDS,
                        )
                        pages += found["rate"] * SECONDS
                        warm.append(f"{found['p50']:.0f}, {found['p95']:.0f}")
                a_page = 1000 * (core_s(process) - taken) / pages
                row = [name, f"{first:.2f}", f"{whole:.2f} (slowest {slowest:.2f})", f"{core:.2f}"]
                print("|", " | ".join([*row, *warm, f"{a_page:.1f}"]), "|", flush=True)
            print(f"\npeak memory of the server, jobs included: {bench.peak_mib(process):.0f} MiB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    else:
        main()
