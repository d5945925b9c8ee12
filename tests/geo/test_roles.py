import pytest

from geo.kinds import Kind
from geo.roles import Act, Grant, Role, Site, belongs, keeps, may

HERE = Site(Kind.LIGHTING, block_watch_id=1, patrol_division_id=10, council_district_id=20)
LIGHTS = frozenset({Kind.LIGHTING})


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        (Grant(Role.ADMINISTRATOR), set(Act)),
        (Grant(Role.MODERATOR), {Act.READ_TEXT, Act.MODERATE}),
        (Grant(Role.STAFF, kinds=LIGHTS), {Act.READ_EXACT, Act.READ_TEXT, Act.WORK}),
        (Grant(Role.STAFF, area_id=20, kinds=LIGHTS), {Act.READ_EXACT, Act.READ_TEXT, Act.WORK}),
        (Grant(Role.STAFF, area_id=21, kinds=LIGHTS), set()),
        (Grant(Role.STAFF, kinds=frozenset({Kind.CLEANUP})), set()),
        (Grant(Role.LIAISON, area_id=10), {Act.READ_EXACT, Act.READ_TEXT}),
        (Grant(Role.LIAISON, area_id=11), set()),
        (Grant(Role.CAPTAIN, block_watch_id=1), set()),
        (Grant(Role.MEMBER, block_watch_id=1), set()),
    ],
)
def test_a_role_allows_its_acts_within_its_scope(grant, allowed):
    assert {act for act in Act if may([grant], act, HERE)} == allowed


def test_a_liaison_works_on_problem_spots_of_the_division():
    spot = Site(Kind.PROBLEM_SPOT, patrol_division_id=10)
    assert may([Grant(Role.LIAISON, area_id=10)], Act.WORK, spot)
    assert not may([Grant(Role.LIAISON, area_id=11)], Act.WORK, spot)


def test_a_report_outside_every_division_is_no_liaisons():
    assert not may([Grant(Role.LIAISON, area_id=10)], Act.READ_EXACT, Site(Kind.LIGHTING))


def test_a_captain_keeps_the_own_block_watch_and_a_member_only_belongs():
    captain, member = Grant(Role.CAPTAIN, block_watch_id=1), Grant(Role.MEMBER, block_watch_id=1)
    assert keeps([captain], 1)
    assert not keeps([captain], 2)
    assert not keeps([member], 1)
    assert belongs([member], 1)
    assert not belongs([member], 2)
