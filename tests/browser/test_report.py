"""Reporting a problem, in a real browser."""

import json
import re
import uuid

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.city_map import CityMap
from tests.browser.conftest import violations
from tests.server.test_photos import picture, written

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
PHOTO = {"name": "lamp.png", "mimeType": "image/png", "buffer": written(picture(900, 600), "PNG")}
ARRIVED = "Thank you. Your report has arrived."


class Form:
    """The form as somebody fills it in."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.address = page.get_by_label(
            re.compile("^Address, corner or landmark|^Where it begins: address")
        )
        self.description = page.get_by_label("What should the city know?")
        self.choices = page.get_by_role("group", name="Did you mean").get_by_role("radio")
        self.end = page.get_by_label("Where it ends: address, corner or landmark")
        self.map = page.locator("[data-pick-map] .folium-map")
        self.drawn = page.locator("#drawn")
        self.undo = page.get_by_role("button", name="Undo last point")
        self.restart = page.get_by_role("button", name="Start over")
        self.problems = page.get_by_role("alert")

    def open(self) -> "Form":
        self.page.goto("/report")
        return self

    def choose(self, kind: str, category: str) -> "Form":
        self.pick(self.page.get_by_role("radio", name=re.compile(f"^{kind}")))
        self.pick(self.page.get_by_role("radio", name=category, exact=True))
        return self

    def pick(self, radio: Locator) -> None:
        """Choose as a finger does: the whole card around a radio button is its label."""
        self.page.locator(f'label[for="{radio.get_attribute("id")}"]').click()
        expect(radio).to_be_checked()

    def shape(self, name: str) -> "Form":
        """Say that it is more than a spot."""
        if not self.page.get_by_role("group", name="How large is it?").is_visible():
            self.page.get_by_text("More than a spot?").click()
        self.pick(self.page.get_by_role("radio", name=name))
        return self

    def tap(self, *places: tuple[int, int]) -> None:
        """Tap the map at pixels of it, once it stands still."""
        for x, y in places:
            self.map.scroll_into_view_if_needed()
            expect(self.map.locator(".leaflet-zoom-anim")).to_have_count(0)
            self.map.tap(position={"x": x, "y": y})

    def corners(self) -> list[list[float]]:
        """Give longitude and latitude of the corners that the form would send."""
        geometry = json.loads(self.drawn.input_value())
        positions = geometry["coordinates"]
        return positions if geometry["type"] == "LineString" else positions[0][:-1]

    def send(self) -> None:
        self.page.get_by_role("button", name="Send report").click()

    def insist(self) -> int:
        """Say that it is new if that is asked (other tests report things, too); give its number."""
        heading = self.page.get_by_role("heading", level=1)
        expect(heading).not_to_have_text("Report a problem")
        if heading.inner_text() == "Is it one of these?":
            self.page.get_by_role("button", name="No, mine is new: send it").click()
        return arrived(self.page)


def arrived(page: Page) -> int:
    """Wait for the page of the report that was sent and give its number."""
    page.wait_for_url(re.compile(r"/reports/\d+\?new=1$"))
    expect(page.get_by_role("status").first).to_contain_text(ARRIVED)
    return int(re.search(r"/reports/(\d+)", page.url)[1])


def position(page: Page, id: int) -> tuple[float, float]:
    """Give latitude and longitude of a report, as everybody may read them."""
    longitude, latitude = page.request.get(f"/api/reports/{id}").json()["geometry"]["coordinates"]
    return latitude, longitude


def file_report(page: Page, category: str, address: str) -> int:
    sent = page.request.post(
        "/api/reports",
        data={"category": category, "address": address},
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert sent.status == 201, sent.text()
    return sent.json()["id"]


@pytest.fixture
def form(phone: Page) -> Form:
    return Form(phone).open()


@pytest.fixture
def plain(open_context) -> Form:
    """The form in a phone without JavaScript."""
    return Form(open_context(**PHONE, java_script_enabled=False).new_page()).open()


def test_emergency_comes_first(form):
    expect(form.page.get_by_role("note").filter(has_text="Call 911").first).to_be_in_viewport()


def test_a_tap_on_the_map_makes_a_report_that_is_on_the_map(form):
    page = form.page
    form.choose("Lighting", "Light is on all day")
    form.map.scroll_into_view_if_needed()
    form.map.tap(position={"x": 150, "y": 120})
    expect(form.map).to_contain_text("Place chosen.")
    expect(form.address).not_to_have_value("")  # the place has a name that one can read back
    tapped = tuple(float(page.locator(f"#{name}").input_value()) for name in ("lat", "lon"))
    form.send()
    id = arrived(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Light is on all day")
    expect(page.locator(".report-status")).to_contain_text("Received")
    assert position(page, id) == pytest.approx(tapped, abs=1e-6)
    page.get_by_role("link", name="See it on the map").click()
    city_map = CityMap(page).settle()
    city_map.wait_for_ink("reports", spot=city_map.spot(*tapped))
    expect(page.locator(f'[data-feature="reports/{id}"]')).to_be_attached()


def test_the_phones_position_is_taken(open_context):
    here = (39.0301, -94.5733)
    context = open_context(
        **PHONE,
        geolocation={"latitude": here[0], "longitude": here[1]},
        permissions=["geolocation"],
    )
    form = Form(context.new_page()).open()
    form.choose("Cleanup", "Sign missing or damaged")
    form.page.get_by_role("button", name="Use my position").tap()
    expect(form.map).to_contain_text("Place chosen.")
    form.send()
    assert position(form.page, arrived(form.page)) == pytest.approx(here, abs=1e-6)


def test_a_phone_that_keeps_its_position_to_itself_is_told_what_else_to_do(form):
    form.page.get_by_role("button", name="Use my position").tap()
    expect(form.page.get_by_text("Your position is not to be had.")).to_be_visible()


def test_an_address_is_suggested_while_it_is_typed(form):
    form.choose("Problem spots", "Blind corner or hidden path")
    form.address.press_sequentially("3901 wabsh")
    suggested = form.page.get_by_role("listbox", name="Places found").get_by_role("option")
    expect(suggested.first).to_contain_text("Wabash Ave")
    label = suggested.first.locator("span").inner_text()
    suggested.first.tap()
    expect(form.address).to_have_value(label)
    expect(form.map).to_contain_text("Place chosen.")
    form.send()
    id = arrived(form.page)
    found = form.page.request.get("/api/places", params={"q": label}).json()["places"][0]
    assert position(form.page, id) == pytest.approx((found["lat"], found["lon"]), abs=1e-5)


def test_a_place_is_chosen_by_keyboard_alone(desktop):
    form = Form(desktop).open()
    page = form.page
    page.get_by_role("radio", name=re.compile("^Cleanup")).focus()
    page.keyboard.press("Space")
    page.get_by_role("radio", name="Graffiti", exact=True).focus()
    page.keyboard.press("Space")
    form.map.focus()
    page.keyboard.press("+")
    page.keyboard.press("Enter")
    expect(form.map).to_contain_text("Place chosen.")
    page.get_by_role("button", name="Send report").focus()
    page.keyboard.press("Enter")
    arrived(page)


class TestDrawing:
    """A stretch of street, or a lot."""

    def test_a_stretch_is_drawn_by_taps(self, form):
        page = form.page
        form.choose("Lighting", "Trees block the light").shape("A stretch of street")
        expect(form.map).to_contain_text("Tap the map where the stretch begins")
        expect(form.undo).to_be_disabled()
        form.tap((150, 150))
        expect(form.map).to_contain_text("1 point set.")
        form.tap((210, 155), (215, 230))
        expect(form.map).to_contain_text("3 points set.")
        expect(form.map.locator("path.drawn")).to_have_count(1)
        # The ends have names that one can read back.
        expect(form.address).not_to_have_value("")
        expect(form.end).not_to_have_value("")
        drawn = form.corners()
        form.send()
        id = form.insist()
        shown = page.request.get(f"/api/reports/{id}").json()["geometry"]
        assert shown == {"type": "LineString", "coordinates": drawn}
        page.get_by_role("link", name="See it on the map").click()
        city_map = CityMap(page).settle()
        (west, south), (east, north) = drawn[:2]
        beside = city_map.spot((south + north) / 2, (west + east) / 2)
        city_map.wait_for_ink("reports", tint="lighting", spot=beside)

    def test_a_lot_is_drawn_by_its_corners(self, form):
        form.choose("Lighting", "A light is needed here").shape("A lot or area")
        form.tap((120, 120), (200, 120))
        expect(form.map).to_contain_text("A lot needs three at least.")
        form.tap((200, 200), (120, 200))
        expect(form.map).to_contain_text("4 points set.")
        expect(form.map.locator("path.drawn-area")).to_have_count(1)
        drawn = form.corners()
        form.send()
        shown = form.page.request.get(f"/api/reports/{form.insist()}").json()["geometry"]
        assert shown == {"type": "Polygon", "coordinates": [[*drawn, drawn[0]]]}

    def test_points_are_taken_back_one_by_one_or_all_at_once(self, form):
        form.shape("A stretch of street")
        form.tap((120, 120), (200, 120), (200, 200))
        first_two = form.corners()[:2]
        form.undo.tap()
        assert form.corners() == first_two
        expect(form.end).not_to_have_value("")
        form.restart.tap()
        for field in (form.address, form.end):
            expect(field).to_have_value("")
        expect(form.drawn).to_have_value("")
        expect(form.map).to_contain_text("Tap the map where the stretch begins")
        expect(form.restart).to_be_disabled()
        expect(form.map).to_be_focused()

    def test_a_point_can_be_dragged(self, desktop):
        form = Form(desktop).open().shape("A stretch of street")
        for x in (200, 300):
            form.map.click(position={"x": x, "y": 150})
            expect(form.map.locator(".leaflet-zoom-anim")).to_have_count(0)
        first, second = form.corners()
        handle = form.map.locator(".drawn-corner").last
        box = handle.bounding_box()
        desktop.mouse.move(box["x"] + 13, box["y"] + 13)
        desktop.mouse.down()
        desktop.mouse.move(box["x"] + 13, box["y"] + 73, steps=5)
        desktop.mouse.up()
        kept, moved = form.corners()
        assert kept == first
        assert moved[0] == pytest.approx(second[0], abs=1e-4)
        assert moved[1] < second[1]

    def test_by_keyboard_alone(self, desktop):
        form = Form(desktop).open()
        page = desktop
        page.get_by_role("radio", name=re.compile("^Lighting")).focus()
        page.keyboard.press("Space")
        page.get_by_role("radio", name="Trees block the light", exact=True).focus()
        page.keyboard.press("Space")
        page.get_by_text("More than a spot?").focus()
        page.keyboard.press("Enter")
        page.get_by_role("radio", name="A spot").focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("radio", name="A stretch of street")).to_be_checked()
        form.map.focus()
        for _ in range(4):
            page.keyboard.press("+")
            expect(form.map.locator(".leaflet-zoom-anim")).to_have_count(0)
        page.keyboard.press("Enter")
        expect(form.map).to_contain_text("1 point set.")
        page.keyboard.press("ArrowRight")
        expect(form.map.locator(".leaflet-pan-anim")).to_have_count(0)
        page.keyboard.press("Space")
        expect(form.map).to_contain_text("2 points set.")
        form.undo.focus()
        page.keyboard.press("Enter")
        expect(form.map).to_contain_text("1 point set.")
        form.map.focus()
        page.keyboard.press("Enter")
        (west, south), (east, north) = form.corners()
        assert west < east
        assert south == pytest.approx(north, abs=1e-4)
        page.get_by_role("button", name="Send report").focus()
        page.keyboard.press("Enter")
        shown = page.request.get(f"/api/reports/{form.insist()}").json()["geometry"]
        assert shown["type"] == "LineString"

    def test_a_fault_keeps_what_was_drawn(self, form):
        form.page.context.witness.expect("422")
        form.choose("Cleanup", "Neglected vacant lot").shape("A lot or area")
        form.tap((120, 120), (200, 120), (120, 200), (200, 200))
        drawn = form.corners()
        form.send()
        expect(form.problems.first).to_contain_text("crosses itself")
        expect(form.page.get_by_role("radio", name="A lot or area")).to_be_checked()
        expect(form.map.locator("path.drawn-area")).to_have_count(1)
        expect(form.map.locator(".drawn-corner")).to_have_count(4)
        assert form.corners() == drawn
        form.problems.get_by_role("link", name=re.compile("crosses itself")).tap()
        expect(form.map).to_be_in_viewport()
        form.undo.tap()
        expect(form.map.locator(".drawn-corner")).to_have_count(3)
        form.send()
        expect(form.page.get_by_role("heading", level=1)).not_to_have_text("Report a problem")

    def test_what_is_typed_after_drawing_counts(self, form):
        form.choose("Lighting", "Trees block the light").shape("A stretch of street")
        form.tap((120, 120), (200, 120))
        expect(form.end).not_to_have_value("")
        form.end.fill("3100 Prospect Ave")
        form.description.focus()
        expect(form.map).to_contain_text("The drawing is gone")
        expect(form.drawn).to_have_value("")
        form.address.fill("2900 Prospect Ave")
        form.send()
        form.insist()
        expect(form.page.locator(".report-place")).to_have_text(
            "2900 Prospect Ave - 3100 Prospect Ave"
        )

    def test_who_reports_a_spot_meets_none_of_it(self, form):
        form.tap((150, 150))
        expect(form.map).to_contain_text("Place chosen.")
        for other in (form.end, form.undo, form.page.get_by_role("radio", name="A spot")):
            expect(other).to_be_hidden()
        form.shape("A stretch of street").shape("A spot")
        expect(form.map).to_contain_text("Place chosen.")
        expect(form.map.locator(".place-pin")).to_be_visible()


class TestWithoutJavaScript:
    def test_a_stretch_is_typed_by_its_ends_and_asked_back_for_both(self, plain):
        plain.page.context.witness.expect("422")
        plain.choose("Lighting", "A light is needed here").shape("A stretch of street")
        plain.address.fill("Benton Blvd")
        plain.end.fill("Prospect Ave")
        plain.send()
        expect(plain.problems).to_contain_text("Please check 2 things")
        expect(plain.page.get_by_role("radio", name="A stretch of street")).to_be_checked()
        ends = plain.page.get_by_role("group", name="For the other end, did you mean")
        plain.pick(plain.choices.first)
        plain.pick(ends.get_by_role("radio").first)
        plain.send()
        id = plain.insist()
        shown = plain.page.request.get(f"/api/reports/{id}").json()["geometry"]
        assert shown["type"] == "LineString"
        assert len(shown["coordinates"]) == 2

    def test_a_street_is_asked_back_and_a_place_chosen(self, plain):
        plain.page.context.witness.expect("422")
        plain.choose("Cleanup", "Abandoned vehicle")
        plain.address.fill("Benton Blvd")
        plain.description.fill("A blue van without wheels.")
        plain.send()
        expect(plain.problems).to_contain_text("Please check one thing")
        expect(plain.page.get_by_role("radio", name="Abandoned vehicle")).to_be_checked()
        expect(plain.description).to_have_value("A blue van without wheels.")
        expect(plain.choices.first).to_be_visible()
        plain.pick(plain.choices.first)
        plain.send()
        arrived(plain.page)
        expect(plain.page.get_by_role("heading", level=1)).to_have_text("Abandoned vehicle")

    def test_what_is_known_is_offered_and_joined(self, plain):
        known = file_report(plain.page, "light_day_burner", "2700 Prospect Ave")
        plain.choose("Lighting", "Light is on all day")
        plain.address.fill("2700 Prospect Ave")
        plain.send()
        expect(plain.page.get_by_role("heading", level=1)).to_have_text("Is it one of these?")
        expect(plain.page.locator(".report-entry").first).to_contain_text("2700 Prospect Ave")
        plain.page.get_by_role("button", name="This is it, and it affects me, too").first.click()
        plain.page.wait_for_url(re.compile(rf"/reports/{known}\?supported=1"))
        expect(plain.page.locator("#support")).to_contain_text("1 neighbour says")

    def test_what_is_new_is_sent_although_something_like_it_is_near(self, plain):
        known = file_report(plain.page, "light_day_burner", "2900 Prospect Ave")
        plain.choose("Lighting", "Light is on all day")
        plain.address.fill("2900 Prospect Ave")
        plain.send()
        plain.page.get_by_role("button", name="No, mine is new: send it").click()
        assert arrived(plain.page) != known

    def test_one_can_go_back_to_the_form_and_finds_it_as_it_was(self, plain):
        file_report(plain.page, "light_day_burner", "3100 Prospect Ave")
        plain.choose("Lighting", "Light is on all day")
        plain.address.fill("3100 Prospect Ave")
        plain.description.fill("The one before the church.")
        plain.send()
        plain.page.get_by_role("button", name="Back to the form").click()
        expect(plain.address).to_have_value("3100 Prospect Ave")
        expect(plain.description).to_have_value("The one before the church.")
        expect(plain.page.get_by_role("radio", name="Light is on all day")).to_be_checked()

    def test_a_double_click_sends_one_report(self, plain):
        plain.choose("Problem spots", "Blind corner or hidden path")
        plain.address.fill("2500 Prospect Ave")
        plain.page.get_by_role("button", name="Send report").dblclick()
        latitude, longitude = position(plain.page, arrived(plain.page))
        around = f"{longitude - 1e-5},{latitude - 1e-5},{longitude + 1e-5},{latitude + 1e-5}"
        found = plain.page.request.get(
            "/api/reports", params={"bbox": around, "category": "blind_corner"}
        ).json()
        assert len(found["features"]) == 1

    def test_filters_and_list_work(self, plain):
        page = plain.page
        page.goto("/")
        page.get_by_text("Lighting", exact=True).first.click()
        page.get_by_role("button", name="Show", exact=True).click()
        page.wait_for_url(re.compile("kind=lighting"))
        page.get_by_role("link", name="Show the list").click()
        entries = page.locator(".report-entry .report-meta")
        expect(entries).to_have_count(50)
        assert all(text.startswith("Lighting") for text in entries.all_inner_texts())


def test_a_neighbour_counts_once(form, open_context):
    id = file_report(form.page, "graffiti", "2700 Prospect Ave")
    for count in ("1 neighbour says", "2 neighbours say"):
        context: BrowserContext = open_context(**PHONE)
        page = context.new_page()
        for told in ("1", "known"):
            page.goto(f"/reports/{id}")
            page.get_by_role("button", name="Affects me too").click()
            page.wait_for_url(re.compile(f"supported={told}"))
            expect(page.locator("#support")).to_contain_text(count)


def test_an_error_keeps_all_that_was_typed(form):
    page = form.page
    page.context.witness.expect("422")
    form.choose("Cleanup", "Graffiti")
    form.address.fill("99999 Nowhere Lane")
    form.pick(page.get_by_role("radio", name="On another day"))
    page.get_by_label("Day", exact=True).fill("2026-05-20")
    form.description.fill("On the wall, twice as high as I am.")
    page.get_by_text("Leave an e-mail address or a phone number").click()
    page.get_by_label("E-mail address").fill("ann at example")
    form.send()
    expect(form.problems.first).to_be_focused()
    expect(form.problems.first).to_contain_text("Please check 2 things")
    expect(form.problems.first).to_contain_text("99999 Nowhere Lane")
    expect(page.get_by_role("radio", name="Graffiti", exact=True)).to_be_checked()
    expect(form.address).to_have_value("99999 Nowhere Lane")
    expect(page.get_by_label("Day", exact=True)).to_have_value("2026-05-20")
    expect(form.description).to_have_value("On the wall, twice as high as I am.")
    expect(page.get_by_label("E-mail address")).to_have_value("ann at example")
    expect(page.get_by_label("E-mail address")).to_be_visible()
    # Each thing that is wrong is told again at its field, and a link leads there.
    expect(form.address).to_have_attribute("aria-invalid", "true")
    form.problems.get_by_role("link", name=re.compile("no e-mail address")).click()
    expect(page.get_by_label("E-mail address")).to_be_focused()


def test_a_swapped_coordinate_is_offered_back(form):
    form.page.context.witness.expect("422")
    form.choose("Cleanup", "Graffiti")
    form.address.fill("-94.5851, 39.0622")
    form.send()
    expect(form.problems.first).to_contain_text("seem to be swapped")
    expect(form.choices).to_have_count(1)
    form.pick(form.choices.first)
    form.send()
    assert position(form.page, arrived(form.page)) == (39.0622, -94.5851)


def test_a_place_outside_the_city_is_refused_by_name(form):
    form.page.context.witness.expect("422")
    form.choose("Cleanup", "Graffiti")
    form.address.fill("39.30, -94.90")
    form.send()
    expect(form.problems.first).to_contain_text("outside Kansas City")


def test_markup_is_shown_as_text(form):
    markup = "</textarea><img src=x onerror=alert(1)><b>bold</b>"
    form.page.context.witness.expect("422")
    form.choose("Cleanup", "Graffiti")
    form.address.fill(markup)
    form.description.fill(markup)
    form.send()
    expect(form.problems.first).to_contain_text(markup)
    expect(form.address).to_have_value(markup)
    expect(form.description).to_have_value(markup)
    expect(form.page.locator("main b, main img[src=x]")).to_have_count(0)


def test_wires_that_are_down_are_no_matter_for_a_form(form):
    page = form.page
    numbers = page.get_by_role("link", name="Call 911")
    form.choose("Lighting", "Pole or wires are damaged")
    expect(numbers).to_be_hidden()
    form.pick(page.get_by_role("radio", name="Wires hang down or lie on the ground"))
    expect(numbers).to_be_visible()
    form.address.fill("27th and Monroe")
    form.send()
    expect(page.get_by_role("heading", level=1)).to_have_text("Stop: call first")
    assert violations(page) == []
    page.get_by_role("button", name="I have called: send the report").click()
    form.insist()


def test_the_light_that_is_out_is_picked_by_its_number_on_the_map(form):
    page = form.page
    form.choose("Lighting", "Street light is out")
    form.address.fill("27th and Monroe")
    page.get_by_role("option").first.tap()
    lights = page.get_by_role("group", name="Which light is it?").get_by_role("radio")
    expect(lights.first).to_be_checked()
    others = form.map.locator(".light-number:not(.is-chosen, .is-dot)")
    expect(others.first).to_be_attached()
    chosen = others.last.inner_text()
    others.last.locator("span").tap()
    expect(page.get_by_role("radio", name=re.compile(f"^{chosen}"))).to_be_checked()
    expect(form.map.locator(".light-number.is-chosen")).to_have_text(chosen)
    assert violations(page, "dark") == []
    form.send()
    form.insist()
    expect(page.get_by_role("main")).to_contain_text(f"Light {chosen}: Reported")


def test_the_browsers_back_brings_the_place_and_the_light_again(form):
    page = form.page
    form.choose("Lighting", "Street light is out")
    form.address.fill("27th and Monroe")
    page.get_by_role("option").first.tap()
    lights = page.get_by_role("group", name="Which light is it?").get_by_role("radio")
    form.pick(lights.nth(1))
    place, light = form.address.input_value(), lights.nth(1).get_attribute("value")
    form.description.fill("Dark since Friday.")
    form.send()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Report a problem")
    page.go_back()
    expect(form.address).to_have_value(place)
    expect(page.locator(f"#street_light-{light}")).to_be_checked()
    expect(form.description).to_have_value("Dark since Friday.")
    expect(form.map.locator(".place-pin")).to_be_visible()


ROW = """(map, n) => {
    const [lat, lon] = ["lat", "lon"].map((name) => Number(document.getElementById(name).value));
    const light = (_, index) => ({
        lat: lat + 0.0002 * (index - n / 2),
        lon,
        number: `LONG${index}`,
        chosen: index === 3,
        choose: () => { document.title = `LONG${index}`; },
    });
    const detail = Array.from({ length: n }, light);
    map.dispatchEvent(new CustomEvent("porchlight:lights", { detail }));
}"""
RECTS = "all => all.map(one => one.getBoundingClientRect())"


def test_of_lights_in_a_row_those_numbers_show_that_fit_and_all_can_be_pressed(form):
    form.choose("Cleanup", "Abandoned vehicle")  # whose lights nobody asks for meanwhile
    form.address.fill("27th and Monroe")
    form.page.get_by_role("option").first.tap()
    expect(form.map.locator(".leaflet-zoom-anim")).to_have_count(0)
    form.map.evaluate(ROW, 12)
    numbers = form.map.locator(".light-number:not(.is-dot) span")
    dots = form.map.locator(".light-number.is-dot")
    boxes = numbers.evaluate_all(RECTS)
    assert 1 < len(boxes) < 12
    assert len(boxes) + dots.count() == 12
    for n, one in enumerate(boxes):
        for other in boxes[:n]:
            beside = one["left"] >= other["right"] or other["left"] >= one["right"]
            assert beside or one["top"] >= other["bottom"] or other["top"] >= one["bottom"]
    expect(form.map.locator(".light-number.is-chosen span")).to_be_visible()
    form.map.scroll_into_view_if_needed()
    dot = dots.first
    at = dot.evaluate("one => one.getBoundingClientRect()")
    form.page.touchscreen.tap(at["left"] + 5, at["top"] + 5)
    expect(form.page).to_have_title(dot.text_content())
    before = dots.count()
    form.map.get_by_role("button", name="Zoom in").tap()
    expect(form.map.locator(".leaflet-zoom-anim")).to_have_count(0)
    assert dots.count() < before


def in_other_language(page: Page, name: str, heading: str) -> None:
    page.get_by_role("button", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def test_what_was_typed_comes_along_into_the_other_language_and_back(form):
    page = form.page
    form.choose("Lighting", "Street light is out")
    form.address.fill("27th and Monroe")
    page.get_by_role("option").first.tap()
    lights = page.get_by_role("group", name="Which light is it?").get_by_role("radio")
    form.pick(lights.nth(1))
    place, light = form.address.input_value(), lights.nth(1).get_attribute("value")
    form.description.fill("Dark since Friday.")
    page.locator("#photo-files").set_input_files(PHOTO)
    expect(page.locator("#photos .photo-list img")).to_have_count(1)
    page.get_by_text("Leave an e-mail address").click()
    page.get_by_label("E-mail address").fill("ana@example.org")
    for language, heading in (
        ("Español", "Reportar un problema"),
        ("English", "Report a problem"),
    ):
        in_other_language(page, language, heading)
        expect(page.locator("#category-light_out")).to_be_checked()
        expect(page.locator("#address")).to_have_value(place)
        expect(form.map.locator(".place-pin")).to_be_visible()
        expect(page.locator(f"#street_light-{light}")).to_be_checked()
        expect(page.locator("#description")).to_have_value("Dark since Friday.")
        expect(page.locator("#email")).to_have_value("ana@example.org")
        expect(page.locator("#photos .photo-list img")).to_have_count(1)
        expect(form.problems).to_have_count(0)
    form.shape("A stretch of street")
    form.tap((120, 120), (200, 120))
    drawn = form.corners()
    in_other_language(page, "Español", "Reportar un problema")
    assert form.corners() == drawn
    expect(form.map.locator(".drawn-corner")).to_have_count(2)
    in_other_language(page, "English", "Report a problem")
    assert form.corners() == drawn
    # Enter sends, as before, and is no language.
    page.locator("#email").press("Enter")
    form.insist()


def test_what_was_typed_comes_along_without_javascript_and_past_a_danger(plain):
    page = plain.page
    plain.choose("Lighting", "Pole or wires are damaged")
    plain.pick(page.get_by_role("radio", name="Wires hang down"))
    plain.address.fill("3611 E 27th St")
    plain.description.fill("The wires are down.")
    in_other_language(page, "Español", "Reportar un problema")
    expect(page.locator("#address")).to_have_value("3611 E 27th St")
    page.locator("#send").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alto: llame primero")
    in_other_language(page, "English", "Stop: call first")
    page.get_by_role("button", name="Back to the form").click()
    expect(page.locator("#danger-wires")).to_be_checked()
    expect(plain.description).to_have_value("The wires are down.")


def test_lights_that_cannot_be_loaded_are_told_and_none_of_another_place_is_chosen(form):
    page = form.page
    page.context.witness.expect("ERR_FAILED")
    page.context.witness.expect("htmx:")
    form.choose("Lighting", "Street light is out")
    form.address.fill("27th and Monroe")
    page.get_by_role("option").first.tap()
    lights = page.get_by_role("group", name="Which light is it?").get_by_role("radio")
    form.pick(lights.nth(1))
    page.route("**/report/lights", lambda route: route.abort())
    form.tap((60, 330))
    expect(form.problems).to_contain_text("The street lights could not be loaded.")
    expect(lights).to_have_count(0)
    expect(form.map.locator(".light-number")).to_have_count(0)
    page.unroute("**/report/lights")
    page.get_by_role("button", name="Find the street lights near this place").click()
    expect(page.locator("#lights")).not_to_contain_text("could not be loaded")


def test_without_javascript_lights_are_found_by_an_address(plain):
    plain.choose("Lighting", "Street light is out")
    plain.address.fill("3611 E 27th St")
    plain.page.get_by_role("button", name="Find the street lights near this place").click()
    lights = plain.page.get_by_role("group", name="Which light is it?").get_by_role("radio")
    expect(lights.first).to_be_checked()
    plain.choose("Lighting", "Whole block is dark")
    plain.page.get_by_role("button", name="Find the street lights near this place").click()
    expect(plain.page.get_by_text("Your report marks")).to_be_visible()
