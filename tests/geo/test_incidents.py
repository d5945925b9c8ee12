import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geo import close_pairs as close
from geo.close_pairs import close_pairs
from geo.incidents import incidents

few = settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def made(seed, count=60):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 40, (count, 2)) * 10.0
    return (
        points,
        rng.integers(0, 60, count).astype(float),
        rng.choice(["dumping", "litter"], count),
    )


def by_hand(points, at, radius_m, window_days):
    n = len(at)
    return {
        (i, j)
        for i in range(n)
        for j in range(i + 1, n)
        if np.hypot(*(points[i] - points[j])) <= radius_m and abs(at[i] - at[j]) <= window_days
    }


def pairs(points, at, radius_m, window_days):
    found = close_pairs(points, at, radius_m=radius_m, window_days=window_days)
    return [tuple(sorted(pair)) for some in found for pair in some.tolist()]


@few
@given(seeds, st.sampled_from([0.0, 30.0, 200.0]), st.sampled_from([0.0, 3.0, 100.0]))
def test_close_pairs_are_found_once_each_limits_included(seed, radius, window):
    points, at, _ = made(seed)
    found = pairs(points, at, radius, window)
    assert len(found) == len(set(found))
    assert set(found) == by_hand(points, at, radius, window)


def test_pairs_do_not_depend_on_how_many_are_worked_on_at_once(monkeypatch):
    points, at, _ = made(1, 300)
    whole = set(pairs(points, at, 100.0, 5.0))
    monkeypatch.setattr(close, "PAIRS_AT_ONCE", 50)
    monkeypatch.setattr(close, "_THINGS_AT_ONCE", (7, 64))
    assert set(pairs(points, at, 100.0, 5.0)) == whole


def grouped(points, at, categories, radius_m=40.0, window_days=7.0):
    return incidents(points, at, categories, radius_m=radius_m, window_days=window_days)


def test_reports_that_are_linked_one_by_one_are_one_incident():
    points = np.array([[0.0, 0], [30, 0], [60, 0], [60, 0], [500, 0]])
    found = grouped(points, np.array([0.0, 5, 10, 30, 5]), np.array(["dumping"] * 5))
    assert found.of_report.tolist() == [0, 0, 0, 2, 1]
    assert found.first.tolist() == [0, 4, 3]
    assert found.reports.tolist() == [3, 1, 1]


def test_reports_of_different_categories_are_different_incidents():
    points, at = np.zeros((3, 2)), np.zeros(3)
    found = grouped(points, at, np.array(["dumping", "litter", "dumping"]))
    assert found.reports.sum() == 3
    assert len(found.first) == 2
    assert found.of_report[0] == found.of_report[2] != found.of_report[1]


def test_each_category_has_its_own_radius():
    points, at = np.array([[0.0, 0], [50, 0], [0, 0], [50, 0]]), np.zeros(4)
    kinds = np.array(["lamp", "lamp", "noise", "noise"])
    found = grouped(points, at, kinds, radius_m={"lamp": 20, "noise": 80})
    assert len(found.first) == 3


@few
@given(seeds)
def test_incidents_ignore_the_order_of_reports(seed):
    points, at, categories = made(seed)
    order = np.random.default_rng(seed).permutation(len(at))
    one = grouped(points, at, categories)
    other = grouped(points[order], at[order], categories[order])

    places = np.column_stack([points, at])
    assert np.array_equal(
        np.sort(one.of_report[order][:, None] == one.of_report[order]),
        np.sort(other.of_report[:, None] == other.of_report),
    )
    assert np.array_equal(np.unique(one.reports), np.unique(other.reports))
    assert np.array_equal(places[one.first], places[order][other.first])


@few
@given(seeds)
def test_parts_by_category_give_the_same_number_of_incidents(seed):
    points, at, categories = made(seed)
    parts = sum(
        len(grouped(points[kind], at[kind], categories[kind]).first)
        for kind in (categories == "dumping", categories == "litter")
    )
    assert len(grouped(points, at, categories).first) == parts


def test_no_reports_are_no_incidents():
    found = grouped(np.empty((0, 2)), np.empty(0), np.empty(0, str))
    assert (len(found.of_report), len(found.first), len(found.reports)) == (0, 0, 0)
