"""The map of the city, in a real browser."""

import itertools
import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.browser.city_map import MIDDLE, CityMap

LAYERS = {
    "street_lights": "Street lights",
    "block_watches": "Block watches",
    "service_locations": "Service locations",
    "neighbourhoods": "Neighbourhoods",
    "council_districts": "Council districts",
    "transit_stops": "Bus stops",
    "vacant_lots": "Vacant lots",
    "police_incidents": "Police incidents",
}


@pytest.fixture
def city_map(desktop: Page) -> CityMap:
    return CityMap(desktop)


def file_report(page: Page, at: tuple[float, float], category: str = "graffiti") -> int:
    """Report something from elsewhere, as another program does."""
    sent = page.request.post(
        "/api/reports",
        data={"category": category, "lat": at[0], "lon": at[1]},
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert sent.status == 201, sent.text()
    return sent.json()["id"]


def test_the_map_draws_the_city_and_lists_what_is_in_view(city_map):
    city_map.open()
    expect(city_map.page.locator(".leaflet-tile-loaded").first).to_be_visible()
    city_map.wait_for_ink("reports")
    city_map.wait_for_ink("block_watches")
    city_map.wait_for_ink("service_locations")
    expect(city_map.list.locator(".list-count").first).to_contain_text("reports in view")
    expect(city_map.entries).to_have_count(50)


def test_who_asks_for_less_motion_gets_none(city_map):
    moved = city_map.page.locator(".leaflet-proxy")  # what Leaflet moves while it zooms
    city_map.open()
    expect(moved).to_have_count(1)
    city_map.page.emulate_media(reduced_motion="reduce")
    city_map.open()
    expect(moved).to_have_count(0)


def test_a_count_leads_to_what_is_counted(city_map):
    city_map.open()
    zoom = city_map.view[2]
    cell = city_map.mark("reports", "cell")
    city_map.page.mouse.click(cell["x"], cell["y"])
    city_map.page.wait_for_url(re.compile(rf"zoom={zoom + 2}\b"))
    expect(city_map.popup).to_have_count(0)


def test_far_out_circles_count_and_near_by_each_report_has_its_mark(city_map):
    note = "A circle with a number counts"
    city_map.open()
    city_map.open_layers()
    city_map.wait_for_ink("reports", tint="cell")
    expect(city_map.legend("Reports")).to_contain_text(note)
    first = city_map.listed()[0]
    city_map.open((first.lat, first.lon))
    city_map.wait_for_ink("reports", spot=city_map.spot(first.lat, first.lon))
    assert city_map.ink("reports", tint="cell") == 0
    city_map.open_layers()
    expect(city_map.legend("Reports")).not_to_contain_text(note)


def test_what_the_map_tells_the_list_tells(city_map):
    # Dumping is reported at a point. A line in view may begin outside of it.
    city_map.open(MIDDLE, zoom=15, category="dumping")
    city_map.wait_for_ink("reports")
    listed = city_map.listed()
    assert listed
    stage = city_map.box(city_map.canvas)
    for entry in listed:
        spot = city_map.spot(entry.lat, entry.lon)
        assert stage["x"] <= spot["x"] <= stage["x"] + stage["width"], entry
        assert stage["y"] <= spot["y"] <= stage["y"] + stage["height"], entry
        assert city_map.ink("reports", spot=spot), f"{entry} is listed and not on the map"


def test_the_list_follows_the_map(city_map):
    city_map.open(MIDDLE, zoom=17)
    before = city_map.listed()
    city_map.search.fill("Linwood and Prospect")
    city_map.places.first.click()
    expect(city_map.page.locator(f'[data-feature="reports/{before[0].id}"]')).to_have_count(0)
    listed = city_map.listed()
    assert listed
    assert {entry.id for entry in listed}.isdisjoint(entry.id for entry in before)


def test_a_click_on_a_mark_tells_what_is_public_and_leads_to_the_report(city_map):
    city_map.open()
    entry = city_map.listed()[0]
    city_map.open((entry.lat, entry.lon), zoom=18)
    city_map.wait_for_ink("reports", spot=city_map.spot(entry.lat, entry.lon))
    city_map.click(entry.lat, entry.lon)
    expect(city_map.popup.get_by_role("heading")).to_have_text(entry.title)
    expect(city_map.popup).to_contain_text("Status")
    city_map.popup.get_by_role("link", name="See details").click()
    city_map.page.wait_for_url(re.compile(r"/reports/\d+$"))
    expect(city_map.page.get_by_role("heading", level=1)).to_have_text(entry.title)


def test_an_entry_of_the_list_shows_itself_on_the_map(city_map):
    city_map.open()
    entry = city_map.listed()[0]
    city_map.entries.first.get_by_role("button", name="Show on the map").click()
    expect(city_map.popup.get_by_role("heading")).to_have_text(entry.title)
    expect(city_map.popup.get_by_role("link", name="See details")).to_have_attribute(
        "href", re.compile(rf"/reports/{entry.id}$")
    )


@pytest.mark.parametrize(("name", "title"), LAYERS.items())
def test_a_layer_comes_and_goes_with_its_legend_and_stands_in_the_address(city_map, name, title):
    city_map.open(MIDDLE, zoom=14, layers="reports")
    assert city_map.ink(name) == 0
    expect(city_map.legend(title)).to_have_count(0)
    city_map.open_layers()
    city_map.layer(title).check()
    city_map.wait_for_ink(name)
    expect(city_map.legend(title).locator("li").first).to_be_visible()
    city_map.page.wait_for_url(re.compile(name))
    city_map.layer(title).uncheck()
    city_map.wait_for_ink(name, painted=False)
    expect(city_map.legend(title)).to_have_count(0)
    city_map.page.wait_for_url(lambda url: name not in url)


def test_a_filter_narrows_map_and_list_alike_and_stands_in_the_address(city_map):
    city_map.open()
    city_map.wait_for_ink("reports", tint="problem_spot")
    city_map.page.get_by_text("Lighting", exact=True).first.click()
    city_map.page.wait_for_url(re.compile("kind=lighting"))
    city_map.wait_for_ink("reports", tint="problem_spot", painted=False)
    city_map.wait_for_ink("reports", tint="lighting")
    expect(city_map.list.locator(".list-count").first).not_to_contain_text("Cleanup")
    assert all(entry.meta.startswith("Lighting") for entry in city_map.listed())


def test_an_area_and_days_narrow_the_list(city_map):
    city_map.open()
    city_map.page.get_by_text("Time and area").click()
    area = city_map.page.get_by_label("Area", exact=True)
    name = area.locator("optgroup").first.locator("option").nth(3).inner_text()
    area.select_option(label=name)
    expect(city_map.entries.first.locator(".report-meta")).to_contain_text(name)
    city_map.page.get_by_label("Reported from").fill("2025-06-01")
    city_map.page.get_by_label("Reported to").fill("2025-12-31")
    city_map.page.wait_for_url(re.compile("from=2025-06-01&to=2025-12-31&area=|to=2025-12-31"))
    expect(city_map.list).to_have_js_property("ariaBusy", None)
    times = city_map.entries.locator("time")
    expect(times.first).to_have_attribute("datetime", re.compile("^2025-|^2026-01-01"))
    assert all(name in entry.meta for entry in city_map.listed())
    days = [shown.get_attribute("datetime") for shown in times.all()]
    assert days
    assert min(days) >= "2025-06-01"
    assert max(days) < "2026-01-01T07"


def test_several_of_a_kind_are_chosen_alike_in_map_list_address_and_api(city_map):
    page = city_map.open(status="verified").page
    page.get_by_text("Status:").click()
    page.get_by_label("Done, says the city").check()
    page.wait_for_url(lambda url: "status=done&status=verified" in url)
    asked = "/api/reports?status=done&status=verified&limit=1"
    whole = page.request.get(f"/list?{asked.partition('?')[2].removesuffix('&limit=1')}").text()
    count = re.search(r"([\d,]+) reports in view", whole)[1]
    expect(city_map.list.locator(".list-count").first).to_contain_text(f"{count} reports in view")
    assert page.request.get(asked).status == 200
    page.reload()
    city_map.settle()
    expect(page.locator("summary").first).to_have_text(
        "Status: Done, says the city, Verified by neighbours"
    )
    expect(city_map.list.locator(".list-count").first).to_contain_text(f"{count} reports in view")
    with page.expect_request(lambda request: "/tiles/reports/" in request.url) as tile:
        page.get_by_role("button", name="Zoom in").click()
    assert "status=done&status=verified" in tile.value.url


def test_choosing_a_block_watch_leads_to_it_and_marks_its_outline(city_map):
    page = city_map.open().page
    outline = page.locator("path.outline")
    expect(outline).to_have_count(0)
    page.get_by_text("Time and area").click()
    watch = page.get_by_label("Block watch", exact=True)
    watch.select_option(index=2)
    id = watch.input_value()
    page.wait_for_url(lambda url: f"block_watch={id}" in url and "zoom=1" in url)
    expect(outline).to_be_in_viewport(ratio=1)
    west, south, east, north = page.request.get(f"/api/block_watches/{id}").json()["bbox"]
    city_map.wait_for_view(((south + north) / 2, (west + east) / 2))
    assert city_map.view[2] >= 15
    page.get_by_role("link", name="Clear filters").click()
    expect(outline).to_have_count(0)


def test_details_of_a_block_watch_lead_to_its_ground(city_map):
    page = city_map.page
    page.goto("/?block_watch=1")
    west, south, east, north = page.request.get("/api/block_watches/1").json()["bbox"]
    city_map.wait_for_view(((south + north) / 2, (west + east) / 2))
    expect(page.locator("path.outline")).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Zoom out").click()
    page.wait_for_timeout(500)
    shown = city_map.view
    page.goto(page.url)
    city_map.settle()
    assert city_map.view == shown  # a shared view stays as it is
    expect(page.locator("path.outline")).to_have_count(1)


def test_what_the_address_asks_for_in_vain_is_told_and_not_kept(city_map):
    page = city_map.open(status="bogus", kind="lighting", area="99999").page
    expect(city_map.notices).to_contain_text("left out: status=bogus, area=99999")
    assert "bogus" not in page.url
    assert "99999" not in page.url
    assert city_map.query["kind"] == ["lighting"]
    page.get_by_text("Cleanup", exact=True).first.click()
    expect(city_map.notices).not_to_contain_text("bogus")


def test_a_shared_address_shows_the_same_to_somebody_else(city_map, open_context):
    city_map.open(MIDDLE, zoom=15, layers="reports,vacant_lots", kind="cleanup", status="open")
    city_map.wait_for_ink("vacant_lots")
    city_map.page.get_by_text("What it is about").click()
    city_map.page.get_by_role("checkbox", name="Illegal dumping").check()
    city_map.page.wait_for_url(re.compile("category=dumping"))
    expect(city_map.entries.first.get_by_role("link")).to_have_text("Illegal dumping")
    other = CityMap(open_context(viewport={"width": 1280, "height": 800}).new_page())
    other.page.goto(city_map.page.url)
    other.settle()
    other.wait_for_ink("vacant_lots")
    assert other.view == city_map.view
    assert other.query == city_map.query
    expect(other.page.get_by_label("Cleanup")).to_be_checked()
    expect(other.page.locator("summary").nth(0)).to_have_text("Status: Still open")
    expect(other.page.locator("summary").nth(1)).to_have_text("What it is about: Illegal dumping")
    assert other.ink("block_watches") == 0
    assert other.listed() == city_map.listed()


def test_the_search_finds_an_address_and_moves_the_map(city_map):
    city_map.open()
    city_map.search.press_sequentially("4200 trost av")
    best = city_map.places.first
    expect(best).to_contain_text("4200 Troost Ave")
    best.click()
    place = city_map.page.request.get("/api/places", params={"q": "4200 Troost Ave"}).json()[
        "places"
    ][0]
    city_map.wait_for_view((place["lat"], place["lon"]), zoom=16)
    expect(city_map.page.locator(".search-pin")).to_be_visible()


def test_the_search_says_when_there_is_no_such_place(city_map):
    city_map.open()
    city_map.search.press_sequentially("qqqq zzzz")
    expect(city_map.page.get_by_text("No such place found.")).to_be_visible()


def test_a_report_filed_elsewhere_appears_within_ten_seconds(city_map):
    at = (39.0413, -94.5712)
    city_map.open(at, zoom=18)
    spot = city_map.spot(*at)
    city_map.wait_for_ink("reports", spot=spot, painted=False)
    id = file_report(city_map.page, at)
    city_map.wait_for_ink("reports", spot=spot, within_s=10)
    expect(city_map.page.locator(f'[data-feature="reports/{id}"]')).to_be_visible(timeout=1_000)


def test_the_map_shows_where_one_is(open_context):
    context = open_context(
        viewport={"width": 1280, "height": 800},
        geolocation={"latitude": 39.0301, "longitude": -94.5733},
        permissions=["geolocation"],
    )
    city_map = CityMap(context.new_page()).open()
    city_map.page.get_by_role("button", name="Show where I am").click()
    city_map.wait_for_view((39.0301, -94.5733))


def test_the_map_fills_the_screen_and_gives_it_back(city_map):
    city_map.open()
    city_map.page.get_by_role("button", name="Full screen").click()
    city_map.page.wait_for_function("document.fullscreenElement?.matches('.folium-map')")
    city_map.page.get_by_role("button", name="Leave full screen").click()
    city_map.page.wait_for_function("document.fullscreenElement === null")


def test_night_follows_the_system_at_once(city_map):
    city_map.open()
    city_map.wait_for_ink("reports", tint="cleanup")
    day = city_map.canvas.evaluate("map => getComputedStyle(map).backgroundColor")
    tiles = city_map.page.locator("canvas.leaflet-tile-loaded")
    by_day = tiles.first.evaluate("tile => tile.toDataURL()")
    city_map.page.emulate_media(color_scheme="dark")
    expect(city_map.page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    night = city_map.canvas.evaluate("map => getComputedStyle(map).backgroundColor")
    assert brightness(night) < 50 < 200 < brightness(day)
    city_map.wait_for_ink("reports", tint="cleanup")  # in the colour of the night
    city_map.page.wait_for_function(
        "day => document.querySelector('canvas.leaflet-tile-loaded').toDataURL() !== day",
        arg=by_day,
    )


def brightness(colour: str) -> float:
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


class TestOnAPhone:
    @pytest.fixture
    def city_map(self, phone: Page) -> CityMap:
        return CityMap(phone).open()

    def test_nothing_overlaps_and_nothing_scrolls_sideways(self, city_map):
        parts = {
            name: city_map.box(city_map.page.locator(selector))
            for name, selector in {
                "header": ".site-header",
                "note": ".sample-note",
                "search": ".map-search",
                "zoom": ".leaflet-control-zoom",
                "locate": ".leaflet-control-locate",
                "full screen": ".leaflet-control-fullscreen, .leaflet-control-zoom-fullscreen",
                "layers": ".layers-panel",
                "scale": ".leaflet-control-scale",
                "sheet": ".sheet-button",
            }.items()
        }
        for (one, a), (other, b) in itertools.combinations(parts.items(), 2):
            beside = a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
            above = a["y"] + a["height"] <= b["y"] or b["y"] + b["height"] <= a["y"]
            assert beside or above, f"{one} and {other} overlap"
        for name, part in parts.items():
            assert part["x"] >= 0, f"{name} reaches over the edge"
            assert part["x"] + part["width"] <= 390, f"{name} reaches over the edge"
        wide = city_map.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390

    @pytest.mark.parametrize("language", ["en", "es"])
    def test_the_header_takes_one_line_and_the_hint_of_the_search_is_whole(self, phone, language):
        phone.goto(f"/?lang={language}")
        assert phone.locator(".site-header").bounding_box()["height"] < 60
        fits = phone.locator(".map-search input").evaluate(
            """input => {
                const brush = new OffscreenCanvas(1, 1).getContext("2d");
                const {font} = getComputedStyle(input, "::placeholder");
                const {paddingLeft, paddingRight} = getComputedStyle(input);
                brush.font = font;
                const room = input.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
                return brush.measureText(input.placeholder).width <= room;
            }"""
        )
        assert fits

    def test_the_sheet_opens_with_filters_and_list_and_closes(self, city_map):
        button = city_map.page.get_by_role("button", name="Filters and list")
        expect(button).to_have_attribute("aria-expanded", "false")
        expect(city_map.entries.first).not_to_be_in_viewport()
        button.tap()
        expect(button).to_have_attribute("aria-expanded", "true")
        expect(city_map.page.get_by_text("Kind of report")).to_be_in_viewport()
        city_map.entries.first.scroll_into_view_if_needed()
        expect(city_map.entries.first).to_be_in_viewport()
        button.tap()
        expect(button).to_have_attribute("aria-expanded", "false")
        expect(city_map.page.get_by_text("Kind of report")).not_to_be_in_viewport()

    def test_showing_an_entry_on_the_map_closes_the_sheet(self, city_map):
        city_map.page.get_by_role("button", name="Filters and list").tap()
        title = city_map.listed()[0].title
        city_map.entries.first.get_by_role("button", name="Show on the map").tap()
        expect(city_map.popup.get_by_role("heading")).to_have_text(title)
        expect(city_map.popup.get_by_role("link", name="See details")).to_be_in_viewport()


def tab_to(page: Page, target, most: int = 130) -> None:
    for _ in range(most):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{target} is not to be reached with the Tab key")


class TestByKeyboardOnly:
    def test_a_filter_leads_to_the_list_a_popup_the_report_and_back(self, city_map):
        page = city_map.open(MIDDLE, zoom=15).page
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_label("Lighting"), most=5)
        page.keyboard.press("Space")
        page.wait_for_url(re.compile("kind=lighting"))
        expect(city_map.list.locator(".list-count").first).not_to_contain_text("Cleanup")
        title = city_map.listed()[0].title
        tab_to(page, city_map.entries.first.get_by_role("button"), most=20)
        page.keyboard.press("Enter")
        expect(city_map.popup.get_by_role("heading")).to_have_text(title)
        expect(city_map.canvas).to_be_focused()
        page.wait_for_url(re.compile("zoom=16"))
        shown = city_map.view
        tab_to(page, city_map.popup.get_by_role("link", name="See details"))
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/reports/\d+$"))
        page.go_back()
        city_map.settle()
        assert city_map.view == shown
        expect(page.get_by_label("Lighting")).to_be_checked()

    def test_escape_closes_a_popup(self, city_map):
        page = city_map.open(MIDDLE, zoom=16).page
        city_map.entries.first.get_by_role("button").focus()
        page.keyboard.press("Enter")
        expect(city_map.popup.get_by_role("link", name="See details")).to_be_visible()
        page.keyboard.press("Escape")
        expect(city_map.popup).to_have_count(0)

    def test_search_and_layers_are_reached_and_used(self, city_map):
        page = city_map.open(MIDDLE, zoom=18).page
        tab_to(page, city_map.search)
        page.keyboard.type("39th and troost")
        expect(city_map.places.first).to_be_visible()
        page.keyboard.press("ArrowDown")
        expect(city_map.places.first).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Enter")
        expect(city_map.search).to_have_attribute("aria-expanded", "false")
        place = page.request.get("/api/places", params={"q": "39th and troost"}).json()["places"][0]
        city_map.wait_for_view((place["lat"], place["lon"]))
        button = city_map.layers.get_by_role("button")
        tab_to(page, button)
        if button.get_attribute("aria-expanded") == "false":
            page.keyboard.press("Enter")
        tab_to(page, city_map.layer("Neighbourhoods"), most=15)
        page.keyboard.press("Space")
        city_map.wait_for_ink("neighbourhoods")
        page.keyboard.press("Escape")
        expect(button).to_be_focused()
        expect(button).to_have_attribute("aria-expanded", "false")


class TestWhenSomethingFails:
    NOTHING = "No reports here."
    FAILED = "The map could not load: Reports."

    def test_tiles_that_do_not_come_are_told_and_not_taken_for_nothing(self, city_map):
        page = city_map.page
        page.context.witness.expect("ERR_FAILED")
        page.route("**/tiles/reports/**", lambda route: route.abort())
        city_map.open()
        expect(city_map.notices).to_contain_text(self.FAILED)
        expect(city_map.notices).not_to_contain_text(self.NOTHING)
        page.unroute("**/tiles/reports/**")
        page.get_by_role("button", name="Zoom in").click()
        city_map.wait_for_ink("reports")
        expect(city_map.notices).not_to_contain_text(self.FAILED)

    def test_nothing_to_show_is_told_and_not_taken_for_a_failure(self, city_map):
        city_map.open((39.3, -94.9), zoom=15)
        expect(city_map.notices).to_contain_text(self.NOTHING)
        expect(city_map.notices).not_to_contain_text("could not load")
        expect(city_map.list).to_contain_text(self.NOTHING)

    def test_a_base_map_that_does_not_come_is_told(self, city_map):
        city_map.page.context.witness.expect("ERR_FAILED")
        city_map.page.context.witness.expect("TileError")
        city_map.page.route("**/tiles/base/**", lambda route: route.abort())
        city_map.open()
        expect(city_map.notices).to_contain_text("The streets and names of the map could not load.")
        city_map.wait_for_ink("reports")

    def test_a_list_that_does_not_come_is_told(self, city_map):
        city_map.page.context.witness.expect("ERR_FAILED")
        city_map.page.context.witness.expect("htmx:sendError")
        city_map.page.context.witness.expect("htmx:afterRequest")
        city_map.page.route("**/list?**", lambda route: route.abort())
        city_map.page.goto("/")
        expect(city_map.list.get_by_role("alert")).to_contain_text("The list could not be loaded.")

    def test_a_map_that_gets_no_news_says_so(self, city_map):
        city_map.page.context.witness.expect("ERR_FAILED")
        city_map.open()
        city_map.page.route("**/api/versions", lambda route: route.abort())
        expect(city_map.notices).to_contain_text("can not check for news", timeout=8_000)

    def test_a_popup_that_gets_no_facts_offers_to_try_again(self, city_map):
        page = city_map.open(MIDDLE, zoom=16).page
        page.context.witness.expect("ERR_FAILED")
        page.route("**/api/features/**", lambda route: route.abort())
        title = city_map.listed()[0].title
        city_map.entries.first.get_by_role("button").click()
        expect(city_map.popup).to_contain_text("The details could not be loaded.")
        page.unroute("**/api/features/**")
        # By the keyboard, since a click may miss while the map still moves below it.
        city_map.popup.get_by_role("button", name="Try again").press("Enter")
        expect(city_map.popup.get_by_role("heading")).to_have_text(title)
