"""Mail that waits to be sent, and the jobs that send it.

The jobs are procrastinate's, in its own tables. A row in `mail` makes its job by a trigger, so that
both are stored or neither, and the web role needs no right on jobs at all: it may add mail, and never
read any. Where a later procrastinate changes its tables, a later migration carries its changes.
"""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

DEFER = """
CREATE FUNCTION mail_defer() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
        'mail', 'send_mail', 0, NULL, NULL, jsonb_build_object('id', NEW.id), NULL
    )::procrastinate_job_to_defer_v1]);
    RETURN NULL;
END $$;
CREATE TRIGGER mail_deferred AFTER INSERT ON mail FOR EACH ROW EXECUTE FUNCTION mail_defer();
"""

WITHOUT_JOBS = """
DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs,
    procrastinate_workers CASCADE;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE proname LIKE 'procrastinate\\_%' AND pronamespace = 'public'::regnamespace
    LOOP
        EXECUTE 'DROP FUNCTION ' || name || ' CASCADE';
    END LOOP;
END $$;
DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_event_type, procrastinate_job_status;
"""


def upgrade() -> None:
    connection = op.get_bind()
    # The driver reads a percent sign as the place of a parameter.
    connection.exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
    op.create_table(
        "mail",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column(
            "key", postgresql.UUID, server_default=sa.text("gen_random_uuid()"), nullable=False
        ),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("html", sa.Text),
        sa.Column("unsubscribe", sa.Text),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False),
        sa.Column("last_error", sa.Text, server_default="", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("given_up_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "length(recipient) <= 254 AND recipient !~ '[[:space:][:cntrl:],<>]'",
            name=op.f("mail_recipient_is_one_address"),
        ),
        sa.CheckConstraint("subject !~ '[[:cntrl:]]'", name=op.f("mail_subject_is_one_line")),
        sa.CheckConstraint(
            "sent_at IS NULL OR given_up_at IS NULL", name=op.f("mail_ends_in_one_way")
        ),
    )
    op.create_index(
        "mail_waiting",
        "mail",
        ["created_at"],
        postgresql_where=sa.text("sent_at IS NULL AND given_up_at IS NULL"),
    )
    op.execute(DEFER)
    op.execute(f"GRANT INSERT (recipient, subject, text, html, unsubscribe) ON mail TO {WEB}")


def downgrade() -> None:
    op.drop_table("mail")
    op.execute("DROP FUNCTION mail_defer")
    op.get_bind().exec_driver_sql(WITHOUT_JOBS.replace("%", "%%"))
