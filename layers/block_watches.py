from layers.features import N_, PLACES, Features
from layers.symbols import Rule


class BlockWatches(Features):
    """The ground each block watch looks after."""

    name = "block_watches"
    title = N_("Block watches")
    group = PLACES
    shown = True
    rules = (
        Rule(
            {"colour": "block_watch", "width": 2.5, "opacity": 0.12},
            label=N_("Block watch boundary"),
        ),
    )
