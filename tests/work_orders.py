"""Crews and needs as tests of work orders have them."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from data.models import Crew, Department, Depot, NeedReport, StreetLight
from geo.kinds import Kind
from geo.roles import Role
from tests.people import person
from tests.places import IN_EASTSIDE
from tests.reports import new, send

DAY = date(2026, 6, 10)


@dataclass(frozen=True)
class Works:
    """Ids of a depot's crews, and of somebody of the lighting department with two factors."""

    lighting: int
    cleanup: int
    staff: int


def found_works(session: Session) -> Works:
    depot = session.scalar(
        insert(Depot).values(name="Yard", geom="SRID=4326;POINT(-94.56 39.01)").returning(Depot.id)
    )

    def crew(name: str, kind: Kind) -> int:
        return session.scalar(
            insert(Crew).values(name=name, depot_id=depot, kind=kind).returning(Crew.id)
        )

    department = session.scalar(select(Department.id).where(Department.code == "lighting"))
    return Works(
        lighting=crew("Light crew 1", Kind.LIGHTING),
        cleanup=crew("Cleanup crew 1", Kind.CLEANUP),
        staff=person(session, Role.STAFF, department_id=department),
    )


def pole(session: Session, at=IN_EASTSIDE) -> int:
    return session.scalar(
        insert(StreetLight)
        .values(pole_id=f"K{at[0]:.5f}{at[1]:.5f}", geom=f"SRID=4326;POINT({at[0]} {at[1]})")
        .returning(StreetLight.id)
    )


def needed(session: Session, category="light_out", at=IN_EASTSIDE, **values) -> tuple[int, int]:
    """A report, and the need that it made."""
    report = send(session, new(category, at, **values))
    need = session.scalar(select(NeedReport.need_id).where(NeedReport.report_id == report))
    return report, need
