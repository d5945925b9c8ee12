"""Loading reports in bulk: 1,000,000 made-up ones, and Kansas City's 311 file.

    nice .venv/bin/python bench/bulk_load.py

Writing: the same rows into the same empty table (the columns of `report`), from arrays in memory;
the peers are the server's own binary COPY of bytes prepared beforehand, which is the limit, and
geopandas.to_postgis from a frame prepared beforehand.

Loading: a whole import of the same rows into `report` itself, with fingerprints, areas, public
positions, timelines, tallies, needs, constraints and indexes; beside binary COPY of `report` and
`report_event`, prepared beforehand, into tables with the same constraints and indexes.

The 311 file: a whole import beside geopandas.to_postgis of the file.
"""

import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import psycopg
from generate import SEED, reports, store_areas, store_reports
from psycopg import sql
from sqlalchemy import make_url

from data import database, imports, wkb
from data.cluster import Cluster
from data.load import copy
from data.sources.batch import File
from data.sources.city import CITY
from data.sources.kcmo_311 import KCMO_311
from data.sources.neighbourhoods import NEIGHBOURHOODS

REPORTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
ROUNDS = 3
DATABASE = "porchlight_bench_load"
SECRET = b"s" * 32
EMPTY = "TRUNCATE report, report_tally, need CASCADE"
SHARED = Path(os.environ.get("PORCHLIGHT_SHARED", Path(__file__).parents[2] / "shared" / "data"))
PLAIN = [
    "external_id", "category_code", "status", "address", "description", "reported_at",
    "occurred_at", "closed_at", "exact_geom",
]  # fmt: skip


def made_database():
    if url := os.environ.get("DATABASE_URL"):
        server = make_url(url)
    else:
        cluster = Cluster(Path(os.environ.get("PORCHLIGHT_VAR", "var")) / "bench")
        server = make_url(cluster.start()).set(username="postgres")
    own = server.set(drivername="postgresql", database="postgres").render_as_string(False)
    with psycopg.connect(own, autocommit=True) as admin:
        for statement in ("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {}"):
            admin.execute(sql.SQL(statement).format(sql.Identifier(DATABASE)))
    made = server.set(drivername="postgresql+psycopg", database=DATABASE).render_as_string(False)
    database.upgrade(made)
    return made


@contextmanager
def new_store():
    """Give a connection to a store made anew, which no other part has filled, and its engine."""
    url = made_database()
    engine = database.engine(url, pool_size=2)
    plain = make_url(url).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(plain) as connection:
        connection.execute("SET jit = off")
        yield connection, engine
    engine.dispose()


def measured(connection, prepare, job, rounds=ROUNDS):
    """Give the best of some rounds; what is prepared and the checkpoint are not counted."""
    best = np.inf
    for _ in range(rounds):
        connection.execute(prepare)
        connection.commit()
        connection.execute("CHECKPOINT")
        connection.commit()
        start = time.perf_counter()
        job()
        connection.commit()
        best = min(best, time.perf_counter() - start)
    return best


def copied_out(connection, query):
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as out,
    ):
        return [bytes(part) for part in out]


def copied_in(connection, table, columns, parts):
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        stream.write(b"".join(parts))


def table(rows):
    """Print how the ways compare."""
    print("| method | seconds | rows/s | of raw COPY | times to_postgis |")
    print("|---|---|---|---|---|")
    raw, frame = rows["raw binary COPY"], rows.get("geopandas.to_postgis")
    for name, seconds in rows.items():
        beside = f"{frame / seconds:.1f}" if frame else ""
        print(
            f"| {name} | {seconds:.2f} | {REPORTS / seconds:,.0f} | {raw / seconds:.2f} | {beside} |"
        )
    print(flush=True)


def writing(connection, engine, records):
    """Write the same rows in three ways into the same empty table."""
    create = (
        "DROP TABLE IF EXISTS written; CREATE TABLE written AS SELECT "
        + ", ".join(f"{name}::text" if name == "status" else name for name in PLAIN)
        + " FROM report LIMIT 0"
    )
    kept = records.drop_columns(["longitude", "latitude"])
    x, y = (records.column(name).to_numpy() for name in ("longitude", "latitude"))

    def ours():
        copy(connection, "written", kept.append_column("exact_geom", wkb.points(x, y)))

    frame = gpd.GeoDataFrame(
        kept.to_pandas(), geometry=gpd.points_from_xy(x, y), crs=4326
    ).rename_geometry("exact_geom")

    took = measured(connection, create, ours)
    parts = copied_out(connection, f"SELECT {', '.join(PLAIN)} FROM written")
    connection.commit()
    raw = measured(connection, create, lambda: copied_in(connection, "written", PLAIN, parts))
    by_frame = measured(
        connection, create, lambda: frame.to_postgis("written", engine, if_exists="append")
    )
    connection.execute("DROP TABLE written")
    connection.commit()
    print(f"Writing {REPORTS:,} reports of {len(PLAIN)} columns\n")
    table(
        {
            "raw binary COPY": raw,
            "data.load.copy": took,
            "geopandas.to_postgis": by_frame,
        }
    )
    return raw / took, by_frame / took


def loading(connection, records):
    """Import the same rows whole, beside raw COPY into the same two tables."""
    took = measured(connection, EMPTY, lambda: store_reports(connection, records), rounds=1)
    names = {
        name: [
            row[0]
            for row in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
                "ORDER BY ordinal_position",
                [name],
            )
        ]
        for name in ("report", "report_event")
    }
    parts = {
        name: copied_out(connection, f"SELECT {', '.join(columns)} FROM {name} ORDER BY id")
        for name, columns in names.items()
    }
    connection.commit()

    def raw():
        connection.execute("SET LOCAL porchlight.bulk = 'on'")
        for name, columns in names.items():
            copied_in(connection, name, columns, parts[name])
            # Autovacuum sees an empty table until the commit, and by its figures the checks of
            # foreign keys would search a wrong index from end to end.
            connection.execute(f"ANALYZE {name}")

    by_copy = measured(connection, EMPTY, raw, rounds=1)
    print(f"Loading {REPORTS:,} reports and their timelines into `report` and `report_event`\n")
    table({"raw binary COPY": by_copy, "data.imports.run": took})


def requests_311():
    """Import the 311 file whole into a new store, beside to_postgis of the file."""
    folder = SHARED / "kc"
    path = folder / "311_requests_2007_2018.csv.gz"
    if not path.is_file():
        print(f"{path} is not there: left out.")
        return None
    with new_store() as (connection, engine):
        for source, name in (
            (CITY, "city_2024.geojson"),
            (NEIGHBOURHOODS, "neighborhoods.geojson"),
        ):
            imports.run(connection, source, File(folder / name, name), secret=SECRET, again=True)
        connection.commit()
        took = measured(
            connection,
            EMPTY,
            lambda: imports.run(
                connection, KCMO_311, File(path, path.name), secret=SECRET, again=True
            ),
        )
        read = pd.read_csv(path)
        frame = gpd.GeoDataFrame(
            read, geometry=gpd.points_from_xy(read.LONGITUDE, read.LATITUDE), crs=4326
        )
        by_frame = measured(
            connection,
            "DROP TABLE IF EXISTS requests",
            lambda: frame.to_postgis("requests", engine, if_exists="replace"),
        )
    print(f"The 311 file, {len(frame):,} rows\n\n| method | seconds |\n|---|---|")
    print(f"| data.imports.run: file to reports, areas, timelines, tallies | {took:.2f} |")
    print(f"| geopandas.to_postgis of the frame, read beforehand | {by_frame:.2f} |\n")
    return by_frame / took


def main():
    with new_store() as (connection, engine):
        store_areas(connection)
        records = reports(REPORTS, SEED)
        connection.commit()
        of_raw, times_frame = writing(connection, engine, records)
        loading(connection, records)
    times_311 = requests_311()
    reached = {
        "writing, of raw binary COPY": (of_raw, 0.45),
        "writing, times to_postgis": (times_frame, 4.0),
        "311 import, times to_postgis": (times_311, 1.0),
    }
    for name, (found, goal) in reached.items():
        print(f"{name}: goal {goal}, reached {'not measured' if found is None else f'{found:.2f}'}")
    return all(found is None or found >= goal for found, goal in reached.values())


if __name__ == "__main__":
    raise SystemExit(not main())
