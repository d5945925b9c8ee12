"""Action plans lie in the areas that hold now: they are joined anew when boundaries change, as reports are."""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

# The name of the triggers has them come after those by which areas are cut into pieces.
JOIN = """
CREATE FUNCTION area_join_plans() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE plan SET neighbourhood_id = joined.neighbourhood_id,
        patrol_division_id = joined.patrol_division_id,
        council_district_id = joined.council_district_id
    FROM plan AS lies, LATERAL (
        SELECT
            min(area_id) FILTER (WHERE layer = 'neighbourhood') AS neighbourhood_id,
            min(area_id) FILTER (WHERE layer = 'patrol_division') AS patrol_division_id,
            min(area_id) FILTER (WHERE layer = 'council_district') AS council_district_id
        FROM area_piece WHERE ST_Intersects(geom, ST_PointOnSurface(lies.place))
    ) AS joined
    WHERE lies.id = plan.id
        AND (plan.neighbourhood_id, plan.patrol_division_id, plan.council_district_id)
            IS DISTINCT FROM (joined.neighbourhood_id, joined.patrol_division_id,
                joined.council_district_id);
    RETURN NULL;
END $$;
CREATE TRIGGER area_reports_then_plans_on_change AFTER INSERT OR UPDATE OR DELETE ON area
    FOR EACH STATEMENT EXECUTE FUNCTION area_join_plans();
"""


def upgrade() -> None:
    """Join plans anew whenever areas change."""
    op.execute(JOIN)


def downgrade() -> None:
    """Join plans only when they are written."""
    op.execute("DROP FUNCTION area_join_plans CASCADE")
