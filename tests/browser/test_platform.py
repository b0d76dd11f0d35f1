"""The administrators' page: what runs now, what is left, and orphans, found and removed."""

import asyncio
import sqlite3
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from provisioning.cluster import Cluster
from tests.browser.dashboard import Dashboard
from tests.browser.looks import check, looks
from tests.browser.test_store_life import create, mark, not_reloaded


def in_the_cluster(dashboard: Dashboard, act: Any) -> Any:
    """Let `act`, a coroutine function of a Cluster, do something behind the dashboard's back."""

    async def work() -> Any:
        cluster = await Cluster.connect(dashboard.folder / "data" / "sandbox" / "kubeconfig")
        try:
            return await act(cluster)
        finally:
            await cluster.close()

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)

    with ThreadPoolExecutor(1) as thread:  # this one runs Playwright's loop
        return thread.submit(run, work()).result()


def make_orphan(dashboard: Dashboard, name: str) -> None:
    with sqlite3.connect(dashboard.folder / "data" / "storefleet.db") as database:
        installation = database.execute("SELECT id FROM installation").fetchone()[0]
    labels = {"storefleet.dev/installation": installation, "storefleet.dev/store": "0" * 32}

    async def make(cluster: Cluster) -> None:
        await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        metadata = {"name": "data", "namespace": name, "labels": labels}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
        await cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": "key"}})
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
        await cluster.create(claim)

    in_the_cluster(dashboard, make)


@pytest.fixture
def platform(open_page) -> Page:
    page = open_page("/platform")
    expect(page.get_by_role("heading", name="Platform", level=1)).to_be_visible()
    return page


def test_what_runs_now_follows_by_itself(platform: Page, picture):
    expect(platform.get_by_text("0 of 5 taken")).to_be_visible()
    expect(platform.get_by_text("Nothing to do")).to_be_visible()
    expect(platform.get_by_text("Runs in this process")).to_be_visible()
    expect(platform.get_by_text("Up to date")).to_be_visible()
    expect(platform.get_by_text("last heard")).to_be_visible()
    expect(platform.get_by_role("meter", name="CPU")).to_be_visible()
    expect(platform.get_by_text("Small 100+")).to_be_visible()
    expect(platform.get_by_role("heading", name="Orphans")).to_be_visible()
    picture(platform, "platform-quiet")
    mark(platform)
    other = platform.context.new_page()
    other.goto("/")
    create(other, "rose")
    row = platform.locator(".at-work .rows tr", has_text="rose")
    expect(row.locator(".state")).to_have_text("Provisioning")
    expect(platform.get_by_text("1 of 5 taken")).to_be_visible()
    picture(platform, "platform-working")
    expect(platform.get_by_text("Nothing to do")).to_be_visible(timeout=30_000)
    assert not_reloaded(platform)
    left = "(seconds) => Storefleet.left(new Date(Storefleet.now() + 1000 * seconds).toISOString())"
    assert [platform.evaluate(left, seconds) for seconds in (90, 5, -60)] == ["1 min", "5 secs", "1 sec"]


def test_an_orphan_is_shown_with_its_size_and_removed_after_a_question(open_page, dashboard: Dashboard, picture):
    make_orphan(dashboard, "store-lost")
    page = open_page("/platform")
    row = page.locator(".orphans tr", has_text="namespace/store-lost")
    expect(row).to_contain_text("with 2 objects in it")
    expect(row).to_contain_text("2 GiB")
    looks(page, picture, "platform-orphan", axe=True)
    row.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Remove namespace/store-lost?")
    check(page)
    picture(page, "platform-question")
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_be_hidden()
    row.get_by_role("button").click()
    dialog.get_by_role("button", name="Remove for good").click()
    expect(dialog).to_be_hidden()
    for _ in range(20):
        page.get_by_role("button", name="Look again").click()
        page.wait_for_timeout(300)
        if not row.count():
            break
    expect(page.get_by_text("No orphans")).to_be_visible()
