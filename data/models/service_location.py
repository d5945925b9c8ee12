from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry
from data.models.enumeration import enumeration


class LocationType(StrEnum):
    """What a service location is, as the map tells them apart."""

    POLICE_STATION = "police_station"
    FIRE_STATION = "fire_station"
    LIBRARY = "library"
    COMMUNITY_CENTRE = "community_centre"
    SCHOOL = "school"
    YOUTH_FAMILY = "youth_family"
    HEALTH = "health"
    FOOD_SHELTER = "food_shelter"
    PLACE_OF_WORSHIP = "place_of_worship"
    CITY_OFFICE = "city_office"
    SHOP = "shop"
    OTHER = "other"


class ServiceStatus(StrEnum):
    """Whether a service is offered, in the terms of HSDS 3."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    DEFUNCT = "defunct"
    TEMPORARILY_CLOSED = "temporarily closed"


class Organization(Imported, Base):
    """Who offers services. Ids for other programs are UUIDs, as in HSDS 3."""

    __tablename__ = "organization"

    id: Mapped[Key]
    uuid: Mapped[UUID] = mapped_column(unique=True, server_default=text("gen_random_uuid()"))
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(server_default="")
    website: Mapped[str] = mapped_column(server_default="")
    email: Mapped[str] = mapped_column(server_default="")


class Service(Base):
    """What an organization offers."""

    __tablename__ = "service"

    id: Mapped[Key]
    uuid: Mapped[UUID] = mapped_column(unique=True, server_default=text("gen_random_uuid()"))
    organization_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("organization.id", ondelete="CASCADE")
    )
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    status: Mapped[ServiceStatus] = mapped_column(
        enumeration(ServiceStatus, "service_status"), server_default=ServiceStatus.ACTIVE.value
    )

    __table_args__ = (UniqueConstraint("organization_id", "name"),)


class ServiceLocation(Imported, Base):
    """Where services are offered. A confidential place (a shelter) has no public position."""

    __tablename__ = "service_location"

    id: Mapped[Key]
    uuid: Mapped[UUID] = mapped_column(unique=True, server_default=text("gen_random_uuid()"))
    organization_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("organization.id", ondelete="SET NULL")
    )
    name: Mapped[str]
    type: Mapped[LocationType] = mapped_column(enumeration(LocationType, "location_type"))
    geom: Mapped[object] = mapped_column(geometry("POINT"))
    address: Mapped[str] = mapped_column(server_default="")
    phone: Mapped[str] = mapped_column(server_default="")
    hours: Mapped[str] = mapped_column(server_default="")
    website: Mapped[str] = mapped_column(server_default="")
    confidential: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        CheckConstraint("ST_IsValid(geom)", name="geometry_is_valid"),
        Index(None, "geom", postgresql_using="gist"),
    )


class ServiceAtLocation(Base):
    """Which service is offered where."""

    __tablename__ = "service_at_location"

    service_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("service.id", ondelete="CASCADE"), primary_key=True
    )
    service_location_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("service_location.id", ondelete="CASCADE"), primary_key=True
    )
