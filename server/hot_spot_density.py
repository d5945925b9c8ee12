"""The smoothed density of an analysis as a picture under the cells of the map.

It says where incidents are dense, and nothing about chance: its steps are round numbers from nought, the
same for the whole picture, and what lies below the first is left clear.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pyproj import Transformer
from scipy import ndimage

from geo.crs import CITY, STORED, to_stored
from geo.density import Density
from server.kept import Kept

SHADES: tuple[str, ...] = ("#bfe3ee", "#8cc7dd", "#55a3c6", "#2b7ba9", "#1b5488", "#142f63")
"""From the first step to the last, at most as many as `_STEPS`; `hot_spots.css` has them as well."""

_STEPS = len(SHADES)
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_PIXELS = 600
"""Along the longer side: a node is then some two pixels, and a picture is drawn in a quarter of a second."""

_SEEN = 170
"""Opacity, of 255."""

_WEB = Transformer.from_crs(STORED, 3857, always_xy=True)
_BACK = Transformer.from_crs(3857, CITY, always_xy=True)


@dataclass(frozen=True, slots=True)
class Smoothed:
    """What the page says of a density.

    Attributes
    ----------
    steps : sequence of float
        Where each shade begins, in incidents per square kilometre.
    bounds : tuple of float
        South, west, north and east of the picture, in degrees.
    bandwidth_m : int
    """

    steps: Sequence[float]
    bounds: tuple[float, float, float, float]
    bandwidth_m: int


def steps(peak: float) -> list[float]:
    """Give round numbers up to a peak, evenly apart: as many as there are shades, or fewer."""
    if not peak > 0:
        return []
    least = peak / _STEPS
    power = 10 ** np.floor(np.log10(least))
    step = next(one * power for one in _ROUND if one * power >= least * (1 - 1e-9))
    return [float(step * nth) for nth in range(1, _STEPS + 1) if step * nth <= peak]


def smoothed(found: Density) -> Smoothed | None:
    """Say what there is to be seen of a density; None where nothing was counted."""
    peak = _peak(found)
    if not peak > 0:
        return None
    west, south, east, north = _degrees(found)
    return Smoothed(steps(peak), (south, west, north, east), round(found.bandwidth_m))


def picture(found: Density) -> bytes:
    """Draw a density for a map in Web Mercator, where it fills `Smoothed.bounds`.

    Returns
    -------
    bytes
        A PNG file: clear outside the area and below the first step.
    """
    west, south, east, north = _degrees(found)
    (left, right), (bottom, top) = _WEB.transform((west, east), (south, north))
    longest = max(right - left, top - bottom)
    columns, rows = (
        max(2, round(_MOST_PIXELS * side / longest)) for side in (right - left, top - bottom)
    )
    x, y = np.meshgrid(
        left + (np.arange(columns) + 0.5) * (right - left) / columns,
        top - (np.arange(rows) + 0.5) * (top - bottom) / rows,
    )
    at_x, at_y = _BACK.transform(x, y)
    corner_x, corner_y = found.corner_m
    nodes = ((at_y - corner_y) / found.spacing_m, (at_x - corner_x) / found.spacing_m)
    # What lies outside of the area has no number, which would eat into what lies beside it.
    inside = ndimage.map_coordinates(np.isfinite(found.per_km2).astype(float), nodes, order=0)
    values = ndimage.map_coordinates(np.nan_to_num(found.per_km2), nodes, order=1)
    return _painted(np.where(inside > 0, values, 0.0), steps(_peak(found)))


def _painted(values: NDArray[np.float64], edges: Sequence[float]) -> bytes:
    shade = np.searchsorted(np.asarray(edges), values, side="right").astype(np.uint8)
    image = Image.fromarray(shade, mode="P")
    colours = [0, 0, 0]
    for one in SHADES:
        colours += [int(one[at : at + 2], 16) for at in (1, 3, 5)]
    image.putpalette(colours)
    file = io.BytesIO()
    image.save(file, "PNG", transparency=bytes([0] + [_SEEN] * _STEPS), optimize=True)
    return file.getvalue()


def _peak(found: Density) -> float:
    return float(np.nanmax(found.per_km2, initial=0.0))


def _degrees(found: Density) -> tuple[float, float, float, float]:
    west, south = found.corner_m
    rows, columns = found.per_km2.shape
    bounds: tuple[float, float, float, float] = to_stored().transform_bounds(
        west, south, west + found.spacing_m * (columns - 1), south + found.spacing_m * (rows - 1)
    )
    return bounds


pictures = Kept[bytes](16)
"""By the analysis: some 40 kB each."""
