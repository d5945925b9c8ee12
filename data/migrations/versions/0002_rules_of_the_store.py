"""What the database itself sees to: areas of a report, served area, timeline, tallies, versions.

Loading in bulk sets `porchlight.bulk` to `on` for its transaction: it has joined the areas itself
(`geo.areas`) and counts the tallies once at the end, so the triggers on reports stand aside.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BULK = "(current_setting('porchlight.bulk', true) IS DISTINCT FROM 'on')"
LEVELS = "(14), (15), (16), (17)"

# An area is kept whole for drawing, and in small pieces for the question "what is this point in".
PIECES = """
CREATE FUNCTION area_keep_pieces() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM area_piece WHERE area_id = NEW.id;
    INSERT INTO area_piece (area_id, layer, geom)
    SELECT NEW.id, NEW.layer, piece
    FROM ST_Subdivide(NEW.geom, 64) AS part, LATERAL (SELECT (ST_Dump(part)).geom) AS dumped (piece)
    WHERE GeometryType(piece) = 'POLYGON';
    RETURN NULL;
END $$;
CREATE TRIGGER area_pieces_on_insert AFTER INSERT ON area
    FOR EACH ROW EXECUTE FUNCTION area_keep_pieces();
CREATE TRIGGER area_pieces_on_update AFTER UPDATE OF geom, layer ON area
    FOR EACH ROW WHEN (NOT ST_OrderingEquals(OLD.geom, NEW.geom) OR OLD.layer <> NEW.layer)
    EXECUTE FUNCTION area_keep_pieces();
"""

# ST_PointOnSurface: a line or a lot lies where its middle lies.
JOIN_ON_WRITE = """
CREATE FUNCTION report_join_areas() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""

# When boundaries change, the reports they touch are joined anew: one statement a layer.
JOIN_ON_CHANGE = """
CREATE FUNCTION join_reports_to_layer(changed area_layer) RETURNS void LANGUAGE plpgsql AS $$
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

CREATE FUNCTION area_join_reports() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed area_layer;
BEGIN
    IF NOT EXISTS (SELECT FROM report) THEN
        RETURN NULL;
    END IF;
    FOR changed IN SELECT DISTINCT layer FROM touched LOOP
        PERFORM join_reports_to_layer(changed);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER area_reports_on_insert AFTER INSERT ON area
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION area_join_reports();
CREATE TRIGGER area_reports_on_update AFTER UPDATE ON area
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION area_join_reports();
CREATE TRIGGER area_reports_on_delete AFTER DELETE ON area
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION area_join_reports();

CREATE FUNCTION join_reports_to_watches(region geometry) RETURNS void LANGUAGE sql AS $$
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

CREATE FUNCTION block_watch_join_reports() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM join_reports_to_watches(OLD.boundary);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM join_reports_to_watches(NEW.boundary);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER block_watch_reports AFTER INSERT OR DELETE OR UPDATE OF boundary ON block_watch
    FOR EACH ROW EXECUTE FUNCTION block_watch_join_reports();
"""

TIMELINE = """
CREATE FUNCTION report_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM report WHERE id = OLD.report_id) THEN
        RETURN OLD; -- the report itself is being erased
    END IF;
    RAISE EXCEPTION 'the timeline of a report is only ever added to'
        USING ERRCODE = 'restrict_violation', TABLE = 'report_event';
END $$;
CREATE TRIGGER report_event_append_only BEFORE UPDATE OR DELETE ON report_event
    FOR EACH ROW EXECUTE FUNCTION report_event_is_append_only();

CREATE FUNCTION report_status_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM status_step WHERE before = OLD.status AND after = NEW.status) THEN
        RAISE EXCEPTION 'a report cannot go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'report_status_follows',
                  TABLE = 'report';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION report_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
"""

# The cell of the web map's grid: the tile that holds a position at a zoom (Web Mercator).
CELLS = """
CREATE FUNCTION tile_x(longitude double precision, level integer) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT least(greatest(floor((longitude + 180) / 360 * (1 << level))::int, 0), (1 << level) - 1)
$$;
CREATE FUNCTION tile_y(latitude double precision, level integer) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT least(greatest(floor(
        (1 - asinh(tan(radians(latitude))) / pi()) / 2 * (1 << level)
    )::int, 0), (1 << level) - 1)
$$;
"""

TALLY = f"""
CREATE FUNCTION report_tally_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO report_tally (level, x, y, kind, category_code, status, n)
        SELECT level, tile_x(ST_X(c), level), tile_y(ST_Y(c), level),
               kind, category_code, status, count(*)
        FROM after_change, LATERAL (SELECT ST_Centroid(public_geom)) AS centre (c),
             (VALUES {LEVELS}) AS levels (level)
        WHERE public_geom IS NOT NULL AND status <> 'held'
        GROUP BY 1, 2, 3, 4, 5, 6;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO report_tally (level, x, y, kind, category_code, status, n)
        SELECT level, tile_x(ST_X(c), level), tile_y(ST_Y(c), level),
               kind, category_code, status, -count(*)
        FROM before_change, LATERAL (SELECT ST_Centroid(public_geom)) AS centre (c),
             (VALUES {LEVELS}) AS levels (level)
        WHERE public_geom IS NOT NULL AND status <> 'held'
        GROUP BY 1, 2, 3, 4, 5, 6;
    END IF;
    INSERT INTO layer_change (layer, n) VALUES ('reports', 1);
    RETURN NULL;
END $$;
CREATE FUNCTION report_tally_recount() RETURNS void LANGUAGE sql AS $$
    DELETE FROM report_tally;
    INSERT INTO report_tally (level, x, y, kind, category_code, status, n)
    SELECT level, tile_x(ST_X(c), level), tile_y(ST_Y(c), level),
           kind, category_code, status, count(*)
    FROM report, LATERAL (SELECT ST_Centroid(public_geom)) AS centre (c),
         (VALUES {LEVELS}) AS levels (level)
    WHERE public_geom IS NOT NULL AND status <> 'held'
    GROUP BY 1, 2, 3, 4, 5, 6;
    INSERT INTO layer_change (layer, n) VALUES ('reports', 1);
$$;
"""

ON_REPORT = f"""
CREATE TRIGGER report_areas_on_insert BEFORE INSERT ON report
    FOR EACH ROW WHEN {BULK} EXECUTE FUNCTION report_join_areas();
CREATE TRIGGER report_areas_on_update BEFORE UPDATE OF exact_geom ON report
    FOR EACH ROW WHEN {BULK} EXECUTE FUNCTION report_join_areas();
CREATE TRIGGER report_status BEFORE UPDATE OF status ON report
    FOR EACH ROW WHEN (OLD.status <> NEW.status AND {BULK})
    EXECUTE FUNCTION report_status_follows();
CREATE TRIGGER report_touched BEFORE UPDATE OF status, category_code, kind, severity, exact_geom,
    public_geom, address, description, duplicate_of_id ON report
    FOR EACH ROW WHEN {BULK} EXECUTE FUNCTION report_touch();
CREATE TRIGGER report_tally_on_insert AFTER INSERT ON report
    REFERENCING NEW TABLE AS after_change
    FOR EACH STATEMENT WHEN {BULK} EXECUTE FUNCTION report_tally_change();
CREATE TRIGGER report_tally_on_update AFTER UPDATE ON report
    REFERENCING OLD TABLE AS before_change NEW TABLE AS after_change
    FOR EACH STATEMENT WHEN {BULK} EXECUTE FUNCTION report_tally_change();
CREATE TRIGGER report_tally_on_delete AFTER DELETE ON report
    REFERENCING OLD TABLE AS before_change
    FOR EACH STATEMENT WHEN {BULK} EXECUTE FUNCTION report_tally_change();
"""

VERSIONS = """
CREATE FUNCTION layer_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO layer_change (layer, n) VALUES (TG_ARGV[0], 1);
    RETURN NULL;
END $$;
"""

LAYERS = (
    ("street_light", "street_lights"),
    ("service_location", "service_locations"),
    ("block_watch", "block_watches"),
    ("vacant_lot", "vacant_lots"),
    ("transit_stop", "transit_stops"),
    ("police_incident", "police_incidents"),
    ("area", "neighbourhoods"),
    ("area", "council_districts"),
    ("area", "base"),
    ("street", "base"),
    ("ground", "base"),
)


def upgrade() -> None:
    for rules in (
        PIECES,
        JOIN_ON_WRITE,
        JOIN_ON_CHANGE,
        TIMELINE,
        CELLS,
        TALLY,
        ON_REPORT,
        VERSIONS,
    ):
        op.execute(rules)
    for table, layer in LAYERS:
        op.execute(
            f"CREATE TRIGGER {table}_changes_{layer} AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION layer_changed('{layer}')"
        )


def downgrade() -> None:
    for table, layer in LAYERS:
        op.execute(f"DROP TRIGGER {table}_changes_{layer} ON {table}")
    op.execute(
        "DROP FUNCTION area_keep_pieces, report_join_areas, area_join_reports, "
        "block_watch_join_reports, report_event_is_append_only, report_status_follows, "
        "report_touch, report_tally_change, layer_changed CASCADE"
    )
    op.execute(
        "DROP FUNCTION join_reports_to_layer, join_reports_to_watches, report_tally_recount, "
        "tile_x, tile_y CASCADE"
    )
