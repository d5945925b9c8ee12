from layers.features import DESK, N_, Features
from layers.symbols import Rule


class Needs(Features):
    """What the queue lists: lights and places to clean up, by how far the city is."""

    name = "needs"
    title = N_("What is in the queue")
    group = DESK
    staff = True
    shown = True
    counted = True
    filtered = True
    empty = N_("Nothing of the queue is in this part of the map.")
    rules = (
        Rule({"shape": "circle", "colour": "street_light", "size": 6, "filled": False}),
        Rule({"colour": "cleanup", "shape": "square"}, {"kind": ("cleanup",)}),
        Rule({"inside": "dot"}, {"status": ("received",)}, N_("Reported")),
        Rule(
            {"inside": "cross", "colour": "street_light_out"},
            {"status": ("confirmed",)},
            N_("Confirmed"),
        ),
        Rule({"inside": "slash"}, {"status": ("scheduled",)}, N_("Scheduled")),
        Rule({"filled": True}, {"status": ("in_progress",)}, N_("In progress")),
        Rule({"inside": "tick"}, {"status": ("done",)}, N_("Fixed by the crew")),
    )
