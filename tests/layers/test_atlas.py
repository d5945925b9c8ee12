import json
import re
from dataclasses import replace
from pathlib import Path

import folium
import pytest
from folium import plugins
from hypothesis import given
from hypothesis import strategies as st

from layers.atlas import (
    MAX_ZOOM,
    MIN_ZOOM,
    MODULES,
    Mark,
    Options,
    Raster,
    View,
    atlas,
    safe_json,
    view_of,
)
from layers.registry import BY_NAME, LAYERS

STATIC = Path(__file__).parents[2] / "server" / "static"
VIEW = View(39.05, -94.57, 13)
MODES = ("browse", "look", "pick", "snapshot")


def parts(**options):
    return atlas(LAYERS, VIEW, Options(**options))


def everything(made):
    return "\n".join((*made.styles, *made.scripts, made.import_map, made.markup, made.script))


@pytest.mark.parametrize("mode", MODES)
def test_an_atlas_names_no_other_host(mode):
    assert not re.search(r"https?:|[\"'(]//", everything(parts(mode=mode)))


@pytest.mark.parametrize("mode", MODES)
def test_every_asset_of_an_atlas_is_among_our_static_files(mode):
    made = parts(mode=mode, asset=str)
    for path in (*made.styles, *made.scripts, *made.modules.values()):
        assert (STATIC / path).is_file(), path


@pytest.mark.parametrize("mode", MODES)
def test_the_same_atlas_twice_is_the_same(mode):
    assert parts(mode=mode) == parts(mode=mode)


def test_an_atlas_leaves_folium_as_it_was():
    classes = (folium.Map, plugins.Fullscreen, plugins.LocateControl, plugins.GroupedLayerControl)
    before = [([*c.default_js], [*c.default_css]) for c in classes]
    parts()
    assert [([*c.default_js], [*c.default_css]) for c in classes] == before
    assert any("https://" in url for js, _ in before for _, url in js)


def test_the_element_of_the_map_has_one_valid_id():
    assert re.findall(r'id="([^"]*)"', parts().markup) == ["map_porchlight"]


def test_an_atlas_brings_no_inline_style_or_handler_or_script_element():
    made = parts()
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", made.markup)
    assert "</script" not in made.script


def test_every_name_of_the_script_is_declared_once():
    names = re.findall(r"^(?:var|const) (\w+)", parts().script, re.MULTILINE)
    assert len(names) == len(set(names))
    assert {f"layer_{name}" for name in BY_NAME} <= {*names}


def test_the_import_map_holds_every_module_of_the_folder():
    assert {*MODULES} == {path.stem for path in (STATIC / "map").glob("*.js")}
    imports = json.loads(parts(asset="/x/{}".format).import_map)["imports"]
    assert imports["porchlight/atlas.js"] == "/x/map/atlas.js"


def test_a_module_imports_only_what_the_import_map_holds():
    for path in (STATIC / "map").glob("*.js"):
        for name in re.findall(r'from "([^"]+)"', path.read_text()):
            assert name.removeprefix("porchlight/").removesuffix(".js") in MODULES


def test_only_the_layers_asked_for_are_on_at_first():
    script = parts(shown=("street_lights",)).script
    added = re.findall(r"^layer_(\w+)\.addTo", script, re.MULTILINE)
    assert added == ["street_lights"]
    default = re.findall(r"^layer_(\w+)\.addTo", parts().script, re.MULTILINE)
    assert {*default} == {layer.name for layer in LAYERS if layer.shown}


def test_words_come_in_the_language_of_the_page():
    made = parts(translate=lambda message: f"«{message}»")
    assert json.dumps("«Reports»") in made.script
    assert json.dumps("«Zoom in»") in made.script
    assert json.dumps("«Problem spot»") in made.script


def test_a_translation_can_not_end_the_script():
    made = parts(translate=lambda message: "</script><script>alert(1)</script>")
    assert "<script" not in made.script
    assert "</script" not in made.script


def test_operators_tiles_take_the_place_of_our_base_map():
    raster = Raster("https://tiles.example.org/{z}/{x}/{y}.png", "© Example")
    script = parts(raster=raster).script
    assert "https://tiles.example.org/{z}/{x}/{y}.png" in script
    assert "porchlight.base(" not in script


def test_a_map_to_choose_a_place_on_has_no_layer_control():
    script = parts(mode="pick", latitude_field="#a", longitude_field="#b").script
    assert "groupedLayers" not in script
    assert '"lat": "#a"' in script


def test_a_map_to_look_at_marks_the_places_that_the_page_numbers():
    script = parts(mode="look", marks=(Mark(39.05, -94.57, 1),)).script
    assert '"marks": [{"lat": 39.05, "lon": -94.57, "number": 1}]' in script


def test_a_snapshot_asks_for_no_position_and_no_place():
    script = parts(mode="snapshot").script
    assert "locate" not in script.replace('"locate', "")
    assert '"places": ""' in script


def test_the_view_is_where_the_map_opens():
    script = atlas(LAYERS, replace(VIEW, zoom=15), Options()).script
    assert "center: [39.05, -94.57]" in script
    assert '"zoom": 15' in script


@given(st.floats(-179, 178), st.floats(-80, 79), st.floats(0, 1), st.floats(0, 1))
def test_a_view_of_a_box_holds_its_middle_at_a_zoom_the_map_has(west, south, wide, high):
    view = view_of(west, south, west + wide, south + high)
    assert west <= view.lon <= west + wide
    assert south <= view.lat <= south + high
    assert MIN_ZOOM <= view.zoom <= MAX_ZOOM


def test_a_larger_box_is_seen_from_further_away():
    assert view_of(-94.6, 39.0, -94.5, 39.08).zoom == 13
    assert view_of(-94.8, 38.8, -94.4, 39.4).zoom == 10


@given(st.text())
def test_json_for_a_script_element_says_the_same_and_ends_nothing(text):
    written = safe_json({"text": text})
    assert json.loads(written) == {"text": text}
    assert not re.search(r"[<>&\u2028\u2029]", written)


def test_a_look_at_one_place_has_neither_search_nor_layer_control():
    script = parts(mode="look").script
    assert '"layers_panel": false' in script
    assert '"places": ""' in script
    assert "groupedLayers" not in script
