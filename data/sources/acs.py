"""Population and households of census tracts: the American Community Survey, in long form.

One row a tract and variable, with its estimate. The tracts themselves come from `tracts`.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.load import Target
from data.models.area import AreaLayer
from data.sources import tables
from data.sources.batch import Batch, File

VARIABLES = {"B01003_001": "population", "B11001_001": "households"}
"""Variable of the survey -> column of an area (B01003: total population; B11001: households)."""

_COLUMNS = {"GEOID": (), "variable": (), "estimate": ()}


class Acs:
    """Estimates for tracts that are stored."""

    name = "acs"
    about = "population and households of tracts (American Community Survey, long form, CSV)"
    columns = tuple(_COLUMNS)
    target = Target("area", key="code", within={"layer": AreaLayer.TRACT.value}, supplements=True)

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the estimates."""
        for batch in tables.read(file, _COLUMNS):
            variable = batch.raw.column("variable").dictionary_encode()
            columns = [VARIABLES.get(word) for word in variable.dictionary.to_pylist()]
            column = pa.array(columns, pa.string()).take(variable.indices)
            batch.leave_out(np.asarray(column.is_null()), "another variable")
            value = tables.numbers(batch, "estimate")
            # The survey writes reasons for having no estimate as large negative numbers.
            batch.reject(np.isnan(value) | (value < 0), "estimate", "no estimate")
            yield batch.hold(
                pa.table(
                    {
                        "code": batch.raw.column("GEOID"),
                        "column": column,
                        "value": pc.round(pa.array(value, from_pandas=True)),
                    }
                ).filter(pa.array(batch.kept))
            )


ACS = Acs()
