"""axe finds nothing on any page, in either theme.  A new page is found by itself."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app import pages
from tests.browser.dashboard import ADMIN, BEN, Dashboard
from tests.browser.test_store_life import create, state

SERVED = {
    path
    for file in Path(pages.__file__).parent.glob("*.py")
    for path in re.findall(r'@page\(\s*services,\s*live,\s*"([^"]+)"', file.read_text())
}
# What there is to see at a page's address, where that is more than one thing or the address has a part to fill in.
SIGHTS = {
    "/": ["/", "/?q=nothing-like-it", "/?create"],
    "/stores/{name}": ["/stores/fern", "/stores/dahlia", "/stores/no"],
}
PATHS = [*sorted(sight for path in SERVED for sight in SIGHTS.get(path, [path])), "/no"]


def check(page: Page) -> None:
    page.evaluate(
        "document.getAnimations().forEach((each) => each.effect.getComputedTiming().iterations < 9 && each.finish())"
    )
    # preload: it would read the style sheets by way of inline ones, which our policy does not let in.
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False})
    assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def shops(open_page, dashboard: Dashboard) -> None:
    """One store that is ready, one that failed."""
    page = open_page("/stores/fern", person=BEN)
    if page.get_by_role("heading", name="There is no such store").is_visible():
        page.goto("/")
        create(page, "fern")
        state(page, "Ready")
        page.goto("/")
        dashboard.break_images()
        create(page, "dahlia")
        state(page, "Failed")
        dashboard.mend_images()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_pages(shops, open_page, picture, path: str, theme: str):
    assert "{" not in path, "say in SIGHTS what is to be filled in"
    page = open_page(path, person=BEN if path in SIGHTS["/"] else ADMIN, theme=theme)
    page.wait_for_load_state("networkidle")
    if path == "/?create":
        expect(page.get_by_role("dialog")).to_be_visible()
    picture(page, f"{re.sub('[^a-z]+', '-', path).strip('-') or 'stores'}-{theme}")
    check(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_opens_on_a_page(shops, open_page, picture, theme: str):
    page = open_page("/stores/fern", person=BEN, theme=theme)
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_role("button", name="Hide")).to_be_visible()
    page.locator(".account").click()
    picture(page, f"account-{theme}")
    check(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_forms(open_page, theme: str):
    page = open_page("/sign-in", theme=theme, person=None)
    check(page)
    page.get_by_label("E-mail address").fill("nobody@example.com")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check(page)


def test_the_skip_link_is_first_and_leads_to_the_content(shops, open_page):
    page = open_page("/", person=BEN)
    expect(page.get_by_role("heading", name="Stores", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
