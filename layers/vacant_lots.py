from layers.features import CONTEXT, N_, Features
from layers.symbols import Rule


class VacantLots(Features):
    """Lots that a land bank holds."""

    name = "vacant_lots"
    title = N_("Vacant lots")
    group = CONTEXT
    counted = True
    rules = (
        Rule(
            {
                "shape": "diamond",
                "colour": "vacant_lot",
                "size": 5.5,
                "filled": False,
                "opacity": 0.2,
            },
            label=N_("Vacant lot of the Land Bank"),
        ),
    )
