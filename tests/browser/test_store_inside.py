"""What is inside a store, as a person looks at it: parts, logs, use, the timeline's evidence, and a failure's words."""

import re
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.dashboard import ADMIN, EVA, Dashboard
from tests.browser.looks import check, looks
from tests.browser.test_store_life import mark, not_reloaded, state

NAME = "juniper"


@pytest.fixture(scope="module")
def store(dashboard: Dashboard) -> None:
    dashboard.have(EVA, NAME)


@pytest.fixture
def page(store, open_page) -> Page:
    """The page of a store that is ready."""
    return open_page(f"/stores/{NAME}", person=EVA)


def test_parts_and_their_logs(page: Page, picture):
    mark(page)
    parts = page.locator(".parts > li")
    expect(parts).to_have_count(5)
    expect(parts.filter(has_text="Healthy")).to_have_count(4)
    expect(parts.nth(3)).to_contain_text("The address is plain http")
    postgres = parts.filter(has_text="PostgreSQL")
    postgres.get_by_text("1 pod").click()
    postgres.get_by_role("button", name="Log postgres, postgres-0").click()

    lines = page.get_by_role("region", name="Lines of the log").locator("p")
    expect(lines.filter(has_text="database system is ready to accept connections")).to_have_count(1)
    expect(page.get_by_label("Container")).to_have_value(re.compile("^postgres/"))
    status = page.locator(".log").get_by_role("status")
    expect(status).to_have_text("Live")
    before = lines.count()
    expect(lines.nth(before)).to_be_visible(timeout=20_000)  # another one came by itself
    expect(lines.first).to_have_text(re.compile(r"^\d\d:\d\d:\d\d "))

    find = page.get_by_label("Find in the log")
    find.fill("LISTENING")
    expect(page.locator(".log .lines p:visible")).to_have_count(1)
    expect(page.locator(".log mark")).to_have_text("listening")
    picture(page, "log")
    find.fill("")
    page.get_by_role("button", name="Pause").click()
    expect(status).to_have_text("Paused")
    count = lines.count()
    page.wait_for_timeout(2000)
    assert lines.count() == count
    page.get_by_role("button", name="Follow").click()
    expect(lines.nth(count)).to_be_attached(timeout=20_000)
    texts = lines.all_inner_texts()
    assert len(texts) == len(set(texts)), "no line came twice"

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == f"{NAME}-postgres-postgres.log"
    said = Path(download.value.path()).read_text()
    assert "database system is ready to accept connections" in said
    assert not_reloaded(page)


def test_the_timelines_evidence_levels_and_copy(page: Page):
    log = page.get_by_role("log")
    line = log.locator("li").filter(has_text="PostgreSQL pod ready")
    line.get_by_role("button", name="pod/postgres-0").click()
    expect(line).to_contain_text("Cluster’s time")
    expect(line.locator("dd").nth(1)).to_have_text(re.compile(r"20\d\d"))
    line.locator("time").hover()
    expect(line.locator("time")).to_have_attribute("title", re.compile("ago|now"))
    every = log.locator("li").count()
    page.get_by_role("combobox", name="Show").select_option("success")
    assert 0 < log.locator("li").count() <= every
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy timeline").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"^\[\d\d:\d\d:\d\d\] PostgreSQL pod ready \(pod/postgres-0\)$", copied, re.MULTILINE)


STRANGE = "<b>bold</b> \u202e\u05e9\u05dc\u05d5\u05dd 🧨" + "x" * 300


def test_a_long_timeline_with_strange_words_is_bounded_and_breaks_nothing(page: Page, dashboard: Dashboard, picture):
    with sqlite3.connect(dashboard.folder / "data" / "storefleet.db") as database:
        (store,) = database.execute("SELECT id FROM store WHERE name = ?", (NAME,)).fetchone()
        rows = [(store, f"strange:{number}", f"{number} {STRANGE}") for number in range(300)]
        database.executemany(
            "INSERT OR IGNORE INTO event (store_id, key, at, kind, message, level, object, evidence)"
            " VALUES (?, ?, '2026-01-02 12:00:00.000000', 'warning', ?, 'warning', 'pod/x', 'said')",
            rows,
        )
    page.reload()
    lines = page.get_by_role("log").locator("li")
    expect(lines).to_have_count(60)
    looks(page, picture, "timeline-strange")
    page.get_by_role("button", name=re.compile("Show .* earlier lines")).click()
    expect(lines).to_have_count(180)
    expect(lines.first).to_contain_text("<b>bold</b>")
    page.get_by_role("combobox", name="Show").select_option("warning")
    lines.last.get_by_role("button").click()
    expect(lines.last.locator("pre")).to_have_text("said")


def test_new_secrets_while_the_shop_serves(page: Page, picture):
    page.get_by_role("button", name="Reveal").click()
    password = page.locator(".details dd code").nth(1)
    expect(password).to_be_visible()
    before = password.inner_text()
    page.get_by_role("button", name="New secrets").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", name="Admin password")).to_be_checked()
    picture(page, "rotate")
    check(page)
    dialog.get_by_role("button", name="Make new secrets").dblclick()
    expect(dialog).to_be_hidden()
    rotated = page.get_by_role("log").locator("li").filter(has_text="Secrets rotated")
    expect(rotated).to_have_count(1, timeout=40_000)
    expect(password).to_be_hidden()  # what was shown holds no more
    page.get_by_role("button", name="Reveal").click()
    expect(password).not_to_have_text(before)


def test_a_store_of_somebody_elses_gives_no_log_away(page: Page, open_page):
    other = open_page("/", person="ben@example.com")
    for what in ("logs", "logs?follow=true", "parts", "usage"):
        assert other.request.get(f"/api/v1/stores/{NAME}/{what}").status == 404


def test_a_failure_is_told_to_its_owner_in_everyday_words_and_to_an_administrator_with_a_command(
    open_page, dashboard: Dashboard, picture
):
    dashboard.break_images()
    try:
        dashboard.have(EVA, "rowan", state="FAILED")
        page = open_page("/stores/rowan", person=EVA)
        broken = page.locator(".parts > li").filter(has_text=re.compile(r"^\s*Medusa"))
        expect(broken).to_contain_text("Not well")
        expect(broken).to_contain_text("pod failed to start")
        broken.get_by_text("1 pod").click()
        broken.get_by_role("button", name="Log").click()
        expect(page.locator(".log").get_by_role("status")).to_contain_text("waiting to start")
    finally:
        dashboard.mend_images()
    panel = page.locator(".failure")
    expect(panel).to_contain_text("The shop’s software could not be fetched.")
    expect(panel).not_to_contain_text("kubectl")
    expect(panel.locator("pre")).to_be_hidden()
    looks(page, picture, "failed-owner", axe=True)

    admin = open_page("/stores/rowan", person=ADMIN)
    expect(admin.locator(".failure pre")).to_be_visible()
    expect(admin.locator(".failure .command")).to_contain_text("kubectl --namespace store-rowan describe pod/")
    looks(admin, picture, "failed-admin", axe=True)

    page.get_by_role("button", name="Retry").dblclick()  # is one retry
    state(page, "Ready")
    lines = page.get_by_role("log").locator("li")
    expect(lines.last).to_contain_text("Store READY")
    expect(lines.filter(has_text=re.compile("retr", re.IGNORECASE))).to_have_count(1)
    expect(panel).to_have_count(0)


def test_use_against_the_limits(page: Page, picture):
    use = page.locator(".usage")
    expect(use).to_contain_text("Simulated figures")
    memory = use.locator("[data-resource=memory]")
    expect(memory.locator("li")).to_have_count(2, timeout=30_000)
    expect(memory).to_contain_text(re.compile(r"Medusa\s*\d+\sMiB of 768\sMiB"))
    expect(memory.locator("svg")).to_contain_text("Medusa limit 768")
    use.get_by_text("To the peak").click()
    expect(memory.locator("svg")).not_to_contain_text("Medusa limit")
    use.get_by_text("1 day").click()
    expect(memory.locator("li")).to_have_count(2)
    expect(use.locator(".disk")).to_contain_text("1 GiB")
    picture(page, "use")
