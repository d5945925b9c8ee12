"""What the address search looks things up in."""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def geometry(kind: str) -> Geometry:
    return Geometry(kind, srid=4326, spatial_index=False)


def identity() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def upgrade() -> None:
    op.create_table(
        "gazetteer_build",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("gazetteer_build_pkey")),
    )
    op.create_table(
        "street_name",
        identity(),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("suffix", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("addresses", sa.Integer(), nullable=False),
        sa.Column("geom", geometry("MULTILINESTRING"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("street_name_pkey")),
        sa.UniqueConstraint(
            "direction",
            "name",
            "type",
            "suffix",
            name=op.f("street_name_direction_name_type_suffix_key"),
        ),
    )
    op.create_table(
        "address",
        identity(),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("street", sa.Text(), nullable=False),
        sa.Column("postal_code", sa.Text(), server_default="", nullable=False),
        sa.Column("street_name_id", sa.BigInteger(), nullable=True),
        sa.Column("geom", geometry("POINT"), nullable=False),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("number > 0", name=op.f("address_number_is_positive")),
        sa.ForeignKeyConstraint(
            ["street_name_id"],
            ["street_name.id"],
            name=op.f("address_street_name_id_fkey"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("address_pkey")),
        sa.UniqueConstraint("source", "external_id", name=op.f("address_source_external_id_key")),
    )
    op.create_index(
        op.f("address_street_name_id_number_idx"), "address", ["street_name_id", "number"]
    )
    op.create_index(op.f("address_geom_idx"), "address", ["geom"], postgresql_using="gist")
    op.create_table(
        "address_range",
        identity(),
        sa.Column("street_name_id", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.Integer(), nullable=False),
        sa.Column("high", sa.Integer(), nullable=False),
        sa.Column("geom", geometry("LINESTRING"), nullable=False),
        sa.CheckConstraint("low < high", name=op.f("address_range_low_below_high")),
        sa.ForeignKeyConstraint(
            ["street_name_id"],
            ["street_name.id"],
            name=op.f("address_range_street_name_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("address_range_pkey")),
    )
    op.create_index(
        op.f("address_range_street_name_id_low_idx"), "address_range", ["street_name_id", "low"]
    )
    op.create_index(
        op.f("address_range_geom_idx"), "address_range", ["geom"], postgresql_using="gist"
    )
    op.create_table(
        "corner",
        identity(),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("second_id", sa.BigInteger(), nullable=False),
        sa.Column("surveyed", sa.Boolean(), nullable=False),
        sa.Column("geom", geometry("POINT"), nullable=False),
        sa.CheckConstraint("first_id < second_id", name=op.f("corner_streets_in_order")),
        sa.ForeignKeyConstraint(
            ["first_id"],
            ["street_name.id"],
            name=op.f("corner_first_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["second_id"],
            ["street_name.id"],
            name=op.f("corner_second_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("corner_pkey")),
    )
    op.create_index(op.f("corner_first_id_second_id_idx"), "corner", ["first_id", "second_id"])
    op.create_index(op.f("corner_second_id_idx"), "corner", ["second_id"])
    op.create_index(op.f("corner_geom_idx"), "corner", ["geom"], postgresql_using="gist")
    op.execute("INSERT INTO gazetteer_build DEFAULT VALUES")


def downgrade() -> None:
    for table in ("corner", "address_range", "address", "street_name", "gazetteer_build"):
        op.drop_table(table)
