"""A planner's morning in a browser: triage by keys and in bulk, at a desk and on a phone."""

import re

import pytest
from playwright.sync_api import Page, expect

from geo.roles import Role
from tests.browser.conftest import violations
from tests.browser.test_pages import DEVICES, LANGUAGES, LOOKS


def ticked(page: Page) -> list[str]:
    return page.locator("[data-desk-list] tbody input:checked").evaluate_all(
        "all => all.map((one) => one.value)"
    )


def test_a_morning_of_triage_by_keys_and_in_bulk(signed_in_page):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["desk"])
    page.goto("/desk?status=received")
    boxes = page.locator("[data-desk-list] tbody input")
    expect(page.locator("[data-desk-keys]")).to_be_visible()
    values = boxes.evaluate_all("all => all.map((one) => one.value)")

    # The map stands beside the list and shows the place of the row that has the focus.
    page.keyboard.press("j")
    expect(boxes.first).to_be_focused()
    expect(page.locator(".list-ring")).to_be_visible()
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert ticked(page) == values[:2]
    expect(page.locator("[data-ticked]")).to_have_text("2 ticked")

    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()

    # What an act does not ask for is out of the way.
    expect(page.locator("#assigned")).to_be_hidden()
    page.locator("#act").select_option("assign")
    expect(page.locator("#assigned")).to_be_visible()
    page.locator("#act").select_option("confirm")
    page.get_by_role("button", name="Change it").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Done for 2.")
    page.get_by_role("link", name="Back to the queue").click()
    left = boxes.evaluate_all("all => all.map((one) => one.value)")
    assert not {value.partition(".")[0] for value in values[:2]} & {
        value.partition(".")[0] for value in left
    }

    # A filter changes the list without a new page, the address, and what the map shows.
    with page.expect_response(re.compile(r"/desk/tiles/needs/.*status=confirmed")):
        page.locator("#status").select_option("confirmed")
    expect(page).to_have_url(re.compile("status=confirmed"))
    expect(page.locator("[data-desk-list] .status").first).to_have_text("Confirmed dark")
    # A layer that is turned off stays off in the address of each queue; a step back finds list, form and map as they were.
    page.get_by_role("button", name="Layers and legend").click()
    page.get_by_role("checkbox", name="Dark stretches").uncheck()
    expect(page).to_have_url(re.compile("status=confirmed.*layers=needs$"))
    page.locator("#order").select_option("oldest")
    expect(page).to_have_url(re.compile("order=oldest.*layers=needs$"))
    page.go_back()
    expect(page).to_have_url(re.compile("status=confirmed.*layers=needs$"))
    expect(page.locator("#order")).to_have_value("")
    expect(page.locator("[data-desk]")).to_have_attribute(
        "data-desk", re.compile("^((?!order).)*$")
    )
    assert page.evaluate("sessionStorage.getItem('htmx-history-cache')") is None
    moved = page.locator(".leaflet-map-pane").get_attribute("style")
    assert moved, "the map is as dead as a copy of its markup"
    page.goto(page.url)
    boxes.first.check()
    page.locator("#act").select_option("schedule")
    page.get_by_role("button", name="Change it").click()
    page.get_by_role("link", name="Back to the queue").click()
    expect(page).to_have_url(re.compile("status=confirmed.*layers=needs$"))
    page.get_by_role("button", name="Layers and legend").click()
    expect(page.get_by_role("checkbox", name="Dark stretches")).not_to_be_checked()

    page.locator("#q").press_sequentially("jxk")
    expect(page.locator("#q")).to_have_value("jxk")
    assert ticked(page) == []
    page.locator("#q").fill("")

    link = page.locator("[data-desk-list] tbody th a").first.get_attribute("href")
    boxes.first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"{link}$"))


def test_on_a_phone_the_list_comes_first_and_the_map_by_its_button(signed_in_page):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["phone"])
    page.goto("/desk")
    first = page.locator("[data-desk-list] tbody tr").first
    expect(first).to_be_visible()
    expect(page.locator(".desk-map")).to_be_hidden()
    page.get_by_role("button", name="Map", exact=True).click()
    expect(page.locator(".desk-map")).to_be_visible()
    expect(first).to_be_hidden()
    page.get_by_role("button", name="List").click()
    expect(first).to_be_visible()


def test_it_can_be_used_without_javascript(signed_in_page):
    page = signed_in_page(Role.ADMINISTRATOR, java_script_enabled=False, **DEVICES["desk"])
    page.goto("/desk?kind=cleanup&status=received")
    page.locator("[data-desk-list] tbody input").first.check()
    page.locator("#act").select_option("schedule")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("status")).to_have_text("Done for 1.")


@pytest.mark.parametrize(("language", "device"), LOOKS)
def test_anybody_of_the_city_can_use_it(signed_in_page, language, device):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES[device], locale=LANGUAGES[language])
    for path in ("/desk", "/desk/overdue", "/desk/lights/import", "/desk/results"):
        page.goto(path)
        assert violations(page) == [], path
        for width in (page.viewport_size["width"], 320):
            page.set_viewport_size({"width": width, "height": 844})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} scrolls sideways at {width} px"
