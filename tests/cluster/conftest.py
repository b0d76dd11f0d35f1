"""What the tests of the real cluster share; without a cluster they are skipped."""

import shutil

import pytest

from tests.browser.conftest import chromium
from tests.cluster.cluster import INGRESS, KUBECONFIG, Kubectl

__all__ = ["chromium"]


@pytest.fixture(autouse=True, scope="session")
def _cluster() -> None:
    if not (KUBECONFIG and INGRESS):
        pytest.skip("needs a cluster: set KUBECONFIG and STOREFLEET_TEST_INGRESS (the address of its ingress)")


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    if shutil.which("kubectl") is None:
        pytest.skip("needs the kubectl command on the PATH")
    return Kubectl()
