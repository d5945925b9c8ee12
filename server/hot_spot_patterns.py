"""What incidents tell beside hot spots: how few places hold them, what follows one, and where next."""

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.concentration import concentration
from geo.grids import NOWHERE, Cells
from geo.near_repeat import knox
from geo.prediction import where_next

PATTERNS = ("concentration", "near_repeats", "where_next")
"""Names of what `found` gives."""

Points = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""x and y in the city's metres, and seconds since 1970."""

NEAR_M, SOON_DAYS = (100.0, 200.0, 400.0), 14.0

MOST_PAIRED = 30_000
"""Incidents among which near repeats are looked for: the latest, so that it takes half a second."""

FEWEST_PAIRED = 20
SEED = 0
"""Of what is shuffled."""

BY_CHANCE = 0.05
CURVE_POINTS = 50

MONTH_DAYS = 30
FEWEST_MONTHS, MOST_MONTHS, HELD_OUT = 6, 24, 6
NEXT_PLACES = 5
_DAY_S = 86_400.0


def found(cells: Cells, points: Points, period: tuple[datetime, datetime]) -> dict[str, Any]:
    """Describe incidents beyond their hot spots, as JSON.

    Parameters
    ----------
    cells : Cells
        Of the area asked about.
    points : tuple of three ndarray of float
        Incidents; those outside the cells are left out.
    period : tuple of (datetime, datetime)
        From the first to before the second.

    Returns
    -------
    dict
        `concentration`, `near_repeats` and `where_next`; None each where too little is there to tell.
    """
    where = cells.find(*points[:2])
    inside = where != NOWHERE
    x, y, at_s = (column[inside] for column in points)
    return {
        "concentration": concentrated(np.bincount(where[inside], minlength=len(cells))),
        "near_repeats": near_repeats(np.column_stack([x, y]), at_s / _DAY_S),
        "where_next": forecast(cells, where[inside], at_s, period),
    }


def concentrated(counts: NDArray[np.int64]) -> dict[str, Any] | None:
    """Say how few cells hold half of the incidents; None without any."""
    if not counts.sum():
        return None
    measured = concentration(counts)
    return {
        "cells": measured.places,
        "incidents": measured.reports,
        "cells_with_any": int(np.count_nonzero(counts)),
        "cells_with_half": measured.places_with_half,
        "share_with_half": measured.share_with_half,
        "gini": measured.gini,
        "gini_adjusted": measured.gini_adjusted,
        "lorenz": np.interp(
            np.linspace(0, 1, CURVE_POINTS + 1),
            np.linspace(0, 1, measured.places + 1),
            measured.lorenz,
        )
        .round(4)
        .tolist(),
    }


def near_repeats(
    points_m: NDArray[np.float64], at_days: NDArray[np.float64]
) -> dict[str, Any] | None:
    """Say whether incidents are followed by others nearby more often than by chance; None of few."""
    if len(at_days) < FEWEST_PAIRED:
        return None
    latest = np.argsort(at_days, kind="stable")[-MOST_PAIRED:]
    tests = [
        knox(points_m[latest], at_days[latest], radius_m=radius_m, window_days=SOON_DAYS, seed=SEED)
        for radius_m in NEAR_M
    ]
    return {
        "incidents": len(latest),
        "of": len(at_days),
        "first_s": float(at_days[latest[0]] * _DAY_S),
        "window_days": SOON_DAYS,
        "seed": SEED,
        "rows": [
            {
                "radius_m": test.radius_m,
                "pairs": test.close_in_both,
                "expected": test.expected,
                "p": test.p,
                "permutations": test.permutations,
                "beyond_chance": test.p * len(tests) <= BY_CHANCE,
            }
            for test in tests
        ],
    }


def forecast(
    cells: Cells,
    where: NDArray[np.int64],
    at_s: NDArray[np.float64],
    period: tuple[datetime, datetime],
) -> dict[str, Any] | None:
    """Say where the most is to be expected next, by what did best on held-out months; None of few."""
    start_s, end_s = (moment.timestamp() for moment in period)
    months = min(int((end_s - start_s) / _DAY_S / MONTH_DAYS), MOST_MONTHS)
    if months < FEWEST_MONTHS:
        return None
    ago = np.floor((end_s - at_s) / _DAY_S / MONTH_DAYS).astype(np.int64)
    late = ago < months
    counts = np.bincount(
        (months - 1 - ago[late]) * len(cells) + where[late], minlength=months * len(cells)
    ).reshape(months, len(cells))
    held_out = min(HELD_OUT, months // 2)
    if not counts[-held_out:].any():
        return None
    made = where_next(counts, cells, held_out=held_out)
    best = np.argsort(-made.predicted, kind="stable")[:NEXT_PLACES]
    return {
        "method": made.method,
        "held_out": made.held_out,
        "months": months,
        "chosen_cells": made.chosen_cells,
        "scores": {
            name: {
                "hits": score.hits,
                "pai": score.pai,
                "pei": score.pei,
                "lead": score.lead,
                "p": score.p,
            }
            for name, score in made.scores.items()
        },
        "cells": [
            f"{cells.q[cell]}.{cells.r[cell]}" for cell in best[made.predicted[best] > 0].tolist()
        ],
    }
