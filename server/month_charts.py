"""Counts by month as bars of an inline drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from babel.dates import format_skeleton

from server.languages import Language


@dataclass(frozen=True, slots=True)
class Bar:
    """One month of the chart: height in units of which the tallest has 100."""

    label: str
    count: int
    x: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Counts by month. `width` is that of the drawing."""

    bars: Sequence[Bar]
    most: int
    width: float
    bar: float


def chart(first_month: str, counts: Sequence[int], spoken: Language) -> Chart:
    """Draw counts by month as bars.

    Parameters
    ----------
    first_month : str
        As 2026-01.
    counts : sequence of int
        Of it and of the months after it.
    spoken : Language
    """
    most, width = max(counts, default=0), 12.0
    start = np.datetime64(first_month, "M")
    return Chart(
        bars=[
            Bar(
                label=str(
                    format_skeleton("yMMM", (start + nth).astype(date), locale=spoken.locale)
                ),
                count=count,
                x=nth * (width + 4),
                height=round(100 * count / most, 1) if most else 0.0,
            )
            for nth, count in enumerate(counts)
        ],
        most=most,
        width=max(len(counts) * (width + 4) - 4, width),
        bar=width,
    )
