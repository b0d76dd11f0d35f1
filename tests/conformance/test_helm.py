"""Helm on both clusters: install, upgrade, roll back, uninstall, and what it leaves in the objects."""

import asyncio
import base64
import gzip
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.conformance.client import MERGE, Obj, Target

CHART = Path(__file__).parent / "chart"


@pytest.fixture(params=[pytest.param("helm", marks=pytest.mark.helm), "helm-python-sdk"])
def command(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "helm":
        return [shutil.which("helm") or "helm"]
    if importlib.util.find_spec("helm_python") is None:
        pytest.skip("helm-python-sdk is not installed")
    return [sys.executable, "-m", "provisioning.helm_command"]


async def helm(cluster: Target, command: list[str], *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    process = await asyncio.create_subprocess_exec(
        *command, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def release_of(secret: Obj) -> Obj:
    """The release that Helm keeps in a Secret: base64 of base64 of gzipped JSON."""
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    release: Obj = json.loads(gzip.decompress(packed))
    return release


async def test_a_release_from_install_to_uninstall(cluster: Target, namespace: str, command: list[str]) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/small"
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    install = ("upgrade", "--install", "small", str(CHART), "--namespace", namespace)

    code, output = await helm(cluster, command, *install, "--labels", "example.com/mark=yes")
    assert code == 0, output
    made = await cluster.ok("GET", path)
    assert made["metadata"]["annotations"]["meta.helm.sh/release-name"] == "small"
    assert made["spec"]["replicas"] == 0
    assert ("helm", "Apply") in {(m["manager"], m["operation"]) for m in made["metadata"]["managedFields"]}
    kept = (await cluster.ok("GET", secrets, labelSelector="owner=helm,example.com/mark=yes"))["items"]
    assert [item["metadata"]["name"] for item in kept] == ["sh.helm.release.v1.small.v1"]
    assert release_of(kept[0])["info"]["status"] == "deployed"

    values = Path(os.environ.get("TMPDIR", "/tmp")) / f"{namespace}.json"
    values.write_text(json.dumps({"mark": "zwei — 2", "replicas": 1}))
    try:
        code, output = await helm(cluster, command, *install, "--values", str(values))
    finally:
        values.unlink()
    assert code == 0, output
    changed = await cluster.ok("GET", path)
    assert changed["spec"]["replicas"] == 1
    assert (await cluster.ok("GET", f"/api/v1/namespaces/{namespace}/configmaps/small"))["data"] == {"mark": "zwei — 2"}

    async def ready() -> bool:
        return bool((await cluster.ok("GET", path)).get("status", {}).get("readyReplicas") == 1)

    await cluster.eventually(ready)
    await cluster.ok("PATCH", path, {"spec": {"revisionHistoryLimit": 4}}, MERGE, fieldManager="hand")

    code, output = await helm(cluster, command, "rollback", "small", "1", "--namespace", namespace)
    assert code == 0, output
    back = await cluster.ok("GET", path)
    assert back["spec"]["replicas"] == 0
    assert (await cluster.ok("GET", f"/api/v1/namespaces/{namespace}/configmaps/small"))["data"] == {"mark": "one"}

    code, output = await helm(cluster, command, "uninstall", "small", "--namespace", namespace)
    assert code == 0, output
    await cluster.until_gone(path)
    assert (await cluster.ok("GET", secrets, labelSelector="owner=helm"))["items"] == []
