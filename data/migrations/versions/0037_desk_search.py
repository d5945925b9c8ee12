"""What the desk is asked by words and by place is found without reading all of it.

Behind row-level security an index is read only by what gives nothing away: neither an index of trigrams nor
one of places is. An address is kept folded beside itself, since folding it for each row is what took long, and
is compared where it stands, which is as quick for words that are everywhere as for those that are nowhere. What
lies in a box is found by the owner's right and given as numbers; whether they may be seen is decided after.
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

WEB = "porchlight_web"

FOLDED = r"lower(regexp_replace(normalize(address, NFKD), '[\u0300-\u036f]', '', 'g'))"

WITHIN = f"""
CREATE FUNCTION needs_within(west float8, south float8, east float8, north float8) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id FROM need WHERE geom && ST_MakeEnvelope(west, south, east, north, 4326)
$$;
REVOKE ALL ON FUNCTION needs_within FROM PUBLIC;
GRANT EXECUTE ON FUNCTION needs_within TO {WEB};
"""


def upgrade() -> None:
    """Keep addresses folded, and index the places of needs."""
    op.add_column(
        "need",
        sa.Column("address_folded", sa.Text, sa.Computed(FOLDED, persisted=True), nullable=False),
    )
    op.create_index("need_geom_idx", "need", ["geom"], postgresql_using="gist")
    op.execute(WITHIN)


def downgrade() -> None:
    """Take back what finds needs by words and by place."""
    op.execute("DROP FUNCTION needs_within")
    op.drop_index("need_geom_idx", "need")
    op.drop_column("need", "address_folded")
