"""What pages show of work orders: lists of them, one with all that happened, the route of a crew."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.categories import BY_CODE, Category
from geo.kinds import Kind
from geo.places import typed_number
from geo.statuses import OPEN, Status
from geo.work_orders import UNDER_WAY, Outcome, State


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders are meant. Empty fields do not narrow; no state means those that are not closed.

    Attributes
    ----------
    today : datetime.date
        Local date.
    late : bool
        Only those to be looked at: the crew is not done and their day has passed or their need is
        closed, a crew's word came late, or neighbours say that it is not fixed.
    words : str
        The number of an order, or part of its address.
    """

    today: date
    states: frozenset[State] = frozenset()
    kind: Kind | None = None
    crew_id: int | None = None
    day: date | None = None
    work_plan_id: int | None = None
    late: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A work order with what it is about, and whose word says what.

    Attributes
    ----------
    pole : str
        The number on the light's pole; empty where it is about no light.
    longitude, latitude : float
        Of the exact place, EPSG:4326.
    parts_to_bring : str
        What the last crew asked for.
    reports : int
        Of which the need is made, duplicates not counted.
    verified, not_fixed, waiting : int
        Reports of which neighbours say that it is fixed, that it is not, or nothing yet. Beside the
        crew's word, never instead of it.
    came_late : bool
        Whether a crew's word came when it could be no step any more, and the desk has not decided yet.
    distance_m : float or None
        Straight from the stop before, or from the depot; of a route only.
    """

    id: int
    version: int
    state: State
    outcome: Outcome
    parts: str
    parts_to_bring: str
    need_id: int
    category: Category
    need_status: Status
    hazard: bool
    address: str
    pole: str
    longitude: float
    latitude: float
    opened_at: datetime
    neighbourhood: str
    council_district: str
    work_plan_id: int | None
    work_plan: str
    crew_id: int | None
    crew: str
    day: date | None
    position: int | None
    arrive_at: datetime | None
    service_minutes: int
    done_at: datetime | None
    reports: int
    verified: int
    not_fixed: int
    waiting: int
    came_late: bool
    distance_m: float | None = None

    @property
    def is_needless(self) -> bool:
        """Whether a crew has it before it, or shall, and nothing of its need is open any more."""
        waits = self.state in {State.DRAFT, *UNDER_WAY}
        return waits and self.need_status not in OPEN


_ORDERS = """
    SELECT one.id, one.version, one.state, one.outcome, one.parts,
        CASE WHEN one.state IN ('draft', 'issued', 'in_field') THEN coalesce(nullif(one.parts, ''), (
            SELECT earlier.parts FROM work_order AS earlier WHERE earlier.need_id = one.need_id
                AND earlier.id < one.id ORDER BY earlier.id DESC LIMIT 1
        ), '') ELSE '' END AS parts_to_bring,
        one.need_id, need.category_code, need.status AS need_status, need.hazard, need.address,
        coalesce(light.pole_id, '') AS pole, ST_X(need.geom) AS longitude, ST_Y(need.geom) AS latitude,
        need.opened_at, coalesce(neighbourhood.name, '') AS neighbourhood,
        coalesce(district.name, '') AS council_district,
        one.work_plan_id, coalesce(work_plan.name, '') AS work_plan, one.crew_id,
        coalesce(crew.name, '') AS crew, one.day, one.position, one.arrive_at, one.service_minutes,
        done.at AS done_at, asked.reports, asked.verified, asked.not_fixed, asked.waiting,
        coalesce(late.came_late, false) AS came_late
    FROM work_order AS one JOIN need ON need.id = one.need_id
    LEFT JOIN street_light AS light ON light.id = need.street_light_id
    LEFT JOIN area AS neighbourhood ON neighbourhood.id = need.neighbourhood_id
    LEFT JOIN area AS district ON district.id = need.council_district_id
    LEFT JOIN crew ON crew.id = one.crew_id
    LEFT JOIN work_plan ON work_plan.id = one.work_plan_id
    LEFT JOIN LATERAL (
        SELECT max(event.marked_at) AS at, max(event.at) AS sent_at FROM work_order_event AS event
        WHERE event.work_order_id = one.id AND event.state = 'done' AND NOT event.came_late
    ) AS done ON true
    LEFT JOIN LATERAL (
        SELECT event.came_late FROM work_order_event AS event
        WHERE event.work_order_id = one.id AND event.state IS NOT NULL ORDER BY event.id DESC LIMIT 1
    ) AS late ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS reports, count(*) FILTER (WHERE report.status = 'verified') AS verified,
            count(*) FILTER (WHERE one.outcome = 'fixed' AND EXISTS (
                SELECT FROM report_event AS event
                LEFT JOIN report_event_private AS told
                    ON told.event_id = event.id AND told.report_id = report.id
                WHERE event.report_id = report.id AND event.from_status IN ('done', 'verified')
                    AND event.to_status = 'confirmed' AND told.person_id IS NULL
                    AND event.at >= done.sent_at
            )) AS not_fixed,
            count(*) FILTER (WHERE report.status = 'done') AS waiting
        FROM need_report JOIN report ON report.id = need_report.report_id
        WHERE need_report.need_id = one.need_id AND report.status <> 'duplicate'
    ) AS asked
"""

_PLACE = (
    "coalesce(one.day, 'infinity'), coalesce(one.crew_id, 0), coalesce(one.position, 9999), one.id"
)
"""By which orders are listed: day by day, crew by crew, stop by stop."""


def _order(row: Any) -> Order:
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    values |= {
        "state": State(row.state),
        "outcome": Outcome(row.outcome),
        "category": BY_CODE[values.pop("category_code")],
        "need_status": Status(row.need_status),
    }
    return Order(**values)


def _meant(chosen: OrderFilter) -> tuple[str, dict[str, Any]]:
    """Give the condition on an order `one` of a need `need`, and what it asks for."""
    states = chosen.states or frozenset(State) - {State.INSPECTED, State.CANCELLED}
    conditions = ["one.state = ANY (CAST(:states AS work_order_state[]))"]
    asked: dict[str, Any] = {"states": sorted(map(str, states))}
    for name, column in (
        ("kind", "need.kind"),
        ("crew_id", "one.crew_id"),
        ("day", "one.day"),
        ("work_plan_id", "one.work_plan_id"),
    ):
        if (value := getattr(chosen, name)) is not None:
            conditions.append(f"{column} = :{name}")
            asked[name] = value
    if chosen.late:
        conditions.append(f"({_LATE})")
        asked["today"] = chosen.today
    if chosen.words:
        number = typed_number(chosen.words.removeprefix("#"))
        conditions.append("(one.id = :number OR strpos(lower(need.address), lower(:words)) > 0)")
        asked |= {"number": number or 0, "words": chosen.words}
    return " AND ".join(conditions), asked


_LATE = """
    (one.state IN ('draft', 'issued', 'in_field')
        AND (one.day < :today OR need.closed_at IS NOT NULL)) OR coalesce((
        SELECT event.came_late FROM work_order_event AS event
        WHERE event.work_order_id = one.id AND event.state IS NOT NULL ORDER BY event.id DESC LIMIT 1
    ), false) OR (one.state = 'done' AND one.outcome = 'fixed' AND EXISTS (
        SELECT FROM need_report JOIN report_event AS event USING (report_id)
        LEFT JOIN report_event_private AS told
            ON told.event_id = event.id AND told.report_id = event.report_id
        WHERE need_report.need_id = one.need_id AND event.from_status IN ('done', 'verified')
            AND event.to_status = 'confirmed' AND told.person_id IS NULL AND event.at >= (
                SELECT max(done.at) FROM work_order_event AS done
                WHERE done.work_order_id = one.id AND done.state = 'done' AND NOT done.came_late
            )
    ))
"""


def orders(
    session: Session, chosen: OrderFilter, *, limit: int, after: int | None = None
) -> tuple[list[Order], int | None]:
    """Give orders day by day, crew by crew and stop by stop, and after which the next page begins.

    Parameters
    ----------
    session : Session
        In the name of whoever asks: the store shows those of needs that are theirs.
    chosen : OrderFilter
    limit : int
        Orders at the most.
    after : int, optional
        The last order of the page before.

    Returns
    -------
    tuple of list of Order and int or None
    """
    condition, asked = _meant(chosen)
    if after is not None:
        condition += (
            f" AND ({_PLACE}) > (SELECT {_PLACE} FROM work_order AS one WHERE one.id = :after)"  # noqa: S608 (its own words)
        )
        asked["after"] = after
    # Chosen first: what is beside an order is asked of these alone.
    ids = session.scalars(
        text(
            "SELECT one.id FROM work_order AS one JOIN need ON need.id = one.need_id "  # noqa: S608 (its own words; values are bound)
            f"WHERE {condition} ORDER BY {_PLACE} LIMIT :limit"
        ),
        {**asked, "limit": limit + 1},
    ).all()
    found = some(session, ids[:limit])
    return found, ids[limit - 1] if len(ids) > limit else None


def some(session: Session, ids: Collection[int]) -> list[Order]:
    """Give those of some orders that whoever asks may see, in the order of lists."""
    rows = session.execute(
        text(f"{_ORDERS} WHERE one.id = ANY (:ids) ORDER BY {_PLACE}"), {"ids": [*ids]}
    )
    return [_order(row) for row in rows]


def counts(session: Session, chosen: OrderFilter) -> dict[State, int]:
    """Count the orders that a filter means in each state, whichever states it asks for."""
    condition, asked = _meant(replace(chosen, states=frozenset(State)))
    rows = session.execute(
        text(
            "SELECT one.state, count(*) FROM work_order AS one "  # noqa: S608 (as above)
            f"JOIN need ON need.id = one.need_id WHERE {condition} GROUP BY one.state"
        ),
        asked,
    )
    found = {State(state): n for state, n in rows}
    return {state: found.get(state, 0) for state in State}


@dataclass(frozen=True, slots=True)
class OrderPhoto:
    """A photo that came with what a crew marked."""

    id: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """A line of what happened to an order. No state is a note.

    Attributes
    ----------
    by : str
        A name; empty where the account is gone.
    came_late : bool
        Whether it could be no step any more.
    """

    at: datetime
    marked_at: datetime
    state: State | None
    outcome: Outcome
    note: str
    parts: str
    came_late: bool
    by: str
    photos: tuple[OrderPhoto, ...]


@dataclass(frozen=True, slots=True)
class OrderReport:
    """A report for which an order is, and how many neighbours it affects."""

    id: int
    category: Category
    status: Status
    reported_at: datetime
    supports: int


def one(session: Session, id: int) -> Order | None:
    """Give an order; None where there is none that whoever asks may see."""
    found = some(session, [id])
    return found[0] if found else None


def events(session: Session, id: int) -> list[OrderEvent]:
    """Give what happened to an order, the latest last."""
    photos: dict[int, list[OrderPhoto]] = {}
    rows = session.execute(
        text(
            "SELECT event_id, photo.id, width, height FROM work_order_photo AS photo "
            "JOIN work_order_event AS event ON event.id = event_id "
            "WHERE work_order_id = :id ORDER BY photo.id"
        ),
        {"id": id},
    )
    for event_id, *photo in rows:
        photos.setdefault(event_id, []).append(OrderPhoto(*photo))
    rows = session.execute(
        text(
            "SELECT event.id, at, marked_at, state, outcome, note, parts, came_late, "
            "coalesce((SELECT name FROM colleague WHERE colleague.person_id = event.person_id "
            "LIMIT 1), '') AS by FROM work_order_event AS event "
            "WHERE work_order_id = :id ORDER BY event.id"
        ),
        {"id": id},
    )
    return [
        OrderEvent(
            at=row.at,
            marked_at=row.marked_at,
            state=row.state and State(row.state),
            outcome=Outcome(row.outcome),
            note=row.note,
            parts=row.parts,
            came_late=row.came_late,
            by=row.by,
            photos=tuple(photos.get(row.id, ())),
        )
        for row in rows
    ]


def reports(session: Session, need_id: int) -> list[OrderReport]:
    """Give the reports of which a need is made, the oldest first; duplicates count with theirs."""
    rows = session.execute(
        text("""
            SELECT report.id, category_code, status, reported_at, (
                SELECT count(DISTINCT coalesce(counted_as, supporter)) FROM support
                JOIN report AS merged ON merged.id = support.report_id
                WHERE merged.id = report.id OR merged.duplicate_of_id = report.id
            ) AS supports
            FROM need_report JOIN report ON report.id = report_id
            WHERE need_id = :need_id AND status <> 'duplicate' ORDER BY reported_at, report.id
        """),
        {"need_id": need_id},
    )
    return [
        OrderReport(row.id, BY_CODE[row.category_code], Status(row.status), *row[3:])
        for row in rows
    ]


def photo_key(session: Session, id: int, photo_id: int) -> str | None:
    """Give where the files of a photo of an order lie; None where whoever asks may not see it."""
    key: str | None = session.scalar(
        text(
            "SELECT photo.key FROM work_order_photo AS photo "
            "JOIN work_order_event AS event ON event.id = event_id "
            "WHERE photo.id = :photo_id AND work_order_id = :id"
        ),
        {"id": id, "photo_id": photo_id},
    )
    return key


# Routes -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CrewDay:
    """What a crew has before it on a day.

    Attributes
    ----------
    done : int
        Stops of which the crew has said what came of them.
    """

    crew_id: int
    crew: str
    kind: Kind
    day: date
    stops: int
    done: int


def crew_days(session: Session, since: date, until: date) -> list[CrewDay]:
    """Give the routes of some days, both included, that are issued or were."""
    rows = session.execute(
        text(
            "SELECT crew.id, crew.name, crew.kind, one.day, count(*), "
            "count(*) FILTER (WHERE one.outcome <> '') "
            "FROM work_order AS one JOIN crew ON crew.id = one.crew_id "
            "WHERE one.day BETWEEN :since AND :until "
            "AND one.state IN ('issued', 'in_field', 'done', 'inspected') "
            "GROUP BY crew.id, one.day ORDER BY one.day, crew.name"
        ),
        {"since": since, "until": until},
    )
    return [CrewDay(id, name, Kind(kind), *rest) for id, name, kind, *rest in rows]


@dataclass(frozen=True, slots=True)
class Depot:
    """From where a crew starts; degrees on WGS 84."""

    name: str
    longitude: float
    latitude: float


@dataclass(frozen=True, slots=True)
class CrewRoute:
    """The stops of a crew on a day, in their order.

    Attributes
    ----------
    depot : Depot
    stops : tuple of Order
        Those that are issued or were. Distances are straight lines from the stop before.
    """

    crew_id: int
    crew: str
    kind: Kind
    day: date
    depot: Depot
    stops: tuple[Order, ...]


def crew_route(session: Session, crew_id: int, day: date) -> CrewRoute | None:
    """Give the route of a crew on a day; None where there is no such crew."""
    crew = session.execute(
        text(
            "SELECT crew.id, crew.name, crew.kind, depot.name AS depot, "
            "ST_X(depot.geom) AS longitude, ST_Y(depot.geom) AS latitude "
            "FROM crew JOIN depot ON depot.id = depot_id WHERE crew.id = :id"
        ),
        {"id": crew_id},
    ).one_or_none()
    if crew is None:
        return None
    found = session.execute(
        text("""
            SELECT one.id, ST_DistanceSphere(need.geom, coalesce(
                lag(need.geom) OVER (ORDER BY coalesce(one.position, 9999), one.id), depot.geom
            )) AS distance_m
            FROM work_order AS one JOIN need ON need.id = one.need_id
            JOIN crew ON crew.id = one.crew_id JOIN depot ON depot.id = crew.depot_id
            WHERE one.crew_id = :crew_id AND one.day = :day
                AND one.state IN ('issued', 'in_field', 'done', 'inspected')
        """),
        {"crew_id": crew_id, "day": day},
    )
    away = {row.id: row.distance_m for row in found}
    stops = [replace(stop, distance_m=away[stop.id]) for stop in some(session, away)]
    return CrewRoute(
        crew_id=crew.id,
        crew=crew.name,
        kind=Kind(crew.kind),
        day=day,
        depot=Depot(crew.depot, crew.longitude, crew.latitude),
        stops=tuple(stops),
    )


@dataclass(frozen=True, slots=True)
class NamedCrew:
    """A crew that can be given work."""

    id: int
    name: str
    kind: Kind
    active: bool


def crews(session: Session, kind: Kind | None = None) -> list[NamedCrew]:
    """Give the crews of a kind, or all, by name."""
    rows = session.execute(
        text(
            "SELECT id, name, kind, active FROM crew "
            "WHERE CAST(:kind AS report_kind) IS NULL OR kind = :kind ORDER BY name, id"
        ),
        {"kind": kind},
    )
    return [NamedCrew(row.id, row.name, Kind(row.kind), row.active) for row in rows]


@dataclass(frozen=True, slots=True)
class NeedAsked:
    """A need for which somebody may want an order; the last one left `parts_to_bring`."""

    id: int
    category: Category
    status: Status
    closed: bool
    hazard: bool
    address: str
    pole: str
    opened_at: datetime
    reports: int
    parts_to_bring: str


def need(session: Session, id: int) -> NeedAsked | None:
    """Give a need; None where there is none that whoever asks may work on."""
    row = session.execute(
        text("""
            SELECT category_code, status, closed_at IS NOT NULL AS closed, hazard, address,
                coalesce((
                    SELECT pole_id FROM street_light WHERE id = need.street_light_id
                ), '') AS pole, opened_at,
                (SELECT count(*) FROM need_report WHERE need_id = need.id) AS reports,
                coalesce((
                    SELECT parts FROM work_order WHERE need_id = need.id ORDER BY id DESC LIMIT 1
                ), '') AS parts_to_bring
            FROM need WHERE id = :id
        """),
        {"id": id},
    ).one_or_none()
    if row is None:
        return None
    return NeedAsked(id, BY_CODE[row.category_code], Status(row.status), *row[2:])


def usual_minutes(session: Session, need_id: int) -> int | None:
    """Give how long work on a need of this category usually takes; None where nobody has said."""
    found: int | None = session.scalar(
        text(
            "SELECT minutes FROM unit_cost JOIN need USING (category_code) WHERE need.id = :need_id"
        ),
        {"need_id": need_id},
    )
    return found
