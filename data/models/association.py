"""How a block association lives: its meetings, who asks to join it, and whom it invites."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key

PLACE_LIMIT, CONTACT_LIMIT, ASSOCIATION_NOTE_LIMIT = 200, 300, 500
"""Characters of where a meeting is, of how to reach a watch, and of notes."""

MOST_MINUTES, LEAST_MINUTES = 720, 5
"""How long a meeting may last."""

MOST_USES = 50
"""How many people one invitation may let in."""


class MemberContact(Base):
    """How members reach each other. Apart from the block watch, since everybody may read that."""

    __tablename__ = "member_contact"

    block_watch_id: Mapped[int] = mapped_column(
        BigInteger,
        ForeignKey("block_watch.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    contact: Mapped[str]

    __table_args__ = (
        CheckConstraint(f"length(contact) <= {CONTACT_LIMIT}", name="contact_is_short"),
    )


class Meeting(Base):
    """A meeting of a block watch, once or again and again at the same hour of the city's clocks.

    Attributes
    ----------
    uid : UUID
        By which calendars know it, whatever else of it changes.
    rrule : str
        Recurrence as of RFC 5545: weekly, every second week, or monthly by day. Empty for once.
    sequence : int
        How often it was changed.
    cancelled_at : datetime or None
        Kept for a while, so that calendars learn of it.
    """

    __tablename__ = "meeting"

    id: Mapped[Key]
    uid: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    block_watch_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("block_watch.id", ondelete="CASCADE"), index=True
    )
    place: Mapped[str]
    service_location_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("service_location.id", ondelete="SET NULL")
    )
    starts_at: Mapped[datetime]
    rrule: Mapped[str] = mapped_column(server_default="")
    duration_minutes: Mapped[int]
    note: Mapped[str] = mapped_column(server_default="")
    sequence: Mapped[int] = mapped_column(server_default=text("0"))
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    cancelled_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(f"length(place) BETWEEN 1 AND {PLACE_LIMIT}", name="place_is_short"),
        CheckConstraint(f"length(note) <= {ASSOCIATION_NOTE_LIMIT}", name="note_is_short"),
        CheckConstraint(
            f"duration_minutes BETWEEN {LEAST_MINUTES} AND {MOST_MINUTES}",
            name="duration_is_sensible",
        ),
        CheckConstraint(
            "rrule ~ '^(|FREQ=WEEKLY(;INTERVAL=2)?;BYDAY=(MO|TU|WE|TH|FR|SA|SU)"
            "|FREQ=MONTHLY;BYDAY=([1-4]|-1)(MO|TU|WE|TH|FR|SA|SU))$'",
            name="rrule_is_known",
        ),
    )


class JoinRequest(Base):
    """Somebody asks to become a member. The note goes as soon as a captain has decided."""

    __tablename__ = "join_request"

    id: Mapped[Key]
    block_watch_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("block_watch.id", ondelete="CASCADE")
    )
    person_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="CASCADE"), index=True
    )
    note: Mapped[str] = mapped_column(server_default="")
    asked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    decided_at: Mapped[datetime | None]
    approved: Mapped[bool | None]
    decided_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )

    __table_args__ = (
        CheckConstraint(f"length(note) <= {ASSOCIATION_NOTE_LIMIT}", name="note_is_short"),
        CheckConstraint("(decided_at IS NULL) = (approved IS NULL)", name="decision_is_whole"),
        Index(
            "join_request_open_once", "block_watch_id", "person_id", unique=True,
            postgresql_where=text("decided_at IS NULL"),
        ),
    )  # fmt: skip


class WatchInvitation(Base):
    """A link that makes whoever follows it a member. The table holds only the hash of its token.

    It holds as long as whoever made it is a captain.
    """

    __tablename__ = "watch_invitation"

    id: Mapped[Key]
    block_watch_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("block_watch.id", ondelete="CASCADE"), index=True
    )
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    made_by_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="CASCADE"), index=True
    )
    made_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime] = mapped_column(server_default=text("now() + interval '14 days'"))
    uses_left: Mapped[int]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint(f"uses_left BETWEEN 0 AND {MOST_USES}", name="uses_are_few"),)
