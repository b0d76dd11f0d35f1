"""What the benchmarks of a real cluster share: Storefleet served on it, and the commands of a person beside it."""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.served import Served

KUBECONFIG = os.environ.get("KUBECONFIG", "")
INGRESS = os.environ.get("STOREFLEET_TEST_INGRESS", "")
EVERY = 0.1  # seconds between two looks


def missing(*commands: str) -> str:
    """Why a benchmark cannot run here; "" when it can."""
    lacks = [name for name, there in (("KUBECONFIG", KUBECONFIG), ("STOREFLEET_TEST_INGRESS", INGRESS)) if not there]
    lacks += [command for command in commands if shutil.which(command) is None]
    return f"left out: needs {', '.join(lacks)}" if lacks else ""


@contextmanager
def served_on_cluster(folder: Path, **settings: str) -> Iterator[httpx.Client]:
    """A serving process with a database of its own, asked as its first administrator."""
    port = httpx.URL(INGRESS).port
    address = "http://{name}.localhost" + (f":{port}" if port else "")
    settings = {"STOREFLEET_STORE_URL": address, "STOREFLEET_INGRESS_URL": INGRESS, **settings}
    served = Served(folder, "--kubeconfig", KUBECONFIG, **settings).start()
    try:
        with served.client(served.token()) as client:
            until_ready(client)
            yield client
    finally:
        served.stop()


def until_ready(api: httpx.Client) -> None:
    while api.get("/readyz").status_code != 200:
        time.sleep(EVERY)


def until_answers(host: str, seconds: float = 300) -> None:
    """Until the shop answers through the ingress."""
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


def until_in_state(api: httpx.Client, name: str, state: str, seconds: float = 300) -> None:
    """`state` "gone": until the API knows no store of that name."""
    end = time.monotonic() + seconds
    while (found := state_of(api, name)) != state:
        if found == "FAILED" or time.monotonic() > end:
            sys.exit(f"{name} is {found}, not {state}: {api.get(f'/api/v1/stores/{name}').text}")
        time.sleep(EVERY)


def state_of(api: httpx.Client, name: str) -> str:
    answer = api.get(f"/api/v1/stores/{name}")
    return "gone" if answer.status_code == 404 else str(answer.raise_for_status().json()["state"])


def store_values(name: str) -> dict[str, Any]:
    """The chart's values as a person would write them for one store."""
    return {
        "store": {"name": name, "url": f"http://{name}.localhost"},
        "ingress": {"host": f"{name}.localhost"},
        "labels": {"by": "hand"},
    }


def store_secret() -> dict[str, Any]:
    words = ("database-password", "jwt-secret", "cookie-secret", "admin-password")
    data = {word: secrets.token_hex(16) for word in words} | {"admin-email": "admin@example.com"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "store-secrets"}, "stringData": data}


def kubectl(*arguments: str, given: str | None = None) -> str:
    return command("kubectl", *arguments, given=given)


def command(*words: str, given: str | None = None) -> str:
    """Run it; what it printed.  The benchmark ends if it fails."""
    done = tried(words, given=given)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr}")
    return done.stdout


def tried(words: Sequence[str], given: str | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    merged: Mapping[str, str] = {**os.environ, **environment}
    return subprocess.run(words, input=given, capture_output=True, text=True, check=False, env=merged)
