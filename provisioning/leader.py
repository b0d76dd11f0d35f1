"""Which of several processes on one database runs the engine: a Lease in the cluster says so.

The protocol is Kubernetes' own (client-go's `leaderelection`).  A Lease names its holder, who renews it; whoever has
seen the same Lease unrenewed for as long as it lasts, by his own clock, takes it; a write names the version that it was
read in, so that one of two wins.  Against a process that wakes up late there are two guards, and the Lease is neither:
`leading` looks at the clock each time that it is asked, so that a leader that could not renew stops acting before
others may begin, and every change of state in the database names the state that it leaves.

Not `kubernetes.aio.leaderelection`, which is unfit for this (37.0): any error but an HTTP answer ends it and leaves the
leader's task running; a call that hangs is waited for past the end of the lease; it goes by the wall clock, and writes
local time as UTC; it never gives a Lease up; it sets no labels.
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from provisioning import tasks
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.models import now
from provisioning.templates import LABEL_INSTALLATION

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leadership:
    """Who leads, as far as is known here."""

    holder: str  # a process: its host's or pod's name and a part of its own; "" while nobody is known to lead
    since: datetime | None
    here: bool  # is it this process?


class Leader(Protocol):
    """What the engine and `/readyz` ask."""

    @property
    def leading(self) -> bool:
        """May this process act, at this very moment?"""

    def known(self) -> Leadership: ...

    def start(self, on_lead: Callable[[], Awaitable[None]], is_fit: Callable[[], bool]) -> None:
        """`on_lead` is called each time that this process begins to lead later, in a task of its own; one that is not
        fit for it lets others lead."""

    def stand_down(self) -> None:
        """Begin nothing any more, and keep others from it until `stop`: what was begun is still to end."""

    async def stop(self) -> None:
        """Lead no more, and let others know."""


def identity() -> str:
    """A name for this process that no other has, and that people recognise."""
    return f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:6]}"


class Alone:
    """Leads from its first moment: the only process on its database, which the file lock of SQLite proves."""

    def __init__(self) -> None:
        self._known = Leadership(identity(), now(), here=True)
        self.leading = True

    def known(self) -> Leadership:
        return self._known

    def start(self, on_lead: Callable[[], Awaitable[None]], is_fit: Callable[[], bool]) -> None:
        """It leads already, and there is no other."""

    def stand_down(self) -> None:
        self.leading = False

    async def stop(self) -> None:
        """There is nobody to let know."""


@dataclass(frozen=True)
class Timings:
    """Seconds.  A leader that dies is followed within `lease` + `retry`, one that ends within `retry`."""

    lease: float = 10.0  # how long a Lease lasts that is not renewed
    renew: float = 6.0  # how long its holder trusts in it; the rest is for steps that are on their way
    retry: float = 2.0  # between two tries, of the holder and of the others
    answer: float = 3.0  # how long one try waits for the cluster


class Election:
    """By the Lease `storefleet-<installation>` in `namespace`."""

    def __init__(self, cluster: Cluster, namespace: str, installation: str, timings: Timings | None = None) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._name, self._installation = f"storefleet-{installation}", installation
        self._timings = timings or Timings()
        self.identity = identity()
        self._lease: Obj | None = None  # as last seen
        self._looked = False  # is that the newest version, as far as we know?
        self._changed_at = 0.0  # when it was first seen so; this and what follows by the loop's clock
        self._renewed_at: float | None = None  # when the last renewal of ours was begun; None: it is not ours
        self._was_leading = False
        self._standing_down = False
        self._trouble = ""
        self._running: asyncio.Task[None] | None = None
        self._begun: set[asyncio.Task[None]] = set()

    @property
    def leading(self) -> bool:
        renewed_at = self._renewed_at
        return not self._standing_down and renewed_at is not None and _clock() < renewed_at + self._timings.renew

    def known(self) -> Leadership:
        """The holder of a Lease that still holds, as far as we have seen."""
        if self._lease is None or _holder(self._lease) == "" or self._expired():
            return Leadership("", None, here=False)
        return Leadership(_holder(self._lease), _since(self._lease), here=self.leading)

    def start(self, on_lead: Callable[[], Awaitable[None]], is_fit: Callable[[], bool]) -> None:
        self._on_lead, self._is_fit = on_lead, is_fit
        self._running = asyncio.create_task(self._run(), name="leader election")

    def stand_down(self) -> None:
        self._standing_down = True  # the Lease is renewed all the same

    async def stop(self) -> None:
        """Lead no more; if the Lease is ours, give it up, so that the next need not wait for its end."""
        held, self._renewed_at = self._renewed_at is not None, None
        running, self._running = self._running, None
        await tasks.end(task for task in (running, *self._begun) if task is not None)
        if held:
            with contextlib.suppress(ClusterError, TimeoutError):  # then it ends by itself
                async with asyncio.timeout(self._timings.answer):
                    await self._give_up()

    async def _give_up(self) -> None:
        lease = await self._cluster.get("Lease", self._name, self._namespace)
        if lease is not None and _holder(lease) == self.identity:
            self._see(await self._cluster.update(self._written(lease, holder="")))
            log.info("this process has given up the lead")

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._timings.answer):
                    pause = await (self._turn() if self._is_fit() else self._stand_back())
                self._trouble = ""
            except (ClusterError, TimeoutError) as error:
                pause = self._failed(error)
            except Exception:
                log.exception("the election of a leader failed")
                pause = self._timings.retry
            if self._was_leading and not self.leading:
                self._was_leading = False
                log.warning("this process leads no more: %s", self._why_not())
            await asyncio.sleep(pause)

    def _why_not(self) -> str:
        return "it was told to stop" if self._standing_down else self._trouble or self.known().holder or "it gave up"

    async def _turn(self) -> float:
        """One look at the Lease, one try to have it; seconds until the next."""
        asked = _clock()
        if not self._looked:
            found = await self._cluster.get("Lease", self._name, self._namespace)
            if found is not None or self._lease is None or self._is_free(self._lease):
                self._see(found)  # else somebody has deleted it, and its holder may act on until it would have ended
        if self._lease is None:
            self._see(await self._cluster.create(self._written(None, self.identity)))
        elif self._is_free(self._lease):
            self._see(await self._cluster.update(self._written(self._lease, self.identity)))
        else:
            self._renewed_at, self._looked = None, False
            # At its very end, not up to a whole turn later; a little apart from others who wait for the same.
            ends_in = self._changed_at + self._lasts() - _clock()
            return min(self._timings.retry, max(0.0, ends_in) + random.uniform(0.02, 0.2))  # noqa: S311
        self._hold(asked)
        return self._timings.retry

    async def _stand_back(self) -> float:
        """Who cannot work must not keep others from it; seconds until the next look."""
        held, self._renewed_at, self._looked = self._renewed_at is not None, None, False
        if held:
            await self._give_up()
        else:
            self._see(await self._cluster.get("Lease", self._name, self._namespace))
        return self._timings.retry

    def _failed(self, error: ClusterError | TimeoutError) -> float:
        self._looked = False  # a write that was not answered may have been done
        if isinstance(error, ClusterError) and error.status == 409:  # somebody was quicker
            return random.uniform(0.05, 0.3)  # noqa: S311
        trouble = str(error) or f"the cluster did not answer within {self._timings.answer:g} s"
        if trouble != self._trouble:
            log.warning("the Lease %s/%s: %s", self._namespace, self._name, trouble)
        self._trouble = trouble
        return self._timings.retry / 2

    def _hold(self, asked: float) -> None:
        """The Lease is ours, for at least as long as counts from when we asked for it."""
        self._renewed_at, self._looked = asked, True
        if self.leading and not self._was_leading:
            self._was_leading = True
            log.info("this process leads: %s", self.identity)
            task = asyncio.create_task(self._begin(), name="begin to lead")
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)

    async def _begin(self) -> None:
        try:
            await self._on_lead()
        except Exception:
            log.exception("beginning to lead failed")

    def _see(self, lease: Obj | None) -> None:
        before = None if self._lease is None else self._lease.get("spec")
        if lease is not None and lease.get("spec") != before:
            self._changed_at = _clock()
        self._lease = lease

    def _lasts(self) -> float:
        """What its holder wrote; others may run with other timings."""
        spec = (self._lease or {}).get("spec") or {}
        return float(spec.get("leaseDurationSeconds") or self._timings.lease)

    def _is_free(self, lease: Obj) -> bool:
        """May we write our name into it?"""
        return _holder(lease) in ("", self.identity) or self._expired()

    def _expired(self) -> bool:
        return _clock() >= self._changed_at + self._lasts()

    def _written(self, lease: Obj | None, holder: str) -> Obj:
        """The Lease to write over `lease`, which it names by its version (None: there is none yet)."""
        time = now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = {} if lease is None else lease.get("spec") or {}
        same = before.get("holderIdentity") == holder
        changes = int(before.get("leaseTransitions") or 0)
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(self._timings.lease)) if holder else 1,
            "acquireTime": before.get("acquireTime", time) if same else time,
            "renewTime": time,
            "leaseTransitions": changes if lease is None or same or not holder else changes + 1,
        }
        metadata: Obj = {"name": self._name, "namespace": self._namespace} if lease is None else {**lease["metadata"]}
        metadata["labels"] = {
            **(metadata.get("labels") or {}),
            "app.kubernetes.io/managed-by": "storefleet",
            LABEL_INSTALLATION: self._installation,
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _holder(lease: Obj) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def _since(lease: Obj) -> datetime | None:
    try:
        return datetime.fromisoformat(str(lease["spec"]["acquireTime"]).replace("Z", "+00:00")).astimezone(UTC)
    except (KeyError, ValueError):
        return None
