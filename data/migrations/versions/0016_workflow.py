"""Working on reports: by whom, by when, with which words, and what neighbours say of it.

What needs more than whoever asks may do is a function that asks for itself whether it may be: the
neighbours' answer (`report_answer`), and whom to ask (`report_to_ask`).
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

WEB = "porchlight_web"
STATUS = postgresql.ENUM(name="report_status", create_type=False)

TARGETS = {
    "light_out": 10, "light_flickers": 15, "light_day_burner": 20, "block_dark": 5,
    "light_damaged": 3, "light_blocked": 30, "light_needed": 90,
    "dumping": 10, "litter": 5, "private_trash": 20, "overgrowth": 20, "vacant_lot": 30,
    "graffiti": 10, "abandoned_vehicle": 10, "sign_damaged": 5,
    "open_building": 5, "unsafe_building": 5, "property_neglect": 30, "street_trouble": 20,
    "noise_spot": 20, "speeding": 30, "break_ins": 20, "blind_corner": 30, "unsafe_crossing": 30,
    "nuisance": 20,
}  # fmt: skip

TEMPLATES: tuple[tuple[str, str | None, str, str], ...] = (
    (
        "confirmed", None,
        "Thank you. We looked at this place and found the problem as you described it.",
        "Gracias. Revisamos el lugar y encontramos el problema tal como usted lo describió.",
    ),
    (
        "scheduled", None,
        "The work is planned. We will post here when the crew begins.",
        "El trabajo está programado. Avisaremos aquí cuando la cuadrilla comience.",
    ),
    (
        "scheduled", "light_out",
        "A lighting crew will repair this street light on its next route through the area.",
        "Una cuadrilla de alumbrado reparará esta luz en su próximo recorrido por la zona.",
    ),
    (
        "scheduled", "dumping",
        "A cleanup crew is assigned to this pile. Please leave it where it is, so that we find it.",
        "Una cuadrilla de limpieza recogerá este montón. Por favor déjelo donde está para que lo encontremos.",
    ),
    (
        "in_progress", None,
        "A crew is working on this.",
        "Una cuadrilla está trabajando en esto.",
    ),
    (
        "done", None,
        "The work is finished. Please look whether it is fixed, and tell us on this page.",
        "El trabajo está terminado. Por favor vea si quedó arreglado y díganoslo en esta página.",
    ),
    (
        "done", "light_out",
        "The street light is repaired. Please look after dark whether it works, and tell us on this page.",
        "La luz está reparada. Por favor vea después del anochecer si funciona y díganoslo en esta página.",
    ),
    (
        "declined", None,
        "We looked at this place and did not find the problem. If it is still there, please report it again with more about where exactly it is.",
        "Revisamos el lugar y no encontramos el problema. Si sigue ahí, repórtelo de nuevo con más detalles del lugar exacto.",
    ),
    (
        "declined", "light_needed",
        "The lights at this place are as close together as the city's standard asks, so none will be added now.",
        "Las luces en este lugar están tan cerca unas de otras como pide la norma de la ciudad, así que por ahora no se agregará ninguna.",
    ),
    (
        "not_ours", None,
        "This place does not belong to the city, so our crews may not work there. We have told whoever is responsible.",
        "Este lugar no pertenece a la ciudad, por lo que nuestras cuadrillas no pueden trabajar ahí. Ya avisamos a quien corresponde.",
    ),
    (
        "duplicate", None,
        "Another report is about the same problem. Your report counts there, and we answer there.",
        "Otro reporte trata del mismo problema. Su reporte cuenta ahí, y ahí respondemos.",
    ),
)  # fmt: skip

MAY_WORK = """EXISTS (
    SELECT FROM report WHERE report.id = report_id AND visitor_may(
        'work', kind, block_watch_id, patrol_division_id, council_district_id)
)"""

PRIVATE = f"""
CREATE FUNCTION visitor_works() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT visitor_is_strong() AND EXISTS (
        SELECT FROM role_grant WHERE person_id = visitor() AND ended_at IS NULL
            AND role IN ('staff', 'liaison', 'administrator')
    )
$$;

-- Whom work can be given to, with what each may do.
CREATE VIEW colleague WITH (security_barrier) AS
SELECT held.id AS role_grant_id, person.id AS person_id,
    coalesce(nullif(person.name, ''), person.email, person.id::text) AS name,
    held.role, held.area_id, held.department_id, department.kinds
FROM person JOIN role_grant AS held ON held.person_id = person.id
LEFT JOIN department ON department.id = held.department_id
WHERE held.ended_at IS NULL AND person.disabled_at IS NULL
    AND held.role IN ('staff', 'liaison', 'administrator') AND visitor_works();

CREATE VIEW report_event_private WITH (security_barrier) AS
SELECT event.id AS event_id, event.report_id, event.person_id,
    coalesce(nullif(person.name, ''), person.email, person.id::text) AS person_name,
    event.department_id, event.assigns, event.assigned_department_id,
    coalesce(nullif(given.name, ''), given.email, given.id::text) AS assigned_person_name
FROM report_event AS event JOIN report ON report.id = event.report_id
LEFT JOIN person ON person.id = event.person_id
LEFT JOIN person AS given ON given.id = event.assigned_person_id
WHERE visitor_may('work', report.kind, report.block_watch_id, report.patrol_division_id,
                  report.council_district_id);

REVOKE SELECT ON report_event FROM {WEB};
GRANT SELECT (id, report_id, at, kind, from_status, to_status, note, public) ON report_event TO {WEB};
GRANT SELECT ON colleague, report_event_private, category_target, response_template TO {WEB};

-- Nobody writes in another's name, and only the city's people write to everybody.
DROP POLICY add ON report_event;
CREATE POLICY add ON report_event FOR INSERT WITH CHECK (
    (person_id IS NULL OR person_id = visitor())
    AND (NOT public OR note = '' OR EXISTS (
        SELECT FROM report WHERE report.id = report_id AND (
            visitor_may('work', kind, block_watch_id, patrol_division_id, council_district_id)
            OR visitor_may('moderate', kind, block_watch_id, patrol_division_id, council_district_id)
        )
    ))
);

ALTER TABLE assignment ENABLE ROW LEVEL SECURITY;
CREATE POLICY work ON assignment USING ({MAY_WORK}) WITH CHECK ({MAY_WORK});
GRANT SELECT, INSERT, UPDATE ON assignment TO {WEB};

ALTER TABLE saved_filter ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON saved_filter USING (person_id = visitor()) WITH CHECK (person_id = visitor());
GRANT SELECT, INSERT, UPDATE, DELETE ON saved_filter TO {WEB};

ALTER TABLE fix_asked ENABLE ROW LEVEL SECURITY;
CREATE POLICY ask ON fix_asked FOR INSERT WITH CHECK ({MAY_WORK});
GRANT INSERT ON fix_asked TO {WEB};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {WEB};
"""

# A person who is erased leaves the timeline, and nothing else of it changes.
TIMELINE = """
CREATE OR REPLACE FUNCTION report_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    people text[] := '{person_id, assigned_person_id}';
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM report WHERE id = OLD.report_id) THEN
        RETURN OLD; -- the report itself is being erased
    END IF;
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - people = to_jsonb(OLD) - people
        AND (NEW.person_id IS NULL OR NEW.person_id = OLD.person_id)
        AND (NEW.assigned_person_id IS NULL OR NEW.assigned_person_id = OLD.assigned_person_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the timeline of a report is only ever added to'
        USING ERRCODE = 'restrict_violation', TABLE = 'report_event';
END $$;
"""

TIMELINE_BEFORE = """
CREATE OR REPLACE FUNCTION report_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM report WHERE id = OLD.report_id) THEN
        RETURN OLD; -- the report itself is being erased
    END IF;
    RAISE EXCEPTION 'the timeline of a report is only ever added to'
        USING ERRCODE = 'restrict_violation', TABLE = 'report_event';
END $$;
"""

ANSWERS = """
-- The event by which a report came to done last; 0 where an import brought it there.
CREATE FUNCTION report_done_event(asked bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(max(id), 0) FROM report_event WHERE report_id = asked AND to_status = 'done'
$$;

-- As which neighbour somebody may say whether a report is fixed: a reporter or one of the block
-- watch who is signed in, a supporter by the mark of the browser, or whoever was sent a link.
CREATE FUNCTION report_neighbour(asked bigint, marks bytea[]) RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT found.mark FROM (
        SELECT 1 AS rank, sha256(convert_to('person ' || visitor(), 'UTF8')) AS mark
        FROM report WHERE (id = asked OR duplicate_of_id = asked) AND (
            reporter_id = visitor() OR EXISTS (
                SELECT FROM role_grant AS held WHERE held.person_id = visitor()
                    AND held.ended_at IS NULL AND held.role IN ('captain', 'member')
                    AND held.block_watch_id = report.block_watch_id
            )
        )
        UNION ALL
        SELECT 2, supporter FROM support JOIN report ON report.id = report_id
        WHERE (report.id = asked OR duplicate_of_id = asked) AND supporter = ANY (marks)
        UNION ALL
        SELECT 3, token_hash FROM fix_asked
        WHERE report_id = asked AND token_hash = ANY (marks)
            AND done_event_id = report_done_event(asked)
    ) AS found ORDER BY found.rank, found.mark LIMIT 1
$$;

-- What somebody can say of a report on its page: nothing, or whether they have said it already.
CREATE FUNCTION report_asks(asked bigint, marks bytea[]) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT CASE WHEN answer.report_id IS NULL THEN 'asked' ELSE 'answered' END
    FROM report CROSS JOIN LATERAL report_neighbour(asked, marks) AS mark
    LEFT JOIN fix_answer AS answer ON answer.report_id = asked AND answer.neighbour = mark
        AND answer.done_event_id = report_done_event(asked)
    WHERE report.id = asked AND report.status IN ('done', 'verified') AND mark IS NOT NULL
$$;

CREATE FUNCTION report_answer(
    asked bigint, marks bytea[], is_fixed boolean, reason text, reason_is_public boolean
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before report_status;
    mark bytea;
BEGIN
    SELECT status INTO before FROM report WHERE id = asked FOR UPDATE;
    IF before IS NULL OR before NOT IN ('done', 'verified') THEN
        RETURN 'not_asked';
    END IF;
    mark := report_neighbour(asked, marks);
    IF mark IS NULL THEN
        RETURN 'not_yours';
    END IF;
    IF NOT is_fixed AND btrim(reason) = '' THEN
        RETURN 'reason_missing';
    END IF;
    INSERT INTO fix_answer (report_id, done_event_id, neighbour, fixed)
    VALUES (asked, report_done_event(asked), mark, is_fixed) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 'answered';
    END IF;
    IF is_fixed AND before = 'verified' THEN
        RETURN 'verified';
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

-- Where to ask by e-mail whether a report is fixed: those who reported it, and the captains.
CREATE FUNCTION report_to_ask(asked bigint) RETURNS TABLE (email text, language text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH meant AS (
        SELECT id, reporter_id, block_watch_id FROM report AS one
        WHERE (id = asked OR duplicate_of_id = asked) AND visitor_may(
            'work', kind, block_watch_id, patrol_division_id, council_district_id)
    )
    SELECT DISTINCT ON (lower(found.email)) lower(found.email), found.language FROM (
        SELECT person.email, person.language FROM meant JOIN person ON person.id = reporter_id
        WHERE disabled_at IS NULL
        UNION ALL
        SELECT person.email, person.language FROM meant
        JOIN role_grant AS held ON held.block_watch_id = meant.block_watch_id
            AND held.role = 'captain' AND held.ended_at IS NULL
        JOIN person ON person.id = held.person_id WHERE disabled_at IS NULL
        UNION ALL
        SELECT contact.email, NULL FROM meant JOIN report_contact AS contact ON report_id = meant.id
    ) AS found WHERE found.email LIKE '%_@_%' ORDER BY lower(found.email), found.language NULLS LAST
$$;
"""


def upgrade() -> None:
    op.create_table(
        "assignment",
        _reference("report_id", "assignment", "report", "CASCADE", primary_key=True),
        _reference("department_id", "assignment", "department", "SET NULL"),
        _reference("person_id", "assignment", "person", "SET NULL"),
        _moment("at"),
    )
    op.create_index(op.f("assignment_person_id_idx"), "assignment", ["person_id"])
    op.create_table(
        "category_target",
        _category("category_target", primary_key=True),
        sa.Column("working_days", sa.Integer, nullable=False),
        sa.CheckConstraint(
            "working_days BETWEEN 1 AND 365", name=op.f("category_target_days_are_sensible")
        ),
    )
    op.create_table(
        "response_template",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("status", STATUS, nullable=False),
        _category("response_template", nullable=True),
        sa.Column("english", sa.Text, nullable=False),
        sa.Column("spanish", sa.Text, nullable=False),
        sa.UniqueConstraint(
            "status", "category_code", "english",
            name=op.f("response_template_status_category_code_english_key"),
        ),
        sa.CheckConstraint(
            "length(english) <= 2000 AND length(spanish) <= 2000",
            name=op.f("response_template_words_are_short"),
        ),
    )  # fmt: skip
    op.create_table(
        "saved_filter",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("person_id", "saved_filter", "person", "CASCADE", nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.UniqueConstraint("person_id", "name", name=op.f("saved_filter_person_id_name_key")),
        sa.CheckConstraint(
            "length(name) BETWEEN 1 AND 80", name=op.f("saved_filter_name_is_short")
        ),
        sa.CheckConstraint("length(query) <= 1000", name=op.f("saved_filter_query_is_short")),
    )
    op.create_table(
        "fix_asked",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        _reference("report_id", "fix_asked", "report", "CASCADE", nullable=False),
        sa.Column("done_event_id", sa.BigInteger, nullable=False),
    )
    op.create_index(op.f("fix_asked_report_id_idx"), "fix_asked", ["report_id"])
    op.create_table(
        "fix_answer",
        _reference("report_id", "fix_answer", "report", "CASCADE", primary_key=True),
        sa.Column("done_event_id", sa.BigInteger, primary_key=True),
        sa.Column("neighbour", sa.LargeBinary, primary_key=True),
        sa.Column("fixed", sa.Boolean, nullable=False),
        _moment("at"),
    )
    op.create_table(
        "nudge",
        _reference("report_id", "nudge", "report", "CASCADE", primary_key=True),
        _moment("at"),
    )
    for column, other in (
        ("person_id", "person"),
        ("department_id", "department"),
        ("assigned_department_id", "department"),
        ("assigned_person_id", "person"),
    ):
        op.add_column("report_event", _reference(column, "report_event", other, "SET NULL"))
    op.add_column(
        "report_event",
        sa.Column("assigns", sa.Boolean, server_default=sa.text("false"), nullable=False),
    )
    for column in ("person_id", "assigned_person_id"):
        op.create_index(
            op.f(f"report_event_{column}_idx"), "report_event", [column],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )  # fmt: skip
    op.create_check_constraint(
        op.f("report_event_assignments_are_internal"), "report_event", "NOT (assigns AND public)"
    )
    op.create_index(
        "report_open_idx", "report", ["reported_at", "id"],
        postgresql_where=sa.text("status IN ('received', 'confirmed', 'scheduled', 'in_progress')"),
    )  # fmt: skip
    for rules in (PRIVATE, TIMELINE, ANSWERS):
        op.execute(rules)
    op.bulk_insert(
        sa.table("category_target", sa.column("category_code"), sa.column("working_days")),
        [{"category_code": code, "working_days": days} for code, days in TARGETS.items()],
    )
    op.bulk_insert(
        sa.table(
            "response_template", sa.column("status", STATUS), sa.column("category_code"),
            sa.column("english"), sa.column("spanish"),
        ),
        [
            {"status": status, "category_code": code, "english": english, "spanish": spanish}
            for status, code, english, spanish in TEMPLATES
        ],
    )  # fmt: skip


def downgrade() -> None:
    op.execute("DROP FUNCTION report_to_ask, report_answer, report_asks, report_neighbour")
    op.execute("DROP FUNCTION report_done_event")
    op.execute(TIMELINE_BEFORE)
    op.execute("DROP POLICY add ON report_event")
    op.execute("CREATE POLICY add ON report_event FOR INSERT WITH CHECK (true)")
    op.execute("DROP VIEW report_event_private, colleague")
    op.execute("DROP FUNCTION visitor_works")
    op.drop_index("report_open_idx", "report")
    for column in (
        "assigns", "assigned_person_id", "assigned_department_id", "department_id", "person_id",
    ):  # fmt: skip
        op.drop_column("report_event", column)
    for table in (
        "nudge", "fix_answer", "fix_asked", "saved_filter", "response_template", "category_target", "assignment",
    ):  # fmt: skip
        op.drop_table(table)
    op.execute(f"GRANT SELECT ON report_event TO {WEB}")


def _moment(name: str) -> "sa.Column[Any]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _category(table: str, **options: Any) -> "sa.Column[Any]":
    reference = sa.ForeignKey("category.code", name=op.f(f"{table}_category_code_fkey"))
    return sa.Column("category_code", sa.Text, reference, **options)


def _reference(
    name: str, table: str, other: str, ondelete: str, **options: Any
) -> "sa.Column[Any]":
    reference = sa.ForeignKey(f"{other}.id", name=op.f(f"{table}_{name}_fkey"), ondelete=ondelete)
    return sa.Column(name, sa.BigInteger, reference, **options)
