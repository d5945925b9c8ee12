from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry


class BlockWatch(Imported, Base):
    """A block association's watch: its boundary and how to join it."""

    __tablename__ = "block_watch"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(unique=True)
    boundary: Mapped[object] = mapped_column(geometry("MULTIPOLYGON"))
    contact: Mapped[str] = mapped_column(server_default="")
    meeting: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        CheckConstraint(
            "ST_IsValid(boundary) AND NOT ST_IsEmpty(boundary)", name="boundary_is_valid"
        ),
        Index(None, "boundary", postgresql_using="gist"),
    )
