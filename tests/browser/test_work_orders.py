"""A crew's day on a phone that loses its connection, and what the desk sees of it."""

import re
from datetime import datetime
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from playwright.sync_api import expect
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from data import database
from data.models import Crew, Depot, Need, WorkOrder, WorkOrderEvent
from data.queries import sign_ins, work_orders
from data.queries.work import Worker
from data.queries.work_orders import Stop, Wanted
from geo.kinds import Kind
from geo.roles import Grant, Role
from geo.work_orders import Outcome, Party, State
from tests.browser.test_block_watches import check
from tests.browser.test_pages import DEVICES
from tests.browser.test_walks import CACHED
from tests.people import person

WAITING = """async () => {
    const opened = indexedDB.open("porchlight-crew");
    await new Promise((resolve) => { opened.onsuccess = resolve; });
    const all = opened.result.transaction("marks").objectStore("marks").getAll();
    await new Promise((resolve) => { all.onsuccess = resolve; });
    opened.result.close();
    return all.result.map(({ key, body, photo }) => ({ key, body, photo: photo && photo.size }));
}"""


@pytest.fixture
def route(city_engine):
    """Four stops of a crew, issued for today, and whoever works on them."""
    day = datetime.now(ZoneInfo("America/Chicago")).date()
    with Session(city_engine) as session:
        admin = person(session, Role.ADMINISTRATOR)
        database.name_visitor(session, admin, strong=True)
        yard = session.scalar(
            insert(Depot)
            .values(name="Browser yard", geom="SRID=4326;POINT(-94.56 39.06)")
            .returning(Depot.id)
        )
        crew = session.scalar(
            insert(Crew)
            .values(name="Browser crew", depot_id=yard, kind=Kind.LIGHTING)
            .returning(Crew.id)
        )
        held = select(WorkOrder.need_id)
        needs = session.scalars(
            select(Need.id)
            .where(Need.closed_at.is_(None), Need.kind == Kind.LIGHTING, Need.id.not_in(held))
            .where(Need.category_code == "light_out")
            .order_by(Need.id)
            .limit(4)
        ).all()
        stops = [Stop(need, crew, day, number) for number, need in enumerate(needs, 1)]
        made = work_orders.draft(session, admin, None, stops).made
        worker = Worker(admin, (Grant(Role.ADMINISTRATOR),))
        for id in made.values():
            work_orders.step(session, worker, id, Wanted(State.ISSUED), version=1)
        token = sign_ins.begin(session, admin, strong=True, browser="Test browser")
        session.commit()
    return f"/crew/routes/{crew}/{day}", [made[need] for need in needs], worker, token


def picture():
    file = BytesIO()
    Image.new("RGB", (2400, 1200), "orange").save(file, "JPEG")
    return {"name": "lamp.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def test_marks_without_a_connection_arrive_once_and_conflicts_are_named(
    city_engine, site, open_context, route
):
    path, orders, worker, token = route
    context = open_context(**DEVICES["phone"])
    context.witness.expect("ERR_INTERNET_DISCONNECTED")
    context.witness.expect("ERR_FAILED")  # the answer that is cut off below
    context.add_cookies([{"name": "porchlight", "value": token, "url": site}])
    page = context.new_page()
    page.goto("/crew/")
    page.get_by_role("link", name="Browser crew").click()
    expect(page.locator(".crew")).to_have_attribute("data-kept", "")
    check(page)
    page.get_by_role("button", name="Begin the route").click()
    expect(page.locator("[data-state]")).to_contain_text("4 marks were sent.")
    stops = page.locator(".crew-stop")
    expect(stops.nth(3).get_by_text("In the field")).to_be_visible()

    # Without a connection, over the end of the page: three marks.
    context.set_offline(True)
    huge = {"name": "raw.heic", "mimeType": "image/heic", "buffer": bytes(10 * 1024 * 1024 + 1)}
    stops.nth(0).get_by_label("Photo, if you like").set_input_files(huge)
    stops.nth(0).get_by_role("button", name="Done: it is fixed").click()
    expect(page.locator("[data-state]")).to_contain_text("This photo is too large.")
    assert page.evaluate(WAITING) == []
    stops.nth(0).get_by_label("Photo, if you like").set_input_files(picture())
    stops.nth(0).get_by_label("Note for the desk").fill("New lamp")
    stops.nth(0).get_by_role("button", name="Done: it is fixed").click()
    expect(stops.nth(0).get_by_text("Done: it is fixed, New lamp, with a photo")).to_be_visible()
    expect(stops.nth(0).get_by_role("button", name="Done: it is fixed")).to_be_hidden()
    page.close()
    page = context.new_page()
    page.goto(path)
    stops = page.locator(".crew-stop")
    expect(page.locator("[data-outbox-title]")).to_have_text("1 mark waits on this phone.")
    stops.nth(1).get_by_text("Mark this stop").click()
    stops.nth(1).get_by_role("button", name="Cannot find it").click()
    expect(stops.nth(2).get_by_role("button", name="Done: it is fixed")).to_be_visible()
    stops.nth(1).get_by_role("button", name="Take it back").click()
    stops.nth(1).get_by_label("Parts that are missing").fill("Ballast")
    stops.nth(1).get_by_role("button", name="Needs parts").click()
    stops.nth(2).get_by_role("button", name="Cannot find it").click()
    expect(page.locator("[data-outbox-title]")).to_have_text("3 marks wait on this phone.")
    waiting = page.evaluate(WAITING)
    assert sorted(bool(one["photo"]) for one in waiting) == [False, False, True]

    # Meanwhile the desk hears of the third stop by phone, and of the first answer nothing is heard.
    with Session(city_engine) as session:
        database.name_visitor(session, worker.person_id, strong=True)
        fixed = Wanted(State.DONE, Outcome.FIXED)
        work_orders.step(session, worker, orders[2], fixed, by=Party.FIELD)
        session.commit()
    cut = []

    def cut_off(route):
        if cut:
            route.continue_()
            return
        cut.append(route.fetch().status)
        route.abort()

    context.route(re.compile("/crew/marks$"), cut_off)
    context.set_offline(False)
    expect(stops.nth(0).get_by_text("Sending was cut off.")).to_be_visible()
    assert cut == [201]
    page.get_by_role("button", name="Send now").click()
    expect(page.locator("[data-outbox]")).to_be_hidden()
    said = page.locator("[data-state]")
    expect(said).to_contain_text("3 marks were sent.")
    expect(said).to_contain_text("Your word is kept beside it, and the desk decides.")
    expect(stops.nth(0).locator(".crew-state")).to_contain_text("Done by the crew Fixed")
    expect(stops.nth(1).locator(".crew-state")).to_contain_text("Needs parts: Ballast")
    expect(stops.nth(2).locator(".crew-state")).to_contain_text("Done by the crew Fixed")
    check(page)
    assert page.evaluate(WAITING) == []
    with Session(city_engine) as session:
        for one in waiting:
            lines = select(func.count()).where(WorkOrderEvent.key == one["key"])
            assert session.scalar(lines) == 1
        photos = "SELECT count(*) FROM work_order_photo JOIN work_order_event AS event ON event.id = event_id WHERE work_order_id = :id"
        assert session.scalar(text(photos), {"id": orders[0]}) == 1

    # The desk, on the same phone: everybody's word, and what came late.
    page.goto(f"/desk/orders/{orders[2]}")
    expect(page.get_by_text("A crew's word came late.")).to_be_visible()
    check(page)
    page.goto(f"/desk/orders/{orders[0]}")
    page.get_by_role("img", name="Photo of the crew").scroll_into_view_if_needed()
    expect(page.get_by_role("img", name="Photo of the crew")).to_be_visible()
    page.get_by_role("button", name="Inspected: close it").click()
    expect(page.get_by_text("Your step is stored.")).to_be_visible()
    page.goto("/desk/orders")
    check(page)

    # Signed out elsewhere, as of a phone that is lost, it forgets the route once it hears of that.
    kept = {path for path in page.evaluate(CACHED) if path.startswith("/crew/")}
    assert kept == {"/crew/", path}
    cookies = context.cookies()
    context.clear_cookies()
    context.witness.expect("status of 401")
    page.goto("/crew/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in first")
    assert [path for path in page.evaluate(CACHED) if path.startswith("/crew/")] == []
    context.add_cookies(cookies)
    page.goto(path)
    expect(page.locator(".crew")).to_have_attribute("data-kept", "")
    page.goto("/desk/orders")
    page.locator(".site-menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert page.evaluate(CACHED) == []
