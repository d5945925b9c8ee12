"""Parcels (where homes are, for masks and addresses), and how many geometries an import mended."""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0004"
branch_labels = None
depends_on = None

LAND_USE = postgresql.ENUM(
    "home", "vacant", "commercial", "industrial", name="land_use", create_type=False
)


def upgrade() -> None:
    op.add_column(
        "import_run",
        sa.Column("mended", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    LAND_USE.create(op.get_bind())
    op.create_table(
        "parcel",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("land_use", LAND_USE, nullable=False),
        sa.Column("geom", Geometry("POINT", srid=4326, spatial_index=False), nullable=False),
        sa.Column("source", sa.Text(), server_default="porchlight", nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("import_run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("parcel_pkey")),
        sa.UniqueConstraint("source", "external_id", name=op.f("parcel_source_external_id_key")),
    )
    op.create_index(
        op.f("parcel_geom_idx"), "parcel", ["geom"], unique=False, postgresql_using="gist"
    )


def downgrade() -> None:
    op.drop_index(op.f("parcel_geom_idx"), table_name="parcel", postgresql_using="gist")
    op.drop_table("parcel")
    LAND_USE.drop(op.get_bind())
    op.drop_column("import_run", "mended")
