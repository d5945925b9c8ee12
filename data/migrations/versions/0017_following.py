"""What people follow, and which news each was told.

Everybody sees and changes their own rows only. The web role can not say what was told.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

WEB = "porchlight_web"
KIND = postgresql.ENUM(name="report_kind", create_type=False)
PACE = postgresql.ENUM("at_once", "daily", "weekly", name="follow_pace", create_type=False)

GIVEN = "person_id, report_id, block_watch_id, area_id, drawn, kinds, categories, pace, language"


def upgrade() -> None:
    PACE.create(op.get_bind())
    op.create_table(
        "follow",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("person_id", "follow", "person", nullable=False),
        _reference("report_id", "follow", "report"),
        _reference("block_watch_id", "follow", "block_watch"),
        _reference("area_id", "follow", "area"),
        sa.Column("drawn", Geometry("POLYGON", srid=4326, spatial_index=False)),
        sa.Column("kinds", postgresql.ARRAY(KIND), server_default="{}", nullable=False),
        sa.Column("categories", postgresql.ARRAY(sa.Text), server_default="{}", nullable=False),
        sa.Column("pace", PACE, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        _moment("created_at"),
        _moment("told_to"),
        sa.CheckConstraint(
            "num_nonnulls(report_id, block_watch_id, area_id, drawn) <= 1",
            name=op.f("follow_one_thing"),
        ),
        sa.CheckConstraint(
            "report_id IS NULL OR (kinds = '{}' AND categories = '{}')",
            name=op.f("follow_reports_are_not_narrowed"),
        ),
        sa.CheckConstraint("language IN ('en', 'es')", name=op.f("follow_language_is_known")),
        sa.CheckConstraint(
            "ST_IsValid(drawn) AND NOT ST_IsEmpty(drawn) AND ST_NPoints(drawn) <= 100",
            name=op.f("follow_drawn_is_valid"),
        ),
    )
    op.create_index(
        "follow_once",
        "follow",
        ["person_id", "report_id", "block_watch_id", "area_id", "drawn", "kinds", "categories"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    for column in ("report_id", "block_watch_id", "area_id"):
        op.create_index(
            op.f(f"follow_{column}_idx"),
            "follow",
            [column],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_table(
        "told",
        _reference("person_id", "told", "person", nullable=False, primary_key=True),
        _reference("event_id", "told", "report_event", nullable=False, primary_key=True),
        _moment("at"),
    )
    op.create_index(op.f("told_event_id_idx"), "told", ["event_id"])
    op.create_index(op.f("report_event_at_idx"), "report_event", ["at"])
    op.execute("ALTER TABLE follow ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY own ON follow USING (person_id = visitor()) WITH CHECK (person_id = visitor())"
    )
    op.execute(
        f"GRANT SELECT, DELETE, INSERT ({GIVEN}), UPDATE (pace, language) ON follow TO {WEB}"
    )


def downgrade() -> None:
    op.drop_index(op.f("report_event_at_idx"), "report_event")
    op.drop_table("told")
    op.drop_table("follow")
    PACE.drop(op.get_bind())


def _moment(name: str) -> "sa.Column[Any]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _reference(
    name: str, table: str, other: str, *, nullable: bool = True, primary_key: bool = False
) -> "sa.Column[Any]":
    return sa.Column(
        name,
        sa.BigInteger,
        sa.ForeignKey(f"{other}.id", name=op.f(f"{table}_{name}_fkey"), ondelete="CASCADE"),
        nullable=nullable,
        primary_key=primary_key,
    )
