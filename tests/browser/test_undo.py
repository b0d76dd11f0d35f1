"""A deletion that can be undone, as a person meets it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.dashboard import ADMIN, Dashboard, running
from tests.browser.test_store_life import create, mark, not_reloaded, state


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    with running(Dashboard(tmp_path_factory.mktemp("undo"), STOREFLEET_UNDO_MINUTES="10")) as served:
        yield served


@pytest.fixture(scope="module")
def cookies() -> dict[str, list[Any]]:
    return {}


def delete(page: Page, name: str) -> None:
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("For 10 minutes you can take it back as it was")
    dialog.get_by_role("textbox").fill(name)
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("button", name="Undo deletion")).to_be_visible()


def test_deleted_hidden_taken_back_and_deleted_at_once(open_page, picture):
    page = open_page("/")
    create(page, "bikeshop")
    mark(page)
    state(page, "Ready")
    watching = open_page("/")
    expect(watching.locator("tr[data-store=bikeshop]")).to_be_visible()
    delete(page, "bikeshop")
    told = re.compile("Stopped, with its data kept. Destroyed in (9|10) m")
    expect(page.locator(".store-head")).to_contain_text(told)
    expect(page.locator(".steps .now")).to_have_count(0)
    expect(page.get_by_role("log")).to_contain_text("Store stopped; it will be destroyed at")
    for theme in ("light", "dark"):
        for width in (360, 1440):
            look = open_page("/stores/bikeshop", theme=theme, width=width)
            expect(look.get_by_role("button", name="Undo deletion")).to_be_visible()
            assert look.evaluate("document.documentElement.scrollWidth <= innerWidth")
            picture(look, f"stopped-{theme}-{width}")
            look = open_page("/?state=deleting", theme=theme, width=width)
            expect(look.get_by_role("button", name="Undo the deletion of bikeshop")).to_be_visible()
            assert look.evaluate("document.documentElement.scrollWidth <= innerWidth")
            picture(look, f"deleted-list-{theme}-{width}")

    expect(watching.locator("tr[data-store=bikeshop]")).to_have_count(0)
    expect(watching.get_by_role("heading", name="No stores yet")).to_be_visible()
    expect(watching.get_by_role("button", name="All 0")).to_be_visible()
    deleted = open_page("/")
    deleted.get_by_role("button", name="Deleted 1").click()
    row = deleted.locator("tr[data-store=bikeshop]")
    expect(row).to_contain_text(re.compile(r"Stopped\. Destroyed in (10|9) min"))
    row.get_by_role("button", name="Undo the deletion of bikeshop").click()
    state(page, "Ready")
    assert not_reloaded(page)
    expect(page.get_by_role("log")).to_contain_text(f"Deletion undone by {ADMIN}")
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
