"""The administrators' figures, the trail of who did what, and the settings, as they see and use them."""

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import Page, expect

from provisioning.audit import Who, append
from provisioning.database import Database
from provisioning.models import Outcome
from tests.browser.dashboard import ANN, PASSWORD, Dashboard
from tests.browser.test_store_life import mark, not_reloaded

MARKUP = "<img src=x onerror=alert(1)>@example.com"


@pytest.fixture(scope="module")
def api(dashboard: Dashboard) -> Iterator[httpx.Client]:
    with dashboard.client(dashboard.token()) as client:
        yield client


def open_and_expect(open_page, path: str, **how) -> Page:
    page = open_page(path, **how)
    title = re.match("/([a-z]+)", path)[1].capitalize()
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    return page


def write(dashboard: Dashboard, actor: str) -> None:
    """An entry of somebody's, written by another process than the one that serves."""

    async def work() -> None:
        database = Database(f"sqlite+aiosqlite:///{dashboard.folder / 'data' / 'storefleet.db'}")
        async with database.session() as session:
            who = Who(actor, address="192.0.2.7")
            await append(session, who, "store.create", store_name=MARKUP, outcome=Outcome.REFUSED, error=MARKUP)
            await session.commit()
        await database.close()

    with ThreadPoolExecutor(1) as thread:  # this one runs Playwright's loop
        thread.submit(asyncio.run, work()).result()


def tile(page: Page, name: str) -> int:
    return int(page.locator(".tiles div", has_text=name).locator("b").inner_text().replace(",", ""))


# Platform


def test_figures_follow_a_store_and_the_time_range_is_in_the_address(open_page, api, picture):
    page = open_and_expect(open_page, "/platform?range=1h")
    mark(page)
    before = tile(page, "Ready now")
    assert api.post("/api/v1/stores", json={"name": "counted"}).status_code == 202
    expect(page.locator(".tiles div", has_text="Ready now").locator("b")).to_have_text(str(before + 1), timeout=60_000)
    assert not_reloaded(page)
    page.get_by_role("button", name="7 days").click()
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("Shown: the last 7 days")).to_be_attached()
    assert page.url.endswith("?range=7d")
    chart = page.get_by_role("group", name="Stores", exact=True)
    chart.get_by_text("As a table").click()
    expect(chart.get_by_role("row")).to_have_count(29)  # the head, and a step for every six hours
    ready = [int(text) for text in chart.locator("tbody td:nth-child(2)").all_inner_texts()]
    assert sum(ready) >= 1
    picture(page, "platform-figures")
    page.reload()
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    api.delete("/api/v1/stores/counted")


def test_a_time_range_that_there_is_not_is_told(open_page):
    page = open_and_expect(open_page, "/platform?range=%3Cb%3E9y")
    expect(page.get_by_role("alert")).to_contain_text("There is no time range “<b>9y”")
    expect(page.get_by_role("button", name="24 hours")).to_have_attribute("aria-pressed", "true")


def test_charts_are_drawn_in_the_colours_of_the_theme_and_follow_it(open_page):
    page = open_and_expect(open_page, "/platform")
    drawing = page.locator(".chart svg").first
    expect(drawing).to_be_visible()
    label = drawing.locator("text").first
    light = label.evaluate("(each) => getComputedStyle(each).fill")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "([each, light]) => getComputedStyle(each).fill !== light", arg=[label.element_handle(), light]
    )


# Activity


def test_who_did_what_comes_by_itself_and_is_text(open_page, dashboard: Dashboard, picture):
    page = open_and_expect(open_page, "/activity?outcome=refused")
    mark(page)
    write(dashboard, MARKUP)
    entry = page.locator(".entries li", has_text=MARKUP).first
    expect(entry).to_be_visible(timeout=20_000)
    assert not_reloaded(page)
    page.locator(".entries summary").first.focus()
    while not entry.locator("summary").evaluate("(each) => each === document.activeElement"):
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(entry.get_by_text("store.create", exact=True)).to_be_visible()
    expect(entry.get_by_text("192.0.2.7")).to_be_visible()
    picture(page, "activity")
    with dashboard.client() as somebody:  # what does not match the filter does not come
        somebody.post("/sign-in", data={"email": ANN, "password": PASSWORD})
        somebody.post("/sign-in", data={"email": "second@example.com", "password": "wrong"})
        somebody.post("/sign-in", data={"email": "no address", "password": "wrong"})
    expect(page.locator(".entries li", has_text="second@example.com").first).to_be_visible(timeout=20_000)
    expect(page.locator(".entries li", has_text="Somebody unknown").first).to_be_visible(timeout=20_000)
    assert page.locator(".entries .state", has_text="Done").count() == 0


def test_filters_are_in_the_address_and_the_export_holds_what_they_show(open_page, api):
    api.post("/api/v1/stores", json={"name": "filtered"})
    api.delete("/api/v1/stores/filtered")
    page = open_and_expect(open_page, "/activity")
    page.keyboard.press("/")
    page.keyboard.type("Filtered")
    page.get_by_label("Action").select_option("store.create")
    expect(page.locator(".entries li")).to_have_count(1)
    expect(page.locator(".entries li")).to_contain_text("asked for the store filtered")
    assert page.url.endswith("?q=Filtered&action=store.create")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="JSON lines").click()
    (line,) = downloading.value.path().read_text().splitlines()
    assert (json.loads(line)["action"], json.loads(line)["store_name"]) == ("store.create", "filtered")
    page.reload()
    expect(page.locator(".entries li")).to_have_count(1)
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".entries li").nth(3)).to_be_visible()
    assert page.url.endswith("/activity")


def test_filters_that_there_are_not_are_told(open_page):
    page = open_and_expect(open_page, "/activity?action=foo&outcome=fine&range=9y&q=%00%25")
    expect(page.get_by_role("alert")).to_have_count(3)
    expect(page.get_by_text("There is no outcome “fine”: choose ok, refused or failed.")).to_be_visible()
    expect(page.get_by_text("No entries match")).to_be_visible()


def test_older_entries_come_when_asked_for(open_page, api):
    for number in range(60):
        api.get("/api/v1/audit/export", params={"q": f"no-{number}"})
    page = open_and_expect(open_page, "/activity?action=audit.export")
    expect(page.locator(".entries li")).to_have_count(50)
    page.get_by_role("button", name="Show older entries").click()
    expect(page.locator(".entries li").nth(59)).to_be_visible()


def test_the_chain_is_verified_and_its_head_is_told(open_page, api):
    page = open_and_expect(open_page, "/activity")
    page.get_by_role("button", name="Verify").click()
    expect(page.locator(".chain")).to_contain_text(re.compile(r"All [\d,]+ entries in order, verified at"))
    head = api.get("/api/v1/audit/chain").json()["head"]
    expect(page.locator(".chain code")).to_have_text(head[:16] + "…")


# Settings


def test_settings_say_where_they_come_from(open_page, picture):
    page = open_and_expect(open_page, "/settings")
    row = page.get_by_role("row", name=re.compile("STOREFLEET_SANDBOX_SPEED"))
    expect(row).to_contain_text("20")
    expect(row).to_contain_text("Environment")
    expect(page.get_by_role("row", name=re.compile("STOREFLEET_KEY"))).to_contain_text("File")
    assert PASSWORD not in page.content()
    expect(page.get_by_text("STOREFLEET_LOG_LEVEL")).to_be_visible()
    page.get_by_label("Only what differs from its default").check()
    expect(page.get_by_text("STOREFLEET_LOG_LEVEL")).to_have_count(0)
    expect(row).to_be_visible()
    picture(page, "settings")


# For administrators alone


def test_who_is_no_administrator_finds_no_such_page(open_page):
    page = open_page("/", person=ANN)
    names = ("Platform", "Activity", "Users", "Settings")
    links = page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("|".join(names)))
    expect(page.get_by_role("heading", name="Stores", level=1)).to_be_visible()
    expect(links).to_have_count(0)
    for name in names:
        page.goto(f"/{name.lower()}")
        expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    mine = open_page("/")
    expect(mine.get_by_role("navigation", name="Main").get_by_role("link", name="Platform")).to_have_count(1)
