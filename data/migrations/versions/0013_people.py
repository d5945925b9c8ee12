"""People who sign in, what they may do, and a second lock on what is private.

Pages and APIs use the store as `porchlight_web`, who owns nothing. That role may read only the public
columns of reports and police incidents; the others come through `report_private` and
`police_incident_private`, which show what the visitor's own roles allow. The visitor is named by
`porchlight.person` and `porchlight.strong`, set for one transaction; unset means nobody.

A view and not a policy for the columns of `report`: policies would keep every spatial operator, of which
none is leakproof, from the index.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

ROLE = postgresql.ENUM(
    "member", "captain", "liaison", "staff", "moderator", "administrator", name="role"
)
KIND = postgresql.ENUM(name="report_kind", create_type=False)

DEPARTMENTS = (
    ("lighting", "Street lighting", "{lighting}"),
    ("cleanup", "Neighborhood services", "{cleanup}"),
    ("safety", "Community safety", "{problem_spot}"),
)

WEB_ROLE = f"""
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{WEB}') THEN
        BEGIN
            CREATE ROLE {WEB} NOLOGIN;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL; -- another was quicker
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'the role {WEB} is missing. As an administrator of the server run: CREATE ROLE {WEB} NOLOGIN; GRANT {WEB} TO %', current_user
                    USING ERRCODE = 'insufficient_privilege';
        END;
    END IF;
    IF NOT pg_has_role(current_user, '{WEB}', 'MEMBER') THEN
        EXECUTE format('GRANT {WEB} TO %I', current_user);
    END IF;
END $$;
"""

VISITOR = """
CREATE FUNCTION visitor() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('porchlight.person', true), '')::bigint
$$;
CREATE FUNCTION visitor_is_strong() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('porchlight.strong', true), '')::boolean, false)
$$;

-- As geo.roles.may says, from what is stored about the visitor.
CREATE FUNCTION visitor_may(
    act text, of_kind report_kind, watch bigint, division bigint, district bigint
) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT visitor_is_strong() AND EXISTS (
        SELECT FROM role_grant AS held
        LEFT JOIN department ON department.id = held.department_id
        WHERE held.person_id = visitor() AND held.ended_at IS NULL AND CASE held.role
            WHEN 'administrator' THEN true
            WHEN 'moderator' THEN act IN ('read_text', 'moderate')
            WHEN 'staff' THEN act <> 'moderate' AND of_kind = ANY (department.kinds)
                AND (held.area_id IS NULL OR held.area_id = district)
            WHEN 'liaison' THEN act <> 'moderate' AND held.area_id = division
                AND (act <> 'work' OR of_kind = 'problem_spot')
            ELSE false
        END
    )
$$;
"""

BULK = "(current_setting('porchlight.bulk', true) IS DISTINCT FROM 'on')"

HOME_ADDRESS = f"""
CREATE FUNCTION report_keep_home_address() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.address <> '' AND EXISTS (
        SELECT FROM category WHERE code = NEW.category_code AND setting = 'home'
    ) THEN
        RAISE EXCEPTION 'the address of a report at a home is never public'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'report_home_address_is_private',
                  TABLE = 'report';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER report_home_address BEFORE INSERT OR UPDATE OF address, category_code ON report
    FOR EACH ROW WHEN {BULK} EXECUTE FUNCTION report_keep_home_address();
"""

PRIVATE = """
CREATE VIEW report_private WITH (security_barrier) AS
SELECT report.id AS report_id, report.reporter_id, report.description,
    CASE WHEN reads.exact THEN report.exact_geom END AS exact_geom,
    CASE WHEN reads.exact THEN report.home_address ELSE '' END AS home_address
FROM report, LATERAL (
    SELECT
        report.reporter_id = visitor() IS TRUE AS own,
        visitor_may('read_text', kind, block_watch_id, patrol_division_id, council_district_id) AS wide,
        visitor_may('read_exact', kind, block_watch_id, patrol_division_id, council_district_id) AS near
) AS asked, LATERAL (SELECT asked.own OR asked.near AS exact) AS reads
WHERE asked.own OR asked.wide;

CREATE VIEW police_incident_private WITH (security_barrier) AS
SELECT incident.id AS police_incident_id, incident.exact_geom
FROM police_incident AS incident
WHERE visitor_is_strong() AND EXISTS (
    SELECT FROM role_grant AS held
    WHERE held.person_id = visitor() AND held.ended_at IS NULL AND (
        held.role = 'administrator' OR (held.role = 'liaison' AND EXISTS (
            SELECT FROM area_piece WHERE area_id = held.area_id
                AND ST_Intersects(area_piece.geom, incident.exact_geom)
        ))
    )
);

ALTER TABLE report_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON report_event FOR SELECT USING (
    public OR EXISTS (
        SELECT FROM report WHERE report.id = report_id AND visitor_may(
            'work', kind, block_watch_id, patrol_division_id, council_district_id)
    )
);
CREATE POLICY add ON report_event FOR INSERT WITH CHECK (true);

ALTER TABLE report_contact ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON report_contact FOR SELECT USING (
    EXISTS (
        SELECT FROM report WHERE report.id = report_id AND visitor_may(
            'work', kind, block_watch_id, patrol_division_id, council_district_id)
    )
);
CREATE POLICY add ON report_contact FOR INSERT WITH CHECK (true);

-- True for reading, which leaves the spatial operators their indexes.
ALTER TABLE report ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON report FOR SELECT USING (true);
CREATE POLICY add ON report FOR INSERT WITH CHECK (true);
CREATE POLICY work ON report FOR UPDATE USING (
    visitor_may('work', kind, block_watch_id, patrol_division_id, council_district_id)
    OR visitor_may('moderate', kind, block_watch_id, patrol_division_id, council_district_id)
);
"""

AUDIT = """
CREATE FUNCTION audit_entry_chain() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        RAISE EXCEPTION 'the audit log is only ever added to'
            USING ERRCODE = 'restrict_violation', TABLE = 'audit_entry';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_entry'));
    NEW.id := nextval(pg_get_serial_sequence('audit_entry', 'id'));
    NEW.previous := coalesce((SELECT hash FROM audit_entry ORDER BY id DESC LIMIT 1), '');
    NEW.hash := audit_entry_hash(NEW);
    RETURN NEW;
END $$;
CREATE FUNCTION audit_entry_hash(entry audit_entry) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(entry.previous || convert_to(jsonb_build_array(
        entry.id, extract(epoch FROM entry.at), entry.person_id, entry.action, entry.subject,
        entry.detail
    )::text, 'UTF8'))
$$;
CREATE TRIGGER audit_entry_chained BEFORE INSERT OR UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_chain();
CREATE TRIGGER audit_entry_kept BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_chain();
"""

DEFINED = (
    "area_keep_pieces", "report_join_areas", "area_join_reports", "block_watch_join_reports",
    "report_status_follows", "report_tally_change", "report_keep_place", "layer_changed",
)  # fmt: skip
"""Trigger functions that read or write more than whoever sets them off may."""

REPORT_PUBLIC = (
    "id, kind, category_code, status, severity, public_geom, address, occurred_at, reported_at, "
    "updated_at, closed_at, neighbourhood_id, council_district_id, patrol_division_id, tract_id, "
    "block_watch_id, on_behalf_of_id, duplicate_of_id, source, external_id, fingerprint, import_run_id"
)
INCIDENT_PUBLIC = (
    "id, offense, offense_group, sensitive, occurred_at, public_geom, source, external_id, "
    "fingerprint, import_run_id"
)
OPEN_TABLES = (
    "address", "address_range", "area", "area_piece", "block_watch", "category", "corner",
    "department", "gazetteer_build", "ground", "import_run", "layer_change", "organization", "parcel",
    "report_tally", "service", "service_at_location", "service_location", "status_step", "street",
    "street_light", "street_name", "transit_stop", "vacant_lot",
)  # fmt: skip


def _grants() -> None:
    op.execute(f"GRANT USAGE ON SCHEMA public TO {WEB}")
    op.execute(f"GRANT SELECT ON {', '.join(OPEN_TABLES)} TO {WEB}")
    op.execute(f"GRANT SELECT ({REPORT_PUBLIC}), INSERT, UPDATE ON report TO {WEB}")
    op.execute(f"GRANT SELECT ({INCIDENT_PUBLIC}) ON police_incident TO {WEB}")
    op.execute(
        f"GRANT SELECT, INSERT ON report_event, report_contact, support, submission TO {WEB}"
    )
    op.execute(f"GRANT SELECT ON report_private, police_incident_private TO {WEB}")
    op.execute(f"GRANT INSERT, SELECT ON attempt TO {WEB}")
    op.execute(f"GRANT INSERT ON audit_entry TO {WEB}")
    op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {WEB}")


def upgrade() -> None:
    op.execute(WEB_ROLE)
    op.create_table(
        "department",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kinds", postgresql.ARRAY(KIND), nullable=False),
        sa.UniqueConstraint("code", name=op.f("department_code_key")),
    )
    for code, name, kinds in DEPARTMENTS:
        op.execute(
            f"INSERT INTO department (code, name, kinds) VALUES ('{code}', '{name}', '{kinds}')"
        )
    op.create_table(
        "person",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("email", sa.Text),
        sa.Column("name", sa.Text, server_default="", nullable=False),
        sa.Column("language", sa.Text, server_default="en", nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("totp_secret", sa.LargeBinary),
        sa.Column("totp_step", sa.BigInteger),
        sa.Column("oidc_issuer", sa.Text),
        sa.Column("oidc_subject", sa.Text),
        sa.Column("is_sample", sa.Boolean, server_default=sa.text("false"), nullable=False),
        _moment("created_at", "now()"),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("email", name=op.f("person_email_key")),
        sa.UniqueConstraint(
            "oidc_issuer", "oidc_subject", name=op.f("person_oidc_issuer_oidc_subject_key")
        ),
        sa.CheckConstraint("email = lower(email)", name=op.f("person_email_is_lower")),
        sa.CheckConstraint("length(email) <= 254", name=op.f("person_email_is_short")),
        sa.CheckConstraint("length(name) <= 200", name=op.f("person_name_is_short")),
        sa.CheckConstraint(
            "(oidc_issuer IS NULL) = (oidc_subject IS NULL)", name=op.f("person_oidc_is_whole")
        ),
    )
    op.create_table(
        "role_grant",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _reference("person_id", "role_grant", "person", "CASCADE", nullable=False),
        sa.Column("role", ROLE, nullable=False),
        _reference("block_watch_id", "role_grant", "block_watch", "CASCADE"),
        _reference("area_id", "role_grant", "area", "CASCADE"),
        _reference("department_id", "role_grant", "department", "CASCADE"),
        _reference("granted_by_id", "role_grant", "person", "SET NULL"),
        _moment("granted_at", "now()"),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "(role IN ('member', 'captain')) = (block_watch_id IS NOT NULL)",
            name=op.f("role_grant_association_roles_name_a_block_watch"),
        ),
        sa.CheckConstraint(
            "(role = 'staff') = (department_id IS NOT NULL)",
            name=op.f("role_grant_staff_is_of_a_department"),
        ),
        sa.CheckConstraint(
            "role <> 'liaison' OR area_id IS NOT NULL",
            name=op.f("role_grant_liaison_is_of_a_division"),
        ),
        sa.CheckConstraint(
            "role IN ('liaison', 'staff') OR area_id IS NULL",
            name=op.f("role_grant_others_have_no_area"),
        ),
    )
    op.create_index(op.f("role_grant_person_id_idx"), "role_grant", ["person_id"])
    op.create_index(op.f("role_grant_block_watch_id_idx"), "role_grant", ["block_watch_id"])
    op.create_index(
        "role_grant_held_once",
        "role_grant",
        ["person_id", "role", "block_watch_id", "area_id", "department_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "sign_in",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        _reference("person_id", "sign_in", "person", "CASCADE", nullable=False),
        sa.Column("strong", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.Column("browser", sa.Text, server_default="", nullable=False),
        _moment("created_at", "now()"),
        _moment("seen_at", "now()"),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("token_hash", name=op.f("sign_in_token_hash_key")),
    )
    op.create_index(op.f("sign_in_person_id_idx"), "sign_in", ["person_id"])
    op.create_table(
        "sign_in_link",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        _moment("created_at", "now()"),
        sa.Column("used_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "attempt",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        _moment("at", "clock_timestamp()"),
    )
    op.create_index(op.f("attempt_what_subject_at_idx"), "attempt", ["what", "subject", "at"])
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _moment("at", "clock_timestamp()"),
        sa.Column("person_id", sa.BigInteger),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, server_default="", nullable=False),
        sa.Column("detail", postgresql.JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_index(op.f("audit_entry_subject_id_idx"), "audit_entry", ["subject", "id"])
    op.add_column("report", sa.Column("home_address", sa.Text, server_default="", nullable=False))
    op.add_column("report", _reference("reporter_id", "report", "person", "SET NULL"))
    op.add_column("report", _reference("on_behalf_of_id", "report", "block_watch", "SET NULL"))
    op.create_index(
        op.f("report_reporter_id_idx"), "report", ["reporter_id"],
        postgresql_where=sa.text("reporter_id IS NOT NULL"),
    )  # fmt: skip
    op.execute(
        "UPDATE report SET home_address = address, address = '' FROM category "
        "WHERE category.code = category_code AND setting = 'home' AND address <> ''"
    )
    for rules in (VISITOR, HOME_ADDRESS, PRIVATE, AUDIT):
        op.execute(rules)
    for function in DEFINED:
        op.execute(f"ALTER FUNCTION {function} SECURITY DEFINER SET search_path = public, pg_temp")
    _grants()


def downgrade() -> None:
    for table in ("report", "report_contact", "report_event"):
        for policy in ("read", "add", "work"):
            op.execute(f"DROP POLICY IF EXISTS {policy} ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute("DROP VIEW report_private, police_incident_private")
    op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {WEB}")
    op.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {WEB}")
    op.execute(f"REVOKE ALL ON SCHEMA public FROM {WEB}")
    for function in DEFINED:
        op.execute(f"ALTER FUNCTION {function} SECURITY INVOKER RESET search_path")
    op.execute("DROP FUNCTION audit_entry_chain, report_keep_home_address CASCADE")
    op.execute("DROP FUNCTION audit_entry_hash")
    op.execute("DROP FUNCTION visitor_may")
    op.execute("DROP FUNCTION visitor, visitor_is_strong")
    op.execute("UPDATE report SET address = home_address WHERE home_address <> ''")
    for column in ("home_address", "reporter_id", "on_behalf_of_id"):
        op.drop_column("report", column)
    for table in (
        "audit_entry", "attempt", "sign_in_link", "sign_in", "role_grant", "person", "department",
    ):  # fmt: skip
        op.drop_table(table)
    ROLE.drop(op.get_bind())


def _moment(name: str, default: str) -> "sa.Column[Any]":
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text(default), nullable=False
    )


def _reference(
    name: str, table: str, other: str, ondelete: str, *, nullable: bool = True
) -> "sa.Column[Any]":
    return sa.Column(
        name,
        sa.BigInteger,
        sa.ForeignKey(f"{other}.id", name=op.f(f"{table}_{name}_fkey"), ondelete=ondelete),
        nullable=nullable,
    )
