"""Work plans within a budget: crews, depots, costs and what was chosen.

A work plan is of one kind and of the whole city: whoever works on that kind everywhere makes and changes
it. Whoever works on it in one district reads crews, depots and costs, which its orders name.
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

WEB = "porchlight_web"
KIND = postgresql.ENUM(name="report_kind", create_type=False)
STATE = postgresql.ENUM("draft", "issued", "closed", name="work_plan_state", create_type=False)
ASKED = postgresql.ENUM("optimum", "routes", name="work_plan_asked", create_type=False)

WORKS_ON = "kind = ANY (ARRAY(SELECT mine.kind FROM visitor_works_in() AS mine))"
PLANS = (
    "kind = ANY (ARRAY(SELECT mine.kind FROM visitor_works_in() AS mine "
    "WHERE mine.council_district_id IS NULL))"
)
OF_CATEGORY = "EXISTS (SELECT FROM category WHERE code = category_code AND {})"

RULES = f"""
ALTER TABLE depot ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON depot FOR SELECT USING (EXISTS (
    SELECT FROM visitor_works_in() AS mine WHERE mine.kind IN ('lighting', 'cleanup')));
CREATE POLICY keep ON depot USING (EXISTS (
    SELECT FROM visitor_works_in() AS mine
    WHERE mine.kind IN ('lighting', 'cleanup') AND mine.council_district_id IS NULL));

ALTER TABLE crew ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON crew FOR SELECT USING ({WORKS_ON});
CREATE POLICY keep ON crew USING ({PLANS});

ALTER TABLE unit_cost ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON unit_cost FOR SELECT USING ({OF_CATEGORY.format(WORKS_ON)});
CREATE POLICY keep ON unit_cost USING ({OF_CATEGORY.format(PLANS)});

ALTER TABLE work_plan ENABLE ROW LEVEL SECURITY;
CREATE POLICY plan ON work_plan USING ({PLANS});
ALTER TABLE work_plan_need ENABLE ROW LEVEL SECURITY;
CREATE POLICY plan ON work_plan_need USING (
    EXISTS (SELECT FROM work_plan WHERE work_plan.id = work_plan_id));

GRANT SELECT, INSERT, UPDATE, DELETE ON depot, crew, unit_cost, work_plan, work_plan_need TO {WEB};

CREATE FUNCTION work_plan_defer() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
        'analysis', 'solve_work_plan', 0, 'work_plan:' || NEW.id, NULL,
        jsonb_build_object('id', NEW.id), NULL
    )::procrastinate_job_to_defer_v1]);
    RETURN NULL;
END $$;
CREATE TRIGGER work_plan_deferred AFTER INSERT OR UPDATE OF asked, asked_at_version ON work_plan
    FOR EACH ROW WHEN (NEW.asked IS NOT NULL) EXECUTE FUNCTION work_plan_defer();
"""


def upgrade() -> None:
    STATE.create(op.get_bind())
    ASKED.create(op.get_bind())
    op.create_table(
        "depot",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("geom", Geometry("POINT", srid=4326, spatial_index=False), nullable=False),
        sa.UniqueConstraint("name", name=op.f("depot_name_key")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 80", name=op.f("depot_name_is_short")),
    )
    op.create_table(
        "crew",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column(
            "depot_id",
            sa.BigInteger,
            sa.ForeignKey("depot.id", name=op.f("crew_depot_id_fkey")),
            nullable=False,
        ),
        sa.Column("kind", KIND, nullable=False),
        sa.Column("day_minutes", sa.Integer, server_default=sa.text("480"), nullable=False),
        sa.Column("starts_at", sa.Time, server_default="07:00", nullable=False),
        sa.Column("active", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.UniqueConstraint("name", name=op.f("crew_name_key")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 80", name=op.f("crew_name_is_short")),
        sa.CheckConstraint("kind IN ('lighting', 'cleanup')", name=op.f("crew_kind_has_needs")),
        sa.CheckConstraint("day_minutes BETWEEN 60 AND 960", name=op.f("crew_day_is_sensible")),
    )
    op.create_index(op.f("crew_depot_id_idx"), "crew", ["depot_id"])
    op.create_table(
        "unit_cost",
        sa.Column(
            "category_code",
            sa.Text,
            sa.ForeignKey("category.code", name=op.f("unit_cost_category_code_fkey")),
            primary_key=True,
        ),
        sa.Column("cents", sa.BigInteger, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("materials", postgresql.JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint(
            "cents BETWEEN 0 AND 100000000000", name=op.f("unit_cost_cents_are_sensible")
        ),
        sa.CheckConstraint(
            "minutes BETWEEN 1 AND 960", name=op.f("unit_cost_minutes_are_sensible")
        ),
    )
    op.create_table(
        "work_plan",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", KIND, nullable=False),
        sa.Column("state", STATE, server_default="draft", nullable=False),
        sa.Column("budget_cents", sa.BigInteger, nullable=False),
        sa.Column("crew_days", sa.Integer, nullable=False),
        sa.Column("materials", postgresql.JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("floors", postgresql.JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "weights_version_id",
            sa.BigInteger,
            sa.ForeignKey(
                "weights_version.id",
                name=op.f("work_plan_weights_version_id_fkey"),
                ondelete="SET NULL",
            ),
        ),
        sa.Column("solution", postgresql.JSONB),
        sa.Column("routes", postgresql.JSONB),
        sa.Column("distances", sa.LargeBinary),
        sa.Column("asked", ASKED),
        sa.Column("asked_at_version", sa.Integer),
        sa.Column("progress", sa.SmallInteger, server_default=sa.text("0"), nullable=False),
        sa.Column("trouble", sa.Text, server_default="", nullable=False),
        sa.Column(
            "person_id",
            sa.BigInteger,
            sa.ForeignKey("person.id", name=op.f("work_plan_person_id_fkey"), ondelete="SET NULL"),
        ),
        _moment("at"),
        _moment("changed_at"),
        sa.Column("version", sa.Integer, server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 120", name=op.f("work_plan_name_is_short")),
        sa.CheckConstraint(
            "kind IN ('lighting', 'cleanup')", name=op.f("work_plan_kind_has_needs")
        ),
        sa.CheckConstraint(
            "budget_cents BETWEEN 0 AND 100000000000", name=op.f("work_plan_budget_is_sensible")
        ),
        sa.CheckConstraint(
            "crew_days BETWEEN 1 AND 1000", name=op.f("work_plan_crew_days_are_sensible")
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("work_plan_progress_is_share")),
        sa.CheckConstraint(
            "(asked IS NULL) = (asked_at_version IS NULL)",
            name=op.f("work_plan_asked_names_its_version"),
        ),
    )
    op.create_index(op.f("work_plan_person_id_idx"), "work_plan", ["person_id"])
    op.create_index(op.f("work_plan_at_idx"), "work_plan", ["at"])
    op.create_table(
        "work_plan_need",
        sa.Column(
            "work_plan_id",
            sa.BigInteger,
            sa.ForeignKey(
                "work_plan.id", name=op.f("work_plan_need_work_plan_id_fkey"), ondelete="CASCADE"
            ),
            primary_key=True,
        ),
        sa.Column(
            "need_id",
            sa.BigInteger,
            sa.ForeignKey("need.id", name=op.f("work_plan_need_need_id_fkey"), ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("lock", sa.Text, server_default="", nullable=False),
        sa.Column("chosen", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("lock IN ('', 'in', 'out')", name=op.f("work_plan_need_lock_is_known")),
        sa.CheckConstraint(
            "NOT (chosen AND lock = 'out')", name=op.f("work_plan_need_locked_out_is_not_chosen")
        ),
    )
    op.create_index(op.f("work_plan_need_need_id_idx"), "work_plan_need", ["need_id"])
    op.execute(RULES)


def downgrade() -> None:
    for table in ("work_plan_need", "work_plan", "unit_cost", "crew", "depot"):
        op.drop_table(table)
    op.execute("DROP FUNCTION work_plan_defer")
    ASKED.drop(op.get_bind())
    STATE.drop(op.get_bind())


def _moment(name: str) -> "sa.Column[object]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
