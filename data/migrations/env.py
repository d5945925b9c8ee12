from alembic import context
from sqlalchemy.sql.schema import SchemaItem

from data.models import Base

FOREIGN = {"spatial_ref_sys"}
"""PostGIS brings these tables; they are not ours to compare."""


def ours(
    item: SchemaItem, name: str | None, kind: str, reflected: bool, compare_to: SchemaItem | None
) -> bool:
    return not (kind == "table" and name in FOREIGN)


with context.config.attributes["engine"].connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=ours,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
