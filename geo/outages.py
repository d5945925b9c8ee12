"""Which street lights a report of darkness is about.

The store matches reports by the same rules (migration 0031), and a test holds the two together.
"""

from enum import StrEnum

REACH_M = 40.0
"""Metres from a report of one light within which a pole may be meant.

Residential lights stand up to 60 m apart: whoever is half-way between two, on the far side of a
20 m street, is 36 m from the nearest.
"""

STRETCH_REACH_M = 25.0
"""Metres from a drawn stretch or a block's centreline within which lights belong to it.

Half of a wide street and its verge, and the hand that drew the line.
"""

BLOCK_M = 150.0
"""Metres along the street, to either side, beyond which a block is cut where no corner ends it."""

STREET_REACH_M = 60.0
"""Metres within which a street is the one that a report of a dark block means."""

POLE = frozenset({"light_out", "light_flickers", "light_day_burner", "light_damaged"})
"""Categories that are about one pole, which is found by being the nearest."""

BLOCK = "block_dark"
"""The category that is about all lights of a block."""

NEEDED = "light_needed"
"""The category that is about no light at all."""

DARK = frozenset({"light_out", BLOCK})
"""Categories by which a light is dark, and can be part of a dark run."""

DANGER = frozenset({"light_damaged"})
"""Categories that are a hazard whatever the reporter says of it."""

GRAVEST_FIRST = (
    "light_damaged", "block_dark", "light_out", "light_flickers", "light_day_burner",
    "light_blocked", "light_needed",
)  # fmt: skip
"""By which category a light is called that has reports of several."""


class Match(StrEnum):
    """How a report and a light were found to belong together."""

    PICKED = "picked"
    NEAREST = "nearest"
    BLOCK = "block"
    STRETCH = "stretch"
    PLACE = "place"
