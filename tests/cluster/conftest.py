"""What the tests of the real cluster share; without a cluster they are skipped."""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser

from tests.browser.conftest import running_chromium
from tests.cluster.cluster import INGRESS, KUBECONFIG, Kubectl, served_on_the_cluster
from tests.cluster.tenants import Tenants


@pytest.fixture(autouse=True, scope="session")
def _cluster() -> None:
    if not (KUBECONFIG and INGRESS):
        pytest.skip("needs a cluster: set KUBECONFIG and STOREFLEET_TEST_INGRESS (the address of its ingress)")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Until the file's end: while Playwright is there, no asynchronous test can run."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    if shutil.which("kubectl") is None:
        pytest.skip("needs the kubectl command on the PATH")
    return Kubectl()


@pytest.fixture(scope="session")
def tenants(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    """Two READY stores of a served process."""
    folder = tmp_path_factory.mktemp("tenants")
    values = folder / "values.yaml"
    # On a busy machine it takes a while until the ingress controller has heard that a pod leaves.
    values.write_text("medusa: {drainSeconds: 20}\n")
    served = served_on_the_cluster(folder, STOREFLEET_STORE_VALUES=str(values))
    run = secrets.token_hex(3)
    found = Tenants(served.start(), kubectl, served.token(), f"tenant-{run}-a", f"tenant-{run}-b")
    try:
        with found.client() as api:
            for name in (found.a, found.b):
                api.post("/api/v1/stores", json={"name": name}).raise_for_status()
        for name in (found.a, found.b):
            found.wait(lambda name=name: found.state(name) in ("READY", "FAILED"), seconds=400)
            assert found.state(name) == "READY", found.store(name)
        yield found
    finally:
        with found.client() as api:
            for name in (found.a, found.b):
                api.delete(f"/api/v1/stores/{name}", params={"now": "true"})
            for name in (found.a, found.b):
                found.wait(lambda name=name: api.get(f"/api/v1/stores/{name}").status_code == 404)
        served.stop()


@pytest.fixture
def kubectl_apply(kubectl: Kubectl, tmp_path: Path) -> Iterator[Any]:
    """Objects of the cluster's own, taken away at the end."""
    made: list[dict[str, Any]] = []

    def apply(*objects: dict[str, Any]) -> None:
        file = tmp_path / f"{secrets.token_hex(2)}.yaml"
        file.write_text(yaml.safe_dump_all(objects))
        kubectl.run("apply", "--filename", str(file))
        made.extend(objects)

    yield apply
    for obj in reversed(made):
        where = ("--namespace", obj["metadata"]["namespace"]) if "namespace" in obj["metadata"] else ()
        kubectl.run("delete", obj["kind"], obj["metadata"]["name"], *where, "--ignore-not-found", "--wait=false")
