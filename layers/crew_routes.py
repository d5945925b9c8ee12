from layers.features import DESK, N_, Features
from layers.symbols import Rule


class CrewRoutes(Features):
    """In which order crews go to their stops, from today on."""

    name = "crew_routes"
    title = N_("Routes of the crews")
    group = DESK
    staff = True
    filtered = True
    rules = (
        Rule(
            {"colour": "council_district", "width": 3, "dash": (8, 5)},
            label=N_("From stop to stop, in a straight line"),
        ),
    )
