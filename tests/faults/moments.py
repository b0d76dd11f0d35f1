"""Moments at which a process is killed: each step's boundaries, seen from outside, and any other."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from provisioning.cluster import Cluster, ClusterError, Obj
from tests.faults.ends import helms

Sight = Callable[[Cluster, Path], Awaitable[bool]]


async def _of_stores(cluster: Cluster, kind: str, selector: str = "") -> list[Obj]:
    found, _ = await cluster.list_all(kind, selector=selector)
    return [obj for obj in found if (obj["metadata"].get("namespace") or obj["metadata"]["name"]).startswith("store-")]


def _a_new(kind: str, selector: str = "") -> Sight:
    """An object of this kind has come that was not there when the wait began."""
    known: set[str] | None = None

    async def seen(cluster: Cluster, _: Path) -> bool:
        nonlocal known
        there = {obj["metadata"]["uid"] for obj in await _of_stores(cluster, kind, selector)}
        before, known = known, known or there
        return before is not None and bool(there - before)

    return seen


async def _a_helm_at_work(_: Cluster, kubeconfig: Path) -> bool:
    return bool(helms(kubeconfig))


async def _a_locked_release(cluster: Cluster, _: Path) -> bool:
    return bool(
        await _of_stores(cluster, "Secret", "owner=helm,status in (pending-install,pending-upgrade,pending-rollback)")
    )


async def _a_release_that_goes(cluster: Cluster, _: Path) -> bool:
    return bool(await _of_stores(cluster, "Secret", "owner=helm,status=uninstalling"))


async def _a_namespace_that_goes(cluster: Cluster, _: Path) -> bool:
    return any(obj["metadata"].get("deletionTimestamp") for obj in await _of_stores(cluster, "Namespace"))


async def _never(_: Cluster, __: Path) -> bool:
    return False


MOMENTS: dict[str, Callable[[], Sight]] = {
    "a namespace is made": lambda: _a_new("Namespace"),
    "the last policy is applied": lambda: _a_new("NetworkPolicy"),
    "a helm is started": lambda: _a_helm_at_work,
    "a release is locked": lambda: _a_locked_release,
    "a release is made": lambda: _a_new("Secret", "owner=helm,status=deployed"),
    "a pod is made": lambda: _a_new("Pod"),
    "a release goes": lambda: _a_release_that_goes,
    "a namespace goes": lambda: _a_namespace_that_goes,
    "any": lambda: _never,
}


async def wait_for(moment: str, cluster: Cluster, kubeconfig: Path, chance: random.Random, longest: float) -> bool:
    """Whether `moment` came; if not within a random time, any moment is as good."""
    sight, end = MOMENTS[moment](), time.monotonic() + chance.uniform(longest / 5, longest)
    while time.monotonic() < end:
        try:
            if await sight(cluster, kubeconfig):
                return True
        except ClusterError:
            await asyncio.sleep(0.2)  # the API is away, too
        await asyncio.sleep(0.01)
    return False
