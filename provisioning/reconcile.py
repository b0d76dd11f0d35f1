"""One look at one store: observe, decide, act, record, as often in a row as there is something to do at once.

No step remembers the one before; what is kept between two looks (what went wrong last, how often the same thing was
mended) only paces the work, see `memory`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import destruction, names
from provisioning.act import Actor, Foreign
from provisioning.cache import Cache
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.database import Database
from provisioning.decide import Do, Observed, Step, decide
from provisioning.demand import Demand
from provisioning.destruction import desired_of
from provisioning.engine_options import EngineOptions
from provisioning.failures import Reason, nearer, of_kind
from provisioning.failures.causes import DATABASE_REFUSES
from provisioning.failures.steps import finding_of
from provisioning.front_door import FrontDoor
from provisioning.helm import Helm, HelmError
from provisioning.inventory import held, held_reason
from provisioning.lines import labels_lost, line, mended_line, namespace_lost, stamp, unpinned
from provisioning.memory import Memory, clock
from provisioning.milestones import in_order, timeline
from provisioning.models import Level, Store, now
from provisioning.observe import observe
from provisioning.record import Recorder
from provisioning.release import Release, history
from provisioning.renewal import Renewal
from provisioning.rotation import Stage, can_be_told
from provisioning.secrets import SealBroken
from provisioning.shop_log import ShopLog
from provisioning.states import State
from provisioning.templates import secrets_elsewhere
from provisioning.upgrades import standing
from provisioning.wanted import Wanted
from provisioning.wellbeing import Again, Wellbeing

log = logging.getLogger(__name__)

HELM_AT_ONCE = 5
STEPS_AT_A_LOOK = 12  # more than a store ever needs in a row
LONGEST_PAUSE = 15.0  # seconds between two tries of a step that fails
MENDED_AGAIN = 600.0  # seconds in which the same drift anew is somebody's doing, and mended ever more slowly
LONGEST_TUG = 300.0  # seconds between two mendings of what somebody keeps changing
HELD_AFTER = 10.0  # seconds that a deletion stands still before it is asked what holds it


class Reconciler:
    """Brings stores closer to what is wanted of them."""

    def __init__(
        self,
        database: Database,
        cluster: Cluster,
        cache: Cache,
        helm: Helm,
        recorder: Recorder,
        options: EngineOptions,
        may_act: Callable[[], bool],
    ) -> None:
        """`may_act`: asked right before each step."""
        self._database, self._cluster, self._cache, self._may_act = database, cluster, cache, may_act
        self._recorder, self._options = recorder, options
        self.demand = Demand(cluster, options)
        self._actor = Actor(cluster, cache, helm, options.limits.helm.total_seconds())
        self._front_door = FrontDoor(cluster, options.ingress_url)
        self._shop_log = ShopLog(cluster, recorder)
        self._helm_places = asyncio.Semaphore(HELM_AT_ONCE)
        self._memory: dict[str, Memory] = {}  # by name
        self._renewal = Renewal(database, cluster, cache, options.sealer, self._actor, recorder, self.demand)
        self.wellbeing = Wellbeing(cache, recorder, self._memory, options.limits)
        self._under_way, self._idle = 0, asyncio.Event()  # steps, and whether there is none
        self._idle.set()

    async def close(self) -> None:
        await self._front_door.close()

    async def finish(self) -> None:
        """Wait until no step is under way; for when none begins any more."""
        await self._idle.wait()

    def forget(self) -> None:
        """Others have acted meanwhile: what is remembered is of no use."""
        self._memory.clear()

    def hurry(self, name: str) -> None:
        """Somebody wished something of the store: no pause holds any more."""
        if memory := self._memory.get(name):
            memory.failures, memory.not_before = 0, 0.0

    async def look(self, session: AsyncSession, store: Store, again: Again) -> bool:
        """Take one store as far as it goes without waiting.  `again(name, seconds)` asks for another look.

        Whether there is nothing left to do: until something changes, another look would find the same.  Raises Moved.
        """
        memory = self._remembered(store)
        if (pause := memory.not_before - clock()) > 0:
            again(store.name, pause)
            return False
        try:
            wish = await self.demand.of(session, store)
        except ClusterError as error:
            log.warning("store %s: %s", store.name, error, extra={"store": store.id})
            memory.not_before = clock() + LONGEST_PAUSE
            again(store.name, LONGEST_PAUSE)
            return False
        except SealBroken as error:
            log.error("store %s: %s", store.name, error, extra={"store": store.id})
            if store.state is State.PROVISIONING:
                await self._fail(session, store, finding_of(error).reason)
            return False
        for _ in range(STEPS_AT_A_LOOK):
            step, go_on = await self._step(session, store, wish, memory, again)
            if not go_on:
                return step is Do.WAIT and self._may_act()
        return False

    def is_late(self, store: Store) -> bool:
        """Whether the store is given up at the next look, also while the cluster is away: its time is up."""
        memory = self._remembered(store)
        taken = memory.now(store.state_at) - store.state_at - memory.untended
        return store.state is State.PROVISIONING and taken >= self._options.limits.provisioning

    def _remembered(self, store: Store) -> Memory:
        memory = self._memory.setdefault(store.name, Memory())
        memory.begin(store.state_at, self._options.limits)
        return memory

    async def _step(
        self, session: AsyncSession, store: Store, wish: Wanted, memory: Memory, again: Again
    ) -> tuple[Do, bool]:
        """Observe, decide, act, record: once.  What was done, and whether to go on at once."""
        there = self._cache.objects(wish.name)
        observed = replace(observe(there, wish, store.state_at), trouble=self._cache.trouble, blocked=memory.error)
        observed = replace(observed, release_for=memory.seen_for(observed))
        if observed.release is Release.LOCKED:
            observed = replace(observed, lock_abandoned=self._actor.lock_abandoned(store, observed.runner))
        events = timeline(store.id, there)
        if store.state is State.PROVISIONING and not observed.trouble:
            told, memory.in_log = await self._shop_log.read(store, there, memory.in_log)
            events += told
        await self._recorder.tell(session, store, *in_order(events))
        if store.state is not State.DELETING and not observed.trouble:
            await self._recorder.set_release(session, store, standing(store, wish, history(there, wish.ours)))
        if store.state is State.READY:
            await self.wellbeing.tell_loss(session, store, there, memory)
            await self.wellbeing.tell(session, store, memory, again)
        # What no object shows: where parts are still coming up, their log; where all are there, the way in.
        beside = memory.in_log if observed.waiting_for else memory.at_the_door
        observed = replace(observed, finding=nearer(observed.finding, beside))
        observed = self._beyond_the_cluster(observed, there, wish, memory)
        # A deletion's time is a date that a person was told; any other is how long something takes.
        at = now() if store.state is State.DELETING else memory.now(store.state_at)
        desired = replace(desired_of(store), untended=memory.untended, pinned=wish.pinned)
        step = decide(desired, observed, at, self._options.limits)
        if step != memory.step:
            memory.step, what = step, f"{step.do.value} ({step.waiting_for})" if step.waiting_for else step.do.value
            log.debug("store %s, %s: %s", store.name, store.state, what, extra={"store": store.id})
        await session.commit()  # no transaction stays open over a step, which may take long
        if not self._may_act():
            return step.do, False  # asked right before the step, since it is not known for long
        try:
            with self._one_more_under_way():
                go_on = await self._act(session, store, wish, observed, step, memory, again)
        except (ClusterError, HelmError, Foreign) as error:
            log.warning("store %s: %s: %s", store.name, step.do.value, error, extra={"store": store.id})
            memory.error = finding_of(error, wish.name)
            if memory.error.lasting and store.state is State.PROVISIONING:
                return step.do, True  # decide makes it FAILED
            memory.failures += 1
            pause = min(0.5 * 2**memory.failures, LONGEST_PAUSE)
            memory.not_before = clock() + pause
            again(store.name, pause)
            return step.do, False
        if step.do is not Do.WAIT or (store.state is State.READY and not observed.trouble):
            memory.error, memory.failures, memory.not_before = None, 0, 0.0
        return step.do, go_on

    def _beyond_the_cluster(self, observed: Observed, there: list[Obj], wish: Wanted, memory: Memory) -> Observed:
        """With what no object shows: which pods an earlier attempt left, what is done about them already."""
        if memory.earlier_pods is None and not observed.trouble:
            memory.earlier_pods = frozenset(str(pod["metadata"]["uid"]) for pod in of_kind(there, "Pod"))
        observed = replace(observed, earlier_pods=memory.earlier_pods or frozenset())
        finding = observed.finding
        if finding is None or finding.pod_uid in memory.replaced:
            return replace(observed, finding=None)
        refused = finding.reason.code == DATABASE_REFUSES.code and observed.secrets is not Stage.NO_LOGIN
        due = memory.login_made is None or clock() - memory.login_made > MENDED_AGAIN
        if refused and due and can_be_told(there) and not secrets_elsewhere(wish.values):
            return replace(observed, secrets=Stage.MAKE_LOGIN)
        return observed

    @contextlib.contextmanager
    def _one_more_under_way(self) -> Iterator[None]:
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _act(
        self,
        session: AsyncSession,
        store: Store,
        wish: Wanted,
        observed: Observed,
        step: Step,
        memory: Memory,
        again: Again,
    ) -> bool:
        """Do `step`.  Whether to go on at once; otherwise the watch, the clock or `again` brings the store back."""
        actor, tell = self._actor, self._recorder.tell
        match step.do:
            case Do.WAIT:
                if observed.release is Release.LOCKED:  # nothing changes when it has lasted long enough
                    again(store.name, max(0.1, (self._options.limits.helm - observed.release_for).total_seconds()))
                await self._ask_what_holds(session, store, memory)
                return False
            case Do.CREATE_NAMESPACE:
                made = await actor.create_namespace(wish)
                if store.state is State.READY:
                    await tell(session, store, namespace_lost(store) if made else labels_lost(store))
            case Do.APPLY if observed.release is Release.ABSENT and store.state is State.PROVISIONING:
                await actor.apply(wish)
            case Do.APPLY:
                return await self._mend(session, store, observed, memory, again)
            case Do.UNLOCK:
                await actor.unlock(store, observed.release_at)
            case Do.UNPIN:
                if await actor.kept_as(wish):
                    return True
                await tell(session, store, unpinned(store))
                await self._recorder.set_release(session, store, {"pinned": None})
                again(store.name, 0.1)  # what is wanted is another thing from now on
                return False
            case Do.INSTALL | Do.ROLL_BACK:
                if store.state is State.READY:
                    found = f"Release {observed.release.value}: installed again"
                    await tell(session, store, line(store, "repaired", found, Level.WARNING, key=stamp()))
                async with self._helm_places:
                    if not self._may_act():  # the wait for a place may have outlived the lead
                        return False
                    if step.do is Do.ROLL_BACK:
                        await actor.roll_back(wish, step.revision)
                    else:
                        await actor.install(wish)
            case Do.REPLACE_POD:
                await actor.replace_pod(store, step.pod, step.pod_uid)
                memory.replaced.add(step.pod_uid)
                again(store.name, 0.5)
                return False
            case Do.MAKE_LOGIN | Do.PREPARE_SECRETS | Do.RESTART_SHOP | Do.RETIRE_SECRETS:
                if await self._renewal.take(session, store, wish, step.do, memory):
                    self._recorder.publish(store)
                    again(store.name, 0.1)  # the next look, at once, is by what it changed
                return False
            case Do.PROBE:
                return await self._ask(session, store, memory, again)
            case Do.MARK_FAILED:
                if step.reason is not None:
                    await self._fail(session, store, step.reason)
                return False
            case Do.START:
                await actor.scale(store, 1)
            case Do.STOP:
                await actor.scale(store, 0)
                await tell(session, store, destruction.stopped(store))
            case Do.BEGIN_DESTRUCTION:
                await destruction.begin(self._database, self._cluster, session, store)
                self._recorder.publish(store)
            case Do.UNINSTALL:
                async with self._helm_places:
                    if not self._may_act():
                        return False
                    await actor.uninstall(store)
                await tell(session, store, line(store, "release.uninstalled", "Release uninstalled"))
            case Do.DELETE_NAMESPACE:
                await actor.delete_namespace(store)
                return False
            case Do.REMOVE:
                return await self._remove(session, store, again)
        return True

    async def _mend(
        self, session: AsyncSession, store: Store, observed: Observed, memory: Memory, again: Again
    ) -> bool:
        """Put back what drifted and say so; what somebody changes again and again, ever more slowly."""
        due, at = [], clock()
        for drift in (*observed.drift, *observed.release_drift):
            times, last = memory.mended.get(drift.key, (0, 0.0))
            rest = last + min(2.0**times, LONGEST_TUG) - at if times > 1 else 0.0
            if rest > 0:
                again(store.name, rest)
            else:
                due.append(drift)
        for mended in await self._actor.mend(store, due):
            times, last = memory.mended.get(mended.drift.key, (0, at))
            memory.mended[mended.drift.key] = (times + 1 if at - last < MENDED_AGAIN else 1, at)
            await self._recorder.tell(session, store, mended_line(store, mended))
        return bool(due)

    async def _ask(self, session: AsyncSession, store: Store, memory: Memory, again: Again) -> bool:
        """Ask the shop through the ingress; READY if it answers."""
        there = self._cache.objects(names.namespace(store.name))
        memory.at_the_door = await self._front_door.ask(store.url, there)
        if memory.at_the_door is not None:
            log.debug("store %s: %s", store.name, memory.at_the_door.reason.message)
            again(store.name, 0.25)
            return False
        memory.error = memory.in_log = None
        event = line(store, "store.ready", "Store READY", Level.SUCCESS)
        ready_at = store.ready_at or now()
        more = {"event": event, "ready_at": ready_at}
        await self._recorder.transition(session, store, State.READY, "the shop answered", **more)
        self._shop_log.forget(store)
        return True  # a READY store is looked at once more, for its health

    async def _fail(self, session: AsyncSession, store: Store, reason: Reason) -> None:
        event = line(store, "store.failed", reason.message, Level.ERROR, "\n".join(reason.evidence))
        self._memory.pop(store.name, None)
        change = self._recorder.transition
        await change(session, store, State.FAILED, reason.message, event=event, reason=reason.as_dict())

    async def _remove(self, session: AsyncSession, store: Store, again: Again) -> bool:
        """The end of a deletion: the row goes when the cluster itself says that nothing is left."""
        await self._recorder.tell(session, store, line(store, "namespace.deleted", "Namespace deleted"))
        remains = await self._actor.clear(store)
        absent = None if remains else await destruction.absence(self._cluster, store)
        if absent is None:
            log.info("store %s: still there: %s", store.name, ", ".join(remains) or "a volume")
            again(store.name, 0.5)
            return False
        await self._recorder.remove(session, store, absent)
        self._memory.pop(store.name, None)
        self.wellbeing.forget(store)
        self._shop_log.forget(store)
        return False

    async def _ask_what_holds(self, session: AsyncSession, store: Store, memory: Memory) -> None:
        """A deletion that stands still: say which object keeps it, asked at most every few seconds."""
        at = clock()
        if store.destroying_at is None or now() - store.destroying_at < timedelta(seconds=HELD_AFTER):
            return
        if at - memory.held_asked < HELD_AFTER:
            return
        memory.held_asked = at
        holders = await held(self._cluster, names.namespace(store.name))
        before, memory.held = memory.held, held_reason(store.name, holders) if holders else None
        for holder in holders[:3]:
            event = line(store, "deletion.held", f"Deletion waits for {holder}"[:300], Level.WARNING, key=str(holder))
            await self._recorder.tell(session, store, event)
        if memory.held != before:
            self._recorder.publish(store)
