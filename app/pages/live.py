"""Carries what changes to the pages that are open.

The first change goes out at once; what follows is gathered for a quarter of a second, so that a busy minute costs a
page four small messages a second and not hundreds.  Stores that changed are read once for all pages together, and what
is made of them for several pages alike (`Batch.once`) is made once: a hundred pages cost little more than one.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from app.actor import Actor
from app.listing import Look
from app.pages.open_pages import OpenPages
from app.services import Services
from app.status import ClusterStatus
from app.store_views import EventView, StoreView
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
    """Stores that changed, and what pages may want to know about them, each asked once."""

    def __init__(self, services: Services, changes: list[Change]) -> None:
        self._services = services
        self.names = {change.name for change in changes}
        self._answers: dict[Hashable, asyncio.Future[object]] = {}

    async def look(self) -> Look:
        """All of them, for everybody."""
        return await self.once("look", lambda: self._services.stores.look(self.names))

    async def store(self, actor: Actor, name: str) -> StoreView | None:
        """The store as `actor` may see it; None when it is gone or somebody else's."""
        return (await self.look()).store(actor, name)

    async def happening(self, actor: Actor, store: StoreView) -> Happening:
        """What happens to a store that is on its way."""
        return happening(store, (await self.look()).events(actor, store.name))

    async def counts(self, actor: Actor, owner: str | None = None) -> dict[str, int]:
        """An administrator's are every administrator's."""
        key = ("counts", "" if actor.admin else actor.user_id, owner)
        return await self.once(key, lambda: self._services.stores.counts(actor, owner))

    async def once(self, key: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `ask` answers, asked by the first page that wants to know.  `key` names the question, and whoever it is
        answered for, where the answer depends on that."""
        if key not in self._answers:
            self._answers[key] = asyncio.ensure_future(ask())
        return await self._answers[key]  # type: ignore[return-value]


def happening(store: StoreView, events: Iterable[EventView]) -> Happening:
    """What happens to `store`, by its timeline; nothing unless it is on its way."""
    events = list(events)
    if not events or store.state not in (State.PROVISIONING, State.DELETING):
        return Happening()
    done = share_done(steps(store.state.value, [Mark(event.kind, event.at) for event in events]))
    return Happening(events[-1].message, done)


Listener = Callable[[Batch], Awaitable[None]]
ClusterListener = Callable[[ClusterStatus], None]
AuditListener = Callable[[], Awaitable[None]]


class Live:
    """One for the process: listens to `services.changes` while there are pages, and hands out batches."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.paths: set[str] = set()  # of the pages that are served
        self._listeners: list[Listener] = []
        self._cluster_listeners: list[ClusterListener] = []
        self._waiting: list[Change] = []
        self._sender: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.open_pages = OpenPages(services)
        self._audit_listeners: list[AuditListener] = []
        self._audit_watcher: asyncio.Task[None] | None = None
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

    def follow_audit(self, listener: AuditListener) -> Callable[[], None]:
        """Call `listener` whenever the audit trail is longer, whichever process wrote it; the answer ends that."""
        self._audit_listeners.append(listener)
        if self._audit_watcher is None:
            self._audit_watcher = asyncio.create_task(self._watch_audit(), name="pages: audit trail")
        return lambda: self._audit_listeners.remove(listener) if listener in self._audit_listeners else None

    async def stop(self) -> None:
        await self.open_pages.stop()
        for task in (self._sender, self._watcher, self._audit_watcher):
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

    async def _watch_audit(self) -> None:
        """One look at the trail's end for all pages, while there are any."""
        last = -1
        while self._audit_listeners:
            with contextlib.suppress(SQLAlchemyError):  # a database that is away says so elsewhere
                count = await self._services.audit.count()
                if count != last:
                    last = count
                    await asyncio.gather(*(self._hear_audit(listener) for listener in list(self._audit_listeners)))
            await asyncio.sleep(WATCH)
        self._audit_watcher = None

    @staticmethod
    async def _hear_audit(listener: AuditListener) -> None:
        try:
            await listener()
        except Exception:
            log.exception("a page could not show the audit trail")
