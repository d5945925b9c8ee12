"""Hot spots of files and of the store by the command line, and partitions written by it."""

import json
import stat
from io import StringIO

import geopandas as gpd
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
from distributed import LocalCluster
from sqlalchemy import insert
from sqlalchemy.orm import Session

from data import database
from data.models import PoliceIncident, Report
from tests.parts import CITY, rows, write_mixed
from tests.places import IN_EASTSIDE, found_city


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder of partitions, and the outline of the city."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "partitions").mkdir()
    write_mixed(folder / "partitions", rows(), seed=1, parts=3)
    gpd.GeoSeries([CITY], crs=26915).to_crs(4326).to_file(folder / "city.geojson")
    gpd.GeoSeries([CITY.centroid], crs=26915).to_file(folder / "points.geojson")
    return str(folder / "partitions"), str(folder / "city.geojson")


@pytest.fixture
def city(own):
    """A store with a city, two reports of one thing, and one that is held."""
    engine = database.engine(own, pool_size=1)
    with Session(engine) as session:
        found_city(session)
        for day, status in ((1, "confirmed"), (3, "done"), (40, "held")):
            at = pd.Timestamp("2024-01-01T12:00Z") + pd.Timedelta(days=day)
            shape = f"SRID=4326;POINT({IN_EASTSIDE[0]} {IN_EASTSIDE[1]})"
            session.execute(
                insert(Report).values(
                    kind="cleanup", category_code="dumping", status=status, exact_geom=shape,
                    public_geom=shape, occurred_at=at, reported_at=at,
                )
            )  # fmt: skip
        session.execute(
            insert(PoliceIncident).values(
                external_id="1", offense="Arson", offense_group="Arson", exact_geom=shape,
                public_geom=shape, occurred_at=at, sensitive=False,
            )
        )  # fmt: skip
        session.commit()
    engine.dispose()


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("PORCHLIGHT_VAR", str(tmp_path / "var"))


def cells(path):
    return gpd.read_file(path).drop(columns="geometry")


def table_of(path):
    lines = path.read_text().splitlines()
    return pd.read_csv(StringIO("\n".join(line for line in lines if line.lstrip('"')[0] != "#")))


def test_cells_are_written_in_each_form_with_how_they_were_made_inside(given, porchlight, tmp_path):
    folder, outline = given
    read = {}
    for form in ("geojson", "gpkg", "csv", "parquet"):
        out = tmp_path / f"cells.{form}"
        code, said = porchlight("analyse", folder, "--ground", outline, "--out", str(out))
        assert code == 0, said
        assert "3,000" in said
        assert "not for publication" in said
        read[form] = out
    made = json.loads(read["geojson"].read_text())["analysis"]
    assert made["since"] == "2024-01-01"
    assert made["until"] == "2024-07-18"
    assert made["rows"] == 3_000
    assert made["files"] == 3
    assert made["false_share"] == 0.05
    assert made["seed"] is None
    assert made["method_version"]
    assert json.loads(pq.read_schema(read["parquet"]).metadata[b"porchlight"]) == made | {
        "read_at": json.loads(pq.read_schema(read["parquet"]).metadata[b"porchlight"])["read_at"]
    }
    assert "# rows: 3000" in read["csv"].read_text()
    assert "analysis" in pyogrio.list_layers(read["gpkg"])[:, 0]

    table = gpd.read_parquet(read["parquet"])
    assert table.crs.to_epsg() == 26915
    assert (table.area.round() == round(200**2 * 3**0.5 / 2)).all()
    assert "at_one_point" not in table
    assert {"firm", "hot"} & {*table.verdict}
    assert cells(read["geojson"]).p.tolist() == table.p.tolist()
    assert table_of(read["csv"]).p.tolist() == table.p.tolist()
    assert pyogrio.read_dataframe(read["gpkg"], layer="hot_spots").p.tolist() == table.p.tolist()


def test_a_scheduler_gives_the_cells_that_this_process_gives(given, porchlight, tmp_path):
    folder, outline = given
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    options = ["--ground", outline, "--rows-at-once", "1000", "--cell", "300", "--shape", "square"]
    assert porchlight("analyse", folder, *options, "--out", str(here))[0] == 0
    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        code, said = porchlight(
            "analyse",
            folder,
            *options,
            "--out",
            str(there),
            "--scheduler",
            cluster.scheduler_address,
        )
        assert code == 0, said
    lines = [
        [line for line in path.read_text().splitlines() if "read_at" not in line]
        for path in (here, there)
    ]
    assert lines[0] == lines[1]


def test_options_narrow_down_what_is_counted(given, porchlight, tmp_path):
    folder, outline = given
    out = tmp_path / "cells.csv"
    sums = []
    for options in (
        [],
        ["--kind", "cleanup"],
        ["--kind", "cleanup", "--category", "dumping"],
        ["--from", "2024-03-01", "--to", "2024-03-31", "--category", "dumping"],
    ):
        code, said = porchlight("analyse", folder, "--ground", outline, "--out", str(out), *options)
        assert code == 0, said
        sums.append(int(table_of(out).reports.sum()))
    assert sums == sorted(sums, reverse=True)
    assert len({*sums}) == 4


def test_days_that_have_not_come_are_left_out(given, porchlight, tmp_path):
    folder, outline = given
    out = tmp_path / "cells.geojson"
    code, said = porchlight(
        "analyse", folder, "--ground", outline, "--out", str(out), "--to", "2999-12-31"
    )
    assert code == 0, said
    assert "2999-12-31" not in out.read_text()


def test_what_is_stored_is_analysed_without_leaving_anything_behind(
    city, porchlight, tmp_path, monkeypatch
):
    monkeypatch.setenv("PORCHLIGHT_VAR", str(tmp_path / "var"))
    out = tmp_path / "cells.geojson"
    code, said = porchlight("analyse", "--from-database", "--out", str(out))
    assert code == 0, said
    assert cells(out)[["incidents", "reports"]].to_numpy().tolist() == [[1, 2]]
    assert "Too few" in said
    assert not list((tmp_path / "var").glob("analyse-*"))


def test_partitions_are_for_their_owner_and_say_so(city, porchlight, tmp_path):
    folder = tmp_path / "new"
    code, said = porchlight("partitions", str(folder))
    assert code == 0, said
    assert "2 rows" in said
    assert "exact places" in said
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [file.name for file in folder.iterdir()] == ["reports-2024-01.parquet"]
    code, said = porchlight("analyse", str(folder), "--out", str(tmp_path / "cells.csv"))
    assert code == 0, said
    code, said = porchlight("partitions", str(folder))
    assert (code, "name of a new folder" in flat(said)) == (2, True)


def test_police_incidents_are_analysed_by_themselves(city, porchlight, tmp_path):
    out = tmp_path / "cells.csv"
    code, said = porchlight("analyse", "--from-database", "--source", "police", "--out", str(out))
    assert code == 0, said
    assert table_of(out).incidents.tolist() == [1]


def flat(said):
    return " ".join(said.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--out", "{tmp}/a.csv"], "give a file or a folder"),
        (["{given}", "--from-database", "--out", "{tmp}/a.csv"], "give a file or a folder"),
        (["{given}", "--out", "{tmp}/a.xlsx"], "end its name in .geojson"),
        (["{given}", "--out", "{tmp}/nowhere/a.csv"], "there is no folder"),
        (
            ["{given}", "--out", "{tmp}/a.csv", "--workers", "2", "--scheduler", "tcp://a:1"],
            "leave",
        ),
        (
            ["--from-database", "--out", "{tmp}/a.csv", "--scheduler", "tcp://a:1"],
            "partitions FOLDER",
        ),
        (["{given}", "--out", "{tmp}/a.csv", "--category", "murder"], "write one of light_out"),
        (["{given}", "--out", "{tmp}/a.csv", "--source", "police", "--kind", "cleanup"], "no kind"),
        (["{given}", "--out", "{tmp}/a.csv", "--measure", "people"], "write street or home"),
        (
            ["{given}", "--out", "{tmp}/a.csv", "--from", "2024-03-01", "--to", "2024-02-01"],
            "after",
        ),
        (
            ["{given}", "--out", "{tmp}/a.csv", "--from", "2999-01-01", "--to", "2999-02-01"],
            "not over yet",
        ),
        (
            ["{given}", "--out", "{tmp}/a.csv", "--ground", "{ground}", "--area", "1"],
            "need the database",
        ),
        (["{given}", "--out", "{tmp}/a.csv", "--ground", "{points}"], "holds no area"),
        (["{given}", "--out", "{tmp}/a.csv", "--ground", "{tmp}/no.geojson"], "can not be read"),
    ],
)
def test_an_option_that_cannot_work_is_explained_before_the_work(
    given, porchlight, tmp_path, options, told
):
    names = {"given": given[0], "ground": given[1], "tmp": str(tmp_path)}
    names["points"] = given[1].replace("city", "points")
    code, said = porchlight("analyse", *(option.format(**names) for option in options))
    assert code == 2
    assert told in flat(said)


def test_a_store_without_a_city_is_told_of_the_outline(own, given, porchlight, tmp_path):
    code, said = porchlight("analyse", given[0], "--out", str(tmp_path / "a.csv"))
    assert code == 2
    assert "--ground FILE" in flat(said)


def test_faults_of_files_and_clusters_end_with_a_sentence(given, porchlight, tmp_path):
    out = ["--out", str(tmp_path / "a.csv"), "--ground", given[1]]
    code, said = porchlight("analyse", str(tmp_path / "nothing"), *out)
    assert (code, "is not there" in said) == (1, True)
    assert not (tmp_path / "a.csv").exists()
