from itertools import pairwise

import pytest

from geo.statuses import OPEN, Status
from geo.work_orders import (
    STEPS,
    UNDER_WAY,
    Outcome,
    Party,
    Refusal,
    State,
    Visit,
    choices,
    holds_need,
    refusal,
    word,
)


def test_an_order_goes_from_draft_to_inspected():
    way = [State.DRAFT, State.ISSUED, State.IN_FIELD, State.DONE, State.INSPECTED]
    for before, after in pairwise(way):
        outcome = Outcome.FIXED if after is State.DONE else Outcome.NONE
        assert refusal(before, after, Party.DESK, outcome=outcome) is None


def test_nothing_follows_an_inspection():
    assert choices(State.INSPECTED, Party.DESK) == choices(State.INSPECTED, Party.FIELD) == ()


def test_a_crew_neither_issues_nor_inspects_nor_cancels():
    taken = {after for before in State for after in choices(before, Party.FIELD)}
    assert taken == {State.ISSUED, State.IN_FIELD, State.DONE}
    assert refusal(State.DRAFT, State.ISSUED, Party.FIELD) is Refusal.NOT_YOURS


def test_what_a_crew_did_before_it_knew_of_a_change_is_a_step_still():
    for before in (State.DRAFT, State.CANCELLED):
        assert refusal(before, State.DONE, Party.FIELD, outcome=Outcome.FIXED) is None
        desk = refusal(before, State.DONE, Party.DESK, outcome=Outcome.FIXED)
        assert desk is Refusal.NOT_YOURS


def test_an_order_is_issued_to_a_crew_for_a_day():
    asked = refusal(State.DRAFT, State.ISSUED, Party.DESK, is_assigned=False)
    assert asked is Refusal.CREW_MISSING


def test_a_visit_has_an_outcome_and_nothing_else_has():
    assert refusal(State.ISSUED, State.DONE, Party.FIELD) is Refusal.OUTCOME_MISSING
    early = refusal(State.ISSUED, State.IN_FIELD, Party.FIELD, outcome=Outcome.FIXED)
    assert early is Refusal.OUTCOME_MISSING


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (State.ISSUED, State.CANCELLED),
        (State.IN_FIELD, State.CANCELLED),
        (State.DONE, State.DRAFT),
    ],
)
def test_what_undoes_a_promise_needs_a_reason(before, after):
    assert refusal(before, after, Party.DESK, reason=" ") is Refusal.REASON_MISSING
    assert refusal(before, after, Party.DESK, reason="No crew today") is None


def test_what_is_no_step_is_refused_whatever_is_said():
    for before in State:
        for after in State:
            if (before, after) not in STEPS:
                refused = refusal(before, after, Party.DESK, reason="why")
                assert refused is Refusal.NO_SUCH_STEP


def test_a_visit_that_came_to_nothing_leaves_the_need_to_another_order():
    assert all(holds_need(state, Outcome.NONE) for state in (State.DRAFT, *UNDER_WAY))
    assert holds_need(State.DONE, Outcome.FIXED)
    assert not holds_need(State.DONE, Outcome.NOT_FOUND)
    assert not holds_need(State.DONE, Outcome.NEEDS_PARTS)
    assert not holds_need(State.INSPECTED, Outcome.FIXED)
    assert not holds_need(State.CANCELLED, Outcome.NONE)


def test_only_a_repair_closes_reports_and_no_step_speaks_for_the_neighbours():
    said = {
        (step, outcome): word(*step, outcome)
        for step in STEPS
        for outcome in (set(Outcome) - {Outcome.NONE} if step[1] is State.DONE else {Outcome.NONE})
    }
    assert {one.status for one in said.values() if one} <= {*OPEN, Status.DONE}
    closing = {key for key, one in said.items() if one and one.status is Status.DONE}
    assert {(after, outcome) for (_before, after), outcome in closing} == {
        (State.DONE, Outcome.FIXED)
    }


def test_a_visit_without_a_repair_brings_the_need_back_with_its_reason():
    for outcome, visit in (
        (Outcome.NOT_FOUND, Visit.NOT_FOUND),
        (Outcome.NEEDS_PARTS, Visit.NEEDS_PARTS),
    ):
        said = word(State.IN_FIELD, State.DONE, outcome)
        assert (said.status, said.visit) == (Status.CONFIRMED, visit)


def test_what_is_said_of_a_visit_fits_the_status_that_it_leads_to():
    """The ready words of a visit are of what is confirmed."""
    for before, after in STEPS:
        for outcome in set(Outcome) - {Outcome.NONE} if after is State.DONE else {Outcome.NONE}:
            said = word(before, after, outcome)
            assert said is None or said.visit is None or said.status is Status.CONFIRMED


def test_drafts_and_inspections_are_the_citys_business_alone():
    assert word(State.DRAFT, State.CANCELLED) is None
    assert word(State.DONE, State.INSPECTED) is None
