"""A shape lies in the served area whole, a home is never public exactly, contacts are short.

Until now a stretch of street was judged by its middle, and only the program kept homes masked.
Versions of layers begin at the moment this runs, so that a browser never takes the tiles of a
database that was thrown away for those of the one made after it.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BULK = "(current_setting('porchlight.bulk', true) IS DISTINCT FROM 'on')"

RULES = f"""
CREATE FUNCTION report_keep_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ST_DumpPoints(NEW.exact_geom) AS corner WHERE NOT EXISTS (
            SELECT FROM area_piece WHERE layer = 'city' AND ST_Intersects(area_piece.geom, corner.geom)
        )
    ) THEN
        RAISE EXCEPTION 'a report must lie within the served area'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'report_within_served_area',
                  TABLE = 'report';
    END IF;
    IF ST_Equals(NEW.public_geom, NEW.exact_geom) AND EXISTS (
        SELECT FROM category WHERE code = NEW.category_code AND setting = 'home'
    ) THEN
        RAISE EXCEPTION 'the exact place of a report at a home is never public'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'report_home_is_masked',
                  TABLE = 'report';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER report_place_on_insert BEFORE INSERT ON report
    FOR EACH ROW WHEN {BULK} EXECUTE FUNCTION report_keep_place();
CREATE TRIGGER report_place_on_update
    BEFORE UPDATE OF exact_geom, public_geom, category_code ON report
    FOR EACH ROW WHEN {BULK} EXECUTE FUNCTION report_keep_place();
"""

LAYERS = (
    "reports", "street_lights", "service_locations", "block_watches", "neighbourhoods",
    "council_districts", "vacant_lots", "transit_stops", "police_incidents", "base",
)  # fmt: skip


def upgrade() -> None:
    op.execute(RULES)
    for column, length in (("name", 200), ("email", 254), ("phone", 40)):
        # A row that was longer would stop the migration; its beginning still tells who it is.
        op.execute(
            f"UPDATE report_contact SET {column} = left({column}, {length}) "
            f"WHERE length({column}) > {length}"
        )
        op.create_check_constraint(
            op.f(f"report_contact_{column}_is_short"),
            "report_contact",
            f"length({column}) <= {length}",
        )
    # Of 2026, so that the sum stays far within an integer.
    start = "extract(epoch FROM now())::int - extract(epoch FROM timestamptz '2026-01-01')::int"
    for layer in LAYERS:
        op.execute(f"INSERT INTO layer_change (layer, n) VALUES ('{layer}', {start})")


def downgrade() -> None:
    op.execute("DROP FUNCTION report_keep_place CASCADE")
    for column in ("name", "email", "phone"):
        op.drop_constraint(op.f(f"report_contact_{column}_is_short"), "report_contact")
