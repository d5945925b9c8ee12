from layers.features import CONTEXT, N_, Features
from layers.symbols import Rule


class PoliceIncidents(Features):
    """Incidents the police recorded, without those whose place must stay private."""

    name = "police_incidents"
    title = N_("Police incidents")
    group = CONTEXT
    counted = True
    rules = (
        Rule(
            {"shape": "cross", "colour": "police_incident", "size": 5.5, "filled": True},
            label=N_("Incident recorded by the police"),
        ),
    )
