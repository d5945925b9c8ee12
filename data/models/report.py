from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Imported, Key, geometry
from data.models.enumeration import enumeration
from geo.kinds import Kind, Severity
from geo.statuses import Status

DESCRIPTION_LIMIT = 2_000
"""Characters a description may have."""

NAME_LIMIT, EMAIL_LIMIT, PHONE_LIMIT = 200, 254, 40
"""Characters of a contact."""


class Report(Imported, Base):
    """A problem at a place: a point, a dark stretch of street (line), or a lot (polygon).

    `exact_geom` is for staff and the liaison of the division; `public_geom` is what everybody sees,
    and null where no position may be public. `address` is public; where a report may be at a home it
    stands in `home_address`, which is as private as the exact position. `description` is for those who
    work on it; `public_text` is what everybody reads of it: all, part or nothing. The ids of areas and
    block watch are the result of a spatial join kept by triggers, which is why they carry no foreign
    keys: those that everybody reads of the public position, the exact ones of the exact position.
    `held_from`, which a trigger keeps, is where a report stood that a moderator took out of sight.
    `street_light_id` is the pole that the reporter picked.
    """

    __tablename__ = "report"

    id: Mapped[Key]
    kind: Mapped[Kind] = mapped_column(enumeration(Kind, "report_kind"))
    category_code: Mapped[str]
    status: Mapped[Status] = mapped_column(
        enumeration(Status, "report_status"), server_default=Status.RECEIVED.value
    )
    held_from: Mapped[Status | None] = mapped_column(enumeration(Status, "report_status"))
    severity: Mapped[Severity | None] = mapped_column(enumeration(Severity, "report_severity"))
    exact_geom: Mapped[object] = mapped_column(geometry("GEOMETRY"))
    public_geom: Mapped[object | None] = mapped_column(geometry("GEOMETRY"))
    address: Mapped[str] = mapped_column(server_default="")
    home_address: Mapped[str] = mapped_column(server_default="")
    description: Mapped[str] = mapped_column(server_default="")
    public_text: Mapped[str] = mapped_column(server_default="")
    occurred_at: Mapped[datetime]
    reported_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    closed_at: Mapped[datetime | None]
    neighbourhood_id: Mapped[int | None] = mapped_column(BigInteger)
    council_district_id: Mapped[int | None] = mapped_column(BigInteger)
    patrol_division_id: Mapped[int | None] = mapped_column(BigInteger)
    tract_id: Mapped[int | None] = mapped_column(BigInteger)
    block_watch_id: Mapped[int | None] = mapped_column(BigInteger)
    exact_neighbourhood_id: Mapped[int | None] = mapped_column(BigInteger)
    exact_council_district_id: Mapped[int | None] = mapped_column(BigInteger)
    exact_patrol_division_id: Mapped[int | None] = mapped_column(BigInteger)
    exact_tract_id: Mapped[int | None] = mapped_column(BigInteger)
    duplicate_of_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("report.id"))
    reporter_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )
    on_behalf_of_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("block_watch.id", ondelete="SET NULL")
    )
    street_light_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("street_light.id", ondelete="SET NULL")
    )

    __table_args__ = (
        ForeignKeyConstraint(["category_code", "kind"], ["category.code", "category.kind"]),
        UniqueConstraint("source", "external_id"),
        CheckConstraint(
            "ST_IsValid(exact_geom) AND NOT ST_IsEmpty(exact_geom)", name="geometry_is_valid"
        ),
        CheckConstraint(
            "GeometryType(exact_geom) IN ('POINT', 'LINESTRING', 'POLYGON')",
            name="geometry_is_a_point_line_or_polygon",
        ),
        CheckConstraint(f"length(description) <= {DESCRIPTION_LIMIT}", name="description_is_short"),
        CheckConstraint(f"length(public_text) <= {DESCRIPTION_LIMIT}", name="public_text_is_short"),
        CheckConstraint("occurred_at <= reported_at", name="occurred_before_reported"),
        CheckConstraint("closed_at >= reported_at", name="closed_after_reported"),
        CheckConstraint(
            "status = 'duplicate' OR held_from IS NOT DISTINCT FROM 'duplicate' "
            "OR duplicate_of_id IS NULL",
            name="only_duplicates_point_elsewhere",
        ),
        CheckConstraint("held_from IS NULL OR status = 'held'", name="only_held_stood_elsewhere"),
        Index(None, "reported_at", "id"),
        Index(
            "report_open_idx", "reported_at", "id",
            postgresql_where=text("status IN ('received', 'confirmed', 'scheduled', 'in_progress')"),
        ),
        Index(None, "neighbourhood_id"),
        Index(None, "block_watch_id", "status", "closed_at"),
        Index(None, "duplicate_of_id", postgresql_where=text("duplicate_of_id IS NOT NULL")),
        Index(None, "reporter_id", postgresql_where=text("reporter_id IS NOT NULL")),
        Index(None, "on_behalf_of_id", postgresql_where=text("on_behalf_of_id IS NOT NULL")),
        Index(None, "street_light_id", postgresql_where=text("street_light_id IS NOT NULL")),
        Index(None, "exact_geom", postgresql_using="gist"),
        Index(None, "public_geom", postgresql_using="gist"),
    )  # fmt: skip


class EventKind(StrEnum):
    """What happened to a report."""

    STATUS = "status"
    SUPPORT = "support"
    NOTE = "note"


class ReportEvent(Base):
    """One line of a report's timeline. Only ever added, which a trigger enforces.

    By whom it is, of which department, and to whom a report is given is for the city's people only.
    An event with `hides_id` says that a moderator has taken the words of another out of sight.
    """

    __tablename__ = "report_event"

    id: Mapped[Key]
    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    kind: Mapped[EventKind] = mapped_column(enumeration(EventKind, "report_event_kind"))
    from_status: Mapped[Status | None] = mapped_column(enumeration(Status, "report_status"))
    to_status: Mapped[Status | None] = mapped_column(enumeration(Status, "report_status"))
    note: Mapped[str] = mapped_column(server_default="")
    note_spanish: Mapped[str] = mapped_column(server_default="")
    public: Mapped[bool] = mapped_column(server_default=text("true"))
    person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )
    department_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("department.id", ondelete="SET NULL")
    )
    assigns: Mapped[bool] = mapped_column(server_default=text("false"))
    assigned_department_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("department.id", ondelete="SET NULL")
    )
    assigned_person_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )
    hides_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("report_event.id", ondelete="CASCADE")
    )

    __table_args__ = (
        CheckConstraint(
            "(kind = 'status') = (to_status IS NOT NULL)", name="status_events_name_a_status"
        ),
        CheckConstraint("NOT (assigns AND public)", name="assignments_are_internal"),
        Index(None, "at"),
        Index(None, "hides_id", unique=True, postgresql_where=text("hides_id IS NOT NULL")),
        Index(None, "person_id", postgresql_where=text("person_id IS NOT NULL")),
        Index(None, "assigned_person_id", postgresql_where=text("assigned_person_id IS NOT NULL")),
    )


class StatusStep(Base):
    """The steps of `geo.statuses.TRANSITIONS`, which a trigger holds every update to."""

    __tablename__ = "status_step"

    before: Mapped[Status] = mapped_column(enumeration(Status, "report_status"), primary_key=True)
    after: Mapped[Status] = mapped_column(enumeration(Status, "report_status"), primary_key=True)


class ReportContact(Base):
    """How to reach the reporter. Apart from the report, so that no query of reports touches it."""

    __tablename__ = "report_contact"

    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(server_default="")
    email: Mapped[str] = mapped_column(server_default="")
    phone: Mapped[str] = mapped_column(server_default="")
    language: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(f"length(name) <= {NAME_LIMIT}", name="name_is_short"),
        CheckConstraint(f"length(email) <= {EMAIL_LIMIT}", name="email_is_short"),
        CheckConstraint(f"length(phone) <= {PHONE_LIMIT}", name="phone_is_short"),
    )


class ReportBrowser(Base):
    """The browser that sent a report, by a keyed hash of its random cookie and the report."""

    __tablename__ = "report_browser"

    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True
    )
    mark: Mapped[bytes]


class Support(Base):
    """One neighbour's "affects me too". The supporter is a keyed hash, never a name.

    Attributes
    ----------
    counted_as : bytes or None
        Where the same neighbour had joined a report close by before: the hash with that one. If both
        turn out to be the same problem, they count once.
    browser : bytes or None
        Of whoever was signed in: the hash of the browser, which does not count once more without them.
    """

    __tablename__ = "support"

    report_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("report.id", ondelete="CASCADE"), primary_key=True
    )
    supporter: Mapped[bytes] = mapped_column(primary_key=True)
    counted_as: Mapped[bytes | None]
    browser: Mapped[bytes | None]
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Submission(Base):
    """An Idempotency-Key that was used, what was sent with it, and the report it made or joined."""

    __tablename__ = "submission"

    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes]
    report_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("report.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
