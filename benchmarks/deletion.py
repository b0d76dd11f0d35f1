"""Deletion of a READY shop, beside `helm uninstall` and `kubectl delete namespace` by hand, alternating on one cluster.

    storefleet   DELETE /api/v1/stores/NAME, until the API knows it no more: nothing is left, which the receipt says
    by hand      the two commands one after the other, which come back when the namespace is gone

Both shops of a pair run before the first of them is deleted.  The namespace's end is measured for both in the same way
(`kubectl wait`), the volume's as well.  A deletion begins with the first write that destroys: Helm marks its release
"uninstalling", which a watch that runs beside sees.
"""

import secrets
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Took:
    """Seconds since the request."""

    begun: float  # until the first destructive write
    namespace: float  # until the namespace was gone
    volume: float  # until the volume was gone
    end: float  # until whoever deleted was told that it is done


def run(arguments: list[str]) -> None:
    if lacks := missing("helm", "kubectl"):
        print(lacks)
        return
    pairs = int(arguments[0]) if arguments else 3
    ours, by_hand = [], []
    with tempfile.TemporaryDirectory() as folder, served_on_cluster(Path(folder)) as api:
        for number in range(pairs):
            name, hand = f"bench-{secrets.token_hex(3)}", f"hand-{secrets.token_hex(3)}"
            api.post("/api/v1/stores", json={"name": name}).raise_for_status()
            _install(hand)
            until_in_state(api, name, "READY")
            first = number % 2  # so that neither always comes first
            for mine in (first == 0, first == 1):
                if mine:
                    ours.append(_measured(f"store-{name}", lambda name=name: _storefleet(api, name)))
                else:
                    by_hand.append(_measured(hand, lambda hand=hand: _by_hand(hand)))
            print(f"pair {number + 1}: {ours[-1]}, by hand {by_hand[-1]}", flush=True)
    for what in ("begun", "namespace", "volume", "end"):
        mine, others = [getattr(each, what) for each in ours], [getattr(each, what) for each in by_hand]
        show(f"{what}: storefleet", mine)
        show(f"{what}: by hand", others)
        ratios(f"{what}: storefleet / by hand", mine, others)


def _install(name: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(store_values(name), file)
        file.flush()
        kubectl("create", "namespace", name)
        kubectl("apply", "--namespace", name, "--filename", "-", given=yaml.safe_dump(store_secret()))
        chart = str(CHARTS / "medusa-store")
        command("helm", "upgrade", "--install", name, chart, "--namespace", name, "--values", file.name, "--wait")
    until_answers(f"{name}.localhost")


def _storefleet(api: httpx.Client, name: str) -> None:
    api.delete(f"/api/v1/stores/{name}").raise_for_status()
    until_in_state(api, name, "gone")


def _by_hand(name: str) -> None:
    command("helm", "uninstall", name, "--namespace", name)
    kubectl("delete", "namespace", name)


def _measured(namespace: str, delete: Callable[[], None]) -> Took:
    claim = ["--namespace", namespace, "--output", "jsonpath={.items[*].spec.volumeName}"]
    volume = kubectl("get", "persistentvolumeclaim", *claim).strip()
    seen: dict[str, float] = {}
    path = "jsonpath={.metadata.labels.status}{'\\n'}"
    watch = ["kubectl", "get", "secret", "--namespace", namespace, "--selector", "owner=helm", "--output", path]
    watching = subprocess.Popen([*watch, "--watch"], stdout=subprocess.PIPE, text=True)

    def look() -> None:
        for line in watching.stdout or ():
            if line.strip() == "uninstalling":
                seen.setdefault("begun", time.monotonic())

    def gone(what: str) -> None:
        command("kubectl", "wait", "--for=delete", what, "--timeout=300s")
        seen[what.split("/")[0]] = time.monotonic()

    threads = [threading.Thread(target=look, daemon=True)]
    threads += [
        threading.Thread(target=gone, args=(f"{kind}/{name}",))
        for kind, name in (("namespace", namespace), ("persistentvolume", volume))
    ]
    for thread in threads:
        thread.start()
    time.sleep(3)  # until they all look
    try:
        at = time.monotonic()
        delete()
        end = time.monotonic()
        for thread in threads[1:]:
            thread.join()
    finally:
        watching.kill()
        watching.wait()
    assert seen.keys() == {"begun", "namespace", "persistentvolume"}, seen
    return Took(seen["begun"] - at, seen["namespace"] - at, seen["persistentvolume"] - at, end - at)
