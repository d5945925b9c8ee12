from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.models.base import Base, Key
from data.models.enumeration import enumeration
from geo.kinds import Kind
from geo.roles import Role


class Department(Base):
    """Who in the city works on which kinds of reports."""

    __tablename__ = "department"

    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kinds: Mapped[list[Kind]] = mapped_column(ARRAY(enumeration(Kind, "report_kind")))


class Person(Base):
    """Somebody who can sign in: by links to an e-mail address, by password, or by the city's sign-in.

    Nothing about what they are like is kept. `totp_step` is the last one-time code used, so that
    none counts twice. A person of the sample city is one whom everybody may try being.
    """

    __tablename__ = "person"

    id: Mapped[Key]
    email: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    language: Mapped[str] = mapped_column(server_default="en")
    password_hash: Mapped[str | None]
    totp_secret: Mapped[bytes | None]
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    oidc_issuer: Mapped[str | None]
    oidc_subject: Mapped[str | None]
    is_sample: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    disabled_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("oidc_issuer", "oidc_subject"),
        CheckConstraint("email = lower(email)", name="email_is_lower"),
        CheckConstraint("length(email) <= 254", name="email_is_short"),
        CheckConstraint("length(name) <= 200", name="name_is_short"),
        CheckConstraint("(oidc_issuer IS NULL) = (oidc_subject IS NULL)", name="oidc_is_whole"),
    )


class RoleGrant(Base):
    """A role that a person holds, within its scope, from a day until it is ended."""

    __tablename__ = "role_grant"

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="CASCADE"), index=True
    )
    role: Mapped[Role] = mapped_column(enumeration(Role, "role"))
    block_watch_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("block_watch.id", ondelete="CASCADE"), index=True
    )
    area_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("area.id", ondelete="CASCADE")
    )
    department_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("department.id", ondelete="CASCADE")
    )
    granted_by_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="SET NULL")
    )
    granted_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(
            "(role IN ('member', 'captain')) = (block_watch_id IS NOT NULL)",
            name="association_roles_name_a_block_watch",
        ),
        CheckConstraint("(role = 'staff') = (department_id IS NOT NULL)", name="staff_is_of_a_department"),
        CheckConstraint("role <> 'liaison' OR area_id IS NOT NULL", name="liaison_is_of_a_division"),
        CheckConstraint("role IN ('liaison', 'staff') OR area_id IS NULL", name="others_have_no_area"),
        Index(
            "role_grant_held_once", "person_id", "role", "block_watch_id", "area_id", "department_id",
            unique=True, postgresql_nulls_not_distinct=True, postgresql_where=text("ended_at IS NULL"),
        ),
    )  # fmt: skip


class SignIn(Base):
    """One signed-in browser. The cookie holds the token, the table only its hash.

    Attributes
    ----------
    strong : bool
        Whether two factors were asked: without, the roles of the city do not hold.
    by_provider : bool
        Whether the city's own sign-in vouched for the person.
    """

    __tablename__ = "sign_in"

    id: Mapped[Key]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("person.id", ondelete="CASCADE"), index=True
    )
    strong: Mapped[bool] = mapped_column(server_default=text("false"))
    by_provider: Mapped[bool] = mapped_column(server_default=text("false"))
    browser: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    seen_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    ended_at: Mapped[datetime | None]


class SignInLink(Base):
    """A link sent by e-mail: good once, for ten minutes by the database's clock."""

    __tablename__ = "sign_in_link"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    email: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    used_at: Mapped[datetime | None]


class Attempt(Base):
    """Something that is limited was tried: what, and by whom or from where (as a keyed hash)."""

    __tablename__ = "attempt"

    id: Mapped[Key]
    what: Mapped[str]
    subject: Mapped[bytes]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))

    __table_args__ = (Index(None, "what", "subject", "at"),)


class AuditEntry(Base):
    """Who did or read what that is not public. Each entry holds the hash of the one before.

    Only ever added; a trigger fills `previous` and `hash`, and refuses changes.
    """

    __tablename__ = "audit_entry"

    id: Mapped[Key]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    person_id: Mapped[int | None] = mapped_column(BigInteger)
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(server_default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    previous: Mapped[bytes]
    hash: Mapped[bytes]

    __table_args__ = (Index(None, "subject", "id"),)
