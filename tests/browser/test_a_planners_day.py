"""One dark light from a neighbour's phone to the neighbours' word that it is fixed, by links alone."""

import re
from datetime import datetime
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data.models import Department, WorkOrderEvent
from data.queries import sign_ins
from geo.roles import Role
from geo.work_orders import State
from server.priority import rank
from server.settings import Settings
from server.work_plans import solve_by_job
from tests.browser.city_map import CityMap
from tests.browser.conftest import violations
from tests.browser.test_pages import DEVICES
from tests.browser.test_report import Form
from tests.people import person

ASKED = """pole => performance.getEntriesByType("resource")
    .filter(({name}) => name.includes("/desk?") && name.includes(`q=${pole}`)).length"""


@pytest.fixture
def settings(city_url):
    return Settings(database_url=city_url)


@pytest.fixture
def on_duty(city_engine, site, open_context):
    """Open the city's map as somebody of the lighting department, of whom each is another person."""

    def opener(device: str) -> Page:
        with Session(city_engine) as session:
            lighting = session.scalar(select(Department.id).where(Department.code == "lighting"))
            id = person(session, Role.STAFF, department_id=lighting)
            token = sign_ins.begin(session, id, strong=True, browser="Test browser")
            session.commit()
        context = open_context(**DEVICES[device])
        context.add_cookies([{"name": "porchlight", "value": token, "url": site}])
        page = context.new_page()
        page.goto("/")
        page.locator(".site-menu summary").click()
        page.get_by_role("link", name="Desk", exact=True).click()
        return page

    return opener


def rank_all(city_engine, settings):
    """Do at once what a job does within a minute."""
    with Session(city_engine) as session:
        rank(session, settings, datetime.now(settings.zone))
        session.commit()


def search(page: Page, pole: str):
    """Find a light in the queue; gives its row."""
    if not page.locator("#q").is_visible():
        page.get_by_text("Search, filters and order").click()
    with page.expect_response(re.compile(r"/desk\?.*q=")):
        page.locator("#q").fill(pole)
        page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"q={pole}"))
    return page.locator("[data-desk-list] tbody tr").filter(has_text=f"Pole {pole}")


def change(page: Page, act: str, **chosen: str) -> None:
    """Do something with what is ticked."""
    page.locator("#act").select_option(label=act)
    for field, label in chosen.items():
        page.locator(f"#{field}").select_option(label=label)
    page.get_by_role("button", name="Change it").click()


def report_a_dark_light(page: Page) -> tuple[str, tuple[float, float]]:
    """Report a light that nobody has reported yet; gives its pole, and where that stands."""
    page.goto("/")
    page.get_by_role("link", name="Report a problem").click()
    form = Form(page).choose("Lighting", "Street light is out")
    form.address.fill("3611 E 27th St")
    page.get_by_role("option").first.tap()
    lights = page.get_by_role("group", name="Which light is it?").locator(".report-choice")
    works = lights.filter(has_text="Working").last
    picked = works.locator("input")
    pole = picked.get_attribute("data-pole")
    at = tuple(float(picked.get_attribute(f"data-{name}")) for name in ("lat", "lon"))
    form.map.locator(".light-number", has_text=pole).locator("span").tap()
    expect(picked).to_be_checked()
    form.send()
    form.insist()
    return pole, at


def make_plan(page: Page, name: str) -> None:
    """Make a plan within a budget, from the desk and back to it."""
    page.get_by_role("link", name="Work plans").click()
    page.get_by_role("link", name="New work plan").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Budget, in dollars").fill("1,000")
    page.get_by_label("Crew days").fill("1")
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.get_by_role("link", name="Back to the work plans").click()
    page.get_by_role("link", name="Back to the desk").click()


def test_a_dark_light_is_reported_ranked_planned_fixed_and_verified(
    city_engine, settings, open_context, on_duty
):
    # A resident reports a light by its pole, and a neighbour joins.
    resident = open_context(**DEVICES["phone"]).new_page()
    pole, at = report_a_dark_light(resident)
    expect(resident.get_by_role("main")).to_contain_text(f"Light {pole}: Reported")
    link = resident.locator(".report-link a").get_attribute("href")
    neighbour = open_context(**DEVICES["desk"]).new_page()
    neighbour.goto(link)
    neighbour.get_by_role("button", name="Affects me too").click()
    expect(neighbour.get_by_text("You are counted among the neighbours")).to_be_visible()

    # Triage: it is in the queue, it says why it stands there, and it is confirmed.
    rank_all(city_engine, settings)
    planner = on_duty("desk")
    row = search(planner, pole)
    expect(row).to_contain_text("1 report, 1 neighbour joined")
    row.get_by_role("link", name="Street light is out").click()
    expect(planner.get_by_role("heading", name=re.compile("Why is this number"))).to_be_visible()
    assert violations(planner, "dark") == []
    planner.get_by_role("link", name="Back to the desk").click()
    search(planner, pole).get_by_role("checkbox").check()
    change(planner, "Confirm")
    expect(planner.get_by_role("status")).to_have_text("Done for 1.")
    assert violations(planner, "light") == []
    planner.get_by_role("link", name="Back to the queue").click()
    expect(planner.locator("[data-desk-list] .status")).to_have_text("Confirmed dark")

    # Plan: it is locked in, and the rest is chosen within the budget around it.
    make_plan(planner, "A whole day")
    search(planner, pole).get_by_role("checkbox").check()
    change(planner, "Put into a work plan", plan="A whole day")
    expect(planner.get_by_role("status")).to_have_text("Done for 1.")
    planner.get_by_role("link", name="Back to the queue").click()
    planner.get_by_role("link", name="A whole day").click()
    expect(planner.get_by_text("the choice was not made anew")).to_be_visible()
    planner.get_by_role("button", name="Choose again", exact=True).click()
    chosen = planner.locator(".wplan-items tr").filter(has_text=f"pole {pole}")
    expect(chosen).to_contain_text("Locked in")
    plan = int(re.search(r"/desk/plans/(\d+)", planner.url)[1])

    # Route: the crews' days, and the orders.
    planner.get_by_label("First day").fill(settings.today().isoformat())
    planner.get_by_role("button", name="Make the routes").click()
    solve_by_job(city_engine, settings, plan)
    expect(planner.get_by_text("Routes are being made")).to_have_count(0)
    planner.get_by_role("button", name="Issue as work orders").click()
    expect(planner.get_by_text("The work orders are issued.")).to_be_visible()
    order = chosen.get_by_role("link", name="Work order").get_attribute("href")
    planner.get_by_role("link", name=re.compile("work orders? of this plan")).click()
    planner.locator(f'a[href="{order}"]').click()
    expect(planner.locator(".report-place")).to_contain_text(f"light {pole}")
    crew, day = re.search(
        r"/crew/routes/(\d+)/([\d-]+)",
        planner.get_by_role("link", name="The crew's route of that day").get_attribute("href"),
    ).groups()

    # Field: the crew's phone has no connection, and what it marks arrives once when it has.
    phone = on_duty("phone")
    phone.context.witness.expect("ERR_INTERNET_DISCONNECTED")
    phone.get_by_role("link", name="Work orders").click()
    phone.get_by_role("link", name="Routes of crews, for their phones").click()
    phone.locator(f'a[href="/crew/routes/{crew}/{day}"]').click()
    expect(phone.locator(".crew")).to_have_attribute("data-kept", "")
    phone.context.set_offline(True)
    stop = phone.locator(".crew-stop").filter(has_text=f"light {pole}")
    if not stop.get_by_label("Note for the desk").is_visible():
        stop.get_by_text("Mark this stop").click()
    stop.get_by_label("Note for the desk").fill("New lamp")
    stop.get_by_role("button", name="Done: it is fixed").click()
    expect(phone.locator("[data-outbox-title]")).to_have_text("1 mark waits on this phone.")
    resident.reload()
    expect(resident.locator(".report-status")).to_contain_text("Scheduled")
    phone.context.set_offline(False)
    expect(phone.locator("[data-state]")).to_contain_text("1 mark was sent.")
    expect(stop.locator(".crew-state")).to_contain_text("Done by the crew Fixed")
    with Session(city_engine) as session:
        done = select(func.count()).where(
            WorkOrderEvent.work_order_id == int(order.rsplit("/", 1)[1]),
            WorkOrderEvent.state == State.DONE,
        )
        assert session.scalar(done) == 1

    # Done: it is out of the queue, fixed on the map, and the resident is asked.
    planner.get_by_role("link", name="The item and its rank").click()
    expect(planner.locator(".report-status")).to_contain_text("Closed on")
    planner.get_by_role("link", name="Back to the desk").click()
    expect(search(planner, pole)).to_have_count(0)
    resident.reload()
    expect(resident.locator(".report-status")).to_contain_text("This is the city's word.")
    expect(resident.locator("#fixed")).to_contain_text("The city says that it is done.")
    expect(resident.get_by_role("main")).to_contain_text(f"Light {pole}: Fixed")
    assert violations(resident, "dark") == []
    neighbour.get_by_role("link", name="See it on the map").click()
    city_map = CityMap(neighbour).settle()
    city_map.open_layers()
    city_map.layer("Reports").uncheck()
    city_map.layer("Street lights").check()
    city_map.wait_for_ink("street_lights", spot=city_map.spot(*at))
    city_map.click(*at)
    expect(city_map.popup).to_contain_text(f"Street light {pole}")
    expect(city_map.popup).to_contain_text("Fixed")

    # Verified: one neighbour's yes is heard, and the resident's makes it the neighbours' word.
    city_map.list.locator(f'a[href="{urlsplit(link).path}"]').first.click()
    neighbour.get_by_role("button", name="Yes, it is fixed").click()
    expect(neighbour.locator("#fixed")).to_contain_text("One more neighbour who says so")
    resident.get_by_role("button", name="Yes, it is fixed").click()
    expect(resident.locator("#fixed")).to_contain_text("neighbours say that it is fixed")
    expect(resident.locator(".report-status")).to_contain_text("Verified")

    # The desk reads everybody's word beside each other, and closes the order.
    planner.get_by_role("link", name="Work orders").click()
    planner.locator(f'a[href="{order}"]').click()
    words = planner.locator(".order-words")
    expect(words).to_contain_text(re.compile(r"The crew\s*Done by the crew Fixed"))
    expect(words).to_contain_text(re.compile(r"The desk\s*Waits for your inspection"))
    expect(words).to_contain_text(re.compile(r"The neighbours\s*verified"))
    planner.get_by_role("button", name="Inspected: close it").click()
    expect(planner.get_by_text("Your step is stored.")).to_be_visible()
    expect(words).to_contain_text(re.compile(r"The desk\s*Inspected"))


def test_two_planners_at_once_lose_nothing(city_engine, settings, on_duty):
    rank_all(city_engine, settings)
    one, two = on_duty("desk"), on_duty("desk")
    for page in (one, two):
        page.context.witness.expect("409")

    # One item: what was chosen for it is still there, and goes ahead once both have seen it.
    poles = one.locator("[data-desk-list] tbody tr", has_text="Reported").locator(".desk-pole")
    pole = poles.last.inner_text().removeprefix("Pole ")
    for page in (one, two):
        search(page, pole).get_by_role("checkbox").check()
    two.locator("#act").select_option(label="Draft work orders")
    two.locator("#crew").select_option(label="Light crew 2")
    # A second answer to one search would take away what was ticked after the first.
    assert two.evaluate(ASKED, pole) == 1
    change(one, "Confirm")
    expect(one.get_by_role("status")).to_have_text("Done for 1.")
    two.get_by_role("button", name="Change it").click()
    expect(two.get_by_role("status")).to_contain_text("Nothing was changed.")
    expect(two.locator(".desk-left")).to_contain_text("Confirmed dark. Somebody changed it")
    expect(two.locator("#act")).to_have_value("order")
    expect(two.locator("#crew option:checked")).to_have_text("Light crew 2")
    assert violations(two, "light") == []
    two.get_by_role("checkbox").check()
    two.get_by_role("button", name="Change it").click()
    expect(two.get_by_role("status")).to_have_text("Done for 1.")
    expect(two.get_by_role("link", name="Work order")).to_be_visible()

    # One plan: the locks of both hold.
    for page in (one, two):
        page.get_by_role("link", name="Back to the queue").click()
    make_plan(one, "Both at once")
    for page in (one, two):
        page.get_by_role("link", name="Work plans").click()
        page.get_by_role("link", name="Both at once").click()
    for page, number in ((one, 1), (two, 2)):
        page.get_by_label(f"Tick number {number}", exact=True).check()
    kept = two.locator(".wplan-items tbody tr").nth(1).get_by_role("link").get_attribute("href")
    one.get_by_role("button", name="Lock the ticked in").click()
    expect(one.get_by_text("The locks hold")).to_be_visible()
    two.get_by_role("button", name="Lock the ticked in").click()
    expect(two.get_by_role("alert")).to_contain_text("Somebody changed this plan")
    two.get_by_role("button", name="Do it now, on the plan as it is below").click()
    expect(two.get_by_text("The locks hold")).to_be_visible()
    locked = two.locator(".wplan-items tbody tr").filter(has_text="Locked in")
    expect(locked).to_have_count(2)
    expect(locked.locator(f'a[href="{kept}"]')).to_be_visible()
