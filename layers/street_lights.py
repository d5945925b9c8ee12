from layers.features import N_, PROBLEMS, Features
from layers.symbols import Rule


class StreetLights(Features):
    """Poles, each state told by what stands inside the ring."""

    name = "street_lights"
    title = N_("Street lights")
    group = PROBLEMS
    counted = True
    rules = (
        Rule({"shape": "circle", "colour": "street_light", "size": 5, "filled": False}),
        Rule({"filled": True, "size": 3}, {"status": ("working",)}, N_("Working")),
        Rule({"size": 6, "inside": "dot"}, {"status": ("reported",)}, N_("Reported")),
        Rule(
            {"size": 6, "inside": "cross", "colour": "street_light_out"},
            {"status": ("out",)},
            N_("Out"),
        ),
        Rule({"size": 6, "inside": "slash"}, {"status": ("scheduled",)}, N_("Repair scheduled")),
        Rule({"size": 6, "inside": "tick"}, {"status": ("fixed",)}, N_("Fixed")),
    )
