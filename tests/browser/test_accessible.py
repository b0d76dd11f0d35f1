"""axe finds nothing on any page, in either theme, and a phone scrolls in one direction only.  A new page is found by
itself."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app import pages
from tests.browser.dashboard import ADMIN, BEN, Dashboard
from tests.browser.looks import PHONE, check, looks, resize

SERVED = {
    path
    for file in Path(pages.__file__).parent.glob("*.py")
    for path in re.findall(r'@page\(\s*services,\s*live,\s*"([^"]+)"', file.read_text())
}
# What there is to see at a page's address, where that is more than one thing or the address has a part to fill in.
SIGHTS = {
    "/": ["/", "/?q=nothing-like-it", "/?create"],
    "/platform": ["/platform?range=30d"],
    "/stores/{name}": ["/stores/fern", "/stores/dahlia", "/stores/no"],
}
PATHS = [*sorted(sight for path in SERVED for sight in SIGHTS.get(path, [path])), "/no"]


@pytest.fixture(scope="module")
def shops(dashboard: Dashboard) -> None:
    """One store that is ready, one that failed."""
    dashboard.have(BEN, "fern")
    dashboard.break_images()
    dashboard.have(BEN, "dahlia", state="FAILED")
    dashboard.mend_images()


@pytest.mark.parametrize("path", PATHS)
def test_pages(shops, open_page, picture, path: str):
    assert "{" not in path, "say in SIGHTS what is to be filled in"
    page = open_page(path, person=BEN if path in SIGHTS["/"] else ADMIN)
    page.wait_for_load_state("networkidle")
    if path == "/?create":
        expect(page.get_by_role("dialog")).to_be_visible()
    looks(page, picture, re.sub("[^a-z]+", "-", path).strip("-") or "stores", axe=True)
    summaries = page.locator("main summary:visible").all()[:3]
    if summaries and path != "/?create":
        for summary in summaries:
            summary.click()
        resize(page, PHONE)
        check(page)


def test_what_opens_on_a_page(shops, open_page, picture):
    page = open_page("/stores/fern", person=BEN)
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_role("button", name="Hide")).to_be_visible()
    page.locator(".account").click()
    looks(page, picture, "account-menu", axe=True)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    looks(page, picture, "delete", axe=True)


def test_forms(open_page, picture):
    page = open_page("/sign-in", person=None)
    looks(page, picture, "sign-in", axe=True)
    page.get_by_label("E-mail address").fill("nobody@example.com")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    looks(page, picture, "sign-in-wrong", axe=True)


def test_the_skip_link_is_first_and_leads_to_the_content(shops, open_page):
    page = open_page("/", person=BEN)
    expect(page.get_by_role("heading", name="Stores", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
