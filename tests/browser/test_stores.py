"""The list of stores: search, filters, keys, phones, and what happens to it while it is open."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.dashboard import CARA, Dashboard
from tests.browser.test_store_life import create

NAMES = ("atelier-nord", "cafe-luna", "fern-and-fig")


@pytest.fixture(scope="module")
def three(dashboard: Dashboard) -> None:
    dashboard.have(CARA, *NAMES)


@pytest.fixture
def stores(three, open_page) -> Page:
    """The list of somebody who has three stores."""
    page = open_page("/", person=CARA)
    expect(page.locator("tbody .state").get_by_text("Ready")).to_have_count(len(NAMES), timeout=30_000)
    return page


def names(page: Page) -> list[str]:
    return page.locator("a.name").all_inner_texts()


def test_search_and_filters_stand_in_the_address(stores: Page, picture):
    picture(stores, "stores")
    stores.keyboard.press("/")
    expect(stores.get_by_role("searchbox")).to_be_focused()
    stores.keyboard.type("luna")
    expect(stores.locator("tbody tr")).to_have_count(1)
    assert names(stores) == ["cafe-luna"]
    expect(stores).to_have_url(re.compile(r"\?q=luna$"))
    stores.reload()
    expect(stores.get_by_role("searchbox")).to_have_value("luna")
    assert names(stores) == ["cafe-luna"]
    stores.get_by_role("button", name="Failed").click()
    expect(stores.get_by_role("heading", name="Nothing matches")).to_be_visible()
    picture(stores, "nothing-matches")
    stores.get_by_role("button", name="Show all stores").click()
    expect(stores.locator("tbody tr")).to_have_count(3)
    assert "?" not in stores.url


def test_keys_walk_and_open(stores: Page):
    stores.keyboard.press("j")
    stores.keyboard.press("j")
    stores.keyboard.press("k")
    stores.keyboard.press("j")
    second = names(stores)[1]
    expect(stores.get_by_role("link", name=second, exact=True)).to_be_focused()
    stores.keyboard.press("Enter")
    expect(stores).to_have_url(re.compile(f"/stores/{second}$"))
    stores.goto("/")
    stores.keyboard.press("c")
    dialog = stores.get_by_role("dialog")
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    for _ in range(14):  # the focus stays inside, however often
        stores.keyboard.press("Tab")
        assert stores.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    stores.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_change_redraws_its_row_alone(stores: Page):
    other = stores.context.new_page()
    other.goto("/")
    create(other, "short-lived")
    row = stores.locator("[data-store=short-lived]")
    expect(row.locator(".state")).to_have_text("Ready", timeout=30_000)
    assert names(stores)[0] == "short-lived"
    stores.evaluate("document.querySelectorAll('tbody tr').forEach((row) => (row.mark = row.dataset.store))")
    other.get_by_role("button", name="Delete").click()
    other.get_by_role("dialog").get_by_role("textbox").fill("short-lived")
    other.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(row).to_have_count(0, timeout=40_000)
    kept = stores.evaluate("[...document.querySelectorAll('tbody tr')].map((row) => row.mark)")
    assert sorted(kept) == sorted(NAMES)


def test_a_lost_connection_is_said_and_comes_back(stores: Page, dashboard: Dashboard):
    stores.wait_for_function("window.socket?.connected")
    stores.evaluate("window.socket.disconnect()")
    banner = stores.locator("#popup")
    expect(banner).to_be_visible()
    expect(banner).to_contain_text("Connection lost")
    stores.evaluate("window.socket.connect()")
    expect(banner).to_be_hidden()
    assert httpx.get(f"{dashboard.url}/healthz").status_code == 200


def test_a_restarted_server_is_found_again_without_a_hand(stores: Page, dashboard: Dashboard):
    stores.evaluate("window.notReloaded = true")
    dashboard.stop()
    expect(stores.locator("#popup")).to_be_visible(timeout=20_000)
    dashboard.start()
    stores.wait_for_function("window.notReloaded === undefined", timeout=60_000)
    expect(stores.locator("tbody .state").get_by_text("Ready")).to_have_count(len(NAMES), timeout=30_000)
