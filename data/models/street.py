from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry


class Street(Imported, Base):
    """A street's centreline, for the base map and for naming corners.

    `rank` is 1 for a highway or boulevard, 2 for an arterial, 3 for a local street.
    """

    __tablename__ = "street"

    id: Mapped[Key]
    name: Mapped[str]
    rank: Mapped[int]
    geom: Mapped[object] = mapped_column(geometry("LINESTRING"))

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        CheckConstraint("rank BETWEEN 1 AND 3", name="rank_is_known"),
        Index(None, "geom", postgresql_using="gist"),
    )
