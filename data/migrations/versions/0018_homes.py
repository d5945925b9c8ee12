"""How many homes each cell holds, so that a report at one hides among enough of them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "home_cell",
        sa.Column("x", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("y", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("homes", sa.Integer, nullable=False),
    )
    op.execute("GRANT SELECT ON home_cell TO porchlight_web")


def downgrade() -> None:
    op.drop_table("home_cell")
