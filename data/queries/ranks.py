"""Ranks as pages read them, in the name of whoever looks: the store shows each their own kinds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import and_, func, select, text
from sqlalchemy.orm import Session

from data.models import EventKind, NeedReport, ReportEvent
from data.queries import work
from data.queries.reports import note_in
from geo.categories import BY_CODE, Category
from geo.kinds import Kind
from geo.priority import FACTORS
from geo.statuses import Status


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """The ranked needs of a kind that somebody sees: a column each, in the order of their ids.

    Attributes
    ----------
    id : ndarray of int64
    opened_s : ndarray of float
        Seconds since 1970, UTC.
    neighbourhood_id : ndarray of int64
        0 for none.
    levels : ndarray of float, shape (n, factors of the kind)
    """

    id: NDArray[np.int64]
    opened_s: NDArray[np.float64]
    neighbourhood_id: NDArray[np.int64]
    levels: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.id)


_STANDING = """
    SELECT coalesce(string_agg(int8send(need.id)
            || float8send(extract(epoch FROM opened_at)::float8)
            || int8send(coalesce(neighbourhood_id, 0)) || array_send(levels), ''::bytea
            ORDER BY need.id), ''::bytea)
    FROM need_rank JOIN need ON need.id = need_id
    WHERE need_rank.kind = CAST(%(kind)s AS report_kind) AND closed_at IS NULL
        AND cardinality(levels) = %(factors)s
"""


def standing(session: Session, kind: Kind) -> Standing:
    """Read the levels of all ranked needs of a kind, as one string of bytes: 100,000 in half a second."""
    factors = len(FACTORS[kind])
    row = np.dtype(
        [
            ("id", ">i8"),
            ("opened_s", ">f8"),
            ("neighbourhood_id", ">i8"),
            ("head", "V20"),  # of a PostgreSQL array: dimensions, flags, type, length, lower bound
            ("levels", [("bytes", ">i4"), ("value", ">f8")], (factors,)),
        ]
    )
    driver = session.connection().connection.driver_connection
    assert driver is not None
    with driver.cursor(binary=True) as cursor:
        read = cursor.execute(_STANDING, {"kind": kind.value, "factors": factors}).fetchone()
    found = np.frombuffer(read[0], row)
    return Standing(
        found["id"].astype(np.int64),
        found["opened_s"].astype(np.float64),
        found["neighbourhood_id"].astype(np.int64),
        found["levels"]["value"].astype(np.float64).reshape(len(found), factors),
    )


@dataclass(frozen=True, slots=True)
class Named:
    """A need in a list of such."""

    category: Category
    place: str
    neighbourhood: str


def named(session: Session, ids: Collection[int]) -> dict[int, Named]:
    """Give what needs are called, by their ids."""
    rows = session.execute(
        text("""
            SELECT need.id, category_code, address, coalesce(area.name, '')
            FROM need LEFT JOIN area ON area.id = neighbourhood_id
            WHERE need.id = ANY (CAST(:ids AS bigint[]))
        """),
        {"ids": [*map(int, ids)]},
    )
    return {id: Named(BY_CODE[code], place, area) for id, code, place, area in rows}


@dataclass(frozen=True, slots=True)
class Rank:
    """Where a need stands; the attributes are those of `NeedRank`."""

    rank: int
    low: int
    high: int
    score: float
    parts: tuple[float, ...]
    facts: Mapping[str, float | None]
    weights_version_id: int
    ranked_at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """The run of dark lights that a need is in."""

    id: int
    street: str
    from_corner: str
    to_corner: str
    lights: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """Another need of the same light, and when it was fixed."""

    id: int
    opened_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class RankedNeed:
    """A need as its own page shows it.

    Attributes
    ----------
    longitude, latitude : float
        EPSG:4326, exact.
    pole : str
        The number of the light; empty where it is none.
    rank : Rank or None
        None where it is closed, or was not ranked yet.
    earlier : tuple of Fixed
        Other needs of the same light that were fixed, the newest first.
    order_ids : tuple of int
        Its work orders, the newest first.
    """

    id: int
    kind: Kind
    category: Category
    status: Status
    hazard: bool
    place: str
    neighbourhood: str
    council_district: str
    opened_at: datetime
    closed_at: datetime | None
    longitude: float
    latitude: float
    street_light_id: int | None
    pole: str
    rank: Rank | None
    run: Run | None
    earlier: tuple[Fixed, ...]
    order_ids: tuple[int, ...]


_ONE = text("""
    SELECT need.id, need.kind, category_code, need.status, hazard, need.address AS place,
        coalesce(neighbourhood.name, '') AS neighbourhood, coalesce(district.name, '') AS council_district,
        opened_at, closed_at, ST_X(need.geom) AS longitude, ST_Y(need.geom) AS latitude,
        need.street_light_id, coalesce(light.pole_id, '') AS pole,
        held.rank, rank_low, rank_high, score, parts, facts, weights_version_id, ranked_at,
        run.id AS run_id, run.street, run.from_corner, run.to_corner, run.lights,
        ARRAY(SELECT id FROM work_order WHERE need_id = need.id ORDER BY id DESC) AS order_ids
    FROM need
    LEFT JOIN need_rank AS held ON held.need_id = need.id AND closed_at IS NULL
    LEFT JOIN dark_run AS run ON run.id = held.dark_run_id
    LEFT JOIN street_light AS light ON light.id = need.street_light_id
    LEFT JOIN area AS neighbourhood ON neighbourhood.id = need.neighbourhood_id
    LEFT JOIN area AS district ON district.id = need.council_district_id
    WHERE need.id = :id
""")
_EARLIER = text("""
    SELECT id, opened_at, closed_at FROM need
    WHERE street_light_id = :light AND id <> :id AND closed_at IS NOT NULL AND status = 'done'
    ORDER BY closed_at DESC, id
""")


def one(session: Session, id: int) -> RankedNeed | None:
    """Give a need with its rank; None where whoever looks has none such."""
    row = session.execute(_ONE, {"id": id}).one_or_none()
    if row is None:
        return None
    earlier: Sequence[Any] = ()
    if row.street_light_id is not None:
        earlier = session.execute(_EARLIER, {"id": id, "light": row.street_light_id}).all()
    return RankedNeed(
        id=row.id,
        kind=Kind(row.kind),
        category=BY_CODE[row.category_code],
        status=Status(row.status),
        hazard=row.hazard,
        place=row.place,
        neighbourhood=row.neighbourhood,
        council_district=row.council_district,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        longitude=row.longitude,
        latitude=row.latitude,
        street_light_id=row.street_light_id,
        pole=row.pole,
        rank=None
        if row.rank is None
        else Rank(
            row.rank,
            row.rank_low,
            row.rank_high,
            row.score,
            tuple(row.parts),
            row.facts,
            row.weights_version_id,
            row.ranked_at,
        ),
        run=None
        if row.run_id is None
        else Run(row.run_id, row.street, row.from_corner, row.to_corner, row.lights),
        earlier=tuple(Fixed(*one) for one in earlier),
        order_ids=tuple(row.order_ids),
    )


def ahead(session: Session, kind: Kind, scores: Sequence[float]) -> tuple[int, list[int]]:
    """Count the ranked needs of a kind, and for each score those that have more."""
    counts = ", ".join(
        f"count(*) FILTER (WHERE score > :score_{nth})" for nth in range(len(scores))
    )
    row = session.execute(
        text(
            f"SELECT count(*){', ' if counts else ''}{counts} FROM need_rank "  # noqa: S608 (numbers of this function)
            "WHERE kind = CAST(:kind AS report_kind)"
        ),
        {"kind": kind.value} | {f"score_{nth}": score for nth, score in enumerate(scores)},
    ).one()
    return row[0], [*row[1:]]


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened to a report of a need, as the city's people read it."""

    at: datetime
    report_id: int
    kind: EventKind
    status: Status | None
    note: str
    public: bool
    by: str


def timeline(session: Session, id: int, language: str) -> list[Happened]:
    """Give what happened to the reports of a need, the oldest first."""
    told = work.event_private
    rows = session.execute(
        select(
            ReportEvent.at,
            ReportEvent.report_id,
            ReportEvent.kind,
            ReportEvent.to_status,
            note_in(language),
            ReportEvent.public,
            func.coalesce(told.c.person_name, ""),
        )
        .join(NeedReport, NeedReport.report_id == ReportEvent.report_id)
        .outerjoin(
            told,
            and_(told.c.event_id == ReportEvent.id, told.c.report_id == ReportEvent.report_id),
        )
        .where(NeedReport.need_id == id, func.coalesce(told.c.assigns, False).is_(False))
        .order_by(ReportEvent.at, ReportEvent.id)
    )
    return [Happened(*row) for row in rows]
