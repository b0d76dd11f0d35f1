"""What a starting shop says of itself in its log, for what no object of the cluster shows."""

import asyncio
import contextlib
from collections.abc import Sequence

from provisioning import names
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.failures import Finding, of_kind, part_of
from provisioning.failures.logs import waits_for_database
from provisioning.milestones import told_by_log
from provisioning.models import Event, Store
from provisioning.record import Recorder


class ShopLog:
    """Reads the logs of starting shops, each about once a second, until it said that it is prepared."""

    def __init__(self, cluster: Cluster, recorder: Recorder) -> None:
        self._cluster, self._recorder = cluster, recorder
        self._read_at: dict[str, float] = {}  # by store

    async def read(
        self, store: Store, objects: Sequence[Obj], waits: Finding | None
    ) -> tuple[list[Event], Finding | None]:
        """New lines of the timeline, and what the shop says that it waits for (`waits`: what it said last).

        Nothing new where the log is not to be read just now: the next look does it.
        """
        found: list[Event] = []
        for pod in of_kind(objects, "Pod"):
            if part_of(pod) == "Medusa" and self._is_due(store, pod):
                with contextlib.suppress(ClusterError):
                    text = await self._cluster.log(names.namespace(store.name), pod["metadata"]["name"], "medusa")
                    found += told_by_log(store.id, pod, text)
                    waits = waits_for_database(pod, text)
        return found, waits

    def forget(self, store: Store) -> None:
        self._read_at.pop(store.id, None)

    def _is_due(self, store: Store, pod: Obj) -> bool:
        uid, now = pod["metadata"]["uid"], asyncio.get_running_loop().time()
        if self._recorder.is_told(store, f"shop.prepared:{uid}"):
            return False
        containers = (pod.get("status") or {}).get("containerStatuses") or []
        running = any("running" in each.get("state", {}) for each in containers)
        last = self._read_at.get(store.id, 0.0)
        if not running or (now - last < 1 and not all(each.get("ready") for each in containers)):
            return False
        self._read_at[store.id] = now
        return True
