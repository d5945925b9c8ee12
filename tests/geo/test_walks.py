from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.walks import (
    QUESTION_BY_CODE,
    QUESTIONS,
    Sum,
    UnknownAnswer,
    compared,
    not_looked_at,
    understood,
)

LIGHTING, DUMPING, SIGNS = (QUESTION_BY_CODE[code] for code in ("lighting", "dumping", "signs"))


def summed(stops, **counts):
    """A sum as `lighting_out=2` says."""
    return Sum(stops, {tuple(name.split("_", 1)): n for name, n in counts.items()})


def test_each_question_begins_with_an_answer_that_finds_nothing_wrong_and_has_one_that_does():
    for question in QUESTIONS:
        assert question.fine.category is None
        assert question.answers[-1].category is not None
        codes = [answer.code for answer in question.answers]
        assert len(set(codes)) == len(codes)
        for answer in question.answers:
            assert (answer.category is None) == (not answer.report)


def test_answers_come_in_the_order_of_the_questions_and_what_was_not_looked_at_is_missing():
    found = understood({"signs": "fine", "lighting": "out"})
    assert [*found] == [LIGHTING, SIGNS]
    assert found[LIGHTING].category.code == "light_out"


@pytest.mark.parametrize("answers", [{"people": "many"}, {"lighting": "pink"}, {"lighting": ""}])
def test_what_nobody_asked_is_no_answer(answers):
    with pytest.raises(UnknownAnswer):
        understood(answers)


def test_lights_out_then_and_now_stand_beside_each_other():
    then, now = summed(9, lighting_out=5, lighting_works=3), summed(8, lighting_out=2)
    (row,) = compared(now, then)
    assert (row.question, row.looked, row.looked_then) == (LIGHTING, 2, 8)
    assert [(one.answer.code, one.now, one.then) for one in row.found] == [("out", 2, 5)]


def test_what_the_walk_before_did_not_look_at_is_not_none_found():
    (row,) = compared(summed(1, dumping_dumped=1), summed(4, lighting_works=4))
    assert row.looked_then == 0
    assert [one.then for one in row.found] == [None]


def test_what_is_gone_now_is_told_and_what_is_fine_makes_no_problem():
    then, now = summed(2, dumping_litter=2), summed(3, dumping_none=3)
    (row,) = compared(now, then)
    assert [(one.answer.code, one.now, one.then) for one in row.found] == [("litter", 0, 2)]
    assert (now.problems, then.problems) == (0, 2)
    assert DUMPING not in not_looked_at(now)
    assert LIGHTING in not_looked_at(now)


@st.composite
def sums(draw):
    answers = [
        (question.code, answer.code) for question in QUESTIONS for answer in question.answers
    ]
    counts = draw(st.dictionaries(st.sampled_from(answers), st.integers(1, 50)))
    return Sum(50, counts)


@given(sums(), st.none() | sums())
def test_every_question_is_either_told_of_or_was_not_looked_at(now, then):
    rows = compared(now, then)
    assert [row.question for row in rows] == [q for q in QUESTIONS if q not in not_looked_at(now)]
    assert sum(one.now for row in rows for one in row.found) == now.problems
    assert compared(replace(now), then) == rows
