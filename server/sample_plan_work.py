"""Who works on the action plans of the sample city: partners, tasks, reports and a discussion.

And a plan that is still being analysed, with the figures of its hot spot.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from geoalchemy2.shape import from_shape
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from data.models import (
    Department,
    Person,
    Plan,
    PlanFigures,
    PlanNote,
    PlanPartner,
    PlanTask,
    ServiceLocation,
)
from data.models.base import SRID
from data.queries import hot_spots
from data.queries.hot_spots import Question, Source
from data.sample.city import SampleCity
from data.sample.truth import HotSpot
from geo.crs import in_city_metres
from geo.plans import Audience, Stage, parts_of
from server.hot_spot_sights import sight_of
from server.hot_spots import METHOD, Asked, answer
from server.plans import frozen, in_degrees, shown_place

_NIGHTS, _DUMPING = "Quiet nights at Troost and 39th", "Dumping around Prospect and 35th"
_CAPTAIN, _LIAISON, _CITY = "Sample Captain", "Sample Liaison", "Sample Administrator"
_YOUTH = "Neighbors' Mediation Desk"

_LINK = text("""
    INSERT INTO plan_report (plan_id, report_id, at)
    SELECT plan.id, report.id, plan.created_at FROM plan JOIN report
        ON ST_Intersects(public_geom, place)
    WHERE plan.id = :id AND status NOT IN ('held', 'duplicate') AND category_code = ANY (:codes)
    ORDER BY reported_at DESC LIMIT 12
""")


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be done, days after the end of the sample; `done` as many days before, if at all."""

    what: str
    by: str
    due: int
    done: int | None = None


_TASKS = (
    _Task("Count the lamps that are out on both lots", _CAPTAIN, -80, 78),
    _Task("Put two lights on the lot behind the bus stop", "Street lighting", -50, 46),
    _Task("Put a light on the lot at the alley", "Street lighting", -3),
    _Task("Ask the shops to close one after the other", _LIAISON, -30, 33),
    _Task("Open the mediation desk on Friday evenings", _YOUTH, 1),
    _Task("Walk the block together after ten", _CAPTAIN, 9),
)

_NOTES = (
    (Audience.PARTNERS, _LIAISON, 30, "The second lot belongs to the land bank. It agrees to a light."),
    (Audience.WATCH, _CAPTAIN, 12, "Please say on the next walk whether the new lights help."),
    (Audience.EVERYONE, _LIAISON, 6, "Two of three lights are in. The third comes this month."),
)  # fmt: skip


def put_work(session: Session, city: SampleCity, zone: ZoneInfo) -> None:
    """Put in what is done on the plans of the sample city, and the plan that is being analysed.

    Parameters
    ----------
    session : Session
        As the owner of the store, with the other plans in it. Nothing is committed here.
    city : SampleCity
    zone : ZoneInfo
        The city's.
    """
    people = {row.name: row.id for row in session.execute(select(Person.name, Person.id))}
    today = city.until.astimezone(zone).date()
    _work_on_nights(session, city.until, today, people)
    spots = {spot.code: spot for spot in city.hot_spots}
    for title, code in ((_NIGHTS, "troost-39-nights"), (_DUMPING, "prospect-35-dumping")):
        if title == _DUMPING:
            _analyse(session, city.until, zone, spots[code], people)
        id = session.scalar(select(Plan.id).where(Plan.title == title))
        session.execute(_LINK, {"id": id, "codes": [*spots[code].categories]})


def _work_on_nights(session: Session, until: datetime, today: date, people: dict[str, int]) -> None:
    id = session.scalars(select(Plan.id).where(Plan.title == _NIGHTS)).one()
    lighting = session.scalar(select(Department.id).where(Department.code == "lighting"))
    desk = session.scalar(select(ServiceLocation.id).where(ServiceLocation.name == _YOUTH))
    partners = {}
    for name, brings, of in (
        ("Street lighting", "Three lights on city poles", {"department_id": lighting}),
        (_YOUTH, "Somebody to talk to on Friday evenings", {"service_location_id": desk}),
        ("Shops around the corner", "Close at different hours, and keep a light on", {}),
    ):
        made = insert(PlanPartner).values(plan_id=id, name=name, brings=brings, **of)
        partners[name] = session.scalars(made.returning(PlanPartner.id)).one()
    for task in _TASKS:
        session.execute(
            insert(PlanTask).values(
                plan_id=id,
                what=task.what,
                person_id=people.get(task.by),
                partner_id=partners.get(task.by),
                due=today + timedelta(days=task.due),
                done_at=None if task.done is None else until - timedelta(days=task.done),
            )
        )
    for audience, by, days, words in _NOTES:
        session.execute(
            insert(PlanNote).values(
                plan_id=id,
                audience=audience,
                words=words,
                person_id=people[by],
                at=until - timedelta(days=days),
            )
        )


def _analyse(
    session: Session, until: datetime, zone: ZoneInfo, spot: HotSpot, people: dict[str, int]
) -> None:
    """Open a plan on the cell at the middle of a hot spot, by what everybody sees of the last year."""
    last = until.astimezone(zone).date() - timedelta(days=10)
    asked = Asked(
        Source.REPORTS,
        last - timedelta(days=364),
        last,
        categories=tuple(sorted(spot.categories)),
        width_m=400,
    )
    version = hot_spots.rows_version(session, asked.source)
    question = Question(asked.written(), "", METHOD, version)
    hot_spots.keep(session, question, answer(session, asked, zone))
    run = hot_spots.find(session, question)
    assert run is not None
    sight = sight_of(session, run)
    middle = in_city_metres(spot.center)
    number = int(np.argmin(shapely.distance(sight.cells.polygons(), middle)))
    place_m = parts_of(sight.cells.polygons()[number])
    shown = shown_place(session, place_m, until)
    opened = until - timedelta(days=9)
    id = session.scalars(
        insert(Plan)
        .values(
            title=_DUMPING,
            opened_by_id=people[_CITY],
            place=from_shape(in_degrees(place_m), SRID),
            public_place=None if shown is None else from_shape(shown, SRID),
            stage=Stage.ANALYSIS,
            created_at=opened,
            updated_at=opened,
        )
        .returning(Plan.id)
    ).one()
    session.execute(
        insert(PlanFigures).values(
            plan_id=id, exact=False, figures=frozen(asked, run, sight, number)
        )
    )
    for stage, days, words in (
        (Stage.SCANNING, 9, "Trash is dumped in the alleys again and again, mostly at weekends."),
        (Stage.ANALYSIS, 7, "Which alleys, from which side, and what is picked up how soon?"),
    ):
        session.execute(
            insert(PlanNote).values(
                plan_id=id,
                audience=Audience.WATCH,
                stage=stage,
                words=words,
                person_id=people[_CITY],
                at=until - timedelta(days=days),
            )
        )
    session.execute(
        text("INSERT INTO plan_step (plan_id, stage, at) VALUES (:id, 'scanning', :at)"),
        {"id": id, "at": opened - timedelta(minutes=1)},
    )
