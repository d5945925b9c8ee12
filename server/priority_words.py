"""What is said of the priority: what each factor is, how it is measured, and what it is for one need."""

from collections.abc import Callable, Mapping

import numpy as np

from geo.categories import N_
from geo.kinds import Kind
from geo.priority import (
    AGE_TARGETS,
    DARK_AROUND_M,
    DARK_SHARE,
    GENERATORS_M,
    HOMES_M,
    INTEREST,
    MANY_FAILURES,
    MANY_GENERATORS,
    MANY_HOMES,
    MANY_NEAR,
    MOST_UNSEEN_DAYS,
    NEAR_M,
    NIGHT_FULL_P,
    NIGHT_SILENT_P,
    RUN_LIGHTS,
    WAIT_TIMES,
    Factor,
    Turn,
    interest,
)
from server.languages import Language

FEET_A_METRE = 3.28084

NAMES: dict[Factor, str] = {
    Factor.HAZARD: N_("Danger"),
    Factor.FAULT: N_("What is wrong"),
    Factor.RUN: N_("Dark lights in a row"),
    Factor.NEAR: N_("Other cleanups close by"),
    Factor.AGE: N_("Waiting, against its target"),
    Factor.VOICES: N_("Neighbours who spoke up"),
    Factor.HOUSEHOLDS: N_("Homes around it"),
    Factor.NIGHT: N_("Incidents after dark"),
    Factor.GENERATORS: N_("Places people walk to"),
    Factor.STREET: N_("Kind of street"),
    Factor.REPEATED: N_("Fixed before"),
    Factor.EQUITY: N_("How long its neighbourhood waits"),
}

_MEANINGS: dict[Factor, str] = {
    Factor.HAZARD: N_(
        "All points where somebody calls it dangerous, or a pole or wires are damaged."
    ),
    Factor.FAULT: N_(
        "For a light: all points where it is out, half where it flickers or is blocked or missing, "
        "none where it burns by day. For a cleanup: from a missing sign, which has all, down to "
        "graffiti, which has {graffiti}."
    ),
    Factor.RUN: N_(
        "Two dark lights in a row have half of the points, {run} have all. Or by the share of lights "
        "that are dark within {around} feet: all points from {share}."
    ),
    Factor.NEAR: N_("How many other open cleanups lie within {near} feet: all points from {many}."),
    Factor.AGE: N_(
        "Working days since the first report, over its target: a third of the points on the target "
        "day, half at twice the target, all at {times} times. Where reports come late, up to {unseen} "
        "days are added."
    ),
    Factor.VOICES: N_(
        "How many reported it or said “affects me too”, over what is usual by now in that "
        "neighbourhood: all points at {times} times the usual. Silence counts little where people "
        "rarely report."
    ),
    Factor.HOUSEHOLDS: N_("Homes within {homes} feet: all points from {many}."),
    Factor.NIGHT: N_(
        "How unlikely it is that chance alone put as many incidents after dark around it in a year: no "
        "points if it would happen in 1 of {silent} places, all if in 1 of {full}. Exact odds, not "
        "raw counts; of residents' reports or police records, whichever stands out more."
    ),
    Factor.GENERATORS: N_(
        "Transit stops, schools, libraries, parks, shops and services within {around} feet. One that "
        "is open after dark counts in full, others by half: all points from {many}."
    ),
    Factor.STREET: N_(
        "A boulevard or highway has all points, an arterial street 60 %, a local street 20 %."
    ),
    Factor.REPEATED: N_(
        "How often it was fixed within two years before: all points from {many} times."
    ),
    Factor.EQUITY: N_(
        "How long work waits in its neighbourhood, over the whole city: no points where no longer, all "
        "at {times} times as long."
    ),
}


def _feet(metres: float) -> int:
    return 10 * round(metres * FEET_A_METRE / 10)


def meaning(factor: Factor, language: Language) -> str:
    """Say how a factor is measured, and from where it has all of its points."""
    return language.gettext(_MEANINGS[factor]).format(
        graffiti="30 %",
        run=RUN_LIGHTS,
        around=_feet(DARK_AROUND_M if factor is Factor.RUN else GENERATORS_M),
        share=f"{DARK_SHARE:.0%}",
        near=_feet(NEAR_M),
        homes=_feet(HOMES_M),
        silent=f"{1 / NIGHT_SILENT_P:,.0f}",
        full=f"{1 / NIGHT_FULL_P:,.0f}",
        unseen=f"{MOST_UNSEEN_DAYS:.0f}",
        times=f"{_TIMES.get(factor, 0):.0f}",
        many=f"{_MANY.get(factor, 0):.0f}",
    )


_TIMES = {Factor.AGE: AGE_TARGETS, Factor.VOICES: INTEREST, Factor.EQUITY: WAIT_TIMES}
_MANY = {
    Factor.NEAR: MANY_NEAR,
    Factor.HOUSEHOLDS: MANY_HOMES,
    Factor.GENERATORS: MANY_GENERATORS,
    Factor.REPEATED: MANY_FAILURES,
}

Known = Mapping[str, float | None]


def said(factor: Factor, kind: Kind, facts: Known, language: Language) -> str:
    """Say in one sentence what was measured of a factor for one need."""
    return _SAID[factor](kind, facts, language)


def _value(facts: Known, name: str) -> float:
    value = facts[name]
    return float("nan") if value is None else value


def _hazard(_kind: Kind, facts: Known, language: Language) -> str:
    _ = language.gettext
    return (
        _("It is dangerous: handle it first.")
        if facts["hazard"]
        else _("Nobody calls it dangerous.")
    )


def _fault(kind: Kind, facts: Known, language: Language) -> str:
    _, fault = language.gettext, _value(facts, "fault")
    if kind is Kind.CLEANUP:
        return _("{share} of the points, by what has to be cleaned up.").format(
            share=f"{fault:.0%}"
        )
    if fault == 1:
        return _("The place is dark.")
    return (
        _("It gives some light.") if fault else _("It burns by day, so nobody stands in the dark.")
    )


def _run(_kind: Kind, facts: Known, language: Language) -> str:
    _, run, share = language.gettext, int(_value(facts, "run")), _value(facts, "dark_share")
    if run < 1:
        row = _("It is no dark light that could stand in a row.")
    elif run == 1:
        row = _("It stands alone in its row.")
    else:
        row = language.ngettext("{n} dark light in a row.", "{n} dark lights in a row.", run)
        row = row.format(n=run)
    if np.isnan(share):
        return row
    return f"{row} " + _("{share} of the lights within {feet} feet are dark.").format(
        share=f"{share:.0%}", feet=_feet(DARK_AROUND_M)
    )


def _near(_kind: Kind, facts: Known, language: Language) -> str:
    n = int(_value(facts, "near"))
    if not n:
        return language.gettext("No other open cleanup is close by.")
    return language.ngettext(
        "{n} other open cleanup within {feet} feet.",
        "{n} other open cleanups within {feet} feet.",
        n,
    ).format(n=n, feet=_feet(NEAR_M))


def _age(_kind: Kind, facts: Known, language: Language) -> str:
    _, waited, target = language.gettext, int(_value(facts, "waited")), _value(facts, "target")
    if np.isnan(target):
        return _("No target is set for this, so its age counts nothing.")
    told = language.ngettext(
        "{n} working day of a target of {target}.",
        "{n} working days of a target of {target}.",
        waited,
    ).format(n=waited, target=int(target))
    unseen = round(_value(facts, "unseen"))
    if not unseen:
        return told
    return f"{told} " + language.ngettext(
        "Reports come later here than elsewhere: {n} day is added.",
        "Reports come later here than elsewhere: {n} days are added.",
        unseen,
    ).format(n=unseen)


def _voices(_kind: Kind, facts: Known, language: Language) -> str:
    voices, usual = int(_value(facts, "voices")), np.nan_to_num(_value(facts, "usual"))
    told = language.ngettext(
        "{n} neighbour spoke up; here {usual} would be usual by now.",
        "{n} neighbours spoke up; here {usual} would be usual by now.",
        voices,
    ).format(n=voices, usual=f"{1 + usual:.1f}")
    times = float(interest(np.array([float(voices)]), np.array([usual]))[0])
    return f"{told} " + language.gettext("That is {times} times the usual.").format(
        times=f"{times:.1f}"
    )


def _households(_kind: Kind, facts: Known, language: Language) -> str:
    homes = _value(facts, "households")
    if np.isnan(homes):
        return language.gettext("Not measured: no homes are known around it.")
    return language.gettext("About {n} homes within {feet} feet.").format(
        n=round(homes), feet=_feet(HOMES_M)
    )


def _night(_kind: Kind, facts: Known, language: Language) -> str:
    _, p = language.gettext, _value(facts, "night_p")
    if np.isnan(p):
        return _("Not measured: no incidents are known around it.")
    n, usual = int(_value(facts, "night_seen")), f"{_value(facts, 'night_usual'):.1f}"
    source = (
        language.ngettext(
            "{n} police record after dark around it in a year, where chance would put {usual}.",
            "{n} police records after dark around it in a year, where chance would put {usual}.",
            n,
        )
        if facts["night_police"]
        else language.ngettext(
            "{n} resident's report after dark around it in a year, where chance would put {usual}.",
            "{n} residents' reports after dark around it in a year, where chance would put {usual}.",
            n,
        )
    ).format(n=n, usual=usual)
    if p > NIGHT_SILENT_P:
        return f"{source} " + _("That can well be chance.")
    return f"{source} " + _("By chance alone that happens in 1 of {n} places.").format(
        n=f"{1 / max(p, 1e-6):,.0f}"
    )


def _generators(_kind: Kind, facts: Known, language: Language) -> str:
    weight = _value(facts, "generators")
    if not weight:
        return language.gettext("None within {feet} feet.").format(feet=_feet(GENERATORS_M))
    return language.gettext(
        "Within {feet} feet they count {n}: each that is open after dark 1, others one half."
    ).format(feet=_feet(GENERATORS_M), n=f"{weight:g}")


_STREETS = {
    1: N_("A boulevard or highway."),
    2: N_("An arterial street."),
    3: N_("A local street."),
}


def _street(_kind: Kind, facts: Known, language: Language) -> str:
    rank = facts["street"]
    if rank is None:
        return language.gettext("Not measured: no street is known beside it.")
    return language.gettext(_STREETS[int(rank)])


def _repeated(_kind: Kind, facts: Known, language: Language) -> str:
    n = int(_value(facts, "failed"))
    if not n:
        return language.gettext("Not within the last two years.")
    return language.ngettext(
        "Once within the last two years.", "{n} times within the last two years.", n
    ).format(n=n)


def _equity(_kind: Kind, facts: Known, language: Language) -> str:
    wait = _value(facts, "wait")
    if np.isnan(wait):
        return language.gettext("Not measured: no such work was done yet.")
    return language.gettext("{times} times as long as in the whole city.").format(
        times=f"{wait:.1f}"
    )


_SAID: dict[Factor, Callable[[Kind, Known, Language], str]] = {
    Factor.HAZARD: _hazard,
    Factor.FAULT: _fault,
    Factor.RUN: _run,
    Factor.NEAR: _near,
    Factor.AGE: _age,
    Factor.VOICES: _voices,
    Factor.HOUSEHOLDS: _households,
    Factor.NIGHT: _night,
    Factor.GENERATORS: _generators,
    Factor.STREET: _street,
    Factor.REPEATED: _repeated,
    Factor.EQUITY: _equity,
}


def turned(turn: Turn, language: Language) -> str:
    """Say what would have to happen for a turn."""
    _ = language.gettext
    match turn.factor:
        case Factor.HAZARD:
            return _("If it became dangerous")
        case Factor.RUN:
            return _("If the light beside it went dark too")
        case Factor.NEAR:
            return _("If another cleanup were reported close by")
        case _:
            return _("If {n} more neighbours spoke up").format(n=turn.by)
