"""A walk on a phone that loses its connection: nothing is lost, and nothing counts twice."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data.models import BlockWatch, Report, WalkStop
from data.queries import sign_ins
from geo.roles import Role
from tests.browser.test_block_watches import check
from tests.browser.test_pages import DEVICES
from tests.people import person

KEPT = """async () => {
    const opened = indexedDB.open("porchlight-walks");
    await new Promise((resolve) => { opened.onsuccess = resolve; });
    const found = [];
    for (const name of opened.result.objectStoreNames) {
        const all = opened.result.transaction(name).objectStore(name).getAll();
        await new Promise((resolve) => { all.onsuccess = resolve; });
        found.push(...all.result);
    }
    opened.result.close();
    return found;
}"""
CACHED = """async () => {
    const paths = [];
    for (const name of await caches.keys())
        for (const { url } of await (await caches.open(name)).keys()) paths.push(new URL(url).pathname);
    return paths;
}"""


@pytest.fixture
def member(city_engine, site, open_context):
    """A phone that a member has signed in, who stands in the middle of the block watch."""
    with Session(city_engine) as session:
        middle = func.ST_PointOnSurface(BlockWatch.boundary)
        watch, lon, lat = session.execute(
            select(BlockWatch.id, func.ST_X(middle), func.ST_Y(middle)).order_by(BlockWatch.id)
        ).first()
        id = person(session, Role.MEMBER, block_watch_id=watch)
        token = sign_ins.begin(session, id, strong=False, browser="Test browser")
        session.commit()
    context = open_context(
        **DEVICES["phone"],
        geolocation={"latitude": lat, "longitude": lon, "accuracy": 5},
        permissions=["geolocation"],
    )
    context.witness.expect("ERR_INTERNET_DISCONNECTED")
    context.witness.expect("ERR_FAILED")  # the answer that is cut off below
    context.add_cookies([{"name": "porchlight", "value": token, "url": site}])
    return context, watch


def choose(page, *ids):
    for id in ids:
        page.locator(f'label[for="{id}"]').click()


def save(page):
    expect(page.locator("[data-locate-status]")).to_contain_text("Position found")
    page.get_by_role("button", name="Save this stop").click()
    expect(page.locator("[data-state]")).to_contain_text("The stop is kept on this phone.")


def test_a_walk_goes_on_without_a_connection_and_each_stop_arrives_once(member, city_engine):
    context, watch = member
    page = context.new_page()
    page.goto(f"/watches/{watch}/walks")
    page.get_by_label("Where you walk").fill("Woodland Ave")
    page.get_by_role("button", name="Begin a walk").click()
    page.get_by_role("link", name="Walk: next stop").click()
    expect(page.locator(".walk")).to_have_attribute("data-kept", "")
    walk = int(page.url.rpartition("/")[2])
    choose(page, "lighting-out", "report_lighting")
    check(page)

    # Without a connection, over the end of the page: three stops.
    context.set_offline(True)
    save(page)
    choose(page, "dumping-dumped")
    save(page)
    page.close()
    page = context.new_page()
    page.goto("/walk/")
    expect(page.get_by_text("2 stops wait on this phone.")).to_be_visible()
    page.get_by_role("link", name=f"Walk {walk}").click()
    expect(page.locator("[data-state]")).to_contain_text("No connection.")
    page.get_by_role("button", name="Use my position").click()
    choose(page, "overgrowth-overgrown", "signs-graffiti")
    page.get_by_label("What should members").fill("Ask Juan Perez")
    page.wait_for_timeout(500)
    page.reload()  # as phones do to a page in the background
    expect(page.locator("[data-locate-status]")).to_have_text("The place of this stop is kept.")
    expect(page.get_by_label("What should members")).to_have_value("Ask Juan Perez")
    page.get_by_role("button", name="Use my position").click()
    page.get_by_role("button", name="Everything else is fine here").click()
    save(page)
    expect(page.locator("[data-outbox-title]")).to_have_text("3 stops wait on this phone.")
    page.locator("[data-outbox-title]").click()
    kept = page.evaluate(KEPT)
    assert {*kept[0]} == {"key", "walk", "body", "tried", "faults"}
    assert {*kept[0]["body"]} == {"answers", "reports", "note", "seen_at", "lat", "lon"}
    assert len({stop["key"] for stop in kept}) == 3

    # The first answer is cut off after the site has stored the stop.
    cut = []

    def cut_off(route):
        if cut:
            route.continue_()
            return
        cut.append(route.fetch().status)
        route.abort()

    context.route(re.compile(f"/walk/{walk}/stops$"), cut_off)
    context.set_offline(False)
    expect(page.get_by_text("Sending was cut off.")).to_be_visible()
    assert cut == [201]
    context.witness.expect("status of 422")  # the note names a person
    page.get_by_role("button", name="Send now").click()
    expect(page.get_by_text("This looks like a person's name.")).to_be_visible()
    expect(page.locator("[data-state]")).to_contain_text("2 stops were sent.")
    check(page)
    page.get_by_role("button", name="Leave these words out").click()
    expect(page.locator("[data-outbox]")).to_be_hidden()
    expect(page.locator("[data-state]")).to_contain_text("1 stop was sent.")
    with Session(city_engine) as session:
        sent = session.scalars(select(WalkStop.key).where(WalkStop.walk_id == walk)).all()
        assert sorted(sent) == sorted(stop["key"] for stop in kept)
        asked = "SELECT count(*) FROM walk_answer WHERE report_id IS NOT NULL OR report_text > ''"
        assert session.scalar(text(asked)) == 1
        about = Report.description.startswith("Seen on a block walk")
        assert session.scalar(select(func.count()).select_from(Report).where(about)) <= 1
    assert page.evaluate(KEPT) == []
    paths = page.evaluate(CACHED)
    assert {path for path in paths if not path.startswith("/static/")} == {
        "/walk/",
        f"/walk/{walk}",
    }

    page.locator(".site-name").click()
    expect(page.locator(".place-number").first).to_be_visible()
    expect(page.get_by_role("row", name="Light is out 1")).to_be_visible()
    check(page)
    page.locator(".site-menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert page.evaluate(CACHED) == []


def test_a_stop_waits_until_somebody_has_signed_in_again_and_can_be_wiped(
    member, city_engine, site
):
    context, watch = member
    context.witness.expect("status of 401")
    page = context.new_page()
    page.goto(f"/watches/{watch}/walks")
    page.get_by_label("Where you walk").fill("Woodland Ave")
    page.get_by_role("button", name="Begin a walk").click()
    page.get_by_role("link", name="Walk: next stop").click()
    expect(page.locator(".walk")).to_have_attribute("data-kept", "")
    cookies = [one for one in context.cookies() if one["name"] == "porchlight"]
    context.clear_cookies(name="porchlight")
    choose(page, "lighting-works")
    save(page)
    expect(page.get_by_role("link", name="Sign in and send")).to_be_visible()
    expect(page.locator("[data-outbox-title]")).to_have_text("1 stop waits on this phone.")
    context.add_cookies(cookies)
    page.reload()
    expect(page.locator("[data-state]")).to_contain_text("1 stop was sent.")
    assert page.evaluate(KEPT) == []

    context.set_offline(True)
    choose(page, "lighting-works")
    save(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("[data-outbox-title]").click()
    page.locator("[data-outbox]").get_by_role("button", name="Wipe this phone").click()
    expect(page.locator("[data-state]")).to_contain_text("This phone keeps nothing")
    assert page.evaluate(KEPT) == []
    assert page.evaluate(CACHED) == []
    assert (
        page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0
    )
