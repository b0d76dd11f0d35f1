"""Helm against an API server: both commands, on the sandbox and on a real cluster, do and say the same."""

import asyncio
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import provisioning
from provisioning.cluster import Cluster
from provisioning.helm import HISTORY, Helm, HelmError
from provisioning.kinds import KINDS, Kind
from provisioning.sandbox import ApiFault, Sandbox, SandboxOptions

CHART = Path(__file__).resolve().parent.parent / "charts" / "minimal"
CLUSTER = os.environ.get("KUBECONFIG", "")
LIBRARY = (sys.executable, "-P", str(Path(provisioning.__file__).with_name("helm_command.py")))
COMMANDS = {"library": LIBRARY, "helm": (shutil.which("helm") or "helm",)}
BOTH = ["library", pytest.param("helm", marks=pytest.mark.helm)]

LABELS = {"storefleet.dev/installation": "i-1", "storefleet.dev/store": "s-1"}
# 60 s is what the engine gives; a busy machine takes a good part of it.
LIMIT = 60.0


@dataclass
class Ground:
    """A namespace in a cluster, and Helm on it."""

    kubeconfig: Path
    cluster: Cluster
    namespace: str
    command: tuple[str, ...]
    sandbox: Sandbox | None

    def __post_init__(self) -> None:
        self.helm = Helm(self.kubeconfig, None, self.command)

    async def install(self, release: str = "r", limit: float = LIMIT, **values: Any) -> int:
        return await self.helm.upgrade_install(release, self.namespace, CHART, values, LABELS, limit)

    async def data(self, release: str = "r") -> dict[str, str] | None:
        """What the release's ConfigMap holds; None where there is none."""
        found, _ = await self.cluster.list_all("ConfigMap", self.namespace)
        return next((each["data"] for each in found if each["metadata"]["name"] == release), None)

    async def revisions(self, release: str = "r") -> dict[int, str]:
        """The status of each revision that Helm keeps."""
        return {int(labels["version"]): labels["status"] for labels in await self.labels(release)}

    async def labels(self, release: str = "r") -> list[dict[str, str]]:
        secrets, _ = await self.cluster.list_all("Secret", self.namespace, selector=f"owner=helm,name={release}")
        return [secret["metadata"]["labels"] for secret in secrets]

    async def until_stuck(self) -> None:
        """Wait for the hook that never ends.  (Before it is there, Helm itself does not reliably note a failure.)"""
        async with asyncio.timeout(LIMIT):
            while not (await self.cluster.list_all("Job", self.namespace))[0]:
                await asyncio.sleep(0.05)


@pytest.fixture(
    params=[
        "sandbox",
        pytest.param(
            "cluster",
            marks=[pytest.mark.cluster, pytest.mark.skipif(not CLUSTER, reason="needs a cluster: KUBECONFIG")],
        ),
    ]
)
async def place(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Path, Cluster, str, Sandbox | None]]:
    for kind in (Kind("ConfigMap", "v1", "configmaps"), Kind("Job", "batch/v1", "jobs")):
        monkeypatch.setitem(KINDS, kind.name, kind)
    async with AsyncExitStack() as stack:
        sandbox = None
        if request.param == "sandbox":
            sandbox = await stack.enter_async_context(Sandbox(SandboxOptions(speed=50, seed=1)))
        kubeconfig = sandbox.kubeconfig if sandbox else Path(CLUSTER)
        cluster = await Cluster.connect(kubeconfig)
        stack.push_async_callback(cluster.close)
        namespace = f"scratch-helm-{secrets.token_hex(3)}"
        await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        stack.push_async_callback(cluster.delete, "Namespace", namespace)
        yield kubeconfig, cluster, namespace, sandbox


@pytest.fixture(params=BOTH)
def ground(request: pytest.FixtureRequest, place: tuple[Path, Cluster, str, Sandbox | None]) -> Ground:
    kubeconfig, cluster, namespace, sandbox = place
    return Ground(kubeconfig, cluster, namespace, COMMANDS[request.param], sandbox)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.subprocess.Process]:
    """The processes that were started."""
    processes = []
    start = asyncio.create_subprocess_exec

    async def record(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        processes.append(await start(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", record)
    return processes


def is_gone(process: asyncio.subprocess.Process) -> bool:
    """Neither the process nor anything of its group is left."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_release_is_installed_upgraded_and_uninstalled(ground):
    assert await ground.install(text="one") == 1
    assert await ground.data() == {"text": "one", "number": "1"}
    assert await ground.install(text="two", number=1048576) == 2
    assert await ground.data() == {"text": "two", "number": "1048576"}
    assert await ground.revisions() == {1: "superseded", 2: "deployed"}
    await ground.helm.uninstall("r", ground.namespace, LIMIT)
    assert await ground.data() is None
    assert await ground.revisions() == {}


async def test_an_upgrade_to_the_same_is_a_revision_and_changes_nothing(ground):
    await ground.install(text="one")
    assert await ground.install(text="one") == 2
    assert await ground.data() == {"text": "one", "number": "1"}


async def test_values_that_are_no_longer_given_are_the_charts_again(ground):
    await ground.install(text="one", number=7)
    await ground.install(text="one")
    assert await ground.data() == {"text": "one", "number": "1"}


async def test_what_is_not_there_is_uninstalled_without_complaint(ground):
    await ground.helm.uninstall("never-was", ground.namespace, LIMIT)
    await ground.helm.uninstall("never-was", "scratch-helm-never-was", LIMIT)


async def test_the_labels_are_on_every_revision_and_helms_own_stay(ground):
    await ground.install()
    await ground.install()
    for labels in await ground.labels():
        assert labels.items() >= {**LABELS, "owner": "helm", "name": "r"}.items()


async def test_only_the_last_revisions_are_kept(ground):
    last = [await ground.install(text=str(number)) for number in range(HISTORY + 2)][-1]
    assert sorted(await ground.revisions()) == list(range(last - HISTORY + 1, last + 1))


async def test_a_rollback_brings_the_values_of_a_revision_back(ground):
    await ground.install(text="one")
    await ground.install(text="two")
    await ground.helm.rollback("r", ground.namespace, 1, LIMIT)
    assert await ground.data() == {"text": "one", "number": "1"}
    assert await ground.revisions() == {1: "superseded", 2: "superseded", 3: "deployed"}
    with pytest.raises(HelmError, match=r"release has no 99 version|not found"):
        await ground.helm.rollback("r", ground.namespace, 99, LIMIT)


@pytest.mark.parametrize(
    "text",
    [
        'Anna\'s "Bike" Shop, \\ 100% {{ .Release.Name }} $HOME `id`',
        "two\nlines\r\nand\ttabs",
        "żółć 自転車 \U0001f6b2",
        "yes",
        "0o17",
        " - leading: [space",
    ],
)
async def test_values_arrive_as_they_are(ground, text):
    await ground.install(text=text)
    assert (await ground.data())["text"] == text


@pytest.mark.helm
async def test_what_one_command_made_the_other_upgrades(place):
    kubeconfig, cluster, namespace, sandbox = place
    for number, command in enumerate([*COMMANDS.values(), *COMMANDS.values()], 1):
        ground = Ground(kubeconfig, cluster, namespace, command, sandbox)
        assert await ground.install(text=str(number)) == number
    maps, _ = await cluster.list_all("ConfigMap", namespace)
    made = next(each for each in maps if each["metadata"]["name"] == "r")
    assert {entry["manager"] for entry in made["metadata"]["managedFields"]} == {"helm"}


async def test_five_at_once(ground):
    names = [f"r{number}" for number in range(5)]
    assert await asyncio.gather(*(ground.install(name, text=name) for name in names)) == [1] * 5
    assert [(await ground.data(name))["text"] for name in names] == names


async def test_a_value_that_the_schema_refuses_is_named(ground):
    with pytest.raises(HelmError, match=r"values don't meet the specifications.*/number.*got string") as refusal:
        await ground.install(number="three")
    assert "\n" not in str(refusal.value)
    assert refusal.value.returncode == 1
    assert refusal.value.stderr
    assert await ground.revisions() == {}


async def test_a_value_that_the_chart_does_not_know_is_named(ground):
    with pytest.raises(HelmError, match="colour"):
        await ground.install(colour="red")


async def test_a_chart_that_is_not_there(ground):
    with pytest.raises(HelmError, match="not-there"):
        await ground.helm.upgrade_install("r", ground.namespace, CHART / "not-there", {}, LABELS, LIMIT)


async def test_a_namespace_that_is_not_there_is_named(ground):
    with pytest.raises(HelmError, match=r"scratch-helm-never-was.*not found"):
        await ground.helm.upgrade_install("r", "scratch-helm-never-was", CHART, {}, LABELS, LIMIT)


async def test_what_somebody_else_changed_is_an_error_unless_it_is_taken_back(ground):
    await ground.install(text="ours")
    theirs = {"metadata": {"name": "r", "namespace": ground.namespace}, "data": {"text": "theirs"}}
    await ground.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", **theirs})
    with pytest.raises(HelmError, match="conflict"):
        await ground.install(text="ours again")
    await ground.helm.upgrade_install(
        "r", ground.namespace, CHART, {"text": "ours again"}, LABELS, LIMIT, force_conflicts=True
    )
    assert (await ground.data())["text"] == "ours again"
    await ground.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", **theirs})
    with pytest.raises(HelmError, match="conflict"):
        await ground.helm.rollback("r", ground.namespace, 1, LIMIT)
    await ground.helm.rollback("r", ground.namespace, 1, LIMIT, force_conflicts=True)
    assert (await ground.data())["text"] == "ours"
    assert all(labels.items() >= LABELS.items() for labels in await ground.labels()), "a rollback keeps them"


async def test_what_nobody_can_tell_to_be_the_releases_is_an_error_unless_it_is_taken_back(ground):
    """The record is gone, and an object has lost the labels by which Helm knows its own."""
    await ground.install(text="ours")
    for secret in (await ground.cluster.list_all("Secret", ground.namespace, selector="owner=helm"))[0]:
        await ground.cluster.delete("Secret", secret["metadata"]["name"], ground.namespace)
    bare = await ground.cluster.get("ConfigMap", "r", ground.namespace)
    bare["metadata"] |= {"labels": {}, "annotations": {}}
    await ground.cluster.update(bare, "kubectl-edit")
    with pytest.raises(HelmError, match="ownership"):
        await ground.install(text="ours again")
    await ground.helm.upgrade_install(
        "r", ground.namespace, CHART, {"text": "ours again"}, LABELS, LIMIT, force_conflicts=True
    )
    assert (await ground.data())["text"] == "ours again"


async def test_an_api_server_that_is_away_is_told_soon(ground, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    kubeconfig = altered(ground.kubeconfig, tmp_path, server=f"https://127.0.0.1:{port}")
    helm = Helm(kubeconfig, None, ground.command)
    begun = time.monotonic()
    with pytest.raises(HelmError, match=r"unreachable.*connection refused"):
        await helm.upgrade_install("r", ground.namespace, CHART, {}, LABELS, LIMIT)
    with pytest.raises(HelmError, match="unreachable"):
        await helm.uninstall("r", ground.namespace, LIMIT)
    assert time.monotonic() - begun < LIMIT / 4


async def test_what_is_not_permitted_is_named(ground, tmp_path):
    kubeconfig = ground.kubeconfig
    if ground.sandbox:  # which knows no permissions
        said = 'secrets is forbidden: User "nobody" cannot list resource "secrets"'
        ground.sandbox.faults.add(ApiFault(403, said, kinds=("Secret",), namespace=ground.namespace))
    else:
        kubeconfig = altered(kubeconfig, tmp_path, user="nobody")
    with pytest.raises(HelmError, match=r'secrets.* is forbidden: User "nobody"'):
        await Helm(kubeconfig, None, ground.command).upgrade_install("r", ground.namespace, CHART, {}, LABELS, LIMIT)


async def test_a_hook_that_does_not_end_is_named_and_leaves_the_release_failed(ground, started):
    # On a busy machine, helm's own limit, by which it names the hook, may come too late.
    with pytest.raises(HelmError, match=r"failed pre-install|did not end within 5 s"):
        await ground.install(limit=5, stuck=True)
    assert is_gone(started[0])
    assert await ground.revisions() == {1: "failed"}
    assert await ground.install(text="again") == 2
    assert (await ground.revisions())[2] == "deployed"


@pytest.mark.parametrize("place", ["sandbox"], indirect=True)  # whose API can be made slow
async def test_a_helm_that_takes_too_long_is_stopped(ground, started):
    fault = ApiFault(delay=600, kinds=("Secret",), namespace=ground.namespace)
    ground.sandbox.faults.add(fault)
    begun = time.monotonic()
    with pytest.raises(HelmError, match=r"helm upgrade did not end within 2 s and was stopped"):
        await ground.install(limit=2)
    assert time.monotonic() - begun < 20
    assert is_gone(started[0])


async def test_cancelling_ends_the_process_and_leaves_the_release_failed(ground, started):
    installing = asyncio.create_task(ground.install(stuck=True))
    await ground.until_stuck()
    installing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await installing
    assert is_gone(started[0])
    assert await ground.revisions() == {1: "failed"}
    assert await ground.install(text="again") == 2


async def test_a_killed_helm_leaves_its_release_locked(ground, started):
    """What the engine's unlocking is for."""
    installing = asyncio.create_task(ground.install(stuck=True))
    await ground.until_stuck()
    os.killpg(started[0].pid, signal.SIGKILL)
    with pytest.raises(HelmError, match="helm upgrade was ended by SIGKILL"):
        await installing
    assert await ground.revisions() == {1: "pending-install"}
    with pytest.raises(HelmError, match=r"another operation .* in progress"):
        await ground.install()
    await ground.helm.uninstall("r", ground.namespace, LIMIT)
    assert await ground.revisions() == {}


@pytest.mark.parametrize("command", BOTH)
async def test_the_version_is_that_of_helm_4(command):
    assert re.match(r"v4\.\d+", await Helm(None, None, COMMANDS[command]).version())


@pytest.mark.parametrize("command", BOTH)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["upgrade", "--install", "--bogus", "r", "c"], "Error: unknown flag: --bogus"),
        (["bogus"], "Error: "),
        (["uninstall", "--timeout", "soon", "r"], 'invalid duration "soon"'),
    ],
)
async def test_both_complain_alike(command, arguments, said):
    process = await asyncio.create_subprocess_exec(*COMMANDS[command], *arguments, stderr=asyncio.subprocess.PIPE)
    _, stderr = await process.communicate()
    assert process.returncode == 1
    assert said in stderr.decode()


def altered(kubeconfig: Path, folder: Path, *, server: str = "", user: str = "") -> Path:
    """A copy of `kubeconfig` with another server, or acting as another user."""
    content = yaml.safe_load(kubeconfig.read_text())
    for each in content["clusters"]:
        each["cluster"] |= {"server": server} if server else {}
    for each in content["users"]:
        each["user"] |= {"as": user} if user else {}
    copy = folder / "kubeconfig"
    copy.write_text(yaml.safe_dump(content))
    return copy
