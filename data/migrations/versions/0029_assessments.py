"""Assessments of action plans: fixed before the response starts, and verdicts that stay.

A draft is for those who lead the plan. Once it is fixed everybody may read how the plan will be judged, and
nobody changes it: triggers refuse that even to the owner of the store. Its areas have the shape of the
plan's place, so they are as private as that is (`assessment_private`). A verdict is a row that is filled in
once, by a job. Its counts are of true positions, so the view `assessment_found` shows them to those who police
the plan; everybody reads what may be published.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

OPEN = (
    "reason, response_starts, before_from, before_until, after_from, after_until, settling_days, "
    "ring_m, categories, offense_groups, worst_first, chosen, chosen_reason, zone"
)
PRIVATE = "proposal, treated, ring, control, control_ring"

KEPT = """
CREATE FUNCTION assessment_keep() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    of_plan plan;
    begun boolean;
BEGIN
    IF TG_OP = 'TRUNCATE' OR OLD.fixed_at IS NOT NULL THEN
        RAISE EXCEPTION 'an assessment that is fixed is neither changed nor deleted'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'assessment_is_kept',
                  TABLE = 'assessment';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF NEW.fixed_at IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT * INTO STRICT of_plan FROM plan WHERE id = NEW.plan_id FOR SHARE;
    IF coalesce(of_plan.response_starts, NEW.response_starts) <> NEW.response_starts
        OR NOT ST_Equals(of_plan.place, NEW.treated)
    THEN
        RAISE EXCEPTION 'the plan has changed since its assessment was written'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assessment_is_of_the_plan_as_it_is',
                  TABLE = 'assessment';
    END IF;
    begun := (now() AT TIME ZONE NEW.zone)::date >= NEW.response_starts;
    IF begun AND NOT NEW.late THEN
        RAISE EXCEPTION 'the response has begun: an assessment written now has to say so'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assessment_precedes_the_response',
                  TABLE = 'assessment';
    END IF;
    IF NEW.reason = '' AND EXISTS (
        SELECT FROM assessment WHERE plan_id = NEW.plan_id AND fixed_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'another assessment of a plan needs a reason'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'assessment_correction_has_a_reason',
                  TABLE = 'assessment';
    END IF;
    NEW.late := begun;
    NEW.fixed_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER assessment_kept BEFORE UPDATE OR DELETE ON assessment
    FOR EACH ROW EXECUTE FUNCTION assessment_keep();
CREATE TRIGGER assessment_not_emptied BEFORE TRUNCATE ON assessment
    FOR EACH STATEMENT EXECUTE FUNCTION assessment_keep();

CREATE FUNCTION assessment_verdict_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR OLD.computed_at IS NOT NULL OR
        (NEW.id, NEW.assessment_id, NEW.source, NEW.reason, NEW.asked_at)
        IS DISTINCT FROM (OLD.id, OLD.assessment_id, OLD.source, OLD.reason, OLD.asked_at)
    THEN
        RAISE EXCEPTION 'a verdict is neither changed nor deleted'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'assessment_verdict_is_kept',
                  TABLE = 'assessment_verdict';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER assessment_verdict_kept BEFORE UPDATE OR DELETE ON assessment_verdict
    FOR EACH ROW EXECUTE FUNCTION assessment_verdict_keep();
CREATE TRIGGER assessment_verdict_not_emptied BEFORE TRUNCATE ON assessment_verdict
    FOR EACH STATEMENT EXECUTE FUNCTION assessment_verdict_keep();

CREATE FUNCTION assessment_verdict_defer() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
        'analysis', 'judge', 0, 'assessment:' || NEW.assessment_id, NULL,
        jsonb_build_object('id', NEW.id), NULL
    )::procrastinate_job_to_defer_v1]);
    RETURN NULL;
END $$;
CREATE TRIGGER assessment_verdict_deferred AFTER INSERT ON assessment_verdict
    FOR EACH ROW EXECUTE FUNCTION assessment_verdict_defer();
"""

RULES = f"""
-- Places of other plans: whoever writes an assessment keeps its controls away from them.
CREATE FUNCTION assessment_elsewhere(of_plan bigint, until date) RETURNS geometry
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT ST_Union(place) FROM plan
    WHERE id <> of_plan AND response_starts <= until AND visitor_leads_plan(of_plan)
$$;
CREATE FUNCTION assessment_is_judged(of_assessment bigint, of_source text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM assessment_verdict WHERE assessment_id = of_assessment AND source = of_source
            AND computed_at IS NOT NULL
    )
$$;

ALTER TABLE assessment ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON assessment FOR SELECT
    USING (fixed_at IS NOT NULL OR visitor_leads_plan(plan_id));
CREATE POLICY add ON assessment FOR INSERT WITH CHECK (visitor_leads_plan(plan_id));
CREATE POLICY keep ON assessment FOR UPDATE USING (visitor_leads_plan(plan_id));
GRANT SELECT (id, plan_id, created_at, late, fixed_at, {OPEN}), INSERT (plan_id, {OPEN}, {PRIVATE}),
    UPDATE ({OPEN}, {PRIVATE}, late, fixed_at) ON assessment TO {WEB};

CREATE VIEW assessment_private WITH (security_barrier) AS
SELECT id AS assessment_id, {PRIVATE} FROM assessment
WHERE visitor_leads_plan(plan_id) OR (fixed_at IS NOT NULL AND visitor_sees_plan(plan_id));
GRANT SELECT ON assessment_private TO {WEB};

ALTER TABLE assessment_verdict ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON assessment_verdict FOR SELECT USING (true);
CREATE POLICY add ON assessment_verdict FOR INSERT WITH CHECK (
    reason <> '' AND assessment_is_judged(assessment_id, source)
    AND EXISTS (SELECT FROM assessment WHERE id = assessment_id AND visitor_leads_plan(plan_id))
);
GRANT SELECT (id, assessment_id, source, reason, asked_at, computed_at, method, published),
    INSERT (assessment_id, source, reason) ON assessment_verdict TO {WEB};

CREATE VIEW assessment_found WITH (security_barrier) AS
SELECT verdict.id AS verdict_id, verdict.found
FROM assessment_verdict AS verdict JOIN assessment ON assessment.id = assessment_id
WHERE visitor_polices_plan(plan_id);
GRANT SELECT ON assessment_found TO {WEB};
"""


def upgrade() -> None:
    op.create_table(
        "assessment",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column(
            "plan_id",
            sa.BigInteger,
            sa.ForeignKey("plan.id", name=op.f("assessment_plan_id_fkey"), ondelete="CASCADE"),
            nullable=False,
        ),
        _moment("created_at"),
        _words("reason"),
        *(
            sa.Column(name, sa.Date, nullable=False)
            for name in (
                "response_starts",
                "before_from",
                "before_until",
                "after_from",
                "after_until",
            )
        ),
        sa.Column("settling_days", sa.SmallInteger, nullable=False),
        sa.Column("ring_m", sa.SmallInteger, nullable=False),
        sa.Column("categories", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("offense_groups", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("worst_first", sa.Boolean, nullable=False),
        sa.Column("proposal", postgresql.JSONB, nullable=False),
        sa.Column("chosen", postgresql.ARRAY(sa.SmallInteger), nullable=False),
        _words("chosen_reason"),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("late", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.Column("fixed_at", sa.DateTime(timezone=True)),
        *(
            sa.Column(
                name, Geometry("MULTIPOLYGON", srid=4326, spatial_index=False), nullable=False
            )
            for name in ("treated", "ring", "control", "control_ring")
        ),
        sa.CheckConstraint(
            "before_from <= before_until AND before_until < response_starts "
            "AND response_starts <= after_from AND after_from <= after_until",
            name=op.f("assessment_periods_stand_before_and_after"),
        ),
        sa.CheckConstraint(
            "settling_days BETWEEN 1 AND 90", name=op.f("assessment_settling_days_are_few")
        ),
        sa.CheckConstraint("ring_m BETWEEN 0 AND 1000", name=op.f("assessment_ring_is_narrow")),
        sa.CheckConstraint(
            "cardinality(categories) + cardinality(offense_groups) > 0",
            name=op.f("assessment_counts_something"),
        ),
        sa.CheckConstraint(
            "length(reason) <= 500 AND length(chosen_reason) <= 500",
            name=op.f("assessment_reasons_are_short"),
        ),
        sa.CheckConstraint(
            "fixed_at IS NULL OR (cardinality(chosen) > 0 AND NOT ST_IsEmpty(control))",
            name=op.f("assessment_fixed_has_a_control"),
        ),
    )
    op.create_index(op.f("assessment_plan_id_idx"), "assessment", ["plan_id"])
    op.create_index(
        "assessment_one_draft", "assessment", ["plan_id"], unique=True,
        postgresql_where=sa.text("fixed_at IS NULL"),
    )  # fmt: skip
    op.create_table(
        "assessment_verdict",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column(
            "assessment_id",
            sa.BigInteger,
            sa.ForeignKey(
                "assessment.id",
                name=op.f("assessment_verdict_assessment_id_fkey"),
                ondelete="CASCADE",
            ),
            nullable=False,
        ),
        sa.Column("source", sa.Text, nullable=False),
        _words("reason"),
        _moment("asked_at"),
        sa.Column("computed_at", sa.DateTime(timezone=True)),
        sa.Column("method", sa.Integer),
        sa.Column("found", postgresql.JSONB),
        sa.Column("published", postgresql.JSONB),
        sa.CheckConstraint(
            "source IN ('reports', 'police')", name=op.f("assessment_verdict_source_is_known")
        ),
        sa.CheckConstraint(
            "length(reason) <= 500", name=op.f("assessment_verdict_reason_is_short")
        ),
        sa.CheckConstraint(
            "num_nulls(computed_at, method, found, published) IN (0, 4)",
            name=op.f("assessment_verdict_computed_is_whole"),
        ),
    )
    op.create_index(
        op.f("assessment_verdict_assessment_id_idx"), "assessment_verdict", ["assessment_id"]
    )
    for name, where in (
        ("assessment_verdict_first_once", "reason = ''"),
        ("assessment_verdict_waits_once", "computed_at IS NULL"),
    ):
        op.create_index(
            name, "assessment_verdict", ["assessment_id", "source"], unique=True,
            postgresql_where=sa.text(where),
        )  # fmt: skip
    op.execute(KEPT)
    op.execute(RULES)


def downgrade() -> None:
    op.execute("DROP VIEW assessment_found, assessment_private")
    op.drop_table("assessment_verdict")
    op.drop_table("assessment")
    op.execute(
        "DROP FUNCTION assessment_is_judged, assessment_elsewhere, assessment_verdict_defer, "
        "assessment_verdict_keep, assessment_keep"
    )


def _moment(name: str) -> "sa.Column[Any]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _words(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.Text, server_default="", nullable=False)
