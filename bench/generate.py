"""A made-up city for measuring: 250 neighbourhoods and as many clustered reports as asked for.

The city is a rectangle of 17 by 29 km over Kansas City, its neighbourhoods the Voronoi cells of
random points with about 130 corners each. Four of five reports lie in one of 400 clusters with a
spread of 60 to 400 m, the fifth anywhere. A seed gives the same city and the same reports.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import shapely

sys.path.insert(0, str(Path(__file__).parent.parent))

from data import imports
from data.load import Target
from data.sources.batch import Batch, File
from geo.categories import CATEGORIES
from geo.statuses import Status

SEED = 20_180_515
CITY = shapely.box(-94.66, 38.95, -94.46, 39.21)
METRE = (1 / 86_500, 1 / 111_000)
"""Degrees of longitude and latitude."""

NEIGHBOURHOODS = 250
CLUSTERS = 400
BATCH_ROWS = 50_000
FIRST_DAY = np.datetime64("2019-01-01", "us")
SECONDS = 6 * 365 * 86_400
ONE_DAY_US = 86_400_000_000


def neighbourhoods(count: int = NEIGHBOURHOODS, seed: int = SEED) -> list[shapely.Polygon]:
    """Give Voronoi cells that fill the city."""
    random = np.random.default_rng(seed)
    west, south, east, north = CITY.bounds
    sites = np.column_stack(
        [random.uniform(west, east, count), random.uniform(south, north, count)]
    )
    cells = shapely.voronoi_polygons(shapely.multipoints(sites), extend_to=CITY)
    return [
        shapely.segmentize(shapely.intersection(cell, CITY), 0.0004)
        for cell in shapely.get_parts(cells)
    ]


def places(count: int, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Give longitudes and latitudes of clustered places in the city."""
    random = np.random.default_rng(seed)
    west, south, east, north = CITY.bounds
    centres = np.column_stack(
        [random.uniform(west, east, CLUSTERS), random.uniform(south, north, CLUSTERS)]
    )
    spread = random.uniform(60, 400, CLUSTERS)
    cluster = random.choice(CLUSTERS, count, p=random.dirichlet(np.full(CLUSTERS, 0.7)))
    shift = random.normal(size=(count, 2)) * spread[cluster, None] * METRE
    xy = centres[cluster] + shift
    anywhere = random.random(count) < 0.2
    xy[anywhere] = random.uniform((west, south), (east, north), (np.count_nonzero(anywhere), 2))
    return np.clip(xy[:, 0], west, east), np.clip(xy[:, 1], south, north)


def reports(count: int, seed: int = SEED) -> pa.Table:
    """Give reports as a source gives them to the loader."""
    random = np.random.default_rng(seed + 1)
    x, y = places(count, seed)
    codes = pa.array([category.code for category in CATEGORIES])
    states = pa.array(
        [Status.DONE, Status.RECEIVED, Status.CONFIRMED, Status.DUPLICATE], pa.string()
    )
    status = random.choice(4, count, p=[0.75, 0.1, 0.1, 0.05])
    at = FIRST_DAY + np.sort(random.integers(0, SECONDS, count)).astype("timedelta64[s]")
    closed = at + (random.exponential(20, count) * ONE_DAY_US).astype("timedelta64[us]")
    number = random.integers(100, 9_900, count)
    street = pa.array(
        [f"{name} Ave" for name in ["Oak", "Elm", "Main", "Troost", "Paseo", "Prospect", "Vine"]]
    )
    utc = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "external_id": pa.array(np.arange(count)).cast(pa.string()),
            "category_code": codes.take(pa.array(random.integers(0, len(codes), count))),
            "status": states.take(pa.array(status)),
            "address": pa.array(
                [
                    f"{n} {s}"
                    for n, s in zip(
                        number.tolist(),
                        street.take(pa.array(random.integers(0, len(street), count))).to_pylist(),
                        strict=True,
                    )
                ]
            ),
            "description": pa.array(["It has been like this for some weeks."] * count),
            "reported_at": pa.array(at, utc),
            "occurred_at": pa.array(at, utc),
            "closed_at": pa.array(closed, utc, mask=np.isin(status, [1, 2])),
            "longitude": pa.array(x),
            "latitude": pa.array(y),
        }
    )


class GeneratedReports:
    """A source that is no file."""

    name = "generated"
    about = "made-up reports for measuring"
    target = Target("report")
    columns = ()

    def __init__(self, records: pa.Table) -> None:
        self.records = records

    def batches(self, file: File) -> Iterator[Batch]:
        row = 1
        for part in self.records.to_batches(BATCH_ROWS):
            yield Batch(part, row).hold(pa.Table.from_batches([part]))
            row += part.num_rows


def store_areas(connection: psycopg.Connection) -> None:
    """Store the served area and the neighbourhoods."""
    rows = [("city", "city", CITY)]
    rows += [("neighbourhood", str(n), shape) for n, shape in enumerate(neighbourhoods())]
    for layer, code, shape in rows:
        connection.execute(
            "INSERT INTO area (layer, code, name, geom) "
            "VALUES (%s, %s, %s, ST_Multi(ST_GeomFromWKB(%s, 4326)))",
            [layer, code, f"Neighbourhood {code}", shape.wkb],
        )


def store_reports(connection: psycopg.Connection, records: pa.Table) -> imports.Summary:
    """Store made-up reports by the loader, with all that hangs on them."""
    source = GeneratedReports(records)
    return imports.run(
        connection, source, File(Path(__file__), "made up"), secret=b"s" * 32, again=True
    )
