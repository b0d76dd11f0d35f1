"""Storefleet installed by its chart: two pods on the embedded PostgreSQL, used through the ingress.

A person creates a real shop in a browser, and the pod that leads is deleted meanwhile.  Then the platform is upgraded
and rolled back while five stores are being provisioned: these are stand-ins (`cheap_shop`, an image of this folder's)
without a PostgreSQL, because five Medusas cost more than a minute of CPU and what is tested is not theirs.  All else
about them is real: namespaces, releases, pods, the ingress.
"""

import json
import re
import secrets
import shutil
import subprocess
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from tests.cluster.cluster import INGRESS, KUBECONFIG, Kubectl
from tests.cluster.test_whole_line import (
    assert_nothing_is_left,
    create_in_the_browser,
    delete_in_the_browser,
    shop,
    wait_for,
    wait_until_gone,
)

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "platform"
HELM_VERSION = re.search(r"ARG HELM_VERSION=(\S+)", (ROOT / "Dockerfile").read_text())[1]
EMAIL = "admin@example.com"
PORT = httpx.URL(INGRESS).port
CHEAP = {
    "medusa": {
        "image": {"repository": "ghcr.io/storefleet/cheap-shop", "tag": "1", "pullPolicy": "Never"},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}},
    },
    "postgresql": {"enabled": False},
    "externalDatabase": {"host": "database.invalid"},
}

pytestmark = pytest.mark.skipif(shutil.which("helm") is None, reason="needs the helm command, version 4, on the PATH")


class Patient(httpx.HTTPTransport):
    """Asks again where the ingress had no pod to ask, or one that is gone, as whoever reads through a load balancer
    has to."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        end = time.monotonic() + 90
        while True:
            try:
                response = super().handle_request(request)
                if request.method != "GET" or response.status_code < 502 or time.monotonic() > end:
                    return response
                response.close()
            except httpx.TransportError:
                if request.method != "GET" or time.monotonic() > end:
                    raise
            time.sleep(0.3)


class Platform:
    """One release, in a namespace of its own."""

    def __init__(self, kubectl: Kubectl, folder: Path) -> None:
        self.kubectl, self.folder = kubectl, folder
        self.namespace = f"storefleet-{secrets.token_hex(3)}"
        self.host = f"{self.namespace}.localhost"
        self.netloc = self.host + (f":{PORT}" if PORT else "")  # what a browser sends as Host
        self.url = f"http://{self.netloc}"
        self.values: dict[str, Any] = {
            "url": self.url,
            "storeUrl": "http://{name}.localhost" + (f":{PORT}" if PORT else ""),
            "ingressUrl": ingress_inside(kubectl),
            "replicas": 2,
            "image": {"pullPolicy": "Never"},
            "admin": {"email": EMAIL},
        }
        self.asked_for: list[str] = []  # stores
        self.account = f"system:serviceaccount:{self.namespace}:storefleet"

    def helm(self, *arguments: str) -> str:
        command = ["helm", *arguments, f"--kubeconfig={KUBECONFIG}", f"--namespace={self.namespace}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{self.state()}"
        return done.stdout

    def install(self, **changes: Any) -> None:
        """Install, or upgrade to values with `changes`; wait until all of it is rolled out."""
        self.values.update(changes)
        file = self.folder / "values.yaml"
        file.write_text(yaml.safe_dump(self.values))
        begun = time.monotonic()
        self.helm("upgrade", "--install", "storefleet", str(CHART), f"--values={file}", "--wait", "--timeout=5m")
        print(f"rolled out in {time.monotonic() - begun:.0f} s")

    def rollback(self) -> None:
        begun = time.monotonic()
        self.helm("rollback", "storefleet", "--wait", "--timeout=5m")
        print(f"rolled back in {time.monotonic() - begun:.0f} s")

    def state(self) -> str:
        """What a person would look at when it does not come up."""
        look = ("--namespace", self.namespace)
        pods = self.kubectl.run("get", "pods", *look, "--output=wide")
        logs = [
            self.kubectl.run("logs", *look, name, "--all-containers", "--tail=20", "--ignore-errors")
            for name in self.kubectl.names("pods", *look)
        ]
        return "\n".join([pods, self.kubectl.run("get", "events", *look)[-3000:], *logs])

    def inside(self, *command: str) -> str:
        where = ("--namespace", self.namespace, "deployment/storefleet", "--container=storefleet")
        return self.kubectl.run("exec", *where, "--", *command)

    def secret(self) -> dict[str, str]:
        answer = self.kubectl.run("get", "secret", "storefleet", "--namespace", self.namespace, "--output=json")
        data: dict[str, str] = json.loads(answer)["data"]
        return data

    def client(self, token: str = "") -> httpx.Client:
        """Without the cookie that keeps browsers with one pod: any pod answers."""
        headers = {"Host": self.netloc} | ({"Authorization": f"Bearer {token}"} if token else {})
        jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx.Client(
            base_url=INGRESS, headers=headers, cookies=jar, timeout=10, trust_env=False, transport=Patient()
        )

    def names(self, count: int) -> list[str]:
        """Of stores that a test is about to ask for."""
        new = [f"platform-{secrets.token_hex(3)}" for _ in range(count)]
        self.asked_for += new
        return new

    def leader(self) -> str:
        """The pod that leads."""

        def known() -> str:
            with self.client() as client:
                leader = client.get("/readyz").json().get("leader")
            return leader["holder"].split("_")[0] if leader else ""

        return until(known, 60, "nobody leads")


def ingress_inside(kubectl: Kubectl) -> str:
    """The ingress controller's address inside the cluster."""
    services = kubectl.items("services", "--all-namespaces")
    found = next(each for each in services if each["metadata"]["name"] in ("traefik", "ingress-nginx-controller"))
    return f"http://{found['metadata']['name']}.{found['metadata']['namespace']}.svc"


def until(look: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true answer of `look`."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, what
        time.sleep(0.3)
    return found


@pytest.fixture(scope="module")
def platform(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(kubectl, tmp_path_factory.mktemp("platform"))
    kubectl.run("create", "namespace", platform.namespace)
    kubectl.run("label", "namespace", platform.namespace, "pod-security.kubernetes.io/enforce=restricted")
    try:
        platform.install()
        yield platform
    finally:
        # Its pods first: their last calls would be refused, and test_rights.py would wonder.
        where = ("--namespace", platform.namespace)
        kubectl.run("delete", "deployment", "storefleet", *where, "--cascade=foreground", "--ignore-not-found")
        platform.helm("uninstall", "storefleet", "--ignore-not-found")
        # Stores outlive their platform; there are some left only where a test has failed.
        left = (f"store-{name}" for name in platform.asked_for)
        kubectl.run("delete", "namespace", platform.namespace, *left, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def api(platform: Platform) -> Iterator[httpx.Client]:
    token = platform.inside("storefleet", "token", "create", "--user", EMAIL).split()[-1]
    with platform.client(token) as client:
        yield client


@pytest.fixture
def page(chromium: Browser, platform: Platform) -> Iterator[Page]:
    expect.set_options(timeout=30_000)  # everything runs on one node, the browser beside it
    context = chromium.new_context(base_url=platform.url, locale="en-GB", timezone_id="UTC")
    page = context.new_page()
    page.on("console", lambda message: print("console:", message.text))
    page.on("websocket", lambda websocket: print("websocket:", websocket.url))
    page.goto("/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(b64decode(platform.secret()["admin-password"]).decode())
    page.get_by_role("button", name="Sign in").click()
    yield page
    context.close()
    expect.set_options(timeout=5_000)


def assert_nothing_was_done_twice(api: httpx.Client, kubectl: Kubectl, name: str) -> None:
    """A leader's end may cut its helm off: the same is then installed once more."""
    messages = [event["message"] for event in api.get(f"/api/v1/stores/{name}/events").json()["items"]]
    assert messages.count("Store READY") == 1
    assert len(messages) == len(set(messages)), messages
    releases = kubectl.items("secrets", "--namespace", f"store-{name}", "--selector", "owner=helm")
    statuses = [each["metadata"]["labels"]["status"] for each in releases]
    assert statuses[-1] == "deployed", statuses
    assert set(statuses[:-1]) <= {"failed"}, statuses


def test_it_runs_as_its_image_says_and_passes_its_own_test(platform: Platform, kubectl: Kubectl):
    assert platform.inside("id", "-u").strip() == "10001"
    assert platform.inside("helm", "version", "--short").startswith(HELM_VERSION)
    library = "import importlib.util as u; print(u.find_spec('helm_python'))"
    assert platform.inside("python", "-c", library).strip() == "None", "the library is there beside the command"
    pods = kubectl.items("pods", "--namespace", platform.namespace)
    assert {status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"]} == {0}
    assert "Succeeded" in platform.helm("test", "storefleet")


def test_its_account_writes_nowhere_but_in_stores_namespaces(platform: Platform, kubectl: Kubectl):
    tried = [
        ("create", "secret", "generic", "planted", "--namespace=kube-system"),
        ("create", "deployment", "planted", "--image=planted", f"--namespace={platform.namespace}"),
        ("create", "namespace", "planted"),
        ("delete", "namespace", "kube-node-lease"),
        ("delete", "secret", "storefleet", f"--namespace={platform.namespace}"),
    ]
    for arguments in tried:
        done = subprocess.run(
            [kubectl.command, "--kubeconfig", KUBECONFIG, f"--as={platform.account}", *arguments, "--dry-run=server"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode, arguments
        assert "Storefleet writes only into namespaces of stores" in done.stderr, done.stderr


def test_a_person_creates_a_shop_while_the_leading_pod_is_deleted(page, platform, api, kubectl):
    [name] = platform.names(1)
    create_in_the_browser(page, name)
    state = page.locator(".store-head .state")
    expect(state).to_have_text("Provisioning", timeout=30_000)
    leader = platform.leader()
    kubectl.run("delete", "pod", leader, "--namespace", platform.namespace, "--wait=false")
    deleted = time.monotonic()
    follower = until(lambda: (found := platform.leader()) != leader and found, 60, "nobody else leads")
    print(f"deleted: {follower} leads after {time.monotonic() - deleted:.1f} s")

    expect(state).to_have_text("Ready", timeout=300_000)
    expect(page.get_by_role("log").locator("li").last).to_contain_text("Store READY")
    store = wait_for(api, name, "READY")
    assert shop("/ready", httpx.URL(store["url"]).host).status_code == 200
    assert_nothing_was_done_twice(api, kubectl, name)

    delete_in_the_browser(page, name)
    wait_until_gone(api, name)
    assert_nothing_is_left(kubectl, store)


def test_an_upgrade_and_a_rollback_under_work_lose_nothing(platform, api, kubectl):
    key = platform.secret()
    platform.install(storeValues=CHEAP)
    # Until its last pods are gone, the platform before leads, and makes stores of other values: they are upgraded then.
    where = ("--namespace", platform.namespace, "--field-selector=status.phase=Running")
    where += ("--selector", "app.kubernetes.io/name=storefleet")
    until(lambda: len(kubectl.names("pods", *where)) == 2, 90, "the pods from before stay")
    created = platform.names(5)
    stores = [api.post("/api/v1/stores", json={"name": name}).raise_for_status().json() for name in created]

    def states() -> list[str]:
        answers = [api.get(f"/api/v1/stores/{name}") for name in created]
        assert {answer.status_code for answer in answers} <= {200, 502, 503}, answers
        return [answer.json().get("state", "?") for answer in answers]

    until(lambda: states() == ["PROVISIONING"] * 5, 60, "they are not begun")
    ended, answers = threading.Event(), []
    watching = threading.Thread(target=ask_all_the_time, args=(platform, ended, answers))
    watching.start()
    try:
        platform.install(settings={"logLevel": "debug"})
        print("upgraded:", states())
        platform.rollback()
        print("rolled back:", states())
        for name in created:
            wait_for(api, name, "READY")
    finally:
        ended.set()
        watching.join()
    refused = [each for each in answers if each != "200"]
    print(f"asked {len(answers)} times, not answered: {refused}")
    assert len(answers) > 20
    assert len(refused) <= len(answers) / 20, "the dashboard was away"
    for store in stores:
        assert_nothing_was_done_twice(api, kubectl, store["name"])
    assert platform.secret() == key
    for name in created:
        api.delete(f"/api/v1/stores/{name}").raise_for_status()
    for store in stores:
        wait_until_gone(api, store["name"])
        assert_nothing_is_left(kubectl, store)


def ask_all_the_time(platform: Platform, ended: threading.Event, answers: list[str]) -> None:
    """Four times a second, each time by a new connection."""
    while not ended.wait(0.25):
        try:
            answer = httpx.get(f"{INGRESS}/sign-in", headers={"Host": platform.netloc}, timeout=10, trust_env=False)
            answers.append(str(answer.status_code))
        except httpx.HTTPError as error:
            answers.append(type(error).__name__)
