"""Action plans of the sample city whose assessments were fixed long ago, as real ones are found.

One has a verdict, one waits for its time, and one has too few reports to tell. They are judged by the same
code as any other; what is made up is that they were fixed in time.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from geoalchemy2.elements import WKBElement
from geoalchemy2.shape import from_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from data.models import BlockWatch, Plan, PlanNote, PlanStep
from data.models.base import SRID
from data.queries import assessments
from data.queries.assessments import Design
from data.sample.city import SampleCity
from geo.crs import in_city_metres
from geo.plans import Audience, Stage
from server.assessments import areas, ask_for_due, judge, propose
from server.plans import in_degrees, shown_place
from server.sample_plan_work import put_work

_RING_M, _SETTLING_DAYS = 150, 10

_AT = {
    Stage.SCANNING: timedelta(days=-40),
    Stage.ANALYSIS: timedelta(days=-25),
    Stage.RESPONSE: timedelta(days=-5),
    Stage.ASSESSMENT: timedelta(days=14),
}
"""When a plan came to each stage, from the day on which its response began."""


@dataclass(frozen=True, slots=True)
class _SamplePlan:
    """A plan at a planted hot spot.

    Attributes
    ----------
    spot, watch : str
        Codes of the hot spot and of the block watch.
    began : int
        Days before the end of the sample at which the response began.
    before_days, after_days : int
        How long the two times are.
    found : dict of Stage to str
        What is said of each step.
    """

    title: str
    spot: str
    watch: str
    stage: Stage
    began: int
    before_days: int
    after_days: int
    found: dict[Stage, str]


_PLANS = (
    _SamplePlan(
        title="Empty houses around Olive and 28th",
        spot="olive-28-vacant",
        watch="key-coalition",
        stage=Stage.ASSESSMENT,
        began=380,
        before_days=340,
        after_days=360,
        found={
            Stage.SCANNING: "Open houses and lots nobody keeps, most of them on two blocks.",
            Stage.ANALYSIS: "Nine houses stand empty. Five belong to the land bank.",
            Stage.RESPONSE: "The city boards up, the land bank mows, neighbours tell when one is open.",
            Stage.ASSESSMENT: "All nine are boarded up; four are sold.",
        },
    ),
    _SamplePlan(
        title="Cars broken into around Armour and Gillham",
        spot="armour-gillham-breakins",
        watch="hyde-park-east",
        stage=Stage.ASSESSMENT,
        began=120,
        before_days=200,
        after_days=105,
        found={
            Stage.SCANNING: "Cars and garages are broken into at night, most of them near Armour.",
            Stage.ANALYSIS: "Dark parking behind the apartment houses, and cars left unlocked.",
            Stage.RESPONSE: "Lights behind the houses, notes on windshields, and walks on Fridays.",
            Stage.ASSESSMENT: "All lights are in. The walks go on.",
        },
    ),
    _SamplePlan(
        title="Quiet nights at Troost and 39th",
        spot="troost-39-nights",
        watch="squier-park",
        stage=Stage.RESPONSE,
        began=45,
        before_days=365,
        after_days=365,
        found={
            Stage.SCANNING: "Trouble and noise at the corner from nine in the evening.",
            Stage.ANALYSIS: "Two lots without lights, and nobody about after the shops close.",
            Stage.RESPONSE: "Lights on both lots, and the shops close one after the other.",
        },
    ),
)


def put_plans(session: Session, city: SampleCity, zone: ZoneInfo) -> int:
    """Put the plans of the sample city in, and find the verdicts that are due.

    Parameters
    ----------
    session : Session
        As the owner of the store, with the sample city in it. Nothing is committed here.
    city : SampleCity
    zone : ZoneInfo
        The city's.

    Returns
    -------
    int
        How many.
    """
    for one in _PLANS:
        _put(session, city, zone, one)
    put_work(session, city, zone)
    ask_for_due(session, zone, city.until)
    for id in assessments.waiting(session):
        judge(session, id)
    return len(_PLANS)


def _put(session: Session, city: SampleCity, zone: ZoneInfo, meant: _SamplePlan) -> None:
    spot = next(spot for spot in city.hot_spots if spot.code == meant.spot)
    place_m = in_city_metres(spot.center).buffer(spot.radius_m, quad_segs=4)
    place = in_degrees(place_m)
    starts = city.until.astimezone(zone).date() - timedelta(days=meant.began)
    design = Design(
        response_starts=starts,
        before_from=starts - timedelta(days=meant.before_days),
        before_until=starts - timedelta(days=1),
        after_from=starts,
        after_until=starts + timedelta(days=meant.after_days - 1),
        settling_days=_SETTLING_DAYS,
        ring_m=_RING_M,
        categories=spot.categories,
        offense_groups=(),
        worst_first=True,
        zone=zone.key,
    )
    begun = datetime.combine(starts, time(12), zone)
    watch = session.scalar(select(BlockWatch.id).where(BlockWatch.external_id == meant.watch))
    plan_id = session.execute(
        insert(Plan)
        .values(
            title=meant.title,
            block_watch_id=watch,
            place=from_shape(place, SRID),
            public_place=_shown(session, place_m, begun),
            stage=meant.stage,
            response_starts=starts,
        )
        .returning(Plan.id)
    ).scalar_one()
    _tell(session, plan_id, meant, begun)
    proposal = propose(session, plan_id, place, design, starts)
    assessments.save(session, plan_id, design, proposal, place)
    (draft,) = assessments.of_plan(session, plan_id)
    chosen = proposal["suggested"]
    shifts = [proposal["places"][number]["shift"] for number in chosen]
    assessments.choose(session, draft.id, chosen, "", areas(session, place, design, shifts))
    assessments.fix_as_of(session, draft.id, begun - timedelta(days=2))


def _shown(session: Session, place_m: BaseGeometry, now: datetime) -> WKBElement | None:
    shown = shown_place(session, place_m, now)
    return None if shown is None else from_shape(shown, SRID)


def _tell(session: Session, plan_id: int, meant: _SamplePlan, begun: datetime) -> None:
    """Write down when the plan came to each stage, and what was said of it."""
    session.execute(delete(PlanStep).where(PlanStep.plan_id == plan_id))
    for stage, words in meant.found.items():
        at = begun + _AT[stage]
        session.execute(insert(PlanStep).values(plan_id=plan_id, stage=stage, at=at))
        session.execute(
            insert(PlanNote).values(
                plan_id=plan_id, stage=stage, audience=Audience.WATCH, words=words, at=at
            )
        )
    opened = begun + _AT[Stage.SCANNING]
    session.execute(update(Plan).where(Plan.id == plan_id).values(created_at=opened))
