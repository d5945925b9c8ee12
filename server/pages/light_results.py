"""What came of fixed lights, season by season, for the city's people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from babel.dates import format_date
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from data.queries import light_results
from data.queries.hot_spots import Source
from data.queries.light_results import Season as Kept
from geo.categories import N_
from geo.evaluation import Outcome
from server.dependencies import Chosen, Reading, own_site
from server.languages import Language
from server.light_results import LOOK, Season, seasons
from server.pages.desk import AtDesk
from server.pages.page import page

router = APIRouter(
    prefix="/desk/results", dependencies=[Depends(own_site)], include_in_schema=False
)

_REPORTS: dict[Outcome, str] = {
    Outcome.FEWER: N_("Fewer reports at night than there would have been"),
    Outcome.MORE: N_("More reports at night than there would have been"),
    Outcome.NO_CLEAR_CHANGE: N_("No clear change in reports at night"),
    Outcome.TOO_FEW: N_("Too few reports at night to tell"),
}
_POLICE: dict[Outcome, str] = {
    Outcome.FEWER: N_("Fewer police incidents at night than there would have been"),
    Outcome.MORE: N_("More police incidents at night than there would have been"),
    Outcome.NO_CLEAR_CHANGE: N_("No clear change in police incidents at night"),
    Outcome.TOO_FEW: N_("Too few police incidents at night to tell"),
}
VERDICTS: dict[Source, dict[Outcome, str]] = {Source.REPORTS: _REPORTS, Source.POLICE: _POLICE}

MEANINGS: dict[Outcome, str] = {
    Outcome.FEWER: N_(
        "Around the fixed lights the number fell more than around places that stayed dark, by more than "
        "chance alone would make likely."
    ),
    Outcome.MORE: N_(
        "Around the fixed lights the number rose more than around places that stayed dark, by more than "
        "chance alone would make likely."
    ),
    Outcome.NO_CLEAR_CHANGE: N_(
        "A large enough change would have been seen, and was not. A smaller one cannot be told from "
        "chance."
    ),
    Outcome.TOO_FEW: N_(
        "Even none at all after the repairs could have been chance. This says neither that light helped "
        "nor that it did not."
    ),
}

AROUND: dict[Outcome, str] = {
    Outcome.FEWER: N_(
        "In the ring around the lights there were fewer, too: the gain seems to spread."
    ),
    Outcome.MORE: N_(
        "In the ring around the lights there were more: some of it may have moved there."
    ),
    Outcome.NO_CLEAR_CHANGE: N_("In the ring around the lights there was no clear change."),
    Outcome.TOO_FEW: N_("In the ring around the lights there was too little to tell."),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A season as the page shows it: `kept` is None while its time has not come."""

    name: str
    season: Season
    kept: Kept | None


class Results(TypedDict):
    """What the page shows: the latest seasons down to one that is told of, and folded those before."""

    latest: Sequence[Shown]
    earlier: Sequence[Shown]
    verdicts: Mapping[str, Mapping[str, str]]
    meanings: Mapping[str, str]
    around: Mapping[str, str]
    reach_m: int
    ring_m: int
    after_days: int


def _name(season: Season, spoken: Language) -> str:
    first, last = (
        format_date(day, pattern, locale=spoken.locale)
        for day, pattern in ((season.first, "LLLL"), (season.last, "LLLL y"))
    )
    words: str = spoken.gettext("{first} to {last}")
    return words.format(first=first, last=last)


@router.get("")
def read_results(request: Request, session: Reading, settings: Chosen, at: AtDesk) -> HTMLResponse:
    """Show what came of the lights that were fixed, the newest season first."""
    spoken: Language = request.state.language
    kept: dict[object, Kept] = {}
    for one in light_results.results(session):
        kept.setdefault(one.fixed_from, one)
    every = [*seasons(session, settings.zone, settings.today())]
    shown = [Shown(_name(season, spoken), season, kept.get(season.first)) for season in every[::-1]]
    told = next((at for at, one in enumerate(shown, 1) if one.kept), len(shown))
    context = Results(
        latest=shown[:told],
        earlier=shown[told:],
        verdicts={
            source.value: {outcome.value: words for outcome, words in by_outcome.items()}
            for source, by_outcome in VERDICTS.items()
        },
        meanings={outcome.value: words for outcome, words in MEANINGS.items()},
        around={outcome.value: words for outcome, words in AROUND.items()},
        reach_m=round(LOOK.reach_m),
        ring_m=round(LOOK.ring_m),
        after_days=LOOK.after_days,
    )
    return page(request, "light_results.html", context)
