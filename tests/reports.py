"""Reports as tests send them."""

import numpy as np
import shapely
from shapely import Point
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from data.models import Report, Submission
from data.queries import reports
from data.queries.reports import NewReport
from geo.categories import BY_CODE, Setting
from geo.positions import generalized
from geo.statuses import Status
from tests.places import IN_EASTSIDE


def new(category="light_out", at=IN_EASTSIDE, public=True, **values) -> NewReport:
    """A report; `public` is True where it is as the category says."""
    exact = at if isinstance(at, shapely.Geometry) else Point(at)
    if public is True:
        at_home = BY_CODE[category].setting is Setting.HOME
        public = Point(*at_random(at)) if at_home else exact
    return NewReport(BY_CODE[category], exact, public, **values)


def send(session: Session, report: NewReport | None = None, key: str | None = None) -> int:
    key = key or f"key-{session.scalar(select(func.count()).select_from(Submission))}"
    return reports.submit(session, report or new(), key=key, body_hash=b"same").id


def moved(session: Session, id: int, *statuses: Status) -> None:
    for status in statuses:
        session.execute(update(Report).where(Report.id == id).values(status=status))


def at_random(home: tuple[float, float]) -> tuple[float, float]:
    """A public position of a home."""
    x, y = generalized(*np.array([home]).T, ["key"], secret=b"s" * 32)
    return x.item(), y.item()
