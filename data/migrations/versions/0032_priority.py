"""Which need comes first: versions of the weights, runs of dark lights, and ranks.

Weights are public and only ever added to: each version replaces one other, so of two administrators who
publish at once the second is refused by an index. Ranks, and the runs they count, are for those who work
on needs of the kind. Whatever changes the needs defers one ranking: a transaction that finds one waiting
holds its row until it ends, so that the ranking reads what the transaction wrote.
"""

import tomllib
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

WEB = "porchlight_web"
KIND = postgresql.ENUM(name="report_kind", create_type=False)
FIRST = Path(__file__).parents[2] / "weights.toml"

LOCATION_TYPES = (
    "police_station", "fire_station", "library", "community_centre", "school", "youth_family",
    "health", "food_shelter", "place_of_worship", "city_office", "other",
)  # fmt: skip

RULES = f"""
CREATE FUNCTION weights_version_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.person_id IS NULL
        AND to_jsonb(NEW) - 'person_id' = to_jsonb(OLD) - 'person_id'
    THEN
        RETURN NEW; -- whoever published them is erased
    END IF;
    RAISE EXCEPTION 'weights that were published are neither changed nor deleted'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'weights_version_is_kept',
              TABLE = 'weights_version';
END $$;
CREATE TRIGGER weights_version_kept BEFORE UPDATE OR DELETE ON weights_version
    FOR EACH ROW EXECUTE FUNCTION weights_version_keep();

ALTER TABLE weights_version ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON weights_version FOR SELECT USING (true);
-- Where no kind is named, only an administrator may.
CREATE POLICY publish ON weights_version FOR INSERT
    WITH CHECK (person_id = visitor() AND visitor_may('work', NULL, NULL, NULL, NULL));
GRANT SELECT (id, replaces_id, at, signed_by, note, weights),
    INSERT (replaces_id, person_id, signed_by, note, weights) ON weights_version TO {WEB};

ALTER TABLE dark_run ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON dark_run FOR SELECT
    USING ('lighting' = ANY (ARRAY(SELECT mine.kind FROM visitor_works_in() AS mine)));
ALTER TABLE need_rank ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON need_rank FOR SELECT
    USING (kind = ANY (ARRAY(SELECT mine.kind FROM visitor_works_in() AS mine)));
GRANT SELECT ON dark_run, need_rank TO {WEB};

CREATE FUNCTION rank_needs_defer() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM procrastinate_jobs WHERE task_name = 'rank_needs' AND status = 'todo'
    LIMIT 1 FOR SHARE SKIP LOCKED;
    IF NOT FOUND THEN
        PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
            'analysis', 'rank_needs', 0, 'rank_needs', NULL, '{{}}'::jsonb,
            now() + interval '10 seconds'
        )::procrastinate_job_to_defer_v1]);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER need_ranked AFTER INSERT OR UPDATE OR DELETE ON need
    FOR EACH STATEMENT EXECUTE FUNCTION rank_needs_defer();
CREATE TRIGGER support_ranked AFTER INSERT OR DELETE ON support
    FOR EACH STATEMENT EXECUTE FUNCTION rank_needs_defer();
CREATE TRIGGER weights_version_ranked AFTER INSERT ON weights_version
    FOR EACH STATEMENT EXECUTE FUNCTION rank_needs_defer();
"""


def upgrade() -> None:
    op.execute("ALTER TYPE location_type ADD VALUE 'shop' BEFORE 'other'")
    op.create_table(
        "weights_version",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column(
            "replaces_id",
            sa.BigInteger,
            sa.ForeignKey("weights_version.id", name=op.f("weights_version_replaces_id_fkey")),
        ),
        _moment("at"),
        sa.Column(
            "person_id",
            sa.BigInteger,
            sa.ForeignKey(
                "person.id", name=op.f("weights_version_person_id_fkey"), ondelete="SET NULL"
            ),
        ),
        sa.Column("signed_by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("weights", postgresql.JSONB, nullable=False),
        sa.CheckConstraint(
            "length(note) BETWEEN 1 AND 2000", name=op.f("weights_version_note_is_written")
        ),
        sa.CheckConstraint(
            "length(signed_by) BETWEEN 1 AND 200", name=op.f("weights_version_is_signed")
        ),
        sa.CheckConstraint("replaces_id <> id", name=op.f("weights_version_replaces_another")),
    )
    op.create_index(
        "weights_version_replaced_once",
        "weights_version",
        ["replaces_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(op.f("weights_version_person_id_idx"), "weights_version", ["person_id"])
    op.create_table(
        "dark_run",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("street", sa.Text, nullable=False),
        sa.Column("from_corner", sa.Text, nullable=False),
        sa.Column("to_corner", sa.Text, nullable=False),
        sa.Column("lights", sa.Integer, nullable=False),
        sa.Column("geom", Geometry("LINESTRING", srid=4326, spatial_index=False), nullable=False),
        sa.CheckConstraint("lights >= 2", name=op.f("dark_run_is_a_run")),
    )
    op.create_index(op.f("dark_run_geom_idx"), "dark_run", ["geom"], postgresql_using="gist")
    op.create_table(
        "need_rank",
        sa.Column(
            "need_id",
            sa.BigInteger,
            sa.ForeignKey("need.id", name=op.f("need_rank_need_id_fkey"), ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column(
            "weights_version_id",
            sa.BigInteger,
            sa.ForeignKey("weights_version.id", name=op.f("need_rank_weights_version_id_fkey")),
            nullable=False,
        ),
        sa.Column("kind", KIND, nullable=False),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("rank", "rank_low", "rank_high")
        ),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("parts", postgresql.ARRAY(sa.REAL), nullable=False),
        sa.Column("levels", postgresql.ARRAY(sa.Double), nullable=False),
        sa.Column("facts", postgresql.JSONB, nullable=False),
        sa.Column(
            "dark_run_id",
            sa.BigInteger,
            sa.ForeignKey(
                "dark_run.id", name=op.f("need_rank_dark_run_id_fkey"), ondelete="SET NULL"
            ),
        ),
        _moment("ranked_at"),
        sa.CheckConstraint(
            "1 <= rank_low AND rank_low <= rank AND rank <= rank_high",
            name=op.f("need_rank_rank_is_in_its_interval"),
        ),
        sa.CheckConstraint("score BETWEEN 0 AND 100", name=op.f("need_rank_score_is_in_points")),
        sa.CheckConstraint(
            "cardinality(parts) = cardinality(levels)", name=op.f("need_rank_parts_have_levels")
        ),
    )
    op.create_index(op.f("need_rank_kind_rank_idx"), "need_rank", ["kind", "rank"])
    op.create_index(op.f("need_rank_dark_run_id_idx"), "need_rank", ["dark_run_id"])
    _publish_the_first()
    op.execute(RULES)


def downgrade() -> None:
    op.execute("DROP TRIGGER need_ranked ON need")
    op.execute("DROP TRIGGER support_ranked ON support")
    for table in ("need_rank", "dark_run", "weights_version"):
        op.drop_table(table)
    op.execute("DROP FUNCTION rank_needs_defer, weights_version_keep")
    op.execute("UPDATE service_location SET type = 'other' WHERE type = 'shop'")
    op.execute("ALTER TYPE location_type RENAME TO location_type_with_shops")
    postgresql.ENUM(*LOCATION_TYPES, name="location_type").create(op.get_bind())
    op.execute(
        "ALTER TABLE service_location ALTER type TYPE location_type USING type::text::location_type"
    )
    op.execute("DROP TYPE location_type_with_shops")


def _publish_the_first() -> None:
    """Publish the weights of the readable file, with its date and its note."""
    first = tomllib.loads(FIRST.read_text(encoding="utf-8"))
    versions = sa.table(
        "weights_version", sa.column("at"), sa.column("signed_by"), sa.column("note"),
        sa.column("weights", postgresql.JSONB),
    )  # fmt: skip
    weights = {
        kind: {row["factor"]: row["weight"] for row in first[kind]}
        for kind in ("lighting", "cleanup")
    }
    op.bulk_insert(
        versions,
        [
            {
                "at": first["published"],
                "signed_by": first["signed_by"],
                "note": first["note"],
                "weights": weights,
            }
        ],
    )


def _moment(name: str) -> "sa.Column[datetime]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
