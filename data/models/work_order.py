"""Work orders: who fixes what on which day, what came of it, and everything that was said of it."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key
from data.models.enumeration import enumeration
from data.models.work_plan import LONGEST_JOB_MINUTES
from geo.work_orders import Outcome, State

ORDER_NOTE_LIMIT, PARTS_LIMIT = 1_000, 200
"""Characters of a note, and of the parts that are missing."""

HOLDS_NEED = "state NOT IN ('inspected', 'cancelled') AND outcome IN ('', 'fixed')"
"""In SQL: an order keeps its need from another. A visit that came to nothing leaves it to a new one at once."""


class WorkOrder(Base):
    """One need, one crew, one day. A draft may name neither crew nor day.

    Attributes
    ----------
    day : date or None
        By the city's calendar.
    position : int or None
        Where it stands on the crew's route of the day, from 1.
    arrive_at : datetime or None
        When the route says that the crew gets there.
    outcome : Outcome
        What came of the visit, once it is done.
    parts : str
        What the crew asked for. It stays when the order goes back, so that the next crew brings it.
    version : int
        Which a trigger counts up at every change; a change names the one that it saw.
    person_id, at : int or None and datetime
        Who made it, and when.
    """

    __tablename__ = "work_order"

    id: Mapped[Key]
    work_plan_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("work_plan.id", ondelete="SET NULL"), index=True
    )
    need_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("need.id", ondelete="CASCADE"), index=True
    )
    crew_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("crew.id"))
    day: Mapped[date | None]
    position: Mapped[int | None]
    arrive_at: Mapped[datetime | None]
    service_minutes: Mapped[int]
    state: Mapped[State] = mapped_column(
        enumeration(State, "work_order_state"), server_default=State.DRAFT.value
    )
    outcome: Mapped[Outcome] = mapped_column(
        enumeration(Outcome, "work_order_outcome"), server_default=Outcome.NONE.value
    )
    parts: Mapped[str] = mapped_column(server_default="")
    version: Mapped[int] = mapped_column(server_default=text("1"))
    person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        CheckConstraint("position >= 1", name="position_counts_from_one"),
        CheckConstraint(
            f"service_minutes BETWEEN 1 AND {LONGEST_JOB_MINUTES}", name="service_minutes_are_sensible"
        ),
        CheckConstraint(f"length(parts) <= {PARTS_LIMIT}", name="parts_are_short"),
        CheckConstraint(
            "state NOT IN ('issued', 'in_field') OR (crew_id IS NOT NULL AND day IS NOT NULL)",
            name="crew_and_day_are_named",
        ),
        CheckConstraint(
            "(state IN ('done', 'inspected')) = (outcome <> '')", name="outcome_is_of_a_visit"
        ),
        Index(None, "crew_id", "day"),
        Index(None, "person_id", postgresql_where=text("person_id IS NOT NULL")),
        Index(
            "work_order_holds_need", "need_id", unique=True, postgresql_where=text(HOLDS_NEED),
        ),
    )  # fmt: skip


class WorkOrderEvent(Base):
    """One line of what happened to a work order. Only ever added, which a trigger enforces.

    Attributes
    ----------
    state, outcome : State and Outcome, or None
        Of a step; no state is a note.
    came_late : bool
        Of what a crew marked without a connection, when it could no longer be a step: kept as its
        word, for the desk to decide on.
    marked_at : datetime
        By the clock of the phone, as far as that can be.
    key, body_hash : UUID and bytes, or None
        By which a mark that a phone sends again is known.
    """

    __tablename__ = "work_order_event"

    id: Mapped[Key]
    work_order_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("work_order.id", ondelete="CASCADE"), index=True
    )
    state: Mapped[State | None] = mapped_column(enumeration(State, "work_order_state"))
    outcome: Mapped[Outcome] = mapped_column(
        enumeration(Outcome, "work_order_outcome"), server_default=Outcome.NONE.value
    )
    note: Mapped[str] = mapped_column(server_default="")
    parts: Mapped[str] = mapped_column(server_default="")
    came_late: Mapped[bool] = mapped_column(server_default=text("false"))
    person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    marked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    key: Mapped[UUID | None] = mapped_column(unique=True)
    body_hash: Mapped[bytes | None]

    __table_args__ = (
        CheckConstraint(f"length(note) <= {ORDER_NOTE_LIMIT}", name="note_is_short"),
        CheckConstraint(f"length(parts) <= {PARTS_LIMIT}", name="parts_are_short"),
        CheckConstraint("marked_at <= at", name="marked_before_sent"),
        CheckConstraint("(key IS NULL) = (body_hash IS NULL)", name="key_is_of_a_body"),
        Index(None, "person_id", postgresql_where=text("person_id IS NOT NULL")),
    )


class WorkOrderPhoto(Base):
    """A photo that a crew took at a stop, for the city's people alone.

    Attributes
    ----------
    key : str
        Name of the files in the photo store.
    """

    __tablename__ = "work_order_photo"

    id: Mapped[Key]
    event_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("work_order_event.id", ondelete="CASCADE"), index=True
    )
    key: Mapped[str] = mapped_column(unique=True)
    width: Mapped[int]
    height: Mapped[int]
