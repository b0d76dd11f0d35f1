"""A newer release for a store, as a person meets it: offered, taken, taken back."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.dashboard import ADMIN, EVA, NEWER, Dashboard
from tests.browser.looks import looks
from tests.browser.test_store_life import mark, not_reloaded, state
from tests.served import command

NAME, OLDER = "wisteria", "2.21.2"
OFFER = f"Update available: {OLDER} → {NEWER}"


@pytest.fixture
def page(open_page, dashboard: Dashboard) -> Iterator[Page]:
    """The page of a store that is ready; the platform has another chart meanwhile."""
    dashboard.have(EVA, NAME)
    page = open_page(f"/stores/{NAME}", person=EVA)
    state(page, "Ready")
    mark(page)
    expect(page.locator(".update")).to_have_count(0)
    dashboard.bring_newer_chart()
    yield page
    dashboard.mend_images()
    dashboard.take_own_chart()
    with dashboard.client(dashboard.token()) as api:
        api.delete(f"/api/v1/stores/{NAME}", params={"now": "true"}).raise_for_status()
    expect(page.get_by_role("heading", name=f"{NAME} is deleted")).to_be_visible(timeout=30_000)


def test_offered_taken_failed_and_taken_back(page: Page, open_page, dashboard: Dashboard, picture):
    offer = page.locator(".update")
    expect(offer).to_contain_text(OFFER)
    picture(page, "update-available")
    stores = open_page("/")
    row = stores.locator(f"tr[data-store={NAME}]")
    expect(row.get_by_text("Update available")).to_be_attached()
    picture(stores, "update-in-the-list")

    other = open_page(f"/stores/{NAME}", person=EVA)
    for each in (page, other):  # two tabs, both about to
        each.get_by_role("button", name="Upgrade …").press("Enter")
        expect(each.get_by_role("dialog")).to_contain_text(f"The shop goes from {OLDER} to {NEWER}.")
    looks(page, picture, "upgrade", axe=True)
    page.get_by_role("dialog").get_by_role("button", name="Upgrade", exact=True).dblclick()
    expect(page.get_by_role("log")).to_contain_text(f"Upgrade requested by {EVA}: {OLDER} → {NEWER}")
    expect(offer).to_have_count(0)
    other.get_by_role("dialog").get_by_role("button", name="Upgrade", exact=True).click()
    expect(other.get_by_role("dialog").get_by_role("alert")).to_contain_text("The store ")
    other.keyboard.press("Escape")
    expect(other.get_by_role("dialog")).to_have_count(0)
    other.close()
    state(page, "Ready")
    expect(page.get_by_role("log")).to_contain_text(f"Release upgraded: {NEWER}, revision 2")
    expect(page.locator(".about")).to_contain_text(f"Medusa {NEWER}, revision 2")
    expect(row.get_by_text("Update available")).to_have_count(0)
    expect(page.get_by_role("log").get_by_text(f"Upgrade requested by {EVA}")).to_have_count(1)
    expect(page.get_by_role("log")).to_contain_text("Secrets rotated: the old ones are refused", timeout=30_000)
    page.get_by_role("button", name="Roll back …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"from {NEWER} back to {OLDER}, revision 1")
    expect(dialog).to_contain_text("The database is not rolled back")
    looks(page, picture, "rollback", axe=True)
    dialog.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.locator(".about")).to_contain_text(f"Medusa {OLDER}, revision 3", timeout=30_000)
    state(page, "Ready")
    expect(offer).to_contain_text(OFFER)
    expect(page.get_by_role("button", name="Roll back …")).to_have_count(0)

    dashboard.break_images()
    stores.bring_to_front()
    row.get_by_role("checkbox").check()
    stores.get_by_role("button", name="Upgrade", exact=True).click()
    state(page, "Failed")
    expect(page.locator(".store-head")).to_contain_text("The new release did not come up")
    expect(page.locator(".steps .failed")).to_contain_text("Medusa")
    expect(page.get_by_role("link", name="Open shop")).to_be_visible()
    looks(page, picture, "upgrade-failed", axe=True)
    expect(page.locator(".failure").get_by_role("button", name="Retry")).to_be_visible()
    page.locator(".failure").get_by_role("button", name="Roll back …").click()
    expect(dialog).to_contain_text(f"back to {OLDER}, revision 3")
    page.keyboard.press("Escape")
    dashboard.mend_images()

    asked = {"STOREFLEET_URL": dashboard.url, "STOREFLEET_TOKEN": dashboard.token()}
    done = command("stores", "rollback", NAME, "--revision", "3", "--wait", "--timeout", "60", **asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(f"Rollback requested by {ADMIN}: to revision 3, {OLDER}", done.stdout)
    assert re.search(rf"^Upgrade +to {NEWER}$", done.stdout, re.MULTILINE)
    done = command("stores", "upgrade", NAME, "--wait", "--timeout", "60", **asked)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(command("stores", "show", NAME, "--json", **asked).stdout)
    assert (shown["state"], shown["version"], shown["upgrade"]) == ("READY", NEWER, None)
    state(page, "Ready")
    assert not_reloaded(page)
