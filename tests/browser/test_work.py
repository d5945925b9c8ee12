"""The work list in a browser: by keys, on a phone, by day and by night, in English and Spanish."""

import re

import pytest
from playwright.sync_api import Page, expect

from geo.roles import Role
from tests.browser.conftest import violations
from tests.browser.test_pages import DEVICES, LANGUAGES, LOOKS


def ticked(page: Page) -> list[str]:
    return page.locator("[data-work-list] tbody input:checked").evaluate_all(
        "all => all.map((one) => one.value)"
    )


def test_a_list_is_worked_through_by_keys_alone(signed_in_page):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["desk"])
    page.goto("/work?kind=lighting&status=received")
    boxes = page.locator("[data-work-list] tbody input")
    values = boxes.evaluate_all("all => all.map((one) => one.value)")
    boxes.first.focus()
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("x")
    assert ticked(page) == values[:2]
    expect(page.locator("[data-ticked]")).to_have_text("2 ticked")
    page.locator("#template").select_option(index=1)
    expect(page.locator("#to")).not_to_have_value("")
    expect(page.locator("#template-words")).not_to_be_empty()
    page.locator("#to").select_option("in_progress")
    expect(page.locator("#template")).to_have_value("")
    expect(page.locator("#template-words")).to_be_empty()
    expect(page.locator("#template optgroup:enabled")).to_have_count(1)
    page.locator("#to").select_option("confirmed")
    page.get_by_role("button", name="Change them").press("Enter")
    expect(page.get_by_role("status").first).to_have_text("2 reports were changed.")
    page.get_by_role("link", name="Back to the work list").click()
    link = page.locator("[data-work-list] tbody a").nth(2).get_attribute("href")
    boxes.nth(2).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"{link}$"))


def test_keys_disturb_nobody_who_types_elsewhere(signed_in_page):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["desk"])
    page.goto("/work")
    page.locator("#note").fill("")
    page.locator("#note").press_sequentially("jxk")
    expect(page.locator("#note")).to_have_value("jxk")
    page.locator("body").press("x")
    assert ticked(page) == []


@pytest.mark.parametrize(("language", "device"), LOOKS)
def test_anybody_of_the_city_can_use_it(signed_in_page, language, device):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES[device], locale=LANGUAGES[language])
    page.goto("/work?status=received")
    first = page.locator("[data-work-list] tbody a").first.get_attribute("href")
    for path in ("/work?status=received", first):
        page.goto(path)
        assert violations(page) == [], path
        for width in (page.viewport_size["width"], 320):
            page.set_viewport_size({"width": width, "height": 844})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} scrolls sideways at {width} px"
