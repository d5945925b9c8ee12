"""Working on reports: whose they are to work on, the list of them, and every change of one.

A change is made as whoever makes it: the store asks the same again by its own policies.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Row,
    and_,
    any_,
    case,
    cast,
    column,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    outerjoin,
    select,
    table,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, aliased

from data.models import (
    Area,
    Assignment,
    CategoryTarget,
    Department,
    EventKind,
    Report,
    ReportContact,
    ReportEvent,
    ResponseTemplate,
    SavedFilter,
    Support,
)
from data.queries.filters import Cursor, ReportFilter, narrowed, within_area
from data.queries.reports import note_in
from geo.categories import BY_CODE, Category
from geo.kinds import Kind, Severity
from geo.places import typed_number
from geo.roles import Act, Grant, Role, Site, may
from geo.statuses import OPEN, Party, Refusal, Status, parties, refusal
from geo.working_days import holidays, overdue_before, target_day

_DECIMALS = 6  # of a degree: 0.1 m
_LAST = 2**31 - 1
_A_MONDAY = date(1900, 1, 1)
_HOLIDAYS_SINCE = 3
"""Years whose holidays count in the order of what is due: few open reports are older."""

WORKED_ON = frozenset(Status) - {Status.HELD}
"""What a work list shows: held reports wait for a moderator."""

private = table(
    "report_private",
    column("report_id", BigInteger),
    column("description"),
    column("exact_geom"),
    column("home_address"),
)
sites = table(
    "report_site",
    column("report_id", BigInteger),
    column("neighbourhood_id", BigInteger),
    column("council_district_id", BigInteger),
    column("patrol_division_id", BigInteger),
    column("tract_id", BigInteger),
)
"""Areas of exact positions, of the reports whose exact place the visitor may read."""

event_private = table(
    "report_event_private",
    column("event_id", BigInteger),
    column("report_id", BigInteger),
    column("person_name"),
    column("department_id", BigInteger),
    column("assigns"),
    column("assigned_department_id", BigInteger),
    column("assigned_person_name"),
)


@dataclass(frozen=True, slots=True)
class Worker:
    """Whoever works on reports.

    Attributes
    ----------
    person_id : int
    grants : tuple of Grant
        Roles that hold now.
    """

    person_id: int
    grants: tuple[Grant, ...]

    def department_for(self, site: Site) -> int | None:
        """Give the department in whose name somebody works on a report, where it is one."""
        return next(
            (
                grant.department_id
                for grant in self.grants
                if grant.role is Role.STAFF and may([grant], Act.WORK, site)
            ),
            None,
        )


Order = Literal["", "due", "newest", "supported"]
"""Of a work list: the oldest first, or as it says; what is due is the earliest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFilter(ReportFilter):
    """Which reports of a work list are meant. Empty fields do not narrow; no status means open.

    Attributes
    ----------
    today : datetime.date
        Local date, which decides what is overdue.
    assigned : "me", "nobody" or ""
    overdue : bool
        Only what should have been done before today.
    words : str
        The number of a report, or words of its address.
    order : Order
    """

    today: date
    assigned: Literal["", "me", "nobody"] = ""
    overdue: bool = False
    words: str = ""
    order: Order = ""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A report as the work list shows it.

    Attributes
    ----------
    version : int
        Changes with every change of the report; a change names the one that it saw.
    place : str
        Its address, of a home too; empty where none is known.
    geometry : str
        GeoJSON of the exact position.
    due : datetime.date or None
        By when it is to be done; None where it is closed or no target is set.
    overdue : bool
    supports : int
        Neighbours whom it affects, those of its duplicates too.
    assigned_to : str
        A person's or a department's name; empty for nobody.
    """

    id: int
    version: int
    category: Category
    status: Status
    place: str
    neighbourhood: str
    council_district: str
    patrol_division: str
    reported_at: datetime
    geometry: str
    due: date | None
    overdue: bool
    supports: int
    assigned_to: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many reports a filter means."""

    total: int
    overdue: int
    unassigned: int
    mine: int


def scope(grants: Collection[Grant]) -> ColumnElement[bool]:
    """Give the condition that a report is somebody's to work on, as `geo.roles.may` says."""
    meant: list[ColumnElement[bool]] = []
    for grant in grants:
        if grant.role is Role.ADMINISTRATOR:
            return true()
        if grant.role is Role.STAFF:
            district = sites.c.council_district_id
            here = true() if grant.area_id is None else _at(district == grant.area_id)
            meant.append(and_(Report.kind.in_(sorted(grant.kinds)), here))
        if grant.role is Role.LIAISON and grant.area_id is not None:
            meant.append(
                and_(
                    Report.kind == Kind.PROBLEM_SPOT,
                    _at(sites.c.patrol_division_id == grant.area_id),
                )
            )
    return or_(false(), *meant)


def _at(place: ColumnElement[bool]) -> ColumnElement[bool]:
    """Give the condition that a report's exact place fulfils one on `sites`."""
    return Report.id.in_(select(sites.c.report_id).where(place))


def targets(session: Session) -> dict[str, int]:
    """Give in how many working days reports are to be done, by the code of the category."""
    found = session.execute(select(CategoryTarget.category_code, CategoryTarget.working_days))
    return dict(found.all())


def due_on(
    category: Category,
    status: Status,
    reported_at: datetime,
    days: Mapping[str, int],
    zone: ZoneInfo,
) -> date | None:
    """Give the local date by which an open report is to be done; None where there is none."""
    if status not in OPEN or category.code not in days:
        return None
    return target_day(reported_at.astimezone(zone).date(), days[category.code])


def _overdue(chosen: WorkFilter, days: Mapping[str, int]) -> ColumnElement[bool]:
    late = []
    for n in sorted(set(days.values())):
        bound = datetime.combine(overdue_before(chosen.today, n), time(), chosen.zone)
        codes = sorted(code for code in days if days[code] == n)
        late.append(and_(Report.category_code.in_(codes), Report.reported_at < bound))
    return and_(Report.status.in_(sorted(OPEN)), or_(false(), *late))


def overdue_ids(session: Session, chosen: WorkFilter) -> list[int]:
    """Give all that is overdue, whosever it is to work on."""
    return [*session.scalars(select(Report.id).where(_overdue(chosen, targets(session))))]


def _meant(
    worker: Worker, chosen: WorkFilter, days: Mapping[str, int]
) -> list[ColumnElement[bool]]:
    statuses = set(chosen.statuses) or OPEN
    conditions = [
        scope(worker.grants),
        Report.status.in_(sorted(statuses & WORKED_ON)),
        *narrowed(replace(chosen, area_id=None)),
    ]
    if chosen.area_id is not None:
        conditions.append(_at(within_area(sites.c, chosen.area_id)))
    if chosen.assigned == "me":
        conditions.append(Assignment.person_id == worker.person_id)
    if chosen.assigned == "nobody":
        conditions += [Assignment.person_id.is_(None), Assignment.department_id.is_(None)]
    if chosen.overdue:
        conditions.append(_overdue(chosen, days))
    if chosen.words:
        conditions.append(_called(chosen.words))
    return conditions


def _called(words: str) -> ColumnElement[bool]:
    """Give the condition that a report has this number, or all words in its address."""
    number = typed_number(words.removeprefix("#").strip())
    by_number = false() if number is None else Report.id == number
    at_home = private.c.home_address
    in_home = select(private.c.report_id).where(
        private.c.report_id == Report.id,
        *(at_home.icontains(word, autoescape=True) for word in words.split()),
    )
    return or_(
        by_number,
        and_(*(Report.address.icontains(word, autoescape=True) for word in words.split())),
        # Only within the work list are exact addresses looked at, one by one.
        and_(Report.address == "", in_home.correlate(Report).exists()),
    )


def counts(session: Session, worker: Worker, chosen: WorkFilter, days: Mapping[str, int]) -> Counts:
    """Count what a filter means within somebody's scope."""
    nobody = and_(Assignment.person_id.is_(None), Assignment.department_id.is_(None))
    found = session.execute(
        select(
            func.count(),
            func.count().filter(_overdue(chosen, days)),
            func.count().filter(nobody),
            func.count().filter(Assignment.person_id == worker.person_id),
        )
        .select_from(Report)
        .outerjoin(Assignment, Assignment.report_id == Report.id)
        .where(*_meant(worker, chosen, days))
    ).one()
    return Counts(*found)


def _version() -> ColumnElement[int]:
    """Give the newest event that is more than a neighbour joining."""
    return (
        select(func.coalesce(func.max(ReportEvent.id), 0))
        .where(ReportEvent.report_id == Report.id, ReportEvent.kind != EventKind.SUPPORT)
        .correlate(Report)
        .scalar_subquery()
    )


def versions(session: Session, ids: Collection[int]) -> dict[int, int]:
    """Give the versions of reports, as `change` asks for them."""
    found = session.execute(
        select(Report.id, _version().label("version")).where(Report.id.in_(ids))
    )
    return {row.id: row.version for row in found}


def _supports() -> ColumnElement[int]:
    merged = aliased(Report)
    return (
        select(func.count(func.coalesce(Support.counted_as, Support.supporter).distinct()))
        .select_from(Support)
        .join(merged, merged.id == Support.report_id)
        .where(or_(merged.id == Report.id, merged.duplicate_of_id == Report.id))
        .correlate(Report)
        .scalar_subquery()
    )


def _due(chosen: WorkFilter, days: Mapping[str, int]) -> ColumnElement[int]:
    """Give a number that is the greater, the later a report is due: working days up to then."""
    day = cast(func.timezone(str(chosen.zone), Report.reported_at), Date)
    passed = day - literal(_A_MONDAY, Date)
    weekdays = passed / 7 * 5 + func.least(passed % 7 + 1, 5)
    year = chosen.today.year
    kept = sorted(
        holiday for one in range(year - _HOLIDAYS_SINCE, year + 2) for holiday in holidays(one)
    )
    holiday = func.unnest(literal(kept, postgresql.ARRAY(Date))).column_valued("holiday")
    off = (
        select(func.count())
        .select_from(holiday.scalar_alias)
        .where(holiday <= day)
        .scalar_subquery()
    )
    return case(
        (
            and_(Report.status.in_(sorted(OPEN)), Report.category_code.in_(sorted(days))),
            weekdays - off + case(days, value=Report.category_code, else_=0),
        ),
        else_=_LAST,
    )


def _ordered(chosen: WorkFilter, days: Mapping[str, int]) -> list[ColumnElement[Any]]:
    """Give by what a list goes, ascending; the last two are the same in each."""
    if chosen.order == "newest":
        return [-func.extract("epoch", Report.reported_at), -Report.id]
    order: list[ColumnElement[Any]] = [Report.reported_at.expression, Report.id.expression]
    if chosen.order == "due":
        return [_due(chosen, days), *order]
    return [-_supports(), *order] if chosen.order == "supported" else order


def items(
    session: Session,
    worker: Worker,
    chosen: WorkFilter,
    days: Mapping[str, int],
    *,
    limit: int,
    after: Cursor | None = None,
) -> tuple[list[WorkItem], Cursor | None]:
    """Give the reports of a work list in its order, and where the next ones begin.

    Parameters
    ----------
    session : Session
    worker : Worker
    chosen : WorkFilter
    days : mapping
        From `targets`.
    limit : int
        Reports at the most.
    after : Cursor, optional
        The last report of the page before.

    Returns
    -------
    tuple of list of WorkItem and Cursor or None
    """
    conditions, order = _meant(worker, chosen, days), _ordered(chosen, days)
    if after is not None:
        last: Sequence[Any] | None = (after.reported_at, after.id)
        if chosen.order:
            last = session.execute(select(*order).where(Report.id == after.id)).one_or_none()
        if last is not None:
            conditions.append(tuple_(*order) > tuple_(*(literal(value) for value in last)))
    # Chosen first: the store's own rules are asked of these rows alone.
    shown = session.scalars(
        select(Report.id)
        .outerjoin(Assignment, Assignment.report_id == Report.id)
        .where(*conditions)
        .order_by(*order)
        .limit(limit + 1)
    )
    return _read(session, [*shown], limit, chosen, days)


def some(
    session: Session,
    worker: Worker,
    ids: Collection[int],
    chosen: WorkFilter,
    days: Mapping[str, int],
) -> list[WorkItem]:
    """Give those of some reports that are somebody's to work on, oldest first."""
    meant = (
        select(Report.id)
        .where(Report.id.in_(ids), scope(worker.grants), Report.status.in_(sorted(WORKED_ON)))
        .order_by(Report.reported_at, Report.id)
    )
    return _read(session, [*session.scalars(meant)], len(ids), chosen, days)[0]


def _read(
    session: Session, ids: list[int], limit: int, chosen: WorkFilter, days: Mapping[str, int]
) -> tuple[list[WorkItem], Cursor | None]:
    neighbourhood, district, division = aliased(Area), aliased(Area), aliased(Area)
    colleague, these = _names(), literal(ids, postgresql.ARRAY(BigInteger))
    rows = session.execute(
        select(
            Report.id,
            Report.category_code,
            Report.status,
            Report.reported_at,
            func.coalesce(func.nullif(Report.address, ""), private.c.home_address).label("place"),
            func.ST_AsGeoJSON(private.c.exact_geom, _DECIMALS).label("geometry"),
            func.coalesce(neighbourhood.name, "").label("neighbourhood"),
            func.coalesce(district.name, "").label("council_district"),
            func.coalesce(division.name, "").label("patrol_division"),
            _version().label("version"),
            _supports().label("supports"),
            func.coalesce(colleague.c.name, Department.name, "").label("assigned_to"),
        )
        .join(private, private.c.report_id == Report.id)
        .join(sites, sites.c.report_id == Report.id)
        .outerjoin(neighbourhood, neighbourhood.id == sites.c.neighbourhood_id)
        .outerjoin(district, district.id == sites.c.council_district_id)
        .outerjoin(division, division.id == sites.c.patrol_division_id)
        .outerjoin(Assignment, Assignment.report_id == Report.id)
        .outerjoin(Department, Department.id == Assignment.department_id)
        .outerjoin(colleague, colleague.c.person_id == Assignment.person_id)
        .where(
            Report.id == any_(these),
            private.c.report_id == any_(these),
            sites.c.report_id == any_(these),
        )
        .order_by(func.array_position(these, Report.id))
    ).all()
    listed = [_item(row, chosen, days) for row in rows[:limit]]
    last = listed[-1] if len(rows) > limit else None
    return listed, None if last is None else Cursor(last.reported_at, last.id)


def _names() -> Any:
    people = table("colleague", column("person_id", BigInteger), column("name"))
    return select(people.c.person_id, people.c.name).distinct().subquery()


def _item(row: Row[Any], chosen: WorkFilter, days: Mapping[str, int]) -> WorkItem:
    category = BY_CODE[row.category_code]
    due = due_on(category, row.status, row.reported_at, days, chosen.zone)
    return WorkItem(
        id=row.id,
        version=row.version,
        category=category,
        status=row.status,
        place=row.place,
        neighbourhood=row.neighbourhood,
        council_district=row.council_district,
        patrol_division=row.patrol_division,
        reported_at=row.reported_at,
        geometry=row.geometry,
        due=due,
        overdue=due is not None and due < chosen.today,
        supports=row.supports,
        assigned_to=row.assigned_to,
    )


@dataclass(frozen=True, slots=True)
class WorkEvent:
    """One line of the timeline as the city's people see it.

    Attributes
    ----------
    by : str
        A name; empty for a neighbour, an import, or where the reader may not know.
    assigned_to : str or None
        To whom it was given: empty for nobody, None where this is no assignment.
    """

    at: datetime
    kind: EventKind
    status: Status | None
    note: str
    public: bool
    by: str
    assigned_to: str | None


@dataclass(frozen=True, slots=True)
class WorkReport:
    """A report as the city's people see it.

    Attributes
    ----------
    longitude, latitude : float
        A point of the exact position, EPSG:4326.
    name, email, phone : str
        How to reach the reporter, as far as given and as the reader may work on it.
    duplicates : tuple of int
        Reports for which this one stands.
    """

    id: int
    version: int
    site: Site
    category: Category
    status: Status
    severity: Severity | None
    place: str
    description: str
    longitude: float
    latitude: float
    occurred_at: datetime
    reported_at: datetime
    neighbourhood: str
    council_district: str
    patrol_division: str
    supports: int
    assigned_to: str
    name: str
    email: str
    phone: str
    duplicate_of_id: int | None
    duplicates: tuple[int, ...]
    timeline: tuple[WorkEvent, ...]


def one(session: Session, worker: Worker, id: int, language: str = "en") -> WorkReport | None:
    """Give a report with all that somebody may know of it.

    Parameters
    ----------
    session : Session
        In the name of `worker`.
    worker : Worker
    id : int
    language : str
        In which notes are read that are kept in several.

    Returns
    -------
    WorkReport or None
        None where there is no such report, or none whose exact place they may read, or where it
        waits for a moderator.
    """
    neighbourhood, district, division = aliased(Area), aliased(Area), aliased(Area)
    colleague = _names()
    centre = func.ST_PointOnSurface(private.c.exact_geom)
    row = session.execute(
        select(
            Report.kind,
            Report.block_watch_id,
            sites.c.patrol_division_id,
            sites.c.council_district_id,
            Report.category_code,
            Report.status,
            Report.severity,
            func.coalesce(func.nullif(Report.address, ""), private.c.home_address).label("place"),
            private.c.description,
            func.ST_X(centre).label("longitude"),
            func.ST_Y(centre).label("latitude"),
            Report.occurred_at,
            Report.reported_at,
            func.coalesce(neighbourhood.name, "").label("neighbourhood"),
            func.coalesce(district.name, "").label("council_district"),
            func.coalesce(division.name, "").label("patrol_division"),
            _version().label("version"),
            _supports().label("supports"),
            func.coalesce(colleague.c.name, Department.name, "").label("assigned_to"),
            func.coalesce(ReportContact.name, "").label("name"),
            func.coalesce(ReportContact.email, "").label("email"),
            func.coalesce(ReportContact.phone, "").label("phone"),
            Report.duplicate_of_id,
        )
        .join(private, private.c.report_id == Report.id)
        .join(sites, sites.c.report_id == Report.id)
        .outerjoin(neighbourhood, neighbourhood.id == sites.c.neighbourhood_id)
        .outerjoin(district, district.id == sites.c.council_district_id)
        .outerjoin(division, division.id == sites.c.patrol_division_id)
        .outerjoin(Assignment, Assignment.report_id == Report.id)
        .outerjoin(Department, Department.id == Assignment.department_id)
        .outerjoin(colleague, colleague.c.person_id == Assignment.person_id)
        .outerjoin(ReportContact, ReportContact.report_id == Report.id)
        .where(Report.id == id, Report.status != Status.HELD, private.c.exact_geom.is_not(None))
    ).one_or_none()
    if row is None:
        return None
    site = _site(row)
    if not may(worker.grants, Act.READ_EXACT, site):
        return None
    merged = select(Report.id).where(Report.duplicate_of_id == id).order_by(Report.id)
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    for key in ("kind", "block_watch_id", "patrol_division_id", "council_district_id"):
        del values[key]
    return WorkReport(
        id=id,
        site=site,
        category=BY_CODE[values.pop("category_code")],
        duplicates=tuple(session.scalars(merged)),
        timeline=tuple(_timeline(session, id, language)),
        **values,
    )


def _timeline(session: Session, id: int, language: str) -> Iterator[WorkEvent]:
    given = aliased(Department)
    rows = session.execute(
        select(
            ReportEvent.at,
            ReportEvent.kind,
            ReportEvent.to_status,
            note_in(language),
            ReportEvent.public,
            event_private.c.person_name,
            Department.name.label("department"),
            event_private.c.assigns,
            event_private.c.assigned_person_name,
            given.name.label("given_department"),
        )
        .outerjoin(
            event_private,
            # The report as well, by which the view finds its rows.
            and_(event_private.c.event_id == ReportEvent.id, event_private.c.report_id == id),
        )
        .outerjoin(Department, Department.id == event_private.c.department_id)
        .outerjoin(given, given.id == event_private.c.assigned_department_id)
        .where(ReportEvent.report_id == id)
        .order_by(ReportEvent.at, ReportEvent.id)
    )
    for row in rows:
        yield WorkEvent(
            at=row.at,
            kind=row.kind,
            status=row.to_status,
            note=row.note,
            public=row.public,
            by=", ".join(filter(None, (row.person_name, row.department))),
            assigned_to=(row.assigned_person_name or row.given_department or "")
            if row.assigns
            else None,
        )


def _site(row: Any) -> Site:
    return Site(row.kind, row.block_watch_id, row.patrol_division_id, row.council_district_id)


class Why(StrEnum):
    """Why a change is refused, beside what the way of a report forbids."""

    NOT_FOUND = "not_found"
    OUT_OF_SCOPE = "out_of_scope"
    CHANGED_MEANWHILE = "changed_meanwhile"
    NOTHING = "nothing"
    OTHER_NOT_FOUND = "other_not_found"
    OTHER_IS_DUPLICATE = "other_is_duplicate"
    DUPLICATES_OUT_OF_SCOPE = "duplicates_out_of_scope"
    NOT_THEIR_WORK = "not_their_work"
    ANSWER_DOES_NOT_FIT = "answer_does_not_fit"


class Refused(ValueError):  # noqa: N818 (it is the name of what happened)
    """A change is not made, and nothing of it is.

    Parameters
    ----------
    why : Why or Refusal
    before, after : Status, optional
        The step, where it was one.
    """

    def __init__(
        self, why: Why | Refusal, before: Status | None = None, after: Status | None = None
    ) -> None:
        super().__init__(why.value)
        self.why, self.before, self.after = why, before, after


@dataclass(frozen=True, slots=True)
class Assign:
    """To whom work is given; nobody where both are None."""

    department_id: int | None = None
    person_id: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody does with a report. Empty fields change nothing.

    Attributes
    ----------
    to : Status or None
    note : str
        For everybody to read.
    template_id : int or None
        A ready answer, which everybody reads before the note, each in their language.
    internal : str
        For the city's people only.
    other_id : int or None
        The report that stands for a duplicate.
    assign : Assign or None
    """

    to: Status | None = None
    note: str = ""
    template_id: int | None = None
    internal: str = ""
    other_id: int | None = None
    assign: Assign | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A change that was made."""

    id: int
    category: Category
    before: Status
    after: Status


def hold(session: Session, ids: Collection[int]) -> None:
    """Have others wait who would change some reports, or the needs for which these ask.

    Whoever changes several in one transaction holds them first: in the order of their numbers, so
    that two who change the same, or one who sends a report of a whole block, take turns.

    Parameters
    ----------
    session : Session
        In the name of whoever changes them.
    ids : collection of int
        Those that are not theirs to change wait for nothing.
    """
    session.execute(
        select(Report.id).where(Report.id.in_(ids)).order_by(Report.id).with_for_update()
    )
    session.execute(select(func.hold_needs(cast(sorted(ids), postgresql.ARRAY(BigInteger)))))


def change(session: Session, worker: Worker, id: int, wanted: Change, *, version: int) -> Changed:
    """Change a report as one, or not at all.

    Parameters
    ----------
    session : Session
        In the name of `worker`. Nothing is committed here.
    worker : Worker
    id : int
    wanted : Change
    version : int
        Of the report as it was seen.

    Returns
    -------
    Changed

    Raises
    ------
    Refused
    """
    if wanted == Change(other_id=wanted.other_id):
        raise Refused(Why.NOTHING)
    with session.begin_nested():
        found = _locked(session, worker, id, wanted.other_id)
        site = _site(found)
        if found.version != version:
            raise Refused(Why.CHANGED_MEANWHILE)
        by = {"person_id": worker.person_id, "department_id": worker.department_for(site)}
        said = _said(session, found, wanted)
        if wanted.to is not None:
            _step(session, worker, found, wanted, said=said, by=by)
        elif said["note"]:
            _tell(session, by, report_id=id, kind=EventKind.NOTE, **said)
        if wanted.internal:
            _tell(
                session, by, report_id=id, kind=EventKind.NOTE, note=wanted.internal, public=False
            )
        if wanted.assign is not None:
            _assign(session, id, site, wanted.assign, by)
    return Changed(id, BY_CODE[found.category_code], found.status, wanted.to or found.status)


def _locked(session: Session, worker: Worker, id: int, other_id: int | None) -> Any:
    columns = (
        Report.id,
        Report.status,
        Report.kind,
        Report.category_code,
        Report.block_watch_id,
        sites.c.patrol_division_id,
        sites.c.council_district_id,
    )
    placed = outerjoin(Report, sites, sites.c.report_id == Report.id)
    seen = session.execute(
        select(*columns).select_from(placed).where(Report.id == id)
    ).one_or_none()
    if seen is None:
        raise Refused(Why.NOT_FOUND)
    if not may(worker.grants, Act.WORK, _site(seen)):
        raise Refused(Why.OUT_OF_SCOPE)
    # In the order of their numbers, so that two who merge crosswise take turns.
    ids = sorted({id, other_id or id})
    session.execute(
        select(Report.id).where(Report.id.in_(ids)).order_by(Report.id).with_for_update()
    )
    return session.execute(
        select(*columns, _version().label("version")).select_from(placed).where(Report.id == id)
    ).one()


def _said(session: Session, found: Any, wanted: Change) -> Mapping[str, str]:
    """Give what everybody reads of a change, in each language for which there are words."""
    if wanted.template_id is None:
        return {"note": wanted.note}
    template = session.get(ResponseTemplate, wanted.template_id)
    if (
        template is None
        or template.status is not (wanted.to or found.status)
        or template.category_code not in {None, found.category_code}
    ):
        raise Refused(Why.ANSWER_DOES_NOT_FIT)
    return {
        "note": "\n\n".join(filter(None, (template.english, wanted.note))),
        "note_spanish": "\n\n".join(filter(None, (template.spanish, wanted.note))),
    }


def _step(
    session: Session,
    worker: Worker,
    found: Any,
    wanted: Change,
    *,
    said: Mapping[str, str],
    by: Mapping[str, int | None],
) -> None:
    assert wanted.to is not None
    before, after, site = found.status, wanted.to, _site(found)
    why = refusal(
        before,
        after,
        # Holding and releasing is for the pages of moderators, whose reasons are kept apart.
        parties(worker.grants, site) & {Party.CITY},
        reason=said["note"],
        names_other=wanted.other_id is not None,
    )
    if why is not None:
        raise Refused(why, before, after)
    if after is Status.DUPLICATE:
        assert wanted.other_id is not None
        _merge(session, worker, found.id, wanted.other_id)
    is_open = after in OPEN
    session.execute(
        update(Report)
        .where(Report.id == found.id)
        .values(
            status=after,
            closed_at=None if is_open else func.now(),
            duplicate_of_id=wanted.other_id if after is Status.DUPLICATE else None,
        )
        .execution_options(synchronize_session=False)
    )
    _tell(
        session,
        by,
        report_id=found.id,
        kind=EventKind.STATUS,
        from_status=before,
        to_status=after,
        **said,
    )


def _merge(session: Session, worker: Worker, id: int, other_id: int) -> None:
    """See to it that the other report can stand for this one and for all for which this one stood."""
    other = session.execute(
        select(
            Report.status,
            Report.kind,
            Report.block_watch_id,
            sites.c.patrol_division_id,
            sites.c.council_district_id,
        )
        .join(sites, sites.c.report_id == Report.id)
        .where(Report.id == other_id, Report.id != id)
    ).one_or_none()
    if other is None or other.status not in WORKED_ON:
        raise Refused(Why.OTHER_NOT_FOUND)
    if not may(worker.grants, Act.WORK, _site(other)):
        raise Refused(Why.OTHER_NOT_FOUND)
    if other.status is Status.DUPLICATE:
        raise Refused(Why.OTHER_IS_DUPLICATE)
    stood_for = set(session.scalars(select(Report.id).where(Report.duplicate_of_id == id)))
    moved = set(
        session.scalars(
            update(Report)
            .where(Report.duplicate_of_id == id)
            .values(duplicate_of_id=other_id)
            .returning(Report.id)
            .execution_options(synchronize_session=False)
        )
    )
    if moved != stood_for:
        raise Refused(Why.DUPLICATES_OUT_OF_SCOPE)


def _tell(session: Session, by: Mapping[str, int | None], **event: Any) -> None:
    session.execute(insert(ReportEvent).inline().values(**event, **by))


def _assign(
    session: Session, id: int, site: Site, to: Assign, by: Mapping[str, int | None]
) -> None:
    department_id = to.department_id
    if to.person_id is not None:
        given = next((c for c in colleagues(session) if c.person_id == to.person_id), None)
        if given is None or not may(given.grants, Act.WORK, site):
            raise Refused(Why.NOT_THEIR_WORK)
        department_id = Worker(given.person_id, given.grants).department_for(site)
    elif department_id is not None:
        department = session.get(Department, department_id)
        if department is None or site.kind not in department.kinds:
            raise Refused(Why.NOT_THEIR_WORK)
    values = {"department_id": department_id, "person_id": to.person_id}
    session.execute(
        postgresql.insert(Assignment)
        .values(report_id=id, **values)
        .on_conflict_do_update(index_elements=["report_id"], set_={**values, "at": func.now()})
    )
    _tell(
        session,
        by,
        report_id=id,
        kind=EventKind.NOTE,
        public=False,
        assigns=True,
        assigned_department_id=department_id,
        assigned_person_id=to.person_id,
    )


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody to whom work can be given."""

    person_id: int
    name: str
    grants: tuple[Grant, ...]


def colleagues(session: Session) -> list[Colleague]:
    """Give everybody who works for the city, by name. Nobody to whoever does not."""
    rows = session.execute(
        text(
            "SELECT person_id, name, role, area_id, department_id, kinds::text[] AS kinds "
            "FROM colleague ORDER BY name, person_id"
        )
    )
    found: dict[int, Colleague] = {}
    for row in rows:
        grant = Grant(
            Role(row.role),
            area_id=row.area_id,
            department_id=row.department_id,
            kinds=frozenset(map(Kind, row.kinds or ())),
        )
        held = found[row.person_id].grants if row.person_id in found else ()
        found[row.person_id] = Colleague(row.person_id, row.name, (*held, grant))
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Address:
    """Where to write to a colleague, and in which language."""

    email: str
    language: str


def address_of(session: Session, person_id: int) -> Address | None:
    """Give where to write to somebody who works for the city. To others this gives nothing."""
    row = session.execute(
        text("SELECT email, language FROM colleague_address(:id)"), {"id": person_id}
    ).one_or_none()
    return None if row is None else Address(row.email, row.language)


def departments(session: Session) -> Sequence[Department]:
    """Give the departments, by name."""
    return session.scalars(select(Department).order_by(Department.name)).all()


def templates(session: Session, category: Category | None = None) -> Sequence[ResponseTemplate]:
    """Give words to answer with: those of a category first; without one only what fits any."""
    code = category and category.code
    meant: ColumnElement[bool] = ResponseTemplate.category_code.is_(None)
    if code is not None:
        meant |= ResponseTemplate.category_code == code
    return session.scalars(
        select(ResponseTemplate)
        .where(meant)
        .order_by(
            ResponseTemplate.status,
            case((ResponseTemplate.category_code.is_(None), 1), else_=0),
            ResponseTemplate.id,
        )
    ).all()


def saved_filters(session: Session) -> Sequence[SavedFilter]:
    """Give the filters that whoever asks has saved."""
    return session.scalars(select(SavedFilter).order_by(SavedFilter.name)).all()


def save_filter(session: Session, person_id: int, name: str, query: str) -> None:
    """Keep a filter under a name; one of that name is replaced."""
    session.execute(
        postgresql.insert(SavedFilter)
        .values(person_id=person_id, name=name, query=query)
        .on_conflict_do_update(index_elements=["person_id", "name"], set_={"query": query})
    )


def forget_filter(session: Session, id: int) -> None:
    """Delete a filter that whoever asks has saved."""
    session.execute(delete(SavedFilter).where(SavedFilter.id == id))
