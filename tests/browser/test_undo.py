"""A deletion that can be undone, as a person meets it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.dashboard import CARA, Dashboard
from tests.browser.looks import looks
from tests.browser.test_store_life import mark, not_reloaded, state


@pytest.fixture(scope="module")
def dashboard(forgiving: Dashboard) -> Dashboard:
    return forgiving


def delete(page: Page, name: str) -> None:
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("For 10 minutes you can take it back as it was")
    dialog.get_by_role("textbox").fill(name)
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("button", name="Undo deletion")).to_be_visible()


def test_deleted_hidden_taken_back_and_deleted_at_once(open_page, dashboard: Dashboard, picture):
    dashboard.have(CARA, "bikeshop")
    page = open_page("/stores/bikeshop", person=CARA)
    mark(page)
    watching = open_page("/", person=CARA)
    expect(watching.locator("tr[data-store=bikeshop]")).to_be_visible()
    delete(page, "bikeshop")
    told = re.compile("Stopped, with its data kept. Destroyed in (9|10) m")
    expect(page.locator(".store-head")).to_contain_text(told)
    expect(page.locator(".steps .now")).to_have_count(0)
    expect(page.get_by_role("log")).to_contain_text("Store stopped; it will be destroyed at")
    looks(page, picture, "stopped")

    expect(watching.locator("tr[data-store=bikeshop]")).to_have_count(0)
    expect(watching.get_by_role("heading", name="No stores yet")).to_be_visible()
    expect(watching.get_by_role("button", name="All 0")).to_be_visible()
    watching.get_by_role("button", name="Deleted 1").click()
    row = watching.locator("tr[data-store=bikeshop]")
    expect(row).to_contain_text(re.compile(r"Stopped\. Destroyed in (10|9) min"))
    looks(watching, picture, "deleted-list")
    row.get_by_role("button", name="Undo the deletion of bikeshop").click()
    state(page, "Ready")
    assert not_reloaded(page)
    expect(page.get_by_role("log")).to_contain_text(f"Deletion undone by {CARA}")
    watching.get_by_role("button", name=re.compile("^All")).click()
    expect(watching.locator("tr[data-store=bikeshop]")).to_be_visible()

    delete(page, "bikeshop")
    page.get_by_role("button", name="Undo deletion").click()
    state(page, "Ready")
    delete(page, "bikeshop")
    page.get_by_role("button", name="Delete now").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("are removed for good")
    dialog.get_by_role("textbox").fill("bikeshop")
    dialog.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("heading", name="bikeshop is deleted")).to_be_visible(timeout=30_000)
