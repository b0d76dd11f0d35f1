"""What can go wrong on request: plain data that tests and demonstrations set, and the sandbox asks before it acts.

    sandbox.faults.add(ApiFault(verbs=("list",), status=503, times=3))
    sandbox.faults.add(ImageFault("*/medusa-store:*"))
    sandbox.faults.drop_watches()
    await sandbox.faults.api_away(30)

Chances come from one seeded generator, so a run can be repeated.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from provisioning.sandbox.errors import ApiError
from provisioning.sandbox.objects import Obj, namespace_of

_REASONS = {
    403: "Forbidden",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(eq=False)
class ApiFault:
    """Requests that fail or are slow.  Empty `verbs` and `kinds` mean any; `namespace` is a pattern."""

    status: int | None = None  # the HTTP status of the answer; None: the request goes through
    message: str = "a fault that was asked for"
    delay: float = 0.0  # seconds before the answer
    verbs: tuple[str, ...] = ()  # get, list, watch, create, update, patch, delete, deletecollection
    kinds: tuple[str, ...] = ()
    namespace: str = "*"
    probability: float = 1.0
    times: int | None = None  # how many requests it still meets; None: all


@dataclass(eq=False)
class WatchFault:
    """Watches that are cut, without a word, some time after they began."""

    after: float  # seconds
    kinds: tuple[str, ...] = ()  # empty: all


@dataclass(eq=False)
class ImageFault:
    """Images that cannot be pulled."""

    image: str  # a pattern
    namespace: str = "*"
    message: str = "not found"


@dataclass(eq=False)
class CrashFault:
    """Containers that end by themselves, again and again."""

    container: str = "*"  # a pattern of the container's name
    namespace: str = "*"
    exit_code: int = 1
    after: float = 0.5  # seconds from the start, at speed 1
    log: tuple[str, ...] = ()  # lines it prints before
    out_of_memory: bool = False  # OOMKilled, exit code 137
    times: int | None = None  # how many crashes; None: for ever


@dataclass(eq=False)
class UnschedulableFault:
    """Pods that fit no node."""

    namespace: str = "*"
    pod: str = "*"
    message: str = "0/1 nodes are available: 1 Insufficient memory."


@dataclass(eq=False)
class UnboundVolumeFault:
    """Volume claims that nobody provides a volume for."""

    namespace: str = "*"
    claim: str = "*"
    message: str = "no persistent volumes available for this claim and no storage class is set"


@dataclass(eq=False)
class UnreadyFault:
    """Containers that run, but whose readiness probe fails."""

    container: str = "*"
    namespace: str = "*"
    message: str = "HTTP probe failed with statuscode: 503"  # what the probe gets to hear


@dataclass(eq=False)
class EvictionFault:
    """Pods that the node ends as soon as they run."""

    namespace: str = "*"
    pod: str = "*"
    message: str = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. "


@dataclass(eq=False)
class HeldFinalizerFault:
    """Volume claims whose protection is never lifted, so that their namespace cannot end."""

    namespace: str = "*"


@dataclass(eq=False)
class KubeletFault:
    """The kubelet does nothing: no pod starts, changes or ends; after 40 s its node counts as gone."""


Fault = (
    ApiFault
    | WatchFault
    | ImageFault
    | CrashFault
    | UnschedulableFault
    | UnboundVolumeFault
    | UnreadyFault
    | EvictionFault
    | HeldFinalizerFault
    | KubeletFault
)
_F = TypeVar("_F", bound=Fault)


@dataclass
class FaultHooks:
    """How the faults reach the running sandbox."""

    changed: Callable[[], None] = lambda: None  # look at everything again
    drop_watches: Callable[[], None] = lambda: None
    forget_history: Callable[[], None] = lambda: None
    api_away: Callable[[float], Awaitable[None]] | None = None


class Faults:
    """The faults that are in force."""

    def __init__(self, seed: int | None = None) -> None:
        self.random = random.Random(seed)  # noqa: S311 - chance, not secrecy
        self.hooks = FaultHooks()
        self._active: list[Fault] = []

    def add(self, fault: _F) -> _F:
        """Put a fault in force; the answer is the handle to take it back with."""
        self._active.append(fault)
        self.hooks.changed()
        return fault

    def remove(self, fault: Fault) -> None:
        """Take a fault back; one that is not in force is no error."""
        if fault in self._active:
            self._active.remove(fault)
            self.hooks.changed()

    def clear(self) -> None:
        self._active.clear()
        self.hooks.changed()

    def drop_watches(self) -> None:
        """End every open watch now, without a word."""
        self.hooks.drop_watches()

    def forget_history(self) -> None:
        """Watches that resume from now on get 410 Gone, as after a compaction of etcd."""
        self.hooks.forget_history()

    async def api_away(self, seconds: float) -> None:
        """Cut all connections and refuse new ones for a while; returns at once, the API comes back by itself."""
        if self.hooks.api_away is not None:
            await self.hooks.api_away(seconds)

    async def meet(self, verb: str, kind: str, namespace: str) -> None:
        """Let a request meet the faults that are set for it.  Raises ApiError with the wanted status."""
        for fault in list(self._of(ApiFault)):
            if (fault.verbs and verb not in fault.verbs) or (fault.kinds and kind not in fault.kinds):
                continue
            if not fnmatchcase(namespace, fault.namespace) or self.random.random() >= fault.probability:
                continue
            if not self._use(fault):
                continue
            if fault.delay:
                await asyncio.sleep(fault.delay)
            if fault.status is not None:
                raise ApiError(fault.status, _REASONS.get(fault.status, "InternalError"), fault.message)

    def watch_lifetime(self, kind: str) -> float | None:
        """Seconds after which a new watch is cut; None when it is not."""
        return min((f.after for f in self._of(WatchFault) if not f.kinds or kind in f.kinds), default=None)

    def image(self, image: str, namespace: str) -> ImageFault | None:
        return self._first(ImageFault, namespace, lambda fault: fnmatchcase(image, fault.image))

    def crash(self, container: str, namespace: str) -> CrashFault | None:
        return self._first(CrashFault, namespace, lambda fault: fnmatchcase(container, fault.container))

    def use_crash(self, fault: CrashFault) -> None:
        """A container crashed by this fault: one less to come."""
        self._use(fault)

    def unready(self, container: str, namespace: str) -> UnreadyFault | None:
        return self._first(UnreadyFault, namespace, lambda fault: fnmatchcase(container, fault.container))

    def eviction(self, pod: Obj) -> EvictionFault | None:
        name = pod["metadata"]["name"]
        return self._first(EvictionFault, namespace_of(pod), lambda fault: fnmatchcase(name, fault.pod))

    def unschedulable(self, pod: Obj) -> UnschedulableFault | None:
        name = pod["metadata"]["name"]
        return self._first(UnschedulableFault, namespace_of(pod), lambda fault: fnmatchcase(name, fault.pod))

    def unbound(self, claim: Obj) -> UnboundVolumeFault | None:
        name = claim["metadata"]["name"]
        return self._first(UnboundVolumeFault, namespace_of(claim), lambda fault: fnmatchcase(name, fault.claim))

    def holds_finalizers(self, namespace: str) -> bool:
        return self._first(HeldFinalizerFault, namespace, lambda _: True) is not None

    @property
    def kubelet_stopped(self) -> bool:
        return any(self._of(KubeletFault))

    def _of(self, type_: type[_F]) -> Iterator[_F]:
        return (fault for fault in self._active if isinstance(fault, type_))

    def _first(self, type_: type[_F], namespace: str, test: Callable[[_F], bool]) -> _F | None:
        for fault in self._of(type_):
            if fnmatchcase(namespace, getattr(fault, "namespace", "*")) and test(fault):
                return fault
        return None

    def _use(self, fault: ApiFault | CrashFault) -> bool:
        if fault.times is None:
            return True
        if fault.times <= 0:
            return False
        fault.times -= 1
        if fault.times == 0 and isinstance(fault, CrashFault):
            self.remove(fault)
        return True
