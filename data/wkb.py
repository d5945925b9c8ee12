"""Geometries as binary COPY takes them: EWKB in EPSG:4326, in Arrow columns."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from data.models.base import SRID

_POINT = np.dtype([("order", "u1"), ("type", "<u4"), ("srid", "<u4"), ("x", "<f8"), ("y", "<f8")])
_POINT_WITH_SRID = 0x20000001


def points(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> pa.Array:
    """Give a column of points without making an object of each.

    Parameters
    ----------
    longitude, latitude : ndarray of float
        Degrees; NaN for null.

    Returns
    -------
    pyarrow.FixedSizeBinaryArray
    """
    packed = np.empty(len(longitude), _POINT)
    packed["order"] = 1  # little endian
    packed["type"] = _POINT_WITH_SRID
    packed["srid"] = SRID
    packed["x"] = longitude
    packed["y"] = latitude
    missing = np.isnan(longitude)
    present = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    return pa.Array.from_buffers(
        pa.binary(_POINT.itemsize), len(packed), [present, pa.py_buffer(packed)]
    )


def geometries(shapes: Sequence[BaseGeometry | None] | NDArray[np.object_]) -> pa.Array:
    """Give a column of geometries of any type; None for null.

    Returns
    -------
    pyarrow.BinaryArray
    """
    held = np.asarray(shapes, dtype=object)
    return pa.array(
        shapely.to_wkb(shapely.set_srid(held, SRID), include_srid=True).tolist(), pa.binary()
    )
