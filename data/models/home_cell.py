from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base


class HomeCell(Base):
    """How many homes a cell of `geo.homes` holds: column and row in the city's metres.

    Counted anew by imports of parcels and addresses; what the regions are cut from in which reports at
    homes are hidden.
    """

    __tablename__ = "home_cell"

    x: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    y: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    homes: Mapped[int]
