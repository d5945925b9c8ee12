"""Photos and texts that moderators look at before everybody sees them.

The web role sees public photos of public reports, those of the form whose token it was told
(`porchlight.form`, the hash in hex, set for one transaction), and, as a moderator or the reporter, all
of a report. What it may read of a review is public; who decided is not.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

PHOTO_STATE = postgresql.ENUM("waiting", "public", "refused", name="photo_state")
REVIEW_STATE = postgresql.ENUM("waiting", "approved", "shortened", "refused", name="review_state")

RULES = f"""
CREATE FUNCTION visitor_moderates(id bigint) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM report WHERE report.id = visitor_moderates.id AND visitor_may(
            'moderate', kind, block_watch_id, patrol_division_id, council_district_id)
    )
$$;
CREATE FUNCTION visitor_reported(id bigint) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM report WHERE report.id = visitor_reported.id AND reporter_id = visitor()
    )
$$;
CREATE FUNCTION visitor_decided(id bigint) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM text_review WHERE report_id = visitor_decided.id AND decided_by_id = visitor()
    )
$$;
CREATE FUNCTION visitor_fills_in(form_hash bytea) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT encode(form_hash, 'hex') = current_setting('porchlight.form', true)
$$;

-- Only a report that is made in the same transaction takes photos.
CREATE FUNCTION photos_send(form bytea, to_report bigint) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    sent integer;
BEGIN
    UPDATE photo SET report_id = to_report, form_hash = NULL, sent_hash = NULL
    WHERE form_hash = form AND EXISTS (
        SELECT FROM report WHERE report.id = to_report AND reported_at = now());
    GET DIAGNOSTICS sent = ROW_COUNT;
    RETURN sent;
END $$;

CREATE FUNCTION photo_discard() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO discarded_photo (key) VALUES (OLD.key) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER photo_files_go_with_it AFTER DELETE ON photo
    FOR EACH ROW WHEN (OLD.key IS NOT NULL) EXECUTE FUNCTION photo_discard();
CREATE TRIGGER photo_files_are_replaced AFTER UPDATE OF key ON photo
    FOR EACH ROW WHEN (OLD.key IS NOT NULL AND OLD.key IS DISTINCT FROM NEW.key)
    EXECUTE FUNCTION photo_discard();

ALTER TABLE photo ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON photo FOR SELECT USING (
    (state = 'public' AND EXISTS (
        SELECT FROM report WHERE report.id = report_id AND status <> 'held'))
    OR visitor_fills_in(form_hash) OR visitor_moderates(report_id) OR visitor_reported(report_id)
);
CREATE POLICY add ON photo FOR INSERT WITH CHECK (
    state = 'waiting' AND visitor_fills_in(form_hash)
);
CREATE POLICY leave_out ON photo FOR DELETE USING (visitor_fills_in(form_hash));
CREATE POLICY review ON photo FOR UPDATE USING (visitor_moderates(report_id))
    WITH CHECK (reviewed_by_id = visitor());

ALTER TABLE text_review ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON text_review FOR SELECT USING (true);
CREATE POLICY add ON text_review FOR INSERT WITH CHECK (
    state = 'waiting' AND (round = 1 OR visitor_reported(report_id))
);
CREATE POLICY review ON text_review FOR UPDATE
    USING (state = 'waiting' AND visitor_moderates(report_id)
        AND NOT (round = 2 AND visitor_decided(report_id)))
    WITH CHECK (decided_by_id = visitor());

ALTER TABLE text_appeal ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON text_appeal FOR SELECT USING (
    visitor_moderates(report_id) OR visitor_reported(report_id)
);
CREATE POLICY add ON text_appeal FOR INSERT WITH CHECK (visitor_reported(report_id));

GRANT SELECT (public_text) ON report TO {WEB};
GRANT SELECT (id, report_id, form_hash, sent_hash, key, state, width, height, reason, created_at),
    INSERT, DELETE, UPDATE (key, state, width, height, reason, reviewed_by_id) ON photo TO {WEB};
GRANT SELECT (id, report_id, round, state, reason, created_at, decided_at), INSERT,
    UPDATE (state, reason, decided_at, decided_by_id) ON text_review TO {WEB};
GRANT SELECT, INSERT ON text_appeal TO {WEB};
GRANT USAGE ON SEQUENCE photo_id_seq, text_review_id_seq TO {WEB};
"""


def upgrade() -> None:
    op.add_column("report", sa.Column("public_text", sa.Text, server_default="", nullable=False))
    op.create_check_constraint(
        op.f("report_public_text_is_short"), "report", "length(public_text) <= 2000"
    )
    op.create_table(
        "photo",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("photo", "report_id", "report", "CASCADE", nullable=True),
        sa.Column("form_hash", sa.LargeBinary),
        sa.Column("sent_hash", sa.LargeBinary),
        sa.Column("key", sa.Text),
        sa.Column("state", PHOTO_STATE, server_default="waiting", nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        _reference("photo", "reviewed_by_id", "person", "SET NULL", nullable=True),
        sa.Column("reason", sa.Text, server_default="", nullable=False),
        _moment("created_at"),
        sa.UniqueConstraint("key", name=op.f("photo_key_key")),
        sa.CheckConstraint(
            "(report_id IS NULL) = (form_hash IS NOT NULL)",
            name=op.f("photo_is_of_a_form_or_a_report"),
        ),
        sa.CheckConstraint(
            "(key IS NULL) = (state = 'refused')", name=op.f("photo_refused_has_no_files")
        ),
        sa.CheckConstraint("length(reason) <= 1000", name=op.f("photo_reason_is_short")),
    )
    op.create_index(op.f("photo_report_id_idx"), "photo", ["report_id"])
    op.create_index(
        op.f("photo_form_hash_sent_hash_idx"), "photo", ["form_hash", "sent_hash"],
        unique=True, postgresql_where=sa.text("form_hash IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "photo_waiting_idx", "photo", ["created_at"],
        postgresql_where=sa.text("state = 'waiting' AND report_id IS NOT NULL"),
    )  # fmt: skip
    op.create_table("discarded_photo", sa.Column("key", sa.Text, primary_key=True))
    op.create_table(
        "text_review",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("text_review", "report_id", "report", "CASCADE"),
        sa.Column("round", sa.SmallInteger, server_default="1", nullable=False),
        sa.Column("state", REVIEW_STATE, server_default="waiting", nullable=False),
        sa.Column("reason", sa.Text, server_default="", nullable=False),
        _moment("created_at"),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        _reference("text_review", "decided_by_id", "person", "SET NULL", nullable=True),
        sa.UniqueConstraint("report_id", "round", name=op.f("text_review_report_id_round_key")),
        sa.CheckConstraint("round IN (1, 2)", name=op.f("text_review_appealed_once")),
        sa.CheckConstraint(
            "(state = 'waiting') = (decided_at IS NULL)", name=op.f("text_review_decided_at_a_time")
        ),
        sa.CheckConstraint(
            "state NOT IN ('shortened', 'refused') OR reason <> ''",
            name=op.f("text_review_says_the_reason"),
        ),
        sa.CheckConstraint("length(reason) <= 1000", name=op.f("text_review_reason_is_short")),
    )
    op.create_index(
        "text_review_waiting_idx", "text_review", ["created_at"],
        postgresql_where=sa.text("state = 'waiting'"),
    )  # fmt: skip
    op.create_table(
        "text_appeal",
        sa.Column(
            "report_id",
            sa.BigInteger,
            sa.ForeignKey("report.id", name=op.f("text_appeal_report_id_fkey"), ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("reason", sa.Text, nullable=False),
        _moment("created_at"),
        sa.CheckConstraint(
            "length(reason) BETWEEN 1 AND 1000", name=op.f("text_appeal_reason_is_short")
        ),
    )
    op.execute(RULES)


def downgrade() -> None:
    for table in ("text_appeal", "text_review", "discarded_photo", "photo"):
        op.drop_table(table)
    for name in ("visitor_moderates", "visitor_reported", "visitor_decided", "visitor_fills_in"):
        op.execute(f"DROP FUNCTION {name}")
    op.execute("DROP FUNCTION photo_discard, photos_send")
    op.drop_column("report", "public_text")
    for type_ in (PHOTO_STATE, REVIEW_STATE):
        type_.drop(op.get_bind())


def _moment(name: str) -> "sa.Column[object]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _reference(
    table: str, name: str, other: str, ondelete: str, *, nullable: bool = False
) -> "sa.Column[int]":
    return sa.Column(
        name,
        sa.BigInteger,
        sa.ForeignKey(f"{other}.id", name=op.f(f"{table}_{name}_fkey"), ondelete=ondelete),
        nullable=nullable,
    )
