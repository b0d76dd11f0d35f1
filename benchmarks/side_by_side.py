"""Storefleet beside what people would script, on the same cluster with the same chart and values: who ends right.

    storefleet  POST /api/v1/stores for each, until the API says READY
    xargs       a shell script a store (namespace, Secret, `helm upgrade --install --wait`), five at a time by xargs -P5
    helmfile    one helmfile of all stores, `helmfile sync --concurrency 5`, the same script's namespace and Secret in
                a hook; left out where there is no helmfile on the PATH

A real shop takes 15 s of CPU to start, so twenty of them measure the machine; these run on simulated nodes (KWOK: nodes
with the label type=kwok), whose pods are ready at once and serve nothing.  Hence the front door is simulated as well:
STOREFLEET_INGRESS_URL leads to a small server here that answers 200.  All ways end at the same: every workload rolled
out, by what kubectl says.

Each way goes through the same: N stores from nothing; in three of them a Deployment deleted, a namespace deleted, an
image changed by hand, left alone for a while, then the way's own command once more; all deleted, and what is left
counted; N stores again, with kill -9 of the tool and of all its children in the middle, then its command once more.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from benchmarks.on_cluster import EVERY, KUBECONFIG, kubectl, missing, state_of, store_values, tried, until_ready
from provisioning.templates import CHARTS
from tests.served import Served

AT_ONCE = 5
PATIENCE = 20.0  # seconds in which what was changed by hand may be mended by itself
LONGEST = 300.0  # seconds for any of it
PLACEMENT = {
    "nodeSelector": {"type": "kwok"},
    "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
}
OVERLAY: dict[str, Any] = {"medusa": PLACEMENT, "postgresql": {**PLACEMENT, "persistence": {"enabled": False}}}
Changes = dict[str, tuple[list[str], Callable[[], bool]]]  # what: kubectl's arguments, whether it is right again
WRONG_IMAGE = "registry.invalid/wrong:1"

# What helm needs around a release, made so that it can be run again.
BEFORE = """#!/bin/sh
set -eu
kubectl get namespace "$1" >/dev/null 2>&1 || kubectl create namespace "$1"
kubectl get secret store-secrets --namespace "$1" >/dev/null 2>&1 ||
  kubectl create secret generic store-secrets --namespace "$1" --from-literal=admin-email=admin@example.com \\
    --from-literal=database-password="$(openssl rand -hex 16)" --from-literal=jwt-secret="$(openssl rand -hex 16)" \\
    --from-literal=cookie-secret="$(openssl rand -hex 16)" --from-literal=admin-password="$(openssl rand -hex 16)"
"""
INSTALL = """#!/bin/sh
set -eu
cd "$(dirname "$0")"
./before "$1"
exec helm upgrade --install "$1" CHART --namespace "$1" --values "$1.yaml" --wait
"""
DELETE = """#!/bin/sh
set -eu
helm uninstall "$1" --namespace "$1" --wait
kubectl delete namespace "$1"
"""


class Way(ABC):
    """One way to run many stores.  Names are the stores'; a namespace is what `namespace` says."""

    name: str

    @abstractmethod
    def namespace(self, store: str) -> str: ...

    @abstractmethod
    def begin(self, stores: Sequence[str]) -> None:
        """Ask for the stores; come back before they are there."""

    @abstractmethod
    def end(self) -> str:
        """Wait until the way says that it is done; what it complained of."""

    @abstractmethod
    def kill(self) -> None:
        """kill -9 of the tool and of every process that it started."""

    @abstractmethod
    def again(self, stores: Sequence[str]) -> None:
        """What a person does when something is not as it should be: the same command once more."""

    @abstractmethod
    def delete(self, stores: Sequence[str]) -> None:
        """Until the way says that they are gone."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        pass


class Storefleet(Way):
    name = "storefleet"

    def __init__(self, folder: Path) -> None:
        self._door = _FrontDoor()
        overlay = folder / "overlay.json"
        overlay.write_text(json.dumps(OVERLAY))
        self._served = Served(
            folder,
            "--kubeconfig",
            KUBECONFIG,
            STOREFLEET_STORE_VALUES=str(overlay),
            STOREFLEET_INGRESS_URL=self._door.url,
            STOREFLEET_IN_FLIGHT="100",
            STOREFLEET_AT_ONCE=str(AT_ONCE),
        ).start()
        self._api = self._served.client(self._served.token())
        until_ready(self._api)
        self._asked: Sequence[str] = ()

    def namespace(self, store: str) -> str:
        return f"store-{store}"

    def begin(self, stores: Sequence[str]) -> None:
        self._asked = stores
        for store in stores:
            self._api.post("/api/v1/stores", json={"name": store}).raise_for_status()

    def end(self) -> str:
        _until(lambda: all(state_of(self._api, store) in ("READY", "FAILED") for store in self._asked))
        failed = [store for store in self._asked if state_of(self._api, store) == "FAILED"]
        return f"{len(failed)} FAILED" if failed else ""

    def kill(self) -> None:
        assert self._served.process is not None
        _kill_all(self._served.process.pid)
        self._served.process.wait()

    def again(self, stores: Sequence[str]) -> None:
        """Only a process that was killed is started, as any supervisor does; nobody asks for a store again."""
        assert self._served.process is not None
        if self._served.process.poll() is not None:
            self._served.start()
            until_ready(self._api)

    def delete(self, stores: Sequence[str]) -> None:
        for store in stores:
            self._api.delete(f"/api/v1/stores/{store}").raise_for_status()
        _until(lambda: all(state_of(self._api, store) == "gone" for store in stores))

    def close(self) -> None:
        self._served.stop()
        self._api.close()
        self._door.close()


class _Scripted(Way):
    """A command that runs until all stores are there."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._process = folder, None
        for name, text in (("before", BEFORE), ("install", INSTALL), ("delete", DELETE)):
            script = folder / name
            script.write_text(text.replace("CHART", str(CHARTS / "medusa-store")))
            script.chmod(0o700)

    _process: "subprocess.Popen[bytes] | None"

    def namespace(self, store: str) -> str:
        return store

    @property
    def _output(self) -> Path:
        return self._folder / "output"

    def begin(self, stores: Sequence[str]) -> None:
        for store in stores:
            values = {**store_values(store), **OVERLAY}
            (self._folder / f"{store}.yaml").write_text(yaml.safe_dump(values))
        self.again(stores)

    def again(self, stores: Sequence[str]) -> None:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._installing(stores), cwd=self._folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def end(self) -> str:
        assert self._process is not None
        status = self._process.wait(LONGEST)
        complaints = {line for line in self._output.read_text().splitlines() if "rror" in line}
        return f"exit status {status}: {min(complaints, default='')[:300]}" if status else ""

    def kill(self) -> None:
        assert self._process is not None
        _kill_all(self._process.pid)
        self._process.wait()

    def _installing(self, stores: Sequence[str]) -> list[str]:
        raise NotImplementedError


class Xargs(_Scripted):
    name = "xargs"

    def _installing(self, stores: Sequence[str]) -> list[str]:
        return self._five_at_a_time("install", stores)

    def delete(self, stores: Sequence[str]) -> None:
        done = tried(self._five_at_a_time("delete", stores))
        if done.returncode:
            print(f"  its deletion: exit status {done.returncode}: {done.stderr.strip()[:300]}")

    def _five_at_a_time(self, script: str, stores: Sequence[str]) -> list[str]:
        return ["sh", "-c", f"printf '%s\\n' {' '.join(stores)} | xargs -P{AT_ONCE} -n1 {self._folder / script}"]


class Helmfile(_Scripted):
    name = "helmfile"

    def _installing(self, stores: Sequence[str]) -> list[str]:
        return ["helmfile", "--file", self._file(stores), "sync", "--concurrency", str(AT_ONCE)]

    def delete(self, stores: Sequence[str]) -> None:
        done = tried(["helmfile", "--file", self._file(stores), "destroy", "--concurrency", str(AT_ONCE)])
        if done.returncode:
            print(f"  its deletion: exit status {done.returncode}: {done.stderr.strip()[-300:]}")

    def _file(self, stores: Sequence[str]) -> str:
        releases = [
            {
                "name": store,
                "namespace": store,
                "chart": str(CHARTS / "medusa-store"),
                "wait": True,
                "values": [f"{store}.yaml"],
                "hooks": [{"events": ["presync"], "command": "./before", "args": [store]}],
            }
            for store in stores
        ]
        file = self._folder / "helmfile.yaml"
        file.write_text(yaml.safe_dump({"releases": releases}))
        return str(file)


WAYS: dict[str, type[Way]] = {way.name: way for way in (Storefleet, Xargs, Helmfile)}


def run(arguments: list[str]) -> None:
    if lacks := missing("helm", "kubectl", "openssl", "xargs"):
        print(lacks)
        return
    if not kubectl("get", "nodes", "--selector", "type=kwok", "--output", "name"):
        print("left out: needs simulated nodes (KWOK) with the label type=kwok")
        return
    count = int(arguments[0]) if arguments else 20
    for name in arguments[1:] or WAYS:
        if shutil.which(name) is None and name == "helmfile":
            print("helmfile: left out, it is not on the PATH")
            continue
        with tempfile.TemporaryDirectory() as folder:
            way = WAYS[name](Path(folder))  # type: ignore[call-arg]
            try:
                _all_of_it(way, count)
            finally:
                way.close()


def _all_of_it(way: Way, count: int) -> None:
    tag = secrets.token_hex(2)
    stores = [f"side-{tag}-{number:02d}" for number in range(count)]
    took = _timed(lambda: _made(way, stores))
    print(f"{way.name}: {count} stores from nothing: {took:.1f} s; right: {_right(way, stores)} of {count}", flush=True)
    alone = _volumes()
    _changed_by_hand(way, stores)
    _deleted(way, stores, alone)
    _killed(way, [f"side-{tag}-{number:02d}" for number in range(count, 2 * count)], took)


def _made(way: Way, stores: Sequence[str]) -> None:
    way.begin(stores)
    if complaint := way.end():
        print(f"  {way.name}: {complaint}", flush=True)


def _changed_by_hand(way: Way, stores: Sequence[str]) -> None:
    """Three at once, each in a store of its own; first the one on whose end kubectl waits for seconds."""
    spaces = [way.namespace(store) for store in stores[:3]]
    born = json.loads(kubectl("get", "namespace", spaces[1], "--output", "json"))["metadata"]["uid"]

    def recreated() -> bool:
        found = tried(["kubectl", "get", "namespace", spaces[1], "--output", "jsonpath={.metadata.uid}"]).stdout
        return found not in ("", born) and _is_right(spaces[1])

    changes: Changes = {
        "a namespace deleted": (["delete", "namespace", spaces[1]], recreated),
        "a Deployment deleted": (["delete", "deployment", "medusa", "-n", spaces[0]], lambda: _is_right(spaces[0])),
        "an image changed": (
            ["set", "image", "deployment/medusa", f"medusa={WRONG_IMAGE}", "-n", spaces[2]],
            lambda: _is_right(spaces[2]),
        ),
    }
    begun = {}
    for what, (command, _) in changes.items():
        kubectl(*command)
        begun[what] = time.monotonic()
    _watched(way, changes, begun, "it", PATIENCE)
    if changes:
        print(f"{way.name}: not mended by itself in {PATIENCE:g} s: {', '.join(changes)}", flush=True)
        at = time.monotonic()
        way.again(stores)
        complaint = way.end()
        print(f"{way.name}: its command once more took {time.monotonic() - at:.1f} s {complaint}")
        _watched(way, changes, dict.fromkeys(changes, at), "the command", PATIENCE / 2)
    for what in changes:
        print(f"{way.name}: {what}: still not right: a person is needed")
    sys.stdout.flush()


def _watched(way: Way, changes: Changes, begun: dict[str, float], since: str, patience: float) -> None:
    """Take out of `changes` what becomes right in time, and say when."""
    end = time.monotonic() + patience
    while changes and time.monotonic() < end:
        for what, (_, is_right) in list(changes.items()):
            if is_right():
                print(f"{way.name}: {what}: right {time.monotonic() - begun[what]:.1f} s after {since}", flush=True)
                del changes[what]
        time.sleep(EVERY)


def _deleted(way: Way, stores: Sequence[str], volumes: int) -> None:
    took = _timed(lambda: way.delete(stores))
    time.sleep(1)
    there = [space for store in stores if _exists(space := way.namespace(store))]
    records = sum(len(_items("secret", space)) for space in there)
    left = f"{len(there)} namespaces, {records} Secrets in them, {max(0, _volumes() - volumes)} volumes more"
    print(f"{way.name}: all deleted: {took:.1f} s; left: {left}", flush=True)
    _forget(there)


def _killed(way: Way, stores: Sequence[str], whole: float) -> None:
    """kill -9 after half of what the whole took; then the command once more; then what a person has to do."""
    begun = time.monotonic()
    way.begin(stores)
    time.sleep(max(0.0, begun + whole / 2 - time.monotonic()))
    way.kill()
    right, locked = _right(way, stores), _locked(way, stores)
    print(f"{way.name}: kill -9 after {whole / 2:.1f} s: right: {right}, locked: {len(locked)} of {len(stores)}")
    again = time.monotonic()
    way.again(stores)
    complaint = way.end()
    took, right, locked = time.monotonic() - again, _right(way, stores), _locked(way, stores)
    print(f"{way.name}: its command once more: {took:.1f} s; right: {right} of {len(stores)} {complaint}", flush=True)
    if right < len(stores):
        for store in locked:
            space = way.namespace(store)
            tried(["helm", "uninstall", space, "--namespace", space, "--wait"])
        again = time.monotonic()
        way.again(stores)
        complaint = way.end()
        took = time.monotonic() - again
        said = f"{len(locked)} releases uninstalled by hand and its command a third time: {took:.1f} s"
        print(f"{way.name}: {said}; right: {_right(way, stores)} of {len(stores)} {complaint}", flush=True)
    way.delete(stores)
    _forget([space for store in stores if _exists(space := way.namespace(store))])


def _right(way: Way, stores: Sequence[str]) -> int:
    return sum(_is_right(way.namespace(store)) for store in stores)


def _is_right(namespace: str) -> bool:
    """Both workloads there, with the chart's images, rolled out; the Ingress; Helm's record says deployed."""
    there = _items("deployment,statefulset,ingress,secret", namespace)
    workloads = [each for each in there if each["kind"] in ("Deployment", "StatefulSet")]
    for each in workloads:
        spec, status = each["spec"], each.get("status", {})
        done = status.get("observedGeneration", 0) >= each["metadata"]["generation"]
        counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")}
        if not done or counts != {spec["replicas"]} or WRONG_IMAGE in json.dumps(spec):
            return False
    ingresses = [each for each in there if each["kind"] == "Ingress"]
    return len(workloads) == 2 and len(ingresses) == 1 and _status(there) == "deployed"


def _locked(way: Way, stores: Sequence[str]) -> list[str]:
    return [store for store in stores if "pending" in _status(_items("secret", way.namespace(store)))]


def _status(objects: Sequence[dict[str, Any]]) -> str:
    """Of the newest revision that Helm recorded; "" where there is none."""
    labels = [each["metadata"].get("labels", {}) for each in objects if each["kind"] == "Secret"]
    revisions = [each for each in labels if each.get("owner") == "helm"]
    newest = max(revisions, key=lambda each: int(each["version"]), default={})
    return str(newest.get("status", ""))


def _items(kinds: str, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl("get", kinds, "-n", namespace, "-o", "json"))["items"]
    return found


def _exists(namespace: str) -> bool:
    return tried(["kubectl", "get", "namespace", namespace]).returncode == 0


def _volumes() -> int:
    return len(kubectl("get", "persistentvolumes", "--output", "name").split())


def _forget(namespaces: Sequence[str]) -> None:
    """Not measured: the next one begins on a clean cluster."""
    if namespaces:
        kubectl("delete", "namespace", *namespaces)


def _timed(act: Callable[[], None]) -> float:
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST
    while not done():
        if time.monotonic() > end:
            print(f"  not done within {LONGEST:g} s", flush=True)
            return
        time.sleep(EVERY)


def _kill_all(pid: int) -> None:
    """The process and everything below it, stopped first, so that none starts another meanwhile."""
    found: set[int] = set()
    while new := ({pid} | _below(pid)) - found:
        found |= new
        _signal(new, signal.SIGSTOP)
    _signal(found, signal.SIGKILL)


def _signal(processes: set[int], number: signal.Signals) -> None:
    for each in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, number)


def _below(pid: int) -> set[int]:
    rows = [line.split() for line in tried(["ps", "-eo", "pid=,ppid="]).stdout.splitlines()]
    below, more = set[int](), {pid}
    while more := {int(child) for child, parent in rows if int(parent) in more} - below:
        below |= more
    return below


class _FrontDoor:
    """Answers 200 to everything, on loopback."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Yes)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Yes(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...
