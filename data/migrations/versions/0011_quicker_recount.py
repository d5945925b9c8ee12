"""Count the tallies of a whole import from one pass over the reports.

A cell of one zoom is the quarter of a cell of the zoom before, so that the finest level gives the
others: x at 16 is x at 17 without its last bit.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COUNT_ONCE = """
CREATE OR REPLACE FUNCTION report_tally_recount() RETURNS void LANGUAGE sql AS $$
    DELETE FROM report_tally;
    INSERT INTO report_tally (level, x, y, kind, category_code, status, n)
    WITH cell AS (
        SELECT tile_x(ST_X(c), 17) AS x, tile_y(ST_Y(c), 17) AS y,
               kind, category_code, status, count(*) AS n
        FROM report, LATERAL (SELECT ST_Centroid(public_geom) OFFSET 0) AS centre (c)
        WHERE public_geom IS NOT NULL AND status <> 'held'
        GROUP BY 1, 2, 3, 4, 5
    )
    SELECT level, x >> (17 - level), y >> (17 - level), kind, category_code, status, sum(n)
    FROM cell, (VALUES (14), (15), (16), (17)) AS levels (level)
    GROUP BY 1, 2, 3, 4, 5, 6;
    INSERT INTO layer_change (layer, n) VALUES ('reports', 1);
$$;
"""

EACH_LEVEL = """
CREATE OR REPLACE FUNCTION report_tally_recount() RETURNS void LANGUAGE sql AS $$
    DELETE FROM report_tally;
    INSERT INTO report_tally (level, x, y, kind, category_code, status, n)
    SELECT level, tile_x(ST_X(c), level), tile_y(ST_Y(c), level),
           kind, category_code, status, count(*)
    FROM report, LATERAL (SELECT ST_Centroid(public_geom)) AS centre (c),
         (VALUES (14), (15), (16), (17)) AS levels (level)
    WHERE public_geom IS NOT NULL AND status <> 'held'
    GROUP BY 1, 2, 3, 4, 5, 6;
    INSERT INTO layer_change (layer, n) VALUES ('reports', 1);
$$;
"""


def upgrade() -> None:
    op.execute(COUNT_ONCE)


def downgrade() -> None:
    op.execute(EACH_LEVEL)
