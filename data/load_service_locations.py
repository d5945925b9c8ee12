"""Bringing service locations in: with the organizations that stand behind them."""

import pyarrow as pa
import pyarrow.compute as pc

from data.load import Loader
from data.sources.batch import Batch


class ServiceLocationLoader(Loader):
    """Writes service locations.

    The records have the columns of `service_location`, and instead of the id of an organization
    its name; empty where none is given. An organization that is not stored yet is added.
    """

    def complete(self, batch: Batch) -> None:
        """Find the organizations."""
        names = batch.records.column("organization").combine_chunks()
        given = [name for name in pc.unique(names).to_pylist() if name]
        self.connection.execute(
            "INSERT INTO organization (name, source, import_run_id) "
            "SELECT name, %s, %s FROM unnest(%s::text[]) AS given (name) "
            "ON CONFLICT (name) DO NOTHING",
            [self.source.name, self.run_id, given],
        )
        ids = dict(
            self.connection.execute(
                "SELECT name, id FROM organization WHERE name = ANY(%s)", [given]
            ).fetchall()
        )
        batch.records = batch.records.drop_columns(["organization"]).append_column(
            "organization_id", pa.array([ids.get(name) for name in names.to_pylist()], pa.int64())
        )
