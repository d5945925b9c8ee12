"""A map in one file, opened from disk where there is no internet."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.city_map import MIDDLE, CityMap
from tests.browser.conftest import violations


@pytest.fixture
def saved(desktop: Page, tmp_path: Path) -> Path:
    """What the map's button saves."""
    CityMap(desktop).open(MIDDLE, zoom=16, layers="reports,block_watches,vacant_lots")
    with desktop.expect_download() as download:
        desktop.get_by_role("link", name="Save as a file").click()
    assert download.value.suggested_filename.endswith(".html")
    download.value.save_as(tmp_path / "map.html")
    return tmp_path / "map.html"


@pytest.fixture
def offline(open_context, saved: Path):
    """Open the file where there is no network; gives the map and what it asked for."""

    def open_it(**options) -> tuple[CityMap, list[str]]:
        page = open_context(offline=True, **options).new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(saved.as_uri())
        city_map = CityMap(page)
        city_map.wait_for_ink("reports")
        return city_map, asked

    return open_it


def test_it_shows_the_view_with_its_features_and_asks_nobody(offline, saved):
    city_map, asked = offline(viewport={"width": 1280, "height": 800})
    city_map.wait_for_ink("block_watches")
    city_map.wait_for_ink("vacant_lots")
    expect(city_map.page.locator("canvas.leaflet-tile-loaded").first).to_be_visible()
    expect(city_map.page.locator(".site-city")).to_contain_text("As of ")
    others = [url for url in asked if not url.startswith(("data:", "blob:"))]
    assert others == [saved.as_uri()]


def test_a_mark_tells_what_it_is(offline):
    city_map, _ = offline(viewport={"width": 1280, "height": 800})
    spot = city_map.mark("reports", "cleanup")
    city_map.page.mouse.click(spot["x"], spot["y"])
    expect(city_map.popup.get_by_role("heading")).not_to_be_empty()
    expect(city_map.popup).to_contain_text("Status")
    # Nothing leads out of the file.
    expect(city_map.popup.locator("a[href^=http]")).to_have_count(0)


def test_its_list_leads_to_the_map_by_keyboard(offline):
    city_map, _ = offline(viewport={"width": 390, "height": 844})
    page = city_map.page
    page.locator(".snapshot-list summary").focus()
    page.keyboard.press("Enter")
    entry = page.locator(".snapshot-list li").first
    title = entry.locator("strong").inner_text()
    entry.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(city_map.popup.get_by_role("heading")).to_have_text(title)
    expect(page.locator(".site-city")).to_contain_text("This is a sample city")


def test_its_layers_come_and_go(offline):
    city_map, _ = offline(viewport={"width": 1280, "height": 800})
    city_map.open_layers()
    city_map.layer("Vacant lots").uncheck()
    city_map.wait_for_ink("vacant_lots", painted=False)
    expect(city_map.legend("Vacant lots")).to_have_count(0)
    city_map.layer("Vacant lots").check()
    city_map.wait_for_ink("vacant_lots")


@pytest.mark.parametrize("width", [390, 1280])
def test_anybody_can_use_it(offline, width):
    city_map, _ = offline(viewport={"width": width, "height": 800})
    page = city_map.page
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
