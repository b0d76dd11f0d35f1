"""`make pictures`: the README's pictures, of real stores on the cluster that KUBECONFIG names.

Not a test: what it makes is looked at before it is kept.
"""

import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS, chromium_command
from tests.cluster.cluster import INGRESS, KUBECONFIG
from tests.cluster.test_whole_line import served_on_the_cluster
from tests.served import EMAIL, PASSWORD, Served

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
RUNNING = ("atelier-nord", "fern-and-fig", "cafe-luna")
COMING = "bikeshop"
SIZE = {"width": 1280, "height": 640}
TALL = {"width": 1280, "height": 900}
DRAWING = 45_000  # ms in which a running store's use of the cluster is measured more than once


def main() -> None:
    path = chromium_command()
    if not (KUBECONFIG and INGRESS and path):
        sys.exit("needs KUBECONFIG, STOREFLEET_TEST_INGRESS and Chromium")
    with tempfile.TemporaryDirectory() as folder:
        served = served_on_the_cluster(Path(folder)).start()
        try:
            with served.client(served.token()) as api:
                _take(served, api, path)
                for name in (*RUNNING, COMING):
                    api.delete(f"/api/v1/stores/{name}")
                while api.get("/api/v1/stores").json()["items"]:
                    time.sleep(0.5)
        finally:
            served.stop()


def _take(served: Served, api: httpx.Client, path: str) -> None:
    for name in RUNNING:
        _create(api, name)
    while any(api.get(f"/api/v1/stores/{name}").json()["state"] != "READY" for name in RUNNING):
        time.sleep(0.5)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        context = browser.new_context(base_url=served.url, viewport=SIZE, locale="en-GB", timezone_id="UTC")
        form = {"email": EMAIL, "password": PASSWORD}
        context.request.post("/sign-in", form=form, headers={"Origin": served.url})
        stores, store = context.new_page(), context.new_page()
        stores.goto("/")
        _create(api, COMING)
        store.goto(f"/stores/{COMING}")
        store.get_by_text("PostgreSQL PVC created").wait_for()
        _keep(stores, "stores")
        while api.get(f"/api/v1/stores/{COMING}").json()["state"] != "READY":
            time.sleep(0.5)
        platform, shop = context.new_page(), context.new_page()
        platform.set_viewport_size(TALL)
        platform.goto("/platform?range=1h")
        platform.locator(".chart .drawing svg").first.wait_for()
        platform.get_by_text("No orphans").wait_for()
        _keep(platform, "platform")
        shop.set_viewport_size(TALL)
        shop.goto(f"/stores/{RUNNING[0]}")
        shop.get_by_text("Store READY").wait_for()
        shop.wait_for_timeout(DRAWING)
        _keep(shop, "shop")
        browser.close()


def _create(api: httpx.Client, name: str) -> None:
    while True:  # the cluster may not be known yet
        answer = api.post("/api/v1/stores", json={"name": name})
        if answer.status_code != 503:
            answer.raise_for_status()
            return
        time.sleep(0.5)


def _keep(page: Page, name: str) -> None:
    page.wait_for_timeout(300)  # for what moves to come to rest
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
