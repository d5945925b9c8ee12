import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from geo.kinds import Kind
from geo.roles import Grant, Role, Site
from geo.statuses import (
    OPEN,
    PUBLIC,
    STEPS,
    TRANSITIONS,
    Party,
    Refusal,
    Status,
    choices,
    parties,
    refusal,
    reopens,
)

STATUSES = st.sampled_from(list(Status))
PARTIES = st.frozensets(st.sampled_from(list(Party)))
HELD_FROM = st.none() | st.sampled_from(sorted(PUBLIC))
REASONS = st.sampled_from(["", "  \n", "The lamp is dark again."])


def test_the_steps_are_those_of_the_way_of_a_report():
    assert set(STEPS) == {(a, b) for a, following in TRANSITIONS.items() for b in following}


@given(STATUSES, STATUSES, PARTIES, REASONS, st.booleans(), HELD_FROM)
def test_there_is_no_way_around(before, after, by, reason, names_other, held_from):
    refused = refusal(
        before, after, by, reason=reason, names_other=names_other, held_from=held_from
    )
    if refused is None:
        step = STEPS[before, after]
        assert step.by & by
        assert reason.strip() or not step.needs_reason
        assert names_other or not step.needs_other
        assert after in choices(before, by, held_from)
    if after not in TRANSITIONS[before]:
        assert refused is Refusal.NO_SUCH_STEP


@given(STATUSES, STATUSES, REASONS, st.booleans())
def test_whoever_has_no_part_takes_no_step(before, after, reason, names_other):
    assert refusal(before, after, (), reason=reason, names_other=names_other)
    assert choices(before, ()) == ()


@given(STATUSES, PARTIES, HELD_FROM)
def test_what_is_offered_is_taken_once_all_is_said(before, by, held_from):
    for after in choices(before, by, held_from):
        refused = refusal(
            before, after, by, reason="Because.", names_other=True, held_from=held_from
        )
        assert refused is None


@pytest.mark.parametrize("status", sorted(PUBLIC))
def test_whatever_is_public_can_be_held_and_comes_back_only_to_where_it_was(status):
    by = {Party.MODERATOR}
    assert refusal(status, Status.HELD, by, reason="Names a person.") is None
    assert choices(Status.HELD, by, status) == (status,)


def test_what_was_held_from_the_beginning_is_received():
    assert choices(Status.HELD, {Party.MODERATOR}) == (Status.RECEIVED,)


def test_every_status_is_reached_from_received_and_left_again():
    reached, border = {Status.RECEIVED}, [Status.RECEIVED]
    while border:
        for after in choices(border.pop(), list(Party)):
            if after not in reached:
                reached.add(after)
                border.append(after)
    assert reached == set(Status)
    assert all(choices(status, list(Party)) for status in Status)


@pytest.mark.parametrize("before", Status)
def test_the_city_never_says_verified(before):
    refused = refusal(before, Status.VERIFIED, {Party.CITY, Party.MODERATOR}, reason="It is.")
    assert refused in {Refusal.NOT_YOURS, Refusal.NO_SUCH_STEP}


@pytest.mark.parametrize("before", Status)
def test_neighbours_never_say_done_and_touch_only_what_is_said_to_be_fixed(before):
    offered = choices(before, {Party.NEIGHBOUR})
    assert Status.DONE not in offered
    assert bool(offered) == (before in {Status.DONE, Status.VERIFIED})


@given(STATUSES, STATUSES)
def test_only_moderators_hold_and_release(before, after):
    if (before, after) in STEPS and Status.HELD in {before, after}:
        assert STEPS[before, after].by == {Party.MODERATOR}


@given(STATUSES, STATUSES)
def test_reopening_says_why(before, after):
    if (before, after) in STEPS and reopens(before, after):
        assert before not in OPEN
        assert refusal(before, after, list(Party)) is Refusal.REASON_MISSING


class Way(RuleBasedStateMachine):
    """Any number of people try anything: the report only ever goes as the table says."""

    def __init__(self):
        super().__init__()
        self.status = Status.RECEIVED
        self.held_from = None
        self.done_by_the_city = False

    @rule(after=STATUSES, by=PARTIES, reason=REASONS, names_other=st.booleans())
    def try_a_step(self, after, by, reason, names_other):
        refused = refusal(
            self.status,
            after,
            by,
            reason=reason,
            names_other=names_other,
            held_from=self.held_from,
        )
        if refused is None:
            if after is Status.DONE:
                # Releasing leads back to what the city said before.
                self.done_by_the_city = Party.CITY in by or self.status is Status.HELD
            self.held_from = self.status if after is Status.HELD else None
            self.status = after

    @invariant()
    def verified_follows_the_citys_word(self):
        if self.status is Status.VERIFIED:
            assert self.done_by_the_city


TestWay = Way.TestCase

SITE = Site(Kind.PROBLEM_SPOT, patrol_division_id=1, council_district_id=2)


@pytest.mark.parametrize(
    ("grant", "as_whom"),
    [
        (Grant(Role.LIAISON, area_id=1), {Party.CITY}),
        (Grant(Role.LIAISON, area_id=9), set()),
        (Grant(Role.STAFF, area_id=2, kinds=frozenset({Kind.PROBLEM_SPOT})), {Party.CITY}),
        (Grant(Role.STAFF, area_id=9, kinds=frozenset({Kind.PROBLEM_SPOT})), set()),
        (Grant(Role.STAFF, kinds=frozenset({Kind.LIGHTING})), set()),
        (Grant(Role.MODERATOR), {Party.MODERATOR}),
        (Grant(Role.ADMINISTRATOR), {Party.CITY, Party.MODERATOR}),
        (Grant(Role.CAPTAIN, block_watch_id=1), set()),
    ],
)
def test_roles_make_a_party_within_their_scope(grant, as_whom):
    assert parties([grant], SITE) == as_whom
