"""How a block association lives: its meetings, who asks to join it, and whom it invites."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key, geometry
from data.models.enumeration import enumeration
from data.models.moderation import ReviewState
from data.models.photo import REASON_LIMIT

PLACE_LIMIT, CONTACT_LIMIT, ASSOCIATION_NOTE_LIMIT = 200, 300, 500
"""Characters of where a meeting is, of how to reach a watch, and of notes."""

MOST_MINUTES, LEAST_MINUTES = 720, 5
"""How long a meeting may last."""

MOST_USES = 50
"""How many people one invitation may let in."""


NEAR_M = 250
"""Metres from its boundary within which a report may be sent in the name of a block watch: two blocks,
so that the bus stop and the park around the corner count."""


class WatchBoundary(Base):
    """A boundary that holds or held. A trigger keeps each, whoever wrote it.

    Attributes
    ----------
    drawn : bool
        By somebody on a page; an import wrote it otherwise.
    drawn_by_id : int or None
        None, too, where the account is gone.
    """

    __tablename__ = "watch_boundary"

    id: Mapped[Key]
    block_watch_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("block_watch.id", ondelete="CASCADE")
    )
    boundary: Mapped[object] = mapped_column(geometry("MULTIPOLYGON"))
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    drawn: Mapped[bool]
    drawn_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )

    __table_args__ = (
        Index(None, "block_watch_id", "id"),
        Index(None, "drawn_by_id", postgresql_where=text("drawn_by_id IS NOT NULL")),
    )


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


class MeetingDate(Base):
    """One date of a meeting that recurs, cancelled or moved.

    Attributes
    ----------
    day : date
        On which it would be, in the city's time. A meeting recurs once a day at the most.
    moved_to : datetime or None
        None where it is cancelled.
    """

    __tablename__ = "meeting_date"

    meeting_id: Mapped[int] = mapped_column(
        BigInteger,
        ForeignKey("meeting.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    moved_to: Mapped[datetime | None]
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class WordsField(StrEnum):
    """Which of the public words of a block watch: its own, or of a meeting the last two."""

    CONTACT = "contact"
    MEETING = "meeting"
    PLACE = "place"
    NOTE = "note"


class WatchWords(Base):
    """Words that something in them points at a person with, held until a moderator has read them.

    What stood in their place before stays until then.
    """

    __tablename__ = "watch_words"

    id: Mapped[Key]
    block_watch_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("block_watch.id", ondelete="CASCADE"), index=True
    )
    meeting_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("meeting.id", ondelete="CASCADE")
    )
    field: Mapped[str]
    words: Mapped[str]
    state: Mapped[ReviewState] = mapped_column(
        enumeration(ReviewState, "review_state"), server_default=ReviewState.WAITING.value
    )
    reason: Mapped[str] = mapped_column(server_default="")
    written_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )

    __table_args__ = (
        CheckConstraint("field IN ('contact', 'meeting', 'place', 'note')", name="field_is_known"),
        CheckConstraint(
            "(field IN ('place', 'note')) = (meeting_id IS NOT NULL)",
            name="are_of_a_watch_or_a_meeting",
        ),
        CheckConstraint(
            f"length(words) BETWEEN 1 AND {ASSOCIATION_NOTE_LIMIT}", name="words_are_short"
        ),
        CheckConstraint(f"length(reason) <= {REASON_LIMIT}", name="reason_is_short"),
        CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name="decided_at_a_time"),
        CheckConstraint(
            "state NOT IN ('shortened', 'refused') OR reason <> ''", name="says_the_reason"
        ),
        Index(
            "watch_words_waiting_once", "block_watch_id", "meeting_id", "field", unique=True,
            postgresql_nulls_not_distinct=True, postgresql_where=text("state = 'waiting'"),
        ),
    )  # fmt: skip


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
