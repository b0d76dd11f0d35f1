"""The engine: looks at each store whenever something about it may have changed, and does the one next step.

    watch events ─┐
    a wish       ─┼─> work queue (one key = one store, never twice at once) ─> observe ─> decide ─> act ─> record
    the clock    ─┘

No step remembers the one before; whatever is kept here between two looks (what was written to the timeline already,
what went wrong last) only saves work, and is lost at a restart without harm.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import admission, destruction, names, objects
from provisioning.act import Actor, Foreign, Wanted
from provisioning.cache import Cache, digest
from provisioning.changes import Change, Changes
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.database import Database, Moved, add_events
from provisioning.decide import Do, Limits, Observed, Presence, Step, decide
from provisioning.destruction import desired_of
from provisioning.failures import Finding, Reason, of_kind, part_of
from provisioning.failures.logs import waits_for_database
from provisioning.failures.steps import finding_of
from provisioning.front_door import FrontDoor
from provisioning.helm import Helm, HelmError
from provisioning.leader import Alone, Leader
from provisioning.milestones import in_order, timeline, told_by_log
from provisioning.models import Event, Level, Store, StoreSecret, now
from provisioning.observe import observe
from provisioning.secrets import SealBroken, Sealer
from provisioning.states import State
from provisioning.templates import TEMPLATES, chart_digest, values
from provisioning.workqueue import WorkQueue

log = logging.getLogger(__name__)

WORKERS = 20
HELM_AT_ONCE = 5
STEPS_AT_A_LOOK = 12  # more than a store ever needs in a row
LONGEST_PAUSE = 15.0  # seconds between two tries of a step that fails


@dataclass(frozen=True)
class EngineOptions:
    """What the engine is told from outside."""

    installation: str
    sealer: Sealer
    overlay: Mapping[str, Any] = field(default_factory=dict)  # values laid over the chart's, for every store
    ingress_url: str | None = None  # where shops are asked, when their names do not lead there
    slots: int = 5  # stores being provisioned at once
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class EngineStatus:
    """How the engine is, for pages and readiness."""

    cluster: str  # "connecting", "connected" or "away"
    detail: str  # a sentence; "" when all is well
    version: str | None  # of Kubernetes
    node_count: int | None
    working: int
    queued: int


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
        self._database, self._cluster, self._changes, self._options = database, cluster, changes, options
        self._leader = leader or Alone()
        self._queue = WorkQueue()
        self._pass = asyncio.Lock()  # one pass of the clock at a time, and none after the end
        self._stopped = False
        self._cache = Cache(cluster, options.installation, names.PREFIX, self._on_change)
        self._actor = Actor(cluster, self._cache, helm, options.limits.helm.total_seconds())
        self._front_door = FrontDoor(cluster, options.ingress_url)
        self._helm_places = asyncio.Semaphore(HELM_AT_ONCE)
        self._workers: list[asyncio.Task[None]] = []
        self._told: dict[str, set[str]] = {}  # by store: keys that its timeline has
        self._errors: dict[str, Finding] = {}  # by store: what its last step failed of
        self._back_off: dict[str, tuple[int, float]] = {}  # by name: failed steps in a row, and not before when
        self._in_log: dict[str, Finding] = {}  # by store: what its shop's log says that it waits for
        self._at_the_door: dict[str, Finding] = {}  # by store: why its address did not answer last
        self._log_read: dict[str, float] = {}  # by store: when its shop's log was read last
        self._places: dict[str, int] = {}  # by store: its place in the queue
        self._version: str | None = None
        self._node_count: int | None = None
        self._working = self._queued = 0

    async def start(self) -> None:
        """Begin to watch and to work.  Does not wait for the cluster, which may be away."""
        self._cache.start()
        self._workers = [
            asyncio.create_task(self._queue.work(self._look), name=f"engine worker {number}")
            for number in range(WORKERS)
        ]
        await self.resync()

    async def stop(self) -> None:
        self._stopped = True
        self._queue.close()
        for task in self._workers:
            task.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        async with self._pass:  # whoever called us closes the cluster next
            await self._cache.stop()
        await self._front_door.close()

    async def lead(self) -> None:
        """This process begins to lead: look at every store now, the ones on their way first, as if for the first time.

        What is remembered of an earlier time as leader is of no use: others have acted since.
        """
        for remembered in (self._errors, self._in_log, self._at_the_door, self._back_off):
            remembered.clear()
        await self.dispatch()
        await self.resync()

    def poke(self, name: str) -> None:
        """Somebody wished something of the store `name`: look at it now, whatever it is waiting for."""
        self._back_off.pop(name, None)
        self._queue.add(name)

    def status(self) -> EngineStatus:
        trouble = self._cache.trouble
        word = "connected" if not trouble else "away" if self._cache.listed else "connecting"
        return EngineStatus(word, trouble, self._version, self._node_count, self._working, self._queued)

    async def dispatch(self) -> None:
        """Give free places to waiting stores, and look at every store that is on its way."""
        async with self._pass:
            if not self._stopped:
                await self._dispatch()

    async def _dispatch(self) -> None:
        if self._version is None and not self._cache.trouble:
            await self._get_acquainted()
        async with self._database.session() as session:
            on_the_way = (State.REQUESTED, State.PROVISIONING, State.DELETING)
            stores = (await session.exec(select(Store).where(col(Store.state).in_(on_the_way)))).all()
            working = [store for store in stores if store.state is State.PROVISIONING]
            waiting = {store.id: store for store in stores if store.state is State.REQUESTED}
            queue = [admission.Waiting(store.id, store.owner_id, store.state_at) for store in waiting.values()]
            ordered = admission.order(queue, [store.owner_id for store in working])
            acts = self._leader.leading and not self._cache.trouble
            free = max(0, self._options.slots - len(working)) if acts else 0
            for store_id in ordered[:free]:
                if not self._leader.leading:  # no more: the next leader counts the places itself
                    break
                try:
                    await self._transition(session, waiting[store_id], State.PROVISIONING, "a place is free")
                except Moved:
                    return  # it was deleted just now; the next tick looks again
            self._tell_places([waiting[store_id] for store_id in ordered[free:]])
            self._working, self._queued = len(working) + min(free, len(ordered)), max(0, len(ordered) - free)
            for store in stores:
                if store.state is not State.REQUESTED:
                    self._queue.add_after(store.name, 0)

    def _tell_places(self, queue: list[Store]) -> None:
        """Whoever shows a store whose place in the queue is another than before reads it anew."""
        places = {store.id: place for place, store in enumerate(queue)}
        for store in queue:
            if self._places.get(store.id, places[store.id]) != places[store.id]:
                self._changes.publish(Change(store.id, store.name))
        self._places = places

    async def resync(self) -> None:
        """Look at every store, whatever the watches said; and ask the cluster who it is."""
        async with self._pass:
            if self._stopped:
                return
            async with self._database.session() as session:
                for name in (await session.exec(select(Store.name))).all():
                    self._queue.add_after(name, 0)
            if not self._cache.trouble:
                await self._get_acquainted()

    async def _get_acquainted(self) -> None:
        with contextlib.suppress(ClusterError):  # a nicety, which a service account may not be allowed
            self._version = await self._cluster.server_version()
            self._node_count = len((await self._cluster.list_all("Node"))[0])

    def _on_change(self, namespace: str) -> None:
        if namespace.startswith(names.PREFIX):
            self._queue.add(namespace.removeprefix(names.PREFIX))

    async def _look(self, name: str) -> None:
        """Take one store as far as it goes without waiting."""
        if not self._leader.leading:
            return  # whoever leads looks at it
        if asyncio.get_running_loop().time() < self._back_off.get(name, (0, 0.0))[1]:
            return
        async with self._database.session() as session:
            store = (await session.exec(select(Store).where(col(Store.name) == name))).first()
            if store is None:
                return
            if store.state is State.REQUESTED:
                await self.dispatch()
                return
            try:
                wanted = await self._wanted(session, store)
                for _ in range(STEPS_AT_A_LOOK):
                    if not await self._step(session, store, wanted):
                        return
            except Moved:
                self._queue.add(name)
            except SealBroken as error:
                log.error("store %s: %s", name, error, extra={"store": store.id})
                if store.state is State.PROVISIONING:
                    await self._fail(session, store, finding_of(error).reason)

    async def _wanted(self, session: AsyncSession, store: Store) -> Wanted:
        secrets: dict[str, str] = {}
        if store.state is not State.DELETING:  # which needs none, and must not fail of a key that was lost
            secrets = self._options.sealer.unseal((await session.get_one(StoreSecret, store.id)).sealed)
        installation = self._options.installation
        chart = TEMPLATES[store.template].chart
        own_values = values(store, installation, self._options.overlay)
        return Wanted(
            namespace=objects.namespace(store, installation),
            surroundings=objects.surroundings(store, installation, secrets),
            chart=chart,
            values=own_values,
            spec=digest([chart_digest(chart), own_values]),
        )

    async def _step(self, session: AsyncSession, store: Store, wanted: Wanted) -> bool:
        """Observe, decide, act, record: once.  Whether to go on at once."""
        there = self._cache.objects(names.namespace(store.name))
        observed = observe(there, applied=wanted.surroundings, spec=wanted.spec, since=store.state_at)
        observed = replace(observed, trouble=self._cache.trouble, blocked=self._errors.get(store.id))
        await self._tell(session, store, await self._timeline(store, there, observed))
        # What no object shows: where parts are still coming up, their log; where all are there, the way in.
        beside = self._in_log if observed.waiting_for else self._at_the_door
        observed = replace(observed, finding=observed.finding or beside.get(store.id))
        step = decide(desired_of(store), observed, now(), self._options.limits)
        await session.commit()  # no transaction stays open over a step, which may take long
        if not self._leader.leading:
            return False  # asked right before the step, since it is not known for long
        try:
            go_on = await self._act(session, store, wanted, there, observed, step)
        except (ClusterError, HelmError, Foreign) as error:
            log.warning("store %s: %s: %s", store.name, step.do.value, error, extra={"store": store.id})
            self._errors[store.id] = finding = finding_of(error, names.namespace(store.name))
            if finding.lasting and store.state is State.PROVISIONING:
                return True  # decide makes it FAILED
            failures = self._back_off.get(store.name, (0, 0.0))[0] + 1
            pause = min(0.5 * 2**failures, LONGEST_PAUSE)
            self._back_off[store.name] = (failures, asyncio.get_running_loop().time() + pause)
            self._queue.add_after(store.name, pause)
            return False
        if step.do is not Do.WAIT:
            self._errors.pop(store.id, None)
            self._back_off.pop(store.name, None)
        return go_on

    async def _act(
        self, session: AsyncSession, store: Store, wanted: Wanted, there: list[Obj], observed: Observed, step: Step
    ) -> bool:
        """Do `step`.  Whether to go on at once; otherwise the watch, the clock or a timer brings the store back."""
        actor = self._actor
        match step.do:
            case Do.WAIT:
                return False
            case Do.CREATE_NAMESPACE:
                await self._mend(session, store, "namespace")
                await actor.create_namespace(wanted)
            case Do.APPLY:
                await self._mend(session, store, ", ".join(sorted(observed.missing)))
                await actor.apply(wanted)
            case Do.UNLOCK:
                await actor.unlock(store)
            case Do.INSTALL:
                await self._mend(session, store, "release")
                async with self._helm_places:
                    revision = await actor.install(wanted)
                await self._set_revision(session, store, revision)
            case Do.REPLACE_POD:
                await actor.replace_pod(store, step.pod)
                self._queue.add_after(store.name, 0.5)
                return False
            case Do.PROBE:
                return await self._ask(session, store, there)
            case Do.MARK_FAILED:
                if step.reason is not None:
                    await self._fail(session, store, step.reason)
                return False
            case Do.START:
                await actor.scale(store, 1)
            case Do.STOP:
                await actor.scale(store, 0)
                await self._tell(session, store, [destruction.stopped(store)])
            case Do.BEGIN_DESTRUCTION:
                await destruction.begin(self._database, self._cluster, session, store)
                self._changes.publish(Change(store.id, store.name))
            case Do.UNINSTALL:
                async with self._helm_places:
                    await actor.uninstall(store)
                await self._tell(session, store, [self._own(store, "release.uninstalled", "Release uninstalled")])
            case Do.DELETE_NAMESPACE:
                await actor.delete_namespace(store)
                return False
            case Do.REMOVE:
                return await self._remove(session, store)
        return True

    async def _ask(self, session: AsyncSession, store: Store, there: list[Obj]) -> bool:
        """Ask the shop through the ingress; READY if it answers."""
        why_not = await self._front_door.ask(store.url, there)
        if why_not is not None:
            log.debug("store %s: %s", store.name, why_not.reason.message)
            self._at_the_door[store.id] = why_not
            self._queue.add_after(store.name, 0.25)
            return False
        self._forget_causes(store)
        event = self._own(store, "store.ready", "Store READY", Level.SUCCESS)
        ready_at = store.ready_at or now()
        await self._transition(session, store, State.READY, "the shop answered", event=event, ready_at=ready_at)
        return False

    def _forget_causes(self, store: Store) -> None:
        for found in (self._errors, self._in_log, self._at_the_door):
            found.pop(store.id, None)

    async def _fail(self, session: AsyncSession, store: Store, reason: Reason) -> None:
        event = self._own(store, "store.failed", reason.message, Level.ERROR)
        event.evidence = "\n".join(reason.evidence)
        self._forget_causes(store)
        await self._transition(session, store, State.FAILED, reason.message, event=event, reason=reason.as_dict())

    async def _remove(self, session: AsyncSession, store: Store) -> bool:
        """The end of a deletion: the row goes when the cluster itself says that nothing is left."""
        await self._tell(session, store, [self._own(store, "namespace.deleted", "Namespace deleted")])
        remains = await self._actor.clear(store)
        absent = None if remains else await destruction.absence(self._cluster, store)
        if absent is None:
            log.info("store %s: still there: %s", store.name, ", ".join(remains) or "a volume")
            self._queue.add_after(store.name, 0.5)
            return False
        await self._database.remove(session, store)
        await destruction.leave_receipt(session, store, absent)
        await session.commit()
        self._forget_causes(store)
        for kept in (self._told, self._log_read):
            kept.pop(store.id, None)
        self._back_off.pop(store.name, None)
        log.info("store %s is gone", store.name, extra={"store": store.id})
        self._changes.publish(Change(store.id, store.name, gone=True))
        return False

    async def _mend(self, session: AsyncSession, store: Store, what: str) -> None:
        """A READY store lost something: say so in its timeline."""
        if store.state is State.READY:
            event = self._own(store, "repaired", f"Missing and put back: {what}", Level.WARNING)
            await self._tell(session, store, [event])

    async def _set_revision(self, session: AsyncSession, store: Store, revision: int) -> None:
        if store.revision != revision:
            await self._database.set_revision(session, store, revision)
            await session.commit()
            self._changes.publish(Change(store.id, store.name))

    async def _timeline(self, store: Store, there: list[Obj], observed: Observed) -> list[Event]:
        """What the cluster attests; where a shop is being prepared, also what its log says."""
        events = timeline(store.id, there)
        if store.state is State.PROVISIONING and not observed.trouble and observed.namespace is Presence.THERE:
            for pod in of_kind(there, "Pod"):
                if part_of(pod) == "Medusa" and self._wants_log(store, pod):
                    with contextlib.suppress(ClusterError):  # it is a nicety: the next look asks again
                        log_end = await self._cluster.log(
                            names.namespace(store.name), pod["metadata"]["name"], "medusa"
                        )
                        events += told_by_log(store.id, pod, log_end)
                        if waits := waits_for_database(pod, log_end):
                            self._in_log[store.id] = waits
                        else:
                            self._in_log.pop(store.id, None)
        return in_order(events)

    def _wants_log(self, store: Store, pod: Obj) -> bool:
        """Once a second while the shop starts, and when it is ready, until it said that it is prepared."""
        uid, now_ = pod["metadata"]["uid"], asyncio.get_running_loop().time()
        if f"shop.prepared:{uid}" in self._told.get(store.id, set()):
            return False
        containers = (pod.get("status") or {}).get("containerStatuses") or []
        running = any("running" in each.get("state", {}) for each in containers)
        last = self._log_read.get(store.id, 0.0)
        if not running or (now_ - last < 1 and not all(each.get("ready") for each in containers)):
            return False
        self._log_read[store.id] = now_
        return True

    async def _tell(self, session: AsyncSession, store: Store, events: list[Event]) -> None:
        """Add to the timeline what it does not have yet."""
        told = self._told.setdefault(store.id, set())
        new = [event for event in events if event.key not in told]
        if not new:
            return
        added = await add_events(session, new)
        await session.commit()
        told.update(event.key for event in new)
        if added:
            self._changes.publish(Change(store.id, store.name, event_id=added[-1]))

    async def _transition(self, session: AsyncSession, store: Store, after: State, cause: str, **more: Any) -> None:
        await self._database.transition(session, store, after, cause, **more)
        await session.commit()
        log.info("store %s is %s: %s", store.name, after, cause, extra={"store": store.id})
        self._changes.publish(Change(store.id, store.name))
        self._queue.add(store.name)

    @staticmethod
    def _own(store: Store, kind: str, message: str, level: Level = Level.INFO) -> Event:
        """A line about what we did or decided ourselves, once for each time the store comes into its state."""
        key = f"{kind}:{store.state_at.isoformat()}"
        if kind == "repaired":
            key = f"{kind}:{now().isoformat()}"
        return Event(store_id=store.id, key=key, at=now(), kind=kind, message=message, level=level)
