"""Areas of a report by its public position, areas for rights by its exact one; drawn areas have names.

Until now the neighbourhood, districts, tract and block watch of a report were those of its exact
place, and told on which side of a border a home lies that is hidden among its neighbours. What
everybody reads under these names now follows from the public position alone. The exact ones stand
beside them, for the scopes of roles and for statistics; the web role reads them through
`report_site`, as far as the visitor may read the exact place.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

WEB = "porchlight_web"
BULK = "(current_setting('porchlight.bulk', true) IS DISTINCT FROM 'on')"
AREAS = ("neighbourhood", "council_district", "patrol_division", "tract")

JOIN = f"""
CREATE FUNCTION block_watch_at(place geometry) RETURNS bigint LANGUAGE sql STABLE
SET search_path = public, pg_temp AS $$
    SELECT id FROM block_watch WHERE ST_Intersects(boundary, place)
    ORDER BY ST_Area(boundary), id LIMIT 1
$$;

CREATE OR REPLACE FUNCTION report_join_areas() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place geometry := ST_PointOnSurface(NEW.exact_geom);
    shown geometry := ST_PointOnSurface(NEW.public_geom);
    in_city bigint;
BEGIN
    SELECT
        min(area_id) FILTER (WHERE layer = 'city'),
        min(area_id) FILTER (WHERE layer = 'neighbourhood'),
        min(area_id) FILTER (WHERE layer = 'council_district'),
        min(area_id) FILTER (WHERE layer = 'patrol_division'),
        min(area_id) FILTER (WHERE layer = 'tract')
    INTO
        in_city, NEW.exact_neighbourhood_id, NEW.exact_council_district_id,
        NEW.exact_patrol_division_id, NEW.exact_tract_id
    FROM area_piece WHERE ST_Intersects(geom, place);
    IF in_city IS NULL THEN
        RAISE EXCEPTION 'a report must lie within the served area'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'report_within_served_area',
                  TABLE = 'report';
    END IF;
    IF shown = place THEN
        NEW.neighbourhood_id := NEW.exact_neighbourhood_id;
        NEW.council_district_id := NEW.exact_council_district_id;
        NEW.patrol_division_id := NEW.exact_patrol_division_id;
        NEW.tract_id := NEW.exact_tract_id;
    ELSE
        SELECT
            min(area_id) FILTER (WHERE layer = 'neighbourhood'),
            min(area_id) FILTER (WHERE layer = 'council_district'),
            min(area_id) FILTER (WHERE layer = 'patrol_division'),
            min(area_id) FILTER (WHERE layer = 'tract')
        INTO
            NEW.neighbourhood_id, NEW.council_district_id, NEW.patrol_division_id, NEW.tract_id
        FROM area_piece WHERE ST_Intersects(geom, shown);
    END IF;
    NEW.block_watch_id := block_watch_at(shown);
    RETURN NEW;
END $$;
DROP TRIGGER report_areas_on_update ON report;
CREATE TRIGGER report_areas_on_update BEFORE UPDATE OF exact_geom, public_geom ON report
    FOR EACH ROW WHEN {BULK} EXECUTE FUNCTION report_join_areas();

CREATE OR REPLACE FUNCTION join_reports_to_layer(changed area_layer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF changed NOT IN ('neighbourhood', 'council_district', 'patrol_division', 'tract') THEN
        RETURN;
    END IF;
    EXECUTE format(
        'UPDATE report SET %1$I = joined.exact_id, %2$I = joined.shown_id
         FROM (
             SELECT report.id, exact.area_id AS exact_id,
                 CASE WHEN report.public_geom = report.exact_geom THEN exact.area_id
                     ELSE shown.area_id END AS shown_id
             FROM report, LATERAL (
                 SELECT min(area_id) AS area_id FROM area_piece WHERE layer = $1
                     AND ST_Intersects(geom, ST_PointOnSurface(report.exact_geom))
             ) AS exact, LATERAL (
                 SELECT min(area_id) AS area_id FROM area_piece WHERE layer = $1
                     AND NOT report.public_geom = report.exact_geom
                     AND ST_Intersects(geom, ST_PointOnSurface(report.public_geom))
             ) AS shown
         ) AS joined
         WHERE joined.id = report.id
             AND (report.%1$I, report.%2$I) IS DISTINCT FROM (joined.exact_id, joined.shown_id)',
        format('exact_%s_id', changed), format('%s_id', changed))
    USING changed;
END $$;

CREATE OR REPLACE FUNCTION join_reports_to_watches(region geometry) RETURNS void
LANGUAGE sql AS $$
    UPDATE report SET block_watch_id = joined.watch_id
    FROM (
        SELECT id, block_watch_at(ST_PointOnSurface(public_geom)) AS watch_id
        FROM report WHERE public_geom && region
    ) AS joined
    WHERE joined.id = report.id AND report.block_watch_id IS DISTINCT FROM joined.watch_id
$$;
"""

JOIN_BEFORE = f"""
CREATE OR REPLACE FUNCTION report_join_areas() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place geometry := ST_PointOnSurface(NEW.exact_geom);
    in_city bigint;
BEGIN
    SELECT
        min(area_id) FILTER (WHERE layer = 'city'),
        min(area_id) FILTER (WHERE layer = 'neighbourhood'),
        min(area_id) FILTER (WHERE layer = 'council_district'),
        min(area_id) FILTER (WHERE layer = 'patrol_division'),
        min(area_id) FILTER (WHERE layer = 'tract')
    INTO
        in_city, NEW.neighbourhood_id, NEW.council_district_id, NEW.patrol_division_id, NEW.tract_id
    FROM area_piece WHERE ST_Intersects(geom, place);
    IF in_city IS NULL THEN
        RAISE EXCEPTION 'a report must lie within the served area'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'report_within_served_area',
                  TABLE = 'report';
    END IF;
    SELECT id INTO NEW.block_watch_id FROM block_watch
    WHERE ST_Intersects(boundary, place) ORDER BY ST_Area(boundary), id LIMIT 1;
    RETURN NEW;
END $$;
DROP TRIGGER report_areas_on_update ON report;
CREATE TRIGGER report_areas_on_update BEFORE UPDATE OF exact_geom ON report
    FOR EACH ROW WHEN {BULK} EXECUTE FUNCTION report_join_areas();

CREATE OR REPLACE FUNCTION join_reports_to_layer(changed area_layer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    field text := CASE changed
        WHEN 'neighbourhood' THEN 'neighbourhood_id'
        WHEN 'council_district' THEN 'council_district_id'
        WHEN 'patrol_division' THEN 'patrol_division_id'
        WHEN 'tract' THEN 'tract_id' END;
BEGIN
    IF field IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format(
        'UPDATE report SET %1$I = joined.area_id
         FROM (
             SELECT report.id, min(piece.area_id) AS area_id
             FROM report LEFT JOIN area_piece AS piece
                 ON piece.layer = $1
                 AND ST_Intersects(piece.geom, ST_PointOnSurface(report.exact_geom))
             GROUP BY report.id
         ) AS joined
         WHERE joined.id = report.id AND report.%1$I IS DISTINCT FROM joined.area_id', field)
    USING changed;
END $$;

CREATE OR REPLACE FUNCTION join_reports_to_watches(region geometry) RETURNS void
LANGUAGE sql AS $$
    UPDATE report SET block_watch_id = joined.watch_id
    FROM (
        SELECT report.id, (
            SELECT watch.id FROM block_watch AS watch
            WHERE ST_Intersects(watch.boundary, ST_PointOnSurface(report.exact_geom))
            ORDER BY ST_Area(watch.boundary), watch.id LIMIT 1
        ) AS watch_id
        FROM report WHERE report.exact_geom && region
    ) AS joined
    WHERE joined.id = report.id AND report.block_watch_id IS DISTINCT FROM joined.watch_id
$$;
DROP FUNCTION block_watch_at;
"""

ASKED = "kind, block_watch_id, {exact}patrol_division_id, {exact}council_district_id"

# Functions keep their text when columns are renamed; views and policies follow by themselves.
NAMED = """
CREATE OR REPLACE FUNCTION visitor_moderates(id bigint) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM report WHERE report.id = visitor_moderates.id
            AND visitor_may('moderate', {asked})
    )
$$;
CREATE OR REPLACE FUNCTION report_to_ask(asked bigint) RETURNS TABLE (email text, language text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH meant AS (
        SELECT id, reporter_id, block_watch_id FROM report AS one
        WHERE (id = asked OR duplicate_of_id = asked) AND visitor_may('work', {asked})
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

# Whoever asks may not read the columns that decide, so the rules of other tables ask a function.
RIGHTS = f"""
CREATE FUNCTION visitor_may(act text, report_id bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM report WHERE report.id = visitor_may.report_id
            AND visitor_may(act, {ASKED.format(exact="exact_")})
    )
$$;
ALTER POLICY read ON report_event USING (public OR visitor_may('work', report_id));
ALTER POLICY add ON report_event WITH CHECK (
    (person_id IS NULL OR person_id = visitor())
    AND (NOT public OR note = ''
        OR visitor_may('work', report_id) OR visitor_may('moderate', report_id))
);
ALTER POLICY read ON report_contact USING (visitor_may('work', report_id));
ALTER POLICY work ON assignment
    USING (visitor_may('work', report_id)) WITH CHECK (visitor_may('work', report_id));
ALTER POLICY ask ON fix_asked WITH CHECK (visitor_may('work', report_id));

-- As visitor_may('read_exact'), but asked of many reports at once: what is held is read one time.
CREATE VIEW report_site WITH (security_barrier) AS
SELECT report.id AS report_id, exact_neighbourhood_id AS neighbourhood_id,
    exact_council_district_id AS council_district_id,
    exact_patrol_division_id AS patrol_division_id, exact_tract_id AS tract_id
FROM report
WHERE (SELECT visitor_is_strong()) AND (
    (SELECT EXISTS (
        SELECT FROM role_grant
        WHERE person_id = visitor() AND ended_at IS NULL AND role = 'administrator'))
    OR kind = ANY (ARRAY(
        SELECT unnest(kinds) FROM role_grant JOIN department ON department.id = department_id
        WHERE person_id = visitor() AND ended_at IS NULL AND role = 'staff' AND area_id IS NULL))
    OR (kind, exact_council_district_id) IN (
        SELECT unnest(kinds), area_id
        FROM role_grant JOIN department ON department.id = department_id
        WHERE person_id = visitor() AND ended_at IS NULL AND role = 'staff'
            AND area_id IS NOT NULL)
    OR exact_patrol_division_id = ANY (ARRAY(
        SELECT area_id FROM role_grant
        WHERE person_id = visitor() AND ended_at IS NULL AND role = 'liaison'))
);
GRANT SELECT ON report_site TO {WEB};
"""


def _before(act: str) -> str:
    return f"""EXISTS (
        SELECT FROM report WHERE report.id = report_id
            AND visitor_may('{act}', {ASKED.format(exact="exact_")})
    )"""


RIGHTS_BEFORE = f"""
DROP VIEW report_site;
ALTER POLICY read ON report_event USING (public OR {_before("work")});
ALTER POLICY add ON report_event WITH CHECK (
    (person_id IS NULL OR person_id = visitor())
    AND (NOT public OR note = '' OR {_before("work")} OR {_before("moderate")})
);
ALTER POLICY read ON report_contact USING ({_before("work")});
ALTER POLICY work ON assignment USING ({_before("work")}) WITH CHECK ({_before("work")});
ALTER POLICY ask ON fix_asked WITH CHECK ({_before("work")});
DROP FUNCTION visitor_may(text, bigint);
"""

SHOWN = ", ".join(f"{area}_id" for area in AREAS)
EXACT = ", ".join(f"exact_{area}_id" for area in AREAS)

# The triggers that count stand aside: no count is by area.
FILL = f"""
SET LOCAL porchlight.bulk = 'on';
UPDATE report SET ({SHOWN}) = ROW({EXACT}) WHERE public_geom = exact_geom;
UPDATE report SET ({SHOWN}, block_watch_id) = (
    SELECT {", ".join(f"min(area_id) FILTER (WHERE layer = '{area}')" for area in AREAS)},
        block_watch_at(ST_PointOnSurface(report.public_geom))
    FROM area_piece WHERE ST_Intersects(geom, ST_PointOnSurface(report.public_geom))
) WHERE public_geom IS DISTINCT FROM exact_geom;
SET LOCAL porchlight.bulk = 'off';
"""

# As the triggers of boundaries joined it before.
FILL_BEFORE = """
SET LOCAL porchlight.bulk = 'on';
UPDATE report SET block_watch_id = (
    SELECT id FROM block_watch WHERE ST_Intersects(boundary, ST_PointOnSurface(exact_geom))
    ORDER BY ST_Area(boundary), id LIMIT 1
) WHERE public_geom IS DISTINCT FROM exact_geom;
SET LOCAL porchlight.bulk = 'off';
"""


def upgrade() -> None:
    op.drop_index(op.f("report_neighbourhood_id_idx"), "report")
    for area in AREAS:
        op.alter_column("report", f"{area}_id", new_column_name=f"exact_{area}_id")
        op.add_column("report", _id(f"{area}_id"))
    op.execute(f"REVOKE SELECT ({EXACT}) ON report FROM {WEB}")
    op.execute(f"GRANT SELECT ({SHOWN}) ON report TO {WEB}")
    op.execute(JOIN)
    op.execute(NAMED.format(asked=ASKED.format(exact="exact_")))
    op.execute(RIGHTS)
    op.execute(FILL)
    op.create_index(op.f("report_neighbourhood_id_idx"), "report", ["neighbourhood_id"])

    op.add_column("follow", sa.Column("name", sa.Text, server_default="", nullable=False))
    op.create_check_constraint(op.f("follow_name_is_short"), "follow", "length(name) <= 80")
    op.create_check_constraint(
        op.f("follow_only_drawn_areas_have_names"), "follow", "drawn IS NOT NULL OR name = ''"
    )
    op.execute(f"GRANT INSERT (name), UPDATE (name, drawn, kinds) ON follow TO {WEB}")


def downgrade() -> None:
    op.execute(f"REVOKE UPDATE (drawn, kinds) ON follow FROM {WEB}")
    op.drop_column("follow", "name")
    op.drop_index(op.f("report_neighbourhood_id_idx"), "report")
    op.execute(RIGHTS_BEFORE)
    op.execute(JOIN_BEFORE)
    op.execute(FILL_BEFORE)
    for area in AREAS:
        op.drop_column("report", f"{area}_id")
        op.alter_column("report", f"exact_{area}_id", new_column_name=f"{area}_id")
    op.execute(NAMED.format(asked=ASKED.format(exact="")))
    op.execute(f"GRANT SELECT ({SHOWN}) ON report TO {WEB}")
    op.create_index(op.f("report_neighbourhood_id_idx"), "report", ["neighbourhood_id"])


def _id(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.BigInteger)
