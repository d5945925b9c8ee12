import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.addresses import Address, Street, parse, street
from geo.gazetteer import Gazetteer

STREETS = [
    Street("e", "31st", "st"),
    Street("w", "31st", "st"),
    Street("e", "31st", "ter"),
    Street("", "charlotte", "st"),
    Street("", "park", "ave"),
    Street("n", "park", "ave"),
    Street("", "oak", "st"),
    Street("", "forest", "ave"),
    Street("", "worlds of fun", "ave"),
]
LANDMARKS = [
    ("Plaza Branch", "library biblioteca"),
    ("Westport Branch", "library biblioteca"),
    ("Gillham Park", ""),
    ("The", ""),
    ("Central Patrol Station", "police station policia"),
]
NAMES = Gazetteer(STREETS, [90, 10, 20, 50, 60, 5, 40, 30, 3], LANDMARKS)


def found(text: str) -> list[str]:
    address = parse(text)
    return [STREETS[match.index].label for match in NAMES.streets(address)]


def scored(text: str) -> dict[str, float]:
    return {STREETS[match.index].label: match.score for match in NAMES.streets(parse(text))}


def landmarks(text: str) -> list[str]:
    return [LANDMARKS[match.index][0] for match in NAMES.landmarks(text)]


@pytest.mark.parametrize("slip", ["charlote", "cahrlotte", "charllotte", "chsrlotte", "harlotte"])
def test_one_slip_in_a_name_is_forgiven(slip):
    assert found(f"3311 {slip}")[0] == "Charlotte St"


def test_one_digit_off_is_another_street():
    assert found("500 e 32nd st") == []


def test_a_short_name_is_not_taken_for_another():
    assert "Oak St" not in found("100 elm st")


def test_the_longer_street_comes_first_where_nothing_else_tells():
    assert found("31st st")[:2] == ["E 31st St", "W 31st St"]


def test_a_direction_that_contradicts_costs_more_than_one_that_is_missing():
    assert scored("w 31st st")["W 31st St"] == 1.0
    assert scored("31st st")["W 31st St"] > 0.95
    assert scored("w 31st st")["E 31st St"] < 0.8


def test_a_wrong_type_is_second_to_the_right_one():
    assert found("e 31st ter")[0] == "E 31st Ter"
    assert found("e 31st st")[0] == "E 31st St"


def test_a_misspelled_type_or_direction_is_put_right():
    assert found("3311 charlotte sreet")[0] == "Charlotte St"
    assert found("500 esat 31st st")[0] == "E 31st St"


def test_spaces_in_a_name_do_not_matter():
    assert found("4545 worldsoffun")[0] == "Worlds of Fun Ave"


def test_the_beginning_of_a_name_is_enough():
    assert found("3311 char")[0] == "Charlotte St"


@pytest.mark.parametrize("label", [known.label for known in STREETS])
def test_every_street_is_found_by_its_own_name(label):
    assert found(f"1200 {label}")[0] == label
    assert scored(f"1200 {label}")[label] == 1.0


@given(st.text(max_size=40))
def test_scores_fall_and_lie_between_0_and_1(text):
    for matches in (NAMES.landmarks(text), NAMES.streets(Address(street(text)))):
        scores = [match.score for match in matches]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


def test_a_landmark_is_found_by_some_of_its_words_in_any_order():
    assert landmarks("patrol central") == ["Central Patrol Station"]
    assert landmarks("gilham park")[0] == "Gillham Park"


def test_a_landmark_is_found_by_what_it_is():
    assert landmarks("plaza library")[0] == "Plaza Branch"
    assert set(landmarks("biblioteca")) == {"Plaza Branch", "Westport Branch"}


def test_a_name_said_in_full_fits_better_than_a_part_of_a_longer_one():
    names = Gazetteer([], [], [("Hyde Park North", ""), ("Hyde Park", "")])
    assert [match.index for match in names.landmarks("hyde park")] == [1, 0]


def test_a_gazetteer_without_names_finds_nothing():
    nothing = Gazetteer([], [], [])
    assert nothing.streets(parse("3311 charlotte")) == nothing.landmarks("plaza") == []
