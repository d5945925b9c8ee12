"""Files of areas: polygons with a code and a name, read one by one through a border record."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import shapely
from pydantic import BaseModel

from data import wkb
from data.load import Target
from data.models.area import AreaLayer
from data.sources import features, mapped
from data.sources.batch import Batch, File


class AreaRecord(Protocol):
    """What one feature says of an area."""

    def code(self, shape: shapely.MultiPolygon) -> str:
        """Give the key of the area within its layer."""

    def title(self) -> str:
        """Give its name."""

    def land_m2(self) -> float | None:
        """Give its land in square metres, where the file says it."""


@dataclass(frozen=True, slots=True)
class AreaSource:
    """A file of areas of one layer.

    Attributes
    ----------
    name, about : str
        As `data.load.Source` says.
    layer : AreaLayer
    record : type of BaseModel
        Border record: also an `AreaRecord`.
    """

    name: str
    about: str
    layer: AreaLayer
    record: type[BaseModel]

    @property
    def columns(self) -> tuple[str, ...]:
        """None: publishers of areas are known."""
        return ()

    @property
    def target(self) -> Target:
        """The areas of the layer, whoever brought them in before."""
        return Target("area", key="code", within={"layer": self.layer.value})

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the areas."""
        for batch, shapes in features.read(file):
            whole = features.polygons(batch, shapes)
            yield batch.hold(area_records(mapped.checked(self.record, batch), whole[batch.kept]))


def area_records(read: list[Any], shapes: Any) -> pa.Table:
    """Give the columns of `area` for border records and their polygons.

    Parameters
    ----------
    read : list of AreaRecord
    shapes : ndarray of shapely.MultiPolygon

    Returns
    -------
    pyarrow.Table
    """
    codes = pa.array(
        [record.code(shape) for record, shape in zip(read, shapes, strict=True)], pa.string()
    )
    return pa.table(
        {
            "code": codes,
            "external_id": codes,
            "name": pa.array([record.title() for record in read], pa.string()),
            "geom": wkb.geometries(shapes),
            "land_m2": pa.array([record.land_m2() for record in read], pa.float64()),
        }
    )
