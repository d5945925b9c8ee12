"""Photos and words in a browser: chosen and reworded by a resident, judged by a moderator."""

import re

import pytest
from playwright.sync_api import Page, expect

from geo.roles import Role
from tests.browser.conftest import violations
from tests.browser.test_pages import DEVICES, LANGUAGES, LOOKS
from tests.server.test_photos import picture, written

PHOTO = {"name": "lamp.png", "mimeType": "image/png", "buffer": written(picture(900, 600), "PNG")}


def send(page: Page, description: str) -> None:
    """Fill in and send the form, with a photo."""
    page.goto("/report?category=graffiti")
    page.locator("#address").fill("39th and Main")
    page.locator("#description").fill(description)
    page.locator("#photo-files").set_input_files(PHOTO)
    expect(page.get_by_role("img", name="lamp.png")).to_be_visible()
    page.locator(".report-send").click()


def send_as_it_is(page: Page) -> str:
    """Send words that are held, and give the address of the report."""
    send(page, "Paint on the wall. Call 816-555-0142.")
    page.get_by_role("button", name=re.compile("Send it as it is|Enviarlo tal como está")).click()
    page.wait_for_load_state()
    if page.locator("button[name=new]").count():
        page.locator("button[name=new]").click()
    page.wait_for_url(re.compile(r"/reports/\d+"))
    return page.url.partition("?")[0]


@pytest.mark.parametrize(("language", "device"), LOOKS)
def test_anybody_can_reword_and_judge(open_context, signed_in_page, device, language):
    look = {**DEVICES[device], "locale": LANGUAGES[language]}
    page = open_context(**look).new_page()
    send(page, "Paint on the wall. Call 816-555-0142.")
    expect(page.locator("mark")).to_have_text("816-555-0142")
    assert violations(page) == []
    address = send_as_it_is(page)
    assert violations(page) == []
    page = signed_in_page(Role.MODERATOR, **look)
    page.goto("/moderation")
    expect(page.locator(".moderation-item img").first).to_be_visible()
    assert violations(page) == []
    page.goto(address)
    expect(page.get_by_role("img", name=re.compile("Photo 1|Foto 1"))).to_be_visible()
    assert violations(page) == []


def test_a_moderator_blurs_what_is_dragged_over(open_context, signed_in_page):
    address = send_as_it_is(open_context(**DEVICES["desk"]).new_page())
    number = address.rpartition("/")[2]
    page = signed_in_page(Role.MODERATOR, **DEVICES["desk"])
    page.goto("/moderation")
    item = page.get_by_role("article", name=f"Photo of report {number}", exact=True)
    item.locator("img").scroll_into_view_if_needed()
    expect(item.locator("img")).to_have_js_property("complete", value=True)
    box = item.locator("img").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    expect(item.get_by_role("status")).to_contain_text("1 parts marked")
    item.get_by_role("button", name="Clear the marks").click()
    expect(item.locator("[name=box]")).to_have_count(0)
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    values = [float(share) for share in item.locator("[name=box]").input_value().split(",")]
    assert values == pytest.approx([0.25] * 4, abs=0.01)
    item.get_by_role("button", name="Show the photo").click()
    expect(page.get_by_role("status").first).to_contain_text("Decided")
    visitor = open_context(**DEVICES["desk"]).new_page()
    visitor.goto(address)
    expect(visitor.get_by_role("img", name="Photo 1 of this report")).to_be_visible()
