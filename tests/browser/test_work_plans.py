"""A planner's way from a budget to orders on the phones of crews, at the desk and on a phone."""

import re
from datetime import datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy.orm import Session

from geo.roles import Role
from server.priority import rank
from server.settings import Settings
from server.work_plans import solve_by_job
from tests.browser.conftest import violations
from tests.browser.test_pages import DEVICES


@pytest.fixture
def ranked(city_url, city_engine):
    """The sample city, ranked."""
    settings = Settings(database_url=city_url)
    with Session(city_engine) as session:
        rank(session, settings, datetime.now(settings.zone))
        session.commit()
    return city_engine


def check(page):
    """Anybody can use it, and it scrolls sideways neither at the desk nor on a phone."""
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true })")
    page.locator(".site-menu").evaluate("one => { one.open = false }")
    assert violations(page) == [], page.url
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    page.set_viewport_size(DEVICES["desk"]["viewport"])


def test_a_planner_goes_from_a_budget_to_issued_orders(city_url, ranked, signed_in_page):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["desk"])
    page.context.witness.expect("409")
    page.goto("/desk/crews")
    check(page)
    page.goto("/desk/plans/new?kind=lighting")
    check(page)
    page.get_by_label("Name", exact=True).fill("Browser round")
    page.get_by_label("Budget, in dollars").fill("2,000")
    page.get_by_label("Crew days").fill("1")
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_role("heading", name="Browser round")).to_be_visible()
    expect(page.get_by_text("within these bounds")).to_be_visible()
    expect(page.locator(".place-number").first).to_be_visible()
    check(page)
    id = int(page.url.rsplit("/", 1)[1])

    # Somebody else has the same plan open, and changes it a little later.
    other = page.context.new_page()
    other.goto(page.url)
    page.get_by_label("Tick number 1", exact=True).check()
    page.get_by_role("button", name="Lock the ticked out").click()
    expect(page.get_by_text("The locks hold")).to_be_visible()
    other.get_by_text("Change the budget and other bounds").click()
    other.get_by_label("Budget, in dollars").fill("1,900")
    other.get_by_role("button", name="Store and choose again").click()
    expect(other.get_by_role("alert")).to_contain_text("Somebody changed this plan")
    expect(other.get_by_label("Budget, in dollars")).to_have_value("1,900")
    check(other)
    other.get_by_role("button", name="Store and choose again").click()
    expect(other.get_by_text("The plan is stored")).to_be_visible()
    other.close()

    page.goto(f"/desk/plans/{id}")
    page.get_by_role("button", name="Make the routes").click()
    expect(page.get_by_text("Routes are being made")).to_be_visible()
    solve_by_job(ranked, Settings(database_url=city_url), id)
    # The page asks by itself.
    expect(page.get_by_text("Routes are being made")).to_have_count(0)
    page.locator("#routes table a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("crew"))
    expect(page.get_by_role("link", name="Route sheet to print (PDF)")).to_be_visible()
    check(page)
    page.locator("details").last.get_by_label("As stop").fill("1")
    page.get_by_role("button", name="Move it").last.click()
    expect(page.get_by_text("The stop is moved.")).to_be_visible()
    page.get_by_role("link", name="Back to the work plan").click()
    page.get_by_role("button", name="Issue as work orders").click()
    expect(page.get_by_text("The work orders are issued.")).to_be_visible()
    check(page)
    page.get_by_role("link", name=re.compile("work orders? of this plan")).click()
    expect(page.get_by_role("heading", name="Work orders")).to_be_visible()
