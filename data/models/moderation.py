from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key
from data.models.enumeration import enumeration
from data.models.photo import REASON_LIMIT


class ReviewState(StrEnum):
    """What a moderator said of a text."""

    WAITING = "waiting"
    APPROVED = "approved"
    SHORTENED = "shortened"
    REFUSED = "refused"


class TextReview(Base):
    """A text that was held, and what became of it: once, and once more after an appeal."""

    __tablename__ = "text_review"

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("report.id", ondelete="CASCADE"))
    round: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    state: Mapped[ReviewState] = mapped_column(
        enumeration(ReviewState, "review_state"), server_default=ReviewState.WAITING.value
    )
    reason: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )

    __table_args__ = (
        UniqueConstraint("report_id", "round"),
        CheckConstraint("round IN (1, 2)", name="appealed_once"),
        CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name="decided_at_a_time"),
        CheckConstraint(
            "state NOT IN ('shortened', 'refused') OR reason <> ''", name="says_the_reason"
        ),
        CheckConstraint(f"length(reason) <= {REASON_LIMIT}", name="reason_is_short"),
        Index("text_review_waiting_idx", "created_at", postgresql_where=text("state = 'waiting'")),
    )


class TextAppeal(Base):
    """Why a reporter asks for another moderator's eyes, once a report."""

    __tablename__ = "text_appeal"

    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True
    )
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        CheckConstraint(f"length(reason) BETWEEN 1 AND {REASON_LIMIT}", name="reason_is_short"),
    )


class ReportHold(Base):
    """Why a moderator has taken a report out of sight, until it is shown again; appealed once.

    Attributes
    ----------
    appeal : str
        Why its reporter asks for another moderator's eyes.
    answer : str
        Why that other one keeps it out of sight all the same.
    """

    __tablename__ = "report_hold"

    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True
    )
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    held_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )
    appeal: Mapped[str] = mapped_column(server_default="")
    appealed_at: Mapped[datetime | None]
    answer: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        CheckConstraint(
            f"length(reason) BETWEEN 1 AND {REASON_LIMIT} AND length(appeal) <= {REASON_LIMIT} "
            f"AND length(answer) <= {REASON_LIMIT}",
            name="words_are_short",
        ),
        CheckConstraint("(appeal = '') = (appealed_at IS NULL)", name="appealed_at_a_time"),
        CheckConstraint("answer = '' OR appeal <> ''", name="answers_an_appeal"),
    )


class HiddenWords(Base):
    """Words of a timeline that a moderator has taken out of sight; the timeline has them no more."""

    __tablename__ = "hidden_words"

    event_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report_event.id", ondelete="CASCADE"), primary_key=True
    )
    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), index=True
    )
    note: Mapped[str]
    note_spanish: Mapped[str]
