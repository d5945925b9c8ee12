from layers.features import N_, PROBLEMS, Features
from layers.symbols import Rule, Symbol

_OVER: Symbol = {"width": 2, "dash": (4, 4), "opacity": 0.06}
"""Lines and areas whose report is no longer open step back."""


class Reports(Features):
    """What residents report: the kind by shape, the status by what fills it."""

    name = "reports"
    title = N_("Reports")
    group = PROBLEMS
    shown = True
    counted = True
    filtered = True
    empty = N_("No reports here. Move the map or change the filters.")
    rules = (
        Rule(
            {
                "shape": "circle",
                "colour": "report",
                "size": 7.5,
                "filled": True,
                "inside": "",
                "width": 4,
                "opacity": 0.25,
            }
        ),
        Rule(
            {"shape": "triangle", "colour": "problem_spot"},
            {"kind": ("problem_spot",)},
            N_("Problem spot"),
        ),
        Rule({"shape": "star", "colour": "lighting"}, {"kind": ("lighting",)}, N_("Lighting")),
        Rule({"shape": "square", "colour": "cleanup"}, {"kind": ("cleanup",)}, N_("Cleanup")),
        Rule(
            {"filled": True},
            {"status": ("received", "confirmed", "scheduled", "in_progress")},
            N_("Filled: still open"),
        ),
        Rule(
            {"filled": False, "inside": "", **_OVER},
            {"status": ("done",)},
            N_("Hollow: done, says the city"),
        ),
        Rule(
            {"filled": False, "inside": "tick", **_OVER},
            {"status": ("verified",)},
            N_("Check mark: verified by neighbours"),
        ),
        Rule(
            {"filled": False, "inside": "slash", **_OVER},
            {"status": ("duplicate", "declined", "not_ours")},
            N_("Crossed: duplicate, declined or not the city's"),
        ),
    )
