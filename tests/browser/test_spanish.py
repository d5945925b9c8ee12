"""What a browser shows in Spanish, whoever wrote it: a template, a module or a library."""

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import Page, expect

from server.languages import FOLDER

TEXTS = """() => [...document.querySelectorAll("body *, title")]
    .filter(element => !element.matches("script, style, noscript"))
    .flatMap(element => [
        ...["aria-label", "title", "placeholder", "alt", "label"].map(name => element.getAttribute(name)),
        ...Object.values(element.dataset),
        ...[...element.childNodes].filter(node => node.nodeType === 3).map(node => node.textContent),
    ])
    .map(text => (text ?? "").replace(/\\s+/g, " ").trim())
"""


@pytest.fixture(scope="module")
def english() -> set[str]:
    """The messages that read otherwise in Spanish."""
    with (FOLDER / "es" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        messages = read_po(file, locale="es")
    return {
        one
        for message in messages
        if message.id
        for one in ([message.id] if isinstance(message.id, str) else message.id)
        if one != message.string
    }


@pytest.fixture
def page(open_context) -> Page:
    return open_context(viewport={"width": 390, "height": 844}, locale="es-US").new_page()


ALL_LAYERS = (
    "reports,street_lights,service_locations,block_watches,neighbourhoods,council_districts,"
    "vacant_lots,transit_stops,police_incidents"
)


@pytest.mark.parametrize(
    "address",
    [f"/?layers={ALL_LAYERS}", "/report", "/list", "/reports/12", "/reports/1?new=1", "/nowhere"],
)
def test_nothing_english_is_left_on_a_spanish_page_and_all_fits_a_phone(page, english, address):
    if address == "/nowhere":
        page.context.witness.expect("404")
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert page.locator("html").get_attribute("lang") == "es"
    assert set(page.evaluate(TEXTS)) & english == set()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_popup_can_be_closed_in_spanish(page, english):
    page.goto("/?lat=39.055&lon=-94.57&zoom=16")
    page.locator(".sheet-button").click()
    page.locator("[data-show-on-map]").first.click()
    expect(page.locator(".popup-facts")).to_be_visible()
    assert set(page.evaluate(TEXTS)) & english == set()
    # By the keyboard, since a click may miss while the map still moves below it.
    page.get_by_role("button", name="Cerrar").press("Enter")
    expect(page.locator(".popup-facts")).to_have_count(0)


def test_a_position_that_is_not_to_be_had_is_told_on_the_page(page):
    alerts = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto("/")
    page.get_by_role("button", name="Mostrar dónde estoy").click()
    expect(page.locator(".map-notices")).to_contain_text("No se pudo obtener su ubicación")
    assert alerts == []
