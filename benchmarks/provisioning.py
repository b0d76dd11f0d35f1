"""From the click to READY on a real cluster, beside what people do by hand, alternating on the same cluster.

    storefleet   POST /api/v1/stores, until the API says READY (the shop answered through the ingress)
    by hand      kubectl creates namespace and Secret, `helm upgrade --install --wait` with our own chart and values,
                 until the shop answers through the ingress
    plain        the same images without what the image prepared (no snapshot, no compiled code): an init container
                 migrates, the server seeds; `kubectl apply`, until the shop answers through the ingress

All three end at the same: GET /ready through the ingress is 200.  Each is deleted before the next begins.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from benchmarks.figures import ratios, show
from provisioning.templates import CHARTS
from tests.served import Served

KUBECONFIG = os.environ.get("KUBECONFIG", "")
INGRESS = os.environ.get("STOREFLEET_TEST_INGRESS", "")
PLAIN = Path(__file__).with_name("plain.yaml")
EVERY = 0.1  # seconds between two looks


def run(arguments: list[str]) -> None:
    if not (KUBECONFIG and INGRESS and shutil.which("helm") and shutil.which("kubectl")):
        print("left out: needs KUBECONFIG, STOREFLEET_TEST_INGRESS, helm and kubectl")
        return
    runs = int(arguments[0]) if arguments else 5
    ours, by_hand, plain = [], [], []
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as api:
        for number in range(runs):
            ours.append(_storefleet(api))
            by_hand.append(_by_hand())
            plain.append(_plain())
            print(
                f"run {number + 1}: {ours[-1]:.1f} s, by hand {by_hand[-1]:.1f} s, plain {plain[-1]:.1f} s", flush=True
            )
    show("click to READY", ours)
    show("helm upgrade --install --wait, our chart", by_hand)
    show("plain: migrations and seed at install", plain)
    ratios("click to READY / helm by hand", ours, by_hand)
    ratios("click to READY / plain", ours, plain)


@contextmanager
def _served(folder: Path) -> Iterator[httpx.Client]:
    port = httpx.URL(INGRESS).port
    address = "http://{name}.localhost" + (f":{port}" if port else "")
    settings = {"STOREFLEET_STORE_URL": address, "STOREFLEET_INGRESS_URL": INGRESS}
    served = Served(folder, "--kubeconfig", KUBECONFIG, **settings).start()
    try:
        with served.client(served.token()) as client:
            while client.get("/readyz").status_code != 200:
                time.sleep(EVERY)
            yield client
    finally:
        served.stop()


def _storefleet(api: httpx.Client) -> float:
    name = f"bench-{secrets.token_hex(3)}"
    begun = time.monotonic()
    api.post("/api/v1/stores", json={"name": name}).raise_for_status()
    with api.stream("GET", f"/api/v1/stores/{name}/events/stream", timeout=300) as stream:  # as a page is told
        for line in stream.iter_lines():
            if "store.failed" in line:
                sys.exit(line)
            if "store.ready" in line:
                break
    took = time.monotonic() - begun
    api.delete(f"/api/v1/stores/{name}").raise_for_status()
    while api.get(f"/api/v1/stores/{name}").status_code != 404:
        time.sleep(EVERY)
    return took


def _by_hand() -> float:
    name = f"hand-{secrets.token_hex(3)}"
    values = {
        "store": {"name": name, "url": f"http://{name}.localhost"},
        "ingress": {"host": f"{name}.localhost"},
        "labels": {"by": "hand"},
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        begun = time.monotonic()
        _kubectl("create", "namespace", name)
        _kubectl("apply", "--namespace", name, "--filename", "-", given=yaml.safe_dump(_secret()))
        helm = ["helm", "upgrade", "--install", name, str(CHARTS / "medusa-store"), "--namespace", name]
        _command(*helm, "--values", file.name, "--wait")
        _until_ready(f"{name}.localhost")
        took = time.monotonic() - begun
    _command("helm", "uninstall", name, "--namespace", name)
    _kubectl("delete", "namespace", name)
    return took


def _plain() -> float:
    name = f"plain-{secrets.token_hex(3)}"
    begun = time.monotonic()
    _kubectl("create", "namespace", name)
    _kubectl("apply", "--namespace", name, "--filename", "-", given=yaml.safe_dump(_secret()))
    version = yaml.safe_load((CHARTS / "medusa-store" / "Chart.yaml").read_text())["appVersion"]
    manifest = PLAIN.read_text().replace("<host>", f"{name}.localhost").replace("<version>", version)
    _kubectl("apply", "--namespace", name, "--filename", "-", given=manifest)
    _until_ready(f"{name}.localhost")
    took = time.monotonic() - begun
    _kubectl("delete", "namespace", name)
    return took


def _secret() -> dict[str, object]:
    words = ("database-password", "jwt-secret", "cookie-secret", "admin-password")
    data = {word: secrets.token_hex(16) for word in words} | {"admin-email": "admin@example.com"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store-secrets"}, "stringData": data}


def _until_ready(host: str, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if httpx.get(f"{INGRESS}/ready", headers={"Host": host}, timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > end:
            sys.exit(f"{host} did not become ready within {seconds:g} s")
        time.sleep(EVERY)


def _kubectl(*arguments: str, given: str | None = None) -> None:
    _command("kubectl", *arguments, given=given)


def _command(*command: str, given: str | None = None) -> None:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
