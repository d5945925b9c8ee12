"""Patrol divisions of the police, as unions of neighbourhoods.

The department's own polygons are not published. A 311 request names the division it lies in
(POLICE DISTRICT), so that each neighbourhood goes to the division that most of its requests name.
An edge is therefore right to a neighbourhood, and a neighbourhood without requests is in none.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import shapely
from shapely.geometry.base import BaseGeometry

from data import wkb
from data.load import Target
from data.models.area import AreaLayer
from data.sources import kcmo_311, tables
from data.sources.batch import Batch, File
from geo.areas import area_ids

_DISTRICT = "POLICE DISTRICT"


class PatrolDivisions:
    """Divisions derived from 311 requests and the stored neighbourhoods.

    Parameters
    ----------
    neighbourhoods : callable
        Gives the polygons of the stored neighbourhoods, in EPSG:4326, in the order of their ids.
    """

    name = "patrol_divisions"
    about = "patrol divisions, derived from 311 requests and the stored neighbourhoods (CSV)"
    columns = (*kcmo_311.KCMO_311.columns, _DISTRICT)
    target = Target("area", key="code", within={"layer": AreaLayer.PATROL_DIVISION.value})

    def __init__(self, neighbourhoods: Callable[[], Sequence[BaseGeometry]]) -> None:
        self._neighbourhoods = neighbourhoods

    def batches(self, file: File) -> Iterator[Batch]:
        """Give one batch of divisions; the requests are what they are derived from, not rows."""
        polygons = self._neighbourhoods()
        if not polygons:
            raise file.broken(
                "divisions are made of neighbourhoods, and none is stored. Import them first: "
                "porchlight import neighbourhoods FILE."
            )
        division = _division_of_each(file, polygons)
        names = sorted(set(division.values()))
        shapes = []
        for name in names:
            union = shapely.union_all([polygons[i] for i, of in division.items() if of == name])
            shapes.append(shapely.MultiPolygon(list(shapely.get_parts(union))))
        codes = pa.array(names, pa.string())
        raw = pa.record_batch({_DISTRICT: codes})
        yield Batch(raw, 1).hold(
            pa.table(
                {
                    "code": codes,
                    "external_id": codes,
                    "name": codes,
                    "geom": wkb.geometries(shapes),
                }
            )
        )


def _division_of_each(file: File, polygons: Sequence[BaseGeometry]) -> dict[int, str]:
    """Say for each neighbourhood, by its index, which division most of its requests name."""
    named: dict[int, Counter[str]] = {}
    for batch in kcmo_311.read(file, also=(_DISTRICT,)):
        x, y = tables.numbers(batch, "LONGITUDE"), tables.numbers(batch, "LATITUDE")
        lies_in = area_ids(x, y, range(len(polygons)), polygons)
        districts = np.asarray(batch.raw.column(_DISTRICT).to_pylist(), dtype=object)
        for index in np.unique(lies_in[lies_in >= 0]).tolist():
            counts = Counter(name for name in districts[lies_in == index].tolist() if name)
            named.setdefault(index, Counter()).update(counts)
    # Of two that are named as often, the first by name.
    return {
        index: min(counts, key=lambda name: (-counts[name], name))
        for index, counts in named.items()
        if counts
    }
