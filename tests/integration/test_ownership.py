"""What has taken a store's names and is somebody else's is never touched, also where the cache does not know of it yet.

The cache here has seen nothing: it is as far behind as it can be.
"""

import asyncio
import contextlib
import gzip
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from provisioning import names
from provisioning.act import Actor, Foreign
from provisioning.cache import Cache
from provisioning.cluster import FIELD_MANAGER, Cluster, ClusterError, Obj
from provisioning.drift import Drift
from provisioning.health import Health
from provisioning.helm import Helm
from provisioning.models import Store
from provisioning.release import SPEC, TYPE
from provisioning.states import State
from provisioning.wanted import wanted
from tests.integration.fleet import fleet_on, sandbox_in

SPACE = "store-shop"
STORE = Store(id="a" * 32, name="shop", owner_id="ann", template="medusa", plan="small", url="http://shop", version="1")
WISH = wanted(STORE, "i1", {"DATABASE_PASSWORD": "secret"}, {})

Write = Callable[[Actor], Awaitable[Any]]
WRITES: dict[str, Write] = {
    "apply": lambda actor: actor.apply(WISH),
    "mend the namespace": lambda actor: actor.mend(STORE, [Drift(WISH.namespace, FIELD_MANAGER)]),
    "mend a policy": lambda actor: actor.mend(STORE, [Drift(WISH.surroundings[-1], FIELD_MANAGER)]),
    "install": lambda actor: actor.install(WISH),
    "roll back": lambda actor: actor.roll_back(WISH, 1),
    "tell the database": lambda actor: actor.tell_database(STORE, "\\q\n"),
    "restart the shop": lambda actor: actor.restart_shop(STORE, 2),
    "uninstall": lambda actor: actor.uninstall(STORE),
    "stop": lambda actor: actor.scale(STORE, 0),
    "start": lambda actor: actor.scale(STORE, 1),
    "delete the namespace": lambda actor: actor.delete_namespace(STORE),
}


class Ground:
    """A cluster, an actor on it, and a helm that only notes that it was started."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self._started = cluster, folder / "helm-was-started"
        helm = folder / "helm"
        helm.write_text(f"#!/bin/sh\ntouch {self._started}\nexit 1\n")
        helm.chmod(0o755)
        cache = Cache(cluster, "i1", names.PREFIX, lambda namespace: None)
        self.actor = Actor(cluster, cache, Helm(None, None, (str(helm),), locks=folder / "locks"), 30)

    @property
    def helm_was_started(self) -> bool:
        return self._started.exists()

    async def everything(self) -> dict[str, str]:
        """Each object in the namespace, and in which version."""
        kinds = ("Secret", "ResourceQuota", "LimitRange", "NetworkPolicy", "Pod", "Deployment")
        found = [obj for kind in kinds for obj in (await self.cluster.list_all(kind, SPACE))[0]]
        found += [space for space in [await self.cluster.get("Namespace", SPACE)] if space]
        return {f"{obj['kind']} {obj['metadata']['name']}": obj["metadata"]["resourceVersion"] for obj in found}


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with sandbox_in() as sandbox:
        cluster = await Cluster.connect(sandbox.kubeconfig)
        yield Ground(cluster, tmp_path)
        await cluster.close()


def namespace(store: str = "") -> Obj:
    labels = {"storefleet.dev/installation": "i1", "storefleet.dev/store": store} if store else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": labels}}


def revision(store: str = "", name: str = SPACE) -> Obj:
    labels = {"owner": "helm", "name": name, "status": "deployed", "version": "1"}
    if store:
        labels |= {"storefleet.dev/installation": "i1", "storefleet.dev/store": store}
    metadata = {"name": f"sh.helm.release.v1.{name}.v1", "namespace": SPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata, "data": {}}


def deployment() -> Obj:
    labels = {"app": "theirs"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "medusa", "namespace": SPACE}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("theirs", [namespace(), namespace("b" * 32)], ids=["bare", "another store's"])
async def test_a_foreign_namespace_is_not_written_to(ground: Ground, theirs: Obj) -> None:
    await ground.cluster.create(theirs)
    await ground.cluster.create(revision())
    before = await ground.everything()
    for name, write in WRITES.items():
        with pytest.raises(Foreign, match=r"belongs to somebody else"):
            await write(ground.actor)
        assert await ground.everything() == before, name
        assert not ground.helm_was_started, name


async def test_a_namespace_that_is_gone_is_not_made_in_passing(ground: Ground) -> None:
    for name, write in WRITES.items():
        if name in ("uninstall", "delete the namespace"):
            await write(ground.actor)  # there is nothing to be done any more
        else:
            with pytest.raises(ClusterError) as refusal:
                await write(ground.actor)
            assert refusal.value.status == 404, name
        assert await ground.cluster.get("Namespace", SPACE) is None, name
        assert not ground.helm_was_started, name


async def test_a_foreign_release_is_left_alone(ground: Ground) -> None:
    await ground.cluster.create(namespace(STORE.id))
    await ground.cluster.create(revision())
    before = await ground.everything()
    for name in ("install", "roll back", "uninstall"):
        with pytest.raises(Foreign, match=r"the Helm release store-shop .*belongs to somebody else"):
            await WRITES[name](ground.actor)
        assert await ground.everything() == before, name
        assert not ground.helm_was_started, name


async def test_what_helm_cannot_uninstall_is_forgotten_and_no_other_release(ground: Ground) -> None:
    await ground.cluster.create(namespace(STORE.id))
    await ground.cluster.create(revision(STORE.id))
    await ground.cluster.create(revision(name="theirs"))
    await ground.actor.uninstall(STORE)
    assert ground.helm_was_started
    left = [name for name in await ground.everything() if "helm" in name]
    assert left == ["Secret sh.helm.release.v1.theirs.v1"]


async def test_a_pod_that_has_taken_the_name_of_a_broken_one_stays(ground: Ground) -> None:
    await ground.cluster.create(namespace(STORE.id))
    metadata = {"name": "postgres-0", "namespace": SPACE}
    spec = {"containers": [{"name": "a", "image": "example.com/a:1"}]}
    pod = await ground.cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    await ground.actor.replace_pod(STORE, "postgres-0", "the-uid-of-the-one-before")
    there = await ground.cluster.get("Pod", "postgres-0", SPACE)
    assert there is not None
    assert "deletionTimestamp" not in there["metadata"]
    await ground.actor.replace_pod(STORE, "postgres-0", pod["metadata"]["uid"])
    there = await ground.cluster.get("Pod", "postgres-0", SPACE)
    assert there is None or "deletionTimestamp" in there["metadata"]


def a_helm_that_hangs(folder: Path, locks: Path) -> Helm:
    command = folder / "helm-that-hangs"
    command.write_text("#!/bin/sh\nexec sleep 100\n")
    command.chmod(0o755)
    return Helm(None, None, (str(command),), locks=locks)


async def test_a_deletion_does_not_end_under_a_helm_that_is_still_at_work(tmp_path: Path) -> None:
    """It outlived the process that started it, and would write into the next store of that name."""
    async with sandbox_in() as sandbox, fleet_on(sandbox, tmp_path) as fleet:
        await fleet.ask("shop")
        await fleet.settled("shop")
        other = a_helm_that_hangs(tmp_path, locks=tmp_path / "helm")
        await fleet.until(lambda _: not other.is_running(SPACE, SPACE), "shop")
        running = asyncio.create_task(other.uninstall(SPACE, SPACE, 60))
        await fleet.until(lambda _: other.is_running(SPACE, SPACE), "shop")
        # By hand, so that nothing but the end of the deletion is left to be done.
        await fleet.cluster.delete("Namespace", SPACE)
        await fleet.delete("shop")
        with pytest.raises(AssertionError, match="shop is DELETING"):
            await fleet.gone("shop", within=3)
        assert (tmp_path / "helm" / f"{SPACE}.{SPACE}.lock").exists()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await fleet.gone("shop")
        assert not (tmp_path / "helm" / f"{SPACE}.{SPACE}.lock").exists()


async def test_nor_where_somebody_else_has_taken_the_namespace_meanwhile(tmp_path: Path, ground: Ground) -> None:
    await ground.cluster.create(namespace())
    other = a_helm_that_hangs(tmp_path, locks=tmp_path / "locks")
    running = asyncio.create_task(other.uninstall(SPACE, SPACE, 60))
    while not other.is_running(SPACE, SPACE):
        await asyncio.sleep(0.02)
    assert await ground.actor.clear(STORE) == [f"helm, still at work on {SPACE}"]
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert await ground.actor.clear(STORE) == []


async def test_a_release_that_another_leader_has_brought_in_sync_meanwhile_is_not_made_again(ground: Ground) -> None:
    await ground.cluster.create(namespace(STORE.id))
    there = revision(STORE.id)
    there["metadata"]["labels"] |= {SPEC: WISH.spec, "version": "3"}
    record = gzip.compress(json.dumps({"manifest": ""}).encode())
    there["data"] = {"release": b64encode(b64encode(record)).decode()}
    await ground.cluster.create(there)
    assert await ground.actor.install(WISH) == 3
    assert not ground.helm_was_started


async def test_a_store_whose_namespace_somebody_else_has_taken_says_so_and_is_well_again(tmp_path: Path) -> None:
    async with sandbox_in() as sandbox:
        async with fleet_on(sandbox, tmp_path) as fleet:
            await fleet.ask("shop")
            store = await fleet.settled("shop")
        cluster = await Cluster.connect(sandbox.kubeconfig)
        await cluster.delete("Namespace", SPACE)
        while await cluster.get("Namespace", SPACE):
            await asyncio.sleep(0.02)
        await cluster.create(namespace())
        await cluster.close()
        async with fleet_on(sandbox, tmp_path) as fleet:

            def says_so(_: Store | None) -> bool:
                reason = fleet.engine.condition(store).reason
                return reason is not None and reason.code == "foreign_namespace"

            await fleet.until(says_so, "shop", within=60)
            await fleet.cluster.delete("Namespace", SPACE)
            while await fleet.cluster.get("Namespace", SPACE):
                await asyncio.sleep(0.02)
            fleet.engine.poke("shop")
            await fleet.until(lambda _: fleet.engine.condition(store).health is Health.OK, "shop", within=60)
            now = await fleet.store("shop")
            assert now is not None
            assert now.state is State.READY
