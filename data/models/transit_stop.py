from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry


class TransitStop(Imported, Base):
    """A bus or streetcar stop, from GTFS stops.txt."""

    __tablename__ = "transit_stop"

    id: Mapped[Key]
    name: Mapped[str]
    geom: Mapped[object] = mapped_column(geometry("POINT"))

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        Index(None, "geom", postgresql_using="gist"),
    )
