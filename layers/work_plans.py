from layers.features import DESK, N_, Features
from layers.symbols import Rule


class WorkPlans(Features):
    """What work plans have chosen, and what somebody has kept out of one."""

    name = "work_plans"
    title = N_("Work plans")
    group = DESK
    staff = True
    filtered = True
    rules = (
        Rule({"shape": "diamond", "colour": "service", "size": 8, "filled": False}),
        Rule({"filled": True}, {"choice": ("in",)}, N_("In a work plan")),
        Rule({"inside": "slash"}, {"choice": ("out",)}, N_("Kept out of a work plan")),
    )
