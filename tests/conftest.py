"""Rules for every test: what needs the real cluster or helm is marked so, and in CI nothing is skipped in silence.

Where tests run in several processes, a file stays together, and so do all that share one dashboard or the one cluster.
"""

import gc
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

gc.disable()  # until the tests begin: what is loaded for them is no garbage

CLUSTER = Path(__file__).parent / "cluster"

# How fast the machine is just now says nothing about the code.
settings.register_profile("storefleet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("storefleet")


# They have another dashboard, and share nothing but the browser with the others there.
OTHER_DASHBOARD = tuple(f"tests/browser/test_{name}.py" for name in ("many_stores", "undo"))


class Together(LoadScopeScheduling):
    """Gives a file as a whole to one process, and everything of one dashboard's pages, or of the one cluster, too."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith("tests/cluster/") or "[real" in nodeid:
            return "cluster"
        if file in OTHER_DASHBOARD:
            return "browser, where deletions can be undone"
        return "browser" if file.startswith("tests/browser/") else file


# What takes longest begins first, or one process works on it alone in the end; the pure ones fill the gaps.
LONGEST_FIRST = (
    "integration/test_replicas.py",
    "browser/",
    "faults/",
    "cluster/",
    "integration/",
    "conformance/",
    "unit/",
)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


def pytest_collection_finish() -> None:
    """Looking for garbage among all that was loaded, as often as Python does by itself, takes a fifth of the time."""
    gc.freeze()
    gc.set_threshold(50_000)
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """What a file leaves open shows when it is garbage, and is laid to that file's charge."""
    yield
    with warnings.catch_warnings():
        if os.environ.get("KUBECONFIG"):  # asyncio leaves sockets of handshakes that are cut off to the collector
            warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.freeze()  # what is left is no garbage, and need not be looked at after the next file again


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if CLUSTER in item.path.parents:
            item.add_marker(pytest.mark.cluster)
    items.sort(key=_turn)  # stable: within a file, as it stands there


# It looks back at what the others did.
LAST = "cluster/test_rights.py"


def _turn(item: pytest.Item) -> int:
    file = item.path.relative_to(CLUSTER.parent).as_posix()
    if file == LAST:
        return len(LONGEST_FIRST)
    return next(turn for turn, beginning in enumerate(LONGEST_FIRST) if file.startswith(beginning))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("helm") and shutil.which("helm") is None:
        pytest.skip("needs the helm command, version 4, on the PATH")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as failed in CI: {report.longrepr}"
    return report
