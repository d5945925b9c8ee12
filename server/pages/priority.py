"""What comes first and why: the published weights, other weights on trial, and one need explained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, TypedDict

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from data.models import AreaLayer
from data.models.priority import NOTE_LIMIT, SIGNED_LIMIT
from data.queries import areas, audit, priority, ranks, work, work_order_lists
from data.queries.priority import Overtaken, Version
from data.queries.ranks import Fixed, Happened, Named, Rank, RankedNeed, Standing
from data.queries.work_order_lists import Order, OrderReport
from data.weights import Reason, reasons
from geo.kinds import Kind
from geo.places import plain_text
from geo.priority import (
    DRAWS,
    FACTORS,
    SEED,
    SPREAD,
    SURE,
    Factor,
    moved,
    read_facts,
    shares,
    turns,
)
from geo.priority import ranks as ranked
from geo.roles import Act, Role, Site
from geo.statuses import Status
from geo.work_orders import holds_need
from layers.atlas import Atlas, View
from server.dependencies import Chosen, Reading, Who, Writing, own_site
from server.languages import Language
from server.pages.map import KINDS
from server.pages.page import page
from server.pages.reports import LOOK_ZOOM, look_atlas
from server.pages.work import WORK_ICONS, WORK_STATUSES
from server.plan_forms import Typed
from server.priority_words import NAMES, meaning, said, turned
from server.problems import Problem
from server.schemas.filters import LARGEST_ID
from server.screening import Marked, marked, screen, seal
from server.visitors import Visitor, require
from server.work_order_words import OUTCOMES, STATES

router = APIRouter(dependencies=[Depends(own_site)], include_in_schema=False)

AMONG = 50
"""How many come first, if nobody says otherwise: about what a city fixes in a month."""

MOST_AMONG = 5_000
MOST_SHOWN = 100
_MOST_TYPED = 20
"""Characters of a weight that is looked at."""

_STRONGEST = 3
"""Parts that the headline of a need names."""


def _kind(request: Request, who: Visitor, kind: Kind | None) -> Kind:
    """Give the kind that is asked for, or the visitor's first.

    Raises
    ------
    Problem
        401 or 403 where it is not the visitor's.
    """
    require(request, who, (Role.STAFF, Role.ADMINISTRATOR))
    mine = who.desk_kinds
    if not mine or (kind is not None and kind not in mine):
        _ = request.state.language.gettext
        raise Problem(
            403,
            _("Not for this account"),
            _("Your department does not work on this. Ask an administrator if it should."),
        )
    return kind or mine[0]


# The published weights ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Weighed:
    """A factor as the public page shows it: what it is, its points and how they changed."""

    name: str
    meaning: str
    reason: Reason
    points: float
    before: float | None


@dataclass(frozen=True, slots=True)
class Published:
    """A version as the public page lists it."""

    version: Version
    changes: Mapping[Kind, Sequence[tuple[str, float, float | None]]]


class PrioritiesPage(TypedDict):
    """What everybody reads of the priority."""

    kinds: Mapping[Kind, Sequence[Weighed]]
    kind_names: Mapping[str, str]
    versions: Sequence[Published]
    published: bool
    seed: int
    draws: int
    spread: float
    sure: float


def _points(version: Version, kind: Kind) -> list[float]:
    return [round(float(value), 1) for value in shares(version.weights[kind])]


@router.get("/priorities")
def read_priorities(
    request: Request, session: Reading, published: Annotated[str, Query()] = ""
) -> HTMLResponse:
    """Show what counts how much, who has published it, and what it stands on."""
    language = request.state.language
    found = priority.versions(session)
    now, before = found[0], found[1] if len(found) > 1 else None
    context = PrioritiesPage(
        kinds={
            kind: [
                Weighed(
                    NAMES[factor],
                    meaning(factor, language),
                    reasons()[kind][factor],
                    points,
                    was if was != points else None,
                )
                for factor, points, was in zip(
                    FACTORS[kind],
                    _points(now, kind),
                    _points(before, kind) if before else _points(now, kind),
                    strict=True,
                )
            ]
            for kind in FACTORS
        },
        kind_names=KINDS,
        versions=[
            Published(one, _changes(one, older)) for one, older in pairwise([*found, None]) if one
        ],
        published=bool(published),
        seed=SEED,
        draws=DRAWS,
        spread=SPREAD,
        sure=SURE,
    )
    return page(request, "priorities.html", context)


def _changes(
    one: Version, older: Version | None
) -> dict[Kind, list[tuple[str, float, float | None]]]:
    """Give the points of a version: name, points, and those before where they were others."""
    found = {}
    for kind, factors in FACTORS.items():
        was = _points(older, kind) if older else [None] * len(factors)
        found[kind] = [
            (NAMES[factor], points, before if before != points else None)
            for factor, points, before in zip(factors, _points(one, kind), was, strict=True)
        ]
    return found


# Other weights, on trial --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tried:
    """A factor in the form of other weights."""

    factor: Factor
    name: str
    now: float
    typed: str


@dataclass(frozen=True, slots=True)
class Mover:
    """A need, where it stands today and where it would."""

    id: int
    named: Named
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Gains:
    """How many needs of a neighbourhood come among the first, or leave them."""

    name: str
    gained: int
    lost: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What other weights would change.

    Attributes
    ----------
    needs : int
        How many are ranked.
    among : int
        How many of them are the first.
    come, leave : list of Mover
        Needs that come among the first, or leave them.
    come_count : int
        How many those are, shown or not.
    neighbourhoods : list of Gains
        Those that gain or lose, who gains most first.
    """

    needs: int
    among: int
    come: Sequence[Mover]
    leave: Sequence[Mover]
    come_count: int
    neighbourhoods: Sequence[Gains]


@dataclass(frozen=True, slots=True)
class Draft:
    """The form of publishing, as it was sent."""

    note: str = ""
    signed_by: str = ""
    warned: Marked | None = None
    seal: str = ""


class WhatIfPage(TypedDict):
    """What the trial of other weights shows."""

    kind: Kind
    kind_names: Mapping[Kind, str]
    rows: Sequence[Tried]
    among: str
    version: Version
    changed: bool
    fault: str
    outcome: Outcome | None
    draft: Draft
    publish_fault: str
    publishes: bool
    own_district: bool
    note_limit: int
    signed_limit: int


class _Unreadable(ValueError):  # noqa: N818 (it is the name of what happened)
    """What was typed is no set of weights; the message says what to mend."""


def _typed(
    kind: Kind, typed: Mapping[str, str], version: Version, language: Language
) -> NDArray[np.float64]:
    """Read the weights of the form; those that are not in it are today's.

    Raises
    ------
    _Unreadable
    """
    _ = language.gettext
    found = []
    for factor, now in zip(FACTORS[kind], version.weights[kind], strict=True):
        text = typed.get(factor, "").strip()[:_MOST_TYPED].replace(",", ".")
        try:
            value = float(text) if text else float(now)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 100:
            raise _Unreadable(
                _("{name}: write a number from 0 to 100.").format(name=_(NAMES[factor]))
            )
        found.append(value)
    if not any(found):
        raise _Unreadable(_("Give at least one factor a weight above 0."))
    return np.array(found)


def _among(text: str, language: Language) -> int:
    """Read how many come first.

    Raises
    ------
    _Unreadable
    """
    plain = text.strip()
    if not plain:
        return AMONG
    whole = plain.isascii() and plain.isdecimal() and len(plain) <= len(str(MOST_AMONG))
    if not (whole and 1 <= int(plain) <= MOST_AMONG):
        fault = language.gettext("How many come first: write a whole number from 1 to {most}.")
        raise _Unreadable(fault.format(most=MOST_AMONG))
    return int(plain)


def _shown_weight(value: float) -> str:
    return f"{value:g}"


@router.get("/desk/what-if")
def try_weights(
    request: Request,
    session: Reading,
    who: Who,
    kind: Annotated[Kind | None, Query()] = None,
) -> HTMLResponse:
    """Show what other weights would change, beside today's."""
    kind = _kind(request, who, kind)
    return _what_if(request, session, who, kind, dict(request.query_params))


def _what_if(
    request: Request,
    session: Session,
    who: Visitor,
    kind: Kind,
    typed: Mapping[str, str],
    *,
    draft: Draft | None = None,
    publish_fault: str = "",
    status: int = 200,
) -> HTMLResponse:
    language: Language = request.state.language
    version = priority.current(session)
    weights, among, fault = version.weights[kind], AMONG, ""
    try:
        among = _among(typed.get("among", ""), language)
        weights = _typed(kind, typed, version, language)
    except _Unreadable as error:
        fault = str(error)
    changed = bool((weights != version.weights[kind]).any())
    outcome = None
    if changed:
        outcome = _outcome(session, kind, version.weights[kind], weights, among)
    name = who.signed_in.name if who.signed_in else ""
    context = WhatIfPage(
        kind=kind,
        kind_names={one: KINDS[one] for one in who.desk_kinds},
        rows=[
            Tried(factor, NAMES[factor], float(now), typed.get(factor) or _shown_weight(now))
            for factor, now in zip(FACTORS[kind], version.weights[kind], strict=True)
        ],
        among=typed.get("among", "").strip() or str(AMONG),
        version=version,
        changed=changed,
        fault=fault,
        outcome=outcome,
        draft=draft or Draft(signed_by=name),
        publish_fault=publish_fault,
        publishes=changed and who.administers,
        own_district=not who.may(Act.WORK, Site(kind)),
        note_limit=NOTE_LIMIT,
        signed_limit=SIGNED_LIMIT,
    )
    return page(request, "what_if.html", context, status=422 if fault else status)


def _outcome(
    session: Session,
    kind: Kind,
    today: NDArray[np.float64],
    weights: NDArray[np.float64],
    among: int,
) -> Outcome:
    standing = ranks.standing(session, kind)
    before, after = (_ranked(standing, one) for one in (today, weights))
    names = {one.id: one.name for one in areas.named(session, AreaLayer.NEIGHBOURHOOD)}
    ids, group = np.unique(standing.neighbourhood_id, return_inverse=True)
    found = moved(before, after, group, len(ids), among=among)
    come = np.flatnonzero((after <= among) & (before > among))
    leave = np.flatnonzero((before <= among) & (after > among))
    come, leave = come[np.argsort(after[come])], leave[np.argsort(before[leave])]
    shown = [*come[:MOST_SHOWN], *leave[:MOST_SHOWN]]
    named = ranks.named(session, [int(standing.id[one]) for one in shown])

    def movers(which: NDArray[np.int64]) -> list[Mover]:
        return [
            Mover(id, named[id], int(before[one]), int(after[one]))
            for one in which[:MOST_SHOWN]
            if (id := int(standing.id[one])) in named
        ]

    gains = [
        Gains(names.get(int(id), ""), int(gained), int(lost))
        for id, gained, lost in zip(ids, found.gained, found.lost, strict=True)
        if gained or lost
    ]
    return Outcome(
        needs=len(standing),
        among=min(among, len(standing)),
        come=movers(come),
        leave=movers(leave),
        come_count=len(come),
        neighbourhoods=sorted(gains, key=lambda one: (one.lost - one.gained, one.name)),
    )


def _ranked(standing: Standing, weights: NDArray[np.float64]) -> NDArray[np.int64]:
    return ranked(standing.levels, weights, standing.opened_s, standing.id)


@router.post("/desk/what-if", response_model=None)
def publish_weights(
    request: Request,
    session: Writing,
    who: Who,
    sent: Typed,
) -> HTMLResponse | RedirectResponse:
    """Publish weights that were tried, or say why not with all that was typed."""
    require(request, who, (Role.ADMINISTRATOR,))
    assert who.person_id is not None
    language: Language = request.state.language
    _ = language.gettext
    kind = _kind(request, who, Kind(word) if (word := sent.get("kind")) in {*FACTORS} else None)
    replaced, version = sent.get("replaces", ""), priority.current(session)
    draft = _draft(sent)

    def refused(fault: str, status: int) -> HTMLResponse:
        return _what_if(
            request, session, who, kind, sent, draft=draft, publish_fault=fault, status=status
        )

    try:
        weights = _typed(kind, sent, version, language)
        _check(draft, language)
    except _Unreadable as error:
        return refused(str(error), 422)
    if not (weights != version.weights[kind]).any():
        return refused(_("These weights are published already."), 422)
    try:
        id = priority.publish(
            session,
            replaces_id=int(replaced) if replaced.isdecimal() and len(replaced) < 19 else 0,
            person_id=who.person_id,
            signed_by=draft.signed_by,
            note=draft.note,
            weights={
                one: (weights if one is kind else version.weights[one]).tolist() for one in FACTORS
            },
        )
    except Overtaken:
        fault = _(
            "Somebody else published other weights meanwhile. What yours would change is shown against "
            "those now: look again, and publish once more if it still fits. Nothing of yours is lost."
        )
        return refused(fault, 409)
    audit.add(session, who.person_id, "weights.publish", f"weights_version {id}")
    return RedirectResponse("/priorities?published=1", 303)


def _draft(sent: Mapping[str, str]) -> Draft:
    note = plain_text(sent.get("note", ""))
    findings = () if sent.get("screened") == seal(note) else screen(note)
    return Draft(
        note,
        plain_text(sent.get("signed_by", "")),
        marked(note, findings) if findings else None,
        seal(note),
    )


def _check(draft: Draft, language: Language) -> None:
    """Say what is missing under weights that are to be published.

    Raises
    ------
    _Unreadable
    """
    _ = language.gettext
    if not 1 <= len(draft.note) <= NOTE_LIMIT:
        fault = _("Say why, in up to {most} characters: everybody reads it.")
        raise _Unreadable(fault.format(most=NOTE_LIMIT))
    if not 1 <= len(draft.signed_by) <= SIGNED_LIMIT:
        fault = _(
            "Sign it, in up to {most} characters: everybody reads under whose name it stands."
        )
        raise _Unreadable(fault.format(most=SIGNED_LIMIT))
    if draft.warned is not None:
        raise _Unreadable(
            _(
                "Something in the note seems to be about a person. Say it in other words, or send it "
                "once more as it is."
            )
        )


# One need -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the score: what was measured, its points, and how many it could have."""

    factor: Factor
    name: str
    said: str
    points: float
    most: float


@dataclass(frozen=True, slots=True)
class TurnShown:
    """What would raise a need, and to which rank."""

    words: str
    score: float
    rank: int


class NeedPage(TypedDict):
    """What the page of one need shows."""

    need: RankedNeed
    rank: Rank | None
    ranked: int
    parts: Sequence[Part]
    strongest: Sequence[Part]
    turns: Sequence[TurnShown]
    kind_name: str
    overdue: bool
    due: object
    orders: Sequence[Order]
    is_held: bool
    reports: Sequence[OrderReport]
    timeline: Sequence[Happened | Fixed]
    statuses: Mapping[str, str]
    icons: Mapping[Status, str]
    states: Mapping[str, str]
    outcomes: Mapping[str, str]
    atlas: Atlas
    sure: float
    spread: float


@router.get("/desk/needs/{id:int}")
def read_need(
    request: Request, id: int, session: Writing, settings: Chosen, who: Who
) -> HTMLResponse:
    """Show why a need stands where it stands, and all that happened to it."""
    _kind(request, who, None)
    language: Language = request.state.language
    _ = language.gettext
    need = ranks.one(session, id) if id <= LARGEST_ID else None
    if need is None:
        raise Problem(
            404,
            _("Not found"),
            _("There is no such item among yours. It may have gone with its reports."),
        )
    audit.add(session, who.person_id, "need.read", f"need {id}")
    due = work.due_on(
        need.category, need.status, need.opened_at, work.targets(session), settings.zone
    )
    parts, turned_to, count = _explained(session, need, language)
    orders = [
        order for one in need.order_ids if (order := work_order_lists.one(session, one)) is not None
    ]
    context = NeedPage(
        need=need,
        rank=need.rank,
        ranked=count,
        parts=sorted(parts, key=lambda part: -part.points),
        strongest=sorted(
            (part for part in parts if part.points > 0), key=lambda part: -part.points
        )[:_STRONGEST],
        turns=turned_to,
        kind_name=KINDS[need.kind],
        due=due,
        overdue=due is not None and due < settings.today(),
        orders=orders,
        is_held=any(holds_need(order.state, order.outcome) for order in orders),
        reports=work_order_lists.reports(session, id),
        timeline=sorted(
            [*ranks.timeline(session, id, language.code), *need.earlier], key=lambda one: one.at
        ),
        statuses=WORK_STATUSES,
        icons=WORK_ICONS,
        states=STATES,
        outcomes=OUTCOMES,
        atlas=look_atlas(
            language.code,
            View(round(need.latitude, 6), round(need.longitude, 6), LOOK_ZOOM),
            settings,
        ),
        sure=SURE,
        spread=SPREAD,
    )
    return page(request, "need.html", context)


def _explained(
    session: Session, need: RankedNeed, language: Language
) -> tuple[list[Part], list[TurnShown], int]:
    """Take a rank apart: its parts, what would raise it, and among how many it is."""
    rank = need.rank
    if rank is None:
        return [], [], 0
    weights = {one.id: one for one in priority.versions(session)}[rank.weights_version_id].weights
    factors = FACTORS[need.kind]
    parts = [
        Part(
            factor,
            NAMES[factor],
            said(factor, need.kind, rank.facts, language),
            points,
            float(most),
        )
        for factor, points, most in zip(
            factors, rank.parts, shares(weights[need.kind]), strict=True
        )
    ]
    found = turns(need.kind, read_facts(rank.facts), weights[need.kind])
    count, ahead = ranks.ahead(session, need.kind, [turn.score for turn in found])
    return (
        parts,
        [
            TurnShown(turned(turn, language), turn.score, before + 1)
            for turn, before in zip(found, ahead, strict=True)
            if before + 1 < rank.rank
        ],
        count,
    )
