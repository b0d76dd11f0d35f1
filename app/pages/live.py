"""Carries what changes to the pages that are open.

The first change goes out at once; what follows is gathered for a quarter of a second, so that a busy minute costs a
page four small messages a second and not hundreds.  Whatever pages ask about a changed store is read once for each
person, not once for each page: a hundred pages of one administrator cost as much as one.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from app.actor import Actor
from app.pages.open_pages import OpenPages
from app.problems import Problem
from app.services import Services
from app.status import ClusterStatus
from app.stores import StoreView
from components.stepper import Mark, share_done, steps
from provisioning.changes import Change
from provisioning.states import State

log = logging.getLogger(__name__)

PAUSE = 0.25  # seconds between two batches
WATCH = 1.0  # seconds between two looks at how the cluster is

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Happening:
    """What happens to a store that is on its way."""

    note: str = ""  # the latest line of its timeline
    share: float | None = None  # of the way that is behind


class Batch:
    """Stores that changed, and what pages may want to know about them, each asked once for each person."""

    def __init__(self, services: Services, changes: list[Change]) -> None:
        self._services = services
        self.names = {change.name for change in changes}
        self._answers: dict[tuple[str, str, str], asyncio.Future[object]] = {}

    async def store(self, actor: Actor, name: str) -> StoreView | None:
        """The store as `actor` may see it; None when it is gone or somebody else's."""

        async def get() -> StoreView | None:
            try:
                return await self._services.stores.get(actor, name)
            except Problem as problem:
                if problem.status != 404:
                    raise
                return None

        return await self._once(actor, "store", name, get)

    async def happening(self, actor: Actor, store: StoreView) -> Happening:
        """What happens to a store that is on its way."""
        return await self._once(actor, "happening", store.name, lambda: happening(self._services, actor, store))

    async def counts(self, actor: Actor) -> dict[str, int]:
        return await self._once(actor, "counts", "", lambda: self._services.stores.counts(actor))

    async def _once(self, actor: Actor, what: str, name: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        key = (actor.user_id, what, name)
        if key not in self._answers:
            self._answers[key] = asyncio.ensure_future(ask())
        return await self._answers[key]  # type: ignore[return-value]


async def happening(services: Services, actor: Actor, store: StoreView) -> Happening:
    """What happens to `store`, by its timeline; nothing unless it is on its way."""
    if store.state not in (State.PROVISIONING, State.DELETING):
        return Happening()
    try:
        events = await services.stores.events(actor, store.name)
    except Problem:
        return Happening()
    done = share_done(steps(store.state.value, [Mark(event.kind, event.at) for event in events]))
    return Happening(events[-1].message if events else "", done)


Listener = Callable[[Batch], Awaitable[None]]
ClusterListener = Callable[[ClusterStatus], None]


class Live:
    """One for the process: listens to `services.changes` while there are pages, and hands out batches."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._listeners: list[Listener] = []
        self._cluster_listeners: list[ClusterListener] = []
        self._waiting: list[Change] = []
        self._sender: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.open_pages = OpenPages(services)
        services.changes.subscribe(self._on_change)

    def follow(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each batch from now on; the answer ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def follow_cluster(self, listener: ClusterListener) -> Callable[[], None]:
        """Call `listener` whenever the cluster's status is another; the answer ends that."""
        self._cluster_listeners.append(listener)
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch(), name="pages: cluster status")
        return lambda: self._cluster_listeners.remove(listener) if listener in self._cluster_listeners else None

    async def stop(self) -> None:
        await self.open_pages.stop()
        for task in (self._sender, self._watcher):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def _on_change(self, change: Change) -> None:
        if not self._listeners:
            return
        self._waiting.append(change)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send(), name="pages: changes")

    async def _send(self) -> None:
        while self._waiting:
            batch, self._waiting = Batch(self._services, self._waiting), []
            await asyncio.gather(*(self._tell(listener, batch) for listener in list(self._listeners)))
            await asyncio.sleep(PAUSE)

    async def _tell(self, listener: Listener, batch: Batch) -> None:
        try:
            await listener(batch)
        except Exception:
            log.exception("a page could not show a change")

    async def _watch(self) -> None:
        """The one clock for all pages; nothing is sent while nothing changes, and it ends with the last page."""
        last = self._services.status()
        while self._cluster_listeners:
            await asyncio.sleep(WATCH)
            status = self._services.status()
            if status != last:
                last = status
                for listener in list(self._cluster_listeners):
                    listener(status)
        self._watcher = None
