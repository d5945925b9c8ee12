"""The queue of the desk at 100,000 open needs: each of its orders and filters, and a page deep inside.

    nice .venv/bin/python bench/desk.py

The lights stand at the clustered places of bench/generate.py in its city of 250 neighbourhoods; each is
dark, three of ten were reported twice, half have neighbours who joined, and all are ranked. 20,000 needs
more were fixed. The server is one process as `porchlight serve` starts it; an administrator asks.

- database: pgbench, one connection, prepared, running the very statements of the page, rights included: what no
  server can be faster than
- page: wrk, so many connections at once, each asking anew as soon as it is answered
- core: milliseconds a page of one core that the server itself took, PostgreSQL not: on a busy machine the
  figure that tells
"""

import contextlib
import os
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import tiles as bench  # first: it puts the project on the path
import uvicorn
from generate import places, store_areas
from hot_spots_page import WRK, administrator, core_s
from psycopg import ClientCursor
from sqlalchemy import URL, create_engine, event, text
from sqlalchemy.orm import Session
from submit import pgbench

from data import database
from data.queries import desk, work
from geo.kinds import Kind
from server.app import create_app
from server.commands.serve import _spare_the_collector
from server.pages.desk import LISTED, DeskQuery, cursor_of
from server.settings import Settings

DATABASE = "porchlight_bench_desk"
OPEN, FIXED = 100_000, 20_000
SECONDS, CLIENTS, PATIENCE_S = 5, (1, 4), 120

MADE = """
SET porchlight.bulk = 'on';
INSERT INTO street_light (pole_id, geom)
SELECT 'B' || n, ST_SetSRID(ST_MakePoint(x, y), 4326) FROM made;
CREATE TEMPORARY TABLE told AS
SELECT nextval(pg_get_serial_sequence('report', 'id')) AS id, made.n, nth, light.id AS light_id,
    light.geom, now() - random() * interval '400 days' AS at, made.n > {open} AS fixed
FROM made JOIN street_light AS light ON light.pole_id = 'B' || made.n
CROSS JOIN generate_series(0, CASE WHEN made.n % 10 < 3 THEN 1 ELSE 0 END) AS nth;
INSERT INTO report (id, kind, category_code, status, exact_geom, public_geom, address, occurred_at,
    reported_at, updated_at, closed_at, street_light_id)
SELECT id, 'lighting', (ARRAY['light_out', 'light_flickers', 'block_dark'])[1 + n % 3],
    CASE WHEN fixed THEN 'done' ELSE (ARRAY['received', 'confirmed', 'scheduled'])[1 + n % 3] END
        ::report_status,
    geom, geom, n || ' ' || (ARRAY['Oak', 'Elm', 'Main', 'Vine'])[1 + n % 4] || ' St', at, at, at,
    CASE WHEN fixed THEN at + interval '1 day' END, light_id
FROM told;
INSERT INTO report_event (report_id, kind, to_status, at)
SELECT id, 'status', step::report_status, at
FROM told, unnest(ARRAY['received', 'confirmed']) AS step;
INSERT INTO support (report_id, supporter, at)
SELECT id, sha256((id || ' ' || joined)::bytea), at FROM told, generate_series(1, (n % 2) * 2) AS joined;
INSERT INTO need (kind, category_code, street_light_id, geom, address, neighbourhood_id, hazard, status,
    opened_at, closed_at)
SELECT 'lighting', category_code, light_id, told.geom, address, piece.area_id, n % 20 = 0,
    CASE WHEN fixed THEN 'done' ELSE status END, reported_at, closed_at
FROM told JOIN report USING (id) LEFT JOIN LATERAL (
    SELECT area_id FROM area_piece
    WHERE layer = 'neighbourhood' AND ST_Intersects(area_piece.geom, told.geom) LIMIT 1
) AS piece ON true
WHERE nth = 0;
INSERT INTO need_report (need_id, report_id, how, distance_m)
SELECT need.id, told.id, 'picked', 0 FROM told JOIN need ON need.street_light_id = light_id;
INSERT INTO need_rank (need_id, weights_version_id, kind, rank, rank_low, rank_high, score, parts, levels,
    facts, seed)
SELECT id, (SELECT min(id) FROM weights_version), 'lighting', rank, greatest(1, rank - 20), rank + 20,
    50, array_fill(0.1::real, ARRAY[12]), array_fill(0.5::float8, ARRAY[12]), '{{"dark": 1}}', 1
FROM (
    SELECT id, row_number() OVER (ORDER BY hashint8(id)) AS rank FROM need WHERE closed_at IS NULL
) AS ranked;
"""

VIEWS = {
    "by priority": "",
    "by priority, after 50,000": "after={deep}",
    "due first": "order=due",
    "due first, overdue only": "order=due&overdue=1",
    "oldest first": "order=oldest",
    "one neighbourhood": "area={area}",
    "two filters": "category=block_dark&status=scheduled",
    "the number of a pole": "q=B777",
    "fixed": "status=done",
    "words of an address": "q=oak+st",
    "a word of every address": "q=st",
}


def made_database() -> URL:
    server = bench.bench_server()
    url = server.set(database=DATABASE)
    with bench.connect(server) as admin:
        found = admin.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            admin.execute(f"CREATE DATABASE {DATABASE}")
    database.upgrade(url.render_as_string(hide_password=False))
    with bench.connect(url) as own:
        (stored,) = own.execute("SELECT count(*) FROM need WHERE closed_at IS NULL").fetchone()
        if stored not in {0, OPEN}:
            raise SystemExit(f"{DATABASE} holds {stored:,} needs: drop it to have it made anew")
        if stored == 0:
            print(f"making {OPEN:,} needs, once", flush=True)
            with own.transaction():
                store_areas(own)
                own.execute("SELECT setseed(0.5)")
                own.execute("CREATE TEMPORARY TABLE made (n int, x float8, y float8)")
                with own.cursor().copy("COPY made FROM STDIN") as rows:
                    for n, place in enumerate(zip(*places(OPEN + FIXED), strict=True), 1):
                        rows.write_row((n, *map(float, place)))
                own.execute(MADE.format(open=OPEN))
        own.execute("VACUUM ANALYZE")
    return url


def statements(url: URL, person_id: int, query: DeskQuery) -> str:
    """Give what the page asks of the database, as pgbench takes it."""
    engine = create_engine(url)
    said: list[str] = []
    with Session(engine) as session:
        driver = session.connection().connection.driver_connection

        def remember(_connection, _cursor, statement, parameters, *_others) -> None:
            said.append(ClientCursor(driver).mogrify(statement, parameters))

        event.listen(engine, "before_cursor_execute", remember)
        named = {"person": str(person_id)}
        session.execute(text(f"SET LOCAL ROLE {database.WEB_ROLE}"))
        session.execute(text("SELECT set_config('porchlight.person', :person, true)"), named)
        session.execute(text("SELECT set_config('porchlight.strong', 'true', true)"))
        settings = Settings(database_url=url.render_as_string(hide_password=False))
        chosen = query.chosen(Kind.LIGHTING, settings, work.targets(session))
        items, _more = desk.queue(session, chosen, limit=LISTED, after=cursor_of(query.after))
        assert items
        desk.counts(session, chosen)
    engine.dispose()
    return "".join(f"{' '.join(one.split())};\n" for one in ("BEGIN", *said, "ROLLBACK"))


def serve(port: int) -> None:
    app = create_app(Settings())
    _spare_the_collector()
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )


def ready(port: int) -> None:
    """Wait until a server answers, on a busy machine, too."""
    for _ in range(PATIENCE_S):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/versions", timeout=20).read()
            return
        time.sleep(1)


def main() -> None:
    url = made_database()
    shown = url.render_as_string(hide_password=False)
    port = bench.free_port()
    with (
        bench.connect(url) as own,
        administrator(shown) as token,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        (area,) = own.execute(
            "SELECT neighbourhood_id FROM need GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
        ).fetchone()
        (person_id,) = own.execute("SELECT max(id) FROM person").fetchone()
        since = (datetime.now(UTC) - timedelta(days=1)).timestamp()
        deep = f"{OPEN // 2}-{int(since * 1e6)}-1"
        command = [sys.executable, __file__, "serve", str(port)]
        heads = ["queue", "database, p50 and p95, ms"]
        heads += [f"page of {n}, p50 and p95, ms" for n in CLIENTS]
        with bench.running(command, "/api/versions", port, DATABASE_URL=shown) as process:
            ready(port)
            bench.wrk(port, WRK % ("/desk", token), folder, clients=4, seconds=SECONDS)  # warm
            print("|", " | ".join([*heads, "core, ms a page", "KiB"]), "|")
            print("|---" * (len(heads) + 2) + "|", flush=True)
            for view, written in VIEWS.items():
                asked = written.format(area=area, deep=deep)
                pairs = dict(pair.split("=") for pair in asked.split("&") if pair)
                lists = {k: [v] for k, v in pairs.items() if k in {"category", "status"}}
                query = DeskQuery.model_validate(
                    {**pairs, **lists, "q": pairs.get("q", "").replace("+", " ")}
                )
                script = folder / "page.sql"
                script.write_text(statements(url, person_id, query))
                alone = pgbench(url, folder, 1, SECONDS, script)
                row = [view, f"{alone['p50']:.0f}, {alone['p95']:.0f}"]
                taken, pages = core_s(process), 0.0
                for clients in CLIENTS:
                    found = bench.wrk(
                        port, WRK % (f"/desk?{asked}", token), folder,
                        clients=clients, seconds=SECONDS,
                    )  # fmt: skip
                    pages += found["rate"] * SECONDS
                    row.append(f"{found['p50']:.0f}, {found['p95']:.0f}")
                a_page = 1000 * (core_s(process) - taken) / pages
                row += [f"{a_page:.0f}", f"{found['bytes'] / 1024:.0f}"]
                print("|", " | ".join(row), "|", flush=True)
            print(f"\npeak memory of the server: {bench.peak_mib(process):.0f} MiB")


if __name__ == "__main__":
    os.environ.setdefault("PORCHLIGHT_POSITION_SECRET", "s" * 32)
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    else:
        main()
