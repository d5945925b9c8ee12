"""The desk: pole files that are looked at before they are applied, and results of fixed lights.

A pole file concerns the lights of the whole city, so it is for administrators and for staff whose work on
lighting ends at no district. They store the file and say what is to become of it; it is read and applied by
a job of the owner of the store, which a trigger defers. A result of a season is written once by a job, and
nobody changes it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

STATE = postgresql.ENUM(
    "reading", "ready", "applying", "applied", "dropped", "failed",
    name="pole_import_state", create_type=False,
)  # fmt: skip
KIND = postgresql.ENUM(
    "added", "moved", "gone", "unusable", name="pole_change_kind", create_type=False
)

RULES = f"""
CREATE FUNCTION pole_import_step() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
        'analysis', CASE NEW.state WHEN 'reading' THEN 'read_poles' ELSE 'apply_poles' END, 0,
        'poles', NULL, jsonb_build_object('id', NEW.id), NULL
    )::procrastinate_job_to_defer_v1]);
    RETURN NULL;
END $$;
CREATE TRIGGER pole_import_deferred AFTER INSERT OR UPDATE OF state ON pole_import
    FOR EACH ROW WHEN (NEW.state IN ('reading', 'applying')) EXECUTE FUNCTION pole_import_step();

-- What pages may say of a file; everything else is the job's to write.
CREATE FUNCTION pole_import_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = '{WEB}' AND (OLD.state, NEW.state) NOT IN (
        ('ready', 'applying'), ('ready', 'dropped'), ('failed', 'dropped')
    ) THEN
        RAISE EXCEPTION 'a pole file does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'pole_import_goes_its_way',
                  TABLE = 'pole_import';
    END IF;
    IF NEW.state IN ('applied', 'dropped', 'failed') THEN
        NEW.content := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER pole_import_kept BEFORE UPDATE ON pole_import
    FOR EACH ROW EXECUTE FUNCTION pole_import_keep();

ALTER TABLE pole_import ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON pole_import USING (visitor_may('work', 'lighting', NULL, NULL, NULL))
    WITH CHECK (visitor_may('work', 'lighting', NULL, NULL, NULL));
GRANT SELECT (id, at, person_id, file_name, crs, state, counts, digest, reason, remove_gone, applied_at,
    import_run_id), INSERT (person_id, file_name, crs, content), UPDATE (state, remove_gone)
    ON pole_import TO {WEB};
ALTER TABLE pole_change ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON pole_change FOR SELECT
    USING ((SELECT visitor_may('work', 'lighting', NULL, NULL, NULL)));
GRANT SELECT ON pole_change TO {WEB};

CREATE FUNCTION light_result_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what came of fixed lights is neither changed nor deleted'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'light_result_is_kept',
              TABLE = 'light_result';
END $$;
CREATE TRIGGER light_result_kept BEFORE UPDATE OR DELETE ON light_result
    FOR EACH ROW EXECUTE FUNCTION light_result_keep();
CREATE TRIGGER light_result_not_emptied BEFORE TRUNCATE ON light_result
    FOR EACH STATEMENT EXECUTE FUNCTION light_result_keep();
ALTER TABLE light_result ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON light_result FOR SELECT
    USING ('lighting' = ANY (ARRAY(SELECT kind FROM visitor_works_in())));
GRANT SELECT ON light_result TO {WEB};
"""


def upgrade() -> None:
    STATE.create(op.get_bind())
    KIND.create(op.get_bind())
    op.create_table(
        "pole_import",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _moment("at"),
        sa.Column(
            "person_id",
            sa.BigInteger,
            sa.ForeignKey(
                "person.id", name=op.f("pole_import_person_id_fkey"), ondelete="SET NULL"
            ),
        ),
        sa.Column("file_name", sa.Text, nullable=False),
        _words("crs"),
        sa.Column("content", sa.LargeBinary),
        sa.Column("state", STATE, server_default="reading", nullable=False),
        sa.Column("counts", postgresql.JSONB, server_default="{}", nullable=False),
        sa.Column("digest", sa.LargeBinary),
        _words("reason"),
        sa.Column("remove_gone", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True)),
        sa.Column("import_run_id", sa.BigInteger),
        sa.CheckConstraint(
            "length(file_name) BETWEEN 1 AND 200", name=op.f("pole_import_file_name_is_short")
        ),
        sa.CheckConstraint("length(crs) <= 100", name=op.f("pole_import_crs_is_short")),
        sa.CheckConstraint(
            "(state = 'failed') <= (reason <> '')", name=op.f("pole_import_failed_says_why")
        ),
        sa.CheckConstraint(
            "(state = 'applied') = (applied_at IS NOT NULL)",
            name=op.f("pole_import_applied_says_when"),
        ),
    )
    op.create_index(op.f("pole_import_person_id_idx"), "pole_import", ["person_id"])
    op.create_table(
        "pole_change",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column(
            "pole_import_id",
            sa.BigInteger,
            sa.ForeignKey(
                "pole_import.id", name=op.f("pole_change_pole_import_id_fkey"), ondelete="CASCADE"
            ),
            nullable=False,
        ),
        sa.Column("kind", KIND, nullable=False),
        _words("pole_id"),
        sa.Column("distance_m", sa.Float),
        sa.Column("asked", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.Column("row_number", sa.Integer),
        _words("reason"),
        *(
            sa.Column(name, Geometry("POINT", srid=4326, spatial_index=False))
            for name in ("was", "geom")
        ),
        sa.CheckConstraint(
            "(kind = 'moved') = (distance_m IS NOT NULL)",
            name=op.f("pole_change_moved_says_how_far"),
        ),
        sa.CheckConstraint(
            "(kind = 'unusable') = (reason <> '')", name=op.f("pole_change_unusable_says_why")
        ),
    )
    op.create_index(
        op.f("pole_change_pole_import_id_kind_id_idx"),
        "pole_change",
        ["pole_import_id", "kind", "id"],
    )
    op.create_table(
        "light_result",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("fixed_from", sa.Date, nullable=False),
        sa.Column("fixed_until", sa.Date, nullable=False),
        _moment("computed_at"),
        sa.Column("method", sa.Integer, nullable=False),
        sa.Column("found", postgresql.JSONB, nullable=False),
        sa.CheckConstraint("fixed_from <= fixed_until", name=op.f("light_result_season_has_days")),
    )
    op.create_index("light_result_once", "light_result", ["fixed_from", "method"], unique=True)
    _index_the_queue()
    op.execute(RULES)


def _index_the_queue() -> None:
    """Give the queue its orders: by rank of both kinds, by age within a category, by what was fixed last.

    Behind row-level security an index is read by what compares text and numbers, not enumerations.
    """
    op.create_index(op.f("need_rank_rank_idx"), "need_rank", ["rank"])
    op.create_index(
        "need_aged_idx", "need", ["category_code", "opened_at", "id"],
        postgresql_include=["kind", "council_district_id", "neighbourhood_id", "hazard"],
        postgresql_where=sa.text("closed_at IS NULL"),
    )  # fmt: skip
    op.create_index(
        "need_fixed_idx", "need", ["closed_at", "id"],
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )  # fmt: skip


def downgrade() -> None:
    for index, table in (
        ("need_fixed_idx", "need"),
        ("need_aged_idx", "need"),
        ("need_rank_rank_idx", "need_rank"),
    ):
        op.drop_index(index, table)
    for table in ("light_result", "pole_change", "pole_import"):
        op.drop_table(table)
    op.execute("DROP FUNCTION light_result_keep, pole_import_keep, pole_import_step")
    KIND.drop(op.get_bind())
    STATE.drop(op.get_bind())


def _moment(name: str) -> "sa.Column[Any]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _words(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.Text, server_default="", nullable=False)
