"""Hot spots counted in parts: by this process, and by the worker processes of a real Dask cluster."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, fields, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from distributed import Client, LocalCluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.orm import Session

from data.models import Report
from data.partitions import PartitionError, files, pieces
from data.queries.hot_spots import Source
from geo.grids import Shape
from geo.hot_spots import Settings as Look
from geo.roles import Role
from server import hot_spot_parts
from server.hot_spot_parts import (
    ClusterFault,
    Sum,
    by,
    cluster,
    differing,
    here,
    period,
    plan,
    question,
    require_same,
    seen,
    versions,
)
from server.hot_spots import Asked, Sight, _in_the_name_of, answer, ground_of, unpacked
from server.partitions import write_partitions
from tests.parts import DAYS, GROUND, rows, write_mixed
from tests.people import person
from tests.places import MIDDLE, found_city

ZONE = ZoneInfo("America/Chicago")
ASKED = Asked(Source.REPORTS, date(2024, 1, 1), date(2024, 7, 18))
LOOK = Look()
MOST = 400
QUIET = "127.0.0.1:0"
"""Pages of Dask at any free port: others may run a cluster beside."""


def asked_of(folder, asked=ASKED, look=LOOK, ground=GROUND):
    return question(asked, ground, look, pieces(files(folder)), ZONE)


def in_one(folder, **how) -> tuple[Sum, Sight]:
    put = asked_of(folder, **how)
    found = here(put, plan(put, how.get("ground", GROUND), most=10**9))
    return found, seen(put, found)


def same(one: Sum, other: Sum) -> bool:
    pairs = [(one.rows, other.rows)]
    for field in fields(one.tally):
        mine, theirs = (getattr(sum_.tally, field.name) for sum_ in (one, other))
        pairs += zip(mine, theirs, strict=True) if field.name == "grids" else [(mine, theirs)]
    return all(np.array_equal(*pair) for pair in pairs)


def seen_alike(one: Sight, other: Sight, *, but: tuple[str, ...] = ()) -> bool:
    names = [
        field.name
        for field in fields(Sight)
        if field.name not in {"cells", "found", "smooth", *but}
    ]
    columns = [(getattr(one, name), getattr(other, name)) for name in names]
    columns += [(one.cells.q, other.cells.q), (one.cells.r, other.cells.r)]
    return all(np.array_equal(*pair, equal_nan=pair[0].dtype.kind == "f") for pair in columns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("partitions")
    write_mixed(made, rows(), seed=1, parts=5)
    return made


@pytest.fixture(scope="module")
def workers():
    """Three worker processes, which can be killed: others take their place."""
    with LocalCluster(
        n_workers=3, threads_per_worker=1, host="127.0.0.1", dashboard_address=QUIET
    ) as own:
        yield own


@pytest.fixture
def client(workers):
    with Client(workers) as client:
        yield client


class TestInThisProcess:
    def test_parts_of_any_size_give_the_same_to_the_last_digit(self, folder):
        whole, sight = in_one(folder)
        assert whole.rows == 3_000
        assert 0 < whole.tally.grids[0].sum() < whole.tally.reports.sum() <= 3_000
        assert (sight.spot >= 0).any()
        for most in (2_000, MOST, 50):
            put = asked_of(folder)
            part = plan(put, GROUND, most)
            told: list[int] = []
            found = here(put, part, told.append)
            assert same(found, whole)
            assert seen_alike(seen(put, found), sight)
            assert told == [*range(1, sum(1 for _ in part.leaves()) + 1)]
            assert len(told) > 1

    @settings(
        max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.sampled_from([100, 300, 10**6]))
    def test_rows_give_the_same_however_they_lie_in_files(
        self, tmp_path_factory, seed, parts, most
    ):
        all_ = rows(2, 800)
        one, many = (tmp_path_factory.mktemp(name) for name in ("one", "many"))
        write_mixed(one, all_, 0, 1)
        order = np.random.default_rng(seed).permutation(800)
        write_mixed(many, all_.only(order), seed, parts)
        put = asked_of(many)
        assert same(here(put, plan(put, GROUND, most)), in_one(one)[0])

    def test_what_is_asked_for_is_asked_of_each_part(self, folder):
        everything, _ = in_one(folder)
        for asked in (
            replace(ASKED, categories=("litter",)),
            replace(ASKED, since=date(2024, 2, 10), until=date(2024, 3, 9), weekdays=(5, 6)),
            replace(ASKED, shape=Shape.SQUARE, width_m=300),
        ):
            look = replace(LOOK, shape=asked.shape, width_m=float(asked.width_m))
            whole, _ = in_one(folder, asked=asked, look=look)
            put = asked_of(folder, asked, look)
            assert same(here(put, plan(put, GROUND, MOST)), whole)
            assert not same(whole, everything)

    def test_files_tell_from_when_to_when_they_are(self, folder):
        first, last = period(pieces(files(folder)), ZONE)
        assert (first.date(), last.date()) == (ASKED.since, ASKED.since + timedelta(DAYS - 1))
        assert period([], ZONE) is None


class TestAsThePage:
    @pytest.fixture
    def stored(self, engine):
        """The city with reports whose public places are others, an administrator, and what is told."""
        all_ = rows()
        with Session(engine) as session:
            found_city(session)
            session.execute(
                insert(Report),
                [
                    {
                        "kind": "problem_spot" if category == "speeding" else "cleanup",
                        "category_code": category,
                        "exact_geom": f"SRID=4326;POINT({lon!r} {lat!r})",
                        "public_geom": f"SRID=4326;POINT({(lon + MIDDLE) / 2!r} {lat!r})",
                        "occurred_at": at,
                        "reported_at": at,
                        "status": status,
                    }
                    for lon, lat, at, category, status in zip(
                        all_.lon.tolist(),
                        all_.lat.tolist(),
                        [datetime.fromtimestamp(at, ZONE) for at in all_.at_s.tolist()],
                        all_.category.tolist(),
                        ["confirmed"] * 2_990 + ["held"] * 10,
                        strict=True,
                    )
                ],
            )
            who = person(session, Role.ADMINISTRATOR)
            session.commit()
        return engine, who

    def test_partitions_of_what_is_stored_give_what_an_administrator_sees(self, stored, tmp_path):
        engine, who = stored
        folder = tmp_path / "partitions"
        told = []
        with Session(engine) as session:
            written = write_partitions(
                session, folder, Source.REPORTS, ZONE, lambda *done: told.append(done)
            )
            ground = ground_of(session, ASKED)
            _in_the_name_of(session, who)
            found = answer(session, ASKED, ZONE)
        assert written == 2_990
        assert told[-1] == (7, 7)
        assert min(file.name for file in folder.iterdir()) == "reports-2024-01.parquet"
        page = unpacked(found.cells, found.found)
        put = asked_of(folder, ground=ground)
        parts = seen(put, here(put, plan(put, ground, MOST)))
        assert seen_alike(page, parts, but=("one_point",))
        assert (page.spot >= 0).any()
        assert page.found["incidents"] == parts.found["incidents"] > 0

    def test_a_folder_that_is_there_is_left_alone(self, session, tmp_path):
        with pytest.raises(FileExistsError, match="name of a new folder"):
            write_partitions(session, tmp_path, Source.REPORTS, ZONE)
        assert not list(tmp_path.parent.glob(".*.unfinished"))

    def test_an_empty_store_gives_an_empty_folder(self, session, tmp_path):
        assert write_partitions(session, tmp_path / "new", Source.POLICE, ZONE) == 0
        assert list((tmp_path / "new").iterdir()) == []


class TestByWorkers:
    def test_three_processes_give_the_same_to_the_last_digit(self, client, folder):
        whole, sight = in_one(folder)
        put = asked_of(folder)
        part = plan(put, GROUND, MOST)
        told: list[int] = []
        found = by(client, put, part, told.append)
        assert same(found, whole)
        assert seen_alike(seen(put, found), sight)
        assert told == [*range(1, sum(1 for _ in part.leaves()) + 1)]

    def test_only_counts_travel_to_whoever_asked(self, client, folder):
        put = asked_of(folder)
        found = by(client, put, plan(put, GROUND, MOST))
        values = [
            *found.tally.grids,
            *(value for name, value in asdict(found.tally).items() if name != "grids"),
        ]
        assert all(value.dtype == np.int64 for value in values)
        assert {value.shape[-1] for value in values} == {len(cells) for cells in put.laid.cells}
        assert [field.name for field in fields(found)] == ["tally", "rows"]

    def test_a_worker_that_is_killed_midway_costs_nothing_but_time(self, client, workers, folder):
        put = asked_of(folder)
        killed = []

        def kill(done):
            if not killed:
                killed.append(workers.workers[0].pid)
                os.kill(killed[0], signal.SIGKILL)

        found = by(client, put, plan(put, GROUND, 100), kill)
        assert killed
        assert same(found, in_one(folder)[0])
        client.wait_for_workers(3, timeout=30)

    def test_what_is_wrong_with_a_file_is_told_by_the_worker_that_reads_it(self, client, tmp_path):
        write_mixed(tmp_path, rows(), 1, 2)
        put = asked_of(tmp_path)
        (tmp_path / "1.parquet").unlink()
        with pytest.raises(PartitionError, match="a folder that all machines share"):
            by(client, put, plan(put, GROUND, MOST))

    def test_workers_of_this_machine_run_what_runs_here(self, client):
        require_same(client)

    def test_a_scheduler_without_workers_is_told_from_one_that_works(self, monkeypatch):
        monkeypatch.setattr(hot_spot_parts, "CONNECT_S", 1)
        with (
            LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=QUIET) as own,
            pytest.raises(ClusterFault, match="has no workers"),
            cluster(own.scheduler_address, 0, None),
        ):
            pass

    def test_nobody_at_the_address_is_told_so(self, monkeypatch):
        monkeypatch.setattr(hot_spot_parts, "CONNECT_S", 1)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
            with (
                pytest.raises(ClusterFault, match="No scheduler answers"),
                cluster(address, 0, None),
            ):
                pass

    def test_when_all_workers_are_gone_it_is_given_up(self, folder, monkeypatch):
        monkeypatch.setattr(hot_spot_parts, "WORKERLESS_S", 0)
        monkeypatch.setattr(hot_spot_parts, "_LOOK_S", 0.2)
        put = asked_of(folder)
        part = plan(put, GROUND, MOST)
        with (
            LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=QUIET) as own,
            Client(own) as client,
            pytest.raises(ClusterFault, match="no worker for"),
        ):
            by(client, put, part)


def test_other_versions_are_named():
    mine = dict(versions())
    assert not differing(mine, dict(mine))
    other = differing(mine, mine | {"numpy": "1.0"})
    assert other == f"runs numpy 1.0 where this machine has {mine['numpy']}"
    assert "can not run" in differing(mine, ModuleNotFoundError("No module named 'server'"))
    assert "code" in mine["Porchlight"]


def test_a_server_holds_neither_dask_nor_arrow():
    listed = "import server.hot_spots, server.hot_spot_files, server.command, sys"
    found = "{'distributed', 'pyarrow'} & {*sys.modules}"
    done = subprocess.run([sys.executable, "-c", f"{listed}; sys.exit(bool({found}))"], check=False)
    assert done.returncode == 0
