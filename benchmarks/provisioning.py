"""From the click to READY on a real cluster, beside what people do by hand, alternating on the same cluster.

    storefleet   POST /api/v1/stores, until the API says READY (the shop answered through the ingress)
    by hand      kubectl creates namespace and Secret, `helm upgrade --install --wait` with our own chart and values,
                 until the shop answers through the ingress
    plain        the same images without what the image prepared (no snapshot, no compiled code): an init container
                 migrates, the server seeds; `kubectl apply`, until the shop answers through the ingress

All three end at the same: GET /ready through the ingress is 200.  Each is deleted before the next begins.
"""

import secrets
import sys
import tempfile
import time
from pathlib import Path

import httpx
import yaml

from benchmarks.figures import ratios, show
from benchmarks.on_cluster import (
    command,
    kubectl,
    missing,
    served_on_cluster,
    store_secret,
    store_values,
    until_answers,
    until_in_state,
)
from provisioning.templates import CHARTS

PLAIN = Path(__file__).with_name("plain.yaml")


def run(arguments: list[str]) -> None:
    if lacks := missing("helm", "kubectl"):
        print(lacks)
        return
    runs = int(arguments[0]) if arguments else 5
    ours, by_hand, plain = [], [], []
    with tempfile.TemporaryDirectory() as folder, served_on_cluster(Path(folder)) as api:
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
    until_in_state(api, name, "gone")
    return took


def _by_hand() -> float:
    name = f"hand-{secrets.token_hex(3)}"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(store_values(name), file)
        file.flush()
        begun = time.monotonic()
        kubectl("create", "namespace", name)
        kubectl("apply", "--namespace", name, "--filename", "-", given=yaml.safe_dump(store_secret()))
        helm = ["helm", "upgrade", "--install", name, str(CHARTS / "medusa-store"), "--namespace", name]
        command(*helm, "--values", file.name, "--wait")
        until_answers(f"{name}.localhost")
        took = time.monotonic() - begun
    command("helm", "uninstall", name, "--namespace", name)
    kubectl("delete", "namespace", name)
    return took


def _plain() -> float:
    name = f"plain-{secrets.token_hex(3)}"
    begun = time.monotonic()
    kubectl("create", "namespace", name)
    kubectl("apply", "--namespace", name, "--filename", "-", given=yaml.safe_dump(store_secret()))
    version = yaml.safe_load((CHARTS / "medusa-store" / "Chart.yaml").read_text())["appVersion"]
    manifest = PLAIN.read_text().replace("<host>", f"{name}.localhost").replace("<version>", version)
    kubectl("apply", "--namespace", name, "--filename", "-", given=manifest)
    until_answers(f"{name}.localhost")
    took = time.monotonic() - begun
    kubectl("delete", "namespace", name)
    return took
