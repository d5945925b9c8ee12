"""Who vouched for somebody, appeals about photos, and the language of whoever left an address.

A photo that is refused keeps its files for two weeks where its sender has an account, for moderators
and the sender alone: an appeal without the picture could not be decided. A neighbour who joins two
reports close by is known again by the second, so that both count once should they be one problem.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

RULES = f"""
CREATE FUNCTION visitor_reviewed(photo_id bigint) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM photo WHERE id = visitor_reviewed.photo_id AND reviewed_by_id = visitor()
    )
$$;
CREATE FUNCTION photo_was_appealed(photo_id bigint) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM photo_appeal WHERE photo_appeal.photo_id = photo_was_appealed.photo_id)
$$;

ALTER TABLE photo_appeal ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON photo_appeal FOR SELECT USING (EXISTS (
    SELECT FROM photo WHERE photo.id = photo_id
        AND (visitor_moderates(report_id) OR visitor_reported(report_id))
));

DROP POLICY review ON photo;
CREATE POLICY review ON photo FOR UPDATE
    USING (visitor_moderates(report_id)
        AND NOT (photo_was_appealed(id) AND visitor_reviewed(id)))
    WITH CHECK (reviewed_by_id = visitor());

-- Whoever sent a photo asks once for another moderator's eyes, while its files are there.
CREATE FUNCTION photo_appeal_add(appealed bigint, why text) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE photo SET state = 'waiting'
    WHERE id = appealed AND state = 'refused' AND key IS NOT NULL AND visitor_reported(report_id)
        AND NOT photo_was_appealed(id);
    IF FOUND THEN
        INSERT INTO photo_appeal (photo_id, reason) VALUES (appealed, why);
    END IF;
    RETURN FOUND;
END $$;

-- Where to write to whoever sent a report that the visitor moderates: an account, or what was left.
CREATE FUNCTION report_sender(asked bigint) RETURNS TABLE (email text, language text, knows boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT found.email, found.language, found.knows FROM (
        SELECT 1 AS rank, person.email, person.language, true AS knows
        FROM report JOIN person ON person.id = reporter_id
        WHERE report.id = asked AND person.disabled_at IS NULL
        UNION ALL
        SELECT 2, contact.email, contact.language, false
        FROM report_contact AS contact WHERE report_id = asked
    ) AS found
    WHERE found.email LIKE '%_@_%' AND visitor_moderates(asked) ORDER BY found.rank LIMIT 1
$$;

GRANT SELECT ON photo_appeal TO {WEB};
GRANT UPDATE (reviewed_at) ON photo TO {WEB};
"""


def upgrade() -> None:
    op.add_column(
        "sign_in",
        sa.Column("by_provider", sa.Boolean, server_default=sa.text("false"), nullable=False),
    )
    op.add_column("support", sa.Column("counted_as", sa.LargeBinary))
    op.add_column("report_contact", sa.Column("language", sa.Text))
    op.add_column("photo", sa.Column("reviewed_at", sa.DateTime(timezone=True)))
    op.drop_constraint("photo_refused_has_no_files", "photo")
    op.create_check_constraint(
        op.f("photo_only_refused_lose_files"), "photo", "key IS NOT NULL OR state = 'refused'"
    )
    op.create_table(
        "photo_appeal",
        sa.Column(
            "photo_id",
            sa.BigInteger,
            sa.ForeignKey("photo.id", name=op.f("photo_appeal_photo_id_fkey"), ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "length(reason) BETWEEN 1 AND 1000", name=op.f("photo_appeal_reason_is_short")
        ),
    )
    op.execute(RULES)


def downgrade() -> None:
    op.execute("DROP FUNCTION report_sender, photo_appeal_add")
    op.execute("DROP POLICY review ON photo")
    op.execute(
        "CREATE POLICY review ON photo FOR UPDATE USING (visitor_moderates(report_id)) "
        "WITH CHECK (reviewed_by_id = visitor())"
    )
    op.drop_table("photo_appeal")
    op.execute("DROP FUNCTION photo_was_appealed, visitor_reviewed")
    op.execute("UPDATE photo SET key = NULL WHERE state = 'refused'")
    op.drop_constraint("photo_only_refused_lose_files", "photo")
    op.create_check_constraint(
        op.f("photo_refused_has_no_files"), "photo", "(key IS NULL) = (state = 'refused')"
    )
    op.drop_column("photo", "reviewed_at")
    op.drop_column("report_contact", "language")
    op.drop_column("support", "counted_as")
    op.drop_column("sign_in", "by_provider")
