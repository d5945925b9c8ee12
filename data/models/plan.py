"""An action plan: a place, what was found there, who does what by when, and what came of it."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key, geometry
from data.models.enumeration import enumeration
from data.models.moderation import ReviewState
from data.models.photo import REASON_LIMIT
from geo.plans import Audience, Stage

TITLE_LIMIT, TASK_LIMIT, PARTNER_LIMIT, BRINGS_LIMIT, PLAN_NOTE_LIMIT = 120, 300, 120, 300, 2_000
"""Characters of a title, of what is to be done, of a partner's name, of what it brings, of a note."""


class Plan(Base):
    """A plan for a place, led by the liaison of its division and the captains of its block watch.

    Everybody reads all but `place` and who opened it. The place is for those of the plan
    (`plan_private`), since it may have been chosen by exact positions.

    Attributes
    ----------
    place : geometry
        What is treated. Fixed when the plan is opened, since it is judged later by it.
    public_place : geometry or None
        What everybody sees of it; None where that is the neighbourhood's name alone.
    neighbourhood_id, patrol_division_id, council_district_id : int or None
        Of the middle of the place, kept by a trigger.
    response_starts : date or None
        In the city's time; from response on.
    version : int
        Raised by a trigger with each change of this row.
    """

    __tablename__ = "plan"

    id: Mapped[Key]
    title: Mapped[str]
    opened_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL"), index=True
    )
    block_watch_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("block_watch.id", ondelete="SET NULL"), index=True
    )
    place: Mapped[object] = mapped_column(geometry("MULTIPOLYGON"))
    public_place: Mapped[object | None] = mapped_column(geometry("MULTIPOLYGON"))
    neighbourhood_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("area.id", ondelete="SET NULL"), index=True
    )
    patrol_division_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("area.id", ondelete="SET NULL"), index=True
    )
    council_district_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("area.id", ondelete="SET NULL"), index=True
    )
    stage: Mapped[Stage] = mapped_column(
        enumeration(Stage, "plan_stage"), server_default=Stage.SCANNING.value
    )
    response_starts: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    version: Mapped[int] = mapped_column(server_default=text("1"))

    __table_args__ = (
        CheckConstraint(f"length(title) BETWEEN 1 AND {TITLE_LIMIT}", name="title_is_short"),
        CheckConstraint(
            "ST_IsValid(place) AND NOT ST_IsEmpty(place) AND ST_NPoints(place) <= 5000",
            name="place_is_valid",
        ),
        CheckConstraint(
            "CASE WHEN stage IN ('scanning', 'analysis') THEN response_starts IS NULL "
            "WHEN stage IN ('response', 'assessment') THEN response_starts IS NOT NULL "
            "ELSE true END",
            name="response_starts_with_it",
        ),
        Index(None, "place", postgresql_using="gist"),
    )


class PlanFigures(Base):
    """The figures of a hot spot as they were when a plan was opened on it. Never changed.

    Attributes
    ----------
    exact : bool
        Whether they count exact places: then only the police and administrators read them.
    figures : dict
        As `server.plans.frozen` gives them.
    """

    __tablename__ = "plan_figures"

    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("plan.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    exact: Mapped[bool]
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)


class PlanStep(Base):
    """When a plan came to a stage. Written by a trigger, and only ever added to."""

    __tablename__ = "plan_step"

    id: Mapped[Key]
    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("plan.id", ondelete="CASCADE"), index=True
    )
    stage: Mapped[Stage] = mapped_column(enumeration(Stage, "plan_stage"))
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL"), index=True
    )


class PlanPartner(Base):
    """Who works on a plan: a department, a service location, or somebody else with a name.

    The name is of an organization or a business, never of a person. It stays where a department or
    a service location is gone.
    """

    __tablename__ = "plan_partner"

    id: Mapped[Key]
    plan_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("plan.id", ondelete="CASCADE"))
    department_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("department.id", ondelete="SET NULL")
    )
    service_location_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("service_location.id", ondelete="SET NULL")
    )
    name: Mapped[str]
    brings: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (
        CheckConstraint("num_nonnulls(department_id, service_location_id) <= 1", name="is_one"),
        CheckConstraint(f"length(name) BETWEEN 1 AND {PARTNER_LIMIT}", name="name_is_short"),
        CheckConstraint(f"length(brings) <= {BRINGS_LIMIT}", name="brings_is_short"),
        Index("plan_partner_once", "plan_id", text("lower(name)"), unique=True),
    )


class PlanTask(Base):
    """Something to be done, by a partner or by somebody who has a role in the plan."""

    __tablename__ = "plan_task"

    id: Mapped[Key]
    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("plan.id", ondelete="CASCADE"), index=True
    )
    what: Mapped[str]
    partner_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("plan_partner.id", ondelete="SET NULL"), index=True
    )
    person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL"), index=True
    )
    due: Mapped[date | None]
    done_at: Mapped[datetime | None]
    done_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL"), index=True
    )
    reminded_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    version: Mapped[int] = mapped_column(server_default=text("1"))

    __table_args__ = (
        CheckConstraint(f"length(what) BETWEEN 1 AND {TASK_LIMIT}", name="what_is_short"),
        CheckConstraint("num_nonnulls(partner_id, person_id) <= 1", name="is_of_one"),
        CheckConstraint("done_by_id IS NULL OR done_at IS NOT NULL", name="done_at_a_time"),
        Index(
            "plan_task_due_idx", "due", postgresql_where=text("done_at IS NULL AND due IS NOT NULL")
        ),
    )


class PlanNote(Base):
    """What was found or decided at a stage, or a word in the discussion. Only ever added to.

    Words in which something points at a person wait for a moderator.

    Attributes
    ----------
    stage : Stage or None
        Of what it tells; None in the discussion.
    """

    __tablename__ = "plan_note"

    id: Mapped[Key]
    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("plan.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL"), index=True
    )
    audience: Mapped[Audience] = mapped_column(enumeration(Audience, "plan_audience"))
    stage: Mapped[Stage | None] = mapped_column(enumeration(Stage, "plan_stage"))
    words: Mapped[str]
    state: Mapped[ReviewState] = mapped_column(
        enumeration(ReviewState, "review_state"), server_default=ReviewState.APPROVED.value
    )
    reason: Mapped[str] = mapped_column(server_default="")
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )

    __table_args__ = (
        CheckConstraint(f"length(words) BETWEEN 1 AND {PLAN_NOTE_LIMIT}", name="words_are_short"),
        CheckConstraint(f"length(reason) <= {REASON_LIMIT}", name="reason_is_short"),
        CheckConstraint(
            "state NOT IN ('shortened', 'refused') OR (reason <> '' AND decided_at IS NOT NULL)",
            name="says_the_reason",
        ),
        CheckConstraint(
            "stage IS NULL OR audience = CASE stage WHEN 'closed' "
            "THEN 'everyone'::plan_audience ELSE 'watch'::plan_audience END",
            name="stages_are_for_the_watch",
        ),
        Index(
            "plan_note_waiting_idx", "at", postgresql_where=text("state = 'waiting'")
        ),
    )  # fmt: skip


class PlanReport(Base):
    """A report that a plan is about: shown in its place or near it."""

    __tablename__ = "plan_report"

    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("plan.id", ondelete="CASCADE"), primary_key=True
    )
    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
