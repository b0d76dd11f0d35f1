"""Carries out the steps of a rotation: what the database and the cluster are told, and what is written down.

Why in this order stands in `rotation`.  Each step may be cut off anywhere and done again.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from provisioning import audit, names, rotation
from provisioning.act import Actor
from provisioning.cache import Cache
from provisioning.cluster import Cluster, ClusterError, Obj
from provisioning.database import Database, Moved, add_events
from provisioning.decide import Do
from provisioning.demand import Demand, held
from provisioning.failures import condition, of_kind
from provisioning.lines import line, stamp
from provisioning.memory import Memory, clock
from provisioning.models import Event, Level, Store, StoreSecret, now
from provisioning.record import Recorder
from provisioning.rotation import Held
from provisioning.secrets import Sealer
from provisioning.wanted import Wanted


class Renewal:
    """The steps."""

    def __init__(
        self,
        database: Database,
        cluster: Cluster,
        cache: Cache,
        sealer: Sealer,
        actor: Actor,
        recorder: Recorder,
        demand: Demand,
    ) -> None:
        self._database, self._cluster, self._cache, self._sealer = database, cluster, cache, sealer
        self._actor, self._recorder, self._demand = actor, recorder, demand

    async def take(self, session: AsyncSession, store: Store, wish: Wanted, do: Do, memory: Memory) -> bool:
        """One step of a rotation.  Whether it could be taken; where not, the timeline says what new secrets wait for.

        Raises ClusterError, Foreign, SealBroken or Moved.
        """
        try:
            done = await self._take(session, store, wish, do, memory)
        except ClusterError as error:
            await self._tell_waiting(session, store, wish.held, str(error))
            raise
        if not done:
            await self._tell_waiting(session, store, wish.held, "the shop has to be upgraded first")
        return done

    async def _take(self, session: AsyncSession, store: Store, wish: Wanted, do: Do, memory: Memory) -> bool:
        there = self._cache.objects(wish.name)
        match do:
            case Do.MAKE_LOGIN:
                memory.replaced.update(await self.make_login(session, store, there))
                memory.login_made = clock()
                said = "PostgreSQL did not know the shop's password: it was set again"
                await self._recorder.tell(session, store, line(store, "repaired", said, Level.WARNING, key=stamp()))
            case Do.PREPARE_SECRETS:
                if not await self.prepare(session, store, there):
                    return False
                await self._actor.apply(await self._demand.of(session, store))
            case Do.RESTART_SHOP:
                await self.restart(store, wish.held)
            case Do.RETIRE_SECRETS:
                await self.retire(session, store, wish.held)
        return True

    async def _tell_waiting(self, session: AsyncSession, store: Store, present: Held, why: str) -> None:
        said = f"New secrets wait: {why}"[:300]
        event = line(store, "secrets.waiting", said, Level.WARNING, key=str(present.generation))
        await self._recorder.tell(session, store, event)

    async def make_login(self, session: AsyncSession, store: Store, there: Sequence[Obj]) -> list[str]:
        """Have a database that does not know the login know it; pods that it refused start again at once: their uids.

        Raises ClusterError, SealBroken or Moved.
        """
        values, present = await held(session, self._sealer, store)
        statements = rotation.make_login(values)
        if present.login != rotation.OWNER:
            statements += rotation.close_login(rotation.OWNER)  # which came up with the same password
        await self._tell_database(session, store, rotation.script(statements))
        await self._write(session, store, present, granted_on=rotation.volume_of(there))
        refused = [
            pod["metadata"]
            for pod in of_kind(there, "Pod")
            if (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/name") == "medusa"
            and (condition(pod, "Ready") or {}).get("status") != "True"
        ]
        for pod in refused:
            await self._cluster.delete("Pod", pod["name"], names.namespace(store.name))
        return [str(pod["uid"]) for pod in refused]

    async def prepare(self, session: AsyncSession, store: Store, there: Sequence[Obj]) -> bool:
        """Have the database know the new secrets, and put them in force; False where its release is too old for it.

        Raises ClusterError, SealBroken or Moved.
        """
        values, present = await held(session, self._sealer, store)
        row = await session.get_one(StoreSecret, store.id)
        if row.next is None:
            raise Moved(f"the new secrets of {store.name} are in force already")
        new = self._sealer.unseal(row.next)
        own = bool(of_kind(there, "StatefulSet"))
        other_login = own and rotation.login_of(new) != present.login
        if other_login and not rotation.takes_login(there):
            return False
        statements = rotation.make_login(new) if other_login else ""
        if own and new["admin-password"] != values["admin-password"]:
            statements += await asyncio.to_thread(rotation.set_admin_password, new)
        if statements:
            await self._tell_database(session, store, rotation.script(statements))
        event = _secrets_line(
            store, present.generation + 1, "secrets.prepared", "New secrets in place: the shop restarts"
        )
        in_force: dict[str, Any] = {"sealed": row.next, "next": None, "generation": present.generation + 1}
        if other_login:
            in_force["granted_on"] = rotation.volume_of(there)
        former = present.login if other_login else ""
        await self._write(session, store, present, event, former_login=former, **in_force)
        return True

    async def restart(self, store: Store, present: Held) -> None:
        """Roll the shop out; the old pod serves until the new one does."""
        wanted = rotation.restarted(names.namespace(store.name), present.generation)
        self._cache.put(await self._cluster.apply(wanted))

    async def retire(self, session: AsyncSession, store: Store, present: Held) -> None:
        """Close the login of the secrets before, and be done.  Raises ClusterError or Moved."""
        if former := present.former_login:
            closing = rotation.script(rotation.close_login(former), rotation.cut_off(former))
            await self._tell_database(session, store, closing)
        said = "Secrets rotated: the old ones are refused"
        event = _secrets_line(store, present.generation, "secrets.rotated", said, Level.SUCCESS)
        await self._write(session, store, present, event, former_login=None)

    async def _tell_database(self, session: AsyncSession, store: Store, script: str) -> None:
        await session.commit()  # no transaction of ours stays open meanwhile
        pod, namespace = rotation.DATABASE_POD, names.namespace(store.name)
        await self._cluster.run(namespace, pod, rotation.CONTAINER, rotation.PSQL, script)

    async def _write(
        self, session: AsyncSession, store: Store, present: Held, event: Event | None = None, **columns: Any
    ) -> None:
        """Change the row if it stands where it stood, and commit.  Raises Moved."""
        as_read = (
            col(StoreSecret.store_id) == store.id,
            col(StoreSecret.generation) == present.generation,
            col(StoreSecret.next).is_not(None) if present.asked else col(StoreSecret.next).is_(None),
        )
        async with self._database.writing():
            changed = await session.exec(update(StoreSecret).where(*as_read).values(**columns))
            if changed.rowcount != 1:
                raise Moved(f"the secrets of {store.name} changed meanwhile")
            if event is not None:
                await add_events(session, [event])
                if event.kind == "secrets.rotated":
                    detail = {"generation": present.generation}
                    await audit.append(session, audit.ENGINE, "store.secrets_rotated", store=store, detail=detail)
            await session.commit()


def _secrets_line(store: Store, generation: int, kind: str, message: str, level: Level = Level.INFO) -> Event:
    key = f"{kind}:{generation}"
    return Event(store_id=store.id, key=key, at=now(), kind=kind, message=message, level=level)
