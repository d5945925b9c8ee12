from layers.features import CONTEXT, N_, Features
from layers.symbols import Rule


class TransitStops(Features):
    """Bus stops."""

    name = "transit_stops"
    title = N_("Bus stops")
    group = CONTEXT
    counted = True
    rules = (
        Rule(
            {
                "shape": "square",
                "colour": "transit_stop",
                "size": 7,
                "filled": True,
                "icon": "vendor/bootstrap-icons/bus-front-fill.svg",
            },
            label=N_("Bus stop"),
        ),
    )
