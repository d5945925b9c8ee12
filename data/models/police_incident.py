from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry


class PoliceIncident(Imported, Base):
    """An incident the police recorded, kept apart from residents' reports.

    The database itself refuses a public position for a sensitive offense (violence at home, sexual
    offenses, children, suicide).
    """

    __tablename__ = "police_incident"

    id: Mapped[Key]
    offense: Mapped[str]
    offense_group: Mapped[str]
    sensitive: Mapped[bool]
    occurred_at: Mapped[datetime]
    exact_geom: Mapped[object] = mapped_column(geometry("POINT"))
    public_geom: Mapped[object | None] = mapped_column(geometry("POINT"))

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        CheckConstraint(
            "NOT (sensitive AND public_geom IS NOT NULL)", name="sensitive_has_no_public_position"
        ),
        Index(None, "occurred_at"),
        Index(None, "exact_geom", postgresql_using="gist"),
        Index(None, "public_geom", postgresql_using="gist"),
    )
