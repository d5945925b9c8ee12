"""A captain on a phone: the page of the block watch, a meeting, an invitation."""

import json
import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from data.models import BlockWatch, Person
from data.queries import sign_ins
from geo.roles import Role
from tests.browser.conftest import violations
from tests.browser.test_pages import DEVICES
from tests.people import person


@pytest.fixture
def captain(city_engine, site, open_context):
    """A phone that a captain has signed in, and the captain's block watch."""
    with Session(city_engine) as session:
        watch = session.scalar(select(BlockWatch.id).order_by(BlockWatch.id))
        id = person(session, Role.CAPTAIN, block_watch_id=watch)
        session.execute(update(Person).where(Person.id == id).values(name="Ana"))
        token = sign_ins.begin(session, id, strong=False, browser="Test browser")
        session.commit()
    context = open_context(**DEVICES["phone"])
    context.add_cookies([{"name": "porchlight", "value": token, "url": site}])
    return context.new_page(), watch


def check(page):
    """Anybody can use it, by day and by night, and it does not scroll sideways."""
    assert violations(page) == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_captain_looks_after_a_block_watch_on_a_phone(captain):
    page, watch = captain
    page.goto("/watches")
    check(page)
    page.locator("li", has_text="You are a member").get_by_role("link").click()
    expect(page.locator("path.outline")).to_be_in_viewport(ratio=1)
    page.get_by_role("link", name="Plan a meeting").click()
    page.get_by_label("Where, in words").fill("Porch at 37th and Woodland")
    page.get_by_label("Day, or the first of them").fill("2026-06-09")
    page.get_by_label("Begins at").fill("18:30")
    page.get_by_label("How often").select_option("monthly")
    check(page)
    page.get_by_role("button", name="Plan a meeting").click()
    expect(page.get_by_text("Your changes are kept.")).to_be_visible()
    expect(page.locator("#meetings time")).to_have_count(3)
    expect(page.locator("#meetings li").first).to_contain_text("Second Tuesday of each month")
    check(page)
    page.goto(f"/watches/{watch}/members")
    page.get_by_role("button", name="Make a link").click()
    assert "/watches/join?token=" in page.locator("#link").input_value()
    check(page)


def corners(page):
    drawn = page.locator("#drawn").input_value()
    return json.loads(drawn)["coordinates"][0][:-1] if drawn else []


def test_a_captain_draws_the_boundary_by_touch_and_by_keyboard(captain):
    page, watch = captain
    page.goto(f"/watches/{watch}/boundary")
    status = page.locator("[data-boundary-status]")
    expect(status).to_contain_text("corners. Choose one to move it")
    check(page)
    page.get_by_role("button", name="Start over").tap()
    stage = page.locator(".boundary-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()

    def tap(x, y):
        page.touchscreen.tap(box["x"] + x, box["y"] + y)

    # A bow first, which is mended by moving one corner with a tap and nothing but a tap.
    for x, y in ((120, 200), (260, 380), (260, 200), (120, 380)):
        tap(x, y)
    expect(status).to_have_text(re.compile("4 corners set.*The outline crosses itself."))
    tap(260, 380)  # a corner that stands there is chosen
    expect(status).to_contain_text("Corner 2 of 4 is chosen")
    tap(260, 120)
    expect(status).not_to_contain_text("crosses")
    drawn = corners(page)
    assert drawn[1][1] > drawn[2][1]

    # By keyboard: choose, move by arrows, add, delete, and take back.
    page.get_by_role("button", name="Next corner").focus()
    page.keyboard.press("Enter")
    expect(status).to_contain_text("Corner 3 of 4 is chosen")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    moved = corners(page)
    assert moved[2][0] > drawn[2][0]
    assert moved[2][1] < drawn[2][1]
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    assert corners(page) == drawn
    page.get_by_role("button", name="Add a corner").press("Enter")
    assert len(corners(page)) == 5
    page.get_by_role("button", name="Delete corner").press("Enter")
    assert corners(page) == drawn
    page.get_by_role("region", name="Map of the city").focus()
    for key in ("ArrowRight", "Enter"):
        page.keyboard.press(key)
        page.wait_for_timeout(400)  # the map glides
    assert corners(page)[2] != drawn[2] or corners(page)[3] != drawn[3]
    page.get_by_role("button", name="Undo").tap()
    assert corners(page) == drawn

    page.get_by_role("button", name="See what changes").tap()
    expect(page.get_by_role("heading", name="Store this boundary?")).to_be_visible()
    expect(page.locator("path.drawn-area")).to_be_in_viewport()
    check(page)
    page.get_by_role("button", name="Store this boundary").tap()
    expect(page.get_by_text("The new boundary holds.")).to_be_visible()
    page.get_by_role("link", name="Change the boundary").tap()
    expect(page.get_by_role("button", name="Look at it and restore it")).to_have_count(1)
    assert len(corners(page)) == 4
