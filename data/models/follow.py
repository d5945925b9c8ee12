from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key, geometry
from data.models.enumeration import enumeration
from geo.kinds import Kind

AREA_NAME_LIMIT = 80
"""Characters that people may call an area they drew."""


class Pace(StrEnum):
    """How soon followers are told."""

    AT_ONCE = "at_once"
    DAILY = "daily"
    WEEKLY = "weekly"


class Follow(Base):
    """What somebody follows: a report, a block watch, an area, a shape drawn by them, or the city.

    All but a report can be narrowed to kinds or categories. Watches and areas are followed by their
    ids, so that a boundary that changes keeps its followers. News up to an hour before `told_to`
    may still come in, from transactions that took long; `Told` keeps them from being told twice.
    """

    __tablename__ = "follow"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id", ondelete="CASCADE"))
    report_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE")
    )
    block_watch_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("block_watch.id", ondelete="CASCADE")
    )
    area_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("area.id", ondelete="CASCADE")
    )
    drawn: Mapped[object | None] = mapped_column(geometry("POLYGON"))
    name: Mapped[str] = mapped_column(server_default="")
    kinds: Mapped[list[Kind]] = mapped_column(
        ARRAY(enumeration(Kind, "report_kind")), server_default=text("'{}'")
    )
    categories: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    pace: Mapped[Pace] = mapped_column(enumeration(Pace, "follow_pace"))
    language: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    told_to: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(report_id, block_watch_id, area_id, drawn) <= 1", name="one_thing"
        ),
        CheckConstraint(
            "report_id IS NULL OR (kinds = '{}' AND categories = '{}')",
            name="reports_are_not_narrowed",
        ),
        CheckConstraint(f"length(name) <= {AREA_NAME_LIMIT}", name="name_is_short"),
        CheckConstraint("drawn IS NOT NULL OR name = ''", name="only_drawn_areas_have_names"),
        CheckConstraint("language IN ('en', 'es')", name="language_is_known"),
        CheckConstraint("ST_IsValid(drawn) AND NOT ST_IsEmpty(drawn) AND ST_NPoints(drawn) <= 100", name="drawn_is_valid"),
        Index(
            "follow_once", "person_id", "report_id", "block_watch_id", "area_id", "drawn", "kinds",
            "categories", unique=True, postgresql_nulls_not_distinct=True,
        ),
        Index(None, "report_id", postgresql_where=text("report_id IS NOT NULL")),
        Index(None, "block_watch_id", postgresql_where=text("block_watch_id IS NOT NULL")),
        Index(None, "area_id", postgresql_where=text("area_id IS NOT NULL")),
    )  # fmt: skip


class Told(Base):
    """Which news each follower was told, by whatever they follow: each once."""

    __tablename__ = "told"

    person_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="CASCADE"), primary_key=True
    )
    event_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report_event.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
