"""What the city has to work with, and the needs it chose to fix within that."""

from datetime import datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key, geometry
from data.models.enumeration import enumeration
from geo.kinds import Kind

PLAN_NAME_LIMIT, DEPOT_NAME_LIMIT, CREW_NAME_LIMIT, MATERIAL_LIMIT = 120, 80, 80, 60
"""Characters of a work plan's name, of a depot's, of a crew's and of a material's."""

MOST_CENTS = 100_000_000_000
MOST_CREW_DAYS = 1_000
SHORTEST_DAY_MINUTES, LONGEST_DAY_MINUTES = 60, 960
LONGEST_JOB_MINUTES = 960
"""Largest budget, crew days of a work plan, minutes of a crew's day and of one need."""


class Depot(Base):
    """Where crews start from and come back to."""

    __tablename__ = "depot"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(unique=True)
    geom: Mapped[object] = mapped_column(geometry("POINT"))

    __table_args__ = (
        CheckConstraint(f"length(name) BETWEEN 1 AND {DEPOT_NAME_LIMIT}", name="name_is_short"),
    )


class Crew(Base):
    """A crew, by the name of the team and never of a person.

    Attributes
    ----------
    day_minutes : int
        From leaving the depot to being back.
    starts_at : time
        When it leaves, in the city's time.
    active : bool
        Whether routes are made for it.
    """

    __tablename__ = "crew"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(unique=True)
    depot_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("depot.id"), index=True)
    kind: Mapped[Kind] = mapped_column(enumeration(Kind, "report_kind"))
    day_minutes: Mapped[int] = mapped_column(server_default=text("480"))
    starts_at: Mapped[time] = mapped_column(server_default="07:00")
    active: Mapped[bool] = mapped_column(server_default=text("true"))

    __table_args__ = (
        CheckConstraint(f"length(name) BETWEEN 1 AND {CREW_NAME_LIMIT}", name="name_is_short"),
        CheckConstraint("kind IN ('lighting', 'cleanup')", name="kind_has_needs"),
        CheckConstraint(
            f"day_minutes BETWEEN {SHORTEST_DAY_MINUTES} AND {LONGEST_DAY_MINUTES}",
            name="day_is_sensible",
        ),
    )


class UnitCost(Base):
    """What one need of a category takes: money, minutes on the spot, and materials by name."""

    __tablename__ = "unit_cost"

    category_code: Mapped[str] = mapped_column(ForeignKey("category.code"), primary_key=True)
    cents: Mapped[int] = mapped_column(BigInteger)
    minutes: Mapped[int]
    materials: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))

    __table_args__ = (
        CheckConstraint(f"cents BETWEEN 0 AND {MOST_CENTS}", name="cents_are_sensible"),
        CheckConstraint(
            f"minutes BETWEEN 1 AND {LONGEST_JOB_MINUTES}", name="minutes_are_sensible"
        ),
    )


class PlanState(StrEnum):
    """How far a work plan has come."""

    DRAFT = "draft"
    ISSUED = "issued"
    CLOSED = "closed"


class PlanAsked(StrEnum):
    """What a job is to find for a work plan."""

    OPTIMUM = "optimum"
    ROUTES = "routes"


class WorkPlan(Base):
    """The needs chosen within a budget, with the bounds they were chosen in.

    Attributes
    ----------
    crew_days : int
        Days of work, over all crews.
    materials : dict
        How many there are, by name. What is not named is not limited.
    floors : dict
        The fewest needs of an area, by the area's id as text.
    weights_version_id : int or None
        The weights by which the needs were ranked when it was solved.
    solution : dict or None
        What was found, as `server.work_plans` writes it; None before.
    routes : dict or None
        The crews' days, as `server.work_plans` writes them; None before.
    distances : bytes or None
        Metres between depots and stops of the routes: int32, row by row, in the order of its places.
    asked : PlanAsked or None
        A job by a trigger.
    asked_at_version : int or None
        The version that the job was asked of; what comes of it is dropped where another came.
    progress : int
        Of that job, in percent.
    trouble : str
        Why the last job found nothing; empty where it did.
    at : datetime
        When it was made.
    changed_at : datetime
    version : int
        Raised with each change by somebody.
    """

    __tablename__ = "work_plan"

    id: Mapped[Key]
    name: Mapped[str]
    kind: Mapped[Kind] = mapped_column(enumeration(Kind, "report_kind"))
    state: Mapped[PlanState] = mapped_column(
        enumeration(PlanState, "work_plan_state"), server_default=PlanState.DRAFT.value
    )
    budget_cents: Mapped[int] = mapped_column(BigInteger)
    crew_days: Mapped[int]
    materials: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))
    floors: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))
    weights_version_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("weights_version.id", ondelete="SET NULL")
    )
    solution: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    routes: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    distances: Mapped[bytes | None]
    asked: Mapped[PlanAsked | None] = mapped_column(enumeration(PlanAsked, "work_plan_asked"))
    asked_at_version: Mapped[int | None]
    progress: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    trouble: Mapped[str] = mapped_column(server_default="")
    person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL"), index=True
    )
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    version: Mapped[int] = mapped_column(server_default=text("1"))

    __table_args__ = (
        CheckConstraint(f"length(name) BETWEEN 1 AND {PLAN_NAME_LIMIT}", name="name_is_short"),
        CheckConstraint("kind IN ('lighting', 'cleanup')", name="kind_has_needs"),
        CheckConstraint(f"budget_cents BETWEEN 0 AND {MOST_CENTS}", name="budget_is_sensible"),
        CheckConstraint(f"crew_days BETWEEN 1 AND {MOST_CREW_DAYS}", name="crew_days_are_sensible"),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress_is_share"),
        CheckConstraint(
            "(asked IS NULL) = (asked_at_version IS NULL)", name="asked_names_its_version"
        ),
    )


class WorkPlanNeed(Base):
    """A need of a work plan: chosen for it, or locked in or out by somebody.

    Attributes
    ----------
    lock : str
        "in", "out", or empty where the choice is free.
    chosen : bool
    """

    __tablename__ = "work_plan_need"

    work_plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("work_plan.id", ondelete="CASCADE"), primary_key=True
    )
    need_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("need.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    lock: Mapped[str] = mapped_column(server_default="")
    chosen: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (
        CheckConstraint("lock IN ('', 'in', 'out')", name="lock_is_known"),
        CheckConstraint("NOT (chosen AND lock = 'out')", name="locked_out_is_not_chosen"),
    )
