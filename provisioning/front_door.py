"""Asks a shop by its address and, when it does not answer, why: what stands on the way in is read from the cluster."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.failures import Finding, of_kind
from provisioning.failures.front_door import WayIn, certificate_secret_of, class_of, not_reached
from provisioning.probe import Answer, Probe

LOOK_AGAIN_AFTER = 3.0  # seconds: a shop is asked four times a second while it comes up, the cluster need not be


@dataclass
class _Look:
    at: float
    answer: Answer
    finding: Finding


class FrontDoor:
    """One for the process."""

    def __init__(self, cluster: Cluster, ingress_url: str | None = None) -> None:
        self._cluster, self._probe = cluster, Probe(ingress_url)
        self._looks: dict[str, _Look] = {}  # by address: what was found last

    async def ask(self, url: str, there: Sequence[Obj]) -> Finding | None:
        """None when the shop at `url` says that it is ready, else why not.  `there`: the store's objects."""
        answer = await self._probe.ask(url)
        if answer.ready:
            self._looks.pop(url, None)
            return None
        now, last = asyncio.get_running_loop().time(), self._looks.get(url)
        if last is None or last.answer != answer or now - last.at >= LOOK_AGAIN_AFTER:
            ingress = next(iter(of_kind(there, "Ingress")), None)
            last = _Look(now, answer, not_reached(answer, url, await self._way_in(ingress)))
            self._looks[url] = last
        return last.finding

    async def close(self) -> None:
        await self._probe.close()

    async def _way_in(self, ingress: Obj | None) -> WayIn:
        if ingress is None:
            return WayIn()
        namespace, secret, class_name = (
            ingress["metadata"].get("namespace"),
            certificate_secret_of(ingress),
            class_of(ingress),
        )
        certificate = None
        if secret:
            with contextlib.suppress(ClusterError):
                certificate = await self._cluster.get("Certificate", secret, namespace)
        return WayIn(
            ingress,
            class_there=await self._is_there("IngressClass", class_name, None) if class_name else None,
            secret_there=await self._is_there("Secret", secret, namespace) if secret else None,
            certificate=certificate,
        )

    async def _is_there(self, kind: str, name: str, namespace: str | None) -> bool | None:
        """None where we may not know."""
        try:
            return await self._cluster.get(kind, name, namespace) is not None
        except ClusterError:
            return None
