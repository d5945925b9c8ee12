import gc
import os
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from data import imports, wkb
from data.load import fingerprints
from data.sources.batch import BrokenFileError, File
from data.sources.gtfs_stops import GTFS_STOPS

STOPS = "stop_id,stop_name,stop_lat,stop_lon\n"
SECRET = b"s" * 32

values = st.one_of(st.none(), st.text(max_size=5))


@given(st.lists(st.tuples(values, values), min_size=1, max_size=20))
def test_a_fingerprint_is_the_same_only_where_every_value_is(records):
    first, second = zip(*records, strict=True)
    table = pa.table({"a": pa.array(first, pa.string()), "b": pa.array(second, pa.string())})

    prints = fingerprints(table).tolist()

    for one, print_of_one in zip(records, prints, strict=True):
        for other, print_of_other in zip(records, prints, strict=True):
            assert (print_of_one == print_of_other) == (one == other)


def test_a_fingerprint_knows_which_column_a_value_stands_in_but_not_their_order():
    table = pa.table({"a": ["x", "y"], "b": ["y", "x"]})

    first, second = fingerprints(table).tolist()

    assert first != second
    assert fingerprints(table.select(["b", "a"])).tolist() == [first, second]


def test_points_are_written_as_shapely_writes_them():
    x, y = np.array([-94.58, np.nan, 0.0]), np.array([39.05, 1.0, -0.5])

    ours = wkb.points(x, y).cast(pa.binary()).to_pylist()

    shapes = [shapely.Point(-94.58, 39.05), None, shapely.Point(0, -0.5)]
    assert ours == wkb.geometries(shapes).to_pylist()


def test_memory_stays_flat_however_long_the_file(session, tmp_path):
    path = tmp_path / "stops.txt"
    with path.open("w") as stream:
        stream.write(STOPS)
        for number in range(400_000):
            stream.write(f"{number},{'stop ' * 40},39.05,-94.58\n")
    connection = session.connection().connection.driver_connection
    resident = []

    def measure(rows):
        gc.collect()
        pa.default_memory_pool().release_unused()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        resident.append(pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20))

    summary = imports.run(
        connection, GTFS_STOPS, File(path, path.name), secret=SECRET, progress=measure
    )

    assert summary.inserted == 400_000
    assert path.stat().st_size > 80 << 20
    assert len(resident) > 9
    # MiB: the last batches need no more than those after the buffers had grown.
    assert np.mean(resident[-3:]) - np.mean(resident[2:5]) < 20
    # A plan kept from when the table was empty would read all of it for every row, by and by.
    kept = connection.execute("SELECT sum(generic_plans) FROM pg_prepared_statements").fetchone()
    assert kept == (0,)


@pytest.fixture
def connected(database_url):
    url = make_url(database_url).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(url) as connection:
        yield connection


def test_indexes_put_off_for_an_empty_table_are_there_again(connected, tmp_path):
    query = "SELECT indexdef FROM pg_indexes WHERE tablename = 'transit_stop' ORDER BY indexname"
    before = connected.execute(query).fetchall()
    path = tmp_path / "stops.txt"
    path.write_text(STOPS + "1,Here,39.05,-94.58\n")

    imports.run(connected, GTFS_STOPS, File(path, path.name), secret=SECRET)

    assert connected.execute(query).fetchall() == before


def test_a_file_that_breaks_leaves_the_database_as_it_was(connected, tmp_path):
    path = tmp_path / "stops.txt"
    path.write_text(STOPS + "".join(f"{n},{'x' * 200},39,-94\n" for n in range(60_000)) + '9,"x')
    counts = (
        "SELECT (SELECT count(*) FROM transit_stop), (SELECT count(*) FROM import_run), "
        "(SELECT count(*) FROM pg_indexes WHERE tablename = 'transit_stop')"
    )
    before = connected.execute(counts).fetchone()
    connected.commit()
    seen = []

    with (
        pytest.raises(BrokenFileError, match=r"^stops\.txt, row 60002, column stop_name: "),
        connected.transaction(),
    ):
        imports.run(
            connected, GTFS_STOPS, File(path, path.name), secret=SECRET, progress=seen.append
        )

    assert sum(seen) > 0
    assert connected.execute(counts).fetchone() == before


def test_two_files_of_one_source_stand_beside_each_other(connected, tmp_path):
    for name, stop in (("a.txt", 1), ("b.txt", 2), ("a.txt", 1)):
        (tmp_path / name).write_text(STOPS + f"{stop},Here,39.05,-94.58\n")
        summary = imports.run(connected, GTFS_STOPS, File(tmp_path / name, name), secret=SECRET)

    assert (summary.known, summary.unchanged) == (False, 1)
    assert connected.execute("SELECT count(*) FROM transit_stop").fetchone() == (2,)


def test_a_summary_that_lost_rows_is_refused():
    with pytest.raises(AssertionError, match="rows were lost"):
        imports.Summary(run_id=1, known=False, rows_read=3, inserted=1, left_out={"x": 1})
