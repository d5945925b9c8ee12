"""What the analysis finds in the sample city, where the hot spots are known."""

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from data.models.area import AreaLayer
from geo.categories import BY_CODE
from geo.crs import CITY, STORED
from geo.hot_spots import Ground, Settings, Verdict, analyse
from geo.incidents import incidents

WIDTH_M = 200.0
DAY_S = 86_400


def metres(geometry):
    to_city = Transformer.from_crs(STORED, CITY, always_xy=True)
    return shapely.transform(geometry, lambda xy: np.column_stack(to_city.transform(*xy.T)))


@pytest.fixture(scope="module")
def found(sample):
    """The analysis of each planted hot spot, asked as a liaison would: its kind of trouble, when it was on."""
    middles = metres(shapely.centroid([report.geom for report in sample.reports]))
    points = np.column_stack([shapely.get_x(middles), shapely.get_y(middles)])
    at = np.array([report.occurred_at.timestamp() for report in sample.reports]) / DAY_S
    category = np.array([report.category for report in sample.reports])
    first = incidents(
        points,
        at,
        category,
        radius_m={code: float(known.duplicate_radius_m) for code, known in BY_CODE.items()},
        window_days=7,
    ).first
    points, age, category = (
        points[first],
        sample.until.timestamp() / DAY_S - at[first],
        category[first],
    )
    area = metres(next(a.geom for a in sample.areas if a.layer == AreaLayer.CITY))
    return {
        spot.code: analyse(
            *points[
                np.isin(category, spot.categories) & (age < spot.from_day) & (age >= spot.to_day)
            ].T,
            Ground(area),
            Settings(width_m=WIDTH_M),
        )
        for spot in sample.hot_spots
    }


def apart(spots, planted):
    east, north = spots.cells.grid.centres(spots.cells.q, spots.cells.r)
    middle = metres(planted.center)
    return np.hypot(east - middle.x, north - middle.y)


def test_planted_hot_spots_are_found_and_nearly_all_are_firm(sample, found):
    verdicts = [
        found[planted.code].verdict[apart(found[planted.code], planted) < planted.radius_m]
        for planted in sample.hot_spots
    ]
    hot = [np.isin(near, [Verdict.HOT, Verdict.FIRM]).any() for near in verdicts]
    firm = [(near == Verdict.FIRM).any() for near in verdicts]
    assert sum(hot) >= len(hot) - 1
    assert sum(firm) >= len(firm) - 1


def test_of_the_hot_cells_no_more_than_promised_are_far_from_what_was_planted(sample, found):
    hot = false = 0
    for spots in found.values():
        # One spot's categories may show another's: both planted dumping, say.
        far = np.all(
            [apart(spots, s) > s.radius_m + 1.5 * WIDTH_M for s in sample.hot_spots], axis=0
        )
        hot += spots.hot.sum()
        false += (spots.hot & far).sum()
    assert false <= 0.05 * hot
