"""A list of many stores as administrators and owners use it: order, filters, steps back, many at once, two browsers;
and what is left of what was typed when the server goes away."""

import json
import re
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from provisioning.secrets import Sealer, generate
from tests.browser.dashboard import ADMIN, ANN, BEN, Dashboard
from tests.browser.looks import PHONE, WIDE, check, looks, resize
from tests.browser.test_store_life import mark, not_reloaded

MANY = 70
STRANGE = "<img src=x onerror=alert(1)> 🛒 \u202eمرحبا بالعالم " + "x" * 260


@pytest.fixture(scope="module")
def dashboard(forgiving: Dashboard) -> Dashboard:
    add_failed(forgiving, {f"rose-{number:02}": (ANN, BEN)[number % 2] for number in range(MANY)})
    add_failed(forgiving, {"strange": ANN}, STRANGE, hours=1)
    return forgiving


def add_failed(
    dashboard: Dashboard, owners: dict[str, str], message: str = "PostgreSQL pod failed to start", hours: int = 3
) -> None:
    """Stores that failed, each a minute younger than the one before, behind the dashboard's back."""
    data = dashboard.folder / "data"
    sealed = Sealer([(data / "key").read_text().strip()]).seal(generate(ADMIN))
    with sqlite3.connect(data / "storefleet.db") as database:
        ids = dict(database.execute("SELECT email, id FROM users"))
        for number, (name, owner) in enumerate(owners.items()):
            at = f"{datetime.now(UTC) - timedelta(hours=hours, minutes=-number):%Y-%m-%d %H:%M:%S.%f}"
            reason = json.dumps({"code": "x", "message": message, "evidence": [], "who": "", "hint": ""})
            database.execute(
                "INSERT INTO store (id, name, owner_id, template, plan, options, state, state_at, reason, url, version,"
                " revision, created_at) VALUES (?, ?, ?, 'medusa', 'small', '{}', 'FAILED', ?, ?, ?, '2.21.2', 1, ?)",
                (store_id := uuid.uuid4().hex, name, ids[owner], at, reason, f"http://{name}.localhost", at),
            )
            database.execute("INSERT INTO store_secret (store_id, sealed) VALUES (?, ?)", (store_id, sealed))


def first(page: Page) -> Any:
    return page.locator("a.name").first


def test_order_and_filters_are_steps_that_lead_back(open_page, picture):
    page = open_page("/")
    expect(first(page)).to_have_text("strange")
    page.get_by_role("button", name="Store", exact=True).click()
    expect(first(page)).to_have_text("rose-00")
    expect(page).to_have_url(re.compile(r"\?sort=name$"))
    expect(page.get_by_role("columnheader", name="Store")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("combobox", name="Owner", exact=True).select_option(BEN)
    expect(first(page)).to_have_text("rose-01")
    expect(page.get_by_role("button", name=f"Failed {MANY // 2}")).to_be_visible()
    page.get_by_role("button", name="Degraded").click()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    expect(page).to_have_url(re.compile(r"health=degraded"))
    page.go_back()
    expect(first(page)).to_have_text("rose-01")
    page.go_back()
    expect(first(page)).to_have_text("rose-00")
    page.go_forward()
    expect(first(page)).to_have_text("rose-01")
    page.reload()
    expect(first(page)).to_have_text("rose-01")
    expect(page.get_by_role("combobox", name="Owner", exact=True)).to_have_value(BEN)
    page.get_by_role("searchbox").fill("ben@")
    expect(page).to_have_url(re.compile("q=ben%40"))
    picture(page, "stores-narrowed")


def test_a_long_list_goes_on_by_itself_and_who_comes_back_finds_the_place(open_page):
    page = open_page("/?sort=name")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(50)
    page.mouse.wheel(0, 20_000)
    expect(rows).to_have_count(MANY + 1)
    expect(page).to_have_url(re.compile("rows=100"))
    page.get_by_role("link", name="rose-68", exact=True).click()
    expect(page).to_have_url(re.compile("/stores/rose-68$"))
    page.go_back()
    expect(rows).to_have_count(MANY + 1)
    expect(page.get_by_role("link", name="rose-68", exact=True)).to_be_in_viewport()


def test_many_at_once_and_another_browser_sees_it(open_page, picture):
    page, owner = open_page("/?sort=name"), open_page("/?sort=name", person=ANN)
    mark(owner)
    expect(owner.locator("[data-store=rose-02]")).to_be_visible()
    expect(owner.get_by_role("checkbox")).to_have_count(0)
    for name in ("rose-01", "rose-02", "rose-03"):
        page.get_by_role("checkbox", name=f"Choose {name}").check()
    bar = page.get_by_role("group", name="What is done to the stores that are chosen")
    expect(bar).to_contain_text("3 stores chosen")
    page.get_by_role("checkbox", name="Choose rose-03").uncheck()
    picture(page, "stores-chosen")
    bar.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Delete 2 stores?")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    dialog.get_by_role("textbox").fill("delete 3 stores")
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    dialog.get_by_role("textbox").fill("delete 2 stores")
    picture(page, "stores-delete-many")
    check(page)
    dialog.get_by_role("button", name="Delete").dblclick()
    expect(dialog).to_be_hidden()
    expect(page.locator("#notices")).to_have_text("2 stores are being deleted")
    for each in (page, owner):
        expect(each.locator("[data-store=rose-02]")).to_have_count(0)
    expect(bar).to_be_hidden()
    owner.get_by_role("button", name="Deleted 1").click()
    owner.get_by_role("button", name="Undo the deletion of rose-02").click()
    expect(owner.locator("#notices")).to_have_text("rose-02 is taken back")
    expect(page.locator("[data-store=rose-02] .state")).to_have_text("Ready", timeout=40_000)
    assert not_reloaded(owner)


def test_what_a_page_sends_that_is_behind_or_not_allowed(open_page, picture):
    page = open_page("/?sort=name", person=ANN)
    expect(first(page)).to_be_visible()
    page.evaluate("Storefleet.tell('act', {action: 'delete', names: ['rose-05', 'rose-07', 'nothing', '<b>x</b>', 7]})")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Nothing was done")
    expect(dialog.get_by_role("listitem")).to_have_count(5)
    expect(dialog.get_by_role("listitem").first).to_contain_text("There is no store of that name among yours")
    picture(page, "stores-outcomes")
    dialog.get_by_role("button", name="Close").click()
    page.evaluate(
        "Storefleet.tell('act', {action: 'destroy', names: ['rose-04']}); Storefleet.tell('act', {action: 'retry'})"
    )
    other = open_page("/?sort=name", person=ANN)  # asks for the opposite of what the first does
    other.get_by_role("button", name="Delete rose-04").click()
    page.get_by_role("button", name="Retry rose-04").dblclick()
    expect(page.locator("#notices")).to_have_text("rose-04 has another try")
    other.get_by_role("dialog").get_by_role("textbox").fill("rose-04")
    other.get_by_role("dialog").get_by_role("button", name="Delete").click()
    for each in (page, other):
        expect(each.locator("[data-store=rose-04]")).to_have_count(0)
    admin = open_page("/?owner=ben@example.com")
    expect(admin.locator("[data-store=rose-05]")).to_be_visible()


def test_strange_texts_break_nothing(open_page, picture):
    page = open_page("/")
    strange = page.locator("[data-store=strange]")
    expect(strange.locator(".note")).to_contain_text("<img src=x onerror=alert(1)>")
    for window in (PHONE, WIDE):
        resize(page, window)
        assert strange.bounding_box()["height"] < 220  # type: ignore[index]
    looks(page, picture, "stores-many", axe=True)


def test_keys(open_page):
    page = open_page("/?sort=name")
    expect(first(page)).to_be_visible()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog")
    expect(keys).to_contain_text("Open the store’s page")
    check(page)
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.wait_for_function("!document.activeElement.closest('dialog')")  # it goes from there a moment later
    page.keyboard.press("j")
    expect(first(page)).to_be_focused()
    page.keyboard.press("x")
    expect(page.get_by_text("1 store chosen")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("1 store chosen")).to_be_hidden()


def test_enter_does_not_wait_for_the_check_of_the_name(open_page):
    page = open_page("/?create")
    expect(page).not_to_have_url(re.compile("create"))
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("quick")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/stores/quick$"))
    page.goto("/")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_what_was_typed_outlives_the_server(open_page, dashboard: Dashboard, picture):
    page = open_page("/?q=rose")
    page.get_by_role("button", name="Create store").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("half-done")
    dialog.get_by_role("radio", name="Medium").check()
    expect(dialog.get_by_text("This name is free.")).to_be_visible()
    mark(page)
    dashboard.stop()
    expect(page.locator("#popup")).to_be_visible(timeout=20_000)
    expect(page.locator("#popup")).to_contain_text("It comes back by itself")
    dialog.get_by_role("button", name="Create store").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Not connected right now")
    picture(page, "stores-away")
    dashboard.start()
    page.wait_for_function("window.notReloaded === undefined", timeout=60_000)
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("half-done")
    expect(dialog.get_by_role("radio", name="Medium")).to_be_checked()
    expect(dialog.get_by_text("This name is free.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox")).to_have_value("rose")
    page.reload()
    expect(first(page)).to_be_visible()
    expect(dialog).to_have_count(0)


def test_a_wish_that_lost_its_answer_is_not_made_twice(open_page):
    page = open_page("/", person=BEN)
    expect(first(page)).to_be_visible()
    kept = {"name": "rose-05", "plan": "small", "template": "medusa", "title": "", "currency": "eur", "samples": True}
    page.evaluate("(kept) => Storefleet.draft('create').keep({ ...kept, sent: true })", kept)
    page.reload()
    expect(page).to_have_url(re.compile("/stores/rose-05$"))


def test_numbers_and_ages_are_written_as_the_browser_has_it(open_page, chromium, dashboard):
    cookies = open_page("/").context.cookies()
    context = chromium.new_context(base_url=dashboard.url, locale="de-DE")
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto("/")
    expect(page.locator(".age time").last).to_have_text(re.compile(r"^\d Std\.$"))
    assert page.evaluate("Storefleet.amount(1234.5)") == "1.235"
    context.close()
