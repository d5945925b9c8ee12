"""What the city needs to work on reports: who does it, by when, and what is said about it."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key
from data.models.enumeration import enumeration
from geo.statuses import Status
from geo.work_orders import Visit
from geo.working_days import MOST_DAYS

NOTE_LIMIT = 2_000
"""Characters of a note on the timeline."""

LIST_NAME_LIMIT = 80
QUERY_LIMIT = 1_000
"""Characters of a saved filter."""


class Assignment(Base):
    """Who works on a report now. Apart from the report, since it is for the city's people only."""

    __tablename__ = "assignment"

    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True
    )
    department_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("department.id", ondelete="SET NULL")
    )
    person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL"), index=True
    )
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class CategoryTarget(Base):
    """In how many working days a report of a category is to be done."""

    __tablename__ = "category_target"

    category_code: Mapped[str] = mapped_column(ForeignKey("category.code"), primary_key=True)
    working_days: Mapped[int]

    __table_args__ = (
        CheckConstraint(f"working_days BETWEEN 1 AND {MOST_DAYS}", name="days_are_sensible"),
    )


class ResponseTemplate(Base):
    """Words that fit many reports, to begin a public note with. Of any category where none is named.

    Attributes
    ----------
    visit : Visit or None
        What work orders say with these words.
    """

    __tablename__ = "response_template"

    id: Mapped[Key]
    status: Mapped[Status] = mapped_column(enumeration(Status, "report_status"))
    category_code: Mapped[str | None] = mapped_column(ForeignKey("category.code"))
    visit: Mapped[Visit | None] = mapped_column(enumeration(Visit, "visit"), unique=True)
    english: Mapped[str]
    spanish: Mapped[str]

    __table_args__ = (
        UniqueConstraint("status", "category_code", "english"),
        CheckConstraint(
            f"length(english) <= {NOTE_LIMIT} AND length(spanish) <= {NOTE_LIMIT}",
            name="words_are_short",
        ),
    )


class SavedFilter(Base):
    """A work list that somebody comes back to: a name, and the filters as the address has them."""

    __tablename__ = "saved_filter"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("person.id", ondelete="CASCADE"))
    name: Mapped[str]
    query: Mapped[str]

    __table_args__ = (
        UniqueConstraint("person_id", "name"),
        CheckConstraint(f"length(name) BETWEEN 1 AND {LIST_NAME_LIMIT}", name="name_is_short"),
        CheckConstraint(f"length(query) <= {QUERY_LIMIT}", name="query_is_short"),
    )


class FixAsked(Base):
    """A link sent by e-mail that asks whether a report is fixed, after it came to done once."""

    __tablename__ = "fix_asked"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), index=True
    )
    done_event_id: Mapped[int] = mapped_column(BigInteger)


class FixAnswer(Base):
    """A neighbour's word on whether it is fixed: one a neighbour each time a report is done.

    The neighbour is a hash: that of `Support`, of a link that was sent, or of who is signed in.
    """

    __tablename__ = "fix_answer"

    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True
    )
    done_event_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    neighbour: Mapped[bytes] = mapped_column(primary_key=True)
    fixed: Mapped[bool]
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Nudge(Base):
    """A report that was forgotten, and of which somebody was told: once."""

    __tablename__ = "nudge"

    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
