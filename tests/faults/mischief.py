"""What goes wrong in a run: each a few lines, chosen by a seeded generator, all of them to be healed again."""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from provisioning import models
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.kinds import KINDS
from provisioning.sandbox import ApiFault, CrashFault, ImageFault, KubeletFault, Sandbox, UnreadyFault
from tests.faults.ends import helms

LONG_AWAY = 30.0 if any(name in os.environ for name in ("STOREFLEET_FAULT_RUNS", "STOREFLEET_FAULT_SEEDS")) else 2.0
"""Seconds that the API server is away now and then: long in the runs that were asked for, not in every test run."""

DELETED_BY_HAND = tuple(
    "Pod PersistentVolumeClaim Service Secret ResourceQuota LimitRange StatefulSet Deployment Ingress NetworkPolicy"
    " Namespace".split()
)


class Clock:
    """The wall clock as the product sees it, which somebody sets."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        clock = self
        self.offset = timedelta()

        class Set(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return datetime.now(tz) + clock.offset

        patch.setattr(models, "datetime", Set)


class Mischief:
    """Faults of the cluster, of the machine, and of people with kubectl."""

    def __init__(self, sandbox: Sandbox, database: Path, chance: random.Random, clock: Clock) -> None:
        self._sandbox, self._database, self._chance, self._clock = sandbox, database, chance, clock
        self._later: set[asyncio.Task[None]] = set()
        self.done: list[str] = []
        self.helms_killed = 0

    async def something(self, cluster: Cluster) -> None:
        """One of all that can go wrong."""
        what: Callable[[Cluster], Any] = self._chance.choice(
            [
                self.cut_watches,
                self.forget_history,
                self.fail_answers,
                self.fail_answers,
                self.slow_answers,
                self.api_away,
                self.delete_by_hand,
                self.delete_by_hand,
                self.delete_by_hand,
                self.edit_by_hand,
                self.edit_by_hand,
                self.kill_helms,
                self.kill_helms,
                self.set_the_clock,
                self.lock_the_database,
                self.break_pods,
            ]
        )
        self.done.append(what.__name__)
        with contextlib.suppress(ClusterError):
            await what(cluster)

    async def heal(self) -> None:
        self._sandbox.faults.clear()
        self._clock.offset = timedelta(hours=1)  # never before a time at which somebody was told a date
        await asyncio.gather(*self._later)
        for fault in (0, 1):  # the API may be away until now
            await asyncio.sleep(fault)

    async def cut_watches(self, _: Cluster) -> None:
        self._sandbox.faults.drop_watches()

    async def forget_history(self, _: Cluster) -> None:
        self._sandbox.faults.forget_history()
        self._sandbox.faults.drop_watches()

    async def fail_answers(self, _: Cluster) -> None:
        status = self._chance.choice([409, 429, 500, 503])
        verbs = self._chance.choice([(), ("create",), ("patch",), ("list", "watch"), ("delete", "get")])
        times = self._chance.randint(1, 12)
        self._sandbox.faults.add(ApiFault(status=status, verbs=verbs, probability=0.5, times=times))

    async def slow_answers(self, _: Cluster) -> None:
        delay, times = self._chance.uniform(0.1, 1.5), self._chance.randint(1, 10)
        self._sandbox.faults.add(ApiFault(delay=delay, probability=0.5, times=times))

    async def api_away(self, _: Cluster) -> None:
        seconds, long = self._chance.uniform(0.2, 2), self._chance.random() < 0.25
        await self._sandbox.faults.api_away(LONG_AWAY if long else seconds)

    async def break_pods(self, _: Cluster) -> None:
        fault = self._chance.choice([ImageFault("*"), CrashFault("*"), UnreadyFault("*"), KubeletFault()])
        self._sandbox.faults.add(fault)
        self._in(self._chance.uniform(0.5, 2), lambda: self._sandbox.faults.remove(fault))

    async def set_the_clock(self, _: Cluster) -> None:
        self._clock.offset = timedelta(seconds=self._chance.choice([-3600, -60, 0, 60, 3600]))

    async def lock_the_database(self, _: Cluster) -> None:
        seconds = self._chance.uniform(0.2, 3)

        def lock() -> None:
            connection = sqlite3.connect(self._database, timeout=10, isolation_level=None, check_same_thread=False)
            connection.execute("BEGIN EXCLUSIVE")
            loop.call_soon_threadsafe(loop.call_later, seconds, connection.close)

        loop = asyncio.get_running_loop()
        with contextlib.suppress(sqlite3.OperationalError):
            await asyncio.to_thread(lock)
        self._in(seconds, lambda: None)

    async def kill_helms(self, _: Cluster) -> None:
        """The next that are at work, at some moment of their work."""
        for _again in range(30):
            if helms(self._sandbox.kubeconfig):
                break
            await asyncio.sleep(0.03)
        await asyncio.sleep(self._chance.uniform(0, 0.3))
        for pid in helms(self._sandbox.kubeconfig):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.helms_killed += 1

    async def delete_by_hand(self, cluster: Cluster) -> None:
        kind = self._chance.choice(DELETED_BY_HAND)
        if obj := await self._one(cluster, kind):
            self.done[-1] += f" {kind} {obj['metadata']['name']}"
            await cluster.delete(kind, obj["metadata"]["name"], obj["metadata"].get("namespace"))

    async def edit_by_hand(self, cluster: Cluster) -> None:
        kind, change = self._chance.choice(EDITS)
        if obj := await self._one(cluster, kind):
            self.done[-1] += f" {kind} {obj['metadata']['name']}"
            change(obj)
            await cluster.update(obj, "kubectl-edit")

    async def _one(self, cluster: Cluster, kind: str) -> Obj | None:
        """An object of some store's."""
        found = [
            obj
            for obj in (await cluster.list_all(kind))[0]
            if (obj["metadata"].get("namespace") or obj["metadata"]["name"]).startswith("store-")
        ]
        if not found:
            return None
        metadata = self._chance.choice(found)["metadata"]
        obj = await cluster.get(KINDS[kind], metadata["name"], metadata.get("namespace"))
        return obj and {**obj, "kind": kind, "apiVersion": KINDS[kind].api_version}

    def _in(self, seconds: float, then: Callable[[], None]) -> None:
        async def later() -> None:
            await asyncio.sleep(seconds)
            then()

        self._later.add(asyncio.create_task(later()))


def _no_labels(obj: Obj) -> None:
    obj["metadata"]["labels"] = {}


def _no_replicas(obj: Obj) -> None:
    obj["spec"]["replicas"] = 0


def _image(obj: Obj) -> None:
    obj["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/other:1"


def _data(obj: Obj) -> None:
    obj["data"] = dict.fromkeys(obj.get("data") or {}, "aGF4")


def _host(obj: Obj) -> None:
    obj["spec"]["rules"][0]["host"] = "elsewhere.example.com"


def _ports(obj: Obj) -> None:
    obj["spec"]["ports"][0]["port"] = 1234


EDITS: tuple[tuple[str, Callable[[Obj], None]], ...] = (
    *((kind, _no_labels) for kind in ("Namespace", "Secret", "Service", "Deployment", "StatefulSet", "Ingress")),
    ("Deployment", _no_replicas),
    ("StatefulSet", _no_replicas),
    ("Deployment", _image),
    ("Secret", _data),
    ("Ingress", _host),
    ("Service", _ports),
)
