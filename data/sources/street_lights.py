"""The city's street-light poles: points with the number painted on the pole."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import shapely
from pydantic import AliasChoices, BaseModel, Field

from data import wkb
from data.load import Target
from data.sources import features, mapped
from data.sources.batch import Batch, File


class Pole(BaseModel):
    """One feature. OBJECTID changes with every export; the pole's own number stays."""

    pole_id: str = Field(
        validation_alias=AliasChoices("POLEID", "pole_id", "poleid"),
        coerce_numbers_to_str=True,
        min_length=1,
    )


class StreetLights:
    """Poles of street lights. What is known of a light (out, fixed) is not the file's to say."""

    name = "street_lights"
    about = "street-light poles of Kansas City, Missouri (GeoJSON)"
    columns = ()
    target = Target("street_light", key="pole_id")

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the poles."""
        for batch, shapes in features.read(file):
            features.require_points(batch, shapes)
            poles = pa.array([pole.pole_id for pole in mapped.checked(Pole, batch)], pa.string())
            places = shapes[batch.kept]
            yield batch.hold(
                pa.table(
                    {
                        "external_id": poles,
                        "pole_id": poles,
                        "geom": wkb.points(
                            np.asarray(shapely.get_x(places)), np.asarray(shapely.get_y(places))
                        ),
                    }
                )
            )


STREET_LIGHTS = StreetLights()
