"""What the findings of an analysis are called, and what they mean in plain words."""

from data.queries.hot_spots import Source
from geo.categories import N_
from geo.emerging import Change
from geo.hot_spots import Verdict
from server.hot_spots import Light

SOURCES: dict[Source, str] = {
    Source.REPORTS: N_("Residents' reports"),
    Source.POLICE: N_("Police incidents"),
}

VERDICTS: dict[str, str] = {
    Verdict.FIRM: N_("Firm hot spot"),
    Verdict.HOT: N_("Hot spot"),
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
