from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry
from data.models.enumeration import enumeration


class GroundType(StrEnum):
    """What the base map paints under the streets."""

    WATER = "water"
    PARK = "park"


class Ground(Imported, Base):
    """A stretch of water or a park on the base map."""

    __tablename__ = "ground"

    id: Mapped[Key]
    type: Mapped[GroundType] = mapped_column(enumeration(GroundType, "ground_type"))
    name: Mapped[str] = mapped_column(server_default="")
    geom: Mapped[object] = mapped_column(geometry("MULTIPOLYGON"))

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        Index(None, "geom", postgresql_using="gist"),
    )
