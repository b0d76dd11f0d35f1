"""Limits as a person meets them: told before, and kept by what a page sends just as by the API."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard import ANN, Dashboard, running
from tests.served import command


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    with running(Dashboard(tmp_path_factory.mktemp("limits"), STOREFLEET_STORES_PER_USER="2")) as served:
        yield served


@pytest.fixture(scope="module")
def cookies() -> dict[str, list[Any]]:
    return {}


def test_a_person_is_told_what_is_left_and_gets_no_more(open_page, dashboard, picture):
    token = command("token", "create", "--user", ANN, **dashboard.settings).stdout.split()[-1]
    page = open_page("/?create", person=ANN)
    dialog = page.get_by_role("dialog")
    submit = dialog.get_by_role("button", name="Create store")
    expect(dialog).to_contain_text("2 of 2 stores left")
    dialog.get_by_role("textbox", name="Name", exact=True).fill("third")
    expect(submit).to_be_enabled()
    with dashboard.client(token) as client:  # elsewhere, while the dialog is open
        for name in ("first", "second"):
            assert client.post("/api/v1/stores", json={"name": name}).status_code == 202
    submit.click()
    expect(dialog.get_by_role("alert")).to_contain_text("as many stores as you may have (2)")
    with dashboard.client(token) as client:
        assert client.get("/api/v1/stores/third").status_code == 404
    for theme in ("light", "dark"):
        for width in (360, 1440):
            look = open_page("/?create", person=ANN, theme=theme, width=width)
            dialog = look.get_by_role("dialog")
            expect(dialog).to_contain_text("0 of 2 stores left")
            expect(dialog.get_by_role("alert")).to_contain_text("ask an administrator for more")
            dialog.get_by_role("textbox", name="Name", exact=True).fill("third")
            expect(dialog).to_contain_text("This name is free.")
            expect(dialog.get_by_role("button", name="Create store")).to_be_disabled()
            assert look.evaluate("document.documentElement.scrollWidth <= innerWidth")
            picture(look, f"no-store-left-{theme}-{width}")
