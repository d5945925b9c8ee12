"""A captain on a phone opens an action plan, gives a task and writes a note."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from data.models import BlockWatch
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
        token = sign_ins.begin(session, id, strong=False, browser="Test browser")
        session.commit()
    context = open_context(**DEVICES["phone"])
    context.add_cookies([{"name": "porchlight", "value": token, "url": site}])
    return context.new_page(), watch


def check(page):
    """Anybody can use it, by day and by night, and it does not scroll sideways."""
    assert violations(page) == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_captain_opens_a_plan_and_gives_a_task_on_a_phone(captain, open_context):
    page, watch = captain
    page.context.witness.expect("422")
    page.goto(f"/watches/{watch}#plans")
    page.get_by_role("link", name="Open an action plan").click()
    expect(page.locator("path.outline")).to_be_in_viewport(ratio=1)
    check(page)
    page.get_by_label("What is the problem").fill("John Whitfield parks there all night.")
    page.get_by_role("button", name="Open the plan").click()
    expect(page.locator(".plan-warned")).to_be_focused()
    check(page)
    page.get_by_label("What is the problem").fill("Cars park on the crossing at night.")
    page.get_by_role("button", name="Open the plan").click()
    expect(page.get_by_text("The plan is open.")).to_be_visible()
    expect(page.locator("path.outline")).to_have_count(1)
    page.get_by_label("What is to be done").fill("Paint the crossing")
    page.get_by_label("Due on").fill("2026-07-01")
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true })")
    check(page)
    page.get_by_role("button", name="Add the task").click()
    page.get_by_role("button", name="Done: Paint the crossing").click()
    expect(page.get_by_text("1 of 1 task done")).to_be_visible()
    check(page)
    address = page.url.split("?")[0]
    everybody = open_context(**DEVICES["phone"]).new_page()
    everybody.goto(address)
    expect(everybody.locator("path.outline")).to_have_count(1)
    expect(everybody.get_by_text("Paint the crossing")).to_have_count(0)
    check(everybody)
    everybody.goto("/plans")
    check(everybody)
