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
from playwright.sync_api import Error as PlaywrightError

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
def forgiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard on which a deletion can be undone."""
    with running(Dashboard(tmp_path_factory.mktemp("forgiving"), STOREFLEET_UNDO_MINUTES="10")) as served:
        yield served


class Browsers:
    """Browsers for people, used again: one that is new compiles every script anew and asks the server for all files."""

    def __init__(self, chromium: Browser) -> None:
        self.complaints: list[str] = []  # what the pages did that no page may do
        self._chromium = chromium
        self._idle: dict[str, list[Page]] = {}  # by the dashboard's address
        self._cookies: dict[tuple[str, str], list[Any]] = {}  # of who is signed in, by dashboard and person

    def take(self, url: str) -> Page:
        """One in which nobody is signed in and nothing is kept."""
        if self._idle.get(url):
            return self._idle[url].pop()
        where = {"locale": "en-GB", "timezone_id": "Europe/Berlin"}
        # To draw motion costs a third of it all, and axe finds what is being faded in too pale.
        context = self._chromium.new_context(base_url=url, reduced_motion="reduce", **where)
        context.set_default_timeout(15_000)
        context.on("page", self._watch)
        context.on("request", lambda request: self._look_at(request.url))
        return context.new_page()

    def give_back(self, page: Page, url: str) -> None:
        context = page.context
        try:
            for each in context.pages:
                if each is not page:
                    each.close()
            page.goto("/healthz")  # in the same process, and what a page keeps on leaving is kept by then
            page.evaluate("localStorage.clear(), sessionStorage.clear()")
            context.clear_cookies()
            context.clear_permissions()
        except PlaywrightError:  # the page was closed, or its server is away
            context.close()
        else:
            self._idle.setdefault(url, []).append(page)

    def sign_in(self, context: BrowserContext, url: str, person: str, *, fresh: bool) -> None:
        if not fresh and (url, person) in self._cookies:
            context.add_cookies(self._cookies[url, person])
            return
        form = {"email": person, "password": PASSWORD}
        answer = context.request.post("/sign-in", form=form, headers={"Origin": url}, max_redirects=0)
        assert answer.status == 303
        if not fresh:
            self._cookies[url, person] = context.cookies()

    def _watch(self, page: Page) -> None:
        tell = self.complaints.append
        page.on("pageerror", lambda error: tell(f"script: {error}"))
        page.on("console", lambda message: message.type == "error" and tell(f"console: {message.text}"))

    def _look_at(self, address: str) -> None:
        host = urlsplit(address).hostname or ""
        if urlsplit(address).scheme in ("http", "https", "ws", "wss") and not (
            host in ("127.0.0.1", "localhost") or host.endswith(".localhost")
        ):
            self.complaints.append(f"a request to {address}")


@pytest.fixture(scope="package")
def browsers(chromium: Browser) -> Browsers:
    return Browsers(chromium)


@pytest.fixture
def open_page(browsers: Browsers, dashboard: Dashboard) -> Iterator[OpenPage]:
    """Open a page in a browser of its own, as a person (None: nobody is signed in).

    Who is signed in once stays so for the tests after it, unless it is to be a `fresh` sign-in: whose session a test
    ends, or whose browser it changes for good (`add_init_script`), wants one.
    """
    url = dashboard.url
    opened: list[tuple[Page, bool]] = []
    browsers.complaints.clear()

    def open_(
        path: str = "/",
        *,
        person: str | None = ADMIN,
        fresh: bool = False,
        theme: str = "light",
        width: int = 1440,
        height: int = 900,
    ) -> Page:
        page = browsers.take(url)
        opened.append((page, fresh))
        if person:
            browsers.sign_in(page.context, url, person, fresh=fresh)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)
        page.goto(path)
        return page

    yield open_
    for page, fresh in opened:
        if fresh:
            page.context.close()
        else:
            browsers.give_back(page, url)
    # A page that is not there and a server that is away are errors to the console, and what some tests are about.
    assert [each for each in browsers.complaints if not re.search("status of 40|ERR_CONNECTION_REFUSED", each)] == []


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keep a picture of a page among the test's results."""

    def take(page: Page, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png")

    return take
