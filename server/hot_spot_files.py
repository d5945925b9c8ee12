"""The cells of an analysis as files, with everything inside that it takes to make them again."""

import csv
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from data.queries.hot_spots import Run
from geo.grids import NOWHERE
from server.hot_spots import LEAST_PUBLISHED, Asked, Sight

GEOPACKAGE = "application/geopackage+sqlite3"


def made_with(run: Run, asked: Asked) -> dict[str, Any]:
    """Say how an analysis was made: what was asked, of which rows, by which version of the method."""
    assert run.read_at is not None
    return {
        **asked.written(),
        "method_version": run.method,
        "rows_version": run.rows_version,
        "seed": None,
        "seed_note": "Nothing is drawn at random: the same rows give the same cells.",
        "read_at": run.read_at.isoformat(),
        "cell_shape": "hexagon",
        "least_published": LEAST_PUBLISHED if asked.published else None,
    }


def _columns(sight: Sight, asked: Asked) -> tuple[NDArray[np.bool_], dict[str, NDArray[Any]]]:
    """Give which cells are written, and their columns: those with something to tell."""
    written = (sight.counts > 0) | (sight.spot != NOWHERE) | (sight.then_counts > 0)
    columns: dict[str, NDArray[Any]] = {
        "cell_q": sight.cells.q,
        "cell_r": sight.cells.r,
        "verdict": sight.verdict,
        "hot_spot": sight.spot + 1,
        ("incidents_at_least" if asked.published else "incidents"): sight.counts,
    }
    if not asked.published:
        columns |= {
            "reports": sight.reports,
            "incidents_around": sight.lag,
            "expected_around": sight.expected,
            "z": sight.z,
            "p": sight.p,
            "q": sight.q,
            "in_the_dark": sight.dark,
            "at_one_point": sight.one_point,
            "change": sight.change,
        }
    if asked.then is not None:
        columns |= {
            "then_incidents": sight.then_counts,
            "then_hot": sight.then_hot,
            "then_q": sight.then_q,
        }
    return written, {name: column[written] for name, column in columns.items()}


def _rows(columns: Mapping[str, NDArray[Any]]) -> list[list[Any]]:
    """Give the values row by row; what is not measured is None."""
    lists = [
        [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 (NaN)
        for column in columns.values()
    ]
    return [list(row) for row in zip(*lists, strict=True)]


def geojson(run: Run, asked: Asked, sight: Sight) -> bytes:
    """Write the cells as GeoJSON (RFC 7946); how they were made is the member `analysis`."""
    written, columns = _columns(sight, asked)
    features = [
        {
            "type": "Feature",
            "geometry": geometry,
            "properties": dict(zip(columns, row, strict=True)),
        }
        for geometry, row in zip(sight.cells.only(written).geojson(), _rows(columns), strict=True)
    ]
    return orjson.dumps(
        {"type": "FeatureCollection", "analysis": made_with(run, asked), "features": features}
    )


def table(run: Run, asked: Asked, sight: Sight) -> str:
    """Write the cells as CSV; lines that begin with # say how they were made."""
    written, columns = _columns(sight, asked)
    lon, lat = sight.lonlat
    file = io.StringIO()
    # Numbers, and words of the program: nothing that somebody typed, so nothing is neutralised.
    writer = csv.writer(file)
    writer.writerows([f"# {name}: {value}"] for name, value in _said(run, asked).items())
    writer.writerow([*columns, "longitude", "latitude"])
    places = np.round(np.column_stack([lon, lat])[written], 6).tolist()
    writer.writerows([*row, *place] for row, place in zip(_rows(columns), places, strict=True))
    return file.getvalue()


def _said(run: Run, asked: Asked) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in made_with(run, asked).items()
    }


def geopackage(run: Run, asked: Asked, sight: Sight) -> bytes:
    """Write the cells as GeoPackage, in the city's metres; the table `analysis` says how."""
    from pyogrio import raw  # noqa: PLC0415 (GDAL, which a page need not load)

    written, columns = _columns(sight, asked)
    cells = sight.cells.only(written)
    said = _said(run, asked)
    with tempfile.TemporaryDirectory(prefix="porchlight-") as folder:
        path = Path(folder) / "hot_spots.gpkg"
        raw.write(
            path,
            geometry=shapely.to_wkb(cells.polygons()),
            field_data=[
                column.astype(object) if column.dtype.kind == "U" else column
                for column in columns.values()
            ],
            fields=np.array([*columns], object),
            layer="hot_spots",
            geometry_type="Polygon",
            crs=cells.grid.crs.to_wkt(),
            driver="GPKG",
        )
        raw.write(
            path,
            geometry=None,
            field_data=[np.array([*said], object), np.array([*said.values()], object)],
            fields=np.array(["name", "value"], object),
            layer="analysis",
            geometry_type=None,
            crs=None,
            driver="GPKG",
            append=True,
        )
        return path.read_bytes()
