"""One suite for two clusters: the sandbox always, a real one where KUBECONFIG names it.

Where they differ, the sandbox is wrong.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from provisioning.sandbox import Sandbox, SandboxOptions
from tests.conformance.client import Target


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.cluster)])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    if request.param == "sandbox":
        async with (
            Sandbox(SandboxOptions(speed=50)) as sandbox,
            Target.connected("sandbox", sandbox.kubeconfig, patience=10) as target,
        ):
            target.sandbox = sandbox
            yield target
        return
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        pytest.skip("KUBECONFIG names no real cluster")
    async with Target.connected("real", Path(kubeconfig), patience=120) as target:
        yield target


@pytest.fixture
async def namespace(cluster: Target) -> str:
    return await cluster.new_namespace()
