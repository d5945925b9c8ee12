"""A real Chromium on the sample city, which fails a test for any error the page hides."""

import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psycopg
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
    sync_playwright,
)
from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from data import database
from data.queries import sign_ins
from data.sample.city import sample_city
from data.sample.load import load
from geo.roles import Role
from server.app import create_app
from server.settings import Settings
from tests.people import person

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
SAMPLE = "porchlight_sample_city"
SECRET = "s" * 32
UNTIL = datetime(2026, 6, 1, 18, 30, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def city_url(server, template, worker) -> Iterator[str]:
    """A database with the sample city. It is loaded once a run, however many workers there are."""
    name = f"porchlight_browser_{worker}"
    plain = server.url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as admin:
        # Whoever comes later waits, and finds the city there.
        admin.execute("SELECT pg_advisory_lock(hashtext('porchlight tests: sample city'))")
        loaded_by = admin.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
            [SAMPLE],
        ).fetchone()
        if loaded_by != (RUN,):
            _load(server.create(SAMPLE, template))
            admin.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(SAMPLE), RUN)
            )
        url = server.create(name, SAMPLE)
    yield url
    server.drop(name)


@pytest.fixture(scope="session")
def city_engine(city_url) -> Iterator[Engine]:
    """The sample city, to be read and written beside its pages."""
    engine = database.engine(city_url)
    yield engine
    engine.dispose()


def _load(url: str) -> None:
    engine = database.engine(url)
    with Session(engine) as session:
        load(session, sample_city(1, UNTIL), secret=SECRET.encode())
        session.commit()
    engine.dispose()


@pytest.fixture(scope="session")
def site(city_url, tmp_path_factory) -> Iterator[str]:
    """The sample city, served. Tests add reports to it, so none may count on how many there are."""
    settings = Settings(
        database_url=city_url,
        var=tmp_path_factory.mktemp("var"),
        position_secret=SECRET,
        reports_per_hour=10_000,  # all tests come from one address
        supports_per_hour=10_000,
    )
    with served(settings) as address:
        yield address


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Serve the application in a thread; gives its address."""
    config = uvicorn.Config(create_app(settings), port=0, log_level="warning")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        assert thread.is_alive()
        time.sleep(0.02)
    host, port = running.servers[0].sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        running.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    assert CHROMIUM, "Chromium is not installed: apt-get install chromium"
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
    yield browser
    browser.close()


class Witness:
    """Notes whatever a page does that it must not do."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.faults: list[str] = []
        self.expected: list[str] = []
        context.on("console", lambda message: self._console(message.type, message.text))
        context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))
        context.on("request", lambda request: self._request(request.url, site))
        context.add_init_script(
            "addEventListener('securitypolicyviolation', event => console.error("
            "`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`))"
        )

    def _console(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.faults.append(f"{kind}: {text}")

    def _request(self, url: str, site: str) -> None:
        if not url.startswith((site, "data:", "blob:", "file:")):
            self.faults.append(f"request to another host: {url}")

    def expect(self, part: str) -> None:
        """Let pass a fault that this test brings about on purpose."""
        self.expected.append(part)

    def verify(self) -> None:
        unexpected = [f for f in self.faults if not any(part in f for part in self.expected)]
        assert unexpected == []


@pytest.fixture
def open_context(browser: Browser, site: str):
    """Open browser contexts that are checked and closed at the end of the test."""
    opened: list[tuple[BrowserContext, Witness]] = []

    def opener(**options) -> BrowserContext:
        options = {"base_url": site, "locale": "en-US", "timezone_id": "America/Chicago"} | options
        context = browser.new_context(**options)
        context.set_default_timeout(10_000)
        witness = Witness(context, site)
        context.witness = witness
        opened.append((context, witness))
        return context

    yield opener
    for context, _ in opened:
        context.close()
    for _, witness in opened:
        witness.verify()


@pytest.fixture
def signed_in_page(city_engine, site, open_context):
    """Open a page that a new person has signed in to, with two factors and a role."""

    def opener(role: Role, **options) -> Page:
        with Session(city_engine) as session:
            id = person(session, role)
            token = sign_ins.begin(session, id, strong=True, browser="Test browser")
            session.commit()
        context = open_context(**options)
        context.add_cookies([{"name": "porchlight", "value": token, "url": site}])
        return context.new_page()

    return opener


WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def violations(page: Page, *schemes: Literal["light", "dark"]) -> list[str]:
    """In what a page breaks WCAG 2.2 AA, by day and by night."""
    found = []
    for scheme in schemes or ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        answer = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]})
        found += [
            f"{scheme} {violation['id']}: {node['html'][:200]} {node['failureSummary']}"
            for violation in answer.response["violations"]
            for node in violation["nodes"]
        ]
    return found


@pytest.fixture
def desktop(open_context) -> Page:
    return open_context(viewport={"width": 1280, "height": 800}).new_page()


@pytest.fixture
def phone(open_context) -> Page:
    return open_context(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        device_scale_factor=2,
    ).new_page()
