"""What every controller shares: a work queue, the events it reports, and the way to read and write.

Controllers are level-triggered, as Kubernetes' own: a change only says which object to look at again, `sync` compares
what should be with what is and does what is missing.  They never await, so each look sees one state of the world; and
they wait only by timers, so that a quiet sandbox does nothing at all.
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from provisioning.sandbox.errors import ApiError
from provisioning.sandbox.faults import Faults
from provisioning.sandbox.objects import Obj, name_of, namespace_of, parse_time, timestamp
from provisioning.sandbox.registry import Registry
from provisioning.sandbox.resources import resource_of
from provisioning.sandbox.store import Change, Store

log = logging.getLogger(__name__)

Key = tuple[str, str]  # (namespace, name)

_SLICE = 0.005  # seconds of work between which other tasks of the event loop get their turn
_RETRY_AFTER = 5.0
EVENTS_LIVE = 3600.0  # seconds, as the API server keeps them


class Controller(ABC):
    """Looks after the objects of one kind."""

    def __init__(self, control: "Control") -> None:
        self.control = control
        self.store, self.registry, self.faults = control.store, control.registry, control.faults
        self.moments = control.moments

    @abstractmethod
    def concerns(self, change: Change) -> Iterable[Key]:
        """Which of its objects to look at because of a change."""

    @abstractmethod
    def sync(self, namespace: str, name: str) -> None:
        """Make what is as it should be; called again until nothing is left to do."""

    def everything(self) -> Iterable[Key]:
        """All its objects, to look at when the sandbox starts or its faults change."""
        return ()

    def all_of(self, kind: str) -> list[Key]:
        return [(namespace_of(obj), name_of(obj)) for obj in self.store.objects(kind)]


@dataclass
class WorkQueue:
    """What is to be looked at, each thing once however often it was named.  `speed` divides all waiting."""

    speed: float
    _pending: dict[tuple[Controller, Key], None] = field(default_factory=dict)
    _timers: dict[tuple[Controller, Key], asyncio.TimerHandle] = field(default_factory=dict)
    _running: asyncio.Handle | None = None
    _closed: bool = False

    def add(self, controller: Controller, key: Key) -> None:
        if self._closed:
            return
        self._pending[controller, key] = None
        if self._running is None:
            self._running = asyncio.get_running_loop().call_soon(self._run)

    def add_after(self, controller: Controller, key: Key, seconds: float) -> None:
        """Look again after so many seconds at speed 1, or sooner if that was asked for before."""
        if self._closed:
            return
        loop, item = asyncio.get_running_loop(), (controller, key)
        known, when = self._timers.get(item), loop.time() + seconds / self.speed
        if known is not None:
            if known.when() <= when:
                return
            known.cancel()

        def due() -> None:
            del self._timers[item]
            self.add(controller, key)

        self._timers[item] = loop.call_at(when, due)

    def close(self) -> None:
        self._closed = True
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()
        self._pending.clear()
        if self._running is not None:
            self._running.cancel()

    def _run(self) -> None:
        self._running = None
        end = time.perf_counter() + _SLICE
        while self._pending and time.perf_counter() < end:
            controller, key = next(iter(self._pending))
            del self._pending[controller, key]
            try:
                controller.sync(*key)
            except ApiError as error:
                log.debug("%s %s: %s", type(controller).__name__, key, error)
                self.add_after(controller, key, _RETRY_AFTER)
            except Exception:
                log.exception("%s failed at %s", type(controller).__name__, key)
                self.add_after(controller, key, _RETRY_AFTER)
        if self._pending and not self._closed:
            self._running = asyncio.get_running_loop().call_soon(self._run)


class Moments:
    """Waiting: moments in an object's life, each set when it is first asked for.

    While one is still to come, asking for it has the object looked at again in time.
    """

    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue
        self._moments: dict[str, dict[str, float]] = {}  # by the object's uid: the event loop's time

    def due(self, controller: Controller, obj: Obj, moment: str, seconds: float) -> bool:
        """Whether a moment, so many seconds (at speed 1) after it was first asked for, has come."""
        moments = self._moments.setdefault(obj["metadata"]["uid"], {})
        now = asyncio.get_running_loop().time()
        when = moments.setdefault(moment, now + seconds / self._queue.speed)
        if now >= when:
            return True
        self._queue.add_after(controller, (namespace_of(obj), name_of(obj)), (when - now) * self._queue.speed)
        return False

    def of(self, obj: Obj) -> Mapping[str, float]:
        """The moments that were asked for and not forgotten."""
        return self._moments.get(obj["metadata"]["uid"], {})

    def forget(self, obj: Obj, prefix: str = "") -> None:
        moments = self._moments.get(obj["metadata"]["uid"], {})
        for moment in [moment for moment in moments if moment.startswith(prefix)]:
            del moments[moment]
        if not moments:
            self._moments.pop(obj["metadata"]["uid"], None)


class Events:
    """Reports what happened to an object, as `kubectl get events` shows it; repetitions are counted."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[tuple[str, str, str], tuple[str, str]] = {}  # (uid, reason, message) -> (namespace, name)
        self._made: deque[tuple[float, tuple[str, str, str]]] = deque()

    def report(self, obj: Obj, type_: str, reason: str, message: str, component: str, field_path: str = "") -> None:
        self._forget_old()
        identity = (obj["metadata"]["uid"], reason, message)
        namespace = namespace_of(obj) or "default"
        known = self._registry.store.find("Event", *self._known.get(identity, ("", "")))
        now = timestamp()
        if known is not None:
            self._registry.store.put(
                {**known, "metadata": dict(known["metadata"]), "count": known["count"] + 1, "lastTimestamp": now}
            )
            return
        name = f"{name_of(obj)[:230]}.{time.time_ns():x}"
        involved: Obj = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": name_of(obj),
            "uid": obj["metadata"]["uid"],
            "resourceVersion": obj["metadata"]["resourceVersion"],
        }
        if namespace_of(obj):
            involved["namespace"] = namespace
        if field_path:
            involved["fieldPath"] = field_path
        event: Obj = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "type": type_,
            "reason": reason,
            "message": message,
            "source": {"component": component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "eventTime": None,
            "reportingComponent": component,
            "reportingInstance": "",
        }
        try:
            self._registry.create(resource_of("Event"), namespace, event)
        except ApiError:  # the namespace is on its way out; as in a cluster, nobody hears of it
            return
        self._known[identity] = (namespace, name)
        self._made.append((time.monotonic(), identity))

    def _forget_old(self) -> None:
        while self._made and self._made[0][0] < time.monotonic() - EVENTS_LIVE:
            identity = self._made.popleft()[1]
            event = self._registry.store.find("Event", *self._known.pop(identity, ("", "")))
            if event is not None:
                self._registry.store.remove(event)


@dataclass
class Control:
    """What controllers work with."""

    store: Store
    registry: Registry
    faults: Faults
    queue: WorkQueue
    events: Events
    moments: Moments
    controllers: list[Controller] = field(default_factory=list)

    def start(self) -> None:
        """Follow all changes from now on, after a look at everything there is."""
        self.store.subscribe(self._changed)
        self.look_at_everything()

    def look_at_everything(self) -> None:
        for controller in self.controllers:
            for key in controller.everything():
                self.queue.add(controller, key)

    def _changed(self, change: Change) -> None:
        if change.type == "DELETED":
            self.moments.forget(change.record.obj)
        for controller in self.controllers:
            for key in controller.concerns(change):
                self.queue.add(controller, key)

    def seconds_since(self, text: str) -> float:
        """How long ago a timestamp was, in seconds at speed 1."""
        return (datetime.now(UTC) - parse_time(text)).total_seconds() * self.queue.speed
