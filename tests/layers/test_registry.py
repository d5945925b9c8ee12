import re
from pathlib import Path

import pytest

from data.models.service_location import LocationType
from data.models.street_light import LightStatus
from geo.kinds import Kind
from geo.statuses import OPEN, PUBLIC
from layers.registry import BY_NAME, DESK, DRAWN, LAYERS

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "server" / "static"
SHARED = {
    "atlas", "base", "controls", "features", "registry", "snapshot", "symbols", "words", "__init__",
}  # fmt: skip


def values(layer, attribute):
    return {value for rule in layer.rules for value in rule.when.get(attribute, ())}


def test_every_layer_has_a_file_of_its_noun_and_stands_in_the_registry():
    files = {path.stem for path in (ROOT / "layers").glob("*.py")} - SHARED
    every = {*LAYERS, *DESK}
    assert files == {layer.name for layer in every}
    assert all(layer.__module__ == f"layers.{layer.name}" for layer in every)


def test_what_the_city_s_people_see_alone_is_on_no_map_for_everybody():
    assert not [layer.name for layer in LAYERS if layer.staff]
    assert [layer.name for layer in DESK if layer.staff]


def test_the_order_of_drawing_names_each_layer_once():
    assert sorted(layer.name for layer in DRAWN) == sorted(layer.name for layer in {*LAYERS, *DESK})


@pytest.mark.parametrize("layer", dict.fromkeys((*LAYERS, *DESK)), ids=lambda layer: layer.name)
def test_a_layer_has_a_title_a_legend_and_colours_that_the_style_sheet_knows(layer):
    css = (STATIC / "porchlight.css").read_text()
    assert layer.title
    assert any(rule.label for rule in layer.rules)
    for rule in layer.rules:
        if "colour" in rule.symbol:
            # Once for light and once for dark.
            assert len(re.findall(rf"--mark-{rule.symbol['colour']}:", css)) == 2
        if "icon" in rule.symbol:
            assert (STATIC / rule.symbol["icon"]).is_file()


def test_reports_of_every_kind_and_public_status_have_a_mark():
    reports = BY_NAME["reports"]
    assert values(reports, "kind") == {*Kind}
    assert values(reports, "status") == {*PUBLIC}


def test_what_is_open_is_filled_and_nothing_else_is():
    filled = {
        status
        for rule in BY_NAME["reports"].rules
        if rule.symbol.get("filled")
        for status in rule.when.get("status", ())
    }
    assert filled == {*OPEN}


def test_kinds_differ_in_shape_and_not_only_in_colour():
    shapes = [rule.symbol["shape"] for rule in BY_NAME["reports"].rules if "kind" in rule.when]
    assert len(shapes) == len({*shapes}) == len(Kind)


def test_done_and_verified_never_look_alike():
    by_status = {
        status: rule.symbol
        for rule in BY_NAME["reports"].rules
        for status in rule.when.get("status", ())
    }
    assert by_status["done"] != by_status["verified"]


def test_states_of_a_light_and_types_of_a_service_location_are_told_apart():
    for name, attribute in (("street_lights", "status"), ("service_locations", "type")):
        looks = [
            tuple(sorted(rule.symbol.items()))
            for rule in BY_NAME[name].rules
            if attribute in rule.when
        ]
        assert len(looks) == len({*looks}) > 4


def test_every_value_that_the_store_knows_has_a_mark():
    assert values(BY_NAME["street_lights"], "status") == {*LightStatus}
    assert values(BY_NAME["service_locations"], "type") == {*LocationType}
