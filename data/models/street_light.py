from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry
from data.models.enumeration import enumeration


class LightStatus(StrEnum):
    """What is known of a light."""

    WORKING = "working"
    REPORTED = "reported"
    OUT = "out"
    SCHEDULED = "scheduled"
    FIXED = "fixed"


class StreetLight(Imported, Base):
    """A street light, known by the number on its pole."""

    __tablename__ = "street_light"

    id: Mapped[Key]
    pole_id: Mapped[str]
    status: Mapped[LightStatus] = mapped_column(
        enumeration(LightStatus, "light_status"), server_default=LightStatus.WORKING.value
    )
    geom: Mapped[object] = mapped_column(geometry("POINT"))

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        UniqueConstraint("pole_id"),
        Index(None, "geom", postgresql_using="gist"),
    )
