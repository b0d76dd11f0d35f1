"""Browsers as people have them, against a really served dashboard.

Where there is no Chromium these tests are skipped.  Every page that a test opens is watched: a request that leaves this
machine, an error on the console or an exception in a script fails the test.

Everything here ends with this folder's last test: while Playwright is there its event loop counts as running, and
asynchronous tests cannot have theirs.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.dashboard import ADMIN, PASSWORD, Dashboard, running

PICTURES = Path(__file__).parent.parent.parent / "test-results" / "pictures"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

# Without windows first: a page of it starts at a third of the cost.
COMMANDS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

OpenPage = Callable[..., Page]


def chromium_command() -> str | None:
    """How Chromium is called on this machine."""
    return next(filter(None, map(shutil.which, COMMANDS)), None)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    path = chromium_command()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    with running(Dashboard(tmp_path_factory.mktemp("dashboard"))) as served:
        yield served


@pytest.fixture(scope="package")
def cookies() -> dict[str, list[Any]]:
    """Of the people who are signed in."""
    return {}


@pytest.fixture
def open_page(chromium: Browser, dashboard: Dashboard, cookies: dict[str, list[Any]]) -> Iterator[OpenPage]:
    """Open a page in a browser of its own, as a person (None: nobody is signed in).

    Who is signed in once stays so for the tests after it, unless it is to be a `fresh` sign-in.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
        page.on("console", lambda message: message.type == "error" and complaints.append(f"console: {message.text}"))

    def complain_of(address: str) -> None:
        host = urlsplit(address).hostname or ""
        if urlsplit(address).scheme in ("http", "https", "ws", "wss") and not (
            host in ("127.0.0.1", "localhost") or host.endswith(".localhost")
        ):
            complaints.append(f"a request to {address}")

    def open_(
        path: str = "/",
        *,
        person: str | None = ADMIN,
        fresh: bool = False,
        theme: str = "light",
        width: int = 1440,
        height: int = 900,
    ) -> Page:
        context = chromium.new_context(
            base_url=dashboard.url,
            viewport={"width": width, "height": height},
            color_scheme=theme,
            locale="en-GB",
            timezone_id="Europe/Berlin",
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        context.on("page", watch)
        context.on("request", lambda request: complain_of(request.url))
        if person in cookies and not fresh:
            context.add_cookies(cookies[person])
        elif person:
            answer = context.request.post(
                "/sign-in",
                form={"email": person, "password": PASSWORD},
                headers={"Origin": dashboard.url},
                max_redirects=0,
            )
            assert answer.status == 303
            if not fresh:
                cookies[person] = context.cookies()
        page = context.new_page()
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    # A page that is not there and a server that is away are errors to the console, and what some tests are about.
    assert [each for each in complaints if not re.search("status of 40|ERR_CONNECTION_REFUSED", each)] == []


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keep a picture of a page among the test's results."""

    def take(page: Page, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png")

    return take
