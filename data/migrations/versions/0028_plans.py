"""Action plans: for everybody a summary, for the block watch its progress, for those who lead it the rest.

Who leads a plan, takes part in it or sees it follows from roles alone (`geo.plans.leads`, `works`,
`sees`), here from what is stored about the visitor. The exact place and who opened a plan are columns that
the web role may not read; the place comes through `plan_private`. Figures that count exact places are
for the police and administrators.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

STAGE = postgresql.ENUM(
    "scanning", "analysis", "response", "assessment", "closed", name="plan_stage", create_type=False
)
AUDIENCE = postgresql.ENUM("partners", "watch", "everyone", name="plan_audience", create_type=False)
REVIEW_STATE = postgresql.ENUM(name="review_state", create_type=False)

NEAR_M = 250
"""As of `data.models.association.NEAR_M`."""

TABLES = (
    "plan_report", "plan_note", "plan_task", "plan_partner", "plan_step", "plan_figures", "plan",
)  # fmt: skip

KEEP = f"""
CREATE FUNCTION plan_join_areas() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    middle geometry := ST_PointOnSurface(NEW.place);
    in_city bigint;
BEGIN
    SELECT
        min(area_id) FILTER (WHERE layer = 'city'),
        min(area_id) FILTER (WHERE layer = 'neighbourhood'),
        min(area_id) FILTER (WHERE layer = 'patrol_division'),
        min(area_id) FILTER (WHERE layer = 'council_district')
    INTO in_city, NEW.neighbourhood_id, NEW.patrol_division_id, NEW.council_district_id
    FROM area_piece WHERE ST_Intersects(geom, middle);
    IF in_city IS NULL THEN
        RAISE EXCEPTION 'a plan must lie within the served area'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_within_served_area',
                  TABLE = 'plan';
    END IF;
    IF NEW.block_watch_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM block_watch WHERE id = NEW.block_watch_id AND ST_DWithin(
            ST_Transform(boundary, 26915), ST_Transform(NEW.place, 26915), {NEAR_M})
    ) THEN
        RAISE EXCEPTION 'a plan of a block watch lies in it or near it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_is_near_its_watch',
                  TABLE = 'plan';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_areas BEFORE INSERT OR UPDATE OF place ON plan
    FOR EACH ROW EXECUTE FUNCTION plan_join_areas();

-- As geo.plans.STEPS. A response that began is assessed, so nothing leads back to before it.
CREATE FUNCTION plan_stage_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := now();
    IF NEW.stage <> OLD.stage AND (
        (OLD.stage, NEW.stage) NOT IN (
            ('scanning', 'analysis'), ('scanning', 'closed'),
            ('analysis', 'scanning'), ('analysis', 'response'), ('analysis', 'closed'),
            ('response', 'analysis'), ('response', 'assessment'),
            ('assessment', 'response'), ('assessment', 'closed')
        )
        OR (OLD.stage = 'response' AND NEW.stage = 'analysis' AND OLD.response_starts < current_date)
    ) THEN
        RAISE EXCEPTION 'a plan cannot go from % to %', OLD.stage, NEW.stage
            USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_stage_follows', TABLE = 'plan';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_stage BEFORE UPDATE ON plan
    FOR EACH ROW EXECUTE FUNCTION plan_stage_follows();

CREATE FUNCTION plan_keep_step() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO plan_step (plan_id, stage, at, person_id)
    VALUES (NEW.id, NEW.stage, NEW.updated_at, coalesce(visitor(), NEW.opened_by_id));
    RETURN NULL;
END $$;
CREATE TRIGGER plan_opened AFTER INSERT ON plan
    FOR EACH ROW EXECUTE FUNCTION plan_keep_step();
CREATE TRIGGER plan_moved AFTER UPDATE OF stage ON plan
    FOR EACH ROW WHEN (OLD.stage <> NEW.stage) EXECUTE FUNCTION plan_keep_step();

CREATE FUNCTION plan_task_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_task_version BEFORE UPDATE ON plan_task
    FOR EACH ROW EXECUTE FUNCTION plan_task_changed();

-- By where it is shown: a plan's place must not tell more of a report's than everybody knows.
CREATE FUNCTION plan_report_keep_near() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM report, plan WHERE report.id = NEW.report_id AND plan.id = NEW.plan_id
            AND report.status <> 'held' AND ST_DWithin(
                ST_Transform(report.public_geom, 26915), ST_Transform(plan.place, 26915), {NEAR_M})
    ) THEN
        RAISE EXCEPTION 'a report of a plan is shown in its place or near it'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'plan_report_is_near',
                  TABLE = 'plan_report';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_report_near BEFORE INSERT OR UPDATE ON plan_report
    FOR EACH ROW EXECUTE FUNCTION plan_report_keep_near();
"""

VISITOR = """
CREATE FUNCTION visitor_may_lead_plan(watch bigint, division bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM role_grant WHERE person_id = visitor() AND ended_at IS NULL AND (
            (role = 'captain' AND block_watch_id = watch)
            OR (visitor_is_strong() AND (
                role = 'administrator' OR (role = 'liaison' AND area_id = division)
            ))
        )
    )
$$;
CREATE FUNCTION visitor_leads_plan(asked bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM plan WHERE id = asked
            AND visitor_may_lead_plan(block_watch_id, patrol_division_id)
    )
$$;
CREATE FUNCTION visitor_polices_plan(asked bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM plan WHERE id = asked AND visitor_may_lead_plan(NULL, patrol_division_id)
    )
$$;
CREATE FUNCTION visitor_works_plan(asked bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT visitor_leads_plan(asked) OR (visitor_is_strong() AND EXISTS (
        SELECT FROM plan JOIN plan_partner ON plan_id = plan.id
        JOIN role_grant AS held ON held.department_id = plan_partner.department_id
        WHERE plan.id = asked AND held.person_id = visitor() AND held.role = 'staff'
            AND held.ended_at IS NULL
            AND (held.area_id IS NULL OR held.area_id = council_district_id)
    ))
$$;
CREATE FUNCTION visitor_sees_plan(asked bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT visitor_works_plan(asked) OR EXISTS (
        SELECT FROM plan WHERE id = asked AND visitor_belongs(block_watch_id)
    )
$$;
CREATE FUNCTION visitor_wrote_plan_note(asked bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM plan_note WHERE id = asked AND person_id = visitor())
$$;

-- Who can be given a task. The name of a captain is for the own block watch.
CREATE FUNCTION plan_people(asked bigint)
RETURNS TABLE (person_id bigint, role role, name text, department text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT ON (person.id) person.id, held.role,
        CASE WHEN held.role <> 'captain' OR person.id = visitor() OR visitor_belongs(plan.block_watch_id)
            THEN person.name ELSE '' END,
        coalesce(department.name, '')
    FROM plan JOIN role_grant AS held ON held.ended_at IS NULL AND (
        (held.role = 'captain' AND held.block_watch_id = plan.block_watch_id)
        OR (held.role = 'liaison' AND held.area_id = plan.patrol_division_id)
        OR (held.role = 'staff'
            AND (held.area_id IS NULL OR held.area_id = plan.council_district_id)
            AND held.department_id IN (
                SELECT department_id FROM plan_partner WHERE plan_id = plan.id))
        OR (held.role = 'administrator' AND held.person_id = plan.opened_by_id)
    )
    JOIN person ON person.id = held.person_id AND disabled_at IS NULL
    LEFT JOIN department ON department.id = held.department_id
    WHERE plan.id = asked AND visitor_works_plan(asked)
    ORDER BY person.id, held.role
$$;
CREATE FUNCTION plan_person_address(asked bigint, person bigint)
RETURNS TABLE (email text, language text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT person.email, person.language FROM plan_people(asked) AS found
    JOIN person ON person.id = found.person_id
    WHERE found.person_id = plan_person_address.person AND person.email IS NOT NULL
$$;

CREATE FUNCTION decide_plan_note(
    asked bigint, decision review_state, shown text, why text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT visitor_is_moderator() OR visitor_wrote_plan_note(asked) OR decision = 'waiting' THEN
        RETURN false;
    END IF;
    UPDATE plan_note SET state = decision, reason = why, decided_at = now(),
        decided_by_id = visitor(),
        words = CASE decision WHEN 'shortened' THEN shown ELSE words END
    WHERE id = asked AND state = 'waiting';
    RETURN FOUND;
END $$;
"""

PRIVATE = f"""
CREATE VIEW plan_private WITH (security_barrier) AS
SELECT id AS plan_id, place FROM plan WHERE visitor_sees_plan(id);
CREATE VIEW plan_progress AS
SELECT plan_id, count(*) AS tasks, count(done_at) AS done FROM plan_task GROUP BY plan_id;
CREATE VIEW plan_note_author WITH (security_barrier) AS
SELECT id AS note_id, person_id,
    CASE WHEN person_id = visitor() THEN reason ELSE '' END AS reason
FROM plan_note WHERE visitor_sees_plan(plan_id);

ALTER TABLE plan ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON plan FOR SELECT USING (true);
CREATE POLICY open ON plan FOR INSERT WITH CHECK (
    opened_by_id = visitor() AND visitor_may_lead_plan(block_watch_id, patrol_division_id)
);
CREATE POLICY lead ON plan FOR UPDATE
    USING (visitor_may_lead_plan(block_watch_id, patrol_division_id));
GRANT SELECT (id, title, block_watch_id, public_place, neighbourhood_id, patrol_division_id,
        council_district_id, stage, response_starts, created_at, updated_at, version),
    INSERT (title, opened_by_id, block_watch_id, place, public_place),
    UPDATE (title, stage, response_starts) ON plan TO {WEB};

ALTER TABLE plan_figures ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON plan_figures FOR SELECT USING (
    CASE WHEN exact THEN visitor_polices_plan(plan_id) ELSE visitor_sees_plan(plan_id) END
);
CREATE POLICY add ON plan_figures FOR INSERT WITH CHECK (
    CASE WHEN exact THEN visitor_polices_plan(plan_id) ELSE visitor_leads_plan(plan_id) END
);
GRANT SELECT, INSERT ON plan_figures TO {WEB};

GRANT SELECT (id, plan_id, stage, at) ON plan_step TO {WEB};

ALTER TABLE plan_partner ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON plan_partner FOR SELECT USING (visitor_sees_plan(plan_id));
CREATE POLICY add ON plan_partner FOR INSERT WITH CHECK (visitor_leads_plan(plan_id));
CREATE POLICY drop ON plan_partner FOR DELETE USING (visitor_leads_plan(plan_id));
GRANT SELECT, INSERT, DELETE ON plan_partner TO {WEB};

ALTER TABLE plan_task ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON plan_task FOR SELECT USING (visitor_sees_plan(plan_id));
CREATE POLICY add ON plan_task FOR INSERT WITH CHECK (visitor_leads_plan(plan_id));
CREATE POLICY work ON plan_task FOR UPDATE USING (visitor_works_plan(plan_id));
CREATE POLICY drop ON plan_task FOR DELETE USING (visitor_leads_plan(plan_id));
GRANT SELECT, DELETE, INSERT (plan_id, what, partner_id, person_id, due),
    UPDATE (what, partner_id, person_id, due, done_at, done_by_id, reminded_at)
    ON plan_task TO {WEB};

ALTER TABLE plan_note ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON plan_note FOR SELECT USING (
    (state IN ('approved', 'shortened') AND CASE audience
        WHEN 'everyone' THEN true
        WHEN 'watch' THEN visitor_sees_plan(plan_id)
        ELSE visitor_works_plan(plan_id) END)
    OR (visitor_wrote_plan_note(id) AND visitor_works_plan(plan_id))
    OR (state = 'waiting' AND visitor_is_moderator())
);
CREATE POLICY add ON plan_note FOR INSERT WITH CHECK (
    person_id = visitor() AND state IN ('approved', 'waiting')
    AND CASE WHEN stage IS NULL THEN visitor_works_plan(plan_id) ELSE visitor_leads_plan(plan_id) END
);
GRANT SELECT (id, plan_id, at, audience, stage, words, state, decided_at),
    INSERT (plan_id, person_id, audience, stage, words, state) ON plan_note TO {WEB};

ALTER TABLE plan_report ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON plan_report FOR SELECT USING (visitor_sees_plan(plan_id));
CREATE POLICY add ON plan_report FOR INSERT WITH CHECK (visitor_works_plan(plan_id));
CREATE POLICY drop ON plan_report FOR DELETE USING (visitor_works_plan(plan_id));
GRANT SELECT, INSERT, DELETE ON plan_report TO {WEB};

GRANT SELECT ON plan_private, plan_progress, plan_note_author TO {WEB};
GRANT USAGE ON SEQUENCE plan_id_seq, plan_partner_id_seq, plan_task_id_seq, plan_note_id_seq
    TO {WEB};
"""


def upgrade() -> None:
    STAGE.create(op.get_bind())
    AUDIENCE.create(op.get_bind())
    op.create_table(
        "plan",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        _reference("opened_by_id", "plan", "person", "SET NULL"),
        _reference("block_watch_id", "plan", "block_watch", "SET NULL"),
        sa.Column("place", Geometry("MULTIPOLYGON", 4326, spatial_index=False), nullable=False),
        sa.Column("public_place", Geometry("MULTIPOLYGON", 4326, spatial_index=False)),
        _reference("neighbourhood_id", "plan", "area", "SET NULL"),
        _reference("patrol_division_id", "plan", "area", "SET NULL"),
        _reference("council_district_id", "plan", "area", "SET NULL"),
        sa.Column("stage", STAGE, server_default="scanning", nullable=False),
        sa.Column("response_starts", sa.Date),
        _moment("created_at"),
        _moment("updated_at"),
        sa.Column("version", sa.Integer, server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("length(title) BETWEEN 1 AND 120", name=op.f("plan_title_is_short")),
        sa.CheckConstraint(
            "ST_IsValid(place) AND NOT ST_IsEmpty(place) AND ST_NPoints(place) <= 5000",
            name=op.f("plan_place_is_valid"),
        ),
        sa.CheckConstraint(
            "CASE WHEN stage IN ('scanning', 'analysis') THEN response_starts IS NULL "
            "WHEN stage IN ('response', 'assessment') THEN response_starts IS NOT NULL "
            "ELSE true END",
            name=op.f("plan_response_starts_with_it"),
        ),
    )
    op.create_index(op.f("plan_place_idx"), "plan", ["place"], postgresql_using="gist")
    _index("plan", "opened_by_id", "block_watch_id", "neighbourhood_id", "patrol_division_id")
    _index("plan", "council_district_id")
    op.create_table(
        "plan_figures",
        _reference("plan_id", "plan_figures", "plan", "CASCADE", nullable=False, primary_key=True),
        sa.Column("exact", sa.Boolean, nullable=False),
        sa.Column("figures", postgresql.JSONB, nullable=False),
    )
    op.create_table(
        "plan_step",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("plan_id", "plan_step", "plan", "CASCADE", nullable=False),
        sa.Column("stage", STAGE, nullable=False),
        _moment("at"),
        _reference("person_id", "plan_step", "person", "SET NULL"),
    )
    _index("plan_step", "plan_id", "person_id")
    op.create_table(
        "plan_partner",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("plan_id", "plan_partner", "plan", "CASCADE", nullable=False),
        _reference("department_id", "plan_partner", "department", "SET NULL"),
        _reference("service_location_id", "plan_partner", "service_location", "SET NULL"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("brings", sa.Text, server_default="", nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(department_id, service_location_id) <= 1",
            name=op.f("plan_partner_is_one"),
        ),
        sa.CheckConstraint(
            "length(name) BETWEEN 1 AND 120", name=op.f("plan_partner_name_is_short")
        ),
        sa.CheckConstraint("length(brings) <= 300", name=op.f("plan_partner_brings_is_short")),
    )
    op.create_index(
        "plan_partner_once", "plan_partner", ["plan_id", sa.text("lower(name)")], unique=True
    )
    op.create_table(
        "plan_task",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("plan_id", "plan_task", "plan", "CASCADE", nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        _reference("partner_id", "plan_task", "plan_partner", "SET NULL"),
        _reference("person_id", "plan_task", "person", "SET NULL"),
        sa.Column("due", sa.Date),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        _reference("done_by_id", "plan_task", "person", "SET NULL"),
        sa.Column("reminded_at", sa.DateTime(timezone=True)),
        _moment("created_at"),
        sa.Column("version", sa.Integer, server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("length(what) BETWEEN 1 AND 300", name=op.f("plan_task_what_is_short")),
        sa.CheckConstraint(
            "num_nonnulls(partner_id, person_id) <= 1", name=op.f("plan_task_is_of_one")
        ),
        sa.CheckConstraint(
            "done_by_id IS NULL OR done_at IS NOT NULL", name=op.f("plan_task_done_at_a_time")
        ),
    )
    _index("plan_task", "plan_id", "partner_id", "person_id", "done_by_id")
    op.create_index(
        "plan_task_due_idx", "plan_task", ["due"],
        postgresql_where=sa.text("done_at IS NULL AND due IS NOT NULL"),
    )  # fmt: skip
    op.create_table(
        "plan_note",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("plan_id", "plan_note", "plan", "CASCADE", nullable=False),
        _moment("at"),
        _reference("person_id", "plan_note", "person", "SET NULL"),
        sa.Column("audience", AUDIENCE, nullable=False),
        sa.Column("stage", STAGE),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("state", REVIEW_STATE, server_default="approved", nullable=False),
        sa.Column("reason", sa.Text, server_default="", nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        _reference("decided_by_id", "plan_note", "person", "SET NULL"),
        sa.CheckConstraint(
            "length(words) BETWEEN 1 AND 2000", name=op.f("plan_note_words_are_short")
        ),
        sa.CheckConstraint("length(reason) <= 1000", name=op.f("plan_note_reason_is_short")),
        sa.CheckConstraint(
            "state NOT IN ('shortened', 'refused') OR (reason <> '' AND decided_at IS NOT NULL)",
            name=op.f("plan_note_says_the_reason"),
        ),
        sa.CheckConstraint(
            "stage IS NULL OR audience = CASE stage WHEN 'closed' "
            "THEN 'everyone'::plan_audience ELSE 'watch'::plan_audience END",
            name=op.f("plan_note_stages_are_for_the_watch"),
        ),
    )
    _index("plan_note", "plan_id", "person_id")
    op.create_index(
        "plan_note_waiting_idx", "plan_note", ["at"], postgresql_where=sa.text("state = 'waiting'")
    )
    op.create_table(
        "plan_report",
        _reference("plan_id", "plan_report", "plan", "CASCADE", nullable=False, primary_key=True),
        _reference(
            "report_id", "plan_report", "report", "CASCADE", nullable=False, primary_key=True
        ),
        _moment("at"),
    )
    _index("plan_report", "report_id")
    for rules in (KEEP, VISITOR, PRIVATE):
        op.execute(rules)


def downgrade() -> None:
    op.execute("DROP VIEW plan_private, plan_progress, plan_note_author")
    for table in TABLES:
        op.drop_table(table)
    for function in (
        "decide_plan_note", "plan_person_address", "plan_people", "visitor_wrote_plan_note",
        "visitor_sees_plan", "visitor_works_plan", "visitor_polices_plan", "visitor_leads_plan",
        "visitor_may_lead_plan", "plan_report_keep_near", "plan_task_changed", "plan_keep_step",
        "plan_stage_follows", "plan_join_areas",
    ):  # fmt: skip
        op.execute(f"DROP FUNCTION {function}")
    AUDIENCE.drop(op.get_bind())
    STAGE.drop(op.get_bind())


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(op.f(f"{table}_{column}_idx"), table, [column])


def _moment(name: str) -> "sa.Column[Any]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
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
