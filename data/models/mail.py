from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key


class Mail(Base):
    """An e-mail to one person. A trigger makes the job that sends it.

    Pages may only add rows. What was written is forgotten once it is sent: it may hold a link that
    signs somebody in.

    Attributes
    ----------
    key : UUID
        Of the Message-ID: the same at each try.
    unsubscribe : str or None
        Address at which one click ends messages like this.
    last_error : str
        Why the last try failed.
    given_up_at : datetime or None
        When the mail server refused the recipient, or had not answered for days.
    """

    __tablename__ = "mail"

    id: Mapped[Key]
    key: Mapped[UUID] = mapped_column(server_default=sql("gen_random_uuid()"))
    recipient: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    html: Mapped[str | None]
    unsubscribe: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    attempts: Mapped[int] = mapped_column(server_default=sql("0"))
    last_error: Mapped[str] = mapped_column(server_default="")
    sent_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(
            "length(recipient) <= 254 AND recipient !~ '[[:space:][:cntrl:],<>]'",
            name="recipient_is_one_address",
        ),
        CheckConstraint("subject !~ '[[:cntrl:]]'", name="subject_is_one_line"),
        CheckConstraint("sent_at IS NULL OR given_up_at IS NULL", name="ends_in_one_way"),
        Index(
            "mail_waiting",
            "created_at",
            postgresql_where=sql("sent_at IS NULL AND given_up_at IS NULL"),
        ),
    )
