"""the first tables"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

AREA_LAYER = postgresql.ENUM(
    "city",
    "neighbourhood",
    "council_district",
    "patrol_division",
    "tract",
    "block_group",
    "postal_area",
    "block",
    name="area_layer",
    create_type=False,
)
REPORT_KIND = postgresql.ENUM(
    "problem_spot", "lighting", "cleanup", name="report_kind", create_type=False
)
CATEGORY_SETTING = postgresql.ENUM(
    "public_space", "home", name="category_setting", create_type=False
)
GROUND_TYPE = postgresql.ENUM("water", "park", name="ground_type", create_type=False)
REPORT_STATUS = postgresql.ENUM(
    "held",
    "received",
    "confirmed",
    "scheduled",
    "in_progress",
    "done",
    "verified",
    "duplicate",
    "declined",
    "not_ours",
    name="report_status",
    create_type=False,
)
LIGHT_STATUS = postgresql.ENUM(
    "working", "reported", "out", "scheduled", "fixed", name="light_status", create_type=False
)
REPORT_SEVERITY = postgresql.ENUM(
    "minor", "serious", "dangerous", name="report_severity", create_type=False
)
SERVICE_STATUS = postgresql.ENUM(
    "active", "inactive", "defunct", "temporarily closed", name="service_status", create_type=False
)
LOCATION_TYPE = postgresql.ENUM(
    "police_station",
    "fire_station",
    "library",
    "community_centre",
    "school",
    "youth_family",
    "health",
    "food_shelter",
    "place_of_worship",
    "city_office",
    "other",
    name="location_type",
    create_type=False,
)
REPORT_EVENT_KIND = postgresql.ENUM(
    "status", "support", "note", name="report_event_kind", create_type=False
)
ENUMERATIONS = (
    AREA_LAYER,
    REPORT_KIND,
    CATEGORY_SETTING,
    GROUND_TYPE,
    REPORT_STATUS,
    LIGHT_STATUS,
    REPORT_SEVERITY,
    SERVICE_STATUS,
    LOCATION_TYPE,
    REPORT_EVENT_KIND,
)


def geometry(kind: str) -> Geometry:
    return Geometry(kind, srid=4326, spatial_index=False)


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    for enumeration in ENUMERATIONS:
        enumeration.create(op.get_bind())
    op.create_table(
        "area",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("layer", AREA_LAYER, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("geom", geometry("MULTIPOLYGON"), nullable=False),
        sa.Column("land_m2", sa.Double(), nullable=True),
        sa.Column("households", sa.Integer(), nullable=True),
        sa.Column("population", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "ST_IsValid(geom) AND NOT ST_IsEmpty(geom)", name=op.f("area_geometry_is_valid")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("area_pkey")),
        sa.UniqueConstraint("layer", "code", name=op.f("area_layer_code_key")),
    )
    op.create_index(op.f("area_geom_idx"), "area", ["geom"], unique=False, postgresql_using="gist")
    op.create_table(
        "block_watch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("boundary", geometry("MULTIPOLYGON"), nullable=False),
        sa.Column("contact", sa.Text(), server_default="", nullable=False),
        sa.Column("meeting", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "ST_IsValid(boundary) AND NOT ST_IsEmpty(boundary)",
            name=op.f("block_watch_boundary_is_valid"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("block_watch_pkey")),
        sa.UniqueConstraint("name", name=op.f("block_watch_name_key")),
        sa.UniqueConstraint(
            "source", "external_id", name=op.f("block_watch_source_external_id_key")
        ),
    )
    op.create_index(
        op.f("block_watch_boundary_idx"),
        "block_watch",
        ["boundary"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_table(
        "category",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", REPORT_KIND, nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("service_code", sa.Text(), nullable=False),
        sa.Column("duplicate_radius_m", sa.Integer(), nullable=False),
        sa.Column("setting", CATEGORY_SETTING, nullable=False),
        sa.CheckConstraint(
            "duplicate_radius_m BETWEEN 1 AND 1000", name=op.f("category_radius_is_sensible")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("category_pkey")),
        sa.UniqueConstraint("code", "kind", name=op.f("category_code_kind_key")),
        sa.UniqueConstraint("service_code", name=op.f("category_service_code_key")),
    )
    op.create_table(
        "ground",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("type", GROUND_TYPE, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("geom", geometry("MULTIPOLYGON"), nullable=False),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("ground_pkey")),
        sa.UniqueConstraint("source", "external_id", name=op.f("ground_source_external_id_key")),
    )
    op.create_index(
        op.f("ground_geom_idx"), "ground", ["geom"], unique=False, postgresql_using="gist"
    )
    op.create_table(
        "import_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rows_read", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("inserted", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rejected", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "left_out",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "options",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("import_run_pkey")),
    )
    op.create_table(
        "layer_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("layer_change_pkey")),
    )
    op.create_table(
        "organization",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("website", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("organization_pkey")),
        sa.UniqueConstraint("name", name=op.f("organization_name_key")),
        sa.UniqueConstraint("uuid", name=op.f("organization_uuid_key")),
    )
    op.create_table(
        "police_incident",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("offense", sa.Text(), nullable=False),
        sa.Column("offense_group", sa.Text(), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("exact_geom", geometry("POINT"), nullable=False),
        sa.Column("public_geom", geometry("POINT"), nullable=True),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "NOT (sensitive AND public_geom IS NOT NULL)",
            name=op.f("police_incident_sensitive_has_no_public_position"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("police_incident_pkey")),
        sa.UniqueConstraint(
            "source", "external_id", name=op.f("police_incident_source_external_id_key")
        ),
    )
    op.create_index(
        op.f("police_incident_exact_geom_idx"),
        "police_incident",
        ["exact_geom"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_index(
        op.f("police_incident_occurred_at_idx"), "police_incident", ["occurred_at"], unique=False
    )
    op.create_index(
        op.f("police_incident_public_geom_idx"),
        "police_incident",
        ["public_geom"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_table(
        "report_tally",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("x", sa.Integer(), nullable=False),
        sa.Column("y", sa.Integer(), nullable=False),
        sa.Column("kind", REPORT_KIND, nullable=False),
        sa.Column("category_code", sa.Text(), nullable=False),
        sa.Column("status", REPORT_STATUS, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("report_tally_pkey")),
    )
    op.create_index(
        op.f("report_tally_level_x_y_idx"), "report_tally", ["level", "x", "y"], unique=False
    )
    op.create_table(
        "status_step",
        sa.Column("before", REPORT_STATUS, nullable=False),
        sa.Column("after", REPORT_STATUS, nullable=False),
        sa.PrimaryKeyConstraint("before", "after", name=op.f("status_step_pkey")),
    )
    op.create_table(
        "street",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("geom", geometry("LINESTRING"), nullable=False),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("rank BETWEEN 1 AND 3", name=op.f("street_rank_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("street_pkey")),
        sa.UniqueConstraint("source", "external_id", name=op.f("street_source_external_id_key")),
    )
    op.create_index(
        op.f("street_geom_idx"), "street", ["geom"], unique=False, postgresql_using="gist"
    )
    op.create_table(
        "street_light",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("pole_id", sa.Text(), nullable=False),
        sa.Column("status", LIGHT_STATUS, server_default="working", nullable=False),
        sa.Column("geom", geometry("POINT"), nullable=False),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("street_light_pkey")),
        sa.UniqueConstraint("pole_id", name=op.f("street_light_pole_id_key")),
        sa.UniqueConstraint(
            "source", "external_id", name=op.f("street_light_source_external_id_key")
        ),
    )
    op.create_index(
        op.f("street_light_geom_idx"),
        "street_light",
        ["geom"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_table(
        "transit_stop",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("geom", geometry("POINT"), nullable=False),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("transit_stop_pkey")),
        sa.UniqueConstraint(
            "source", "external_id", name=op.f("transit_stop_source_external_id_key")
        ),
    )
    op.create_index(
        op.f("transit_stop_geom_idx"),
        "transit_stop",
        ["geom"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_table(
        "vacant_lot",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("parcel_number", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("owner_kind", sa.Text(), server_default="", nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("geom", geometry("POINT"), nullable=False),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("vacant_lot_pkey")),
        sa.UniqueConstraint(
            "source", "external_id", name=op.f("vacant_lot_source_external_id_key")
        ),
    )
    op.create_index(
        op.f("vacant_lot_geom_idx"), "vacant_lot", ["geom"], unique=False, postgresql_using="gist"
    )
    op.create_table(
        "area_piece",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("area_id", sa.BigInteger(), nullable=False),
        sa.Column("layer", AREA_LAYER, nullable=False),
        sa.Column("geom", geometry("POLYGON"), nullable=False),
        sa.ForeignKeyConstraint(
            ["area_id"], ["area.id"], name=op.f("area_piece_area_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("area_piece_pkey")),
    )
    op.create_index(op.f("area_piece_area_id_idx"), "area_piece", ["area_id"], unique=False)
    op.create_index(
        op.f("area_piece_geom_idx"), "area_piece", ["geom"], unique=False, postgresql_using="gist"
    )
    op.create_index(op.f("area_piece_layer_idx"), "area_piece", ["layer"], unique=False)
    op.create_table(
        "rejected_row",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("import_run_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("column_name", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("row", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_run_id"],
            ["import_run.id"],
            name=op.f("rejected_row_import_run_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("rejected_row_pkey")),
    )
    op.create_index(
        op.f("rejected_row_import_run_id_idx"), "rejected_row", ["import_run_id"], unique=False
    )
    op.create_table(
        "report",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", REPORT_KIND, nullable=False),
        sa.Column("category_code", sa.Text(), nullable=False),
        sa.Column("status", REPORT_STATUS, server_default="received", nullable=False),
        sa.Column("severity", REPORT_SEVERITY, nullable=True),
        sa.Column("exact_geom", geometry("GEOMETRY"), nullable=False),
        sa.Column("public_geom", geometry("GEOMETRY"), nullable=True),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "reported_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("neighbourhood_id", sa.BigInteger(), nullable=True),
        sa.Column("council_district_id", sa.BigInteger(), nullable=True),
        sa.Column("patrol_division_id", sa.BigInteger(), nullable=True),
        sa.Column("tract_id", sa.BigInteger(), nullable=True),
        sa.Column("block_watch_id", sa.BigInteger(), nullable=True),
        sa.Column("duplicate_of_id", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(status = 'duplicate') OR duplicate_of_id IS NULL",
            name=op.f("report_only_duplicates_point_elsewhere"),
        ),
        sa.CheckConstraint(
            "GeometryType(exact_geom) IN ('POINT', 'LINESTRING', 'POLYGON')",
            name=op.f("report_geometry_is_a_point_line_or_polygon"),
        ),
        sa.CheckConstraint(
            "ST_IsValid(exact_geom) AND NOT ST_IsEmpty(exact_geom)",
            name=op.f("report_geometry_is_valid"),
        ),
        sa.CheckConstraint("closed_at >= reported_at", name=op.f("report_closed_after_reported")),
        sa.CheckConstraint("length(description) <= 2000", name=op.f("report_description_is_short")),
        sa.CheckConstraint(
            "occurred_at <= reported_at", name=op.f("report_occurred_before_reported")
        ),
        sa.ForeignKeyConstraint(
            ["category_code", "kind"],
            ["category.code", "category.kind"],
            name=op.f("report_category_code_kind_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["duplicate_of_id"], ["report.id"], name=op.f("report_duplicate_of_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("report_pkey")),
        sa.UniqueConstraint("source", "external_id", name=op.f("report_source_external_id_key")),
    )
    op.create_index(op.f("report_block_watch_id_idx"), "report", ["block_watch_id"], unique=False)
    op.create_index(
        op.f("report_duplicate_of_id_idx"),
        "report",
        ["duplicate_of_id"],
        unique=False,
        postgresql_where=sa.text("duplicate_of_id IS NOT NULL"),
    )
    op.create_index(
        op.f("report_exact_geom_idx"),
        "report",
        ["exact_geom"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_index(
        op.f("report_neighbourhood_id_idx"), "report", ["neighbourhood_id"], unique=False
    )
    op.create_index(
        op.f("report_public_geom_idx"),
        "report",
        ["public_geom"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_index(
        op.f("report_reported_at_id_idx"), "report", ["reported_at", "id"], unique=False
    )
    op.create_table(
        "service",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("status", SERVICE_STATUS, server_default="active", nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("service_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("service_pkey")),
        sa.UniqueConstraint(
            "organization_id", "name", name=op.f("service_organization_id_name_key")
        ),
        sa.UniqueConstraint("uuid", name=op.f("service_uuid_key")),
    )
    op.create_table(
        "service_location",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("uuid", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", LOCATION_TYPE, nullable=False),
        sa.Column("geom", geometry("POINT"), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("hours", sa.Text(), server_default="", nullable=False),
        sa.Column("website", sa.Text(), server_default="", nullable=False),
        sa.Column("confidential", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("ST_IsValid(geom)", name=op.f("service_location_geometry_is_valid")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organization.id"],
            name=op.f("service_location_organization_id_fkey"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("service_location_pkey")),
        sa.UniqueConstraint(
            "source", "external_id", name=op.f("service_location_source_external_id_key")
        ),
        sa.UniqueConstraint("uuid", name=op.f("service_location_uuid_key")),
    )
    op.create_index(
        op.f("service_location_geom_idx"),
        "service_location",
        ["geom"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_table(
        "report_contact",
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["report.id"],
            name=op.f("report_contact_report_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("report_id", name=op.f("report_contact_pkey")),
    )
    op.create_table(
        "report_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("kind", REPORT_EVENT_KIND, nullable=False),
        sa.Column("from_status", REPORT_STATUS, nullable=True),
        sa.Column("to_status", REPORT_STATUS, nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("public", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint(
            "(kind = 'status') = (to_status IS NOT NULL)",
            name=op.f("report_event_status_events_name_a_status"),
        ),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["report.id"],
            name=op.f("report_event_report_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("report_event_pkey")),
    )
    op.create_index(op.f("report_event_report_id_idx"), "report_event", ["report_id"], unique=False)
    op.create_table(
        "service_at_location",
        sa.Column("service_id", sa.BigInteger(), nullable=False),
        sa.Column("service_location_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["service_id"],
            ["service.id"],
            name=op.f("service_at_location_service_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["service_location_id"],
            ["service_location.id"],
            name=op.f("service_at_location_service_location_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "service_id", "service_location_id", name=op.f("service_at_location_pkey")
        ),
    )
    op.create_table(
        "submission",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("submission_report_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("submission_pkey")),
    )
    op.create_table(
        "support",
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("supporter", sa.LargeBinary(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("support_report_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("report_id", "supporter", name=op.f("support_pkey")),
    )


def downgrade() -> None:
    op.drop_table("support")
    op.drop_table("submission")
    op.drop_table("service_at_location")
    op.drop_index(op.f("report_event_report_id_idx"), table_name="report_event")
    op.drop_table("report_event")
    op.drop_table("report_contact")
    op.drop_index(
        op.f("service_location_geom_idx"), table_name="service_location", postgresql_using="gist"
    )
    op.drop_table("service_location")
    op.drop_table("service")
    op.drop_index(op.f("report_reported_at_id_idx"), table_name="report")
    op.drop_index(op.f("report_public_geom_idx"), table_name="report", postgresql_using="gist")
    op.drop_index(op.f("report_neighbourhood_id_idx"), table_name="report")
    op.drop_index(op.f("report_exact_geom_idx"), table_name="report", postgresql_using="gist")
    op.drop_index(
        op.f("report_duplicate_of_id_idx"),
        table_name="report",
        postgresql_where=sa.text("duplicate_of_id IS NOT NULL"),
    )
    op.drop_index(op.f("report_block_watch_id_idx"), table_name="report")
    op.drop_table("report")
    op.drop_index(op.f("rejected_row_import_run_id_idx"), table_name="rejected_row")
    op.drop_table("rejected_row")
    op.drop_index(op.f("area_piece_layer_idx"), table_name="area_piece")
    op.drop_index(op.f("area_piece_geom_idx"), table_name="area_piece", postgresql_using="gist")
    op.drop_index(op.f("area_piece_area_id_idx"), table_name="area_piece")
    op.drop_table("area_piece")
    op.drop_index(op.f("vacant_lot_geom_idx"), table_name="vacant_lot", postgresql_using="gist")
    op.drop_table("vacant_lot")
    op.drop_index(op.f("transit_stop_geom_idx"), table_name="transit_stop", postgresql_using="gist")
    op.drop_table("transit_stop")
    op.drop_index(op.f("street_light_geom_idx"), table_name="street_light", postgresql_using="gist")
    op.drop_table("street_light")
    op.drop_index(op.f("street_geom_idx"), table_name="street", postgresql_using="gist")
    op.drop_table("street")
    op.drop_table("status_step")
    op.drop_index(op.f("report_tally_level_x_y_idx"), table_name="report_tally")
    op.drop_table("report_tally")
    op.drop_index(
        op.f("police_incident_public_geom_idx"),
        table_name="police_incident",
        postgresql_using="gist",
    )
    op.drop_index(op.f("police_incident_occurred_at_idx"), table_name="police_incident")
    op.drop_index(
        op.f("police_incident_exact_geom_idx"),
        table_name="police_incident",
        postgresql_using="gist",
    )
    op.drop_table("police_incident")
    op.drop_table("organization")
    op.drop_table("layer_change")
    op.drop_table("import_run")
    op.drop_index(op.f("ground_geom_idx"), table_name="ground", postgresql_using="gist")
    op.drop_table("ground")
    op.drop_table("category")
    op.drop_index(
        op.f("block_watch_boundary_idx"), table_name="block_watch", postgresql_using="gist"
    )
    op.drop_table("block_watch")
    op.drop_index(op.f("area_geom_idx"), table_name="area", postgresql_using="gist")
    op.drop_table("area")
    for enumeration in ENUMERATIONS:
        enumeration.drop(op.get_bind())
