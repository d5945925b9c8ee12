from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key
from data.models.enumeration import enumeration

REASON_LIMIT = 1_000
"""Characters of a moderator's reason, or of a reporter's appeal."""


class PhotoState(StrEnum):
    """Whether a photo is shown."""

    WAITING = "waiting"
    PUBLIC = "public"
    REFUSED = "refused"


class Photo(Base):
    """A photo of a report, or of a form that is being filled in. Its files lie in the photo store.

    Attributes
    ----------
    form_hash : bytes or None
        Hash of the token of the form, until it is sent.
    sent_hash : bytes or None
        Hash of the file as it came, until the form is sent: the same file counts once.
    key : str or None
        Name of the files, by chance; None once they are gone.
    """

    __tablename__ = "photo"

    id: Mapped[Key]
    report_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), index=True
    )
    form_hash: Mapped[bytes | None]
    sent_hash: Mapped[bytes | None]
    key: Mapped[str | None] = mapped_column(unique=True)
    state: Mapped[PhotoState] = mapped_column(
        enumeration(PhotoState, "photo_state"), server_default=PhotoState.WAITING.value
    )
    width: Mapped[int]
    height: Mapped[int]
    reviewed_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )
    reviewed_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        CheckConstraint(
            "(report_id IS NULL) = (form_hash IS NOT NULL)", name="is_of_a_form_or_a_report"
        ),
        CheckConstraint("key IS NOT NULL OR state = 'refused'", name="only_refused_lose_files"),
        CheckConstraint(f"length(reason) <= {REASON_LIMIT}", name="reason_is_short"),
        Index(None, "form_hash", "sent_hash", unique=True, postgresql_where=text("form_hash IS NOT NULL")),
        Index("photo_waiting_idx", "created_at", postgresql_where=text("state = 'waiting' AND report_id IS NOT NULL")),
    )  # fmt: skip


class PhotoAppeal(Base):
    """Why whoever sent a photo asks for another moderator's eyes, once a photo."""

    __tablename__ = "photo_appeal"

    photo_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True
    )
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        CheckConstraint(f"length(reason) BETWEEN 1 AND {REASON_LIMIT}", name="reason_is_short"),
    )


class DiscardedPhoto(Base):
    """The key of files that no photo names any more, until they are deleted. A trigger adds it."""

    __tablename__ = "discarded_photo"

    key: Mapped[str] = mapped_column(primary_key=True)
