"""The platform's own image as a cluster runs it: unprivileged, on a read-only root, with the pod's own account."""

import json
import re
import secrets
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Kubectl

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
IMAGE = f"ghcr.io/storefleet/storefleet:{VERSION}"
HELM = re.search(r"ARG HELM_VERSION=(\S+)", (ROOT / "Dockerfile").read_text())[1]

# What the engine does in the cluster it runs in: installs, sees, uninstalls.
PROGRAM = """
import asyncio, importlib.util, pathlib
from provisioning.helm import Helm
from provisioning.templates import CHARTS

async def main():
    assert importlib.util.find_spec("helm_python") is None, "the library is there beside the command"
    helm = Helm(None, None)
    print("helm", await helm.version())
    values = {"store": {"url": "http://image.localhost"}, "ingress": {"enabled": False}}
    print("revision", await helm.upgrade_install("shop", NAMESPACE, CHARTS / "medusa-store", values, {"a": "b"}, 60))
    await helm.uninstall("shop", NAMESPACE, 60)
    print("uninstalled")

asyncio.run(main())
"""

Start = Callable[..., None]


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    name = f"scratch-helm-image-{secrets.token_hex(3)}"
    kubectl.run("create", "namespace", name)
    kubectl.run("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    kubectl.run("create", "rolebinding", "helm", "-n", name, "--clusterrole=admin", f"--serviceaccount={name}:default")
    yield name
    kubectl.run("delete", "namespace", name, "--wait=false")


@pytest.fixture
def start(kubectl: Kubectl, namespace: str, tmp_path: Path) -> Start:
    """Run the image in a pod called "platform"."""

    def start(**container: Any) -> None:
        rights = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
        mounts = [{"name": name, "mountPath": f"/{name}"} for name in ("data", "tmp")]
        fixed = {"name": "platform", "image": IMAGE, "imagePullPolicy": "Never", "securityContext": rights}
        spec = {
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": True, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{**fixed, "volumeMounts": mounts, **container}],
            "volumes": [{"name": name, "emptyDir": {}} for name in ("data", "tmp")],
        }
        manifest = tmp_path / "pod.json"
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "platform"}, "spec": spec}
        manifest.write_text(json.dumps(pod))
        kubectl.run("apply", "-n", namespace, "-f", str(manifest))

    return start


def log_of(kubectl: Kubectl, namespace: str) -> str:
    return kubectl.run("logs", "-n", namespace, "platform")


def until(kubectl: Kubectl, namespace: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + 120
    while True:
        status: dict[str, Any] = kubectl.items("pods", "-n", namespace)[0]["status"]
        if holds(status):
            return status
        waiting = [each["state"].get("waiting", {}).get("reason") for each in status.get("containerStatuses", [])]
        assert "ErrImageNeverPull" not in waiting, f"{IMAGE} is not on the cluster's nodes"
        assert time.monotonic() < end, f"{status}"
        time.sleep(0.5)


def test_helm_works_by_the_pods_own_account(kubectl, namespace, start):
    start(command=["python", "-c", f"NAMESPACE = {namespace!r}\n{PROGRAM}"])
    status = until(kubectl, namespace, lambda status: status["phase"] in ("Succeeded", "Failed"))
    log = log_of(kubectl, namespace)
    assert status["phase"] == "Succeeded", log
    assert log.split("\n")[:3] == [f"helm {HELM}", "revision 1", "uninstalled"]


def test_it_serves_and_stops_when_it_is_told(kubectl, namespace, start):
    start(
        args=["serve", "--host", "0.0.0.0", "--sandbox"],  # noqa: S104
        readinessProbe={"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
    )

    def is_ready(status: dict[str, Any]) -> bool:
        assert status["phase"] in ("Pending", "Running"), log_of(kubectl, namespace)
        return any(each["ready"] for each in status.get("containerStatuses", []))

    until(kubectl, namespace, is_ready)
    assert "sandbox" in log_of(kubectl, namespace)
    inside = ("exec", "-n", namespace, "platform", "--")
    assert kubectl.run(*inside, "id", "-u").strip() == "10001"
    assert "storefleet.db" in kubectl.run(*inside, "ls", "/data").split()
    begun = time.monotonic()
    kubectl.run("delete", "pod", "-n", namespace, "platform", "--wait")
    assert time.monotonic() - begun < 25  # by itself, not by the kubelet after 30 s
