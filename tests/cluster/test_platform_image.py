"""The platform's own image as one container, as `docker run` starts it: unprivileged, on a read-only root, its data in
a volume.  (Its chart's tests run the same image in several pods.)"""

import json
import secrets
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Kubectl

VERSION = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]["version"]
IMAGE = f"ghcr.io/storefleet/storefleet:{VERSION}"


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    name = f"scratch-image-{secrets.token_hex(3)}"
    kubectl.run("create", "namespace", name)
    kubectl.run("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield name
    kubectl.run("delete", "namespace", name, "--wait=false")


def pod() -> dict[str, Any]:
    rights = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
    container = {
        "name": "platform",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "args": ["serve", "--host", "0.0.0.0", "--sandbox"],  # noqa: S104
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
        "securityContext": rights,
        "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in ("data", "tmp")],
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": name, "emptyDir": {}} for name in ("data", "tmp")],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "platform"}, "spec": spec}


def until_ready(kubectl: Kubectl, namespace: str) -> None:
    end = time.monotonic() + 120
    while True:
        status: dict[str, Any] = kubectl.items("pods", "-n", namespace)[0]["status"]
        assert status["phase"] in ("Pending", "Running"), kubectl.run("logs", "-n", namespace, "platform")
        containers = status.get("containerStatuses", [])
        if any(each["ready"] for each in containers):
            return
        waiting = [each["state"].get("waiting", {}).get("reason") for each in containers]
        assert "ErrImageNeverPull" not in waiting, f"{IMAGE} is not on the cluster's nodes"
        assert time.monotonic() < end, f"{status}"
        time.sleep(0.5)


def test_it_serves_and_stops_when_it_is_told(kubectl: Kubectl, namespace: str, tmp_path: Path):
    manifest = tmp_path / "pod.json"
    manifest.write_text(json.dumps(pod()))
    kubectl.run("apply", "-n", namespace, "-f", str(manifest))
    until_ready(kubectl, namespace)
    assert "sandbox" in kubectl.run("logs", "-n", namespace, "platform")
    inside = ("exec", "-n", namespace, "platform", "--")
    assert kubectl.run(*inside, "id", "-u").strip() == "10001"
    assert "storefleet.db" in kubectl.run(*inside, "ls", "/data").split()
    begun = time.monotonic()
    kubectl.run("delete", "pod", "-n", namespace, "platform", "--wait")
    assert time.monotonic() - begun < 25  # by itself, not by the kubelet after 30 s
