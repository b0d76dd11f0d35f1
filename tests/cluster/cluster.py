"""The real cluster that the tests use, and what is asked of it behind the product's back."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx

from tests.served import Served

KUBECONFIG = os.environ.get("KUBECONFIG", "")
INGRESS = os.environ.get("STOREFLEET_TEST_INGRESS", "")


class Kubectl:
    """Looks at the cluster by another way than the product does."""

    def __init__(self) -> None:
        self.command = shutil.which("kubectl") or "kubectl"

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.command, "--kubeconfig", KUBECONFIG, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def items(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("get", kind, "--output", "json", *arguments))["items"]
        return found

    def names(self, kind: str, *arguments: str) -> list[str]:
        return [item["metadata"]["name"] for item in self.items(kind, *arguments)]


def served_on_the_cluster(folder: Path, **settings: str) -> Served:
    port = httpx.URL(INGRESS).port
    address = "http://{name}.localhost" + (f":{port}" if port else "")
    return Served(
        folder,
        "--kubeconfig",
        KUBECONFIG,
        STOREFLEET_STORE_URL=address,
        STOREFLEET_INGRESS_URL=INGRESS,
        **settings,
    )
