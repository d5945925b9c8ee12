"""Which need comes first: versions of the weights, runs of dark lights, and ranks."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key, geometry
from data.models.enumeration import enumeration
from geo.kinds import Kind

NOTE_LIMIT = 2_000
"""Characters of why weights were changed."""

SIGNED_LIMIT = 200


class WeightsVersion(Base):
    """Weights as they were published. Each follows one other, and none is ever changed.

    Attributes
    ----------
    replaces_id : int or None
        The version before it; None of the first one. No two replace the same.
    person_id : int or None
        Who published it, while that person has an account.
    signed_by : str
        The name that everybody reads under it.
    note : str
        Why, in public.
    weights : dict
        Of each kind, of each factor: as `geo.priority.read_weights` takes it.
    """

    __tablename__ = "weights_version"

    id: Mapped[Key]
    replaces_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("weights_version.id"))
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL"), index=True
    )
    signed_by: Mapped[str]
    note: Mapped[str]
    weights: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        Index(
            "weights_version_replaced_once",
            "replaces_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint(f"length(note) BETWEEN 1 AND {NOTE_LIMIT}", name="note_is_written"),
        CheckConstraint(f"length(signed_by) BETWEEN 1 AND {SIGNED_LIMIT}", name="is_signed"),
        CheckConstraint("replaces_id <> id", name="replaces_another"),
    )


class DarkRun(Base):
    """Adjacent dark lights on one street, as the last ranking found them.

    Attributes
    ----------
    id : int
        Of the light of the run with the lowest id, so that a run keeps its name while it grows.
    lights : int
        Two or more.
    """

    __tablename__ = "dark_run"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    street: Mapped[str]
    from_corner: Mapped[str]
    to_corner: Mapped[str]
    lights: Mapped[int]
    geom: Mapped[object] = mapped_column(geometry("LINESTRING"))

    __table_args__ = (
        CheckConstraint("lights >= 2", name="is_a_run"),
        Index(None, "geom", postgresql_using="gist"),
    )


class NeedRank(Base):
    """Where an open need stands among those of its kind, and why.

    Attributes
    ----------
    rank, rank_low, rank_high : int
        1 is the first. The lowest and highest number that the need has while weights are shaken.
    score : float
        Points, from 0 to 100.
    seed : int
        By which the weights were shaken.
    parts : list of float
        The points of each factor of `geo.priority.FACTORS`, in their order.
    levels : list of float
        How strong each factor is, from 0 to 1, in the same order.
    facts : dict
        What was measured: the columns of `geo.priority.Facts` by name.
    ranked_at : datetime
        Since when it stands as it does.
    """

    __tablename__ = "need_rank"

    need_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("need.id", ondelete="CASCADE"), primary_key=True
    )
    weights_version_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("weights_version.id"))
    kind: Mapped[Kind] = mapped_column(enumeration(Kind, "report_kind"))
    rank: Mapped[int] = mapped_column(Integer)
    rank_low: Mapped[int] = mapped_column(Integer)
    rank_high: Mapped[int] = mapped_column(Integer)
    score: Mapped[float] = mapped_column(Double)
    seed: Mapped[int] = mapped_column(Integer)
    parts: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    levels: Mapped[list[float]] = mapped_column(ARRAY(Double))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    dark_run_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("dark_run.id", ondelete="SET NULL"), index=True
    )
    ranked_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        CheckConstraint(
            "1 <= rank_low AND rank_low <= rank AND rank <= rank_high",
            name="rank_is_in_its_interval",
        ),
        CheckConstraint("score BETWEEN 0 AND 100", name="score_is_in_points"),
        CheckConstraint("cardinality(parts) = cardinality(levels)", name="parts_have_levels"),
        Index(None, "rank"),
    )
