"""Bringing reports in: their areas, public positions and timelines with them.

The row triggers of reports stand aside (`porchlight.bulk`): what they do for one report is done
here for a batch, and the tallies are counted once at the end.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from psycopg import sql
from shapely.geometry.base import BaseGeometry

from data import wkb
from data.load import Loader, MissingError, Source, copy
from data.queries import homes
from data.sources.batch import Batch
from geo.areas import NOWHERE, OUTSIDE, area_ids
from geo.categories import BY_CODE, Setting
from geo.positions import generalized
from geo.statuses import OPEN, Status

AREAS = {
    "neighbourhood_id": "neighbourhood",
    "council_district_id": "council_district",
    "patrol_division_id": "patrol_division",
    "tract_id": "tract",
}
"""Column of a report -> layer of the areas it names."""

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN))


class ReportLoader(Loader):
    """Writes reports.

    The records have the columns of `report` but positions and areas, and instead `longitude` and
    `latitude` (EPSG:4326).

    Parameters
    ----------
    connection : psycopg.Connection
    source : Source
    run_id : int
    secret : bytes
        Behind the public positions of places at homes.

    Raises
    ------
    data.load.MissingError
        Where no served area is stored yet.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], source: Source, run_id: int, secret: bytes
    ) -> None:
        super().__init__(connection, source, run_id)
        self._secret = secret
        self._areas = {column: self._layer(layer) for column, layer in AREAS.items()}
        self._watches = self._polygons(
            "SELECT id, ST_AsBinary(boundary) FROM block_watch ORDER BY ST_Area(boundary), id"
        )
        city = self._layer("city")
        if not city[0]:
            raise MissingError(
                "Reports need the served area first. Import it: porchlight import city FILE."
            )
        self._homes = homes.of_rows(connection.execute(homes.CELLS).fetchall())
        self._served_area = shapely.union_all(np.asarray(city[1], dtype=object))
        self.begin_empty("report_event")
        connection.execute("SET LOCAL porchlight.bulk = 'on'")

    def complete(self, batch: Batch) -> None:
        """Reject what lies outside the served area; find positions, kinds."""
        shapely.prepare(self._served_area)
        x, y = _coordinates(batch.records)
        inside = shapely.intersects_xy(self._served_area, x, y)
        batch.discard(~inside, "position", OUTSIDE)
        records = batch.records
        x, y = x[inside], y[inside]
        codes = records.column("category_code").combine_chunks().dictionary_encode()
        categories = [BY_CODE[code] for code in codes.dictionary.to_pylist()]
        kinds = pa.array([str(category.kind) for category in categories], pa.string())
        home = np.array([category.setting is Setting.HOME for category in categories], dtype=bool)
        at_home = home[codes.indices.to_numpy()]
        public_x, public_y = x.copy(), y.copy()
        public_x[at_home], public_y[at_home] = generalized(
            x[at_home],
            y[at_home],
            records.column(self.target.key).filter(at_home).to_pylist(),
            secret=self._secret,
            served_area=self._served_area,
            homes=self._homes,
        )
        written, nothing = records.column("address"), pa.scalar("")
        batch.records = (
            records.set_column(
                records.schema.get_field_index("address"),
                "address",
                pc.if_else(pa.array(at_home), nothing, written),
            )
            .append_column("home_address", pc.if_else(pa.array(at_home), written, nothing))
            .append_column("kind", kinds.take(codes.indices))
            .append_column("exact_geom", wkb.points(x, y))
            .append_column("public_geom", wkb.points(public_x, public_y))
        )

    def insert(self, records: pa.Table) -> None:
        """Write new reports, and the beginning and end of their timelines."""
        super().insert(self._with_areas(records))
        ids, statuses = records.column("id"), records.column("status")
        received = pa.array([Status.RECEIVED.value], pa.string())
        zeros = pa.array(np.zeros(records.num_rows, np.int64))
        nothing = pa.nulls(records.num_rows, pa.string())
        self._write_events(ids, records.column("reported_at"), nothing, received.take(zeros))
        moved = pc.not_equal(statuses, Status.RECEIVED.value)
        later = records.filter(moved)
        self._write_events(
            later.column("id"),
            # A file may say that a request was settled but not when: then it is known from now on.
            pc.coalesce(later.column("closed_at"), self._now()),
            received.take(zeros.slice(0, later.num_rows)),
            later.column("status"),
        )

    def before_update(self, staged: str) -> None:
        """Put the steps of changed statuses on the timelines."""
        self.connection.execute(
            sql.SQL(
                "INSERT INTO report_event (report_id, at, kind, from_status, to_status) "
                "SELECT report.id, coalesce({staged}.closed_at, now()), 'status', report.status, "
                "{status} FROM report JOIN {staged} ON {staged}.id = report.id "
                "WHERE report.status <> {status}"
            ).format(staged=sql.Identifier(staged), status=self.replacement("status", staged))
        )

    def update(self, records: pa.Table) -> None:
        """Write changed reports."""
        super().update(self._with_areas(records))

    def replacement(self, column: str, staged: str) -> sql.Composable:
        """Give the file's value; but what neighbours and moderators decided stays.

        "Verified" is the neighbours' word and outlives the city's "done"; a report taken up again
        goes back to confirmed; a held one waits for its moderator.
        """
        if column == "status":
            return sql.SQL(
                "CASE WHEN report.status = 'held' THEN report.status "
                "WHEN report.status = 'verified' AND {status} = 'done' THEN report.status "
                "WHEN report.status NOT IN ({open}) AND {status} = 'received' THEN 'confirmed' "
                "ELSE {status} END"
            ).format(status=sql.Identifier(staged, column), open=sql.SQL(_OPEN))
        if column == "updated_at":
            return sql.SQL("now()")
        return super().replacement(column, staged)

    def finish(self) -> None:
        """Count the tallies anew, which also tells the open maps, and bring the needs up to date."""
        super().finish()
        self.connection.execute("SET LOCAL porchlight.bulk = 'off'")
        if not self.counts["inserted"] + self.counts["updated"]:
            return
        # Writers wait here for a moment, so that no report is counted twice or not at all.
        self.connection.execute("LOCK TABLE report_tally IN SHARE ROW EXCLUSIVE MODE")
        self.connection.execute("SELECT report_tally_recount()")
        self.connection.execute("SELECT needs_catch_up()")

    def _with_areas(self, records: pa.Table) -> pa.Table:
        x, y = _coordinates(records)
        shown_x, shown_y = _shown(records)
        moved = (shown_x != x) | (shown_y != y)
        found = {}
        for column, areas in self._areas.items():
            found[f"exact_{column}"] = exact = area_ids(x, y, *areas)
            found[column] = shown = exact.copy()
            shown[moved] = area_ids(shown_x[moved], shown_y[moved], *areas)
        found["block_watch_id"] = area_ids(shown_x, shown_y, *self._watches)
        for column, ids in found.items():
            records = records.append_column(column, pa.array(ids, pa.int64(), mask=ids == NOWHERE))
        return records.append_column(
            "updated_at", pc.coalesce(records.column("closed_at"), records.column("reported_at"))
        ).drop_columns(["longitude", "latitude"])

    def _write_events(self, ids: Any, at: Any, from_status: pa.Array, to_status: pa.Array) -> None:
        kind = pa.array(["status"], pa.string()).take(pa.array(np.zeros(len(ids), np.int64)))
        copy(
            self.connection,
            "report_event",
            pa.table(
                {
                    "report_id": ids,
                    "at": at,
                    "kind": kind,
                    "from_status": from_status,
                    "to_status": to_status,
                }
            ),
        )

    def _now(self) -> pa.Scalar:
        row = self.connection.execute("SELECT now()").fetchone()
        assert row is not None
        return pa.scalar(row[0], pa.timestamp("us", "UTC"))

    def _layer(self, layer: str) -> tuple[list[int], Sequence[BaseGeometry]]:
        return self._polygons(
            "SELECT id, ST_AsBinary(geom) FROM area WHERE layer = %s ORDER BY id", layer
        )

    def _polygons(self, query: str, *values: str) -> tuple[list[int], Sequence[BaseGeometry]]:
        rows = self.connection.execute(query, values, binary=True).fetchall()
        return [row[0] for row in rows], shapely.from_wkb([row[1] for row in rows]).tolist()


def _shown(records: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give public positions; NaN where there is none."""
    places = shapely.from_wkb(records.column("public_geom").to_numpy(zero_copy_only=False))
    return shapely.get_x(places), shapely.get_y(places)


def _coordinates(records: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return records.column("longitude").to_numpy(), records.column("latitude").to_numpy()
