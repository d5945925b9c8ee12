"""Putting the sample city into the store, once, in the caller's transaction."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

import shapely
from pyproj import Geod
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, exists, func, insert, inspect, select, text, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from data.models import (
    Address,
    Area,
    AreaLayer,
    Base,
    BlockWatch,
    Crew,
    Department,
    Depot,
    EventKind,
    Ground,
    ImportRun,
    Organization,
    Person,
    PoliceIncident,
    Report,
    ReportEvent,
    RoleGrant,
    Service,
    ServiceAtLocation,
    ServiceLocation,
    Street,
    StreetLight,
    Support,
    TransitStop,
    UnitCost,
    VacantLot,
    Walk,
    WalkAnswer,
    WalkStop,
)
from data.models.base import SRID
from data.queries import homes
from data.queries.gazetteer import rebuild
from data.queries.imports import SAMPLE, holds_real_city
from data.sample import crews, reports, walks
from data.sample.city import SampleCity
from data.sample.tables import FOLDER
from geo.categories import BY_CODE, Setting
from geo.positions import public_geometries
from geo.roles import Role
from geo.statuses import Status

Row = dict[str, Any]

_EARTH = Geod(ellps="GRS80")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('porchlight import'))")


class RealCityError(ValueError):
    """The store holds a real city, with which the sample must not be mixed by mistake."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the sample city.

    Attributes
    ----------
    known : bool
        Whether a sample city was there already, so that nothing was done.
    rows : mapping of str to int
        Table -> rows put in.
    """

    known: bool
    rows: Mapping[str, int]


def holds_sample(session: Session) -> bool:
    """Whether a sample city has been loaded."""
    return bool(session.scalar(select(exists().where(ImportRun.source == SAMPLE))))


def load(
    session: Session,
    city: SampleCity,
    *,
    secret: bytes,
    beside_real: bool = False,
    progress: Callable[[str, int], None] = lambda table, rows: None,
) -> Loaded:
    """Put the sample city into the store. Where it is there already nothing is changed.

    Parameters
    ----------
    session : Session
        Is not committed.
    city : SampleCity
    secret : bytes
        Behind the public positions of places at homes.
    beside_real : bool
        Load it even where the store holds a real city.
    progress : callable
        Told the name of each table and how many rows went in.

    Returns
    -------
    Loaded

    Raises
    ------
    RealCityError
        Where the store holds a real city and `beside_real` is not given.
    """
    session.execute(_LOCK)
    if holds_sample(session):
        return Loaded(known=True, rows={})
    if holds_real_city(session) and not beside_real:
        raise RealCityError(
            "The database holds data of a real city, so the sample city was not put in. Name an "
            "empty database in DATABASE_URL, or mix the two with --beside-real."
        )
    return _Loading(session, city, secret, progress).run()


class _Loading:
    def __init__(
        self,
        session: Session,
        city: SampleCity,
        secret: bytes,
        progress: Callable[[str, int], None],
    ) -> None:
        self.session, self.city, self.secret, self.progress = session, city, secret, progress
        self.rows: dict[str, int] = {}
        self.run_id = session.execute(
            insert(ImportRun)
            .values(
                source=SAMPLE,
                file_name="sample city",
                sha256=fingerprint(city),
                started_at=func.clock_timestamp(),
                options={"seed": city.seed, "until": city.until.isoformat()},
            )
            .returning(ImportRun.id)
        ).scalar_one()

    def run(self) -> Loaded:
        self._put(Area, _areas(self.city))
        self._put(Ground, _ground(self.city))
        self._put(Street, _streets(self.city))
        self._put(Address, _addresses(self.city))
        homes.recount(self.session)
        self._put(BlockWatch, _block_watches(self.city))
        self._put_services()
        self._put(StreetLight, _street_lights(self.city))
        self._put(VacantLot, _vacant_lots(self.city))
        self._put(TransitStop, _transit_stops(self.city))
        self._put(PoliceIncident, _police_incidents(self.city))
        self._put_reports()
        self._put_people()
        self._put_walks()
        self._put_crews()
        rebuild(self.session)
        total = sum(self.rows.values())
        self.session.execute(
            update(ImportRun)
            .where(ImportRun.id == self.run_id)
            .values(finished_at=func.clock_timestamp(), rows_read=total, inserted=total)
        )
        return Loaded(known=False, rows=self.rows)

    def _put(self, table: type[Base], rows: Iterable[Row]) -> list[int]:
        """Put in rows that an import could have brought: they carry where they came from."""
        marks = {"source": SAMPLE, "import_run_id": self.run_id}
        return self._insert(table, [row | marks for row in rows])

    def _insert(self, table: type[Base], rows: Sequence[Row]) -> list[int]:
        """Put in rows and give their keys, in the same order.

        Asking for the keys makes SQLAlchemy write a thousand rows a statement, so that triggers of
        a statement do their work once and not for each row.
        """
        key = inspect(table).primary_key[0]
        statement = insert(table).returning(key, sort_by_parameter_order=True)
        keys = self.session.connection().execute(statement, rows).scalars().all()
        name = table.__tablename__
        self.rows[name] = self.rows.get(name, 0) + len(rows)
        self.progress(name, len(rows))
        return list(keys)

    def _put_services(self) -> None:
        places = self.city.service_locations
        names = sorted({place.organization for place in places})
        keys = self._put(
            Organization,
            (
                {"name": name, "email": f"{_slug(name)}@example.org", "external_id": _slug(name)}
                for name in names
            ),
        )
        organizations = dict(zip(names, keys, strict=True))
        offered = sorted({(place.organization, place.service) for place in places})
        keys = self._insert(
            Service,
            [
                {"organization_id": organizations[name], "name": service}
                for name, service in offered
            ],
        )
        services = dict(zip(offered, keys, strict=True))
        keys = self._put(
            ServiceLocation,
            (
                {
                    "organization_id": organizations[place.organization],
                    "name": place.name,
                    "type": place.type,
                    "geom": _ewkb(place.geom),
                    "address": place.address,
                    "phone": place.phone,
                    "hours": place.hours,
                    "external_id": f"{number:03d}",
                }
                for number, place in enumerate(places, start=1)
            ),
        )
        self._insert(
            ServiceAtLocation,
            [
                {
                    "service_id": services[place.organization, place.service],
                    "service_location_id": key,
                }
                for place, key in zip(places, keys, strict=True)
            ],
        )

    def _put_people(self) -> None:
        """Put in somebody of each role, and of each department with a desk, whom everybody may try being.

        Their addresses are of a domain that is nobody's, so that following can be tried: what is
        written to them lies in the outbox.
        """

        def id_of(column: InstrumentedAttribute[int], named: ColumnElement[bool]) -> int:
            return self.session.scalars(select(column).where(named).order_by(column)).first() or 0

        watch = id_of(BlockWatch.id, BlockWatch.external_id == self.city.block_watches[0].code)
        division = id_of(Area.id, Area.layer == AreaLayer.PATROL_DIVISION)
        lighting = id_of(Department.id, Department.code == "lighting")
        cleanup = id_of(Department.id, Department.code == "cleanup")
        roles: list[Row | None] = [
            None,
            {"role": Role.CAPTAIN, "block_watch_id": watch},
            {"role": Role.LIAISON, "area_id": division},
            {"role": Role.STAFF, "department_id": lighting},
            {"role": Role.MODERATOR},
            {"role": Role.ADMINISTRATOR},
            {"role": Role.STAFF, "department_id": cleanup},
        ]
        names = [
            "Resident",
            "Captain",
            "Liaison",
            "Lighting planner",
            "Moderator",
            "Administrator",
            "Cleanup planner",
        ]
        rows: list[Row] = [
            {
                "name": f"Sample {name}",
                "email": f"{name.lower().replace(' ', '.')}@example.org",
                "is_sample": True,
            }
            for name in names
        ]
        keys = self._insert(Person, rows)
        for key, role in zip(keys, roles, strict=True):
            if role is not None:
                self._insert(RoleGrant, [role | {"person_id": key}])

    def _put_walks(self) -> None:
        """Put in the walks of the watch whose captain everybody may try being, with their stops."""
        for (code, title), stops in groupby(self.city.walk_stops, attrgetter("watch", "title")):
            seen = list(stops)
            begun = seen[0].seen_at
            watch, captain = self.session.execute(
                select(BlockWatch.id, RoleGrant.person_id)
                .join(RoleGrant, RoleGrant.block_watch_id == BlockWatch.id)
                .where(BlockWatch.external_id == code, RoleGrant.role == Role.CAPTAIN)
            ).one()
            (walk,) = self._insert(
                Walk,
                [
                    {
                        "block_watch_id": watch,
                        "started_by_id": captain,
                        "title": title,
                        "walked_on": begun.date(),
                        "created_at": begun,
                        "ended_at": seen[-1].seen_at + timedelta(minutes=10),
                    }
                ],
            )
            keys = self._insert(
                WalkStop, [_stop(stop, number, walk) for number, stop in enumerate(seen, start=1)]
            )
            answers = [
                {"stop_id": key, "question": question, "answer": answer}
                for key, stop in zip(keys, seen, strict=True)
                for question, answer in stop.answers.items()
            ]
            self._insert(WalkAnswer, answers)

    def _put_crews(self) -> None:
        """Put in depots, crews and what repairs take, for work plans to be made with."""
        depots = self.city.depots
        keys = self._insert(Depot, [{"name": one.name, "geom": _ewkb(one.geom)} for one in depots])
        ids = {depot.name: key for depot, key in zip(depots, keys, strict=True)}
        self._insert(
            Crew,
            [
                {
                    "name": crew.name,
                    "depot_id": ids[crew.depot],
                    "kind": crew.kind,
                    "starts_at": crew.starts_at,
                    "day_minutes": crew.day_minutes,
                }
                for crew in crews.crews()
            ],
        )
        self.session.execute(
            insert(UnitCost),
            [
                {
                    "category_code": cost.category,
                    "cents": cost.cents,
                    "minutes": cost.minutes,
                    "materials": dict(cost.materials),
                }
                for cost in crews.unit_costs()
            ],
        )

    def _put_reports(self) -> None:
        written = self.city.reports
        shown = public_geometries(
            [report.geom for report in written],
            [BY_CODE[report.category].setting is Setting.HOME for report in written],
            [str(report.number) for report in written],
            secret=self.secret,
            served_area=self._served_area(),
            homes=homes.homes(self.session),
        )
        rows = [_report(report, public) for report, public in zip(written, shown, strict=True)]
        # A duplicate names the report it repeats, so that one has to be there before it.
        first = [row for row in rows if row["status"] is not Status.DUPLICATE]
        late = [row for row in rows if row["status"] is Status.DUPLICATE]
        ids = self._numbered(first)
        repeated = {str(report.number): str(report.duplicate_of) for report in written}
        ids |= self._numbered(
            [row | {"duplicate_of_id": ids[repeated[row["external_id"]]]} for row in late]
        )
        self._insert(ReportEvent, list(_events(written, ids)))
        self._insert(
            Support,
            [
                {"report_id": ids[str(report.number)], "supporter": one.supporter, "at": one.at}
                for report in written
                for one in report.supports
            ],
        )
        # Lights that were out and fixed before are part of the story, too.
        self.session.execute(text("SELECT needs_catch_up()"))

    def _numbered(self, rows: Sequence[Row]) -> dict[str, int]:
        """Put in reports and give their ids by their numbers in the sample."""
        keys = self._put(Report, rows)
        return dict(zip((row["external_id"] for row in rows), keys, strict=True))

    def _served_area(self) -> BaseGeometry:
        return next(area.geom for area in self.city.areas if area.layer is AreaLayer.CITY)


def fingerprint(city: SampleCity) -> bytes:
    """Give the SHA-256 of what the city was made from: the tables, the seed and the end."""
    digest = hashlib.sha256(f"{city.seed} {city.until.isoformat()}".encode())
    for table in sorted(FOLDER.glob("*.csv")):
        digest.update(table.read_bytes())
    return digest.digest()


def _ewkb(shape: BaseGeometry | None) -> str | None:
    """Write a geometry as the columns of `data.models` take it."""
    if shape is None:
        return None
    text_form: str = shapely.to_wkb(shapely.set_srid(shape, SRID), hex=True, include_srid=True)
    return text_form


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _areas(city: SampleCity) -> Iterator[Row]:
    for area in city.areas:
        yield {
            "layer": area.layer,
            "code": area.code,
            "name": area.name,
            "geom": _ewkb(area.geom),
            "land_m2": round(abs(_EARTH.geometry_area_perimeter(area.geom)[0])),
            "households": area.households,
            "external_id": f"{area.layer}/{area.code}",
        }


def _ground(city: SampleCity) -> Iterator[Row]:
    for ground in city.ground:
        yield {
            "type": ground.type,
            "name": ground.name,
            "geom": _ewkb(ground.geom),
            "external_id": ground.name,
        }


def _streets(city: SampleCity) -> Iterator[Row]:
    for number, street in enumerate(city.streets, start=1):
        yield {
            "name": street.name,
            "rank": street.rank,
            "geom": _ewkb(street.line),
            "external_id": str(number),
        }


def _addresses(city: SampleCity) -> Iterator[Row]:
    for address in city.addresses:
        yield {
            "number": address.number,
            "street": address.street,
            "geom": _ewkb(address.geom),
            "external_id": address.label,
        }


def _block_watches(city: SampleCity) -> Iterator[Row]:
    for watch in city.block_watches:
        yield {
            "name": watch.name,
            "boundary": _ewkb(watch.boundary),
            "contact": watch.contact,
            "meeting": watch.meeting,
            "external_id": watch.code,
        }


def _street_lights(city: SampleCity) -> Iterator[Row]:
    for light in city.street_lights:
        yield {
            "pole_id": light.pole_id,
            "status": light.status,
            "geom": _ewkb(light.geom),
            "external_id": light.pole_id,
        }


def _vacant_lots(city: SampleCity) -> Iterator[Row]:
    for lot in city.vacant_lots:
        yield {
            "parcel_number": lot.parcel_number,
            "address": lot.address,
            "owner_kind": "land bank",
            "since": lot.since,
            "geom": _ewkb(lot.geom),
            "external_id": lot.parcel_number,
        }


def _transit_stops(city: SampleCity) -> Iterator[Row]:
    for stop in city.transit_stops:
        yield {"name": stop.name, "geom": _ewkb(stop.geom), "external_id": stop.code}


def _police_incidents(city: SampleCity) -> Iterator[Row]:
    for incident in city.police_incidents:
        yield {
            "offense": incident.offense,
            "offense_group": incident.offense_group,
            "sensitive": False,
            "occurred_at": incident.occurred_at,
            "exact_geom": _ewkb(incident.geom),
            "public_geom": _ewkb(incident.geom),
            "external_id": str(incident.number),
        }


def _report(report: reports.Report, public: BaseGeometry | None) -> Row:
    at_home = BY_CODE[report.category].setting is Setting.HOME
    return {
        "kind": report.kind,
        "category_code": report.category,
        "status": report.status,
        "severity": report.severity,
        "exact_geom": _ewkb(report.geom),
        "public_geom": _ewkb(public),
        "address": "" if at_home else report.address,
        "home_address": report.address if at_home else "",
        "description": report.description,
        "occurred_at": report.occurred_at,
        "reported_at": report.reported_at,
        "updated_at": report.events[-1].at,
        "closed_at": report.closed_at,
        "external_id": str(report.number),
    }


def _stop(stop: walks.WalkStop, number: int, walk: int) -> Row:
    return {
        "walk_id": walk,
        "key": f"sample {number}",
        "body_hash": b"",
        "geom": _ewkb(stop.geom),
        "address": stop.corner,
        "note": stop.note,
        "seen_at": stop.seen_at,
        "sent_at": stop.seen_at,
    }


def _events(written: Sequence[reports.Report], ids: Mapping[str, int]) -> Iterator[Row]:
    for report in written:
        id = ids[str(report.number)]
        steps: list[Row] = [
            {
                "kind": EventKind.STATUS,
                "at": event.at,
                "from_status": event.before,
                "to_status": event.after,
                "note": event.note,
            }
            for event in report.events
        ]
        joined: list[Row] = [
            {
                "kind": EventKind.SUPPORT,
                "at": one.at,
                "from_status": None,
                "to_status": None,
                "note": "",
            }
            for one in report.supports
        ]
        for event in sorted(steps + joined, key=itemgetter("at")):
            yield event | {"report_id": id}
