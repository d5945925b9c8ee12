"""Places where services are offered, from any GeoJSON, GeoPackage, Shapefile or CSV with points."""

import re
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import pyarrow as pa
import shapely
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from data import wkb
from data.load import Target
from data.models.service_location import LocationType
from data.sources import features, mapped
from data.sources.batch import Batch, File

Text = Annotated[str, StringConstraints(strip_whitespace=True)]

TYPES = (
    (LocationType.POLICE_STATION, "police|sheriff"),
    (LocationType.FIRE_STATION, "fire"),
    (LocationType.LIBRARY, "library"),
    (LocationType.COMMUNITY_CENTRE, "communit|recreation|rec center|senior"),
    (LocationType.SCHOOL, "school|academy|college|university|head start"),
    (LocationType.YOUTH_FAMILY, "youth|family|child|boys|girls"),
    (LocationType.HEALTH, "health|clinic|hospital|medical"),
    (LocationType.FOOD_SHELTER, "food|pantry|shelter|meal|housing"),
    (LocationType.PLACE_OF_WORSHIP, "church|worship|mosque|synagogue|temple|faith|ministr"),
    (LocationType.SHOP, "shop|store|market|grocer|pharmacy|restaurant|gas station"),
    (LocationType.CITY_OFFICE, "city|office|hall|government|court"),
)
"""Our type -> words by which a file's type is known. The first that fits decides."""


class Location(BaseModel):
    """One place. Without an id of its own it is known by its name and address."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    name: Text = Field(min_length=1)
    id: Text | None = None
    type: Text | None = None
    organization: Text | None = None
    address: Text | None = None
    phone: Text | None = None
    hours: Text | None = None
    website: Text | None = Field(default=None, pattern=r"^(https?://\S+)?$")
    confidential: bool | None = None

    def external_id(self) -> str:
        """Give the key of the place within its file."""
        return self.id or f"{self.name}, {self.address or ''}"

    def location_type(self) -> LocationType:
        """Give the type, where need be from the name."""
        for text in (self.type or "", self.name):
            words = text.casefold().replace("_", " ")
            if words.replace(" ", "_") in set(LocationType):
                return LocationType(words.replace(" ", "_"))
            for type_, looks in TYPES:
                if re.search(rf"\b({looks})", words):
                    return type_
        return LocationType.OTHER


class ServiceLocations:
    """Service locations: `name`, and where there are such columns the other fields of `Location`."""

    name = "service_locations"
    about = "places of service (any GeoJSON, GeoPackage, Shapefile, or CSV with lat and lon)"
    columns = (*Location.model_fields, *mapped.PLACE)
    target = Target("service_location")

    def batches(self, file: File) -> Iterator[Batch]:
        """Read the places."""
        for batch, shapes, names in mapped.read(file, Location, points=True):
            features.require_points(batch, shapes)
            held = mapped.checked(Location, batch, names)
            places = shapes[batch.kept]
            texts = {
                field: pa.array([getattr(one, field) or "" for one in held], pa.string())
                for field in ("organization", "address", "phone", "hours", "website")
            }
            yield batch.hold(
                pa.table(
                    {
                        "external_id": pa.array([one.external_id() for one in held], pa.string()),
                        "name": pa.array([one.name for one in held], pa.string()),
                        "type": pa.array([one.location_type().value for one in held], pa.string()),
                        "confidential": pa.array([bool(one.confidential) for one in held]),
                        "geom": wkb.points(
                            np.asarray(shapely.get_x(places), dtype=float),
                            np.asarray(shapely.get_y(places), dtype=float),
                        ),
                        **texts,
                    }
                )
            )


SERVICE_LOCATIONS = ServiceLocations()
