"""Block walks: stops for members alone, and for everybody what ended walks have found.

Titles, places, notes and single answers are read by members of the block watch. Everybody reads the
views: which walks there were, how many stops had which answer, and which reports came of them. A walk
under way is nobody else's business, or it would tell where people are just now.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

RULES = f"""
CREATE FUNCTION walk_stop_keep_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM area_piece WHERE layer = 'city' AND ST_Intersects(area_piece.geom, NEW.geom)
    ) THEN
        RAISE EXCEPTION 'a stop must lie within the served area'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'walk_stop_within_served_area',
                  TABLE = 'walk_stop';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER walk_stop_place BEFORE INSERT OR UPDATE OF geom ON walk_stop
    FOR EACH ROW EXECUTE FUNCTION walk_stop_keep_place();

-- Its name, for members of the same block watch.
CREATE FUNCTION walk_leader(walk_id bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT person.name FROM walk JOIN person ON person.id = started_by_id
    WHERE walk.id = walk_id AND disabled_at IS NULL AND visitor_belongs(block_watch_id)
$$;

ALTER TABLE walk ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON walk FOR SELECT
    USING (visitor_belongs(block_watch_id) OR visitor_keeps(block_watch_id));
CREATE POLICY add ON walk FOR INSERT
    WITH CHECK (visitor_belongs(block_watch_id) AND started_by_id = visitor());
CREATE POLICY keep ON walk FOR UPDATE USING (
    visitor_keeps(block_watch_id)
    OR (started_by_id = visitor() AND visitor_belongs(block_watch_id))
);
CREATE POLICY drop ON walk FOR DELETE USING (visitor_keeps(block_watch_id));
GRANT SELECT, DELETE, INSERT (block_watch_id, title, walked_on, started_by_id),
    UPDATE (title, ended_at) ON walk TO {WEB};

ALTER TABLE walk_stop ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON walk_stop FOR SELECT
    USING (EXISTS (SELECT FROM walk WHERE id = walk_id AND visitor_belongs(block_watch_id)));
CREATE POLICY add ON walk_stop FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM walk WHERE id = walk_id AND visitor_belongs(block_watch_id)));
CREATE POLICY drop ON walk_stop FOR DELETE USING (EXISTS (
    SELECT FROM walk WHERE id = walk_id AND visitor_belongs(block_watch_id)
        AND (visitor_keeps(block_watch_id) OR started_by_id = visitor())
));
GRANT SELECT, DELETE, INSERT (walk_id, key, body_hash, geom, address, note, seen_at)
    ON walk_stop TO {WEB};

-- Whoever sees the stop.
ALTER TABLE walk_answer ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON walk_answer FOR SELECT
    USING (EXISTS (SELECT FROM walk_stop WHERE id = stop_id));
CREATE POLICY add ON walk_answer FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM walk_stop WHERE id = stop_id));
CREATE POLICY keep ON walk_answer FOR UPDATE
    USING (EXISTS (SELECT FROM walk_stop WHERE id = stop_id));
GRANT SELECT, INSERT, UPDATE (report_text, report_id, joined) ON walk_answer TO {WEB};

CREATE VIEW walk_open WITH (security_barrier) AS
SELECT walk.id, block_watch_id, walked_on, ended_at,
    (SELECT count(*) FROM walk_stop WHERE walk_id = walk.id) AS stops
FROM walk WHERE ended_at IS NOT NULL OR visitor_belongs(block_watch_id)
    OR visitor_keeps(block_watch_id);

CREATE VIEW walk_sum WITH (security_barrier) AS
SELECT walk_id, question, answer, count(*) AS n
FROM walk_open JOIN walk_stop ON walk_id = walk_open.id JOIN walk_answer ON stop_id = walk_stop.id
GROUP BY walk_id, question, answer;

CREATE VIEW walk_report WITH (security_barrier) AS
SELECT DISTINCT walk_id, report_id, joined
FROM walk_open JOIN walk_stop ON walk_id = walk_open.id JOIN walk_answer ON stop_id = walk_stop.id
WHERE report_id IS NOT NULL;

GRANT SELECT ON walk_open, walk_sum, walk_report TO {WEB};
"""


def upgrade() -> None:
    op.create_table(
        "walk",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("block_watch_id", "walk", "block_watch", "CASCADE", nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("walked_on", sa.Date, nullable=False),
        _moment("created_at", "now()"),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        _reference("started_by_id", "walk", "person", "SET NULL"),
        sa.CheckConstraint("length(title) BETWEEN 1 AND 100", name=op.f("walk_title_is_short")),
    )
    op.create_index(
        op.f("walk_block_watch_id_walked_on_idx"), "walk", ["block_watch_id", "walked_on"]
    )
    op.create_index(
        op.f("walk_started_by_id_idx"), "walk", ["started_by_id"],
        postgresql_where=sa.text("started_by_id IS NOT NULL"),
    )  # fmt: skip
    op.create_table(
        "walk_stop",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("walk_id", "walk_stop", "walk", "CASCADE", nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("body_hash", sa.LargeBinary, nullable=False),
        sa.Column("geom", Geometry("POINT", srid=4326, spatial_index=False), nullable=False),
        sa.Column("address", sa.Text, server_default="", nullable=False),
        sa.Column("note", sa.Text, server_default="", nullable=False),
        _moment("seen_at"),
        _moment("sent_at", "now()"),
        sa.UniqueConstraint("walk_id", "key", name=op.f("walk_stop_walk_id_key_key")),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 100", name=op.f("walk_stop_key_is_short")),
        sa.CheckConstraint("length(note) <= 500", name=op.f("walk_stop_note_is_short")),
        sa.CheckConstraint("length(address) <= 200", name=op.f("walk_stop_address_is_short")),
        sa.CheckConstraint("seen_at <= sent_at", name=op.f("walk_stop_seen_before_sent")),
    )
    op.create_table(
        "walk_answer",
        _reference(
            "stop_id", "walk_answer", "walk_stop", "CASCADE", nullable=False, primary_key=True
        ),
        sa.Column("question", sa.Text, primary_key=True),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("report_text", sa.Text),
        _reference("report_id", "walk_answer", "report", "SET NULL"),
        sa.Column("joined", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "question ~ '^[a-z_]{1,20}$' AND answer ~ '^[a-z_]{1,20}$'",
            name=op.f("walk_answer_codes_are_codes"),
        ),
        sa.CheckConstraint(
            "report_text IS NULL OR report_id IS NULL",
            name=op.f("walk_answer_what_is_decided_waits_no_more"),
        ),
        sa.CheckConstraint(
            "length(report_text) <= 2000", name=op.f("walk_answer_report_text_is_short")
        ),
    )
    op.create_index(
        op.f("walk_answer_report_id_idx"), "walk_answer", ["report_id"],
        postgresql_where=sa.text("report_id IS NOT NULL"),
    )  # fmt: skip
    op.execute(RULES)


def downgrade() -> None:
    op.execute("DROP VIEW walk_report, walk_sum, walk_open")
    op.execute("DROP FUNCTION walk_leader")
    for table in ("walk_answer", "walk_stop", "walk"):
        op.drop_table(table)
    op.execute("DROP FUNCTION walk_stop_keep_place")


def _moment(name: str, default: str | None = None) -> "sa.Column[Any]":
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=None if default is None else sa.text(default),
        nullable=False,
    )


def _reference(
    name: str,
    table: str,
    other: str,
    ondelete: str,
    *,
    nullable: bool = True,
    primary_key: bool = False,
) -> "sa.Column[Any]":
    return sa.Column(
        name,
        sa.BigInteger,
        sa.ForeignKey(f"{other}.id", name=op.f(f"{table}_{name}_fkey"), ondelete=ondelete),
        nullable=nullable,
        primary_key=primary_key,
        autoincrement=False if primary_key else "auto",
    )
