"""What the address search looks things up in: names of streets, addresses, numbers, corners.

All but the addresses that were loaded is derived by `data.queries.gazetteer.rebuild`. Numbers that
are known only from requests to the city never become addresses: they shape a street's numbering,
so that no search can tell at which house somebody has asked for something.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry


class StreetName(Base):
    """A street as `geo.addresses.Street` takes it apart, and where it runs."""

    __tablename__ = "street_name"

    id: Mapped[Key]
    direction: Mapped[str]
    name: Mapped[str]
    type: Mapped[str]
    suffix: Mapped[str]
    label: Mapped[str]
    addresses: Mapped[int]
    geom: Mapped[object | None] = mapped_column(geometry("MULTILINESTRING"))

    __table_args__ = (UniqueConstraint("direction", "name", "type", "suffix"),)


class Address(Imported, Base):
    """A street address and its position. `rebuild` finds its street among the names."""

    __tablename__ = "address"

    id: Mapped[Key]
    number: Mapped[int]
    street: Mapped[str]
    postal_code: Mapped[str] = mapped_column(server_default="")
    street_name_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("street_name.id", ondelete="SET NULL")
    )
    geom: Mapped[object] = mapped_column(geometry("POINT"))

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        CheckConstraint("number > 0", name="number_is_positive"),
        Index(None, "street_name_id", "number"),
        Index(None, "geom", postgresql_using="gist"),
    )


class AddressRange(Base):
    """A stretch of street along which the house numbers run from `low` to `high`."""

    __tablename__ = "address_range"

    id: Mapped[Key]
    street_name_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("street_name.id", ondelete="CASCADE")
    )
    low: Mapped[int]
    high: Mapped[int]
    geom: Mapped[object] = mapped_column(geometry("LINESTRING"))

    __table_args__ = (
        CheckConstraint("low < high", name="low_below_high"),
        Index(None, "street_name_id", "low"),
        Index(None, "geom", postgresql_using="gist"),
    )


class Corner(Base):
    """Where two streets meet. `surveyed` where a map shows it, not only the run of the numbers."""

    __tablename__ = "corner"

    id: Mapped[Key]
    first_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("street_name.id", ondelete="CASCADE")
    )
    second_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("street_name.id", ondelete="CASCADE"), index=True
    )
    surveyed: Mapped[bool]
    geom: Mapped[object] = mapped_column(geometry("POINT"))

    __table_args__ = (
        CheckConstraint("first_id < second_id", name="streets_in_order"),
        Index(None, "first_id", "second_id"),
        Index(None, "geom", postgresql_using="gist"),
    )


class GazetteerBuild(Base):
    """When the gazetteer was last derived: one row, whose id tells one state from all others."""

    __tablename__ = "gazetteer_build"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
