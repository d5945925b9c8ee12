from alembic import context
from sqlalchemy import text
from sqlalchemy.sql.schema import SchemaItem

from data.models import Base

FOREIGN = ("spatial_ref_sys", "procrastinate_")
"""What the tables that PostGIS and procrastinate bring begin with; they are not ours to compare."""


def ours(
    item: SchemaItem, name: str | None, kind: str, reflected: bool, compare_to: SchemaItem | None
) -> bool:
    return not (kind == "table" and str(name).startswith(FOREIGN))


with context.config.attributes["engine"].connect() as connection:
    # Two that start at once take turns.
    connection.execute(text("SELECT pg_advisory_lock(hashtext('porchlight migrations'))"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=ours,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text("SELECT pg_advisory_unlock(hashtext('porchlight migrations'))"))
    connection.commit()
