"""Block associations: how members are reached, meetings, who asks to join, and invitations.

Meetings are public, and a captain changes them as the web role, whom the policies here hold to the
watches that are the visitor's own. Names, notes and invitations are nobody's to read but through the
owner of the store, as the roles they lead to.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

VISITOR = """
-- As geo.roles.keeps and geo.roles.belongs say, from what is stored about the visitor.
CREATE FUNCTION visitor_keeps(watch bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM role_grant WHERE person_id = visitor() AND ended_at IS NULL AND (
            (role = 'captain' AND block_watch_id = watch)
            OR (role = 'administrator' AND visitor_is_strong())
        )
    )
$$;
CREATE FUNCTION visitor_belongs(watch bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM role_grant WHERE person_id = visitor() AND ended_at IS NULL
            AND role IN ('captain', 'member') AND block_watch_id = watch
    )
$$;
-- Everybody may know that somebody keeps a watch, and not who.
CREATE FUNCTION watch_has_captain(watch bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM role_grant JOIN person ON person.id = person_id
        WHERE role = 'captain' AND block_watch_id = watch AND ended_at IS NULL
            AND disabled_at IS NULL
    )
$$;
"""

RULES = f"""
ALTER TABLE block_watch ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON block_watch FOR SELECT USING (true);
CREATE POLICY keep ON block_watch FOR UPDATE USING (visitor_keeps(id));
GRANT UPDATE (contact, meeting) ON block_watch TO {WEB};

ALTER TABLE member_contact ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON member_contact FOR SELECT
    USING (visitor_belongs(block_watch_id) OR visitor_keeps(block_watch_id));
CREATE POLICY add ON member_contact FOR INSERT WITH CHECK (visitor_keeps(block_watch_id));
CREATE POLICY keep ON member_contact FOR UPDATE USING (visitor_keeps(block_watch_id));
GRANT SELECT, INSERT, UPDATE ON member_contact TO {WEB};

ALTER TABLE meeting ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON meeting FOR SELECT USING (true);
CREATE POLICY add ON meeting FOR INSERT WITH CHECK (visitor_keeps(block_watch_id));
CREATE POLICY keep ON meeting FOR UPDATE USING (visitor_keeps(block_watch_id));
GRANT SELECT, INSERT, UPDATE ON meeting TO {WEB};
GRANT USAGE ON SEQUENCE meeting_id_seq TO {WEB};

ALTER TABLE join_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON join_request FOR SELECT
    USING (person_id = visitor() OR visitor_keeps(block_watch_id));
GRANT SELECT (id, block_watch_id, person_id, decided_at) ON join_request TO {WEB};
ALTER TABLE watch_invitation ENABLE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    op.execute(VISITOR)
    op.create_table(
        "member_contact",
        sa.Column(
            "block_watch_id",
            sa.BigInteger,
            sa.ForeignKey(
                "block_watch.id",
                name=op.f("member_contact_block_watch_id_fkey"),
                ondelete="CASCADE",
            ),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("contact", sa.Text, nullable=False),
        sa.CheckConstraint("length(contact) <= 300", name=op.f("member_contact_contact_is_short")),
    )
    op.create_table(
        "meeting",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("uid", sa.Uuid, server_default=sa.text("gen_random_uuid()"), nullable=False),
        _reference("block_watch_id", "meeting", "block_watch", "CASCADE", nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        _reference("service_location_id", "meeting", "service_location", "SET NULL"),
        _moment("starts_at"),
        sa.Column("rrule", sa.Text, server_default="", nullable=False),
        sa.Column("duration_minutes", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, server_default="", nullable=False),
        sa.Column("sequence", sa.Integer, server_default="0", nullable=False),
        _moment("changed_at", "now()"),
        sa.Column("cancelled_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("length(place) BETWEEN 1 AND 200", name=op.f("meeting_place_is_short")),
        sa.CheckConstraint("length(note) <= 500", name=op.f("meeting_note_is_short")),
        sa.CheckConstraint(
            "duration_minutes BETWEEN 5 AND 720", name=op.f("meeting_duration_is_sensible")
        ),
        sa.CheckConstraint(
            "rrule ~ '^(|FREQ=WEEKLY(;INTERVAL=2)?;BYDAY=(MO|TU|WE|TH|FR|SA|SU)"
            "|FREQ=MONTHLY;BYDAY=([1-4]|-1)(MO|TU|WE|TH|FR|SA|SU))$'",
            name=op.f("meeting_rrule_is_known"),
        ),
    )
    op.create_index(op.f("meeting_block_watch_id_idx"), "meeting", ["block_watch_id"])
    op.create_table(
        "join_request",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("block_watch_id", "join_request", "block_watch", "CASCADE", nullable=False),
        _reference("person_id", "join_request", "person", "CASCADE", nullable=False),
        sa.Column("note", sa.Text, server_default="", nullable=False),
        _moment("asked_at", "now()"),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("approved", sa.Boolean),
        _reference("decided_by_id", "join_request", "person", "SET NULL"),
        sa.CheckConstraint("length(note) <= 500", name=op.f("join_request_note_is_short")),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (approved IS NULL)", name=op.f("join_request_decision_is_whole")
        ),
    )
    op.create_index(
        "join_request_open_once", "join_request", ["block_watch_id", "person_id"], unique=True,
        postgresql_where=sa.text("decided_at IS NULL"),
    )  # fmt: skip
    op.create_index(op.f("join_request_person_id_idx"), "join_request", ["person_id"])
    op.create_table(
        "watch_invitation",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("block_watch_id", "watch_invitation", "block_watch", "CASCADE", nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        _reference("made_by_id", "watch_invitation", "person", "CASCADE", nullable=False),
        _moment("made_at", "now()"),
        _moment("expires_at", "now() + interval '14 days'"),
        sa.Column("uses_left", sa.Integer, nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("token_hash", name=op.f("watch_invitation_token_hash_key")),
        sa.CheckConstraint(
            "uses_left BETWEEN 0 AND 50", name=op.f("watch_invitation_uses_are_few")
        ),
    )
    op.create_index(
        op.f("watch_invitation_block_watch_id_idx"), "watch_invitation", ["block_watch_id"]
    )
    op.create_index(op.f("watch_invitation_made_by_id_idx"), "watch_invitation", ["made_by_id"])
    op.execute(RULES)
    # The counts of a watch come from the index alone.
    op.drop_index(op.f("report_block_watch_id_idx"), table_name="report")
    op.create_index(
        op.f("report_block_watch_id_status_closed_at_idx"),
        "report",
        ["block_watch_id", "status", "closed_at"],
    )


def downgrade() -> None:
    op.drop_index(op.f("report_block_watch_id_status_closed_at_idx"), table_name="report")
    op.create_index(op.f("report_block_watch_id_idx"), "report", ["block_watch_id"])
    for table in ("watch_invitation", "join_request", "meeting", "member_contact"):
        op.drop_table(table)
    op.execute(f"REVOKE UPDATE (contact, meeting) ON block_watch FROM {WEB}")
    for policy in ("read", "keep"):
        op.execute(f"DROP POLICY {policy} ON block_watch")
    op.execute("ALTER TABLE block_watch DISABLE ROW LEVEL SECURITY")
    op.execute("DROP FUNCTION visitor_keeps, visitor_belongs, watch_has_captain")


def _moment(name: str, default: str | None = None) -> "sa.Column[Any]":
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=None if default is None else sa.text(default),
        nullable=False,
    )


def _reference(
    name: str, table: str, other: str, ondelete: str, *, nullable: bool = True
) -> "sa.Column[Any]":
    return sa.Column(
        name,
        sa.BigInteger,
        sa.ForeignKey(f"{other}.id", name=op.f(f"{table}_{name}_fkey"), ondelete=ondelete),
        nullable=nullable,
    )
