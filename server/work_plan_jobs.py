"""The repairs of a work plan: a need by itself, or the lights of a row that one repair mends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data.models import UnitCost, WorkPlan
from data.queries.work_plans import PlanNeed
from geo.jobs import minutes
from geo.outages import BLOCK


@dataclass(frozen=True, slots=True)
class Repair:
    """What a crew comes for once.

    Attributes
    ----------
    needs : sequence of PlanNeed
        One, or lights in order along their row.
    """

    needs: Sequence[PlanNeed]

    @property
    def first(self) -> PlanNeed:
        """The need that it is called by, and where the crew comes to."""
        return self.needs[0]

    @property
    def lights(self) -> int:
        """How many lights in a row it mends; 0 for a need by itself."""
        return len(self.needs) if len(self.needs) > 1 else 0

    @property
    def rank(self) -> int | None:
        """The best of its needs; None where none is ranked."""
        return min((need.rank for need in self.needs if need.rank), default=None)

    @property
    def score(self) -> float:
        """The most of its needs."""
        return max(need.score or 0.0 for need in self.needs)

    @property
    def code(self) -> str:
        """The category whose unit cost it takes."""
        return job_code(self.first.category.code, len(self.needs))

    def minutes(self, costs: Mapping[str, UnitCost]) -> list[int]:
        """Give the minutes for each of its needs."""
        return [*minutes(len(self.needs), costs[self.code].minutes)]


def job_code(code: str, needs: int) -> str:
    """Give the category whose unit cost a job takes: that of a dark block where it has several lights."""
    return BLOCK if needs > 1 else code


def repairs(plan: WorkPlan, needs: Sequence[PlanNeed]) -> list[Repair]:
    """Put needs of a plan together as they were chosen.

    Parameters
    ----------
    plan : WorkPlan
    needs : sequence of PlanNeed
        Some of the plan's.

    Returns
    -------
    list of Repair
        In the order of their first needs in `needs`.
    """
    by_id = {need.need_id: need for need in needs}
    rows = {id: row for row in (plan.solution or {}).get("jobs", ()) for id in row}
    found, seen = [], set[int]()
    for need in needs:
        if need.need_id not in seen:
            together = [by_id[id] for id in rows.get(need.need_id, [need.need_id]) if id in by_id]
            seen.update(one.need_id for one in together)
            found.append(Repair(together))
    return found
