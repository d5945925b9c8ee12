"""Neighbours count once, the city's people do not answer for them, and answers read in two languages.

`report_voice` says as which neighbour somebody speaks, and whether their yes is enough alone. It
stands in the place of `report_neighbour`.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

BROWSERS = f"""
-- Pages ask by `report_is_of` alone, so that nobody reads which browser sent what.
ALTER TABLE report_browser ENABLE ROW LEVEL SECURITY;
CREATE POLICY add ON report_browser FOR INSERT WITH CHECK (true);
GRANT INSERT ON report_browser TO {WEB};

CREATE FUNCTION report_is_of(asked bigint, marks bytea[]) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM report WHERE id = asked AND reporter_id = visitor())
        OR EXISTS (SELECT FROM report_browser WHERE report_id = asked AND mark = ANY (marks))
$$;
"""

VOICES = """
DROP FUNCTION report_neighbour;

-- Whether it is somebody's work, however they signed in this time, or they said that it is done.
CREATE FUNCTION report_is_work_of(asked bigint, who bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM report
        JOIN role_grant AS held ON held.person_id = who AND held.ended_at IS NULL
        LEFT JOIN department ON department.id = held.department_id
        WHERE report.id = asked AND CASE held.role
            WHEN 'administrator' THEN true
            WHEN 'staff' THEN report.kind = ANY (department.kinds)
                AND (held.area_id IS NULL OR held.area_id = report.exact_council_district_id)
            WHEN 'liaison' THEN report.kind = 'problem_spot'
                AND held.area_id = report.exact_patrol_division_id
            ELSE false
        END
    ) OR EXISTS (
        SELECT FROM report_event WHERE id = report_done_event(asked) AND person_id = who
    )
$$;

-- As which neighbour somebody may say whether a report is fixed, and whether their yes is enough
-- alone: that of who reported it (signed in, by the browser, or by a link that was sent) and of the
-- block watch is; that of who joined it before it was done needs another's.
CREATE FUNCTION report_voice(asked bigint, marks bytea[]) RETURNS TABLE (mark bytea, enough boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT found.mark, found.rank < 4 FROM (
        SELECT 1 AS rank, 1 AS place,
            sha256(convert_to('person ' || visitor(), 'UTF8')) AS mark
        FROM report WHERE (id = asked OR duplicate_of_id = asked) AND (
            reporter_id = visitor() OR EXISTS (
                SELECT FROM role_grant AS held WHERE held.person_id = visitor()
                    AND held.ended_at IS NULL AND held.role IN ('captain', 'member')
                    AND held.block_watch_id = report.block_watch_id
            )
        )
        UNION ALL
        SELECT 2, 1, sent.mark FROM report_browser AS sent JOIN report ON report.id = report_id
        WHERE (report.id = asked OR duplicate_of_id = asked) AND sent.mark = ANY (marks)
        UNION ALL
        SELECT 3, 1, token_hash FROM fix_asked
        WHERE report_id = asked AND token_hash = ANY (marks)
            AND done_event_id = report_done_event(asked)
        UNION ALL
        SELECT 4, CASE WHEN supporter = ANY (marks) THEN 1 ELSE 2 END,
            coalesce(counted_as, supporter)
        FROM support JOIN report ON report.id = report_id
        WHERE (report.id = asked OR duplicate_of_id = asked)
            AND (supporter = ANY (marks) OR browser = ANY (marks))
            AND support.at <= coalesce(
                (SELECT at FROM report_event WHERE id = report_done_event(asked)), support.at)
    ) AS found
    WHERE visitor() IS NULL OR NOT report_is_work_of(asked, visitor())
    ORDER BY found.rank, found.place, found.mark LIMIT 1
$$;
REVOKE ALL ON FUNCTION report_is_work_of, report_voice FROM PUBLIC;

CREATE OR REPLACE FUNCTION report_asks(asked bigint, marks bytea[]) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT CASE WHEN answer.report_id IS NULL THEN 'asked' ELSE 'answered' END
    FROM report CROSS JOIN LATERAL report_voice(asked, marks) AS voice
    LEFT JOIN fix_answer AS answer ON answer.report_id = asked AND answer.neighbour = voice.mark
        AND answer.done_event_id = report_done_event(asked)
    WHERE report.id = asked AND report.status IN ('done', 'verified')
$$;

CREATE OR REPLACE FUNCTION report_answer(
    asked bigint, marks bytea[], is_fixed boolean, reason text, reason_is_public boolean
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before report_status;
    voice record;
BEGIN
    SELECT status INTO before FROM report WHERE id = asked FOR UPDATE;
    IF before IS NULL OR before NOT IN ('done', 'verified') THEN
        RETURN 'not_asked';
    END IF;
    IF visitor() IS NOT NULL AND report_is_work_of(asked, visitor()) THEN
        RETURN 'your_work';
    END IF;
    SELECT * INTO voice FROM report_voice(asked, marks);
    IF voice.mark IS NULL THEN
        RETURN 'not_yours';
    END IF;
    IF NOT is_fixed AND btrim(reason) = '' THEN
        RETURN 'reason_missing';
    END IF;
    INSERT INTO fix_answer (report_id, done_event_id, neighbour, fixed)
    VALUES (asked, report_done_event(asked), voice.mark, is_fixed) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 'answered';
    END IF;
    IF is_fixed AND before = 'verified' THEN
        RETURN 'verified';
    END IF;
    IF is_fixed AND NOT voice.enough AND 2 > (
        SELECT count(*) FROM fix_answer
        WHERE report_id = asked AND done_event_id = report_done_event(asked) AND fixed
    ) THEN
        RETURN 'heard';
    END IF;
    UPDATE report SET status = CASE WHEN is_fixed THEN 'verified' ELSE 'confirmed' END::report_status,
        closed_at = CASE WHEN is_fixed THEN closed_at END
    WHERE id = asked;
    INSERT INTO report_event (report_id, kind, from_status, to_status, note)
    VALUES (asked, 'status', before,
            CASE WHEN is_fixed THEN 'verified' ELSE 'confirmed' END::report_status,
            CASE WHEN NOT is_fixed AND reason_is_public THEN reason ELSE '' END);
    IF NOT is_fixed AND NOT reason_is_public THEN
        INSERT INTO report_event (report_id, kind, note, public) VALUES (asked, 'note', reason, false);
    END IF;
    RETURN CASE WHEN is_fixed THEN 'verified' ELSE 'reopened' END;
END $$;
"""

TO_ASK = """
CREATE OR REPLACE FUNCTION report_to_ask(asked bigint) RETURNS TABLE (email text, language text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH meant AS (
        SELECT id, reporter_id, block_watch_id FROM report AS one
        WHERE (id = asked OR duplicate_of_id = asked) AND visitor_may('work', id)
    )
    SELECT DISTINCT ON (lower(found.email)) lower(found.email), found.language FROM (
        SELECT person.id, person.email, person.language FROM meant
        JOIN person ON person.id = reporter_id WHERE disabled_at IS NULL
        UNION ALL
        SELECT person.id, person.email, person.language FROM meant
        JOIN role_grant AS held ON held.block_watch_id = meant.block_watch_id
            AND held.role = 'captain' AND held.ended_at IS NULL
        JOIN person ON person.id = held.person_id WHERE disabled_at IS NULL
        UNION ALL
        SELECT NULL, contact.email, contact.language FROM meant
        JOIN report_contact AS contact ON report_id = meant.id
    ) AS found
    WHERE found.email LIKE '%_@_%' AND (found.id IS NULL OR NOT report_is_work_of(asked, found.id))
    -- Whoever has an account has chosen a language there.
    ORDER BY lower(found.email), found.id NULLS LAST, found.language NULLS LAST
$$;
"""

COLLEAGUES = """
CREATE FUNCTION colleague_address(who bigint) RETURNS TABLE (email text, language text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT email, language FROM person
    WHERE id = who AND email IS NOT NULL AND id IN (SELECT person_id FROM colleague)
$$;
"""

SAID = """
ALTER POLICY add ON report_event WITH CHECK (
    (person_id IS NULL OR person_id = visitor())
    AND (NOT public OR {silent}
        OR visitor_may('work', report_id) OR visitor_may('moderate', report_id))
);
"""


def upgrade() -> None:
    op.create_table(
        "report_browser",
        sa.Column(
            "report_id",
            sa.BigInteger,
            sa.ForeignKey(
                "report.id", name=op.f("report_browser_report_id_fkey"), ondelete="CASCADE"
            ),
            primary_key=True,
        ),
        sa.Column("mark", sa.LargeBinary, nullable=False),
    )
    op.add_column("support", sa.Column("browser", sa.LargeBinary))
    op.add_column(
        "report_event", sa.Column("note_spanish", sa.Text, server_default="", nullable=False)
    )
    op.execute(f"GRANT SELECT (note_spanish) ON report_event TO {WEB}")
    said = SAID.format(silent="note = '' AND note_spanish = ''")
    for rules in (BROWSERS, VOICES, TO_ASK, COLLEAGUES, said):
        op.execute(rules)


def downgrade() -> None:
    op.execute("DROP FUNCTION report_to_ask, report_answer, report_asks, report_done_event")
    op.execute("DROP FUNCTION report_voice, report_is_work_of, report_is_of, colleague_address")
    op.execute(_of("0016").ANSWERS)
    before = _of("0023")
    op.execute(before.NAMED.format(asked=before.ASKED.format(exact="exact_")))
    op.execute(SAID.format(silent="note = ''"))
    op.drop_column("report_event", "note_spanish")
    op.drop_column("support", "browser")
    op.drop_table("report_browser")


def _of(number: str) -> Any:
    """Give an earlier migration, whose functions come back."""
    script = op.get_context().script
    assert script is not None
    return script.get_revision(number).module
