"""Assessments of action plans: what will be compared, fixed beforehand, and what came of it."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from data.models.base import Base, Key, geometry

REASON_LIMIT = 500
"""Characters of a reason."""


class Assessment(Base):
    """How a plan will be judged. A draft until it is fixed; from then on a trigger keeps it as it is.

    Attributes
    ----------
    reason : str
        Why there is another one beside an earlier one of the plan; empty for the first.
    response_starts : date
        The plan's own, when the assessment was written.
    before_from, before_until, after_from, after_until : date
        The two periods, in the city's days, both ends included.
    settling_days : int
        What was reported more days than these after it happened counts in neither period, so that
        both have had the same time for late reports. So many days after its end the verdict is due.
    ring_m : int
        Width of the ring around each place in which displacement is looked for; 0 for none.
    categories, offense_groups : list of str
        What is counted of residents' reports, and apart from them of police incidents.
    worst_first : bool
        Whether the place was chosen for having so many.
    proposal : dict
        Places to compare with and what was counted there by public positions, as
        `server.assessments` writes it.
    chosen : list of int
        Which of them are the control.
    chosen_reason : str
        Why not those that were proposed.
    zone : str
        Time zone of the days.
    late : bool
        Whether it was fixed only after the response had begun. A trigger sees to it.
    treated, ring, control, control_ring : geometry
        The four areas; the last three may be empty.
    """

    __tablename__ = "assessment"

    id: Mapped[Key]
    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("plan.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    reason: Mapped[str] = mapped_column(server_default="")
    response_starts: Mapped[date]
    before_from: Mapped[date]
    before_until: Mapped[date]
    after_from: Mapped[date]
    after_until: Mapped[date]
    settling_days: Mapped[int] = mapped_column(SmallInteger)
    ring_m: Mapped[int] = mapped_column(SmallInteger)
    categories: Mapped[list[str]] = mapped_column(ARRAY(Text))
    offense_groups: Mapped[list[str]] = mapped_column(ARRAY(Text))
    worst_first: Mapped[bool]
    proposal: Mapped[dict[str, Any]] = mapped_column(JSONB)
    chosen: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    chosen_reason: Mapped[str] = mapped_column(server_default="")
    zone: Mapped[str]
    late: Mapped[bool] = mapped_column(server_default=text("false"))
    fixed_at: Mapped[datetime | None]
    treated: Mapped[object] = mapped_column(geometry("MULTIPOLYGON"))
    ring: Mapped[object] = mapped_column(geometry("MULTIPOLYGON"))
    control: Mapped[object] = mapped_column(geometry("MULTIPOLYGON"))
    control_ring: Mapped[object] = mapped_column(geometry("MULTIPOLYGON"))

    __table_args__ = (
        CheckConstraint(
            "before_from <= before_until AND before_until < response_starts "
            "AND response_starts <= after_from AND after_from <= after_until",
            name="periods_stand_before_and_after",
        ),
        CheckConstraint("settling_days BETWEEN 1 AND 90", name="settling_days_are_few"),
        CheckConstraint("ring_m BETWEEN 0 AND 1000", name="ring_is_narrow"),
        CheckConstraint(
            "cardinality(categories) + cardinality(offense_groups) > 0", name="counts_something"
        ),
        CheckConstraint(
            f"length(reason) <= {REASON_LIMIT} AND length(chosen_reason) <= {REASON_LIMIT}",
            name="reasons_are_short",
        ),
        CheckConstraint(
            "fixed_at IS NULL OR (cardinality(chosen) > 0 AND NOT ST_IsEmpty(control))",
            name="fixed_has_a_control",
        ),
        Index(
            "assessment_one_draft",
            "plan_id",
            unique=True,
            postgresql_where=text("fixed_at IS NULL"),
        ),
    )


class AssessmentVerdict(Base):
    """What came of a plan, for one kind of what is counted: added to and never changed.

    A row without `computed_at` waits for its job, by a trigger. One with a reason stands beside an
    earlier one that it corrects.

    Attributes
    ----------
    source : str
        "reports" or "police": the two are never mixed.
    method : int or None
        Version of the method.
    found : dict or None
        All counts, by true positions: for those who may read these.
    published : dict or None
        What everybody may know.
    """

    __tablename__ = "assessment_verdict"

    id: Mapped[Key]
    assessment_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("assessment.id", ondelete="CASCADE"), index=True
    )
    source: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    asked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    computed_at: Mapped[datetime | None]
    method: Mapped[int | None]
    found: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    published: Mapped[dict[str, Any] | None] = mapped_column(JSONB)

    __table_args__ = (
        CheckConstraint("source IN ('reports', 'police')", name="source_is_known"),
        CheckConstraint(f"length(reason) <= {REASON_LIMIT}", name="reason_is_short"),
        CheckConstraint(
            "num_nulls(computed_at, method, found, published) IN (0, 4)", name="computed_is_whole"
        ),
        Index(
            "assessment_verdict_first_once", "assessment_id", "source", unique=True,
            postgresql_where=text("reason = ''"),
        ),
        Index(
            "assessment_verdict_waits_once", "assessment_id", "source", unique=True,
            postgresql_where=text("computed_at IS NULL"),
        ),
    )  # fmt: skip
