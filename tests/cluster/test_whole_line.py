"""The whole line on a real cluster: a person signs in, creates a store, watches it come up, shops, and deletes it."""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PICTURES
from tests.cluster.cluster import INGRESS, Kubectl, served_on_the_cluster
from tests.served import EMAIL, PASSWORD, Served

TIMELINE = [
    "Store requested",
    "Namespace created",
    "Secrets, quota and policies in place",
    "PostgreSQL PVC created",
    "PostgreSQL pod ready",
    "Database restored from the",
    "Medusa deployment created",
    "Medusa pod ready",
    "Ingress created",
    "Store READY",
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    process = served_on_the_cluster(tmp_path_factory.mktemp("served"))
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture(scope="module")
def api(served: Served) -> Iterator[httpx.Client]:
    with served.client(served.token()) as client:
        yield client


@pytest.fixture
def name() -> str:
    """A name of the run's own, so that what an earlier run left is not in the way."""
    return f"proof-{secrets.token_hex(3)}"


@contextmanager
def signed_in(chromium: Browser, served: Served) -> Iterator[Page]:
    context = chromium.new_context(base_url=served.url, locale="en-GB", timezone_id="UTC")
    page = context.new_page()
    page.goto("/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    yield page
    context.close()


@pytest.fixture
def page(chromium: Browser, served: Served) -> Iterator[Page]:
    with signed_in(chromium, served) as page:
        yield page


def wait_for(api: httpx.Client, name: str, *states: str, seconds: float = 300) -> dict:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        store = api.get(f"/api/v1/stores/{name}").json()
        if store.get("state") in states:
            return store
        time.sleep(0.5)
    raise AssertionError(f"{name} did not become {states}: {store}, {api.get(f'/api/v1/stores/{name}/events').text}")


def wait_until_gone(api: httpx.Client, name: str, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while api.get(f"/api/v1/stores/{name}").status_code != 404:
        assert time.monotonic() < end, api.get(f"/api/v1/stores/{name}/events").text
        time.sleep(0.5)


def assert_nothing_is_left(kubectl: Kubectl, store: dict) -> None:
    """No object of the store, in its namespace or by its label, and no volume that its claims held."""
    namespace = f"store-{store['name']}"
    assert namespace not in kubectl.names("namespaces")
    for kind in "all,secrets,persistentvolumeclaims,ingresses,networkpolicies,resourcequotas,limitranges".split(","):
        assert kubectl.names(kind, "--all-namespaces", "--selector", f"storefleet.dev/store={store['id']}") == []
    claims = [(item["spec"].get("claimRef") or {}).get("namespace") for item in kubectl.items("persistentvolumes")]
    assert namespace not in claims


def shop(path: str, host: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{INGRESS}{path}", headers={"Host": host, **headers}, timeout=30, trust_env=False)


def assert_is_a_shop(store: dict, credentials: dict[str, str]) -> None:
    """The front page has products; the Store API has them for the publishable key; the admin can sign in."""
    host = httpx.URL(store["url"]).host
    front = shop("/", host)
    assert front.status_code == 200
    assert "Enamel mug" in front.text or "data-product" in front.text
    token = httpx.post(
        f"{INGRESS}/auth/user/emailpass",
        headers={"Host": host},
        json={"email": credentials["email"], "password": credentials["password"]},
        timeout=30,
        trust_env=False,
    ).json()["token"]
    keys = shop("/admin/api-keys?type=publishable", host, Authorization=f"Bearer {token}").json()["api_keys"]
    assert len(keys) == 1
    products = shop("/store/products", host, **{"x-publishable-api-key": keys[0]["token"]}).json()["products"]
    assert products
    assert shop("/store/products", host).status_code == 400
    assert shop("/app", host).status_code in (200, 301, 302)


def create_in_the_browser(page: Page, name: str) -> None:
    page.get_by_role("button", name="Create store").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill(name)
    expect(dialog.get_by_text("This name is free.")).to_be_visible()
    dialog.get_by_role("button", name="Create store").click()
    expect(page).to_have_url(re.compile(f"/stores/{name}$"))


def delete_in_the_browser(page: Page, name: str) -> None:
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(name)
    dialog.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("heading", name=f"{name} is deleted")).to_be_visible(timeout=180_000)


def assert_what_is_inside_is_seen(page: Page, kubectl: Kubectl, name: str) -> None:
    """Parts, logs and use of a real store: as the page has them, and as kubectl has them."""
    parts = page.locator(".parts > li")
    expect(parts.filter(has_text="Healthy")).to_have_count(4)
    parts.filter(has_text="PostgreSQL").get_by_text("1 pod").click()
    page.get_by_role("button", name="Log postgres, postgres-0").click()
    lines = page.get_by_role("region", name="Lines of the log").locator("p")
    expect(lines.filter(has_text="database system is ready to accept connections").last).to_be_attached()
    truth = kubectl.run("--namespace", f"store-{name}", "logs", "postgres-0", "--tail", "500").splitlines()
    shown = [each.split(" ", 1)[-1].strip() for each in lines.all_inner_texts()]
    assert [each.strip() for each in truth][: len(shown)] == shown[: len(truth)], "as kubectl has it"

    page.get_by_label("Container").select_option(label="Medusa")
    expect(lines.filter(has_text="storefleet: shop prepared")).to_have_count(1)
    expect(page.locator(".log").get_by_role("status")).to_have_text("Live")
    asked = lines.filter(has_text=re.compile(r"GET\s+/store/products\s+400"))
    before = asked.count()
    shop("/store/products", httpx.URL(page.get_by_role("link", name="Open shop").get_attribute("href") or "").host)
    expect(asked).not_to_have_count(before)  # came by itself

    if kubectl.run("get", "apiservices", "--output", "name").find("metrics.k8s.io") < 0:
        expect(page.locator(".usage")).to_contain_text("No metrics in this cluster")
    else:
        figures = page.locator(".usage [data-resource=memory] li")
        expect(figures).to_have_count(2, timeout=120_000)
        expect(figures.first).to_have_text(re.compile(r"Medusa\s*\d+\sMiB of \d+\sMiB"))
        expect(page.locator(".usage")).not_to_contain_text("Simulated")
    keep(page, "real-store")


def keep(page: Page, name: str) -> None:
    """A picture of the whole page, to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def test_a_click_becomes_a_running_shop_and_goes_without_a_trace(page, served, api, kubectl, name):
    create_in_the_browser(page, name)
    page.evaluate("window.notReloaded = true")
    state, lines = page.locator(".store-head .state"), page.get_by_role("log").locator("li")
    expect(state).to_have_text("Provisioning", timeout=10_000)
    moved = set()
    while state.inner_text() != "Ready":
        moved.add(lines.count())
        assert state.inner_text() in ("Provisioning", "Ready"), lines.all_inner_texts()
        page.wait_for_timeout(100)
    assert len(moved) > 2, "the timeline moved while the page was open"
    assert page.evaluate("window.notReloaded === true")
    expect(lines.last).to_contain_text("Store READY")
    told = "\n".join(lines.all_inner_texts())
    for line in TIMELINE:
        assert line in told

    store = wait_for(api, name, "READY")
    other = f"{name}-b"
    assert api.post("/api/v1/stores", json={"name": other}).status_code == 202

    page.get_by_role("button", name="Reveal").click()
    email, password = (page.locator(".details dd code").nth(number).inner_text() for number in (0, 1))
    assert_is_a_shop(store, {"email": email, "password": password})
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open shop").click()
    expect(opened.value.locator("[data-product]").first).to_be_visible()

    assert_what_is_inside_is_seen(page, kubectl, name)
    second = wait_for(api, other, "READY")
    assert shop("/ready", httpx.URL(second["url"]).host).status_code == 200
    assert api.delete(f"/api/v1/stores/{other}").status_code == 202

    delete_in_the_browser(page, name)
    wait_until_gone(api, other)
    for gone in (store, second):
        assert_nothing_is_left(kubectl, gone)


def test_an_image_that_does_not_exist_fails_the_store_with_the_pod_and_the_cause(tmp_path, kubectl, name, chromium):
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"postgresql": {"image": {"tag": "17-does-not-exist"}}}))
    process = served_on_the_cluster(tmp_path, STOREFLEET_STORE_VALUES=str(values)).start()
    try:
        with process.client(process.token()) as api:
            api.post("/api/v1/stores", json={"name": name}).raise_for_status()
            store = wait_for(api, name, "FAILED", "READY")
            assert store["state"] == "FAILED"
            assert store["reason"]["code"] == "image_pull"
            assert store["reason"]["message"] == "PostgreSQL pod failed to start: ImagePullBackOff"
            assert any("pod/postgres-0" in line for line in store["reason"]["evidence"])
            assert store["reason"]["hint"]
            assert store["reason"]["who"]
            with signed_in(chromium, process) as page:
                page.goto(f"/stores/{name}")
                panel = page.locator(".failure")
                expect(panel.get_by_role("heading")).to_have_text("PostgreSQL pod failed to start: ImagePullBackOff")
                expect(panel).to_contain_text("The shop’s software could not be fetched.")
                expect(panel.locator("pre")).to_contain_text("17-does-not-exist")
                broken = page.locator(".parts > li").filter(has_text="PostgreSQL")
                expect(broken).to_contain_text("Not well")
                broken.get_by_text("1 pod").click()
                broken.get_by_role("button", name="Log postgres, postgres-0").click()
                expect(page.locator(".log").get_by_role("status")).to_contain_text("waiting to start")
                keep(page, "real-failure")
            api.delete(f"/api/v1/stores/{name}").raise_for_status()
            wait_until_gone(api, name)
            assert_nothing_is_left(kubectl, store)
    finally:
        process.stop()


def test_a_killed_process_is_followed_by_one_that_goes_on(tmp_path, kubectl, name):
    first = served_on_the_cluster(tmp_path).start()
    with first.client(first.token()) as api:
        api.post("/api/v1/stores", json={"name": name}).raise_for_status()
        wait_for(api, name, "PROVISIONING")
        time.sleep(1)
    assert first.process is not None
    first.process.kill()
    first.process.wait()
    second = served_on_the_cluster(tmp_path).start()
    try:
        with second.client(second.token()) as api:
            store = wait_for(api, name, "READY", "FAILED")
            assert store["state"] == "READY", store["reason"]
            messages = [event["message"] for event in api.get(f"/api/v1/stores/{name}/events").json()["items"]]
            assert messages.count("Store READY") == 1
            api.delete(f"/api/v1/stores/{name}").raise_for_status()
            wait_until_gone(api, name)
            assert_nothing_is_left(kubectl, store)
    finally:
        second.stop()
