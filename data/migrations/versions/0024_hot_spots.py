"""Analyses of hot spots, kept by what was asked and of which state of the rows, and their jobs.

An analysis reads each place as exactly as whoever asked may see it (`report_place`,
`police_incident_place`), so it is kept under the very rights it was made with (`visitor_rights`): only
who holds the same ones reads it. Without a right of the city it is made from what is public.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

WEB = "porchlight_web"
STATE = postgresql.ENUM(
    "waiting", "running", "done", "failed", name="analysis_state", create_type=False
)

RIGHTS = """
-- The rights to exact places, in one canonical word; empty for whoever has none.
CREATE FUNCTION visitor_rights() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(string_agg(held.word, ' ' ORDER BY held.word), '') FROM (
        SELECT DISTINCT concat_ws(':', role, department_id, area_id) AS word FROM role_grant
        WHERE visitor_is_strong() AND person_id = visitor() AND ended_at IS NULL
            AND role IN ('administrator', 'liaison', 'staff')
    ) AS held
$$;

-- As in report_site, what is held is read one time for all reports.
CREATE VIEW report_place WITH (security_barrier) AS
SELECT report.id AS report_id, kind, category_code, occurred_at, reported_at,
    CASE WHEN (SELECT visitor_is_strong()) AND (
        (SELECT EXISTS (
            SELECT FROM role_grant
            WHERE person_id = visitor() AND ended_at IS NULL AND role = 'administrator'))
        OR kind = ANY (ARRAY(
            SELECT unnest(kinds) FROM role_grant JOIN department ON department.id = department_id
            WHERE person_id = visitor() AND ended_at IS NULL AND role = 'staff'
                AND area_id IS NULL))
        OR (kind, exact_council_district_id) IN (
            SELECT unnest(kinds), area_id
            FROM role_grant JOIN department ON department.id = department_id
            WHERE person_id = visitor() AND ended_at IS NULL AND role = 'staff'
                AND area_id IS NOT NULL)
        OR exact_patrol_division_id = ANY (ARRAY(
            SELECT area_id FROM role_grant
            WHERE person_id = visitor() AND ended_at IS NULL AND role = 'liaison'))
    ) THEN exact_geom ELSE public_geom END AS geom
FROM report WHERE status NOT IN ('held', 'duplicate');

CREATE VIEW police_incident_place WITH (security_barrier) AS
SELECT incident.id AS police_incident_id, offense_group, occurred_at,
    CASE WHEN (SELECT visitor_is_strong()) AND (
        (SELECT EXISTS (
            SELECT FROM role_grant
            WHERE person_id = visitor() AND ended_at IS NULL AND role = 'administrator'))
        OR ST_Intersects((
            SELECT ST_Union(area.geom) FROM role_grant JOIN area ON area.id = area_id
            WHERE person_id = visitor() AND ended_at IS NULL AND role = 'liaison'
        ), exact_geom)
    ) THEN exact_geom ELSE public_geom END AS geom
FROM police_incident AS incident;
"""

RULES = f"""
ALTER TABLE hot_spot_run ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON hot_spot_run USING (rights = '' OR rights = (SELECT visitor_rights()))
    WITH CHECK (rights = '' OR rights = (SELECT visitor_rights()));
GRANT SELECT, INSERT, UPDATE ON hot_spot_run TO {WEB};
GRANT SELECT ON report_place, police_incident_place TO {WEB};

CREATE FUNCTION hot_spot_run_defer() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
        'analysis', 'find_hot_spots', 0, 'hot_spots:' || NEW.id, NULL,
        jsonb_build_object('id', NEW.id), NULL
    )::procrastinate_job_to_defer_v1]);
    RETURN NULL;
END $$;
CREATE TRIGGER hot_spot_run_deferred AFTER INSERT OR UPDATE OF state ON hot_spot_run
    FOR EACH ROW WHEN (NEW.state = 'waiting') EXECUTE FUNCTION hot_spot_run_defer();
"""


def upgrade() -> None:
    STATE.create(op.get_bind())
    op.execute(RIGHTS)
    op.create_table(
        "hot_spot_run",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("rights", sa.Text, server_default="", nullable=False),
        sa.Column(
            "asked_by_id",
            sa.BigInteger,
            sa.ForeignKey(
                "person.id", name=op.f("hot_spot_run_asked_by_id_fkey"), ondelete="CASCADE"
            ),
        ),
        sa.Column("asked", postgresql.JSONB, nullable=False),
        sa.Column("method", sa.Integer, nullable=False),
        sa.Column("rows_version", sa.BigInteger, nullable=False),
        sa.Column("state", STATE, server_default="waiting", nullable=False),
        sa.Column("progress", sa.SmallInteger, server_default="0", nullable=False),
        sa.Column("reason", sa.Text, server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("found", postgresql.JSONB),
        sa.Column("cells", sa.LargeBinary),
        sa.CheckConstraint(
            "(state = 'done') = (cells IS NOT NULL AND found IS NOT NULL AND read_at IS NOT NULL)",
            name=op.f("hot_spot_run_done_has_cells"),
        ),
        sa.CheckConstraint(
            "progress BETWEEN 0 AND 100", name=op.f("hot_spot_run_progress_is_share")
        ),
        sa.CheckConstraint(
            "(state = 'failed') = (reason <> '')", name=op.f("hot_spot_run_failed_says_why")
        ),
    )
    op.create_index(
        "hot_spot_run_once",
        "hot_spot_run",
        [sa.text("md5(asked::text)"), "rights", "method", "rows_version"],
        unique=True,
    )
    op.create_index(op.f("hot_spot_run_asked_by_id_idx"), "hot_spot_run", ["asked_by_id"])
    op.create_index(op.f("hot_spot_run_created_at_idx"), "hot_spot_run", ["created_at"])
    op.execute(RULES)


def downgrade() -> None:
    op.drop_table("hot_spot_run")
    op.execute("DROP FUNCTION hot_spot_run_defer")
    op.execute("DROP VIEW report_place, police_incident_place")
    op.execute("DROP FUNCTION visitor_rights")
    STATE.drop(op.get_bind())
