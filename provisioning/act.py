"""Carries out one step.  Each may be cut off anywhere and done again: what is there already is fine.

After a write, the answer goes into the cache at once, so that the next look at the store sees it (a watch tells a
moment later).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioning import names
from provisioning.cache import Cache
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.failures import reference, time_of
from provisioning.helm import Helm, HelmError
from provisioning.models import Store
from provisioning.observe import RELEASE_TYPE, SPEC, newest_release, workloads
from provisioning.observe import replicas as wanted_replicas
from provisioning.templates import LABEL_INSTALLATION, LABEL_STORE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """Everything that a store should consist of."""

    namespace: Obj
    surroundings: Sequence[Obj]
    chart: Path
    values: Mapping[str, Any]
    spec: str  # fingerprint of chart and values


class Foreign(Exception):
    """Something of that name is there and is not ours: it is never touched."""


class Actor:
    """The writes to the cluster."""

    def __init__(self, cluster: Cluster, cache: Cache, helm: Helm, helm_time_limit: float) -> None:
        self._cluster, self._cache, self._helm, self._helm_time_limit = cluster, cache, helm, helm_time_limit

    async def create_namespace(self, wanted: Wanted) -> None:
        """Raises Foreign where a namespace of that name is somebody else's."""
        try:
            self._cache.put(await self._cluster.create(wanted.namespace))
        except ClusterError as error:
            if error.status != 409:
                raise
            name = wanted.namespace["metadata"]["name"]
            there = await self._cluster.get("Namespace", name)
            if there is None:
                return  # it went in between; the next look creates it
            ours = wanted.namespace["metadata"]["labels"]
            labels = there["metadata"].get("labels") or {}
            if any(labels.get(key) != ours[key] for key in (LABEL_INSTALLATION, LABEL_STORE)):
                raise Foreign(f"the namespace {name} is there already and belongs to somebody else") from error
            self._cache.put(there)

    async def apply(self, wanted: Wanted) -> None:
        for obj in wanted.surroundings:
            self._cache.put(await self._cluster.apply(obj))

    async def install(self, wanted: Wanted) -> int:
        """Install or upgrade the release; the revision."""
        name = wanted.namespace["metadata"]["name"]
        labels = {**wanted.values["labels"], SPEC: wanted.spec}
        try:
            return await self._helm.upgrade_install(
                name,
                name,
                wanted.chart,
                wanted.values,
                labels,
                self._helm_time_limit,
                force_conflicts=True,  # what somebody changed by hand becomes again what was asked for
            )
        finally:
            await self._refresh_releases(name)

    async def unlock(self, store: Store) -> None:
        """Remove the record of an operation that nobody runs any more; the revision before it stands again."""
        namespace = names.namespace(store.name)
        await self._refresh_releases(namespace)
        secret = newest_release(self._cache.objects(namespace))
        if secret is not None and secret["metadata"]["labels"].get("status", "").startswith("pending-"):
            await self._cluster.delete("Secret", secret["metadata"]["name"], namespace, uid=secret["metadata"]["uid"])
            await self._refresh_releases(namespace)

    async def replace_pod(self, store: Store, pod: str) -> None:
        await self._cluster.delete("Pod", pod, names.namespace(store.name))

    async def scale(self, store: Store, replicas: int) -> None:
        """Let every workload of the store that wants more, or none, want as many as `replicas`: 0 stops it, its volumes
        stay; 1 starts it, what it wants beyond that its release says."""
        for obj in workloads(self._cache.objects(names.namespace(store.name))):
            if (wanted_replicas(obj) == 0) == (replicas == 0):
                continue
            metadata = {key: obj["metadata"][key] for key in ("name", "namespace")}
            scaled = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
            self._cache.put(await self._cluster.apply({**scaled, "spec": {"replicas": replicas}}))

    async def uninstall(self, store: Store) -> None:
        """Uninstall the release; one that Helm cannot uninstall is forgotten (its namespace goes next)."""
        namespace = names.namespace(store.name)
        try:
            await self._helm.uninstall(namespace, namespace, self._helm_time_limit)
        except HelmError as error:
            log.warning("helm could not uninstall %s: %s", namespace, error)
            for secret in await self._refresh_releases(namespace):
                await self._cluster.delete("Secret", secret["metadata"]["name"], namespace)
        await self._refresh_releases(namespace)

    async def delete_namespace(self, store: Store) -> None:
        """Delete the namespace if it is ours, as the cluster says now, not the cache."""
        name = names.namespace(store.name)
        there = await self._cluster.get("Namespace", name)
        if there is None:
            return
        if (there["metadata"].get("labels") or {}).get(LABEL_STORE) != store.id:
            raise Foreign(f"the namespace {name} belongs to somebody else")
        await self._cluster.delete("Namespace", name, uid=there["metadata"]["uid"])

    async def clear(self, store: Store) -> list[str]:
        """Delete the volumes that a deleted namespace left; what is still there, asked of the cluster itself.

        [] is the proof of absence.  Most volumes go by themselves with their claims; one with the policy Retain would
        stay for ever.  Volumes carry no labels of ours, so where a namespace of somebody else's has taken the name, or
        where they are older than the store, they are not ours.
        """
        name = names.namespace(store.name)
        there = await self._cluster.get("Namespace", name)
        if there is not None:
            ours = (there["metadata"].get("labels") or {}).get(LABEL_STORE) == store.id
            return [f"namespace/{name}"] if ours else []
        volumes, _ = await self._cluster.list_all("PersistentVolume")
        left = [volume for volume in volumes if self._is_of(volume, store)]
        for volume in left:
            retained = volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain"
            if retained and not volume["metadata"].get("deletionTimestamp"):
                metadata = volume["metadata"]
                await self._cluster.delete("PersistentVolume", metadata["name"], uid=metadata["uid"])
        return [reference(volume) for volume in left]

    @staticmethod
    def _is_of(volume: Obj, store: Store) -> bool:
        claim = volume["spec"].get("claimRef") or {}
        made = time_of(volume["metadata"]["creationTimestamp"])
        return claim.get("namespace") == names.namespace(store.name) and made >= store.created_at.replace(microsecond=0)

    async def _refresh_releases(self, namespace: str) -> list[Obj]:
        """Read the release's Secrets anew into the cache: Helm wrote them, not we."""
        secrets, _ = await self._cluster.list_all("Secret", namespace, selector="owner=helm")
        releases = [secret for secret in secrets if secret.get("type") == RELEASE_TYPE]
        self._cache.put_all("Secret", namespace, releases, kept=lambda obj: obj.get("type") != RELEASE_TYPE)
        return releases
