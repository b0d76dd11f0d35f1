"""The engine: looks at each store whenever something about it may have changed, and does the one next step.

    watch events ─┐
    a wish       ─┼─> work queue (one key = one store, never twice at once) ─> observe ─> decide ─> act ─> record
    the clock    ─┘

Here is what brings stores to be looked at; what a look is stands in `reconcile`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import admission, measures, names, tasks
from provisioning.cache import Cache
from provisioning.changes import Changes
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.database import Database, Moved
from provisioning.engine_options import EngineOptions
from provisioning.health import Condition, Health
from provisioning.helm import Helm
from provisioning.home import Home
from provisioning.leader import Alone, Leader
from provisioning.models import Store, StoreSecret
from provisioning.reconcile import Reconciler
from provisioning.record import Recorder
from provisioning.states import State
from provisioning.workqueue import WorkQueue

__all__ = ["Engine", "EngineOptions", "EngineStatus"]

log = logging.getLogger(__name__)

WORKERS = 20
UNFIT_AFTER = 15.0  # seconds in which no look at the queue came to its end
QUIET = frozenset({State.READY, State.FAILED})
"""States in which, when a look found nothing to do, only a change can make something to do."""


@dataclass(frozen=True)
class EngineStatus:
    """How the engine is, for pages and readiness."""

    cluster: str  # "connecting", "connected", "away" or "another": see `home`
    detail: str  # a sentence; "" when all is well
    version: str | None  # of Kubernetes
    node_count: int | None
    working: int
    queued: int
    cache_age: float = 0.0  # seconds since the quietest watch was heard


class Engine:
    """One for the process; `start`, then `dispatch` every second and `resync` every minute.

    Of several processes on one database each watches the cluster, and `leader` says which one acts.
    """

    def __init__(
        self,
        database: Database,
        cluster: Cluster,
        helm: Helm,
        changes: Changes,
        options: EngineOptions,
        leader: Leader | None = None,
    ) -> None:
        self._database, self._cluster, self._options = database, cluster, options
        self._leader = leader or Alone()
        self._queue = WorkQueue()
        self._pass = asyncio.Lock()  # one pass of the clock at a time, and none after the end
        self._stopped = False
        self._cache = Cache(cluster, options.installation, names.PREFIX, self._on_change)
        self._recorder = Recorder(database, changes)
        self._home = Home(database, cluster)
        parts = (database, cluster, self._cache, helm, self._recorder, options)
        self._reconciler = Reconciler(*parts, may_act=lambda: self.acting)
        self._workers: list[asyncio.Task[None]] = []
        self._settled: dict[str, tuple[State, datetime, int]] = {}  # by name: of what a look found nothing to do
        self._places: dict[str, int] = {}  # by store: its place in the queue
        self._version: str | None = None
        self._node_count: int | None = None
        self._working = self._queued = 0
        self._was_away = True  # since all were looked at last; a store of which nothing is left comes with no change
        self.on_objects: Callable[[str], None] = lambda name: None  # told the store of every change that is seen
        self._dispatched = 0.0  # by the loop's clock: when the database answered last

    async def start(self) -> None:
        """Begin to watch and to work.  Does not wait for the cluster, which may be away."""
        self._dispatched = asyncio.get_running_loop().time()
        self._cache.start()
        self._workers = [
            asyncio.create_task(self._queue.work(self._look), name=f"engine worker {number}")
            for number in range(WORKERS)
        ]
        await self.resync()

    async def stop(self) -> None:
        self._stopped = True
        self._queue.close()
        await tasks.end(self._workers)
        async with self._pass:  # whoever called us closes the cluster next
            await self._cache.stop()
        await self._reconciler.close()

    async def finish(self) -> None:
        """Wait for the end of every step that is under way."""
        await self._reconciler.finish()

    async def lead(self) -> None:
        """This process begins to lead: look at every store now, the ones on their way first, as if for the first time.

        What is remembered of an earlier time as leader is of no use: others have acted since.
        """
        self._settled.clear()
        self._reconciler.forget()
        await self.dispatch()
        await self.resync()

    def is_fit(self) -> bool:
        """Can this process do what a leader has to?  Not without its database, nor on another's cluster."""
        return asyncio.get_running_loop().time() - self._dispatched < UNFIT_AFTER and not self._home.elsewhere

    @property
    def acting(self) -> bool:
        """May this process act, at this very moment?  In trouble nothing is decided that the cluster would feel."""
        return self._leader.leading and (self._home.known or bool(self._cache.trouble))

    def poke(self, name: str) -> None:
        """Somebody wished something of the store `name`: look at it now, whatever it is waiting for."""
        self._reconciler.hurry(name)
        self._queue.add(name)

    def condition(self, store: Store) -> Condition:
        """The health of a READY store, and what any other waits for.  Another cluster than theirs says nothing."""
        if self._home.elsewhere:
            return Condition(Health.UNKNOWN if store.state is State.READY else None)
        return self._reconciler.wellbeing.condition(store)

    def status(self) -> EngineStatus:
        trouble = self._cache.trouble
        word = "connected" if not trouble else "away" if self._cache.listed else "connecting"
        numbers = (self._version, self._node_count, self._working, self._queued)
        if self._home.elsewhere and not trouble:
            word, trouble = "another", self._home.elsewhere
        return EngineStatus(word, trouble, *numbers, cache_age=self._cache.age)

    @property
    def settled(self) -> int:
        """Stores of which the last look found nothing to do."""
        return len(self._settled)

    async def dispatch(self) -> None:
        """Give free places to waiting stores, and look at every store that is on its way."""
        async with self._pass:
            if not self._stopped:
                await self._dispatch()

    async def _dispatch(self) -> None:
        if self._cache.trouble:
            self._home.lost()
        else:
            await self._home.ask()
            if self._version is None:
                await self._get_acquainted()
        async with self._database.session() as session:
            on_the_way = (State.REQUESTED, State.PROVISIONING, State.DELETING)
            stores = (await session.exec(select(Store).where(col(Store.state).in_(on_the_way)))).all()
            working = [store for store in stores if store.state is State.PROVISIONING]
            waiting = {store.id: store for store in stores if store.state is State.REQUESTED}
            queue = [admission.Waiting(store.id, store.owner_id, store.state_at) for store in waiting.values()]
            ordered = admission.order(queue, [store.owner_id for store in working])
            acts = self.acting and not self._cache.trouble
            free = max(0, self._options.slots - len(working)) if acts else 0
            for store_id in ordered[:free]:
                if not self.acting:  # no more: the next leader counts the places itself
                    break
                store = waiting[store_id]
                try:
                    await self._recorder.transition(session, store, State.PROVISIONING, "a place is free")
                except Moved:
                    return  # it was deleted just now; the next tick looks again
                self._queue.add(store.name)
            self._tell_places([waiting[store_id] for store_id in ordered[free:]])
            self._working, self._queued = len(working) + min(free, len(ordered)), max(0, len(ordered) - free)
            for store in stores:
                if store.state is not State.REQUESTED and self._may_find(store):
                    self._queue.add_after(store.name, 0)
        was_away, self._was_away = self._was_away, bool(self._cache.trouble)
        if was_away and not self._cache.trouble:
            await self._look_at_all()
        self._dispatched = asyncio.get_running_loop().time()

    def _may_find(self, store: Store) -> bool:
        """Whether a look at a store that is on its way may find something to do, the cluster away or not."""
        return self.acting and (not self._cache.trouble or self._reconciler.is_late(store))

    def _tell_places(self, queue: list[Store]) -> None:
        """Whoever shows a store whose place in the queue is another than before reads it anew."""
        places = {store.id: place for place, store in enumerate(queue)}
        for store in queue:
            if self._places.get(store.id, places[store.id]) != places[store.id]:
                self._recorder.publish(store)
        self._places = places

    async def resync(self) -> None:
        """Look at every store of which it is not certain that nothing is to be done; ask the cluster who it is.

        While the cluster is away nothing is to be done; when it is back, `dispatch` looks at all.
        """
        async with self._pass:
            if self._stopped:
                return
            if self._cache.trouble:
                self._was_away = True
                return
            await self._home.ask_again()
            await self._get_acquainted()
            await self._look_at_all()

    async def _look_at_all(self) -> None:
        async with self._database.session() as session:
            rows = (await session.exec(select(Store.name, Store.state, Store.state_at))).all()
            asked = select(Store.name).join(StoreSecret).where(col(StoreSecret.next).is_not(None))
            new_secrets = set((await session.exec(asked)).all())
        for name, state, state_at in rows:
            settled = self._settled.get(name) == (state, state_at, self._cache.version(names.namespace(name)))
            if not settled or name in new_secrets:
                self._queue.add_after(name, 0)

    async def _get_acquainted(self) -> None:
        with contextlib.suppress(ClusterError):  # a nicety, which a service account may not be allowed
            self._version = await self._cluster.server_version()
            self._node_count = len((await self._cluster.list_all("Node"))[0])
        with contextlib.suppress(ClusterError):
            if await self._reconciler.demand.learn_api_servers():
                self._settled.clear()

    def objects(self, name: str) -> list[Obj]:
        """All that is known of the namespace of the store `name`; see `status` for whether it may be trusted."""
        return self._cache.objects(names.namespace(name))

    def _on_change(self, namespace: str) -> None:
        if namespace.startswith(names.PREFIX):
            name = namespace.removeprefix(names.PREFIX)
            if self._cache.trouble:
                self._was_away = True
            else:
                self._queue.add(name)
            self.on_objects(name)

    async def _show(self, name: str) -> None:
        """Where another process leads: tell who looks on here how a READY store is, by our own watches."""
        async with self._database.session() as session:
            store = (await session.exec(select(Store).where(col(Store.name) == name))).first()
        if store is not None and store.state is State.READY:
            self._reconciler.wellbeing.show(store)

    async def _look(self, name: str) -> None:
        """Take one store as far as it goes without waiting."""
        self._settled.pop(name, None)
        if not self._leader.leading or not (self._cache.trouble or await self._home.ask()):
            await self._show(name)  # whoever leads does what is to be done
            return
        async with self._database.session() as session:
            store = (await session.exec(select(Store).where(col(Store.name) == name))).first()
            if store is None:
                return
            if store.state is not State.REQUESTED:
                await self._look_at(session, store)
                return
        await self.dispatch()  # with no connection kept: many may wait for the one pass

    async def _look_at(self, session: AsyncSession, store: Store) -> None:
        version = self._cache.version(names.namespace(store.name))
        try:
            with measures.RECONCILE_SECONDS.time():
                done = await self._reconciler.look(session, store, self._queue.add_after)
        except Moved:
            self._queue.add(store.name)
            return
        if done and store.state in QUIET and not self._cache.trouble:
            self._settled[store.name] = (store.state, store.state_at, version)
