"""The cells of an analysis as files, with everything inside that it takes to make them again."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from geo.crs import to_stored
from geo.grids import NOWHERE, Cells
from server import map_files
from server.hot_spots import HELD_AGAINST, LEAST_PUBLISHED, Asked, Sight
from server.map_files import rows, said


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """Cells as files have them.

    Attributes
    ----------
    made : mapping
        How they were made, as `made_with` says it.
    cells : Cells
        Those with something to tell.
    columns : mapping of str to ndarray
        Their values.
    """

    made: Mapping[str, Any]
    cells: Cells
    columns: Mapping[str, NDArray[Any]]


def made_with(asked: Asked, *, method: int, read_at: datetime, **rows: Any) -> dict[str, Any]:
    """Say how an analysis was made.

    Parameters
    ----------
    asked : Asked
    method : int
        Version of the method.
    read_at : datetime
    **rows
        Of which rows: their version, or the files they are in; and what else they tell.

    Returns
    -------
    dict
    """
    repeats = rows.get("near_repeats")
    shuffled = repeats is not None and any(row["permutations"] for row in repeats["rows"])
    return {
        **asked.written(),
        "method_version": method,
        **rows,
        "seed": repeats["seed"] if repeats is not None and shuffled else None,
        "seed_note": "For the cells nothing is drawn at random: the same rows give the same cells."
        + (" The seed is that of the shuffles of near_repeats." if shuffled else ""),
        "read_at": read_at.isoformat(),
        "cell_shape": asked.shape,
        "least_published": LEAST_PUBLISHED if asked.published else None,
    }


def written(made: Mapping[str, Any], asked: Asked, sight: Sight) -> Written:
    """Choose the cells that have something to tell, and what is told of them."""
    shown = (sight.counts > 0) | (sight.spot != NOWHERE) | (sight.then_counts > 0)
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
        # How much of a hot cell is hot on the other grids: it is firm where that is half of each.
        columns |= {
            f"held_{grid}": share for grid, share in zip(HELD_AGAINST, sight.holds, strict=True)
        }
    if asked.then is not None:
        columns |= {
            "then_incidents": sight.then_counts,
            "then_hot": sight.then_hot,
            "then_q": sight.then_q,
        }
    return Written(
        made, sight.cells.only(shown), {name: column[shown] for name, column in columns.items()}
    )


def geojson(file: Written) -> bytes:
    """Write the cells as GeoJSON (RFC 7946); how they were made is the member `analysis`."""
    return map_files.geojson(file.made, file.cells.geojson(), file.columns)


def table(file: Written) -> str:
    """Write the cells as CSV; lines that begin with # say how they were made."""
    lines = io.StringIO()
    # Numbers, and words of the program: nothing that somebody typed, so nothing is neutralised.
    writer = csv.writer(lines)
    writer.writerows([f"# {name}: {value}"] for name, value in said(file.made).items())
    writer.writerow([*file.columns, "longitude", "latitude"])
    middles = to_stored().transform(*file.cells.grid.centres(file.cells.q, file.cells.r))
    places = np.round(np.column_stack(middles), 6).tolist()
    writer.writerows([*row, *place] for row, place in zip(rows(file.columns), places, strict=True))
    return lines.getvalue()


def geopackage(file: Written) -> bytes:
    """Write the cells as GeoPackage, in the city's metres; the table `analysis` says how."""
    outlines = shapely.to_wkb(file.cells.polygons())
    crs = file.cells.grid.crs
    return map_files.geopackage(file.made, "hot_spots", "Polygon", outlines, file.columns, crs=crs)


def geoparquet(file: Written) -> bytes:
    """Write the cells as GeoParquet, in the city's metres; how they were made is in its metadata."""
    import pyarrow as pa  # noqa: PLC0415 (40 MiB that a web server need not hold)
    import pyarrow.parquet as pq  # noqa: PLC0415 (as above)

    from data.partitions import ABOUT, GEOMETRY, geo_metadata  # noqa: PLC0415 (as above)

    outlines = file.cells.polygons()
    table = pa.table(
        {
            **{name: pa.array(column.tolist()) for name, column in file.columns.items()},
            GEOMETRY: pa.array(shapely.to_wkb(outlines)),
        }
    )
    bounds = shapely.total_bounds(outlines).tolist() if len(outlines) else None
    metadata = {
        b"geo": geo_metadata("WKB", "Polygon", file.cells.grid.crs, bounds),
        ABOUT: orjson.dumps(file.made),
    }
    lines = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), lines)
    return lines.getvalue()
