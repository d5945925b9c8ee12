"""Levels and ranks worked out by hand, and what holds whatever the needs and the weights."""

import tomllib
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.categories import CATEGORIES
from geo.kinds import Kind
from geo.priority import (
    FACTORS,
    FAULTS,
    SEED,
    Factor,
    Facts,
    interest,
    levels,
    moved,
    ranked,
    ranks,
    read_facts,
    read_weights,
    shares,
    turns,
)

ORDINARY = {
    "hazard": 0, "fault": 1, "run": 1, "dark_share": 0, "near": 0, "waited": 0, "unseen": 0, "target": 5,
    "voices": 1, "usual": 0, "households": 0, "night_p": 1, "generators": 0, "street": 3, "failed": 0,
    "wait": 1, "night_seen": 0, "night_usual": 0, "night_police": 0,
}  # fmt: skip
WORSE = {
    "hazard": 1, "fault": 1, "run": 1, "dark_share": 1, "near": 1, "waited": 1, "unseen": 1, "target": -1,
    "voices": 1, "usual": -1, "households": 1, "night_p": -1, "generators": 1, "street": -1, "failed": 1,
    "wait": 1,
}  # fmt: skip
"""Which way each fact makes a need worse."""

RANGES = {
    "hazard": (0, 1), "fault": (0, 1), "run": (1, 9), "dark_share": (0, 1), "near": (0, 9),
    "waited": (0, 90), "unseen": (0, 30), "target": (1, 60), "voices": (1, 40), "usual": (0, 20),
    "households": (0, 400), "night_p": (1e-9, 1), "generators": (0, 12), "street": (1, 3),
    "failed": (0, 5), "wait": (0, 4), "night_seen": (0, 9), "night_usual": (0, 9),
    "night_police": (0, 1),
}  # fmt: skip


def facts(*needs):
    rows = [ORDINARY | need for need in needs]
    return Facts(
        **{
            field.name: np.array([float(row[field.name]) for row in rows])
            for field in fields(Facts)
        }
    )


def level(factor, kind=Kind.LIGHTING, **of):
    return levels(kind, facts(of))[0, FACTORS[kind].index(factor)]


def rank(found, weights, opened=None, ids=None, **options):
    n = len(found)
    return ranked(
        found,
        weights,
        np.arange(n, dtype=float) if opened is None else opened,
        np.arange(n) if ids is None else ids,
        **options,
    )


@st.composite
def needs(draw, kind=Kind.LIGHTING, least=2):
    """Needs of all sorts, and weights of all sorts."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(least, 12))
    of = Facts(
        **{
            name: np.where(
                rng.random(n) < 0.1, np.nan if name not in {"voices", "target"} else low,
                rng.uniform(low, high, n),
            )
            for name, (low, high) in RANGES.items()
        }
    )  # fmt: skip
    weights = np.where(rng.random(11) < 0.2, 0, rng.integers(0, 30, 11)) + np.eye(11)[0]
    return of, weights


@pytest.mark.parametrize(
    ("factor", "of", "by_hand"),
    [
        (Factor.HAZARD, {"hazard": 1}, 1),
        (Factor.FAULT, {"fault": 0.5}, 0.5),
        (Factor.RUN, {"run": 1}, 0),
        (Factor.RUN, {"run": 2}, 0.5),
        (Factor.RUN, {"run": 3}, 1),
        (Factor.RUN, {"run": 1, "dark_share": 0.15}, 0.5),
        (Factor.RUN, {"run": 1, "dark_share": np.nan}, 0),
        # log2(1 + 1) / log2(9) at the target day; log2(1 + 2) / log2(9) at twice that.
        (Factor.AGE, {"waited": 5, "target": 5}, 0.315465),
        (Factor.AGE, {"waited": 7, "unseen": 3, "target": 5}, 0.5),
        (Factor.AGE, {"waited": 40, "target": 5}, 1),
        (Factor.AGE, {"waited": 99, "target": 5}, 1),
        (Factor.AGE, {"waited": 40, "target": np.nan}, 0),
        # log2(1 + 1) / log2(5); log2(1 + 3) / log2(5); a half of the usual: log2(1.5) / log2(5).
        (Factor.VOICES, {"voices": 1}, 0.430677),
        (Factor.VOICES, {"voices": 3}, 0.861353),
        (Factor.VOICES, {"voices": 1, "usual": 1}, 0.251930),
        (Factor.VOICES, {"voices": 1, "usual": np.nan}, 0.430677),
        (Factor.HOUSEHOLDS, {"households": 20}, 0.25),
        (Factor.HOUSEHOLDS, {"households": np.nan}, 0),
        # One step of ten in the chance is a third of the way from 1 in 10 to 1 in 10,000.
        (Factor.NIGHT, {"night_p": 0.5}, 0),
        (Factor.NIGHT, {"night_p": 0.01}, 1 / 3),
        (Factor.NIGHT, {"night_p": 1e-9}, 1),
        (Factor.NIGHT, {"night_p": np.nan}, 0),
        (Factor.GENERATORS, {"generators": 2.5}, 0.625),
        (Factor.STREET, {"street": 1}, 1),
        (Factor.STREET, {"street": 2}, 0.6),
        (Factor.STREET, {"street": 3}, 0.2),
        (Factor.STREET, {"street": np.nan}, 0),
        (Factor.REPEATED, {"failed": 1}, 0.5),
        (Factor.EQUITY, {"wait": 0.4}, 0),
        (Factor.EQUITY, {"wait": 1.5}, 0.5),
    ],
)
def test_a_level_is_what_was_worked_out_by_hand(factor, of, by_hand):
    assert level(factor, **of) == pytest.approx(by_hand, abs=1e-6)


def test_a_mess_near_others_counts_for_cleanup_and_a_dark_row_does_not():
    assert level(Factor.NEAR, Kind.CLEANUP, near=3) == 0.75
    assert Factor.RUN not in FACTORS[Kind.CLEANUP]


def test_every_category_that_has_a_queue_has_a_level_of_harm():
    assert {*FAULTS} == {one.code for one in CATEGORIES if one.kind in FACTORS}


def test_silence_says_nothing_where_people_rarely_report_and_something_where_they_do():
    alone = np.array([1.0, 1.0, 1.0])
    assert interest(alone, np.array([0.0, 1.0, 3.0])).tolist() == [1.0, 0.5, 0.25]


def test_a_quiet_neighbourhood_is_not_last_for_being_quiet():
    # The same outage after 20 days. Where a report a week is usual, one neighbour followed; where one in
    # a hundred days is, nobody did, and it had been dark for longer before anybody said so.
    loud, quiet = (
        {"waited": 14, "voices": 2, "usual": 20 / 7},
        {"waited": 14, "voices": 1, "usual": 0.2, "unseen": 30},
    )
    raw = levels(Kind.LIGHTING, facts({"voices": 2}, {"voices": 1}))
    assert rank(raw, np.ones(11)).rank.tolist() == [1, 2]
    corrected = levels(Kind.LIGHTING, facts(loud, quiet))
    assert rank(corrected, np.ones(11)).rank.tolist() == [2, 1]


def test_a_score_is_the_sum_of_what_was_worked_out_by_hand():
    # 20 for the danger, 10 for being out, 15/2 for the light beside it, 15/2 for twice the target,
    # 8 x .430677 for one voice, 4 x .2 for a local street.
    weights = np.array([20.0, 10, 15, 15, 8, 6, 10, 6, 4, 3, 3])
    found = levels(Kind.LIGHTING, facts({"hazard": 1, "run": 2, "waited": 10}))
    ranking = rank(found, weights)
    assert ranking.parts[0] == pytest.approx([20, 10, 7.5, 7.5, 3.445412, 0, 0, 0, 0.8, 0, 0])
    assert ranking.score[0] == pytest.approx(49.245412)
    assert (ranking.rank, ranking.low, ranking.high) == ([1], [1], [1])


def test_of_equals_the_one_that_is_open_longer_comes_first():
    found = np.ones((3, 11))
    ranking = rank(found, np.ones(11), opened=np.array([5.0, 2.0, 2.0]), ids=np.array([1, 9, 3]))
    assert ranking.rank.tolist() == [3, 2, 1]
    # No weights part them, so their ranks are sure.
    assert ranking.low.tolist() == ranking.high.tolist() == [3, 2, 1]


def test_a_rank_that_hangs_on_one_weight_is_less_sure_than_one_that_all_agree_on():
    found = np.zeros((4, 3))
    found[0] = 1
    found[1, 0] = found[2, 1] = 1
    ranking = rank(found, np.array([10.0, 10, 10]))
    assert (ranking.low[0], ranking.high[0]) == (1, 1)
    assert (ranking.low[1], ranking.high[1]) == (2, 3)
    assert (ranking.low[3], ranking.high[3]) == (4, 4)


@settings(deadline=None)
@given(needs(), st.data())
def test_a_need_that_is_worse_in_one_thing_never_ranks_lower(some, data):
    of, weights = some
    name = data.draw(st.sampled_from([*WORSE]))
    which = data.draw(st.integers(0, len(of) - 1))
    by = data.draw(st.floats(0, 1)) * (RANGES[name][1] - RANGES[name][0])
    before = rank(levels(Kind.LIGHTING, of), weights)
    value = getattr(of, name).copy()
    low, high = RANGES[name]
    value[which] = np.clip(value[which] + WORSE[name] * by, low, high)
    after = rank(levels(Kind.LIGHTING, replace(of, **{name: value})), weights)
    assert after.score[which] >= before.score[which]
    assert after.rank[which] <= before.rank[which]
    assert after.low[which] <= before.low[which]
    assert after.high[which] <= before.high[which]


@settings(deadline=None)
@given(needs(), st.data())
def test_the_order_of_needs_has_no_part_in_their_ranks(some, data):
    of, weights = some
    found = levels(Kind.LIGHTING, of)
    order = np.array(data.draw(st.permutations(range(len(of)))))
    opened = np.round(np.linspace(0, 3, len(of)))
    first = rank(found, weights, opened, np.arange(len(of)))
    other = rank(found[order], weights, opened[order], order)
    for name in ("rank", "low", "high", "score", "parts"):
        assert (getattr(other, name) == getattr(first, name)[order]).all()


@settings(deadline=None)
@given(needs(), st.integers(0, 2**32 - 1))
def test_parts_add_up_and_the_interval_holds_the_rank(some, seed):
    of, weights = some
    ranking = rank(levels(Kind.LIGHTING, of), weights, seed=seed)
    assert ranking.parts.sum(axis=1) == pytest.approx(ranking.score)
    assert (ranking.parts <= shares(weights) + 1e-9).all()
    assert sorted(ranking.rank) == [*range(1, len(of) + 1)]
    assert (ranking.low <= ranking.rank).all()
    assert (ranking.rank <= ranking.high).all()
    assert (np.diff(ranking.score[np.argsort(ranking.rank)]) <= 0).all()
    assert 0 <= ranking.score.min() <= ranking.score.max() <= 100


@settings(deadline=None)
@given(needs(), st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_interval(some, seed):
    of, weights = some
    found = levels(Kind.LIGHTING, of)
    one, other = (rank(found, weights, seed=seed) for _ in range(2))
    assert (one.low == other.low).all()
    assert (one.high == other.high).all()


@settings(deadline=None)
@given(needs())
def test_ranks_alone_are_those_of_the_whole_ranking(some):
    of, weights = some
    found, opened = levels(Kind.LIGHTING, of), np.round(np.linspace(0, 3, len(of)))
    ids = np.arange(len(of))
    alone = ranks(found, weights, opened, ids)
    assert (alone == rank(found, weights, opened, ids).rank).all()


@settings(deadline=None)
@given(needs())
def test_weights_count_by_their_shares(some):
    of, weights = some
    found = levels(Kind.LIGHTING, of)
    half = rank(found, weights / 2)
    assert rank(found, weights).score == pytest.approx(half.score)


@settings(deadline=None)
@given(needs(least=1))
def test_facts_come_back_from_what_was_written(some):
    of, _weights = some
    for number, written in enumerate(of.written()):
        read = read_facts(written)
        for field in fields(Facts):
            assert getattr(read, field.name)[0] == pytest.approx(
                getattr(of, field.name)[number], abs=1e-6, nan_ok=True
            )


def test_what_would_raise_a_need_is_said_with_how_far():
    weights = np.array([20.0, 10, 15, 15, 8, 6, 10, 6, 4, 3, 3])
    found = turns(Kind.LIGHTING, facts({}), weights)
    by_factor = {turn.factor: turn for turn in found}
    now = 10 + 8 * 0.430677 + 0.8
    assert by_factor[Factor.HAZARD].score == pytest.approx(now + 20, abs=1e-5)
    assert by_factor[Factor.RUN].score == pytest.approx(now + 7.5, abs=1e-5)
    assert Factor.AGE not in by_factor  # all others would wait as much longer
    assert by_factor[Factor.VOICES].by == 3
    assert found == tuple(sorted(found, key=lambda turn: -turn.score))
    # A third light in the row is already as much as counts, and danger can not be more than it is.
    full = facts({"hazard": 1, "run": 3, "waited": 99, "voices": 50})
    assert turns(Kind.LIGHTING, full, weights) == ()
    # What burns by day, or stands on no known pole, is in no row of dark lights.
    assert Factor.RUN not in {
        turn.factor for turn in turns(Kind.LIGHTING, facts({"run": 0}), weights)
    }


def test_who_gains_and_loses_is_counted_among_the_first():
    before, after = np.array([1, 2, 3, 4]), np.array([4, 1, 3, 2])
    found = moved(before, after, np.array([0, 0, 1, 1]), 2, among=2)
    assert found.lost.tolist() == [1, 0]
    assert found.gained.tolist() == [0, 1]


def test_the_published_weights_can_be_read_and_add_up_to_a_hundred():
    text = (Path(__file__).parents[2] / "data/weights.toml").read_text(encoding="utf-8")
    first = tomllib.loads(text)
    found = read_weights(
        {kind: {row["factor"]: row["weight"] for row in first[kind]} for kind in FACTORS}
    )
    for kind, factors in FACTORS.items():
        assert found[kind].sum() == 100
        assert tuple(row["factor"] for row in first[kind]) == factors
        for row in first[kind]:
            assert all(row["reason"][language] for language in ("en", "es"))
            assert row["source"]


WRITTEN = {kind: dict.fromkeys(factors, 1) for kind, factors in FACTORS.items()}


@pytest.mark.parametrize(
    "written",
    [
        {"lighting": WRITTEN["lighting"]},
        WRITTEN | {"cleanup": WRITTEN["cleanup"] | {"run": 1}},
        WRITTEN | {"cleanup": {**WRITTEN["cleanup"], "near": -1}},
        WRITTEN | {"cleanup": {**WRITTEN["cleanup"], "near": float("nan")}},
        WRITTEN | {"cleanup": {**WRITTEN["cleanup"], "near": 101}},
        WRITTEN | {"cleanup": dict.fromkeys(WRITTEN["cleanup"], 0)},
    ],
)
def test_weights_that_make_no_ranking_are_refused(written):
    with pytest.raises(ValueError, match=r"(?i)weight"):
        read_weights(written)


def test_no_needs_have_no_ranks():
    assert len(ranked(np.empty((0, 11)), np.ones(11), np.empty(0), np.empty(0, int)).rank) == 0
    assert SEED == 20261122  # published with what they gave
