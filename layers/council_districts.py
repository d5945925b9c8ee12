from layers.features import BORDERS, N_, Features
from layers.symbols import Rule


class CouncilDistricts(Features):
    """Council district borders."""

    name = "council_districts"
    title = N_("Council districts")
    group = BORDERS
    rules = (
        Rule(
            {"colour": "council_district", "width": 3, "dash": (10, 3, 2, 3), "opacity": 0.04},
            label=N_("Council district border"),
        ),
    )
