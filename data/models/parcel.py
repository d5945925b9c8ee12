from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry
from data.models.enumeration import enumeration


class LandUse(StrEnum):
    """What a parcel is used for."""

    HOME = "home"
    VACANT = "vacant"
    COMMERCIAL = "commercial"
    INDUSTRIAL = "industrial"


class Parcel(Imported, Base):
    """A lot, as a point: where homes are, for judging how many homes a cell holds."""

    __tablename__ = "parcel"

    id: Mapped[Key]
    land_use: Mapped[LandUse] = mapped_column(enumeration(LandUse, "land_use"))
    geom: Mapped[object] = mapped_column(geometry("POINT"))

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        Index(None, "geom", postgresql_using="gist"),
    )
