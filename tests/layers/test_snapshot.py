import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from layers.atlas import View
from layers.snapshot import snapshot

STATIC = Path(__file__).parents[2] / "server" / "static"
HOSTILE = "</script><script>alert('x')</script><!--<script> ${alert(1)} \u2028 &lt;"


def collection(*properties):
    features = [
        {
            "type": "Feature",
            "id": number,
            "geometry": {"type": "Point", "coordinates": [-94.57, 39.05]},
            "properties": each,
        }
        for number, each in enumerate(properties)
    ]
    return {"type": "FeatureCollection", "features": features}


def written(**changes):
    return snapshot(
        **{
            "collections": {
                "reports": collection(
                    {"kind": "cleanup", "status": "done", "title": HOSTILE, "facts": []}
                )
            },
            "base": {"label": collection({"name": HOSTILE, "type": "park", "rank": 1})},
            "view": View(39.05, -94.57, 13),
            "static": STATIC,
            "title": HOSTILE,
            "note": HOSTILE,
            "language": "en",
            "translate": str,
        }
        | changes
    )


class Elements(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.text = ""

    def handle_data(self, data):
        if self.found:
            self.found[-1][1].setdefault("text", "")
            self.found[-1][1]["text"] += data


def test_a_snapshot_is_one_file_that_names_nothing_outside_of_it():
    elements = Elements(written()).found
    for tag, attributes in elements:
        assert not {"src", "href", "srcset", "action"} & {*attributes}, tag
    styles = [attributes["text"] for tag, attributes in elements if tag == "style"]
    assert all(
        url.startswith(("data:", "#"))
        for css in styles
        for url in re.findall(r"""url\(["']?([^"')]+)""", css)
    )


def test_a_snapshot_forbids_itself_to_ask_any_host():
    policy = next(
        attributes["content"]
        for tag, attributes in Elements(written()).found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    assert "http" not in policy


def test_what_people_wrote_stands_in_a_snapshot_as_json_and_ends_no_script():
    html = written()
    blocks = {
        attributes["id"]: json.loads(attributes["text"])
        for tag, attributes in Elements(html).found
        if tag == "script" and attributes.get("type") == "application/json"
    }
    assert blocks["snapshot-reports"]["features"][0]["properties"]["title"] == HOSTILE
    assert blocks["snapshot-base"]["label"]["features"][0]["properties"]["name"] == HOSTILE
    assert "<script>alert" not in html


def test_the_scripts_of_a_snapshot_are_the_assets_and_nothing_else():
    kinds = [
        attributes.get("type", "classic")
        for tag, attributes in Elements(written()).found
        if tag == "script"
    ]
    assert kinds.count("module") == 1
    assert kinds.count("importmap") == 1
    assert kinds.count("application/json") == 2


def test_only_the_layers_given_are_on_the_map():
    html = written(collections={"block_watches": collection({"name": "Ours"})})
    assert "layer_block_watches" in html
    assert "layer_reports" not in html


def test_the_layers_given_are_on_even_those_that_a_map_hides_at_first():
    html = written(collections={"street_lights": collection({"status": "out"})})
    assert "layer_street_lights.addTo(map_porchlight)" in html


def test_an_unknown_layer_is_named_with_those_that_are_known():
    with pytest.raises(ValueError, match=r"no layers rumours.*reports"):
        written(collections={"rumours": collection()})


def test_the_same_snapshot_twice_is_the_same():
    assert written() == written()
