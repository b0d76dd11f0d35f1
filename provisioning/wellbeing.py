"""How stores are besides their state: shown at once, told in the timeline when it lasts."""

from collections.abc import Callable
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import names
from provisioning.cache import Cache
from provisioning.cluster import Obj
from provisioning.decide import Limits
from provisioning.failures import diagnose, nearer, of_kind, part_of
from provisioning.failures.causes import NOT_READY
from provisioning.health import Condition, Health, health
from provisioning.lines import line, stamp
from provisioning.memory import Memory, clock
from provisioning.models import Level, Store
from provisioning.record import Recorder
from provisioning.states import State

Again = Callable[[str, float], None]


class Wellbeing:
    """Of all stores, from the cache and from what is remembered of each."""

    def __init__(self, cache: Cache, recorder: Recorder, memory: dict[str, Memory], limits: Limits) -> None:
        """`memory`: by name; the reconciler's own."""
        self._cache, self._recorder, self._memory, self._limits = cache, recorder, memory, limits
        self._healths: dict[str, tuple[tuple[datetime, int], Condition]] = {}  # by id; see `_health`

    def forget(self, store: Store) -> None:
        self._healths.pop(store.id, None)

    def condition(self, store: Store) -> Condition:
        """What there is to know of a store besides its state, from the cache."""
        memory = self._memory.get(store.name)
        if store.state is State.READY:
            if self._cache.trouble:
                return Condition(Health.UNKNOWN)
            if memory and memory.error and memory.error.lasting:  # what is to be mended cannot be
                return Condition(Health.DEGRADED, memory.error.reason)
            return self._health(store)
        if store.state is State.DELETING:
            return Condition(reason=memory.held if memory else None)
        if store.state is not State.PROVISIONING:
            return Condition()
        cause = diagnose(self._cache.objects(names.namespace(store.name)), store.state_at)
        if memory:
            cause = memory.error or nearer(cause, memory.in_log or memory.at_the_door)
        return Condition(reason=cause.reason if cause else None)

    def _health(self, store: Store) -> Condition:
        """As long as nothing changes, asked of the cache once."""
        namespace = names.namespace(store.name)
        key, known = (store.state_at, self._cache.version(namespace)), self._healths.get(store.id)
        if known is None or known[0] != key:
            known = self._healths[store.id] = key, health(self._cache.objects(namespace), store.state_at)
        return known[1]

    async def tell_loss(self, session: AsyncSession, store: Store, there: list[Obj], memory: Memory) -> None:
        """Say when the database of a shop that was READY has another volume than before: it comes back, but empty."""
        for claim in of_kind(there, "PersistentVolumeClaim"):
            uid = str(claim["metadata"]["uid"])
            if uid in memory.claims:
                continue
            memory.claims.add(uid)
            if await self._recorder.has_other(session, store, "pvc.created", f"pvc.created:{uid}"):
                said = f"{part_of(claim)} has a new volume: what the old one held is lost"
                await self._recorder.tell(session, store, line(store, "data.lost", said, Level.ERROR, key=uid))

    def show(self, store: Store) -> Condition:
        """Have a READY store be seen anew where its health is another than before."""
        condition, memory = self.condition(store), self._memory.setdefault(store.name, Memory())
        if condition.health not in (memory.health, Health.UNKNOWN):
            memory.health = condition.health
            self._recorder.publish(store)
        return condition

    async def tell(self, session: AsyncSession, store: Store, memory: Memory, again: Again) -> None:
        """Show how a READY store is, at once; say in its timeline what lasts, and when it is over."""
        condition = self.show(store)
        if condition.health is Health.UNKNOWN:
            return
        if condition.reason is None:
            if memory.ill_told:
                event = line(store, "store.recovered", "Well again", Level.SUCCESS, key=stamp())
                await self._recorder.tell(session, store, event)
            memory.ill_since, memory.ill_told, memory.ill_of = None, set(), ("", 0.0)
            return
        if memory.ill_since is None:
            memory.ill_since = clock()
        if condition.reason.code != memory.ill_of[0]:
            memory.ill_of = condition.reason.code, clock()
        if condition.reason.code in memory.ill_told or (memory.ill_told and condition.reason.code == NOT_READY.code):
            return  # each cause once: two that take turns would fill the timeline
        since = memory.ill_of[1] if memory.ill_told else memory.ill_since
        rest = since + self._limits.illness.total_seconds() - clock()
        if rest > 0:
            again(store.name, rest)
            return
        memory.ill_told.add(condition.reason.code)
        said, evidence = f"Degraded: {condition.reason.message}"[:300], "\n".join(condition.reason.evidence)
        event = line(store, "store.degraded", said, Level.WARNING, evidence, key=stamp())
        await self._recorder.tell(session, store, event)
