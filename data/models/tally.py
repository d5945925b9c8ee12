"""What triggers count as rows change, so that a map of a million reports need not.

Both tables hold differences that are only ever added, so that writers never wait for each other;
a reading sums them, and `data.queries.tallies.compact` folds them together now and then without
changing any sum.
"""

from sqlalchemy import Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key
from data.models.enumeration import enumeration
from geo.kinds import Kind
from geo.statuses import Status


class ReportTally(Base):
    """Public reports per cell of the web map's grid: cell (x, y) of the tiles at zoom `level`."""

    __tablename__ = "report_tally"

    id: Mapped[Key]
    level: Mapped[int] = mapped_column(SmallInteger)
    x: Mapped[int]
    y: Mapped[int]
    kind: Mapped[Kind] = mapped_column(enumeration(Kind, "report_kind"))
    category_code: Mapped[str]
    status: Mapped[Status] = mapped_column(enumeration(Status, "report_status"))
    n: Mapped[int]

    __table_args__ = (Index(None, "level", "x", "y"),)


class LayerChange(Base):
    """How often what a map layer shows has changed; the sum of n is the layer's version."""

    __tablename__ = "layer_change"

    id: Mapped[Key]
    layer: Mapped[str]
    n: Mapped[int]
