"""Work plans in words: what binds one, what each bound costs, and why one can not be."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from data.models import PlanState
from data.queries.work_plans import Why
from geo.categories import N_
from server.languages import Language

MONEY, CREW_TIME, MATERIAL = "money", "crew_time", "material:"
"""Names of limits; a material's follows the colon."""

FLOOR, LOCKED_IN, LOCKED_OUT = "floor:", "locked_in", "locked_out"
"""Names of the other bounds; a floor's area follows the colon."""

STATES: Mapping[PlanState, str] = MappingProxyType(
    {
        PlanState.DRAFT: N_("Draft"),
        PlanState.ISSUED: N_("Issued as work orders"),
        PlanState.CLOSED: N_("Closed"),
    }
)

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "greedy": N_("Chosen at once, by what each item adds for what it takes"),
        "optimum": N_("Looked for the best of all choices (HiGHS)"),
    }
)

COMPARED: Mapping[str, str] = MappingProxyType(
    {
        "top": N_("From the top of the list, as far as the budget goes"),
        "oldest": N_("Oldest first, as far as the budget goes"),
    }
)

_REFUSED: Mapping[Why, str] = MappingProxyType(
    {
        Why.NOT_FOUND: N_("It is not there any more. Go back to the list."),
        Why.CHANGED_MEANWHILE: N_(
            "Somebody changed this plan while you looked at it, so your change was not made. Below is "
            "the plan as it is now, with what you typed. Look at both, then send yours again."
        ),
        Why.NOT_A_DRAFT: N_("This plan is not a draft any more, so it stays as it is."),
        Why.NOT_CHOSEN: N_("Locks were changed since the choice was made. Choose again first."),
        Why.IN_USE: N_("Crews still start from this depot. Give them another one first."),
        Why.NAME_TAKEN: N_("This name is taken. Choose another."),
        Why.DEPOT_GONE: N_("This depot is gone. Choose another."),
    }
)


class NoPlanError(ValueError):
    """No set of needs keeps to the bounds of a plan.

    Parameters
    ----------
    why : str
        As `geo.budget.Why` has it.
    limits : sequence of str
        Names of those that the needs locked in go beyond.
    floors : sequence of (int, int)
        Areas whose floor can not be kept, and how many needs of each can be chosen.
    """

    def __init__(
        self, why: str, limits: Sequence[str] = (), floors: Sequence[tuple[int, int]] = ()
    ) -> None:
        super().__init__(why)
        self.why, self.limits, self.floors = why, tuple(limits), tuple(floors)


def refused_words(why: Why, spoken: Language) -> str:
    """Say why a plan, a crew or a depot was not changed."""
    return spoken.gettext(_REFUSED[why])


def bound_words(name: str, areas: Mapping[int, str], spoken: Language) -> str:
    """Give the name of a bound.

    Parameters
    ----------
    name : str
        As `server.work_plans` writes it.
    areas : mapping of int to str
    spoken : Language
    """
    _ = spoken.gettext
    if name.startswith(MATERIAL):
        return _("Material: {name}").format(name=name.removeprefix(MATERIAL))
    if name.startswith(FLOOR):
        area = int(name.removeprefix(FLOOR))
        return _("The fewest for {area}").format(area=areas.get(area, f"#{area}"))
    return {
        MONEY: _("Money"),
        CREW_TIME: _("Crew time"),
        LOCKED_IN: _("What is locked in"),
        LOCKED_OUT: _("What is locked out"),
    }[name]


def no_plan_words(error: NoPlanError, areas: Mapping[int, str], spoken: Language) -> str:
    """Say why no plan keeps to its bounds, and what to change."""
    _ = spoken.gettext
    named = [
        _("{area}: {n}").format(area=areas.get(area, f"#{area}"), n=most)
        for area, most in error.floors
    ]
    if error.why == "locked_cost":
        limits = [bound_words(name, areas, spoken) for name in error.limits]
        return _(
            "What is locked in takes more than there is: {limits}. Free some of it, or raise the limit."
        ).format(limits=", ".join(limits))
    if error.why == "locked_both":
        return _(
            "Some lights of a row are locked in and others locked out, but one repair mends them all. "
            "Lock the row in, or out, or free it."
        )
    if error.why == "too_few":
        return _(
            "There are not as many open items as you asked for. The most that can be chosen: {areas}. "
            "Ask for fewer, or free items that are locked out."
        ).format(areas=", ".join(named))
    return _(
        "The budget does not reach for the fewest of every area. With it, this many can be chosen at "
        "best: {areas}. Ask for fewer there, or raise money, crew days or materials."
    ).format(areas=", ".join(named))
