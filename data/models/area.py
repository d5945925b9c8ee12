from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry
from data.models.enumeration import enumeration


class AreaLayer(StrEnum):
    """The divisions of the city that a report can lie in."""

    CITY = "city"
    NEIGHBOURHOOD = "neighbourhood"
    COUNCIL_DISTRICT = "council_district"
    PATROL_DIVISION = "patrol_division"
    TRACT = "tract"
    BLOCK_GROUP = "block_group"
    POSTAL_AREA = "postal_area"
    BLOCK = "block"


class Area(Imported, Base):
    """One area of one layer. The areas of the layer `city` are the served area."""

    __tablename__ = "area"

    id: Mapped[Key]
    layer: Mapped[AreaLayer] = mapped_column(enumeration(AreaLayer, "area_layer"))
    code: Mapped[str]
    name: Mapped[str]
    geom: Mapped[object] = mapped_column(geometry("MULTIPOLYGON"))
    land_m2: Mapped[float | None]
    households: Mapped[int | None]
    population: Mapped[int | None]

    __table_args__ = (
        UniqueConstraint("layer", "code"),
        CheckConstraint("ST_IsValid(geom) AND NOT ST_IsEmpty(geom)", name="geometry_is_valid"),
        Index(None, "geom", postgresql_using="gist"),
    )


class AreaPiece(Base):
    """An area cut into small pieces, kept by a trigger, so that "which areas is this in" is fast."""

    __tablename__ = "area_piece"

    id: Mapped[Key]
    area_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("area.id", ondelete="CASCADE"), index=True
    )
    layer: Mapped[AreaLayer] = mapped_column(enumeration(AreaLayer, "area_layer"))
    geom: Mapped[object] = mapped_column(geometry("POLYGON"))

    __table_args__ = (Index(None, "layer"), Index(None, "geom", postgresql_using="gist"))
