"""Block watches draw their own boundaries, speak with one voice, and move single dates.

Every boundary that ever held is kept, whoever wrote it, by a trigger.
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

NEAR_M = 250
"""As of `data.models.association.NEAR_M`."""

REVIEW_STATE = postgresql.ENUM(name="review_state", create_type=False)


HISTORY = f"""
CREATE FUNCTION block_watch_keep_boundary() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO watch_boundary (block_watch_id, boundary, drawn, drawn_by_id)
    VALUES (NEW.id, NEW.boundary, visitor() IS NOT NULL, visitor());
    RETURN NULL;
END $$;
CREATE TRIGGER block_watch_boundary_on_insert AFTER INSERT ON block_watch
    FOR EACH ROW EXECUTE FUNCTION block_watch_keep_boundary();
CREATE TRIGGER block_watch_boundary_on_update AFTER UPDATE OF boundary ON block_watch
    FOR EACH ROW WHEN (NOT ST_OrderingEquals(OLD.boundary, NEW.boundary))
    EXECUTE FUNCTION block_watch_keep_boundary();
INSERT INTO watch_boundary (block_watch_id, boundary, drawn)
SELECT id, boundary, false FROM block_watch ORDER BY id;

-- Who drew it is told to those who keep the watch; by name only where it is one of its own people.
CREATE VIEW watch_boundary_private WITH (security_barrier) AS
SELECT made.id, made.block_watch_id, made.boundary, made.at, made.drawn,
    made.drawn_by_id = visitor() IS TRUE AS own,
    CASE WHEN EXISTS (
        SELECT FROM role_grant WHERE person_id = made.drawn_by_id
            AND role_grant.block_watch_id = made.block_watch_id
    ) THEN coalesce(person.name, '') ELSE '' END AS drawn_by
FROM watch_boundary AS made LEFT JOIN person ON person.id = made.drawn_by_id
WHERE visitor_keeps(made.block_watch_id);
GRANT SELECT ON watch_boundary_private TO {WEB};
GRANT UPDATE (boundary) ON block_watch TO {WEB};
"""

ON_BEHALF = f"""
CREATE FUNCTION report_keep_on_behalf() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'on whose behalf a report was sent is not changed later'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'report_on_behalf_of_stays',
                  TABLE = 'report';
    END IF;
    IF NOT EXISTS (
        SELECT FROM block_watch WHERE id = NEW.on_behalf_of_id AND ST_DWithin(
            ST_Transform(boundary, 26915), ST_Transform(NEW.exact_geom, 26915), {NEAR_M})
    ) THEN
        RAISE EXCEPTION 'a report on behalf of a block watch lies in it or near it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'report_on_behalf_of_is_near',
                  TABLE = 'report';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER report_on_behalf_on_insert BEFORE INSERT ON report
    FOR EACH ROW WHEN (NEW.on_behalf_of_id IS NOT NULL) EXECUTE FUNCTION report_keep_on_behalf();
CREATE TRIGGER report_on_behalf_on_update BEFORE UPDATE OF on_behalf_of_id ON report
    FOR EACH ROW WHEN (
        NEW.on_behalf_of_id IS NOT NULL
        AND NEW.on_behalf_of_id IS DISTINCT FROM OLD.on_behalf_of_id
    ) EXECUTE FUNCTION report_keep_on_behalf();
DROP POLICY add ON report;
CREATE POLICY add ON report FOR INSERT WITH CHECK (
    on_behalf_of_id IS NULL OR visitor_belongs(on_behalf_of_id)
);
"""

DATES = f"""
ALTER TABLE meeting_date ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON meeting_date FOR SELECT USING (true);
CREATE POLICY keep ON meeting_date USING (
    EXISTS (SELECT FROM meeting WHERE meeting.id = meeting_id AND visitor_keeps(block_watch_id))
);
GRANT SELECT, INSERT, UPDATE, DELETE ON meeting_date TO {WEB};
"""

WORDS = f"""
CREATE FUNCTION visitor_is_moderator() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT visitor_may('moderate', NULL, NULL, NULL, NULL)
$$;

ALTER TABLE watch_words ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON watch_words FOR SELECT
    USING (visitor_keeps(block_watch_id) OR visitor_is_moderator());
CREATE POLICY add ON watch_words FOR INSERT WITH CHECK (
    state = 'waiting' AND written_by_id = visitor() AND visitor_keeps(block_watch_id)
    AND (meeting_id IS NULL OR EXISTS (
        SELECT FROM meeting WHERE meeting.id = meeting_id
            AND meeting.block_watch_id = watch_words.block_watch_id
    ))
);
CREATE POLICY take_back ON watch_words FOR DELETE
    USING (state = 'waiting' AND visitor_keeps(block_watch_id));
GRANT SELECT (id, block_watch_id, meeting_id, field, words, state, reason, created_at, decided_at),
    INSERT, DELETE ON watch_words TO {WEB};
GRANT USAGE ON SEQUENCE watch_words_id_seq TO {WEB};

-- Whoever wrote the words does not decide about them.
CREATE FUNCTION visitor_wrote_words(asked bigint) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM watch_words WHERE id = asked AND written_by_id = visitor())
$$;
CREATE FUNCTION decide_watch_words(
    asked bigint, decision review_state, shown text, why text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    held watch_words;
BEGIN
    IF NOT visitor_is_moderator() OR visitor_wrote_words(asked) THEN
        RETURN false;
    END IF;
    UPDATE watch_words
    SET state = decision, reason = why, decided_at = now(), decided_by_id = visitor()
    WHERE id = asked AND state = 'waiting' RETURNING * INTO held;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF decision = 'refused' THEN
        RETURN true;
    END IF;
    CASE held.field
        WHEN 'contact' THEN
            UPDATE block_watch SET contact = shown WHERE id = held.block_watch_id;
        WHEN 'meeting' THEN
            UPDATE block_watch SET meeting = shown WHERE id = held.block_watch_id;
        WHEN 'place' THEN
            UPDATE meeting SET place = shown, sequence = sequence + 1, changed_at = now()
            WHERE id = held.meeting_id;
        WHEN 'note' THEN
            UPDATE meeting SET note = shown, sequence = sequence + 1, changed_at = now()
            WHERE id = held.meeting_id;
    END CASE;
    RETURN true;
END $$;
"""


def upgrade() -> None:
    op.create_table(
        "watch_boundary",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("block_watch_id", "watch_boundary", "block_watch", "CASCADE", nullable=False),
        sa.Column("boundary", Geometry("MULTIPOLYGON", 4326, spatial_index=False), nullable=False),
        _moment("at"),
        sa.Column("drawn", sa.Boolean, nullable=False),
        _reference("drawn_by_id", "watch_boundary", "person", "SET NULL"),
    )
    op.create_index(
        op.f("watch_boundary_block_watch_id_id_idx"), "watch_boundary", ["block_watch_id", "id"]
    )
    op.create_index(
        op.f("watch_boundary_drawn_by_id_idx"), "watch_boundary", ["drawn_by_id"],
        postgresql_where=sa.text("drawn_by_id IS NOT NULL"),
    )  # fmt: skip
    op.execute(HISTORY)
    op.create_index(
        op.f("report_on_behalf_of_id_idx"), "report", ["on_behalf_of_id"],
        postgresql_where=sa.text("on_behalf_of_id IS NOT NULL"),
    )  # fmt: skip
    op.execute(ON_BEHALF)
    op.create_table(
        "meeting_date",
        sa.Column(
            "meeting_id",
            sa.BigInteger,
            sa.ForeignKey(
                "meeting.id", name=op.f("meeting_date_meeting_id_fkey"), ondelete="CASCADE"
            ),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("moved_to", sa.DateTime(timezone=True)),
        _moment("changed_at"),
    )
    op.execute(DATES)
    op.create_table(
        "watch_words",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("block_watch_id", "watch_words", "block_watch", "CASCADE", nullable=False),
        _reference("meeting_id", "watch_words", "meeting", "CASCADE"),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("state", REVIEW_STATE, server_default="waiting", nullable=False),
        sa.Column("reason", sa.Text, server_default="", nullable=False),
        _reference("written_by_id", "watch_words", "person", "SET NULL"),
        _moment("created_at"),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        _reference("decided_by_id", "watch_words", "person", "SET NULL"),
        sa.CheckConstraint(
            "field IN ('contact', 'meeting', 'place', 'note')",
            name=op.f("watch_words_field_is_known"),
        ),
        sa.CheckConstraint(
            "(field IN ('place', 'note')) = (meeting_id IS NOT NULL)",
            name=op.f("watch_words_are_of_a_watch_or_a_meeting"),
        ),
        sa.CheckConstraint(
            "length(words) BETWEEN 1 AND 500", name=op.f("watch_words_words_are_short")
        ),
        sa.CheckConstraint("length(reason) <= 1000", name=op.f("watch_words_reason_is_short")),
        sa.CheckConstraint(
            "(state = 'waiting') = (decided_at IS NULL)", name=op.f("watch_words_decided_at_a_time")
        ),
        sa.CheckConstraint(
            "state NOT IN ('shortened', 'refused') OR reason <> ''",
            name=op.f("watch_words_says_the_reason"),
        ),
    )
    op.create_index(op.f("watch_words_block_watch_id_idx"), "watch_words", ["block_watch_id"])
    op.create_index(
        "watch_words_waiting_once", "watch_words", ["block_watch_id", "meeting_id", "field"],
        unique=True, postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )  # fmt: skip
    op.execute(WORDS)


def downgrade() -> None:
    op.execute("DROP FUNCTION decide_watch_words, visitor_wrote_words")
    op.drop_table("watch_words")
    op.execute("DROP FUNCTION visitor_is_moderator()")
    op.drop_table("meeting_date")
    op.execute("DROP POLICY add ON report")
    op.execute("CREATE POLICY add ON report FOR INSERT WITH CHECK (true)")
    op.execute("DROP FUNCTION report_keep_on_behalf CASCADE")
    op.drop_index(op.f("report_on_behalf_of_id_idx"), table_name="report")
    op.execute(f"REVOKE UPDATE (boundary) ON block_watch FROM {WEB}")
    op.execute("DROP VIEW watch_boundary_private")
    op.execute("DROP FUNCTION block_watch_keep_boundary CASCADE")
    op.drop_table("watch_boundary")


def _moment(name: str) -> "sa.Column[object]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _reference(
    name: str, table: str, other: str, ondelete: str, *, nullable: bool = True
) -> "sa.Column[int]":
    return sa.Column(
        name,
        sa.BigInteger,
        sa.ForeignKey(f"{other}.id", name=op.f(f"{table}_{name}_fkey"), ondelete=ondelete),
        nullable=nullable,
    )
