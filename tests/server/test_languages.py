import re
import string
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from server.languages import CODES, FOLDER, chosen, language

ROOT = FOLDER.parent.parent


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """What the code asks to have translated, found afresh."""
    path = tmp_path_factory.mktemp("messages") / "messages.pot"
    pybabel = Path(sys.executable).with_name("pybabel")
    subprocess.run(
        [pybabel, "--quiet", "extract", "--mapping", FOLDER / "babel.ini", "--keyword", "N_",
         "--output", path, "geo", "layers", "server"],
        cwd=ROOT, check=True,
    )  # fmt: skip
    return path


def catalog(path: Path):
    with path.open("rb") as file:
        return read_po(file, locale="es")


def test_every_message_has_its_spanish(template):
    spanish = catalog(FOLDER / "es" / "LC_MESSAGES" / "messages.po")
    missing = []
    for message in catalog(template):
        if message.id:
            found = spanish.get(message.id)
            strings = (found.string if found else "") or ""
            if not all(strings if isinstance(strings, tuple) else (strings,)):
                missing.append(message.id)
    assert not missing


def test_no_translation_is_left_of_a_message_that_is_gone(template):
    asked = {message.id for message in catalog(template)}
    held = {message.id for message in catalog(FOLDER / "es" / "LC_MESSAGES" / "messages.po")}
    assert held <= asked


def test_translations_keep_the_places_for_values():
    spanish = catalog(FOLDER / "es" / "LC_MESSAGES" / "messages.po")
    named = re.compile(r"%\(\w+\)[sd]|\{\w*\}")
    for message in spanish:
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        asked = set(named.findall(ids[-1]))
        for translated in strings:
            assert set(named.findall(translated)) <= asked, message.id
        assert set(named.findall(strings[-1])) == asked, message.id


def test_the_address_decides_before_the_cookie_and_the_cookie_before_the_browser():
    assert chosen("es", "en", "en-US", "en") == "es"
    assert chosen(None, "es", "en-US", "en") == "es"
    assert chosen(None, None, "fr;q=0.9, es-MX;q=0.8, en;q=0.2", "en") == "es"
    assert chosen(None, None, "en;q=0, es", "en") == "es"
    assert chosen("xx", "yy", "fr", "es") == "es"


@given(st.text(string.printable), st.text(string.printable), st.text(string.printable))
def test_nothing_a_browser_sends_breaks_the_choice(asked, remembered, accepted):
    assert chosen(asked, remembered, accepted, "en") in CODES


def test_english_says_what_is_written_and_spanish_something_else():
    assert language("en").gettext("Not found") == "Not found"
    assert language("es").gettext("Not found") != "Not found"
