from datetime import date

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry


class VacantLot(Imported, Base):
    """A lot that stands empty, such as a parcel of the Land Bank."""

    __tablename__ = "vacant_lot"

    id: Mapped[Key]
    parcel_number: Mapped[str]
    address: Mapped[str] = mapped_column(server_default="")
    owner_kind: Mapped[str] = mapped_column(server_default="")
    since: Mapped[date | None]
    geom: Mapped[object] = mapped_column(geometry("POINT"))

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        Index(None, "geom", postgresql_using="gist"),
    )
