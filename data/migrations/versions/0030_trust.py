"""What moderators take out of a timeline is no longer in it; a block watch answers for what it sent.

The words go to a table of their own, whose rows moderators read. The timeline stays one that is only
ever added to, but for words of which that table holds a copy.

Whether a report is fixed is asked of the block watch in whose name it was sent, too, where that lies
just outside of its boundary.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

TIMELINE = """
CREATE OR REPLACE FUNCTION report_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := '{person_id, assigned_person_id}';
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM report WHERE id = OLD.report_id) THEN
        RETURN OLD; -- the report itself is being erased
    END IF;
    __HIDING__
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - free = to_jsonb(OLD) - free
        AND (NEW.person_id IS NULL OR NEW.person_id = OLD.person_id)
        AND (NEW.assigned_person_id IS NULL OR NEW.assigned_person_id = OLD.assigned_person_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the timeline of a report is only ever added to'
        USING ERRCODE = 'restrict_violation', TABLE = 'report_event';
END $$;
"""

HIDING = """
    IF TG_OP = 'UPDATE' AND NEW.note = '' AND NEW.note_spanish = '' AND EXISTS (
        SELECT FROM hidden_words AS kept WHERE kept.event_id = OLD.id
            AND kept.note = OLD.note AND kept.note_spanish = OLD.note_spanish
    ) THEN
        free := free || '{note, note_spanish}'::text[];
    END IF;
"""

HIDE = """
CREATE OR REPLACE FUNCTION report_event_hide(asked bigint) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    of_report bigint;
BEGIN
    SELECT report_id INTO of_report FROM report_event
    WHERE id = asked AND public AND (note <> '' OR note_spanish <> '') AND visitor_moderates(report_id)
        AND NOT visitor_reported(report_id);
    INSERT INTO report_event (report_id, kind, hides_id, person_id)
    SELECT of_report, 'note', asked, visitor() WHERE of_report IS NOT NULL
    ON CONFLICT DO NOTHING;
    __TAKEN__
    RETURN CASE WHEN FOUND THEN of_report END;
END $$;
"""

TAKEN = """
    IF FOUND THEN
        INSERT INTO hidden_words (event_id, report_id, note, note_spanish)
        SELECT id, report_id, note, note_spanish FROM report_event WHERE id = asked;
        UPDATE report_event SET note = '', note_spanish = '' WHERE id = asked;
    END IF;
"""

RULES = f"""
ALTER TABLE hidden_words ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON hidden_words FOR SELECT USING (visitor_moderates(report_id));
GRANT SELECT ON hidden_words TO {WEB};

INSERT INTO hidden_words (event_id, report_id, note, note_spanish)
SELECT event.id, event.report_id, event.note, event.note_spanish
FROM report_event AS event JOIN report_event AS hiding ON hiding.hides_id = event.id;
UPDATE report_event SET note = '', note_spanish = '' FROM hidden_words WHERE event_id = id;
"""

BACK = """
ALTER TABLE report_event DISABLE TRIGGER report_event_append_only;
UPDATE report_event SET note = kept.note, note_spanish = kept.note_spanish
FROM hidden_words AS kept WHERE kept.event_id = report_event.id;
ALTER TABLE report_event ENABLE TRIGGER report_event_append_only;
"""


# Functions of earlier migrations, each with what changes in it.
REWORDED = (
    (
        "report_voice(bigint, bytea[])",
        "held.block_watch_id = report.block_watch_id",
        "held.block_watch_id IN (report.block_watch_id, report.on_behalf_of_id)",
    ),
    (
        "report_to_ask(bigint)",
        "SELECT id, reporter_id, block_watch_id FROM report",
        "SELECT id, reporter_id, block_watch_id, on_behalf_of_id FROM report",
    ),
    (
        "report_to_ask(bigint)",
        "held.block_watch_id = meant.block_watch_id",
        "held.block_watch_id IN (meant.block_watch_id, meant.on_behalf_of_id)",
    ),
)

REWORD = """
DO $$
DECLARE
    written text := pg_get_functiondef('{function}'::regprocedure);
BEGIN
    ASSERT position('{before}' IN written) > 0, '{function} is not written as this migration thinks';
    EXECUTE replace(written, '{before}', '{after}');
END $$;
"""


def upgrade() -> None:
    op.create_table(
        "hidden_words",
        sa.Column(
            "event_id",
            sa.BigInteger,
            sa.ForeignKey(
                "report_event.id", name=op.f("hidden_words_event_id_fkey"), ondelete="CASCADE"
            ),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column(
            "report_id",
            sa.BigInteger,
            sa.ForeignKey(
                "report.id", name=op.f("hidden_words_report_id_fkey"), ondelete="CASCADE"
            ),
            nullable=False,
        ),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("note_spanish", sa.Text, nullable=False),
        sa.Index(op.f("hidden_words_report_id_idx"), "report_id"),
    )
    op.execute(TIMELINE.replace("__HIDING__", HIDING))
    op.execute(HIDE.replace("__TAKEN__", TAKEN))
    op.execute(RULES)
    for function, before, after in REWORDED:
        op.execute(REWORD.format(function=function, before=before, after=after))


def downgrade() -> None:
    for function, before, after in reversed(REWORDED):
        op.execute(REWORD.format(function=function, before=after, after=before))
    op.execute(BACK)
    op.execute(HIDE.replace("__TAKEN__", ""))
    op.execute(TIMELINE.replace("__HIDING__", ""))
    op.drop_table("hidden_words")
