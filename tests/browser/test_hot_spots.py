"""Hot spots in a browser: map and list in step, a panel by a press, by day and by night.

The sample city is loaded here, so what is planted in it is looked for here as well.
"""

from datetime import timedelta
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import expect

from data.sample.city import sample_city
from geo.roles import Role
from tests.browser.conftest import UNTIL, violations
from tests.browser.test_pages import DEVICES


def test_every_planted_place_is_found_when_its_own_kind_of_trouble_is_asked_about(signed_in_page):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["desk"])
    missed = []
    for planted in sample_city(1, UNTIL).hot_spots:
        asked = urlencode(
            [
                ("from", (UNTIL - timedelta(days=planted.from_day)).date().isoformat()),
                ("to", (UNTIL - timedelta(days=planted.to_day + 1)).date().isoformat()),
                *(("category", code) for code in planted.categories),
            ]
        )
        cells = page.request.get(f"/hotspots/cells?{asked}").json()
        rings = [np.array(cell["ring"]) for cell in cells if cell["look"] in {"hot", "firm"}]
        away = [ring.mean(axis=0) - (planted.center.x, planted.center.y) for ring in rings]
        metres = [np.hypot(east * 86_500, north * 111_000) for east, north in away]
        if min(metres, default=np.inf) > planted.radius_m:
            missed.append(planted.code)
    assert missed == []


def test_map_and_list_show_the_planted_places_and_a_press_says_how_sure_they_are(signed_in_page):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["desk"])
    with page.expect_response("**/hotspots/cells?*") as cells:
        page.goto(
            "/hotspots?from=2025-12-01&to=2026-05-31&kind=lighting&source=reports&source=police"
        )
    assert {cell["look"] for cell in cells.value.json()} == {"firm", "hot", "dense"}
    place = page.locator("tr[data-cell]").get_by_role("link", name="Prospect Ave & E 43rd St")
    expect(place).to_be_visible()
    expect(page.locator(".hot-number").first).to_be_visible()
    expect(page.locator("[data-in-view]")).to_contain_text("places of the list are on the map now")
    box = page.get_by_label("Show the smoothed density · Residents")
    with page.expect_response("**/hotspots/density.png?*") as picture:
        box.check()
    assert picture.value.status == 200
    expect(page.locator(".leaflet-density-pane img")).to_be_visible()
    expect(page.locator(".hot-steps").first).to_be_visible()
    assert "density=reports" in page.url
    place.click()
    panel = page.locator("#cell-panel")
    expect(panel.get_by_role("heading", name="Prospect Ave & E 43rd St")).to_be_focused()
    expect(panel).to_contain_text("where chance would put")
    expect(panel).to_contain_text("shuffles")
    expect(page.get_by_role("heading", name="Where next?")).to_have_count(2)
    assert violations(page) == []


def test_kinds_shape_and_measure_are_chosen_together_without_javascript(signed_in_page):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["desk"], java_script_enabled=False)
    page.goto("/hotspots?from=2025-12-01&to=2026-05-31")
    page.locator("summary", has_text="Kinds and categories").click()
    page.get_by_label("Cleanup", exact=True).check()
    page.get_by_label("Street light is out").check()
    page.get_by_label("Shape of a cell").select_option("square")
    page.get_by_label("More than chance, measured").select_option("street")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".hot-kinds summary")).to_contain_text("9 categories")
    expect(page.get_by_text("so nothing is said of them")).to_be_visible()
    page.locator("tr[data-cell] a").first.click()
    expect(page.locator("#cell")).to_contain_text("each meter as likely as any other")
    expect(page.locator("#cell")).to_contain_text("square of 200 meters")


def test_a_cell_of_the_map_opens_its_panel_on_a_phone(signed_in_page):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["phone"])
    page.goto("/hotspots?from=2025-12-01&to=2026-05-31&kind=lighting")
    number = page.locator(".hot-number").first
    number.scroll_into_view_if_needed()
    box = number.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#cell-panel h2")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
