"""What must hold for every page: anybody can use it, in English and Spanish, by day and by night.

That no page logs an error, breaks its policy or asks another host is watched in every browser test.
"""

import re
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.city_map import MIDDLE, CityMap
from tests.browser.conftest import violations

LANGUAGES = {"en": "en-US", "es": "es-MX"}
DEVICES = {
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 2,
    },
    "desk": {"viewport": {"width": 1280, "height": 800}},
}
LOOKS = [("es", "phone"), ("en", "desk")]
"""Each language and each device once: the longer words where there is less room."""


def first(page: Page, **query: str) -> int:
    """Give the newest report of a sort."""
    return page.request.get("/api/reports", params={"limit": 1, **query}).json()["features"][0][
        "id"
    ]


def open_map(page: Page) -> None:
    CityMap(page).open().wait_for_ink("reports")


def open_all_of_the_map(page: Page) -> None:
    city_map = CityMap(page).open(MIDDLE, zoom=16, layers="reports,street_lights,neighbourhoods")
    city_map.wait_for_ink("reports")
    city_map.open_layers()
    sheet = page.locator(".sheet-button")
    if sheet.is_visible():
        sheet.click()
        expect(sheet).to_have_attribute("aria-expanded", "true")
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true })")
    with page.expect_response("**/list?**"):  # of the place that the map comes to
        city_map.entries.first.get_by_role("button").click()
    expect(city_map.popup.locator(".btn-primary")).to_be_visible()
    expect(page.locator(".htmx-request")).to_have_count(0)


def open_map_of_nothing(page: Page) -> None:
    city_map = CityMap(page).open((39.3, -94.9), zoom=15)
    expect(city_map.notices.locator(".map-notice")).to_be_visible()


def open_search(page: Page) -> None:
    CityMap(page).open()
    search = page.locator("#map-search")
    search.fill("main")
    expect(page.locator(".place-list li").first).to_be_visible()
    search.press("ArrowDown")


def open_list(page: Page) -> None:
    page.goto("/list?kind=lighting")


def open_empty_list(page: Page) -> None:
    page.goto("/list?from=1999-01-01&to=1999-12-31")
    expect(page.locator(".report-entry")).to_have_count(0)


def open_form(page: Page) -> None:
    page.goto("/report?category=light_damaged")
    expect(page.locator(".map-pick-status")).not_to_be_empty()


def open_form_with_faults(page: Page) -> None:
    page.context.witness.expect("422")
    page.goto("/report")
    page.locator("#address").fill("Benton Blvd")
    page.locator("#email").evaluate("field => { field.value = 'nobody' }")
    page.locator("form.report-form").evaluate("form => form.submit()")
    expect(page.locator("#choices")).to_be_visible()


def open_drawing(page: Page) -> None:
    page.goto("/report?category=block_dark")
    page.locator(".report-shape summary").click()
    page.locator('label[for="shape-line"]').click()
    city_map = page.locator("[data-pick-map] .folium-map")
    middle = city_map.bounding_box()["width"] / 2
    for n in (1, 2):
        city_map.click(position={"x": middle + 40 * n, "y": 150})
        expect(page.locator(".drawn-corner")).to_have_count(n)
    expect(page.locator("#to")).not_to_have_value("")


def open_same(page: Page) -> None:
    place = {"lat": 39.0712, "lon": -94.5623}
    sent = page.request.post(
        "/api/reports",
        data={"category": "graffiti", **place},
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert sent.status == 201
    page.goto("/report?category=graffiti")
    page.locator("#address").fill(f"{place['lat']}, {place['lon']}")
    page.locator("form.report-form").evaluate("form => form.submit()")
    expect(page.locator(".report-same-actions")).to_be_visible()


def open_new_report(page: Page) -> None:
    page.goto(f"/reports/{first(page, category='dumping', status='open')}?new=1")


def open_report_at_a_home(page: Page) -> None:
    page.goto(f"/reports/{first(page, category='overgrowth')}")


def open_fixed_report(page: Page) -> None:
    page.goto(f"/reports/{first(page, status='verified')}")


def open_nothing(page: Page) -> None:
    page.context.witness.expect("404")
    page.goto("/nowhere")


PAGES: tuple[Callable[[Page], None], ...] = (
    open_map,
    open_all_of_the_map,
    open_map_of_nothing,
    open_search,
    open_list,
    open_empty_list,
    open_form,
    open_form_with_faults,
    open_drawing,
    open_same,
    open_new_report,
    open_report_at_a_home,
    open_fixed_report,
    open_nothing,
)


@pytest.mark.parametrize(("language", "device"), LOOKS)
@pytest.mark.parametrize("open_page", PAGES, ids=lambda opener: opener.__name__)
def test_anybody_can_use_it(open_context, open_page, language, device):
    page = open_context(**DEVICES[device], locale=LANGUAGES[language]).new_page()
    open_page(page)
    expect(page.locator("html")).to_have_attribute("lang", language)
    assert violations(page) == []
    for width in (page.viewport_size["width"], 320):
        page.set_viewport_size({"width": width, "height": 844})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"scrolls sideways at {width} px"


@pytest.mark.parametrize("locale", LANGUAGES.values())
def test_no_two_pages_have_the_same_title(open_context, locale):
    context = open_context(**DEVICES["desk"], locale=locale)
    titles = {}
    for open_page in (
        open_map,
        open_list,
        open_form,
        open_form_with_faults,
        open_same,
        open_nothing,
    ):
        page = context.new_page()
        open_page(page)
        titles[open_page.__name__] = page.title()
        page.close()
    for category in ("dumping", "overgrowth"):
        page = context.new_page()
        page.goto(f"/reports/{first(page, category=category)}")
        titles[category] = page.title()
    assert all(title.endswith("Porchlight Kansas City") for title in titles.values())
    assert len(set(titles.values())) == len(titles), titles


def test_a_language_that_was_chosen_stays(desktop):
    desktop.goto("/report")
    english = desktop.get_by_role("heading", level=1).inner_text()
    desktop.get_by_role("button", name="Español").click()
    desktop.wait_for_url(re.compile("lang=es"))
    expect(desktop.get_by_role("heading", level=1)).not_to_have_text(english)
    CityMap(desktop).open()
    expect(desktop.locator("html")).to_have_attribute("lang", "es")
    expect(desktop.locator(".layers-button")).not_to_contain_text("Layers")
    desktop.get_by_role("link", name="English").click()
    desktop.wait_for_url(re.compile("lang=en"))
    expect(desktop.locator(".layers-button")).to_contain_text("Layers and legend")
