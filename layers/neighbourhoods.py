from layers.features import BORDERS, N_, Features
from layers.symbols import Rule


class Neighbourhoods(Features):
    """Neighbourhood borders."""

    name = "neighbourhoods"
    title = N_("Neighbourhoods")
    group = BORDERS
    rules = (
        Rule(
            {"colour": "neighbourhood", "width": 1.5, "dash": (6, 3), "opacity": 0.04},
            label=N_("Neighbourhood border"),
        ),
    )
