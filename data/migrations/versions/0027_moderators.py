"""What moderators may undo, whom they may judge, and who reads their reasons.

Every public report can be held, and comes back to where it stood: `held_from`, kept by a trigger, so
that holding and releasing is no way around the way of reports. Nobody decides about an own report,
and after an appeal somebody else does than before. A moderator's reason is for the author and for
moderators. What is public can be taken back: a text, a photo, a note of the timeline.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

WEB = "porchlight_web"
STATUS = postgresql.ENUM(name="report_status", create_type=False)
BULK = "(current_setting('porchlight.bulk', true) IS DISTINCT FROM 'on')"

STEPS_BEFORE = """
DELETE FROM status_step WHERE before = 'held'
    OR (after = 'held' AND before IN ('duplicate', 'declined', 'not_ours'));
INSERT INTO status_step (before, after) VALUES ('held', 'received'), ('held', 'declined');
"""

STEPS = """
DELETE FROM status_step WHERE 'held' IN (before, after);
INSERT INTO status_step (before, after)
SELECT step.before, step.after FROM unnest(enum_range(NULL::report_status)) AS public (status),
    LATERAL (VALUES (public.status, 'held'::report_status), ('held'::report_status, public.status))
        AS step (before, after)
WHERE public.status <> 'held';
"""

FOLLOWS = """
CREATE OR REPLACE FUNCTION report_status_follows() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM status_step WHERE before = OLD.status AND after = NEW.status) {jumps} THEN
        RAISE EXCEPTION 'a report cannot go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'report_status_follows',
                  TABLE = 'report';
    END IF;
    {hold}
    RETURN NEW;
END $$;
"""

JUMPS = "OR (OLD.status = 'held' AND NEW.status <> coalesce(OLD.held_from, 'received'))"

HOLD = """
    IF visitor() IS NOT NULL AND (
        ('held' IN (OLD.status, NEW.status) AND NOT visitor_moderates(OLD.id))
        OR (OLD.status = 'held' AND NOT visitor_may_release(OLD.id))
    ) THEN
        RAISE EXCEPTION 'another moderator holds or releases this report'
            USING ERRCODE = 'insufficient_privilege', TABLE = 'report';
    END IF;
    NEW.held_from := CASE WHEN NEW.status = 'held' THEN OLD.status END;
    IF OLD.status = 'held' THEN
        DELETE FROM report_hold WHERE report_id = OLD.id;
    END IF;
"""

HELD = f"""
CREATE FUNCTION visitor_may_release(id bigint) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT visitor_moderates(id) AND NOT visitor_reported(id) AND NOT EXISTS (
        SELECT FROM report_hold WHERE report_id = visitor_may_release.id
            AND appeal <> '' AND answer = '' AND held_by_id = visitor()
    )
$$;

CREATE FUNCTION report_held_from_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'where a held report stood is kept by the store itself'
        USING ERRCODE = 'restrict_violation', TABLE = 'report';
END $$;
CREATE TRIGGER report_held_from BEFORE UPDATE OF held_from ON report
    FOR EACH ROW WHEN (OLD.held_from IS DISTINCT FROM NEW.held_from AND {BULK})
    EXECUTE FUNCTION report_held_from_is_kept();

ALTER TABLE report_hold ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON report_hold FOR SELECT USING (
    visitor_moderates(report_id) OR visitor_reported(report_id)
);
CREATE POLICY add ON report_hold FOR INSERT WITH CHECK (
    visitor_moderates(report_id) AND held_by_id = visitor() AND appeal = ''
);
CREATE POLICY answer ON report_hold FOR UPDATE USING (
    appeal <> '' AND answer = '' AND visitor_may_release(report_id)
) WITH CHECK (visitor_moderates(report_id));

-- Whoever sent a report that was taken out of sight asks once for another moderator's eyes.
CREATE FUNCTION report_hold_appeal(appealed bigint, why text) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE report_hold SET appeal = why, appealed_at = now()
    WHERE report_id = appealed AND appeal = '' AND visitor_reported(report_id);
    RETURN FOUND;
END $$;

GRANT SELECT (held_from) ON report TO {WEB};
GRANT SELECT (report_id, reason, at, appeal, appealed_at, answer), INSERT, UPDATE (answer)
    ON report_hold TO {WEB};
"""

# Whoever opened the signed link of an e-mail stands for the reporter of that one report, in this
# transaction: the server names them as it names who is signed in.
REPORTED = """
CREATE OR REPLACE FUNCTION visitor_reported(id bigint) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT {linked} EXISTS (
        SELECT FROM report WHERE report.id = visitor_reported.id AND reporter_id = visitor()
    )
$$;
"""

LINKED = "coalesce(current_setting('porchlight.reporter_of', true) = id::text, false) OR"

OTHERS = f"""
DROP POLICY review ON text_review;
CREATE POLICY review ON text_review FOR UPDATE
    USING (state = 'waiting' AND visitor_moderates(report_id) AND NOT visitor_reported(report_id)
        AND NOT (round = 2 AND visitor_decided(report_id)))
    WITH CHECK (decided_by_id = visitor());
DROP POLICY review ON photo;
CREATE POLICY review ON photo FOR UPDATE
    USING (visitor_moderates(report_id) AND NOT visitor_reported(report_id)
        AND NOT (state = 'waiting' AND photo_was_appealed(id) AND visitor_reviewed(id)))
    WITH CHECK (reviewed_by_id = visitor());

CREATE FUNCTION text_review_reason(asked bigint) RETURNS text LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT reason FROM text_review
    WHERE id = asked AND (visitor_moderates(report_id) OR visitor_reported(report_id))
$$;
REVOKE SELECT (reason) ON text_review FROM {WEB};
"""

OTHERS_BEFORE = f"""
GRANT SELECT (reason) ON text_review TO {WEB};
DROP FUNCTION text_review_reason;
DROP POLICY review ON text_review;
CREATE POLICY review ON text_review FOR UPDATE
    USING (state = 'waiting' AND visitor_moderates(report_id)
        AND NOT (round = 2 AND visitor_decided(report_id)))
    WITH CHECK (decided_by_id = visitor());
DROP POLICY review ON photo;
CREATE POLICY review ON photo FOR UPDATE
    USING (visitor_moderates(report_id)
        AND NOT (photo_was_appealed(id) AND visitor_reviewed(id)))
    WITH CHECK (reviewed_by_id = visitor());
"""

CORRECTIONS = f"""
CREATE FUNCTION text_correct(
    asked bigint, into_state review_state, shown text, why text
) RETURNS smallint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    last text_review;
BEGIN
    IF NOT visitor_moderates(asked) OR visitor_reported(asked) THEN
        RETURN NULL;
    END IF;
    PERFORM FROM report WHERE id = asked AND public_text <> '' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO last FROM text_review WHERE report_id = asked ORDER BY round DESC LIMIT 1;
    IF last.state = 'waiting' THEN
        RETURN NULL;
    END IF;
    INSERT INTO text_review (report_id, round, state, reason, decided_at, decided_by_id)
    VALUES (asked, coalesce(last.round, 1), into_state, why, now(), visitor())
    ON CONFLICT (report_id, round) DO UPDATE SET state = excluded.state,
        reason = excluded.reason, decided_at = now(), decided_by_id = excluded.decided_by_id;
    UPDATE report SET public_text = shown WHERE id = asked;
    RETURN coalesce(last.round, 1);
END $$;

-- The timeline is only added to: an event says that the words of another are not shown any more.
CREATE FUNCTION report_event_hide(asked bigint) RETURNS bigint LANGUAGE plpgsql
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
    RETURN CASE WHEN FOUND THEN of_report END;
END $$;
CREATE POLICY hide ON report_event AS RESTRICTIVE FOR INSERT WITH CHECK (hides_id IS NULL);
GRANT SELECT (hides_id) ON report_event TO {WEB};
"""


def upgrade() -> None:
    op.add_column("report", sa.Column("held_from", STATUS))
    op.execute(
        "UPDATE report SET held_from = (SELECT from_status FROM report_event AS event "
        "WHERE event.report_id = report.id AND to_status = 'held' ORDER BY at DESC, id DESC LIMIT 1) "
        "WHERE status = 'held'"
    )
    op.create_check_constraint(
        op.f("report_only_held_stood_elsewhere"), "report", "held_from IS NULL OR status = 'held'"
    )
    _pointing(
        "status = 'duplicate' OR held_from IS NOT DISTINCT FROM 'duplicate' "
        "OR duplicate_of_id IS NULL"
    )
    op.create_table(
        "report_hold",
        sa.Column(
            "report_id",
            sa.BigInteger,
            sa.ForeignKey("report.id", name=op.f("report_hold_report_id_fkey"), ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "held_by_id",
            sa.BigInteger,
            sa.ForeignKey(
                "person.id", name=op.f("report_hold_held_by_id_fkey"), ondelete="SET NULL"
            ),
        ),
        sa.Column("appeal", sa.Text, server_default="", nullable=False),
        sa.Column("appealed_at", sa.DateTime(timezone=True)),
        sa.Column("answer", sa.Text, server_default="", nullable=False),
        sa.CheckConstraint(
            "length(reason) BETWEEN 1 AND 1000 AND length(appeal) <= 1000 "
            "AND length(answer) <= 1000",
            name=op.f("report_hold_words_are_short"),
        ),
        sa.CheckConstraint(
            "(appeal = '') = (appealed_at IS NULL)", name=op.f("report_hold_appealed_at_a_time")
        ),
        sa.CheckConstraint(
            "answer = '' OR appeal <> ''", name=op.f("report_hold_answers_an_appeal")
        ),
    )
    op.add_column(
        "report_event",
        sa.Column(
            "hides_id",
            sa.BigInteger,
            sa.ForeignKey(
                "report_event.id", name=op.f("report_event_hides_id_fkey"), ondelete="CASCADE"
            ),
        ),
    )
    op.create_index(
        op.f("report_event_hides_id_idx"), "report_event", ["hides_id"],
        unique=True, postgresql_where=sa.text("hides_id IS NOT NULL"),
    )  # fmt: skip
    for rules in (
        STEPS,
        HELD,
        FOLLOWS.format(jumps=JUMPS, hold=HOLD),
        REPORTED.format(linked=LINKED),
        OTHERS,
        CORRECTIONS,
    ):
        op.execute(rules)


def downgrade() -> None:
    op.execute("DROP POLICY hide ON report_event")
    op.execute("DROP FUNCTION text_correct, report_event_hide")
    op.drop_column("report_event", "hides_id")
    op.execute(OTHERS_BEFORE)
    op.execute(REPORTED.format(linked=""))
    op.execute(FOLLOWS.format(jumps="", hold=""))
    op.execute(STEPS_BEFORE)
    op.drop_table("report_hold")
    op.execute("DROP FUNCTION report_hold_appeal, visitor_may_release")
    op.execute("DROP FUNCTION report_held_from_is_kept CASCADE")
    # What was a duplicate before it was held stays held, and points nowhere.
    op.execute("UPDATE report SET duplicate_of_id = NULL WHERE status = 'held'")
    _pointing("(status = 'duplicate') OR duplicate_of_id IS NULL")
    op.drop_column("report", "held_from")


def _pointing(rule: str) -> None:
    name = op.f("report_only_duplicates_point_elsewhere")
    op.drop_constraint(name, "report")
    op.create_check_constraint(name, "report", rule)
