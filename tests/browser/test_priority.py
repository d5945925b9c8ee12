"""From the queue's reasons to other weights, in a browser: on a phone, by day and by night, in two languages."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.roles import Role
from server.priority import rank
from server.settings import Settings
from tests.browser.conftest import violations
from tests.browser.test_pages import DEVICES, LANGUAGES


@pytest.fixture
def third(city_engine):
    """Rank the city; the id of the light that is third."""
    settings = Settings(position_secret="s" * 32)
    with Session(city_engine) as session:
        rank(session, settings, datetime.now(UTC).astimezone(settings.zone))
        id = session.scalar(
            text("SELECT need_id FROM need_rank WHERE kind = 'lighting' AND rank = 3")
        )
        session.commit()
    return id


def fits(page, path):
    assert violations(page) == [], path
    for width in (page.viewport_size["width"], 320):
        page.set_viewport_size({"width": width, "height": 844})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} scrolls sideways at {width} px"


HEADS_ARE_WHOLE = """() => [...document.querySelectorAll("thead .priority-number")].every((head) => {
    const words = document.createRange();
    words.selectNodeContents(head);
    const lines = new Set([...words.getClientRects()].map(({ top }) => top));
    return lines.size <= head.innerText.trim().split(/\\s+/).length;
})"""


def test_an_administrator_reads_why_tries_other_weights_and_publishes_them(signed_in_page, third):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["phone"], locale=LANGUAGES["en"])
    page.goto(f"/desk/needs/{third}")
    expect(page.get_by_role("heading", name=re.compile("Why is this number 3 of"))).to_be_visible()
    points = page.locator(".need-parts tbody td:last-child span").all_inner_texts()
    total = sum(float(one.split(" of ")[0]) for one in points)
    said = float(page.locator(".need-parts tfoot td").inner_text())
    assert abs(total - said) <= 0.05 * len(points) + 0.05  # each is rounded
    fits(page, "/desk/needs")

    page.get_by_role("link", name="Try other weights").click()
    page.get_by_label("Danger").fill("0")
    page.get_by_label("Waiting, against its target").fill("60")
    page.get_by_label("How many come first").fill("20")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("heading", name=re.compile("of the first 20 would be"))).to_be_visible()
    expect(page.get_by_role("heading", name="Neighbourhoods that gain or lose")).to_be_visible()
    fits(page, "/desk/what-if")
    page.goto(f"{page.url}&lang=es")
    expect(page.get_by_role("heading", name="Vecindarios que ganan o pierden")).to_be_visible()
    fits(page, "/desk/what-if?lang=es")
    assert page.evaluate(HEADS_ARE_WHOLE)
    page.goto(page.url.replace("lang=es", "lang=en"))

    page.get_by_label("Why, for everybody to read").fill("Oldest first for a season.")
    page.get_by_label("Name under it").fill("Public Works")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("status")).to_contain_text("Your weights are published")
    expect(page.get_by_text("Oldest first for a season.").first).to_be_visible()
    page.locator("summary", has_text="How it is measured").first.click()
    fits(page, "/priorities")
    page.goto("/priorities?lang=es")
    expect(page.get_by_role("heading", name="Qué repara primero la ciudad")).to_be_visible()
    fits(page, "/priorities?lang=es")


def test_without_javascript_no_empty_map_is_shown(signed_in_page, third):
    page = signed_in_page(Role.ADMINISTRATOR, **DEVICES["phone"], java_script_enabled=False)
    page.goto(f"/desk/needs/{third}")
    expect(page.locator(".need-parts")).to_be_visible()
    expect(page.locator(".report-map")).to_be_hidden()
