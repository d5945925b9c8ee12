"""Reading GeoJSON, GeoPackage and Shapefile by GDAL, a part at a time, in whatever CRS they are."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from data.sources.batch import Batch, File
from geo.crs import STORED

FIRST_ROW = 1
GEOMETRY = "geometry"
_BATCH_ROWS = 5_000

# GDAL opens many formats, some of which fetch or run what they name. These do not.
_STARTS: Final = (
    b"{",  # GeoJSON
    b"SQLite format 3\0",  # GeoPackage
    b"\x00\x00\x27\x0a",  # Shapefile
    b"PK\x03\x04",  # a zipped Shapefile
)


def is_feature_file(file: File) -> bool:
    """Whether the file is of a kind read here, by its first bytes."""
    with file.path.open("rb") as stream:
        return stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_STARTS)


def read(file: File) -> Iterator[tuple[Batch, NDArray[np.object_]]]:
    """Read features.

    Parameters
    ----------
    file : File

    Yields
    ------
    Batch
        Whose columns are the properties, and `GEOMETRY` as WKB in the CRS of the file.
    ndarray of shapely geometry
        In EPSG:4326 and two dimensions; None where the feature has none, or one that is rejected.

    Raises
    ------
    BrokenFileError
        Where the file can not be read, or its CRS is not known.
    """
    if not is_feature_file(file):
        raise file.broken("neither GeoJSON, GeoPackage nor Shapefile. Convert it to one of these.")
    row = FIRST_ROW
    try:
        with pyogrio.open_arrow(file.path, batch_size=_BATCH_ROWS, use_pyarrow=True) as (
            about,
            reader,
        ):
            way = to_stored(file, about["crs"])
            held = about["geometry_name"] or "wkb_geometry"
            for raw in reader:
                names = [GEOMETRY if name == held else name for name in raw.schema.names]
                batch = Batch(raw.rename_columns(names), row)
                held_shapes = batch.raw.column(GEOMETRY).to_numpy(zero_copy_only=False)
                shapes = shapely.from_wkb(held_shapes, on_invalid="ignore")
                yield batch, in_degrees(batch, shapes, way, GEOMETRY)
                row += raw.num_rows
    except (DataSourceError, DataLayerError, pa.ArrowInvalid, OSError, RuntimeError) as error:
        raise file.broken(f"it can not be read: {error}", row=row) from error


def to_stored(file: File, found: str | None) -> Transformer | None:
    """Give the way from the CRS of the file to the stored one; None where they are the same.

    Parameters
    ----------
    file : File
        Whose declared CRS comes before the one found.
    found : str or None
        What the file itself says.

    Raises
    ------
    BrokenFileError
        Where neither is known, or there is no such CRS.
    """
    declared = file.crs or found
    if declared is None:
        raise file.broken(
            "it does not say in which coordinate system it is. If you know it, add --crs, such as "
            "--crs EPSG:4326 for longitude and latitude (a Shapefile needs its .prj file)."
        )
    try:
        crs = CRS.from_user_input(declared)
    except CRSError as error:
        raise file.broken(
            f"{declared} is no coordinate system. Write it like --crs EPSG:2817."
        ) from error
    if crs.equals(STORED, ignore_axis_order=True):
        return None
    return Transformer.from_crs(crs, STORED, always_xy=True)


def in_degrees(
    batch: Batch, shapes: NDArray[np.object_], way: Transformer | None, column: str
) -> NDArray[np.object_]:
    """Bring shapes to EPSG:4326 and two dimensions, rejecting those that are not on Earth.

    Parameters
    ----------
    batch : Batch
    shapes : ndarray of shapely geometry
        One for each row.
    way : pyproj.Transformer or None
        As `to_stored` gives it.
    column : str
        Of the file, that held them.

    Returns
    -------
    ndarray of shapely geometry
        None for rows not kept.
    """
    shapes = shapely.force_2d(shapes)
    if way is not None:

        def transformed(places: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.column_stack(way.transform(places[:, 0], places[:, 1]))

        shapes = shapely.transform(shapes, transformed)
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    batch.reject(missing, column, "no geometry")
    west, south, east, north = shapely.bounds(shapes).T
    # NaN and infinity, which a failed transformation gives, compare as outside.
    on_earth = (west >= -180) & (east <= 180) & (south >= -90) & (north <= 90)
    batch.reject(
        ~on_earth,
        column,
        "not in degrees: the file is in another coordinate system than it says; declare the right "
        "one with --crs",
    )
    shapes[~batch.kept] = None
    return shapes


def column(file: File, batch: Batch, *names: str) -> pa.Array:
    """Give the first of some columns that the file has.

    Raises
    ------
    BrokenFileError
        Where it has none of them.
    """
    held = batch.raw.schema.names
    found = next((name for name in names if name in held), None)
    if found is None:
        raise file.broken(
            f"there is no such column; the file has {', '.join(held)}.", column=names[0]
        )
    return batch.raw.column(found)


def require_points(batch: Batch, shapes: NDArray[np.object_]) -> None:
    """Reject what is no point."""
    batch.reject(shapely.get_type_id(shapes) != shapely.GeometryType.POINT, GEOMETRY, "not a point")


def polygons(batch: Batch, shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Give valid multipolygons; what is none is rejected, what is invalid mended and counted.

    Parameters
    ----------
    batch : Batch
    shapes : ndarray of shapely geometry
        As `read` gives them.

    Returns
    -------
    ndarray of shapely.MultiPolygon
        None for rows not kept.
    """
    flat = np.isin(
        shapely.get_type_id(shapes),
        [shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON],
    )
    batch.reject(~flat, GEOMETRY, "not a polygon")
    invalid = batch.kept & ~shapely.is_valid(shapes)
    batch.mended += int(np.count_nonzero(invalid))
    mended = shapes.copy()
    mended[invalid] = shapely.make_valid(shapes[invalid], method="structure", keep_collapsed=False)
    whole = np.array([_multipolygon(shape) for shape in mended], dtype=object)
    whole[~batch.kept] = None
    lost = batch.kept & shapely.is_empty(whole)
    batch.mended -= int(np.count_nonzero(lost & invalid))
    batch.reject(lost, GEOMETRY, "a polygon without an area")
    return whole


def _multipolygon(shape: Any) -> shapely.MultiPolygon | None:
    if shape is None:
        return None
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon([part for part in parts if part.area > 0])
