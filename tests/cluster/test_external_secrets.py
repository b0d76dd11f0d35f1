"""The chart's ExternalSecret, taken by a real API server that knows the kind."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster.cluster import KUBECONFIG, Kubectl
from tests.cluster.external_secrets import CRD
from tests.integration.test_chart import render

EXTERNAL = {"secrets": {"provider": "external", "external": {"storeName": "vault"}}}


def apply(kubectl: Kubectl, file: Path) -> "subprocess.CompletedProcess[str]":
    """Without making anything; unknown fields are refused."""
    dry = ("apply", "--filename", str(file), "--namespace", "default", "--dry-run=server", "--validate=strict")
    whole = [kubectl.command, "--kubeconfig", KUBECONFIG, *dry]
    return subprocess.run(whole, capture_output=True, text=True, timeout=60, check=False)


def test_a_cluster_with_external_secrets_takes_it(kubectl: Kubectl, tmp_path: Path):
    name = str(CRD["metadata"]["name"])
    if name in kubectl.names("customresourcedefinitions"):
        pytest.skip("this cluster has External Secrets itself")
    crd, file, wrong = (tmp_path / each for each in ("crd.json", "external-secret.json", "wrong.json"))
    crd.write_text(json.dumps(CRD))
    rendered = render(EXTERNAL)["ExternalSecret", "store-secrets"]
    file.write_text(json.dumps(rendered))
    wrong.write_text(json.dumps({**rendered, "spec": {**rendered["spec"], "storeRef": {}}}))
    try:
        kubectl.run("apply", "--filename", str(crd))
        kubectl.run("wait", "--for=condition=Established", f"customresourcedefinition/{name}", "--timeout=30s")
        end = time.monotonic() + 60
        while (done := apply(kubectl, file)).returncode and time.monotonic() < end:
            time.sleep(0.5)
        assert done.returncode == 0, done.stderr
        assert 'unknown field "spec.storeRef"' in apply(kubectl, wrong).stderr
    finally:
        kubectl.run("delete", "customresourcedefinition", name, "--ignore-not-found")
