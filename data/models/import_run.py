from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key


class ImportRun(Base):
    """One file brought in: which, when, and what became of its rows.

    rows_read = inserted + updated + unchanged + rejected + the sum of left_out. `mended` counts rows
    among those kept whose geometry was made valid.
    """

    __tablename__ = "import_run"

    id: Mapped[Key]
    source: Mapped[str]
    file_name: Mapped[str]
    sha256: Mapped[bytes]
    started_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    finished_at: Mapped[datetime | None]
    rows_read: Mapped[int] = mapped_column(server_default=text("0"))
    inserted: Mapped[int] = mapped_column(server_default=text("0"))
    updated: Mapped[int] = mapped_column(server_default=text("0"))
    unchanged: Mapped[int] = mapped_column(server_default=text("0"))
    rejected: Mapped[int] = mapped_column(server_default=text("0"))
    mended: Mapped[int] = mapped_column(server_default=text("0"))
    left_out: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))
    options: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class RejectedRow(Base):
    """A row that could not be used, whole, with the reason."""

    __tablename__ = "rejected_row"

    id: Mapped[Key]
    import_run_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("import_run.id", ondelete="CASCADE"), index=True
    )
    row_number: Mapped[int]
    column_name: Mapped[str] = mapped_column(server_default="")
    reason: Mapped[str]
    row: Mapped[dict[str, Any]] = mapped_column(JSONB)
