from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key
from data.models.enumeration import enumeration


class AnalysisState(StrEnum):
    """How far an analysis has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class HotSpotRun(Base):
    """An analysis of hot spots: what was asked of which state of the rows, and what was found.

    One that waits is a job by a trigger. Only who holds the same rights reads it.

    Attributes
    ----------
    rights : str
        `visitor_rights()` of whoever asked; empty where all places are the public ones.
    asked_by_id : int or None
        In whose name the job reads.
    asked : dict
        Parameters, the same for the same question.
    method : int
        Version of the method.
    rows_version : int
        Of the rows asked about, as `tallies.versions` has it.
    progress : int
        Percent.
    read_at : datetime or None
        When the rows were read.
    found : dict or None
        Sums.
    cells : bytes or None
        A column of values for each cell, as NumPy's .npz.
    """

    __tablename__ = "hot_spot_run"

    id: Mapped[Key]
    rights: Mapped[str] = mapped_column(server_default="")
    asked_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="CASCADE"), index=True
    )
    asked: Mapped[dict[str, Any]] = mapped_column(JSONB)
    method: Mapped[int]
    rows_version: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[AnalysisState] = mapped_column(
        enumeration(AnalysisState, "analysis_state"), server_default=AnalysisState.WAITING.value
    )
    progress: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    reason: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"), index=True)
    read_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    found: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    cells: Mapped[bytes | None]

    __table_args__ = (
        CheckConstraint(
            "(state = 'done') = (cells IS NOT NULL AND found IS NOT NULL AND read_at IS NOT NULL)",
            name="done_has_cells",
        ),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress_is_share"),
        CheckConstraint("(state = 'failed') = (reason <> '')", name="failed_says_why"),
        Index(
            "hot_spot_run_once",
            text("md5(asked::text)"),
            "rights",
            "method",
            "rows_version",
            unique=True,
        ),
    )
