"""Files of any publisher: features or a table, whose columns the operator maps to ours."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from pyproj import Transformer

from data.sources import features, tables
from data.sources.batch import Batch, File

PLACE: Mapping[str, Sequence[str]] = {
    "lat": ("latitude", "y", "ycoordinate"),
    "lon": ("longitude", "lng", "long", "x", "xcoordinate"),
}
"""Columns of a table that hold a point, and names they commonly have."""

SHAPE = "wkt"
SHAPE_NAMES = ("geometry", "geom", "the_geom", "multipolygon", "boundary")
"""Column of a table that holds a shape as well-known text, and names it commonly has."""

_DEGREES = "EPSG:4326"

_PROJECTED = (
    "not in degrees; if the file has projected coordinates (feet or meters), say in which "
    "coordinate system with --crs, such as --crs EPSG:2817"
)


def read(
    file: File, model: type[BaseModel], *, points: bool
) -> Iterator[tuple[Batch, NDArray[np.object_], dict[str, str]]]:
    """Read a file of features, or a table that says where each row lies.

    Parameters
    ----------
    file : File
        Its `columns` map fields of the record, or `lat`, `lon` and `wkt`, to names in the file; a
        field that is not mapped is looked for under its own name, in upper or lower case.
    model : type of BaseModel
        Border record of a row.
    points : bool
        Whether a table gives points by `lat` and `lon`, else shapes by `wkt`.

    Yields
    ------
    Batch
    ndarray of shapely geometry
        In EPSG:4326, one for each row of the batch.
    dict of str to str
        Field of the record -> column, for `checked`.

    Raises
    ------
    BrokenFileError
        Where the file can not be read, or a mapped column is not there.
    """
    fields = list(model.model_fields)
    if features.is_feature_file(file):
        parts = features.read(file)
    else:
        parts = _points(file) if points else _shapes(file)
    fields = list(model.model_fields)
    for batch, shapes in parts:
        yield batch, shapes, _names(file, fields, batch.raw.schema.names, model)


def checked(
    model: type[BaseModel], batch: Batch, names: Mapping[str, str] | None = None
) -> list[Any]:
    """Check the kept rows of a batch against a border record, rejecting those that fail.

    Parameters
    ----------
    model : type of BaseModel
    batch : Batch
    names : mapping of str to str, optional
        Field -> column; without it the record finds its columns by their own names.

    Returns
    -------
    list of BaseModel
        One for each row still kept.
    """
    held = []
    rows = batch.raw.to_pylist()
    for index in np.flatnonzero(batch.kept):
        row = rows[index]
        try:
            held.append(
                model.model_validate(
                    row if names is None else {field: row[name] for field, name in names.items()}
                )
            )
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            this = np.zeros(len(batch), dtype=bool)
            this[index] = True
            field = str(problem["loc"][0]) if problem["loc"] else ""
            batch.reject(
                this, (names or {}).get(field, field), problem["msg"].removeprefix("Value error, ")
            )
    return held


def _names(
    file: File, fields: list[str], present: list[str], model: type[BaseModel]
) -> dict[str, str]:
    """Say which column each field is read from, where there is one."""
    folded = {name.casefold(): name for name in reversed(present)}
    names = {}
    for field in fields:
        wanted = file.columns.get(field, field)
        if wanted in present:
            names[field] = wanted
        elif wanted.casefold() in folded:
            names[field] = folded[wanted.casefold()]
        elif field in file.columns or model.model_fields[field].is_required():
            raise file.broken(
                f"there is no such column; the file has {', '.join(present)}. Name the one to use "
                f"with --map {field}=COLUMN.",
                column=wanted,
            )
    return names


def _in_degrees(file: File) -> Transformer | None:
    return features.to_stored(file, _DEGREES)


def _points(file: File) -> Iterator[tuple[Batch, NDArray[np.object_]]]:
    way = _in_degrees(file)
    for batch in tables.read(file, PLACE):
        x, y = tables.numbers(batch, "lon"), tables.numbers(batch, "lat")
        if way is not None:
            x, y = way.transform(x, y)
            x, y = (np.where(np.isfinite(values), values, np.nan) for values in (x, y))
        tables.require_position(
            batch,
            x,
            y,
            (file.columns.get("lon", "lon"), file.columns.get("lat", "lat")),
            _PROJECTED,
        )
        shapes = np.full(len(batch), None, dtype=object)
        shapes[batch.kept] = shapely.points(x[batch.kept], y[batch.kept])
        yield batch, shapes


def _shapes(file: File) -> Iterator[tuple[Batch, NDArray[np.object_]]]:
    way = _in_degrees(file)
    for batch in tables.read(file, {SHAPE: SHAPE_NAMES}):
        text = batch.raw.column(SHAPE).to_numpy(zero_copy_only=False)
        shapes = shapely.from_wkt(text, on_invalid="ignore")
        yield batch, features.in_degrees(batch, shapes, way, SHAPE)
