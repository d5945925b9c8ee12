"""What the city is asked to fix: needs, and the reports that ask for them.

Triggers on reports keep needs, whatever way a report came in; loading in bulk (`porchlight.bulk`) calls
`needs_catch_up()` at its end. A need of which no report is left is deleted, but for a light's that was
fixed. The rules of which light a report means are those of `geo.outages`.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

WEB = "porchlight_web"
BULK = "(current_setting('porchlight.bulk', true) IS DISTINCT FROM 'on')"
DEFINER = "SECURITY DEFINER SET search_path = public, pg_temp"
# Planning each statement anew for the one report it gets takes ten times what it does.
KEPT = "SET plan_cache_mode = force_generic_plan"

KIND = postgresql.ENUM(name="report_kind", create_type=False)
STATUS = postgresql.ENUM(name="report_status", create_type=False)
MATCH = postgresql.ENUM(
    "picked", "nearest", "block", "stretch", "place", name="need_match", create_type=False
)

OPEN = "'{received,confirmed,scheduled,in_progress}'::report_status[]"
GRAVEST = (
    "'{light_damaged,block_dark,light_out,light_flickers,light_day_burner,"
    "light_blocked,light_needed}'::text[]"
)
METRES = 111195
"""Of a degree of latitude."""

# A plane in metres around a place is exact enough for what lies within some hundred metres of it.
MATCHING = f"""
CREATE FUNCTION metres_around(shape geometry, place geometry) RETURNS geometry
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ST_Scale(ST_Translate(shape, -ST_X(place), -ST_Y(place)),
                    {METRES} * cos(radians(ST_Y(place))), {METRES})
$$;

CREATE FUNCTION lights_near(shape geometry, reach_m double precision)
RETURNS TABLE (street_light_id bigint, distance_m double precision)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT street_light.id, metres
    FROM ST_Centroid(shape) AS place, LATERAL metres_around(shape, place) AS drawn, street_light,
        LATERAL ST_Distance(metres_around(geom, place), drawn) AS metres
    WHERE metres <= reach_m AND geom && ST_Expand(
        shape, reach_m / ({METRES} * cos(radians(ST_Y(place)))), reach_m / {METRES})
$$;

-- The street from corner to corner at a place; null where no street is near.
CREATE FUNCTION block_at(place geometry) RETURNS geometry LANGUAGE plpgsql STABLE {KEPT} AS $$
DECLARE
    own record;
    line geometry;
    span double precision;
    here double precision;
    corners double precision[];
    one double precision;
    other double precision;
BEGIN
    SELECT id, geom, metres INTO own
    FROM street, LATERAL ST_Distance(metres_around(geom, place), metres_around(place, place)) AS metres
    WHERE geom && ST_Expand(place, 60 / ({METRES} * cos(radians(ST_Y(place)))), 60.0 / {METRES})
        AND metres <= 60
    ORDER BY metres, id LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    line := metres_around(own.geom, place);
    span := ST_Length(line);
    here := ST_LineLocatePoint(line, metres_around(place, place));
    corners := ARRAY(
        SELECT ST_LineLocatePoint(line, metres_around(crossing.geom, place))
        FROM street, LATERAL ST_Dump(ST_Intersection(street.geom, own.geom)) AS crossing
        WHERE street.id <> own.id AND GeometryType(crossing.geom) = 'POINT' AND street.geom && ST_Expand(
            place, 150 / ({METRES} * cos(radians(ST_Y(place)))), 150.0 / {METRES})
    );
    SELECT coalesce(max(at), 0) INTO one FROM unnest(corners) AS at WHERE at <= here AND at < 1;
    SELECT coalesce(min(at), 1) INTO other FROM unnest(corners) AS at WHERE at > one;
    line := ST_LineSubstring(
        line, greatest(one, here - 150 / span), least(other, here + 150 / span));
    RETURN ST_Translate(
        ST_Scale(line, 1 / ({METRES} * cos(radians(ST_Y(place)))), 1.0 / {METRES}),
        ST_X(place), ST_Y(place));
END $$;

CREATE FUNCTION report_lights(category text, shape geometry, picked bigint)
RETURNS TABLE (street_light_id bigint, how need_match, distance_m double precision)
LANGUAGE plpgsql STABLE {KEPT} AS $$
DECLARE
    block geometry;
BEGIN
    IF category = 'light_needed' THEN
        RETURN;
    ELSIF GeometryType(shape) <> 'POINT' THEN
        RETURN QUERY SELECT near.street_light_id, 'stretch'::need_match, near.distance_m
        FROM lights_near(shape, 25) AS near;
    ELSIF category = 'block_dark' THEN
        block := block_at(shape);
        RETURN QUERY SELECT near.street_light_id, 'block'::need_match, near.distance_m
        FROM lights_near(block, 25) AS near;
    ELSIF picked IS NOT NULL THEN
        RETURN QUERY SELECT id, 'picked'::need_match,
            ST_Distance(metres_around(geom, shape), metres_around(shape, shape))
        FROM street_light WHERE id = picked;
    ELSIF category IN ('light_out', 'light_flickers', 'light_day_burner', 'light_damaged') THEN
        RETURN QUERY SELECT near.street_light_id, 'nearest'::need_match, near.distance_m
        FROM lights_near(shape, 40) AS near ORDER BY near.distance_m, near.street_light_id LIMIT 1;
    END IF;
END $$;

CREATE FUNCTION is_hazard(category text, severity report_severity) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT category = 'light_damaged' OR coalesce(severity = 'dangerous', false)
$$;
"""

KEEPING = f"""
CREATE FUNCTION need_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER need_version BEFORE UPDATE ON need
    FOR EACH ROW EXECUTE FUNCTION need_count_version();

-- A light stands as its latest need does, and one that came to nothing changes nothing: those that
-- stand otherwise.
CREATE FUNCTION lights_behind(asked bigint[])
RETURNS TABLE (street_light_id bigint, status light_status) LANGUAGE sql STABLE AS $$
    SELECT street_light.id, said.status
    FROM street_light LEFT JOIN LATERAL (
        SELECT id, status, closed_at FROM need
        WHERE street_light_id = street_light.id AND (closed_at IS NULL OR status = 'done')
        ORDER BY closed_at DESC NULLS FIRST, id DESC LIMIT 1
    ) AS latest ON true, LATERAL (SELECT CASE
        WHEN latest.closed_at IS NULL AND latest.status = 'received' THEN 'reported'
        WHEN latest.closed_at IS NULL AND latest.status = 'confirmed' THEN 'out'
        WHEN latest.closed_at IS NULL AND latest.id IS NOT NULL THEN 'scheduled'
        WHEN latest.status = 'done' AND NOT EXISTS (
            SELECT FROM need_report JOIN report ON report.id = report_id
            WHERE need_id = latest.id AND report.status = 'verified'
        ) THEN 'fixed'
        ELSE 'working' END::light_status) AS said (status)
    WHERE street_light.id = ANY (asked) AND street_light.status <> said.status
$$;
-- A statement that changes no row would still make every map fetch the lights anew.
CREATE FUNCTION lights_follow(asked bigint[]) RETURNS void LANGUAGE plpgsql
{DEFINER} {KEPT} AS $$
BEGIN
    IF EXISTS (SELECT FROM lights_behind(asked)) THEN
        UPDATE street_light SET status = behind.status FROM lights_behind(asked) AS behind
        WHERE street_light.id = behind.street_light_id;
    END IF;
END $$;

-- Open reports that belong to no need yet come to those of their lights, or to one of their own.
CREATE FUNCTION need_attach(asked bigint[]) RETURNS void LANGUAGE plpgsql
{DEFINER} {KEPT} AS $$
BEGIN
    WITH meant AS MATERIALIZED (
        SELECT report.id AS report_id, category_code, severity, status, reported_at, address,
            found.street_light_id, found.how, found.distance_m
        FROM report, LATERAL report_lights(
            category_code, exact_geom, report.street_light_id) AS found
        WHERE report.id = ANY (asked) AND kind = 'lighting'
    ), outage AS (
        SELECT street_light_id, min(reported_at) AS opened_at, max(status) AS status,
            bool_or(is_hazard(category_code, severity)) AS hazard,
            min(array_position({GRAVEST}, category_code)) AS grave,
            (array_agg(address ORDER BY reported_at, report_id))[1] AS address
        FROM meant GROUP BY street_light_id
    ), held AS (
        INSERT INTO need (kind, category_code, street_light_id, geom, address, neighbourhood_id,
            council_district_id, tract_id, hazard, status, opened_at, times_failed)
        SELECT 'lighting', ({GRAVEST})[grave], light.id, light.geom, outage.address,
            inside.neighbourhood_id, inside.council_district_id, inside.tract_id,
            hazard, outage.status, opened_at, (
                SELECT count(*) FROM need AS earlier
                WHERE earlier.street_light_id = light.id AND earlier.status = 'done'
                    AND earlier.closed_at > now() - interval '2 years'
            )
        FROM outage JOIN street_light AS light ON light.id = street_light_id,
            LATERAL need_areas(light.geom) AS inside
        -- Those that are there already in the order in which everybody locks them.
        ORDER BY (
            SELECT id FROM need WHERE street_light_id = light.id AND closed_at IS NULL
        ), light.id
        ON CONFLICT (street_light_id) WHERE closed_at IS NULL DO UPDATE SET
            opened_at = least(need.opened_at, excluded.opened_at),
            status = greatest(need.status, excluded.status),
            hazard = need.hazard OR excluded.hazard,
            category_code = ({GRAVEST})[least(
                array_position({GRAVEST}, need.category_code),
                array_position({GRAVEST}, excluded.category_code))]
        RETURNING id, street_light_id
    ), elsewhere AS MATERIALIZED (
        SELECT nextval(pg_get_serial_sequence('need', 'id')) AS need_id, report.*
        FROM report WHERE id = ANY (asked) AND id NOT IN (SELECT report_id FROM meant)
    ), made AS (
        INSERT INTO need (id, kind, category_code, geom, address, neighbourhood_id,
            council_district_id, tract_id, hazard, status, opened_at)
        SELECT need_id, kind, category_code, ST_PointOnSurface(exact_geom), address || home_address,
            exact_neighbourhood_id, exact_council_district_id, exact_tract_id,
            is_hazard(category_code, severity), status, reported_at
        FROM elsewhere
    )
    INSERT INTO need_report (need_id, report_id, how, distance_m)
    SELECT held.id, report_id, how, distance_m FROM meant JOIN held USING (street_light_id)
    UNION ALL
    SELECT need_id, id, 'place', NULL FROM elsewhere;
    PERFORM lights_follow(ARRAY(
        SELECT DISTINCT street_light_id FROM need JOIN need_report ON need_id = need.id
        WHERE report_id = ANY (asked) AND street_light_id IS NOT NULL ORDER BY 1
    ));
END $$;

-- Whoever changes several reports locks these, and then by this what they ask for: all in the order
-- of their ids, as those do who change a report or send one of a whole block.
CREATE FUNCTION hold_needs(asked bigint[]) RETURNS void LANGUAGE plpgsql {DEFINER} AS $$
BEGIN
    PERFORM FROM need WHERE id IN (
        SELECT need_id FROM need_report JOIN report ON report.id = report_id
        WHERE report.id = ANY (asked) OR duplicate_of_id = ANY (asked)
    ) ORDER BY id FOR UPDATE;
END $$;

-- Each need is what its reports say. They are locked first, so that of two who close the last two
-- reports of one the second sees what the first has done.
CREATE FUNCTION need_settle(asked bigint[]) RETURNS void LANGUAGE plpgsql
{DEFINER} {KEPT} AS $$
DECLARE
    lights bigint[];
BEGIN
    PERFORM FROM need WHERE id = ANY (asked) ORDER BY id FOR UPDATE;
    lights := ARRAY(
        SELECT DISTINCT street_light_id FROM need
        WHERE id = ANY (asked) AND street_light_id IS NOT NULL ORDER BY 1
    );
    DELETE FROM need WHERE id = ANY (asked) AND (street_light_id IS NULL OR status <> 'done')
        AND NOT EXISTS (SELECT FROM need_report WHERE need_id = need.id);
    UPDATE need SET
        category_code = coalesce(({GRAVEST})[said.grave], need.category_code),
        hazard = coalesce(said.hazard, need.hazard),
        status = coalesce(said.furthest, said.ended),
        opened_at = said.opened_at,
        closed_at = CASE WHEN said.furthest IS NULL
            THEN greatest(coalesce(need.closed_at, said.closed_at, now()), said.opened_at) END
    FROM (
        SELECT need_id,
            max(status) FILTER (WHERE status = ANY ({OPEN})) AS furthest,
            CASE WHEN bool_or(status IN ('done', 'verified')) THEN 'done' ELSE max(status) END
                AS ended,
            max(closed_at) AS closed_at,
            -- since what came to nothing nobody waits
            coalesce(
                min(reported_at) FILTER (WHERE status NOT IN ('held', 'declined', 'not_ours')),
                min(reported_at)) AS opened_at,
            bool_or(is_hazard(category_code, severity))
                FILTER (WHERE status = ANY ({OPEN}) OR as_duplicate) AS hazard,
            min(array_position({GRAVEST}, category_code)) FILTER (WHERE status = ANY ({OPEN}))
                AS grave
        FROM need_report JOIN report ON report.id = report_id
        WHERE need_id = ANY (asked) GROUP BY need_id
    ) AS said
    WHERE need.id = said.need_id;
    -- A place is where the report says that stands for the others.
    UPDATE need SET kind = lead.kind, category_code = lead.category_code,
        geom = ST_PointOnSurface(lead.exact_geom), address = lead.address || lead.home_address,
        neighbourhood_id = lead.exact_neighbourhood_id,
        council_district_id = lead.exact_council_district_id, tract_id = lead.exact_tract_id
    FROM need_report JOIN report AS lead ON lead.id = report_id
    WHERE need.id = need_id AND need.id = ANY (asked) AND need.street_light_id IS NULL
        AND NOT as_duplicate AND (need.kind, need.category_code, need.geom, need.address) IS DISTINCT FROM
            (lead.kind, lead.category_code, ST_PointOnSurface(lead.exact_geom),
             lead.address || lead.home_address);
    PERFORM lights_follow(lights);
END $$;

-- What changed of these reports, and of those that are duplicates of them, comes to their needs.
CREATE FUNCTION need_keep(asked bigint[], moved bigint[]) RETURNS void LANGUAGE plpgsql
{DEFINER} {KEPT} AS $$
DECLARE
    touched bigint[];
BEGIN
    asked := ARRAY(
        SELECT id FROM report WHERE duplicate_of_id = ANY (asked) UNION SELECT unnest(asked)
    );
    touched := ARRAY(SELECT DISTINCT need_id FROM need_report WHERE report_id = ANY (asked));
    PERFORM FROM need WHERE id = ANY (touched) ORDER BY id FOR UPDATE;
    -- taken up again after its light was fixed, and another outage of that is open
    INSERT INTO need_report (need_id, report_id, how, distance_m)
    SELECT later.id, report.id, part.how, part.distance_m
    FROM report JOIN need_report AS part ON part.report_id = report.id
        JOIN need AS own ON own.id = part.need_id
        JOIN need AS later ON later.street_light_id = own.street_light_id
    WHERE report.id = ANY (asked) AND report.status = ANY ({OPEN}) AND NOT part.as_duplicate
        AND own.closed_at IS NOT NULL AND later.closed_at IS NULL
    ON CONFLICT DO NOTHING;
    DELETE FROM need_report AS part USING report, need AS own
    WHERE report.id = part.report_id AND report.id = ANY (asked) AND own.id = part.need_id AND CASE
        WHEN report.kind = 'problem_spot' THEN true
        -- no duplicate any more, or of another
        WHEN part.as_duplicate THEN NOT EXISTS (
            SELECT FROM need_report AS other
            WHERE other.need_id = own.id AND other.report_id = report.duplicate_of_id)
        -- gone over to the later outage
        WHEN own.closed_at IS NOT NULL AND report.status = ANY ({OPEN}) AND EXISTS (
            SELECT FROM need AS later
            WHERE later.street_light_id = own.street_light_id AND later.closed_at IS NULL
        ) THEN true
        -- about another light than before
        WHEN report.id = ANY (moved) THEN NOT coalesce((
            SELECT array_agg(found.street_light_id) FROM report_lights(
                CASE report.kind WHEN 'lighting' THEN report.category_code ELSE 'light_needed' END,
                exact_geom, report.street_light_id) AS found
        ) = ARRAY[own.street_light_id], own.street_light_id IS NULL)
        ELSE false
    END;
    PERFORM need_attach(ARRAY(
        SELECT id FROM report
        WHERE id = ANY (asked) AND kind <> 'problem_spot' AND status = ANY ({OPEN})
            AND NOT EXISTS (
                SELECT FROM need_report WHERE report_id = report.id AND NOT as_duplicate)
    ));
    INSERT INTO need_report (need_id, report_id, how, as_duplicate)
    SELECT part.need_id, report.id, part.how, true
    FROM report JOIN need_report AS part ON part.report_id = report.duplicate_of_id
    WHERE report.id = ANY (asked) AND report.kind <> 'problem_spot'
        AND report.status = 'duplicate' AND NOT part.as_duplicate
    ON CONFLICT DO NOTHING;
    PERFORM need_settle(ARRAY(
        SELECT unnest(touched)
        UNION SELECT need_id FROM need_report WHERE report_id = ANY (asked) ORDER BY 1
    ));
END $$;
"""

# Whatever loaded reports in bulk calls this once. The outages of a light are told apart by their times:
# a report that came after all before it were closed begins another.
CATCHING_UP = f"""
-- A pole that is put on the map later takes the reports within its reach that had none.
CREATE FUNCTION needs_find_lights() RETURNS void LANGUAGE plpgsql {DEFINER} AS $$
DECLARE
    found bigint[] := ARRAY(
        SELECT DISTINCT report.id
        FROM need JOIN need_report AS part ON part.need_id = need.id AND NOT as_duplicate
            JOIN report ON report.id = part.report_id,
            LATERAL report_lights(report.category_code, exact_geom, report.street_light_id)
        WHERE need.kind = 'lighting' AND need.closed_at IS NULL AND need.street_light_id IS NULL
    );
BEGIN
    IF found <> '{{}}' THEN
        PERFORM need_keep(found, found);
    END IF;
END $$;

CREATE FUNCTION needs_catch_up() RETURNS void LANGUAGE plpgsql {DEFINER} AS $$
DECLARE
    changed bigint[] := ARRAY(
        SELECT id FROM report WHERE updated_at = now()
            AND EXISTS (SELECT FROM need_report WHERE report_id = report.id)
    );
BEGIN
    WITH past AS MATERIALIZED (
        SELECT report.id AS report_id, category_code, severity, reported_at, closed_at, address,
            found.street_light_id, found.how, found.distance_m
        FROM report, LATERAL report_lights(
            category_code, exact_geom, report.street_light_id) AS found
        WHERE kind = 'lighting' AND status IN ('done', 'verified')
            AND closed_at > now() - interval '2 years'
            AND NOT EXISTS (SELECT FROM need_report WHERE report_id = report.id)
    ), told_apart AS (
        SELECT *, reported_at <= max(closed_at) OVER (
            PARTITION BY street_light_id ORDER BY reported_at, report_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS goes_on
        FROM past
    ), counted AS (
        SELECT *, count(*) FILTER (WHERE goes_on IS NOT TRUE) OVER (
            PARTITION BY street_light_id ORDER BY reported_at, report_id) AS nth
        FROM told_apart
    ), outage AS MATERIALIZED (
        SELECT nextval(pg_get_serial_sequence('need', 'id')) AS need_id, one.*
        FROM (
            SELECT street_light_id, nth, min(reported_at) AS opened_at, max(closed_at) AS closed_at,
                bool_or(is_hazard(category_code, severity)) AS hazard,
                min(array_position({GRAVEST}, category_code)) AS grave,
                (array_agg(address ORDER BY reported_at, report_id))[1] AS address
            FROM counted GROUP BY street_light_id, nth ORDER BY min(reported_at)
        ) AS one
    ), made AS (
        INSERT INTO need (id, kind, category_code, street_light_id, geom, address, neighbourhood_id,
            council_district_id, tract_id, hazard, status, opened_at, closed_at, times_failed)
        SELECT need_id, 'lighting', ({GRAVEST})[grave], light.id, light.geom, address,
            inside.neighbourhood_id, inside.council_district_id, inside.tract_id, hazard, 'done',
            opened_at, closed_at, nth - 1
        FROM outage JOIN street_light AS light ON light.id = street_light_id,
            LATERAL need_areas(light.geom) AS inside
    )
    INSERT INTO need_report (need_id, report_id, how, distance_m)
    SELECT need_id, report_id, how, distance_m
    FROM counted JOIN outage USING (street_light_id, nth);
    PERFORM need_attach(ARRAY(
        SELECT id FROM report WHERE kind <> 'problem_spot' AND status = ANY ({OPEN})
            AND NOT EXISTS (SELECT FROM need_report WHERE report_id = report.id)
        ORDER BY reported_at, id
    ));
    INSERT INTO need_report (need_id, report_id, how, as_duplicate)
    SELECT part.need_id, report.id, part.how, true
    FROM report JOIN need_report AS part ON part.report_id = report.duplicate_of_id
    WHERE report.kind <> 'problem_spot' AND report.status = 'duplicate' AND NOT part.as_duplicate
    ON CONFLICT DO NOTHING;
    IF changed <> '{{}}' THEN
        PERFORM need_keep(changed, changed);
    END IF;
    -- What is open may have been known before what was fixed earlier.
    UPDATE need SET times_failed = before.times
    FROM (
        SELECT street_light_id, count(*) AS times FROM need
        WHERE status = 'done' AND closed_at > now() - interval '2 years' GROUP BY 1
    ) AS before
    WHERE need.street_light_id = before.street_light_id AND need.closed_at IS NULL
        AND need.times_failed <> before.times;
    PERFORM needs_find_lights();
    -- What a file says of a light holds until there is a report of it.
    PERFORM lights_follow(ARRAY(SELECT street_light_id FROM need
        WHERE closed_at IS NULL AND street_light_id IS NOT NULL ORDER BY 1));
END $$;
"""

TRIGGERS = f"""
CREATE FUNCTION report_brings_need() RETURNS trigger LANGUAGE plpgsql {DEFINER} AS $$
DECLARE
    come bigint[] := ARRAY(
        SELECT id FROM after_change WHERE kind <> 'problem_spot' AND status = ANY ({OPEN}));
    merged bigint[] := ARRAY(
        SELECT id FROM after_change WHERE kind <> 'problem_spot' AND status = 'duplicate');
BEGIN
    IF come <> '{{}}' THEN
        PERFORM need_attach(come);
    END IF;
    IF merged <> '{{}}' THEN
        PERFORM need_keep(merged, '{{}}');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER report_need_on_insert AFTER INSERT ON report
    REFERENCING NEW TABLE AS after_change
    FOR EACH STATEMENT WHEN {BULK} EXECUTE FUNCTION report_brings_need();

-- By EXCEPT, whose plan does for one row and for a million: plans of triggers are kept.
CREATE FUNCTION report_changes_need() RETURNS trigger LANGUAGE plpgsql {DEFINER} AS $$
DECLARE
    moved bigint[] := ARRAY(
        SELECT id FROM (
            SELECT id, kind, category_code, street_light_id, exact_geom FROM after_change
            EXCEPT SELECT id, kind, category_code, street_light_id, exact_geom FROM before_change
        ) AS other);
    changed bigint[] := ARRAY(
        SELECT id FROM (
            SELECT id, status, duplicate_of_id, severity, address, home_address FROM after_change
            EXCEPT
            SELECT id, status, duplicate_of_id, severity, address, home_address FROM before_change
        ) AS other) || moved;
BEGIN
    IF changed <> '{{}}' THEN
        PERFORM need_keep(changed, moved);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER report_need_on_update AFTER UPDATE ON report
    REFERENCING OLD TABLE AS before_change NEW TABLE AS after_change
    FOR EACH STATEMENT WHEN {BULK} EXECUTE FUNCTION report_changes_need();

CREATE FUNCTION need_report_gone() RETURNS trigger LANGUAGE plpgsql {DEFINER} AS $$
DECLARE
    touched bigint[] := ARRAY(SELECT DISTINCT need_id FROM gone);
BEGIN
    IF touched <> '{{}}' THEN
        PERFORM need_settle(touched);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER need_report_on_delete AFTER DELETE ON need_report
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION need_report_gone();

CREATE FUNCTION street_light_takes_needs() RETURNS trigger LANGUAGE plpgsql {DEFINER} AS $$
BEGIN
    PERFORM needs_find_lights();
    RETURN NULL;
END $$;
CREATE TRIGGER street_light_needs_on_insert AFTER INSERT ON street_light
    FOR EACH STATEMENT WHEN {BULK} EXECUTE FUNCTION street_light_takes_needs();

CREATE FUNCTION street_light_moves_need() RETURNS trigger LANGUAGE plpgsql {DEFINER} AS $$
BEGIN
    UPDATE need SET geom = NEW.geom, neighbourhood_id = inside.neighbourhood_id,
        council_district_id = inside.council_district_id, tract_id = inside.tract_id
    FROM need_areas(NEW.geom) AS inside WHERE street_light_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER street_light_needs_on_update AFTER UPDATE OF geom ON street_light
    FOR EACH ROW WHEN (NOT ST_OrderingEquals(OLD.geom, NEW.geom))
    EXECUTE FUNCTION street_light_moves_need();

CREATE FUNCTION area_join_needs() RETURNS trigger LANGUAGE plpgsql {DEFINER} AS $$
BEGIN
    UPDATE need SET neighbourhood_id = inside.neighbourhood_id,
        council_district_id = inside.council_district_id, tract_id = inside.tract_id
    FROM need AS same, LATERAL need_areas(same.geom) AS inside
    WHERE same.id = need.id
        AND (need.neighbourhood_id, need.council_district_id, need.tract_id) IS DISTINCT FROM
            (inside.neighbourhood_id, inside.council_district_id, inside.tract_id);
    RETURN NULL;
END $$;
CREATE TRIGGER area_needs AFTER INSERT OR UPDATE OR DELETE ON area
    FOR EACH STATEMENT EXECUTE FUNCTION area_join_needs();
"""

AREAS = """
CREATE FUNCTION need_areas(place geometry)
RETURNS TABLE (neighbourhood_id bigint, council_district_id bigint, tract_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT min(area_id) FILTER (WHERE layer = 'neighbourhood'),
        min(area_id) FILTER (WHERE layer = 'council_district'),
        min(area_id) FILTER (WHERE layer = 'tract')
    FROM area_piece WHERE ST_Intersects(geom, place)
$$;
"""

# Asked once a query and not once a row.
RIGHTS = f"""
CREATE FUNCTION visitor_works_in() RETURNS TABLE (kind report_kind, council_district_id bigint)
LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT unnest(CASE held.role WHEN 'administrator' THEN enum_range(NULL::report_kind)
        ELSE department.kinds END), held.area_id
    FROM role_grant AS held LEFT JOIN department ON department.id = held.department_id
    WHERE visitor_is_strong() AND held.person_id = visitor() AND held.ended_at IS NULL
        AND held.role IN ('staff', 'administrator')
$$;

ALTER TABLE need ENABLE ROW LEVEL SECURITY;
CREATE POLICY work ON need FOR SELECT USING (
    kind = ANY (ARRAY(
        SELECT mine.kind FROM visitor_works_in() AS mine WHERE mine.council_district_id IS NULL))
    OR (kind, council_district_id) IN (
        SELECT mine.kind, mine.council_district_id FROM visitor_works_in() AS mine
        WHERE mine.council_district_id IS NOT NULL)
);
ALTER TABLE need_report ENABLE ROW LEVEL SECURITY;
CREATE POLICY work ON need_report FOR SELECT USING (
    EXISTS (SELECT FROM need WHERE need.id = need_id));
GRANT SELECT ON need, need_report TO {WEB};
GRANT SELECT (street_light_id) ON report TO {WEB};

-- Lights stand in the street: that one is out, and what was said of it, is for everybody.
CREATE VIEW street_light_need WITH (security_barrier) AS
SELECT street_light_id, status, opened_at, (
    SELECT count(*) FROM need_report JOIN report ON report.id = report_id
    WHERE need_id = need.id AND report.status = ANY ({OPEN} || 'duplicate'::report_status)
) AS reports
FROM need WHERE closed_at IS NULL AND street_light_id IS NOT NULL;
CREATE VIEW report_light WITH (security_barrier) AS
SELECT report_id, street_light_id, how
FROM need_report JOIN need ON need.id = need_id
WHERE street_light_id IS NOT NULL AND NOT as_duplicate;
GRANT SELECT ON street_light_need, report_light TO {WEB};
"""


def upgrade() -> None:
    op.add_column("report", _reference("street_light_id", "report", "street_light", "SET NULL"))
    op.create_index(
        op.f("report_street_light_id_idx"), "report", ["street_light_id"],
        postgresql_where=sa.text("street_light_id IS NOT NULL"),
    )  # fmt: skip
    MATCH.create(op.get_bind())
    op.create_table(
        "need",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("kind", KIND, nullable=False),
        sa.Column(
            "category_code",
            sa.Text,
            sa.ForeignKey("category.code", name=op.f("need_category_code_fkey")),
            nullable=False,
        ),
        _reference("street_light_id", "need", "street_light", "SET NULL"),
        sa.Column("geom", Geometry("POINT", srid=4326, spatial_index=False), nullable=False),
        sa.Column("address", sa.Text, server_default="", nullable=False),
        sa.Column("neighbourhood_id", sa.BigInteger),
        sa.Column("council_district_id", sa.BigInteger),
        sa.Column("tract_id", sa.BigInteger),
        sa.Column("hazard", sa.Boolean, nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.Integer, server_default=sa.text("1"), nullable=False),
        sa.Column("times_failed", sa.Integer, server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("kind IN ('lighting', 'cleanup')", name=op.f("need_kind_is_work")),
        sa.CheckConstraint(
            "(closed_at IS NULL) = "
            "(status IN ('received', 'confirmed', 'scheduled', 'in_progress'))",
            name=op.f("need_open_ones_are_not_closed"),
        ),
        sa.CheckConstraint("closed_at >= opened_at", name=op.f("need_closed_after_opened")),
    )
    op.create_index(
        "need_light_open_once", "need", ["street_light_id"], unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )  # fmt: skip
    op.create_index(
        op.f("need_street_light_id_idx"), "need", ["street_light_id"],
        postgresql_where=sa.text("street_light_id IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "need_open_idx", "need", ["kind", "opened_at", "id"],
        postgresql_where=sa.text("closed_at IS NULL"),
    )  # fmt: skip
    op.create_table(
        "need_report",
        _reference("need_id", "need_report", "need", "CASCADE", primary_key=True),
        _reference("report_id", "need_report", "report", "CASCADE", primary_key=True),
        sa.Column("how", MATCH, nullable=False),
        sa.Column("distance_m", sa.Float),
        sa.Column("as_duplicate", sa.Boolean, server_default=sa.text("false"), nullable=False),
    )
    op.create_index(op.f("need_report_report_id_idx"), "need_report", ["report_id"])
    for rules in (AREAS, MATCHING, KEEPING, CATCHING_UP, TRIGGERS, RIGHTS):
        op.execute(rules)
    op.execute("SELECT needs_catch_up()")


def downgrade() -> None:
    op.execute("DROP VIEW street_light_need, report_light")
    op.execute(f"REVOKE SELECT (street_light_id) ON report FROM {WEB}")
    op.execute(
        "DROP FUNCTION report_brings_need, report_changes_need, need_report_gone, "
        "street_light_takes_needs, street_light_moves_need, area_join_needs CASCADE"
    )
    op.drop_table("need_report")
    op.drop_table("need")
    op.execute(
        "DROP FUNCTION need_count_version, hold_needs, need_attach, need_settle, need_keep, needs_catch_up, needs_find_lights, "
        "lights_follow, lights_behind, report_lights, lights_near, block_at, metres_around, is_hazard, need_areas, "
        "visitor_works_in"
    )
    MATCH.drop(op.get_bind())
    op.drop_column("report", "street_light_id")


def _reference(
    name: str, table: str, other: str, ondelete: str, **options: Any
) -> "sa.Column[Any]":
    reference = sa.ForeignKey(f"{other}.id", name=op.f(f"{table}_{name}_fkey"), ondelete=ondelete)
    return sa.Column(name, sa.BigInteger, reference, **options)
