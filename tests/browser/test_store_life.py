"""A store's life in the browser: asked for, watched, opened, deleted; each without a reload."""

import re

from playwright.sync_api import Page, expect

from tests.browser.dashboard import ADMIN, ANN, Dashboard

TIMELINE = [
    "Store requested",
    "Namespace created",
    "PostgreSQL PVC created",
    "PostgreSQL pod ready",
    "Medusa deployment created",
    "Medusa pod ready",
    "Ingress created",
    "Store READY",
]


def create(page: Page, name: str) -> None:
    page.get_by_role("button", name="Create store").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill(name)
    expect(dialog.get_by_text("This name is free.")).to_be_visible()
    dialog.get_by_role("button", name="Create store").click()
    expect(page).to_have_url(re.compile(f"/stores/{name}$"))


def state(page: Page, word: str, seconds: float = 30) -> None:
    expect(page.locator(".store-head .state")).to_have_text(word, timeout=seconds * 1000)


def mark(page: Page) -> None:
    """Leave a mark that a reload would wipe."""
    page.evaluate("window.notReloaded = true")


def not_reloaded(page: Page) -> bool:
    return page.evaluate("window.notReloaded === true")


def test_from_a_click_to_a_shop_and_away_again(open_page, dashboard: Dashboard, picture):
    page = open_page("/", person=ANN)
    expect(page.get_by_text("Sandbox: this cluster is a simulation. Nothing runs for real.")).to_be_visible()
    expect(page.get_by_role("heading", name="No stores yet")).to_be_visible()
    picture(page, "empty")
    create(page, "bikeshop")
    mark(page)
    state(page, "Ready")
    picture(page, "ready")
    lines = page.get_by_role("log").locator("li")
    expect(lines.last).to_contain_text("Store READY")
    shown = lines.all_inner_texts()
    for wording in TIMELINE:
        assert any(re.search(rf"^\[\d\d:\d\d:\d\d\]\s+{wording}", line) for line in shown), (wording, shown)
    steps = page.get_by_role("list", name="Progress").locator("li")
    expect(steps).to_have_count(6)
    expect(page.locator(".steps .done")).to_have_count(6)

    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open shop").click()
    shop = opened.value
    expect(shop.locator("body")).to_contain_text("bikeshop")
    assert "bikeshop.localhost" in shop.url
    shop.close()

    assert not page.get_by_text("Password", exact=True).is_visible()
    page.get_by_role("button", name="Reveal").click()
    password = page.locator(".details dd code").nth(1)
    expect(password).to_have_text(re.compile(r"^\S{12,}$"))
    picture(page, "revealed")
    page.get_by_role("button", name="Copy Password").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    page.get_by_role("button", name="Hide").click()
    expect(password).to_be_hidden()
    expect(lines.last).to_contain_text("Admin sign-in details shown to")

    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    dialog.get_by_role("textbox").fill("bikesho")
    expect(dialog.get_by_role("button", name="Delete for good")).to_be_disabled()
    dialog.get_by_role("textbox").fill("bikeshop")
    picture(page, "delete")
    dialog.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("heading", name="bikeshop is deleted")).to_be_visible(timeout=40_000)
    picture(page, "deleted")
    assert not_reloaded(page)
    page.get_by_role("link", name="Back to the stores").click()
    expect(page.get_by_role("heading", name="No stores yet")).to_be_visible()
    page.goto("/stores/bikeshop")
    expect(page.get_by_role("heading", name="There is no such store")).to_be_visible()


def test_owner_and_admin_see_the_same_and_a_double_click_makes_one_store(open_page):
    first, second = open_page("/", person=ANN), open_page("/", person=ADMIN)
    mark(second)
    first.get_by_role("button", name="Create store").first.click()
    dialog = first.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("twins")
    expect(dialog.get_by_text("This name is free.")).to_be_visible()
    dialog.get_by_role("button", name="Create store").dblclick()
    expect(first).to_have_url(re.compile("/stores/twins$"))

    row = second.locator("[data-store=twins]")
    expect(row).to_have_count(1)
    expect(row.locator(".state")).to_have_text("Ready", timeout=30_000)
    expect(row.get_by_role("link", name="Open the shop twins in a new tab")).to_be_visible()
    assert not_reloaded(second)
    state(first, "Ready")
    assert not first.get_by_text("is taken").is_visible()


def test_a_failure_says_why_and_a_retry_goes_on(open_page, dashboard: Dashboard, picture):
    page = open_page("/", person=ANN)
    dashboard.break_images()
    try:
        create(page, "dahlia-grows")
        state(page, "Failed")
    finally:
        dashboard.mend_images()
    panel = page.get_by_role("alert").filter(has_text="Who can fix it")
    expect(panel.get_by_role("heading")).to_contain_text(re.compile("(PostgreSQL|Medusa) pod failed to start"))
    expect(panel.get_by_text("What to try")).to_be_visible()
    expect(panel.locator("pre")).to_contain_text("pod/")
    expect(page.locator(".steps .failed")).to_have_count(1)
    picture(page, "failed")
    mark(page)
    panel.get_by_role("button", name="Retry").click()
    state(page, "Ready")
    expect(panel).to_be_hidden()
    assert not_reloaded(page)


NO_NAMES = {
    "Bike": "Use lower-case letters only.",
    "-bike": "A name starts and ends with a letter or a digit, not with a dash.",
    "bike shop": "Use only the letters a to z, digits and dashes.",
    "bücher": "Use only the letters a to z, digits and dashes.",
    "admin": "“admin” is reserved for the platform. Choose another name.",
    "x" * 64: "The name has 64 characters; at most 47 fit into an address.",
    "<b>x</b>": "Use only the letters a to z, digits and dashes.",
}


def test_a_name_is_checked_while_it_is_typed(open_page):
    page = open_page("/?create")
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_label("Name", exact=True)
    for name, sentence in NO_NAMES.items():
        field.fill(name[:-3])
        field.press_sequentially(name[-3:], delay=5)
        expect(dialog.locator("#create-hint")).to_have_text(sentence)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(dialog.get_by_role("button", name="Create store")).to_be_disabled()
        field.fill("fine")
        expect(dialog.get_by_text("This name is free.")).to_be_visible()
        expect(dialog.locator("#create-address")).to_contain_text(re.compile(r"http://fine\.localhost:\d+"))
        expect(dialog.get_by_role("button", name="Create store")).to_be_enabled()
