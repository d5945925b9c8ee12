"""Reports as GeoParquet, ours and other people's."""

import stat
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from data import partitions
from data.partitions import Chosen, PartitionError, files, pieces, reports, write
from geo.crs import CITY_SRID, to_city
from geo.parts import Box

CODES = {"dumping": 1, "litter": 2}
ALL = Chosen(since=0.0, until=4e9, codes=CODES, known={*CODES, "noise_spot"})
EVERYWHERE = Box()
N = 300


def made(seed=1, n=N):
    rng = np.random.default_rng(seed)
    return (
        rng.uniform(-94.66, -94.46, n),
        rng.uniform(38.95, 39.21, n),
        (16 * 10**14 + rng.integers(0, 10**13, n)) / 1e6,
        pa.array(rng.choice([*CODES, "noise_spot"], n)),
    )


@pytest.fixture
def ours(tmp_path) -> Path:
    path = tmp_path / "a.parquet"
    write(path, *made(), about={"source": "reports"})
    return path


def frame(seed=1):
    lon, lat, at_s, category = made(seed)
    return gpd.GeoDataFrame(
        {
            "occurred_at": (at_s * 1e6).round().astype("datetime64[us]"),
            "category": category.to_pylist(),
        },
        geometry=gpd.points_from_xy(lon, lat),
        crs=4326,
    ).assign(occurred_at=lambda rows: rows.occurred_at.dt.tz_localize("UTC"))


def read(path, box=EVERYWHERE, chosen=ALL):
    found = reports(pieces(files(path)), box, chosen)
    return found[np.lexsort((found["lon"], found["at_s"]))]


def test_what_was_written_is_read_again_to_the_last_digit(ours):
    lon, lat, at_s, category = made()
    found = read(ours)
    meant = np.array([CODES.get(one, 0) for one in category.to_pylist()])
    order = np.lexsort((lon, at_s))
    order = order[meant[order] > 0]
    assert np.array_equal(found["lon"], lon[order])
    assert np.array_equal(found["lat"], lat[order])
    assert np.array_equal(found["at_s"], at_s[order])
    assert np.array_equal(found["code"], meant[order])
    x, y = to_city().transform(lon, lat)
    assert np.array_equal(found["x"], x[order])
    assert np.array_equal(found["y"], y[order])
    assert len(np.unique(found["row"])) == len(found)


def test_geopandas_reads_what_was_written(ours):
    table = gpd.read_parquet(ours)
    assert table.crs.to_string() == "OGC:CRS84"
    assert sorted(table.geometry.x) == sorted(made()[0])
    assert str(table.occurred_at.dtype) == "datetime64[us, UTC]"


def test_a_file_is_for_its_owner_only_and_says_how_it_was_made(ours):
    assert stat.S_IMODE(ours.stat().st_mode) == 0o600
    assert partitions.about(ours) == {"source": "reports"}
    with pytest.raises(FileExistsError):
        write(ours, *made(), about={})


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"write_covering_bbox": True},
        {"geometry_encoding": "geoarrow", "schema_version": "1.1.0"},
        {"row_group_size": 20},
    ],
)
def test_files_of_others_give_the_same_reports(ours, tmp_path, how):
    theirs = tmp_path / "theirs.parquet"
    frame().to_parquet(theirs, **how)
    columns = ["x", "y", "at_s", "lon", "lat", "code"]
    assert np.array_equal(read(theirs)[columns], read(ours)[columns])


def test_files_in_metres_give_the_same_places_but_for_rounding(ours, tmp_path):
    theirs = tmp_path / "theirs.parquet"
    frame().to_crs(CITY_SRID).to_parquet(theirs, write_covering_bbox=True)
    for name in ("x", "y"):
        assert np.allclose(read(theirs)[name], read(ours)[name], atol=1e-6, rtol=0)


def test_a_part_of_place_and_time_has_what_lies_in_it_wherever_it_is_cut(tmp_path):
    lon, lat, at_s, category = made(3, 30_000)
    write(tmp_path / "a.parquet", lon, lat, at_s, category, about={})
    everything = read(tmp_path)
    among = pieces(files(tmp_path))
    assert len(among) == 4
    for seed in range(20):
        rng = np.random.default_rng(seed)
        corner = everything[rng.integers(len(everything), size=2)]
        x, y, days = np.sort(np.array([corner["x"], corner["y"], corner["at_s"] / 86_400]), axis=1)
        low, high = zip(x, y, days, strict=True)
        box = Box(low, high if seed % 2 else (np.inf, *high[1:]))
        found = reports(among, box, ALL)
        assert sorted(found["row"]) == sorted(everything["row"][box.holds(everything)])


def test_row_groups_elsewhere_are_not_read(ours):
    among = pieces([ours])
    ours.unlink()
    x, y = to_city().transform(-95.5, 39.0)
    there = Box((x, y, 0.0), (x + 1_000, y + 1_000, 1e5))
    assert not len(reports(among, there, ALL))
    later = Chosen(since=3e9, until=4e9, codes=CODES, known=CODES)
    assert not len(reports(among, EVERYWHERE, later))


def test_only_what_is_asked_for_is_read(ours):
    lon, lat, at_s, category = made()
    chosen = Chosen(1.602e9, 1.606e9, {"litter": 1}, ALL.known, (-94.6, 39.0, -94.5, 39.1))
    meant = (at_s >= 1.602e9) & (at_s < 1.606e9) & (np.array(category) == "litter")
    meant &= (lon >= -94.6) & (lon <= -94.5) & (lat >= 39.0) & (lat <= 39.1)
    assert sorted(read(ours, chosen=chosen)["lon"]) == sorted(lon[meant])
    assert meant.any()


def test_without_categories_each_word_has_a_number_of_its_own_in_all_files(ours):
    found = read(ours, chosen=Chosen(0.0, 4e9, None))
    assert len(found) == N
    assert len(np.unique(found["code"])) == 3


def test_rows_without_a_place_are_counted_and_left_out(tmp_path):
    rows = frame()
    rows.loc[:9, "geometry"] = None
    for name, how in {
        "wkb": {},
        "point": {"geometry_encoding": "geoarrow", "schema_version": "1.1.0"},
    }.items():
        rows.to_parquet(tmp_path / f"{name}.parquet", **how)
        among = pieces([tmp_path / f"{name}.parquet"])
        assert sum(piece.without_place for piece in among) == 10
        assert len(reports(among, EVERYWHERE, Chosen(0.0, 4e9, None))) == N - 10


def without_metadata(path):
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)


def changed(path, **columns):
    rows = frame()
    gpd.GeoDataFrame(rows.assign(**columns), crs=rows.crs).to_parquet(path)


def in_other_crs(path, crs, **places):
    frame().set_crs(crs, allow_override=True).to_parquet(path)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (without_metadata, "metadata “geo” is missing"),
        (lambda path: path.write_bytes(b"no"), "not a Parquet file"),
        (lambda path: path.unlink(), "holds no .parquet files"),
        (lambda path: frame().set_crs(None, allow_override=True).to_parquet(path), "does not say"),
        (lambda path: in_other_crs(path, 26915), "seem to be in degrees"),
        (
            lambda path: frame().to_crs(26915).set_crs(4326, allow_override=True).to_parquet(path),
            "says that its places are in degrees",
        ),
        (lambda path: frame().drop(columns="category").to_parquet(path), "no column category"),
        (
            lambda path: changed(path, occurred_at=frame().occurred_at.dt.tz_localize(None)),
            "with a time zone",
        ),
        (lambda path: changed(path, category=1), "must be text"),
        (lambda path: changed(path, category="murder"), "not known: murder"),
        (lambda path: changed(path, category=[None, *["litter"] * (N - 1)]), "without category"),
        (
            lambda path: changed(
                path, geometry=[shapely.LineString([(-94.6, 39), (-94.5, 39)])] * N
            ),
            "has lines or areas",
        ),
        (
            lambda path: gpd.GeoDataFrame(
                frame().drop(columns="geometry"),
                geometry=[shapely.LineString([(-94.6, 39), (-94.5, 39)])] * N,
                crs=4326,
            ).to_parquet(path, geometry_encoding="geoarrow", schema_version="1.1.0"),
            "as linestring",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_what_to_do(ours, spoil, told):
    spoil(ours)
    with pytest.raises(PartitionError, match=told):
        read(ours.parent)


def test_a_file_that_changes_while_it_is_read_is_not_counted(ours):
    among = pieces([ours])
    ours.unlink()
    write(ours, *made(2, 100), about={})
    with pytest.raises(PartitionError, match="written anew"):
        reports(among, EVERYWHERE, ALL)
    ours.unlink()
    with pytest.raises(PartitionError, match="a folder that all machines share"):
        reports(among, EVERYWHERE, ALL)


def test_files_whose_extent_is_unknown_or_too_large_are_read_for_every_part(tmp_path):
    rows = frame()
    rows.loc[0, "geometry"] = shapely.Point(0, 0)
    rows.to_parquet(tmp_path / "a.parquet", write_covering_bbox=True)
    rows.to_parquet(tmp_path / "b.parquet")
    for piece in pieces(files(tmp_path)):
        assert piece.low[:2] == (-np.inf, -np.inf)
        assert piece.high[:2] == (np.inf, np.inf)
        assert np.isfinite([piece.low[2], piece.high[2]]).all()


def test_a_place_outside_the_world_of_the_city_does_not_stop_the_rest(tmp_path):
    rows = frame()
    rows.loc[0, "geometry"] = shapely.Point(85.0, -39.0)
    rows.to_parquet(tmp_path / "a.parquet")
    found = read(tmp_path, Box((0.0, 0.0, 0.0), (1e6, 1e7, 1e5)), Chosen(0.0, 4e9, None))
    assert len(found) == N - 1
