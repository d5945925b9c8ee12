"""What only the desk keeps: pole files looked at before they are applied, and results of fixed lights."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key, geometry
from data.models.enumeration import enumeration


class PoleImportState(StrEnum):
    """How far a pole file has come. What is read or applied is a job, by a trigger."""

    READING = "reading"
    READY = "ready"
    APPLYING = "applying"
    APPLIED = "applied"
    DROPPED = "dropped"
    FAILED = "failed"


class PoleImport(Base):
    """A file of the city's poles, of which is shown what it would change before it is applied.

    Attributes
    ----------
    crs : str
        Declared where the file does not say it; empty otherwise.
    content : bytes or None
        The file, until it is applied or dropped.
    counts : dict
        Poles by `PoleChangeKind`, and `unchanged` and `kept` (gone, but asked about).
    digest : bytes or None
        Of the changes that were shown. Where applying would make others, nothing is applied.
    reason : str
        Why nothing came of it, or why it has to be looked at again.
    remove_gone : bool
        Whether poles that the file has no more are removed too.
    import_run_id : int or None
        That brought it in.
    """

    __tablename__ = "pole_import"

    id: Mapped[Key]
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL"), index=True
    )
    file_name: Mapped[str]
    crs: Mapped[str] = mapped_column(server_default="")
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[PoleImportState] = mapped_column(
        enumeration(PoleImportState, "pole_import_state"),
        server_default=PoleImportState.READING.value,
    )
    counts: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    reason: Mapped[str] = mapped_column(server_default="")
    remove_gone: Mapped[bool] = mapped_column(server_default=text("false"))
    applied_at: Mapped[datetime | None]
    import_run_id: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        CheckConstraint("length(file_name) BETWEEN 1 AND 200", name="file_name_is_short"),
        CheckConstraint("length(crs) <= 100", name="crs_is_short"),
        CheckConstraint("(state = 'failed') <= (reason <> '')", name="failed_says_why"),
        CheckConstraint("(state = 'applied') = (applied_at IS NOT NULL)", name="applied_says_when"),
    )


class PoleChangeKind(StrEnum):
    """What a file does to a pole."""

    ADDED = "added"
    MOVED = "moved"
    GONE = "gone"
    """The stored poles have it, the file has not."""

    UNUSABLE = "unusable"
    """A row of the file that can not be used."""


class PoleChange(Base):
    """What a pole file would change of one pole.

    Attributes
    ----------
    pole_id : str
        Its number; empty for a row that has none.
    distance_m : float or None
        By how much it is moved.
    asked : bool
        Whether somebody has reported it, so that it is not removed.
    row_number : int or None
        Of the file, where the row can not be used, and `reason` why.
    was, geom : geometry or None
        Where it stood, and where it would stand.
    """

    __tablename__ = "pole_change"

    id: Mapped[Key]
    pole_import_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("pole_import.id", ondelete="CASCADE")
    )
    kind: Mapped[PoleChangeKind] = mapped_column(enumeration(PoleChangeKind, "pole_change_kind"))
    pole_id: Mapped[str] = mapped_column(server_default="")
    distance_m: Mapped[float | None]
    asked: Mapped[bool] = mapped_column(server_default=text("false"))
    row_number: Mapped[int | None]
    reason: Mapped[str] = mapped_column(server_default="")
    was: Mapped[object | None] = mapped_column(geometry("POINT"))
    geom: Mapped[object | None] = mapped_column(geometry("POINT"))

    __table_args__ = (
        Index(None, "pole_import_id", "kind", "id"),
        CheckConstraint("(kind = 'moved') = (distance_m IS NOT NULL)", name="moved_says_how_far"),
        CheckConstraint("(kind = 'unusable') = (reason <> '')", name="unusable_says_why"),
    )


class LightResult(Base):
    """What came of the lights that were fixed in one season: found once, and never changed.

    Attributes
    ----------
    fixed_from, fixed_until : date
        The season, both days included.
    method : int
        Version of the method.
    found : dict
        As `server.light_results` writes it.
    """

    __tablename__ = "light_result"

    id: Mapped[Key]
    fixed_from: Mapped[date]
    fixed_until: Mapped[date]
    computed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    method: Mapped[int]
    found: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        Index("light_result_once", "fixed_from", "method", unique=True),
        CheckConstraint("fixed_from <= fixed_until", name="season_has_days"),
    )
