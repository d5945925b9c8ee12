"""Which need comes first: what is measured of needs, their ranks, and the versions of the weights.

What a ranking measures is read as the owner of the store, by a job; pages read ranks as whoever looks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data.models import WeightsVersion
from geo.crs import in_city_metres, to_city, to_stored
from geo.dark_runs import DarkRun
from geo.kinds import Kind
from geo.opening_hours import open_after_dark
from geo.outages import DARK
from geo.priority import FACTORS, SEED, Facts, Ranking, read_weights

_TYPES = {"float8": ">f8", "int8": ">i8", "bool": "?"}


def _columns(
    session: Session, query: str, columns: Mapping[str, str], values: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Read columns of numbers, each as one string of bytes: rows would take ten times as long."""
    sent = ", ".join(
        f"coalesce(string_agg({type_}send({name}), ''::bytea), ''::bytea)"
        for name, type_ in columns.items()
    )
    driver = session.connection().connection.driver_connection
    assert driver is not None
    with driver.cursor(binary=True) as cursor:
        read = cursor.execute(f"SELECT {sent} FROM ({query}) AS asked", values).fetchone()  # noqa: S608 (words of this module; values are bound)
    return {
        name: np.frombuffer(one, _TYPES[type_]).astype(_TYPES[type_].lstrip(">"))
        for (name, type_), one in zip(columns.items(), read, strict=True)
    }


def _metres(found: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    return np.column_stack(to_city().transform(found["lon"], found["lat"]))


@dataclass(frozen=True, slots=True, eq=False)
class OpenNeeds:
    """The open needs of a kind: a column each, in the order of their ids.

    Attributes
    ----------
    id : ndarray of int64
    xy_m : ndarray of float, shape (n, 2)
        In the city's metres.
    opened_day : ndarray of int64
        Local dates, as days since 1970.
    opened_s : ndarray of float
        Seconds since 1970, UTC.
    category : ndarray of int64
        Place in the codes asked with.
    hazard : ndarray of bool
    failed : ndarray of int64
        Times its light was fixed in the two years before.
    neighbourhood_id, street_light_id : ndarray of int64
        0 for none.
    voices : ndarray of int64
        Reports, and neighbours whom it affects too.
    """

    id: NDArray[np.int64]
    xy_m: NDArray[np.float64]
    opened_day: NDArray[np.int64]
    opened_s: NDArray[np.float64]
    category: NDArray[np.int64]
    hazard: NDArray[np.bool_]
    failed: NDArray[np.int64]
    neighbourhood_id: NDArray[np.int64]
    street_light_id: NDArray[np.int64]
    voices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.id)


_LOCAL_DAY = "(({} AT TIME ZONE %(zone)s)::date - date '1970-01-01')::int8"
_SECONDS = "extract(epoch FROM {})::float8"

_OPEN = f"""
    SELECT need.id, ST_X(geom) AS lon, ST_Y(geom) AS lat,
        {_LOCAL_DAY.format("opened_at")} AS opened_day, {_SECONDS.format("opened_at")} AS opened_s,
        array_position(%(codes)s, category_code)::int8 - 1 AS category, hazard,
        times_failed::int8 AS failed, coalesce(neighbourhood_id, 0) AS neighbourhood_id,
        coalesce(street_light_id, 0) AS street_light_id,
        coalesce(told.reports, 0) + coalesce(joined.neighbours, 0) AS voices
    FROM need
    LEFT JOIN (
        SELECT need_id, count(*) AS reports FROM need_report GROUP BY need_id
    ) AS told ON told.need_id = need.id
    LEFT JOIN (
        SELECT need_id, count(DISTINCT coalesce(counted_as, supporter)) AS neighbours
        FROM support JOIN need_report USING (report_id) GROUP BY need_id
    ) AS joined ON joined.need_id = need.id
    WHERE kind = CAST(%(kind)s AS report_kind) AND closed_at IS NULL ORDER BY need.id
"""  # noqa: S608 (words of this module; values are bound)


def open_needs(session: Session, kind: Kind, codes: Sequence[str], zone: str) -> OpenNeeds:
    """Read the open needs of a kind.

    Parameters
    ----------
    session : Session
    kind : Kind
    codes : sequence of str
        Categories, by whose place those of the needs are told.
    zone : str
        Name of the city's time zone.
    """
    found = _columns(
        session,
        _OPEN,
        {
            "id": "int8", "lon": "float8", "lat": "float8", "opened_day": "int8",
            "opened_s": "float8", "category": "int8", "hazard": "bool", "failed": "int8",
            "neighbourhood_id": "int8", "street_light_id": "int8", "voices": "int8",
        },
        {"kind": kind.value, "codes": [*codes], "zone": zone},
    )  # fmt: skip
    xy_m = _metres(found)
    return OpenNeeds(
        xy_m=xy_m, **{name: one for name, one in found.items() if name not in {"lon", "lat"}}
    )


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Everything that was said of lights, or of cleanup, for some time: n reports and "me too"s.

    Attributes
    ----------
    incident : ndarray of int64
        The same for reports of the same thing.
    at_s, closed_s : ndarray of float
        Seconds since 1970, UTC; NaN for what is open.
    day, closed_day : ndarray of int64
        The same as local dates, days since 1970; -1 for what is open.
    category : ndarray of int64
        Place in the codes asked with.
    neighbourhood_id : ndarray of int64
        0 for none.
    joined : ndarray of bool
        Whether it is a neighbour who says that it affects them too, and no report.
    duplicate : ndarray of bool
        Whether the report is a duplicate, so that another says how it went on.
    fixed : ndarray of bool
        Whether the report was closed because the work is done.
    xy_m : ndarray of float, shape (n, 2)
    """

    incident: NDArray[np.int64]
    at_s: NDArray[np.float64]
    closed_s: NDArray[np.float64]
    day: NDArray[np.int64]
    closed_day: NDArray[np.int64]
    category: NDArray[np.int64]
    neighbourhood_id: NDArray[np.int64]
    joined: NDArray[np.bool_]
    duplicate: NDArray[np.bool_]
    fixed: NDArray[np.bool_]
    xy_m: NDArray[np.float64]


_HISTORY = f"""
    SELECT incident, {_SECONDS.format("said_at")} AS at_s,
        coalesce({_SECONDS.format("closed_at")}, 'NaN') AS closed_s,
        {_LOCAL_DAY.format("said_at")} AS day,
        coalesce({_LOCAL_DAY.format("closed_at")}, -1) AS closed_day,
        array_position(%(codes)s, category_code)::int8 - 1 AS category,
        coalesce(exact_neighbourhood_id, 0) AS neighbourhood_id, joined,
        status = 'duplicate' AS duplicate, status IN ('done', 'verified') AS fixed,
        ST_X(place) AS lon, ST_Y(place) AS lat
    FROM (
        SELECT coalesce(
                (SELECT min(need_id) FROM need_report WHERE report_id = report.id),
                -coalesce(duplicate_of_id, report.id)) AS incident,
            report.*, ST_Centroid(exact_geom) AS place
        FROM report
        WHERE kind = CAST(%(kind)s AS report_kind) AND reported_at >= %(since)s AND status <> 'held'
    ) AS told, LATERAL (
        SELECT reported_at AS said_at, false AS joined
        UNION ALL
        SELECT at, true FROM support WHERE report_id = told.id
    ) AS voice
"""  # noqa: S608 (as above)


def history(
    session: Session, kind: Kind, codes: Sequence[str], since: datetime, zone: str
) -> History:
    """Read what was said of a kind since a moment. The other parameters are those of `open_needs`."""
    found = _columns(
        session,
        _HISTORY,
        {
            "incident": "int8", "at_s": "float8", "closed_s": "float8", "day": "int8",
            "closed_day": "int8", "category": "int8", "neighbourhood_id": "int8",
            "joined": "bool", "duplicate": "bool", "fixed": "bool", "lon": "float8", "lat": "float8",
        },
        {"kind": kind.value, "codes": [*codes], "since": since, "zone": zone},
    )  # fmt: skip
    xy_m = _metres(found)
    return History(
        xy_m=xy_m, **{name: one for name, one in found.items() if name not in {"lon", "lat"}}
    )


@dataclass(frozen=True, slots=True, eq=False)
class Lights:
    """All street lights: a column each.

    Attributes
    ----------
    id : ndarray of int64
    xy_m : ndarray of float, shape (n, 2)
    dark : ndarray of bool
        Whether it is known to be out; one that flickers, or burns by day, is not dark.
    """

    id: NDArray[np.int64]
    xy_m: NDArray[np.float64]
    dark: NDArray[np.bool_]


def lights(session: Session) -> Lights:
    """Read the street lights."""
    found = _columns(
        session,
        """
            SELECT light.id, ST_X(light.geom) AS lon, ST_Y(light.geom) AS lat,
                light.status IN ('reported', 'out', 'scheduled')
                    AND coalesce(category_code = ANY (%(dark)s), true) AS dark
            FROM street_light AS light
            LEFT JOIN need ON street_light_id = light.id AND closed_at IS NULL ORDER BY light.id
        """,
        {"id": "int8", "lon": "float8", "lat": "float8", "dark": "bool"},
        {"dark": sorted(DARK)},
    )
    return Lights(found["id"], _metres(found), found["dark"])


@dataclass(frozen=True, slots=True, eq=False)
class Streets:
    """All streets: lines in the city's metres, their names and ranks."""

    lines: NDArray[np.object_]
    names: tuple[str, ...]
    ranks: NDArray[np.float64]


def streets(session: Session) -> Streets:
    """Read the streets."""
    rows = session.execute(
        text("SELECT ST_AsBinary(geom), name, rank FROM street ORDER BY id")
    ).all()
    lines = np.empty(len(rows), dtype=object)
    lines[:] = [in_city_metres(shapely.from_wkb(bytes(row[0]))) for row in rows]
    return Streets(
        lines, tuple(row[1] for row in rows), np.array([row[2] for row in rows], np.float64)
    )


@dataclass(frozen=True, slots=True, eq=False)
class WalkedTo:
    """Where people walk to.

    Attributes
    ----------
    xy_m : ndarray of float, shape (n, 2)
        Transit stops and service locations that are not confidential.
    weights : ndarray of float
        1 for what is open after dark, which a transit stop is, else 1/2.
    parks : ndarray of shapely polygons
        In the city's metres; each weighs 1/2.
    """

    xy_m: NDArray[np.float64]
    weights: NDArray[np.float64]
    parks: NDArray[np.object_]


DAYTIME = 0.5
"""How much a place counts that is not known to be open after dark."""


def walked_to(session: Session) -> WalkedTo:
    """Read what people walk to."""
    rows = session.execute(
        text("""
            SELECT ST_X(geom), ST_Y(geom), NULL AS hours FROM transit_stop
            UNION ALL
            SELECT ST_X(geom), ST_Y(geom), hours FROM service_location WHERE NOT confidential
        """)
    ).all()
    lon, lat = np.array([row[:2] for row in rows], np.float64).reshape(-1, 2).T
    parks = session.scalars(text("SELECT ST_AsBinary(geom) FROM ground WHERE type = 'park'")).all()
    shapes = np.empty(len(parks), dtype=object)
    shapes[:] = [in_city_metres(shapely.from_wkb(bytes(one))) for one in parks]
    return WalkedTo(
        np.column_stack(to_city().transform(lon, lat)),
        np.array([1.0 if row[2] is None or open_after_dark(row[2]) else DAYTIME for row in rows]),
        shapes,
    )


def keep_runs(session: Session, runs: Mapping[int, DarkRun]) -> None:
    """Write the runs of dark lights anew, each under its id. As the owner of the store."""
    session.execute(
        text("DELETE FROM dark_run WHERE id <> ALL (CAST(:ids AS bigint[]))"), {"ids": [*runs]}
    )
    if runs:
        session.execute(
            text("""
                INSERT INTO dark_run (id, street, from_corner, to_corner, lights, geom)
                VALUES (:id, :street, :from_corner, :to_corner, :lights, :geom)
                ON CONFLICT (id) DO UPDATE SET street = excluded.street,
                    from_corner = excluded.from_corner, to_corner = excluded.to_corner,
                    lights = excluded.lights, geom = excluded.geom
            """),
            [
                {
                    "id": id,
                    "street": run.street,
                    "from_corner": run.from_corner,
                    "to_corner": run.to_corner,
                    "lights": len(run.lights),
                    "geom": f"SRID=4326;{shapely.to_wkt(_in_degrees(run.line), 7)}",
                }
                for id, run in sorted(runs.items())
            ],
        )


def _in_degrees(line: shapely.LineString) -> shapely.LineString:
    return shapely.transform(line, lambda at: np.column_stack(to_stored().transform(*at.T)))


_FRESH = """
    CREATE TEMPORARY TABLE fresh_rank (LIKE need_rank INCLUDING DEFAULTS) ON COMMIT DROP
"""
_RANKED = (
    "weights_version_id", "rank", "rank_low", "rank_high", "score", "seed", "parts", "levels", "facts",
    "dark_run_id",
)  # fmt: skip
_WRITTEN = ("need_id", "kind", *_RANKED)
_MERGE = f"""
    INSERT INTO need_rank ({", ".join(_WRITTEN)})
    SELECT {", ".join(f"fresh_rank.{name}" for name in _WRITTEN)}
    FROM fresh_rank JOIN need ON need.id = fresh_rank.need_id
    LEFT JOIN need_rank AS held ON held.need_id = fresh_rank.need_id
    WHERE ({", ".join(f"held.{name}" for name in _RANKED)})
        IS DISTINCT FROM ({", ".join(f"fresh_rank.{name}" for name in _RANKED)})
    ON CONFLICT (need_id) DO UPDATE SET ranked_at = now(),
        {", ".join(f"{name} = excluded.{name}" for name in _RANKED)}
"""  # noqa: S608 (words of this module)
"""Compared before: a conflict would lock, and so write, each row that stays the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """A ranking of the needs of a kind, as it is kept.

    Attributes
    ----------
    kind : Kind
    version_id : int
        Of the weights.
    ids : ndarray of int64
    facts : Facts
    levels : ndarray of float
    ranking : Ranking
    runs : ndarray of int64
        Of the run that each is in; 0 for none.
    """

    kind: Kind
    version_id: int
    ids: NDArray[np.int64]
    facts: Facts
    levels: NDArray[np.float64]
    ranking: Ranking
    runs: NDArray[np.int64]

    def rows(self) -> Iterable[tuple[Any, ...]]:
        """Give the rows of `need_rank`, in the order of the columns that are written."""
        ranking = self.ranking
        columns = zip(
            self.ids.tolist(), ranking.rank.tolist(), ranking.low.tolist(), ranking.high.tolist(),
            ranking.score.tolist(), ranking.parts.tolist(), self.levels.tolist(),
            self.facts.written(), self.runs.tolist(), strict=True,
        )  # fmt: skip
        for id, rank, low, high, score, parts, levels, facts, run in columns:
            yield (
                id, self.kind.value, self.version_id, rank, low, high, score, SEED, _array(parts),
                _array(levels), orjson.dumps(facts).decode(), run or None,
            )  # fmt: skip


def _array(numbers: Sequence[float]) -> str:
    """Write an array as PostgreSQL reads it: psycopg takes ten times as long to."""
    return f"{{{orjson.dumps(numbers)[1:-1].decode()}}}"


def keep_ranks(session: Session, rankings: Sequence[Ranked]) -> None:
    """Keep the ranks of all needs; rows that have not changed are left alone. As the owner."""
    session.execute(text(_FRESH))
    driver = session.connection().connection.driver_connection
    assert driver is not None
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY fresh_rank ({', '.join(_WRITTEN)}) FROM STDIN") as stream,
    ):
        for ranked in rankings:
            for row in ranked.rows():
                stream.write_row(row)
    session.execute(text("ANALYZE fresh_rank"))
    session.execute(
        text(
            "DELETE FROM need_rank WHERE NOT EXISTS "
            "(SELECT FROM fresh_rank WHERE fresh_rank.need_id = need_rank.need_id)"
        )
    )
    session.execute(text(_MERGE))
    session.execute(text("DROP TABLE fresh_rank"))


def drop_waiting(session: Session) -> None:
    """Forget rankings that wait while one begins: it reads what they were asked for. As the owner."""
    session.execute(
        text(
            "DELETE FROM procrastinate_jobs WHERE id IN (SELECT id FROM procrastinate_jobs "
            "WHERE task_name = 'rank_needs' AND status = 'todo' FOR UPDATE SKIP LOCKED)"
        )
    )


def ranked_counts(session: Session) -> dict[Kind, int]:
    """Count the needs of each kind that have a rank."""
    rows = session.execute(text("SELECT kind, count(*) FROM need_rank GROUP BY kind ORDER BY kind"))
    return {Kind(kind): count for kind, count in rows}


@dataclass(frozen=True, slots=True)
class Version:
    """Published weights, as everybody reads them.

    Attributes
    ----------
    id : int
    at : datetime
    signed_by, note : str
    weights : dict of Kind to ndarray of float
        In the order of `geo.priority.FACTORS`.
    """

    id: int
    at: datetime
    signed_by: str
    note: str
    weights: dict[Kind, NDArray[np.float64]]


def versions(session: Session) -> list[Version]:
    """Give all published weights, the newest first."""
    columns = (
        WeightsVersion.id,
        WeightsVersion.at,
        WeightsVersion.signed_by,
        WeightsVersion.note,
        WeightsVersion.weights,
    )
    rows = session.execute(select(*columns).order_by(WeightsVersion.id.desc())).all()
    return [Version(id, at, by, note, _weights(weights)) for id, at, by, note, weights in rows]


def _weights(written: Mapping[str, Mapping[str, float]]) -> dict[Kind, NDArray[np.float64]]:
    """Read weights that were published; a factor that came later weighed nothing then."""
    return {
        kind: np.array([written[kind].get(factor, 0.0) for factor in factors], np.float64)
        for kind, factors in FACTORS.items()
    }


def current(session: Session) -> Version:
    """Give the weights that count now: a migration has published the first."""
    return versions(session)[0]


class Overtaken(Exception):  # noqa: N818 (it is the name of what happened)
    """Another version was published meanwhile."""


def publish(
    session: Session,
    *,
    replaces_id: int,
    person_id: int,
    signed_by: str,
    note: str,
    weights: Mapping[Kind, Sequence[float]],
) -> int:
    """Publish weights in the place of those that were looked at, and give their id.

    Raises
    ------
    Overtaken
        Where those have been replaced already.
    ValueError
        As `geo.priority.read_weights`.
    """
    if session.scalar(select(func.max(WeightsVersion.id))) != replaces_id:
        raise Overtaken
    written = {
        kind.value: {
            factor.value: weight for factor, weight in zip(FACTORS[kind], values, strict=True)
        }
        for kind, values in weights.items()
    }
    read_weights(written)
    try:
        with session.begin_nested():
            return session.execute(
                insert(WeightsVersion)
                .values(
                    replaces_id=replaces_id,
                    person_id=person_id,
                    signed_by=signed_by,
                    note=note,
                    weights=written,
                )
                .returning(WeightsVersion.id)
            ).scalar_one()
    except IntegrityError as error:
        raise Overtaken from error
