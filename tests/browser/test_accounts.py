"""Signing in, accounts and people in a browser: by day and by night, in English and Spanish."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import violations
from tests.browser.test_pages import DEVICES, LANGUAGES, LOOKS


def as_administrator(page: Page) -> None:
    page.goto("/sign-in?next=/people")
    page.get_by_role("button", name=re.compile("Admin")).click()


def checked(page: Page, path: str, scheme: str) -> None:
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert violations(page, scheme) == [], path


@pytest.mark.parametrize(("language", "device"), LOOKS)
def test_everybody_can_use_the_pages(open_context, language, device):
    scheme = "dark" if device == "phone" else "light"
    page = open_context(**DEVICES[device], locale=LANGUAGES[language]).new_page()
    checked(page, "/sign-in", scheme)
    as_administrator(page)
    for path in ("/people", "/people/2", "/account"):
        checked(page, path, scheme)


def test_somebody_tries_a_role_and_signs_out(open_context):
    page = open_context(**DEVICES["desk"]).new_page()
    as_administrator(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("People")
    page.locator(".site-menu summary").press("Enter")
    page.get_by_role("link", name="Your account").click()
    expect(page.get_by_text("this one")).to_have_count(1)
    page.locator(".site-menu summary").click()
    page.locator(".site-menu").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_a_link_is_asked_for_without_javascript(open_context):
    page = open_context(java_script_enabled=False).new_page()
    page.goto("/sign-in")
    page.locator("#link-email").fill("rosa@example.org")
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")
