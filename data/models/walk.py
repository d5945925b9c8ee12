"""Block walks: each stop is a place and what was seen there, never who saw it or who was seen."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key, geometry
from data.models.report import DESCRIPTION_LIMIT

WALK_TITLE_LIMIT, STOP_NOTE_LIMIT, STOP_ADDRESS_LIMIT, STOP_KEY_LIMIT = 100, 500, 200, 100
"""Characters of a title, a note, a name of a place, and a key."""


class Walk(Base):
    """A walk of a block watch. Title and who began it are for its members.

    Attributes
    ----------
    walked_on : date
        By the city's calendar.
    ended_at : datetime or None
        From then on everybody sees what the walk has found.
    """

    __tablename__ = "walk"

    id: Mapped[Key]
    block_watch_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("block_watch.id", ondelete="CASCADE")
    )
    title: Mapped[str]
    walked_on: Mapped[date]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    ended_at: Mapped[datetime | None]
    started_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )

    __table_args__ = (
        CheckConstraint(f"length(title) BETWEEN 1 AND {WALK_TITLE_LIMIT}", name="title_is_short"),
        Index(None, "block_watch_id", "walked_on"),
        Index(None, "started_by_id", postgresql_where=text("started_by_id IS NOT NULL")),
    )


class WalkStop(Base):
    """A stop of a walk, kept once a key. It says nothing about who recorded it.

    Attributes
    ----------
    key, body_hash : str and bytes
        By which a stop that a phone sends again is known.
    seen_at : datetime
        By the phone's clock, as far as that can be.
    """

    __tablename__ = "walk_stop"

    id: Mapped[Key]
    walk_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("walk.id", ondelete="CASCADE"))
    key: Mapped[str]
    body_hash: Mapped[bytes]
    geom: Mapped[object] = mapped_column(geometry("POINT"))
    address: Mapped[str] = mapped_column(server_default="")
    note: Mapped[str] = mapped_column(server_default="")
    seen_at: Mapped[datetime]
    sent_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        UniqueConstraint("walk_id", "key"),
        CheckConstraint(f"length(key) BETWEEN 1 AND {STOP_KEY_LIMIT}", name="key_is_short"),
        CheckConstraint(f"length(note) <= {STOP_NOTE_LIMIT}", name="note_is_short"),
        CheckConstraint(f"length(address) <= {STOP_ADDRESS_LIMIT}", name="address_is_short"),
        CheckConstraint("seen_at <= sent_at", name="seen_before_sent"),
    )


class WalkAnswer(Base):
    """What was seen at a stop, a question a row, and the report it became.

    Attributes
    ----------
    question, answer : str
        Codes of `geo.walks`.
    report_text : str or None
        Words of a report that somebody asked for and has still to decide on, since it may be known
        already.
    report_id : int or None
    joined : bool
        Whether that report was there before, and the walk only joined it.
    """

    __tablename__ = "walk_answer"

    stop_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("walk_stop.id", ondelete="CASCADE"), primary_key=True
    )
    question: Mapped[str] = mapped_column(primary_key=True)
    answer: Mapped[str]
    report_text: Mapped[str | None]
    report_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="SET NULL")
    )
    joined: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (
        CheckConstraint(
            "question ~ '^[a-z_]{1,20}$' AND answer ~ '^[a-z_]{1,20}$'", name="codes_are_codes"
        ),
        CheckConstraint(
            "report_text IS NULL OR report_id IS NULL", name="what_is_decided_waits_no_more"
        ),
        CheckConstraint(f"length(report_text) <= {DESCRIPTION_LIMIT}", name="report_text_is_short"),
        Index(None, "report_id", postgresql_where=text("report_id IS NOT NULL")),
    )
