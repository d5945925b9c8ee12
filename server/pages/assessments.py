"""How an action plan will be judged, fixed before its response starts, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Annotated, TypedDict

import numpy as np
import orjson
import shapely
from babel.dates import format_date
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel
from sqlalchemy.orm import Session

from data.models.assessment import REASON_LIMIT
from data.queries import assessments, audit, plans
from data.queries.assessments import Assessment, Design, NotFixed, Private, Verdict
from data.queries.hot_spots import Source
from data.queries.plans import Summary
from geo.categories import CATEGORIES, N_, Category
from geo.controls import moved
from geo.places import plain_text
from geo.plans import leads, sees
from server import screening, visitors
from server.assessment_drawings import PairedChart, PlacesMap, paired_chart, places_map
from server.assessment_words import CAVEATS, Told, told
from server.assessments import (
    LEAST_DAYS,
    MOST_DAYS,
    UNLIKE,
    Caveat,
    NoRoom,
    Outlook,
    areas,
    caveats,
    complete_until,
    outlook,
    propose,
)
from server.dependencies import Chosen, Who, Writing, own_site
from server.feature_words import OFFENSE_GROUPS
from server.hot_spot_words import SOURCES
from server.hot_spots import NoGround
from server.languages import Language
from server.month_charts import Chart, chart
from server.pages.map import KINDS
from server.pages.page import page
from server.problems import Problem
from server.schemas.filters import LARGEST_ID
from server.settings import Settings
from server.visitors import Visitor

router = APIRouter(
    prefix="/plans/{id:int}/assessment", dependencies=[Depends(own_site)], include_in_schema=False
)

_FROM_TODAY = timedelta(days=14)
_YEAR = timedelta(days=365)
_RING_M, _SETTLING_DAYS = 150, 30
_LEAST_SETTLING, _MOST_SETTLING, _MOST_RING_M = 7, 90, 1_000

_NOTICES: dict[str, str] = {
    "proposed": N_(
        "These are the places most like yours. Look at them, then at what could be seen."
    ),
    "chosen": N_("The places to compare with are changed."),
    "fixed": N_("The assessment is fixed. Nobody can change it now, you neither."),
    "asked": N_("The verdict is being found again. It will stand beside the earlier one."),
    "already": N_("A verdict is being found already. Wait for it."),
}

_REFUSALS: dict[str, str] = {
    "assessment_precedes_the_response": N_(
        "The response has begun. An assessment written now may suit what is known already: tick that "
        "it was written after the start, and it will say so for ever."
    ),
    "assessment_is_of_the_plan_as_it_is": N_(
        "The plan says another day for the start of the response. Look for places again with that day."
    ),
    "assessment_correction_has_a_reason": N_(
        "Somebody has fixed another assessment meanwhile. Write this one again, with a reason."
    ),
    "assessment_fixed_has_a_control": N_("Choose at least one place to compare with."),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A place to compare with, as the list shows it.

    Attributes
    ----------
    alike : str
        Message.
    counts : mapping of Source to int
        Incidents before.
    chart : Chart
        Of the first source.
    """

    number: int
    name: str
    alike: str
    chosen: bool
    counts: Mapping[Source, int]
    chart: Chart


@dataclass(frozen=True, slots=True)
class Shown:
    """An assessment as its visitor may see it.

    Attributes
    ----------
    assessment : Assessment
    private : Private or None
        None for whoever sees the summary alone; so are `map`, `places` and `before`.
    map : PlacesMap or None
    places : sequence of Place
    treated : mapping of Source to int
        Incidents of the treated place before.
    before : mapping of Source to PairedChart
    outlooks : mapping of Source to Outlook
    caveats : sequence of (str, str)
        What makes it less sure: messages, short and long.
    told : sequence of Told
    charts : mapping of int to PairedChart
        By the ids of verdicts.
    waits : mapping of Source to date or None
        Of which the verdict is still to come; the day up to which there are rows where these end
        too early.
    finding : frozenset of Source
        Of which a job finds a verdict now.
    """

    assessment: Assessment
    private: Private | None
    map: PlacesMap | None
    places: Sequence[Place]
    treated: Mapping[Source, int]
    before: Mapping[Source, PairedChart]
    outlooks: Mapping[Source, Outlook]
    caveats: Sequence[tuple[str, str]]
    told: Sequence[Told]
    charts: Mapping[int, PairedChart]
    waits: Mapping[Source, date | None]
    finding: frozenset[Source]


class Typed(BaseModel):
    """The form as it is filled in. `worst_first` is "yes", "no" or empty.

    `seen` is the mark of the draft that the form was shown with.
    """

    seen: str = ""
    response_starts: str = ""
    before_from: str = ""
    before_until: str = ""
    after_from: str = ""
    after_until: str = ""
    settling_days: str = ""
    ring_m: str = ""
    category: frozenset[str] = frozenset()
    offense_group: frozenset[str] = frozenset()
    worst_first: str = ""
    reason: str = ""


class AssessmentPage(TypedDict):
    """What the page of a plan's assessments shows. `form` is None where nothing may be written.

    `seen` is the mark of the draft as it is shown.
    """

    plan: Summary
    leads: bool
    sees: bool
    fixed: Sequence[Shown]
    draft: Shown | None
    seen: str
    form: Typed | None
    begun: bool
    faults: Sequence[str]
    notice: str
    kinds: Mapping[str, str]
    categories: Sequence[Category]
    groups: Sequence[str]
    group_names: Mapping[str, str]
    sources: Mapping[Source, str]
    limit: int


def _plan(request: Request, session: Session, settings: Settings, id: int) -> Summary:
    today = settings.today()
    found = plans.summary(session, id, today) if id <= LARGEST_ID else None
    if found is None:
        _ = request.state.language.gettext
        raise Problem(404, _("Not found"), _("There is no such action plan."))
    return found


@dataclass(frozen=True, slots=True)
class Desk:
    """Who works on the assessment of which plan."""

    request: Request
    session: Session
    settings: Settings
    who: Visitor
    plan: Summary

    @property
    def spoken(self) -> Language:
        """The language of the page."""
        spoken: Language = self.request.state.language
        return spoken

    @property
    def today(self) -> date:
        """By the city's clock."""
        return self.settings.today()

    @property
    def leads(self) -> bool:
        """Whether assessments of the plan are the visitor's to write."""
        return leads(self.who.grants, self.plan.ground)

    def back(self, notice: str) -> RedirectResponse:
        """Lead to the page, which says what was done."""
        return RedirectResponse(f"/plans/{self.plan.id}/assessment?notice={notice}", 303)


def _desk(request: Request, session: Writing, settings: Chosen, who: Who, id: int) -> Desk:
    return Desk(request, session, settings, who, _plan(request, session, settings, id))


AtDesk = Annotated[Desk, Depends(_desk)]


def _for_leaders(desk: Desk) -> None:
    visitors.require(desk.request, desk.who)
    if not desk.leads:
        _ = desk.spoken.gettext
        raise Problem(
            403,
            _("For those who lead the plan"),
            _("Captains of its block watch and the police liaison write its assessment."),
        )


@router.get("")
def read_assessment(desk: AtDesk, notice: str = "") -> HTMLResponse:
    """Show how a plan will be judged, and what came of it."""
    return _page(desk, notice=_NOTICES.get(notice, ""))


def _page(
    desk: Desk, *, typed: Typed | None = None, faults: Sequence[str] = (), notice: str = ""
) -> HTMLResponse:
    found = assessments.of_plan(desk.session, desk.plan.id)
    verdicts = assessments.verdicts(desk.session, desk.plan.id)
    if any(one.found for one in verdicts):
        audit.add(desk.session, desk.who.person_id, "assessment.read", f"plan {desk.plan.id}")
    shown = [_shown(desk, one, verdicts) for one in found]
    draft = next((one for one in shown if one.assessment.fixed_at is None), None)
    context = AssessmentPage(
        plan=desk.plan,
        leads=desk.leads,
        sees=sees(desk.who.grants, desk.plan.ground),
        fixed=[one for one in shown if one.assessment.fixed_at is not None],
        draft=draft if desk.leads else None,
        seen=_mark(draft.assessment, draft.private) if draft and draft.private else "",
        form=(typed or _typed(desk, found)) if desk.leads else None,
        begun=draft is not None and draft.assessment.design.response_starts <= desk.today,
        faults=[desk.spoken.gettext(fault) for fault in faults],
        notice=notice,
        kinds=KINDS,
        categories=CATEGORIES,
        groups=assessments.offense_groups(desk.session) if desk.leads else (),
        group_names=OFFENSE_GROUPS,
        sources=SOURCES,
        limit=REASON_LIMIT,
    )
    return page(desk.request, "assessment.html", context, status=422 if faults else 200)


# What is shown --------------------------------------------------------------------------------------


def _shown(desk: Desk, assessment: Assessment, verdicts: Sequence[Verdict]) -> Shown:
    design, spoken = assessment.design, desk.spoken
    private = assessments.private(desk.session, assessment.id)
    mine = [one for one in verdicts if one.assessment_id == assessment.id]
    found = [told(one, spoken) for one in mine if one.computed_at is not None]
    judged = {one.verdict.source for one in found}
    return Shown(
        assessment=assessment,
        private=private,
        map=None if private is None else _map(desk, assessment, private),
        places=() if private is None else _places(assessment, private, spoken),
        treated={}
        if private is None
        else {
            source: sum(private.proposal["counts"][source.value]["treated"]["steps"])
            for source in design.sources
        },
        before={}
        if private is None or not assessment.chosen
        else {source: _before(assessment, private, source, spoken) for source in design.sources},
        outlooks={}
        if private is None or not assessment.chosen
        else {
            source: outlook(design, private.proposal, assessment.chosen, source)
            for source in design.sources
        },
        caveats=_caveats(assessment, private, mine),
        told=found,
        charts={
            one.verdict.id: _after(assessment, one.verdict, spoken)
            for one in found
            if (one.verdict.found or one.verdict.published or {})["months"]
        },
        waits={
            source: _ends_at(desk, design, source)
            for source in design.sources
            if source not in judged and assessment.fixed_at is not None
        },
        finding=frozenset(one.source for one in mine if one.computed_at is None),
    )


def _caveats(
    assessment: Assessment, private: Private | None, verdicts: Sequence[Verdict]
) -> list[tuple[str, str]]:
    published = next((one.published for one in verdicts if one.published), None)
    if private is not None:
        known = caveats(assessment.design, private.proposal, assessment.chosen)
    else:
        known = tuple(Caveat(one) for one in published["caveats"]) if published else ()
    return [CAVEATS[one] for one in known]


def _ends_at(desk: Desk, design: Design, source: Source) -> date | None:
    """Give up to when there are rows, where a verdict is due and waits for more of them."""
    if desk.today < design.due:
        return None
    until = complete_until(desk.session, source, desk.settings.zone)
    return until if until is not None and until < design.due - timedelta(days=1) else None


def _map(desk: Desk, assessment: Assessment, private: Private) -> PlacesMap:
    grounds = assessments.grounds(desk.session, assessment.id)
    assert grounds is not None
    proposed = private.proposal["places"]
    shapes = moved(grounds.treated, np.array([place["shift"] for place in proposed]))
    return places_map(
        desk.session,
        grounds.treated,
        shapely.union_all([grounds.ring, grounds.control_ring]),
        [
            (number + 1, shape, number in assessment.chosen)
            for number, shape in enumerate(shapes)
            if assessment.fixed_at is None or number in assessment.chosen
        ],
    )


def _places(assessment: Assessment, private: Private, spoken: Language) -> list[Place]:
    proposal, sources = private.proposal, assessment.design.sources
    first = proposal["counts"][sources[0].value]["places"]
    return [
        Place(
            number=number,
            name=place["name"],
            alike=_alike(place["distance"]),
            chosen=number in assessment.chosen,
            counts={
                source: sum(proposal["counts"][source.value]["places"][number]["steps"])
                for source in sources
            },
            chart=chart(proposal["first_month"], first[number]["months"], spoken),
        )
        for number, place in enumerate(proposal["places"])
        if assessment.fixed_at is None or number in assessment.chosen
    ]


def _alike(distance: float) -> str:
    if distance <= 2:
        return N_("very like it")
    return N_("rather like it") if distance <= UNLIKE else N_("not like it")


def _before(
    assessment: Assessment, private: Private, source: Source, spoken: Language
) -> PairedChart:
    counted = private.proposal["counts"][source.value]
    chosen = [counted["places"][number]["months"] for number in assessment.chosen]
    return paired_chart(
        private.proposal["first_month"],
        counted["treated"]["months"],
        [sum(month) / len(chosen) for month in zip(*chosen, strict=True)],
        None,
        spoken,
    )


def _after(assessment: Assessment, verdict: Verdict, spoken: Language) -> PairedChart:
    months = (verdict.found or verdict.published or {})["months"]
    return paired_chart(
        months["first"],
        months["treated"],
        [count / assessment.controls for count in months["control"]],
        assessment.design.response_starts,
        spoken,
    )


# What is written ------------------------------------------------------------------------------------


def _typed(desk: Desk, found: Sequence[Assessment]) -> Typed:
    """Fill the form in: as the draft has it, or else as is most often right."""
    draft = next((one.design for one in found if one.fixed_at is None), None)
    if draft is not None:
        return Typed(
            **{name: getattr(draft, name).isoformat() for name in _DAYS},
            settling_days=str(draft.settling_days),
            ring_m=str(draft.ring_m),
            category=frozenset(draft.categories),
            offense_group=frozenset(draft.offense_groups),
            worst_first="yes" if draft.worst_first else "no",
            reason=draft.reason,
        )
    starts = desk.plan.response_starts or desk.today + _FROM_TODAY
    span = assessments.span(desk.session, Source.REPORTS)
    begins = span[0].astimezone(desk.settings.zone).date() if span else date.min
    return Typed(
        response_starts=starts.isoformat(),
        before_from=max(starts - _YEAR, begins).isoformat(),
        before_until=(starts - timedelta(days=1)).isoformat(),
        after_from=starts.isoformat(),
        after_until=(starts + _YEAR - timedelta(days=1)).isoformat(),
        settling_days=str(_SETTLING_DAYS),
        ring_m=str(_RING_M),
        category=frozenset(assessments.categories_of_plan(desk.session, desk.plan.id)),
    )


_DAYS = ("response_starts", "before_from", "before_until", "after_from", "after_until")

_WRONG_DAYS = N_("Give each day as a date.")
_WRONG_ORDER = N_(
    "The days must follow each other: the time before, then the start of the response, then the time "
    "after."
)


def _understood(desk: Desk, typed: Typed, *, first: bool) -> tuple[Design | None, list[str]]:
    """Make a design of what was typed, or say what is wrong with it."""
    faults: list[str] = []
    try:
        days = {name: date.fromisoformat(getattr(typed, name).strip()) for name in _DAYS}
    except ValueError:
        return None, [_WRONG_DAYS]
    ordered = (
        days["before_from"] <= days["before_until"] < days["response_starts"] <= days["after_from"]
    )
    if not ordered or days["after_from"] > days["after_until"]:
        faults.append(_WRONG_ORDER)
    else:
        faults += _period_faults(desk, days)
    if desk.plan.response_starts not in {None, days["response_starts"]}:
        faults.append(_REFUSALS["assessment_is_of_the_plan_as_it_is"])
    settling, ring = (_whole(number) for number in (typed.settling_days, typed.ring_m))
    if settling is None or not _LEAST_SETTLING <= settling <= _MOST_SETTLING:
        faults.append(N_("Wait between 7 and 90 days for late reports."))
    if ring is None or ring > _MOST_RING_M:
        faults.append(N_("Make the ring 0 to 1,000 meters wide."))
    known = {category.code for category in CATEGORIES}
    groups = typed.offense_group & {*assessments.offense_groups(desk.session)}
    if not typed.category & known and not groups:
        faults.append(N_("Choose at least one thing to count."))
    if typed.worst_first not in {"yes", "no"}:
        faults.append(N_("Say whether the place was chosen because it had the most."))
    reason = plain_text(typed.reason)
    faults += _reason_faults(reason, needed=not first)
    if faults:
        return None, faults
    assert settling is not None
    assert ring is not None
    return Design(
        **days,
        settling_days=settling,
        ring_m=ring,
        categories=tuple(sorted(typed.category & known)),
        offense_groups=tuple(sorted(groups)),
        worst_first=typed.worst_first == "yes",
        zone=desk.settings.zone.key,
        reason="" if first else reason,
    ), []


def _period_faults(desk: Desk, days: Mapping[str, date]) -> list[str]:
    faults = []
    for one in ("before", "after"):
        length = (days[f"{one}_until"] - days[f"{one}_from"]).days + 1
        if not LEAST_DAYS <= length <= MOST_DAYS:
            faults.append(N_("Make each of the two times four weeks to three years long."))
            break
    if max(abs((day - desk.today).days) for day in days.values()) > 2 * MOST_DAYS:
        faults.append(N_("Keep all days within six years of today."))
    if days["before_from"] > desk.today - timedelta(days=LEAST_DAYS):
        faults.append(
            N_("Begin the time before at least four weeks ago: places are chosen by what was then.")
        )
    return faults


def _whole(number: str) -> int | None:
    return int(number) if number.strip().isdecimal() and len(number.strip()) < 6 else None


def _reason_faults(reason: str, *, needed: bool) -> list[str]:
    if needed and not reason:
        return [N_("Give the reason in a few words: everybody reads it.")]
    if len(reason) > REASON_LIMIT:
        return [N_("Make the reason shorter: 500 characters at most.")]
    if screening.screen(reason):
        return [N_("Something in the reason points at a person. Write of the place alone.")]
    return []


@router.post("", response_model=None)
def design_assessment(desk: AtDesk, typed: Annotated[Typed, Form()]) -> Response:
    """Write a draft, and look for places to compare with."""
    _for_leaders(desk)
    earlier = [one for one in assessments.of_plan(desk.session, desk.plan.id) if one.fixed_at]
    design, faults = _understood(desk, typed, first=not earlier)
    if design is not None:
        faults = _rows_faults(desk, design)
    if design is None or faults:
        return _page(desk, typed=typed, faults=faults)
    place = plans.place(desk.session, desk.plan.id)
    assert place is not None
    try:
        proposal = propose(desk.session, desk.plan.id, place.geom, design, desk.today)
        chosen = proposal["suggested"]
        shifts = [proposal["places"][number]["shift"] for number in chosen]
        compared = areas(desk.session, place.geom, design, shifts)
    except NoGround:
        return _page(desk, typed=typed, faults=[N_("The city is not on the map yet.")])
    except NoRoom:
        fault = N_(
            "There is no room for a place of this size to compare with: too much of what lies around "
            "is outside the city, or has a plan itself. Make the ring narrower."
        )
        return _page(desk, typed=typed, faults=[fault])
    if not _is_as_seen(desk, typed.seen):
        fault = N_(
            "Somebody else changed the draft meanwhile, so yours is not kept yet. Below is what you "
            "typed: look at theirs in another window, and send yours again if it is better."
        )
        return _page(desk, typed=typed, faults=[fault])
    assessments.save(desk.session, desk.plan.id, design, proposal, place.geom)
    draft = assessments.of_plan(desk.session, desk.plan.id)[-1]
    assessments.choose(desk.session, draft.id, chosen, "", compared)
    return desk.back("proposed")


def _rows_faults(desk: Desk, design: Design) -> list[str]:
    """Say of which source the rows begin too late for the time before."""
    _ = desk.spoken.gettext
    faults = []
    for source in design.sources:
        span = assessments.span(desk.session, source)
        begins = None if span is None else span[0].astimezone(desk.settings.zone).date()
        named = _(SOURCES[source])
        if begins is None:
            faults.append(_("{source}: there are none yet.").format(source=named))
        elif begins > design.before_from:
            day = str(format_date(begins, "medium", locale=desk.spoken.locale))
            faults.append(
                _(
                    "{source} go back to {day} only. Begin the time before on that day or later."
                ).format(source=named, day=day)
            )
    return faults


def _mark(assessment: Assessment, private: Private) -> str:
    """Give a mark of a draft, which another one does not have."""
    written = orjson.dumps(
        [asdict(assessment.design), private.proposal, assessment.chosen, assessment.chosen_reason]
    )
    return sha256(written).hexdigest()[:16]


def _is_as_seen(desk: Desk, seen: str) -> bool:
    """Tell whether a draft that is written anew stands as it did when the form was shown."""
    assessments.hold(desk.session, desk.plan.id)
    marks = [
        _mark(one, private)
        for one in assessments.of_plan(desk.session, desk.plan.id)
        if one.fixed_at is None
        and (private := assessments.private(desk.session, one.id)) is not None
    ]
    return marks == ([seen] if seen else [])


def _draft(desk: Desk, seen: str) -> tuple[Assessment, Private]:
    """Give the draft, which nobody changes until the end of the request, as it was seen.

    Raises
    ------
    Problem
    """
    _ = desk.spoken.gettext
    assessments.hold(desk.session, desk.plan.id)
    for one in assessments.of_plan(desk.session, desk.plan.id):
        private = assessments.private(desk.session, one.id)
        if one.fixed_at is None and private is not None:
            if seen == _mark(one, private):
                return one, private
            raise Problem(
                409,
                _("The draft has changed"),
                _("Somebody else changed it meanwhile. Open it again, and look at how it is now."),
            )
    raise Problem(
        409,
        _("There is no draft"),
        _("It may have been fixed meanwhile. Open the assessment of the plan again."),
    )


@router.post("/places", response_model=None)
def choose_places(
    desk: AtDesk,
    place: Annotated[list[int] | None, Form()] = None,
    reason: Annotated[str, Form()] = "",
    seen: Annotated[str, Form()] = "",
) -> Response:
    """Choose other places to compare with than those that were proposed."""
    _for_leaders(desk)
    draft, private = _draft(desk, seen)
    proposal = private.proposal
    chosen = sorted({*(place or ())} & {*range(len(proposal["places"]))})
    if not chosen:
        return _page(desk, faults=[_REFUSALS["assessment_fixed_has_a_control"]])
    changed = chosen != sorted(proposal["suggested"])
    reason = plain_text(reason) if changed else ""
    if faults := _reason_faults(reason, needed=changed):
        return _page(desk, faults=faults)
    where = plans.place(desk.session, desk.plan.id)
    assert where is not None
    shifts = [proposal["places"][number]["shift"] for number in chosen]
    compared = areas(desk.session, where.geom, draft.design, shifts)
    assessments.choose(desk.session, draft.id, chosen, reason, compared)
    return desk.back("chosen")


@router.post("/fix", response_model=None)
def fix_assessment(
    desk: AtDesk,
    late: Annotated[bool, Form()] = False,
    seen: Annotated[str, Form()] = "",
) -> Response:
    """Fix the draft for ever."""
    _for_leaders(desk)
    draft, _private = _draft(desk, seen)
    try:
        with desk.session.begin_nested():
            assessments.fix(desk.session, draft.id, late=late)
    except NotFixed as error:
        return _page(desk, faults=[_REFUSALS[str(error)]])
    audit.add(
        desk.session,
        desk.who.person_id,
        "assessment.fix",
        f"plan {desk.plan.id}",
        {"assessment": draft.id},
    )
    return desk.back("fixed")


@router.post("/again", response_model=None)
def judge_again(
    desk: AtDesk,
    assessment: Annotated[int, Form()] = 0,
    source: Annotated[Source, Form()] = Source.REPORTS,
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Have a verdict found again beside the earlier one."""
    _for_leaders(desk)
    reason = plain_text(reason)
    if faults := _reason_faults(reason, needed=True):
        return _page(desk, faults=faults)
    judged = {
        (one.assessment_id, one.source)
        for one in assessments.verdicts(desk.session, desk.plan.id)
        if one.computed_at is not None
    }
    if (assessment, source) not in judged:
        return _page(desk, faults=[N_("There is no verdict yet that could be found again.")])
    asked = assessments.ask_again(desk.session, assessment, source, reason)
    audit.add(
        desk.session,
        desk.who.person_id,
        "assessment.again",
        f"plan {desk.plan.id}",
        {"assessment": assessment, "source": source.value},
    )
    return desk.back("asked" if asked else "already")
