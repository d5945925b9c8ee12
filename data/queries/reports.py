"""Reports: sent in once, read by everybody as far as they are public."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    func,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from data.models import Area, BlockWatch, EventKind, Report, ReportBrowser, ReportEvent, Support
from data.queries.filters import SRID
from geo.categories import BY_CODE, CATEGORIES, Category, Setting
from geo.crs import CITY_SRID
from geo.homes import UNKNOWN, Homes
from geo.kinds import Kind, Severity
from geo.positions import regions_near
from geo.statuses import OPEN, PUBLIC, Status

NEAR_M = 250
"""Metres around a report within which its page lists others."""

BESIDE_M = 150.0
"""Metres within which two reports may be of the same problem."""

MOST_BESIDE = 100

MOST_NEAR = 5
"""Reports such a list names at the most."""

_DECIMALS = 6  # of a degree: 0.1 m
_METRES_PER_DEGREE = 111_195.0


class OutsideServedArea(ValueError):  # noqa: N818 (it is the name of what happened)
    """The place lies outside the area whose reports are taken."""


class KeyReused(ValueError):  # noqa: N818 (as above)
    """The key was used for another body before.

    Parameters
    ----------
    report_id : int
        The report that was made with it.
    """

    def __init__(self, report_id: int) -> None:
        super().__init__(report_id)
        self.report_id = report_id


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach the reporter. Empty where not given."""

    name: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class NewReport:
    """A report as it is sent in, checked.

    Attributes
    ----------
    category : Category
    exact : shapely geometry
        Point, line or polygon in EPSG:4326.
    public : shapely geometry or None
        What everybody may see of it, from `geo.positions`.
    occurred_at : datetime or None
        None for now. The database's clock decides what is future.
    severity : Severity or None
    description, address : str
    public_text : str
        What everybody may read of the description.
    text_waits : bool
        Whether a moderator decides on that first.
    contact : Contact
    reporter_id : int or None
        The person who was signed in.
    on_behalf_of_id : int or None
        The block watch in whose name it is sent: that is named, and the person not.
    street_light_id : int or None
        The pole that was picked.
    """

    category: Category
    exact: BaseGeometry
    public: BaseGeometry | None
    occurred_at: datetime | None = None
    severity: Severity | None = None
    description: str = ""
    public_text: str = ""
    text_waits: bool = False
    address: str = ""
    contact: Contact = Contact()
    reporter_id: int | None = None
    on_behalf_of_id: int | None = None
    street_light_id: int | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission.

    Attributes
    ----------
    id : int
        Of the report.
    reported_at : datetime
    replayed : bool
        Whether an earlier submission with the same key had made the report.
    """

    id: int
    reported_at: datetime
    replayed: bool


SUBMIT = """
WITH used AS (
    INSERT INTO submission (key, body_hash, report_id)
    VALUES (:key, :body_hash, nextval(pg_get_serial_sequence('report', 'id')))
    ON CONFLICT (key) DO NOTHING
    RETURNING report_id
), made AS (
    INSERT INTO report (id, kind, category_code, severity, exact_geom, public_geom, address,
                        home_address, description, public_text, occurred_at, reporter_id,
                        on_behalf_of_id, street_light_id)
    SELECT report_id, CAST(:kind AS report_kind), :category, CAST(:severity AS report_severity),
           ST_GeomFromWKB(:exact, 4326), ST_GeomFromWKB(CAST(:public AS bytea), 4326), :address,
           :home_address, :description, :public_text,
           least(coalesce(CAST(:occurred_at AS timestamptz), now()), now()),
           CAST(:reporter_id AS bigint), CAST(:on_behalf_of_id AS bigint),
           CAST(:street_light_id AS bigint)
    FROM used
    RETURNING id, status, reported_at
), happened AS (
    INSERT INTO report_event (report_id, at, kind, to_status)
    SELECT id, reported_at, 'status', status FROM made
), reached AS (
    INSERT INTO report_contact (report_id, name, email, phone, language)
    SELECT id, :name, :email, :phone, :language FROM made WHERE CAST(:reachable AS boolean)
), waiting AS (
    INSERT INTO text_review (report_id) SELECT id FROM made WHERE CAST(:text_waits AS boolean)
)
SELECT id, reported_at FROM made
"""
"""Everything a submission writes, in one trip. A key that is being used by another transaction is
waited for; one that was used makes nothing, and no row comes back."""

_SUBMIT = text(SUBMIT)

_EARLIER = text(
    "SELECT report.id, report.reported_at, submission.body_hash FROM submission "
    "JOIN report ON report.id = submission.report_id WHERE submission.key = :key"
)


def submit(session: Session, new: NewReport, *, key: str, body_hash: bytes) -> Submitted:
    """Store a report, its first event and its contact, once a key.

    Parameters
    ----------
    session : Session
        Nothing is committed here.
    new : NewReport
    key : str
        Whoever sends the same thing again sends the same key.
    body_hash : bytes
        Of what was sent, to tell a repetition from another report under a used key.

    Returns
    -------
    Submitted

    Raises
    ------
    OutsideServedArea
        The transaction has failed; roll it back before anything else.
    KeyReused
    """
    at_home = new.category.setting is Setting.HOME
    try:
        made = session.execute(
            _SUBMIT,
            {
                "key": key,
                "body_hash": body_hash,
                "kind": new.category.kind.value,
                "category": new.category.code,
                "severity": new.severity and new.severity.value,
                "exact": shapely.to_wkb(new.exact),
                "public": new.public and shapely.to_wkb(new.public),
                "address": "" if at_home else new.address,
                "home_address": new.address if at_home else "",
                "description": new.description,
                "public_text": new.public_text,
                "text_waits": new.text_waits,
                "occurred_at": new.occurred_at,
                "name": new.contact.name,
                "email": new.contact.email,
                "phone": new.contact.phone,
                "language": new.language,
                "reachable": new.contact != Contact(),
                "reporter_id": new.reporter_id,
                "on_behalf_of_id": new.on_behalf_of_id,
                "street_light_id": new.street_light_id,
            },
        ).one_or_none()
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if constraint == "report_within_served_area":
            raise OutsideServedArea from error
        raise
    if made is not None:
        return Submitted(made.id, made.reported_at, replayed=False)
    earlier = sent_before(session, key=key, body_hash=body_hash)
    assert earlier is not None
    return earlier


def sent_before(session: Session, *, key: str, body_hash: bytes) -> Submitted | None:
    """Give what became of an earlier submission with this key.

    Parameters
    ----------
    session : Session
    key : str
    body_hash : bytes
        As for `submit`.

    Returns
    -------
    Submitted or None
        None where the key is new.

    Raises
    ------
    KeyReused
    """
    earlier = session.execute(_EARLIER, {"key": key}).one_or_none()
    if earlier is None:
        return None
    if bytes(earlier.body_hash) != body_hash:
        raise KeyReused(earlier.id)
    return Submitted(earlier.id, earlier.reported_at, replayed=True)


@dataclass(frozen=True, slots=True)
class Held:
    """A report that everybody may not see. Nothing more is said of it.

    Attributes
    ----------
    taken : bool
        Whether a moderator has taken it out of sight; else it waits for one.
    """

    id: int
    taken: bool


@dataclass(frozen=True, slots=True)
class PublicReport:
    """What everybody may know of a report.

    Attributes
    ----------
    geometry : str or None
        GeoJSON of the public position; None where there is none.
    longitude, latitude : float or None
        A point of it, EPSG:4326.
    place : str or None
        The address of a thing in public space. None where a home may be meant: of that nothing finer
        than the neighbourhood is told.
    neighbourhood, council_district, block_watch : str or None
        Names.
    block_watch_id : int or None
    text : str
        What everybody may read of what the reporter wrote.
    supports : int
        How many neighbours said that it affects them, too, here or at a duplicate of it.
    duplicate_of_id : int or None
        The report that stands for this one.
    on_behalf_of : str or None
        Name of the block watch in whose name it was sent; `on_behalf_of_id` is its id.
    """

    id: int
    kind: Kind
    category: Category
    status: Status
    severity: Severity | None
    geometry: str | None
    longitude: float | None
    latitude: float | None
    place: str | None
    occurred_at: datetime
    reported_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    neighbourhood: str | None
    council_district: str | None
    block_watch: str | None
    block_watch_id: int | None
    text: str
    supports: int
    duplicate_of_id: int | None
    on_behalf_of: str | None
    on_behalf_of_id: int | None


def one_public(session: Session, id: int) -> PublicReport | Held | None:
    """Give what everybody may know of one report.

    Parameters
    ----------
    session : Session
    id : int

    Returns
    -------
    PublicReport, Held or None
        None where there is no such report.
    """
    neighbourhood, district, association = aliased(Area), aliased(Area), aliased(BlockWatch)
    # Of the reports for which it stands, too.
    counted = aliased(Report)
    supports = (
        select(func.count(func.coalesce(Support.counted_as, Support.supporter).distinct()))
        .select_from(Support)
        .join(counted, counted.id == Support.report_id)
        .where(or_(counted.id == id, counted.duplicate_of_id == id))
    ).scalar_subquery()
    centre = _middle(Report.public_geom)
    found = session.execute(
        select(
            Report.status,
            Report.held_from,
            Report.category_code,
            Report.severity,
            func.ST_AsGeoJSON(Report.public_geom, _DECIMALS).label("geometry"),
            func.ST_X(centre).label("longitude"),
            func.ST_Y(centre).label("latitude"),
            Report.address,
            Report.occurred_at,
            Report.reported_at,
            Report.updated_at,
            Report.closed_at,
            neighbourhood.name.label("neighbourhood"),
            district.name.label("council_district"),
            BlockWatch.name.label("block_watch"),
            BlockWatch.id.label("block_watch_id"),
            Report.public_text,
            supports.label("supports"),
            Report.duplicate_of_id,
            association.name.label("on_behalf_of"),
            Report.on_behalf_of_id,
        )
        .outerjoin(association, association.id == Report.on_behalf_of_id)
        .outerjoin(neighbourhood, neighbourhood.id == Report.neighbourhood_id)
        .outerjoin(district, district.id == Report.council_district_id)
        .outerjoin(BlockWatch, BlockWatch.id == Report.block_watch_id)
        .where(Report.id == id)
    ).one_or_none()
    if found is None:
        return None
    if found.status not in PUBLIC:
        return Held(id, taken=found.held_from is not None)
    category = BY_CODE[found.category_code]
    return PublicReport(
        id=id,
        kind=category.kind,
        category=category,
        status=found.status,
        severity=found.severity,
        geometry=found.geometry,
        longitude=found.longitude,
        latitude=found.latitude,
        place=found.address or None,
        occurred_at=found.occurred_at,
        reported_at=found.reported_at,
        updated_at=found.updated_at,
        closed_at=found.closed_at,
        neighbourhood=found.neighbourhood,
        council_district=found.council_district,
        block_watch=found.block_watch,
        block_watch_id=found.block_watch_id,
        text=found.public_text,
        supports=found.supports,
        duplicate_of_id=found.duplicate_of_id,
        on_behalf_of=found.on_behalf_of,
        on_behalf_of_id=found.on_behalf_of_id,
    )


def _middle(place: Any) -> ColumnElement[object]:
    """Give a point that stands for a shape. PostGIS takes an end of a line; its middle says more."""
    return case(
        (func.GeometryType(place) == "LINESTRING", func.ST_LineInterpolatePoint(place, 0.5)),
        else_=func.ST_PointOnSurface(place),
    )


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of what happened to a report, as everybody may read it.

    Attributes
    ----------
    at : datetime
    kind : EventKind
    status : Status or None
        The status it came to.
    note : str
    """

    at: datetime
    kind: EventKind
    status: Status | None
    note: str


def note_in(language: str) -> ColumnElement[str]:
    """Give what an event says in a language, where it is kept in that one; as it was said otherwise."""
    note: ColumnElement[str] = func.nullif(ReportEvent.note, "")
    if language == "es":
        note = func.coalesce(func.nullif(ReportEvent.note_spanish, ""), note)
    return func.coalesce(note, "").label("note")


def timeline(session: Session, id: int, language: str = "en") -> list[TimelineEntry]:
    """Give the public events of a report, oldest first.

    Parameters
    ----------
    session : Session
    id : int
        Of a report that is public.
    language : str
        In which notes are read that are kept in several.

    Returns
    -------
    list of TimelineEntry
        Without the time at which it was held, which is nobody's business.
    """
    events = session.execute(
        select(ReportEvent.at, ReportEvent.kind, ReportEvent.to_status, note_in(language))
        .where(
            ReportEvent.report_id == id,
            ReportEvent.public,
            or_(ReportEvent.kind != EventKind.NOTE, ReportEvent.note != ""),
            or_(ReportEvent.to_status.is_(None), ReportEvent.to_status != Status.HELD),
        )
        .order_by(ReportEvent.at, ReportEvent.id)
    )
    return [TimelineEntry(*event) for event in events]


@dataclass(frozen=True, slots=True)
class NearbyReport:
    """A report near a place.

    Attributes
    ----------
    distance_m : float
        From the place to the report's public position, in metres.
    longitude, latitude : float
        A point of its public position, EPSG:4326.
    place : str or None
        As of `PublicReport`.
    neighbourhood : str or None
        Its name.
    supports : int
    """

    id: int
    category: Category
    status: Status
    reported_at: datetime
    distance_m: float
    longitude: float
    latitude: float
    place: str | None
    neighbourhood: str | None
    supports: int


def nearby_same(
    session: Session, place: BaseGeometry, category: Category, homes: Homes = UNKNOWN
) -> list[NearbyReport]:
    """Give the open reports that may be about the same thing.

    Those of the same group of categories, within the category's radius. Only public positions are
    compared: an answer computed from exact ones would tell, to whoever asks often enough, which
    home a report is about. So where a report may be at a home, all of a region that the radius
    reaches counts as near.

    Parameters
    ----------
    session : Session
    place : shapely geometry
        EPSG:4326, where the new report is said to be.
    category : Category
        Of the new report.
    homes : Homes
        By which public positions of homes were drawn.

    Returns
    -------
    list of NearbyReport
        At most `MOST_NEAR`: those of the same category first, then by distance.
    """
    group = [c for c in CATEGORIES if (c.kind, c.group) == (category.kind, category.group)]
    exact = [c.code for c in group if c.setting is Setting.PUBLIC_SPACE]
    at_home = [c.code for c in group if c.setting is Setting.HOME]
    radius_m = float(category.duplicate_radius_m)
    regions = _stored(regions_near(place, radius_m, homes))
    near = or_(
        and_(Report.category_code.in_(exact), _within(place, radius_m)),
        and_(Report.category_code.in_(at_home), func.ST_Intersects(Report.public_geom, regions)),
    )
    found = (
        _nearby(place)
        .where(near)
        .order_by((Report.category_code == category.code).desc(), _distance_m(place), Report.id)
    )
    return _as_nearby(session.execute(found).all())


def nearby(session: Session, of: PublicReport, radius_m: float = NEAR_M) -> list[NearbyReport]:
    """Give the open reports of any kind near another one's public position.

    Parameters
    ----------
    session : Session
    of : PublicReport
    radius_m : float
        Metres.

    Returns
    -------
    list of NearbyReport
        At most `MOST_NEAR`, nearest first; without `of` itself.
    """
    if of.longitude is None or of.latitude is None:
        return []
    place = shapely.Point(of.longitude, of.latitude)
    found = (
        _nearby(place)
        .where(_within(place, radius_m), Report.id != of.id)
        .order_by(_distance_m(place), Report.id)
    )
    return _as_nearby(session.execute(found).all())


def _stored(place: BaseGeometry) -> ColumnElement[object]:
    return func.ST_GeomFromWKB(shapely.to_wkb(place), SRID)


def _distance_m(place: BaseGeometry) -> ColumnElement[float]:
    return func.ST_Distance(
        func.ST_Transform(Report.public_geom, CITY_SRID),
        func.ST_Transform(_stored(place), CITY_SRID),
    )


def _within(place: BaseGeometry, radius_m: float) -> ColumnElement[bool]:
    """Give a condition that the index on public positions answers: first by a box in degrees."""
    west, south, east, north = place.bounds
    tall = 1.01 * radius_m / _METRES_PER_DEGREE
    wide = tall / math.cos(math.radians(max(abs(south), abs(north))))
    box = func.ST_MakeEnvelope(west - wide, south - tall, east + wide, north + tall, SRID)
    return and_(
        Report.public_geom.bool_op("&&")(box),
        func.ST_DWithin(
            func.ST_Transform(Report.public_geom, CITY_SRID),
            func.ST_Transform(_stored(place), CITY_SRID),
            radius_m,
        ),
    )


def _nearby(place: BaseGeometry) -> Select[Any]:
    supports = select(func.count()).where(Support.report_id == Report.id).correlate(Report)
    centre = _middle(Report.public_geom)
    return (
        select(
            Report.id,
            Report.category_code,
            Report.status,
            Report.reported_at,
            _distance_m(place).label("distance_m"),
            func.ST_X(centre).label("longitude"),
            func.ST_Y(centre).label("latitude"),
            Report.address,
            Area.name.label("neighbourhood"),
            supports.scalar_subquery().label("supports"),
        )
        .outerjoin(Area, Area.id == Report.neighbourhood_id)
        .where(Report.status.in_(sorted(OPEN)))
        .limit(MOST_NEAR)
    )


def _as_nearby(rows: Iterable[Row[Any]]) -> list[NearbyReport]:
    return [
        NearbyReport(
            id=row.id,
            category=BY_CODE[row.category_code],
            status=row.status,
            reported_at=row.reported_at,
            distance_m=row.distance_m,
            longitude=row.longitude,
            latitude=row.latitude,
            place=row.address or None,
            neighbourhood=row.neighbourhood,
            supports=row.supports,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Supported:
    """What became of an "affects me too".

    Attributes
    ----------
    supports : int
        How many neighbours said so by now.
    counted : bool
        Whether this one was new.
    """

    supports: int
    counted: bool


SUPPORT = """
WITH given AS (
    INSERT INTO support (report_id, supporter, browser, counted_as)
    SELECT id, :supporter, CAST(:browser AS bytea), (
        SELECT coalesce(counted_as, supporter) FROM support
        JOIN unnest(CAST(:ids AS bigint[]), CAST(:marks AS bytea[])) AS near (id, mark)
            ON report_id = near.id AND supporter = mark
        ORDER BY at, report_id LIMIT 1
    ) FROM report
    WHERE id = :id AND status = ANY (CAST(:open AS report_status[]))
        AND NOT report_is_of(:id, ARRAY[CAST(:sender AS bytea)])
        AND NOT EXISTS (
            SELECT FROM support WHERE report_id = :id AND (
                supporter = CAST(:browser AS bytea)
                OR (CAST(:browser AS bytea) IS NULL AND browser = :supporter)
            )
        )
    ON CONFLICT DO NOTHING
    RETURNING report_id
), happened AS (
    INSERT INTO report_event (report_id, kind) SELECT report_id, 'support' FROM given
)
SELECT report.status, EXISTS (SELECT FROM given) AS counted,
    (SELECT count(*) FROM support WHERE report_id = :id)
        + (SELECT count(*) FROM given) AS supports
FROM report WHERE id = :id
"""

_SUPPORT = text(SUPPORT)


class NotOpen(ValueError):  # noqa: N818 (it is the name of what happened)
    """The report is not open, so that nobody can join it.

    Parameters
    ----------
    status : Status
    """

    def __init__(self, status: Status) -> None:
        super().__init__(status.value)
        self.status = status


_BESIDE = text("""
    SELECT other.id FROM report AS one
    JOIN report AS other ON other.id <> one.id
        AND other.public_geom && ST_Expand(one.public_geom, :wide, :tall)
        AND ST_DWithin(ST_Transform(other.public_geom, :srid),
            ST_Transform(one.public_geom, :srid), :radius_m)
    WHERE one.id = :id AND EXISTS (SELECT FROM support WHERE report_id = other.id)
    ORDER BY other.id DESC LIMIT :most
""")


def beside(session: Session, id: int) -> list[int]:
    """Give reports that neighbours have joined and that may be of the same problem as another one.

    Parameters
    ----------
    session : Session
    id : int

    Returns
    -------
    list of int
        At most `MOST_BESIDE` within `BESIDE_M` of its public position, the newest first.
    """
    tall = 1.01 * BESIDE_M / _METRES_PER_DEGREE
    # Twice as wide does for all cities up to 60 degrees north.
    asked = {"id": id, "tall": tall, "wide": 2 * tall, "srid": CITY_SRID, "radius_m": BESIDE_M}
    return [*session.scalars(_BESIDE, asked | {"most": MOST_BESIDE})]


def support(
    session: Session,
    id: int,
    supporter: bytes,
    near: Mapping[int, bytes] | None = None,
    *,
    browser: bytes | None = None,
    sender: bytes | None = None,
) -> Supported | None:
    """Count a neighbour's "affects me too", once a neighbour and not of who reported it.

    Parameters
    ----------
    session : Session
        Nothing is committed here.
    id : int
        Of a report.
    supporter : bytes
        Keyed hash of who it is; never a name or an address.
    near : mapping of int to bytes, optional
        The same neighbour's hash with each report that may be of the same problem.
    browser : bytes, optional
        Of whoever is signed in: the hash by which their browser would count without that.
    sender : bytes, optional
        The hash by which the browser would be known that sent the report.

    Returns
    -------
    Supported or None
        None where there is no such report.

    Raises
    ------
    NotOpen
        Where it is held or closed.
    """
    found = session.execute(
        _SUPPORT,
        {
            "id": id,
            "supporter": supporter,
            "browser": browser,
            "sender": sender,
            "open": [status.value for status in OPEN],
            "ids": list(near or ()),
            "marks": list((near or {}).values()),
        },
    ).one_or_none()
    if found is None:
        return None
    status = Status(found.status)
    if status not in OPEN:
        raise NotOpen(status)
    return Supported(found.supports, found.counted)


def remember_browser(session: Session, id: int, mark: bytes) -> None:
    """Keep by which browser a report was sent, so that it can be asked whether it is fixed.

    Parameters
    ----------
    session : Session
        Nothing is committed here.
    id : int
        Of a report that was just made.
    mark : bytes
        Keyed hash of the browser and the report.
    """
    session.execute(insert(ReportBrowser).inline().values(report_id=id, mark=mark))


_NOTE = text("""
WITH used AS (
    INSERT INTO submission (key, body_hash, report_id) VALUES (:key, :body_hash, :id)
    ON CONFLICT (key) DO NOTHING
    RETURNING report_id
)
INSERT INTO report_event (report_id, kind, note, public)
SELECT report_id, 'note', :note, false FROM used
""")


def note_for_staff(session: Session, id: int, note: str, *, key: str) -> None:
    """Keep what a neighbour who joined a report wrote of it, once a key. It is never public.

    Parameters
    ----------
    session : Session
        Nothing is committed here.
    id : int
        Of a report.
    note : str
    key : str
        Whoever sends the same thing again sends the same key.
    """
    values = {"id": id, "note": note, "key": key, "body_hash": sha256(note.encode()).digest()}
    session.execute(_NOTE, values)
