"""Features as files of map programs, with a word inside on how they were made."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pyproj import CRS

GEOPACKAGE = "application/geopackage+sqlite3"


def rows(columns: Mapping[str, NDArray[Any]]) -> list[list[Any]]:
    """Give the values row by row; what is not measured is None."""
    lists = [
        [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 (NaN)
        for column in columns.values()
    ]
    return [list(row) for row in zip(*lists, strict=True)]


def said(made: Mapping[str, Any]) -> dict[str, str]:
    """Give how features were made in words."""
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in made.items()
    }


def geojson(
    made: Mapping[str, Any], geometries: Iterable[Any], columns: Mapping[str, NDArray[Any]]
) -> bytes:
    """Write features as GeoJSON (RFC 7946); how they were made is the member `analysis`.

    Parameters
    ----------
    made : mapping
    geometries : iterable
        Of GeoJSON, EPSG:4326.
    columns : mapping of str to ndarray

    Returns
    -------
    bytes
    """
    features = [
        {
            "type": "Feature",
            "geometry": geometry,
            "properties": dict(zip(columns, row, strict=True)),
        }
        for geometry, row in zip(geometries, rows(columns), strict=True)
    ]
    return orjson.dumps({"type": "FeatureCollection", "analysis": made, "features": features})


def geopackage(
    made: Mapping[str, Any],
    layer: str,
    geometry_type: str,
    wkb: NDArray[Any],
    columns: Mapping[str, NDArray[Any]],
    *,
    crs: CRS,
    masks: Sequence[NDArray[np.bool_] | None] | None = None,
) -> bytes:
    """Write features as GeoPackage; the table `analysis` says how they were made.

    Parameters
    ----------
    made : mapping
    layer : str
    geometry_type : str
        Such as "Polygon".
    wkb : ndarray of bytes
    columns : mapping of str to ndarray
    crs : pyproj.CRS
        Of the geometries.
    masks : sequence, optional
        Of each column where it has no value; None where it always has.

    Returns
    -------
    bytes
    """
    from pyogrio import raw  # noqa: PLC0415 (GDAL, which a page need not load)

    told = said(made)
    with tempfile.TemporaryDirectory(prefix="porchlight-") as folder:
        path = Path(folder) / "features.gpkg"
        raw.write(
            path,
            geometry=wkb,
            field_data=[
                column.astype(object) if column.dtype.kind == "U" else column
                for column in columns.values()
            ],
            fields=np.array([*columns], object),
            field_mask=masks,
            layer=layer,
            geometry_type=geometry_type,
            crs=crs.to_wkt(),
            driver="GPKG",
        )
        raw.write(
            path,
            geometry=None,
            field_data=[np.array([*told], object), np.array([*told.values()], object)],
            fields=np.array(["name", "value"], object),
            layer="analysis",
            geometry_type=None,
            crs=None,
            driver="GPKG",
            append=True,
        )
        return path.read_bytes()
