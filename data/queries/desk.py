"""The desk: the queue of what the city is asked to fix, its counts, its days, and its tiles.

A queue is of one kind, since a rank is one among its kind. Each page of it is found by an index before
anything else is read of it: in the order of ranks, or of age within each category. That a need is of a kind is
said by its categories, since behind the store's own rules an index is read by text and numbers alone, and not
by what an enumeration compares. Everything is read in the name of the visitor: the store's own rules keep to
the kinds and districts that are theirs.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from data.queries import work, work_plans
from geo.categories import BY_CODE, CATEGORIES, Category
from geo.kinds import Kind
from geo.places import typed_number
from geo.statuses import OPEN, Status
from geo.tiles import CELL_STEPS, CELLS_BELOW, EXTENT, MARGIN, Tile, box
from geo.working_days import overdue_before, target_day

Order = Literal["", "due", "oldest"]
"""Of the queue: by rank, or as it says."""

UNRANKED = 2**31 - 1
"""Stands for the rank of what came after the last ranking, which comes last until the next one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND, _DAY = timedelta(microseconds=1), timedelta(days=1)
_ORDINAL = re.compile("[0-9]+(st|nd|rd|th)", re.IGNORECASE)
_FEW, _NEXT_RANKS = 2_000, 5_000
"""Needs that are ordered as soon as they are found, and ranks among which a page of more is looked for."""


@dataclass(frozen=True, slots=True)
class DeskFilter:
    """Which needs are meant. Empty fields do not narrow; no status means open.

    Attributes
    ----------
    kind : Kind
    today : datetime.date
        Local date, which decides what is overdue.
    zone : ZoneInfo
    days : mapping of str to int
        Target of each category in working days, as `work.targets` gives them.
    categories : tuple of str
    statuses : tuple of Status
        Open ones, or `done` alone for what was fixed.
    area_id : int or None
        A neighbourhood or a council district.
    hazard, overdue : bool
        Only what is dangerous, or should have been done before today.
    due : datetime.date or None
        Only what is due on this day.
    run_id : int or None
        A run of dark lights.
    plan_id : int or None
        What a work plan has chosen.
    words : str
        A number of a need, a report or a pole, or words of an address.
    order : Order
    """

    kind: Kind
    today: date
    zone: ZoneInfo
    days: Mapping[str, int]
    categories: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    area_id: int | None = None
    hazard: bool = False
    overdue: bool = False
    due: date | None = None
    run_id: int | None = None
    plan_id: int | None = None
    words: str = ""
    order: Order = ""

    @property
    def fixed(self) -> bool:
        """Whether what was fixed is meant, the newest first."""
        return Status.DONE in self.statuses


@dataclass(frozen=True, slots=True)
class Counts:
    """How many needs a filter means."""

    total: int
    overdue: int
    hazard: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of the queue ended.

    Attributes
    ----------
    first : int
        The rank, or the ordinal of the day on which it is due; 0 in other orders.
    at_us : int
        Microseconds from 1970 to when it was opened, or closed.
    id : int
    """

    first: int
    at_us: int
    id: int

    @property
    def at(self) -> datetime:
        """When it was opened, or closed."""
        return _EPOCH + timedelta(microseconds=self.at_us)


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A need as the queue shows it.

    Attributes
    ----------
    version, seen : int
        Of the need, and the newest thing that happened to its reports: a change names both.
    pole : str
        The number of the light; empty where it is none.
    place : str
        Its address; empty where none is known.
    longitude, latitude : float
        EPSG:4326.
    due : datetime.date or None
        By when it is to be fixed; None where it is closed or no target is set.
    rank, rank_low, rank_high : int or None
        Among its kind; None where it was not ranked yet.
    reports, supports : int
        Reports of it, and neighbours who say "affects me too".
    run_id, run_lights, run_street : int, int and str, or None
        The run of dark lights it is in.
    assigned_to : str
        Names of people and departments; empty for nobody.
    plan_id, plan_name : int and str, or None
        The work plan that has chosen it.
    order_id : int or None
        Its work order, `order_state` and `order_outcome` how far that is, and `crew` and `day` whose.
    verified, not_fixed : bool
        The word of neighbours on what the crew said was fixed: it is, or it was taken up again.
    """

    id: int
    version: int
    seen: int
    category: Category
    status: Status
    hazard: bool
    opened_at: datetime
    closed_at: datetime | None
    times_failed: int
    pole: str
    place: str
    neighbourhood: str
    council_district: str
    longitude: float
    latitude: float
    due: date | None
    overdue: bool
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    score: float | None
    reports: int
    supports: int
    run_id: int | None
    run_lights: int | None
    run_street: str | None
    assigned_to: str
    plan_id: int | None
    plan_name: str | None
    order_id: int | None
    order_state: str | None
    order_outcome: str | None
    crew: str | None
    day: date | None
    verified: bool
    not_fixed: bool


# Which needs are meant ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """A condition in SQL on `need`, and its parameters."""

    sql: str
    values: Mapping[str, Any]


def _asked(chosen: DeskFilter) -> _Asked:
    pieces = [
        _Asked("need.category_code = ANY (:categories)", {"categories": _codes(chosen)}),
        _in_state(chosen),
    ]
    if chosen.hazard:
        pieces.append(_Asked("need.hazard", {}))
    if chosen.overdue:
        pieces.append(_due_between(chosen, None, chosen.today, "late"))
    if chosen.due is not None:
        pieces.append(_due_between(chosen, chosen.due, chosen.due + _DAY, "due"))
    if chosen.words:
        pieces.append(_called(chosen.words))
    pieces += [
        _Asked(sql, {name: id})
        for name, id, sql in (
            ("area", chosen.area_id, _IN_AREA),
            ("run", chosen.run_id, _IN_RUN),
            ("plan", chosen.plan_id, _IN_PLAN),
        )
        if id is not None
    ]
    return _Asked(
        " AND ".join(piece.sql for piece in pieces),
        {name: value for piece in pieces for name, value in piece.values.items()},
    )


def _codes(chosen: DeskFilter) -> list[str]:
    """Give the categories that are meant: those chosen, or all of the kind."""
    of_kind = [one.code for one in CATEGORIES if one.kind is chosen.kind]
    return [code for code in of_kind if not chosen.categories or code in chosen.categories]


_IN_AREA = "(need.council_district_id = :area OR need.neighbourhood_id = :area)"
_IN_RUN = "need.id IN (SELECT need_id FROM need_rank WHERE dark_run_id = :run)"
_IN_PLAN = """need.id IN (
    SELECT need_id FROM work_plan_need WHERE work_plan_id = :plan AND (chosen OR lock = 'in')
)"""


def _in_state(chosen: DeskFilter) -> _Asked:
    if chosen.fixed:
        return _Asked("need.closed_at IS NOT NULL AND need.status = 'done'", {})
    statuses = [status.value for status in chosen.statuses if status in OPEN]
    if not statuses:
        return _Asked("need.closed_at IS NULL", {})
    return _Asked(
        "need.closed_at IS NULL AND need.status = ANY (CAST(:statuses AS report_status[]))",
        {"statuses": statuses},
    )


def _by_days(chosen: DeskFilter) -> dict[int, list[str]]:
    """Give the categories of the kind by how many working days there are for them."""
    found: dict[int, list[str]] = {}
    for code, days in sorted(chosen.days.items()):
        if BY_CODE[code].kind is chosen.kind:
            found.setdefault(days, []).append(code)
    return found


def _moment(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _due_between(chosen: DeskFilter, since: date | None, until: date, name: str) -> _Asked:
    """Give the condition that a need is due from one day to before another."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    for days, codes in _by_days(chosen).items():
        key = f"{name}_{days}"
        part = f"need.category_code = ANY (:{key}) AND need.opened_at < :{key}_until"
        values[key] = codes
        values[f"{key}_until"] = _moment(overdue_before(until, days), chosen.zone)
        if since is not None:
            part += f" AND need.opened_at >= :{key}_since"
            values[f"{key}_since"] = _moment(overdue_before(since, days), chosen.zone)
        parts.append(f"({part})")
    return _Asked(f"(need.closed_at IS NULL AND ({' OR '.join(parts) or 'false'}))", values)


def _called(words: str) -> _Asked:
    """Give the condition that a need is called so: by a number, or by words of its address in any order.

    One word with a figure is a number, and no address, but for a street such as 31st.
    """
    number = words.removeprefix("#").strip()
    asked = ["need.street_light_id IN (SELECT id FROM street_light WHERE pole_id = ANY (:poles))"]
    values: dict[str, Any] = {"poles": [number, number.upper(), number.lower()]}
    if (asked_id := typed_number(number)) is not None:
        asked.append(
            "need.id = :number OR need.id IN (SELECT need_id FROM need_report WHERE report_id = :number)"
        )
        values["number"] = asked_id
    if " " in words or not any(map(str.isdigit, words)) or _ORDINAL.fullmatch(words):
        found = [f"%{_like(word)}%" for word in dict.fromkeys(_folded(words).split())]
        values |= {f"word_{at}": word for at, word in enumerate(found)}
        asked.append(
            " AND ".join(f"need.address_folded LIKE :word_{at}" for at, _ in enumerate(found))
        )
    return _Asked(f"({' OR '.join(f'({one})' for one in asked)})", values)


def _folded(words: str) -> str:
    """Write words as the store folds addresses: in small letters, without accents."""
    apart = unicodedata.normalize("NFKD", words)
    return "".join(mark for mark in apart if not "\u0300" <= mark <= "\u036f").lower()


def _like(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# The queue ----------------------------------------------------------------------------------------


def counts(session: Session, chosen: DeskFilter) -> Counts:
    """Count what a filter means.

    Parameters
    ----------
    session : Session
        In the name of whoever asks.
    chosen : DeskFilter
    """
    asked = _asked(chosen)
    # Joined to its bound a row is judged once, and not by category after category. What was fixed has
    # none. Nothing is read that the index has not.
    bounds = {
        code: _moment(overdue_before(chosen.today, days), chosen.zone)
        for days, codes in _by_days(chosen).items()
        for code in codes
        if not chosen.fixed
    }
    row = session.execute(
        text(f"""
            SELECT count(*), count(*) FILTER (WHERE opened_at < bound.late),
                count(*) FILTER (WHERE hazard)
            FROM need LEFT JOIN unnest(
                CAST(:codes AS text[]), CAST(:bounds AS timestamptz[])
            ) AS bound (code, late) ON bound.code = need.category_code
            WHERE {asked.sql}
        """),  # noqa: S608 (conditions of this module)
        {**asked.values, "codes": [*bounds], "bounds": [*bounds.values()]},
    ).one()
    return Counts(*row)


def queue(
    session: Session, chosen: DeskFilter, *, limit: int, after: Cursor | None = None
) -> tuple[list[QueueItem], Cursor | None]:
    """Give a page of the queue in its order, and where the next one begins.

    Parameters
    ----------
    session : Session
        In the name of whoever asks.
    chosen : DeskFilter
    limit : int
        Needs at the most.
    after : Cursor, optional
        Where the page before ended.

    Returns
    -------
    tuple of list of QueueItem and Cursor or None
    """
    asked = _asked(chosen)
    if chosen.fixed:
        found = _newest_fixed(session, asked, limit + 1, after)
    elif chosen.order:
        found = _by_age(session, chosen, asked, limit + 1, after)
    else:
        found = _by_rank(session, asked, limit + 1, after)
    listed = found[:limit]
    more = listed[-1] if len(found) > limit else None
    items = some(
        session,
        [one.id for one in listed],
        today=chosen.today,
        zone=chosen.zone,
        days=chosen.days,
    )
    return items, more


def _pages(session: Session, sql: str, values: Mapping[str, Any]) -> list[Cursor]:
    rows = session.execute(text(sql), values)
    return [Cursor(first, (at - _EPOCH) // _MICROSECOND, id) for first, at, id in rows]


def _by_rank(session: Session, asked: _Asked, limit: int, after: Cursor | None) -> list[Cursor]:
    """Give what comes first; what is not ranked yet stands behind.

    Few needs are found first and ordered then. Of many a page stands among the next ranks, as a rule, which are
    read in their order; where it does not, all are ordered.
    """
    few = session.scalars(
        text(f"SELECT id FROM need WHERE {asked.sql} LIMIT {_FEW + 1}"),  # noqa: S608 (as above)
        asked.values,
    ).all()
    if len(few) <= _FEW:
        return _ordered(session, _Asked("need.id = ANY (:few)", {"few": [*few]}), limit, after)
    begin, id = (0, 0) if after is None else (after.first, after.id)
    # Of the two conditions on what comes after the first is what the index is read by.
    found = _pages(
        session,
        f"""
            SELECT need_rank.rank, need.opened_at, need.id
            FROM need JOIN need_rank ON need_rank.need_id = need.id
            WHERE {asked.sql} AND need_rank.rank BETWEEN :rank AND :until
                AND (need_rank.rank, need.id) > (:rank, :id)
            ORDER BY need_rank.rank, need.id LIMIT :limit
        """,  # noqa: S608 (as above)
        {**asked.values, "limit": limit, "rank": begin, "until": begin + _NEXT_RANKS, "id": id},
    )
    return found if len(found) == limit else _ordered(session, asked, limit, after)


def _ordered(session: Session, asked: _Asked, limit: int, after: Cursor | None) -> list[Cursor]:
    place = f"coalesce(need_rank.rank, {UNRANKED})"
    rest = (
        "" if after is None else f"WHERE ({place}, found.opened_at, found.id) > (:rank, :at, :id)"
    )
    values = {**asked.values, "limit": limit}
    if after is not None:
        values |= {"rank": after.first, "at": after.at, "id": after.id}
    return _pages(
        session,
        f"""
            WITH found AS MATERIALIZED (SELECT id, opened_at FROM need WHERE {asked.sql})
            SELECT {place}, found.opened_at, found.id
            FROM found LEFT JOIN need_rank ON need_rank.need_id = found.id
            {rest} ORDER BY 1, 2, 3 LIMIT :limit
        """,  # noqa: S608 (as above)
        values,
    )


def _newest_fixed(
    session: Session, asked: _Asked, limit: int, after: Cursor | None
) -> list[Cursor]:
    rest = "" if after is None else "AND (need.closed_at, need.id) < (:at, :id)"
    values = {**asked.values, "limit": limit}
    return _pages(
        session,
        f"""
            SELECT 0, need.closed_at, need.id FROM need WHERE {asked.sql} {rest}
            ORDER BY need.closed_at DESC, need.id DESC LIMIT :limit
        """,  # noqa: S608 (as above)
        values if after is None else {**values, "at": after.at, "id": after.id},
    )


def _by_age(
    session: Session, chosen: DeskFilter, asked: _Asked, limit: int, after: Cursor | None
) -> list[Cursor]:
    """Give what is oldest, or due, first: within a category both are the same.

    What has no target is due last.
    """
    by_due = chosen.order == "due"
    parts, values = list[str](), {**asked.values, "limit": limit}
    for code in _codes(chosen):
        rest = ""
        if after is not None:
            rest = f"AND (need.opened_at, need.id) > (:at_{code}, :id_{code})"
            begin = _begin(chosen, code, after) if by_due else (after.at, after.id)
            values |= {f"at_{code}": begin[0], f"id_{code}": begin[1]}
        parts.append(f"""(
            SELECT CAST(:code_{code} AS text), need.opened_at, need.id FROM need
            WHERE {asked.sql} AND need.category_code = :code_{code} {rest}
            ORDER BY need.opened_at, need.id LIMIT :limit
        )""")  # noqa: S608 (as above)
        values[f"code_{code}"] = code
    found = []
    for code, at, id in session.execute(text(" UNION ALL ".join(parts)), values):
        first = 0
        if by_due:
            days = chosen.days.get(code)
            opened = at.astimezone(chosen.zone).date()
            first = _LAST_DAY if days is None else target_day(opened, days).toordinal()
        found.append(Cursor(first, (at - _EPOCH) // _MICROSECOND, id))
    return sorted(found, key=lambda one: (one.first, one.at_us, one.id))[:limit]


_LAST_DAY = date.max.toordinal()


def _begin(chosen: DeskFilter, code: str, after: Cursor) -> tuple[datetime, int]:
    """Give after which age and id needs of a category follow on one that is due then."""
    days = chosen.days.get(code)
    if days is None or after.first == _LAST_DAY:
        return (after.at, after.id) if after.first == _LAST_DAY else (_EPOCH, 0)
    try:
        due = date.fromordinal(after.first)
        same, later = (_moment(overdue_before(day, days), chosen.zone) for day in (due, due + _DAY))
    except (ValueError, OverflowError):  # no day at which a page of ours has ended
        return (_EPOCH, 0)
    # Of another category what is due on the same day may be older, and has been listed already.
    at = (after.at, after.id)
    return min(max((same, 0), at), (later, 0))


_ITEMS = text("""
    SELECT need.id, need.version, need.category_code, need.status, need.hazard, need.opened_at,
        need.closed_at, need.times_failed, coalesce(street_light.pole_id, '') AS pole,
        need.address AS place, coalesce(neighbourhood.name, '') AS neighbourhood,
        coalesce(district.name, '') AS council_district,
        ST_X(need.geom) AS longitude, ST_Y(need.geom) AS latitude,
        need_rank.rank, need_rank.rank_low, need_rank.rank_high, need_rank.score,
        dark_run.id AS run_id, dark_run.lights AS run_lights, dark_run.street AS run_street,
        made.reports, made.verified, made.seen, made.supports, made.not_fixed, made.assigned_to,
        work_plan.id AS plan_id, work_plan.name AS plan_name,
        work_order.id AS order_id, work_order.state::text AS order_state,
        work_order.outcome::text AS order_outcome, crew.name AS crew, work_order.day
    FROM unnest(CAST(:ids AS bigint[])) WITH ORDINALITY AS listed (id, place)
    JOIN need ON need.id = listed.id
    LEFT JOIN street_light ON street_light.id = need.street_light_id
    LEFT JOIN area AS neighbourhood ON neighbourhood.id = need.neighbourhood_id
    LEFT JOIN area AS district ON district.id = need.council_district_id
    LEFT JOIN need_rank ON need_rank.need_id = need.id
    LEFT JOIN dark_run ON dark_run.id = need_rank.dark_run_id
    LEFT JOIN LATERAL (
        SELECT id, name FROM work_plan_need JOIN work_plan ON work_plan.id = work_plan_id
        WHERE need_id = need.id AND (chosen OR lock = 'in') AND work_plan.state <> 'closed'
        ORDER BY id DESC LIMIT 1
    ) AS work_plan ON true
    LEFT JOIN LATERAL (
        SELECT id, state, outcome, crew_id, day FROM work_order
        WHERE need_id = need.id AND state <> 'cancelled' ORDER BY id DESC LIMIT 1
    ) AS work_order ON true
    LEFT JOIN crew ON crew.id = work_order.crew_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS reports,
            coalesce(bool_or(report.status = 'verified'), false) AS verified,
            coalesce(max((
                SELECT max(id) FROM report_event
                WHERE report_event.report_id = report.id AND report_event.kind <> 'support'
            )), 0) AS seen,
            coalesce(bool_or(report.status = ANY (CAST(:open AS report_status[])) AND EXISTS (
                SELECT FROM report_event AS event WHERE event.report_id = report.id
                    AND event.from_status IN ('done', 'verified')
            )), false) AS not_fixed,
            (
                SELECT count(DISTINCT coalesce(counted_as, supporter)) FROM support
                WHERE support.report_id = ANY (array_agg(report.id))
            ) AS supports,
            coalesce((
                SELECT string_agg(DISTINCT coalesce(colleague.name, department.name), ', ')
                FROM assignment LEFT JOIN department ON department.id = assignment.department_id
                LEFT JOIN colleague ON colleague.person_id = assignment.person_id
                WHERE assignment.report_id = ANY (array_agg(report.id))
            ), '') AS assigned_to
        FROM need_report JOIN report ON report.id = need_report.report_id
        WHERE need_report.need_id = need.id
    ) AS made
    ORDER BY listed.place
""")


def some(
    session: Session, ids: Sequence[int], *, today: date, zone: ZoneInfo, days: Mapping[str, int]
) -> list[QueueItem]:
    """Give some needs as the queue shows them, in the order asked for; without those not to be seen.

    Parameters
    ----------
    session : Session
        In the name of whoever asks.
    ids : sequence of int
    today, zone, days
        As of `DeskFilter`.
    """
    if not ids:
        return []
    items = []
    for row in session.execute(_ITEMS, {"ids": [*ids], "open": sorted(OPEN)}).mappings():
        values = dict(row)
        category, status = BY_CODE[values.pop("category_code")], Status(values.pop("status"))
        due = work.due_on(category, status, row["opened_at"], days, zone)
        items.append(
            QueueItem(
                **values,
                category=category,
                status=status,
                due=due,
                overdue=due is not None and due < today,
            )
        )
    return items


@dataclass(frozen=True, slots=True)
class Asking:
    """A report of a need, and the version that a change of it has to name."""

    report_id: int
    status: Status
    version: int


@dataclass(frozen=True, slots=True)
class Held:
    """A need as it stands while nobody else can change it.

    Attributes
    ----------
    version, seen : int
        As of `QueueItem`.
    open : bool
    reports : tuple of Asking
        Those that stand for themselves, none of which another changes until the transaction ends.
    """

    version: int
    seen: int
    open: bool
    reports: tuple[Asking, ...]


def hold(session: Session, ids: Collection[int]) -> dict[int, Held]:
    """Have others wait who would change the reports of some needs, and give these as they stand.

    Parameters
    ----------
    session : Session
        In the name of whoever changes them.
    ids : collection of int
        Those not to be seen are left out.
    """
    asked = {"ids": sorted(ids)}
    asking = text("SELECT report_id FROM need_report WHERE need_id = ANY (:ids)")
    work.hold(session, set(session.scalars(asking, asked)))
    rows = session.execute(
        text("""
            SELECT need_id, report.id, report.status, as_duplicate FROM need_report
            JOIN report ON report.id = need_report.report_id
            WHERE need_id = ANY (:ids) ORDER BY report.id
        """),
        asked,
    ).all()
    versions = work.versions(session, {row.id for row in rows})
    found = {}
    for id, version, is_open in session.execute(
        text("SELECT id, version, closed_at IS NULL FROM need WHERE id = ANY (:ids)"), asked
    ):
        own = [row for row in rows if row.need_id == id]
        found[id] = Held(
            version,
            max((versions[row.id] for row in own), default=0),
            is_open,
            tuple(
                Asking(row.id, Status(row.status), versions[row.id])
                for row in own
                if not row.as_duplicate
            ),
        )
    return found


# Day by day ---------------------------------------------------------------------------------------


def due_days(session: Session, chosen: DeskFilter) -> dict[date, Counts]:
    """Count what a filter means by the day on which it is due, the earliest first.

    Parameters
    ----------
    session : Session
        In the name of whoever asks.
    chosen : DeskFilter

    Returns
    -------
    dict of date to Counts
        `overdue` is all of a day, or nothing of it.
    """
    asked = _asked(chosen)
    rows = session.execute(
        text(f"""
            SELECT category_code, (opened_at AT TIME ZONE :zone)::date AS day, count(*) AS n,
                count(*) FILTER (WHERE hazard) AS hazard
            FROM need WHERE {asked.sql} GROUP BY 1, 2
        """),  # noqa: S608 (as above)
        {**asked.values, "zone": str(chosen.zone)},
    )
    found: dict[date, Counts] = {}
    for row in rows:
        if row.category_code not in chosen.days:
            continue
        due = target_day(row.day, chosen.days[row.category_code])
        before = found.get(due, Counts(0, 0, 0))
        late = row.n if due < chosen.today else 0
        found[due] = Counts(before.total + row.n, before.overdue + late, before.hazard + row.hazard)
    return dict(sorted(found.items()))


# The map ------------------------------------------------------------------------------------------

_POINT = """
    ST_AsMVTGeom(ST_Transform(need.geom, 3857), ST_TileEnvelope(:z, :x, :y), :extent, :margin) AS geom
"""
_BOX = "ST_MakeEnvelope(:west, :south, :east, :north, 4326)"

_MARKED = f"""
    SELECT ST_AsMVT(found.*, 'needs', :extent, 'geom', 'id') FROM (
        SELECT need.id, need.status::text AS status, need.kind::text AS kind, {_POINT}
        FROM need WHERE {{asked}} AND need.id = ANY (ARRAY(
            SELECT needs_within(:west, :south, :east, :north)
        ))
    ) AS found
"""  # noqa: S608 (its own constants)

_COUNTED = f"""
    SELECT ST_AsMVT(found.*, 'cells', :extent, 'geom') FROM (
        SELECT ST_MakePoint((cx - (:x << :steps)) * :side + :side / 2,
                            (cy - (:y << :steps)) * :side + :side / 2) AS geom, n
        FROM (
            SELECT floor((ST_X(geom) + 180) / 360 * :cells)::int AS cx,
                floor((1 - asinh(tan(radians(ST_Y(geom)))) / pi()) / 2 * :cells)::int AS cy,
                count(*) AS n
            FROM need WHERE {{asked}} AND need.geom && {_BOX} GROUP BY 1, 2
        ) AS counted
        WHERE cx >> :steps = :x AND cy >> :steps = :y
    ) AS found
"""  # noqa: S608 (as above)

_RUNS = f"""
    SELECT ST_AsMVT(found.*, 'dark_runs', :extent, 'geom', 'id') FROM (
        SELECT id, lights, ST_AsMVTGeom(
            ST_Transform(geom, 3857), ST_TileEnvelope(:z, :x, :y), :extent, :margin) AS geom
        FROM dark_run WHERE geom && {_BOX}
    ) AS found
"""  # noqa: S608 (as above)

_PLANNED = f"""
    SELECT ST_AsMVT(found.*, 'work_plans', :extent, 'geom', 'id') FROM (
        SELECT need.id, CASE WHEN lock = 'out' THEN 'out' ELSE 'in' END AS choice, {_POINT}
        FROM work_plan_need JOIN need ON need.id = need_id
            JOIN work_plan ON work_plan.id = work_plan_id
        WHERE (chosen OR lock <> '') AND work_plan.kind = :kind
            AND CASE WHEN CAST(:plan AS bigint) IS NULL THEN work_plan.state <> 'closed'
                ELSE work_plan.id = :plan END
            AND need.geom && {_BOX}
    ) AS found
"""  # noqa: S608 (as above)

_ROUTES = f"""
    SELECT ST_AsMVT(found.*, 'crew_routes', :extent, 'geom', 'id') FROM (
        SELECT crew_id AS id, ST_AsMVTGeom(
            ST_Transform(way, 3857), ST_TileEnvelope(:z, :x, :y), :extent, :margin) AS geom
        FROM (
            SELECT crew_id, day, ST_MakeLine(need.geom ORDER BY position, work_order.id) AS way
            FROM work_order JOIN need ON need.id = need_id
            JOIN crew ON crew.id = crew_id
            WHERE work_order.state IN ('issued', 'in_field') AND day >= :today
                AND crew.kind = :kind
            GROUP BY crew_id, day HAVING count(*) > 1
        ) AS routes WHERE way && {_BOX}
    ) AS found
"""  # noqa: S608 (as above)

LAYERS = ("needs", "dark_runs", "work_plans", "crew_routes")


def tile(session: Session, layer: str, tile: Tile, chosen: DeskFilter) -> bytes:
    """Draw one tile of one layer of the desk, as Mapbox Vector Tile.

    Parameters
    ----------
    session : Session
        In the name of whoever asks.
    layer : str
        One of `LAYERS`.
    tile : Tile
    chosen : DeskFilter
        Narrows down needs; of the others its kind and its work plan hold.

    Returns
    -------
    bytes
        Empty where the tile shows nothing.
    """
    west, south, east, north = box(tile)
    values: dict[str, Any] = {
        "z": tile.z, "x": tile.x, "y": tile.y,
        "west": west, "south": south, "east": east, "north": north,
        "extent": EXTENT, "margin": MARGIN, "kind": chosen.kind.value,
    }  # fmt: skip
    if layer == "needs":
        asked = _asked(chosen)
        values |= asked.values
        if tile.z < CELLS_BELOW:
            values |= {
                "steps": CELL_STEPS,
                "side": EXTENT >> CELL_STEPS,
                "cells": float(1 << tile.z + CELL_STEPS),
            }
            sql = _COUNTED.format(asked=asked.sql)
        else:
            sql = _MARKED.format(asked=asked.sql)
    elif layer == "dark_runs":
        sql = _RUNS if chosen.kind is Kind.LIGHTING else "SELECT ''::bytea"
    elif layer == "work_plans":
        sql, values = _PLANNED, {**values, "plan": chosen.plan_id}
    else:
        sql, values = _ROUTES, {**values, "today": chosen.today}
    drawn: bytes = session.execute(text(sql), values).scalar_one()
    return bytes(drawn)


@dataclass(frozen=True, slots=True)
class DarkRun:
    """Adjacent dark lights on one street."""

    id: int
    street: str
    from_corner: str
    to_corner: str
    lights: int


def dark_run(session: Session, id: int) -> DarkRun | None:
    """Give a run of dark lights; None where there is none, or whoever asks may not see it."""
    row = session.execute(
        text("SELECT id, street, from_corner, to_corner, lights FROM dark_run WHERE id = :id"),
        {"id": id},
    ).one_or_none()
    return None if row is None else DarkRun(*row)


# Work plans and crews to choose from --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """A work plan or a crew by its name."""

    id: int
    name: str


def plans(session: Session, kind: Kind) -> list[Choice]:
    """Give the work plans of a kind that can still be changed, the newest first."""
    rows = session.execute(
        text(
            "SELECT id, name FROM work_plan WHERE kind = :kind AND state = 'draft' ORDER BY id DESC"
        ),
        {"kind": kind.value},
    )
    return [Choice(*row) for row in rows]


def crews(session: Session, kind: Kind) -> list[Choice]:
    """Give the crews of a kind that work now, by name."""
    rows = session.execute(
        text("SELECT id, name FROM crew WHERE kind = :kind AND active ORDER BY name"),
        {"kind": kind.value},
    )
    return [Choice(*row) for row in rows]


def lock(
    session: Session, plan_id: int, need_ids: Sequence[int], lock: Literal["in", "out"]
) -> bool:
    """Put needs into a work plan for good, or keep them out of it, each with those of its repair.

    Parameters
    ----------
    session : Session
        In the name of whoever plans.
    plan_id : int
    need_ids : sequence of int
        Of the plan's kind; others are passed over.
    lock : "in" or "out"

    Returns
    -------
    bool
        False where the plan is no draft any more, or not theirs.
    """
    version = session.scalar(
        text("SELECT version FROM work_plan WHERE id = :id AND state = 'draft' FOR UPDATE"),
        {"id": plan_id},
    )
    if version is None:
        return False
    work_plans.lock(session, plan_id, version, need_ids, lock)
    return True
