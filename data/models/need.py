from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Computed, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key, geometry
from data.models.enumeration import enumeration
from geo.kinds import Kind
from geo.outages import Match
from geo.statuses import Status


class Need(Base):
    """Something the city is asked to fix at one place: a street light, or a place to clean up.

    Kept by triggers on reports alone; nobody else writes here. A need of which no report is left is
    deleted. As long as one of its reports is open, so is the need.

    Attributes
    ----------
    street_light_id : int or None
        Of a light; None for other places, and where no light stands within reach.
    geom : point
        Exact: for those who work on it only, as is the address.
    address_folded : str
        As it is searched: in small letters without accents.
    neighbourhood_id, council_district_id, tract_id : int or None
        Of the exact place; results of a spatial join.
    hazard : bool
        Whether a report calls it dangerous, or a pole or wires are damaged.
    status : Status
        The furthest of its open reports. Of a closed need, `done` where a report was done or
        verified; else why it was closed: duplicate, declined, not ours, or held.
    opened_at : datetime
        When the first of its reports came.
    version : int
        Another after every change of the need, of which reports it is made of, or of one of those.
    times_failed : int
        How often the same light was fixed in the two years before.
    """

    __tablename__ = "need"

    id: Mapped[Key]
    kind: Mapped[Kind] = mapped_column(enumeration(Kind, "report_kind"))
    category_code: Mapped[str] = mapped_column(ForeignKey("category.code"))
    street_light_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("street_light.id", ondelete="SET NULL")
    )
    geom: Mapped[object] = mapped_column(geometry("POINT"))
    address: Mapped[str] = mapped_column(server_default="")
    address_folded: Mapped[str] = mapped_column(
        Computed(
            r"lower(regexp_replace(normalize(address, NFKD), '[\u0300-\u036f]', '', 'g'))",
            persisted=True,
        )
    )
    neighbourhood_id: Mapped[int | None] = mapped_column(BigInteger)
    council_district_id: Mapped[int | None] = mapped_column(BigInteger)
    tract_id: Mapped[int | None] = mapped_column(BigInteger)
    hazard: Mapped[bool]
    status: Mapped[Status] = mapped_column(enumeration(Status, "report_status"))
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    times_failed: Mapped[int] = mapped_column(server_default=text("0"))

    __table_args__ = (
        CheckConstraint("kind IN ('lighting', 'cleanup')", name="kind_is_work"),
        CheckConstraint(
            "(closed_at IS NULL) = "
            "(status IN ('received', 'confirmed', 'scheduled', 'in_progress'))",
            name="open_ones_are_not_closed",
        ),
        CheckConstraint("closed_at >= opened_at", name="closed_after_opened"),
        Index(
            "need_light_open_once", "street_light_id",
            unique=True, postgresql_where=text("closed_at IS NULL"),
        ),
        Index(None, "street_light_id", postgresql_where=text("street_light_id IS NOT NULL")),
        Index(
            "need_aged_idx", "category_code", "opened_at", "id",
            postgresql_include=("kind", "council_district_id", "neighbourhood_id", "hazard"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("need_fixed_idx", "closed_at", "id", postgresql_where=text("closed_at IS NOT NULL")),
        Index("need_geom_idx", "geom", postgresql_using="gist"),
        Index("need_open_idx", "kind", "opened_at", "id", postgresql_where=text("closed_at IS NULL")),
    )  # fmt: skip


class NeedReport(Base):
    """A report that asks for a need, and how it was found to be meant.

    Attributes
    ----------
    distance_m : float or None
        Metres from the report's place to the light; None where there is no light.
    as_duplicate : bool
        Whether it counts here as a duplicate of another of these reports.
    """

    __tablename__ = "need_report"

    need_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("need.id", ondelete="CASCADE"), primary_key=True
    )
    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    how: Mapped[Match] = mapped_column(enumeration(Match, "need_match"))
    distance_m: Mapped[float | None]
    as_duplicate: Mapped[bool] = mapped_column(server_default=text("false"))
