"""An area that somebody draws to follow, on a phone."""

import pytest
from playwright.sync_api import expect
from sqlalchemy.orm import Session

from data.queries import sign_ins
from tests.browser.conftest import violations
from tests.browser.test_pages import DEVICES
from tests.people import person


@pytest.fixture
def page(city_engine, site, open_context):
    with Session(city_engine) as session:
        id = person(session, email="follower@example.org")
        token = sign_ins.begin(session, id, strong=False, browser="Test browser")
        session.commit()
    context = open_context(**DEVICES["phone"])
    context.add_cookies([{"name": "porchlight", "value": token, "url": site}])
    return context.new_page()


def test_an_area_is_drawn_by_taps_shown_and_changed_by_keyboard(page):
    page.goto("/following")
    page.get_by_role("link", name="Follow an area around a place, or one you draw").click()
    page.get_by_text("An area that I draw on the map").click()
    assert violations(page) == []
    city_map = page.locator(".folium-map")
    city_map.scroll_into_view_if_needed()
    city_map.tap()  # which comes nearer
    expect(page.locator(".drawn-corner")).to_have_count(1)
    box = city_map.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for number, (right, down) in enumerate([(90, 0), (90, 60), (0, 60)], 2):
        page.touchscreen.tap(x + right, y + down)
        expect(page.locator(".drawn-corner")).to_have_count(number)
    page.get_by_label("What you call it (optional)").fill("Around school")
    page.get_by_role("button", name="Follow", exact=True).click()
    expect(page.get_by_role("heading", name="Around school")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="See or change the area").click()
    expect(page.locator(".drawn-corner")).to_have_count(4)
    city_map.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".drawn-corner")).to_have_count(5)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".drawn-corner")).to_have_count(4)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Around school")).to_be_visible()
