"""Carries out one step.  Each may be cut off anywhere and done again: what is there already is fine.

A step was decided by a cache, and names are free to anybody: so right before each write the cluster itself is asked
whether the namespace is the store's, or the write names the very object by its uid.

After a write, the answer goes into the cache at once, so that the next look at the store sees it (a watch tells a
moment later).
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from provisioning import names, objects, release
from provisioning.cache import Cache
from provisioning.cluster import FIELD_MANAGER, Cluster, ClusterError, Obj
from provisioning.drift import Drift, changed_by, differences
from provisioning.failures import reference, time_of
from provisioning.helm import Helm, HelmError
from provisioning.models import Store
from provisioning.observe import replicas as wanted_replicas
from provisioning.observe import workloads
from provisioning.templates import LABEL_STORE
from provisioning.wanted import Wanted

log = logging.getLogger(__name__)

RECORD = "sh.helm.release.v1"  # what the names of Helm's records begin with

# Whose fields of an object are not somebody's change: ours, Helm's, and Kubernetes' own controllers'.
_KNOWN_MANAGERS = (FIELD_MANAGER, release.FIELD_MANAGER, "kube-controller-manager", "kube-apiserver", "kubelet")


@dataclass(frozen=True)
class Mended:
    """Something that was not as it was asked for, and was put back.  `by`: who changed it, if the cluster says."""

    drift: Drift
    by: str = ""


class Foreign(Exception):
    """Something of that name is there and is not ours: it is never touched.  `release`: Helm's, in our namespace."""

    def __init__(self, message: str, *, release: bool = False) -> None:
        super().__init__(message)
        self.release = release


class Actor:
    """The writes to the cluster."""

    def __init__(self, cluster: Cluster, cache: Cache, helm: Helm, helm_time_limit: float) -> None:
        self._cluster, self._cache, self._helm, self._helm_time_limit = cluster, cache, helm, helm_time_limit

    async def create_namespace(self, wanted: Wanted) -> bool:
        """Whether it had to be made; one of ours that lost its labels gets them back.

        Raises Foreign where a namespace of that name is somebody else's.
        """
        try:
            self._cache.put(await self._cluster.create(wanted.namespace))
            return True
        except ClusterError as error:
            if error.status != 409:
                raise
            name = wanted.namespace["metadata"]["name"]
            there = await self._cluster.get("Namespace", name)
            if there is None:
                return False  # it went in between; the next look creates it
            if not objects.belongs_to(there, wanted.ours[1]):
                raise Foreign(f"the namespace {name} is there already and belongs to somebody else") from error
            self._cache.put(await self._cluster.apply(wanted.namespace))
            return False

    async def apply(self, wanted: Wanted) -> None:
        """Everything around the release, in a namespace that is new.  Raises Foreign."""
        await self._must_be_ours(wanted.name, wanted.ours[1])
        for obj in await asyncio.gather(*(self._cluster.apply(obj) for obj in wanted.surroundings)):
            self._cache.put(obj)

    async def mend(self, store: Store, drifts: Iterable[Drift]) -> list[Mended]:
        """Put back what drifted; what the cluster itself, not the cache, says was different.  Raises Foreign."""
        mended = []
        for drift in drifts:
            metadata = drift.wanted["metadata"]
            await self._must_be_ours(names.namespace(store.name), store.id)
            there = await self._cluster.get(drift.wanted["kind"], metadata["name"], metadata.get("namespace"))
            different = () if there is None else differences(drift.wanted, there)
            if there is not None and not different:  # the cache was behind
                self._cache.put({**there, "kind": drift.wanted["kind"]})
                continue
            self._cache.put(await self._cluster.apply(drift.wanted, drift.manager))
            by = changed_by(there, _KNOWN_MANAGERS) if there else ""
            mended.append(Mended(replace(drift, differences=different), by))
        return mended

    async def install(self, wanted: Wanted) -> int:
        """Install or upgrade the release from chart and values; the revision.  Raises Foreign."""
        if revision := await self._in_sync(wanted):
            return revision
        labels = {**wanted.values["labels"], release.SPEC: wanted.present, release.RUNNER: self._helm.runner}
        try:
            return await self._helm.upgrade_install(
                wanted.name,
                wanted.name,
                wanted.chart,
                wanted.values,
                labels,
                self._helm_time_limit,
                force_conflicts=True,  # what somebody changed by hand becomes again what was asked for
            )
        finally:
            await self._refresh_releases(wanted.name)

    async def roll_back(self, wanted: Wanted, revision: int) -> None:
        """Make the release once more what `revision` was, if that still is what is wanted.  Raises Foreign."""
        if await self._in_sync(wanted) or await self.kept_as(wanted) != revision:
            return
        try:
            await self._helm.rollback(wanted.name, wanted.name, revision, self._helm_time_limit, force_conflicts=True)
        finally:
            await self._refresh_releases(wanted.name)

    async def kept_as(self, wanted: Wanted) -> int:
        """The revision by which the wanted release can be had again, as the cluster says now; 0: none."""
        await self._refresh_releases(wanted.name)
        return release.kept_as(self._cache.objects(wanted.name), wanted.ours, wanted.spec)

    async def _in_sync(self, wanted: Wanted) -> int:
        """The revision that is as wanted by now (a leader before us was slow to end), so that nothing is done a second
        time; 0 where something is to be done.  Raises Foreign where namespace or release are not ours.
        """
        key, value = wanted.ours
        await self._must_be_ours(wanted.name, value)
        if any(secret["metadata"]["labels"].get(key) != value for secret in await self._refresh_releases(wanted.name)):
            raise Foreign(f"the Helm release {wanted.name} is there already and belongs to somebody else", release=True)
        await self._forget_damaged(wanted.name, value)
        there = self._cache.objects(wanted.name)
        newest = release.newest(there, wanted.ours, wanted.spec)
        if newest and newest.state is release.Release.IN_SYNC:
            return int(release.revisions(there)[-1]["metadata"]["labels"]["version"])
        return 0

    async def unlock(self, store: Store, locked_at: datetime | None) -> None:
        """Remove the record of an operation that nobody runs any more; the revision before it stands again.

        Only the one of `locked_at`: a lock that is newer is of a helm that another process has started since.
        """
        namespace = names.namespace(store.name)
        await self._refresh_releases(namespace)
        found = release.revisions(self._cache.objects(namespace))
        if found and found[-1]["metadata"]["labels"].get("status", "").startswith("pending-"):
            metadata = found[-1]["metadata"]
            if time_of(metadata["creationTimestamp"]) != locked_at or metadata["labels"].get(LABEL_STORE) != store.id:
                return
            await self._cluster.delete("Secret", metadata["name"], namespace, uid=metadata["uid"])
            await self._refresh_releases(namespace)

    def lock_abandoned(self, store: Store, runner: str) -> bool:
        """Whether the helm that locked the store's release ran on this machine, and runs no more."""
        name = names.namespace(store.name)
        return runner == self._helm.runner and not self._helm.is_running(name, name)

    async def replace_pod(self, store: Store, pod: str, uid: str) -> None:
        """Delete this very pod; one that has taken its name is fine."""
        try:
            await self._cluster.delete("Pod", pod, names.namespace(store.name), uid=uid)
        except ClusterError as error:
            if error.status != 409:
                raise

    async def scale(self, store: Store, replicas: int) -> None:
        """Let every workload of the store that wants more, or none, want as many as `replicas`: 0 stops it, its volumes
        stay; 1 starts it, what it wants beyond that its release says.  Raises Foreign."""
        await self._must_be_ours(names.namespace(store.name), store.id)
        for obj in workloads(self._cache.objects(names.namespace(store.name))):
            if (wanted_replicas(obj) == 0) == (replicas == 0):
                continue
            metadata = {key: obj["metadata"][key] for key in ("name", "namespace")}
            scaled = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
            self._cache.put(await self._cluster.apply({**scaled, "spec": {"replicas": replicas}}))

    async def uninstall(self, store: Store) -> None:
        """Uninstall the release; one that Helm cannot uninstall is forgotten (its namespace goes next).

        Raises Foreign where namespace or release are not ours.
        """
        namespace = names.namespace(store.name)
        if not await self._is_ours(namespace, store.id):
            return
        if any(not _is_of(store, secret) for secret in await self._refresh_releases(namespace)):
            raise Foreign(f"the Helm release {namespace} belongs to somebody else", release=True)
        try:
            await self._helm.uninstall(namespace, namespace, self._helm_time_limit)
        except HelmError as error:
            log.warning("helm could not uninstall %s: %s", namespace, error)
            for secret in filter(partial(_is_of, store), await self._refresh_releases(namespace)):
                metadata = secret["metadata"]
                await self._cluster.delete("Secret", metadata["name"], namespace, uid=metadata["uid"])
        await self._refresh_releases(namespace)

    async def delete_namespace(self, store: Store) -> None:
        """Delete the namespace if it is ours, as the cluster says now, not the cache."""
        name = names.namespace(store.name)
        there = await self._cluster.get("Namespace", name)
        if there is None:
            return
        if not objects.belongs_to(there, store.id):
            raise Foreign(f"the namespace {name} belongs to somebody else")
        await self._cluster.delete("Namespace", name, uid=there["metadata"]["uid"])

    async def clear(self, store: Store) -> list[str]:
        """Delete the volumes that a deleted namespace left; what is still there, asked of the cluster itself.

        [] is the proof of absence.  A helm of ours that outlived whoever started it is waited for: it would write into
        the next namespace of that name.  Most volumes go by themselves with their claims; one with the policy Retain
        would stay for ever.  Volumes carry no labels of ours, so where a namespace of somebody else's has taken the
        name, or where they are older than the store, they are not ours.
        """
        name = names.namespace(store.name)
        there = await self._cluster.get("Namespace", name)
        if there is not None:
            if not objects.belongs_to(there, store.id):
                return []
            # No watch shows one that has lost its labels, so no step of its own deletes it.
            await self._cluster.delete("Namespace", name, uid=there["metadata"]["uid"])
            return [f"namespace/{name}"]
        volumes, _ = await self._cluster.list_all("PersistentVolume")
        left = [volume for volume in volumes if self._held(volume, store)]
        for volume in left:
            retained = volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain"
            if retained and not volume["metadata"].get("deletionTimestamp"):
                metadata = volume["metadata"]
                await self._cluster.delete("PersistentVolume", metadata["name"], uid=metadata["uid"])
        if not left and not self._helm.forget(name, name):
            return [f"helm, still at work on {name}"]
        return [reference(volume) for volume in left]

    @staticmethod
    def _held(volume: Obj, store: Store) -> bool:
        claim = volume["spec"].get("claimRef") or {}
        made = time_of(volume["metadata"]["creationTimestamp"])
        return claim.get("namespace") == names.namespace(store.name) and made >= store.created_at.replace(microsecond=0)

    async def _forget_damaged(self, namespace: str, store_id: str) -> None:
        """Remove the records of our release that somebody has damaged: Helm would fail of them for ever."""
        secrets, _ = await self._cluster.list_all("Secret", namespace)
        for secret in secrets:
            metadata, labels = secret["metadata"], secret["metadata"].get("labels") or {}
            named = secret.get("type") == release.TYPE and metadata["name"].startswith(f"{RECORD}.{namespace}.v")
            ours = labels.get(LABEL_STORE) == store_id or not release.is_found(secret)
            if named and ours and release.is_damaged(secret):
                log.warning("the record %s of Helm in %s is damaged and is removed", metadata["name"], namespace)
                await self._cluster.delete("Secret", metadata["name"], namespace, uid=metadata["uid"])

    async def _must_be_ours(self, namespace: str, store_id: str) -> None:
        """Raises Foreign, or ClusterError where there is no such namespace."""
        if not await self._is_ours(namespace, store_id):
            raise ClusterError(f"the namespace {namespace} is gone", 404, "NotFound")

    async def _is_ours(self, namespace: str, store_id: str) -> bool:
        """Whether the namespace is there, as the cluster says now.  Raises Foreign where it is somebody else's."""
        there = await self._cluster.get("Namespace", namespace)
        if there is not None and not objects.belongs_to(there, store_id):
            raise Foreign(f"the namespace {namespace} belongs to somebody else")
        return there is not None

    async def _refresh_releases(self, namespace: str) -> list[Obj]:
        """Read the release's Secrets anew into the cache: Helm wrote them, not we."""
        secrets, _ = await self._cluster.list_all("Secret", namespace, selector=f"owner=helm,name={namespace}")
        releases = [secret for secret in secrets if secret.get("type") == release.TYPE]
        self._cache.put_all("Secret", namespace, releases, kept=lambda obj: obj.get("type") != release.TYPE)
        return releases


def _is_of(store: Store, secret: Obj) -> bool:
    return bool(secret["metadata"]["labels"].get(LABEL_STORE) == store.id)
