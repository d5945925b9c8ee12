"""What the verdict on an action plan is called, and what it means in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from data.queries import assessments
from data.queries.assessments import Assessment, Verdict
from data.queries.hot_spots import Source
from geo.categories import N_
from geo.evaluation import Outcome
from server.assessments import Caveat
from server.languages import Language

_REPORTS: dict[Outcome, str] = {
    Outcome.FEWER: N_("Fewer reports than there would have been"),
    Outcome.MORE: N_("More reports than there would have been"),
    Outcome.NO_CLEAR_CHANGE: N_("No clear change in reports"),
    Outcome.TOO_FEW: N_("Too few reports to tell"),
}
_POLICE: dict[Outcome, str] = {
    Outcome.FEWER: N_("Fewer police incidents than there would have been"),
    Outcome.MORE: N_("More police incidents than there would have been"),
    Outcome.NO_CLEAR_CHANGE: N_("No clear change in police incidents"),
    Outcome.TOO_FEW: N_("Too few police incidents to tell"),
}
OUTCOMES: dict[Source, dict[Outcome, str]] = {Source.REPORTS: _REPORTS, Source.POLICE: _POLICE}

MEANINGS: dict[Outcome, str] = {
    Outcome.FEWER: N_(
        "Compared with similar places that were left alone, the number fell by more than chance "
        "alone would make likely."
    ),
    Outcome.MORE: N_(
        "Compared with similar places that were left alone, the number rose by more than chance "
        "alone would make likely."
    ),
    Outcome.NO_CLEAR_CHANGE: N_(
        "A large enough change would have been seen, and was not. A smaller one cannot be told from "
        "chance."
    ),
    Outcome.TOO_FEW: N_(
        "Even none at all after the start could have been chance. This says neither that it worked "
        "nor that it did not."
    ),
}

AROUND: dict[Outcome, str] = {
    Outcome.FEWER: N_(
        "In the ring around the place there were fewer, too: the gain seems to spread."
    ),
    Outcome.MORE: N_(
        "In the ring around the place there were more: some of it may have moved there."
    ),
    Outcome.NO_CLEAR_CHANGE: N_("In the ring around the place there was no clear change."),
    Outcome.TOO_FEW: N_(
        "In the ring around the place there was too little to tell whether the problem moved there."
    ),
}


CAVEATS: dict[Caveat, tuple[str, str]] = {
    Caveat.WORST: (
        N_("It may get better by itself."),
        N_(
            "This place was among the worst when it was chosen. Such places usually get better "
            "without any response, since a bad time seldom lasts. Comparing with places as bad allows "
            "for it only as far as there are such places."
        ),
    ),
    Caveat.UNLIKE: (
        N_("No place is quite like it."),
        N_(
            "At least one place to compare with had far fewer or far more incidents, or rose or fell "
            "differently. So less is sure than the figures say."
        ),
    ),
    Caveat.SEASON: (
        N_("The seasons differ."),
        N_(
            "The two times cover different parts of the year. That is allowed for only as far as the "
            "season is the same for all places. Whole years, or the same months, are better."
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A verdict as it is shown.

    Attributes
    ----------
    title, meaning : str
        Messages.
    around : str
        Message about the ring; empty without one.
    details : str
        With the numbers; empty where these are not for the visitor.
    numbers : mapping or None
        As `server.assessments` writes them.
    rounded : bool
        Whether the numbers are those for everybody.
    """

    verdict: Verdict
    outcome: Outcome
    title: str
    meaning: str
    around: str
    details: str
    numbers: Mapping[str, Any] | None
    rounded: bool


def told(verdict: Verdict, spoken: Language) -> Told:
    """Say what a verdict that has been found says, with the numbers the visitor may read.

    Parameters
    ----------
    verdict : Verdict
    spoken : Language
    """
    assert verdict.published is not None
    outcome = Outcome(verdict.published["outcome"])
    around = verdict.published["around"]
    numbers = (verdict.found or verdict.published)["numbers"]
    return Told(
        verdict=verdict,
        outcome=outcome,
        title=OUTCOMES[verdict.source][outcome],
        meaning=MEANINGS[outcome],
        around=AROUND[Outcome(around)] if around else "",
        details=_details(outcome, numbers, spoken, ring=bool(around)) if numbers else "",
        numbers=numbers,
        rounded=verdict.found is None,
    )


def _details(outcome: Outcome, numbers: Mapping[str, Any], spoken: Language, *, ring: bool) -> str:
    _ = spoken.gettext
    value, low, high = (round(abs(one)) for one in numbers["wdd"])
    expected, detectable = round(numbers["expected"]), round(numbers["detectable"])
    if outcome in {Outcome.FEWER, Outcome.MORE}:
        said = {
            (Outcome.FEWER, True): _(
                "About {n} fewer ({low} to {high}), the ring around it counted. In the place itself "
                "about {expected} would have been expected."
            ),
            (Outcome.FEWER, False): _(
                "About {n} fewer ({low} to {high}), where about {expected} would have been expected."
            ),
            (Outcome.MORE, True): _(
                "About {n} more ({low} to {high}), the ring around it counted. In the place itself "
                "about {expected} would have been expected."
            ),
            (Outcome.MORE, False): _(
                "About {n} more ({low} to {high}), where about {expected} would have been expected."
            ),
        }[outcome, ring]
        return said.format(n=value, low=min(low, high), high=max(low, high), expected=expected)
    if outcome is Outcome.NO_CLEAR_CHANGE:
        return _(
            "About {expected} would have been expected; most likely a fall of {detectable} would have "
            "been seen."
        ).format(expected=expected, detectable=detectable)
    return _(
        "About {expected} would have been expected; only a fall of {detectable} would have been seen."
    ).format(expected=expected, detectable=detectable)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the assessment of a plan has come, in short.

    Attributes
    ----------
    drafted : bool
        Whether the visitor sees a draft.
    fixed : Assessment or None
        The newest that is fixed.
    waits : tuple of Source
        Of which its verdict is still to come.
    told : sequence of Told
        Its verdicts; of each source the newest.
    leads : bool
        Whether assessments are the visitor's to write.
    """

    drafted: bool
    fixed: Assessment | None
    waits: tuple[Source, ...]
    told: Sequence[Told]
    leads: bool


def progress(session: Session, plan_id: int, spoken: Language, *, leads: bool) -> Progress:
    """Say how far the assessment of a plan has come, with the numbers that everybody may read.

    Parameters
    ----------
    session : Session
    plan_id : int
    spoken : Language
    leads : bool
    """
    found = assessments.of_plan(session, plan_id)
    verdicts = assessments.verdicts(session, plan_id)
    fixed = next((one for one in reversed(found) if one.fixed_at), None)
    newest = {
        one.source: one
        for one in verdicts
        if fixed is not None and one.assessment_id == fixed.id and one.computed_at is not None
    }
    sources = fixed.design.sources if fixed else ()
    return Progress(
        drafted=any(one.fixed_at is None for one in found),
        fixed=fixed,
        waits=tuple(source for source in sources if source not in newest),
        told=[
            told(replace(newest[source], found=None), spoken)
            for source in sources
            if source in newest
        ],
        leads=leads,
    )


def headlines(session: Session, plan_ids: Sequence[int]) -> dict[int, str]:
    """Give what the newest verdict on each of some plans says, as a message; nothing where none is.

    Of residents' reports, or else of police incidents.

    Parameters
    ----------
    session : Session
    plan_ids : sequence of int
    """
    return {
        plan_id: OUTCOMES[source][Outcome(outcome)]
        for plan_id, source, outcome in assessments.newest(session, plan_ids)
    }
