"""Two real stores of one served process, shared by the tests of what keeps tenants apart: a shop costs 15 s of CPU."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.cluster.cluster import Kubectl
from tests.served import Served

Obj = dict[str, Any]


@dataclass
class Tenants:
    """`a` and `b` are the stores' names."""

    served: Served
    kubectl: Kubectl
    token: str
    a: str
    b: str

    def client(self) -> httpx.Client:
        return self.served.client(self.token)

    def store(self, name: str) -> Obj:
        with self.client() as api:
            found: Obj = api.get(f"/api/v1/stores/{name}").json()
            return found

    def state(self, name: str) -> str:
        return str(self.store(name).get("state"))

    def events(self, name: str) -> list[str]:
        """The kinds of a store's timeline, in order."""
        with self.client() as api:
            return [each["kind"] for each in api.get(f"/api/v1/stores/{name}/events").json()["items"]]

    def get(self, kind: str, name: str, namespace: str) -> Obj:
        found: Obj = json.loads(self.kubectl.run("get", kind, name, "--namespace", namespace, "--output", "json"))
        return found

    def shop_pod(self, store: str) -> str:
        pods = self.kubectl.items(
            "pods", "--namespace", f"store-{store}", "--selector", "app.kubernetes.io/name=medusa"
        )
        return next(str(pod["metadata"]["name"]) for pod in pods if not pod["metadata"].get("deletionTimestamp"))

    def run(self, namespace: str, pod: str, *command: str) -> str:
        return self.kubectl.run("exec", "--namespace", namespace, pod, "--", *command)

    def wait(self, holds: Any, seconds: float = 240, what: str = "") -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, what or holds
            time.sleep(0.5)

    def apply(self, folder: Path, objects: Iterable[Mapping[str, Any]]) -> None:
        file = folder / "objects.yaml"
        file.write_text(yaml.safe_dump_all([dict(each) for each in objects]))
        self.kubectl.run("apply", "--filename", str(file))
