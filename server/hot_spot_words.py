"""What the findings of an analysis are called, and what they mean in plain words."""

import math
from dataclasses import dataclass

from data.models import AreaLayer
from data.queries.hot_spots import Source
from geo.categories import N_
from geo.emerging import Change
from geo.grids import Shape
from geo.hot_spots import Verdict
from server.hot_spots import Light, Measure

SOURCES: dict[Source, str] = {
    Source.REPORTS: N_("Residents' reports"),
    Source.POLICE: N_("Police incidents"),
}

VERDICTS: dict[str, str] = {
    Verdict.FIRM: N_("Firm hot spot"),
    Verdict.HOT: N_("Hot spot that depends on the grid"),
    Verdict.DENSE: N_("Merely dense"),
    Verdict.ORDINARY: N_("Ordinary"),
    Verdict.NOT_MEASURED: N_("Not measured"),
}

MEANINGS: dict[str, str] = {
    Verdict.FIRM: N_(
        "More than chance would put here, and it stays so with larger cells and with cells laid "
        "elsewhere."
    ),
    Verdict.HOT: N_(
        "More than chance would put here. With larger cells or cells laid elsewhere it does not "
        "always show, so its edges are not sure."
    ),
    Verdict.DENSE: N_(
        "Many for this map, but among so many cells some look like this by chance. Do not call it a "
        "hot spot."
    ),
    Verdict.ORDINARY: N_("No more than chance would put here."),
    Verdict.NOT_MEASURED: N_("Nothing can be said of this place."),
}

CHANGES: dict[str, str] = {
    Change.NEW: N_("New: hot in the last month of the period and never before"),
    Change.CONSECUTIVE: N_("Lasting: hot in the last months in a row and never before"),
    Change.INTENSIFYING: N_("Getting worse: hot nearly all the time, and rising"),
    Change.PERSISTENT: N_("Persistent: hot nearly all the time, neither rising nor falling"),
    Change.DIMINISHING: N_("Getting better: hot nearly all the time, but falling"),
    Change.SPORADIC: N_("On and off: hot in the last month and in some before"),
    Change.OSCILLATING: N_(
        "Swinging: hot in the last month, and unusually quiet in an earlier one"
    ),
    Change.HISTORICAL: N_("Of the past: hot nearly all the time before, but not in the last month"),
    Change.NONE: N_("No pattern over the months that could be told from chance"),
}

LIGHTS: dict[Light, str] = {
    Light.ANY: N_("Day and night"),
    Light.DARK: N_("In the dark only"),
    Light.DAY: N_("In daylight only"),
}

SHAPES: dict[Shape, str] = {Shape.HEXAGON: N_("Hexagons"), Shape.SQUARE: N_("Squares")}

MEASURES: dict[Measure, str] = {
    Measure.CELL: N_("For its size"),
    Measure.STREET: N_("For its length of streets"),
    Measure.HOME: N_("For its number of homes"),
}

HOMES_IN: dict[AreaLayer, str] = {
    AreaLayer.BLOCK: N_("blocks"),
    AreaLayer.BLOCK_GROUP: N_("block groups"),
    AreaLayer.TRACT: N_("census tracts"),
    AreaLayer.NEIGHBOURHOOD: N_("neighbourhoods"),
    AreaLayer.POSTAL_AREA: N_("postal areas"),
}
"""Areas by which the number of homes is known."""

SHUFFLES: dict[Measure, str] = {
    Measure.CELL: N_("In a shuffle, the counts of all cells are dealt to the cells anew."),
    Measure.STREET: N_(
        "In a shuffle, every incident falls anywhere on the streets, each meter as likely as any other."
    ),
    Measure.HOME: N_("In a shuffle, every incident falls to a home, each as likely as any other."),
}

HELD: dict[str, str] = {
    "wider": N_("With cells half as large again"),
    "shifted": N_("With cells laid elsewhere"),
}

METHODS: dict[str, str] = {
    "prior_counts": N_("Plain past counts: where there was the most so far"),
    "recent_counts": N_("Recent counts: the last months count more"),
    "recent_nearby": N_("Recent counts, with those of the cells around"),
}

_FEWEST = 1e-9
"""Below this a probability is told as less than it."""


@dataclass(frozen=True, slots=True)
class Odds:
    """A probability in whole numbers.

    Attributes
    ----------
    times, of : int
        So many times of so many, about.
    less : bool
        Whether it is less than that.
    """

    times: int
    of: int
    less: bool = False


def odds(p: float) -> Odds | None:
    """Say a probability so that it can be imagined: 3 of 100, or 1 of 140,000; None for none.

    Parameters
    ----------
    p : float
        From 0 to 1, or NaN.

    Returns
    -------
    Odds or None
    """
    if math.isnan(p):
        return None
    if p < _FEWEST:
        return Odds(1, round(1 / _FEWEST), less=True)
    if p >= 0.015:
        return Odds(round(100 * p), 100)
    digits = math.floor(math.log10(1 / p)) - 1
    return Odds(1, round(1 / p / 10**digits) * 10**digits)
