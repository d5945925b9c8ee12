from layers.features import DESK, N_, Features
from layers.symbols import Rule


class DarkRuns(Features):
    """Adjacent lights on one street that are dark: another fault than one light."""

    name = "dark_runs"
    title = N_("Dark stretches")
    group = DESK
    staff = True
    shown = True
    rules = (
        Rule(
            {"colour": "street_light_out", "width": 7, "opacity": 0.35},
            label=N_("Neighbouring lights that are dark"),
        ),
    )
